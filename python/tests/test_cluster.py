"""Sweeps and features on a cluster of two nodes on this machine: the files of the local ones, whatever happens to a node."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import Program

import papertrader
from papertrader import cluster

ray = pytest.importorskip("ray", reason="Ray is not installed")

# Nothing is told to anybody, and workers are few.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

# Ray's own processes and sockets end when they like.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")

NODE: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
GRID: dict[str, Any] = {"threshold": "0.5:0.6:0.05", "lag": [10, 20], "execution": ["original", "taker"], "buy_amount": 100.0}
ENDINGS = ("csv", "parquet", "json", "report.json", "html")


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """Two nodes with a processor each, to which this process is connected."""
    from ray.cluster_utils import Cluster

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nodes = Cluster(initialize_head=True, head_node_args=NODE)
        nodes.add_node(**NODE)
        ray.init(address=nodes.address, log_to_driver=False, logging_level="error")
        yield nodes
        ray.shutdown()
        nodes.shutdown()  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two captures."""
    folder = tmp_path_factory.mktemp("days")
    paths = [folder / f"day-{seed}.l2.zst" for seed in (1, 2)]
    for seed, path in enumerate(paths, 1):
        papertrader.generate(path, frames=2500, levels=200, seed=seed)
    return paths


@pytest.fixture(scope="module")
def local(program: Program, days: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sweep that the command line makes."""
    folder = tmp_path_factory.mktemp("local")
    model(folder)
    options = ["--threshold", "0.5:0.6:0.05", "--lag", "10,20", "--execution", "original,taker", "--buy-amount", 100]
    program("sweep", *days, "--model", folder / "m.json", *options, "--out", folder, "--name", "grid")
    return folder


def model(folder: Path) -> Path:
    path = folder / "m.json"
    path.write_text(json.dumps({"features": ["imbalance_1"], "intercept": 0.0, "coefficients": [1.5]}))
    return path


def swept(captures: Any, local: Path, out: Path, **more: Any) -> papertrader.Sweep:
    """On the cluster, by the local sweep's model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", papertrader.PapertraderWarning)
        return cluster.sweep(captures, local / "m.json", out=out, name="grid", **GRID, **more)


def are_equal(local: Path, out: Path) -> None:
    for ending in ENDINGS:
        assert (out / f"grid.sweep.{ending}").read_bytes() == (local / f"grid.sweep.{ending}").read_bytes(), ending
    assert not (out / "grid.sweep.part").exists()


def test_a_sweep_is_the_local_one(nodes: Any, days: list[Path], local: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    sweep = swept(days, local, tmp_path, chunk=5, progress=lambda done, due: told.append((done, due)))
    are_equal(local, tmp_path)
    # Chunks of 5, 5 and 2 settings for each capture.
    assert len(told) == 6 and told[-1] == (24, 24)
    assert sweep.table.rows == 24 and sweep.summary.startswith("sweep: 24 rows of 2 captures")
    with pytest.raises(papertrader.InputError, match="exists"):
        swept(days, local, tmp_path)
    with pytest.raises(papertrader.InputError, match="connected already: leave address out"):
        swept(days, local, tmp_path, address=nodes.address, force=True)


def test_features_are_the_markets(nodes: Any, days: list[Path]) -> None:
    asked = ["imbalance_1", "slow = mean(imbalance_1, 50)"]
    found = dict(cluster.features([*days, days[0].as_uri()], asked, label="mid:20", every=2))
    assert sorted(found) == sorted([*map(str, days), days[0].as_uri()])
    for day in days:
        rows = papertrader.open(day).features(asked, label="mid:20", every=2)
        assert found[str(day)].equals(rows.to_arrow())
        told = found[str(day)].schema.metadata
        assert json.loads(told[b"counts"]) == rows.counts and json.loads(told[b"captures"]) == rows.captures
    of_url = found[days[0].as_uri()]
    assert of_url.drop(["capture"]).equals(found[str(days[0])].drop(["capture"]))
    assert of_url["capture"].unique().to_pylist() == [days[0].as_uri()]
    with pytest.raises(papertrader.InputError, match="imbalance_0"):
        cluster.features(days, "imbalance_0")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def served(days: list[Path]) -> Iterator[str]:
    """The URL of the captures' folder, which workers reach by no path of theirs."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(days[0].parent))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_url_brings_the_file_beside_it(
    nodes: Any, days: list[Path], served: str, program: Program, local: Path, tmp_path: Path
) -> None:
    book = days[0].with_name("book.csv")
    program("convert", days[0], "--output", book)
    assert book.with_name("book_trades.csv").exists()
    asked = ["imbalance_1", "print_imbalance_100"]
    (name, table) = next(cluster.features(f"{served}/book.csv", asked, label="mid:20"))
    assert name == f"{served}/book.csv"
    rows = papertrader.open(book).features(asked, label="mid:20")
    assert table.drop(["capture"]).equals(rows.to_arrow().drop(["capture"]))
    assert np.any(rows["print_imbalance_100"] != 0)

    urls = [f"{served}/book.csv", f"{served}/{days[1].name}", f"{served}/none.l2"]
    with pytest.raises(cluster.ClusterError, match=r"^1 of 3 captures broke, the first .*/none.l2 on node .*: cannot read .*/none.l2"):
        swept(urls, local, tmp_path)
    rows_there = pd.read_csv(tmp_path / "grid.sweep.csv")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", papertrader.PapertraderWarning)
        rows_here = papertrader.open(book).sweep(local / "m.json", **GRID).rows
    of_book = rows_there[rows_there.capture_path == urls[0]].reset_index(drop=True)
    for column in ("setting", "trades", "net_profit_quote", "capture_sha256"):
        assert of_book[column].tolist() == rows_here[column].tolist(), column
    assert len(rows_there) == 24 and of_book.trades.sum() > 0


# A session of its own, which connects by the address and is interrupted while tasks run.
SESSION = """
import json, os, signal, sys, warnings
from papertrader import PapertraderWarning, cluster

asked = json.loads(sys.argv[1])
end_at = asked.pop("end_at")

def tell(done, due):
    print(done, due, flush=True)
    if done == end_at:
        os.kill(os.getpid(), signal.SIGINT)

# Whoever began this in the background may have it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
warnings.simplefilter("ignore")
try:
    cluster.sweep(asked.pop("captures"), asked.pop("model"), name="grid", progress=tell, **asked)
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_a_cluster_is_found_by_its_address_and_ctrl_c_keeps_what_is_done(
    nodes: Any, days: list[Path], local: Path, tmp_path: Path
) -> None:
    def session(**more: Any) -> tuple[int, list[str]]:
        asked = {"captures": [str(day) for day in days], "model": str(local / "m.json"), "out": str(tmp_path), "end_at": 0}
        asked |= {"address": nodes.address, "chunk": 1} | GRID | more
        run = [sys.executable, "-c", SESSION, json.dumps(asked)]
        ended = subprocess.run(run, capture_output=True, text=True, timeout=120, check=False)
        assert ended.returncode in (0, 130), ended.stderr
        return ended.returncode, ended.stdout.splitlines()

    code, told = session(end_at=5)
    assert code == 130 and told[-1] == "5 24" and not (tmp_path / "grid.sweep.csv").exists()
    code, told = session(resume=True)
    assert code == 0 and told[-1] == "19 19"
    are_equal(local, tmp_path)

    with pytest.raises(papertrader.InputError, match="Ray is connected already"):
        cluster.sweep(days, local / "m.json", address=nodes.address)


def test_bad_captures_are_named_with_their_node(nodes: Any, days: list[Path], local: Path, tmp_path: Path) -> None:
    broken, nowhere = tmp_path / "broken.l2.zst", tmp_path / "nowhere.l2.zst"
    broken.write_bytes(days[1].read_bytes()[:-2000] + bytes(2000))
    lost = (tmp_path / "lost.l2").as_uri()
    captures = [days[0], broken, nowhere, lost]
    with pytest.raises(cluster.ClusterError) as raised:
        swept(captures, local, tmp_path, chunk=7)
    error = raised.value
    assert isinstance(error, papertrader.RunningError)
    assert [one.capture for one in error.broken] == [str(broken), str(nowhere), lost]
    ids = {node["NodeID"][:8] for node in ray.nodes()}
    for one in error.broken:
        assert one.node is not None and one.node.partition("(")[2].rstrip(")") in ids
    assert "No such file" in error.broken[1].why and "nowhere.l2.zst" in error.broken[1].why
    assert error.broken[2].why.startswith(f"cannot read {lost}: ")
    line = str(error)
    assert line.startswith(f"3 of 4 captures broke, the first {broken} on node {error.broken[0].node}: ")
    assert line.endswith("; mend or remove them, and give resume=True for their rows")
    assert error.done is not None and error.done.table.rows == 12
    found = json.loads((tmp_path / "grid.sweep.json").read_text())
    assert [one["path"] for one in found["broken"]] == [str(broken), str(nowhere), lost]

    # Mended, they are made up for; what was done is not done again.
    for path in (broken, nowhere, tmp_path / "lost.l2"):
        papertrader.generate(tmp_path / "new.l2.zst", frames=600, seed=len(path.name), force=True)
        path.write_bytes((tmp_path / "new.l2.zst").read_bytes())
    told: list[tuple[int, int]] = []
    sweep = swept(captures, local, tmp_path, resume=True, progress=lambda *done: told.append(done))
    assert sweep.table.rows == 48 and told[-1] == (36, 36)
    assert sweep.table["capture_path"][-1] == lost

    tables = cluster.features([nowhere, tmp_path / "none"], ["mid"])
    assert next(tables)[0] == str(nowhere)
    with pytest.raises(cluster.ClusterError, match=r"^1 of 2 captures broke, the first .*none on node .*; mend or remove them$"):
        next(tables)


def test_a_sweep_outlives_a_node(nodes: Any, days: list[Path], local: Path, tmp_path: Path) -> None:
    victim = nodes.add_node(**NODE)
    nodes.wait_for_nodes()
    alive: list[int] = []

    def kill(done: int, due: int) -> None:
        if not alive:
            nodes.remove_node(victim, allow_graceful=False)
        alive.append(done)

    # A task for every setting: most are still to be done when the node goes, and some of them were on it.
    swept(days, local, tmp_path, chunk=1, progress=kill)
    assert len(alive) == 24
    are_equal(local, tmp_path)
    # The node is gone for good; Ray may hear of it after the sweep.
    until = time.monotonic() + 60
    while any(node["Alive"] and node["NodeID"] == victim.node_id for node in ray.nodes()):
        assert time.monotonic() < until
        time.sleep(0.1)


def test_what_is_needed_is_said(monkeypatch: pytest.MonkeyPatch, days: list[Path], local: Path) -> None:
    for module in ("ray", "pyarrow"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, module, None)
            for call in (lambda: cluster.sweep(days, local / "m.json"), lambda: cluster.features(days)):
                with pytest.raises(ImportError) as raised:
                    call()
                text = str(raised.value)
                assert text.startswith("papertrader.cluster needs Ray and pyarrow (") and module in text
                assert text.endswith("; install them with: pip install 'papertrader[cluster]'")


def test_an_address_where_nobody_answers_is_refused(days: list[Path], local: Path, tmp_path: Path) -> None:
    # Where no other test has connected.
    asked = {"captures": [str(days[0])], "model": str(local / "m.json"), "out": str(tmp_path), "address": "127.0.0.1:1", "end_at": 0}
    run = [sys.executable, "-c", SESSION, json.dumps(asked)]
    ended = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1 and "InputError: cannot connect to Ray at 127.0.0.1:1: " in ended.stderr
    assert not list(tmp_path.glob("grid*"))


def test_arguments_are_looked_at_before_anything_runs(days: list[Path], local: Path) -> None:
    with pytest.raises(papertrader.InputError, match="chunk is 0; a task has at least 1 setting"):
        cluster.sweep(days, local / "m.json", chunk=0)
    with pytest.raises(papertrader.InputError, match="day-1.l2.zst is there twice, which would count it twice"):
        cluster.sweep([days[0], days[0]], local / "m.json")
    with pytest.raises(papertrader.InputError, match="invalid value '0.5:0.4:0.1' for '--threshold"):
        cluster.sweep(days, local / "m.json", threshold="0.5:0.4:0.1")
    with pytest.raises(TypeError, match=r"sweep\(\) got an unexpected keyword argument 'treshold'"):
        cluster.sweep(days, local / "m.json", treshold=0.5)  # type: ignore[call-arg]


def test_options_are_those_of_the_market() -> None:
    def names(function: Any, *but: str) -> set[str]:
        return set(inspect.signature(function).parameters) - {"self", *but}

    market = names(papertrader.open, "paths")
    assert set(cluster.MarketOptions.__annotations__) == market
    own = ("models", "out", "name", "force", "resume", "keep_logs", "threads")
    assert set(cluster.SweepOptions.__annotations__) == market | names(papertrader.Market.sweep, *own)
    assert set(cluster.FeatureOptions.__annotations__) == market | names(papertrader.Market.features, "features")
