"""Calls of a stranger's solver in a process of its own, with limits, whatever it does there.

A `Sandbox` keeps one worker process, reused between calls and replaced when it dies or hangs. The solver is loaded in
the worker only: the checking process never imports its code, and the worker never holds a truth. `Isolated` keeps one
for every solver it is asked to call.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, BinaryIO, Unpack

from lrs.core import ONE_THREAD, wire
from lrs.core.errors import InvalidInput
from lrs.core.family import LOW_RANK_SPARSE, Family, load_family, reference
from lrs.core.inline import Inline
from lrs.core.machine import share_of_memory
from lrs.core.run import (
    Executor,
    Fault,
    Key,
    Limits,
    Loaded,
    Options,
    Run,
    Settings,
    SolverFault,
    Subject,
    audited,
    blamed_on_solver,
)
from lrs.core.solver import Iterate, Solution, Status, Traits, is_own
from lrs.isolation.wall import close_memory, concealed

#: How much longer a call may take by the clock than in processor time.
PATIENCE = 5.0
#: Share of a processor below which a call is asleep, and the clock alone limits it.
ASLEEP = 0.01
_START_SECONDS = 120.0  # importing a solver's packages on a busy machine
_BOOT = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from lrs.isolation.worker import main;"
    " main(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], json.loads(sys.argv[5]), int(sys.argv[6]))"
)


class Sandbox:
    """One worker process for one solver. Not thread-safe: use one per thread.

    Examples
    --------
    >>> with Sandbox(Subject.of("amht")) as sandbox:  # doctest: +SKIP
    ...     run = sandbox(instance.problem, (1, 2), trace=True, memory=False)
    """

    def __init__(self, subject: Subject, limits: Limits | None = None, family: str | Family = LOW_RANK_SPARSE) -> None:
        self.subject, self.limits = subject, limits or Limits()
        self.family = load_family(family)
        self.loaded: Loaded | None = None
        self.restarts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._scratch: BinaryIO | None = None

    # ------------------------------------------------------------------ life
    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> Loaded:
        """Start the worker and load the solver there (does nothing when it runs already).

        Raises
        ------
        InvalidInput
            When there is no such solver.
        SolverFault
            When it exists and cannot be loaded: a missing package, an exception or a crash at import.
        """
        if self._process is not None and self._process.poll() is None and self.loaded is not None:
            return self.loaded
        self.close()
        ours, theirs = socket.socketpair()
        handle, scratch = tempfile.mkstemp(prefix="lrs-sandbox-")
        self._scratch = os.fdopen(handle, "rb")
        environment = {**os.environ, **ONE_THREAD}
        path = json.dumps(list(dict.fromkeys([*sys.path, str(Path.cwd())])))
        close_memory()
        with theirs, open(scratch, "wb") as words:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    _BOOT,
                    path,
                    str(theirs.fileno()),
                    str(os.getpid()),
                    scratch,
                    json.dumps(concealed()),
                    str(self.limits.memory or share_of_memory()),
                ],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=words,
                env=environment,
                start_new_session=True,  # so that children of the solver end with it, and Ctrl-C reaches only us
            )
        self._connection = Connection(ours.detach())
        answer = self._wait(_START_SECONDS, "before any solver was loaded")
        Path(scratch).unlink(missing_ok=True)  # both sides have it open: nothing is left behind, however they end
        if answer["kind"] != "ready":
            raise RuntimeError(
                f"the process for solvers does not start: {answer['detail']}; this is not the solver's doing"
            )
        message = {"do": "load", "spec": self.subject.spec, "pickled": self.subject.pickled}
        answer = self._ask({**message, "family": reference(self.family)}, _START_SECONDS, "while loading")
        if answer["kind"] == "invalid":
            self.close()
            raise InvalidInput(str(answer["detail"]))
        if answer["kind"] == "fault":
            self.close()
            raise _fault(answer)
        self.loaded = Loaded(Traits(**answer["traits"]), str(answer["hash"]), answer["region"])
        return self.loaded

    def close(self) -> None:
        """End the worker and whatever the solver started."""
        if self._connection is not None:
            self._connection.close()
        process = self._process
        if process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if self._scratch is not None:
            self._scratch.close()
        self._process = self._connection = self._scratch = None

    # ------------------------------------------------------------------ talking
    def _ask(self, message: Mapping[str, Any], seconds: float, when: str) -> dict[str, Any]:
        """Send a message and wait for the answer."""
        assert self._connection is not None
        try:
            self._connection.send_bytes(wire.encode(message))
        except OSError:
            pass  # the worker is dead; how it died is told below
        except BaseException:  # Ctrl-C in mid-message: this pipe can no longer be trusted
            self.close()
            raise
        return self._wait(seconds, when)

    def _wait(self, seconds: float, when: str) -> dict[str, Any]:
        """Wait for an answer; a death or a silence of the worker comes back as a fault, and the worker is gone."""
        assert self._connection is not None
        assert self._process is not None
        start, used = time.monotonic(), _processor_seconds(self._process.pid)
        try:
            while True:
                if self._connection.poll(min(0.2, seconds / 4)):
                    return _answer(self._connection.recv_bytes())
                if self._process.poll() is not None and not self._connection.poll(0):
                    break  # a child of the dead worker may still hold the pipe open, so end-of-file does not tell
                by_clock, by_processor = time.monotonic() - start, _processor_seconds(self._process.pid) - used
                asleep = used > 0 and by_processor < ASLEEP * by_clock
                limit = ""
                if by_processor >= seconds:
                    limit = f"{seconds:g} s of processor time"
                elif asleep and by_clock >= seconds:
                    limit = f"asleep for {seconds:g} s"
                elif by_clock >= PATIENCE * seconds:
                    limit = f"{PATIENCE * seconds:g} s"
                if limit:
                    self.restarts += 1
                    self.close()
                    return _said(Fault.TIMEOUT, f"{limit} {when}")
        except (EOFError, OSError):
            pass
        except BaseException:  # Ctrl-C in mid-message, as above
            self.close()
            raise
        code = self._process.wait()
        last = self._last_words()
        self.restarts += 1
        self.close()
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return _said(Fault.CRASHED, f"{how} {when}{f', last words: {last!r}' if last else ''}")

    def _last_words(self) -> str:
        if self._scratch is None:
            return ""
        self._scratch.seek(0)
        lines = self._scratch.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else ""

    def __call__(
        self, problem: Any, key: Key, *, trace: bool = True, memory: bool = False, settings: Settings | None = None
    ) -> Run[Any]:
        """Run the solver once.

        Raises
        ------
        SolverFault
            On a hard fault; the next call finds a fresh worker.
        """
        self.start()
        message = {
            "do": "call",
            "problem": self.family.pack(problem),
            "key": [int(k) for k in key],
            "trace": trace,
            "memory": memory,
            "iterations": self.limits.iterations,
            "settings": None if settings is None else [settings.spec.to_dict(), dict(settings.values)],
        }
        answer = self._ask(message, self.limits.seconds, "in a call")
        if answer["kind"] == "fault":
            raise _fault(answer)
        return self._read(problem, answer)

    # ------------------------------------------------------------------ reading the answer
    def _model(self, problem: Any, packed: bytes, what: str) -> tuple[Any, dict[Fault, str]]:
        """The answer of plain arrays with its soft faults, or the hard fault it is."""
        with blamed_on_solver():
            model = self.family.unpack(wire.decode(packed))
        return model, audited(self.family, problem, model, what)

    def _read(self, problem: Any, answer: Mapping[str, Any]) -> Run[Any]:
        packed = answer["solution"]
        model, faults = self._model(problem, packed["model"], "solution")
        seconds = float(answer["seconds"])
        solution = Solution(
            model, Status[packed["status"]], packed["iterations"], packed["residual"], seconds, packed["info"]
        )
        trace = tuple(
            Iterate(
                step["iteration"],
                self._model(problem, step["model"], f"iterate {step['iteration']}")[0],
                step["residual"],
                step["info"],
            )
            for step in answer["trace"]
        )
        noticed = {Fault.named(name): detail for name, detail in answer["faults"].items()}
        return Run(
            problem, solution, trace, seconds, answer["cpu_seconds"], answer["peak_bytes"], {**noticed, **faults}
        )


def _said(fault: Fault, detail: str) -> dict[str, Any]:
    """A fault as the worker would tell it."""
    return {"kind": "fault", "fault": fault.name, "detail": detail}


def _fault(answer: Mapping[str, Any]) -> SolverFault:
    return SolverFault(Fault.named(answer["fault"]), str(answer["detail"]))


def _answer(message: bytes) -> dict[str, Any]:
    """What the worker said; whatever else comes through the pipe is the solver's doing."""
    try:
        answer = wire.decode(message)
        if not isinstance(answer, dict) or "kind" not in answer:
            raise ValueError("no answer")
        return answer
    except ValueError as error:
        return _said(Fault.NOT_A_SOLUTION, f"it wrote into the pipe of its process ({error})")


