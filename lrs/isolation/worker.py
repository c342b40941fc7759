"""The process a solver runs in: it holds the problem and never the truth, and it reports what the solver did besides.

Started by `lrs.isolation.sandbox` and spoken to over one pipe. Standard output and error of the solver go to a
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
import tracemalloc
import types
import warnings
import zlib
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from lrs.core import wire
from lrs.core.errors import InvalidInput
from lrs.core.family import Family, load_family
from lrs.core.identity import joint_digest
from lrs.core.inline import check_solution
from lrs.core.run import Fault, IterationLimit, Settings, SolverFault, Subject, fault_of, missing_package
from lrs.core.solver import Iterate, check_family_of, traits_of
from lrs.isolation.wall import shut_in

#: Audit events that mean another process is started.
_PROCESS_EVENTS = {"os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "subprocess.Popen"}
_SOURCE_LIMIT = 5_000_000  # bytes of source that enter a solver's hash


# ---------------------------------------------------------------------------------------------- plain values to send
def _pack_info(info: Any) -> dict[str, Any]:
    """What can be sent of a solver's info: other objects might not exist on the other side."""
    if not isinstance(info, Mapping):
        return {}
    return {str(n): v for n, v in info.items() if wire.encodable(v) and not str(n).startswith("\0")}


def _pack_answer(family: Family, answer: Any) -> bytes:
    """An answer as bytes of its own: a solver may go on writing into its arrays."""
    try:
        return wire.encode(family.pack(answer))
    except Exception as error:
        raise SolverFault(
            Fault.NOT_A_SOLUTION, f"the model is a {type(answer).__name__} that cannot be read ({error})"
        ) from None


def _pack_solution(family: Family, solution: Any) -> dict[str, Any]:
    check_solution(solution)
    return {
        "model": _pack_answer(family, solution.model),
        "status": solution.status.name,
        "iterations": int(solution.iterations),
        "residual": float(solution.residual),
        "info": _pack_info(solution.info),
    }


# ---------------------------------------------------------------------------------------------- what the solver did
def _checksums(value: Any, name: str = "") -> dict[str, Any]:
    """A checksum of every part of a packed problem, by its name."""
    if isinstance(value, Mapping):
        parts: dict[str, Any] = {}
        for key, inner in value.items():
            parts |= _checksums(inner, f"{name} {key}".strip().replace("_", " "))
        return parts
    if isinstance(value, np.ndarray):
        return {name: zlib.crc32(np.ascontiguousarray(value).data.cast("B")) if value.size else 0}
    return {name: repr(value)}


def _packed(family: Family, problem: Any) -> dict[str, Any]:
    """Checksums of a problem; one that was taken apart has none in common with what it was."""
    try:
        return _checksums(family.pack(problem))
    except Exception as error:
        return {"the problem itself": repr(error)}


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


