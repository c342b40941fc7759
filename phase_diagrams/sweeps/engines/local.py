"""Worker processes on this machine.

Processes are spawned, not forked (a fork copies locked BLAS and numba thread pools), and each has its own pipe, so the
death of one says which trial it was on and disturbs no other.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import platform
import signal
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

from lrs.core.errors import InvalidInput
from lrs.core.machine import one_thread_each, processors
from lrs.core.spelling import renamed
from lrs.core.validate import integer
from lrs.isolation.wall import conceal, concealed
from phase_diagrams.sweeps.engines import Event
from phase_diagrams.sweeps.grid import SweepSpec
from phase_diagrams.sweeps.trial import Calls, Row, Trial

#: Deaths of workers in a row before any of them was ready, after which starting is given up.
START_FAILURES = 3
#: How long an idle worker may take to end.
STOP_SECONDS = 5.0


def worker_main(pipe: Connection, specification: dict[str, Any], calls: Calls | None, secret: Sequence[str]) -> None:
    """Body of a worker: chunks in, rows out, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    threading.Thread(target=_die_with_parent, daemon=True).start()
    for file in secret:
        conceal(file)
    from phase_diagrams.sweeps.trial import Runner

    try:
        runner = Runner(SweepSpec.from_dict(specification), f"{platform.node()}:{os.getpid()}", calls)
    except InvalidInput as error:
        pipe.send(("failed", str(error)))
        return
    pipe.send(("ready", None))
    try:
        while (chunk := pipe.recv()) is not None:
            for trial in chunk:
                pipe.send(("row", tuple(runner.run(Trial(*trial)))))
            pipe.send(("done", None))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass
    finally:
        runner.close()


def _die_with_parent() -> None:
    """A parent killed without warning must not leave workers behind that go on computing for nobody."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    ready: bool = False
    busy: bool = False
    waiting: deque[Trial] = field(default_factory=deque)  # the first one is running


class LocalEngine:
    """A pool of spawned processes with one BLAS thread each.

    Parameters
    ----------
    jobs : int, optional
        Default: the processors this process may use.
    """

    precise = True

    @renamed(workers="jobs")
    def __init__(self, jobs: int | None = None) -> None:
        self._count = processors() if jobs is None else integer("jobs", jobs, least=1)
        self._workers: list[_Worker] = []
        self._queue: deque[Sequence[Trial]] = deque()
        self._failures = 0
        self._spec: SweepSpec | None = None
        self._calls: Calls | None = None

    @property
    def capacity(self) -> int:
        return self._count

    def start(self, spec: SweepSpec, calls: Calls | None = None) -> None:
        self._spec, self._calls = spec, calls
        self._workers = [self._spawn() for _ in range(self._count)]

    def _spawn(self) -> _Worker:
        assert self._spec is not None
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        arguments = (there, self._spec.to_dict(), self._calls, concealed())
        process = context.Process(target=worker_main, args=arguments, daemon=True)
        with one_thread_each():
            process.start()
        there.close()  # so that the death of the worker closes the pipe
        return _Worker(process, here)

    def submit(self, chunk: Sequence[Trial]) -> None:
        self._queue.append(chunk)
        self._hand_out()

    def _hand_out(self) -> None:
        for worker in self._workers:
            if self._queue and worker.ready and not worker.busy:
                chunk = self._queue.popleft()
                worker.busy = True
                worker.waiting.extend(chunk)
                with contextlib.suppress(OSError):  # it died while idle: its closed pipe is reported by the next wait
                    worker.pipe.send([tuple(trial) for trial in chunk])

    def events(self) -> Sequence[Event]:
        pipes = {worker.pipe: i for i, worker in enumerate(self._workers)}
        events = [self._receive(pipes[pipe]) for pipe in wait(list(pipes)) if isinstance(pipe, Connection)]
        self._hand_out()
        return events

    def _receive(self, i: int) -> Event:
        worker = self._workers[i]
        rows: list[Row] = []
        finished = 0
        try:
            while worker.pipe.poll():
                kind, content = worker.pipe.recv()
                if kind == "row":
                    worker.waiting.popleft()
                    rows.append(Row._make(content))
                elif kind == "done":
                    worker.busy = False
                    finished += 1
                elif kind == "ready":
                    worker.ready, self._failures = True, 0
                else:
                    raise InvalidInput(content)
        except (EOFError, OSError):
            return self._bury(i, rows, finished)
        return Event(rows=rows, finished=finished)

    def _bury(self, i: int, rows: list[Row], finished: int) -> Event:
        """A worker died: replace it and name the trial it was on."""
        worker = self._workers[i]
        worker.process.join()
        code = worker.process.exitcode
        reason = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        worker.pipe.close()
        if not worker.ready:
            self._failures += 1
            if self._failures >= START_FAILURES:
                raise InvalidInput(
                    f"jobs: a worker process ended while starting ({reason}), {START_FAILURES} times in a row; "
                    "importing the solver may abort Python, or memory may be short"
                )
        self._workers[i] = self._spawn()
        left = list(worker.waiting)
        return Event(rows, finished + worker.busy, left[:1], left[1:], reason)

    def stop(self) -> None:
        for worker in self._workers:
            if worker.ready and not worker.busy:
                with contextlib.suppress(OSError):
                    worker.pipe.send(None)  # so that it ends the processes of its isolated solvers
            else:
                worker.process.kill()
        for worker in self._workers:
            worker.process.join(STOP_SECONDS)
            worker.process.kill()
            worker.process.join()
            worker.pipe.close()
        self._workers = []
        self._queue.clear()
