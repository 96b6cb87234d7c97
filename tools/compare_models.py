#!/usr/bin/env python3
"""Compares kinds of models on the last part of a capture: a linear model, trees, and one feature alone.

    python tools/compare_models.py PAPERTRADER CAPTURE FOLDER [--horizon 20] [--last 0.3]

The linear model is that of `papertrader train` with the original's 28 features; the trees are LightGBM's, trained on the rows that
`papertrader features` exports, up to the same row, less those whose labels reach beyond it. Their settings are fixed here, before any
result was seen, and nothing is chosen by the test part. `papertrader evaluate --last` judges all of them and the model of one
feature on the same rows; what is printed is a table in Markdown of its figures with their 95 % intervals.

The packages are those of tools/requirements-models.txt.
"""

import argparse
import json
import pathlib
import subprocess

import lightgbm
import pandas as pd

# Ordinary settings for noisy data; 100 trees of 31 leaves are LightGBM's own.
TREES = {
    "trees, 100 of 31 leaves": ({"num_leaves": 31}, 100),
    "trees, 50 of 7 leaves": ({"num_leaves": 7, "learning_rate": 0.05, "min_data_in_leaf": 200}, 50),
}


def figure(value, interval, digits, signed=False):
    def text(number):
        return f"{number:{'+' if signed else ''}.{digits}f}".replace("-", "−")

    if value is None:
        return "—"
    return text(value) + (f" [{text(interval['low'])}, {text(interval['high'])}]" if interval else " (no interval)")


def metric(metrics, name, digits=4, signed=False):
    found = next(entry for entry in metrics if entry["metric"] == name)
    return figure(found["value"], found["interval"], digits, signed)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("papertrader")
    parser.add_argument("capture")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--horizon", type=int, default=20, help="updates (default %(default)s)")
    parser.add_argument("--last", type=float, default=0.3, help="share of the rows to test on (default %(default)s)")
    arguments = parser.parse_args()
    folder, horizon = arguments.folder, str(arguments.horizon)

    def papertrader(command, *options):
        done = subprocess.run([arguments.papertrader, command, arguments.capture, *map(str, options), "--force"], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(done.stderr.strip())

    linear = folder / "linear.json"
    papertrader("train", "--horizon", horizon, "--test-share", arguments.last, "-o", linear)
    papertrader("features", "--horizon", horizon, "-o", folder / "rows.parquet")
    table = pd.read_parquet(folder / "rows.parquet")
    table = table[table.label.notna()]
    names = list(table.columns[table.columns.get_loc("mid_ticks") + 1 : table.columns.get_loc("mid_change_ticks")])
    # As `train` cuts: by labelled rows, ties among them; and without rows whose labels reach beyond.
    moved = table.label != 0
    ordinal = pd.Series(range(len(table)), index=table.index)
    first = table.sequence[moved & (ordinal >= round(len(table) * (1 - arguments.last)))].iloc[0]
    train = table[moved & (table.sequence + arguments.horizon < first)]
    rows = json.loads(linear.read_text())["provenance"]["rows"]
    if len(train) != rows:
        raise SystemExit(f"{len(train)} rows to train on, {rows} of the linear model")
    models = [linear]
    for number, (settings, trees) in enumerate(TREES.values()):
        settings = {"objective": "binary", "verbose": -1, "seed": 1, "deterministic": True, "num_threads": 1, **settings}
        dataset = lightgbm.Dataset(train[names].to_numpy(), (train.label > 0).to_numpy(), feature_name=names)
        models.append(folder / f"trees{number}.txt")
        lightgbm.train(settings, dataset, trees).save_model(models[-1])
    options = [option for model in models for option in ("--model", model)]
    papertrader("evaluate", *options, "--last", arguments.last, "--horizon", horizon, "--threshold", "0.6", "--report", folder / "models")

    report = json.loads((folder / "models.report.json").read_text())
    test = report["test"]
    contestants = {contestant["name"]: contestant for contestant in test["contestants"]}
    of = {"linear": "linear, 28 features", **{f"trees{number}": name for number, name in enumerate(TREES)}, "imbalance_1": "`imbalance_1` alone"}
    blocks = f"{test['blocks']} blocks of {test['block_s']:.1f} s"
    print(f"{pathlib.Path(arguments.capture).name}: {test['rows']} rows, {100 * test['tie_share']:.1f} % ties, {blocks}\n")
    print("| model | AUC | log-loss | gross profit per trade, bp | trades |\n| --- | --- | --- | --- | --- |")
    for name, shown in of.items():
        metrics, economics = contestants[name]["metrics"], contestants[name]["economics"]
        gross = figure(economics["gross_bps"], economics["gross_bps_interval"], 3, signed=True)
        print(f"| {shown} | {metric(metrics, 'auc')} | {metric(metrics, 'log_loss')} | {gross} | {economics['trades']} |")
    print(f"| base rate | 0.5 | {metric(contestants['base rate']['metrics'], 'log_loss')} | | |\n")
    for difference in test["differences"]:
        if difference["minus"] != "base rate":
            auc, loss = (metric(difference["metrics"], name, signed=True) for name in ("auc", "log_loss"))
            print(f"{of[difference['of']]} minus {of[difference['minus']]}: AUC {auc}, log-loss {loss}")


if __name__ == "__main__":
    main()
