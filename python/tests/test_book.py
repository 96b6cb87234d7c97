"""Books frame by frame, against dictionaries."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from conftest import Program

import papertrader


def test_books_are_those_of_dictionaries(capture: Path) -> None:
    sides: dict[int, dict[int, int]] = {1: {}, -1: {}}
    frames = looked = 0
    scale: tuple[int, int] | None = None
    for frame in papertrader.open(capture).book():
        frames += frame.kind in ("snapshot", "update")
        change = frame.changes()
        if frame.kind == "snapshot":
            sides = {1: {}, -1: {}}
        if frame.kind != "prints":
            now = (frame.price_decimals, frame.size_decimals)
            if scale not in (None, now) and frame.kind == "update":
                return  # A finer scale: what follows counts in other ticks.
            scale = now
        for side, ticks, lots in zip(change.side.tolist(), change.levels.price_ticks.tolist(), change.levels.size_lots.tolist()):
            if lots:
                sides[side][ticks] = lots
            else:
                sides[side].pop(ticks, None)
        if frame.state != "live" or frame.kind == "prints":
            continue
        best = [max(sides[1], default=None), min(sides[-1], default=None)]
        assert [one and one[0] for one in (frame.best_bid, frame.best_ask)] == best
        if frames % 250:
            continue
        looked += 1
        names: tuple[tuple[Literal["bid", "ask"], int, int], ...] = (("bid", 1, -1), ("ask", -1, 1))
        for name, side, order in names:
            levels = frame.levels(name)
            due = sorted(sides[side].items(), key=lambda level: order * level[0])
            assert list(zip(levels.price_ticks.tolist(), levels.size_lots.tolist())) == due
            assert (levels.price == levels.price_ticks / 10**frame.price_decimals).all()
            assert (levels.size == levels.size_lots / 10**frame.size_decimals).all()
            few = frame.levels(name, 3)
            assert few.price_ticks.tolist() == [ticks for ticks, _ in due[:3]]
    assert looked > 3


def test_frames_are_those_of_the_features(capture: Path) -> None:
    market = papertrader.open(capture)
    rows = market.features(["mid"])
    due = dict(zip(rows["sequence"].tolist(), zip(rows["ts_recv_ns"].tolist(), rows["mid"].tolist())))
    seen = 0
    for frame in market.book():
        if frame.kind in ("snapshot", "update") and frame.sequence in due:
            assert frame.bid is not None and frame.ask is not None
            ts_recv_ns, mid = due[frame.sequence]
            assert frame.ts_recv_ns == ts_recv_ns
            assert (frame.bid + frame.ask) / 2 == pytest.approx(mid, rel=1e-15)
            seen += 1
    assert seen == rows.rows


def test_prints_are_those_of_the_program(program: Program, synthetic: Path, tmp_path: Path) -> None:
    program("features", synthetic, "--prints", tmp_path / "prints.parquet")
    due = pd.read_parquet(tmp_path / "prints.parquet")
    found = [frame.prints() for frame in papertrader.open(synthetic).book() if frame.kind == "prints"]
    assert np.concatenate([prints.trade_id for prints in found]).tolist() == due["trade_id"].tolist()
    assert np.concatenate([prints.trades.size for prints in found]).tolist() == due["size"].tolist()
    assert np.concatenate([prints.trades.price for prints in found]).tolist() == due["price"].tolist()


def test_a_frame_of_the_past_is_not_asked(synthetic: Path) -> None:
    book = papertrader.open(synthetic).book()
    assert book.product == "BTC-USD" and iter(book) is book
    first, second = next(book), next(book)
    gone = "the book has gone on: ask a frame before the next one is taken"
    for ask in (lambda: first.levels("bid"), first.changes, first.prints):
        with pytest.raises(RuntimeError, match=gone):
            ask()
    # What it is stays known.
    assert first.ts_recv_ns <= second.ts_recv_ns and first.kind in repr(first)
    with pytest.raises(ValueError, match="a side is 'bid' or 'ask', not 'buy'"):
        second.levels("buy")  # type: ignore[arg-type]
    rest = sum(1 for _ in book)
    assert rest > 3000 and next(book, None) is None
    with pytest.raises(RuntimeError, match=gone):
        first.levels("bid")


def test_a_book_that_is_left_is_no_burden(synthetic: Path) -> None:
    for _ in range(20):
        assert next(papertrader.open(synthetic).book()).ts_recv_ns > 0


def test_a_bad_line_is_told_where_the_book_ends(synthetic: Path, tmp_path: Path, program: Program) -> None:
    program("generate", "--output", tmp_path / "a.l2", "--frames", 50, "--levels", 20)
    lines = (tmp_path / "a.l2").read_bytes().splitlines(keepends=True)
    (tmp_path / "a.l2").write_bytes(b"".join([*lines[:30], b"not a line\n", *lines[30:]]))
    book = papertrader.open(tmp_path / "a.l2").book()
    seen = 0
    with pytest.raises(papertrader.InputError, match="a.l2") as raised:
        for _ in book:
            seen += 1
    assert 20 <= seen <= 30
    done = program("replay", tmp_path / "a.l2", "--model", Path(__file__).parents[2] / "models/imbalance.json", "--out", tmp_path, status=2)
    assert done.stderr.splitlines()[-1] == f"error: {raised.value}"
    assert next(book, None) is None
