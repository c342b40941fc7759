"""One call of the solver under test: what it answered, and how it can go wrong."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from lrs.model import LRSModel
from lrs.problem import Problem
from lrs.solver import Iterate, Solution


class Fault(enum.Enum):
    """How a call can go wrong; the value is the sentence. Hard faults end the call, soft ones are noted beside it."""

    RAISED = "raises an exception"
    TIMEOUT = "does not answer within the time limit of a call"
    ITERATIONS = "does not stop at the iteration limit of a call"
    CRASHED = "kills its process"
    MISSING_PACKAGE = "needs a package that is not installed"
    NOT_A_SOLUTION = "does not return an lrs.Solution"
    WRONG_SHAPE = "returns parameters of the wrong shape"
    NOT_FINITE = "returns NaN or infinite parameters"
    # soft
    NOT_ORTHONORMAL = "returns a U whose columns are not orthonormal"
    TOO_DENSE = "returns a b with more than k non-zeros"
    INPUT_MODIFIED = "modifies its input"
    PRINTS = "prints"
    FORKS = "starts other processes"
    GLOBAL_RANDOM_STATE = "changes global random state"

    @property
    def hard(self) -> bool:
        return self not in _SOFT


_SOFT = {
    Fault.NOT_ORTHONORMAL,
    Fault.TOO_DENSE,
    Fault.INPUT_MODIFIED,
    Fault.PRINTS,
    Fault.FORKS,
    Fault.GLOBAL_RANDOM_STATE,
}


class SolverFault(Exception):
    """A hard fault of the solver. A check lets it pass through: the engine turns it into a failed outcome."""

    def __init__(self, fault: Fault, detail: str = "") -> None:
        super().__init__(f"{fault.value}: {detail}" if detail else fault.value)
        self.fault, self.detail = fault, detail


@dataclass(frozen=True, eq=False)
class Run:
    """One call of the solver.

    Attributes
    ----------
    problem : Problem
    solution : Solution
    trace : tuple of Iterate
        What the callback saw, copied; empty without the trait ``trace`` or with ``trace=False``.
    seconds, cpu_seconds : float
        Wall and processor time of the call in its worker.
    peak_bytes : int or None
        Largest amount of memory allocated by Python and NumPy during the call; measured with ``memory=True`` only.
    faults : mapping of Fault to str
        Soft faults and their details.
    """

    problem: Problem
    solution: Solution
    trace: tuple[Iterate, ...] = ()
    seconds: float = math.nan
    cpu_seconds: float = math.nan
    peak_bytes: int | None = None
    faults: Mapping[Fault, str] = field(default_factory=dict)

    @property
    def model(self) -> LRSModel:
        return self.solution.model


class Execute(Protocol):
    """Runs the solver under test; raises `SolverFault` on a hard fault."""

    def __call__(self, problem: Problem, seed: tuple[int, ...], *, trace: bool, memory: bool) -> Run: ...
