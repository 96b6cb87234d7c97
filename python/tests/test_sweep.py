"""Sweeps: the program's files, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import Program, quietly, warned

import papertrader


def test_a_sweep_is_the_programs(program: Program, synthetic: Path, imbalance: Path, tmp_path: Path) -> None:
    grid = ["--threshold", "0.5:0.7:0.1", "--lag", "10,20", "--execution", "original,taker"]
    done = program("sweep", synthetic, "--model", imbalance, *grid, "--out", tmp_path / "theirs", "--name", "grid")
    found: list[papertrader.Sweep] = []
    market = papertrader.open(synthetic)
    for model in (imbalance, papertrader.Model.load(imbalance)):
        said = quietly(
            lambda: found.append(
                market.sweep(
                    model,
                    threshold="0.5:0.7:0.1",
                    lag=[10, 20],
                    execution=["original", "taker"],
                    out=tmp_path / "ours",
                    name="grid",
                    force=True,
                )
            )
        )
        assert said == warned(done.stderr)
        for ending in ("csv", "parquet", "json", "report.json", "html"):
            one, other = ((tmp_path / name / f"grid.sweep.{ending}").read_bytes() for name in ("theirs", "ours"))
            assert one == other, ending
    sweep = found[-1]
    assert sweep.path == tmp_path / "ours" / "grid.sweep.csv" and sweep.table.rows == 12
    read = pd.read_parquet(tmp_path / "ours" / "grid.sweep.parquet")
    assert list(sweep.rows.columns) == list(read.columns)
    for name in ("threshold", "net_profit_quote", "trades", "setting", "lag_updates"):
        assert sweep.rows[name].tolist() == read[name].tolist()
    assert sweep.report == json.loads((tmp_path / "ours" / "grid.sweep.report.json").read_text())
    assert sweep.page.startswith("<!") and sweep.summary.startswith("sweep: 12 rows of 1 capture")


def test_a_row_is_a_replay(synthetic: Path, imbalance: Path) -> None:
    market = papertrader.open(synthetic)
    made = papertrader.Model.from_bytes("made.json", imbalance.read_bytes())
    sweeps: list[papertrader.Sweep] = []
    quietly(lambda: sweeps.append(market.sweep(made, threshold=[0.55, 0.65], buy_amount=100.0)))
    (sweep,) = sweeps
    assert len(sweep.rows) == 2
    for threshold, profit, trades in zip(*(sweep.table[name] for name in ("threshold", "net_profit_quote", "trades"))):
        run = market.replay(made, threshold=float(threshold), buy_amount=100.0)
        assert len(run.trades) == trades
        np.testing.assert_allclose(run.trades.profit.sum(), profit, rtol=1e-9, atol=1e-9)
    folder = sweep.path.parent
    del sweep
    sweeps.clear()
    assert not folder.exists()


def test_grids_that_are_none_are_refused(program: Program, synthetic: Path, imbalance: Path, tmp_path: Path) -> None:
    for option, value in (("threshold", "0.5:0.4:0.1"), ("execution", "broker"), ("lag", "0")):
        done = program("sweep", synthetic, "--model", imbalance, f"--{option}={value}", "--out", tmp_path, status=2)
        with pytest.raises(papertrader.InputError) as raised:
            papertrader.open(synthetic).sweep(imbalance, out=tmp_path, **{option: value})  # type: ignore[arg-type]
        assert done.stderr == f"error: {raised.value}\n"
