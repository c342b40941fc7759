"""The program that the theorem `amht-fresh-rows` is about: every step of every outer step on rows of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from lrs.core import streams
from lrs.core.errors import InvalidInput
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import MultiTaskData, Problem
from lrs.solver import Callback, Iterate, Solution, Status, relative_residual
from theory.families.low_rank_sparse.measurement import measure_start_parameters

#: Inner steps of the sparse step, c₁ of its threshold, and the parts of rows of an outer step: inner steps, subspace, weights.
INNER, C1, PARTS = 2, 1 / 8, 4
#: ‖b − b*‖_∞ ≤ ENTRY·E/√k after the sparse step, and twice that before, where E has halved in between.
ENTRY = 13 / 4


def cut_rows(data: MultiTaskData, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """X (rounds, 4, t, q, d) and y (rounds, 4, t, q): the first 4·rounds·q rows of every task, q = ⌊m/(4·rounds)⌋.

    Raises
    ------
    InvalidInput
        When the smallest task has fewer than 4·rounds rows.
    """
    q = int(data.counts.min()) // (PARTS * rounds)
    if q < 1:
        raise InvalidInput(
            f"rounds: {rounds} outer steps on fresh rows need {PARTS * rounds} rows in every task, the smallest has "
            f"{int(data.counts.min())}; take fewer rounds or more rows"
        )
    used = data.offsets[:-1, None] + np.arange(PARTS * rounds * q)
    X = data.X[used].reshape(len(used), rounds, PARTS, q, -1).transpose(1, 2, 0, 3, 4)
    return X, data.y[used].reshape(len(used), rounds, PARTS, q).transpose(1, 2, 0, 3)


def start_error(start: LRSModel, truth: LRSModel, k: int) -> float:
    """E₀ of a start."""
    return measure_start_parameters(start, truth, k)["start_error"]


def start_near(truth: LRSModel, k: int, size: float = 1 / 8, seed: int = 0) -> LRSModel:
    """A start with E₀ at most ``size``·√(λ_r/r): U* turned at random, w refitted, b* blurred on its support."""
    rng = streams.generator("profile/start", seed)
    (d, r), t = truth.U.shape, truth.t
    scale = np.sqrt(np.linalg.eigvalsh(truth.W.T @ truth.W)[0] / t) if r else 1.0
    turn = rng.standard_normal((d, r)) / np.sqrt(d)
    blur = truth.B.copy()
    blur.data = rng.choice([-1.0, 1.0], len(blur.data))
    amount = size
    while True:
        U = np.linalg.qr(truth.U + amount * turn)[0]
        B = truth.B + amount * size * scale / np.sqrt(max(k, 1)) * blur
        start = LRSModel(U, truth.W @ (truth.U.T @ U), sparse.csr_array(B))
        if start_error(start, truth, k) <= size * scale or amount < 1e-12:
            return start
        amount /= 2


@dataclass(frozen=True, eq=False)
class FreshRows:
    """Sparse, subspace and weight step, each on rows that no step before has seen; thresholds from a bound that halves.

    Parameters
    ----------
    bound : float
        E₀ ≥ `start_error` of the problem's warm start; the threshold of outer step ℓ is made of E₀ 2^−ℓ.
    rounds : int
        Outer steps L; every task's rows are cut into 4L parts.

    Notes
    -----
    The subspace step is U⁺ = U + Σ (1/q)Xᵀ(y − X(Uw + b))wᵀ(Σ wwᵀ)⁻¹: least squares with the mean of its matrix, which needs no
    inverse of size d r. The weights are least squares for the orthonormalised U⁺.
    """

    bound: float
    rounds: int = 6
    family: ClassVar[str] = Problem.family

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        start = problem.warm_start
        if start is None:
            raise InvalidInput("warm_start: the theorem starts near the truth; pass a problem with a warm start")
        X, y = cut_rows(problem.data, self.rounds)
        q, root = X.shape[3], np.sqrt(max(problem.sparsity, 1))
        U, W, B, E = start.U, start.W, start.B.toarray(), self.bound
        model = LRSModel(U, W, sparse.csr_array(B))
        residual = relative_residual(problem, model)
        if callback is not None:
            callback(Iterate(0, model, residual))
        for step in range(self.rounds):
            v, gamma, inner = W @ U.T, 2 * ENTRY * E / root, []
            for part in range(INNER):
                c = B + _correlate(X[step, part], y[step, part], v + B) / q
                cut = E / root + C1 * (gamma + E / root)
                after = np.where(np.abs(c) > cut, c, 0.0)
                inner.append((B, c, after, gamma, cut))
                B, gamma = after, 2 * cut
            G = W.T @ W
            plus = U + np.linalg.solve(G, W.T @ _correlate(X[step, INNER], y[step, INNER], v + B) / q).T
            U, old_U, old_W = np.linalg.qr(plus)[0], U, W
            last = X[step, INNER + 1]
            rest = y[step, INNER + 1] - np.einsum("tqd,td->tq", last, B)
            W = np.stack([np.linalg.lstsq(x @ U, z, rcond=None)[0] for x, z in zip(last, rest, strict=True)])
            model = LRSModel(U, W, sparse.csr_array(B))
            residual = relative_residual(problem, model)
            if callback is not None:
                info: dict[str, Any] = {"fresh": {"E": E, "inner": inner, "plus": plus, "U": old_U, "W": old_W, "q": q}}
                callback(Iterate(step + 1, model, residual, info))
            E /= 2
        return Solution(model, Status.FIXED_ROUNDS, self.rounds, residual)


def _correlate(X: np.ndarray, y: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Xᵀ(y − Xθ) of every task (t, d)."""
    return np.einsum("tqd,tq->td", X, y - np.einsum("tqd,td->tq", X, theta))
