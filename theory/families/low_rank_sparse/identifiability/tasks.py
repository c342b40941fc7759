"""What one task says, U given: does it fit, are its w and b determined, and can another support fit as well?

Everything is measured in units of the task. Rows are scaled to length one and the responses by the task's own size, so that
neither a task that is 10⁷ times as large as the others nor a single large row hides an error. With P_i the projection off
the columns of [X⁽ⁱ⁾U, X⁽ⁱ⁾_S], feature j ∉ S_i is *separated* when P_i X⁽ⁱ⁾e_j ≠ 0.

Support given U [D]. Let rank X⁽ⁱ⁾ ≥ r + k + 1, the answer fit, and every feature outside of S_i be separated. Then for almost
every b of any support S* with at most k entries (and almost every w) the answer is the truth: answers of support S_i fit y only if
y lies in the range of [X⁽ⁱ⁾U, X⁽ⁱ⁾_S], a subspace that holds X⁽ⁱ⁾e_j for all j ∈ S* only if S* ⊆ S_i, because those j are not
separated; else its intersection with the range of [X⁽ⁱ⁾U, X⁽ⁱ⁾_S*] is a proper subspace. In range [X⁽ⁱ⁾U, X⁽ⁱ⁾_S] the
coefficients are unique. With r + 2k rows and X⁽ⁱ⁾ in general position every b is covered, since any r + 2k columns are
independent; and when all supports are tried, no generic position is needed at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import MultiTaskData

#: Relative singular value below which a task's own [XU, X_S], its columns scaled to one, counts as rank deficient.
LOCAL_TOLERANCE = 1e-10
#: Relative singular value below which a row of X⁽ⁱ⁾ repeats the others, and relative length below which P_i X⁽ⁱ⁾e_j is zero.
SEPARATION = 1e-6
#: Relative residual², from a Gram matrix, below which a support is looked at again by least squares.
_CANDIDATE = 1e-10

#: A projection takes as long as so many supports.
_PROJECTION = 100

Support = Literal["exhaustive", "every b", "almost every b", "none"]


class Tasks(NamedTuple):
    """One entry per task."""

    residual: Float[np.ndarray, " t"]  # largest |y − ŷ|/‖x‖ of its rows over their root mean square |y|/‖x‖
    scale: Float[np.ndarray, " t"]  # root mean square of both parts' predictions and of y, rows of length one
    rank: Int[np.ndarray, " t"]  # independent rows
    margin: Float[np.ndarray, " t"]  # smallest singular value of [XU, X_S] with columns of length one; 0 if deficient
    deficient: Bool[np.ndarray, " t"]  # w and b are not determined by the task's rows
    separation: Float[np.ndarray, " t"]  # smallest ‖P X e_j‖ / ‖X e_j‖ over features outside of the support
    bases: list[np.ndarray]  # orthonormal columns spanning [XU, X_S] of the scaled rows, (m_i, rank_i)
    row_weights: Float[np.ndarray, " n"]  # 1 / ‖x‖


def supports_of(model: LRSModel) -> list[np.ndarray]:
    """Indices of the non-zeros of every b; stored zeros are none."""
    B = model.B.copy()
    B.eliminate_zeros()
    return [np.sort(B.indices[B.indptr[i] : B.indptr[i + 1]]) for i in range(model.t)]


def examine(data: MultiTaskData, model: LRSModel, U: Float[np.ndarray, "d r"], supports: list[np.ndarray]) -> Tasks:
    """Look at every task on its own, with U (orthonormal columns that span the model's) given."""
    t = data.t
    largest = np.abs(data.X).max(axis=1)
    weights = 1.0 / np.where(largest > 0, largest, 1.0)  # first by the largest entry: squares must not overflow
    weights /= np.maximum(np.sqrt(np.einsum("nd,nd,n,n->n", data.X, data.X, weights, weights)), 0.5)
    y = data.y * weights
    errors = np.abs(data.y - model.predict(data.X, data.groups)) * weights
    shared = np.einsum("nr,nr->n", data.X @ model.U, model.W[data.groups]) * weights
    size = _root_mean_square(y, data)
    worst = np.maximum.reduceat(errors, data.offsets[:-1])
    with np.errstate(divide="ignore", invalid="ignore"):
        residual = np.where(worst == 0, 0.0, worst / size)
    scale = np.maximum(size, np.maximum(_root_mean_square(shared, data), _root_mean_square(y - shared, data)))
    out = Tasks(
        residual,
        np.where(scale > 0, scale, 1.0),
        np.zeros(t, dtype=int),
        np.zeros(t),
        np.zeros(t, dtype=bool),
        np.full(t, math.inf),
        [],
        weights,
    )
    for i in range(t):
        rows = slice(data.offsets[i], data.offsets[i + 1])
        X = data.X[rows] * weights[rows, None]
        basis, out.margin[i], out.deficient[i] = own_columns(X, U, supports[i])
        out.bases.append(basis)
        out.rank[i] = independent_rows(X)
        outside = np.ones(data.d, dtype=bool)
        outside[supports[i]] = False
        before = np.sqrt(np.einsum("md,md->d", X, X))[outside]
        X -= basis @ (basis.T @ X)
        after = np.sqrt(np.einsum("md,md->d", X, X))[outside]
        out.separation[i] = np.divide(after, before, out=np.zeros_like(after), where=before > 0).min(initial=math.inf)
    return out


def own_columns(
    X: Float[np.ndarray, "m d"], U: Float[np.ndarray, "d r"], support: Int[np.ndarray, " k"]
) -> tuple[Float[np.ndarray, "m rank"], float, bool]:
    """Orthonormal basis of [XU, X_S], its smallest singular value with columns of length one, and whether it is deficient."""
    A = np.concatenate([X @ U, X[:, support]], axis=1)
    lengths = np.sqrt(np.einsum("mq,mq->q", A, A))
    left, sizes, _ = np.linalg.svd(A / np.where(lengths > 0, lengths, 1.0), full_matrices=False)
    rank = int((sizes > LOCAL_TOLERANCE * sizes.max(initial=0.0)).sum())
    deficient = rank < A.shape[1]
    return left[:, :rank], 0.0 if deficient else float(sizes.min(initial=math.inf)), deficient


def independent_rows(X: Float[np.ndarray, "m d"]) -> int:
    """Rank of X: a row that repeats the others is no information."""
    gram = X @ X.T if X.shape[0] <= X.shape[1] else X.T @ X
    values = np.linalg.eigvalsh(gram)
    return int((values > SEPARATION**2 * values.max(initial=0.0)).sum())


def _root_mean_square(values: np.ndarray, data: MultiTaskData) -> np.ndarray:
    top = np.maximum.reduceat(np.abs(values), data.offsets[:-1])
    top = np.where(top > 0, top, 1.0)
    shares = values / np.repeat(top, data.counts)
    return top * np.sqrt(np.add.reduceat(shares**2, data.offsets[:-1]) / data.counts)


# ---------------------------------------------------------------------------------------------- other supports
class Search(NamedTuple):
    """What is known of other supports, task by task."""

    kinds: list[Support]
    rival: list[tuple[int, ...] | None]  # a support of at most k entries that fits as well


def other_supports(
    data: MultiTaskData,
    U: Float[np.ndarray, "d r"],
    supports: list[np.ndarray],
    tasks: Tasks,
    candidates: Bool[np.ndarray, " t"],
    sparsity: int,
    *,
    tolerance: float,
    budget: int,
) -> Search:
    """For every candidate task, which uniqueness of its support is certified, U given.

    Tasks with fewer than r + 2k independent rows are searched for another support as long as the budget (a number of supports)
    lasts: there an exceptional b may have one.
    """
    t, (d, r) = data.t, U.shape
    kinds: list[Support] = ["none"] * t
    rival: list[tuple[int, ...] | None] = [None] * t
    each = math.comb(d, sparsity) + _PROJECTION * math.comb(d, max(sparsity - 2, 0))
    for i in np.flatnonzero(candidates):
        if sparsity == 0 or tasks.rank[i] >= r + 2 * sparsity:
            kinds[i] = "every b"
        elif each > budget:
            kinds[i] = "almost every b"
        else:
            budget -= each
            rows = slice(data.offsets[i], data.offsets[i + 1])
            w = tasks.row_weights[rows]
            rival[i] = rival_support(
                data.X[rows] * w[:, None], data.y[rows] * w, U, supports[i], sparsity, tolerance=tolerance
            )
            kinds[i] = "exhaustive" if rival[i] is None else "none"
    return Search(kinds, rival)


def rival_support(
    X: Float[np.ndarray, "m d"],
    y: Float[np.ndarray, " m"],
    U: Float[np.ndarray, "d r"],
    support: Int[np.ndarray, " s"],
    sparsity: int,
    *,
    tolerance: float,
) -> tuple[int, ...] | None:
    """Another support of k entries that does not contain ``support`` and fits y up to ``tolerance``, if there is one.

    All C(d, k) are tried: k − 2 features are taken out by projection, the last two by 2 × 2 systems for all pairs at once.
    """
    k = sparsity
    Q = np.linalg.qr(np.concatenate([X @ U, np.eye(len(X))], axis=1))[0][:, U.shape[1] :]
    A, z = Q.T @ X, Q.T @ y  # off the columns of XU
    own = set(map(int, support))
    size = float(np.sqrt(np.mean(y**2)))
    if size == 0.0:
        return None
    for chosen, first, columns, rest in _projections(A, z, max(k - 2, 0)):
        for pair in _pairs_that_fit(columns, rest, _CANDIDATE * len(y) * size**2, min(k, 2)):
            found = (*chosen, *(first + j for j in pair))
            if own <= set(found):
                continue
            full = np.concatenate([X @ U, X[:, list(found)]], axis=1)
            error = y - full @ np.linalg.lstsq(full, y, rcond=None)[0]
            if np.abs(error).max() <= tolerance * size:
                return found
    return None


def _projections(
    A: np.ndarray, z: np.ndarray, depth: int, first: int = 0, chosen: tuple[int, ...] = ()
) -> Iterator[tuple[tuple[int, ...], int, np.ndarray, np.ndarray]]:
    """Every choice of ``depth`` columns, with z and the columns after the last one (and its number) projected off them."""
    if depth == 0:
        yield chosen, first, A, z
        return
    for j in range(A.shape[1] - depth + 1):
        length = float(np.linalg.norm(A[:, j]))
        q = A[:, j] / length if length > 0 else A[:, j]  # without length it adds nothing to the others
        rest = A[:, j + 1 :]
        yield from _projections(
            rest - np.outer(q, q @ rest), z - q * (q @ z), depth - 1, first + j + 1, (*chosen, first + j)
        )


def _pairs_that_fit(A: np.ndarray, z: np.ndarray, threshold: float, size: int) -> list[tuple[int, ...]]:
    """Sets of ``size`` (1 or 2) columns that leave at most ``threshold`` of ‖z‖²; too many rather than too few."""
    energy, gram, c = float(z @ z), A.T @ A, A.T @ z
    squares = np.diag(gram)
    if size == 1:
        return [(int(j),) for j in np.flatnonzero((energy - threshold) * squares <= c**2 + 1e-13 * energy * squares)]
    products = squares[:, None] * squares[None, :]
    determinant = products - gram**2
    explained = squares[None, :] * c[:, None] ** 2 - 2 * gram * np.outer(c, c) + squares[:, None] * c[None, :] ** 2
    # Of nearly dependent pairs the determinant is rounding errors: the least squares decides.
    fits = (energy - threshold) * determinant <= explained + 1e-13 * energy * products
    return [(int(a), int(b)) for a, b in np.argwhere(np.triu(fits, 1))]
