"""Fewer rows with the same sums of squares, and what an outer step works on.

With [X y] = Q R, R triangular, every ‖y − Xθ‖² = ‖R (θ, −1)‖²: the d + 1 rows of R stand for the m rows of a task, to
rounding and without the squared condition number of XᵀX. A method that reads the data many times and m ≫ d rows reads
(d + 1)/m of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from lrs.amht.initialization import design_covariance
from lrs.kernels.engine import Engine
from lrs.problem import MultiTaskData


def compress(data: MultiTaskData) -> MultiTaskData:
    """Data with at most d + 1 rows a task and the same XᵀX, Xᵀy and yᵀy; ``data`` itself if no task has more."""
    shorter = np.minimum(data.counts, data.d + 1)
    if shorter.sum() == data.n:
        return data
    offsets = np.concatenate([[0], np.cumsum(shorter)])
    X, y = np.empty((offsets[-1], data.d)), np.empty(offsets[-1])
    for i in range(data.t):
        theirs, ours = slice(data.offsets[i], data.offsets[i + 1]), slice(offsets[i], offsets[i + 1])
        if shorter[i] == data.counts[i]:
            X[ours], y[ours] = data.X[theirs], data.y[theirs]
        else:
            R = np.asarray(np.linalg.qr(np.column_stack([data.X[theirs], data.y[theirs]]), mode="r"))
            X[ours], y[ours] = R[:, :-1], R[:, -1]
    return MultiTaskData(X, y, offsets, data.task_names, data.feature_names)


@dataclass(frozen=True, eq=False)
class Samples:
    """What an outer step works on: compressed rows, with what has to be read off the rows themselves.

    Attributes
    ----------
    engine : Engine
        Of the compressed rows.
    counts : (t,) integer array
        Rows of every task before compression, m.
    covariance : (d, d) array
        Of the rows (`lrs.amht.initialization.design_covariance`).
    data : MultiTaskData
        The rows themselves.
    """

    engine: Engine
    counts: Int[np.ndarray, " t"]
    covariance: Float[np.ndarray, "d d"]
    data: MultiTaskData

    @classmethod
    def of(cls, data: MultiTaskData, rank: int, sparsity: int, threads: int | None = None) -> Samples:
        """Compress ``data``."""
        return cls(Engine(compress(data), rank, sparsity, threads), data.counts, design_covariance(data), data)
