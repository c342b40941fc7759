"""The boundary of a map: known thresholds found, cells counted exactly, what is unfinished bounded both ways."""

import math

import numpy as np
import pytest
from synthetic_trials import make_trials

from lrs.core.errors import InvalidInput
from phase_diagrams import Sampling
from phase_diagrams.analysis.boundary import ThresholdStatus, boundary, cell_counts

FIXED = {"d": 40, "r": 2, "t": 60}


def linear(p, solver):
    return 12 + 3 * p["k"] + 4 * solver


def test_boundary_follows_the_known_threshold_on_every_line():
    trials = make_trials(["m=10:50:2", "k=1:6"], FIXED, linear, replicates=25, solvers=("a", "b"))
    found = boundary(trials)
    assert found.axis == "m"
    assert found.nested
    assert [(p.solver, p.at["k"]) for p in found.points] == [(s, k) for s in "ab" for k in range(1, 7)]
    truth = [linear({"k": p.at["k"]}, "ab".index(p.solver)) for p in found.points]
    assert [p.fit.x50 for p in found.points] == pytest.approx(truth, abs=1.5)
    # 12 intervals, of which the 6 of a solver share no data: at most one of six may miss.
    hits = [p.fit.lower <= x <= p.fit.upper for p, x in zip(found.points, truth, strict=True)]
    assert sum(hits) >= 10
    assert list(found.table().columns[:3]) == ["solver", "k", "x50"]
    assert [p.at["k"] for p in found.of("b", {"k": 3})] == [3]


def test_along_another_axis_trials_are_independent_and_success_falls():
    trials = make_trials(["m=30", "k=1:12"], FIXED, linear, replicates=40)
    (point,) = boundary(trials, "k").points
    assert not point.fit.increasing
    assert point.fit.lower <= 6 <= point.fit.upper
    assert point.fit.trials == 480


def test_nested_replicates_are_not_counted_level_by_level():
    """A finer grid shows the same replicates in more cells and must not narrow the interval."""
    coarse = boundary(make_trials(["m=10:40:2"], FIXED | {"k": 2}, linear, scale=3, replicates=12)).points[0].fit
    fine = boundary(make_trials(["m=10:40:1"], FIXED | {"k": 2}, linear, scale=3, replicates=12)).points[0].fit
    assert fine.trials == coarse.trials == 12
    assert fine.width > 0.8 * coarse.width


def test_sharp_transition_is_between_two_levels():
    trials = make_trials(["m=12:40:4", "k=2"], FIXED, lambda p, s: 30, scale=0.05)
    (point,) = boundary(trials).points
    assert point.fit.status is ThresholdStatus.SEPARATED
    assert point.fit.describe("m") == "between m = 28 and m = 32"


def test_ratio_axis():
    trials = make_trials(["m/d=0.25:1.25:0.05", "k=1:3"], FIXED, linear, replicates=20)
    found = boundary(trials)
    assert found.axis == "m/d"
    assert [p.fit.x50 for p in found.points] == pytest.approx([(12 + 3 * k) / 40 for k in (1, 2, 3)], abs=0.04)


def test_irregular_replicate_is_counted_and_widens_its_bracket():
    trials = make_trials(["m=10:30:2"], FIXED | {"k": 2}, linear, replicates=4, scale=0.1)
    frame = trials.frame
    frame.loc[(frame["replicate"] == 0) & (frame["m"] == 26), ["success", "outcome"]] = (False, "not recovered")
    (point,) = boundary(trials).points
    assert point.irregular == 1
    assert math.isfinite(point.fit.x50)


def test_impossible_cells_are_no_trials():
    trials = make_trials(["m=10:50:4", "k=38:42"], FIXED, lambda p, s: 20)
    assert {p.at["k"] for p in boundary(trials).points} == {38, 39, 40}
    counts = cell_counts(trials)
    impossible = counts[~counts["possible"]]
    assert set(impossible["k"]) == {41, 42}
    assert (impossible["finished"] == 0).all()
    assert impossible["rate"].isna().all()


def test_unfinished_replicates_are_bounded_both_ways():
    trials = make_trials(["m=10:30:10", "k=2"], FIXED, linear, replicates=10, keep=lambda r: r["replicate"] < 6)
    counts = cell_counts(trials)
    assert (counts["finished"] == 6).all()
    assert (counts["scheduled"] == 10).all()
    top = counts[counts["m"] == 30].iloc[0]
    assert (top["rate"], top["least"], top["most"]) == (1.0, 0.6, 1.0)
    bottom = counts[counts["m"] == 10].iloc[0]
    assert (bottom["rate"], bottom["least"], bottom["most"]) == (0.0, 0.0, 0.4)


def test_bisected_sweep_gives_the_same_map_as_the_full_one():
    full = make_trials(["m=10:40:1", "k=1:3"], FIXED, linear, replicates=12)
    brackets = full.thresholds("m").set_index(["k", "replicate"])[["lower", "upper"]]

    def visited(row):
        lower, upper = brackets.loc[(row["k"], row["replicate"])]
        return row["m"] in (lower, upper, 10, 40)

    part = make_trials(
        ["m=10:40:1", "k=1:3"], FIXED, linear, replicates=12, keep=visited, sampling=Sampling(nested="m")
    )
    assert len(part.frame) < len(full.frame) / 5
    columns = ["cell", "recovered", "finished"]
    assert cell_counts(part)[columns].equals(cell_counts(full)[columns])
    assert [p.fit for p in boundary(part).points] == [p.fit for p in boundary(full).points]


@pytest.mark.parametrize(
    ("along", "message"),
    [("kk", "'kk' is not an axis of this sweep"), ("x_law", "takes words")],
)
def test_unusable_axis(along, message):
    trials = make_trials(["m=10:30:10", "x_law=gaussian,rademacher"], FIXED | {"k": 2}, linear)
    with pytest.raises(InvalidInput, match=message):
        boundary(trials, along)


def test_no_finished_trial():
    trials = make_trials(["m=10:30:10"], FIXED | {"k": 2}, linear, keep=lambda r: False)
    trials.frame[["outcome", "success", "m"]] = np.empty((0, 3))
    with pytest.raises(InvalidInput, match="no finished trial"):
        boundary(trials)
