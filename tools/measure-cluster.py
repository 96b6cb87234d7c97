"""Measures what a sweep on a Ray cluster costs beside the rows themselves, on a cluster on this machine, and says what large sweeps
would take by that.

    python tools/measure-cluster.py [--frames 20000] [--captures 4] [--settings 200]

Needs the package with its `cluster` extra (`tools/ci-package.sh` installs it into .venv-package), in a release build for figures that
are to mean something. Nodes are processes of this machine with a processor each, connected by loopback.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import ray
from ray.cluster_utils import Cluster

import papertrader
from papertrader import _papertrader as native
from papertrader import cluster

NODE: dict[str, Any] = {"object_store_memory": 100 << 20, "include_dashboard": False}
TASKS = 300
# What is assumed of the large sweep and its machines.
PRODUCTS, DAYS, SETTINGS, FRAMES_A_DAY = 50, 365, 1_000, 1_000_000
CORES, STORAGE_BYTES_A_S = 16, 1.25e9
# Settings that share a pass over a capture: TRADERS_MAX of src/sweep/pass.rs.
PASS_SETTINGS = 512


def nothing() -> None:
    """A task without work."""


def thresholds(settings: int) -> str:
    """So many, each another."""
    return ",".join(f"{0.5 + 0.4 * at / settings:.6f}" for at in range(settings))


def arguments_of(model: Path, settings: int, folder: str | Path) -> list[str]:
    """Those of `sweep`, for the package's inside."""
    options = [f"--model={model}", f"--threshold={thresholds(settings)}", "--lag=20", "--buy-amount=100", "--yes"]
    return ["sweep", *options, f"--out={folder}"]


def swept(captures: list[Path], model: Path, settings: int, **more: Any) -> float:
    """Seconds of a sweep on the cluster."""
    grid = {"threshold": thresholds(settings), "lag": 20, "buy_amount": 100.0, "yes": True}
    start = time.perf_counter()
    cluster.sweep(captures, model, progress=False, **grid, **more)
    return time.perf_counter() - start


