"""Gradient descent on the symmetric factor, from a small random start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lrs.core.solver import Traits
from lrs.families.matrix_sensing.descent import Descent, symmetric
from lrs.families.matrix_sensing.problem import Factor


@dataclass(frozen=True)
class SymmetricGD(Descent):
    """X ← X − η 𝒜*𝒜(XXᵀ − M) X from X₀ with entries α N(0, 1/n) (Xiong, Ding and Du 2024).

    Parameters as of `lrs.families.matrix_sensing.descent.Descent`.
    """

    traits: ClassVar[Traits] = Traits(eta=True, alpha=True, steps=True, symmetric_gd=True)

    def step(self, at: Factor, gradient: np.ndarray, error: float) -> Factor:
        return Factor(at.X - self.eta * symmetric(gradient) @ at.X)
