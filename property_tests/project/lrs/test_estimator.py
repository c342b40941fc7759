"""The scikit-learn face: scikit-learn's own checks, groups, cloning and grid search."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import lrs
from lrs import AMHT, Instance, InvalidInput, LRSRegressor

#: Checks of scikit-learn that the regressor is known not to pass, each with the reason. None at present.
EXPECTED_FAILED_CHECKS: dict[str, str] = {}


@parametrize_with_checks(
    [LRSRegressor(), LRSRegressor(rank=1, sparsity=0, fit_intercept=True), LRSRegressor(solver="ridge")],
    expected_failed_checks=lambda estimator: EXPECTED_FAILED_CHECKS,
)
@pytest.mark.usefixtures("unchecked")  # one of them passes arguments of wrong types
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


@pytest.fixture
def rows(instance: Instance) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X, y and text labels, shuffled."""
    data = instance.problem.data
    order = np.random.default_rng([5]).permutation(data.n)
    return data.X[order], data.y[order], np.array([f"school {g:02d}" for g in data.groups])[order]


def test_it_finds_the_truth(rows: tuple, instance: Instance):
    X, y, groups = rows
    fitted = LRSRegressor(rank=1, sparsity=1).fit(X, y, groups=groups)
    assert lrs.metrics.theta_error(fitted.model_, instance.truth) < 1e-6
    assert np.abs(fitted.predict(X, groups=groups) - y).max() < 1e-5
    assert fitted.score(X, y, groups=groups) > 1 - 1e-9
    assert fitted.groups_.tolist() == [f"school {i:02d}" for i in range(30)]
    assert fitted.solution_.model is fitted.model_


def test_rows_are_predicted_one_by_one(rows: tuple):
    X, y, groups = rows
    fitted = LRSRegressor().fit(X, y, groups=groups)
    order = np.random.default_rng([6]).permutation(len(X))[:50]
    one_by_one = fitted.predict(X[order], groups=groups[order])
    assert one_by_one == pytest.approx(fitted.predict(X, groups=groups)[order], abs=1e-13)


def test_unknown_groups_get_the_mean_task_or_an_error(rows: tuple):
    X, y, groups = rows
    fitted = LRSRegressor().fit(X, y, groups=groups)
    mean = X @ fitted.model_.theta.mean(axis=0)
    assert fitted.predict(X, groups=np.full(len(X), "elsewhere")) == pytest.approx(mean, abs=1e-13)
    assert fitted.predict(X) == pytest.approx(mean, abs=1e-13)
    mixed = groups.astype(object)
    mixed[0] = "zzz, after all others"
    predicted = fitted.predict(X, groups=mixed)
    assert predicted[0] == pytest.approx(mean[0], abs=1e-13)
    assert predicted[1:] == pytest.approx(fitted.predict(X, groups=groups)[1:], abs=1e-13)
    strict = LRSRegressor(unknown_groups="error").fit(X, y, groups=groups)
    with pytest.raises(InvalidInput, match="groups: 'zzz, after all others' was not seen in fit"):
        strict.predict(X, groups=mixed)


def test_the_intercept(rows: tuple):
    X, y, groups = rows
    offsets = 1000.0 + (np.char.endswith(groups, "0") * 3.0)  # one for all, and a personal one for some
    fitted = LRSRegressor(rank=2, sparsity=2, fit_intercept=True).fit(X, y + offsets, groups=groups)
    assert fitted.score(X, y + offsets, groups=groups) > 1 - 1e-9
    assert fitted.intercept_ == pytest.approx(1000.0, abs=1.0)
    elsewhere = fitted.predict(X, groups=np.full(len(X), "elsewhere"))
    assert elsewhere == pytest.approx(fitted.predict(X), abs=1e-9)
    assert elsewhere.mean() == pytest.approx(1000.0, abs=1.0)
    assert LRSRegressor(rank=2).fit(X, y + offsets, groups=groups).score(X, y + offsets, groups=groups) < 0.9


def test_clones_and_parameters():
    estimator = LRSRegressor(rank=2, sparsity=3, solver=AMHT(max_iterations=7), noise=0.5, random_state=4)
    copy = clone(estimator)
    assert copy.get_params() == estimator.get_params()
    assert copy.set_params(rank=5).rank == 5
    assert estimator.rank == 2


@pytest.mark.parametrize("seed", [3, None, np.random.RandomState(3)])
def test_random_states(seed: object, rows: tuple):
    X, y, groups = rows
    assert LRSRegressor(random_state=seed).fit(X, y, groups=groups).score(X, y, groups=groups) > 0.999


