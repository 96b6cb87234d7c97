"""What all tests share: the program, markets, models."""

from __future__ import annotations

import json
import os
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

import papertrader

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared" / "data" / "captures"

Program = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def binary() -> Path:
    """The program itself: the one that PAPERTRADER names, else it is built."""
    if "PAPERTRADER" in os.environ:
        return Path(os.environ["PAPERTRADER"]).absolute()
    subprocess.run(["cargo", "build", "--quiet", "--bin", "papertrader"], cwd=ROOT, check=True)
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "papertrader"


@pytest.fixture(scope="session")
def program(binary: Path) -> Program:
    """Runs the command line."""

    def run(*arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True, timeout=300)
        assert done.returncode == status, done.stderr
        return done

    return run


@pytest.fixture(scope="session")
def synthetic(program: Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4,000 frames of the synthetic market, with prints."""
    path = tmp_path_factory.mktemp("market") / "market.l2.zst"
    program("generate", "--output", path, "--frames", 4000, "--levels", 500, "--seed", 3)
    return path


@pytest.fixture(scope="session", params=["synthetic", "btc-spot-a.trades.l2.gz"])
def capture(request: pytest.FixtureRequest, synthetic: Path) -> Path:
    """A market: the synthetic one, and real ones where there are any."""
    name: str = request.param
    if name == "synthetic":
        return synthetic
    path = REAL / name
    if not path.exists():
        pytest.skip(f"no real capture in {path}")
    return path


@pytest.fixture
def imbalance(tmp_path: Path) -> Path:
    """A model that says all that a file can say."""
    path = tmp_path / "imbalance.json"
    told = {"horizon_updates": 20, "label": "mid:20", "ties": "drop", "threshold": 0.55}
    path.write_text(json.dumps({"features": ["imbalance_1"], "intercept": 0.0, "coefficients": [1.5], **told}))
    return path


def quietly(work: Callable[[], object]) -> list[str]:
    """What a call warns of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        work()
    assert all(one.category is papertrader.PapertraderWarning for one in caught)
    assert all(one.filename == __file__ or Path(one.filename).parent == Path(__file__).parent for one in caught)
    return [str(one.message) for one in caught]


def warned(stderr: str) -> list[str]:
    """What the command line warned of."""
    return [line.removeprefix("warning: ") for line in stderr.splitlines() if line.startswith("warning: ")]
