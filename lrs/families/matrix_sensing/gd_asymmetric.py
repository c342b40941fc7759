"""Gradient descent on two factors whose starts differ in size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lrs.core.solver import Traits
from lrs.families.matrix_sensing.descent import Descent
from lrs.families.matrix_sensing.problem import Factor, SensingProblem


@dataclass(frozen=True)
class AsymmetricGD(Descent):
    """F ← F − ηRG, G ← G − ηRᵀF, R = 𝒜*𝒜(FGᵀ − M), from F₀ ~ α N(0, 1/n) and G₀ ~ α/3 N(0, 1/n) (Xiong, Ding and Du 2024).

    FᵀF − GᵀG hardly changes, and what the starts make it differ by is what the excess directions converge at: the imbalance
    is the method. Parameters as of `lrs.families.matrix_sensing.descent.Descent`.
    """

    traits: ClassVar[Traits] = Traits(eta=True, alpha=True, steps=True, asymmetric_gd=True)

    def start(self, problem: SensingProblem, rng: np.random.Generator) -> Factor:
        scale, k = self.alpha / np.sqrt(problem.n), problem.rank
        return Factor(scale * rng.standard_normal((problem.n, k)), scale / 3 * rng.standard_normal((problem.n2, k)))

    def step(self, at: Factor, gradient: np.ndarray, error: float) -> Factor:
        F, G = at.X, at.Y
        assert G is not None
        return Factor(F - self.eta * gradient @ G, G - self.eta * gradient.T @ F)
