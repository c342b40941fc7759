"""One ridge regression for all tasks together: what sharing everything gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lrs.baselines._stack import Progress, Stack, shared_direction
from lrs.families.low_rank_sparse.problem import Problem
from lrs.hierarchical.ridge import ALPHAS, ridge_loo
from lrs.solver import Callback, Solution, Status, Traits


@dataclass(frozen=True, kw_only=True)
class GlobalModel:
    """θ⁽ⁱ⁾ = θ for every task: min_θ Σ_i ‖y⁽ⁱ⁾ − X⁽ⁱ⁾θ‖² + α‖θ‖² (Hoerl and Kennard 1970), by scikit-learn.

    Parameters
    ----------
    alphas : tuple of float
        Candidates for α relative to the mean squared column norm of X; chosen by leave-one-out error.

    Notes
    -----
    The answer is stored as the first direction of U with equal weights (in B when the problem has rank 0).
    """

    alphas: tuple[float, ...] = ALPHAS
    family: ClassVar[str] = Problem.family
    traits: ClassVar[Traits] = Traits(exact=False, low_rank=False, sparse=False)

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        data = problem.data
        theta = ridge_loo(data.X, data.y, self.alphas)
        progress = Progress(problem, callback)
        stack = Stack(data)
        residual = stack.relative(stack.residuals(np.broadcast_to(theta, (data.t, data.d))))
        progress.record(*shared_direction(theta, data.t, problem.rank), residual)
        return progress.solution(Status.CONVERGED)
