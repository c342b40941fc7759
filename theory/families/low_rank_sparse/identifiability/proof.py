"""A proof for small problems: error bounds instead of tolerances, supports by enumeration, no genericity [D].

What is proved, of the numbers as they are stored (y is rounded, so in general no model reproduces it exactly). Let the columns
of U be normalised by keeping r of its rows (the *pivots*) as they are in the answer, which any subspace near it allows in one
way. Call *admissible* every (U*, W*, B*) with ‖b*_i‖₀ ≤ k for all i that reproduces every response up to ``slack`` times the
largest one of its task, |X⁽ⁱ⁾(U*w*_i + b*_i) − y⁽ⁱ⁾| ≤ δ_i, and whose U* lies within ``radius`` of the answer's, entry by entry.
Then

1. every admissible answer has the supports S_i, which must have k entries (enumeration of all C(d, k) supports, task by task);
2. if its w and b also lie within ``radius`` times the size of their task, it lies within ``error`` of the answer;
3. the square system of as many rows as unknowns has exactly one solution within ``radius``, and it is within ``error``.

Step 1. For a support T that does not contain S_i let M = [X⁽ⁱ⁾U, X⁽ⁱ⁾_T, y⁽ⁱ⁾], columns scaled to length about one. An
admissible answer whose support is in T makes the columns of M + Δ dependent, where ‖Δ‖_F ≤ ε by ``radius`` and ``slack``: the least
singular value of M would be at most ε. So it suffices that MᵀM − s I is positive definite for an s that exceeds ε² and all rounding
errors: Rump's criterion (BIT 46, 2006), a floating-point Cholesky decomposition that succeeds.

Steps 2 and 3. With F the residuals of the chosen rows, R an approximate inverse of the Jacobian J at the answer, and
Lip the (constant) second derivatives of F, which is bilinear: x ↦ x − R F(x) contracts the ball of radius ρ by
q = ‖I − RJ‖ + ρ ‖ |R| Lip ‖ and moves its centre by β = ‖R F‖. If q < 1 and β ≤ (1 − q) ρ there is exactly one zero in it (Krawczyk,
Newton–Kantorovich). All norms are maxima weighted by the size of each unknown; every product is bounded with its rounding
errors by |fl(AB) − AB| ≤ γ_n |A||B|, γ_n = n u/(1 − n u), in any order of summation (Higham, section 3.5).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg

from lrs.core.errors import InvalidInput
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import Problem
from theory.families.low_rank_sparse.identifiability.tasks import supports_of

_UNIT = 2.0**-53
#: Makes up for the rounding errors in sums and products of bounds, which are all positive.
_UP = 1.0 + 1e-9
#: Most unknowns of the square system, and most supports that are tried.
_MOST_UNKNOWNS = 1500
_MOST_SUPPORTS = 3_000_000
_BATCH = 20_000


@dataclass(frozen=True)
class IdentifiabilityProof:
    """What was proved of an answer; true when all three statements were.

    Attributes
    ----------
    supports, unique : bool
        Statement 1; statements 2 and 3.
    radius : float
        How far from the answer others are excluded: entries of U, and w and b over the size of their task.
    error : float
        How far from the answer the solution is at most, in the same units.
    slack : float
        How far responses may be off, over the largest of their task.
    tried : int
        Supports enumerated.
    why : str
        What could not be proved, empty when everything was.
    """

    supports: bool
    unique: bool
    radius: float
    error: float
    slack: float
    tried: int
    why: str

    def __bool__(self) -> bool:
        return self.supports and self.unique

    @property
    def sentence(self) -> str:
        """What is proved, in words."""
        if not self:
            return f"Not proved: {self.why}."
        return (
            f"Proved: any answer with at most k non-zeros a task that reproduces y up to {self.slack:.1e} of each task's largest "
            f"response, with U within {self.radius:.1e} of this one, has these supports ({self.tried} tried); with w and b within "
            f"{self.radius:.1e} too, it is within {self.error:.1e} of this one, entry by entry. U further away is not excluded."
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        names = ("supports", "unique", "radius", "error", "slack", "tried", "why", "sentence")
        return {"proved": bool(self)} | {name: getattr(self, name) for name in names}


def prove_identifiability(problem: Problem, model: LRSModel, *, slack: float = 4 * _UNIT) -> IdentifiabilityProof:
    """Prove that an answer to a small problem is the only one near, with every support excluded that it does not have.

    Parameters
    ----------
    problem : Problem
        With at most some 10⁶ supports in all, t·C(d, k), and 1500 unknowns, r(d − r) + Σ(r + k_i).
    model : LRSModel
        The answer, of the problem's rank and with k non-zeros a task.
    slack : float
        How far from the stored responses an admissible answer may be, over the largest of each task: what rounding y, or the
        way it was computed, may have done.

    Returns
    -------
    IdentifiabilityProof

    Raises
    ------
    InvalidInput
        When the problem is too large, or the answer is not one to it.
    """
    data, (d, r), k = problem.data, model.U.shape, problem.sparsity
    supports = supports_of(model)
    if (model.t, d, r) != (data.t, data.d, problem.rank):
        raise InvalidInput(
            f"model: (t, d, r) = {(model.t, d, r)}, the problem has {(data.t, data.d, problem.rank)}; pass an answer to it"
        )
    if max((len(s) for s in supports), default=0) > k:
        raise InvalidInput(f"model: a task has more than k = {k} non-zeros; pass an answer to the problem")
    supposed = data.t * math.comb(d, k)
    unknowns = r * (d - r) + sum(r + len(s) for s in supports)
    if supposed > _MOST_SUPPORTS or unknowns > _MOST_UNKNOWNS:
        raise InvalidInput(
            f"problem: {supposed} supports and {unknowns} unknowns; a proof is for at most {_MOST_SUPPORTS} and "
            f"{_MOST_UNKNOWNS}; use local_identifiability"
        )
    radius, error, why = _newton_kantorovich(problem, model, supports, unknowns, slack)
    if why:
        return IdentifiabilityProof(False, False, radius, error, slack, 0, why)
    tried = 0
    for i, (X, y) in enumerate(data):
        name = f"task {data.task_names[i]!r}"
        if len(supports[i]) < k:
            why = f"{name} has {len(supports[i])} of k = {k} non-zeros, and slack leaves room for more"
            return IdentifiabilityProof(False, True, radius, error, slack, tried, why)
        listed = [s for s in itertools.combinations(range(d), k) if s != tuple(supports[i])]
        others = np.array(listed, dtype=int).reshape(len(listed), k)
        tried += len(others)
        while not _excluded(others, X, y, model.U, radius, slack):
            if radius <= 2 * error:
                why = f"another support of {name} could not be excluded"
                return IdentifiabilityProof(False, True, radius, error, slack, tried, why)
            radius = max(radius / 10, 2 * error)  # what was excluded in a larger ball is in this one
    return IdentifiabilityProof(True, True, radius, error, slack, tried, "")


def _gamma(n: int) -> float:
    return n * _UNIT / (1 - n * _UNIT) * _UP


def _newton_kantorovich(
    problem: Problem, model: LRSModel, supports: list[np.ndarray], unknowns: int, slack: float
) -> tuple[float, float, str]:
    """Radius and error of statements 2 and 3, and what failed."""
    data, (d, r), U, W = problem.data, model.U.shape, model.U, model.W
    pivots = linalg.qr(U.T, pivoting=True, mode="r")[-1][:r] if r else np.zeros(0, dtype=int)
    free = np.setdiff1d(np.arange(d), pivots)
    B = model.B.toarray()
    J = np.zeros((data.n, unknowns))
    bent = np.zeros((data.n, unknowns))  # how much J may change per unit of the weighted norm
    weights = np.ones(unknowns)
    off, noise = np.zeros(data.n), np.zeros(data.n)
    column = r * len(free)
    for i, (X, y) in enumerate(data):
        rows = slice(data.offsets[i], data.offsets[i + 1])
        size = float(np.abs(np.concatenate([W[i], B[i]])).max(initial=0.0)) or 1.0
        for a in range(r):
            J[rows, a * len(free) : (a + 1) * len(free)] = W[i, a] * X[:, free]
            bent[rows, a * len(free) : (a + 1) * len(free)] = size * np.abs(X[:, free])
        own = slice(column, column + r + len(supports[i]))
        J[rows, own] = np.concatenate([X @ U, X[:, supports[i]]], axis=1)
        bent[rows, column : column + r] = np.abs(X[:, free]).sum(axis=1)[:, None]
        weights[own] = size
        column = own.stop
        off[rows] = X @ (U @ W[i] + B[i]) - y
        noise[rows] = _gamma(d + r + 3) * (np.abs(X) @ (np.abs(U) @ np.abs(W[i]) + np.abs(B[i])) + np.abs(y))
        noise[rows] += slack * np.abs(y).max(initial=0.0)
    if data.n < unknowns:
        return 0.0, math.inf, f"{data.n} rows for {unknowns} unknowns"
    lengths = np.linalg.norm(J, axis=1)
    chosen = np.sort(
        linalg.qr((J / np.where(lengths > 0, lengths, 1)[:, None] * weights).T, pivoting=True, mode="r")[-1][:unknowns]
    )
    J, bent, off, noise = J[chosen], bent[chosen], off[chosen], noise[chosen]
    try:
        R = np.linalg.inv(J)
    except np.linalg.LinAlgError:
        return 0.0, math.inf, "the Jacobian is singular"
    size_R = np.abs(R)
    # J itself is rounded: X U to gamma_d, w x to one unit; R J to gamma_n.
    size_J = np.abs(J) + _magnitude(problem, model, supports, chosen, unknowns, free)
    alpha_matrix = np.abs(np.eye(unknowns) - R @ J) + (_gamma(unknowns + d + 3)) * (size_R @ size_J)
    alpha = float(((alpha_matrix @ weights) / weights).max()) * _UP
    beta = float(((np.abs(R @ off) + size_R @ (noise + _gamma(unknowns) * np.abs(off))) / weights).max()) * _UP
    curvature = float(((size_R @ (bent @ weights)) / weights).max()) * _UP
    gap = 1 - alpha
    if not (np.isfinite([alpha, beta, curvature]).all() and gap > 0 and 4 * beta * curvature < gap**2 * (1 - 1e-6)):
        return (
            0.0,
            math.inf,
            f"the Newton step does not contract (β = {beta:.1e}, 1 − α = {gap:.1e}, L = {curvature:.1e})",
        )
    radius = gap / (2 * curvature) if curvature > 0 else 1.0
    error = 2 * beta / (gap + math.sqrt(gap**2 - 4 * beta * curvature)) * _UP
    return radius, error, ""


def _magnitude(
    problem: Problem, model: LRSModel, supports: list[np.ndarray], chosen: np.ndarray, unknowns: int, free: np.ndarray
) -> np.ndarray:
    """|X||U| where J holds X U: what its rounding errors are relative to."""
    data, r = problem.data, model.rank
    out = np.zeros((data.n, unknowns))
    column = r * len(free)
    for i, (X, _) in enumerate(data):
        out[data.offsets[i] : data.offsets[i + 1], column : column + r] = np.abs(X) @ np.abs(model.U)
        column += r + len(supports[i])
    return out[chosen]


def _excluded(others: np.ndarray, X: np.ndarray, y: np.ndarray, U: np.ndarray, radius: float, slack: float) -> bool:
    """Whether no U* within the radius and none of these supports reproduce y up to the slack."""
    (m, d), (r, k) = X.shape, (U.shape[1], others.shape[1])
    top = float(np.abs(y).max(initial=0.0))
    q = r + k + 1
    columns = np.concatenate([X @ U, X, y[:, None]], axis=1)
    lengths = 2.0 ** np.round(np.log2(np.maximum(np.linalg.norm(columns, axis=0), 1e-300)))  # exact scaling
    columns = columns / lengths
    # Of a unit vector v: entries of XU* − fl(XU), and of y* − y.
    moved = (np.abs(X).sum(axis=1)[:, None] * radius + _gamma(d) * (np.abs(X) @ np.abs(U))) / lengths[:r]
    change = math.sqrt(float((moved**2).sum()) + m * (slack * top / lengths[-1]) ** 2) * _UP
    for start in range(0, len(others), _BATCH):
        index = others[start : start + _BATCH] + r
        fixed = np.broadcast_to(np.concatenate([np.arange(r), [r + d]]), (len(index), r + 1))
        M = columns[:, np.concatenate([index, fixed], axis=1)].transpose(1, 0, 2)
        gram = M.transpose(0, 2, 1) @ M
        trace = np.einsum("saa->s", gram) * _UP
        # σ(M) > change for all of them when MᵀM − shift is positive definite; γ_m of the product, γ of the Cholesky (Rump 2006).
        shift = (change**2 + (_gamma(m) * 1.0 + 2 * _gamma(q + 2)) * trace) * _UP
        try:
            np.linalg.cholesky(gram - shift[:, None, None] * np.eye(q))
        except np.linalg.LinAlgError:
            return False
    return True
