"""Bisection and adaptive rounds: few solves, the same boundary, and plans that do not depend on interruptions."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sweeps import stable_bytes, synthetic

from lrs import InvalidInput
from phase_diagrams.analysis.table import load
from phase_diagrams.sweeps import sampling
from phase_diagrams.sweeps.engines import Inline
from phase_diagrams.sweeps.runner import Interrupted, sweep
from phase_diagrams.sweeps.sampling import AdaptiveRounds, CurvePosterior, Planner, bisect
from phase_diagrams.sweeps.trial import Trial


# ------------------------------------------------------------------------------------------------ bisection
@given(levels=st.integers(1, 70), data=st.data())
def test_bisection_finds_the_threshold_in_a_logarithmic_number_of_solves(levels, data):
    threshold = data.draw(st.integers(0, levels))
    start = data.draw(st.none() | st.integers(0, levels - 1))
    known: dict[int, bool] = {}
    while True:
        low, high, probe = bisect(known.get, levels, start)
        if probe is None:
            break
        assert probe not in known
        known[probe] = probe >= threshold
    assert (low, high) == (threshold - 1, threshold)
    limit = math.ceil(math.log2(levels + 1))
    assert len(known) <= (limit if start is None else 2 * limit + 2)


@given(distance=st.integers(0, 3), levels=st.integers(40, 80))
def test_a_good_starting_level_saves_solves(distance, levels):
    threshold, known = levels // 2 + distance, {}
    while (probe := bisect(known.get, levels, levels // 2)[2]) is not None:
        known[probe] = probe >= threshold
    assert len(known) <= 4


@given(outcomes=st.lists(st.booleans(), min_size=1, max_size=30), start=st.none() | st.integers(0, 29))
def test_bisection_ends_on_any_outcomes(outcomes, start):
    """Non-monotone replicates too: the bracket it returns is one of their changes from failure to success."""
    known: dict[int, bool] = {}
    for _ in range(len(outcomes) + 1):
        low, high, probe = bisect(known.get, len(outcomes), start)
        if probe is None:
            break
        known[probe] = outcomes[probe]
    assert high == low + 1
    assert low == -1 or not outcomes[low]
    assert high == len(outcomes) or outcomes[high]


def test_nested_sampling_finds_the_thresholds_of_the_full_grid(tmp_path):
    uniform, nested = synthetic(replicates=6), synthetic(replicates=6, nested="m", audit=0.5)
    sweep(uniform, tmp_path / "u", Inline())
    summary = sweep(nested, tmp_path / "n", Inline())
    full, found = load(tmp_path / "u").thresholds(), load(tmp_path / "n").thresholds()
    assert full["lower"].equals(found["lower"])
    assert full["upper"].equals(found["upper"])
    assert summary.ran < 192 / 2
    audited = found["tried"] > 5
    assert 0 < audited.sum() < len(found)  # some replicates are audited, some are not


def test_an_audit_finds_a_replicate_that_is_not_monotone():
    spec = synthetic(replicates=1, y="d=2", nested="m", audit=0.99)
    line = list(spec.lines[0])
    truth = [i in (2, 3, 4) or i >= 9 for i in range(len(line))]  # a window of success below the threshold
    known: dict[Trial, bool] = {}
    while trials := sampling.nested_step(spec, known, line, 0, 0, 0):
        known |= {trial: truth[line.index(trial.cell)] for trial in trials}
    tried = {line.index(t.cell): ok for t, ok in known.items()}
    low, high, _ = bisect(tried.get, len(line))
    assert set(tried) > {low, high}
    extra = sampling.audit_levels(spec, 0, 0, low, high, len(line))
    assert len(extra) == 2
    assert set(extra) <= set(tried)


# ------------------------------------------------------------------------------------------------ adaptive rounds
def test_an_interrupted_adaptive_sweep_ends_as_an_uninterrupted_one(tmp_path):
    spec = synthetic(x="m=10:40:1", y="d=2", precision=1.5, replicates=300)
    sweep(spec, tmp_path / "whole", Inline())

    class Stopped(Inline):
        left = 7

        def events(self):
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
            return super().events()

    stops = 0
    while True:
        try:
            sweep(spec, tmp_path / "parts", Stopped())
            break
        except Interrupted:
            stops += 1
    assert stops >= 2
    assert stable_bytes(tmp_path / "parts") == stable_bytes(tmp_path / "whole")
    rounds = [sorted(p.name for p in (tmp_path / name / "rounds").iterdir()) for name in ("parts", "whole")]
    assert rounds[0] == rounds[1]
    for name in rounds[0]:
        a, b = ((tmp_path / folder / "rounds" / name).read_text() for folder in ("parts", "whole"))
        assert a == b


@pytest.mark.parametrize("nested", [None, "m"])
def test_adaptive_sampling_reaches_its_precision_near_the_truth(tmp_path, nested):
    spec = synthetic(x="m=6:60:1", y="d=2,6", precision=1.5, nested=nested, replicates=400)
    sweep(spec, tmp_path / "s", Inline())
    trials = load(tmp_path / "s")
    known = {Trial(r.cell, r.replicate, 0): r.success for r in trials.frame.itertuples()}
    states = AdaptiveRounds(spec, tmp_path / "s").states(known)
    for state, truth in zip(states, (24.0, 32.0), strict=True):
        assert state.finished
        assert state.fit.width / 2 <= 1.5
        assert abs(state.fit.x50 - truth) < 3  # three times the half-width a 95 % interval may have
    if nested is None:
        replicates = trials.frame.groupby("d")["replicate"]
        assert (replicates.nunique() == replicates.size()).all()  # separate coins: no replicate is used twice in a line


def test_a_line_without_a_transition_is_given_up_early(tmp_path):
    spec = synthetic(x="m=10:20:1", y="d=20", precision=1.0, replicates=400)
    summary = sweep(spec, tmp_path / "s", Inline())
    assert summary.ran < 100
    assert set(summary.outcomes) == {"not recovered"}


def test_no_more_than_the_allowed_trials_are_spent(tmp_path):
    spec = synthetic(x="m=10:40:1", y="d=2", precision=0.01, replicates=30)
    assert sweep(spec, tmp_path / "s", Inline()).ran == 30


def test_a_damaged_round_is_refused(tmp_path):
    spec = synthetic(x="m=10:40:1", y="d=2", precision=0.01, replicates=10)
    sweep(spec, tmp_path / "s", Inline())
    path = tmp_path / "s" / "rounds" / "00001.json"
    text = path.read_text()
    path.write_text(text[:-5])
    with pytest.raises(InvalidInput, match="damaged"):
        sweep(spec, tmp_path / "s", Inline())
    path.write_text(json.dumps({**json.loads(text), "experiment": "other"}))
    with pytest.raises(InvalidInput, match="another sweep"):
        sweep(spec, tmp_path / "s", Inline())


def test_trials_go_where_the_boundary_is_believed_to_be():
    levels = np.arange(10.0, 61.0)
    posterior = CurvePosterior(levels)
    successes = np.where(levels >= 30, 20.0, 0.0)
    posterior.update(successes, np.full(len(levels), 20.0))
    assert all(abs(levels[i] - 29.5) <= 2 for i in posterior.allocate(10))
    unknown = CurvePosterior(levels).allocate(12)
    assert np.ptp(levels[unknown]) > 10  # spread while nothing is known


def test_the_forecast_shrinks_as_knowledge_grows(tmp_path):
    spec = synthetic(x="m=10:40:1", y="d=2", precision=1.5, replicates=300)
    before = Planner(spec, tmp_path).forecast({})
    sweep(spec, tmp_path / "s", Inline())
    known = {Trial(r.cell, r.replicate, 0): r.success for r in load(tmp_path / "s").frame.itertuples()}
    assert Planner(spec, tmp_path / "s").forecast(known)[:3] == (0, 0, 0)
    assert before[0] <= before[1] <= before[2]
    assert before[0] <= len(known) <= before[2]


def test_success_may_fall_along_the_axis(tmp_path):
    """Along k recovery gets harder; the same rounds find the boundary from the other side."""
    spec = synthetic(x="d=2:12:1", y="m=36", precision=1.5, replicates=300)
    sweep(spec, tmp_path / "s", Inline())
    known = {Trial(r.cell, r.replicate, 0): r.success for r in load(tmp_path / "s").frame.itertuples()}
    (state,) = AdaptiveRounds(spec, tmp_path / "s").states(known)
    assert not state.fit.increasing
    assert abs(state.fit.x50 - 8.0) < 3  # 20 + 2 d = 36
