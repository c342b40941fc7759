"""The process a solver runs in: it holds the problem and never the truth, and it reports what the solver did besides.

Started by `property_tests.sandbox` and spoken to over one pipe. Standard output and error of the solver go to a
scratch file, so that a solver that prints is noticed and disturbs nobody.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import re
import sys
import threading
import time
import traceback
import tracemalloc
import types
import warnings
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from lrs.errors import InvalidInput
from lrs.model import LRSModel
from lrs.problem import MultiTaskData, Problem
from lrs.solver import Iterate, Solution, Status, load_solver, traits_of
from property_tests.configuration import digest
from property_tests.run import Fault

#: Audit events that mean another process is started.
_PROCESS_EVENTS = {"os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "subprocess.Popen"}
_SOURCE_LIMIT = 5_000_000  # bytes of source that enter a solver's hash


class IterationLimit(BaseException):
    """Raised inside the callback; not an Exception, so that a solver's own error handling lets it pass."""


class _HardFault(Exception):
    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(detail)
        self.fault, self.detail = fault, detail


# ---------------------------------------------------------------------------------------------- plain values to send
def pack_problem(problem: Problem) -> dict[str, Any]:
    """A problem as plain arrays."""
    data, start = problem.data, problem.warm_start
    return {
        "X": data.X,
        "y": data.y,
        "offsets": data.offsets,
        "task_names": data.task_names,
        "feature_names": data.feature_names,
        "rank": problem.rank,
        "sparsity": problem.sparsity,
        "noise": problem.noise,
        "warm_start": None if start is None else start.to_arrays(),
    }


def unpack_problem(packed: Mapping[str, Any]) -> Problem:
    """Inverse of `pack_problem`; read-only views of arrays that own their memory, as outside of the sandbox.

    The copies matter: pickle leaves some arrays on immutable bytes, where a solver that writes would get an error that
    nobody else gets.
    """
    X, y, offsets = (np.array(packed[n]) for n in ("X", "y", "offsets"))
    data = MultiTaskData(X, y, offsets, packed["task_names"], packed["feature_names"])
    start = None if packed["warm_start"] is None else LRSModel.from_arrays(packed["warm_start"])
    return Problem(data, packed["rank"], packed["sparsity"], packed["noise"], start)


def _plain(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biufSU"
    if isinstance(value, list | tuple):
        return all(_plain(v) for v in value)
    return value is None or isinstance(value, bool | int | float | str | np.generic)


def _pack_info(info: Any) -> dict[str, Any]:
    """Numbers, texts and arrays of a solver's info: other objects might not exist on the other side."""
    if not isinstance(info, Mapping):
        return {}
    return {str(n): np.array(v) if isinstance(v, np.ndarray) else v for n, v in info.items() if _plain(v)}


def _pack_model(model: Any) -> dict[str, np.ndarray]:
    if not isinstance(model, LRSModel):
        raise _HardFault(Fault.NOT_A_SOLUTION, f"the model is a {type(model).__name__}, expected lrs.LRSModel")
    try:
        return {n: np.array(a) for n, a in model.to_arrays().items()}  # copies: a solver may go on writing into its own
    except Exception as error:
        raise _HardFault(Fault.NOT_A_SOLUTION, f"a model that cannot be read ({error})") from None


def _pack_solution(solution: Any) -> dict[str, Any]:
    if not isinstance(solution, Solution):
        raise _HardFault(Fault.NOT_A_SOLUTION, f"returned {type(solution).__name__}")
    if not isinstance(solution.status, Status):
        raise _HardFault(Fault.NOT_A_SOLUTION, f"its status is {solution.status!r}, expected an lrs.Status")
    try:
        return {
            "model": _pack_model(solution.model),
            "status": solution.status.name,
            "iterations": int(solution.iterations),
            "residual": float(solution.residual),
            "info": _pack_info(solution.info),
        }
    except (TypeError, ValueError) as error:
        raise _HardFault(Fault.NOT_A_SOLUTION, f"iterations or residual are no numbers ({error})") from None


# ---------------------------------------------------------------------------------------------- what the solver did
def _checksums(problem: Problem) -> list[int]:
    arrays = [problem.data.X, problem.data.y, problem.data.offsets]
    if problem.warm_start is not None:
        arrays += list(problem.warm_start.to_arrays().values())
    sums = [zlib.crc32(np.ascontiguousarray(a).data.cast("B")) if a.size else 0 for a in arrays]
    return [*sums, hash((problem.rank, problem.sparsity, problem.noise, id(problem.data)))]


def _random_state() -> tuple[Any, ...]:
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)  # noqa: NPY002 - the state is watched, not used
    return (name, np.asarray(keys).tobytes(), position, has_gauss, cached, random.getstate())


