"""Measured symbols: what the quantities of the theory are on a given instance, model, or data set.

Incoherence, ζ, λ_r and their kin are bound from what was actually drawn, never from what was asked for. What cannot be
known (everything that needs the truth, on real data) is listed with the reason instead of being guessed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from lrs.core.errors import InvalidInput
from lrs.core.spelling import renamed
from lrs.core.validate import probability
from lrs.families.low_rank_sparse.generate import InstanceSpec
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import Instance, MultiTaskData, Problem
from theory.language.depth import ROWS_ROUNDING
from theory.language.measured import Measured, Origin

#: A row norm of U within this of 1 counts as 1, and an eigenvalue below this times the largest as 0 (rounding of QR).
ROUNDING = 1e-12

#: At most this many entries of X enter the Kolmogorov–Smirnov test of normality.
SHAPE_ENTRIES = 100_000

#: Tolerance of a noiseless truth: relative residual up to this many units of rounding.
RESIDUAL_UNITS = 1000.0

_NEEDS_TRUTH = "needs the true U, W and B; only a generated instance has them"
_NEEDS_MODEL = "needs the true parameters, or a fitted model to stand in for them (--model)"
_NEEDS_START = "needs the start of the run (a warm start in the problem) and the true U"


@renamed(delta="failure")
def measure(
    subject: Instance | Problem, *, model: LRSModel | None = None, failure: float = 0.05, noise_known: bool = True
) -> Measured:
    """Bind every quantity that can be known.

    Parameters
    ----------
    subject : Instance or Problem
        An Instance gives the data's and the truth's quantities, a Problem only the data's.
    model : LRSModel, optional
        A fitted model. With an Instance it adds the error of the model; with a Problem its parameters stand in for the
        truth (origin ``"model"``).
    failure : float
        Failure probability δ used in logarithms.
    noise_known : bool
        Whether the problem's noise level is a statement about the data. Pass False for a table: σ is then estimated
        from the residuals of the model, or unknown without one.

    Raises
    ------
    InvalidInput
        When the model does not fit the data, or ``subject`` is neither.
    """
    if isinstance(subject, Instance):
        problem, truth = subject.problem, subject.truth
    elif isinstance(subject, Problem):
        problem, truth = subject, None
    else:
        raise InvalidInput(f"subject: expected an Instance or a Problem, got {type(subject).__name__}")
    probability("failure", failure)
    if model is not None and (model.t, model.d) != (problem.t, problem.d):
        raise InvalidInput(
            f"model: has (t, d) = {(model.t, model.d)}, the data have {(problem.t, problem.d)}; "
            "pass the model that was fitted to these data"
        )
    counts = problem.data.counts
    values: dict[str, Any] = {
        "d": problem.d,
        "t": problem.t,
        "m": int(counts.min()),
        "n": problem.data.n,
        "ragged": 1 - float(counts.min() / counts.max()),
        "r": problem.rank,
        "k": problem.sparsity,
        "sigma": problem.noise,
        "delta": failure,
    }
    origin: dict[str, Origin] = dict.fromkeys(values, "data")
    origin.update(r="request", k="request", sigma="request", delta="option")
    unknown: dict[str, str] = {}
    if not noise_known:
        estimate = None if model is None else _residual_level(problem, model)
        if estimate is None:
            del values["sigma"], origin["sigma"]
            unknown["sigma"] = "the table does not say; the residuals of a fitted model estimate it (--model)"
        else:
            values["sigma"], origin["sigma"] = estimate, "model"
    design = measure_design(problem.data)
    values.update(design)
    origin.update(dict.fromkeys(design, "data"))

    parameters = truth if truth is not None else model
    if parameters is not None:
        found = measure_parameters(parameters)
        values.update(found)
        origin.update(dict.fromkeys(found, "truth" if truth is not None else "model"))
    else:
        unknown.update(dict.fromkeys(PARAMETER_QUANTITIES, _NEEDS_MODEL))

    if truth is not None:
        values["p_noise"] = _noise_p_value(problem, truth)
        origin["p_noise"] = "truth"
        start = problem.warm_start
        if start is not None:
            found = measure_start(start.U, truth.U)
            if start.W.shape == truth.W.shape:
                found |= measure_start_parameters(start, truth, problem.sparsity)
            values.update(found)
            origin.update(dict.fromkeys(found, "truth"))
        else:
            unknown.update(dict.fromkeys(START_QUANTITIES, "this problem has no warm start"))
        if model is not None:
            from lrs.families.low_rank_sparse.metrics import theta_error

            values["theta_error"] = theta_error(model, truth)
            origin["theta_error"] = "truth"
    else:
        unknown.update(dict.fromkeys(("p_noise", "theta_error"), _NEEDS_TRUTH))
        unknown.update(dict.fromkeys(START_QUANTITIES, _NEEDS_START))
    return Measured(values, origin, unknown)


def planned(spec: InstanceSpec, *, rank: int | None = None, sparsity: int | None = None) -> Measured:
    """The quantities of an instance as the generator is going to make it, before anything is drawn.

    Known are the sizes and every knob; left out is what only the draw decides: ζ of random supports, incoherence of a Haar
    U, λ, the p-values of a Gaussian design. κ that is not asked for counts as 1.

    Parameters
    ----------
    spec : InstanceSpec
    rank, sparsity : int, optional
        What the solver is told, when it differs from the truth; r and k are what it is told.
    """
    values: dict[str, Any] = {
        "d": spec.d,
        "t": spec.t,
        "m": spec.m * (1 - spec.ragged) + ROWS_ROUNDING,
        "r": spec.r if rank is None else rank,
        "k": spec.k if sparsity is None else sparsity,
        "sigma": spec.noise,
        "rank_U": spec.r,
        "rank_W": spec.r if spec.w_rank is None else spec.w_rank,
        "k_max": spec.k,
        "orth": 0.0,
        "repeated_rows": 0,
        "kappa": spec.kappa or 1.0,
        "w_spread": spec.w_spread,
        "row_U": spec.coherence,
        "repeated": spec.duplicates / spec.t,
        "b_size": spec.b_scale,
        "ragged": spec.ragged,
        "zeta_least": -(-spec.t * spec.k // spec.d),
    }
    unknown = {}
    if spec.zeta is None:
        unknown["zeta"] = "supports are drawn at random"
    else:
        values["zeta"] = spec.zeta
    if spec.x_law == "gaussian":
        unknown.update(dict.fromkeys(P_VALUES, "the rows are not drawn yet"))
    else:  # of enough rows of another law every test would be sure
        values.update(dict.fromkeys(P_VALUES, 0.0))
    return Measured(values, dict.fromkeys(values, "plan"), unknown)


#: The p-values of `measure_design`.
P_VALUES = ("p_mean", "p_scale", "p_correlation", "p_rows", "p_shape")

#: What `measure_parameters` binds.
PARAMETER_QUANTITIES = (
    "rank_U",
    "row_U",
    "zeta_least",
    "orth",
    "lambda_1",
    "lambda_r",
    "rank_W",
    "kappa",
    "mu",
    "nu",
    "zeta",
    "k_max",
    "rank_visible",
)


def measure_parameters(model: LRSModel) -> dict[str, Any]:
    """Quantities of (U, W, B): orthonormality, λ₁, λ_r, κ, μ, ν, ζ, sparsity, visibility.

    κ and μ are infinite when W does not span R^r.
    """
    U, W, r = model.U, model.W, model.rank
    d, t = U.shape[0], W.shape[0]
    nonzero = model.B != 0
    used, per_task = np.asarray(nonzero.sum(axis=0)).ravel(), np.asarray(nonzero.sum(axis=1)).ravel()
    out: dict[str, Any] = {
        "zeta": int(used.max(initial=0)),
        "zeta_least": -(-int(per_task.sum()) // d),
        "k_max": int(per_task.max(initial=0)),
        "rank_U": r,
        "row_U": 0.0,
    }
    if r == 0:  # nothing is shared: the conditions on U and W hold emptily
        return {**out, "orth": 0.0, "lambda_1": 0.0, "lambda_r": 0.0, "rank_W": 0, "rank_visible": 0} | {
            "kappa": 1.0,
            "mu": 1.0,
            "nu": 1.0,
        }
    eigenvalues = np.linalg.eigvalsh((r / t) * (W.T @ W))
    top = float(eigenvalues[-1])
    bottom = float(eigenvalues[0]) if eigenvalues[0] > ROUNDING * top else 0.0
    row = float((U**2).sum(axis=1).max())
    row = 1.0 if abs(row - 1.0) <= ROUNDING else row
    largest_w = float((W**2).sum(axis=1).max())
    return {
        **out,
        "row_U": row,
        "orth": float(np.abs(U.T @ U - np.eye(r)).max()),
        "lambda_1": top,
        "lambda_r": bottom,
        "rank_W": _rank(W),
        "kappa": top / bottom if bottom > 0 else np.inf,
        "mu": max(1.0, largest_w / bottom) if bottom > 0 else np.inf,
        "nu": max(1.0, row * d / r),
        "rank_visible": _visible_rank(model),
    }


def _rank(W: np.ndarray) -> int:
    if W.shape[0] == 0:
        return 0
    eigenvalues = np.linalg.eigvalsh(W.T @ W)
    return int((eigenvalues > ROUNDING * max(eigenvalues[-1], 0.0)).sum()) if eigenvalues[-1] > 0 else 0


def _visible_rank(model: LRSModel) -> int:
    """Smallest rank, over the coordinates j, of the W rows whose b is zero at j."""
    gram = model.W.T @ model.W
    negligible = ROUNDING * max(float(np.trace(gram)), np.finfo(float).tiny)
    smallest = _rank(model.W)
    columns = model.B.tocsc()
    for j in range(model.d):
        stored = slice(columns.indptr[j], columns.indptr[j + 1])
        inside = columns.indices[stored][columns.data[stored] != 0]
        if len(inside):
            outside = gram - model.W[inside].T @ model.W[inside]
            smallest = min(smallest, int((np.linalg.eigvalsh(outside) > negligible).sum()))
    return smallest


def measure_start(U0: np.ndarray, U: np.ndarray) -> dict[str, float]:
    """‖(I − U*U*ᵀ)U⁽⁰⁾‖_F and ‖U⁽⁰⁾‖_{2,∞} of an orthonormalised start."""
    Q = np.linalg.qr(U0)[0]
    return {
        "init_error": float(np.linalg.norm(Q - U @ (U.T @ Q))),
        "init_row": float(np.sqrt((Q**2).sum(axis=1).max(initial=0.0))),
    }


#: What `measure_start` and `measure_start_parameters` bind.
START_QUANTITIES = ("init_error", "init_row", "start_error", "start_false")


def measure_start_parameters(start: LRSModel, truth: LRSModel, k: int) -> dict[str, float]:
    """E₀ of the theorem on fresh rows, and the entries of the start's b outside the true supports.

    E₀ is the largest, over the tasks, of ‖v − v*‖₂, √k‖v − v*‖_∞ and √k‖b − b*‖_∞/6.5.
    """
    v = start.W @ start.U.T - truth.W @ truth.U.T
    b, true = start.B.toarray(), truth.B.toarray()
    entries = max(np.abs(v).max(initial=0.0), np.abs(b - true).max(initial=0.0) / 6.5)
    return {
        "start_error": float(max(np.linalg.norm(v, axis=1).max(initial=0.0), np.sqrt(max(k, 1)) * entries)),
        "start_false": int(((b != 0) & (true == 0)).sum(axis=1).max(initial=0)),
    }


def measure_design(data: MultiTaskData) -> dict[str, float]:
    """p-values of five tests of “the rows of X are independent N(0, I)”, and the number of repeated rows.

    Each p-value is valid on its own (exact, up to a Bonferroni factor over coordinates): the coordinate means are
    N(0, 1/n); the sums of squares are χ²_n; the inner product of two columns, and of two consecutive rows, divided by
    the norm of the first, is N(0, 1); the entries pass a Kolmogorov–Smirnov test (at most the first 100 000 of them,
    row by row).
    """
    X, (rows, d) = data.X, data.X.shape
    means = np.sqrt(rows) * X.mean(axis=0)
    squares = np.einsum("ij,ij->j", X, X)
    tail = np.minimum(stats.chi2.sf(squares, rows), stats.chi2.cdf(squares, rows))
    gram = X.T @ X
    with np.errstate(invalid="ignore", divide="ignore"):
        z_columns = np.abs(gram[np.triu_indices(d, 1)]) / np.sqrt(np.repeat(squares, np.arange(d - 1, -1, -1)))
        row_norms = np.sqrt(np.einsum("ij,ij->i", X, X))
        z_rows = np.abs(np.einsum("ij,ij->i", X[:-1], X[1:])) / row_norms[:-1]
    entries = X.ravel()[:SHAPE_ENTRIES]
    return {
        "p_mean": _smallest(2 * stats.norm.sf(np.abs(means))),
        "p_scale": _smallest(2 * tail),
        "p_correlation": _smallest(2 * stats.norm.sf(np.nan_to_num(z_columns))),
        "p_rows": _smallest(2 * stats.norm.sf(np.nan_to_num(z_rows))),
        "p_shape": float(stats.kstest(entries, "norm").pvalue),
        "repeated_rows": _repeated_rows(X),
    }


def _smallest(p: np.ndarray) -> float:
    """Bonferroni over a family of p-values."""
    return float(min(1.0, p.min() * len(p))) if len(p) else 1.0


def _repeated_rows(X: np.ndarray) -> int:
    order = np.ascontiguousarray(X).view(np.dtype((np.void, X.dtype.itemsize * X.shape[1]))).ravel()
    return int(len(order) - len(np.unique(order)))


def _residual_level(problem: Problem, model: LRSModel) -> float | None:
    """√(RSS/(n − r(d − r) − Σ(r + k_i))): the residual level, corrected for the fitted parameters; None if too many."""
    data, (d, r) = problem.data, model.U.shape
    spare = data.n - r * (d - r) - r * data.t - int((model.B != 0).sum())
    residual = data.y - model.predict(data.X, data.groups)
    return float(np.sqrt(residual @ residual / spare)) if spare > 0 else None


def _noise_p_value(problem: Problem, truth: LRSModel) -> float:
    """Two-sided χ² test of the stated σ on the residuals of the truth; σ = 0 asks for residuals at rounding level."""
    data = problem.data
    residual = data.y - truth.predict(data.X, data.groups)
    if problem.noise == 0:
        scale = float(np.linalg.norm(data.y)) or 1.0
        limit = RESIDUAL_UNITS * np.finfo(float).eps
        return 1.0 if float(np.linalg.norm(residual)) <= limit * scale else 0.0
    statistic = float(residual @ residual) / problem.noise**2
    return float(min(1.0, 2 * min(stats.chi2.sf(statistic, data.n), stats.chi2.cdf(statistic, data.n))))
