"""SIGKILL at random moments: resumed, the sweep ends as if nothing had happened, byte for byte."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sweeps import outcomes, stable_bytes

from phase_diagrams.analysis.table import load
from phase_diagrams.sweeps import journal
from phase_diagrams.sweeps.engines import Inline
from phase_diagrams.sweeps.engines.dask import DaskEngine
from phase_diagrams.sweeps.merge import merge
from phase_diagrams.sweeps.runner import sweep

SETTINGS = {"x": "m=8:27", "y": "k=2", "replicates": 10, "solvers": "sweep_solvers:slow"}
COMMAND = (
    "sweep --x m=8:27 --y k=2 --fixed d=2,r=0,t=1 --replicates 10 --solver sweep_solvers:slow --jobs 2 --nonce public"
)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "s"
    sweep(outcomes(**SETTINGS), folder, Inline())
    return stable_bytes(folder)


def lines(folder: Path) -> int:
    return sum(max(path.read_bytes().count(b"\n") - 1, 0) for path in journal.shards(folder))


def start(folder: Path, *options: str, rows: int = 1000) -> subprocess.Popen:
    """The command, whose two workers together stop for ever after so many rows and one or two more."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    environment["SWEEP_TEST_HOLD"] = str(rows // 2 + 1)
    command = [
        sys.executable,
        "-c",
        "from lrs.cli import main; main()",
        *COMMAND.split(),
        "--out",
        str(folder),
        *options,
    ]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=hear_interrupts
    )


def hear_interrupts() -> None:
    """A shell that runs the tests in the background has interrupts ignored, by their children as well."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def kill_after(folder: Path, rows: int, *options: str) -> bool:
    """Start or resume, and kill once that many more rows are recorded; false when it came to its end before."""
    target = lines(folder) + rows
    process = start(folder, *options, rows=rows)
    while process.poll() is None and lines(folder) < target:
        try:
            process.wait(0.005)
        except subprocess.TimeoutExpired:
            continue
    process.kill()
    _, errors = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), errors.decode()
    return process.returncode == -signal.SIGKILL


def finish(folder: Path, *options: str) -> None:
    process = start(folder, *options)
    _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()


def kills_and_resumes(folder: Path, kills: int, rng: np.random.Generator, *options: str) -> None:
    killed = sum(kill_after(folder, int(rng.integers(0, 2 * 150 // kills)), *options) for _ in range(kills))
    assert killed >= kills - 1  # all but perhaps the last came before the end
    finish(folder, *options)


def test_killed_twice_and_resumed(tmp_path, uninterrupted):
    kills_and_resumes(tmp_path / "s", 2, np.random.default_rng(1))
    assert stable_bytes(tmp_path / "s") == uninterrupted
    assert lines(tmp_path / "s") == 200  # nothing was run twice that had been recorded


@pytest.mark.slow
def test_killed_twenty_times_and_resumed(tmp_path, uninterrupted):
    kills_and_resumes(tmp_path / "s", 20, np.random.default_rng(2))
    assert stable_bytes(tmp_path / "s") == uninterrupted


@pytest.mark.slow
def test_three_shards_killed_resumed_and_merged(tmp_path, uninterrupted):
    rng = np.random.default_rng(3)
    for i in (1, 2, 3):
        for _ in range(3):
            kill_after(tmp_path / f"part{i}", int(rng.integers(0, 20)), "--shard", f"{i}/3")
        finish(tmp_path / f"part{i}", "--shard", f"{i}/3")
    merge([tmp_path / f"part{i}" for i in (2, 3, 1)], tmp_path / "s")
    assert stable_bytes(tmp_path / "s") == uninterrupted


@pytest.mark.slow
def test_dask_with_workers_killed(tmp_path, uninterrupted):
    pytest.importorskip("distributed")
    engine = DaskEngine("local", 2)
    targets = [20, 75, 150]

    def kill(progress):
        if targets and progress.done >= targets[0]:
            targets.pop(0)
            os.kill(engine._client.run(os.getpid).popitem()[1], signal.SIGKILL)

    sweep(outcomes(**SETTINGS), tmp_path / "s", engine, report=kill)
    assert not targets
    assert set(load(tmp_path / "s").frame["outcome"]) == {"recovered", "not recovered"}
    assert stable_bytes(tmp_path / "s") == uninterrupted


def test_ctrl_c_stops_at_once_and_can_be_resumed(tmp_path, uninterrupted):
    process = start(tmp_path / "s", rows=30)
    while lines(tmp_path / "s") < 30:
        assert process.poll() is None
        try:
            process.wait(0.005)
        except subprocess.TimeoutExpired:
            continue
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert "goes on from here" in errors.decode()
    assert "Traceback" not in errors.decode()
    finish(tmp_path / "s")
    assert stable_bytes(tmp_path / "s") == uninterrupted
