"""Method of moments: the shared subspace from fourth moments in one pass, no iteration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from lrs.baselines._stack import Progress, Stack
from lrs.families.low_rank_sparse.problem import MultiTaskData, Problem
from lrs.solver import Callback, Solution, Status, Traits


@dataclass(frozen=True, kw_only=True)
class MethodOfMoments:
    """U = top r eigenvectors of (1/n) Σ y² x xᵀ, then least squares for every w (Tripuraneni, Jin and Jordan 2021).

    For x ~ N(0, I) the mean of y² x xᵀ is 2 θθᵀ + (‖θ‖² + σ²) I, whose leading eigenvectors span the θ. The error
    falls with √(1/n) only, so recovery is never exact; b = 0.
    """

    family: ClassVar[str] = Problem.family
    traits: ClassVar[Traits] = Traits(exact=False, sparse=False)

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        stack = Stack(problem.data)
        U = moment_subspace(problem.data, problem.rank)
        W = stack.weights(U, [b.y for b in stack.blocks])
        progress = Progress(problem, callback)
        residual = stack.relative(stack.residuals(W @ U.T))
        progress.record(U, W, np.zeros((stack.t, stack.d)), residual)
        return progress.solution(Status.CONVERGED)


def moment_subspace(data: MultiTaskData, r: int) -> Float[np.ndarray, "d r"]:
    """Leading r eigenvectors of (1/n) Σ y² x xᵀ over all rows."""
    weighted = data.X * data.y[:, None]
    return np.linalg.eigh(weighted.T @ weighted / data.n)[1][:, ::-1][:, :r]
