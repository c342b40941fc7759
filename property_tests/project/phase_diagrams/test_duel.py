"""Duels: exact tests, a known shift found, nothing found between equals, fair timing."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from synthetic_trials import make_trials

from lrs.core.errors import InvalidInput
from phase_diagrams import Axis, SweepSpec, Trials
from phase_diagrams.analysis.duel import duel, exact_mcnemar, time_both
from phase_diagrams.draw.plot import duel_map
from phase_diagrams.sweeps.grid import Sampling
from theory.reachable import relative_bayes

FIXED = {"d": 40, "r": 2, "t": 60}


def shifted(by):
    return lambda p, solver: 12 + 3 * p["k"] + by * solver


@given(st.integers(0, 40), st.integers(0, 40))
def test_exact_mcnemar_is_the_binomial_test(a, b):
    expected = stats.binomtest(a, a + b, 0.5).pvalue if a + b else 1.0
    assert float(exact_mcnemar(a, b)) == pytest.approx(expected)


def test_known_shift_is_found_with_its_sign():
    trials = make_trials(["m=10:50:2", "k=1:5"], FIXED, shifted(6), scale=1.5, replicates=12, solvers=("a", "b"))
    result = duel(trials, "a", "b")
    assert [s.lower <= -6 <= s.upper for s in result.shifts] == [True] * 5
    assert all(s.upper < 0 and s.pairs == 12 for s in result.shifts)
    assert result.ratio.upper < 1
    assert result.p_value < 1e-6
    assert result.verdict.startswith("a recovers more than b: 60 against 0 replicates")
    assert (result.discoveries["difference"] > 0).all()
    assert len(result.discoveries) > 0
    mirrored = duel(trials, "b", "a")
    assert mirrored.p_value == result.p_value
    assert [s.estimate for s in mirrored.shifts] == pytest.approx([-s.estimate for s in result.shifts], abs=1e-3)


def test_equal_solvers_do_not_differ():
    trials = make_trials(["m=10:50:2", "k=1:5"], FIXED, shifted(0), replicates=12, solvers=("a", "b"))
    result = duel(trials, "a", "b")
    assert result.discoveries.empty
    assert result.p_value == 1.0
    assert result.verdict.startswith("No difference shown between a and b: 0 against 0")
    assert all(s.lower <= 0 <= s.upper for s in result.shifts)


def test_nested_cells_of_a_replicate_are_one_vote():
    trials = make_trials(["m=10:50:1"], FIXED | {"k": 2}, shifted(8), replicates=5, solvers=("a", "b"), scale=0.1)
    result = duel(trials, "a", "b")
    assert (result.wins_a, result.wins_b) == (5, 0)
    assert result.p_value == pytest.approx(2 * 0.5**5)


def test_bisected_replicates_are_compared_where_their_brackets_leave_no_doubt():
    """Two bisections that never tried the same level still disagree everywhere between their critical levels."""
    axes, fixed = ["m=10:50:2", "k=1:3"], FIXED
    full = make_trials(axes, fixed, shifted(8), scale=0.5, replicates=8, solvers=("a", "b"))
    level = lambda row: 12 + 3 * row["k"] + 8 * (row["solver"] == "b")  # noqa: E731
    bisected = make_trials(
        axes, fixed, shifted(8), scale=0.5, replicates=8, solvers=("a", "b"), sampling=Sampling(nested="m"),
        keep=lambda row: abs(row["m"] - level(row)) <= 5,
    )  # fmt: skip
    one, two = duel(full, "a", "b"), duel(bisected, "a", "b")
    assert len(two.cells) == len(one.cells)
    columns = ["m", "k", "both", "only_a", "only_b", "neither"]
    assert two.cells[columns].equals(one.cells[columns])
    assert (two.wins_a, two.wins_b) == (one.wins_a, one.wins_b) == (24, 0)


def test_along_another_axis():
    trials = make_trials(["k=1:12"], FIXED | {"m": 30}, shifted(6), replicates=40, solvers=("a", "b"))
    (shift,) = duel(trials, "a", "b").shifts
    assert shift.lower <= 2 <= shift.upper  # k₅₀ is 6 for a and 4 for b
    assert shift.lower > 0


def test_false_discoveries_are_controlled_over_cells():
    trials = make_trials(["m=10:50:2", "k=1:5"], FIXED, shifted(3), replicates=12, solvers=("a", "b"))
    cells = duel(trials, "a", "b").cells
    assert (cells["q_value"] >= cells["p_value"] - 1e-12).all()
    assert (cells["both"] + cells["only_a"] + cells["only_b"] + cells["neither"] == 12).all()


def test_timing_is_interleaved_on_instances_both_solved():
    spec = SweepSpec(
        (Axis.parse("m=40,60"),),
        {"t": 1, "d": 4, "r": 0, "k": 4},
        ("phase_diagrams.sweeps.synthetic:Synthetic", "timing_solvers:slow"),
        3,
    )
    trials = make_trials(["m=40,60"], spec.fixed, lambda p, s: 0, replicates=3, solvers=spec.solvers, scale=1e-9)
    timing = time_both(Trials(trials.frame, spec), *spec.solvers, instances=6)
    assert timing.instances == 6
    assert timing.ratio < 0.5
    assert timing.lower <= timing.ratio <= timing.upper


def test_the_map_of_a_duel_draws():
    trials = make_trials(["m=10:50:4", "k=1:5"], FIXED, shifted(6), replicates=12, solvers=("a", "b"))
    figure = duel_map(trials, duel(trials, "a", "b"))
    assert "a recovers" in figure.axes[1].get_ylabel()


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [("a", "a", "the same"), ("a", "c", "'c' is not in this sweep; it has a, b")],
)
def test_solvers_that_cannot_be_compared(a, b, message):
    trials = make_trials(["m=10:30:10"], FIXED | {"k": 2}, shifted(0), replicates=2, solvers=("a", "b"))
    with pytest.raises(InvalidInput, match=message):
        duel(trials, a, b)


def test_no_instance_in_common():
    trials = make_trials(
        ["m=10:30:10"], FIXED | {"k": 2}, shifted(0), solvers=("a", "b"), keep=lambda r: r["solver"] == "a"
    )
    with pytest.raises(InvalidInput, match="no instance has been tried by both"):
        duel(trials, "a", "b")


def test_nothing_solved_cannot_be_timed():
    trials = make_trials(["m=10:30:10"], FIXED | {"k": 2}, lambda p, s: 1e9, solvers=("a", "b"))
    with pytest.raises(InvalidInput, match="no instance that both solved"):
        time_both(trials, "a", "b")


@pytest.mark.parametrize("rate", [0, 1, np.nan])
def test_rate_is_a_rate(rate):
    trials = make_trials(["m=10:30:10"], FIXED | {"k": 2}, shifted(0), replicates=2, solvers=("a", "b"))
    with pytest.raises(InvalidInput, match="fdr: expected a false-discovery rate"):
        duel(trials, "a", "b", rate=rate)


def test_with_noise_a_duel_says_how_far_both_are_from_the_bayes_error():
    """Between 1, which no solver beats in the mean by more than the law's own error, and what least squares a task would give."""
    fixed = FIXED | {"k": 2, "noise": 0.05}
    trials = make_trials(["m=20:30:10"], fixed, shifted(0), replicates=2, solvers=("a", "b"))
    least = relative_bayes(trials.spec.cells[0].spec)
    assert 0.05 * np.sqrt(4 / 20 / 4.2) < least < 0.05
    errors = trials.frame.assign(theta_error=np.where(trials.frame["solver"] == "a", 2.0, 3.0) * least)
    cells = duel(replace(trials, frame=errors), "a", "b").cells
    assert cells.loc[cells["m"] == 20, "over_bayes_a"].item() == pytest.approx(2)
    assert cells.loc[cells["m"] == 20, "over_bayes_b"].item() == pytest.approx(3)
    assert (cells.loc[cells["m"] == 30, "over_bayes_a"] > 2).all()
    assert (
        "over_bayes_a"
        not in duel(make_trials(["m=20:30:10"], FIXED | {"k": 2}, shifted(0), solvers=("a", "b")), "a", "b").cells
    )
