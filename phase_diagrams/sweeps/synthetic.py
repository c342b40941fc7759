"""Solvers whose boundary is known, to test the pipeline with.

`Synthetic` recovers exactly when m exceeds a random threshold. `U_GIVEN` is low rank + sparse with the true U in the problem, for
`lrs.baselines.EllOne`, whose law is `theory.statistics.exact_laws.EllOne` at m − r rows.

The threshold of a replicate of `Synthetic` is logistic around `boundary` with scale ``width``, a function of the instance's key alone,
so that success is monotone in m within a replicate, as it is for nested data. The answer is read off the data by
hashing, no equation is solved, and a trial costs well under a millisecond at small sizes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from scipy import sparse

from lrs.baselines import EllOne
from lrs.families.low_rank_sparse.family import LowRankSparse
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import Instance, Problem
from lrs.families.low_rank_sparse.spec import InstanceSpec
from lrs.solver import Callback, Iterate, Solution, Status, Traits


@dataclass(frozen=True, kw_only=True)
class Synthetic:
    """Recovers, on a single task with r = 0 and k = d, iff m ≥ m*, m* ~ Logistic(x50 + slope · d, width).

    Parameters
    ----------
    x50, slope, width : float
        Of the threshold's law.
    seconds : float
        Time a trial takes, spent computing.
    """

    x50: float = 20.0
    slope: float = 2.0
    width: float = 2.0
    seconds: float = 0.0
    traits: ClassVar[Traits] = Traits(exact=True, low_rank=False)

    def boundary(self, d: float) -> float:
        """The level of m at which half of the replicates recover."""
        return self.x50 + self.slope * d

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        start = time.perf_counter()
        while time.perf_counter() - start < self.seconds:
            pass
        data = problem.data
        # The solver's stream does not depend on m, so its first number serves as the replicate's own quantile.
        quantile = rng.random()
        threshold = self.boundary(data.d) + self.width * np.log(quantile / (1 - quantile))
        theta = np.zeros((data.t, data.d))
        if data.counts.min() >= threshold:
            theta = np.array([np.linalg.lstsq(X, y, rcond=None)[0] for X, y in data])
        model = LRSModel(np.zeros((data.d, 0)), np.zeros((data.t, 0)), sparse.csr_array(theta))
        if callback is not None:
            callback(Iterate(1, model, 0.0))
        return Solution(model, Status.CONVERGED, 1)


def wide() -> Synthetic:
    """Width 5."""
    return Synthetic(width=5.0)


def medium() -> Synthetic:
    """Width 2."""
    return Synthetic()


def sharp() -> Synthetic:
    """Width 0.5."""
    return Synthetic(width=0.5)


def ten_milliseconds() -> Synthetic:
    """Width 2, computing for 10 ms."""
    return Synthetic(seconds=0.01)


class SubspaceGiven(LowRankSparse):
    """Low rank + sparse in which a solver may read the true U off ``problem.warm_start`` (whose W and B are 0)."""

    name: ClassVar[str] = "low-rank-sparse-u-given"
    title: ClassVar[str] = "low rank + sparse with U given"

    def draw(self, spec: InstanceSpec, key: Sequence[int]) -> Instance:
        """As `lrs.generate`, with the truth's U as the start."""
        drawn = super().draw(spec, key)
        nothing = sparse.csr_array((spec.t, spec.d))
        start = LRSModel(drawn.truth.U, np.zeros((spec.t, spec.r)), nothing)
        return replace(drawn, problem=replace(drawn.problem, warm_start=start))


U_GIVEN = SubspaceGiven()


@dataclass(frozen=True, kw_only=True)
class EllOneGiven(EllOne):
    """ℓ₁ minimisation in `SubspaceGiven`."""

    family: ClassVar[str] = SubspaceGiven.name
