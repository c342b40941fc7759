"""What kernels take and give: named groups of arrays, which numba accepts as they are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse


class Rows(NamedTuple):
    """The rows of all tasks: ``X`` (n, d) and ``y`` (n,); task i owns rows ``offsets[i]:offsets[i + 1]``."""

    X: Float[np.ndarray, "n d"]
    y: Float[np.ndarray, " n"]
    offsets: Int[np.ndarray, " edges"]


class Pursuit(NamedTuple):
    """How the kernel ``fit_tasks`` looks for supports.

    Attributes
    ----------
    start : (n, k) integer array
        Support each of the n treated tasks begins with, padded by −1.
    limit : int
        Coordinates a task may have.
    swaps : int
        Exchanges of one coordinate for another at most.
    search : bool
        Whether coordinates join and are exchanged at all.
    keep_better : bool
        Whether a task keeps its present fit unless the new residual is smaller.
    """

    start: Int[np.ndarray, "n k"]
    limit: int
    swaps: int
    search: bool
    keep_better: bool


class Thresholds(NamedTuple):
    """How ``threshold_steps`` thresholds: η ``length``, α, β/√k ``beta`` (t,), the constant ``c1``, the number of ``steps``."""

    length: Float[np.ndarray, " t"]
    alpha: Float[np.ndarray, " t"]
    beta: Float[np.ndarray, " t"]
    c1: float
    steps: int


class Fit(NamedTuple):
    """What every task has fitted; read-only once `lrs.kernels.engine.Engine.fit` has handed it out.

    Attributes
    ----------
    support : (t, k) integer array
        Support of b⁽ⁱ⁾, padded by −1; ``size`` (t,) counts it.
    rank : (t,) integer array
        Dimension of span[X_i U, X_i on the support].
    W : (t, r), values : (t, k)
        Weights, and b on the support.
    gain : (t, k) array
        How much a task's residual sum of squares would rise without that coordinate of b.
    rss : (t,) array
        Residual sums of squares, infinite before the first fit.
    gradient : (t, d) array
        X_iᵀ(y_i − X_iθ⁽ⁱ⁾).
    basis : (n (r + k),) array
        Orthonormal basis of span[X_i U, X_i on the support]: row a of task i is ``basis[offsets[i] (r + k) + a m : … + m]``.
    """

    support: Int[np.ndarray, "t k"]
    size: Int[np.ndarray, " t"]
    rank: Int[np.ndarray, " t"]
    W: Float[np.ndarray, "t r"]
    values: Float[np.ndarray, "t k"]
    gain: Float[np.ndarray, "t k"]
    rss: Float[np.ndarray, " t"]
    gradient: Float[np.ndarray, "t d"]
    basis: Float[np.ndarray, " size"]

    @classmethod
    def nothing(cls, t: int, d: int, r: int, k: int, n: int) -> Fit:
        """Before the first fit: no support, infinite residuals."""
        return cls(
            np.full((t, k), -1, dtype=np.int64),
            np.zeros(t, dtype=np.int64),
            np.zeros(t, dtype=np.int64),
            np.zeros((t, r)),
            np.zeros((t, k)),
            np.zeros((t, k)),
            np.full(t, np.inf),
            np.zeros((t, d)),
            np.zeros(n * (r + k)),
        )

    def draft(self) -> Fit:
        """A copy to write into."""
        return Fit(*(a.copy() for a in self))

    @property
    def sparse_part(self) -> sparse.csr_array:
        """B (t, d)."""
        kept = self.support >= 0
        indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
        B = sparse.csr_array((self.values[kept], self.support[kept], indptr), shape=self.gradient.shape)
        B.sort_indices()
        return B

    @property
    def B(self) -> Float[np.ndarray, "t d"]:
        """B with its zeros."""
        return self.sparse_part.toarray()


def frozen(fit: Fit) -> Fit:
    """The same arrays, read-only."""
    for array in fit:
        array.setflags(write=False)
    return fit
