"""MultiTaskData and Problem: what they hold, and what they refuse."""

from __future__ import annotations

import jaxtyping
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrs import Instance, InvalidInput, MultiTaskData, Problem
from lrs.families.low_rank_sparse import metrics

X3, Y2 = np.ones((3, 4, 2)), np.ones((3, 4))


def test_annotations_are_checked_while_the_tests_run():
    with pytest.raises(jaxtyping.TypeCheckError):
        metrics.rmse(np.ones((2, 2)), np.ones(3))


def test_from_arrays_stacks_tasks():
    X = np.arange(24.0).reshape(3, 4, 2)
    y = np.arange(12.0).reshape(3, 4)
    data = MultiTaskData.from_arrays(X, y)
    assert (data.t, data.d, data.n) == (3, 2, 12)
    assert np.array_equal(data.task(1)[0], X[1])
    assert np.array_equal(data.task(2)[1], y[2])
    assert np.shares_memory(data.X, X)


def test_ragged_lists():
    data = MultiTaskData.from_arrays([np.ones((2, 3)), np.ones((5, 3))], [np.ones(2), np.ones(5)])
    assert data.counts.tolist() == [2, 5]
    assert data.groups.tolist() == [0, 0, 1, 1, 1, 1, 1]


def test_data_cannot_be_overwritten():
    data = MultiTaskData.from_arrays(X3.copy(), Y2.copy())
    with pytest.raises(ValueError, match="read-only"):
        data.X[0, 0] = 5.0
    with pytest.raises(ValueError, match="read-only"):
        data.task(0)[1][0] = 5.0


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_from_groups_keeps_every_row_with_its_task(labels: list[int], random):
    X = np.arange(2.0 * len(labels)).reshape(-1, 2)
    y = np.arange(float(len(labels)))
    data = MultiTaskData.from_groups(X, y, np.array(labels))
    assert list(data.task_names) == sorted(set(labels))
    for name, (rows, responses) in zip(data.task_names, data, strict=True):
        wanted = [i for i, label in enumerate(labels) if label == name]
        assert responses.tolist() == wanted  # the order within a task is kept
        assert np.array_equal(rows, X[wanted])


@given(st.lists(st.integers(1, 6), min_size=1, max_size=12), st.integers(1, 7))
def test_prefix_takes_the_first_rows_of_every_task(counts: list[int], m: int):
    data = MultiTaskData.from_arrays(
        [np.arange(c, dtype=float)[:, None] + 100 * i for i, c in enumerate(counts)], [np.zeros(c) for c in counts]
    )
    short = data.prefix(m)
    assert short.counts.tolist() == [min(m, c) for c in counts]
    for i, (rows, _) in enumerate(short):
        assert np.array_equal(rows, data.task(i)[0][:m])


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.floats(0.05, 1.0), st.integers(0, 2**31))
def test_split_keeps_every_task(counts: list[int], fraction: float, seed: int):
    data = MultiTaskData.from_arrays([np.ones((c, 1)) for c in counts], [np.ones(c) for c in counts])
    training, mask = data.split(fraction, np.random.default_rng(seed))
    assert training.t == data.t
    assert training.n == mask.sum()
    assert training.counts.tolist() == [max(1, round(fraction * c)) for c in counts]


def test_select_repeats_and_reorders():
    data = MultiTaskData.from_arrays(np.arange(12.0).reshape(3, 2, 2), np.arange(6.0).reshape(3, 2))
    chosen = data.select([2, 0, 2])
    assert chosen.y.tolist() == [4, 5, 0, 1, 4, 5]
    assert chosen.task_names == (2, 0, 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MultiTaskData.from_arrays(np.where(X3 > 0, np.nan, 0), Y2), r"X: 24 value\(s\) are NaN or infinite"),
        (lambda: MultiTaskData.from_arrays(X3, Y2 * np.inf), r"y: 12 value\(s\) are NaN or infinite"),
        (lambda: MultiTaskData.from_arrays(X3, np.ones((3, 5))), r"y: expected shape \(t, m\) = \(3, 4\)"),
        (lambda: MultiTaskData.from_arrays(np.ones((3, 4)), Y2), r"X: expected 3 dimension\(s\), got shape \(3, 4\)"),
        (lambda: MultiTaskData.from_arrays(X3, "abc"), "y: expected"),
        (lambda: MultiTaskData.from_arrays(X3 + 1j, Y2), "X: complex numbers"),
        (lambda: MultiTaskData.from_arrays(np.ones((3, 0, 2)), np.ones((3, 0))), "holds no rows"),
        (lambda: MultiTaskData.from_arrays([], []), "X: no tasks"),
        (lambda: MultiTaskData.from_arrays([np.ones((2, 3))], [np.ones(3)]), r"y\[0\]: 3 responses for 2 rows"),
        (
            lambda: MultiTaskData.from_arrays([np.ones((2, 3)), np.ones((2, 4))], [np.ones(2), np.ones(2)]),
            r"X\[1\]: 4 features, but X\[0\] has 3",
        ),
        (lambda: MultiTaskData(np.ones((4, 2)), np.ones(4), np.array([0, 2, 2, 4])), "task 1 has no rows"),
        (lambda: MultiTaskData(np.ones((4, 2)), np.ones(4), np.array([0, 3])), "must start at 0 and end at n = 4"),
        (lambda: MultiTaskData(np.ones((4, 2)), np.ones(3), np.array([0, 4])), "3 responses for 4 rows"),
        (lambda: MultiTaskData(np.ones((4, 0)), np.ones(4), np.array([0, 4])), "no feature columns"),
        (
            lambda: MultiTaskData(np.ones((4, 2)), np.ones(4), np.array([0, 4]), feature_names=("a", "a")),
            "'a' occurs more than once",
        ),
        (
            lambda: MultiTaskData(np.ones((4, 2)), np.ones(4), np.array([0, 4]), task_names=("a", "b")),
            "2 names for 1 tasks",
        ),
        (lambda: MultiTaskData.from_groups(np.ones((2, 1)), np.ones(2), [0, 1, 2]), "one label per row"),
        (lambda: MultiTaskData.from_groups(np.ones((2, 1)), np.ones(2), [0, np.nan]), r"1 row\(s\) have no task label"),
        (lambda: MultiTaskData.from_groups(np.ones((2, 1)), np.ones(2), ["a", None]), "no task label .first at row 1."),
        (lambda: MultiTaskData.from_groups(np.ones((0, 1)), np.ones(0), []), "X: no rows"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_arrays_are_refused(make, message: str):
    with pytest.raises(InvalidInput, match=message):
        make()


def frame(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"g": [0, 0, 1], "y": [1.0, 2.0, 3.0], "a": [1, 2, 3], **columns})


