"""The weight step of the paper: least squares of every task with U and b fixed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int

from lrs.amht.compression import Samples
from lrs.amht.driver import State
from lrs.amht.initialization import residuals
from lrs.amht.parts import PlainFit
from lrs.families.low_rank_sparse.problem import MultiTaskData


@dataclass(frozen=True)
class LeastSquaresWeights:
    """w ← ((XU)ᵀXU)⁻¹(XU)ᵀ(y − X b)."""

    works_on: ClassVar[type] = PlainFit

    def __call__(self, samples: Samples, state: State) -> State:
        data = samples.engine.data
        target = residuals(data, state.fit.B)
        XU = data.X @ state.U
        W = np.empty_like(state.fit.W)
        for tasks, rows in _by_count(data):
            W[tasks] = _least_squares(XU[rows], target[rows])
        rest = target - np.einsum("nr,nr->n", XU, W[data.groups])
        scale = float(np.linalg.norm(data.y))
        return replace(state, fit=state.fit._replace(W=W), level=float(np.linalg.norm(rest)) / (scale or 1.0))


def _by_count(data: MultiTaskData) -> Iterator[tuple[Int[np.ndarray, " n"], Int[np.ndarray, "n m"]]]:
    """Tasks with the same number of rows, and their rows."""
    for count in np.unique(data.counts):
        tasks = np.flatnonzero(data.counts == count)
        yield tasks, data.offsets[tasks, None] + np.arange(count)


def _least_squares(XU: Float[np.ndarray, "n m r"], target: Float[np.ndarray, "n m"]) -> Float[np.ndarray, "n r"]:
    """The shortest minimisers of ‖target − XU w‖, for a stack of tasks of one size."""
    # The pseudoinverse of the triangle, not of XU: a rank below r is met all the same, at an SVD of r rows.
    Q, R = np.linalg.qr(XU)
    right = Q.swapaxes(1, 2) @ target[..., None]
    return (np.linalg.pinv(R, rcond=max(XU.shape[1:]) * np.finfo(float).eps) @ right)[..., 0]
