"""The protocol every solver follows, what it returns, and how one is found by name.

A solver is any callable ``solver(problem, *, rng, callback=None) -> Solution``: a function, a configured dataclass, or
a ten-line wrapper around someone else's code. No base class, no registration needed.
"""

from __future__ import annotations

import difflib
import enum
import importlib
import inspect
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

import numpy as np

from lrs.core import streams
from lrs.errors import InvalidInput
from lrs.model import LRSModel
from lrs.problem import Problem

ENTRY_POINTS = "lrs.solvers"


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
class Iterate:
    """What a callback sees after an outer step.

    Attributes
    ----------
    iteration : int
        0 is the initialisation.
    model : LRSModel
    residual : float
        ‖y − ŷ‖₂ / ‖y‖₂ over all tasks.
    info : mapping
        Whatever else the solver shows (thresholds, trimmed tasks, …).
    """

    iteration: int
    model: LRSModel
    residual: float
    info: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Solution:
    """The answer of a solver.

    Attributes
    ----------
    model : LRSModel
    status : Status
    iterations : int
        Outer steps taken.
    residual : float
        ‖y − ŷ‖₂ / ‖y‖₂ over all tasks.
    seconds : float
        Wall time, filled in by `solve`.
    info : mapping
        Solver-specific figures; ``info["unsolved_tasks"]`` where the solver knows them.
    """

    model: LRSModel
    status: Status
    iterations: int
    residual: float = float("nan")
    seconds: float = float("nan")
    info: Mapping[str, Any] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """The sentence a user reads."""
        return self.status.sentence

    @property
    def converged(self) -> bool:
        return self.status is Status.CONVERGED


Callback = Callable[[Iterate], None]


@runtime_checkable
class Solver(Protocol):
    """``solver(problem, *, rng, callback=None) -> Solution``."""

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution: ...


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What a solver can do; a solver says so in an attribute ``traits``. What is absent makes a claim not applicable."""

    trace: bool = True  # calls the callback once per outer step
    exact: bool = True  # aims at exact recovery without noise
    noise: bool = True  # is meant for noisy data
    low_rank: bool = True  # models U w
    sparse: bool = True  # models b
    warm_start: bool = False  # uses problem.warm_start
    ragged: bool = True  # takes tasks of different sizes
    private: bool = False  # an `lrs.PrivateAMHT`, whose settings and ledger are in Solution.info["account"]
    thresholds: bool = False  # shows its threshold Δ (t,) or (t, T) in Iterate.info["threshold"]


def traits_of(solver: Any) -> Traits:
    """The solver's own `Traits`, or the defaults."""
    traits = getattr(solver, "traits", None)
    if traits is None:
        return Traits()
    if isinstance(traits, Traits):
        return traits
    if isinstance(traits, Mapping):
        try:
            return Traits(**traits)
        except TypeError as error:
            raise InvalidInput(f"traits: {error}; known are {', '.join(Traits.__dataclass_fields__)}") from None
    raise InvalidInput(f"traits: expected lrs.solver.Traits or a mapping, got {type(traits).__name__}")


def relative_residual(problem: Problem, model: LRSModel) -> float:
    """‖y − ŷ‖₂ / ‖y‖₂ over all tasks (‖y − ŷ‖₂ when y = 0)."""
    data = problem.data
    scale = float(np.linalg.norm(data.y))
    return float(np.linalg.norm(data.y - model.predict(data.X, data.groups))) / (scale or 1.0)


def _check_signature(solver: Any, spec: str) -> None:
    if not callable(solver):
        raise InvalidInput(f"solver: {spec!r} is a {type(solver).__name__}, which cannot be called")
    try:
        inspect.signature(solver).bind(None, rng=None, callback=None)
    except TypeError as error:
        raise InvalidInput(
            f"solver: {spec!r} does not have the signature solver(problem, *, rng, callback=None): {error}"
        ) from None
    except ValueError:  # some builtins carry no signature: let the call itself tell
        pass


@cache
def available_solvers() -> Mapping[str, str]:
    """Registered names and the object each points to, from the entry-point group ``lrs.solvers``.

    Read once: the metadata of every installed package cost as much as a small problem.
    """
    return MappingProxyType({e.name: e.value for e in sorted(entry_points(group=ENTRY_POINTS), key=lambda e: e.name)})


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
        solver: Any = spec() if inspect.isclass(spec) else spec
        _check_signature(solver, getattr(spec, "__name__", type(spec).__name__))
        return solver
    if ":" in spec:
        target = _import_attribute(spec)
    else:
        known = available_solvers()
        if spec not in known:
            near = difflib.get_close_matches(spec, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)};"
            raise InvalidInput(f"solver: no solver named {spec!r}; {hint} your own is named as module:attribute")
        target = _import_attribute(known[spec])
    if inspect.isclass(target) or _is_factory(target):
        try:
            target = target()
        except Exception as error:
            raise InvalidInput(f"solver: {spec!r} could not be made without arguments: {error}") from error
    _check_signature(target, spec)
    return target


def _is_factory(target: Any) -> bool:
    """A function without required parameters makes a solver; one that takes a problem is one."""
    if not inspect.isfunction(target):
        return False
    return all(
        p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        for p in inspect.signature(target).parameters.values()
    )


def _import_attribute(spec: str) -> Any:
    module_name, _, attribute = spec.partition(":")
    if not module_name or not attribute:
        raise InvalidInput(f"solver: {spec!r} is not of the form module:attribute")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        value: Any = importlib.import_module(module_name)
    except Exception as error:
        raise InvalidInput(
            f"solver: module {module_name!r} does not import ({type(error).__name__}: {error})"
        ) from error
    for part in attribute.split("."):
        try:
            value = getattr(value, part)
        except AttributeError:
            raise InvalidInput(f"solver: module {module_name!r} has no attribute {attribute!r}") from None
    return value


def solve(
    problem: Problem, solver: Any = "amht", seed: int | np.random.Generator = 0, callback: Callback | None = None
) -> Solution:
    """Run a solver.

    Parameters
    ----------
    problem : Problem
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
    if not isinstance(problem, Problem):
        raise InvalidInput(
            f"problem: expected lrs.Problem, got {type(problem).__name__}; an Instance has it as .problem"
        )
    run = load_solver(solver)
    rng = seed if isinstance(seed, np.random.Generator) else streams.generator("solver", seed)
    start = time.perf_counter()
    solution = run(problem, rng=rng, callback=callback)
    seconds = time.perf_counter() - start
    if not isinstance(solution, Solution):
        raise InvalidInput(f"solver: returned {type(solution).__name__}, expected lrs.Solution")
    return replace(solution, seconds=seconds)