class Worker:
    """Answers ``load`` and ``call`` messages until the other side closes the pipe."""

    def __init__(self, connection: Connection, scratch: str) -> None:
        self.connection, self.pid = connection, os.getpid()
        self.family: Family = load_family()
        self.solver: Any = None
        self.scratch = _Scratch(scratch)
        self.watch = _Watch()

    def serve(self) -> None:
        while True:
            try:
                message = wire.decode(self.connection.recv_bytes())
            except (EOFError, OSError):
                return
            try:
                answer = getattr(self, message.pop("do"))(**message)
            except SolverFault as error:
                answer = {"kind": "fault", "fault": error.fault.name, "detail": error.detail}
            if os.getpid() != self.pid:  # a child the solver forked came back here: it must not speak
                os._exit(0)
            self.connection.send_bytes(wire.encode(answer))

    # ------------------------------------------------------------------ messages
    def load(self, family: str, spec: str | None, pickled: bytes | None) -> dict[str, Any]:
        """Find the family and the solver; answers its traits and the hash of its source."""
        subject = Subject("", spec, pickled)
        try:
            self.family = load_family(family)
            self.solver = subject.load()
            check_family_of(self.solver, self.family.name, spec or "")
            traits = traits_of(self.solver, self.family)
            return {
                "kind": "loaded",
                "traits": traits.to_dict(),
                "hash": solver_hash(self.solver, subject.pickled),
                "region": _carried_region(self.solver),
            }
        except InvalidInput as error:
            missing = missing_package(error)
            if missing is not None and spec is not None:
                # The module that was named is the user's slip; a package that it needs is the solver's fault.
                named = spec.partition(":")[0]
                if not (named == missing or named.startswith(f"{missing}.")):
                    raise fault_of(error) from None
            return {"kind": "invalid", "detail": str(error)}
        except BaseException as error:
            raise fault_of(error) from None

    def call(
        self, problem: dict[str, Any], key: list[int], trace: bool, memory: bool, iterations: int, settings: Any
    ) -> dict[str, Any]:
        """One solver call; answers the packed solution, trace, times and soft faults."""
        task = self.family.unpack(problem)
        seen: list[dict[str, Any]] = []
        callback = self._recorder(seen, iterations) if trace else None
        rng = np.random.default_rng(key)
        # Another state for every call, so that one who seeds it, always with the same number, changes it every time.
        np.random.seed()  # noqa: NPY002 - watched, not used
        random.seed()
        before, state = _packed(self.family, task), _random_state()
        self.scratch.take()
        self.watch.seen.clear()
        if memory:
            tracemalloc.start()
        self.watch.armed = True
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            solver = self.solver
            if settings is not None:
                spec, values = settings
                solver = Settings(self.family.spec(**spec), values).applied(solver, self.family, rng)
            answer = solver(task, rng=rng, callback=callback)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            self.watch.armed = False
            peak = tracemalloc.get_traced_memory()[1] if memory else None
            packed = _pack_solution(self.family, answer)
        except BaseException as error:
            raise fault_of(error) from None
        finally:
            self.watch.armed = False
            if memory:
                tracemalloc.stop()
        faults: dict[str, str] = {}
        after = _packed(self.family, task)
        if after != before:
            changed = [n for n in {**before, **after} if before.get(n) != after.get(n)]
            faults[Fault.INPUT_MODIFIED.name] = ", ".join(changed)
        if _random_state() != state:
            faults[Fault.GLOBAL_RANDOM_STATE.name] = "draw from the rng that is passed instead"
        if printed := self.scratch.take():
            faults[Fault.PRINTS.name] = repr(_first_line(printed))
        if self.watch.seen:
            faults[Fault.FORKS.name] = ", ".join(dict.fromkeys(self.watch.seen))
        return {
            "kind": "ok",
            "solution": packed,
            "trace": seen,
            "seconds": wall,
            "cpu_seconds": cpu,
            "peak_bytes": peak,
            "faults": faults,
        }

    def _recorder(self, seen: list[dict[str, Any]], limit: int) -> Callable[[Iterate[Any]], None]:
        def record(iterate: Iterate[Any]) -> None:
            if len(seen) > limit:
                raise IterationLimit(f"{limit} outer steps")
            if not isinstance(iterate, Iterate):
                raise SolverFault(Fault.NOT_A_SOLUTION, f"the callback was given a {type(iterate).__name__}")
            seen.append(
                {
                    "iteration": int(iterate.iteration),
                    "model": _pack_answer(self.family, iterate.model),
                    "residual": float(iterate.residual),
                    "info": _pack_info(iterate.info),
                }
            )

        return record


def _carried_region(solver: Any) -> str | dict[str, Any] | None:
    """A solver's attribute ``region`` as plain values: a name, or a name with constants; no code leaves this process."""
    region: Any = getattr(solver, "region", None)
    plain: Any = region.to_dict() if hasattr(region, "to_dict") else region
    if plain is None or isinstance(plain, str):
        return plain
    constants = plain.get("constants", {}) if isinstance(plain, Mapping) else None
    if not isinstance(constants, Mapping) or not all(isinstance(v, int | float) for v in constants.values()):
        raise InvalidInput(
            f"region: the solver carries a {type(region).__name__}; carry the name of a region or a mapping "
            "{'name': …, 'constants': {…}}, or pass check_solver(region=…)"
        )
    return {"name": str(plain.get("name")), "constants": {str(n): float(v) for n, v in constants.items()}}


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
    return joint_digest(getattr(kind, "__qualname__", ""), configuration, *versions, *texts)


def _follow_parent(parent: int) -> None:
    """End with the process that started us, also when a solver call never returns."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def main(descriptor: int, parent: int, scratch: str, concealed: list[str]) -> None:
    """Entry point of the process."""
    shut_in(concealed)
    os.set_inheritable(descriptor, False)
    warnings.simplefilter("ignore")
    _follow_parent(parent)
    worker = Worker(Connection(descriptor), scratch)
    worker.connection.send_bytes(wire.encode({"kind": "ready"}))
    worker.serve()
