"""Keyword arguments to the arguments of a command."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Union

Path = Union[str, "os.PathLike[str]"]
"""A file, a folder or a pattern."""
Paths = Union[Path, Sequence[Path]]
"""One or several of them."""
Option = Union[None, bool, int, float, str, "os.PathLike[str]", Sequence[str], Sequence[float]]
"""A value of an option: None and False leave it out, True is a flag, several values are a list with commas."""


def texts(paths: Paths) -> list[str]:
    """Paths as texts."""
    several = [paths] if isinstance(paths, (str, os.PathLike)) else paths
    return [os.fspath(path) for path in several]


def _text(value: int | float | str | os.PathLike[str] | Sequence[str] | Sequence[float]) -> str:
    if isinstance(value, (str, os.PathLike)):
        return os.fspath(value)
    if isinstance(value, Sequence):
        return ",".join(_text(one) for one in value)
    # The shortest text that reads back the same; numpy's numbers too.
    return repr(float(value)) if isinstance(value, float) else str(value)


def arguments(command: str, options: Mapping[str, Option], positional: Iterable[str] = ()) -> list[str]:
    """The arguments of `command`: options by their names in Python, then what has no name."""
    made = [command]
    for name, value in options.items():
        option = "--" + name.strip("_").replace("_", "-")
        if value is True:
            made.append(option)
        elif value is not None and value is not False:
            made.append(f"{option}={_text(value)}")
    return [*made, "--", *positional]