def test_from_frame_takes_all_other_columns():
    data = MultiTaskData.from_frame(frame(b=[True, False, True]), task="g", target="y")
    assert data.feature_names == ("a", "b")
    assert data.task_names == (0, 1)


@pytest.mark.parametrize(
    ("df", "roles", "message"),
    [
        (frame(), {"task": "school", "target": "y"}, "task: no column 'school'; the columns are g, y, a"),
        (frame(), {"task": "g", "target": "z"}, "target: no column 'z'"),
        (frame(), {"task": "g", "target": "g"}, "name two different columns"),
        (frame(), {"task": "g", "target": "y", "features": ["q"]}, "features: no column 'q'"),
        (frame(), {"task": "g", "target": "y", "features": ["y"]}, "a feature cannot be either"),
        (frame(), {"task": "g", "target": "y", "features": []}, "no feature columns are left"),
        (frame(b=["u", "v", "w"]), {"task": "g", "target": "y"}, r"column 'b' is not numeric \(it holds 'u'\)"),
        (frame(b=["1", "2", "x"]), {"task": "g", "target": "y"}, r"column 'b' is not numeric \(it holds 'x'\)"),
        (frame(b=[1.0, np.nan, 2]), {"task": "g", "target": "y"}, r"column 'b' has a missing .* \(first at row 1\)"),
        (frame(y=[1.0, np.inf, 2]), {"task": "g", "target": "y"}, "target: column 'y' has a missing or infinite"),
        (
            frame(g=["a", None, "b"]),
            {"task": "g", "target": "y"},
            r"column 'g' has 1 missing value\(s\) \(first at row 1",
        ),
        (frame().iloc[:0], {"task": "g", "target": "y"}, "no rows"),
        (frame().set_axis(["g", "y", "y"], axis=1), {"task": "g", "target": "y"}, "'y' occur more than once"),
    ],
)
def test_bad_frames_are_refused(df: pd.DataFrame, roles: dict, message: str):
    with pytest.raises(InvalidInput, match=message):
        MultiTaskData.from_frame(df, **roles)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rank": 3, "sparsity": 1}, "rank: r = 3 is outside 0 … d = 2"),
        ({"rank": 1, "sparsity": 3}, "sparsity: k = 3 is outside 0 … d = 2"),
        ({"rank": -1, "sparsity": 1}, "rank: r = -1 is outside"),
        ({"rank": 1.5, "sparsity": 1}, "rank: expected an integer, got 1.5"),
        ({"rank": True, "sparsity": 1}, "rank: expected an integer, got True"),
        ({"rank": 1, "sparsity": 1, "noise": -1.0}, "noise: expected a finite standard deviation"),
        ({"rank": 1, "sparsity": 1, "noise": float("nan")}, "noise: expected a finite standard deviation"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_problems_are_refused(arguments: dict, message: str):
    data = MultiTaskData.from_arrays(X3, Y2)
    with pytest.raises(InvalidInput, match=message):
        Problem(data, **arguments)


def test_a_warm_start_must_fit(instance: Instance):
    data = MultiTaskData.from_arrays(X3, Y2)
    with pytest.raises(InvalidInput, match="warm_start: U has shape"):
        Problem(data, 1, 1, warm_start=instance.truth)


def test_over_specified_rank_and_sparsity_are_accepted():
    assert Problem(MultiTaskData.from_arrays(X3, Y2), 2, 2).rank == 2
