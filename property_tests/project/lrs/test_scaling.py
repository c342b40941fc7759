"""Numbers of any size, and data that cannot tell: what is promised of ordinary ones holds, or is said not to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lrs import AMHT, InstanceSpec, InvalidInput, LRSRegressor, MultiTaskData, Problem, Status, generate, metrics, solve

EASY = generate(InstanceSpec(t=30, m=16, d=10, r=2, k=1), 3)
NOISY = generate(InstanceSpec(t=30, m=16, d=10, r=2, k=1, noise=0.1), 3)


def changed(problem: Problem, X=None, y=None, **rest: float) -> Problem:
    data = problem.data
    X, y = data.X if X is None else X, data.y if y is None else y
    return replace(problem, data=replace(data, X=X, y=y), **rest)


def relative(model, theta) -> float:
    """Largest error of a coordinate, as a share of the largest number of its column."""
    return float((np.abs(model.theta - theta) / np.abs(theta).max(axis=0)).max())


@pytest.mark.parametrize("power", [-1000, -549, -200, 200, 515, 900])
@pytest.mark.parametrize("which", ["X", "y"])
def test_powers_of_two_change_nothing(power: int, which: str):
    problem = changed(EASY.problem, **{which: np.ldexp(getattr(EASY.problem.data, which), power)})
    for solver in (AMHT(), "global", "ridge") if abs(power) == 549 else (AMHT(),):
        solution, expected = solve(problem, solver), solve(EASY.problem, solver)
        back = np.ldexp(solution.model.theta, -power if which == "y" else power)
        assert solution.status is expected.status
        assert np.allclose(back, expected.model.theta, rtol=1e-9, atol=1e-12)
    assert (
        metrics.explained_variance(problem.data.y, solution.model.predict(problem.data.X, problem.data.groups)) > 0.99
    )


@pytest.mark.parametrize("factor", [1e-110, 1e-9, 1e110])
def test_a_column_of_another_size_is_no_obstacle(factor: float):
    X = EASY.problem.data.X.copy()
    X[:, 3] *= factor
    solution = solve(changed(EASY.problem, X=X))
    theta = EASY.truth.theta.copy()
    theta[:, 3] /= factor
    assert solution.status is Status.CONVERGED
    assert relative(solution.model, theta) < 1e-8
    assert np.abs(solution.model.U.T @ solution.model.U - np.eye(2)).max() < 1e-12


def test_a_task_of_tiny_responses_is_solved_like_the_others():
    size = np.where(np.arange(30) == 4, 1e-170, 1.0)
    truth = EASY.truth.theta * size[:, None]
    solution = solve(changed(EASY.problem, y=EASY.problem.data.y * np.repeat(size, 16)))
    assert np.abs(solution.model.theta[4] - truth[4]).max() < 1e-8 * np.abs(truth[4]).max()


def test_a_noisy_fit_is_not_reweighted():
    X = NOISY.problem.data.X.copy()
    X[:, 3] *= 2.0**-40
    far = changed(
        NOISY.problem, X=np.ldexp(X, 300), y=np.ldexp(NOISY.problem.data.y, 200), noise=float(np.ldexp(0.1, 200))
    )
    near, far = solve(changed(NOISY.problem, X=X)), solve(far)
    assert np.allclose(np.ldexp(far.model.theta, 100), near.model.theta, rtol=1e-9)
    assert far.info["noise_estimate"] == pytest.approx(near.info["noise_estimate"] * 2.0**200)


def test_the_spectator_sees_the_numbers_of_the_problem():
    seen = []
    solution = solve(changed(EASY.problem, y=EASY.problem.data.y * 1e200), callback=seen.append)
    assert np.array_equal(seen[-1].model.theta, solution.model.theta)


def test_numbers_of_all_sizes_at_once_are_refused():
    X = EASY.problem.data.X * np.where(np.arange(480) < 16, 1e-200, 1.0)[:, None]
    with pytest.raises(InvalidInput, match=r"X: its numbers differ in size by a factor of more than 2\^400"):
        solve(changed(EASY.problem, X=X), "ridge")
    with pytest.raises(InvalidInput, match="X, y: the parameters are beyond the largest number"):
        solve(changed(EASY.problem, X=EASY.problem.data.X * 1e-200, y=EASY.problem.data.y * 1e200))


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (lambda X: X[:, 3] * 0, "x3 is zero in all rows."),
        (lambda X: X[:, 5] * -2, "x3 and x5 are the same up to a factor."),
        (lambda X: X[:, 5] + X[:, 6], "Some features are a combination of the others."),
    ],
)
def test_features_that_cannot_be_told_apart(change, note: str):
    X = EASY.problem.data.X.copy()
    X[:, 3] = change(X)
    solution = solve(changed(EASY.problem, X=X))
    assert solution.status is Status.NOT_IDENTIFIABLE
    assert solution.message.endswith(note)
    assert solve(EASY.problem).status is Status.CONVERGED


def test_tasks_with_few_rows_are_named_in_the_sentence():
    data = EASY.problem.data
    keep = ~((data.groups == 7) & (np.arange(data.n) % 16 >= 3))
    solution = solve(replace(EASY.problem, data=data.rows(keep)))
    assert solution.message.endswith(
        "1 task has fewer than r + k + 1 = 4 rows, too few to tell a right answer from a wrong one: 7."
    )


def test_the_regressor_fits_numbers_of_any_size():
    data = EASY.problem.data
    fitted = LRSRegressor(2, 1).fit(data.X * 1e150, data.y * 1e-160, groups=data.groups)
    assert fitted.score(data.X * 1e150, data.y * 1e-160, groups=data.groups) == pytest.approx(1)
    assert isinstance(MultiTaskData.from_groups(data.X, data.y, data.groups), MultiTaskData)
