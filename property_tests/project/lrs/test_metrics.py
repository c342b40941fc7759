"""Metrics: hand-made cases with known answers, and independence of the gauge."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.metrics import r2_score, root_mean_squared_error

from lrs import InvalidInput, LRSModel
from lrs.families.low_rank_sparse import metrics


def model(U: object, W: object, B: object) -> LRSModel:
    return LRSModel(np.array(U, float), np.array(W, float), sparse.csr_array(np.array(B, float)))


TRUTH = model([[1], [0], [0]], [[3], [4]], [[0, 0, 0], [0, 2, 0]])


def test_an_exact_model_has_no_error():
    assert metrics.summary(TRUTH, TRUTH) == {
        "theta_error": 0.0,
        "entry_error": 0.0,
        "subspace_distance": 0.0,
        "tasks_recovered": 1.0,
        "support_precision": 1.0,
        "support_recall": 1.0,
    }


def test_errors_by_hand():
    # θ* = (3, 0, 0), (4, 2, 0); estimate (3, 0, 1), (4, 2, 0): one false support entry of size 1.
    found = model([[1], [0], [0]], [[3], [4]], [[0, 0, 1], [0, 2, 0]])
    assert metrics.theta_error(found, TRUTH) == pytest.approx(1 / np.sqrt(29), rel=1e-15)
    assert metrics.task_errors(found, TRUTH).tolist() == [pytest.approx(1 / 3, rel=1e-15), 0.0]
    assert metrics.tasks_recovered(found, TRUTH) == 0.5
    assert metrics.tasks_recovered(found, TRUTH, tolerance=0.4) == 1.0
    assert metrics.entry_error(found, TRUTH) == 1.0
    assert metrics.sparse_error(found, TRUTH) == 1.0
    assert metrics.support_precision(found, TRUTH) == 0.5
    assert metrics.support_recall(found, TRUTH) == 1.0
    assert metrics.false_support(found, TRUTH) == 1


def test_a_missed_support_entry():
    found = model([[1], [0], [0]], [[3], [4]], np.zeros((2, 3)))
    assert metrics.support_precision(found, TRUTH) == 1.0
    assert metrics.support_recall(found, TRUTH) == 0.0
    assert metrics.false_support(found, TRUTH) == 0


def test_zero_truth_gives_absolute_errors():
    nothing = model([[1], [0], [0]], [[0], [0]], np.zeros((2, 3)))
    assert metrics.theta_error(TRUTH, nothing) == pytest.approx(np.sqrt(29), rel=1e-15)
    assert metrics.task_errors(TRUTH, nothing)[0] == 3.0


@given(st.floats(0, np.pi / 2))
def test_subspace_distance_is_the_sine_of_the_angle(angle: float):
    U, V = np.array([[1.0], [0.0], [0.0]]), np.array([[np.cos(angle)], [np.sin(angle)], [0.0]])
    assert metrics.subspace_distance(U, V) == pytest.approx(np.sin(angle), abs=1e-15)
    assert metrics.subspace_distance(U, V, "fro") == pytest.approx(np.sin(angle), abs=1e-15)


def test_frobenius_adds_up_the_angles():
    assert metrics.subspace_distance(np.eye(4)[:, :2], np.eye(4)[:, 2:], "fro") == pytest.approx(np.sqrt(2))
    assert metrics.subspace_distance(np.eye(4)[:, :2], np.eye(4)[:, 2:]) == 1.0


def test_an_over_specified_rank_is_no_error():
    rng = np.random.default_rng([1])
    V = np.linalg.qr(rng.standard_normal((9, 2)))[0]
    U = np.column_stack([V, rng.standard_normal((9, 2))]) @ rng.standard_normal((4, 4))
    assert metrics.subspace_distance(U, V) < 1e-14
    assert metrics.subspace_distance(V[:, :1], V) == pytest.approx(1.0)


@given(st.integers(0, 2**31))
def test_the_gauge_does_not_matter(seed: int):
    rng = np.random.default_rng([seed])
    U, W, B = rng.standard_normal((6, 3)), rng.standard_normal((4, 3)), sparse.csr_array(rng.standard_normal((4, 6)))
    truth = LRSModel(rng.standard_normal((6, 3)), rng.standard_normal((4, 3)), B)
    Q = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    one, two = metrics.summary(LRSModel(U, W, B), truth), metrics.summary(LRSModel(U @ Q, W @ Q, B), truth)
    assert one == pytest.approx(two, rel=1e-12, abs=1e-12)


def test_prediction_errors_are_those_of_scikit_learn():
    rng = np.random.default_rng([2])
    y, predicted = rng.standard_normal(50), rng.standard_normal(50)
    assert metrics.explained_variance(y, predicted) == pytest.approx(r2_score(y, predicted), rel=1e-13)
    assert metrics.rmse(y, predicted) == pytest.approx(root_mean_squared_error(y, predicted), rel=1e-13)
    assert np.isnan(metrics.explained_variance(np.ones(3), np.ones(3)))


@pytest.mark.usefixtures("unchecked")
def test_models_of_other_shapes_are_refused():
    with pytest.raises(InvalidInput, match=r"model: \(t, d\) = \(1, 3\), but the truth has \(2, 3\)"):
        metrics.theta_error(model([[1], [0], [0]], [[3]], [[0, 0, 0]]), TRUTH)
    with pytest.raises(InvalidInput, match="3 and 4 rows"):
        metrics.subspace_distance(np.eye(3), np.eye(4))
