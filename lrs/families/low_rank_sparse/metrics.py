"""Errors that do not depend on the gauge (U, W) → (UQ, WQ) of the model.

Everything is a function of Θ = W Uᵀ + B, of the subspace span(U), or of the supports of B; without a truth, of the
predictions alone.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float

from lrs.core.errors import InvalidInput
from lrs.families.low_rank_sparse.model import LRSModel


def _length(a: np.ndarray, axis: int | None = None) -> Any:
    """Euclidean norms; of numbers whose squares are beyond the largest or the smallest one too."""
    size = np.abs(a).max(axis=axis, initial=0.0, keepdims=True)
    if ((size == 0) | ((size > 1e-140) & (size < 1e140))).all():
        return np.linalg.norm(a, axis=axis)
    exponent = np.frexp(size)[1]
    return np.ldexp(np.linalg.norm(np.ldexp(a, -exponent), axis=axis), exponent.reshape(size.shape).max(axis=axis))


class Comparison:
    """A model beside a truth; what the errors have in common, Θ and the supports as dense arrays, is computed once.

    Parameters
    ----------
    model, truth : LRSModel

    Raises
    ------
    InvalidInput
        When the two have other shapes.
    """

    def __init__(self, model: LRSModel, truth: LRSModel) -> None:
        if (model.t, model.d) != (truth.t, truth.d):
            raise InvalidInput(f"model: (t, d) = {(model.t, model.d)}, but the truth has {(truth.t, truth.d)}")
        self.model, self.truth = model, truth

    @cached_property
    def _sparse(self) -> tuple[Float[np.ndarray, "t d"], Float[np.ndarray, "t d"]]:
        return self.model.B.toarray(), self.truth.B.toarray()

    @cached_property
    def _theta(self) -> tuple[Float[np.ndarray, "t d"], Float[np.ndarray, "t d"]]:
        """Θ̂ − Θ* and Θ*."""
        found, target = self._sparse
        target = self.truth.W @ self.truth.U.T + target
        return self.model.W @ self.model.U.T + found - target, target

    @cached_property
    def _supports(self) -> tuple[Bool[np.ndarray, "t d"], Bool[np.ndarray, "t d"]]:
        found, wanted = self._sparse
        return found != 0, wanted != 0

    @property
    def theta_error(self) -> float:
        """`theta_error` of the two."""
        difference, target = self._theta
        return float(_length(difference)) / (float(_length(target)) or 1.0)

    @cached_property
    def task_errors(self) -> Float[np.ndarray, " t"]:
        """`task_errors` of the two."""
        difference, target = self._theta
        scale = _length(target, 1)
        return _length(difference, 1) / np.where(scale > 0, scale, 1.0)

    def tasks_recovered(self, tolerance: float = 1e-6) -> float:
        """`tasks_recovered` of the two."""
        return float(np.mean(self.task_errors <= tolerance))

    @property
    def entry_error(self) -> float:
        """`entry_error` of the two."""
        return float(np.abs(self._theta[0]).max(initial=0.0))

    @property
    def support_precision(self) -> float:
        """`support_precision` of the two."""
        found, wanted = self._supports
        return float((found & wanted).sum() / found.sum()) if found.any() else 1.0

    @property
    def support_recall(self) -> float:
        """`support_recall` of the two."""
        found, wanted = self._supports
        return float((found & wanted).sum() / wanted.sum()) if wanted.any() else 1.0

    @property
    def false_support(self) -> int:
        """`false_support` of the two."""
        found, wanted = self._supports
        return int((found & ~wanted).sum())


def theta_error(model: LRSModel, truth: LRSModel) -> float:
    """Relative error of all parameters, ‖Θ̂ − Θ*‖_F / ‖Θ*‖_F (absolute when Θ* = 0)."""
    return Comparison(model, truth).theta_error


def task_errors(model: LRSModel, truth: LRSModel) -> Float[np.ndarray, " t"]:
    """Relative error of every task, ‖θ̂⁽ⁱ⁾ − θ*⁽ⁱ⁾‖₂ / ‖θ*⁽ⁱ⁾‖₂ (absolute where θ* = 0)."""
    return Comparison(model, truth).task_errors


def tasks_recovered(model: LRSModel, truth: LRSModel, tolerance: float = 1e-6) -> float:
    """Fraction of tasks with relative error at most ``tolerance``."""
    return Comparison(model, truth).tasks_recovered(tolerance)


def entry_error(model: LRSModel, truth: LRSModel) -> float:
    """Largest entry-wise error, max_{i,j} |Θ̂_ij − Θ*_ij|: what the paper's analysis tracks."""
    return Comparison(model, truth).entry_error


def sparse_error(model: LRSModel, truth: LRSModel) -> float:
    """‖B̂ − B*‖_∞, the largest entry-wise error of the sparse part."""
    Comparison(model, truth)  # refuses other shapes
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


def support_precision(model: LRSModel, truth: LRSModel) -> float:
    """Share of the estimated support entries that are true: |Ŝ ∩ S*| / |Ŝ|, all tasks together (1 if Ŝ is empty)."""
    return Comparison(model, truth).support_precision


def support_recall(model: LRSModel, truth: LRSModel) -> float:
    """Share of the true support entries that were found: |Ŝ ∩ S*| / |S*|, all tasks together (1 if S* is empty)."""
    return Comparison(model, truth).support_recall


def false_support(model: LRSModel, truth: LRSModel) -> int:
    """Number of non-zeros of B̂ outside the support of B* (0 is the lemma's supp b ⊆ supp b*)."""
    return Comparison(model, truth).false_support


def explained_variance(y: Float[np.ndarray, " n"], predicted: Float[np.ndarray, " n"]) -> float:
    """1 − Σ(y − ŷ)² / Σ(y − ȳ)² over all rows of all tasks; 1 is perfect, 0 no better than the mean (NaN if y is constant)."""
    exponent = np.frexp(np.abs(y).max(initial=0.0))[1]  # so that no square leaves the range of the numbers
    y, predicted = np.ldexp(y, -exponent), np.ldexp(predicted, -exponent)
    total = float(np.sum((y - y.mean()) ** 2))
    return 1.0 - float(np.sum((y - predicted) ** 2)) / total if total > 0 else float("nan")


def rmse(y: Float[np.ndarray, " n"], predicted: Float[np.ndarray, " n"]) -> float:
    """Root mean squared error of the predictions, √(mean (y − ŷ)²), in the units of y."""
    difference = y - predicted
    exponent = np.frexp(np.abs(difference).max(initial=0.0))[1]
    return float(np.ldexp(np.sqrt(np.mean(np.ldexp(difference, -exponent) ** 2)), exponent))


def summary(model: LRSModel, truth: LRSModel) -> dict[str, float]:
    """The errors against a truth in one dictionary, as the command line prints it."""
    both = Comparison(model, truth)
    return {
        "theta_error": both.theta_error,
        "entry_error": both.entry_error,
        "subspace_distance": subspace_distance(model.U, truth.U),
        "tasks_recovered": both.tasks_recovered(),
        "support_precision": both.support_precision,
        "support_recall": both.support_recall,
    }
