"""Compares a model that `papertrader train` fitted with scikit-learn's own fit of the exported features.

    python tools/check_sklearn.py FEATURES.parquet MODEL.json [--times 20]

The rows are cut as `train` cuts them: the model's provenance says how many it trained on, the earliest of the rows whose
mid moves. Fails when rows, scaler, objective, weights or probabilities differ. With `--times` it also times scikit-learn's
solvers on one thread, on all rows whose mid moves.
"""

import argparse
import json
import sys
import time

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits


def objective(weights, intercept, rows, up, c):
    """Half the squared weights plus C times the summed log-loss."""
    signs = np.where(up, 1.0, -1.0)
    return 0.5 * weights @ weights + c * np.logaddexp(0.0, -signs * (rows @ weights + intercept)).sum()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features")
    parser.add_argument("model")
    parser.add_argument("--times", type=int, default=0, help="time scikit-learn's solvers so many times")
    arguments = parser.parse_args()

    with open(arguments.model) as file:
        model = json.load(file)
    provenance = model["provenance"]
    table = pd.read_parquet(arguments.features)
    all_moved = table[table.label.notna() & (table.label != 0)]
    moved = all_moved.iloc[: provenance["rows"]]
    up = (moved.label > 0).to_numpy()
    outcomes = provenance["outcomes"]
    failures = []

    def check(what, difference, tolerance):
        verdict = "ok" if difference <= tolerance else "TOO FAR"
        print(f"{what:44} {difference:.3e}  (at most {tolerance:.0e})  {verdict}")
        if difference > tolerance:
            failures.append(what)

    check("rows up", abs(int(up.sum()) - outcomes["up"]), 0)
    check("rows down", abs(int((~up).sum()) - outcomes["down"]), 0)
    raw = moved[model["features"]].to_numpy()
    scaler = StandardScaler().fit(raw)
    mean, scale = np.array(model["mean"]), np.array(model["scale"])
    check("scaler means, relative", np.abs(mean / scaler.mean_ - 1).max(), 1e-12)
    check("scaler scales, relative", np.abs(scale / scaler.scale_ - 1).max(), 1e-12)

    scaled = scaler.transform(raw)
    c = provenance["c"]
    newton = LogisticRegression(C=c, solver="newton-cholesky", tol=1e-10, max_iter=1000)
    newton.fit(scaled, up)
    weights, intercept = newton.coef_[0], newton.intercept_[0]
    ours, our_intercept = np.array(model["coefficients"]), model["intercept"]
    theirs = objective(weights, intercept, scaled, up, c)
    check("objective at our weights, relative", abs(objective(ours, our_intercept, scaled, up, c) / theirs - 1), 1e-9)
    check("objective as reported, relative", abs(provenance["objective"] / theirs - 1), 1e-9)
    check("weights", np.abs(ours - weights).max(), 1e-6)
    logits = (raw - mean) / scale @ ours + our_intercept
    difference = np.abs(1 / (1 + np.exp(-logits)) - newton.predict_proba(scaled)[:, 1]).max()
    check("probabilities", difference, 1e-8)

    if arguments.times:
        up = (all_moved.label > 0).to_numpy()
        scaled = scaler.fit_transform(all_moved[model["features"]].to_numpy())
        with threadpool_limits(1):
            for solver, options in [
                ("lbfgs", {"tol": 1e-4}),
                ("lbfgs", {"tol": 1e-10, "max_iter": 10000}),
                ("newton-cholesky", {"tol": 1e-4}),
                ("newton-cholesky", {"tol": 1e-10}),
            ]:
                took = []
                for _ in range(arguments.times):
                    start = time.perf_counter()
                    LogisticRegression(C=c, solver=solver, **options).fit(scaled, up)
                    took.append(1e3 * (time.perf_counter() - start))
                took.sort()
                print(
                    f"scikit-learn {solver:16} tol {options['tol']:.0e} on {scaled.shape[0]} x {scaled.shape[1]}, one thread: "
                    f"median {took[len(took) // 2]:.2f} ms, fastest {took[0]:.2f} ms, slowest {took[-1]:.2f} ms"
                )
    if failures:
        sys.exit(f"differs from scikit-learn: {', '.join(failures)}")


if __name__ == "__main__":
    main()
