"""The model: its formula, its storage, new tasks, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from lrs import Instance, InvalidInput, LRSModel
from lrs.families.low_rank_sparse import metrics


def random_model(t: int, d: int, r: int, k: int, seed: int) -> LRSModel:
    rng = np.random.default_rng([seed])
    B = np.zeros((t, d))
    for row in B:
        row[rng.permutation(d)[:k]] = rng.standard_normal(k)
    return LRSModel(np.linalg.qr(rng.standard_normal((d, r)))[0], rng.standard_normal((t, r)), sparse.csr_array(B))


@given(st.integers(1, 6), st.integers(1, 7), st.data(), st.integers(0, 30), st.integers(0, 2**31))
def test_predict_is_the_dense_formula(t: int, d: int, data: st.DataObject, n: int, seed: int):
    r, k = data.draw(st.integers(0, d)), data.draw(st.integers(0, d))
    model = random_model(t, d, r, k, seed)
    rng = np.random.default_rng([seed, 1])
    X, tasks = rng.standard_normal((n, d)), rng.integers(0, t, n)
    dense = (X * model.theta[tasks]).sum(axis=1)
    scale = 1 + np.abs(X).max(initial=0) * np.abs(model.theta).max(initial=0) * d
    assert np.abs(model.predict(X, tasks) - dense).max(initial=0) <= 1e-14 * scale
    assert np.array_equal(model.predict(X, 0), model.predict(X, np.zeros(n, dtype=int)))


def test_theta_and_task():
    model = random_model(4, 6, 2, 3, 0)
    for i in range(4):
        w, b = model.task(i)
        assert np.allclose(model.U @ w + b, model.theta[i], rtol=0, atol=1e-15)
        assert np.count_nonzero(b) == 3


def test_storage_counts():
    model = random_model(100, 50, 2, 3, 0)
    assert model.n_parameters == 50 * 2 + 100 * 2 + 100 * 3
    assert model.n_parameters_dense == 100 * 50


def test_adapt_learns_a_new_task_with_u_fixed(instance: Instance):
    truth = instance.truth
    rng = np.random.default_rng([8])
    w, b = rng.standard_normal(1), np.zeros(8)
    b[5] = 1.2
    X = rng.standard_normal((12, 8))
    found = truth.adapt(X, X @ (truth.U @ w + b))
    assert np.flatnonzero(found.b).tolist() == [5]
    assert np.abs(truth.U @ found.w + found.b - truth.U @ w - b).max() < 1e-12


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"W": np.ones((4, 3))}, r"U, W: expected shapes \(d, r\) and \(t, r\), got \(6, 2\) and \(4, 3\)"),
        ({"B": sparse.csr_array((5, 6))}, r"B: expected shape \(t, d\) = \(4, 6\), got \(5, 6\)"),
        ({"U": np.full((6, 2), np.nan)}, "U: holds NaN"),
        ({"W": np.full((4, 2), np.inf)}, "W: holds NaN"),
        ({"B": sparse.csr_array(np.full((4, 6), np.nan))}, "B: holds NaN"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_models_are_refused(change: dict, message: str):
    good = {"U": np.eye(6)[:, :2], "W": np.ones((4, 2)), "B": sparse.csr_array((4, 6))}
    LRSModel(**good)
    with pytest.raises(InvalidInput, match=message):
        LRSModel(**(good | change))


@pytest.mark.parametrize(
    ("X", "tasks", "message"),
    [
        (np.ones((3, 5)), 0, r"X: expected shape \(n, d = 6\), got \(3, 5\)"),
        (np.ones(6), 0, "X: expected shape"),
        (np.ones((3, 6)), [0, 1], "2 indices for 3 rows"),
        (np.ones((3, 6)), [0, 1, 4], "indices must lie in 0 … 3"),
        (np.ones((3, 6)), -1, "indices must lie in 0 … 3"),
        (np.ones((3, 6)), "a", "expected one task index"),
        (np.ones((3, 6)), [0.0, 1.0, 2.0], "expected one task index"),
    ],
)
def test_bad_predictions_are_refused(X: object, tasks: object, message: str):
    with pytest.raises(InvalidInput, match=message):
        random_model(4, 6, 2, 1, 0).predict(X, tasks)


def test_an_unknown_task_points_to_adapt():
    with pytest.raises(InvalidInput, match="'nine' is not a task of this model; use adapt"):
        random_model(4, 6, 2, 1, 0).task_index(["nine"])


def test_a_rotated_gauge_is_the_same_model():
    model = random_model(5, 7, 3, 2, 4)
    Q = np.linalg.qr(np.random.default_rng([4]).standard_normal((3, 3)))[0]
    turned = LRSModel(model.U @ Q, model.W @ Q, model.B)
    assert metrics.theta_error(turned, model) < 1e-14
