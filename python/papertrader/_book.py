"""What frames of a market hold, as arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Levels(NamedTuple):
    """Levels of a side, best first. Counts are exact: a tick is 10^-price_decimals, a lot 10^-size_decimals of the frame.

    Attributes:
        price: Quote units.
        size: Base units.
        price_ticks: The same as a count of ticks.
        size_lots: The same as a count of lots.
    """

    price: npt.NDArray[np.float64]
    size: npt.NDArray[np.float64]
    price_ticks: npt.NDArray[np.int64]
    size_lots: npt.NDArray[np.int64]


class Changes(NamedTuple):
    """What a frame says of levels, in its order. A size is what a level has from then on; 0 removes it.

    Attributes:
        side: 1 for bids, -1 for asks.
        levels: The levels.
    """

    side: npt.NDArray[np.int8]
    levels: Levels


class Prints(NamedTuple):
    """Trades that a frame tells of, oldest first.

    Attributes:
        side: The taker's: 1 where it bought, -1 where it sold.
        trades: Prices and sizes.
        trade_id: The venue's number; 0 where it said none.
        ts_event_ns: The venue's time, Unix nanoseconds; 0 where it said none.
    """

    side: npt.NDArray[np.int8]
    trades: Levels
    trade_id: npt.NDArray[np.int64]
    ts_event_ns: npt.NDArray[np.int64]
