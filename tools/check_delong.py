"""Compares DeLong's test in a report of `papertrader train` with the paper's definitions, computed by numpy.

    python tools/check_delong.py FEATURES.parquet MODEL.json REPORT.json

The features are those of all rows of the captures; the test part is the last of them that have a label. Placements are counted by
binary search in the other class, covariances are numpy's. Fails where a difference, standard error, z or p differs.
"""

import argparse
import json
import math
import sys

import numpy as np
import pandas as pd


def placements(scores, up):
    """What each row is worth among those of the other class: ups first, then the others."""
    ups, downs = np.sort(scores[up]), np.sort(scores[~up])
    below = lambda of, among: (np.searchsorted(among, of, "left") + np.searchsorted(among, of, "right")) / 2 / len(among)
    return below(scores[up], downs), 1 - below(scores[~up], ups)


def delong(first, second, up):
    """Difference of the areas, standard error, z and p."""
    variance, by_class = 0.0, list(zip(placements(first, up), placements(second, up)))
    areas = by_class[0][0].mean() - by_class[0][1].mean()
    for a, b in by_class:
        covariance = np.cov(a, b)
        variance += (covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]) / len(a)
    z = areas / math.sqrt(variance)
    return {"difference": areas, "standard_error": math.sqrt(variance), "z": z, "p": math.erfc(abs(z) / math.sqrt(2))}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features")
    parser.add_argument("model")
    parser.add_argument("report")
    arguments = parser.parse_args()

    with open(arguments.model) as file:
        model = json.load(file)
    with open(arguments.report) as file:
        report = json.load(file)
    table = pd.read_parquet(arguments.features)
    part = table[table.label.notna()].iloc[-report["test"]["rows"] :]
    moved = part[part.label != 0]
    up = (moved.label > 0).to_numpy()
    scaled = (moved[model["features"]].to_numpy() - model["mean"]) / model["scale"]
    # The order is all that counts: the baseline's is that of its one feature, the base rate has none.
    scores = {
        "model": scaled @ model["coefficients"],
        "imbalance_1": moved["imbalance_1"].to_numpy(),
        "base rate": np.zeros(len(moved)),
    }
    failures = []
    if report["test"]["blocks"] < 20:
        print(f"SKIPPED: {report['test']['blocks']} blocks give no intervals, and no test beside them")
        return
    for difference in report["test"]["differences"]:
        expected = delong(scores[difference["of"]], scores[difference["minus"]], up)
        for name, value in expected.items():
            value = float(value)
            reported = difference["delong"][name]
            # A probability of 1e-50 has an exponent of 115: a millionth in z is a ten-thousandth of it.
            tolerance = 1e-3 if name == "p" else 1e-6
            if not math.isclose(reported, value, rel_tol=tolerance, abs_tol=1e-300):
                failures.append(f"minus {difference['minus']}: {name} is {reported!r}, by numpy {value!r}")
        print(f"DeLong, model minus {difference['minus']:12} z {expected['z']:+.4f}, p {expected['p']:.4e} by numpy")
    if failures:
        sys.exit("check_delong: " + "; ".join(failures))


if __name__ == "__main__":
    main()
