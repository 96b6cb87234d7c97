"""A paper trader for machine-learning models of market microstructure.

    import papertrader

    market = papertrader.open("market.l2.zst")
    rows = market.features(["imbalance_1", "spread_ticks", "ofi_1_20"], label="mid:20")
    run = market.replay("model.json", threshold=0.6)
    print(run.summary)

Everything is computed by the program: what it writes, the package gives as arrays, to the bit. Work runs without the interpreter's
lock and ends by Ctrl-C. What the program would print as an error is an `Error`, what it would warn of a `PapertraderWarning`.
"""

from ._book import Changes, Levels, Prints
from ._errors import Error, InputError, PapertraderWarning, RunningError
from ._market import Market, Rows, Run, Session, Sweep, open
from ._model import Model
from ._papertrader import VERSION as __version__
from ._papertrader import Book, Frame, feature_list
from ._research import Trained, evaluate, generate, train
from ._table import Column, Table

__all__ = [
    "Book",
    "Changes",
    "Column",
    "Error",
    "Frame",
    "InputError",
    "Levels",
    "Market",
    "Model",
    "PapertraderWarning",
    "Prints",
    "Rows",
    "Run",
    "RunningError",
    "Session",
    "Sweep",
    "Table",
    "Trained",
    "__version__",
    "evaluate",
    "feature_list",
    "generate",
    "open",
    "train",
]
