"""Approximate message passing with soft thresholding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from scipy import special

from lrs.core.solver import Traits
from lrs.core.validate import real
from lrs.families.sparse.iteration import Iterative, Step
from lrs.families.sparse.problem import SparseProblem


@dataclass(frozen=True, kw_only=True)
class AMP(Iterative):
    """b ← η(b + Aᵀz; ατ), z ← y − A b + z ‖b‖₀/m with A = X/√m, τ = ‖z‖/√m (Donoho, Maleki and Montanari 2009).

    The last term, of Onsager, is what makes b + Aᵀz look like b* plus Gaussian noise of standard deviation τ, so that state
    evolution follows it. That is a statement about d → ∞: at d ≤ 200 a few runs in a hundred diverge or stall, also with many
    rows. ``info`` of an iterate has ``alpha`` and ``tau``, that of the residual which the next step thresholds.

    Parameters
    ----------
    alpha : float, optional
        Threshold in units of τ. Default: the minimax one of δ = m/d, which reaches the transition of ℓ₁ minimisation.
    """

    alpha: float | None = None
    max_iterations: int = 1000
    traits: ClassVar[Traits] = Traits(exact=False, state_evolution=True, steps=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.alpha is not None:
            real("alpha", self.alpha, above=0)

    def steps(self, problem: SparseProblem) -> Iterator[Step]:
        """From b = 0."""
        scale = np.sqrt(problem.m)
        X, y = problem.X, problem.y / scale
        alpha = minimax_threshold(problem.m / problem.d) if self.alpha is None else self.alpha
        b, z = np.zeros(problem.d), y
        while True:
            tau = float(np.linalg.norm(z)) / scale
            yield b, {"alpha": alpha, "tau": tau}
            b = soft(b + X.T @ z / scale, alpha * tau)
            z = y - X @ b / scale + z * (np.count_nonzero(b) / problem.m)


def soft(v: np.ndarray, threshold: float) -> np.ndarray:
    """η(v; θ) = sign(v) (|v| − θ)₊."""
    return np.sign(v) * np.maximum(np.abs(v) - threshold, 0.0)


@lru_cache(maxsize=1024)
def minimax_threshold(delta: float) -> float:
    """The α > 0 with δ = 2φ(α)/(α + 2(φ(α) − αΦ(−α))); the smallest that is used where δ ≥ 1.

    It attains the largest ρ = k/m that soft thresholding at ατ recovers at δ (Donoho, Maleki and Montanari 2009).
    """

    from scipy import optimize  # slow to import

    def surplus(a: float) -> float:
        phi = np.exp(-(a**2) / 2) / np.sqrt(2 * np.pi)
        return float(2 * phi / (a + 2 * (phi - a * special.ndtr(-a)))) - delta

    return float(optimize.brentq(surplus, 1e-2, 12.0)) if surplus(1e-2) > 0 > surplus(12.0) else 1e-2
