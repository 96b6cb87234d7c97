"""Training and judging."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from . import _papertrader as native
from ._market import Market
from ._model import Model
from ._options import Option, Path, Paths, arguments, texts


class Trained(NamedTuple):
    """What training leaves.

    Attributes:
        model: The model, read back from its file.
        report: What the report beside it says, for machines.
        summary: What the command prints.
    """

    model: Model
    report: dict[str, Any]
    summary: str


def _market(market: Market | Paths) -> tuple[dict[str, Option], list[str]]:
    if isinstance(market, Market):
        return dict(market._options), market.paths
    return {}, texts(market)


def train(
    market: Market | Paths,
    output: Path,
    features: str | Sequence[str] = "seed",
    *,
    label: str | None = None,
    horizon: int | None = None,
    at_most: int | None = None,
    validate: str | None = None,
    embargo: int | None = None,
    calibrate: str | None = None,
    c: float | None = None,
    cv: bool = False,
    ties: str | None = None,
    threshold: float | None = None,
    test_share: float | None = None,
    test: Sequence[Path] = (),
    allow_overlap: bool = False,
    after: Sequence[Path] = (),
    txt: Path | None = None,
    memory: int | None = None,
    importance: bool = False,
    repeats: int | None = None,
    buy_amount: float | None = None,
    block: float | None = None,
    resamples: int | None = None,
    seed: int | None = None,
    threads: int | None = None,
    force: bool = False,
) -> Trained:
    """Trains a logistic regression to its optimum, tests it once on what comes after, and writes model and report, as
    `papertrader train` does; `papertrader train --help` describes each option.

    Args:
        market: A market, or its files.
        output: Model to write (.json); the report goes beside it as .report.json and .report.html.
        features: Features, or candidates to choose from; see `Market.features`.
        label: The rule of the label; without it "mid:H" with the horizon.
        horizon: Book updates over which the label looks, without `label`: 20 by default.
        at_most: Choose so many features at most by nested cross-validation first, as `papertrader select` does.
        c: Inverse strength of the L2 penalty.
        ties: What becomes of rows whose mid stays: "drop" (default), "down" or "three".
        threshold: The probability from which to buy, written into the model.

    Raises:
        InputError: An option or a file is bad, or the rows do not suffice.
        RunningError: A file cannot be written.
    """
    market_options, paths = _market(market)
    options: dict[str, Option] = {
        "output": output,
        "features": features,
        "label": label,
        "horizon": horizon,
        "at_most": at_most,
        "validate": validate,
        "embargo": embargo,
        "calibrate": calibrate,
        "c": c,
        "cv": cv,
        "ties": ties,
        "threshold": threshold,
        "test_share": test_share,
        "allow_overlap": allow_overlap,
        "txt": txt,
        "memory": memory,
        "importance": importance,
        "repeats": repeats,
        "buy_amount": buy_amount,
        "block": block,
        "resamples": resamples,
        "seed": seed,
        "threads": threads,
        "force": force,
    }
    several = [f"--test={os.fspath(path)}" for path in test] + [f"--after={os.fspath(path)}" for path in after]
    command, *rest = arguments("train" if at_most is None else "select", market_options | options, paths)
    summary = native.train([command, *several, *rest])
    stem = os.fspath(output).removesuffix(".json")
    with open(f"{stem}.report.json", encoding="utf-8") as file:
        report = json.load(file)
    return Trained(Model.load(output), report, summary)


def evaluate(
    models: Model | Path | Sequence[Model | Path],
    market: Market | Paths,
    *,
    label: str | None = None,
    horizon: int | None = None,
    ties: str | None = None,
    override_model: bool = False,
    threshold: float | None = None,
    last: float | None = None,
    importance: bool = False,
    repeats: int | None = None,
    memory: int | None = None,
    buy_amount: float | None = None,
    block: float | None = None,
    resamples: int | None = None,
    seed: int | None = None,
    threads: int | None = None,
    report: Path | None = None,
    force: bool = False,
) -> dict[str, Any]:
    """Judges models on a recorded market, side by side: what `papertrader evaluate` writes as JSON; `papertrader evaluate --help`
    describes each option.

    Args:
        models: A model or its file, or several, of which the first is compared with the others.
        market: A market, or its files.
        label: The rule of the label; the models', else "mid:H" with the horizon, by default.
        horizon: Book updates over which the label looks; the models', else 20, by default.
        ties: What becomes of rows whose mid stays; the models', else "drop", by default.
        last: Judge by the last share of the rows alone.
        report: Write REPORT.report.json and REPORT.report.html too.
        force: Replace files that exist.

    Raises:
        InputError: An option, a model or a file is bad, or there is no row to judge by.
        RunningError: A file cannot be written.
    """
    market_options, paths = _market(market)
    several = [models] if isinstance(models, (Model, str, os.PathLike)) else list(models)
    held = [model if isinstance(model, Model) else Model.load(model) for model in several]
    options: dict[str, Option] = {
        "label": label,
        "horizon": horizon,
        "ties": ties,
        "override_model": override_model,
        "threshold": threshold,
        "last": last,
        "importance": importance,
        "repeats": repeats,
        "memory": memory,
        "buy_amount": buy_amount,
        "block": block,
        "resamples": resamples,
        "seed": seed,
        "threads": threads,
        "report": report,
        "force": force,
    }
    command, *rest = arguments("evaluate", market_options | options, paths)
    named = [f"--model={model.path}" for model in held]
    text, _ = native.evaluate([command, *named, *rest], [model._file for model in held])
    found: dict[str, Any] = json.loads(text)
    return found


def generate(
    output: Path,
    *,
    frames: int | None = None,
    seed: int | None = None,
    product: str | None = None,
    rate: float | None = None,
    batch: str | None = None,
    layout: str | None = None,
    no_trades: bool = False,
    levels: int | None = None,
    force: bool = False,
) -> None:
    """Writes a capture of the project's own synthetic market, as `papertrader generate` does.

    Args:
        output: File to write; .gz and .zst compress.
        frames: Frames of the book to write, the snapshot included: 20,000 by default.
        seed: Seed of the market: the same seed gives the same bytes.
        product: Product in the messages.
        rate: Frames a second on the market's own clock, in the mean.
        batch: Write the market's changes of so long as one frame, such as "50ms".
        layout: Layout of the messages: "2026" or "2024".
        no_trades: Leave out the prints of the market's trades.
        levels: Levels in the snapshot.
        force: Replace a file that exists.

    Raises:
        InputError: An option is bad, or the file exists.
        RunningError: It cannot be written.
    """
    options: dict[str, Option] = {
        "output": output,
        "frames": frames,
        "seed": seed,
        "product": product,
        "rate": rate,
        "batch": batch,
        "layout": layout,
        "no_trades": no_trades,
        "levels": levels,
        "force": force,
    }
    native.generate(arguments("generate", options))
