"""Is an answer locally the only one? A certificate from data and answer alone, without any ground truth [D].

At (U, W, B) with supports S_i the predictions X⁽ⁱ⁾(U w_i + b_i), b_i on S_i, have a Jacobian J with r² gauge directions
(U → UQ, w → Q⁻¹w). A zero residual together with rank J = r(d − r) + Σ_i (r + k_i), that is full up to the gauge,
certifies that no other answer with those supports lies near. Eliminating w_i and b_i task by task leaves the dr × dr
matrix

    E = Σ_i w_i w_iᵀ ⊗ X⁽ⁱ⁾ᵀ P_i X⁽ⁱ⁾,   P_i = I − projection onto the columns of [X⁽ⁱ⁾U, X⁽ⁱ⁾_S],

whose nullity must be exactly r². Its smallest non-gauge singular value is the *margin*: the least change of the
predictions when U moves by a unit (Frobenius) out of the gauge and every task then adjusts its w and b as well as it can.
"""

from __future__ import annotations

import enum
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.sparse import linalg as sparse_linalg

from lrs.core.errors import InvalidInput
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import MultiTaskData, Problem

#: Relative singular value below which a task's own [XU, X_S] counts as rank deficient.
_LOCAL_TOLERANCE = 1e-10
#: Largest d·r for which E is formed; 3000² doubles are 72 MB.
_DENSE_LIMIT = 3000
#: Rows of X handled at a time when E is formed: the working copy has d·r columns.
_BLOCK_NUMBERS = 4_000_000


class IdentifiabilityVerdict(enum.Enum):
    """What the Jacobian and the residual say together."""

    UNIQUE = "unique"
    DETERMINED = "determined"
    AMBIGUOUS = "ambiguous"
    UNDECIDED = "undecided"

    @property
    def sentence(self) -> str:
        """One full sentence for people."""
        return _SENTENCES[self]


_SENTENCES = {
    IdentifiabilityVerdict.UNIQUE: "The answer reproduces the data and is locally the only one with these supports.",
    IdentifiabilityVerdict.DETERMINED: (
        "The data determine all parameters locally, but the answer does not reproduce them exactly: "
        "it is a fit, not a proof of recovery."
    ),
    IdentifiabilityVerdict.AMBIGUOUS: "The answer can be moved without changing what it predicts: others fit as well.",
    IdentifiabilityVerdict.UNDECIDED: "The margin is too close to rounding errors to tell.",
}


