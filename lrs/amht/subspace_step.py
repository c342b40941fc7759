"""Subspace step: the least-squares update of U for given weights and supports, and its gauge.

Two normal equations occur. The plain one of the paper keeps b fixed, A = Σ_i w_iw_iᵀ ⊗ X_iᵀX_i. Eliminating w_i and b_i
on its support as well (variable projection) replaces X_iᵀX_i by X_iᵀP_iX_i, which makes the step a Gauss–Newton step:
once the supports are right the error is squared instead of multiplied by a constant. Either is solved densely or by
matrix-free conjugate gradients, whichever costs less.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy import linalg

from lrs.amht.initialization import weighted_gram
from lrs.kernels.engine import Engine

#: A direction of the weights' second moment below this share of the largest is not updated (over-specified rank).
NEGLIGIBLE = 1e-14


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
        Ap = tangent(engine.hessian_product(p, weight, projected=across is not None))
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


def dense_normal_matrix(engine: Engine, weight: Float[np.ndarray, " t"]) -> Float[np.ndarray, "dr dr"]:
    """A = Σ_i ω_i w_iw_iᵀ ⊗ X_iᵀX_i, as r(r+1)/2 products of shape (d, n)(n, d); unknowns are vec U, columns stacked."""
    data, r, d = engine.data, engine.r, engine.data.d
    A = np.empty((r * d, r * d))
    for a in range(r):
        for b in range(a + 1):
            row = np.repeat(weight * engine.W[:, a] * engine.W[:, b], data.counts)
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
    rhs: Float[np.ndarray, "d r"],
    covariance: Float[np.ndarray, "d d"],
    *,
    tolerance: float = 1e-14,
    products: int = 200,
) -> Float[np.ndarray, "d r"]:
    """The paper's step: vec⁻¹(A⁻¹ vec V) with V = ``rhs`` = Σ_i X_iᵀ(y_i − X_ib_i) w_iᵀ and A = Σ_i w_iw_iᵀ ⊗ X_iᵀX_i."""
    r, d = engine.r, engine.data.d
    ones = np.ones(engine.data.t)
    if dense_is_cheaper(engine.data.n, d, r):
        A = dense_normal_matrix(engine, ones)
        # Column-major vec: column a of U is multiplied by w_a, so block a of the unknowns is column a.
        solution = np.linalg.lstsq(A, rhs.T.ravel(), rcond=None)[0]
        return solution.reshape(r, d).T
    preconditioner = Preconditioner(covariance, engine.W, engine.data.counts.astype(float))
    return conjugate_gradients(engine, rhs, ones, preconditioner, tolerance=tolerance, products=products)[0]
