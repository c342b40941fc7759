"""Scaled gradient descent with a fixed damping, from a very small random start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lrs.core.solver import Traits
from lrs.families.matrix_sensing.descent import Descent, symmetric
from lrs.families.matrix_sensing.problem import Factor


@dataclass(frozen=True)
class ScaledGD(Descent):
    """X ← X − η 𝒜*𝒜(XXᵀ − M) X (XᵀX + λI)⁻¹ (Xu, Shen, Chi and Ma 2023, ScaledGD(λ)).

    The excess directions hardly move from their start, so that α limits the error that is reached.

    Parameters
    ----------
    eta, alpha, max_iterations, tolerance
        As of `lrs.families.matrix_sensing.descent.Descent`.
    damping : float
        λ, below the smallest singular value of M.
    """

    eta: float = 0.5
    alpha: float = 1e-6
    max_iterations: int = 500
    damping: float = 1e-3
    traits: ClassVar[Traits] = Traits(eta=True, alpha=True, steps=True, scaled_gd=True)

    def step(self, at: Factor, gradient: np.ndarray, error: float) -> Factor:
        damped = at.X.T @ at.X + self.damping * np.eye(at.X.shape[1])
        return Factor(at.X - self.eta * np.linalg.solve(damped, (symmetric(gradient) @ at.X).T).T)
