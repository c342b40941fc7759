"""Workers of a dask.distributed cluster: one made here, or one reached by its scheduler's address."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from lrs.core.errors import InvalidInput, MissingExtra
from lrs.core.machine import one_thread, one_thread_each, processors
from lrs.core.spelling import renamed
from phase_diagrams.sweeps.engines import Event
from phase_diagrams.sweeps.grid import SweepSpec
from phase_diagrams.sweeps.trial import Calls, Row, Runner, Trial

CONNECT_SECONDS = 10
#: A cluster without any worker for that long is given up; a worker that died needs a few seconds to be replaced.
DESERTED_SECONDS = 60
CLOSE_SECONDS = 10
#: Chunks under way per worker thread: one running, one waiting, so that no worker idles for a round trip.
AHEAD = 2

_LOCAL = threading.local()


def run_chunk(specification: str, calls: Calls, chunk: Sequence[tuple[int, int, int]]) -> list[tuple[Any, ...]]:
    """Run on a worker; the solvers are loaded once per worker thread and sweep."""
    with one_thread():
        if getattr(_LOCAL, "sweep", None) != (specification, calls):
            if hasattr(_LOCAL, "runner"):
                _LOCAL.runner.close()
            spec = SweepSpec.from_dict(json.loads(specification))
            _LOCAL.runner = Runner(spec, f"{platform.node()}:{os.getpid()}", calls)
            _LOCAL.sweep = (specification, calls)
        return [tuple(_LOCAL.runner.run(Trial(*trial))) for trial in chunk]


class DaskEngine:
    """A dask.distributed cluster.

    Parameters
    ----------
    address : str
        Of a running scheduler, ``tcp://host:8786``; or ``local``: a cluster of processes on this machine.
    jobs : int, optional
        Size of a local cluster; default: the processors this process may use.

    Raises
    ------
    MissingExtra
        When dask.distributed is not installed.
    """

    precise = False  # the scheduler fails every task that was on the dead worker

    @renamed(workers="jobs")
    def __init__(self, address: str = "local", jobs: int | None = None) -> None:
        try:
            import distributed
        except ImportError:
            raise MissingExtra("distributed", "dask", "Running a sweep on a dask cluster") from None
        self._distributed = distributed
        self.address, self._jobs = address, jobs
        self._client: Any = None
        self._cluster: Any = None
        self._futures: dict[Any, Sequence[Trial]] = {}
        self._specification, self._calls = "", Calls()

    def start(self, spec: SweepSpec, calls: Calls | None = None) -> None:
        import dask

        self._specification, self._calls = spec.canonical(), calls or Calls()
        if self.address == "local":
            # A chunk that kills its worker comes back to the runner at once, which isolates the guilty trial itself.
            dask.config.set({"distributed.scheduler.allowed-failures": 0})
            with one_thread_each():
                self._cluster = self._distributed.LocalCluster(
                    n_workers=self._jobs or processors(),
                    threads_per_worker=1,
                    dashboard_address=None,
                    silence_logs=50,
                )
        try:
            self._client = self._distributed.Client(self._cluster or self.address, timeout=CONNECT_SECONDS)
            self._client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except (OSError, TimeoutError, ValueError, TypeError) as error:
            self.stop()
            raise InvalidInput(
                f"dask: no scheduler with workers answers at {self.address!r} within {CONNECT_SECONDS} s "
                f"({type(error).__name__}); start one with dask scheduler and dask worker, or pass --dask local"
            ) from None

    @contextlib.contextmanager
    def _connected(self) -> Iterator[None]:
        """Says what it means when the cluster goes away while it is talked to."""
        try:
            yield
        except InvalidInput:
            raise
        except Exception as error:  # the many ways in which a connection breaks have no common base class
            raise self._broken(f"{type(error).__name__}: {error}") from None

    @property
    def capacity(self) -> int:
        with self._connected():
            threads = sum(self._client.nthreads().values())
        return AHEAD * max(1, threads)

    def submit(self, chunk: Sequence[Trial]) -> None:
        with self._connected():
            future = self._client.submit(
                run_chunk, self._specification, self._calls, [tuple(trial) for trial in chunk], pure=False, retries=0
            )
        self._futures[future] = chunk

    def events(self) -> Sequence[Event]:
        deserted = time.monotonic() + DESERTED_SECONDS
        with self._connected():
            while True:
                try:
                    done = self._distributed.wait(list(self._futures), timeout=1, return_when="FIRST_COMPLETED").done
                except TimeoutError:
                    if self._client.nthreads():
                        deserted = time.monotonic() + DESERTED_SECONDS
                    elif time.monotonic() > deserted:
                        raise self._broken(f"it has had no worker for {DESERTED_SECONDS} s") from None
                else:
                    return [self._collect(future) for future in done]

    def _broken(self, reason: str) -> InvalidInput:
        return InvalidInput(
            f"dask: the cluster at {self.address!r} is gone ({reason}); nothing recorded is lost, run the same command again"
        )

    def _collect(self, future: Any) -> Event:
        chunk = self._futures.pop(future)
        if future.status == "finished":
            return Event(rows=[Row._make(row) for row in future.result()], finished=1)
        error = future.exception()
        if isinstance(error, self._distributed.KilledWorker) or future.status in ("lost", "cancelled"):
            return Event(finished=1, suspects=chunk, reason="its dask worker died")
        # What a solver raises is caught on the worker; this is the worker's own environment that does not fit.
        raise InvalidInput(f"dask: a worker could not run the sweep ({type(error).__name__}: {error})")

    def stop(self) -> None:
        for part in (self._client, self._cluster):
            if part is not None:
                with contextlib.suppress(TimeoutError, OSError):  # a worker is being replaced, or the scheduler is gone
                    part.close(timeout=CLOSE_SECONDS)
        self._client = self._cluster = None
        self._futures.clear()
