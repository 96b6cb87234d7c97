"""Compares a run's RUN.json and RUN.html with numbers that pandas computes anew from RUN.csv, RUN.hlog and
the logs of executions.

    python tools/check_report.py RUN.csv [--rows TABLE --book TABLE --probabilities FILE] [--self-test]
    python tools/check_report.py RUN_A.csv RUN_B.csv --comparison PAGE.html

With `--rows` (`papertrader features` with the model's features), `--book` (the same with `mid,spread_ticks,imbalance_1`),
both of the run's capture, and the run's `--probabilities`, `observed` is computed anew too. The page is compared number by
number: what its attributes say with RUN.json, and the words beside them with the attributes, to the last digit shown.
With `--self-test` every number is falsified in turn, and each must be found, alone.
"""

import argparse
import json
import math
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd

from recompute_report import execution_numbers, observed, read_executions, stages, trade_numbers

# Sums in another order differ in the last bits.
RELATIVE, ABSOLUTE = 1e-9, 1e-11
# A bucket of a histogram is a thousandth of its value wide.
BUCKET = 1 / 1000
# Of a long list so many numbers are falsified.
FALSIFIED = 100
# A page without these is none.
HEAD = ["trades.trades", "trades.win_rate", "trades.gross_bps", "trades.verdict_bps", "trades.break_even_fee_bps",
        "trades.gross_profit", "trades.bought"]
WORDS = re.compile(r"([+−-]?)([\d,]+(?:\.(\d+))?)(?:e([+−-]?\d+))? ?(%|ns|µs|ms|s|)")
UNITS = {"%": 0.01, "ns": 1, "µs": 1e3, "ms": 1e6, "s": 1e9, "": 1}


def differences(expected, actual, path, relative=RELATIVE):
    """Where two documents differ, as lines that begin with the path."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        if list(expected) != list(actual):
            return [f"{path}: has {', '.join(actual)}, not {', '.join(expected)}"]
        return [line for key in expected for line in differences(expected[key], actual[key], f"{path}.{key}", relative)]
    if isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            return [f"{path}: {len(actual)} entries, not {len(expected)}"]
        pairs = enumerate(zip(expected, actual))
        return [line for at, pair in pairs for line in differences(*pair, f"{path}.{at}", relative)]
    is_number = lambda value: isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number(expected) and is_number(actual):
        whole = isinstance(expected, int) and relative == RELATIVE
        same = expected == actual if whole else math.isclose(expected, actual, rel_tol=relative, abs_tol=ABSOLUTE)
    else:
        same = expected == actual
    return [] if same else [f"{path}: {actual!r}, by pandas {expected!r}"]


def check_document(run, expected):
    """RUN.json against what was computed."""
    lines = []
    for part, values in expected.items():
        if part == "stages":
            # Least, greatest and percentiles are as fine as the histogram; counts are exact.
            reported = run["timing"]["stages"]
            counts = lambda rows: [{key: row[key] for key in ("stage", "count")} for row in rows]
            lines += differences(counts(values), counts(reported), "timing.stages")
            times = lambda rows: [{key: row[key] for key in row if key not in ("stage", "count")} for row in rows]
            lines += differences(times(values), times(reported), "timing.stages", BUCKET)
        else:
            lines += differences(values, run[part], part)
    return lines


class Numbers(HTMLParser):
    """Every element of a page that has a `data-key`: the key, the number or None, the run, the words."""

    def __init__(self, text):
        super().__init__()
        self.found, self.depth = [], 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if "data-key" in attributes:
            number = attributes.get("data-value")
            number = None if number is None else json.loads(number)
            self.found.append([attributes["data-key"], number, int(attributes.get("data-run", 0)), ""])
            self.depth = 1
        elif self.depth:
            raise ValueError(f"<{tag}> in the number {self.found[-1][0]}")

    def handle_endtag(self, tag):
        self.depth = 0

    def handle_data(self, data):
        if self.depth:
            self.found[-1][3] += data


def at_path(document, path):
    """The number at a `data-key`; a list's entry is named by its place or by its stage, fault or account."""
    for step in path.split("."):
        if isinstance(document, list):
            called = lambda entry: isinstance(entry, dict) and step in (entry.get("stage"), entry.get("fault"), entry.get("account"))
            document = document[int(step)] if step.isdigit() else next(filter(called, document), None)
        else:
            document = document[step]
    return document


def read_words(words):
    """The number that words say, and how far it may be from the true one."""
    match = WORDS.fullmatch(words)
    if not match:
        return None
    sign, digits, decimals, power, unit = match.groups()
    factor = UNITS[unit] * 10.0 ** int((power or "0").replace("−", "-"))
    number = float(digits.replace(",", "")) * (-1 if sign in ("−", "-") and sign else 1)
    return number * factor, 0.5 * 10.0 ** -len(decimals or "") * factor


def check_page(numbers, runs):
    """A page against the documents of its runs."""
    lines = [f"{key}: not in the page" for key in HEAD if not any(number[0] == key for number in numbers)]
    for key, number, which, words in numbers:
        name = f"{key} of run {which}" if len(runs) > 1 else key
        try:
            expected = at_path(runs[which], key)
        except (KeyError, IndexError, TypeError):
            lines.append(f"{name}: not in RUN.json")
            continue
        if number != expected:
            lines.append(f"{name}: the page has {number!r}, RUN.json {expected!r}")
        elif number is None:
            lines += [] if words == "–" else [f"{name}: '{words}' for nothing"]
        elif (read := read_words(words)) is None:
            lines.append(f"{name}: '{words}' is no number")
        elif abs(read[0] - number) > read[1] * (1 + 1e-6) + 1e-12 * abs(number):
            lines.append(f"{name}: the words '{words}', the number {number!r}")
    return lines


