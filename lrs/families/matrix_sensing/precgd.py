"""Preconditioned gradient descent whose damping falls with the error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lrs.core.solver import Traits
from lrs.families.matrix_sensing.descent import Descent, symmetric
from lrs.families.matrix_sensing.problem import Factor


@dataclass(frozen=True)
class PrecGD(Descent):
    """X ← X − η 𝒜*𝒜(XXᵀ − M) X (XᵀX + √f I)⁻¹ with f = ‖𝒜(XXᵀ − M)‖² (Zhang, Fattahi and Zhang 2021; arXiv 2504.09708).

    Parameters as of `lrs.families.matrix_sensing.descent.Descent`.
    """

    eta: float = 0.4
    traits: ClassVar[Traits] = Traits(eta=True, alpha=True, steps=True, precgd=True)

    def step(self, at: Factor, gradient: np.ndarray, error: float) -> Factor:
        gram = at.X.T @ at.X
        least = np.finfo(float).eps * np.trace(gram)  # an error that is rounding leaves nothing to invert
        damped = gram + max(error, least) * np.eye(len(gram))
        return Factor(at.X - self.eta * np.linalg.solve(damped, (symmetric(gradient) @ at.X).T).T)
