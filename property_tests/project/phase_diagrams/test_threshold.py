"""The threshold fit: against brute force, at every kind of separation, and its coverage."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import special, stats

from lrs.core.errors import InvalidInput
from phase_diagrams.analysis.boundary import ThresholdStatus, binomial_interval, fit_threshold, fit_threshold_intervals
from phase_diagrams.sweeps.threshold import critical_deviance
from property_tests.benchmarks.coverage import LAPSES as SIMULATED
from property_tests.benchmarks.coverage import TRANSITIONS, interval_coverage

LEVELS = np.array([10.0, 14.0, 18.0, 22.0, 26.0])
COUNTS = st.lists(st.integers(0, 6), min_size=5, max_size=5)


LAPSES = np.r_[np.linspace(0, 0.45, 19), 0.47, 0.49, 0.4999]


def profile_on_a_grid(x50, lo, hi, weight, link):
    """Largest ln L over a dense grid of slopes and lapses, with nothing but the definition of the model."""
    cdf, quantile = (special.expit, special.logit) if link == "logit" else (special.ndtr, special.ndtri)
    slopes, lapse = np.geomspace(1e-4, 1e4, 241)[:, None, None], LAPSES[:, None]
    z = quantile(0.5 / (1 - lapse))
    upper = np.where(np.isinf(hi), 1.0, (1 - lapse) * cdf(z + slopes * np.nan_to_num(hi - x50, posinf=0)))
    lower = np.where(np.isinf(lo), 0.0, (1 - lapse) * cdf(z + slopes * np.nan_to_num(lo - x50, neginf=0)))
    with np.errstate(divide="ignore"):
        return float(np.max((weight * np.log(np.maximum(upper - lower, 0))).sum(-1)))


def as_intervals(wins, trials):
    lo = np.r_[np.full(5, -np.inf), LEVELS]
    hi = np.r_[LEVELS, np.full(5, np.inf)]
    weight = np.r_[wins, np.asarray(trials) - wins].astype(float)
    return lo[weight > 0], hi[weight > 0], weight[weight > 0]


@settings(max_examples=12, deadline=None)
@given(COUNTS, st.sampled_from(["logit", "probit"]))
@example([0, 0, 0, 0, 1], "logit")
@example([0, 0, 4, 4, 5], "logit")
@example([0, 1, 3, 5, 6], "probit")
def test_interval_is_the_hull_of_the_thresholds_the_likelihood_does_not_exclude(wins, link):
    trials = [6] * 5
    fit = fit_threshold(LEVELS, wins, trials, link=link)
    if fit.guess > 0:  # the brute force has no guess rate
        return
    data = as_intervals(np.array(wins), trials)
    grid = np.linspace(4, 32, 57) + 1e-3
    values = np.array([profile_on_a_grid(x, *data, link) for x in grid])
    deviance = 2 * (fit.log_likelihood - values)
    critical = critical_deviance(30, 3, 1 - 0.75 * 0.05)
    assert fit.log_likelihood >= values.max() - 1e-2  # the fit's likelihood has a supremum that a grid comes near
    assert (deviance[(grid < fit.lower - 0.02) | (grid > fit.upper + 0.02)] > critical - 0.12).all()
    within = np.flatnonzero((grid > fit.lower + 0.02) & (grid < fit.upper - 0.02))
    ends = [i for end, i in ((fit.lower, 0), (fit.upper, -1)) if math.isfinite(end) and len(within)]
    assert (deviance[within[ends]] < critical + 0.1).all()


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
    assert [b.x50, b.lower, b.upper] == pytest.approx(expected, abs=2e-3 * scale)


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


@pytest.mark.parametrize(
    ("wins", "between"), [([0, 0, 1, 10, 10], (18, 22)), ([0, 0, 5, 10, 10], (14, 22)), ([0, 0, 9, 10, 10], (14, 18)),
                          ([0, 0, 9, 10, 9], (14, 18)), ([1, 10, 10, 10, 10], (10, 14))],
)  # fmt: skip
def test_one_partial_level_says_between_and_no_point(wins, between):
    fit = fit_threshold(LEVELS, wins, [10] * 5)
    assert fit.status is ThresholdStatus.BETWEEN
    assert fit.gap == between
    assert between[0] <= fit.lower <= fit.x50 <= fit.upper <= between[1]
    assert fit.describe("m").startswith(f"between m = {between[0]} and m = {between[1]}")


@pytest.mark.parametrize(
    ("wins", "status", "finite"),
    [
        ([6] * 5, ThresholdStatus.ALL_SUCCEED, (False, True)),
        ([0] * 5, ThresholdStatus.ALL_FAIL, (True, False)),
        ([3, 3, 3, 3, 3], ThresholdStatus.NO_TRANSITION, (False, False)),
        ([6, 5, 4, 4, 4], ThresholdStatus.NO_TRANSITION, (False, True)),
        ([2, 2, 1, 1, 0], ThresholdStatus.NO_TRANSITION, (True, False)),
        ([5, 6, 6, 6, 6], ThresholdStatus.AT_EDGE, (False, True)),
        ([0, 0, 0, 0, 2], ThresholdStatus.AT_EDGE, (True, False)),
        ([0, 0, 2, 2, 3], ThresholdStatus.AT_EDGE, (True, False)),
    ],
)
def test_what_the_data_do_not_bound_is_infinite(wins, status, finite):
    fit = fit_threshold(LEVELS, wins, [6] * 5)
    assert fit.status is status
    if status is not ThresholdStatus.AT_EDGE or finite[0]:  # below the lowest level a slope may still bound it
        assert (math.isfinite(fit.lower), math.isfinite(fit.upper)) == finite
    assert not math.isfinite(fit.x50)
    assert fit.describe("m")


def test_success_that_levels_off_below_one_half_has_no_threshold():
    fit = fit_threshold(LEVELS, [0, 0, 40, 42, 38], [100] * 5)
    assert fit.status is ThresholdStatus.NEVER
    assert (fit.x50, fit.upper) == (math.inf, math.inf)
    assert fit.lapse == pytest.approx(0.6, abs=0.01)
    assert fit.describe("m").startswith("never reaches one half along m: levels off at 0.4")
    assert fit.probability([30.0]) == pytest.approx(0, abs=0)


def test_a_lapse_moves_the_level_of_one_half_and_not_the_curve():
    """Infinite data: success 0.8/(1 + exp(−(x − 20)/2)) is one half at 20 + 2 ln(5/3), not at 20."""
    levels = np.arange(8.0, 41.0, 2)
    p = 0.8 * special.expit((levels - 20) / 2)
    fit = fit_threshold(levels, 1e5 * p, np.full(len(levels), 1e5))
    assert fit.x50 == pytest.approx(20 + 2 * math.log(5 / 3), abs=0.01)
    assert (fit.scale, fit.lapse) == pytest.approx((2, 0.2), abs=0.01)
    assert fit.probability(levels) == pytest.approx(p, abs=0.003)
    brackets = np.r_[-np.inf, levels], np.r_[levels, np.inf]
    nested = fit_threshold_intervals(*(np.repeat(b, np.diff(np.r_[0, np.round(2000 * np.r_[p, 1])]).astype(int)) for b in brackets))  # fmt: skip
    assert nested.x50 == pytest.approx(fit.x50, abs=0.05)


def test_a_guess_rate_is_fitted_where_the_data_ask_for_one_only():
    levels = np.arange(8.0, 41.0, 2)
    p = 0.2 + 0.8 * special.expit((levels - 24) / 1.5)
    fit = fit_threshold(levels, np.round(100 * p), np.full(len(levels), 100))
    assert fit.guess == pytest.approx(0.2, abs=0.03)
    assert fit.lower <= 24 + 1.5 * special.logit(0.3 / 0.8) <= fit.upper
    assert (
        fit_threshold(levels, np.round(100 * special.expit((levels - 24) / 1.5)), np.full(len(levels), 100)).guess == 0
    )


def test_no_trials():
    fit = fit_threshold(LEVELS, [0] * 5, [0] * 5)
    assert fit.status is ThresholdStatus.EMPTY
    assert math.isinf(fit.width)
    assert np.isnan(fit.probability(LEVELS)).all()
    assert fit.describe("m") == "no trials"


def test_nested_intervals_give_the_maximum_of_the_interval_likelihood():
    lo = np.array([10.0, 14, 14, 14, 18, 18, 22, np.nan])
    hi = np.array([14.0, 18, 18, 18, 22, 22, 26, 10])
    for link in ("logit", "probit"):
        fit = fit_threshold_intervals(lo, hi, link=link)
        data = (np.nan_to_num(lo, nan=-np.inf), np.nan_to_num(hi, nan=np.inf), np.ones(8))
        grid = np.linspace(4, 28, 241)
        values = np.array([profile_on_a_grid(x, *data, link) for x in grid])
        assert fit.log_likelihood == pytest.approx(values.max(), abs=5e-3)
        assert fit.x50 == pytest.approx(grid[values.argmax()], abs=0.15)
        critical = critical_deviance(8, 1, 1 - 0.75 * 0.05)
        edges = np.interp([fit.lower, fit.upper], grid, 2 * (fit.log_likelihood - values))
        assert edges == pytest.approx([critical, critical], abs=0.1)


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


@pytest.mark.parametrize(
    ("design", "transition", "lapse"), [("independent", 1, 0.2), ("nested", 2, 0.2)]
)  # fmt: skip
def test_coverage_small(transition, design, lapse):
    # 30 simulations: below 24 covered is a 6e-4 event at 95 %; without a lapse in the model 5 of them were.
    assert interval_coverage(TRANSITIONS[transition], design=design, lapse=lapse, simulations=30).coverage >= 24 / 30


def test_coverage_of_adaptive_rounds_small():
    # The sharp transition, which takes the fewest trials: fewer than 7 of 10 is a 1e-3 event at 95 %.
    assert interval_coverage(TRANSITIONS[-1], design="adaptive", lapse=0.1, simulations=10).coverage >= 7 / 10


@pytest.mark.slow
@pytest.mark.parametrize("lapse", SIMULATED)
@pytest.mark.parametrize("design", ["adaptive", "nested adaptive"])
@pytest.mark.parametrize("transition", TRANSITIONS, ids=lambda t: t.name)
def test_coverage_of_adaptive_rounds(transition, design, lapse):
    # The exact 95 % interval of the coverage holds .92 or lies above it.
    assert interval_coverage(transition, design=design, lapse=lapse, simulations=250).upper >= 0.92


@pytest.mark.slow
@pytest.mark.parametrize("link", ["logit", "probit"])
@pytest.mark.parametrize("lapse", SIMULATED)
@pytest.mark.parametrize("design", ["independent", "nested"])
@pytest.mark.parametrize("transition", TRANSITIONS, ids=lambda t: t.name)
def test_coverage(transition, design, lapse, link):
    result = interval_coverage(transition, design=design, lapse=lapse, link=link, simulations=500)
    assert result.upper >= 0.92
