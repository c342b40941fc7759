"""The threshold schedule of the paper's preset: Δ = α + c₁(γ + β/√k), γ ← 2Δ after every inner step.

Per task, α ≥ ‖v − v*‖_∞, β ≥ ‖v − v*‖₂ for v = U w, and γ ≥ ‖b − b*‖_∞ (theory: OptimizeSparseVector, restated).
`OracleSchedule` takes the true errors, which makes the support-containment lemma checkable step by step;
`ResidualSchedule` is what a user without the truth can run. How the paper itself sets the three numbers outside the
theorem's known constants is not at hand: the data-driven rule is a reconstruction and says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from lrs.errors import InvalidInput
from lrs.model import LRSModel


class Bounds(NamedTuple):
    """Per-task bounds (t,) before an inner loop: ``alpha`` on ‖v − v*‖_∞, ``beta`` on ‖v − v*‖₂, ``gamma`` on ‖b − b*‖_∞."""

    alpha: Float[np.ndarray, " t"]
    beta: Float[np.ndarray, " t"]
    gamma: Float[np.ndarray, " t"]


@runtime_checkable
class Schedule(Protocol):
    """Gives the bounds for the next inner loop."""

    def __call__(
        self,
        shared: Float[np.ndarray, "t d"],
        B: Float[np.ndarray, "t d"],
        rms: Float[np.ndarray, " t"],
        freedom: Float[np.ndarray, " t"],
        rank: int,
    ) -> Bounds:
        """``shared`` is U w of every task, ``B`` the sparse parts, ``rms`` = ‖y_i − X_iθ⁽ⁱ⁾‖/√m_i, ``freedom`` m_i."""
        ...


@dataclass(frozen=True, eq=False)
class OracleSchedule:
    """The true errors of the present iterate. For checking the lemma only: it needs the truth."""

    truth: LRSModel

    def __call__(
        self,
        shared: Float[np.ndarray, "t d"],
        B: Float[np.ndarray, "t d"],
        rms: Float[np.ndarray, " t"],
        freedom: Float[np.ndarray, " t"],
        rank: int,
    ) -> Bounds:
        if shared.shape != (self.truth.t, self.truth.d):
            raise InvalidInput(
                f"truth: has (t, d) = {(self.truth.t, self.truth.d)}, but the problem has {shared.shape}"
            )
        error = shared - self.truth.W @ self.truth.U.T
        gamma = np.abs(B - self.truth.B.toarray()).max(axis=1, initial=0.0)
        return Bounds(np.abs(error).max(axis=1, initial=0.0), np.linalg.norm(error, axis=1), gamma)


@dataclass(frozen=True)
class ResidualSchedule:
    """Bounds from the residual (reconstructed, not the paper's words).

    For rows of covariance I, ‖y − Xθ‖/√m concentrates at ‖θ − θ*‖₂ (plus noise), which bounds both ‖v − v*‖₂ and
    ‖b − b*‖_∞ up to the factor ``safety``; an error of v spread over the coordinates as evenly as an incoherent r-plane
    allows has ‖v − v*‖_∞ ≈ √(r/d) ‖v − v*‖₂.
    """

    safety: float = 1.0

    def __post_init__(self) -> None:
        if not self.safety > 0:
            raise InvalidInput(f"safety: expected a positive factor, got {self.safety!r}")

    def __call__(
        self,
        shared: Float[np.ndarray, "t d"],
        B: Float[np.ndarray, "t d"],
        rms: Float[np.ndarray, " t"],
        freedom: Float[np.ndarray, " t"],
        rank: int,
    ) -> Bounds:
        beta = self.safety * rms
        return Bounds(beta * np.sqrt(max(rank, 1) / shared.shape[1]), beta, beta)
