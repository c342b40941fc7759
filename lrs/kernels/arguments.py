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


class Channel(NamedTuple):
    """What ``row_posteriors`` knows: θ_j = W u_j + b_j with u_j ~ N(0, I) is seen with errors N(0, ``noise``).

    Attributes
    ----------
    W : (t, r) array
    noise : (t,) array
        Variance τ_i² of each task's errors.
    rate, slab : float
        An entry of b is not zero with probability ``rate``, and then N(0, ``slab``).
    """

    W: Float[np.ndarray, "t r"]
    noise: Float[np.ndarray, " t"]
    rate: float
    slab: float


class RowPosterior(NamedTuple):
    """What ``row_posteriors`` finds.

    Attributes
    ----------
    mean, variance, active : (n, t) arrays
        E θ_ij, Var θ_ij and P(b_ij ≠ 0), given the row.
    u : (n, r) array
        E u_j.
    evidence : (n,) array
        Logarithm of the row's density.
    gram : (t, r, r), cross : (t, r), second : (t,)
        Σ_j E[u_ju_jᵀ/v_ij], Σ_j R_ij E[u_j/v_ij], with v_ij the variance of the error and of b_ij, and Σ_j E b_ij²:
        what expectation maximisation for W and the slab needs.
    """

    mean: Float[np.ndarray, "n t"]
    variance: Float[np.ndarray, "n t"]
    active: Float[np.ndarray, "n t"]
    u: Float[np.ndarray, "n r"]
    evidence: Float[np.ndarray, " n"]
    gram: Float[np.ndarray, "t r r"]
    cross: Float[np.ndarray, "t r"]
    second: Float[np.ndarray, " t"]

    @classmethod
    def empty(cls, n: int, t: int, r: int) -> RowPosterior:
        """Arrays to write into."""
        shapes = ((n, t), (n, t), (n, t), (n, r), (n,), (t, r, r), (t, r), (t,))
        return cls(*(np.empty(shape) for shape in shapes))


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
        """Before the first fit: no support, infinite residuals; the large arrays take no memory."""
        return cls(
            np.full((t, k), -1, dtype=np.int64),
            np.zeros(t, dtype=np.int64),
            np.zeros(t, dtype=np.int64),
            np.zeros((t, r)),
            np.zeros((t, k)),
            np.zeros((t, k)),
            np.full(t, np.inf),
            np.broadcast_to(0.0, (t, d)),
            np.broadcast_to(0.0, n * (r + k)),
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
