"""Markets: features, books and runs."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path as _Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from . import _papertrader as native
from ._model import Model, beside
from ._options import Option, Path, Paths, arguments, texts
from ._table import Table

if TYPE_CHECKING:
    import pandas as pd


class Rows(Table):
    """Features after frames of the book, each row with its label: what `papertrader features` writes.

    Columns: `capture`, `sequence` (frames of the book since the capture's first snapshot), `venue_sequence_num`, `ts_recv_ns` and
    `ts_event_ns` (Unix nanoseconds; the venue's is 0 where it said none), `price_decimals` (of the capture's tick), `mid_ticks`, the
    features, `mid_change_ticks` and `label` (-1, 0, 1; NaN where the data or the book ended first).

    Attributes:
        product: The product.
        features: The features, in order, as lists and models have them: a name, or `NAME = EXPRESSION`.
        names: Their names: the columns.
        captures: What was found of each capture, in order of time.
        counts: What became of the frames.
    """

    def __init__(self, read: native.Read) -> None:
        product, columns, features, captures, counts = read
        super().__init__(columns, required=True)
        self.product = product
        self.features = features
        self.names = [feature.partition(" = ")[0] for feature in features]
        self.captures: list[dict[str, Any]] = json.loads(captures)
        self.counts: dict[str, int] = json.loads(counts)

    @property
    def label(self) -> npt.NDArray[np.float64]:
        """Signs of what the mid did: -1, 0, 1, and NaN where nobody knows. One a row."""
        return self["label"]

    def matrix(self, names: Sequence[str] | None = None) -> npt.NDArray[np.float64]:
        """A copy of features (all of them by default) as an array of shape (rows, features)."""
        names = self.names if names is None else names
        return np.column_stack([self[name] for name in names]) if names else np.empty((self.rows, 0))


class Market:
    """Recorded files of one product's market; see `papertrader.open`. Nothing stays open between calls.

    Attributes:
        product: The product.
        paths: The files, folders and patterns, as they were given.
    """

    def __init__(self, paths: list[str], options: dict[str, Option], product: str) -> None:
        self.paths = paths
        self.product = product
        self._options = options

    def __repr__(self) -> str:
        return f"<Market of {self.product} in {', '.join(self.paths)}>"

    def features(
        self,
        features: str | Sequence[str] = "seed",
        *,
        label: str | None = None,
        horizon: int | None = None,
        every: int = 1,
    ) -> Rows:
        """What a model sees after each frame of the book, with what the mid did afterwards.

        Args:
            features: Names and `NAME = EXPRESSION`, or one of the lists "seed" (the original program's 28), "all" (of the book) and
                "tape" (of the prints), or "@FILE".
            label: The rule of the label, such as "mid:20", "mean:500ms", "barrier:100:2ticks"; without it "mid:H" with the horizon.
            horizon: Book updates over which the label looks, without `label`: 20 by default.
            every: Make a row of every so many evaluated frames.

        Raises:
            InputError: A feature is unknown, a file is bad, or there is no row with a label.
        """
        options = {"features": features, "label": label, "horizon": horizon, "every": every, "output": "none.csv"}
        return Rows(native.features(arguments("features", self._options | options, self.paths)))

    def book(self) -> native.Book:
        """An iterator over the frames, with the book after each.

        Raises:
            InputError: A file is bad; while iterating, where it is bad.
        """
        return native.walk(arguments("features", self._options | {"output": "none.csv"}, self.paths))

    def replay(
        self,
        model: Model | Path,
        *,
        threshold: float | None = None,
        lag: int | None = None,
        override_model: bool = False,
        buy_amount: float | None = None,
        fee_bps: float | None = None,
        fees: Path | None = None,
        maker_fee_bps: float | None = None,
        taker_fee_bps: float | None = None,
        trailing_value: float | None = None,
        execution: str | Sequence[str] | None = None,
        order_latency: str | None = None,
        order_latency_file: Path | None = None,
        order_latency_seed: int | None = None,
        hold_back: str | None = None,
        no_depletion: bool = False,
        short: bool = False,
        max_position: float | None = None,
        max_cash: float | None = None,
        max_open_orders: int | None = None,
        order_lot: float | None = None,
        order_tick: float | None = None,
        min_size: float | None = None,
        min_value: float | None = None,
        contract_size: float | None = None,
        inverse: bool = False,
        slippage_cap: float | None = None,
        maker_offset: int | None = None,
        maker_timeout: int | None = None,
        maker_then: str | None = None,
        maker_exit: str | None = None,
        queue: str | None = None,
        prints_side: str | None = None,
        speed: str | None = None,
        pin_cores: str | None = None,
        fused: bool = False,
        wait: str | None = None,
        out: Path | None = None,
        name: str | None = None,
        force: bool = False,
        report: bool = True,
        parquet: bool = False,
        equity_npz: bool = False,
        returns: bool = False,
        capital: float | None = None,
        probabilities: Path | None = None,
        decisions: Path | None = None,
    ) -> Run:
        """Trades on paper over the market, as `papertrader replay` does; `papertrader replay --help` describes each option.

        Args:
            model: A model or its file.
            threshold: Buy when the model's probability is at least this; the model's, else 0.6, by default.
            lag: Holding period in book updates; the model's horizon, else 20, by default.
            buy_amount: Quote currency spent per purchase.
            fee_bps: Fee per side, basis points.
            fees: A venue's schedule by its name, or a file of tiers.
            execution: What trades beside the original's execution: "taker", "maker", or both.
            out: Folder for the files of the run; without it they go when the result does.
            name: Name of the files in `out`; the time and the product by default.
            force: Replace files that exist.
            report: Whether to gather what RUN.json and the page say; without it `report` and `page` are None.

        Raises:
            InputError: An option, the model or a file is bad; files of a run that a bad capture ended are kept in `out`.
            RunningError: A file cannot be written, or the book never was live.
            KeyboardInterrupt: What was traded until then is kept in `out`, with its report.
        """
        options: dict[str, Option] = {
            "model": model.path if isinstance(model, Model) else os.fspath(model),
            "threshold": threshold,
            "lag": lag,
            "override_model": override_model,
            "buy_amount": buy_amount,
            "fee_bps": fee_bps,
            "fees": fees,
            "maker_fee_bps": maker_fee_bps,
            "taker_fee_bps": taker_fee_bps,
            "trailing_value": trailing_value,
            "execution": execution,
            "order_latency": order_latency,
            "order_latency_file": order_latency_file,
            "order_latency_seed": order_latency_seed,
            "hold_back": hold_back,
            "no_depletion": no_depletion,
            "short": short,
            "max_position": max_position,
            "max_cash": max_cash,
            "max_open_orders": max_open_orders,
            "order_lot": order_lot,
            "order_tick": order_tick,
            "min_size": min_size,
            "min_value": min_value,
            "contract_size": contract_size,
            "inverse": inverse,
            "slippage_cap": slippage_cap,
            "maker_offset": maker_offset,
            "maker_timeout": maker_timeout,
            "maker_then": maker_then,
            "maker_exit": maker_exit,
            "queue": queue,
            "prints_side": prints_side,
            "speed": speed,
            "pin_cores": pin_cores,
            "fused": fused,
            "wait": wait,
            "out": out,
            "name": name,
            "force": force,
            "no_report": not report,
            "parquet": parquet,
            "equity_npz": equity_npz,
            "returns": returns,
            "capital": capital,
            "probabilities": probabilities,
            "decisions": decisions,
        }
        held = model._file if isinstance(model, Model) else None
        (((_, csv),), _, summary), scratch = self._traded(options, held)
        return Run(csv, summary, scratch)

    def replay_strategies(
        self,
        strategies: Path,
        *,
        speed: str | None = None,
        pin_cores: str | None = None,
        fused: bool = False,
        wait: str | None = None,
        out: Path | None = None,
        name: str | None = None,
        force: bool = False,
        report: bool = True,
        parquet: bool = False,
        equity_npz: bool = False,
        returns: bool = False,
        capital: float | None = None,
    ) -> Session:
        """Trades any number of strategies over the market in one pass, as `papertrader replay --strategies` does.

        Args:
            strategies: A TOML file with a section for each strategy, whose keys are the options of `replay` with "-" for "_".
            out: Folder for the files of the session; without it they go when the result and its runs do.

        Raises:
            InputError: The file of strategies, a model or a file of the market is bad.
            RunningError, KeyboardInterrupt: As `replay`.
        """
        options: dict[str, Option] = {
            "strategies": strategies,
            "speed": speed,
            "pin_cores": pin_cores,
            "fused": fused,
            "wait": wait,
            "out": out,
            "name": name,
            "force": force,
            "no_report": not report,
            "parquet": parquet,
            "equity_npz": equity_npz,
            "returns": returns,
            "capital": capital,
        }
        (named, page, summary), scratch = self._traded(options, None)
        runs = {strategy or path.stem: Run(path, summary, scratch) for strategy, path in named}
        return Session(runs, None if page is None else page.read_text("utf-8"), summary)

    def sweep(
        self,
        models: Model | Path | Sequence[Model | Path],
        *,
        threshold: float | str | Sequence[float] | None = None,
        lag: int | str | Sequence[int] | None = None,
        buy_amount: float | str | Sequence[float] | None = None,
        execution: str | Sequence[str] | None = None,
        order_latency: str | Sequence[str] | None = None,
        fee_bps: float | None = None,
        fees: Path | None = None,
        maker_fee_bps: float | None = None,
        taker_fee_bps: float | None = None,
        hold_back: str | None = None,
        no_depletion: bool = False,
        short: bool = False,
        max_position: float | None = None,
        max_cash: float | None = None,
        max_open_orders: int | None = None,
        order_lot: float | None = None,
        order_tick: float | None = None,
        min_size: float | None = None,
        min_value: float | None = None,
        contract_size: float | None = None,
        inverse: bool = False,
        slippage_cap: float | None = None,
        maker_offset: int | None = None,
        maker_timeout: int | None = None,
        maker_then: str | None = None,
        maker_exit: str | None = None,
        queue: str | None = None,
        prints_side: str | None = None,
        yes: bool = False,
        out: Path | None = None,
        name: str | None = None,
        force: bool = False,
        resume: bool = False,
        keep_logs: bool = False,
        slices: int | None = None,
        threads: int | None = None,
    ) -> Sweep:
        """Trades every combination of settings, as `papertrader sweep` does; `papertrader sweep --help` describes each option. Each file
        is a market of its own.

        Args:
            models: Models or their files.
            threshold: Values, or a text of values and ranges such as "0.5:0.9:0.05"; each model's own by default.
            lag: Holding periods in book updates, in the same way.
            buy_amount: Quote currency spent per purchase, in the same way.
            execution: "original", "taker", "maker-through", "maker-queue", "maker-touch", or "maker" for the three.
            order_latency: Times from a decision to the venue, such as ["none", "5ms"].
            yes: Sweep more than 10,000 rows.
            out: Folder for the files of the sweep; without it they go when the result does.
            name: Name of the files in `out`; the time by default.
            resume: Go on with the sweep of that name that was stopped.
            threads: The cores that the process may use by default; rows do not depend on it.

        Raises:
            InputError: An option, a model or a file is bad.
            RunningError: A capture broke, and the rows of the others are kept in `out`, or a file cannot be written.
            KeyboardInterrupt: What is done is kept in `out`; `resume` goes on.
        """
        several = [models] if isinstance(models, (Model, str, os.PathLike)) else list(models)
        scratch = _Scratch()
        options: dict[str, Option] = {
            "threshold": threshold,
            "lag": lag,
            "buy_amount": buy_amount,
            "execution": execution,
            "order_latency": order_latency,
            "fee_bps": fee_bps,
            "fees": fees,
            "maker_fee_bps": maker_fee_bps,
            "taker_fee_bps": taker_fee_bps,
            "hold_back": hold_back,
            "no_depletion": no_depletion,
            "short": short,
            "max_position": max_position,
            "max_cash": max_cash,
            "max_open_orders": max_open_orders,
            "order_lot": order_lot,
            "order_tick": order_tick,
            "min_size": min_size,
            "min_value": min_value,
            "contract_size": contract_size,
            "inverse": inverse,
            "slippage_cap": slippage_cap,
            "maker_offset": maker_offset,
            "maker_timeout": maker_timeout,
            "maker_then": maker_then,
            "maker_exit": maker_exit,
            "queue": queue,
            "prints_side": prints_side,
            "yes": yes,
            "out": scratch.folder if out is None else out,
            "name": name or ("grid" if out is None else None),
            "force": force,
            "resume": resume,
            "keep_logs": keep_logs,
            "slices": slices,
            "threads": threads,
        }
        command, *rest = arguments("sweep", self._options | options | beside(several), self.paths)
        named = [f"--model={scratch.model(number, model)}" for number, model in enumerate(several)]
        csv, summary = native.sweep([command, *named, *rest])
        return Sweep(csv, summary, scratch)

    def _traded(
        self, options: dict[str, Option], model: native.ModelFile | None
    ) -> tuple[native.Traded, _Scratch | None]:
        scratch = None
        if options["out"] is None:
            scratch = _Scratch()
            options |= {"out": scratch.folder, "name": options["name"] or "run"}
        return native.replay(arguments("replay", self._options | options, self.paths), model), scratch


class _Scratch:
    """A folder that goes with the last who refers to it."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="papertrader-")
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    def model(self, number: int, model: Model | Path) -> str:
        """A file that holds the model: its own, where that holds it, else one in this folder."""
        if not isinstance(model, Model):
            return os.fspath(model)
        if not model.is_in_its_file():
            path = _Path(self.folder, "models", str(number), model.path.name)
            model.save(path)
            return os.fspath(path)
        return os.fspath(model.path)


class Run:
    """What a replay left.

    Its tables are read when they are first asked for, and then kept. Times are Unix nanoseconds, amounts are in quote currency.

    Attributes:
        path: The trade log, RUN.csv; the other files lie beside it. Those of a run without `out` go with this object.
        summary: What the command prints.
    """

    LOGS = ("trades", "orders", "fills", "markouts", "legs")

    def __init__(self, path: Path, summary: str = "", scratch: object = None) -> None:
        """A run of which this is the trade log."""
        self.path = _Path(path)
        self.summary = summary
        self._scratch = scratch
        self._tables: dict[str, Table] = {}

    def __repr__(self) -> str:
        return f"<Run {self.path}>"

    def file(self, ending: str) -> _Path:
        """The path of another file of the run by its ending: "json", "html", "orders.csv", "hlog"."""
        return self.path.with_suffix("." + ending)

    def table(self, log: str) -> Table:
        """A log of the run: "trades", and with other executions than the original's "orders", "fills", "markouts" and "legs".

        Raises:
            KeyError: There is no such log, or the run had no such execution.
        """
        if log not in self._tables:
            path = self.path if log == "trades" else self.file(f"{log}.csv")
            if log not in self.LOGS or not path.exists():
                raise KeyError(log)
            self._tables[log] = Table(native.read_log(path))
        return self._tables[log]

    @property
    def trades(self) -> pd.DataFrame:
        """Closed trades of the original's execution, one a row. Needs pandas."""
        return self.table("trades").to_pandas()

    @property
    def orders(self) -> pd.DataFrame:
        """Orders of the other executions, one a row. Needs pandas."""
        return self.table("orders").to_pandas()

    @property
    def fills(self) -> pd.DataFrame:
        """Fills of the other executions, one a row. Needs pandas."""
        return self.table("fills").to_pandas()

    @property
    def markouts(self) -> pd.DataFrame:
        """Mids 1, 5, 20 and 100 updates after each order's decision. Needs pandas."""
        return self.table("markouts").to_pandas()

    @property
    def legs(self) -> pd.DataFrame:
        """Positions from entry to exit, one a row. Needs pandas."""
        return self.table("legs").to_pandas()

    @cached_property
    def report(self) -> dict[str, Any] | None:
        """Everything of RUN.json; None where no report was asked for."""
        path = self.file("json")
        return json.loads(path.read_text("utf-8")) if path.exists() else None

    @cached_property
    def page(self) -> str | None:
        """The page of the run, HTML in one piece; None where no report was asked for."""
        path = self.file("html")
        return path.read_text("utf-8") if path.exists() else None


class Sweep:
    """What a sweep left.

    Attributes:
        path: The table, NAME.sweep.csv; the other files lie beside it. Those of a sweep without `out` go with this object.
        summary: What the command prints.
    """

    def __init__(self, path: Path, summary: str = "", scratch: object = None) -> None:
        """A sweep of which this is the table."""
        self.path = _Path(path)
        self.summary = summary
        self._scratch = scratch

    def __repr__(self) -> str:
        return f"<Sweep {self.path}>"

    @cached_property
    def table(self) -> Table:
        """A row for each setting and capture, units in the columns' names."""
        return Table(native.read_sweep(self.path))

    @property
    def rows(self) -> pd.DataFrame:
        """The same as a DataFrame. Needs pandas."""
        return self.table.to_pandas()

    @cached_property
    def report(self) -> dict[str, Any]:
        """The page's numbers, with what luck gives the best of as many settings."""
        found: dict[str, Any] = json.loads(self.path.with_suffix(".report.json").read_text("utf-8"))
        return found

    @cached_property
    def page(self) -> str:
        """The page, HTML in one piece."""
        return self.path.with_suffix(".html").read_text("utf-8")


class Session(NamedTuple):
    """What strategies of one session left.

    Attributes:
        runs: The run of each, by its name.
        page: The page that compares them, HTML in one piece; None of one alone, and where no report was asked for.
        summary: What the command prints.
    """

    runs: dict[str, Run]
    page: str | None
    summary: str


def open(
    paths: Paths,
    product: str | None = None,
    format: str | None = None,
    *,
    tick_size: str | None = None,
    lot_size: str | None = None,
    time: str | None = None,
    from_: str | int | None = None,
    to: str | int | None = None,
    initial_snapshot: Path | None = None,
    table_pattern: str | None = None,
    time_column: str | None = None,
) -> Market:
    """Opens a recorded market of any format that the program reads, and looks whether it holds the product.

    Args:
        paths: Files, folders and patterns; several are one market in the order of time.
        product: The product; the first in the files by default.
        format: The format; told by content and name by default.
        tick_size: The price step, a power of ten such as "0.01"; what the files need by default.
        lot_size: The quantity step, in the same way.
        time: Clock of the time of receipt, in other formats than captures: "recv" or "event".
        from_: Begin at this time of receipt: a date, a time ("2024-08-08T23:55:00Z") or Unix nanoseconds.
        to: End before this time of receipt.
        initial_snapshot: File with the opening book, where a format keeps that apart.
        table_pattern: How a table names its columns of levels, such as "{side}_{field}_{level}".
        time_column: A table's column of the time of receipt.

    Raises:
        InputError: A file cannot be read, is of no known format, or does not hold the product.
    """
    options: dict[str, Option] = {
        "product": product,
        "format": format,
        "tick_size": tick_size,
        "lot_size": lot_size,
        "time": time,
        "from_": from_,
        "to": to,
        "initial_snapshot": initial_snapshot,
        "table_pattern": table_pattern,
        "time_column": time_column,
    }
    named = texts(paths)
    found = native.product(arguments("features", options | {"output": "none.csv"}, named))
    return Market(named, options, found)
