"""Time series as tasks: lags, the equations of Yule and Walker, and how fast coefficients are found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import solve_toeplitz

from lrs import InvalidInput, MultiTaskData, Problem, solve


def series(subjects: int, moments: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Vector autoregressions of order one of four channels whose coefficients, a row a channel, share two directions; and Θ."""
    rng = np.random.default_rng([seed])
    U = np.linalg.qr(np.random.default_rng([7]).standard_normal((4, 2)))[0]
    A = np.stack([0.9 * np.linalg.qr(rng.standard_normal((4, 2)))[0] @ U.T for _ in range(subjects)])
    x, kept = np.zeros((subjects, 4)), []
    for _ in range(100 + moments):
        x = np.einsum("sij,sj->si", A, x) + rng.standard_normal((subjects, 4))
        kept.append(x)
    values = np.stack(kept[100:], axis=1).reshape(-1, 4)
    frame = pd.DataFrame(values, columns=list("abcd"))
    frame.insert(0, "subject", np.repeat(np.arange(subjects), moments))
    frame.insert(1, "hour", np.tile(np.arange(moments), subjects))
    return frame, A.reshape(-1, 4)


def test_lags_and_labels():
    frame = pd.DataFrame(
        {"who": ["b"] * 4 + ["a"] * 4, "when": [3, 1, 2, 0] * 2, "u": range(8), "v": [1, 5, 2, 6, 4, 4, 9, 3]}
    )
    data = MultiTaskData.from_series(frame, task="who", time="when", order=2)
    assert data.task_names == ("a:u", "a:v", "b:u", "b:v")
    assert data.feature_names == ("u[-1]", "v[-1]", "u[-2]", "v[-2]")
    u, v = np.array([7, 5, 6, 4]) - 5.5, np.array([3, 4, 9, 4]) - 5.0
    X, y = data.task(1)
    assert X.tolist() == [[u[1], v[1], u[0], v[0]], [u[2], v[2], u[1], v[1]]]
    assert y.tolist() == v[2:].tolist()


def test_padded_series_give_the_equations_of_yule_and_walker():
    x = np.random.default_rng([1]).standard_normal(60).cumsum()
    data = MultiTaskData.from_series(pd.DataFrame({"s": 0, "x": x}), task="s", order=3, yule_walker=True)
    X, y = data.task(0)
    x = x - x.mean()
    autocovariance = [x[lag:] @ x[: len(x) - lag] for lag in range(4)]
    expected = solve_toeplitz(autocovariance[:3], autocovariance[1:])
    assert np.linalg.lstsq(X, y, rcond=None)[0] == pytest.approx(expected, abs=1e-10)


def test_coefficients_are_found_at_the_root_of_the_moments():
    errors = []
    for moments in (60, 960):
        found = []
        for seed in range(4):
            frame, truth = series(12, moments, seed)
            data = MultiTaskData.from_series(frame, task="subject", time="hour", order=1)
            model = solve(Problem(data, 2, 0, 1.0)).model
            found.append(np.linalg.norm(model.theta - truth))
        errors.append(np.mean(found))
    assert 3.2 < errors[0] / errors[1] < 5.0  # √16 = 4


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"order": 0}, "order: expected at least 1 lag"),
        ({"order": 7}, "order: 0 has 8 rows, too few for 7 lags"),
        ({"task": "who"}, "task: no column 'who'; the columns are subject, hour, a"),
        ({"time": "when"}, "time: no column 'when'"),
        ({"time": "day"}, "time: two rows of 0 have the same 'day'"),
        ({"channels": ["hour"], "time": "hour"}, "channels: 'hour' is no column of its own"),
        ({"channels": ["text"]}, "channels: column 'text' is not numeric"),
    ],
)
def test_what_is_no_series_is_refused(change: dict, message: str):
    frame = series(2, 8, 0)[0].assign(day=1, text="x")
    with pytest.raises(InvalidInput, match=message):
        MultiTaskData.from_series(frame, **({"task": "subject", "order": 1, "channels": ["a", "b"]} | change))
