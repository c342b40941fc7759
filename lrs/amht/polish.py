"""What the practical solver does to an answer when noise keeps the data from being explained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from lrs.amht.compression import Samples
from lrs.amht.driver import Run, State
from lrs.amht.matching import same_supports
from lrs.amht.shrinkage import shrink
from lrs.amht.subspace_step import gauss_newton
from lrs.kernels.arguments import Fit
from lrs.kernels.engine import Pass


@dataclass(frozen=True, kw_only=True)
class EqualWeights:
    """Gauss–Newton steps with equal weights except for tasks far above the noise; then b is pruned and w shrunk.

    Parameters
    ----------
    swaps : int
        Exchanges per task and search.
    prune, shrinkage : bool
        See `lrs.amht.AMHT`.
    steps : int
        Gauss–Newton steps at most.
    """

    swaps: int = 8
    prune: bool = True
    shrinkage: bool = True
    steps: int = 8
    works_on: ClassVar[type] = Fit

    def __call__(self, run: Run, state: State) -> State:
        samples, problem = run.samples[0], run.problem
        for _ in range(self.steps if problem.rank else 0):
            before = state
            variance = samples.variance(state.fit)
            freedom = samples.engine.freedom(state.fit)
            score = state.fit.rss / np.maximum(freedom, 1)
            weight = np.where(freedom > 0, np.minimum(1.0, 3 * variance / np.maximum(score, variance)), 0.0)
            state = gauss_newton(samples, state, weight, tolerance=1e-3)
            moved = float(np.linalg.norm(state.U - before.U @ (before.U.T @ state.U)))
            fit = samples.engine.fit(state.U, Pass(swaps=self.swaps), fit=state.fit)
            state = replace(state, fit=fit, level=samples.level(fit), iteration=state.iteration + 1)
            run.show(state)
            if moved < 1e-6 and same_supports(before.fit, fit).all():
                break
        if self.prune and problem.sparsity:
            state = replace(state, fit=pruned(samples, state))
        if self.shrinkage and problem.rank:
            state = replace(state, fit=shrink(samples.engine, state.U, state.fit))
        return state


def pruned(samples: Samples, state: State) -> Fit:
    """The fit without the coordinates whose contribution is what a search over noise finds.

    The risk inflation criterion (Foster and George 1994) asks for 2 σ² log d of the largest of d independent candidates;
    the exchanges search over sets of them, so 3 σ² log d is asked for.
    """
    fit = state.fit
    threshold = 3 * samples.variance(fit) * np.log(max(samples.data.d, 2))
    drop = (fit.support >= 0) & (fit.gain < threshold)
    support = np.where(drop, -1, fit.support)
    tasks = np.flatnonzero(drop.any(axis=1))
    return samples.engine.fit(state.U, Pass(tasks, support[tasks], search=False), fit=fit)
