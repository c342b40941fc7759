"""ℓ₁ minimisation with the shared subspace given: the yardstick whose law is known at every finite size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from scipy import optimize

from lrs.baselines._stack import Progress, top_k
from lrs.core.errors import InvalidInput
from lrs.families.low_rank_sparse.problem import Problem
from lrs.solver import Callback, Solution, Status, Traits

#: Entries of a vertex below this share of the largest are rounding of the linear program.
_ROUNDING = 1e-7


@dataclass(frozen=True, kw_only=True)
class EllOne:
    """min ‖b⁽ⁱ⁾‖₁ subject to y⁽ⁱ⁾ = X⁽ⁱ⁾(U w⁽ⁱ⁾ + b⁽ⁱ⁾) for every task, U = ``problem.warm_start.U``.

    w is eliminated by the rows orthogonal to the columns of X U (b plus any vector of span(U) satisfies them too, however many
    rows there are), and the rest is a linear program (basis pursuit, Chen,
    Donoho and Saunders 1998; HiGHS). A solution with at most k non-zeros is made exact by least squares on its support. One
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
    if (
        len(X) > X.shape[1]
    ):  # as many equations as unknowns say the same, and rounding cannot make those contradict one another
        Q, X = np.linalg.qr(X)
        y = Q.T @ y
    r, XU = U.shape[1], X @ U
    A, z = X, y
    if r:
        rest = np.linalg.qr(XU, mode="complete")[0][:, r:]  # (m, m − r): none when m ≤ r
        A, z = rest.T @ X, rest.T @ y
    b = np.zeros(X.shape[1])
    if len(z):
        found = optimize.linprog(np.ones(2 * len(b)), A_eq=np.hstack([A, -A]), b_eq=z, method="highs")
        if found.x is not None:  # None: two rows contradict each other
            b = found.x[: len(b)] - found.x[len(b) :]
    support = np.flatnonzero(np.abs(b) > _ROUNDING * np.abs(b).max(initial=0.0))
    if len(support) <= k:
        fit = np.linalg.lstsq(np.hstack([XU, X[:, support]]), y, rcond=None)[0]
        b = np.zeros_like(b)
        b[support] = fit[r:]
        return fit[:r], b
    return np.linalg.lstsq(XU, y - X @ b, rcond=None)[0], top_k(b[None], k)[0]
