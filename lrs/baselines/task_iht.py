"""Sparse regression per task by iterative hard thresholding: personal parts only, nothing shared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from lrs.baselines._stack import Plateau, Progress, Stack, top_k
from lrs.families.low_rank_sparse.problem import Problem
from lrs.solver import Callback, Solution, Status, Traits


@dataclass(frozen=True, kw_only=True)
class TaskIHT:
    """b ← P_k(b + μ X⁽ⁱ⁾ᵀ(y⁽ⁱ⁾ − X⁽ⁱ⁾b)), all tasks at once (Blumensath and Davies 2009, 2010).

    Parameters
    ----------
    step : float, optional
        Fixed step μ = step / m_i. Default: the normalised step ‖g_S‖² / ‖X g_S‖² of Blumensath and Davies 2010, S the
        present support. A fixed step of 1 diverges for Gaussian designs with few rows (2δ_{3k} ≥ 1).
    max_iterations : int
    tolerance, patience : float, int
        Stop when the residual has not fallen by the factor 1 − tolerance for ``patience`` iterations.
    """

    step: float | None = None
    max_iterations: int = 500
    tolerance: float = 1e-4
    patience: int = 10
    family: ClassVar[str] = Problem.family
    traits: ClassVar[Traits] = Traits(low_rank=False)

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        stack, k, r = Stack(problem.data), problem.sparsity, problem.rank
        U, W = np.eye(stack.d, r), np.zeros((stack.t, r))
        B = np.zeros((stack.t, stack.d))
        progress, plateau = Progress(problem, callback), Plateau(self.tolerance, self.patience)
        residuals = stack.residuals(B)
        progress.record(U, W, B, stack.relative(residuals))
        for _ in range(self.max_iterations):
            B = iht_step(stack, B, residuals, k, self.step)
            residuals = stack.residuals(B)
            residual = stack.relative(residuals)
            if not progress.record(U, W, B, residual):
                return progress.solution(Status.DIVERGED)
            if residual <= 1e-15 or plateau.reached(residual):
                return progress.solution(progress.settled())
        return progress.solution(Status.ITERATION_CAP)


def iht_step(
    stack: Stack, B: Float[np.ndarray, "t d"], residuals: list[np.ndarray], k: int, step: float | None = None
) -> Float[np.ndarray, "t d"]:
    """One thresholded gradient step of every task, with the normalised step unless one is given."""
    gradient = stack.adjoint(residuals)
    if step is not None:
        return top_k(B + step / stack.counts[:, None] * gradient, k)
    # Before there is a support, the one the gradient itself would choose.
    support = np.where((B != 0).any(axis=1, keepdims=True), B != 0, top_k(gradient, k) != 0)
    masked = np.where(support, gradient, 0.0)
    length = np.einsum("td,td->t", masked, masked)
    image = stack.squares(stack.apply(masked))
    size = np.divide(length, image, out=1.0 / stack.counts, where=image > 0)
    return top_k(B + size[:, None] * gradient, k)
