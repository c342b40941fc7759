"""Any linear regressor of scikit-learn as a solver of sparse recovery; orthogonal matching pursuit and the lasso are two.

An object that can be fitted is a solver here whichever package it is from: ``sklearn.linear_model:Lars`` on the command line,
``check_solver(Lars(), family="sparse")`` in Python. It is used as it was made but for three things: there is no intercept in the
model, a regressor that asks for the number of non-zeros (``n_nonzero_coefs``) and was given none is told k, and one that would
draw from NumPy's global state (``random_state=None``) draws from the solver's generator.
"""

from __future__ import annotations

import random
import warnings
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from lrs.core.errors import InvalidInput
from lrs.core.registry import import_attribute
from lrs.core.solver import Callback, Iterate, Solution, Status, Traits
from lrs.families.sparse.problem import NAME, SparseProblem


@dataclass(frozen=True, eq=False)
class Regressor:
    """A linear regressor as a solver: its ``coef_`` after ``fit(X, y)`` is the answer.

    Parameters
    ----------
    estimator
        The object, or ``module:attribute`` of its class, which is imported when it is first used. Not changed; every call fits a copy.
    traits : Traits
    """

    estimator: Any
    traits: Traits = field(default_factory=Traits)
    family: ClassVar[str] = NAME

    @property
    def __name__(self) -> str:
        return (
            str(self.estimator).rpartition(":")[2] if isinstance(self.estimator, str) else type(self.estimator).__name__
        )

    def prepared(self, problem: SparseProblem, rng: np.random.Generator) -> Any:
        """The copy that is fitted to a problem."""
        state = random.getstate()  # of which the import of scikit-learn takes
        from sklearn.base import clone

        estimator = self.estimator
        if isinstance(estimator, str):
            estimator = import_attribute(estimator, "solver")()
        random.setstate(state)
        given = estimator.get_params(deep=False)
        told: dict[str, Any] = {name: False for name in ("fit_intercept",) if name in given}
        if "n_nonzero_coefs" in given and given["n_nonzero_coefs"] is None and given.get("tol") is None:
            told["n_nonzero_coefs"] = max(problem.sparsity, 1)
        if "random_state" in given and given["random_state"] is None:
            told["random_state"] = int(rng.integers(2**31))
        return clone(estimator).set_params(**told)

    def __call__(
        self, problem: SparseProblem, *, rng: np.random.Generator, callback: Callback | None = None
    ) -> Solution[np.ndarray]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own convergence; the answer is judged
            fitted = self.prepared(problem, rng).fit(problem.X, problem.y)
        b = np.array(fitted.coef_, dtype=np.float64).reshape(-1)
        residual = float(np.linalg.norm(problem.y - problem.X @ b)) / (float(np.linalg.norm(problem.y)) or 1.0)
        if callback is not None:
            callback(Iterate(0, b.copy(), residual))
        return Solution(b, Status.CONVERGED, int(np.max(getattr(fitted, "n_iter_", None) or 1)), residual)


@dataclass(frozen=True, eq=False)
class _Lasso(Regressor):
    """The lasso with λ from the noise: ½‖y − Xb‖²/m + λ‖b‖₁, λ = c σ √(2 ln d/m).

    Without noise λ is a thousandth of the smallest that gives 0.
    """

    c: float = 1.0

    def prepared(self, problem: SparseProblem, rng: np.random.Generator) -> Any:
        level = self.c * problem.noise * np.sqrt(2 * np.log(max(problem.d, 2)) / problem.m)
        alpha = level or 1e-3 * float(np.abs(problem.X.T @ problem.y).max()) / problem.m or 1.0
        return super().prepared(problem, rng).set_params(alpha=alpha, max_iter=20_000, tol=1e-8)


def omp() -> Regressor:
    """Orthogonal matching pursuit, told k (Pati, Rezaiifar and Krishnaprasad 1993)."""
    return Regressor("sklearn.linear_model:OrthogonalMatchingPursuit")


def lasso() -> Regressor:
    """The lasso with its penalty from the noise (Tibshirani 1996)."""
    return _Lasso("sklearn.linear_model:Lasso", Traits(exact=False))


def adapted(target: Any, where: str) -> Regressor | None:
    """What `lrs.core.solver.load_solver` makes of an object that can be fitted; None of any other.

    Raises
    ------
    InvalidInput
        When it can be fitted and is no linear regressor.
    """
    if not callable(getattr(target, "fit", None)) or not callable(getattr(target, "get_params", None)):
        return None
    from sklearn.base import is_regressor

    kind = type(target).__name__
    if not is_regressor(target):
        raise InvalidInput(f"solver: {where} is a {kind}, which scikit-learn does not count among its regressors")
    solver, rng = Regressor(target), np.random.default_rng(0)
    X = rng.standard_normal((12, 4))
    try:
        answer = solver(SparseProblem(X, X[:, 0], 1), rng=rng).model
    except Exception as error:
        raise InvalidInput(
            f"solver: {where} is a {kind}, which cannot be asked for b in y = X b ({type(error).__name__}: {error})"
        ) from None
    if answer.shape != (4,):
        raise InvalidInput(f"solver: {where} is a {kind}, whose coef_ has shape {answer.shape} where X has 4 columns")
    return solver
