"""Where trials run: in this process, in local processes, or on a dask cluster. The numbers are the same on all.

An engine takes chunks of trials and reports each `Event`: rows as they come, chunks that are finished, and trials whose
process died. It decides nothing; retrying, isolating the guilty trial and recording are the runner's.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lrs.core.machine import one_thread
from phase_diagrams.sweeps.grid import SweepSpec
from phase_diagrams.sweeps.trial import Calls, Row, Runner, Trial


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

    def start(self, spec: SweepSpec, calls: Calls | None = None) -> None:
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


@dataclass
class Inline:
    """Runs every chunk in the calling process: for debugging and tests. A solver that aborts takes everything down."""

    capacity: int = 1
    precise: bool = True
    _runner: Runner | None = field(default=None, repr=False)
    _chunk: Sequence[Trial] = field(default=(), repr=False)

    def start(self, spec: SweepSpec, calls: Calls | None = None) -> None:
        self._runner = Runner(spec, f"inline:{os.getpid()}", calls)

    def submit(self, chunk: Sequence[Trial]) -> None:
        self._chunk = chunk

    def events(self) -> Sequence[Event]:
        assert self._runner is not None
        with one_thread():
            rows = [self._runner.run(trial) for trial in self._chunk]
        return [Event(rows=rows, finished=1)]

    def stop(self) -> None:
        if self._runner is not None:
            self._runner.close()
        self._runner = None
