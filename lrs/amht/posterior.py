"""A first subspace from a posterior: where the method of moments is too far off for the search to follow.

Model: y_i = X_i(U w_i + b_i) + noise with w_i ~ N(0, I_r), so that U carries the size of the weights, a support of b_i uniform
among those of k coordinates, values N(0, s²), noise N(0, σ²). U, s and σ are found by stochastic expectation maximisation.
Supports are drawn by Gibbs sampling, one coordinate of the support at a time from its law given the others, with w and all of
b integrated out; w and b then have their exact means and covariances. On exact data σ² is what U does not explain yet: it starts
at a third of the mean square and falls only as fast as U improves, which anneals the supports. Where the median residual of a
search cannot tell a wrong U from a wrong support, the posterior weighs both.

The model is a guess (the generator's b is not Gaussian, a task's size may be anything), and what comes out is a start, to be
certified by what follows. Derived and measured here, not quoted; Monte Carlo EM: Wei & Tanner 1990.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from lrs.amht.subspace_step import orthonormalise
from lrs.families.low_rank_sparse.problem import MultiTaskData

#: Steps at most, and sweeps over the supports in each; the first of them forgets the old U and is not averaged over.
STEPS, SWEEPS = 150, 3
#: The end: σ² below this share of the mean square.
LEAST = 1e-3
#: Numbers of the normal matrices at most, t d² and (r d)², and an eighth of the operations of a sweep, t d k³: 16 MB each, about a
#: tenth of a second a step. Larger problems are left alone.
LARGEST = 2**21


class Gram(NamedTuple):
    """What the sampler reads of the data, features brought to unit mean square.

    Attributes
    ----------
    matrices : (t, d, d), moments : (t, d), energy : (t,)
        XᵀX, Xᵀy and ‖y‖² of every task.
    scale : (d,)
        Root mean squares of the features.
    rows : int
    """

    matrices: Float[np.ndarray, "t d d"]
    moments: Float[np.ndarray, "t d"]
    energy: Float[np.ndarray, " t"]
    scale: Float[np.ndarray, " d"]
    rows: int

    @classmethod
    def of(cls, data: MultiTaskData) -> Gram:
        """From the rows."""
        scale = np.sqrt(np.einsum("ij,ij->j", data.X, data.X) / data.n)
        scale = np.where(scale > 0, scale, 1.0)
        matrices, moments = np.empty((data.t, data.d, data.d)), np.empty((data.t, data.d))
        for i, (X, y) in enumerate(data):
            matrices[i], moments[i] = X.T @ X, X.T @ y
        matrices /= scale[:, None] * scale
        return cls(matrices, moments / scale, np.add.reduceat(data.y**2, data.offsets[:-1]), scale, data.n)


def feasible(data: MultiTaskData, rank: int, sparsity: int) -> bool:
    """Whether there is something to sample, and the normal matrices are small enough."""
    t, d, k = data.t, data.d, sparsity
    return 0 < k < d and 0 < rank < d and max(t * d * d, (rank * d) ** 2, t * d * k**3 // 8) <= LARGEST


def posterior_subspace(
    data: MultiTaskData, U: Float[np.ndarray, "d r"], sparsity: int, rng: np.random.Generator, steps: int = STEPS
) -> Float[np.ndarray, "d r"]:
    """A better subspace than ``U``, orthonormal."""
    gram, (d, r), k = Gram.of(data), U.shape, sparsity
    square = float(gram.energy.sum()) / gram.rows
    if not square > 0:
        return U
    slab, sigma2 = square / (2 * k), square / 3
    U = orthonormalise(U * gram.scale[:, None]) * np.sqrt(square / (2 * r))
    support = rng.random((data.t, d)).argpartition(k - 1, axis=1)[:, :k]
    for _ in range(steps):
        U, slab, sigma2 = _step(gram, U, slab, sigma2, support, rng)
        if sigma2 < LEAST * square:
            break
    return orthonormalise(U / gram.scale[:, None])


def _step(
    gram: Gram,
    U: Float[np.ndarray, "d r"],
    slab: float,
    sigma2: float,
    support: Int[np.ndarray, "t k"],
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "d r"], float, float]:
    """Sweeps over the supports (in place), then U, s² and σ² that maximise the expected likelihood."""
    (t, k), (d, r) = support.shape, U.shape
    XXU = gram.matrices @ U
    inner = U.T @ XXU + sigma2 * np.eye(r)
    C = np.linalg.inv(inner)
    back = XXU @ C
    # b alone, w integrated out: y ~ N(X b, σ² + X U Uᵀ Xᵀ).
    G = (gram.matrices - back @ XXU.transpose(0, 2, 1)) / sigma2
    c = (gram.moments - (back @ (gram.moments @ U)[:, :, None])[:, :, 0]) / sigma2
    ww, rw = np.zeros((t, r, r)), np.zeros((d, r))
    rss = squares = 0.0
    task = np.arange(t)[:, None]
    for sweep in range(SWEEPS):
        for slot in range(k):
            redraw(G, c, slab, support, slot, rng)
        if sweep == 0:
            continue
        # Given the supports all is normal: means and covariances of b, then of w.
        H = np.linalg.inv(G[task[:, :, None], support[:, :, None], support[:, None, :]] + np.eye(k) / slab)
        b = (H @ c[task, support][:, :, None])[:, :, 0]
        columns = gram.matrices[task, support]  # (t, k, d): rows of XᵀX on the support
        rest = gram.moments - (b[:, None] @ columns)[:, 0]
        w = (C @ (rest @ U)[:, :, None])[:, :, 0]
        Q = C @ (columns @ U).transpose(0, 2, 1)  # −dw/db
        QH = Q @ H
        cov = sigma2 * C + QH @ Q.transpose(0, 2, 1)
        ww += w[:, :, None] * w[:, None, :] + cov
        rw += rest.T @ w + np.einsum("tka,tkj->ja", QH.transpose(0, 2, 1), columns)
        theta = w @ U.T
        np.put_along_axis(theta, support, np.take_along_axis(theta, support, 1) + b, 1)
        fitted = 2 * gram.moments - (gram.matrices @ theta[:, :, None])[:, :, 0]
        free = t * (r + k) - float(np.einsum("taa->", cov)) - float(np.einsum("taa->", H)) / slab
        rss += float(gram.energy.sum() - (theta * fitted).sum()) + sigma2 * free
        squares += float((b**2).sum() + np.einsum("taa->", H))
    a, b_ = np.tril_indices(r)
    blocks = (ww[:, a, b_].T @ gram.matrices.reshape(t, d * d)).reshape(-1, d, d)
    normal = np.empty((r, d, r, d))
    normal[a, :, b_], normal[b_, :, a] = blocks, blocks
    A = normal.reshape(r * d, r * d)
    A[np.diag_indices(r * d)] += 1e-9 * np.trace(A) / (r * d)
    U = np.linalg.solve(A, rw.T.ravel()).reshape(r, d).T
    used = SWEEPS - 1
    # U takes the size of the weights, whose second moment stays I (parameter expansion: Liu, Rubin & Wu 1998).
    U = U @ np.linalg.cholesky(ww.sum(axis=0) / (t * used) + 1e-12 * np.eye(r))
    return U, squares / (t * k * used), max(rss / (gram.rows * used), 1e-9 * float(gram.energy.sum()) / gram.rows)


def redraw(
    G: Float[np.ndarray, "t d d"],
    c: Float[np.ndarray, "t d"],
    slab: float,
    support: Int[np.ndarray, "t k"],
    slot: int,
    rng: np.random.Generator,
) -> None:
    """Draw one coordinate of every support from its law given the others, their values integrated out.

    With precision G and linear term c of b, a support S has weight Π s⁻¹ · |G_SS + s⁻²|^(−½) exp(½ c_Sᵀ(G_SS + s⁻²)⁻¹c_S).
    """
    (t, d), k = c.shape, support.shape[1]
    task, others = np.arange(t)[:, None], np.delete(support, slot, axis=1)
    precision, linear = np.einsum("tjj->tj", G) + 1 / slab, c
    if k > 1:
        T = G[task, others]
        H = T[task[:, :, None], np.arange(k - 1)[:, None], others[:, None, :]] + np.eye(k - 1) / slab
        known = np.linalg.solve(H, np.concatenate([T, c[task, others][:, :, None]], axis=2))
        precision = precision - np.einsum("tkj,tkj->tj", T, known[:, :, :d])
        linear = c - (known[:, :, d][:, None] @ T)[:, 0]
    precision = np.maximum(precision, 1 / slab)  # what rounding may break
    weight = (linear**2 / precision - np.log(precision)) / 2
    np.put_along_axis(weight, others, -np.inf, axis=1)
    support[:, slot] = (weight + rng.gumbel(size=(t, d))).argmax(axis=1)
