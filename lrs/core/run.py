"""One call of a solver: what is called, what it may take, what it answered, and how it can go wrong.

There is one treatment of faults for every caller: whatever a solver does instead of answering becomes a `Fault`, whether
the call ran in this process (`lrs.core.inline`) or in one of its own (`lrs.isolation`).
"""

from __future__ import annotations

import contextlib
import math
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypedDict, Unpack, runtime_checkable

import numpy as np

from lrs.core.errors import InvalidInput, NotFinite, WrongShape
from lrs.core.family import Answer, Family, Tunable, Value
from lrs.core.machine import LEAST_MEMORY
from lrs.core.solver import Iterate, Solution, Traits, load_solver
from lrs.core.validate import integer, real

#: Key of a random stream.
Key = Sequence[int]


# ---------------------------------------------------------------------------------------------- faults
@dataclass(frozen=True)
class Fault:
    """How a call can go wrong. Hard faults end the call, soft ones are noted beside its answer.

    An open set: a family declares what its answers can be besides wrong (`Fault.declare`).

    Attributes
    ----------
    name : str
    value : str
        The sentence, after “the solver”.
    hard : bool
    """

    name: str
    value: str = field(compare=False)
    hard: bool = field(default=False, compare=False)

    _known: ClassVar[dict[str, Fault]] = {}

    RAISED: ClassVar[Fault]
    TIMEOUT: ClassVar[Fault]
    ITERATIONS: ClassVar[Fault]
    MEMORY: ClassVar[Fault]
    CRASHED: ClassVar[Fault]
    MISSING_PACKAGE: ClassVar[Fault]
    NOT_A_SOLUTION: ClassVar[Fault]
    WRONG_SHAPE: ClassVar[Fault]
    NOT_FINITE: ClassVar[Fault]
    INPUT_MODIFIED: ClassVar[Fault]
    PRINTS: ClassVar[Fault]
    FORKS: ClassVar[Fault]
    GLOBAL_RANDOM_STATE: ClassVar[Fault]

    @classmethod
    def declare(cls, name: str, sentence: str, *, hard: bool = False) -> Fault:
        """The fault of this name; made when it is new."""
        return cls._known.setdefault(name, cls(name, sentence, hard))

    @classmethod
    def named(cls, name: str) -> Fault:
        """The fault of this name; raises `KeyError` when nobody declared it."""
        return cls._known[name]

    @classmethod
    def known(cls) -> tuple[Fault, ...]:
        """All that are declared, in the order of their declaration."""
        return tuple(cls._known.values())


for _name, _sentence in {
    "RAISED": "raises an exception",
    "TIMEOUT": "does not answer within the time limit of a call",
    "ITERATIONS": "does not stop at the iteration limit of a call",
    "MEMORY": "takes more memory than a call may",
    "CRASHED": "kills its process",
    "MISSING_PACKAGE": "needs a package that is not installed",
    "NOT_A_SOLUTION": "does not return an lrs.Solution",
    "WRONG_SHAPE": "returns parameters of the wrong shape",
    "NOT_FINITE": "returns NaN or infinite parameters",
}.items():
    setattr(Fault, _name, Fault.declare(_name, _sentence, hard=True))
for _name, _sentence in {
    "INPUT_MODIFIED": "modifies its input",
    "PRINTS": "prints",
    "FORKS": "starts other processes",
    "GLOBAL_RANDOM_STATE": "changes global random state",
}.items():
    setattr(Fault, _name, Fault.declare(_name, _sentence))


class SolverFault(Exception):
    """A hard fault of the solver."""

    def __init__(self, fault: Fault, detail: str = "") -> None:
        super().__init__(f"{fault.value}: {detail}" if detail else fault.value)
        self.fault, self.detail = fault, detail


class IterationLimit(BaseException):
    """Raised inside the callback; not an Exception, so that a solver's own error handling lets it pass."""


def missing_package(error: BaseException) -> str | None:
    """Name of the package whose absence caused the error."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ModuleNotFoundError) and cause.name:
            return cause.name
        cause = cause.__cause__
    return None


def _where(error: BaseException) -> str:
    """Last line of the traceback that is the solver's and not of whoever called it."""
    ours = (Path(__file__).parent, Path(__file__).parents[1] / "isolation")
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).parent not in ours]
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""


def fault_of(error: BaseException) -> SolverFault:
    """The fault that an exception of the solver is, with its detail."""
    if isinstance(error, SolverFault):
        return error
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if (package := missing_package(error)) is not None:
        return SolverFault(Fault.MISSING_PACKAGE, f"{package!r}: install it, then run again")
    if isinstance(error, IterationLimit):
        return SolverFault(Fault.ITERATIONS, str(error))
    if isinstance(error, MemoryError):
        return SolverFault(Fault.MEMORY, f"{error or 'MemoryError'}{_where(error)}")
    if isinstance(error, NotFinite):
        return SolverFault(Fault.NOT_FINITE, str(error))
    if isinstance(error, FloatingPointError | OverflowError):
        return SolverFault(Fault.NOT_FINITE, f"{text}{_where(error)}")
    if isinstance(error, WrongShape):
        return SolverFault(Fault.WRONG_SHAPE, str(error))
    advice = ""
    if isinstance(error, ValueError) and "read-only" in str(error):  # NumPy has no type for it
        advice = "; the input may not be written to, copy it first"
    return SolverFault(Fault.RAISED, f"{text}{_where(error)}{advice}")


