"""Tasks of one size stacked, so that one batched product does the work of a loop over tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import MultiTaskData, Problem
from lrs.solver import Callback, Iterate, Solution, Status

#: A relative residual above this is a divergence: the zero model has 1.
DIVERGED_AT = 1e3
#: A noiseless answer with a relative residual up to this explains the data.
EXPLAINED_AT = 1e-8


class Block(NamedTuple):
    """The g tasks that have exactly m rows."""

    tasks: Int[np.ndarray, " g"]
    X: Float[np.ndarray, "g m d"]
    y: Float[np.ndarray, "g m"]


class Stack:
    """All tasks of ``data``, one `Block` per number of rows; equal-sized data are one block without a copy."""

    def __init__(self, data: MultiTaskData) -> None:
        self.t, self.d = data.t, data.d
        self.counts = data.counts.astype(np.float64)
        self.blocks: list[Block] = []
        for m in np.unique(data.counts):
            tasks = np.flatnonzero(data.counts == m)
            if len(tasks) == data.t:
                X, y = data.X, data.y
            else:
                rows = (data.offsets[tasks][:, None] + np.arange(m)).ravel()
                X, y = data.X[rows], data.y[rows]
            self.blocks.append(Block(tasks, X.reshape(len(tasks), m, data.d), y.reshape(len(tasks), m)))
        self.scale = float(np.linalg.norm(data.y)) or 1.0

    def apply(self, theta: Float[np.ndarray, "t d"]) -> list[np.ndarray]:
        """X⁽ⁱ⁾ θ⁽ⁱ⁾ of every task, block by block."""
        return [(b.X @ theta[b.tasks][:, :, None])[:, :, 0] for b in self.blocks]

    def residuals(self, theta: Float[np.ndarray, "t d"]) -> list[np.ndarray]:
        """y⁽ⁱ⁾ − X⁽ⁱ⁾ θ⁽ⁱ⁾ of every task, block by block."""
        return [b.y - fit for b, fit in zip(self.blocks, self.apply(theta), strict=True)]

    def adjoint(self, parts: list[np.ndarray]) -> Float[np.ndarray, "t d"]:
        """X⁽ⁱ⁾ᵀ v⁽ⁱ⁾ of every task."""
        out = np.empty((self.t, self.d))
        for b, part in zip(self.blocks, parts, strict=True):
            out[b.tasks] = (part[:, None, :] @ b.X)[:, 0, :]
        return out

    def squares(self, parts: list[np.ndarray]) -> Float[np.ndarray, " t"]:
        """‖v⁽ⁱ⁾‖² of every task."""
        out = np.empty(self.t)
        for b, part in zip(self.blocks, parts, strict=True):
            out[b.tasks] = np.einsum("gm,gm->g", part, part)
        return out

    def relative(self, parts: list[np.ndarray]) -> float:
        """‖v‖ / ‖y‖ over all tasks: the residual of an iterate."""
        return float(np.sqrt(self.squares(parts).sum())) / self.scale

    def weights(self, U: Float[np.ndarray, "d r"], targets: list[np.ndarray]) -> Float[np.ndarray, "t r"]:
        """Least-squares weights of every task for ``targets``; the shortest ones where the rows do not determine them."""
        W = np.zeros((self.t, U.shape[1]))
        if U.shape[1]:
            for b, target in zip(self.blocks, targets, strict=True):
                XU = b.X @ U
                gram = np.swapaxes(XU, 1, 2) @ XU
                moment = np.swapaxes(XU, 1, 2) @ target[:, :, None]
                W[b.tasks] = (np.linalg.pinv(gram, rcond=1e-13, hermitian=True) @ moment)[:, :, 0]
        return W


def top_k(V: Float[np.ndarray, "t d"], k: int) -> Float[np.ndarray, "t d"]:
    """The k largest entries of every row in absolute value, zeros elsewhere (P_k of the IHT papers)."""
    if k >= V.shape[1]:
        return V.copy()
    out = np.zeros_like(V)
    if k:
        chosen = np.argpartition(-np.abs(V), k - 1, axis=1)[:, :k]
        np.put_along_axis(out, chosen, np.take_along_axis(V, chosen, axis=1), axis=1)
    return out


def complete_basis(U: Float[np.ndarray, "d s"], r: int) -> Float[np.ndarray, "d r"]:
    """The orthonormal columns of U (s ≤ r), followed by any r − s that keep them orthonormal."""
    d, s = U.shape
    if s == r:
        return U
    full = np.linalg.qr(np.hstack([U, np.eye(d)[:, :r]]))[0][:, :r] if s else np.eye(d, r)
    full[:, :s] = U  # QR may have flipped signs
    return full


def shared_direction(
    theta: Float[np.ndarray, " d"], t: int, r: int
) -> tuple[Float[np.ndarray, "d r"], Float[np.ndarray, "t r"], Float[np.ndarray, "t d"]]:
    """U, W, B of the model in which every task has the same θ: one direction of U, or B when r = 0 leaves no direction."""
    d, norm = len(theta), float(np.linalg.norm(theta))
    if r == 0:
        return np.zeros((d, 0)), np.zeros((t, 0)), np.tile(theta, (t, 1))
    W = np.zeros((t, r))
    if norm == 0:
        return np.eye(d, r), W, np.zeros((t, d))
    W[:, 0] = norm
    return complete_basis((theta / norm)[:, None], r), W, np.zeros((t, d))


class Progress:
    """Shows every finite iterate to the callback and remembers the last one, which is the answer of a diverging run."""

    def __init__(self, problem: Problem, callback: Callback | None) -> None:
        self.problem, self.callback = problem, callback
        self.iterations = -1  # the initialisation is iterate 0
        self.residual = np.inf
        self._make: Callable[[], LRSModel] | None = None

    def record(self, U: np.ndarray, W: np.ndarray, B: np.ndarray, residual: float, **info: object) -> bool:
        """Keep this iterate; False when it diverged, and then the previous one stays."""
        self.iterations += 1
        if not residual <= DIVERGED_AT and self._make is not None:
            return False
        data = self.problem.data
        self.residual = residual
        self._make = lambda: LRSModel(U, W, sparse.csr_array(B), data.task_names, data.feature_names)
        if self.callback is not None:
            self.callback(Iterate(self.iterations, self._make(), residual, info))
        return True

    def settled(self) -> Status:
        """How a run ends whose iterates no longer change: without noise only an explained residual is convergence."""
        return Status.CONVERGED if self.problem.noise > 0 or self.residual <= EXPLAINED_AT else Status.STALLED

    def solution(self, status: Status, **info: object) -> Solution:
        """The last finite iterate as a `Solution`."""
        assert self._make is not None, "record the initialisation first"
        return Solution(self._make(), status, max(self.iterations, 1), self.residual, info=info)


class Plateau:
    """Says when the residual has not improved by the factor ``1 − tolerance`` for ``patience`` iterations."""

    def __init__(self, tolerance: float, patience: int) -> None:
        self.tolerance, self.patience = tolerance, patience
        self.best, self.waited = np.inf, 0

    def reached(self, residual: float) -> bool:
        if residual < (1 - self.tolerance) * self.best:
            self.best, self.waited = residual, 0
        else:
            self.waited += 1
        return self.waited >= self.patience
