"""Where the alternation starts: at random, or at the method of moments."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy import linalg

from lrs.families.low_rank_sparse.problem import MultiTaskData
from lrs.kernels.engine import Engine

#: Rows treated at once, so that no second copy of the data is made.
BLOCK = 4096
#: The covariance is estimated from at most this many rows per dimension; it only preconditions.
ROWS_PER_DIMENSION = 40
#: Words for where it starts.
STARTS = ("moments", "random")


def random_subspace(d: int, r: int, rng: np.random.Generator) -> Float[np.ndarray, "d r"]:
    """An orthonormal U drawn from the Haar measure."""
    return np.linalg.qr(rng.standard_normal((d, r)))[0]


def design_covariance(data: MultiTaskData) -> Float[np.ndarray, "d d"]:
    """Covariance of the rows, shrunk towards its diagonal so that it can be inverted.

    Oracle-approximating shrinkage (Chen, Wiesel, Eldar, Hero 2010, eq. 23) of the correlation matrix: for an isotropic
    design the answer is close to a multiple of the identity whatever the number of rows, features of different scales
    keep their scales, and collinear features stay invertible.
    """
    d = data.d
    stride = max(1, data.n // (ROWS_PER_DIMENSION * d))
    rows = data.X[::stride]
    S = rows.T @ rows / len(rows)
    scale = np.sqrt(np.diag(S))
    scale = np.where(scale > 0, scale, scale.max(initial=0.0) or 1.0)
    S /= np.outer(scale, scale)
    trace, squared = np.trace(S), float((S**2).sum())
    spread = squared - trace**2 / d
    share = 1.0
    if spread > 0:
        share = ((1 - 2 / d) * squared + trace**2) / ((len(rows) + 1 - 2 / d) * spread)
        share = float(np.clip(share, 1e-6, 1.0))
    return ((1 - share) * S + share * np.eye(d)) * np.outer(scale, scale)


def weighted_gram(data: MultiTaskData, row_weight: Float[np.ndarray, " n"]) -> Float[np.ndarray, "d d"]:
    """Σ_j weight_j x_jx_jᵀ over the rows, block by block."""
    gram = np.zeros((data.d, data.d))
    for lo in range(0, data.n, BLOCK):
        block = data.X[lo : lo + BLOCK]
        gram += (block * row_weight[lo : lo + BLOCK, None]).T @ block
    return gram


def residuals(data: MultiTaskData, theta: Float[np.ndarray, "t d"]) -> Float[np.ndarray, " n"]:
    """y_i − X_iθ⁽ⁱ⁾ of every task, stacked, block by block."""
    rest = data.y.copy()
    for lo in range(0, data.n, BLOCK):
        rows = slice(lo, lo + BLOCK)
        rest[rows] -= np.einsum("nd,nd->n", data.X[rows], theta[data.groups[rows]])
    return rest


def moments_subspace(
    engine: Engine, rank: int, covariance: Float[np.ndarray, "d d"], tasks: np.ndarray | None = None
) -> Float[np.ndarray, "d r"]:
    """Leading eigenvectors of Σ_i ‖y_i‖⁻² Σ_{j≠l} y_j y_l x_j x_lᵀ, the j = l terms removed.

    Every pair of different rows of a task has mean Cθθᵀ C, with C the covariance of the rows, so the sum estimates
    Σ_i θ_iθ_iᵀ without the bias of the diagonal terms; bᵢbᵢᵀ adds what is nearly a multiple of the identity. Tasks are
    normalised so that large ones do not dominate. (Tripuraneni, Jin, Jordan 2021 keep only j = l; the pairs carry more
    information as soon as a task has several rows.)
    """
    data = engine.data
    weight = 1.0 / np.where(engine.energy > 0, engine.energy, np.inf)
    if tasks is not None:
        kept = np.zeros(data.t)
        kept[tasks] = 1.0
        weight = weight * kept
    M = (engine.correlation * weight[:, None]).T @ engine.correlation
    row_weight = data.y**2 * np.repeat(weight, data.counts)
    M -= weighted_gram(data, row_weight)
    # C⁻¹MC⁻¹ in the metric C: eigenvectors of L⁻¹ M L⁻ᵀ mapped back by L⁻ᵀ, with C = LLᵀ.
    L = np.linalg.cholesky(covariance)
    inner = linalg.solve_triangular(L, linalg.solve_triangular(L, M, lower=True).T, lower=True)
    d = data.d
    vectors = linalg.eigh((inner + inner.T) / 2, subset_by_index=(d - rank, d - 1))[1] if rank else np.empty((d, 0))
    return np.linalg.qr(linalg.solve_triangular(L.T, vectors))[0]
