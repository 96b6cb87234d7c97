"""Writes a fitted scikit-learn pipeline (StandardScaler, LogisticRegression) as a model file of papertrader.

    from export_sklearn import export
    export(pipeline, features, "models/mine.json", horizon=20, threshold=0.6)

A name that ends in .json keeps the scaler apart, one that ends in .txt is the original program's plain form: the
intercept and 28 coefficients with the scaler folded in. From the command line a pipeline comes as a joblib file:

    python tools/export_sklearn.py PIPELINE.joblib FEATURES MODEL.json [--horizon 20] [--threshold 0.6]
"""

import argparse
import json
import math
import os
import tempfile
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

SEED = (
    ["bid_minus_ask"]
    + [f"{side}_size_{level}" for side in ("bid", "ask") for level in (1, 2, 3)]
    + [f"{side}_price_{level}" for side in ("bid", "ask") for level in (1, 2, 3)]
    + [f"ln_{side}_size_{level}" for side in ("bid", "ask") for level in (1, 2, 3, 4, 5)]
    + ["imbalance_1", "bid_vwap_10", "ask_vwap_10", "ln_bid_vwap_10", "ln_ask_vwap_10"]
)
"""The features of a plain model, in its order."""


def parts(pipeline):
    """The scaler's means and scales, the coefficients and the intercept of a fitted pipeline."""
    steps = [step for _, step in pipeline.steps]
    if len(steps) != 2 or not isinstance(steps[0], StandardScaler) or not isinstance(steps[1], LogisticRegression):
        raise ValueError("the pipeline must be a StandardScaler followed by a LogisticRegression")
    scaler, regression = steps
    if list(regression.classes_) != [0, 1]:
        raise ValueError(f"the classes must be 0 (not up) and 1 (up), not {list(regression.classes_)}")
    coefficients = regression.coef_[0]
    mean = scaler.mean_ if scaler.with_mean else np.zeros_like(coefficients)
    scale = scaler.scale_ if scaler.with_std else np.ones_like(coefficients)
    return mean, scale, coefficients, float(regression.intercept_[0])


def write_whole(path, text):
    """Writes a file beside its place and renames it, so that it is whole or not there."""
    path = Path(path)
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(beside, 0o666 & ~mask)
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


def export(pipeline, features, path, horizon=20, threshold=0.6, provenance=None):
    """Writes the model file `path`. `features` are the names of the pipeline's columns, in their order."""
    mean, scale, coefficients, intercept = parts(pipeline)
    features = list(features)
    if len(features) != len(coefficients):
        raise ValueError(f"{len(features)} names for {len(coefficients)} coefficients")
    numbers = [*mean, *scale, *coefficients, intercept]
    if not all(math.isfinite(number) for number in numbers):
        raise ValueError("the pipeline holds numbers that are not finite")
    if str(path).endswith(".txt"):
        if features != SEED:
            raise ValueError("a .txt model has the 28 seed features in their order; write a .json model")
        folded = coefficients / scale
        lines = [intercept - float(folded @ mean), *folded]
        write_whole(path, "".join(f"{float(number)!r}\n" for number in lines))
        return
    if not str(path).endswith(".json"):
        raise ValueError(f"{path}: the name must end in .json or .txt")
    model = {
        "features": features,
        "intercept": intercept,
        "coefficients": [float(number) for number in coefficients],
        "mean": [float(number) for number in mean],
        "scale": [float(number) for number in scale],
        "horizon_updates": int(horizon),
        "threshold": float(threshold),
    }
    if provenance is not None:
        model["provenance"] = provenance
    write_whole(path, json.dumps(model, indent=2, allow_nan=False) + "\n")


def main():
    parser = argparse.ArgumentParser(description="Writes a fitted scikit-learn pipeline as a model file.")
    parser.add_argument("pipeline", help="joblib file of a Pipeline of StandardScaler and LogisticRegression")
    parser.add_argument("features", help="names of its columns separated by commas, or seed")
    parser.add_argument("model", help="file to write, .json or .txt")
    parser.add_argument("--horizon", type=int, default=20)
    parser.add_argument("--threshold", type=float, default=0.6)
    arguments = parser.parse_args()

    import joblib

    features = SEED if arguments.features == "seed" else arguments.features.split(",")
    export(joblib.load(arguments.pipeline), features, arguments.model, arguments.horizon, arguments.threshold)


if __name__ == "__main__":
    main()