class _Watch:
    """Audit hook (it cannot be removed again) that notes the start of other processes while ``armed``."""

    def __init__(self) -> None:
        self.armed = False
        self.seen: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: Any) -> None:
        if self.armed and event in _PROCESS_EVENTS:
            self.seen.append(event)


class _Scratch:
    """File descriptors 1 and 2 pointed at one file, whose new text can be taken."""

    def __init__(self, path: str) -> None:
        self.file = open(path, "w+b", buffering=0)  # noqa: SIM115 - lives as long as the process
        os.dup2(self.file.fileno(), 1)
        os.dup2(self.file.fileno(), 2)

    def take(self) -> str:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        end = os.fstat(self.file.fileno()).st_size
        if not end:
            return ""
        os.lseek(self.file.fileno(), 0, os.SEEK_SET)
        text = os.read(self.file.fileno(), min(end, 4096)).decode(errors="replace")
        os.lseek(self.file.fileno(), 0, os.SEEK_SET)
        os.ftruncate(self.file.fileno(), 0)
        return text


def _first_line(text: str) -> str:
    return next((line.strip()[:200] for line in text.splitlines() if line.strip()), "")


def _where(error: BaseException) -> str:
    """Last line of the traceback that is not ours."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename) != Path(__file__)]
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""


def fault_of(error: BaseException) -> tuple[Fault, str]:
    """Which fault an exception of the solver is, and its detail."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ModuleNotFoundError) and cause.name:
            return Fault.MISSING_PACKAGE, f"{cause.name!r}: install it, then run again"
        cause = cause.__cause__
    if isinstance(error, IterationLimit):
        return Fault.ITERATIONS, str(error)
    if isinstance(error, InvalidInput) and "NaN or infinite" in str(error):
        return Fault.NOT_FINITE, str(error)
    if isinstance(error, InvalidInput) and str(error).startswith(("U, W: expected shapes", "B: expected shape")):
        return Fault.WRONG_SHAPE, str(error)
    if isinstance(error, ValueError) and "read-only" in str(error):
        return Fault.RAISED, f"{text}{_where(error)}; the input may not be written to, copy it first"
    return Fault.RAISED, f"{text}{_where(error)}"


class Worker:
    """Answers ``load`` and ``call`` messages until the other side closes the pipe."""

    def __init__(self, connection: Connection, scratch: str) -> None:
        self.connection, self.pid = connection, os.getpid()
        self.solver: Any = None
        self.scratch = _Scratch(scratch)
        self.watch = _Watch()

    def serve(self) -> None:
        while True:
            try:
                kind, payload = self.connection.recv()
            except (EOFError, OSError):
                return
            answer = getattr(self, kind)(**payload)
            if os.getpid() != self.pid:  # a child the solver forked came back here: it must not speak
                os._exit(0)
            self.connection.send(answer)

    # ------------------------------------------------------------------ messages
    def load(self, spec: str | None, pickled: bytes | None) -> tuple[str, Any]:
        """Find the solver; answers its name, traits and the hash of its source."""
        try:
            if spec is not None:
                self.solver = load_solver(spec)
            else:
                import cloudpickle

                self.solver = load_solver(cloudpickle.loads(pickled))
            return "loaded", {
                "traits": asdict(traits_of(self.solver)),
                "hash": solver_hash(self.solver, pickled),
            }
        except InvalidInput as error:
            fault, detail = fault_of(error)
            if fault is Fault.MISSING_PACKAGE and spec is not None:
                # The module that was named is the user's slip; a package that it needs is the solver's fault.
                named = spec.partition(":")[0]
                missing = _missing(error)
                if missing and not (named == missing or named.startswith(f"{missing}.")):
                    return "fault", (fault.name, detail)
            return "invalid", str(error)
        except BaseException as error:
            fault, detail = fault_of(error)
            return "fault", (fault.name, detail)

    def call(
        self, problem: dict[str, Any], seed: tuple[int, ...], trace: bool, memory: bool, iterations: int
    ) -> tuple[str, Any]:
        """One solver call; answers the packed solution, trace, times and soft faults."""
        task = unpack_problem(problem)
        seen: list[dict[str, Any]] = []
        callback = self._recorder(seen, iterations) if trace else None
        rng = np.random.default_rng(list(seed))
        # Another state for every call, so that one who seeds it, always with the same number, changes it every time.
        np.random.seed()  # noqa: NPY002 - watched, not used
        random.seed()
        before, state = _checksums(task), _random_state()
        self.scratch.take()
        self.watch.seen.clear()
        if memory:
            tracemalloc.start()
        self.watch.armed = True
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            answer = self.solver(task, rng=rng, callback=callback)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            self.watch.armed = False
            peak = tracemalloc.get_traced_memory()[1] if memory else None
            packed = _pack_solution(answer)
        except _HardFault as error:
            return "fault", (error.fault.name, error.detail)
        except BaseException as error:
            fault, detail = fault_of(error)
            return "fault", (fault.name, detail)
        finally:
            self.watch.armed = False
            if memory:
                tracemalloc.stop()
        faults: dict[str, str] = {}
        after = _checksums(task)
        if after != before:
            parts = (
                "X",
                "y",
                "offsets",
                "warm start U",
                "warm start W",
                "warm start B",
                "warm start B",
                "warm start B",
            )
            changed = [n for n, a, b in zip(parts, after, before, strict=False) if a != b] or [
                "rank, sparsity or noise"
            ]
            faults[Fault.INPUT_MODIFIED.name] = ", ".join(dict.fromkeys(changed))
        if _random_state() != state:
            faults[Fault.GLOBAL_RANDOM_STATE.name] = "draw from the rng that is passed instead"
        if printed := self.scratch.take():
            faults[Fault.PRINTS.name] = repr(_first_line(printed))
        if self.watch.seen:
            faults[Fault.FORKS.name] = ", ".join(dict.fromkeys(self.watch.seen))
        return "ok", {
            "solution": packed,
            "trace": seen,
            "seconds": wall,
            "cpu_seconds": cpu,
            "peak_bytes": peak,
            "faults": faults,
        }

    def _recorder(self, seen: list[dict[str, Any]], limit: int) -> Callable[[Iterate], None]:
        def record(iterate: Iterate) -> None:
            if len(seen) > limit:
                raise IterationLimit(f"{limit} outer steps")
            if not isinstance(iterate, Iterate):
                raise _HardFault(Fault.NOT_A_SOLUTION, f"the callback was given a {type(iterate).__name__}")
            seen.append(
                {
                    "iteration": int(iterate.iteration),
                    "model": _pack_model(iterate.model),
                    "residual": float(iterate.residual),
                    "info": _pack_info(iterate.info),
                }
            )

        return record


