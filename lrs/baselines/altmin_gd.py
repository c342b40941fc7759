"""Alternating minimisation and gradient descent of the low-rank model (k = 0): least squares for W, a gradient for U."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from lrs.baselines._stack import Stack
from lrs.baselines.altmin import alternate
from lrs.families.low_rank_sparse.problem import Problem
from lrs.solver import Callback, Solution, Traits


@dataclass(frozen=True, kw_only=True)
class AltMinGD:
    """U ← QR(U + (η / ‖W‖²) Σ_i (1/m_i) X⁽ⁱ⁾ᵀ(y⁽ⁱ⁾ − X⁽ⁱ⁾U w⁽ⁱ⁾) w⁽ⁱ⁾ᵀ), W by least squares; b = 0.

    AltMinGD of Thekumparampil et al. 2021; AltGDmin of Nayer and Vaswani 2022 is the same iteration.

    Parameters
    ----------
    step : float
        η, relative to the largest eigenvalue ‖W‖² of WᵀW; 1 is the inverse curvature of a well-conditioned design.
    max_iterations : int
    tolerance, patience : float, int
        Stop when the residual has not fallen by the factor 1 − tolerance for ``patience`` iterations.
    """

    step: float = 0.8
    max_iterations: int = 2000
    tolerance: float = 1e-4
    patience: int = 10
    family: ClassVar[str] = Problem.family
    traits: ClassVar[Traits] = Traits(sparse=False, warm_start=True)

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        return alternate(problem, callback, self._gradient_step, self.max_iterations, self.tolerance, self.patience)

    def _gradient_step(
        self, stack: Stack, U: Float[np.ndarray, "d r"], W: Float[np.ndarray, "t r"], residuals: list[np.ndarray]
    ) -> Float[np.ndarray, "d r"]:
        curvature = float(np.linalg.norm(W, 2)) ** 2
        if curvature == 0:
            return U
        descent = (stack.adjoint(residuals) / stack.counts[:, None]).T @ W
        return np.linalg.qr(U + self.step / curvature * descent)[0]
