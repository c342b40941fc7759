"""The scikit-learn face of the toolkit: a regressor whose tasks are the ``groups`` of the rows."""

from __future__ import annotations

import sys
import warnings
from dataclasses import replace
from types import FrameType
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from lrs.amht import AMHT
from lrs.core.errors import InvalidInput
from lrs.core.validate import choice
from lrs.datasets import INTERCEPT
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import MultiTaskData, Problem
from lrs.hierarchical import AUTO, solve_automatically
from lrs.private.intake import zeroed
from lrs.private.model import ServerModel
from lrs.solver import Solution, load_solver, solve, traits_of


def _labels(groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`numpy.unique` of labels that need not have an order."""
    place = {label: i for i, label in enumerate(dict.fromkeys(groups.tolist()))}
    found = np.empty(len(place), dtype=object)
    found[:] = list(place)
    return found, np.array([place[label] for label in groups.tolist()], dtype=np.int64)


def in_search() -> bool:
    """Whether scikit-learn's model selection is calling."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).startswith("sklearn.model_selection"):
            return True
        frame = frame.f_back
    return False


class LRSRegressor(RegressorMixin, BaseEstimator):
    """Low-rank + sparse multi-task regression, ŷ = ⟨x, U w⁽ⁱ⁾ + b⁽ⁱ⁾⟩ for a row of task i.

    Parameters
    ----------
    rank : int or "auto"
        r, the number of shared directions. By default `AMHT` finds rank, sparsity and noise from rows that it holds out
        (`lrs.hierarchical`); other solvers then get 1.
    sparsity : int or "auto"
        k, the largest number of personal coordinates of a task.
    solver : str or callable
        A name that ``lrs solvers`` lists, ``module:attribute``, or a solver.
    noise : float
        Standard deviation σ of the observation noise, 0 when the data are exact; estimated where something is "auto".
    fit_intercept : bool
        Fit around the mean of ``y``, with a constant feature appended, so that tasks have offsets of their own (shared
        through U, personal through b). Off by default: the model of the theorem has none. A private solver gets the constant
        feature only: the mean is an exact statistic of all users.
    unknown_groups : {"mean", "error"}
        What `predict` does with a group that `fit` did not see. ``"mean"`` uses the mean of all tasks' parameters, the
        constant that is closest to them in squared error; ``"error"`` refuses. To *learn* a new group from rows of its
        own use ``model_.adapt``.
    random_state : int, RandomState or None
        Seed of the solver.

    Attributes
    ----------
    model_ : LRSModel
        The fitted parameters; the constant feature, if any, is the last one.
    solution_ : Solution
        With the status, the iterations and the seconds of the run.
    intercept_ : float
        What is added to every prediction: the mean of ``y``, or 0 without ``fit_intercept``.
    groups_ : array
        The groups seen in `fit`, in the order of the tasks of ``model_``.

    After a private fit ``model_`` is the `lrs.private.ServerModel`: U and the ledger. Users' parts, their ids and the exact
    residual are not kept; ``model_.adapt`` gives a user its own (w, b) from its own rows.

    n_features_in_ : int
    feature_names_in_ : array of str
        Only when ``X`` was a data frame.

    Notes
    -----
    Without ``groups`` all rows are one task. To have `sklearn.model_selection.GridSearchCV` pass the groups on to
    `fit` and `score`, switch scikit-learn's metadata routing on and request them:
    ``LRSRegressor().set_fit_request(groups=True).set_score_request(groups=True)``. Without both a search fits one task, and
    says so. Responses whose mean is far from 0 want ``fit_intercept=True``: the model itself has no constant.

    Examples
    --------
    >>> from lrs import InstanceSpec, LRSRegressor, generate
    >>> data = generate(InstanceSpec(t=40, m=25, d=10, r=1, k=1)).problem.data
    >>> fitted = LRSRegressor().fit(data.X, data.y, groups=data.groups)
    >>> round(fitted.score(data.X, data.y, groups=data.groups), 6)
    1.0
    """

    def __init__(
        self,
        rank: int | Literal["auto"] = "auto",
        sparsity: int | Literal["auto"] = "auto",
        *,
        solver: Any = "amht",
        noise: float = 0.0,
        fit_intercept: bool = False,
        unknown_groups: Literal["mean", "error"] = "mean",
        random_state: Any = 0,
    ) -> None:
        self.rank = rank
        self.sparsity = sparsity
        self.solver = solver
        self.noise = noise
        self.fit_intercept = fit_intercept
        self.unknown_groups = unknown_groups
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None) -> LRSRegressor:
        """Fit the model.

        Parameters
        ----------
        X : (n, d) array or data frame
        y : (n,) array
        groups : (n,) array, optional
            Task label of every row; default: one task.

        Raises
        ------
        InvalidInput
            When the rank or the sparsity exceeds the number of features, or a label is missing.
        """
        choice("unknown_groups", self.unknown_groups, ("mean", "error"))
        solver = load_solver(self.solver)
        private = traits_of(solver).private
        if private:  # a value that is not finite is its own user's affair: that user then adds nothing
            X, y = (
                validate_data(self, X, dtype=np.float64, ensure_all_finite=False),
                np.asarray(y, dtype=np.float64).ravel(),
            )
            check_consistent_length(X, y)
        else:
            X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        if groups is None:
            labels = np.zeros(len(X), dtype=np.int64)
            if in_search():
                warnings.warn(
                    "fit without groups: all rows are one task, so the rank and the score say nothing about tasks. A search "
                    "passes groups on only with sklearn.set_config(enable_metadata_routing=True) and "
                    "LRSRegressor().set_fit_request(groups=True).set_score_request(groups=True)",
                    UserWarning,
                    stacklevel=2,
                )
        else:
            labels = groups
        self.intercept_ = float(y.mean()) if self.fit_intercept and not private else 0.0
        read = zeroed if private else MultiTaskData.from_groups
        names = tuple(map(str, getattr(self, "feature_names_in_", ())))
        if names and self.fit_intercept:
            names = (*names, INTERCEPT)
        data = read(self._design(X), y - self.intercept_, labels, feature_names=names)
        seed = self.random_state
        if not isinstance(seed, int | np.integer):
            seed = int(check_random_state(seed).randint(2**31))
        rank, sparsity = (self._size(value, solver) for value in (self.rank, self.sparsity))
        if isinstance(rank, str) or isinstance(sparsity, str):
            self.solution_: Solution = solve_automatically(data, solver, int(seed), rank=rank, sparsity=sparsity)
        else:
            self.solution_ = solve(Problem(data, rank, sparsity, self.noise), solver, int(seed))
        self.groups_ = np.array(data.task_names)
        if private:  # only what may be published: this object is kept, pickled and passed on
            self.solution_ = replace(self.solution_, model=self.solution_.info["server"], residual=float("nan"))
            self.groups_ = self.groups_[:0]
        self.model_: LRSModel = self.solution_.model
        return self

    def predict(self, X: Any, groups: Any = None) -> Float[np.ndarray, " n"]:
        """Predict with the parameters of every row's group.

        Parameters
        ----------
        X : (n, d) array or data frame
        groups : (n,) array, optional
            Task label of every row. Without it every row is predicted with the mean of all tasks' parameters, which is
            the task itself when `fit` saw no groups.

        Returns
        -------
        (n,) array

        Raises
        ------
        InvalidInput
            When a group is unknown and ``unknown_groups="error"``.
        """
        check_is_fitted(self)
        if isinstance(self.model_, ServerModel):
            self.model_.predict(X, groups)  # says what to do instead
        X = self._design(validate_data(self, X, dtype=np.float64, reset=False))
        if groups is None:
            if len(self.groups_) > 1:
                warnings.warn(
                    f"predict without groups: every row is predicted with the mean of all {len(self.groups_)} tasks; pass groups",
                    UserWarning,
                    stacklevel=2,
                )
            return X @ self._mean() + self.intercept_
        groups = np.asarray(groups)
        if groups.shape != (len(X),):
            raise InvalidInput(f"groups: expected one label per row, shape ({len(X)},), got {groups.shape}")
        place = {label: i for i, label in enumerate(self.groups_.tolist())}
        labels, codes = np.unique(groups, return_inverse=True) if groups.dtype.kind != "O" else _labels(groups)
        said, seen = {isinstance(label, str) for label in labels.tolist()}, {isinstance(label, str) for label in place}
        if said and not said & seen:
            words = {True: "text", False: "numbers"}
            raise InvalidInput(
                f"groups: labels are {words[said.pop()]}, and fit saw {words[seen.pop()]} such as {self.groups_[0]!r}; convert them"
            )
        index = np.array([place.get(label, -1) for label in labels.tolist()], dtype=np.int64)[codes]
        known = index >= 0
        if not known.all() and self.unknown_groups == "error":
            raise InvalidInput(
                f"groups: {groups[~known][0]!r} was not seen in fit; model_.adapt learns a new task, "
                "unknown_groups='mean' predicts with the mean task"
            )
        out = np.empty(len(X))
        out[known] = self.model_.predict(X[known], index[known])
        out[~known] = X[~known] @ self._mean()
        return out + self.intercept_

    def score(self, X: Any, y: Any, groups: Any = None, sample_weight: Any = None) -> float:
        """R² of the predictions, all rows together."""
        return float(r2_score(y, self.predict(X, groups), sample_weight=sample_weight))

    @staticmethod
    def _size(value: int | str, solver: Any) -> int | str:
        """A solver that finds no rank or sparsity gets 1."""
        return 1 if isinstance(value, str) and value == AUTO and not isinstance(solver, AMHT) else value

    def _design(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d_model"]:
        return np.column_stack([X, np.ones(len(X))]) if self.fit_intercept else X

    def _mean(self) -> Float[np.ndarray, " d_model"]:
        """Mean of all tasks' parameters, U w̄ + b̄."""
        return self.model_.U @ self.model_.W.mean(axis=0) + np.asarray(self.model_.B.mean(axis=0)).ravel()
