"""AMHT-LRS written from the paper's description alone, as a reader of the paper would: no code of `lrs.amht` was used.

Three plain steps per round for every task and once for all (objective, hard threshold and least-squares steps as the
abstract and the first pages describe them). What the paper leaves to constants is filled in the obvious way: the
threshold starts at the size of the parameters and falls by a fixed factor, the start is the moment estimator of the
subspace.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from lrs import LRSModel, Problem, Solution
from lrs.solver import Callback, Iterate, Status, Traits, relative_residual


def hard_threshold(v: np.ndarray, level: float) -> np.ndarray:
    """HT(v, Δ)_i = v_i if |v_i| > Δ else 0."""
    return np.where(np.abs(v) > level, v, 0.0)


def amht_lrs(problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
    """Alternate b (thresholded gradient steps), w (least squares) and U (least squares over all tasks, then QR)."""
    tasks, d, t, r = list(problem.data), problem.d, problem.t, problem.rank
    M = np.zeros((d, d))
    for X, y in tasks:
        s = X.T @ y / len(y)
        M += np.outer(s, s) - (X * (y / len(y))[:, None] ** 2).T @ X
    U = np.linalg.eigh(M)[1][:, ::-1][:, :r]
    W = np.array([np.linalg.lstsq(X @ U, y, rcond=None)[0] for X, y in tasks])
    B = np.zeros((t, d))
    level = max(float(np.linalg.norm(y) / np.sqrt(len(y))) for _, y in tasks)
    for step in range(1, 151):
        A, V = np.zeros((d * r, d * r)), np.zeros((d, r))
        for i, (X, y) in enumerate(tasks):
            for _ in range(4):
                B[i] = hard_threshold(B[i] + X.T @ (y - X @ (U @ W[i] + B[i])) / len(y), level)
            W[i] = np.linalg.lstsq(X @ U, y - X @ B[i], rcond=None)[0]
            A += np.kron(np.outer(W[i], W[i]), X.T @ X)
            V += np.outer(X.T @ (y - X @ B[i]), W[i])
        U, R = np.linalg.qr(np.linalg.lstsq(A, V.ravel(order="F"), rcond=None)[0].reshape(d, r, order="F"))
        W = W @ R.T
        level *= 0.8
        model = LRSModel(U, W, csr_array(B))
        residual = relative_residual(problem, model)
        if callback is not None:
            callback(Iterate(step, model, residual, {"threshold": np.full(t, level / 0.8)}))
        if residual < 1e-13 or not np.isfinite(residual):
            break
    return Solution(model, Status.CONVERGED if residual < 1e-13 else Status.STALLED, step, residual)


amht_lrs.traits = Traits(noise=False, thresholds=True)  # type: ignore[attr-defined]
amht_lrs.region = "paper"  # type: ignore[attr-defined]
