#!/usr/bin/env python3
"""Tardis' levels by pandas.read_csv alone, and by this program to decisions, in turns on one file.

    measure-formats.py [ROWS.csv[.gz]] [--rounds 7] [--program target/release/papertrader] [--model models/imbalance.json]

Run it with .venv-formats/bin/python, on a machine that does nothing else, with a release build. Without a file, Tardis' rows are made
from the perpetual's recording in ../shared/data. pandas reads the file into a table, once by its default and once by pyarrow's
reader; the program reads it, keeps the book, computes features, decides and trades (`replay --speed max`, without a report). Times are
of whole passes, pandas' without starting Python, the program's with its start. Printed are the medians, levels per second, and the
ratio of each round's times, its median and extremes.
"""

import argparse
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
CAPTURE = ROOT / "../shared/data/captures/btc-perp-a.l2.gz"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--program", type=Path, default=ROOT / "target/release/papertrader")
    parser.add_argument("--model", type=Path, default=ROOT / "models/imbalance.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        rows = arguments.rows or Path(work, "rows.csv")
        if arguments.rows is None:
            subprocess.run([arguments.program, "convert", CAPTURE, "-o", rows], check=True, stdout=subprocess.DEVNULL)
        replay = [arguments.program, "replay", rows, "--model", arguments.model, "--no-report", "--force"]
        replay += ["--out", work, "--name", "run"]
        levels = len(pd.read_csv(rows))

        def by_program():
            subprocess.run(replay, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        arms = {
            "pandas.read_csv": lambda: pd.read_csv(rows),
            "pandas.read_csv, engine pyarrow": lambda: pd.read_csv(rows, engine="pyarrow"),
            "papertrader replay": by_program,
        }
        times = {name: [] for name in arms}
        for number in range(arguments.rounds + 1):
            # In turns, each round beginning with another arm; the first one warms the caches.
            names = list(arms)
            for name in names[number % len(names):] + names[: number % len(names)]:
                started = time.perf_counter()
                arms[name]()
                if number:
                    times[name].append(time.perf_counter() - started)
        print(f"{rows.name}: {levels} levels, {arguments.rounds} rounds in turns")
        for name, seconds in times.items():
            median = statistics.median(seconds)
            print(f"{name:<32} {median:9.4f} s  {levels / median:13,.0f} levels/s")
        for name in list(arms)[:-1]:
            ratios = [other / own for other, own in zip(times[name], times["papertrader replay"])]
            low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
            print(f"{name} ÷ papertrader: {middle:.3f} ({low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()