@dataclass(frozen=True, eq=False)
class IdentifiabilityCertificate:
    """The certificate of one answer.

    Attributes
    ----------
    verdict : IdentifiabilityVerdict
    residual : float
        ‖y − ŷ‖₂ / ‖y‖₂.
    equations, unknowns : int
        Rows, and r(d − r) + Σ(r + k_i).
    margin : float
        Smallest non-gauge singular value of the eliminated Jacobian, in units of the response per unit of U;
        inf when there is no non-gauge direction (r = 0 or r = d).
    relative_margin : float
        The same over the largest singular value, or over the root mean square one before the elimination if that is
        larger.
    task_margin : float
        Smallest singular value of any task's [XU, X_S]; 0 when a task has fewer rows than r + k_i.
    subspace_determined : bool
        Whether U is determined even if some tasks are not.
    deficient_tasks : tuple of int
        Tasks whose own w and b are not determined by their rows.
    reasons : tuple of str
        Necessary conditions that fail.
    direction : (d, r) array
        The worst determined direction of U, orthogonal to the gauge, Frobenius norm 1.
    method : {"dense", "matrix-free", "counting"}
    """

    verdict: IdentifiabilityVerdict
    residual: float
    equations: int
    unknowns: int
    margin: float
    relative_margin: float
    task_margin: float
    subspace_determined: bool
    deficient_tasks: tuple[int, ...]
    reasons: tuple[str, ...]
    direction: Float[np.ndarray, "d r"] = field(repr=False)
    method: Literal["dense", "matrix-free", "counting"] = "dense"

    def __bool__(self) -> bool:
        return self.verdict is IdentifiabilityVerdict.UNIQUE

    @property
    def sentence(self) -> str:
        """The verdict in words, with the figures it rests on."""
        figures = f"{self.equations} equations, {self.unknowns} unknowns, residual {self.residual:.2g}"
        if self.method != "counting":
            figures += f", margin {self.margin:.3g} ({self.relative_margin:.1e} of the largest singular value)"
        return " ".join(
            [self.verdict.sentence, *(f"{reason[0].upper()}{reason[1:]}." for reason in self.reasons), f"({figures})"]
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what is not finite is None."""
        names = ("residual", "equations", "unknowns", "margin", "relative_margin", "task_margin", "subspace_determined")
        values: dict[str, Any] = {"verdict": self.verdict.name, "sentence": self.sentence}
        values |= {name: getattr(self, name) for name in names}
        values |= {"deficient_tasks": list(self.deficient_tasks), "reasons": list(self.reasons), "method": self.method}
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}


class _Local(NamedTuple):
    """What the elimination of w_i and b_i leaves to know about every task."""

    bases: list[np.ndarray]  # orthonormal columns spanning [XU, X_S], (m_i, rank_i)
    deficient: tuple[int, ...]
    margin: float


def _supports(model: LRSModel) -> list[np.ndarray]:
    B = model.B.copy()
    B.eliminate_zeros()
    return [B.indices[B.indptr[i] : B.indptr[i + 1]] for i in range(model.t)]


def _eliminate(data: MultiTaskData, U: np.ndarray, supports: list[np.ndarray]) -> _Local:
    bases, deficient, margin = [], [], math.inf
    for i, (X, _) in enumerate(data):
        A = np.concatenate([X @ U, X[:, supports[i]]], axis=1)
        left, sizes, _ = np.linalg.svd(A, full_matrices=False)
        rank = int((sizes > _LOCAL_TOLERANCE * sizes.max(initial=0.0)).sum())
        if rank < A.shape[1]:
            deficient.append(i)
            margin = 0.0
        else:
            margin = min(margin, float(sizes.min(initial=math.inf)))
        bases.append(left[:, :rank])
    return _Local(bases, tuple(deficient), margin)


def _projected_blocks(data: MultiTaskData, bases: list[np.ndarray], width: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Rows of P_i X⁽ⁱ⁾ a block of tasks at a time, with the slice of tasks."""
    rows = max(1, _BLOCK_NUMBERS // max(width, 1))
    first = 0
    while first < data.t:
        last = first + 1
        while last < data.t and data.offsets[last + 1] - data.offsets[first] <= rows:
            last += 1
        start = data.offsets[first]
        Z = data.X[start : data.offsets[last]].copy()
        for i in range(first, last):
            z, Q = Z[data.offsets[i] - start : data.offsets[i + 1] - start], bases[i]
            z -= Q @ (Q.T @ z)
        yield slice(first, last), Z
        first = last


def eliminated_matrix(
    data: MultiTaskData, U: Float[np.ndarray, "d r"], W: Float[np.ndarray, "t r"], bases: list[np.ndarray]
) -> Float[np.ndarray, "dr dr"]:
    """E = Σ_i w_i w_iᵀ ⊗ X⁽ⁱ⁾ᵀ P_i X⁽ⁱ⁾ as a dense matrix, indexed like vec(U) (columns of U stacked)."""
    d, r = U.shape
    E = np.zeros((d * r, d * r))
    for tasks, Z in _projected_blocks(data, bases, d * r):
        weights = np.repeat(W[tasks], data.counts[tasks], axis=0)
        K = (weights[:, :, None] * Z[:, None, :]).reshape(len(Z), r * d)
        E += K.T @ K
    return E


class _Spectrum(NamedTuple):
    smallest: float  # non-gauge eigenvalue
    largest: float
    error: float  # bound on the error of ``smallest``
    direction: np.ndarray  # (d, r)


def _dense_spectrum(data: MultiTaskData, U: np.ndarray, W: np.ndarray, bases: list[np.ndarray]) -> _Spectrum:
    d, r = U.shape
    E = eliminated_matrix(data, U, W, bases)
    # The gauge directions U A are null vectors of E by construction: on their complement they need no rank decision.
    perp = np.linalg.qr(np.concatenate([U, np.eye(d)], axis=1))[0][:, r:]
    blocks = np.einsum("jp,ajbl,lq->apbq", perp, E.reshape(r, d, r, d), perp, optimize=True)
    values, vectors = np.linalg.eigh(blocks.reshape(r * (d - r), r * (d - r)))
    error = len(values) * float(np.finfo(np.float64).eps) * float(values[-1])
    return _Spectrum(max(float(values[0]), 0.0), float(values[-1]), error, perp @ vectors[:, 0].reshape(r, d - r).T)


def _eliminated_operator(data: MultiTaskData, W: np.ndarray, bases: list[np.ndarray]) -> sparse_linalg.LinearOperator:
    """E as a product with vectors: O(n d r) work and no matrix of size dr."""
    d, r = data.d, W.shape[1]
    weights = W[data.groups]
    Q = np.zeros((data.n, max((b.shape[1] for b in bases), default=0)))  # padded with zeros: ragged supports
    for i, basis in enumerate(bases):
        Q[data.offsets[i] : data.offsets[i + 1], : basis.shape[1]] = basis

    def matmat(V: np.ndarray) -> np.ndarray:
        columns = V.reshape(r, d, -1)
        count = columns.shape[2]
        # All columns in one pass over X, which is what the time goes into.
        images = (data.X @ columns.transpose(1, 0, 2).reshape(d, r * count)).reshape(data.n, r, count)
        spread = np.empty((data.n, r, count))
        for c in range(count):
            p = np.einsum("nr,nr->n", images[:, :, c], weights)
            inside = np.add.reduceat(Q * p[:, None], data.offsets[:-1], axis=0)
            p -= np.einsum("nq,nq->n", Q, inside[data.groups])
            np.multiply(p[:, None], weights, out=spread[:, :, c])
        out = (data.X.T @ spread.reshape(data.n, r * count)).reshape(d, r, count)
        return out.transpose(1, 0, 2).reshape(d * r, count)

    shape = (d * r, d * r)
    return sparse_linalg.LinearOperator(shape, matvec=lambda v: matmat(v)[:, 0], matmat=matmat, dtype=np.float64)


def _matrix_free_spectrum(data: MultiTaskData, U: np.ndarray, W: np.ndarray, bases: list[np.ndarray]) -> _Spectrum:
    d, r = U.shape
    E = _eliminated_operator(data, W, bases)
    gauge = np.kron(np.eye(r), U)
    # E is close to (n/t) WᵀW ⊗ I: its inverse is the preconditioner that makes the count of products independent of κ.
    gram = W.T @ W * (data.n / data.t)
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
    return _Spectrum(max(value, 0.0), largest, error, direction.reshape(r, d).T)


def _necessary_conditions(data: MultiTaskData, W: np.ndarray, supports: list[np.ndarray], unknowns: int) -> list[str]:
    """The necessary conditions (`theory.families.low_rank_sparse.assumptions.NECESSARY`) that fail, in words."""
    t, r = W.shape
    reasons = []
    if data.n < unknowns:
        reasons.append(f"there are {data.n} rows for {unknowns} unknowns")
    short = [i for i in range(t) if data.counts[i] < r + len(supports[i])]
    if short:
        reasons.append(
            f"{len(short)} task(s) have fewer rows than r + k_i (task {data.task_names[short[0]]!r}: "
            f"{data.counts[short[0]]} rows, r + k_i = {r + len(supports[short[0]])})"
        )
    rank = int(np.linalg.matrix_rank(W)) if r else 0
    if rank < r:
        reasons.append(f"the weights w span {rank} of r = {r} directions")
    elif r:
        used = np.zeros((t, data.d), dtype=bool)
        used[np.repeat(np.arange(t), [len(s) for s in supports]), np.concatenate(supports)] = True
        # Only a coordinate personal to nearly all tasks, or to all but dependent ones, can hide its row of U.
        for j in np.flatnonzero(used.sum(axis=0) > 0):
            visible = W[~used[:, j]]
            if len(visible) < r or np.linalg.matrix_rank(visible) < r:
                reasons.append(
                    f"feature {data.feature_names[j]!r} is personal to {int(used[:, j].sum())} of {t} tasks; "
                    "the others do not determine its row of U"
                )
                break
    return reasons


def local_identifiability(
    data: MultiTaskData | Problem,
    model: LRSModel,
    *,
    residual_tolerance: float = 1e-8,
    rank_tolerance: float = 1e-12,
    method: Literal["auto", "dense", "matrix-free"] = "auto",
) -> IdentifiabilityCertificate:
    """Certify that an answer is locally the only one with its supports.

    Parameters
    ----------
    data : MultiTaskData or Problem
        What was observed; tasks may be of different sizes.
    model : LRSModel
        The answer; its non-zeros define the supports.
    residual_tolerance : float
        Relative residual up to which the answer counts as reproducing the data.
    rank_tolerance : float
        Ratio of eigenvalues of E below which the smallest counts as zero; within a factor of 10 it is undecided.
    method : {"auto", "dense", "matrix-free"}
        Whether E is formed (exact spectrum; auto: up to d·r = 3000) or only multiplied with.

    Returns
    -------
    IdentifiabilityCertificate

    Raises
    ------
    InvalidInput
        When model and data do not fit together, or U has dependent columns.
    """
    if isinstance(data, Problem):
        data = data.data
    if not isinstance(data, MultiTaskData):
        raise InvalidInput(f"data: expected MultiTaskData or Problem, got {type(data).__name__}")
    if not isinstance(model, LRSModel):
        raise InvalidInput(f"model: expected an LRSModel, got {type(model).__name__}")
    if (model.t, model.d) != (data.t, data.d):
        raise InvalidInput(f"model: (t, d) = {(model.t, model.d)}, but the data have {(data.t, data.d)}")
    if method not in ("auto", "dense", "matrix-free"):
        raise InvalidInput(f"method: expected 'auto', 'dense' or 'matrix-free', got {method!r}")
    d, r = model.U.shape
    U, R = np.linalg.qr(model.U)  # an answer with any basis of its subspace: the gauge does not matter
    if r and np.linalg.cond(R) > 1e12:
        raise InvalidInput("model: the columns of U are dependent; pass a basis of the subspace, of its true rank")
    W = model.W @ R.T
    supports = _supports(model)
    unknowns = r * (d - r) + sum(r + len(s) for s in supports)
    scale = float(np.linalg.norm(data.y)) or 1.0
    residual = float(np.linalg.norm(data.y - model.predict(data.X, data.groups))) / scale
    reasons = _necessary_conditions(data, W, supports, unknowns)
    local = _eliminate(data, U, supports)
    if local.deficient and not any("fewer rows" in reason for reason in reasons):
        reasons.append(
            f"{len(local.deficient)} task(s) cannot tell their sparse part from the subspace "
            f"(task {data.task_names[local.deficient[0]]!r})"
        )

    used: Literal["dense", "matrix-free", "counting"]
    # Rows left over once every task has spent its own: fewer than r(d − r) and no spectrum is needed.
    spare = data.n - sum(basis.shape[1] for basis in local.bases)
    if r * (d - r) == 0:
        used, margin, relative, determined, doubtful = "counting", math.inf, math.inf, True, False
        direction = np.zeros((d, r))
    elif spare < r * (d - r) or not W.any():
        used, margin, relative, determined, doubtful = "counting", 0.0, 0.0, False, False
        direction = np.zeros((d, r))
    else:
        # Below 50 unknowns LOBPCG has no room for its block beside the gauge.
        dense = r * (d - r) < 50 or method == "dense" or (method == "auto" and d * r <= _DENSE_LIMIT)
        used = "dense" if dense else "matrix-free"
        spectrum = (_dense_spectrum if dense else _matrix_free_spectrum)(data, U, W, local.bases)
        margin, direction = math.sqrt(spectrum.smallest), spectrum.direction @ R  # back in the basis that was passed
        direction /= np.linalg.norm(direction)
        # Where the tasks use up all of their rows E is nothing but rounding errors: measure against what went in.
        energy = float(np.repeat((W**2).sum(axis=1), data.counts) @ np.einsum("nd,nd->n", data.X, data.X))
        ratio = spectrum.smallest / max(spectrum.largest, energy / (d * r))
        relative = math.sqrt(ratio)
        determined = ratio > rank_tolerance
        doubtful = rank_tolerance / 10 < ratio < rank_tolerance * 10
        if determined and spectrum.error > spectrum.smallest / 2:
            doubtful = True
    if doubtful:
        verdict = IdentifiabilityVerdict.UNDECIDED
    elif local.deficient or not determined:
        verdict = IdentifiabilityVerdict.AMBIGUOUS
    elif residual <= residual_tolerance:
        verdict = IdentifiabilityVerdict.UNIQUE
    else:
        verdict = IdentifiabilityVerdict.DETERMINED
    return IdentifiabilityCertificate(
        verdict=verdict,
        residual=residual,
        equations=data.n,
        unknowns=unknowns,
        margin=margin,
        relative_margin=relative,
        task_margin=local.margin,
        subspace_determined=determined,
        deficient_tasks=local.deficient,
        reasons=tuple(reasons),
        direction=direction,
        method=used,
    )