@contextlib.contextmanager
def blamed_on_solver() -> Iterator[None]:
    """Whatever is raised inside becomes a `SolverFault`, `SystemExit` as well; only Ctrl-C passes."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise fault_of(error) from error


# ---------------------------------------------------------------------------------------------- what is called
@dataclass(frozen=True, eq=False)
class Subject:
    """A solver to be called: a name that is looked up where it runs, or an object sent there.

    Attributes
    ----------
    name : str
        What reports call it.
    spec : str or None
        ``module:attribute`` or a registered name.
    pickled : bytes or None
        The object, where there is no name.
    """

    name: str
    spec: str | None = None
    pickled: bytes | None = None

    @classmethod
    def of(cls, solver: Any, name: str | None = None) -> Subject:
        """From a name, ``module:attribute`` or a solver.

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

    def load(self) -> Any:
        """The solver itself."""
        if self.spec is not None:
            return load_solver(self.spec)
        import cloudpickle

        return load_solver(cloudpickle.loads(self.pickled))


@dataclass(frozen=True)
class Settings:
    """Values of settings of solvers, for problems of one specification (`lrs.core.family.Tunable`)."""

    spec: Any
    values: Mapping[str, Value]

    def applied(self, solver: Any, family: Family, rng: np.random.Generator) -> Any:
        """The solver to be called; one that takes none of the settings is returned as it is."""
        return family.configure(solver, self.spec, rng, **self.values) if isinstance(family, Tunable) else solver


@dataclass(frozen=True)
class Loaded:
    """What is known of a solver once it is loaded.

    Attributes
    ----------
    traits : Traits
    hash : str
        Of what it is made of.
    region : str, mapping or None
        The region it carries: a name, or a name and constants.
    """

    traits: Traits
    hash: str
    region: str | Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one call may take.

    Parameters
    ----------
    seconds : float
        Processor time, in a process of the solver's own (`lrs.isolation.Sandbox`); a call in this process has no limit.
    iterations : int
        Outer steps, as counted by the callback.
    memory : int, optional
        Bytes, in a process of the solver's own; default: a share of the machine (`lrs.core.machine.share_of_memory`).
    """

    seconds: float = 30.0
    iterations: int = 2000
    memory: int | None = None

    def __post_init__(self) -> None:
        real("seconds", self.seconds, above=0, infinite=True)
        integer("iterations", self.iterations, least=1)
        if self.memory is not None:
            integer("memory", self.memory, least=LEAST_MEMORY)


# ---------------------------------------------------------------------------------------------- what it answered
@dataclass(frozen=True, eq=False)
class Run(Generic[Answer]):
    """One call of the solver.

    Attributes
    ----------
    problem
        What it was asked.
    solution : Solution
    trace : tuple of Iterate
        What the callback saw, copied; empty without the trait ``trace`` or with ``trace=False``.
    seconds, cpu_seconds : float
        Wall and processor time of the call where it ran.
    peak_bytes : int or None
        Largest amount of memory allocated by Python and NumPy during the call; measured with ``memory=True`` only.
    faults : mapping of Fault to str
        Soft faults and their details.
    """

    problem: Any
    solution: Solution[Answer]
    trace: tuple[Iterate[Answer], ...] = ()
    seconds: float = math.nan
    cpu_seconds: float = math.nan
    peak_bytes: int | None = None
    faults: Mapping[Fault, str] = field(default_factory=dict)

    @property
    def model(self) -> Answer:
        """The answer."""
        return self.solution.model


Watch = Callable[[Iterate[Any]], None]


class Options(TypedDict, total=False):
    """What a caller may want besides the answer; each is left out where it is not wanted.

    ``trace`` keeps the iterates; ``watch`` is shown each of them instead, as early as the executor can. ``memory`` asks for
    the peak. ``settings`` are applied where the solver runs.
    """

    trace: bool
    memory: bool
    watch: Watch | None
    settings: Settings | None


@runtime_checkable
class Executor(Protocol):
    """Where solvers are called. One object serves any number of them; close it when done."""

    def load(self, solver: Subject, family: Family) -> Loaded:
        """Load the solver there.

        Raises
        ------
        InvalidInput
            When there is no such solver.
        SolverFault
            When it exists and cannot be loaded: a missing package, an exception or a crash at import.
        """

    def __call__(self, solver: Subject, family: Family, problem: Any, key: Key, **options: Unpack[Options]) -> Run[Any]:
        """Call the solver once, with arrays nobody else will see and the generator of ``key``.

        Raises
        ------
        SolverFault
            On a hard fault.
        """

    def close(self) -> None:
        """Release what it holds."""


def audited(family: Family, problem: Any, answer: Answer, what: str) -> dict[Fault, str]:
    """Soft faults of an answer, as the family sees them; a hard one is raised."""
    found = {Fault.named(name): detail for name, detail in family.audit(problem, answer).items()}
    for fault, detail in found.items():
        if fault.hard:
            raise SolverFault(fault, f"{what}: {detail}")
    return found
