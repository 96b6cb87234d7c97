"""Errors: the program's lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Program

import papertrader

Call = Callable[[papertrader.Market, Path, Path], Any]

# Arguments of the command line after the market, and the same call.
CASES: list[tuple[str, list[str], Call]] = [
    ("replay", ["--threshold=1.5"], lambda market, model, out: market.replay(model, threshold=1.5, out=out, name="x")),
    ("replay", ["--lag=0"], lambda market, model, out: market.replay(model, lag=0, out=out, name="x")),
    ("replay", ["--lag=7"], lambda market, model, out: market.replay(model, lag=7, out=out, name="x")),
    ("replay", ["--short"], lambda market, model, out: market.replay(model, short=True, out=out, name="x")),
    ("replay", ["--fees=nobody"], lambda market, model, out: market.replay(model, fees="nobody", out=out, name="x")),
    (
        "replay",
        ["--execution=taker,broker"],
        lambda market, model, out: market.replay(model, execution=["taker", "broker"], out=out, name="x"),
    ),
    (
        "replay",
        ["--fee-bps=1.0", "--fees=kraken"],
        lambda market, model, out: market.replay(model, fee_bps=1.0, fees="kraken", out=out, name="x"),
    ),
    ("features", ["--features=nope"], lambda market, model, out: market.features("nope")),
    ("features", ["--features=x = mean(mid"], lambda market, model, out: market.features(["x = mean(mid"])),
    ("features", ["--label=mid:0"], lambda market, model, out: market.features(label="mid:0")),
    ("features", ["--every=0"], lambda market, model, out: market.features(every=0)),
    ("features", ["--horizon=9000"], lambda market, model, out: market.features("mid", horizon=9000)),
    ("evaluate", ["--last=1.0"], lambda market, model, out: papertrader.evaluate(model, market, last=1.0)),
    ("evaluate", ["--horizon=7"], lambda market, model, out: papertrader.evaluate(model, market, horizon=7)),
    ("train", ["--c=0.0"], lambda market, model, out: papertrader.train(market, out / "m.json", c=0.0)),
    ("train", ["--embargo=5"], lambda market, model, out: papertrader.train(market, out / "m.json", embargo=5)),
]


@pytest.mark.parametrize(("command", "options", "call"), CASES)
def test_refusals_are_the_programs_lines(
    program: Program, synthetic: Path, imbalance: Path, tmp_path: Path, command: str, options: list[str], call: Call
) -> None:
    needed = {
        "replay": [f"--model={imbalance}", f"--out={tmp_path}", "--name=x"],
        "features": [f"--output={tmp_path}/x.csv"],
        "evaluate": [f"--model={imbalance}"],
        "train": [f"--output={tmp_path}/m.json"],
    }
    done = program(command, synthetic, *needed[command], *options, status=2)
    with pytest.raises(papertrader.InputError) as raised:
        call(papertrader.open(synthetic), imbalance, tmp_path)
    assert done.stderr == f"error: {raised.value}\n"
    assert isinstance(raised.value, papertrader.Error) and isinstance(raised.value, ValueError)
    assert not list(tmp_path.glob("x.*")) and not (tmp_path / "m.json").exists()


def test_bad_files_are_the_programs_lines(program: Program, synthetic: Path, imbalance: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.l2").write_bytes(b"")
    (tmp_path / "text.l2").write_text("nothing of a market\n")
    (tmp_path / "model.json").write_text("{")
    for path in ("none.l2", "empty.l2", "text.l2", "no*.l2"):
        done = program("replay", tmp_path / path, "--model", imbalance, "--out", tmp_path, status=2)
        with pytest.raises(papertrader.InputError) as raised:
            papertrader.open(tmp_path / path).replay(imbalance, out=tmp_path)
        assert done.stderr == f"error: {raised.value}\n", path
    for model in ("none.json", "model.json", "empty.l2"):
        done = program("replay", synthetic, "--model", tmp_path / model, "--out", tmp_path, status=2)
        for load in (lambda: papertrader.open(synthetic).replay(tmp_path / model), lambda: papertrader.Model.load(tmp_path / model)):
            with pytest.raises(papertrader.InputError) as raised:
                load()
            assert done.stderr == f"error: {raised.value}\n", model
    done = program("replay", synthetic, "--product", "DOGE-USD", "--model", imbalance, "--out", tmp_path, status=2)
    with pytest.raises(papertrader.InputError) as raised:
        papertrader.open(synthetic, product="DOGE-USD")
    assert done.stderr == f"error: {raised.value}\n"


def test_what_fails_while_running_is_of_its_own_kind(program: Program, synthetic: Path, imbalance: Path, tmp_path: Path) -> None:
    # A market whose book never is live.
    program("generate", "--output", tmp_path / "a.l2", "--frames", 30, "--levels", 20)
    rest = [line for line in (tmp_path / "a.l2").read_bytes().splitlines(keepends=True) if b'"snapshot"' not in line]
    (tmp_path / "a.l2").write_bytes(b"".join(rest))
    done = program("replay", tmp_path / "a.l2", "--model", imbalance, "--out", tmp_path, status=1)
    with pytest.raises(papertrader.RunningError) as raised:
        papertrader.open(tmp_path / "a.l2").replay(imbalance, out=tmp_path)
    assert done.stderr.splitlines()[-1] == f"error: {raised.value}"
    assert isinstance(raised.value, RuntimeError) and not isinstance(raised.value, papertrader.InputError)


def test_a_run_that_a_bad_capture_ends_keeps_its_files(program: Program, imbalance: Path, tmp_path: Path) -> None:
    program("generate", "--output", tmp_path / "a.l2", "--frames", 500, "--levels", 50)
    with (tmp_path / "a.l2").open("ab") as file:
        file.write(b"not a line\n")
    done = program("replay", tmp_path / "a.l2", "--model", imbalance, "--out", tmp_path, "--name", "theirs", status=2)
    with pytest.raises(papertrader.InputError) as raised:
        papertrader.open(tmp_path / "a.l2").replay(imbalance, out=tmp_path, name="ours")
    assert done.stderr.splitlines()[-1] == f"error: {raised.value}"
    assert (tmp_path / "ours.csv").read_bytes() == (tmp_path / "theirs.csv").read_bytes()
    assert (tmp_path / "ours.html").exists() and papertrader.Run(tmp_path / "ours.csv").report is not None


def test_warnings_can_be_errors(synthetic: Path, tmp_path: Path) -> None:
    import warnings

    silent = papertrader.Model.from_bytes("m.json", b'{"features":["mid"],"intercept":0.0,"coefficients":[0.0]}')
    with pytest.warns(papertrader.PapertraderWarning, match="^model m.json does not say its horizon_updates and label"):
        papertrader.open(synthetic).replay(silent)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(papertrader.PapertraderWarning, match="model m.json does not say"):
            papertrader.open(synthetic).replay(silent)


def test_names_are_texts(tmp_path: Path, program: Program, synthetic: Path) -> None:
    odd = tmp_path / "--a b,ü\n.l2.zst"
    odd.write_bytes(synthetic.read_bytes())
    assert papertrader.open(odd).features("mid").rows > 0
