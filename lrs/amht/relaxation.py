"""A subspace found with b relaxed: no support is chosen, so none can be chosen wrongly.

With few tasks and a small b, supports chosen early hide errors of U: every row of U is measured by few tasks, and where
several of them hold that coordinate in their supports, the others explain the data with a wrong row. Here b is any vector,
small in the sense of Σ_j |b_j|^p with p = ½, and U and w are what makes it smallest (our own choice; the reweighting is
Daubechies, DeVore, Fornasier, Güntürk 2010, §7). One step works with weights D_i = diag((b_ij² + ε_i²)^{1 − p/2}) of the last b:

    minimise over U, w and b   Σ_i b_iᵀ D_i⁻¹ b_i   subject to   X_i (U w_i + b_i) = y_i,

so b_i = D_i X_iᵀ G_i z_i with z_i = y_i − X_iU w_i and G_i = (X_i D_i X_iᵀ)⁻¹, w_i is least squares in the metric G_i, and U
takes one Gauss–Newton step with both eliminated.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from lrs.amht.compression import compress
from lrs.families.low_rank_sparse.problem import MultiTaskData

#: The power of |b| that is made small: below 1 it is as sparse as data allow, at 0 it chooses too early.
POWER = 0.5
#: Steps at most; and the share of the largest |b| below which ε shows that the support is found.
STEPS, FOUND = 40, 1e-8
#: Ridge on XDXᵀ and on the normal matrix of U, as a share of their mean diagonal.
RIDGE = 1e-11


def relaxed_subspace(data: MultiTaskData, U: Float[np.ndarray, "d r"], sparsity: int) -> Float[np.ndarray, "d r"]:
    """An orthonormal U whose remainders b_i = θ_i − U w_i are as small as Σ|b|^½ can be, from a first one.

    Parameters
    ----------
    data : MultiTaskData
        t tasks; time grows as Σ m_i² d + t (m d² + r² d²) + r³d³ a step, memory as t d².
    U : (d, r) array
        Orthonormal.
    sparsity : int
        k: ε_i follows the (k + 1)-th largest |b_ij|.

    Returns
    -------
    (d, r) array
        The last one where a step cannot be worked out: rows of a task dependent to rounding, no task of more than r rows.
    """
    r = U.shape[1]
    energy = np.add.reduceat(data.y**2, data.offsets[:-1])
    told = np.flatnonzero((data.counts > r) & (energy > 0))
    if not len(told):
        return U
    X, y, padding = _padded(compress(data.select(told)))
    t, _, d = X.shape
    D, width = np.ones((t, d)), np.full(t, np.inf)
    for _ in range(STEPS):
        try:
            G = _metric(X, padding, D)
            following = _step(X, y, G, U)
            _, z, _ = _fitted(X, y, G, following)
        except np.linalg.LinAlgError:
            break
        b = D * np.einsum("tmd,tmn,tn->td", X, G, z, optimize=True)
        if not np.isfinite(b).all():
            break
        U = following
        size = np.sort(np.abs(b), axis=1)[:, ::-1]
        largest = np.maximum(size[:, 0], np.finfo(float).tiny)
        width = np.maximum(np.minimum(width, size[:, min(sparsity, d - 1)]), 1e-12 * largest)
        D = (b**2 + width[:, None] ** 2) ** (1 - POWER / 2)
        D /= D.max(axis=1, keepdims=True)
        if np.median(width / largest) < FOUND:
            break
    return U


def _metric(
    X: Float[np.ndarray, "t m d"], padding: Bool[np.ndarray, "t m"], D: Float[np.ndarray, "t d"]
) -> Float[np.ndarray, "t m m"]:
    """(XDXᵀ)⁻¹ of every task; rows that are filling count by themselves."""
    K = (X * D[:, None, :]) @ X.transpose(0, 2, 1)
    ridge = RIDGE * np.trace(K, axis1=1, axis2=2) / X.shape[1]
    K[:, range(X.shape[1]), range(X.shape[1])] += np.where(padding, 1.0, ridge[:, None])
    return np.linalg.inv(K)


def _step(
    X: Float[np.ndarray, "t m d"],
    y: Float[np.ndarray, "t m"],
    G: Float[np.ndarray, "t m m"],
    U: Float[np.ndarray, "d r"],
) -> Float[np.ndarray, "d r"]:
    """A Gauss–Newton step on U, vec by columns; what lies in the span of U changes nothing and is held at 0."""
    d, r = U.shape
    w, z, P = _fitted(X, y, G, U)
    PX = P @ X
    normal = np.einsum("ti,tj,tde->idje", w, w, X.transpose(0, 2, 1) @ PX, optimize=True).reshape(r * d, r * d)
    scale = np.trace(normal) / (r * d)
    normal += scale * (np.kron(np.eye(r), U @ U.T) + RIDGE * np.eye(r * d))
    gradient = np.einsum("ti,tmd,tm->id", w, PX, z, optimize=True)
    step = np.linalg.solve(normal, gradient.ravel()).reshape(r, d).T
    return np.linalg.qr(U + step - U @ (U.T @ step))[0]


def _fitted(
    X: Float[np.ndarray, "t m d"],
    y: Float[np.ndarray, "t m"],
    G: Float[np.ndarray, "t m m"],
    U: Float[np.ndarray, "d r"],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights w, remainders z, and the metric G without what A = XU explains, of every task."""
    A = X @ U
    GA = G @ A
    inverse = np.linalg.inv(A.transpose(0, 2, 1) @ GA)
    w = np.einsum("trs,tms,tm->tr", inverse, GA, y, optimize=True)
    z = y - np.einsum("tmr,tr->tm", A, w)
    return w, z, G - GA @ inverse @ GA.transpose(0, 2, 1)


def _padded(
    data: MultiTaskData,
) -> tuple[Float[np.ndarray, "t m d"], Float[np.ndarray, "t m"], Bool[np.ndarray, "t m"]]:
    """Rows of every task, filled up with zeros to the longest; and which rows are filling."""
    most = int(data.counts.max())
    X, y = np.zeros((data.t, most, data.d)), np.zeros((data.t, most))
    real = np.arange(most) < data.counts[:, None]
    X[real], y[real] = data.X, data.y
    return X, y, ~real
