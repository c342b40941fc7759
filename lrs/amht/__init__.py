"""AMHT-LRS: alternating minimisation with hard thresholding (placeholder while the steps are being written)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from lrs.model import LRSModel
from lrs.problem import Problem
from lrs.solver import Callback, Iterate, Solution, Status, Traits


@dataclass(frozen=True, kw_only=True)
class AMHT:
    """Practical AMHT-LRS."""

    max_iterations: int = 60
    trim: float = 0.8
    traits: ClassVar[Traits] = Traits(warm_start=True)

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        data, r, k = problem.data, problem.rank, problem.sparsity
        t, d = data.t, data.d
        M = np.zeros((d, d))
        for X, y in data:
            s = X.T @ y
            M += (np.outer(s, s) - (X * (y**2)[:, None]).T @ X) / len(y) ** 2
        U = np.linalg.eigh(M)[1][:, ::-1][:, :r]
        status, previous = Status.ITERATION_CAP, np.inf
        residual = np.inf
        for iteration in range(1, self.max_iterations + 1):
            W, B, res = np.zeros((t, r)), np.zeros((t, d)), np.zeros(t)
            H, G = np.zeros((d * r, d * r)), np.zeros(d * r)
            parts = []
            for i, (X, y) in enumerate(data):
                S: list[int] = []
                XU = X @ U
                A = XU
                c = np.linalg.lstsq(A, y, rcond=None)[0]
                for _ in range(min(k, max(0, len(y) - r - 1))):
                    z = np.abs(X.T @ (y - A @ c))
                    z[S] = -1
                    S.append(int(z.argmax()))
                    A = np.column_stack([XU, X[:, S]])
                    c = np.linalg.lstsq(A, y, rcond=None)[0]
                W[i], B[i, S] = c[:r], c[r:]
                res[i] = np.linalg.norm(y - A @ c)
                parts.append(S)
            keep = res <= np.quantile(res, self.trim)
            for i, (X, y) in enumerate(data):
                if keep[i]:
                    H += np.kron(np.outer(W[i], W[i]), X.T @ X)
                    G += np.outer(W[i], X.T @ (y - X @ B[i])).ravel()
            if r:
                U = np.linalg.qr(np.linalg.lstsq(H, G, rcond=None)[0].reshape(r, d).T)[0]
            residual = float(np.sqrt((res**2).sum()) / (np.linalg.norm(data.y) or 1.0))
            model = LRSModel(U, W, sparse.csr_array(B), data.task_names, data.feature_names)
            if callback is not None:
                callback(Iterate(iteration, model, residual))
            if residual < 1e-13 or abs(previous - residual) < 1e-3 * residual * (residual > 1e-9):
                status = Status.CONVERGED if residual < 1e-8 else Status.STALLED
                break
            previous = residual
        return Solution(model, status, iteration, residual)


def paper_data_driven() -> AMHT:
    return AMHT()
