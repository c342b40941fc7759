"""State evolution of low rank + sparse: few tasks with given weights, and the limit of many tasks.

**Few tasks** (t and r fixed, d → ∞, m_i/d fixed, X_i with independent N(0, 1) entries). The rows of Θ,
θ_j = W u_j + b_j ∈ Rᵗ, are independent draws, u_j ~ N(0, I_r/d), b_ij zero or N(0, s²) with probability k/d. Every design row
belongs to one task, so that the error that task i sees has a variance of its own and is independent of the others':

    r_j = θ_j + τ ⊙ Z_j, Z_j ~ N(0, I_t),   E_i ← d E Var(θ_ij | r_j),   τ_i² ← (σ² + E_i)/m_i.

Derived here, and checked by the messages themselves (`lrs.baselines.amp`, ``property_tests/benchmarks/state_evolution.py``);
no published statement for this model is known to us. The limit depends on the W drawn: it is given W.

Numerically E_i is the mean of the posterior variance over rows r_j drawn from their law. That variance is a finite sum over the
2ᵗ supports, without a quadrature in u (`lrs.kernels.definitions.row_posteriors`); the mean is taken over scrambled Sobol
points, in independent halves that say how far off it is.

**Many tasks** (t ≫ d): U is known for free, and the limit is that of sparse regression with r more unknowns
(`theory.evolution.SparseRegression`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import special, stats

from lrs.core.errors import InvalidInput
from lrs.core.validate import integer, real
from lrs.kernels import kernel
from lrs.kernels.arguments import Channel, RowPosterior
from theory.evolution import Evolution, SparsePrior, SparseRegression

#: With more tasks than this the sum over supports is too long.
MOST_TASKS = 12
#: Independent scramblings, whose scatter is the error of the mean; points of all of them together times supports.
SCRAMBLINGS, WORK = 8, 2**21


@dataclass(frozen=True, eq=False)
class FewTasks(Evolution):
    """State evolution given the weights.

    Parameters
    ----------
    W : (t, r) array
        Weights of tasks whose subspace has orthonormal columns, as the generator draws them.
    m : int or (t,) array
        Rows.
    d, k : int
        Features, and expected non-zeros of a personal part.
    sigma : float
        Noise of a row.
    slab : float
        Standard deviation of the non-zeros.
    points, seed : int
        Rows of Θ drawn, and of which scrambling.
    """

    W: Float[np.ndarray, "t r"]
    m: Any
    d: int
    k: float
    sigma: float
    slab: float = 1.0
    points: int | None = None
    seed: int = 0
    settled: ClassVar[float] = 1e-4  # what the points leave uncertain is more

    def __post_init__(self) -> None:
        W = np.asarray(self.W, dtype=np.float64)
        if W.ndim != 2 or not 1 <= len(W) <= MOST_TASKS or not np.isfinite(W).all():
            raise InvalidInput(
                f"W: expected finite weights of 1 to {MOST_TASKS} tasks, one row each, got shape {W.shape}; for more tasks "
                "take many_tasks"
            )
        integer("d", self.d, least=1)
        real("k", self.k, least=0, most=self.d)
        real("sigma", self.sigma, least=0)
        real("slab", self.slab, above=0)
        rows = np.broadcast_to(np.asarray(self.m, dtype=np.float64), len(W))
        if not (rows >= 1).all():
            raise InvalidInput(f"m: expected at least one row a task, got {self.m!r}")
        points = self.points or 2 ** min(14, int(np.log2(WORK)) - len(W))
        integer("points", points, least=1)
        for name, value in (("W", W), ("m", rows), ("points", points)):
            object.__setattr__(self, name, value)

    @property
    def rows(self) -> Float[np.ndarray, " t"]:
        """As in `Evolution`."""
        return np.asarray(self.m)

    @property
    def prior(self) -> Float[np.ndarray, " t"]:
        """As in `Evolution`."""
        return np.asarray((self.W**2).sum(axis=1) + self.k * self.slab**2)

    @cached_property
    def _uniform(self) -> Float[np.ndarray, "points width"]:
        width = self.W.shape[1] + len(self.W)
        u = stats.qmc.Sobol(width, seed=np.random.default_rng([self.seed, width])).random(self.points)
        return np.clip(u, 1e-12, 1 - 1e-12)

    def remaining(self, variance: Float[np.ndarray, " t"]) -> Float[np.ndarray, " t"]:
        """As in `Evolution`."""
        t, r = self.W.shape
        rate = self.k / self.d
        variance = np.maximum(variance, 1e-300)
        u = special.ndtri(self._uniform[:, :r])
        # b_ij + τ_i Z_ij in one uniform number: below the rate it is wide, above narrow.
        v = self._uniform[:, r:]
        spread = np.where(v < rate, np.sqrt(variance + self.slab**2), np.sqrt(variance))
        share = np.where(v < rate, v / (rate or 1.0), (v - rate) / ((1 - rate) or 1.0))
        weights = self.W / np.sqrt(self.d)
        R = u @ weights.T + spread * special.ndtri(np.clip(share, 1e-12, 1 - 1e-12))
        out = RowPosterior.empty(len(R), t, r)
        kernel("row_posteriors")(R, Channel(weights, variance, rate, self.slab**2), out)
        return np.asarray(self.d * out.variance.mean(axis=0))


class Curve(NamedTuple):
    """Errors (iterations + 1, t) of every task, and the standard error of their mean over tasks (iterations + 1,)."""

    errors: Float[np.ndarray, "steps t"]
    standard_error: Float[np.ndarray, " steps"]


def curve(evolution: FewTasks, iterations: int) -> Curve:
    """State evolution with its numerical error: the mean over `SCRAMBLINGS` independent scramblings."""
    part: Callable[..., FewTasks] = partial(
        FewTasks, evolution.W, evolution.rows, evolution.d, evolution.k, evolution.sigma, evolution.slab
    )
    points = max(1, evolution.points // SCRAMBLINGS) if evolution.points else None
    curves = np.array([part(points, evolution.seed + n).curve(iterations) for n in range(SCRAMBLINGS)])
    scatter = curves.mean(axis=2).std(axis=0, ddof=1) / np.sqrt(SCRAMBLINGS)
    return Curve(curves.mean(axis=0), scatter)


def many_tasks(*, m: int, d: int, r: int, k: int, sigma: float, sparse: SparsePrior | None = None) -> SparseRegression:
    """The limit of many tasks: U known, r weights and a sparse part from m rows.

    Parameters
    ----------
    m, d, r, k : int
    sigma : float
    sparse : SparsePrior, optional
        Law of the entries of b; default: that of the generator, ± U(½, 3/2) with probability k/d.
    """
    for name, value in (("r", r), ("k", k)):
        integer(name, value, least=0, most=d)
    return SparseRegression(m, d, sigma, sparse or SparsePrior(k / d), shared=r)