def test_grid_search_with_routed_groups(rows: tuple):
    X, y, groups = rows
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = LRSRegressor(solver=AMHT(max_iterations=5))
        estimator.set_fit_request(groups=True).set_score_request(groups=True)
        search = GridSearchCV(
            estimator,
            {"rank": [0, 1], "sparsity": [0, 1]},
            cv=KFold(3, shuffle=True, random_state=0),
            error_score="raise",
        )
        search.fit(X, y, groups=groups)
    assert search.best_params_ == {"rank": 1, "sparsity": 1}
    assert search.best_score_ > 0.99


def test_a_search_without_routing_says_that_it_fits_one_task(rows: tuple):
    X, y, groups = rows
    search = GridSearchCV(LRSRegressor(), {"rank": [0, 1]}, cv=KFold(3))
    with pytest.warns(UserWarning, match="fit without groups: all rows are one task.*enable_metadata_routing=True"):
        search.fit(X, y, groups=groups)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LRSRegressor().fit(X, y)  # who calls fit knows what it was given


def test_predictions_without_groups_say_that_they_are_of_the_mean_task(rows: tuple):
    X, y, groups = rows
    fitted = LRSRegressor().fit(X, y, groups=groups)
    with pytest.warns(UserWarning, match="predicted with the mean of all 30 tasks; pass groups"):
        fitted.predict(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LRSRegressor().fit(X, y).predict(X)


def test_labels_of_another_type_are_refused_and_not_pooled(rows: tuple):
    X, y, groups = rows
    numbers = np.unique(groups, return_inverse=True)[1]
    fitted = LRSRegressor().fit(X, y, groups=numbers)
    for strange in (numbers.astype(str), numbers.astype(str).astype(object)):
        with pytest.raises(InvalidInput, match="groups: labels are text, and fit saw numbers such as"):
            fitted.predict(X, groups=strange)
    with pytest.raises(InvalidInput, match="groups: labels are numbers, and fit saw text such as"):
        LRSRegressor().fit(X, y, groups=groups).predict(X, groups=numbers)
    for same in (numbers.astype(float), numbers.astype(object), numbers.astype(np.int8)):
        assert np.array_equal(fitted.predict(X, groups=same), fitted.predict(X, groups=numbers))


def test_the_names_of_features_reach_the_model(rows: tuple):
    X, y, groups = rows
    frame = pd.DataFrame(X).add_prefix("feature ")
    assert LRSRegressor().fit(frame, y, groups=groups).model_.feature_names == tuple(frame.columns)
    named = LRSRegressor(fit_intercept=True).fit(frame, y, groups=groups).model_.feature_names
    assert named == (*frame.columns, "intercept")


def test_pipelines_and_frames(rows: tuple):
    X, y, groups = rows
    frame = pd.DataFrame(X).add_prefix("feature ")
    fitted = make_pipeline(StandardScaler(), LRSRegressor(rank=2, sparsity=2, fit_intercept=True)).fit(
        frame, y, lrsregressor__groups=groups
    )
    assert fitted[-1].model_.t == 30
    assert LRSRegressor().fit(frame, y, groups=pd.Series(groups)).feature_names_in_.tolist() == list(frame.columns)


@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_refused(rows: tuple):
    X, y, groups = rows
    with pytest.raises(InvalidInput, match="rank: 9 is outside 0 … d = 8"):
        LRSRegressor(rank=9).fit(X, y)
    with pytest.raises(InvalidInput, match="groups: expected one label per row"):
        LRSRegressor().fit(X, y, groups=groups[:-1])
    with pytest.raises(InvalidInput, match=r"groups: 1 row\(s\) have no task label"):
        LRSRegressor().fit(X, y, groups=[None, *groups[1:]])
    with pytest.raises(InvalidInput, match="groups: expected one label per row"):
        LRSRegressor().fit(X, y, groups=groups).predict(X, groups=groups[:-1])
    with pytest.raises(InvalidInput, match="no solver named 'amth'"):
        LRSRegressor(solver="amth").fit(X, y)
    with pytest.raises(InvalidInput, match="unknown_groups: expected 'mean' or 'error'"):
        LRSRegressor(unknown_groups="guess").fit(X, y)


def test_only_known_names_are_exported():
    assert "LRSRegressor" in lrs.__all__
    with pytest.raises(AttributeError, match="module 'lrs' has no attribute 'Regressor'"):
        _ = lrs.Regressor
