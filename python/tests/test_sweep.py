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


def _tree(columns: str) -> bytes:
    """A model of LightGBM: of its first column alone, up where that is above 0."""
    return (
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=1\nobjective=binary sigmoid:1\n"
        f"feature_names={columns}\n\nTree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=0\nthreshold=0.0\ndecision_type=2\n"
        "left_child=-1\nright_child=-2\nleaf_value=-1.0 1.0\nis_linear=0\n\nend of trees\n"
    ).encode()


def test_what_is_said_beside_a_models_file_holds_in_a_sweep(synthetic: Path, imbalance: Path, tmp_path: Path) -> None:
    file = tmp_path / "tree.txt"
    file.write_bytes(_tree("imbalance_1 spread_ticks"))
    market = papertrader.open(synthetic)
    trades = {}
    for name, given in (
        ("plain", {}),
        ("turned", {"classes": "up,down"}),
        ("other", {"features": ["imbalance_5", "spread_ticks"]}),
    ):
        model = papertrader.Model.load(file, **given)
        sweeps: list[papertrader.Sweep] = []
        runs: list[papertrader.Run] = []
        quietly(lambda: sweeps.append(market.sweep(model, threshold=0.6, lag=10)))
        quietly(lambda: runs.append(market.replay(model, threshold=0.6, lag=10)))
        assert sweeps[0].table["trades"].tolist() == [len(runs[0].trades)]
        np.testing.assert_allclose(sweeps[0].table["gross_profit_quote"][0], runs[0].trades.profit.sum(), atol=1e-9)
        trades[name] = float(runs[0].trades.profit.sum())
    assert len(set(trades.values())) == 3, trades
    with pytest.raises(papertrader.InputError, match="sweep them one by one"):
        market.sweep([papertrader.Model.load(file, classes="up,down"), imbalance], threshold=0.6)
