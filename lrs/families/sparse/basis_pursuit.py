"""ℓ₁ minimisation: the linear program, and the solver whose law is known at every size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from lrs.core.solver import Callback, Iterate, Solution, Status, Traits
from lrs.families.sparse.problem import NAME, SparseProblem

#: Entries of a vertex below this share of the largest are rounding of the linear program.
ROUNDING = 1e-7


def least_ell_one(A: Float[np.ndarray, "m d"], z: Float[np.ndarray, " m"]) -> Float[np.ndarray, " d"]:
    """A vertex of min ‖b‖₁ subject to A b = z (Chen, Donoho and Saunders 1998; HiGHS); 0 where two rows contradict each other."""
    from scipy import optimize  # slow to import

    b = np.zeros(A.shape[1])
    if len(z):
        found = optimize.linprog(np.ones(2 * len(b)), A_eq=np.hstack([A, -A]), b_eq=z, method="highs")
        if found.x is not None:
            b = found.x[: len(b)] - found.x[len(b) :]
    b[np.abs(b) <= ROUNDING * np.abs(b).max(initial=0.0)] = 0.0
    return b


def no_more_than_unknowns(
    X: Float[np.ndarray, "m d"], y: Float[np.ndarray, " m"]
) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, " n"]]:
    """As many equations as unknowns that say the same as more, and that rounding cannot make contradict one another."""
    if len(X) <= X.shape[1]:
        return X, y
    Q, R = np.linalg.qr(X)
    return R, Q.T @ y


@dataclass(frozen=True, kw_only=True)
class BasisPursuit:
    """min ‖b‖₁ subject to y = X b.

    A vertex has at most m non-zeros and is determined by where they are: least squares there removes the rounding of the
    program, and finds nothing that ℓ₁ minimisation did not.
    """

    family: ClassVar[str] = NAME
    traits: ClassVar[Traits] = Traits(noise=False, ell_one=True)

    def __call__(
        self, problem: SparseProblem, *, rng: np.random.Generator, callback: Callback | None = None
    ) -> Solution[np.ndarray]:
        b = least_ell_one(*no_more_than_unknowns(problem.X, problem.y))
        support = np.flatnonzero(b)
        if len(support) <= problem.m:
            b[support] = np.linalg.lstsq(problem.X[:, support], problem.y, rcond=None)[0]
        residual = float(np.linalg.norm(problem.y - problem.X @ b)) / (float(np.linalg.norm(problem.y)) or 1.0)
        if callback is not None:
            callback(Iterate(0, b.copy(), residual))
        return Solution(b, Status.CONVERGED, 1, residual)
