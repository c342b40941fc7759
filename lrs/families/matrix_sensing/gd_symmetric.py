"""Gradient descent on the symmetric factor, from a small random start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lrs.core.solver import Callback, Iterate, Solution, Status, Traits
from lrs.core.validate import integer, real
from lrs.families.matrix_sensing.problem import NAME, Factor, SensingProblem


@dataclass(frozen=True)
class SymmetricGD:
    """X ← X − η 𝒜*𝒜(XXᵀ − M) X from X₀ with entries α N(0, 1/n) (Xiong, Ding and Du 2024).

    Parameters
    ----------
    eta : float
        Step size η, for a matrix of spectral norm 1.
    alpha : float
        Size α of the start.
    max_iterations : int
    tolerance : float
        It stops when ‖𝒜(XXᵀ) − y‖/‖y‖ is at most this; 0 runs all iterations.
    """

    eta: float = 0.1
    alpha: float = 0.3
    max_iterations: int = 4000
    tolerance: float = 1e-9
    family: ClassVar[str] = NAME
    traits: ClassVar[Traits] = Traits()

    def __post_init__(self) -> None:
        real("eta", self.eta, above=0)
        real("alpha", self.alpha, above=0)
        integer("max_iterations", self.max_iterations, least=1)
        real("tolerance", self.tolerance, least=0)

    def __call__(
        self, problem: SensingProblem, *, rng: np.random.Generator, callback: Callback | None = None
    ) -> Solution[Factor]:
        """Run until the data are explained, the iteration diverges, or the cap is reached."""
        n = problem.n
        X = self.alpha / np.sqrt(n) * rng.standard_normal((n, problem.rank))
        scale = float(np.linalg.norm(problem.residual(np.zeros((n, n))))) or 1.0
        best, status, residual = X, Status.ITERATION_CAP, np.inf
        for iteration in range(self.max_iterations + 1):
            z = problem.residual(X @ X.T)
            residual = float(np.linalg.norm(z)) / scale
            if not residual < 1e6:  # NaN too: with a start and a matrix of size 1 this cannot come back
                return Solution(Factor(best), Status.DIVERGED, iteration, residual)
            best = X
            if callback is not None:
                callback(Iterate(iteration, Factor(X.copy()), residual))
            if residual <= self.tolerance:
                status = Status.CONVERGED
                break
            if iteration < self.max_iterations:
                X = X - self.eta * problem.adjoint(z) @ X
        return Solution(Factor(X), status, iteration, residual)
