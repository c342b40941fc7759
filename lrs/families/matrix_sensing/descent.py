"""What the iterations on factors share: how a run starts, goes on and ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from lrs.core.errors import InvalidInput
from lrs.core.solver import Callback, Iterate, Solution, Status, Traits
from lrs.core.validate import integer, real
from lrs.families.matrix_sensing.problem import NAME, Factor, SensingProblem

#: Relative residual of a run that diverged: with a start and a matrix of size 1 it cannot come back.
DIVERGED = 1e6


def run(
    problem: SensingProblem,
    at: Factor,
    step: Callable[[Factor, Float[np.ndarray, "n n2"], float], Factor],
    *,
    max_iterations: int,
    tolerance: float,
    callback: Callback | None,
) -> Solution[Factor]:
    """Iterate until the data are explained, the iteration diverges, or the cap is reached.

    ``step(factor, gradient, residual)`` is the next factor; the gradient is 𝒜*(𝒜(S) − y) at S, the factor's matrix, and the
    residual ‖𝒜(S) − y‖/‖y‖.
    """
    scale = float(np.linalg.norm(problem.residual(np.zeros(problem.shape)))) or 1.0
    best, status, residual = at, Status.ITERATION_CAP, np.inf
    for iteration in range(max_iterations + 1):
        with np.errstate(over="ignore", invalid="ignore"):
            z = problem.residual(at.matrix)
            residual = float(np.linalg.norm(z)) / scale
        if not residual < DIVERGED:  # NaN too
            return Solution(best, Status.DIVERGED, iteration, residual)
        best = at
        if callback is not None:
            callback(Iterate(iteration, Factor(at.X.copy(), None if at.Y is None else at.Y.copy()), residual))
        if residual <= tolerance:
            status = Status.CONVERGED
            break
        if iteration < max_iterations:
            at = step(at, problem.adjoint(z), residual * scale)
    return Solution(at, status, iteration, residual)


@dataclass(frozen=True)
class Descent:
    """Base of the iterations on one symmetric factor.

    Parameters
    ----------
    eta : float
        Step size η, for a matrix of spectral norm 1.
    alpha : float
        Size α of the start: entries α N(0, 1/n).
    max_iterations : int
    tolerance : float
        It stops when ‖𝒜(S) − y‖/‖y‖ is at most this; 0 runs all iterations.
    """

    eta: float = 0.1
    alpha: float = 0.3
    max_iterations: int = 2000
    tolerance: float = 1e-9
    family: ClassVar[str] = NAME
    traits: ClassVar[Traits] = Traits(eta=True, alpha=True, steps=True)

    def __post_init__(self) -> None:
        for f in fields(self):
            if f.type == "float" and f.name != "tolerance":
                real(f.name, getattr(self, f.name), above=0)
        real("tolerance", self.tolerance, least=0)
        integer("max_iterations", self.max_iterations, least=1)

    def for_study(self, *, steps: int | None = None, **values: Any) -> Descent:
        """With other values of the settings that it has, and for exactly so many steps."""
        length: dict[str, Any] = {} if steps is None else {"max_iterations": steps, "tolerance": 0.0}
        own = {f.name for f in fields(self)}
        return replace(self, **length, **{n: v for n, v in values.items() if v is not None and n in own})

    def start(self, problem: SensingProblem, rng: np.random.Generator) -> Factor:
        if not problem.symmetric:
            raise InvalidInput(
                f"solver: {type(self).__name__} searches XXᵀ and this matrix is not symmetric; use gd-asymmetric, "
                "gd-modified, svp, spectral or nuclear-norm"
            )
        return Factor(self.alpha / np.sqrt(problem.n) * rng.standard_normal((problem.n, problem.rank)))

    def step(self, at: Factor, gradient: Float[np.ndarray, "n n2"], error: float) -> Factor:
        """The next factor; ``error`` is ‖𝒜(S) − y‖, of full observation ‖S − M‖_F."""
        raise NotImplementedError

    def __call__(
        self, problem: SensingProblem, *, rng: np.random.Generator, callback: Callback | None = None
    ) -> Solution[Factor]:
        ends = {"max_iterations": self.max_iterations, "tolerance": self.tolerance, "callback": callback}
        return run(problem, self.start(problem, rng), self.step, **ends)  # type: ignore[arg-type]


def symmetric(G: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    """Its symmetric part: for factors XXᵀ a gradient has no other."""
    return (G + G.T) / 2
