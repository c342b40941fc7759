"""A ridge regression per task: what sharing nothing gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lrs.baselines._stack import Progress, Stack
from lrs.families.low_rank_sparse.problem import Problem
from lrs.hierarchical.ridge import ALPHAS, ridge_loo
from lrs.solver import Callback, Solution, Status, Traits


@dataclass(frozen=True, kw_only=True)
class TaskRidge:
    """min_θ ‖y⁽ⁱ⁾ − X⁽ⁱ⁾θ‖² + α_i‖θ‖² for each task by itself (Hoerl and Kennard 1970), by scikit-learn.

    Parameters
    ----------
    alphas : tuple of float
        Candidates for α_i relative to the mean squared column norm of X⁽ⁱ⁾; chosen per task by leave-one-out error.

    Notes
    -----
    θ⁽ⁱ⁾ has no structure, so it is stored in B, which is then dense, with W = 0.
    """

    alphas: tuple[float, ...] = ALPHAS
    family: ClassVar[str] = Problem.family
    traits: ClassVar[Traits] = Traits(exact=False, low_rank=False, sparse=False)

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        data, r = problem.data, problem.rank
        theta = np.array([ridge_loo(X, y, self.alphas) for X, y in data])
        progress = Progress(problem, callback)
        stack = Stack(data)
        progress.record(np.eye(data.d, r), np.zeros((data.t, r)), theta, stack.relative(stack.residuals(theta)))
        return progress.solution(Status.CONVERGED)
