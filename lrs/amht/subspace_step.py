"""Subspace step: the least-squares update of U for given weights and supports, and its gauge.

Two normal equations occur. The plain one of the paper keeps b fixed, A = Σ_i w_iw_iᵀ ⊗ X_iᵀX_i. Eliminating w_i and b_i
on its support as well (variable projection) replaces X_iᵀX_i by X_iᵀP_iX_i, which makes the step a Gauss–Newton step:
once the supports are right the error is squared instead of multiplied by a constant. Either is solved densely or by
matrix-free conjugate gradients, whichever costs less.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from scipy import linalg

from lrs.amht.compression import Samples
from lrs.amht.driver import State
from lrs.amht.initialization import BLOCK, residuals, weighted_gram
from lrs.families.low_rank_sparse.problem import MultiTaskData
from lrs.kernels.arguments import Fit, frozen
from lrs.kernels.engine import Engine

#: A direction of the weights' second moment below this share of the largest is not updated (over-specified rank).
NEGLIGIBLE = 1e-14
#: Smoothing of the reweighting, as a share of the median: weights differ by at most about its inverse.
SMOOTHING = 0.1
#: Conjugate-gradient products per Gauss–Newton step at most.
PRODUCTS = 10


def orthonormalise(U: Float[np.ndarray, "d r"]) -> Float[np.ndarray, "d r"]:
    """Q of the QR factorisation with a non-negative diagonal of R.

    Gauge: NumPy's R may have negative diagonal entries. Whoever keeps w across this call must multiply it by R; the
    solvers here re-solve w instead.
    """
    Q, R = np.linalg.qr(U)
    return Q * np.where(np.diag(R) < 0, -1.0, 1.0)


class Preconditioner:
    """Z ↦ C⁻¹ Z (Σ_i ω_i f_i w_iw_iᵀ)⁻¹: the inverse of the normal matrix when every X_iᵀP_iX_i is its mean f_i C.

    ``freedom`` f_i is the number of rows left after projection. Directions of w that no task uses are dropped, so an
    over-specified rank does no harm.
    """

    def __init__(
        self, covariance: Float[np.ndarray, "d d"], W: Float[np.ndarray, "t r"], weight: Float[np.ndarray, " t"]
    ) -> None:
        # Inverted once: it is applied dozens of times, and a rounding error of a preconditioner costs nothing.
        self._left = linalg.cho_solve(linalg.cho_factor(covariance), np.eye(len(covariance)))
        values, vectors = np.linalg.eigh((W * weight[:, None]).T @ W)
        used = values > NEGLIGIBLE * max(values.max(initial=0.0), np.finfo(float).tiny)
        self._right = (vectors[:, used] / values[used]) @ vectors[:, used].T

    def __call__(self, Z: Float[np.ndarray, "d r"]) -> Float[np.ndarray, "d r"]:
        return self._left @ Z @ self._right


def conjugate_gradients(
    engine: Engine,
    fit: Fit,
    rhs: Float[np.ndarray, "d r"],
    weight: Float[np.ndarray, " t"],
    preconditioner: Preconditioner,
    *,
    tolerance: float,
    products: int,
    across: Float[np.ndarray, "d r"] | None = None,
) -> tuple[Float[np.ndarray, "d r"], int]:
    """Solve Σ_i ω_i X_iᵀP_iX_i D w_iw_iᵀ = rhs; the solution and the number of products used.

    With ``across`` = U the P_i remove span[X_iU, X_i on the support] and D is sought orthogonal to U: along U the matrix
    is zero (the gauge U → UQ), and what rounding leaves of the right side there would be divided by rounding. Without
    it P_i = I.

    Stops at a relative residual ``tolerance`` in the preconditioned norm, or after ``products`` products; O(dr) memory.
    """

    def tangent(Z: Float[np.ndarray, "d r"]) -> Float[np.ndarray, "d r"]:
        return Z if across is None else Z - across @ (across.T @ Z)

    D = np.zeros_like(rhs)
    residual = tangent(rhs)
    z = tangent(preconditioner(residual))
    p = z
    rz = start = float((residual * z).sum())
    for used in range(products):
        if not rz > tolerance**2 * start:
            return D, used
        Ap = tangent(engine.hessian_product(fit, p, weight, projected=across is not None))
        curvature = float((p * Ap).sum())
        if not curvature > 0:
            return D, used + 1
        step = rz / curvature
        D = D + step * p
        residual = residual - step * Ap
        z = tangent(preconditioner(residual))
        rz, previous = float((residual * z).sum()), rz
        p = z + (rz / previous) * p
    return D, products


def dense_normal_matrix(
    data: MultiTaskData, W: Float[np.ndarray, "t r"], weight: Float[np.ndarray, " t"]
) -> Float[np.ndarray, "dr dr"]:
    """A = Σ_i ω_i w_iw_iᵀ ⊗ X_iᵀX_i, as r(r+1)/2 products of shape (d, n)(n, d); unknowns are vec U, columns stacked."""
    r, d = W.shape[1], data.d
    A = np.empty((r * d, r * d))
    for a in range(r):
        for b in range(a + 1):
            row = np.repeat(weight * W[:, a] * W[:, b], data.counts)
            block = weighted_gram(data, row)
            A[a * d : (a + 1) * d, b * d : (b + 1) * d] = block
            A[b * d : (b + 1) * d, a * d : (a + 1) * d] = block
    return A


def dense_is_cheaper(n: int, d: int, r: int, products: int = 30) -> bool:
    """Whether forming and factoring the (dr)² matrix costs fewer operations than ``products`` matrix-free products."""
    dense = n * d * d * r * (r + 1) + (d * r) ** 3 / 3
    return dense < products * 4 * n * d and (d * r) <= 4000


def least_squares_subspace(
    engine: Engine,
    W: Float[np.ndarray, "t r"],
    rhs: Float[np.ndarray, "d r"],
    covariance: Float[np.ndarray, "d d"],
    *,
    tolerance: float = 1e-14,
    products: int = 200,
) -> Float[np.ndarray, "d r"]:
    """The paper's step: vec⁻¹(A⁻¹ vec V) with V = ``rhs`` = Σ_i X_iᵀ(y_i − X_ib_i) w_iᵀ and A = Σ_i w_iw_iᵀ ⊗ X_iᵀX_i."""
    data, r, d = engine.data, engine.r, engine.data.d
    ones = np.ones(data.t)
    if dense_is_cheaper(data.n, d, r):
        A = dense_normal_matrix(data, W, ones)
        # Column-major vec: column a of U is multiplied by w_a, so block a of the unknowns is column a.
        solution = np.linalg.lstsq(A, rhs.T.ravel(), rcond=None)[0]
        return solution.reshape(r, d).T
    preconditioner = Preconditioner(covariance, W, data.counts.astype(float))
    fit = frozen(Fit.nothing(data.t, d, r, engine.k, 0).draft()._replace(W=W.copy()))
    return conjugate_gradients(engine, fit, rhs, ones, preconditioner, tolerance=tolerance, products=products)[0]


