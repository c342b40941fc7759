"""Errors that do not depend on the gauge (U, W) → (UQ, WQ) of the model.

Everything is a function of Θ = W Uᵀ + B, of the subspace span(U), or of the supports of B; without a truth, of the
predictions alone.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from lrs.errors import InvalidInput
from lrs.model import LRSModel


def _same_shape(model: LRSModel, truth: LRSModel) -> None:
    if (model.t, model.d) != (truth.t, truth.d):
        raise InvalidInput(f"model: (t, d) = {(model.t, model.d)}, but the truth has {(truth.t, truth.d)}")


def theta_error(model: LRSModel, truth: LRSModel) -> float:
    """Relative error of all parameters, ‖Θ̂ − Θ*‖_F / ‖Θ*‖_F (absolute when Θ* = 0)."""
    _same_shape(model, truth)
    target = truth.theta
    scale = float(np.linalg.norm(target))
    return float(np.linalg.norm(model.theta - target)) / (scale or 1.0)


def task_errors(model: LRSModel, truth: LRSModel) -> Float[np.ndarray, " t"]:
    """Relative error of every task, ‖θ̂⁽ⁱ⁾ − θ*⁽ⁱ⁾‖₂ / ‖θ*⁽ⁱ⁾‖₂ (absolute where θ* = 0)."""
    _same_shape(model, truth)
    target = truth.theta
    scale = np.linalg.norm(target, axis=1)
    return np.linalg.norm(model.theta - target, axis=1) / np.where(scale > 0, scale, 1.0)


def tasks_recovered(model: LRSModel, truth: LRSModel, tolerance: float = 1e-6) -> float:
    """Fraction of tasks with relative error at most ``tolerance``."""
    return float(np.mean(task_errors(model, truth) <= tolerance))


def entry_error(model: LRSModel, truth: LRSModel) -> float:
    """Largest entry-wise error, max_{i,j} |Θ̂_ij − Θ*_ij|: what the paper's analysis tracks."""
    _same_shape(model, truth)
    return float(np.abs(model.theta - truth.theta).max(initial=0.0))


def sparse_error(model: LRSModel, truth: LRSModel) -> float:
    """‖B̂ − B*‖_∞, the largest entry-wise error of the sparse part."""
    _same_shape(model, truth)
    return float(np.abs((model.B - truth.B).data).max(initial=0.0))


def subspace_distance(
    U: Float[np.ndarray, "d s"], V: Float[np.ndarray, "d r"], norm: Literal["spectral", "fro"] = "spectral"
) -> float:
    """‖(I − P_U) V‖ with V orthonormalised: the sine of the largest angle from span(V) to span(U).

    U may have more columns than V (an over-specified rank): the distance is 0 when span(U) contains span(V). The paper
    measures it in the Frobenius norm (``norm="fro"``).
    """
    if U.shape[0] != V.shape[0]:
        raise InvalidInput(f"U, V: {U.shape[0]} and {V.shape[0]} rows; both need d")
    if V.shape[1] == 0:
        return 0.0
    U, V = np.linalg.qr(U)[0], np.linalg.qr(V)[0]
    residual = V - U @ (U.T @ V)
    residual -= U @ (U.T @ residual)  # twice: one projection loses what cancels
    if norm == "fro":
        return float(np.linalg.norm(residual))
    return min(1.0, float(np.linalg.norm(residual, 2)))


def _supports(model: LRSModel) -> Bool[np.ndarray, "t d"]:
    return model.B.toarray() != 0


def support_precision(model: LRSModel, truth: LRSModel) -> float:
    """Share of the estimated support entries that are true: |Ŝ ∩ S*| / |Ŝ|, all tasks together (1 if Ŝ is empty)."""
    _same_shape(model, truth)
    found = _supports(model)
    return float((found & _supports(truth)).sum() / found.sum()) if found.any() else 1.0


def support_recall(model: LRSModel, truth: LRSModel) -> float:
    """Share of the true support entries that were found: |Ŝ ∩ S*| / |S*|, all tasks together (1 if S* is empty)."""
    _same_shape(model, truth)
    wanted = _supports(truth)
    return float((_supports(model) & wanted).sum() / wanted.sum()) if wanted.any() else 1.0


def false_support(model: LRSModel, truth: LRSModel) -> int:
    """Number of non-zeros of B̂ outside the support of B* (0 is the lemma's supp b ⊆ supp b*)."""
    _same_shape(model, truth)
    return int((_supports(model) & ~_supports(truth)).sum())


def explained_variance(y: Float[np.ndarray, " n"], predicted: Float[np.ndarray, " n"]) -> float:
    """1 − Σ(y − ŷ)² / Σ(y − ȳ)² over all rows of all tasks; 1 is perfect, 0 no better than the mean (NaN if y is constant)."""
    total = float(np.sum((y - y.mean()) ** 2))
    return 1.0 - float(np.sum((y - predicted) ** 2)) / total if total > 0 else float("nan")


def rmse(y: Float[np.ndarray, " n"], predicted: Float[np.ndarray, " n"]) -> float:
    """Root mean squared error of the predictions, √(mean (y − ŷ)²), in the units of y."""
    return float(np.sqrt(np.mean((y - predicted) ** 2)))


def summary(model: LRSModel, truth: LRSModel) -> dict[str, float]:
    """The errors against a truth in one dictionary, as the command line prints it."""
    return {
        "theta_error": theta_error(model, truth),
        "entry_error": entry_error(model, truth),
        "subspace_distance": subspace_distance(model.U, truth.U),
        "tasks_recovered": tasks_recovered(model, truth),
        "support_precision": support_precision(model, truth),
        "support_recall": support_recall(model, truth),
    }
