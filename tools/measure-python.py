"""Times the features of a capture by the package beside a vectorised pandas program that reads the same rows.

    python tools/measure-python.py CAPTURE [--rounds 7]

Both sides start from files on disk and end with the same 25 columns in memory, which are compared. The package reads the capture:
JSON messages, whole books. The pandas side reads the same capture by Python's json; or the market's changes of levels as `papertrader
convert` writes them in Tardis's form, CSV: times, sides, prices and amounts, nothing to parse but numbers. It keeps the books of the top
ten levels, which no column operation does, with sorted lists in plain Python, as such programs do. Or it takes tables of the top ten
levels that are there already (`book_snapshot` files, Parquet), which leaves it the arithmetic alone. The features are then vectorised in
NumPy. Arms take turns.
"""

from __future__ import annotations

import argparse
import bisect
import gzip
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import papertrader

DEPTH = 10
FEATURES = [
    "bid_minus_ask",
    *[f"{side}_{what}_{level}" for side in ("bid", "ask") for what in ("price", "size") for level in (1, 2, 3)],
    *[f"ln_{side}_size_{level}" for side in ("bid", "ask") for level in (1, 2, 3)],
    "imbalance_1",
    "bid_vwap_10",
    "ask_vwap_10",
    "mid",
    "walls = sum(bid_size, 1..10) / sum(ask_size, 1..10)",
    "slow = mean(imbalance_1, 20)",
]
NAMES = [feature.partition(" = ")[0] for feature in FEATURES]


def read_capture(path: Path) -> pd.DataFrame:
    """The same columns of a capture's messages, whose numbers stand for their times."""
    numbers, snapshots, sides, prices, amounts = [], [], [], [], []
    with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as lines:
        for number, line in enumerate(lines):
            message = json.loads(line.partition(b" ")[2])
            if message.get("channel") != "l2_data":
                continue
            for event in message["events"]:
                is_snapshot = event["type"] == "snapshot"
                for update in event["updates"]:
                    numbers.append(number)
                    snapshots.append(is_snapshot)
                    sides.append("bid" if update["side"] == "bid" else "ask")
                    prices.append(float(update["price_level"]))
                    amounts.append(float(update["new_quantity"]))
    columns = {"local_timestamp": numbers, "is_snapshot": snapshots, "side": sides, "price": prices, "amount": amounts}
    return pd.DataFrame(columns)


def read_changes(path: Path) -> pd.DataFrame:
    """Rows of changes, in the columns that are needed."""
    columns = ["local_timestamp", "is_snapshot", "side", "price", "amount"]
    return pd.read_csv(path, usecols=columns, engine="pyarrow")


