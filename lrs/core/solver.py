"""The protocol every solver follows, what it returns, and how one is found by name.

A solver is any callable ``solver(problem, *, rng, callback=None) -> Solution``: a function, a configured dataclass, or
a ten-line wrapper around someone else's code. No base class, no registration needed.
"""

from __future__ import annotations

import enum
import inspect
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, runtime_checkable

import numpy as np

from lrs.core import streams
from lrs.core.errors import InvalidInput
from lrs.core.face import face
from lrs.core.family import LOW_RANK_SPARSE, Answer, Family, load_family
from lrs.core.registry import Registry, import_attribute


class Status(enum.Enum):
    """How a run ended; the text is the sentence a user reads."""

    CONVERGED = "converged"
    STALLED = "stalled"
    DIVERGED = "diverged"
    ITERATION_CAP = "iteration cap"
    NOT_IDENTIFIABLE = "not identifiable as posed"
    FIXED_ROUNDS = "fixed rounds"

    @property
    def sentence(self) -> str:
        """One full sentence for people."""
        return _SENTENCES[self]


_SENTENCES = {
    Status.CONVERGED: "The iteration converged: another outer step would not change the answer.",
    Status.STALLED: "The iteration stopped improving before the data were explained; some tasks may be wrong.",
    Status.DIVERGED: "The iteration diverged; the last finite iterate is returned and should not be used.",
    Status.ITERATION_CAP: "The iteration cap was reached before convergence; allow more iterations or start elsewhere.",
    Status.FIXED_ROUNDS: "The rounds fixed beforehand were run; looking at the data to stop would have cost privacy.",
    Status.NOT_IDENTIFIABLE: (
        "The data cannot determine the parameters as posed: there are fewer equations than unknowns "
        "(m ≥ r + k + r(d − r)/t is necessary); the answer is one of many."
    ),
}


@dataclass(frozen=True, eq=False)
class Iterate(Generic[Answer]):
    """What a callback sees after an outer step.

    Attributes
    ----------
    iteration : int
        0 is the initialisation.
    model
        The answer so far, as the family has it: an `LRSModel` for low rank + sparse.
    residual : float
        ‖y − ŷ‖₂ / ‖y‖₂ over all of the data.
    info : mapping
        Whatever else the solver shows (thresholds, trimmed tasks, …).
    """

    iteration: int
    model: Answer
    residual: float
    info: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Solution(Generic[Answer]):
    """What a solver returns.

    Attributes
    ----------
    model
        The answer, as the family has it: an `LRSModel` for low rank + sparse.
    status : Status
    iterations : int
        Outer steps taken.
    residual : float
        ‖y − ŷ‖₂ / ‖y‖₂ over all of the data.
    seconds : float
        Wall time, filled in by `solve`.
    info : mapping
        Solver-specific figures; ``info["unsolved_tasks"]`` where the solver knows them.
    """

    model: Answer
    status: Status
    iterations: int
    residual: float = float("nan")
    seconds: float = float("nan")
    info: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        parts = [self.status.name, f"{self.iterations} steps"]
        parts += [f"residual {self.residual:.3g}"] if self.residual == self.residual else []
        parts += [f"{self.seconds:.2g} s"] if self.seconds == self.seconds else []
        return f"Solution({', '.join(parts)}; {self.model!r})"

    def _repr_html_(self) -> str:
        rows = [("steps", self.iterations), ("residual", f"{self.residual:.3g}"), ("seconds", f"{self.seconds:.2g}")]
        return face(f"{self.status.name}: {self.message}", [*rows, ("model", repr(self.model))])

    @property
    def message(self) -> str:
        """The sentence a user reads."""
        return self.status.sentence

    @property
    def converged(self) -> bool:
        return self.status is Status.CONVERGED


Callback = Callable[[Iterate[Any]], None]


@runtime_checkable
class Solver(Protocol):
    """``solver(problem, *, rng, callback=None) -> Solution``."""

    def __call__(
        self, problem: Any, *, rng: np.random.Generator, callback: Callback | None = None
    ) -> Solution[Any]: ...


class Traits:
    """What a solver can do; it says so in an attribute ``traits``. What is absent makes a claim not applicable.

    The words are those of the solver's family (`lrs.core.family.Family.traits`); what is not said has its default there.

    Examples
    --------
    >>> traits_of(lambda problem, *, rng, callback=None: None).sparse
    True
    """

    def __init__(self, **words: bool) -> None:
        self._words = {name: bool(value) for name, value in sorted(words.items())}

    def __getattr__(self, word: str) -> bool:
        try:
            return self.__dict__["_words"][word]
        except KeyError:
            raise AttributeError(f"nothing is said of the trait {word!r}") from None

    def to_dict(self) -> dict[str, bool]:
        """The words that are said."""
        return dict(self._words)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Traits) and self._words == other._words

    def __hash__(self) -> int:
        return hash(tuple(self._words.items()))

    def __repr__(self) -> str:
        return f"Traits({', '.join(f'{n}={v}' for n, v in self._words.items())})"


def traits_of(solver: Any, family: str | Family = LOW_RANK_SPARSE) -> Traits:
    """Every trait of the family, as the solver says or by default.

    Raises
    ------
    InvalidInput
        When the solver uses a word that the family does not have.
    """
    said = getattr(solver, "traits", None)
    if said is None:
        said = {}
    elif isinstance(said, Traits):
        said = said.to_dict()
    elif not isinstance(said, Mapping):
        raise InvalidInput(f"traits: expected lrs.Traits or a mapping, got {type(said).__name__}")
    known = load_family(family).traits
    for word in said:
        if word not in known:
            raise InvalidInput(f"traits: {word!r} is none of this family's; known are {', '.join(known)}")
    return Traits(**{word: said.get(word, default) for word, (_, default) in known.items()})


