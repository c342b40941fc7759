"""Calls of a stranger's solver in a process of its own, with limits, whatever it does there.

A `Sandbox` keeps one worker process, reused between calls and replaced when it dies or hangs. The solver is loaded in
the worker only: the checking process never imports its code, and the worker never holds a truth.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from lrs.errors import InvalidInput
from lrs.model import LRSModel
from lrs.problem import Problem
from lrs.solver import Iterate, Solution, Status, Traits, load_solver
from property_tests.run import Fault, Run, SolverFault
from property_tests.worker import pack_problem

#: How much longer a call may take by the clock than in processor time.
PATIENCE = 5.0
#: Share of a processor below which a call is asleep, and the clock alone limits it.
ASLEEP = 0.01
_START_SECONDS = 120.0  # importing a solver's packages on a busy machine
_ORTHONORMAL = 1e-8
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "BLIS_NUM_THREADS")
_BOOT = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from property_tests.worker import main;"
    " main(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])"
)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one call may take.

    Parameters
    ----------
    seconds : float
        Processor time; by the clock it may take `PATIENCE` times as long, so that a busy machine is not held against a
        solver; a call that sleeps through the limit is ended there. Where processor time cannot be read, the clock alone
        decides, at ``PATIENCE * seconds``.
    iterations : int
        Outer steps, as counted by the callback.
    """

    seconds: float = 30.0
    iterations: int = 2000

    def __post_init__(self) -> None:
        if not (self.seconds > 0 and math.isfinite(self.seconds)):
            raise InvalidInput(f"seconds: expected a positive number, got {self.seconds!r}")
        if self.iterations < 1:
            raise InvalidInput(f"iterations: expected at least 1, got {self.iterations!r}")


@dataclass(frozen=True, eq=False)
class Subject:
    """A solver to be checked: a name that the worker looks up, or an object sent to it.

    Attributes
    ----------
    name : str
        What reports call it.
    spec : str or None
        ``module:attr`` or a registered name.
    pickled : bytes or None
    """

    name: str
    spec: str | None = None
    pickled: bytes | None = None

    @classmethod
    def of(cls, solver: Any, name: str | None = None) -> Subject:
        """From a name, ``module:attr`` or a solver.

        Raises
        ------
        InvalidInput
            When an object has not the signature of a solver or cannot be sent to another process.
        """
        if isinstance(solver, Subject):
            return solver
        if isinstance(solver, str):
            return cls(name or solver, spec=solver)
        import cloudpickle

        load_solver(solver)  # refuses what is no solver
        try:
            pickled = cloudpickle.dumps(solver)
        except Exception as error:
            raise InvalidInput(
                f"solver: {solver!r} cannot be sent to another process ({error}); name it as module:attribute instead"
            ) from None
        return cls(name or getattr(solver, "__name__", None) or repr(solver), pickled=pickled)


@dataclass(frozen=True)
class Loaded:
    """What the worker says about the solver it loaded."""

    traits: Traits
    hash: str
    region: str | Mapping[str, Any] | None = None  # the one it carries: a name, or a name and constants


