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
    evolution follows it. ``info`` of an iterate has ``alpha`` and ``tau``, that of the residual which the next step thresholds.

    Parameters
    ----------
    alpha : float, optional
        Threshold in units of τ. Default: the minimax one of ε = k/d, which reaches the transition of ℓ₁ minimisation and is the
        least sensitive to noise below it (Donoho, Maleki and Montanari 2011).
    """

    alpha: float | None = None
    max_iterations: int = 1000
    traits: ClassVar[Traits] = Traits(state_evolution=True, steps=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.alpha is not None:
            real("alpha", self.alpha, above=0)

    def steps(self, problem: SparseProblem) -> Iterator[Step]:
        """From b = 0."""
        scale = np.sqrt(problem.m)
        X, y = problem.X, problem.y / scale
        alpha = minimax_threshold(max(problem.sparsity, 1) / problem.d) if self.alpha is None else self.alpha
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
def minimax_threshold(share: float) -> float:
    """The α that minimises the worst risk of soft thresholding at ατ where a share ε of the entries is non-zero, at least .01.

    The risk is ε(1 + α²) + 2(1 − ε)((1 + α²)Φ(−α) − αφ(α)), smallest where εα = 2(1 − ε)(φ(α) − αΦ(−α)); AMP finds b while it
    is below δ = m/d (Donoho, Maleki and Montanari 2009).
    """

    from scipy import optimize  # slow to import

    def surplus(a: float) -> float:
        phi = np.exp(-(a**2) / 2) / np.sqrt(2 * np.pi)
        return float(2 * (1 - share) * (phi - a * special.ndtr(-a)) - share * a)

    return float(optimize.brentq(surplus, 1e-2, 12.0)) if surplus(1e-2) > 0 else 1e-2
