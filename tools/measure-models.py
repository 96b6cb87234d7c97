"""Times this program's evaluation of single rows beside that of LightGBM, XGBoost and onnxruntime, on the same models and rows.

    python tools/measure-models.py BENCH FEATURES.parquet [--rounds 9] [--rows 4000]

BENCH is the built `cargo bench --bench models`, FEATURES what `papertrader features` exported. LightGBM and XGBoost each train 100
trees, LightGBM's of 31 leaves, XGBoost's of depth 5, and save them; LightGBM's trees are converted to ONNX, and a logistic regression is
written as the program's own model. Every contender gets the file and the rows one after another, through its C interface
(tools/measure-models.c, compiled here) or through `Model::logit_of_row`, in a process of its own; the processes take turns, and each
round begins with another. Printed are the medians of the rounds and of the rounds' ratios, with the extremes.

Before that the results are compared: the program's probabilities must be LightGBM's within 1e-12, and XGBoost's and onnxruntime's within
1e-6, or the script fails. Rows are rounded to floats beforehand, so that libraries that compute in floats get the same rows.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import lightgbm
import numpy as np
import onnx
import onnxmltools
import onnxruntime
import pandas as pd
import xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from sklearn.linear_model import LogisticRegression

TREES = 100


def shared_library(package, pattern):
    return next(Path(package.__file__).parent.glob(pattern))


def logistic(scores):
    return 1 / (1 + np.exp(-scores))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench")
    parser.add_argument("features")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--rows", type=int, default=4000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        sys.exit(measure(arguments, Path(work)))


def measure(arguments, work):
    table = pd.read_parquet(arguments.features)
    names = list(table.columns[table.columns.get_loc("mid_ticks") + 1 : table.columns.get_loc("mid_change_ticks")])
    values = table[names].to_numpy().astype(np.float32).astype(float)
    labelled = table.label.notna().to_numpy()
    train, up = values[labelled], (table.label[labelled] > 0).to_numpy().astype(int)
    rows = values[: arguments.rows]
    rows.astype("<f8").tofile(work / "rows")

    settings = {"objective": "binary", "num_leaves": 31, "verbose": -1, "seed": 1, "num_threads": 1}
    booster = lightgbm.train(settings, lightgbm.Dataset(train, up, feature_name=names), TREES)
    booster.save_model(work / "lightgbm.txt")
    leaves = [tree["num_leaves"] for tree in booster.dump_model()["tree_info"]]
    inputs = [("input", FloatTensorType([None, len(names)]))]
    converted = onnxmltools.convert_lightgbm(booster, initial_types=inputs, zipmap=False)
    onnx.helper.set_model_props(converted, {"features": ",".join(names)})
    onnx.save(converted, work / "lightgbm.onnx")
    settings = {"objective": "binary:logistic", "max_depth": 5, "seed": 1, "nthread": 1}
    xgboost.train(settings, xgboost.DMatrix(train, up, feature_names=names), TREES).save_model(work / "xgboost.ubj")
    mean, scale = train.mean(axis=0), train.std(axis=0)
    scale[scale == 0] = 1
    regression = LogisticRegression().fit((train - mean) / scale, up)
    linear = {"features": names, "intercept": regression.intercept_[0], "coefficients": list(regression.coef_[0])}
    (work / "linear.json").write_text(json.dumps({**linear, "mean": list(mean), "scale": list(scale)}))
    print(f"{len(rows)} rows of {len(names)} features; LightGBM's {len(leaves)} trees have {statistics.mean(leaves):.1f} leaves")

    program = work / "measure-models"
    source = Path(__file__).with_suffix(".c")
    subprocess.run(["cc", "-O2", "-o", program, source, "-ldl"], check=True)
    libraries = {
        "lightgbm": shared_library(lightgbm, "lib/lib_lightgbm.so"),
        "xgboost": shared_library(xgboost, "lib/libxgboost.so"),
        "onnxruntime": shared_library(onnxruntime, "capi/libonnxruntime.so.*"),
    }

    def ours(model):
        return lambda output: [arguments.bench, work / model, work / "rows", output]

    def theirs(library, model):
        call = [program, library, libraries[library], work / model, work / "rows", str(len(names))]
        return lambda output: [*call, output]

    def timed(name):
        done = subprocess.run(contenders[name](work / f"{name}.out"), check=True, capture_output=True, text=True)
        return float(done.stdout)

    contenders = {
        "papertrader, LightGBM's file": ours("lightgbm.txt"),
        "LightGBM": theirs("lightgbm", "lightgbm.txt"),
        "papertrader, the same as ONNX": ours("lightgbm.onnx"),
        "onnxruntime": theirs("onnxruntime", "lightgbm.onnx"),
        "papertrader, XGBoost's file": ours("xgboost.ubj"),
        "XGBoost": theirs("xgboost", "xgboost.ubj"),
        "papertrader, linear": ours("linear.json"),
    }
    times = {name: [] for name in contenders}
    order = list(contenders)
    for at in range(arguments.rounds):
        for name in order[at % len(order) :] + order[: at % len(order)]:
            times[name].append(timed(name))

    results = {name: np.fromfile(work / f"{name}.out") for name in contenders}
    own = "papertrader, LightGBM's file"
    failed = 0
    for name, theirs_of_row, tolerance in [
        (own, logistic(results["LightGBM"]), 1e-12),
        (own, booster.predict(rows), 1e-12),
        ("papertrader, the same as ONNX", results["onnxruntime"], 1e-6),
        ("papertrader, XGBoost's file", logistic(results["XGBoost"]), 1e-6),
    ]:
        worst = np.abs(results[name] - theirs_of_row).max()
        if not worst <= tolerance:
            print(f"{name}: probabilities differ by {worst}, more than {tolerance}", file=sys.stderr)
            failed = 1
    for name in contenders:
        print(f"{name:30} {statistics.median(times[name]):9.0f} ns ({min(times[name]):.0f} to {max(times[name]):.0f})")
    for name, other in [
        (own, "LightGBM"),
        (own, "onnxruntime"),
        ("papertrader, the same as ONNX", "onnxruntime"),
        ("papertrader, XGBoost's file", "XGBoost"),
    ]:
        ratios = [theirs / ours for ours, theirs in zip(times[name], times[other])]
        print(f"{other} / {name}: {statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})")
    return failed


if __name__ == "__main__":
    main()
