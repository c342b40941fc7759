"""What all tasks say together of U: the eliminated Jacobian, and its normals.

At (U, W, B) with supports S_i the predictions X⁽ⁱ⁾(U w_i + b_i), b_i on S_i, have a Jacobian J with r² gauge directions
(U → UQ, w → Q⁻¹w). Eliminating w_i and b_i task by task leaves the dr × dr matrix

    E = Σ_i w_i w_iᵀ ⊗ X⁽ⁱ⁾ᵀ P_i X⁽ⁱ⁾,   P_i = I − projection onto the columns of [X⁽ⁱ⁾U, X⁽ⁱ⁾_S],

whose nullity must be exactly r². A *normal* is a q = (q_i) with Jᵀq = 0: q_i ⟂ [X⁽ⁱ⁾U, X⁽ⁱ⁾_S] and Σ_i (X⁽ⁱ⁾ᵀq_i) w_iᵀ = 0. The
normals are the equations that are left over, Σ_i (rank X⁽ⁱ⁾ − r − k_i) − r(d − r) of them, and say more than the nullity: see
`contact`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import linalg as sparse_linalg

from lrs.families.low_rank_sparse.problem import MultiTaskData
from theory.families.low_rank_sparse.identifiability.tasks import Tasks, independent_rows, own_columns

#: Largest d·r for which E is formed; 3000² doubles are 72 MB.
DENSE_LIMIT = 3000
#: Rows of X handled at a time: the working copy has d·r columns.
_BLOCK_NUMBERS = 4_000_000
#: Random normals; one is enough unless its rank is short.
_NORMALS = 4
#: Relative size below which an entry or a singular value of what normals span counts as zero.
_CONTACT_TOLERANCE = 1e-7
#: Largest t for which the t × t matrix of condition (W) is formed.
_MOST_TASKS = 4000


@dataclass(frozen=True, eq=False)
class Tied:
    """Tasks that are looked at together; those with the same θ up to a factor are tied into one.

    Users who appear twice repeat equations: they count once, with all of their rows.
    """

    X: Float[np.ndarray, "n d"]
    row_weights: Float[np.ndarray, " n"]
    offsets: Int[np.ndarray, " g_plus_1"]
    W: Float[np.ndarray, "g r"]
    bases: list[np.ndarray]
    members: list[np.ndarray]  # the tasks of each group
    supports: list[np.ndarray]
    surplus: int  # Σ (rank − r − k)₊, of a group at most its members' sum

    @property
    def counts(self) -> np.ndarray:
        return np.diff(self.offsets)

    def blocks(self, width: int) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """Groups, rows, and P_i X⁽ⁱ⁾ (rows of length one before the projection), a few groups at a time."""
        rows = max(1, _BLOCK_NUMBERS // max(width, 1))
        first, g = 0, len(self.bases)
        while first < g:
            last = first + 1
            while last < g and self.offsets[last + 1] - self.offsets[first] <= rows:
                last += 1
            span = slice(self.offsets[first], self.offsets[last])
            Z = self.X[span] * self.row_weights[span, None]
            for i in range(first, last):
                z, Q = Z[self.offsets[i] - span.start : self.offsets[i + 1] - span.start], self.bases[i]
                z -= Q @ (Q.T @ z)
            yield slice(first, last), span, Z
            first = last


def tie(
    data: MultiTaskData,
    U: Float[np.ndarray, "d r"],
    W: Float[np.ndarray, "t r"],
    theta: Float[np.ndarray, "t d"],
    supports: list[np.ndarray],
    tasks: Tasks,
    chosen: Bool[np.ndarray, " t"],
    sparsity: int,
    *,
    apart: bool = False,
) -> Tied:
    """The chosen tasks, tied where θ is the same up to a factor; ``apart``: none is tied."""
    r = U.shape[1]
    own = np.maximum(tasks.rank - r - sparsity, 0)
    scaled = W / tasks.scale[:, None]
    indices = np.flatnonzero(chosen)
    groups = [np.array([i]) for i in indices]
    if not apart:
        # Without b all θ of one direction are multiples of it, by the model and not by chance: the same rows tell copies.
        places = np.zeros(data.t)
        for i in indices if r == 1 else ():
            if len(supports[i]) == 0:
                Q = np.linalg.qr(data.X[data.offsets[i] : data.offsets[i + 1]].T)[0]
                places[i] = np.linalg.norm(Q.T @ np.cos(np.arange(data.d)))
        groups = _same_up_to_a_factor(theta, indices, places)
    if len(groups) == data.t:
        surplus = int(own.sum())
        members = [np.array([i]) for i in range(data.t)]
        return Tied(data.X, tasks.row_weights, data.offsets, scaled, tasks.bases, members, supports, surplus)
    index, offsets, bases, used, surplus = [], [0], [], [], 0
    for group in groups:
        rows = np.concatenate([np.arange(data.offsets[i], data.offsets[i + 1]) for i in group])
        index.append(rows)
        offsets.append(offsets[-1] + len(rows))
        used.append(np.unique(np.concatenate([supports[i] for i in group])))
        if len(group) == 1:
            bases.append(tasks.bases[group[0]])
            surplus += int(own[group[0]])
        else:
            X = data.X[rows] * tasks.row_weights[rows, None]
            bases.append(own_columns(X, U, used[-1])[0])
            surplus += min(int(own[group].sum()), max(independent_rows(X) - r - sparsity, 0))
    rows = np.concatenate(index) if index else np.zeros(0, dtype=int)
    first = np.array([group[0] for group in groups], dtype=int)
    return Tied(data.X[rows], tasks.row_weights[rows], np.array(offsets), scaled[first], bases, groups, used, surplus)


def _same_up_to_a_factor(theta: np.ndarray, chosen: np.ndarray, places: np.ndarray) -> list[np.ndarray]:
    """The chosen tasks by direction of θ and by place."""
    directions = theta[chosen]
    top = np.abs(directions).max(axis=1, initial=0.0)
    directions = directions / np.where(top > 0, top, 1.0)[:, None]
    lengths = np.linalg.norm(directions, axis=1)
    directions /= np.where(lengths > 0, lengths, 1.0)[:, None]
    places = places[chosen]
    marks = np.abs(directions @ np.random.default_rng(0).standard_normal(theta.shape[1])) + np.pi * places
    order = np.argsort(marks, kind="stable")
    leader = np.arange(len(chosen))
    for place, i in enumerate(order):  # equal directions have equal marks: only neighbours are compared
        if lengths[i] == 0:
            continue
        for j in reversed(order[max(0, place - 64) : place]):
            if marks[i] - marks[j] > 1e-6:
                break
            if abs(directions[i] @ directions[j]) > 1 - 1e-12 / 2 and abs(places[i] - places[j]) < 1e-6:
                leader[i] = leader[j]
                break
    if (leader == np.arange(len(chosen))).all():
        return [np.array([i]) for i in chosen]
    return [chosen[leader == first] for first in np.unique(leader)]


# ---------------------------------------------------------------------------------------------- E and its spectrum
class Spectrum(NamedTuple):
    smallest: float  # non-gauge eigenvalue of E
    ratio: float  # the same over the largest, or over what went in before the elimination if that is more
    direction: np.ndarray  # (d, r) of the smallest
    determined: bool
    doubtful: bool
    method: Literal["dense", "matrix-free", "counting"]
    solve: _Solve | None  # E⁺, when E is determined


class _Solve:
    """E⁺ on the complement of the gauge, for vectors (dr, s) stacked by columns of U."""

    def __call__(self, V: np.ndarray) -> np.ndarray:
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class _Dense(_Solve):
    perp: np.ndarray  # (d, d − r)
    values: np.ndarray
    vectors: np.ndarray

    def __call__(self, V: np.ndarray) -> np.ndarray:
        d, rest = self.perp.shape
        r = len(V) // d
        inside = (self.perp.T @ V.reshape(r, d, -1)).reshape(r * rest, -1)
        solved = self.vectors @ ((self.vectors.T @ inside) / self.values[:, None])
        return (self.perp @ solved.reshape(r, rest, -1)).reshape(r * d, -1)


@dataclass(frozen=True, eq=False)
class _Iterative(_Solve):
    E: sparse_linalg.LinearOperator
    M: sparse_linalg.LinearOperator
    U: np.ndarray

    def __call__(self, V: np.ndarray) -> np.ndarray:
        r = self.U.shape[1]
        gauge = np.kron(np.eye(r), self.U)
        out = np.empty_like(V)
        for c in range(V.shape[1]):
            v = V[:, c] - gauge @ (gauge.T @ V[:, c])
            solved = sparse_linalg.cg(self.E, v, rtol=1e-13, maxiter=500, M=self.M)[0]
            out[:, c] = solved - gauge @ (gauge.T @ solved)
        return out


def eliminated_matrix(tied: Tied) -> Float[np.ndarray, "dr dr"]:
    """E = Σ_i w_i w_iᵀ ⊗ X⁽ⁱ⁾ᵀ P_i X⁽ⁱ⁾ as a dense matrix, indexed like vec(U) (columns of U stacked)."""
    d, r = tied.X.shape[1], tied.W.shape[1]
    E = np.zeros((d * r, d * r))
    for groups, _, Z in tied.blocks(d * r):
        weights = np.repeat(tied.W[groups], tied.counts[groups], axis=0)
        K = (weights[:, :, None] * Z[:, None, :]).reshape(len(Z), r * d)
        E += K.T @ K
    return E


def spectrum(
    tied: Tied, U: Float[np.ndarray, "d r"], *, rank_tolerance: float, method: Literal["auto", "dense", "matrix-free"]
) -> Spectrum:
    """The smallest non-gauge eigenvalue of E, whether it is zero, and E⁺ if it is not."""
    d, r = U.shape
    still = np.zeros((d, r))
    if r * (d - r) == 0:
        return Spectrum(math.inf, math.inf, still, True, False, "counting", None)
    # Rows left over once every task has spent its own: fewer than r(d − r) and no spectrum is needed.
    spare = len(tied.X) - sum(basis.shape[1] for basis in tied.bases)
    if spare < r * (d - r) or not tied.W.any():
        return Spectrum(0.0, 0.0, still, False, False, "counting", None)
    # Below 50 unknowns LOBPCG has no room for its block beside the gauge.
    dense = r * (d - r) < 50 or method == "dense" or (method == "auto" and d * r <= DENSE_LIMIT)
    smallest, largest, error, direction, solve = (_dense if dense else _matrix_free)(tied, U)
    # Where the tasks use up all of their rows E is nothing but rounding errors: measure against what went in.
    energy = float((tied.W**2).sum(axis=1) @ tied.counts)
    ratio = smallest / max(largest, energy / (d * r))
    determined = ratio > rank_tolerance
    doubtful = rank_tolerance / 10 < ratio < rank_tolerance * 10 or (determined and error > smallest / 2)
    return Spectrum(
        smallest,
        ratio,
        direction,
        determined,
        doubtful,
        "dense" if dense else "matrix-free",
        solve if determined else None,
    )


_Found = tuple[float, float, float, np.ndarray, _Solve]  # smallest, largest, error bound of the smallest, direction, E⁺


def _dense(tied: Tied, U: np.ndarray) -> _Found:
    d, r = U.shape
    E = eliminated_matrix(tied)
    # The gauge directions U A are null vectors of E by construction: on their complement they need no rank decision.
    perp = np.linalg.qr(np.concatenate([U, np.eye(d)], axis=1))[0][:, r:]
    blocks = np.einsum("jp,ajbl,lq->apbq", perp, E.reshape(r, d, r, d), perp, optimize=True)
    values, vectors = np.linalg.eigh(blocks.reshape(r * (d - r), r * (d - r)))
    error = len(values) * float(np.finfo(np.float64).eps) * float(values[-1])
    direction = perp @ vectors[:, 0].reshape(r, d - r).T
    return max(float(values[0]), 0.0), float(values[-1]), error, direction, _Dense(perp, values, vectors)


def _eliminated_operator(tied: Tied) -> sparse_linalg.LinearOperator:
    """E as a product with vectors: O(n d r) work and no matrix of size dr."""
    (n, d), r = tied.X.shape, tied.W.shape[1]
    groups = np.repeat(np.arange(len(tied.bases)), tied.counts)
    weights = tied.W[groups] * tied.row_weights[:, None]
    Q = np.zeros((n, max((b.shape[1] for b in tied.bases), default=0)))  # padded with zeros: ragged supports
    for i, basis in enumerate(tied.bases):
        Q[tied.offsets[i] : tied.offsets[i + 1], : basis.shape[1]] = basis

    def matmat(V: np.ndarray) -> np.ndarray:
        columns = V.reshape(r, d, -1)
        count = columns.shape[2]
        # All columns in one pass over X, which is what the time goes into.
        images = (tied.X @ columns.transpose(1, 0, 2).reshape(d, r * count)).reshape(n, r, count)
        spread = np.empty((n, r, count))
        for c in range(count):
            p = np.einsum("nr,nr->n", images[:, :, c], weights)
            inside = np.add.reduceat(Q * p[:, None], tied.offsets[:-1], axis=0)
            p -= np.einsum("nq,nq->n", Q, inside[groups])
            np.multiply(p[:, None], weights, out=spread[:, :, c])
        out = (tied.X.T @ spread.reshape(n, r * count)).reshape(d, r, count)
        return out.transpose(1, 0, 2).reshape(d * r, count)

    shape = (d * r, d * r)
    return sparse_linalg.LinearOperator(shape, matvec=lambda v: matmat(v)[:, 0], matmat=matmat, dtype=np.float64)


def _matrix_free(tied: Tied, U: np.ndarray) -> _Found:
    d, r = U.shape
    E = _eliminated_operator(tied)
    gauge = np.kron(np.eye(r), U)
    # E is close to (n/td) WᵀW ⊗ I: its inverse is the preconditioner that makes the count of products independent of κ.
    gram = tied.W.T @ tied.W * (len(tied.X) / len(tied.bases) / d)
    ridge = np.linalg.pinv(gram + 1e-12 * np.trace(gram) * np.eye(r))

    def precondition(V: np.ndarray) -> np.ndarray:
        return np.einsum("ab,bdc->adc", ridge, V.reshape(r, d, -1)).reshape(V.shape)

    M = sparse_linalg.LinearOperator(E.shape, matvec=precondition, matmat=precondition, dtype=np.float64)
    rng = np.random.default_rng([0, d, r])
    largest = float(sparse_linalg.eigsh(E, k=1, tol=1e-2, v0=rng.standard_normal(d * r), return_eigenvectors=False)[0])
    vectors = rng.standard_normal((d * r, 4))
    value, error, direction = math.inf, math.inf, vectors[:, 0]
    for tolerance in (1e-3, 1e-5, 1e-7, 1e-9):  # of residuals; the eigenvalue's error is its square
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # convergence is judged below, by the residual
            values, vectors = sparse_linalg.lobpcg(
                E, vectors, M=M, Y=gauge, largest=False, tol=tolerance * largest, maxiter=100
            )
        best = int(np.argmin(values))
        direction = vectors[:, best] - gauge @ (gauge.T @ vectors[:, best])
        direction /= np.linalg.norm(direction)
        image = E.matmat(direction[:, None])[:, 0]
        value = float(direction @ image)
        error = float(np.linalg.norm(image - value * direction))
        if error < 1e-3 * value:
            break
    return max(value, 0.0), largest, error, direction.reshape(r, d).T, _Iterative(E, M, U)


# ---------------------------------------------------------------------------------------------- normals
class Contact(NamedTuple):
    """What random normals say of other answers far away."""

    accurate: bool
    subspace: bool  # condition (U)
    weights: bool  # condition (W)
    supports: Bool[np.ndarray, " g"]  # condition (S) of every group


def contact(tied: Tied, U: Float[np.ndarray, "d r"], solve: _Solve) -> Contact:
    """Can another answer, of any U and any supports, fit the same data for truths in general position? [D]

    Let the truths x* of some supports S* whose data have another answer x' ≠ x*, of supports S', contain an open set. The
    conditions below are open and semi-algebraic, so x' can be chosen as a differentiable function of x* on a smaller open
    set; from f(x'(x*)) = f(x*) follows range J(x*) ⊆ range J(x'): every normal q at x' is a normal at x*. With
    g_i = X⁽ⁱ⁾ᵀ q_i this reads g_i ⟂ U*, g_i = 0 on S*_i and Σ_i g_i w*_iᵀ = 0, for every normal. Hence if at the answer

    (U)  the g_i of all tasks and normals span the complement of U',       then span U* = span U';
    (S)  no j ∉ S'_i has (g_i)_j = 0 for all normals,                      then S*_i ⊆ S'_i;
    (W)  the rows of the matrices (g_1, …, g_t) span the complement of W', then span W* = span W'.

    After (U) the rest is what a task says, U given. After (W) and (S) of all tasks one may take W* = W'; then the data are
    linear in (U*, B*), and injective because J has the gauge only for its kernel. So (U), or (W) with (S), excludes other
    answers but for a null set of truths. Random normals decide as well as all of them, with probability one.
    """
    (n, d), r, g = tied.X.shape, U.shape[1], len(tied.bases)
    q = np.random.default_rng([1, d, r]).standard_normal((n, _NORMALS))
    scale = math.sqrt(float((tied.W**2).sum(axis=1) @ tied.counts) / max(n, 1))
    for i in range(g):
        rows, Q = slice(tied.offsets[i], tied.offsets[i + 1]), tied.bases[i]
        q[rows] -= Q @ (Q.T @ q[rows])
    for _ in range(2):  # the second time for the rounding errors of the first
        delta = solve(_weighted_sum(tied, q)).reshape(r, d, -1)
        for groups, span, Z in tied.blocks(d):
            weights = np.repeat(tied.W[groups], tied.counts[groups], axis=0)
            for c in range(_NORMALS):
                q[span, c] -= np.einsum("nd,da,na->n", Z, delta[:, :, c].T, weights, optimize=True)
    error = float(np.linalg.norm(_weighted_sum(tied, q))) / max(scale * float(np.linalg.norm(q)), 1e-300)
    G = np.zeros((g, d, _NORMALS))
    free = np.zeros(g, dtype=bool)
    for groups, span, Z in tied.blocks(d):
        for i in range(groups.start, groups.stop):
            rows = slice(tied.offsets[i] - span.start, tied.offsets[i + 1] - span.start)
            z = Z[rows]
            G[i] = z.T @ q[span][rows]
            outside = np.ones(d, dtype=bool)
            outside[tied.supports[i]] = False
            lengths = np.sqrt(np.einsum("md,md->d", z, z))[outside]
            free[i] = bool((np.abs(G[i][outside]).max(axis=1, initial=0.0) > _CONTACT_TOLERANCE * lengths).all())
    subspace = _rank(G.transpose(1, 0, 2).reshape(d, -1)) >= d - r
    weights_too = not subspace and g - r <= min(_MOST_TASKS, d * _NORMALS) and _rank(G.reshape(g, -1)) >= g - r
    return Contact(bool(error < 1e-9), subspace, weights_too, free)


def _weighted_sum(tied: Tied, q: np.ndarray) -> np.ndarray:
    """Σ_i w_i ⊗ X⁽ⁱ⁾ᵀ P_i q_i, one column per normal."""
    d, r = tied.X.shape[1], tied.W.shape[1]
    out = np.zeros((r * d, q.shape[1]))
    for groups, span, Z in tied.blocks(d * r):
        weights = np.repeat(tied.W[groups], tied.counts[groups], axis=0)
        for a in range(r):
            out[a * d : (a + 1) * d] += Z.T @ (weights[:, a, None] * q[span])
    return out


def _rank(A: np.ndarray) -> int:
    square = np.linalg.qr(A.T, mode="r") if A.shape[1] > A.shape[0] else A
    sizes = np.linalg.svd(square, compute_uv=False)
    return int((sizes > _CONTACT_TOLERANCE * sizes.max(initial=0.0)).sum())
