"""The tour in README.md runs, and so does the example."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

PYTHON = Path(__file__).resolve().parents[1]


def test_the_tour_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", (PYTHON / "README.md").read_text(), flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 6
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    with warnings.catch_warnings():
        # So short a market has few changes.
        warnings.simplefilter("ignore")
        for block in blocks:
            exec(compile(block, "README.md", "exec"), names)
    assert capsys.readouterr().out.startswith("BTC-USD\n")


def test_the_example_runs(synthetic: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", PYTHON / "examples" / "imbalance.py", synthetic],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "closed trades" in done.stdout
