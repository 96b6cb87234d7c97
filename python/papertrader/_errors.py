"""Exceptions and warnings, each with a line of the program."""


class Error(Exception):
    """What the program says when it cannot do what was asked: one line, what, where, and what to do."""


class InputError(Error, ValueError):
    """Bad arguments or input files: the program would exit with status 2. Nothing, or only what came before the fault, was done."""


class RunningError(Error, RuntimeError):
    """Failed while running: the program would exit with status 1."""


class PapertraderWarning(UserWarning):
    """What the program warns of, a line."""


for _named in (Error, InputError, RunningError, PapertraderWarning):
    # Where users import them from.
    _named.__module__ = "papertrader"