def gauss_newton(samples: Samples, state: State, weight: Float[np.ndarray, " t"], tolerance: float) -> State:
    """One Gauss–Newton step on U with w and b eliminated, task i counted ``weight[i]`` times."""
    engine, fit = samples.engine, state.fit
    if engine.r == 0 or not weight.any():
        return state
    rhs = (fit.gradient * weight[:, None]).T @ fit.W
    preconditioner = Preconditioner(samples.covariance, fit.W, weight * engine.freedom(fit))
    D, used = conjugate_gradients(
        engine, fit, rhs, weight, preconditioner, tolerance=tolerance, products=PRODUCTS, across=state.U
    )
    return replace(state, U=orthonormalise(state.U + D), products=state.products + used)


@dataclass(frozen=True)
class GaussNewton:
    """The subspace step of the practical solver: `gauss_newton` with tasks reweighted by their residuals."""

    works_on: ClassVar[type] = Fit

    def __call__(self, samples: Samples, state: State) -> State:
        # A Gauss–Newton step squares the error: solving it more exactly than to the present error is wasted.
        tolerance = float(np.clip(np.sqrt(state.level), 1e-6, 0.1))
        return gauss_newton(samples, state, self.weights(samples, state), tolerance)

    @staticmethod
    def weights(samples: Samples, state: State) -> Float[np.ndarray, " t"]:
        """Reweighting 1/(residual · ‖w‖²), both smoothed: the error of U enters the residual in proportion to ‖w‖."""
        fit, freedom = state.fit, samples.engine.freedom(state.fit)
        size = (fit.W**2).sum(axis=1)
        usable = freedom > 0
        if not usable.any():
            return np.zeros(len(size))
        residual = fit.rss / np.maximum(freedom, 1)

        def smoothed(value: Float[np.ndarray, " t"], at: float) -> Float[np.ndarray, " t"]:
            return value / (float(np.quantile(value[usable], at)) or 1.0) + SMOOTHING

        weight = np.where(usable, 1.0 / (smoothed(residual, state.quantile) * smoothed(size, 0.5)), 0.0)
        return weight / weight.max()


@dataclass(frozen=True)
class LeastSquaresSubspace:
    """The subspace step of the paper, U ← QR(vec⁻¹(A⁻¹ vec V)) with w and b fixed."""

    def __call__(self, samples: Samples, state: State) -> State:
        engine, data, W = samples.engine, samples.engine.data, state.fit.W
        if engine.r == 0:
            return state
        target = residuals(data, state.fit.B)
        # V = Σ_i X_iᵀ target_i w_iᵀ, block by block so that no second array of the size of X is made.
        V = np.zeros_like(state.U)
        for lo in range(0, data.n, BLOCK):
            rows = slice(lo, lo + BLOCK)
            V += data.X[rows].T @ (target[rows, None] * W[data.groups[rows]])
        U = least_squares_subspace(engine, W, V, samples.covariance)
        return replace(state, U=orthonormalise(U) if np.isfinite(U).all() else np.full_like(U, np.nan))
