"""The convex relaxation: nuclear norm + ℓ₁, by accelerated proximal gradient with adaptive restart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from lrs.baselines._stack import Progress, Stack, complete_basis, top_k
from lrs.families.low_rank_sparse.problem import Problem
from lrs.solver import Callback, Solution, Status, Traits


@dataclass(frozen=True, kw_only=True)
class Convex:
    """min_{L, S} ½ Σ_i ‖y⁽ⁱ⁾ − X⁽ⁱ⁾(l⁽ⁱ⁾ + s⁽ⁱ⁾)‖²/m_i + λ(‖L‖_* + γ‖S‖₁), then U from L, supports from S, refit.

    The relaxation of Chandrasekaran et al. 2011, Candès et al. 2011 and, for regression, Agarwal et al. 2012; FISTA
    (Beck and Teboulle 2009) with the gradient restart of O'Donoghue and Candès 2015, along a path of falling λ.

    Parameters
    ----------
    gamma : float, optional
        Ratio of the two penalties. Default √(2 ln(td)) / (√t + √d): the ratio of the ℓ_∞ and operator norms of an i.i.d.
        matrix, so that neither penalty absorbs what a random gradient would put into the other [D].
    smallest : float
        Last λ relative to the first one at which the answer is not zero. With noise the path ends at the noise level
        σ(√t + √d)/√m instead, if that is larger.
    stages, iterations_per_stage : int
        Length of the path and iterations at each of its points.
    refit : bool
        Least squares on the leading r directions of L and the k largest entries of each row of S; the penalties bias the
        unrefitted answer, whose L is truncated to rank r.
    """

    gamma: float | None = None
    smallest: float = 1e-4
    stages: int = 12
    iterations_per_stage: int = 150
    tolerance: float = 1e-7
    refit: bool = True
    family: ClassVar[str] = Problem.family
    traits: ClassVar[Traits] = Traits(exact=False)

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        stack = Stack(problem.data)
        t, d = stack.t, stack.d
        gamma = self.gamma or np.sqrt(2 * np.log(max(t * d, 2))) / (np.sqrt(t) + np.sqrt(d))
        # Largest curvature of the loss: per task λ_max(XᵀX/m), twice because L and S both carry the whole gradient.
        lipschitz = 2 * max(float(np.linalg.norm(X, 2)) ** 2 / len(X) for X, _ in problem.data)
        step = 1.0 / lipschitz if lipschitz else 1.0

        def gradient(L: np.ndarray, S: np.ndarray) -> np.ndarray:
            return -stack.adjoint(stack.residuals(L + S)) / stack.counts[:, None]

        L, S = np.zeros((t, d)), np.zeros((t, d))
        first = gradient(L, S)
        largest = max(float(np.linalg.norm(first, 2)), float(np.abs(first).max()) / gamma)
        noise_level = problem.noise * (np.sqrt(t) + np.sqrt(d)) / np.sqrt(stack.counts.mean())
        last = max(self.smallest * largest, noise_level)
        progress = Progress(problem, callback)
        progress.record(*self._model(problem, stack, L, S), 1.0)
        if largest == 0:
            return progress.solution(Status.CONVERGED)
        status = Status.CONVERGED
        for penalty in np.geomspace(largest, min(last, largest), self.stages):
            YL, YS, momentum = L, S, 1.0
            status = Status.ITERATION_CAP
            for _ in range(self.iterations_per_stage):
                G = step * gradient(YL, YS)
                newL = shrink_singular_values(YL - G, step * penalty)
                newS = shrink(YS - G, step * penalty * gamma)
                dL, dS = newL - L, newS - S
                if np.vdot(YL - newL, dL) + np.vdot(YS - newS, dS) > 0:
                    momentum = 1.0  # the momentum points uphill: restart it
                following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
                YL = newL + (momentum - 1) / following * dL
                YS = newS + (momentum - 1) / following * dS
                L, S, momentum = newL, newS, following
                change = np.sqrt(np.vdot(dL, dL) + np.vdot(dS, dS))
                if change <= self.tolerance * (np.linalg.norm(L) + np.linalg.norm(S)):
                    status = Status.CONVERGED
                    break
            U, W, B = self._model(problem, stack, L, S)
            residual = stack.relative(stack.residuals(W @ U.T + B))
            if not progress.record(U, W, B, residual, penalty=penalty):
                return progress.solution(Status.DIVERGED)
        rank = int(np.linalg.matrix_rank(L, tol=1e-8 * max(1.0, float(np.linalg.norm(L, 2)))))
        return progress.solution(status, rank=rank, nonzeros=int(np.count_nonzero(S)))

    def _model(
        self, problem: Problem, stack: Stack, L: np.ndarray, S: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        r, k = problem.rank, problem.sparsity
        P, s, Qt = np.linalg.svd(L, full_matrices=False)
        U = complete_basis(Qt[:r].T, r)  # fewer tasks than directions leave some of them open
        W = np.zeros((stack.t, r))
        W[:, : len(s)] = (P * s)[:, :r]
        if not self.refit:
            return U, W, S
        B = np.zeros((stack.t, stack.d))
        kept = top_k(S, k) != 0
        for i, (X, y) in enumerate(problem.data):
            A = np.hstack([X @ U, X[:, kept[i]]])
            fit = np.linalg.lstsq(A, y, rcond=None)[0]
            W[i], B[i, kept[i]] = fit[:r], fit[r:]
        return U, W, B


def shrink(V: Float[np.ndarray, "t d"], amount: float) -> Float[np.ndarray, "t d"]:
    """Soft threshold: the proximal map of amount·‖·‖₁."""
    return np.sign(V) * np.maximum(np.abs(V) - amount, 0.0)


def shrink_singular_values(V: Float[np.ndarray, "t d"], amount: float) -> Float[np.ndarray, "t d"]:
    """Soft threshold of the singular values: the proximal map of amount·‖·‖_*."""
    P, s, Qt = np.linalg.svd(V, full_matrices=False)
    kept = s > amount
    return (P[:, kept] * (s[kept] - amount)) @ Qt[kept]
