"""The threshold schedule of the paper's preset: Δ = α + c₁(γ + β/√k), γ ← 2Δ after every inner step.

Per task, α ≥ ‖v − v*‖_∞, β ≥ ‖v − v*‖₂ for v = U w, and γ ≥ ‖b − b*‖_∞ (theory: OptimizeSparseVector, restated).
`OracleSchedule` takes the true errors before every inner step, which makes the support-containment lemma checkable;
`GeometricSchedule` is what a user without the truth can run. How the paper itself sets the three numbers outside the
theorem's known constants is not at hand: the data-driven rule is a reconstruction and says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from lrs.core.errors import InvalidInput
from lrs.core.validate import real
from lrs.families.low_rank_sparse.model import LRSModel


class Bounds(NamedTuple):
    """Per-task bounds (t,) before an inner loop: ``alpha`` on ‖v − v*‖_∞, ``beta`` on ‖v − v*‖₂, ``gamma`` on ‖b − b*‖_∞."""

    alpha: Float[np.ndarray, " t"]
    beta: Float[np.ndarray, " t"]
    gamma: Float[np.ndarray, " t"]


@dataclass(frozen=True, eq=False)
class Progress:
    """What a schedule may look at.

    Attributes
    ----------
    iteration : int
        Outer steps taken.
    shared : (t, d) array
        v = U w of every task.
    B : (t, d) array
        Present sparse parts.
    rms, first_rms : (t,) arrays
        ‖y_i − X_iθ⁽ⁱ⁾‖/√m_i now and before the first outer step.
    rank : int
    """

    iteration: int
    shared: Float[np.ndarray, "t d"]
    B: Float[np.ndarray, "t d"]
    rms: Float[np.ndarray, " t"]
    first_rms: Float[np.ndarray, " t"]
    rank: int


@runtime_checkable
class Schedule(Protocol):
    """Gives the bounds for the next inner loop, or for the next inner step when ``every_inner_step``."""

    @property
    def every_inner_step(self) -> bool: ...

    def __call__(self, progress: Progress) -> Bounds: ...


@dataclass(frozen=True, eq=False)
class OracleSchedule:
    """The true errors of the present iterate. For checking the lemma only: it needs the truth."""

    truth: LRSModel
    every_inner_step: bool = True

    def __call__(self, progress: Progress) -> Bounds:
        truth, shared = self.truth, progress.shared
        if shared.shape != (truth.t, truth.d):
            raise InvalidInput(f"truth: has (t, d) = {(truth.t, truth.d)}, but the problem has {shared.shape}")
        error = shared - truth.W @ truth.U.T
        gamma = np.abs(progress.B - truth.B.toarray()).max(axis=1, initial=0.0)
        return Bounds(np.abs(error).max(axis=1, initial=0.0), np.linalg.norm(error, axis=1), gamma)


@dataclass(frozen=True)
class GeometricSchedule:
    """Bounds that shrink geometrically from the size of the data (reconstructed, not the paper's words).

    For rows of covariance I, ‖y − Xθ‖/√m concentrates at ‖θ − θ*‖₂ (plus noise): before the first step it bounds both
    ‖v − v*‖₂ and ‖b − b*‖_∞. An error of v spread as evenly as an incoherent r-plane allows has
    ‖v − v*‖_∞ ≈ √(r/d) ‖v − v*‖₂. All three then shrink by ``decay`` an outer step, but not below ``floor`` times what
    the present residual implies, which is where noise stops them.
    """

    decay: float = 0.85
    floor: float = 0.1
    every_inner_step: bool = False

    def __post_init__(self) -> None:
        real("decay", self.decay, above=0, below=1, what="a factor")
        real("floor", self.floor, least=0)

    def __call__(self, progress: Progress) -> Bounds:
        size = np.maximum(progress.first_rms * self.decay**progress.iteration, self.floor * progress.rms)
        return Bounds(size * np.sqrt(max(progress.rank, 1) / progress.shared.shape[1]), size, size)
