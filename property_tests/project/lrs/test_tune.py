"""`lrs tune`: the curve over ranks and sparsities."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from lrs import InstanceSpec, generate


@pytest.fixture
def table() -> str:
    """Noisy, with one shared direction and one personal coordinate."""
    data = generate(InstanceSpec(t=40, m=24, d=6, r=1, k=1, noise=0.3), 1).problem.data
    frame = pd.DataFrame(data.X, columns=list(data.feature_names)).assign(who=data.groups, y=data.y)
    frame.to_csv("t.csv", index=False)
    return "t.csv"


def test_the_curve_peaks_at_the_truth_and_has_intervals(run: Callable, table: str):
    result = run("tune", table, "--task", "who", "--target", "y", "--ranks", "1,2,9", "--sparsities", "0,1", "--json")
    assert (result.code, result.err) == (0, "")
    rows = json.loads(result.out)["curve"]
    assert [row["name"] for row in rows] == [
        *("global", "mixed", "amht r=1 k=0", "amht r=2 k=0", "amht r=1 k=1", "amht r=2 k=1")
    ]
    best = max(rows, key=lambda row: row["explained"])
    assert (best["rank"], best["sparsity"]) == (1, 1)
    without = rows[2]
    assert best["explained"] - best["half_width"] > without["explained"] + without["half_width"]


def test_the_curve_is_drawn(run: Callable, table: str):
    out = run("tune", table, "--task", "who", "--target", "y", "--ranks", "1", "--sparsities", "0,1").out
    assert out.count("±") == 4
    (best,) = [line for line in out.splitlines() if line.endswith("best")]
    assert "r=1 k=1" in best
    assert best.count("█") == 30


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--ranks", "one"), "ranks: expected numbers separated by commas, got 'one'"),
        (("--sparsities", "-1"), "sparsities: -1 is below 0"),
        (("--ranks", "7"), "ranks: 7 is above d = 6"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(run: Callable, table: str, arguments: tuple, message: str):
    result = run("tune", table, "--task", "who", "--target", "y", *arguments)
    assert result.code == 2
    assert message in result.err


def test_single_rows_are_refused(run: Callable):
    pd.DataFrame({"who": range(9), "y": np.arange(9.0), "x": 1.0}).to_csv("s.csv", index=False)
    result = run("tune", "s.csv", "--task", "who", "--target", "y")
    assert result.code == 2
    assert "every task has a single row" in result.err
