from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ._book import Changes, Levels, Prints

VERSION: str

# Name, kind, values, which are valid, texts that values number.
RawColumn = tuple[str, str, npt.NDArray[Any], npt.NDArray[np.bool_] | None, list[str] | None]
# Product, columns, features as lists have them, captures and counts as JSON.
Read = tuple[str, list[RawColumn], list[str], str, str]

class Frame:
    """A message of the market, and the book after it.

    Attributes are kept; `levels`, `changes` and `prints` can be asked for until the next frame is taken.
    """

    @property
    def kind(self) -> Literal["snapshot", "update", "prints", "connected", "invalid"]:
        """What the frame does to the book."""
    @property
    def state(self) -> Literal["empty", "syncing", "live", "invalid"]:
        """The book's, after the frame. Only a live book can be trusted."""
    @property
    def fault(self) -> str | None:
        """What made the book unreliable, if this frame did."""
    @property
    def sequence(self) -> int | None:
        """The simulation's clock: frames of the book since the first snapshot, which is 0; None before it."""
    @property
    def sequence_num(self) -> int:
        """The venue's number of the message."""
    @property
    def ts_recv_ns(self) -> int:
        """When it was received, Unix nanoseconds."""
    @property
    def ts_event_ns(self) -> int:
        """The venue's time, Unix nanoseconds; 0 where it said none."""
    @property
    def price_decimals(self) -> int:
        """A tick is 10^-price_decimals quote units."""
    @property
    def size_decimals(self) -> int:
        """A lot is 10^-size_decimals base units."""
    @property
    def bid(self) -> float | None:
        """The best bid's price; None where there is none."""
    @property
    def ask(self) -> float | None:
        """The best ask's price; None where there is none."""
    @property
    def best_bid(self) -> tuple[int, int] | None:
        """The best bid in ticks and lots; None where there is none."""
    @property
    def best_ask(self) -> tuple[int, int] | None:
        """The best ask in ticks and lots; None where there is none."""
    def levels(self, side: Literal["bid", "ask"], depth: int | None = None) -> Levels:
        """The best `depth` levels of a side, or all of them, as arrays. Raises RuntimeError when the next frame has been taken."""
    def changes(self) -> Changes:
        """What the frame says of levels, in its order; nothing where it is neither a snapshot nor an update. Raises RuntimeError when
        the next frame has been taken."""
    def prints(self) -> Prints:
        """The trades that the frame tells of; none where its kind is not "prints". Raises RuntimeError when the next frame has been
        taken."""

class Book(Iterator[Frame]):
    """Goes over a market's frames once, in order, and keeps its book; see `Market.book`."""

    @property
    def product(self) -> str:
        """The product."""
    def __next__(self) -> Frame: ...

class ModelFile:
    """A model with the bytes of its file."""

    @staticmethod
    def read(path: str, features: str | None, classes: str | None) -> ModelFile: ...
    @staticmethod
    def parse(path: str, bytes: bytes, features: str | None, classes: str | None) -> ModelFile: ...
    def save(self, path: str, force: bool) -> None: ...
    @property
    def bytes(self) -> bytes: ...
    @property
    def path(self) -> Path: ...
    @property
    def features(self) -> list[str]: ...
    @property
    def names(self) -> list[str]: ...
    @property
    def horizon_updates(self) -> int | None: ...
    @property
    def threshold(self) -> float | None: ...
    @property
    def label(self) -> str | None: ...
    @property
    def ties(self) -> str | None: ...
    def evaluate(
        self, rows: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Log-odds and probabilities of rows, shape (rows, features)."""

def product(args: list[str]) -> str: ...
def features(args: list[str]) -> Read: ...
def feature_list(list: str) -> list[str]:
    """The features of a list, one by one: of "seed", "all", "tape", "@FILE", names and `NAME = EXPRESSION` with commas between.

    Raises:
        InputError: It is not one.
    """

def walk(args: list[str]) -> Book: ...
# Each strategy's name and trade log, the session's other page, what the command prints.
Traded = tuple[list[tuple[str | None, Path]], Path | None, str]

def replay(args: list[str], model: ModelFile | None) -> Traded: ...

def read_log(path: str | PathLike[str]) -> list[RawColumn]: ...
def read_sweep(path: str | PathLike[str]) -> list[RawColumn]: ...
def evaluate(args: list[str], models: list[ModelFile]) -> tuple[str, str]:
    """The report as JSON, and what the command prints."""

def sweep(args: list[str]) -> tuple[Path, str]:
    """The table's CSV file, and what the command prints."""

def train(args: list[str]) -> str:
    """What the command prints."""

def generate(args: list[str]) -> None: ...

class Gathering:
    """A sweep whose rows are made elsewhere, of the arguments of `sweep`; captures stand for themselves."""

    def __init__(self, args: list[str]) -> None: ...
    def missing(self) -> list[list[int]]:
        """For each capture the numbers of the settings that have no rows yet."""
    def add(self, part: str) -> None:
        """Takes a part, and keeps it on disk."""
    def finish(self, broken: dict[int, str]) -> tuple[Path, str]:
        """Ends it, with captures that have no rows and why. The table's CSV file, and what the command prints."""

def sweep_part(args: list[str], number: int, name: str, settings: list[int]) -> str:
    """Rows of a sweep over its only capture, which has that number and name in another sweep, as JSON."""

def companions(path: str) -> list[str]: ...
def expanded(paths: list[str]) -> list[str]:
    """The files that paths, folders and patterns stand for; what does not exist here stays as it is."""