class Sandbox:
    """One worker process for one solver. Not thread-safe: use one per thread.

    Examples
    --------
    >>> with Sandbox(Subject.of("amht")) as sandbox:  # doctest: +SKIP
    ...     run = sandbox(instance.problem, (1, 2), trace=True, memory=False)
    """

    def __init__(self, subject: Subject, limits: Limits | None = None) -> None:
        self.subject, self.limits = subject, limits or Limits()
        self.loaded: Loaded | None = None
        self.restarts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._scratch: str = ""

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
        handle, self._scratch = tempfile.mkstemp(prefix="lrs-sandbox-")
        os.close(handle)
        environment = {**os.environ, **dict.fromkeys(_THREADS, "1")}
        path = json.dumps(list(dict.fromkeys([*sys.path, str(Path.cwd())])))
        with theirs, open(self._scratch, "wb") as words:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _BOOT, path, str(theirs.fileno()), str(os.getpid()), self._scratch],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=words,
                env=environment,
                start_new_session=True,  # so that children of the solver end with it, and Ctrl-C reaches only us
            )
        self._connection = Connection(ours.detach())
        kind, value = self._wait(_START_SECONDS, "before any solver was loaded")
        if kind != "ready":
            raise RuntimeError(f"the process for solvers does not start: {value[1]}; this is not the solver's doing")
        kind, value = self._ask(
            "load", {"spec": self.subject.spec, "pickled": self.subject.pickled}, _START_SECONDS, "while loading"
        )
        if kind == "invalid":
            self.close()
            raise InvalidInput(value)
        if kind == "fault":
            self.close()
            raise SolverFault(Fault[value[0]], value[1])
        self.loaded = Loaded(Traits(**value["traits"]), value["hash"], value["region"])
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
        if self._scratch:
            Path(self._scratch).unlink(missing_ok=True)
        self._process = self._connection = None
        self._scratch = ""

    # ------------------------------------------------------------------ talking
    def _ask(self, kind: str, payload: Mapping[str, Any], seconds: float, when: str) -> tuple[str, Any]:
        """Send a message and wait for the answer."""
        assert self._connection is not None
        try:
            self._connection.send((kind, dict(payload)))
        except OSError:
            pass  # the worker is dead; how it died is told below
        except BaseException:  # Ctrl-C in mid-message: this pipe can no longer be trusted
            self.close()
            raise
        return self._wait(seconds, when)

    def _wait(self, seconds: float, when: str) -> tuple[str, Any]:
        """Wait for an answer; a death or a silence of the worker comes back as a fault, and the worker is gone."""
        assert self._connection is not None
        assert self._process is not None
        start, used = time.monotonic(), _processor_seconds(self._process.pid)
        try:
            while True:
                if self._connection.poll(min(0.2, seconds / 4)):
                    return self._connection.recv()
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
                    return "fault", (Fault.TIMEOUT.name, f"{limit} {when}")
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
        return "fault", (Fault.CRASHED.name, f"{how} {when}{f', last words: {last!r}' if last else ''}")

    def _last_words(self) -> str:
        try:
            lines = Path(self._scratch).read_text(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return lines[-1][:200] if lines else ""

    def __call__(self, problem: Problem, seed: tuple[int, ...], *, trace: bool = True, memory: bool = False) -> Run:
        """Run the solver once (the signature of `property_tests.run.Execute`).

        Raises
        ------
        SolverFault
            On a hard fault; the next call finds a fresh worker.
        """
        self.start()
        payload = {
            "problem": pack_problem(problem),
            "seed": seed,
            "trace": trace,
            "memory": memory,
            "iterations": self.limits.iterations,
        }
        kind, value = self._ask("call", payload, self.limits.seconds, "in a call")
        if kind == "fault":
            raise SolverFault(Fault[value[0]], value[1])
        return _unpack_run(problem, value)


def _processor_seconds(pid: int) -> float:
    """Processor time of a process so far; 0 where the system does not tell (then only the clock limits it)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0


# ---------------------------------------------------------------------------------------------- reading the answer
def _model(problem: Problem, arrays: Mapping[str, np.ndarray], what: str) -> LRSModel:
    """The model of plain arrays, or the hard fault it is."""
    t, d, r = problem.t, problem.d, problem.rank
    U, W = arrays["U"], arrays["W"]
    if U.ndim != 2 or W.ndim != 2 or U.shape[0] != d or W.shape != (t, U.shape[1]) or U.shape[1] > r:
        raise SolverFault(
            Fault.WRONG_SHAPE, f"{what}: U {U.shape} and W {W.shape}, expected (d, r) = {(d, r)} and (t, r) = {(t, r)}"
        )
    for name in ("U", "W", "B_data"):
        if not np.isfinite(arrays[name]).all():
            raise SolverFault(Fault.NOT_FINITE, f"{what}: {name.removesuffix('_data')} holds NaN or infinite values")
    try:
        return LRSModel.from_arrays(arrays)
    except InvalidInput as error:
        raise SolverFault(Fault.WRONG_SHAPE, f"{what}: {error}") from None


def _unpack_run(problem: Problem, value: Mapping[str, Any]) -> Run:
    packed = value["solution"]
    model = _model(problem, packed["model"], "solution")
    solution = Solution(
        model, Status[packed["status"]], packed["iterations"], packed["residual"], value["seconds"], packed["info"]
    )
    trace = tuple(
        Iterate(
            step["iteration"],
            _model(problem, step["model"], f"iterate {step['iteration']}"),
            step["residual"],
            step["info"],
        )
        for step in value["trace"]
    )
    faults = {Fault[name]: detail for name, detail in value["faults"].items()}
    gap = float(np.abs(model.U.T @ model.U - np.eye(model.rank)).max(initial=0.0))
    if gap > _ORTHONORMAL:
        faults[Fault.NOT_ORTHONORMAL] = f"max |UᵀU − I| = {gap:.2g}"
    B = model.B.copy()
    B.eliminate_zeros()
    nonzeros = np.diff(B.indptr)
    worst = int(nonzeros.max(initial=0))
    if worst > problem.sparsity:
        task = int(nonzeros.argmax())
        faults[Fault.TOO_DENSE] = f"{worst} non-zeros in task {task}, at most k = {problem.sparsity} were allowed"
    return Run(problem, solution, trace, value["seconds"], value["cpu_seconds"], value["peak_bytes"], faults)
