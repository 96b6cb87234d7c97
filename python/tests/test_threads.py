"""Ctrl-C and the interpreter's lock."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import quietly

import papertrader

# Each would last for a minute and more.
CALLS = {
    "replay": "papertrader.open(market).replay(model, speed='0.01x', out=out, name='run')",
    "features": "[papertrader.open(market).features(heavy) for _ in range(10_000)]",
    "evaluate": "[papertrader.evaluate(model, market, importance=True, repeats=100) for _ in range(10_000)]",
    "train": "papertrader.train(market, out + '/m.json', heavy, cv=True, importance=True, repeats=100)",
    "generate": "papertrader.generate(out + '/g.l2', frames=1_000_000_000)",
    "book": "[frame for _ in range(10_000) for frame in papertrader.open(market).book()]",
}

CHILD = """
import signal, sys, warnings
import papertrader
signal.signal(signal.SIGINT, signal.default_int_handler)
warnings.simplefilter("ignore")
market, model, out = sys.argv[1:]
heavy = [f"x{{k}} = std(imbalance_1, {{1000 + k}})" for k in range(100)]
print("begun", flush=True)
try:
    {call}
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize("call", CALLS)
def test_ctrl_c_ends_every_call(call: str, synthetic: Path, imbalance: Path, tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD.format(call=CALLS[call]), synthetic, imbalance, tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None and child.stdout.readline() == "begun\n"
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(timeout=1)
    child.send_signal(signal.SIGINT)
    out, error = child.communicate(timeout=60)
    assert (out, error, child.returncode) == ("interrupted\n", "", 0)
    left = {path.name for path in tmp_path.iterdir()} - {imbalance.name}
    if call == "replay":
        # What was traded until then, with its report, as the program leaves it.
        assert {"run.csv", "run.json", "run.html"} <= left
        report = papertrader.Run(tmp_path / "run.csv").report
        assert report is not None and report["run"]["stopped"]
    else:
        # A generated market ends where it was stopped.
        assert left == ({"g.l2"} if call == "generate" else set())


def test_a_second_ctrl_c_does_not_wait(synthetic: Path, imbalance: Path, tmp_path: Path) -> None:
    # A handler that raises each time: the first ends the work in good order, the second the waiting for it.
    child = subprocess.run(
        [
            sys.executable,
            "-c",
            """
import signal, sys, threading, os
import papertrader
market, model, out = sys.argv[1:]
signal.signal(signal.SIGINT, signal.default_int_handler)
def send():
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(0.2)
threading.Timer(0.5, send).start()
try:
    papertrader.open(market).replay(model, speed='0.01x', out=out, name='run')
except KeyboardInterrupt:
    print("interrupted", flush=True)
    try:
        threading.Event().wait(0.5)
    except KeyboardInterrupt:
        pass
""",
            synthetic,
            imbalance,
            tmp_path,
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (child.stdout, child.stderr, child.returncode) == ("interrupted\n", "", 0)


def test_a_handler_that_does_not_raise_ends_nothing(synthetic: Path) -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: heard.append(number))
    try:
        ends = threading.Timer(0.05, lambda: signal.raise_signal(signal.SIGUSR1))
        ends.start()
        rows = papertrader.open(synthetic).features("seed")
        ends.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert rows.rows > 0 and heard == [signal.SIGUSR1]


def test_other_threads_go_on_meanwhile(synthetic: Path, imbalance: Path) -> None:
    market = papertrader.open(synthetic)
    counted, ended = [0], threading.Event()

    def count() -> None:
        while not ended.is_set():
            counted[0] += 1
            time.sleep(0)  # Gives the lock back.

    # So rarely does the interpreter change threads by itself that a call which kept the lock would let nobody count.
    interval = sys.getswitchinterval()
    counter = threading.Thread(target=count)
    counter.start()
    sys.setswitchinterval(3600)
    try:
        for work in (
            lambda: market.features("seed"),
            lambda: market.replay(imbalance),
            lambda: quietly(lambda: papertrader.evaluate(imbalance, market)),
        ):
            before = counted[0]
            work()
            assert counted[0] > before
    finally:
        sys.setswitchinterval(interval)
        ended.set()
        counter.join()


def test_calls_side_by_side_do_not_disturb_each_other(synthetic: Path, imbalance: Path) -> None:
    market = papertrader.open(synthetic)
    found: dict[int, bytes] = {}

    def replay(number: int) -> None:
        run = market.replay(imbalance)
        found[number] = run.path.read_bytes()

    replay(-1)

    threads = [threading.Thread(target=replay, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number] for number in range(4)] == [found[-1]] * 4
