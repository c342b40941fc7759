"""Normalised alternating hard thresholding for a low-rank plus a sparse matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from lrs.baselines._stack import Plateau, Progress, Stack
from lrs.baselines.task_iht import iht_step
from lrs.families.low_rank_sparse.problem import Problem
from lrs.solver import Callback, Solution, Status, Traits


@dataclass(frozen=True, kw_only=True)
class NAHT:
    """L ← P_r(L + α G), S ← P_k(S + β G) by turns, G = (X⁽ⁱ⁾ᵀ(y⁽ⁱ⁾ − X⁽ⁱ⁾(l⁽ⁱ⁾ + s⁽ⁱ⁾)))_i (Tanner and Vary 2020).

    P_r keeps the leading r singular triples of the t × d matrix, P_k the k largest entries of every row (the paper's
    P_k is over the whole matrix; here every task has its own k). Steps are normalised as in NIHT: α = ‖P G‖² / ‖A(P G)‖²
    with P the projection onto the present row space, β per task on the present support. Details are remembered from the
    paper, not quoted [M].

    Parameters
    ----------
    max_iterations : int
    tolerance, patience : float, int
        Stop when the residual has not fallen by the factor 1 − tolerance for ``patience`` iterations.
    """

    max_iterations: int = 3000
    tolerance: float = 1e-3
    patience: int = 60
    family: ClassVar[str] = Problem.family
    traits: ClassVar[Traits] = Traits()

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        stack, r, k = Stack(problem.data), problem.rank, problem.sparsity
        t, d = stack.t, stack.d
        U, W, S = np.eye(d, r), np.zeros((t, r)), np.zeros((t, d))
        residuals = [b.y for b in stack.blocks]
        progress, plateau = Progress(problem, callback), Plateau(self.tolerance, self.patience)
        progress.record(U, W, S, stack.relative(residuals))
        for _ in range(self.max_iterations):
            if r:
                U, W = self._low_rank_step(stack, U, W, residuals)
                residuals = stack.residuals(W @ U.T + S)
            if k:
                S = iht_step(stack, S, residuals, k)
                residuals = stack.residuals(W @ U.T + S)
            residual = stack.relative(residuals)
            if not progress.record(U, W, S, residual):
                return progress.solution(Status.DIVERGED)
            if residual <= 1e-14 or plateau.reached(residual):
                return progress.solution(progress.settled())
        return progress.solution(Status.ITERATION_CAP)

    @staticmethod
    def _low_rank_step(
        stack: Stack, U: Float[np.ndarray, "d r"], W: Float[np.ndarray, "t r"], residuals: list[np.ndarray]
    ) -> tuple[Float[np.ndarray, "d r"], Float[np.ndarray, "t r"]]:
        G = stack.adjoint(residuals)
        if not W.any():  # no row space yet: the leading one of the gradient
            U = leading(G, U.shape[1])[0]
        along = (G @ U) @ U.T
        image = float(stack.squares(stack.apply(along)).sum())
        step = float(np.vdot(along, along)) / image if image > 0 else 1.0 / float(stack.counts.max())
        return leading(W @ U.T + step * G, U.shape[1])


def leading(V: Float[np.ndarray, "t d"], r: int) -> tuple[Float[np.ndarray, "d r"], Float[np.ndarray, "t r"]]:
    """U (orthonormal) and W with W Uᵀ the best rank-r approximation of V, from the d × d Gram matrix.

    The eigenvectors of VᵀV cost t d² + O(d³) instead of a full SVD; W = V U makes the product accurate to rounding for the
    computed span.
    """
    U = np.linalg.eigh(V.T @ V)[1][:, ::-1][:, :r]
    return U, V @ U
