"""State evolution: exact cases, the plain law against the fast one, the hard phase, and the messages that follow it."""

from __future__ import annotations

import numpy as np
import pytest

from lrs.core.errors import InvalidInput
from property_tests.benchmarks.state_evolution import run, weights
from theory.evolution import SparsePrior, SparseRegression
from theory.families.low_rank_sparse.state_evolution import FewTasks, curve, many_tasks

HIDDEN = SparsePrior(0.08, "signs")


@pytest.mark.parametrize("law", ["gaussian", "uniform", "signs"])
def test_the_scalar_channel_has_the_moments_of_its_law(law):
    """Against the prior on a grid of b and x; and the quadrature has converged."""
    prior = SparsePrior(0.1, law, 1.3)
    b = {"gaussian": np.linspace(-7, 7, 701) * 1.3, "signs": np.array([-1.3, 1.3])}.get(
        law, np.r_[-1.95:-0.65:300j, 0.65:1.95:300j]
    )
    p = np.exp(-((b / 1.3) ** 2) / 2) if law == "gaussian" else np.ones(len(b))
    if law == "uniform":  # trapezoid
        p[[0, 299, 300, 599]] = 0.5
    b, p = np.r_[0.0, b], np.r_[0.9, 0.1 * p / p.sum()]
    for variance in (4.0, 0.3, 0.05):
        x, step = np.linspace(-14, 14, 1401, retstep=True)
        joint = p * np.exp(-((x[:, None] - b) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
        density = joint.sum(axis=1)
        seen = density > 1e-250
        mean = (joint @ b)[seen] / density[seen]
        left = ((joint @ b**2)[seen] - density[seen] * mean**2).sum() * step
        assert prior.remaining(variance) == pytest.approx(left, rel=1e-3)
    for variance in (10.0, 0.1, 1e-4, 1e-8):
        np.testing.assert_allclose(prior.information(variance), prior.information(variance, 60), rtol=1e-10)


def test_one_task_without_a_subspace_is_sparse_regression():
    """Both laws of the same problem: one by sums over supports and points, one by quadrature."""
    few = FewTasks(np.zeros((1, 1)), 140, 400, 32, 1.2, points=2**13).curve(10)[:, 0]
    scalar = SparseRegression(140, 400, 1.2, SparsePrior(0.08, "gaussian")).curve(10)[:, 0]
    np.testing.assert_allclose(few, scalar, rtol=1e-3)
    assert few[-1] < few[0] / 20


def test_without_a_sparse_part_the_law_is_that_of_normal_vectors():
    W = weights(4, 2, 100, 5)
    law = FewTasks(W, [20, 30, 40, 50], 100, 0, 1.0, points=4)
    error = law.prior
    for _ in range(5):
        C, tau2 = W @ W.T / 100, (1.0 + error) / np.array([20, 30, 40, 50])
        error, predicted = 100 * np.diag(C - C @ np.linalg.solve(C + np.diag(tau2), C)), law.step(error)
        np.testing.assert_allclose(predicted, error, rtol=1e-9)


def test_many_tasks_pay_for_their_weights_in_rows():
    """Values of b that are known up to a sign cost nothing once they are found: what is left is r weights from m − r rows."""
    law = many_tasks(m=60, d=100, r=5, k=4, sigma=1e-3, sparse=SparsePrior(0.04, "signs"))
    assert law.fixed_points.bayes[0] == pytest.approx(5 * 1e-6 / (60 - 5), rel=1e-3)


def test_the_hard_phase_of_the_e_family():
    """Without noise zero error is possible from r + k rows on, and messages reach it from 17."""
    found = {m: many_tasks(m=m, d=50, r=5, k=4, sigma=0.0).fixed_points for m in (8, 10, 16, 17)}
    assert [bool(f.bayes[0] == 0) for f in found.values()] == [False, True, True, True]
    assert [bool(f.from_prior[0] == 0) for f in found.values()] == [False, False, False, True]
    assert [f.hard for f in found.values()] == [False, True, True, False]


def test_the_bayes_error_has_the_smallest_potential():
    """i(E) with the information I = ½ ∫ M dγ from γ = 0: on a grid, nothing known of fixed points."""
    rows, chosen = range(11, 22, 2), []
    for m in rows:
        law = SparseRegression(m, 100, 0.3, HIDDEN)
        error = np.geomspace(1e-4, law.prior[0], 300)
        gamma = m / (0.3**2 + error)
        path = np.concatenate([np.geomspace(1e-6, gamma[-1], 100), gamma[::-1][1:]])
        left = np.array([law.remaining(np.array([1 / g]))[0] for g in path])
        information = np.concatenate([[0.0], np.cumsum((left[1:] + left[:-1]) / 4 * np.diff(path))])[99:][::-1]
        potential = information + m / 2 * (np.log1p(error / 0.3**2) - error * gamma / m)
        best = error[potential.argmin()]
        assert law.fixed_points.bayes[0] == pytest.approx(best, rel=0.05, abs=2e-4)
        chosen.append(law.fixed_points)
    assert any(f.from_prior[0] > 2 * f.from_truth[0] and f.bayes[0] == f.from_prior[0] for f in chosen)
    assert any(f.hard for f in chosen)


def test_the_curve_says_how_far_off_it_is():
    W = weights(5, 2, 400, 1)
    law = curve(FewTasks(W, 140, 400, 32, 1.0, points=2**13), 6)
    finer = FewTasks(W, 140, 400, 32, 1.0, points=2**14, seed=99).curve(6).mean(axis=1)
    off = np.abs(law.errors.mean(axis=1) - finer)[1:]
    assert (off <= 4 * law.standard_error[1:]).all()
    assert (law.standard_error <= 0.01 * law.errors.mean(axis=1)).all()


@pytest.mark.parametrize("t", [2, 5])
def test_messages_follow_the_law_that_is_given_the_same_weights(t):
    """The whole comparison is ``property_tests/benchmarks/state_evolution.py``."""
    d, iterations = 800, 6
    W, m = weights(t, 1, d, 0), round(0.35 * d)
    sigma = np.sqrt(0.005 * m)
    limit = curve(FewTasks(W, m, d, 0.08 * d, sigma, points=2**12), iterations).errors.mean(axis=1)[1:]
    errors = np.array([run(W, m, d, sigma, iterations, (3, n), weights=W, slab=1.0) for n in range(8)])
    spread = errors.std(axis=0, ddof=1) / np.sqrt(len(errors))
    away = np.abs(errors.mean(axis=0) - limit)
    assert ((away <= 0.03 * limit) | (away <= 3 * spread)).all()
    assert (spread <= 0.05 * limit).all()


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"W": np.ones((13, 1))}, "W"),
        ({"W": np.array([[np.nan]])}, "W"),
        ({"k": 30}, "k"),
        ({"m": 0}, "m"),
        ({"sigma": -1.0}, "sigma"),
    ],
)
def test_bad_arguments_are_named(arguments, name):
    good = {"W": np.ones((2, 1)), "m": 10, "d": 20, "k": 2, "sigma": 0.1}
    with pytest.raises(InvalidInput, match=f"^{name}:"):
        FewTasks(**{**good, **arguments})
