"""Training and judging: the program's reports and models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Program, quietly, warned

import papertrader


def test_an_evaluation_is_the_programs(program: Program, capture: Path, imbalance: Path, tmp_path: Path) -> None:
    done = program("evaluate", capture, "--model", imbalance, "--resamples", 100, "--report", tmp_path / "theirs")
    found: list[object] = []
    for model in (imbalance, papertrader.Model.load(imbalance)):
        said = quietly(lambda: found.append(papertrader.evaluate(model, capture, resamples=100)))
        assert said == warned(done.stderr)
    due = json.loads((tmp_path / "theirs.report.json").read_text())
    assert found == [due, due]
    market = papertrader.open(capture)
    quietly(lambda: papertrader.evaluate(imbalance, market, resamples=100, report=tmp_path / "ours"))
    for ending in ("json", "html"):
        one, other = ((tmp_path / f"{name}.report.{ending}").read_bytes() for name in ("theirs", "ours"))
        assert one == other


def test_several_models_are_judged_side_by_side(synthetic: Path, imbalance: Path) -> None:
    other = papertrader.Model.from_bytes("other.json", imbalance.read_bytes().replace(b"1.5", b"-1.5"))
    found: list[dict[str, object]] = []
    quietly(lambda: found.append(papertrader.evaluate([imbalance, other], synthetic, resamples=100)))
    assert "evaluation of" in str(found[0]["title"]) and "other.json" in str(found[0]["title"])


@pytest.mark.parametrize("command", ["train", "select"])
def test_a_trained_model_is_the_programs(program: Program, synthetic: Path, tmp_path: Path, command: str) -> None:
    features = ["imbalance_1", "spread_ticks", "ofi_1_20"]
    at_most = 2 if command == "select" else None
    options = ["--at-most=2"] if command == "select" else []
    theirs, ours = tmp_path / "theirs.json", tmp_path / "ours.json"
    done = program(command, synthetic, "--output", theirs, "--features", ",".join(features), "--resamples", 100, *options)
    found: list[papertrader.Trained] = []
    said = quietly(lambda: found.append(papertrader.train(synthetic, ours, features, resamples=100, at_most=at_most)))
    (trained,) = found
    assert said == warned(done.stderr)
    one, other = (json.loads(path.read_text()) for path in (theirs, ours))
    assert one["provenance"].pop("date") and other["provenance"].pop("date")
    assert json.dumps(one) == json.dumps(other)
    assert trained.model.features == one["features"] and trained.model.path == ours
    assert trained.report == json.loads((tmp_path / "ours.report.json").read_text())
    assert trained.summary


def test_a_generated_market_is_the_programs(program: Program, tmp_path: Path) -> None:
    program("generate", "--output", tmp_path / "theirs.l2", "--frames", 200, "--seed", 9, "--levels", 50)
    papertrader.generate(tmp_path / "ours.l2", frames=200, seed=9, levels=50)
    assert (tmp_path / "ours.l2").read_bytes() == (tmp_path / "theirs.l2").read_bytes()