class Isolated:
    """The executor for solvers that are not trusted (`lrs.core.run.Executor`): a process each, kept between calls.

    Not thread-safe: use one per thread.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._boxes: dict[tuple[int, str], Sandbox] = {}

    def _box(self, solver: Subject, family: Family) -> Sandbox:
        at = (id(solver), family.name)
        if at not in self._boxes:
            self._boxes[at] = Sandbox(solver, self.limits, family)
        return self._boxes[at]

    def load(self, solver: Subject, family: Family) -> Loaded:
        """Start the solver's process and load it there."""
        return self._box(solver, family).start()

    def __call__(self, solver: Subject, family: Family, problem: Any, key: Key, **options: Unpack[Options]) -> Run[Any]:
        """As the protocol says; ``watch`` sees the iterates when the call is over."""
        trace, watch = options.get("trace", False), options.get("watch")
        memory, settings = options.get("memory", False), options.get("settings")
        box = self._box(solver, family)
        run = box(problem, key, trace=trace or watch is not None, memory=memory, settings=settings)
        if watch is not None:
            for iterate in run.trace:
                watch(iterate)
        return run if trace else replace(run, trace=())

    def close(self) -> None:
        """End all processes."""
        for box in self._boxes.values():
            box.close()
        self._boxes.clear()


def executor_for(solver: Any, family: Family, limits: Limits | None = None) -> tuple[Subject, Executor]:
    """The solver and where to call it: the toolkit's own in this process, anybody else's in one of its own.

    It is loaded there, so that what cannot run at all is refused before anything is counted against it; close the
    executor when done.

    Raises
    ------
    InvalidInput
        When there is no such solver, or it cannot be loaded.
    """
    subject = Subject.of(solver)
    where = subject.spec or getattr(solver, "__module__", None) or type(solver).__module__
    executor: Executor = Inline(limits) if is_own(where) else Isolated(limits)
    try:
        executor.load(subject, family)
    except SolverFault as error:
        raise InvalidInput(f"solver: {subject.name!r} {error}") from None
    return subject, executor


def _processor_seconds(pid: int) -> float:
    """Processor time of a process so far; 0 where the system does not tell (then only the clock limits it)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0