def of_worker(capture: Path, model: Path, settings: int) -> tuple[float, str]:
    """Seconds of a task's own work, without Ray, and the rows."""
    with tempfile.TemporaryDirectory() as folder:
        given = [*arguments_of(model, settings, folder), "--", str(capture)]
        start = time.perf_counter()
        part = native.sweep_part(given, 0, str(capture), list(range(settings)))
        return time.perf_counter() - start, part


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=20_000, help="of each capture")
    parser.add_argument("--captures", type=int, default=4)
    parser.add_argument("--settings", type=int, default=200)
    arguments = parser.parse_args()
    frames, settings = arguments.frames, arguments.settings
    warnings.simplefilter("ignore")

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        captures = [folder / f"{seed}.l2.zst" for seed in range(arguments.captures)]
        for seed, path in enumerate(captures):
            papertrader.generate(path, frames=frames, seed=seed)
        model = folder / "m.json"
        model.write_text(json.dumps({"features": ["imbalance_1"], "intercept": 0.0, "coefficients": [1.5]}))
        frame_bytes = sum(path.stat().st_size for path in captures) / (frames * len(captures))
        load = os.getloadavg()[0]
        print(f"papertrader {papertrader.__version__}, Ray {ray.__version__}, {os.cpu_count()} processors, load before {load:.1f}")
        print(f"{len(captures)} captures of {frames:,} frames, {frame_bytes:.0f} bytes a frame; {settings} settings")

        print("\nA task's own work, one thread, least of 3")
        one = min(of_worker(captures[0], model, 1)[0] for _ in range(3))
        tried = [of_worker(captures[0], model, settings) for _ in range(3)]
        many = min(seconds for seconds, _ in tried)
        pass_s, setting_s = one / frames, max(many - one, 0.0) / (settings - 1)
        print(f"  1 setting {one:.3f} s, {settings} settings {many:.3f} s")
        print(f"  {1e6 * pass_s:.2f} us a frame, and {1e3 * setting_s:.2f} ms a further setting of {frames:,} frames")

        print("\nOn the driver, for each row, least of 3")
        import pyarrow as pa

        part = json.loads(tried[0][1])
        table = pa.Table.from_pylist(part["rows"])
        gather_s = math.inf
        for at in range(3):
            taken = native.Gathering([*arguments_of(model, settings, folder), f"--name=g{at}", "--", str(captures[0])])
            start = time.perf_counter()
            taken.add(json.dumps({"capture": part["capture"], "rows": table.to_pylist()}))
            gather_s = min(gather_s, (time.perf_counter() - start) / settings)
        start = time.perf_counter()
        taken.finish({})
        end_s = (time.perf_counter() - start) / settings
        row_bytes = table.nbytes / settings
        print(f"  taken {1e6 * gather_s:.0f} us, {row_bytes:.0f} bytes of Arrow; tables, page and tests at the end {1e6 * end_s:.0f} us")

        task_s, rates = 0.0, []
        for workers in (1, 2):
            nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **NODE})
            for _ in range(workers):
                nodes.add_node(num_cpus=1, **NODE)
            ray.init(address=nodes.address, log_to_driver=False, logging_level="error")
            empty = ray.remote(nothing)
            ray.get([empty.remote() for _ in range(20)])
            start = time.perf_counter()
            ray.get([empty.remote() for _ in range(TASKS)])
            task_s = (time.perf_counter() - start) / TASKS
            swept(captures, model, 2)
            took = swept(captures, model, settings, chunk=-(-settings // 2))
            rates.append(settings * len(captures) / took)
            print(f"\nCluster of {workers} worker{'s' * (workers > 1)}")
            print(f"  an empty task {1e3 * task_s:.2f} ms; {2 * len(captures)} tasks, {settings * len(captures)} rows: {took:.2f} s")
            print(f"  {rates[-1]:.0f} rows/s")
            ray.shutdown()
            nodes.shutdown()
        print(f"  2 workers over 1: {rates[1] / rates[0]:.2f}")

    rows = PRODUCTS * DAYS * SETTINGS
    print(f"\nBy these costs: {PRODUCTS} products, {DAYS} days, {SETTINGS:,} settings are {rows:,} rows of {PRODUCTS * DAYS:,} captures")
    print(f"  Assumed: {FRAMES_A_DAY:,} frames a day and product, so {FRAMES_A_DAY * frame_bytes / 1e6:.0f} MB a capture;")
    print(f"  machines of {CORES} processors as fast as this one; storage that gives {STORAGE_BYTES_A_S / 1e9:.2f} GB/s to all together;")
    print("  a sweep holds 1,000,000 rows at most, so one for each product, one after the other; costs grow with rows and frames alone.")
    setting_frame_s = setting_s / frames
    driver_s = rows * (gather_s + end_s)
    for machines in (1, 10, 100):
        processors = machines * CORES
        # Fewer captures than processors are read several times, in chunks of the grid.
        chunks = max(1, math.ceil(processors / DAYS))
        waves = math.ceil(DAYS * chunks / processors)
        some = SETTINGS / chunks
        task = FRAMES_A_DAY * (pass_s * math.ceil(some / PASS_SETTINGS) + setting_frame_s * some)
        work_s = PRODUCTS * waves * task
        hands_s = PRODUCTS * DAYS * chunks * task_s
        read_s = PRODUCTS * DAYS * chunks * FRAMES_A_DAY * frame_bytes / STORAGE_BYTES_A_S
        # The driver takes rows while others are made; each end is its own.
        total = max(work_s, rows * gather_s + hands_s, read_s) + rows * end_s
        limits = {"work": work_s, "driver": rows * gather_s + hands_s, "storage": read_s}
        most = max(limits, key=lambda limit: limits[limit])
        parts = ", ".join(f"{limit} {seconds / 3600:.2f} h" for limit, seconds in limits.items())
        print(f"  {machines:3} machines: {total / 3600:7.2f} h ({parts}, ends {rows * end_s / 3600:.2f} h; {most} is the longest)")
    work = PRODUCTS * DAYS * FRAMES_A_DAY * (pass_s * math.ceil(SETTINGS / PASS_SETTINGS) + setting_frame_s * SETTINGS)
    print(f"  The work of all is {work / 3600:.1f} processor-hours and the driver's {driver_s / 3600:.2f} hours:")
    print(f"  beyond {work / driver_s / CORES:.0f} machines the driver, which is one process, takes longer than they do.")


if __name__ == "__main__":
    main()