def books_of(changes: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Prices and sizes of the top levels after each message: shape (frames, 2, DEPTH)."""
    times = changes["local_timestamp"].to_numpy()
    snapshots = changes["is_snapshot"].to_numpy()
    ends = np.flatnonzero(np.append((times[1:] != times[:-1]) | (snapshots[1:] != snapshots[:-1]), True))
    bids = (changes["side"] == "bid").to_numpy()
    # Signed so that the best price comes first on both sides.
    keys = np.where(bids, -changes["price"].to_numpy(), changes["price"].to_numpy()).tolist()
    amounts, of_side = changes["amount"].to_numpy().tolist(), np.where(bids, 0, 1).tolist()
    sizes: list[dict[float, float]] = [{}, {}]
    order: list[list[float]] = [[], []]
    prices_out, sizes_out = np.full((len(ends), 2, DEPTH), np.nan), np.full((len(ends), 2, DEPTH), np.nan)
    at, was_snapshot = 0, False
    for frame, end in enumerate(ends.tolist()):
        is_snapshot = bool(snapshots[end])
        if is_snapshot and not was_snapshot:
            sizes, order = [{}, {}], [[], []]
        was_snapshot = is_snapshot
        for row in range(at, end + 1):
            key, amount, side = keys[row], amounts[row], of_side[row]
            levels, known = order[side], sizes[side]
            if amount == 0.0:
                if known.pop(key, None) is not None:
                    del levels[bisect.bisect_left(levels, key)]
            else:
                if key not in known:
                    bisect.insort(levels, key)
                known[key] = amount
        at = end + 1
        for side in (0, 1):
            top = order[side][:DEPTH]
            prices_out[frame, side, : len(top)] = top
            sizes_out[frame, side, : len(top)] = [sizes[side][key] for key in top]
    prices_out[:, 0] *= -1
    return prices_out, sizes_out


def features_of(prices: np.ndarray, sizes: np.ndarray) -> pd.DataFrame:
    """The features of books, vectorised."""
    (bid, ask), (bid_size, ask_size) = (prices[:, 0], prices[:, 1]), (sizes[:, 0], sizes[:, 1])
    made = {"bid_minus_ask": bid[:, 0] - ask[:, 0]}
    for side, price, size in (("bid", bid, bid_size), ("ask", ask, ask_size)):
        for level in range(3):
            made[f"{side}_price_{level + 1}"] = price[:, level]
            made[f"{side}_size_{level + 1}"] = size[:, level]
            made[f"ln_{side}_size_{level + 1}"] = np.log(size[:, level])
        made[f"{side}_vwap_10"] = (price * size).sum(axis=1) / size.sum(axis=1)
    made["imbalance_1"] = (bid_size[:, 0] - ask_size[:, 0]) / (bid_size[:, 0] + ask_size[:, 0])
    made["mid"] = (bid[:, 0] + ask[:, 0]) / 2
    made["walls"] = bid_size.sum(axis=1) / ask_size.sum(axis=1)
    made["slow"] = pd.Series(made["imbalance_1"]).rolling(20).mean().to_numpy()
    return pd.DataFrame(made)[NAMES].dropna()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("capture", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    program = os.environ.get("PAPERTRADER", "target/release/papertrader")

    with tempfile.TemporaryDirectory() as folder:
        csv, tops, frames = Path(folder, "changes.csv"), Path(folder, "tops.parquet"), Path(folder, "market.frames")
        for output in (csv, frames):
            subprocess.run([program, "convert", arguments.capture, "--output", output], check=True, capture_output=True)
        prices, sizes = books_of(read_changes(csv))
        pd.DataFrame(np.concatenate([prices, sizes], axis=1).reshape(len(prices), -1)).rename(columns=str).to_parquet(tops)

        def package(path: Path) -> pd.DataFrame:
            return papertrader.open(path).features(FEATURES).to_pandas()[NAMES]

        def from_tops() -> pd.DataFrame:
            table = pd.read_parquet(tops).to_numpy().reshape(-1, 4, DEPTH)
            return features_of(table[:, :2], table[:, 2:])

        arms = {
            "package, capture (JSON)": lambda: package(arguments.capture),
            "package, frames": lambda: package(frames),
            "pandas, capture (JSON)": lambda: features_of(*books_of(read_capture(arguments.capture))),
            "pandas, changes (CSV)": lambda: features_of(*books_of(read_changes(csv))),
            "pandas, top ten levels (Parquet)": from_tops,
        }
        tables = {name: arm() for name, arm in arms.items()}
        ours = tables["package, capture (JSON)"]
        for name in ("pandas, capture (JSON)", "pandas, changes (CSV)"):
            theirs = tables[name]
            if len(ours) != len(theirs):
                raise SystemExit(f"{len(ours)} rows by the package, {len(theirs)} by {name}")
            np.testing.assert_allclose(ours.to_numpy(), theirs.to_numpy(), rtol=1e-9, atol=1e-7)
        took: dict[str, list[float]] = {name: [] for name in arms}
        for _ in range(arguments.rounds):
            for name, arm in arms.items():
                start = time.perf_counter()
                arm()
                took[name].append(time.perf_counter() - start)
        first = statistics.median(took["package, capture (JSON)"])
        print(f"{arguments.capture.name}: {len(prices)} frames, {len(ours)} rows of {len(NAMES)} features, {arguments.rounds} rounds")
        for name, times in took.items():
            median = statistics.median(times)
            print(f"{name:34} median {1e3 * median:9.1f} ms, least {1e3 * min(times):9.1f}, ratio to the package {median / first:7.1f}")


if __name__ == "__main__":
    main()
