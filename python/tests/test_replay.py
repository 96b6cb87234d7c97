"""Runs: the program's files, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import Program, quietly, warned

import papertrader

SETTINGS: list[dict[str, Any]] = [
    {},
    {"threshold": 0.62, "lag": 15, "override_model": True, "buy_amount": 100.0, "fee_bps": 0.5, "fused": True},
    {"execution": ["taker", "maker"], "maker_fee_bps": -0.5, "taker_fee_bps": 2.0, "short": True, "order_latency": "5ms"},
]


def options(settings: dict[str, Any]) -> list[str]:
    made = []
    for name, value in settings.items():
        option = "--" + name.replace("_", "-")
        value = ",".join(value) if isinstance(value, list) else value
        made += [option] if value is True else [f"{option}={value}"]
    return made


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_run_is_the_programs(program: Program, capture: Path, imbalance: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    done = program("replay", capture, "--model", imbalance, *options(settings), "--out", tmp_path, "--name", "theirs")
    market = papertrader.open(capture)
    for model in (imbalance, papertrader.Model.load(imbalance)):
        found: list[papertrader.Run] = []
        said = quietly(
            lambda: found.append(market.replay(model, out=tmp_path, name="ours", force=True, **settings))
        )
        (run,) = found
        assert said == warned(done.stderr)
        assert run.path == tmp_path / "ours.csv"
        theirs = {path.name.removeprefix("theirs") for path in tmp_path.glob("theirs.*")}
        assert theirs == {path.name.removeprefix("ours") for path in tmp_path.glob("ours.*")}
        for ending in theirs:
            one, other = ((tmp_path / f"{name}{ending}").read_bytes() for name in ("theirs", "ours"))
            if ending.endswith(".csv"):
                assert one == other, ending
            elif ending == ".json":
                one_run, other_run = json.loads(one), json.loads(other)
                assert other_run == run.report
                del one_run["timing"], other_run["timing"]
                assert json.dumps(one_run) == json.dumps(other_run)
        assert run.page is not None and run.page.startswith("<!") and f"papertrader {papertrader.__version__}" in run.summary
        for log in papertrader.Run.LOGS if "execution" in settings else ("trades",):
            path = run.path if log == "trades" else run.file(f"{log}.csv")
            read = pd.read_csv(path, low_memory=False)
            ours = getattr(run, log)
            assert list(ours.columns) == list(read.columns) and len(ours) == len(read)
            for name in ours.columns:
                due = read[name]
                if due.dtype == np.float64:
                    np.testing.assert_array_equal(ours[name].to_numpy(np.float64, na_value=np.nan), due.to_numpy())
                else:
                    assert ours[name].tolist() == due.tolist(), name
            assert run.table(log).to_arrow().num_rows == len(read)
        assert len(run.trades) > 0


def test_logs_as_arrow_are_the_programs_parquet(capture: Path, imbalance: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as parquet

    run = papertrader.open(capture).replay(imbalance, execution="taker,maker", out=tmp_path, name="run", parquet=True)
    for log in papertrader.Run.LOGS:
        due = parquet.read_table(run.file(f"{log}.parquet"))
        assert run.table(log).to_arrow().equals(due), log


def test_missing_numbers_are_marked(synthetic: Path, imbalance: Path) -> None:
    run = papertrader.open(synthetic).replay(imbalance, execution="maker")
    orders = run.table("orders")
    arrived = orders.column("arrived_ts_ns")
    if arrived.valid is not None:
        assert (arrived.values[~arrived.valid] == -1).all() and (arrived.values[arrived.valid] > 0).all()
        assert run.orders["arrived_ts_ns"].isna().sum() == (~arrived.valid).sum()
    assert orders["account"].dtype == object and set(orders["side"]) <= {"buy", "sell"}
    assert run.orders["decided_ts_recv_ns"].dtype == np.int64


def test_files_without_a_folder_go_with_the_run(synthetic: Path, imbalance: Path) -> None:
    run = papertrader.open(synthetic).replay(imbalance)
    path = run.path
    assert path.exists() and run.report is not None
    with pytest.raises(KeyError, match="orders"):
        run.table("orders")
    with pytest.raises(KeyError, match="json"):
        run.table("json")
    del run
    assert not path.parent.exists()


def test_a_run_without_report_has_none(synthetic: Path, imbalance: Path) -> None:
    run = papertrader.open(synthetic).replay(imbalance, report=False)
    assert run.report is None and run.page is None and len(run.trades) > 0


def test_a_model_in_memory_trades(synthetic: Path, imbalance: Path) -> None:
    held = papertrader.Model.from_bytes("made.json", imbalance.read_bytes())
    market = papertrader.open(synthetic)
    ours, theirs = market.replay(held), market.replay(imbalance)
    assert ours.path.read_bytes() == theirs.path.read_bytes()
    assert ours.report is not None and "made.json" in json.dumps(ours.report)


def test_strategies_of_a_session_are_the_programs(program: Program, synthetic: Path, imbalance: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("model = 'imbalance.json'\n[often]\nthreshold = 0.52\n[seldom]\nthreshold = 0.8\nexecution = 'taker'\n")
    done = program("replay", synthetic, "--strategies", file, "--out", tmp_path, "--name", "theirs")
    found: list[papertrader.Session] = []
    market = papertrader.open(synthetic)
    said = quietly(lambda: found.append(market.replay_strategies(file)))
    (session,) = found
    assert said == warned(done.stderr) and list(session.runs) == ["often", "seldom"]
    for name, run in session.runs.items():
        assert run.path.read_bytes() == (tmp_path / f"theirs.{name}.csv").read_bytes()
        assert run.report is not None
    assert len(session.runs["often"].trades) > len(session.runs["seldom"].trades)
    assert len(session.runs["seldom"].orders) >= 0 and session.page is not None
    with pytest.raises(papertrader.InputError, match="strategies .*none.toml"):
        market.replay_strategies(tmp_path / "none.toml")
    # A run keeps the files that it shares with another.
    run = session.runs["often"]
    folder = run.path.parent
    del session, found
    assert folder.exists() and run.table("trades").rows > 0
    del run
    assert not folder.exists()


def test_what_is_there_is_kept(synthetic: Path, imbalance: Path, tmp_path: Path) -> None:
    market = papertrader.open(synthetic)
    run = market.replay(imbalance, out=tmp_path, name="run")
    before = run.path.read_bytes()
    with pytest.raises(papertrader.InputError, match="run.csv exists; give --force to replace it"):
        market.replay(imbalance, out=tmp_path, name="run", threshold=0.9)
    assert run.path.read_bytes() == before
    unnamed = market.replay(imbalance, out=tmp_path)
    assert unnamed.path.parent == tmp_path and unnamed.path.read_bytes() == before
