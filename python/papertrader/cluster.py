"""Sweeps and features over many captures on a Ray cluster.

    from papertrader import cluster

    sweep = cluster.sweep(days, ["a.json", "b.json"], address="auto", threshold="0.5:0.9:0.05", lag=[5, 10, 20], out="simulations")

Each task is a capture and some of the settings; Ray places it, and starts it again elsewhere when its worker or node is lost. A capture
is a path that every node reaches, or a URL that fsspec opens there; the driver reads none. Ray, pyarrow and, for URLs, fsspec are
needed: `pip install 'papertrader[cluster]'`, with the same papertrader on every node.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import tempfile
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import groupby, islice
from pathlib import Path as _Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, Union

from . import _papertrader as native
from ._errors import Error, InputError, PapertraderWarning, RunningError
from ._market import Sweep, _Scratch, open as _open
from ._model import Model, beside
from ._options import Option, Path, Paths, arguments, texts

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Broken", "ClusterError", "FeatureOptions", "MarketOptions", "SweepOptions", "features", "sweep"]

TASKS_MAX = 512
"""Tasks that Ray is given ahead: enough for its queues, and a bound on what the driver keeps track of."""

TABLES_MAX = 2
"""Tables of features for each processor that are made ahead of who takes them."""

ANSWER_S = 10.0
"""An address of a cluster at which nobody answers for so long is none."""

LOOK_S = 0.5
"""Signals are looked at this often while nothing arrives."""

_TIERS = ".toml"
"""How a file of fees ends; what ends otherwise is a venue's name."""

Progress = Union[bool, Callable[[int, int], object], None]
"""Who hears how much is done of how much: a function; True, a line on standard error; None, that line where it is a terminal."""


class MarketOptions(TypedDict, total=False):
    """How captures are opened: the options of `papertrader.open`."""

    product: str | None
    format: str | None
    tick_size: str | None
    lot_size: str | None
    time: str | None
    from_: str | int | None
    to: str | int | None
    initial_snapshot: Path | None
    table_pattern: str | None
    time_column: str | None


class SweepOptions(MarketOptions, total=False):
    """What is combined, and how is traded: the options of `Market.sweep`."""

    threshold: float | str | Sequence[float] | None
    lag: int | str | Sequence[int] | None
    buy_amount: float | str | Sequence[float] | None
    execution: str | Sequence[str] | None
    order_latency: str | Sequence[str] | None
    fee_bps: float | None
    fees: Path | None
    maker_fee_bps: float | None
    taker_fee_bps: float | None
    hold_back: str | None
    no_depletion: bool
    short: bool
    max_position: float | None
    max_cash: float | None
    max_open_orders: int | None
    order_lot: float | None
    order_tick: float | None
    min_size: float | None
    min_value: float | None
    contract_size: float | None
    inverse: bool
    slippage_cap: float | None
    maker_offset: int | None
    maker_timeout: int | None
    maker_then: str | None
    maker_exit: str | None
    queue: str | None
    prints_side: str | None
    yes: bool
    slices: int | None


class FeatureOptions(MarketOptions, total=False):
    """What rows are made of beside the features: the options of `Market.features`."""

    label: str | None
    horizon: int | None
    every: int


class Broken(NamedTuple):
    """A capture without rows.

    Attributes:
        capture: Its name.
        node: The node that had it, its address and the first letters of its number; None where the node is lost.
        why: What is wrong with it, in a line.
    """

    capture: str
    node: str | None
    why: str

    def __str__(self) -> str:
        return f"{self.capture}{'' if self.node is None else f' on node {self.node}'}: {self.why}"


class ClusterError(RunningError):
    """Captures broke; the rest was done.

    Attributes:
        broken: Those captures.
        done: The sweep of the others; None of features, which have been given already.
    """

    __module__ = "papertrader.cluster"

    def __init__(self, line: str, broken: list[Broken], done: Sweep | None) -> None:
        super().__init__(line)
        self.broken = broken
        self.done = done


class _Unreached(Exception):
    """A URL that may be read later; Ray tries again."""