def _check_signature(solver: Any, where: str) -> None:
    if not callable(solver):
        raise InvalidInput(f"solver: {where} is a {type(solver).__name__}, which cannot be called")
    try:
        inspect.signature(solver).bind(None, rng=None, callback=None)
    except TypeError as error:
        raise InvalidInput(
            f"solver: {where} does not have the signature solver(problem, *, rng, callback=None): {error}"
        ) from None
    except ValueError:  # some builtins carry no signature: let the call itself tell
        pass


def _made(target: Any, where: str) -> Solver:
    """A solver from a class, a factory or a solver."""
    if inspect.isclass(target) or _is_factory(target):
        try:
            target = target()
        except Exception as error:
            raise InvalidInput(f"solver: {where} could not be made without arguments: {error}") from error
    target = _adapted(target, where)
    _check_signature(target, where)
    return target


#: What makes solvers of other libraries' objects: ``adapter(target, where)`` is a solver, None for what it does not know, or
#: raises `InvalidInput`. Only asked about what cannot be called.
ADAPTERS: Registry[Callable[[Any, str], Solver | None]] = Registry(
    "lrs.adapters", "adapter", lambda value, where: value
)


def _adapted(target: Any, where: str) -> Any:
    if callable(target):
        return target
    made = (ADAPTERS.load(name)(target, where) for name in ADAPTERS)
    return next((solver for solver in made if solver is not None), target)


#: Solvers by name, from the entry-point group ``lrs.solvers``.
SOLVERS: Registry[Solver] = Registry("lrs.solvers", "solver", _made, advice="your own is named as module:attribute")


#: Packages whose solvers share a process with the truth unless told otherwise: this toolkit's.
OWN_PACKAGES = ("lrs", "phase_diagrams")


def is_own(solver: str) -> bool:
    """Whether a name or ``module:attribute`` means a solver of this toolkit."""
    return SOLVERS.known.get(solver, solver).partition(":")[0].partition(".")[0] in OWN_PACKAGES


def available_solvers() -> Mapping[str, str]:
    """Registered names and the object each points to, from the entry-point group ``lrs.solvers``."""
    return SOLVERS.known


def of_family(family: str) -> tuple[str, ...]:
    """Registered names of the solvers of a family; one that names none, or does not load, is of low rank + sparse."""

    def of(name: str) -> str:
        try:
            return getattr(SOLVERS.load(name), "family", LOW_RANK_SPARSE)
        except InvalidInput:
            return LOW_RANK_SPARSE

    return tuple(name for name in SOLVERS if of(name) == family)


def load_solver(spec: Any) -> Solver:
    """A solver from a registered name, from ``module:attribute``, or from a solver itself.

    A class or a factory without required parameters is called once to make the solver. Modules are looked up on the
    Python path and in the working directory.

    Raises
    ------
    InvalidInput
        When the name is unknown, the module does not import, or the object is not a solver.
    """
    if not isinstance(spec, str):
        where = repr(getattr(spec, "__name__", type(spec).__name__))
        solver: Any = _adapted(spec() if inspect.isclass(spec) else spec, where)
        _check_signature(solver, where)
        return solver
    if ":" not in spec:
        return SOLVERS.load(spec)
    return _made(import_attribute(spec, "solver"), repr(spec))


def _is_factory(target: Any) -> bool:
    """A function without required parameters makes a solver; one that takes a problem is one."""
    if not inspect.isfunction(target):
        return False
    return all(
        p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        for p in inspect.signature(target).parameters.values()
    )


def check_family_of(solver: Any, family: str, name: str = "") -> None:
    """Refuse a solver of another family; one that names none takes what it is given.

    Raises
    ------
    InvalidInput
    """
    own = getattr(solver, "family", None)
    if own is not None and own != family:
        name = name or getattr(solver, "__name__", type(solver).__name__)
        raise InvalidInput(f"solver: {name!r} solves problems of the family {own}, and this one is of {family}")


def solve(
    problem: Any, solver: Any = "amht", seed: int | np.random.Generator = 0, callback: Callback | None = None
) -> Solution[Any]:
    """Run a solver.

    Parameters
    ----------
    problem : Problem
        Of any family.
    solver : str or callable
        A registered name, ``module:attribute``, or a solver.
    seed : int or numpy Generator
    callback : callable, optional
        Called with an `Iterate` after every outer step.

    Returns
    -------
    Solution
        With ``seconds`` filled in.
    """
    if not isinstance(getattr(problem, "family", None), str) or hasattr(problem, "problem"):
        raise InvalidInput(
            f"problem: expected lrs.Problem, got {type(problem).__name__}; an Instance has it as .problem"
        )
    run = load_solver(solver)
    check_family_of(run, problem.family, solver if isinstance(solver, str) else "")
    rng = seed if isinstance(seed, np.random.Generator) else streams.generator("solver", seed)
    start = time.perf_counter()
    solution = run(problem, rng=rng, callback=callback)
    seconds = time.perf_counter() - start
    if not isinstance(solution, Solution):
        raise InvalidInput(f"solver: returned {type(solution).__name__}, expected lrs.Solution")
    return replace(solution, seconds=seconds)
