"""Engines: the same numbers on all, a death is an outcome, and what is missing is said."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
import sweep_solvers
from sweeps import outcomes, stable_bytes, synthetic

from lrs import InvalidInput
from lrs.core.machine import THREAD_VARIABLES, one_thread_each
from phase_diagrams.analysis.table import load
from phase_diagrams.sweeps.engines import Inline
from phase_diagrams.sweeps.engines.dask import DaskEngine
from phase_diagrams.sweeps.engines.local import LocalEngine
from phase_diagrams.sweeps.engines.shard import Shard
from phase_diagrams.sweeps.merge import merge
from phase_diagrams.sweeps.runner import sweep
from phase_diagrams.sweeps.trial import Calls


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference") / "s"
    sweep(synthetic(), folder, Inline())
    return stable_bytes(folder)


def test_local_processes_give_the_same_bytes(tmp_path, reference):
    sweep(synthetic(), tmp_path / "s", LocalEngine(2))
    assert stable_bytes(tmp_path / "s") == reference
    # How many of the two took part depends on who was ready first.
    assert os.uname().nodename in load(tmp_path / "s").frame["host_worker"].iloc[0]


def test_merged_shards_give_the_same_bytes(tmp_path, reference):
    spec = synthetic()
    ran = [sweep(spec, tmp_path / f"part{i}", Inline(), shard=Shard(i, 3)).ran for i in (1, 2, 3)]
    assert sum(ran) == 96
    assert all(ran)
    merge([tmp_path / f"part{i}" for i in (3, 1, 2)], tmp_path / "s")
    assert stable_bytes(tmp_path / "s") == reference
    for i in (1, 2, 3):  # into one folder straight away, as on a shared file system
        sweep(spec, tmp_path / "shared", Inline(), shard=Shard(i, 3))
    assert stable_bytes(tmp_path / "shared") == reference


def test_dask_gives_the_same_bytes(tmp_path, reference):
    pytest.importorskip("distributed")
    sweep(synthetic(), tmp_path / "s", DaskEngine("local", 1))
    assert stable_bytes(tmp_path / "s") == reference


@pytest.mark.parametrize("isolate", [True, False])
def test_a_solver_that_ends_its_process_is_an_outcome(tmp_path, isolate):
    sweep(outcomes(), tmp_path / "s", LocalEngine(1), calls=Calls(isolate))
    frame = load(tmp_path / "s").frame
    crashed = frame[frame["outcome"] == "crashed"]
    assert list(crashed["m"]) == [2, 2]
    assert crashed["message"].str.contains("SIGABRT").all()
    assert len(frame) == 8 * 2 * 2
    assert sweep(outcomes(), tmp_path / "s", LocalEngine(1)).ran == 0  # and is not tried again


@pytest.mark.parametrize("isolate", [True, False])
def test_a_process_killed_by_somebody_else_costs_nothing(tmp_path, monkeypatch, isolate):
    spec = outcomes(x="m=4:8", y="k=2", replicates=4, solvers="sweep_solvers:killed_once")
    sweep(spec, tmp_path / "quiet", Inline())
    marker = tmp_path / "marker"
    marker.touch()
    monkeypatch.setenv("SWEEP_TEST_MARKER", str(marker))
    sweep(spec, tmp_path / "killed", LocalEngine(1), calls=Calls(isolate))
    assert not marker.exists()
    assert stable_bytes(tmp_path / "killed") == stable_bytes(tmp_path / "quiet")


@pytest.mark.slow
def test_a_dask_worker_that_dies_is_survived(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    marker = tmp_path / "marker"
    marker.touch()
    monkeypatch.setenv("SWEEP_TEST_MARKER", str(marker))
    spec = outcomes(x="m=2,8", y="k=2", solvers="sweep_solvers:killed_once")
    sweep(spec, tmp_path / "s", DaskEngine("local", 1), calls=Calls(isolate=False))
    assert not marker.exists()
    frame = load(tmp_path / "s").frame
    assert list(frame["outcome"]) == ["crashed", "crashed", "recovered", "recovered"]


@pytest.fixture
def cluster():
    """A scheduler and a worker in processes of their own, with their address."""
    pytest.importorskip("distributed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "distributed.cli.dask_{}", "--no-dashboard"]
    started = [
        subprocess.Popen([part.format(kind) for part in command] + extra, stderr=subprocess.DEVNULL)
        for kind, extra in (
            ("scheduler", ["--host", "127.0.0.1", "--port", address.rpartition(":")[2]]),
            ("worker", [address, "--nthreads", "1", "--no-nanny"]),
        )
    ]
    yield address, *started
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["scheduler", "worker"])
def test_a_cluster_that_goes_away_in_the_middle(tmp_path, monkeypatch, reference, cluster, lost):
    """What came in is kept, the error says so without a traceback, and any engine goes on from there."""
    import dask

    address, scheduler, worker = cluster
    monkeypatch.setattr("phase_diagrams.sweeps.engines.dask.DESERTED_SECONDS", 2)
    victim = {"scheduler": scheduler, "worker": worker}[lost]

    def kill(progress):
        if progress.done >= 5:
            victim.kill()
            victim.wait()

    with (
        dask.config.set({"distributed.comm.timeouts.connect": "2s"}),
        pytest.raises(InvalidInput, match=rf"the cluster at '{address}' is gone.*run the same command again"),
    ):
        sweep(synthetic(), tmp_path / "s", DaskEngine(address), report=kill)
    left = sweep(synthetic(), tmp_path / "s", Inline()).ran
    assert 0 < left <= 91
    assert stable_bytes(tmp_path / "s") == reference


def test_workers_that_cannot_start_are_given_up(monkeypatch):
    engine = LocalEngine(1)
    monkeypatch.setattr("phase_diagrams.sweeps.engines.local.START_FAILURES", 2)
    monkeypatch.setattr("phase_diagrams.sweeps.engines.local.worker_main", sweep_solvers.dies)
    engine.start(synthetic())
    engine.events()  # the first death is forgiven
    with pytest.raises(InvalidInput, match=r"ended while starting \(killed by SIGKILL\), 2 times"):
        engine.events()
    engine.stop()


def test_a_solver_that_only_the_worker_cannot_load(monkeypatch):
    engine = LocalEngine(1)
    engine.start(synthetic(solvers="no_such_module:solver"))
    try:
        with pytest.raises(InvalidInput, match="no_such_module"):
            engine.events()
    finally:
        engine.stop()


def test_workers_have_one_thread_and_the_parent_keeps_its_own(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before = dict(os.environ)
    with one_thread_each():
        assert {os.environ[name] for name in THREAD_VARIABLES} == {"1"}
    assert dict(os.environ) == before


def test_bad_numbers_of_workers():
    with pytest.raises(InvalidInput, match="jobs: expected an integer of at least 1, got -2"):
        LocalEngine(-2)


def test_dask_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InvalidInput, match=r"lrs-toolkit\[dask\]"):
        DaskEngine()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://"])
def test_a_scheduler_that_does_not_answer(tmp_path, monkeypatch, address):
    pytest.importorskip("distributed")
    monkeypatch.setattr("phase_diagrams.sweeps.engines.dask.CONNECT_SECONDS", 1)
    with pytest.raises(InvalidInput, match=f"no scheduler with workers answers at '{address}'"):
        sweep(synthetic(), tmp_path / "s", DaskEngine(address))
    assert sweep(synthetic(), tmp_path / "s", Inline()).ran == 96
