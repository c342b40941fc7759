"""The threshold fit: against brute force, at every kind of separation, and its coverage."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from lrs.core.errors import InvalidInput
from phase_diagrams.analysis.boundary import ThresholdStatus, binomial_interval, fit_threshold, fit_threshold_intervals
from property_tests.benchmarks.coverage import TRANSITIONS, interval_coverage

LEVELS = np.array([10.0, 14.0, 18.0, 22.0, 26.0])
COUNTS = st.lists(st.integers(0, 6), min_size=5, max_size=5)


def profile_on_a_grid(x50, lo, hi, weight, cdf):
    """Largest ln L over a dense grid of slopes, with nothing but the definition of the model."""
    slopes = np.r_[0.0, np.geomspace(1e-5, 1e5, 1001)][:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        upper = np.where(np.isinf(hi), 1.0, cdf(slopes * np.nan_to_num(hi - x50, posinf=0)))
        lower = np.where(np.isinf(lo), 0.0, cdf(slopes * np.nan_to_num(lo - x50, neginf=0)))
        return float(np.max((weight * np.log(np.maximum(upper - lower, 0))).sum(1)))


def as_intervals(wins, trials):
    lo = np.r_[np.full(5, -np.inf), LEVELS]
    hi = np.r_[LEVELS, np.full(5, np.inf)]
    weight = np.r_[wins, np.asarray(trials) - wins].astype(float)
    return lo[weight > 0], hi[weight > 0], weight[weight > 0]


@settings(max_examples=12, deadline=None)
@given(COUNTS, st.sampled_from(["logit", "probit"]))
def test_interval_is_the_set_of_thresholds_the_likelihood_does_not_exclude(wins, link):
    trials = [6] * 5
    fit = fit_threshold(LEVELS, wins, trials, link=link)
    cdf = special.expit if link == "logit" else special.ndtr
    data = as_intervals(np.array(wins), trials)
    grid = np.linspace(4, 32, 57) + 1e-3
    values = np.array([profile_on_a_grid(x, *data, cdf) for x in grid])
    inside = 2 * (fit.log_likelihood - values) <= stats.chi2.ppf(0.95, 1)
    assert fit.log_likelihood >= values.max() - 1e-6
    margin = 0.02
    assert not inside[(grid < fit.lower - margin) | (grid > fit.upper + margin)].any()
    assert inside[(grid > fit.lower + margin) & (grid < fit.upper - margin)].all()


@settings(max_examples=15, deadline=None)
@given(COUNTS)
def test_falling_axis_is_the_mirror_image(wins):
    rising = fit_threshold(LEVELS, wins, [6] * 5)
    falling = fit_threshold(-LEVELS, wins, [6] * 5, increasing=False)
    assert (falling.x50, falling.lower, falling.upper) == pytest.approx((-rising.x50, -rising.upper, -rising.lower))
    assert falling.probability(-LEVELS) == pytest.approx(rising.probability(LEVELS))


@pytest.mark.parametrize(("scale", "shift"), [(7.0, 0.0), (0.01, 5.0), (1e4, -3e4)])
def test_units_of_the_axis_do_not_matter(scale, shift):
    wins = [0, 1, 3, 5, 6]
    a, b = fit_threshold(LEVELS, wins, [6] * 5), fit_threshold(scale * LEVELS + shift, wins, [6] * 5)
    expected = [scale * v + shift for v in (a.x50, a.lower, a.upper)]
    assert [b.x50, b.lower, b.upper] == pytest.approx(expected, rel=1e-4)


def test_complete_separation_is_reported_as_the_gap():
    fit = fit_threshold(LEVELS, [0, 0, 10, 10, 10], [10] * 5)
    assert fit.status is ThresholdStatus.SEPARATED
    assert (fit.lower, fit.upper, fit.gap) == (14.0, 18.0, (14.0, 18.0))
    assert fit.describe("m") == "between m = 14 and m = 18"
    assert fit.probability(LEVELS).tolist() == [0, 0, 1, 1, 1]


def test_a_single_replicate_per_level_widens_the_separated_interval():
    fit = fit_threshold(LEVELS, [0, 0, 1, 1, 1], [1] * 5)
    assert fit.status is ThresholdStatus.SEPARATED
    assert fit.lower < 14 < 18 < fit.upper
    assert fit.describe("m").startswith("between m = 14 and m = 18 (95 %:")


@pytest.mark.parametrize("wins", [2, 5, 8])
def test_one_mixed_level_between_failures_and_successes(wins):
    fit = fit_threshold(LEVELS, [0, 0, wins, 10, 10], [10] * 5)
    assert fit.status is ThresholdStatus.ESTIMATED
    assert fit.x50 == 18.0
    assert fit.scale == 0.0
    assert fit.lower <= 18.0 <= fit.upper
    assert 14 <= fit.lower < fit.upper <= 22


@pytest.mark.parametrize(
    ("wins", "status", "finite"),
    [
        ([6] * 5, ThresholdStatus.ALL_SUCCEED, (False, True)),
        ([0] * 5, ThresholdStatus.ALL_FAIL, (True, False)),
        ([3, 3, 3, 3, 3], ThresholdStatus.NO_TRANSITION, (False, False)),
        ([6, 5, 4, 4, 4], ThresholdStatus.NO_TRANSITION, (False, True)),
        ([2, 2, 1, 1, 0], ThresholdStatus.NO_TRANSITION, (True, False)),
    ],
)
def test_what_the_data_do_not_bound_is_infinite(wins, status, finite):
    fit = fit_threshold(LEVELS, wins, [6] * 5)
    assert fit.status is status
    assert (math.isfinite(fit.lower), math.isfinite(fit.upper)) == finite
    assert not math.isfinite(fit.x50)
    assert fit.describe("m")


def test_no_trials():
    fit = fit_threshold(LEVELS, [0] * 5, [0] * 5)
    assert fit.status is ThresholdStatus.EMPTY
    assert math.isinf(fit.width)
    assert np.isnan(fit.probability(LEVELS)).all()
    assert fit.describe("m") == "no trials"


def test_nested_intervals_give_the_maximum_of_the_interval_likelihood():
    lo, hi = np.array([10.0, 14, 14, 18, np.nan, 22]), np.array([14.0, 18, 18, 22, 10, np.nan])
    for link, cdf in (("logit", special.expit), ("probit", special.ndtr)):
        fit = fit_threshold_intervals(lo, hi, link=link)
        data = (np.nan_to_num(lo, nan=-np.inf), np.nan_to_num(hi, nan=np.inf), np.ones(6))
        grid = np.linspace(4, 28, 241)
        values = np.array([profile_on_a_grid(x, *data, cdf) for x in grid])
        assert fit.log_likelihood == pytest.approx(values.max(), abs=1e-3)
        assert fit.x50 == pytest.approx(grid[values.argmax()], abs=0.1)
        critical = 6 * math.log1p(stats.f.ppf(0.95, 1, 5) / 5)
        edges = np.interp([fit.lower, fit.upper], grid, 2 * (fit.log_likelihood - values))
        assert edges == pytest.approx([critical, critical], abs=0.05)


def test_one_nested_replicate_has_no_interval():
    fit = fit_threshold_intervals([14.0], [18.0])
    assert fit.gap == (14.0, 18.0)
    assert (fit.lower, fit.upper) == (-math.inf, math.inf)


@given(st.integers(0, 30), st.integers(1, 30))
def test_exact_binomial_interval_is_clopper_pearson(s, n):
    s = min(s, n)
    expected = stats.binomtest(s, n).proportion_ci(method="exact")
    assert [float(v) for v in binomial_interval(s, n)] == pytest.approx([expected.low, expected.high])


def test_binomial_interval_without_trials_is_everything():
    assert [float(v) for v in binomial_interval(0, 0)] == [0.0, 1.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_threshold([1, 2], [0, 3], [1, 2]), "successes: every count"),
        (lambda: fit_threshold([1, 2], [0, 1, 1], [1, 2]), "successes: shape"),
        (lambda: fit_threshold([1, 2, 3], [0, 1], [1, 2]), "levels: expected one level"),
        (lambda: fit_threshold([1, np.nan], [0, 1], [1, 2]), "levels: 1 value"),
        (lambda: fit_threshold([1, 2], [0, 1], [1, 2], confidence=95), "confidence:"),
        (
            lambda: fit_threshold([1, 2], [0, 1], [1, 2], link="cauchit"),
            "link: expected 'logit' or 'probit', got 'cauchit'",
        ),
        (lambda: fit_threshold_intervals([5.0], [4.0]), "failed_at: replicate 0 failed at 5 and succeeded at 4"),
        (lambda: fit_threshold_intervals([5.0], [4.0, 6.0]), "one value per replicate"),
    ],
)
def test_bad_input_names_the_argument(call, message):
    with pytest.raises(InvalidInput, match=message):
        call()


@pytest.mark.parametrize("design", ["independent", "nested"])
@pytest.mark.parametrize("transition", TRANSITIONS, ids=lambda t: t.name)
def test_coverage_small(transition, design):
    # 60 simulations: below 50 covered is a 2e-4 event at 95 %, and what a Wald interval does on sharp transitions.
    assert interval_coverage(transition, design=design, simulations=60).coverage >= 50 / 60


@pytest.mark.parametrize("design", ["adaptive", "nested adaptive"])
def test_coverage_of_adaptive_rounds_small(design):
    # The sharp transition, which takes the fewest trials: fewer than 24 of 30 is a 6e-4 event at 95 %.
    assert interval_coverage(TRANSITIONS[-1], design=design, simulations=30).coverage >= 24 / 30


@pytest.mark.slow
@pytest.mark.parametrize("design", ["adaptive", "nested adaptive"])
@pytest.mark.parametrize("transition", TRANSITIONS, ids=lambda t: t.name)
def test_coverage_of_adaptive_rounds(transition, design):
    assert 0.92 <= interval_coverage(transition, design=design, simulations=250).coverage <= 1.0


@pytest.mark.slow
@pytest.mark.parametrize("link", ["logit", "probit"])
@pytest.mark.parametrize("design", ["independent", "nested"])
@pytest.mark.parametrize("transition", TRANSITIONS, ids=lambda t: t.name)
def test_coverage(transition, design, link):
    result = interval_coverage(transition, design=design, link=link, simulations=500)
    assert 0.92 <= result.coverage <= 1.0
