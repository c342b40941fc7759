"""Fewer rows with the same sums of squares, and what an outer step works on.

With [X y] = Q R, R triangular, every ‖y − Xθ‖² = ‖R (θ, −1)‖²: the d + 1 rows of R stand for the m rows of a task, to
rounding and without the squared condition number of XᵀX. A method that reads the data many times and m ≫ d rows reads
(d + 1)/m of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from lrs.amht.initialization import design_covariance
from lrs.families.low_rank_sparse.problem import MultiTaskData
from lrs.kernels.arguments import Fit
from lrs.kernels.engine import Engine


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


#: A task is explained exactly when ‖residual‖² is below this share of ‖y‖².
EXPLAINED = 1e-20


@dataclass(frozen=True, eq=False)
class Samples:
    """What the steps work on, and what can be read off a fit of it.

    Attributes
    ----------
    engine : Engine
        Passes over the rows, or over the compressed rows.
    data : MultiTaskData
        The rows themselves.
    known : (d, d) array, optional
        Their covariance, where it is known already.
    """

    engine: Engine
    data: MultiTaskData
    known: Float[np.ndarray, "d d"] | None = None

    @classmethod
    def of(cls, data: MultiTaskData, rank: int, sparsity: int, threads: int | None = None) -> Samples:
        """Compress ``data``."""
        return cls(Engine(compress(data), rank, sparsity, threads), data)

    @cached_property
    def covariance(self) -> Float[np.ndarray, "d d"]:
        """Of the rows (`lrs.amht.initialization.design_covariance`)."""
        return design_covariance(self.data) if self.known is None else self.known

    def scores(self, fit: Fit) -> Float[np.ndarray, " t"]:
        """Residual per degree of freedom, as a share of the task's mean square; 0 for tasks without freedom."""
        engine, freedom = self.engine, self.engine.freedom(fit)
        scale = np.where(engine.energy > 0, engine.energy / engine.data.counts, 1.0)
        return np.where(freedom > 0, fit.rss / np.maximum(freedom, 1), 0.0) / scale

    def level(self, fit: Fit, quantile: float = 0.5) -> float:
        """Quantile of the scores over the tasks that have freedom."""
        usable = self.engine.freedom(fit) > 0
        return float(np.quantile(self.scores(fit)[usable], quantile)) if usable.any() else 0.0

    def variance(self, fit: Fit) -> float:
        """Median over tasks of the residual variance."""
        freedom = self.engine.freedom(fit)
        usable = freedom > 0
        return float(np.median((fit.rss / np.maximum(freedom, 1))[usable])) if usable.any() else 0.0

    def unexplained(self, fit: Fit) -> Bool[np.ndarray, " t"]:
        """Tasks whose data are not explained exactly."""
        return fit.rss > EXPLAINED * self.engine.energy
