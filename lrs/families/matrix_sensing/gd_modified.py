"""Gradient descent on two factors with one step, near the optimum, that makes its rate forget the start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lrs.core.solver import Callback, Solution, Traits
from lrs.families.matrix_sensing.descent import run
from lrs.families.matrix_sensing.gd_asymmetric import AsymmetricGD
from lrs.families.matrix_sensing.problem import Factor, SensingProblem


@dataclass(frozen=True)
class ModifiedGD(AsymmetricGD):
    """As `AsymmetricGD`, and once, when the residual is at most ``near``: F = PΣQᵀ, F ← FQD, G ← GQD⁻¹, D_ii = β/σ_i where σ_i ≤ β.

    FGᵀ stays as it is; from then on the excess directions contract by 1 − ηβ² a step, whatever α was (Xiong, Ding and Du 2024; the
    form of the step is remembered [M]).

    Parameters
    ----------
    eta, alpha, max_iterations, tolerance
        As of `lrs.families.matrix_sensing.descent.Descent`.
    beta : float
        β, at most the root of the smallest singular value of M.
    near : float
        Relative residual ‖𝒜(FGᵀ) − y‖/‖y‖ at which the step is made.
    """

    beta: float = 0.7
    near: float = 0.01
    traits: ClassVar[Traits] = Traits(eta=True, alpha=True, steps=True, modified_gd=True)

    def balanced(self, at: Factor) -> Factor:
        """The modified step by itself."""
        F, G = at.X, at.Y
        assert G is not None
        _, sigma, Qt = np.linalg.svd(F, full_matrices=False)
        D = np.where(sigma <= self.beta, self.beta / np.maximum(sigma, np.finfo(float).tiny), 1.0)
        return Factor(F @ Qt.T * D, G @ Qt.T / D)

    def __call__(
        self, problem: SensingProblem, *, rng: np.random.Generator, callback: Callback | None = None
    ) -> Solution[Factor]:
        near = self.near * float(np.linalg.norm(problem.residual(np.zeros(problem.shape))))
        waiting = True

        def step(at: Factor, gradient: np.ndarray, error: float) -> Factor:
            nonlocal waiting
            if waiting and error <= near:
                waiting, at = False, self.balanced(at)
            return self.step(at, gradient, error)

        ends = {"max_iterations": self.max_iterations, "tolerance": self.tolerance, "callback": callback}
        return run(problem, self.start(problem, rng), step, **ends)  # type: ignore[arg-type]
