"""One shared model plus a sparse correction per task: the rank-one, equal-weights case of low rank + sparse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lrs.baselines._stack import Plateau, Progress, Stack, shared_direction
from lrs.baselines.task_iht import iht_step
from lrs.families.low_rank_sparse.problem import Problem
from lrs.solver import Callback, Solution, Status, Traits


@dataclass(frozen=True, kw_only=True)
class GlobalSparse:
    """θ⁽ⁱ⁾ = θ + b⁽ⁱ⁾ with ‖b⁽ⁱ⁾‖₀ ≤ k: alternate a pooled least-squares θ with one normalised IHT step of every b.

    The sparse-deviation form of the "dirty model" (Jalali et al. 2010) with hard thresholds in place of ℓ₁.

    Parameters
    ----------
    max_iterations : int
    tolerance, patience : float, int
        Stop when the residual has not fallen by the factor 1 − tolerance for ``patience`` iterations.

    Notes
    -----
    θ is stored as the first direction of U with equal weights (in B when the problem has rank 0).
    """

    max_iterations: int = 1000
    tolerance: float = 1e-4
    patience: int = 10
    family: ClassVar[str] = Problem.family
    traits: ClassVar[Traits] = Traits(low_rank=False)

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        data, k, r = problem.data, problem.sparsity, problem.rank
        stack = Stack(data)
        t, d = stack.t, stack.d
        # The design is the same in every pass: one pseudo-inverse of its Gram serves all of them.
        inverse = np.linalg.pinv(data.X.T @ data.X, rcond=1e-13, hermitian=True)
        B = np.zeros((t, d))
        theta = np.zeros(d)
        residuals = [b.y for b in stack.blocks]
        progress, plateau = Progress(problem, callback), Plateau(self.tolerance, self.patience)
        progress.record(*shared_direction(theta, t, r), stack.relative(residuals))
        for _ in range(self.max_iterations):
            theta = theta + inverse @ stack.adjoint(residuals).sum(axis=0)
            residuals = stack.residuals(B + theta)
            B = iht_step(stack, B, residuals, k)
            residuals = stack.residuals(B + theta)
            residual = stack.relative(residuals)
            U, W, shared = shared_direction(theta, t, r)
            if not progress.record(U, W, shared + B, residual):
                return progress.solution(Status.DIVERGED)
            if residual <= 1e-15 or plateau.reached(residual):
                return progress.solution(progress.settled())
        return progress.solution(Status.ITERATION_CAP)
