"""How far ahead does the imbalance at the top of the book look? And does trading on it pay?

    python examples/imbalance.py MARKET...
"""

from __future__ import annotations

import json
import sys

import numpy as np

import papertrader


def hit_rate(rows: papertrader.Rows) -> float:
    """The share of moves that go the way of the imbalance."""
    moved = np.isin(rows.label, [-1, 1])
    return float(np.mean(np.sign(rows["imbalance_1"][moved]) == rows.label[moved]))


def model(horizon: int) -> papertrader.Model:
    """Buys where bids outweigh asks."""
    file = {
        "features": ["imbalance_1"],
        "intercept": 0.0,
        "coefficients": [2.0],
        "horizon_updates": horizon,
        "label": f"mid:{horizon}",
        "ties": "drop",
    }
    return papertrader.Model.from_bytes("imbalance.json", json.dumps(file).encode())


def main(paths: list[str]) -> None:
    market = papertrader.open(paths)
    for horizon in (1, 5, 20, 100):
        rows = market.features(["imbalance_1"], horizon=horizon)
        print(f"{horizon:4} updates ahead: {hit_rate(rows):.1%} of {np.isin(rows.label, [-1, 1]).sum()} moves")
    run = market.replay(model(20), threshold=0.7)
    trades = run.table("trades")
    print(f"{market.product}: {trades.rows} closed trades, gross profit {trades['profit'].sum():.4f}")


if __name__ == "__main__":
    main(sys.argv[1:])