def _missing(error: BaseException) -> str | None:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ModuleNotFoundError):
            return cause.name
        cause = cause.__cause__
    return None


# ---------------------------------------------------------------------------------------------- identity
def _sources(module: types.ModuleType) -> list[Path]:
    """Source files that make up a module: its top-level package, or, for a lone file, the loaded files beside it."""
    name = module.__name__.partition(".")[0]
    top = sys.modules.get(name, module)
    folders = [Path(p) for p in getattr(top, "__path__", [])]
    if folders:
        return sorted(f for folder in folders for f in folder.rglob("*.py"))
    file = getattr(module, "__file__", None)
    if file is None:
        return []
    beside = {Path(f).resolve() for m in list(sys.modules.values()) if (f := getattr(m, "__file__", None))}
    return sorted(f for f in beside if f.parent == Path(file).resolve().parent)


def solver_hash(solver: Any, pickled: bytes | None) -> str:
    """SHA-256 of a solver's configuration, of the source it is made of, and of the versions of its array libraries.

    A ledger resets when it changes. Compiled code outside the package of the solver does not enter.
    """
    import scipy

    kind = solver if isinstance(solver, types.FunctionType | type) else type(solver)
    # A solver made of parts is made of their source as well.
    parts = vars(solver).values() if dataclasses.is_dataclass(solver) and not isinstance(solver, type) else ()
    kinds = [kind, *(part if isinstance(part, types.FunctionType) else type(part) for part in parts)]
    names = dict.fromkeys(getattr(k, "__module__", "") for k in kinds)
    modules = [sys.modules[name] for name in names if name in sys.modules and name not in ("__main__", "builtins")]
    configuration = re.sub(r" at 0x[0-9a-fA-F]+", "", repr(solver))
    files = list(dict.fromkeys(file for module in modules for file in _sources(module)))
    texts = []
    size = 0
    for file in files:
        data = file.read_bytes()
        size += len(data)
        if size > _SOURCE_LIMIT:
            break
        texts += [file.name, data.decode(errors="replace")]
    if not texts and pickled is not None:
        texts = [pickled.hex()]
    versions = (".".join(map(str, sys.version_info[:2])), np.__version__, scipy.__version__)
    return digest(getattr(kind, "__qualname__", ""), configuration, *versions, *texts)


def _follow_parent(parent: int) -> None:
    """End with the process that started us, also when a solver call never returns."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def main(descriptor: int, parent: int, scratch: str) -> None:
    """Entry point of the process."""
    os.set_inheritable(descriptor, False)
    warnings.simplefilter("ignore")
    _follow_parent(parent)
    worker = Worker(Connection(descriptor), scratch)
    worker.connection.send(("ready", None))
    worker.serve()
