"""A simple batched NumPy pipeline: the competitor that a compiled solver has to be worth its trouble against.

OMP per task with the columns of X U always in the model, the subspace step on the half of the tasks with the smaller
residual, and at the end ℓ₁ (basis pursuit) per task for what OMP missed. Tasks are stacked, so every step is a few
`matmul` calls over all of them; nothing here is compiled and nothing is shared with `lrs.amht`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse
from scipy.optimize import linprog
from scipy.sparse.linalg import LinearOperator, cg

from lrs import InvalidInput, Iterate, LRSModel, Problem, Solution, Status, Traits
from lrs.solver import Callback


@dataclass(frozen=True, kw_only=True)
class SimplePipeline:
    """Alternate batched OMP with a trimmed subspace step, then basis pursuit for the tasks left over.

    Parameters
    ----------
    max_iterations : int
    keep : float
        Share of the tasks, those with the smallest residuals, that the subspace step uses.
    solved_at : float
        A task with a relative residual up to this is exact; without noise it certifies itself when m > r + k.
    """

    max_iterations: int = 80
    keep: float = 0.5
    solved_at: float = 1e-7
    traits: ClassVar[Traits] = Traits(noise=False, ragged=False)

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        data, r, k = problem.data, problem.rank, problem.sparsity
        m = int(data.counts[0])
        if (data.counts != m).any():
            raise InvalidInput("data: the simple pipeline stacks its tasks; pass tasks of equal size")
        X, y = data.X.reshape(data.t, m, data.d), data.y.reshape(data.t, m)
        gram = np.swapaxes(X, 1, 2) @ X
        moment = (y[:, None, :] @ X)[:, 0]
        energy = np.einsum("tm,tm->t", y, y)
        k = min(k, m - r)
        U = self._start(X, y, moment, r)
        status, best = Status.ITERATION_CAP, np.inf
        for iteration in range(1, self.max_iterations + 1):
            W, support, values, square = omp(gram, moment, energy, U, k)
            relative = np.sqrt(square / np.where(energy > 0, energy, 1.0))
            if callback is not None:
                callback(
                    Iterate(iteration, self._model(problem, U, W, support, values), self._residual(square, energy))
                )
            kept = np.argsort(relative)[: max(1, int(self.keep * data.t))]
            # √eps: a residual computed through the Gram matrix cannot be seen to be smaller.
            worst = float(relative[kept].max())
            if worst <= 1e-8 or (iteration > 10 and worst > 0.999 * best):
                status = Status.CONVERGED if worst <= 1e-8 else Status.STALLED
                break
            best = min(best, worst)
            U = subspace_step(gram[kept], moment[kept], W[kept], support[kept], values[kept], U)
        U, W, support, values = self._finish(gram, moment, energy, kept, U, k)
        model = self._model(problem, U, W, support, values)
        left = y - (X @ model.theta[:, :, None])[:, :, 0]
        norms = np.sqrt(np.einsum("tm,tm->t", left, left) / np.where(energy > 0, energy, 1.0))
        unsolved = np.flatnonzero(norms > self.solved_at)
        if len(unsolved):
            W, B = model.W.copy(), model.B.tolil()
            for i in unsolved:
                W[i], B[[i]] = basis_pursuit(X[i], y[i], U, k)
            model = LRSModel(U, W, sparse.csr_array(B), data.task_names, data.feature_names)
            left = y - (X @ model.theta[:, :, None])[:, :, 0]
        residual = float(np.linalg.norm(left) / (np.linalg.norm(y) or 1.0))
        return Solution(model, status, iteration, residual, info={"basis_pursuit_tasks": len(unsolved)})

    @staticmethod
    def _start(X: np.ndarray, y: np.ndarray, moment: np.ndarray, r: int) -> np.ndarray:
        """Moment matrix Σ_i (Xᵀy)(Xᵀy)ᵀ with the terms that pair a row with itself removed, which carry no signal."""
        paired = np.zeros((X.shape[2], X.shape[2]))
        for Xi, yi in zip(X, y, strict=True):
            rows = Xi * yi[:, None]
            paired += rows.T @ rows
        return np.linalg.eigh(moment.T @ moment - paired)[1][:, ::-1][:, :r]

    @staticmethod
    def _finish(
        gram: np.ndarray, moment: np.ndarray, energy: np.ndarray, kept: np.ndarray, U: np.ndarray, k: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Two more subspace steps and one last OMP: the residual test saw only down to √eps."""
        for _ in range(2):
            W, support, values, _ = omp(gram[kept], moment[kept], energy[kept], U, k)
            U = subspace_step(gram[kept], moment[kept], W, support, values, U)
        W, support, values, _ = omp(gram, moment, energy, U, k)
        return U, W, support, values

    @staticmethod
    def _residual(square: np.ndarray, energy: np.ndarray) -> float:
        return float(np.sqrt(square.sum() / (energy.sum() or 1.0)))

    @staticmethod
    def _model(problem: Problem, U: np.ndarray, W: np.ndarray, support: np.ndarray, values: np.ndarray) -> LRSModel:
        t, k = support.shape
        B = sparse.csr_array((values.ravel(), support.ravel(), np.arange(t + 1) * k), shape=(t, problem.d))
        return LRSModel(U, W, B, problem.data.task_names, problem.data.feature_names)