def leaves(document, path=()):
    """The paths of all numbers and texts."""
    if isinstance(document, (dict, list)):
        entries = document.items() if isinstance(document, dict) else enumerate(document)
        return [leaf for key, value in entries for leaf in leaves(value, (*path, key))]
    return [path]


def falsified(value):
    """Something near that is not the value."""
    if value is None:
        return 0.5
    if isinstance(value, str):
        return value + "?"
    return value + 1 if isinstance(value, int) else value * (1 + 1e-6) + 1e-9


def self_test(run, numbers, expected):
    """Falsifies every number in turn. Returns how many, and fails where one is not found, or not alone."""
    tried = 0
    for part, values in expected.items():
        top = ["timing", "stages"] if part == "stages" else [part]
        found = leaves(values)
        for leaf in found[:: max(1, len(found) // FALSIFIED)]:
            # Taken from the log as they were reported: nothing to compare with.
            if part == "stages" and (leaf[1] in ("name", "out_of_range") or leaf[-1] == 0 and leaf[1] == "curve"):
                continue
            place = run
            for step in (*top, *leaf[:-1]):
                place = place[step]
            value = place[leaf[-1]]
            # A percentile may be anywhere in its bucket.
            coarse = part == "stages" and isinstance(value, int) and leaf[1] != "count"
            place[leaf[-1]] = value + max(value // 100, 1) if coarse else falsified(value)
            path = ".".join(map(str, (*top, *leaf)))
            lines = check_document(run, {part: values})
            wrong, place[leaf[-1]] = place[leaf[-1]], value
            if len(lines) != 1 or not lines[0].startswith(f"{path}:"):
                sys.exit(f"check_report: {path} falsified to {wrong!r}, and the check says {lines}")
            tried += 1
    for at, (key, number, which, words) in enumerate(numbers):
        wrong_words = "1" if number is None else re.sub(r"\d(?=\D*$)", lambda digit: str((int(digit[0]) + 5) % 10), words)
        for wrong in ([key, falsified(number), which, words], [key, number, which, wrong_words]):
            lines = check_page([*numbers[:at], wrong, *numbers[at + 1 :]], [run])
            if len(lines) != 1 or not lines[0].startswith(f"{key}:"):
                sys.exit(f"check_report: {key} falsified to {wrong} in the page, and the check says {lines}")
            tried += 1
    return tried


def read_rows(table):
    """Exported features, times as nanoseconds."""
    if table.suffix != ".parquet":
        return pd.read_csv(table)
    rows = pd.read_parquet(table)
    return rows.assign(ts_recv_ns=rows.ts_recv_ns.astype("int64"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN.csv")
    parser.add_argument("--comparison", type=Path, metavar="PAGE.html")
    parser.add_argument("--rows", type=Path, metavar="TABLE")
    parser.add_argument("--book", type=Path, metavar="TABLE")
    parser.add_argument("--probabilities", type=Path, metavar="FILE")
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()

    lines, documents, tried = [], [], 0
    for path in arguments.runs:
        run = json.loads(path.with_suffix(".json").read_text())
        documents.append(run)
        trades = pd.read_csv(path)
        expected = {"trades": trade_numbers(trades, run["settings"]["fee_bps"], float(run["run"]["lot"]))}
        logs = [path.with_suffix(f".{ending}.csv") for ending in ("orders", "fills", "markouts", "legs")]
        if logs[0].exists():
            expected["executions"] = execution_numbers(*map(read_executions, logs))
        if path.with_suffix(".hlog").exists():
            expected["stages"] = stages(path.with_suffix(".hlog"), run["timing"]["stages"])
        if arguments.rows:
            probabilities = pd.read_csv(arguments.probabilities, sep=" ", header=None, index_col=0)[1]
            expected["observed"] = observed(run, read_rows(arguments.rows), read_rows(arguments.book), probabilities)
        numbers = Numbers(path.with_suffix(".html").read_text()).found
        found = check_document(run, expected) + check_page(numbers, [run])
        lines += [f"{path.stem}: {line}" for line in found]
        checked = sum(len(leaves(values)) for values in expected.values())
        print(f"check_report: {path.stem}: {checked} numbers of RUN.json, {len(numbers)} of the page")
        if arguments.self_test and not found:
            print(f"check_report: {path.stem}: {self_test(run, numbers, expected)} falsified numbers were found")
    if arguments.comparison:
        numbers = Numbers(arguments.comparison.read_text()).found
        if missing := set(range(len(documents))) - {number[2] for number in numbers}:
            lines.append(f"comparison: nothing of run {missing}")
        lines += [f"comparison: {line}" for line in check_page(numbers, documents)]
        print(f"check_report: {arguments.comparison.name}: {len(numbers)} numbers of {len(documents)} runs")
    for line in lines[:40]:
        print(f"check_report: {line}", file=sys.stderr)
    if lines:
        sys.exit(f"check_report: {len(lines)} numbers differ")


if __name__ == "__main__":
    main()