class _Told(NamedTuple):
    """What a task gives: a table of Arrow, or why there is none."""

    node: str | None
    table: Any
    why: str | None
    warnings: list[str]


class _Task(NamedTuple):
    capture: int
    # A number of rows, or of captures.
    worth: int
    arguments: tuple[Any, ...]


def _needed() -> Any:
    """Ray, where everything is installed that the cluster needs."""
    try:
        import pyarrow  # noqa: F401
        import ray
    except ImportError as error:
        raise ImportError(
            f"papertrader.cluster needs Ray and pyarrow ({error}); install them with: pip install 'papertrader[cluster]'"
        ) from error
    return ray


# On a worker.


def _copied(place: str, path: str) -> bool:
    """Copies what a URL names; False if nothing is there."""
    try:
        import fsspec
    except ImportError as error:
        raise InputError(f"{place} needs fsspec; install it with: pip install 'papertrader[cluster]'") from error
    try:
        with fsspec.open(place, "rb") as source, open(path, "wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
    except FileNotFoundError:
        # Some places say so only when they are read.
        _Path(path).unlink(missing_ok=True)
        return False
    except (PermissionError, IsADirectoryError, NotADirectoryError, ImportError, ValueError) as error:
        raise InputError(f"cannot read {place}: {error or type(error).__name__}") from error
    except OSError as error:
        raise _Unreached(f"cannot read {place}: {error or type(error).__name__}") from error
    return True


def _fetched(place: str, folder: str) -> str:
    """A path on this node: what a URL names is copied into the folder, under its own name, with the file that is read beside it."""
    if "://" not in place:
        return place
    whole, chain, inner = place.partition("::")
    url, mark, query = whole.partition("?")
    parent, slash, name = url.rstrip("/").rpartition("/")
    path = os.path.join(folder, name)
    if not _copied(place, path):
        raise InputError(f"cannot read {place}: nothing is there")
    for companion in native.companions(path):
        beside = os.path.basename(companion)
        if _copied(f"{parent}{slash}{beside}{mark}{query}{chain}{inner}", companion):
            break
    return path


def _tried(version: str, name: str, place: str, make: Callable[[str, str], Any]) -> _Told:
    """Makes a table of a capture in a folder that goes afterwards. What would fail again is told, not raised: Ray does not try again."""
    import ray

    context = ray.get_runtime_context()
    node = f"{ray.util.get_node_ip_address()} ({context.get_node_id()[:8]})"  # type: ignore[no-untyped-call]
    if native.VERSION != version:
        return _Told(node, None, f"the node has papertrader {native.VERSION}, and the driver {version}", [])
    path, table, why = place, None, None
    with tempfile.TemporaryDirectory(prefix="papertrader-") as folder, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            os.mkdir(os.path.join(folder, "capture"))
            path = _fetched(place, os.path.join(folder, "capture"))
            table = make(path, folder)
        except Error as error:
            why = str(error).replace(path, name)
    said = [str(one.message).replace(path, name) for one in caught if issubclass(one.category, PapertraderWarning)]
    return _Told(node, table, why, said)


class _Job(NamedTuple):
    """What all tasks of a sweep share. Files come as their names and bytes."""

    version: str
    arguments: list[str]
    models: list[tuple[str, bytes]]
    fees: tuple[str, bytes] | None


def _written(folder: str, file: tuple[str, bytes]) -> str:
    name, content = file
    os.makedirs(folder)
    path = _Path(folder, name)
    path.write_bytes(content)
    return os.fspath(path)


def _swept(job: _Job, number: int, name: str, place: str, settings: list[int]) -> _Told:
    """Rows of a capture and some settings; the capture's facts are in the table's metadata."""
    import pyarrow as pa

    def make(path: str, folder: str) -> Any:
        models = [_written(os.path.join(folder, "models", str(at)), file) for at, file in enumerate(job.models)]
        given = [*job.arguments, *(f"--model={model}" for model in models), f"--out={folder}"]
        if job.fees is not None:
            given.append(f"--fees={_written(os.path.join(folder, 'fees'), job.fees)}")
        part = json.loads(native.sweep_part([*given, "--", path], number, name, settings))
        facts = part["capture"]
        facts["remarks"] = [remark.replace(path, name) for remark in facts["remarks"]]
        return pa.Table.from_pylist(part["rows"]).replace_schema_metadata({"capture": json.dumps(facts)})

    return _tried(job.version, name, place, make)


def _featured(version: str, market: dict[str, Any], asked: dict[str, Any], name: str, place: str) -> _Told:
    """Rows of a capture; what else `Rows` has is in the table's metadata."""

    def make(path: str, folder: str) -> Any:
        rows = _open(path, **market).features(**asked)
        for facts in rows.captures:
            facts["path"] = name
        captures = rows.column("capture").texts
        assert captures is not None, "it is a column of texts"
        captures[:] = [name] * len(captures)
        told = {"product": rows.product, "features": rows.features, "captures": rows.captures, "counts": rows.counts}
        return rows.to_arrow().replace_schema_metadata({key: json.dumps(value) for key, value in told.items()})

    return _tried(version, name, place, make)


# On the driver.


def _names(captures: Paths) -> list[str]:
    """The captures: URLs as they are, files of folders and patterns that are here, and other paths as they are."""
    names: list[str] = []
    for is_url, several in groupby(texts(captures), lambda name: "://" in name):
        names += several if is_url else native.expanded(list(several))
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(f"{name} is there twice, which would count it twice")
        seen.add(name)
    return names


def _place(name: str) -> str:
    """What a worker opens, whose folder is another."""
    return name if "://" in name else os.path.abspath(name)


def _checked(options: dict[str, Any], known: type, function: str) -> dict[str, Any]:
    unknown = sorted(set(options) - set(known.__annotations__))
    if unknown:
        raise TypeError(f"{function}() got an unexpected keyword argument '{unknown[0]}'")
    snapshot = options.get("initial_snapshot")
    return options if snapshot is None else options | {"initial_snapshot": os.path.abspath(snapshot)}


def _reached(address: str | None) -> None:
    """Refuses an address where nobody answers, for which Ray tries for minutes."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"cannot connect to Ray at {address}: {error}") from error


@contextmanager
def _connected(ray: Any, address: str | None) -> Iterator[int]:
    """A connection to the cluster, which ends with this unless it was there before; gives the number of processors."""
    was = ray.is_initialized()
    if was and address is not None:
        raise InputError("Ray is connected already: leave address out, or call ray.shutdown() first")
    if not was:
        # A cluster that this starts for itself tells nobody.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            ray.init(address=address, log_to_driver=False, logging_level="warning")
        except (ConnectionError, ValueError, RuntimeError) as error:
            line = " ".join(str(error).split())
            raise InputError(f"cannot connect to Ray at {address or 'this machine'}: {line}") from error
    try:
        yield max(1, int(ray.cluster_resources().get("CPU", 1)))
    finally:
        if not was:
            ray.shutdown()


class _Teller:
    """Tells how much is done."""

    def __init__(self, progress: Progress, what: str, due: int) -> None:
        self.done, self.due, self.what = 0, due, what
        self.each = progress if callable(progress) else None
        self.line = progress is True or (progress is None and sys.stderr.isatty())

    def add(self, worth: int) -> None:
        self.done += worth
        if self.each is not None:
            self.each(self.done, self.due)
        if self.line:
            end = "\n" if self.done == self.due else ""
            print(f"\r{self.done:,} of {self.due:,} {self.what}", end=end, file=sys.stderr, flush=True)


def _results(
    ray: Any, function: Callable[..., _Told], first: tuple[Any, ...], tasks: Iterable[_Task], retries: int, ahead: int
) -> Generator[tuple[_Task, _Told], None, None]:
    """Results as they come. Ray schedules and tries again; this hands over a bounded number of tasks and waits."""
    remote = ray.remote(num_cpus=1, max_retries=retries, retry_exceptions=[_Unreached])(function)
    shared = [ray.put(one) for one in first]
    waiting: dict[Any, _Task] = {}
    left = iter(tasks)
    try:
        while True:
            for task in islice(left, ahead - len(waiting)):
                waiting[remote.remote(*shared, *task.arguments)] = task
            if not waiting:
                return
            ready, _ = ray.wait(list(waiting), num_returns=1, timeout=LOOK_S)
            for reference in ready:
                task = waiting.pop(reference)
                yield task, _taken(ray, reference, retries)
    finally:
        # Nobody wants them any more.
        for reference in waiting:
            ray.cancel(reference)


def _taken(ray: Any, reference: Any, retries: int) -> _Told:
    try:
        told: _Told = ray.get(reference)
        return told
    except ray.exceptions.RayTaskError as error:
        if not isinstance(error.cause, _Unreached):
            raise RunningError(f"a worker failed: {type(error.cause).__name__}: {_line(error.cause)}") from error
        return _Told(None, None, str(error.cause), [])
    except ray.exceptions.RayError as error:
        return _Told(None, None, f"lost {retries + 1} times with its worker or node: {_line(error)}", [])


def _line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else "no words"


def _warn(said: Iterable[str], told: set[str]) -> None:
    """Warns once of each, at who called the package."""
    for line in said:
        if line not in told:
            told.add(line)
            warnings.warn(line, PapertraderWarning, stacklevel=3)


def _failure(broken: list[Broken], due: int, then: str, done: Sweep | None) -> ClusterError:
    count, first = len(broken), broken[0]
    return ClusterError(f"{count} of {due} captures broke, the first {first}; mend or remove them{then}", broken, done)


def sweep(
    captures: Paths,
    models: Model | Path | Sequence[Model | Path],
    *,
    address: str | None = None,
    chunk: int | None = None,
    progress: Progress = None,
    max_retries: int = 3,
    out: Path | None = None,
    name: str | None = None,
    force: bool = False,
    resume: bool = False,
    **options: Unpack[SweepOptions],
) -> Sweep:
    """Trades every combination of settings over every capture on a cluster. The files are those of `Market.sweep` and `papertrader
    sweep`, byte for byte.

    Args:
        captures: Paths that every node reaches, URLs of fsspec, or folders and patterns of this machine. Results have the names as given.
        models: Models or their files on this machine; tasks get their bytes.
        address: The cluster, as `ray.init` takes it; the connection that there is, else that of this machine, by default.
        chunk: Settings of a task. All of them by default, or fewer where the cluster has more processors than there are captures.
        progress: A function of rows done and rows due; True for a line on standard error; by default that line where it is a terminal.
        max_retries: How often Ray starts a task again whose worker or node was lost.
        out: Folder for the files of the sweep; without it they go when the result does.
        name: Name of the files in `out`; the time by default.
        force: Replace files that exist.
        resume: Go on with the sweep of that name that was stopped, or in which captures broke, here or on the command line.
        options: Those of `papertrader.open` and `Market.sweep`.

    Raises:
        ImportError: Ray or pyarrow is not installed.
        InputError: An option or a model is bad, or the cluster is not there.
        ClusterError: Captures are bad, or no node has them; the rows of the others are kept.
        RunningError: A file cannot be written, or a capture was not the same on all nodes.
        KeyboardInterrupt: What is done is kept in `out`; `resume` goes on.
    """
    ray = _needed()
    given: dict[str, Option] = _checked(dict(options), SweepOptions, "sweep")
    if chunk is not None and chunk < 1:
        raise InputError(f"chunk is {chunk}; a task has at least 1 setting")
    names = _names(captures)
    _reached(address)
    several = [models] if isinstance(models, (Model, str, os.PathLike)) else list(models)
    given |= beside(several)
    scratch = _Scratch()
    files = [scratch.model(number, model) for number, model in enumerate(several)]
    home: dict[str, Option] = {
        "out": scratch.folder if out is None else out,
        "name": name or ("grid" if out is None else None),
        "force": force,
        "resume": resume,
    }
    command, *rest = arguments("sweep", given | home, names)
    gathering = native.Gathering([command, *(f"--model={file}" for file in files), *rest])
    missing = gathering.missing()
    fees = given.pop("fees", None)
    fees_file = None
    if isinstance(fees, (str, os.PathLike)) and os.fspath(fees).endswith(_TIERS):
        fees_file = _Path(fees)
    else:
        given["fees"] = fees
    job = _Job(
        native.VERSION,
        arguments("sweep", given)[:-1],
        [(_Path(file).name, _Path(file).read_bytes()) for file in files],
        None if fees_file is None else (fees_file.name, fees_file.read_bytes()),
    )
    broken: dict[int, Broken] = {}
    told: set[str] = set()
    teller = _Teller(progress, "rows", sum(map(len, missing)))
    with _connected(ray, address) as processors:

        def tasks() -> Iterator[_Task]:
            parts = -(-processors // len(names))
            for number, settings in enumerate(missing):
                size = chunk or max(1, -(-len(settings) // parts))
                for at in range(0, len(settings), size):
                    if number not in broken:
                        some = settings[at : at + size]
                        yield _Task(number, len(some), (number, names[number], _place(names[number]), some))

        with closing(_results(ray, _swept, (job,), tasks(), max_retries, TASKS_MAX)) as results:
            for task, result in results:
                _warn(result.warnings, told)
                if result.why is not None:
                    broken.setdefault(task.capture, Broken(names[task.capture], result.node, result.why))
                else:
                    facts = json.loads(result.table.schema.metadata[b"capture"])
                    gathering.add(json.dumps({"capture": facts, "rows": result.table.to_pylist()}))
                teller.add(task.worth)
    csv, summary = gathering.finish({number: one.why for number, one in broken.items()})
    done = Sweep(csv, summary, scratch)
    if broken:
        in_order = [broken[number] for number in sorted(broken)]
        raise _failure(in_order, len(names), ", and give resume=True for their rows", done)
    return done


def features(
    captures: Paths,
    features: str | Sequence[str] = "seed",
    *,
    address: str | None = None,
    progress: Progress = None,
    max_retries: int = 3,
    **options: Unpack[FeatureOptions],
) -> Iterator[tuple[str, Any]]:
    """What a model sees after each frame of the book, on a cluster: for each capture, as a market of its own, its name and the
    `pyarrow.Table` of `Market.features`, as they are done. A bounded number is made ahead of who takes them. The metadata of a table's
    schema has `product`, `features`, `captures` and `counts` as JSON.

    Args:
        captures, address, progress, max_retries: As for `sweep`; progress counts captures.
        features: As for `Market.features`; a file of features is one of this machine.
        options: Those of `papertrader.open` and `Market.features`.

    Raises:
        ImportError: Ray or pyarrow is not installed.
        InputError: A feature or an option is bad, or the cluster is not there.
        ClusterError: Captures are bad, or no node has them; after the tables of all others.
    """
    ray = _needed()
    given = _checked(dict(options), FeatureOptions, "features")
    names = _names(captures)
    _reached(address)
    named = features if isinstance(features, str) else ",".join(features)
    asked: dict[str, Any] = {key: given.pop(key) for key in ("label", "horizon", "every") if key in given}
    asked["features"] = native.feature_list(named)
    return _tables(ray, names, given, asked, address, progress, max_retries)


def _tables(
    ray: Any,
    names: list[str],
    market: dict[str, Any],
    asked: dict[str, Any],
    address: str | None,
    progress: Progress,
    retries: int,
) -> Iterator[tuple[str, Any]]:
    broken: dict[int, Broken] = {}
    told: set[str] = set()
    teller = _Teller(progress, "captures", len(names))
    first = (native.VERSION, market, asked)
    tasks = (_Task(number, 1, (name, _place(name))) for number, name in enumerate(names))
    with _connected(ray, address) as processors:
        with closing(_results(ray, _featured, first, tasks, retries, TABLES_MAX * processors)) as results:
            for task, result in results:
                _warn(result.warnings, told)
                teller.add(1)
                if result.why is not None:
                    broken[task.capture] = Broken(names[task.capture], result.node, result.why)
                else:
                    yield names[task.capture], result.table
    if broken:
        raise _failure([broken[number] for number in sorted(broken)], len(names), "", None)
