"""Reads a run's latency files with the HdrHistogram library for Python and compares them with the run's report."""

import argparse
import math
import sys

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

# The range and precision of papertrader's histograms.
LOWEST_NS, HIGHEST_NS, DIGITS = 1, 60_000_000_000, 3

# The report's lines and the interval log's tags of the whole way: from the arrival where that was stamped.
STAGES = {"arrived → decided": "arrival", "received → decided": "total"}


def reported(path):
    """Tag, count, p50, p99 and maximum of the first of the stages in a report of which something was measured."""
    with open(path, encoding="utf-8") as file:
        lines = [line.strip() for line in file]
    for stage, tag in STAGES.items():
        for line in lines:
            cells = line.removeprefix(stage).split()
            if line.startswith(stage) and "—" not in cells:
                count, _, p50, _, p99, _, _, highest = (int(cell.replace(",", "")) for cell in cells)
                return tag, count, p50, p99, highest
    sys.exit(f"check_histograms: {path} has no line of {' or '.join(STAGES)} with times")


def from_hlog(path, tag):
    """The same from the interval log: the sum of its intervals."""
    total = HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS)
    reader = HistogramLogReader(path, total)
    intervals = 0
    while (histogram := reader.get_next_interval_histogram()) is not None:
        if histogram.get_tag() == tag:
            total.add(histogram)
            intervals += 1
    if intervals == 0:
        sys.exit(f"check_histograms: {path} has no interval of {tag}")
    count = total.get_total_count()
    # The library rounds a percentile to the nearest rank; the one at or above it is asked for by its own.
    at = lambda share: total.get_value_at_percentile(100 * max(math.ceil(share * count - 1e-9), 1) / count) if count else 0
    return count, at(0.5), at(0.99)


def from_hgrm(path):
    """Count, and the values at the first percentiles not below 50 and 99, from the percentile distribution."""
    rows, count = [], None
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("#[Max"):
                count = int(line.split("=")[2].strip(" ]\n"))
            elif line.strip() and line.strip()[0].isdigit():
                value, percentile = line.split()[:2]
                rows.append((float(percentile), float(value)))
    at = lambda wanted: next(value for percentile, value in rows if percentile >= wanted)
    return count, at(0.5), at(0.99)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report")
    parser.add_argument("stem", help="the run's files without their endings")
    arguments = parser.parse_args()

    tag, count, p50, p99, highest = reported(arguments.report)
    hlog_count, hlog_p50, hlog_p99 = from_hlog(f"{arguments.stem}.hlog", tag)
    hgrm_count, hgrm_p50, hgrm_p99 = from_hgrm(f"{arguments.stem}.hgrm")
    # A bucket's width is at most a thousandth of its value; the report never exceeds the true maximum.
    close = lambda value, other: abs(min(value, highest) - min(other, highest)) <= other / 1000 + 1
    checks = {
        "hlog count": hlog_count == count,
        "hlog p50": close(hlog_p50, p50),
        "hlog p99": close(hlog_p99, p99),
        "hgrm count": hgrm_count == count,
        "hgrm p50": close(hgrm_p50, p50),
        # The distribution lists steps: the one at or above the 99th percentile lies at most at 99.1.
        "hgrm p99": hgrm_p99 >= p99 * 0.999,
    }
    failed = [name for name, good in checks.items() if not good]
    print(f"check_histograms: {tag}: report {count} {p50} {p99}, hlog {hlog_count} {hlog_p50} {hlog_p99}, "
          f"hgrm {hgrm_count} {hgrm_p50:.0f} {hgrm_p99:.0f}")
    if failed:
        sys.exit(f"check_histograms: {', '.join(failed)} differ from the report")


if __name__ == "__main__":
    main()
