"""Cost of the sweep's own machinery: overhead per trial, journal of a million trials, speed-up of two workers.

``pytest property_tests/benchmarks/bench_sweep.py --benchmark-only -s``
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest

from lrs.core.machine import one_thread
from phase_diagrams.analysis.table import load
from phase_diagrams.sweeps import journal
from phase_diagrams.sweeps.engines import Inline
from phase_diagrams.sweeps.engines.local import LocalEngine
from phase_diagrams.sweeps.grid import build
from phase_diagrams.sweeps.runner import sweep
from phase_diagrams.sweeps.trial import row_of

TRIAL_SECONDS = 0.01
MILLION = 1_000_000


def specification(replicates: int, solver: str = "ten_milliseconds"):
    return build(
        {
            "x": "m=10:40:2",
            "y": "d=2:6",
            "fixed": "k/d=1,r=0,t=1",
            "solvers": f"phase_diagrams.sweeps.synthetic:{solver}",
            "replicates": replicates,
        }
    )


class _Timed(LocalEngine):
    """Notes when the first row arrives: starting Python is not overhead of a trial."""

    began = 0.0

    def events(self):
        events = super().events()
        if not self.began and all(worker.ready for worker in self._workers):
            self.began = time.perf_counter()
        return events


@dataclass(frozen=True)
class Spent:
    """Seconds of a sweep from the moment all workers are up: wall, inside solvers, drawing instances; and its trials."""

    wall: float
    solving: float
    drawing: float
    trials: int

    @property
    def overhead(self) -> float:
        """Milliseconds a trial outside solvers and generators."""
        return 1e3 * (self.wall - self.solving - self.drawing) / self.trials


def spend(folder, workers: int, replicates: int) -> Spent:
    engine = _Timed(workers)
    summary = sweep(specification(replicates), folder, engine)
    wall = time.perf_counter() - engine.began
    frame = load(folder).frame
    return Spent(wall, frame["timing_solve"].sum(), frame["timing_generate"].sum(), summary.ran)


def test_share_of_time_inside_solvers(benchmark, tmp_path):
    """At 10 ms a trial at least 90 % of worker time inside solvers, at most 1 ms a trial outside."""
    spent = benchmark.pedantic(spend, args=(tmp_path / "s", 1, 10), rounds=1)
    benchmark.extra_info.update(share=spent.solving / spent.wall, overhead_ms=spent.overhead)
    print(
        f"\ninside solvers {spent.solving / spent.wall:.1%}, drawing instances {spent.drawing / spent.wall:.1%} "
        f"({1e3 * spent.drawing / spent.trials:.2f} ms a trial), overhead {spent.overhead:.3f} ms a trial; {load_now()}"
    )


def test_two_workers_against_one(benchmark, tmp_path):
    """Interleaved, so that other work on the machine strikes both."""
    pairs = 3

    def measure():
        return [(spend(tmp_path / f"{i}-1", 1, 5).wall, spend(tmp_path / f"{i}-2", 2, 5).wall) for i in range(pairs)]

    times = benchmark.pedantic(measure, rounds=1)
    ratios = sorted(one / two for one, two in times)
    benchmark.extra_info["speed_up"] = ratios[pairs // 2]
    print(f"\ntwo workers {', '.join(f'{r:.2f}' for r in ratios)} times as fast as one; {load_now()}")


def load_now() -> str:
    return f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"


def test_overhead_of_short_trials(benchmark, tmp_path):
    """Trials of well under a millisecond, in this process: everything but the solver and the generator."""
    with one_thread():  # imports what it needs, once
        pass
    summary = benchmark.pedantic(sweep, args=(specification(10, "medium"), tmp_path / "s", Inline()), rounds=1)
    overhead = 1e3 * (summary.seconds - summary.solver_seconds) / summary.ran
    benchmark.extra_info["overhead_ms"] = overhead
    print(f"\noverhead {overhead:.3f} ms a trial; {load_now()}")


@pytest.fixture(scope="module")
def million(tmp_path_factory):
    """A journal of 10⁶ trials with full-length numbers, written by the writer itself."""
    folder = tmp_path_factory.mktemp("million") / "s"
    spec = build(
        {"x": "m=10:59", "y": "k=1:20", "fixed": "d=50,r=2,t=200", "replicates": MILLION // 1000, "solvers": "amht"}
    )
    journal.open_folder(folder, spec)
    start = time.perf_counter()
    with journal.Writer(folder, spec) as writer:
        for replicate in range(spec.replicates):
            writer.append(
                row_of([
                    cell, replicate, "amht", "not recovered", "stalled", 27, 0.1234567890123456, 0.2345678901234567,
                    0.345, 0.4567890123456789, 0.5678901234567891, 0.0678901234567891, 0.789012345678912, None,
                    1.234567, 0.012345, "machine-name:12345",
                ], spec.of_family)
                for cell in range(1000)
            )  # fmt: skip
    size = sum(path.stat().st_size for path in journal.shards(folder))
    print(f"\n10⁶ rows: {size / 1e6:.0f} MB, {1e6 * (time.perf_counter() - start) / MILLION:.1f} µs a row to write")
    return folder


def test_journal_of_a_million_trials_loads(benchmark, million):
    start = time.process_time()
    trials = benchmark.pedantic(load, args=(million,), rounds=1)
    seconds = time.process_time() - start
    benchmark.extra_info["processor_seconds"] = seconds
    print(f"\n{seconds:.1f} s of processor time; {load_now()}")
    assert len(trials.frame) == MILLION


def test_memory_of_loading_a_million_trials(benchmark, million):
    """Peak resident size of a process that does nothing else."""
    script = (
        "import resource, sys\nfrom phase_diagrams import load\nload(sys.argv[1])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    run = benchmark.pedantic(
        lambda: subprocess.run(
            [sys.executable, "-c", script, str(million)], capture_output=True, text=True, check=True
        ),
        rounds=1,
    )
    unit = 1 if sys.platform == "darwin" else 1024
    benchmark.extra_info["peak_mb"] = int(run.stdout) * unit / 1e6
    print(f"\npeak memory {int(run.stdout) * unit / 1e6:.0f} MB")
