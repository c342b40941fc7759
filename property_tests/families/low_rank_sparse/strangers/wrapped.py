"""Three competitors behind a stranger's interface, wrapped as the how-to page says: ten lines each.

The inner functions know nothing of this toolkit's types: they take lists of arrays and return a dense matrix of
parameters, as code found elsewhere does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

from lrs.baselines import NAHT, AltMin, TaskIHT
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import MultiTaskData, Problem
from lrs.solver import Callback, Solution, Status, Traits

Arrays = list[np.ndarray]


def _foreign(solver: Any) -> Callable[[Arrays, Arrays, int, int], np.ndarray]:
    """Code of another house: lists of arrays in, a dense (t, d) matrix out."""

    def fit(Xs: Arrays, ys: Arrays, r: int, k: int) -> np.ndarray:
        problem = Problem(MultiTaskData.from_arrays(Xs, ys), r, k)
        theta: np.ndarray = solver(problem, rng=np.random.default_rng([0])).model.theta
        return theta

    return fit


def split(theta: np.ndarray, r: int, k: int, sweeps: int = 50) -> LRSModel:
    """U, W, B of a dense matrix of parameters: alternate the best rank r and the k largest entries of every row."""
    B = np.zeros_like(theta)
    U, W = np.eye(theta.shape[1], r), np.zeros((len(theta), r))
    for _ in range(sweeps):
        _, _, Vt = np.linalg.svd(theta - B, full_matrices=False)
        U = Vt[:r].T
        W = (theta - B) @ U
        rest = theta - W @ U.T
        B = np.zeros_like(theta)
        if k:
            largest = np.argsort(-np.abs(rest), axis=1)[:, :k]
            np.put_along_axis(B, largest, np.take_along_axis(rest, largest, axis=1), axis=1)
    return LRSModel(U, W, sparse.csr_array(B))


class Wrapped:
    """A foreign ``fit(Xs, ys, r, k) -> theta`` under the solver protocol. It shows no iterates and takes no warm start."""

    def __init__(self, fit: Callable[[Arrays, Arrays, int, int], np.ndarray], **traits: bool) -> None:
        self.fit, self.traits = fit, Traits(**{"trace": False, "noise": False, **traits})

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        Xs, ys = (list(part) for part in zip(*problem.data, strict=True))
        theta = self.fit(Xs, ys, problem.rank, problem.sparsity)
        return Solution(split(theta, problem.rank, problem.sparsity), Status.CONVERGED, 1)


#: Thresholding of both parts by turns: says it recovers exactly.
naht = Wrapped(_foreign(NAHT()))
#: Low-rank only: models no b, and says so.
altmin = Wrapped(_foreign(AltMin()), sparse=False)
#: Sparse only, task by task: shares nothing, and says so.
task_iht = Wrapped(_foreign(TaskIHT()), low_rank=False)

__all__ = ["Wrapped", "altmin", "naht", "split", "task_iht"]