def omp(
    gram: Float[np.ndarray, "t d d"],
    moment: Float[np.ndarray, "t d"],
    energy: Float[np.ndarray, " t"],
    U: Float[np.ndarray, "d r"],
    k: int,
) -> tuple[Float[np.ndarray, "t r"], Int[np.ndarray, "t k"], Float[np.ndarray, "t k"], Float[np.ndarray, " t"]]:
    """Orthogonal matching pursuit of all tasks at once, with X U always in the model, from the Gram matrices only.

    Returns W, the supports, the values on them, and the squared residual of every task.
    """
    t, d, r = len(gram), gram.shape[1], U.shape[1]
    cross = gram @ U
    size = r + k
    G = np.zeros((t, size, size))
    c = np.zeros((t, size))
    columns = np.zeros((t, d, size))
    columns[:, :, :r] = cross
    G[:, :r, :r] = U.T @ cross
    c[:, :r] = moment @ U
    support = np.zeros((t, k), dtype=np.int64)
    rows = np.arange(t)
    norms = np.sqrt(np.einsum("tdd->td", gram))
    norms[norms == 0] = 1.0
    for j in range(k + 1):
        now = r + j
        z = np.linalg.solve(G[:, :now, :now], c[:, :now, None])[:, :, 0] if now else np.zeros((t, 0))
        left = moment - (columns[:, :, :now] @ z[:, :, None])[:, :, 0]
        if j == k:
            break
        score = np.abs(left) / norms
        if j:
            np.put_along_axis(score, support[:, :j], -1.0, axis=1)
        chosen = score.argmax(axis=1)
        support[:, j] = chosen
        columns[:, :, now] = gram[rows, :, chosen]
        G[:, now, : now + 1] = np.concatenate(
            [cross[rows, chosen], np.take_along_axis(gram[rows, chosen], support[:, : j + 1], axis=1)], axis=1
        )
        G[:, : now + 1, now] = G[:, now, : now + 1]
        c[:, now] = moment[rows, chosen]
    square = np.maximum(energy - np.einsum("ts,ts->t", c, z), 0.0)
    return z[:, :r], support, z[:, r:], square


def subspace_step(
    gram: Float[np.ndarray, "t d d"],
    moment: Float[np.ndarray, "t d"],
    W: Float[np.ndarray, "t r"],
    support: Int[np.ndarray, "t k"],
    values: Float[np.ndarray, "t k"],
    U: Float[np.ndarray, "d r"],
) -> Float[np.ndarray, "d r"]:
    """Least squares for U by conjugate gradients in a basis where the weights are orthogonal, then QR."""
    t, d, r = len(gram), gram.shape[1], W.shape[1]
    if r == 0:
        return U
    Q, R = np.linalg.qr(W)
    Q *= np.sqrt(t)
    V = U @ R.T / np.sqrt(t)
    B = np.zeros((t, d))
    np.put_along_axis(B, support, values, axis=1)
    left = moment - ((Q @ V.T + B)[:, None, :] @ gram)[:, 0]

    def product(vector: np.ndarray) -> np.ndarray:
        return (((Q @ vector.reshape(d, r).T)[:, None, :] @ gram)[:, 0].T @ Q).ravel()

    operator = LinearOperator((d * r, d * r), matvec=product, dtype=np.float64)
    correction, _ = cg(operator, (left.T @ Q).ravel(), rtol=1e-2, atol=0.0, maxiter=100)
    return np.linalg.qr(V + correction.reshape(d, r))[0]


def basis_pursuit(
    X: Float[np.ndarray, "m d"], y: Float[np.ndarray, " m"], U: Float[np.ndarray, "d r"], k: int
) -> tuple[Float[np.ndarray, " r"], Float[np.ndarray, "1 d"]]:
    """min ‖b‖₁ subject to X (U w + b) = y by HiGHS, then least squares on [X U, X_S], S the k largest entries of b."""
    d, r = U.shape
    XU = X @ U
    # w is eliminated exactly: only the part of X orthogonal to X U constrains b.
    Q = np.linalg.qr(XU, mode="complete")[0][:, r:]
    result = linprog(
        np.ones(2 * d),
        A_eq=np.hstack([Q.T @ X, -Q.T @ X]),
        b_eq=Q.T @ y,
        bounds=(0, None),
        method="highs",
    )
    b = result.x[:d] - result.x[d:] if result.x is not None else np.zeros(d)
    support = np.argsort(-np.abs(b))[:k]
    fit = np.linalg.lstsq(np.hstack([XU, X[:, support]]), y, rcond=None)[0]
    out = np.zeros((1, d))
    out[0, support] = fit[r:]
    return fit[:r], out
