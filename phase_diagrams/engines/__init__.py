"""Where trials run: in this process, in local processes, or on a dask cluster. The numbers are the same on all.

An engine takes chunks of trials and reports each `Event`: rows as they come, chunks that are finished, and trials whose
process died. It decides nothing; retrying, isolating the guilty trial and recording are the runner's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from phase_diagrams.grid import SweepSpec
from phase_diagrams.trial import Row, Runner, Trial

#: Read by BLAS and OpenMP when NumPy is first imported, so they must be set before a worker starts.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


@dataclass(frozen=True)
class Event:
    """What an engine reports.

    Attributes
    ----------
    rows : sequence of Row
        Trials that came to an end.
    finished : int
        Number of chunks that no longer occupy a worker.
    suspects, bystanders : sequences of Trial
        After the death of a process: trials one of which may have caused it, and trials that had not begun.
    reason : str
        How the process died.
    """

    rows: Sequence[Row] = ()
    finished: int = 0
    suspects: Sequence[Trial] = ()
    bystanders: Sequence[Trial] = ()
    reason: str = ""


class Engine(Protocol):
    """What the runner needs of an engine."""

    @property
    def precise(self) -> bool:
        """Whether the suspects of an event contain the guilty trial for certain."""

    def start(self, spec: SweepSpec) -> None:
        """Bring up the workers; raises `InvalidInput` when they cannot run this sweep."""

    @property
    def capacity(self) -> int:
        """Chunks that can be under way at once."""

    def submit(self, chunk: Sequence[Trial]) -> None:
        """Hand over a chunk; never more than `capacity` at once."""

    def events(self) -> Sequence[Event]:
        """Wait for something to happen and report it."""

    def stop(self) -> None:
        """End all workers now; what they have not reported is lost and will be run again on resume."""


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Environment in which processes started inside use one BLAS thread."""
    before: Mapping[str, str | None] = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def one_thread() -> Iterator[None]:
    """One BLAS, OpenMP and numba thread in this process: sums in another order would differ in the last digit."""
    import numba
    from threadpoolctl import threadpool_limits

    before = numba.get_num_threads()
    with threadpool_limits(1):
        numba.set_num_threads(1)
        try:
            yield
        finally:
            numba.set_num_threads(before)


@dataclass
class Inline:
    """Runs every chunk in the calling process: for debugging and tests. A solver that aborts takes everything down."""

    capacity: int = 1
    precise: bool = True
    _runner: Runner | None = field(default=None, repr=False)
    _chunk: Sequence[Trial] = field(default=(), repr=False)

    def start(self, spec: SweepSpec) -> None:
        self._runner = Runner(spec, f"inline:{os.getpid()}")

    def submit(self, chunk: Sequence[Trial]) -> None:
        self._chunk = chunk

    def events(self) -> Sequence[Event]:
        assert self._runner is not None
        with one_thread():
            rows = [self._runner.run(trial) for trial in self._chunk]
        return [Event(rows=rows, finished=1)]

    def stop(self) -> None:
        self._runner = None
