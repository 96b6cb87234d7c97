"""Sweeps and features on a cluster of two nodes on this machine: the files of the local ones, whatever happens to a node."""

from __future__ import annotations

import inspect
import json
import os
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
