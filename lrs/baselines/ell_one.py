"""ℓ₁ minimisation with the shared subspace given: the yardstick whose law is known at every finite size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from lrs.baselines._stack import Progress, top_k
from lrs.core.errors import InvalidInput
from lrs.families.low_rank_sparse.problem import Problem
from lrs.families.sparse.basis_pursuit import least_ell_one, no_more_than_unknowns
from lrs.solver import Callback, Solution, Status, Traits


@dataclass(frozen=True, kw_only=True)
class EllOne:
    """min ‖b⁽ⁱ⁾‖₁ subject to y⁽ⁱ⁾ = X⁽ⁱ⁾(U w⁽ⁱ⁾ + b⁽ⁱ⁾) for every task, U = ``problem.warm_start.U``.

    w is eliminated by the rows orthogonal to the columns of X U (b plus any vector of span(U) satisfies them too, however many
    rows there are), and the rest is basis pursuit. A solution with at most k non-zeros is made exact by least squares on its support. One
    with more is not refitted, since the refit might find what ℓ₁ minimisation did not; its k largest entries are the answer.
    """

    family: ClassVar[str] = Problem.family
    traits: ClassVar[Traits] = Traits(noise=False, warm_start=True, trace=False)

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        if problem.warm_start is None:
            raise InvalidInput("warm_start: ℓ₁ minimisation needs the subspace; pass a model with the U that is known")
        U, k = problem.warm_start.U, problem.sparsity
        W, B = np.zeros((problem.t, problem.rank)), np.zeros((problem.t, problem.d))
        left, scale = 0.0, float(np.linalg.norm(problem.data.y)) or 1.0
        for i, (X, y) in enumerate(problem.data):
            W[i], B[i] = _task(X, y, U, k)
            left += float(np.sum((y - X @ (U @ W[i] + B[i])) ** 2))
        progress = Progress(problem, callback)
        progress.record(U, W, B, np.sqrt(left) / scale)
        return progress.solution(Status.CONVERGED)


def _task(
    X: Float[np.ndarray, "m d"], y: Float[np.ndarray, " m"], U: Float[np.ndarray, "d r"], k: int
) -> tuple[np.ndarray, np.ndarray]:
    X, y = no_more_than_unknowns(X, y)
    r, XU = U.shape[1], X @ U
    A, z = X, y
    if r:
        rest = np.linalg.qr(XU, mode="complete")[0][:, r:]  # (m, m − r): none when m ≤ r
        A, z = rest.T @ X, rest.T @ y
    b = least_ell_one(A, z)
    support = np.flatnonzero(b)
    if len(support) <= k:
        fit = np.linalg.lstsq(np.hstack([XU, X[:, support]]), y, rcond=None)[0]
        b = np.zeros_like(b)
        b[support] = fit[r:]
        return fit[:r], b
    return np.linalg.lstsq(XU, y - X @ b, rcond=None)[0], top_k(b[None], k)[0]
