"""The scaling law: known exponents covered, lack of fit seen, references compared, bad designs refused."""

import math

import numpy as np
import pytest
from synthetic_trials import make_trials

from lrs.core.errors import InvalidInput
from phase_diagrams.analysis.scaling import (
    Exponent,
    comparison,
    critical_levels,
    effective_exponents,
    fit_scaling,
    references,
)
from phase_diagrams.draw.plot import collapse_figure


def law(p, solver=0):
    return (4 + solver) * p["r"] ** 1.2 * p["k"] ** 0.6 * (p["t"] / 50) ** -0.3


AXES = ["m=2:50:2", "k=1,2,4", "r=1,2,3", "t=40,160"]


@pytest.fixture(scope="module")
def trials():
    return make_trials(AXES, {"d": 40}, law, scale=0.6, replicates=6, solvers=("a", "b"))


@pytest.fixture(scope="module")
def fits(trials):
    return fit_scaling(trials)


def test_known_exponents_are_covered(fits):
    first, second = fits
    truth = {"r": 1.2, "k": 0.6, "t": -0.3}
    assert [e.name for e in first.exponents] == ["r", "k", "t"]
    for e in (*first.exponents, *second.exponents):
        assert e.lower - 0.03 <= truth[e.name] <= e.upper + 0.03
        assert e.upper - e.lower < 0.25
    assert first.held == {"d": 40.0}
    assert second.constant.estimate / first.constant.estimate == pytest.approx(5 / 4, rel=0.1)
    assert first.predict({"r": 2, "k": 2, "t": 40}) == pytest.approx(law({"r": 2, "k": 2, "t": 40}), rel=0.1)
    assert (first.configurations, first.replicates) == (18, 108)
    assert first.formula.startswith("m₅₀ = ")


def test_a_curved_boundary_is_not_called_a_power_law():
    curved = make_trials(["m=4:90:2", "k=1,2,4,8,16"], {"d": 60, "r": 1, "t": 40}, lambda p, s: 20 + 0.25 * p["k"] ** 2,
                         scale=0.8, replicates=25)  # fmt: skip
    (bad,) = fit_scaling(curved)
    assert bad.lack_of_fit < 1e-3
    assert bad.inflation > 3
    straight = make_trials(["m=4:90:2", "k=1,2,4,8,16"], {"d": 60, "r": 1, "t": 40}, lambda p, s: 8 * p["k"] ** 0.7,
                           scale=0.1, replicates=25)  # fmt: skip
    assert fit_scaling(straight)[0].inflation < bad.inflation / 2


def test_sweeps_combine_and_shared_replicates_count_once():
    fixed = {"d": 40, "r": 1}
    one = make_trials(["m=2:40:2", "k=1,2,4,8"], fixed | {"t": 40}, law, replicates=5)
    two = make_trials(["m=2:40:2", "t=40,160"], fixed | {"k": 2}, law, replicates=5)
    levels = critical_levels([one, two])
    assert len(levels) == 5 * 5  # the configuration k = 2, t = 40 occurs in both
    (fit,) = fit_scaling([one, two])
    assert [e.name for e in fit.exponents] == ["k", "t"]
    assert fit.configurations == 5


def test_conflicting_sweeps_are_refused():
    fixed = {"d": 40, "r": 1, "t": 40}
    one = make_trials(["m=2:40:2", "k=1,2"], fixed, law, replicates=3, scale=0.1)
    two = make_trials(["m=2:40:2", "k=2,4"], fixed, lambda p, s: 20 + law(p), replicates=3, scale=0.1)
    with pytest.raises(InvalidInput, match="the solver has changed"):
        critical_levels([one, two])


def test_ratio_axis_is_read_in_rows():
    ratio = make_trials(["m/d=0.1:1:0.1", "k=1,4"], {"d": 20, "r": 1, "t": 40}, law, replicates=5)
    rows = make_trials(["m=2:20:2", "k=1,4"], {"d": 20, "r": 1, "t": 40}, law, replicates=5)
    assert critical_levels([ratio])[["lower", "upper"]].equals(critical_levels([rows])[["lower", "upper"]])


def test_a_transition_sharper_than_the_grid_still_has_an_interval():
    sharp = make_trials(["m=2:60:4", "k=1,2,4,8"], {"d": 40, "r": 1, "t": 40}, law, scale=1e-6, replicates=4)
    (fit,) = fit_scaling(sharp)
    (k,) = fit.exponents
    assert k.lower < 0.6 < k.upper
    assert fit.spread >= 0.01


def test_comparison_says_where_the_theorem_is_pessimistic(fits):
    table = comparison(fits[0]).set_index("factor")
    assert table.loc["r", "total: k d r⁴/t"] == 4
    assert table.loc["r", "verdict"].startswith("between the theorem's bounds: slower than the steepest (4)")
    assert table.loc["t", "verdict"].startswith("between the theorem's bounds: slower than the steepest (0)")
    assert 0 < table.loc["k", "counting limit r + k + r(d − r)/t"] < 1


@pytest.mark.parametrize(
    ("lower", "upper", "words"),
    [
        (0.1, 0.3, "grows faster than the theorem allows"),
        (-0.1, 0.3, "agrees with the theorem's steepest bound"),
        (-0.5, -0.1, "between the theorem's bounds"),
        (-1.5, -0.5, "agrees with the theorem's flattest bound"),
        (-2.0, -1.5, "grows slower than each"),
    ],
)
def test_exponent_in_words(lower, upper, words):
    assert Exponent("t", (lower + upper) / 2, lower, upper).against([-1, 0, 0]).startswith(words)


def test_effective_exponents_of_a_power_law_are_its_exponents(fits):
    points = fits[0].points
    exact = effective_exponents(points, 3 * points["r"] ** 4 * points["k"] / points["t"], ["r", "k", "t"])
    assert exact == pytest.approx({"r": 4, "k": 1, "t": -1})
    assert all((v > 0).all() for v in references(fits[0]).values())


def test_collapse_puts_the_curves_of_the_law_together(trials, fits):
    figure = collapse_figure(trials, fits[0])
    spreads = [float(ax.get_title().rpartition(" ")[2]) for ax in figure.axes[:3]]
    assert spreads[2] < min(spreads[:2])


@pytest.mark.parametrize(
    ("axes", "fixed", "threshold", "message"),
    [
        (["m=4:40:4"], {"d": 40, "r": 1, "t": 40, "k": 2}, law, "none of r, k, d, t varies"),
        (["k=1:4", "r=1:2"], {"d": 40, "m": 20, "t": 40}, law, "no axis that sets m"),
        (["m=4:40:4", "k=0:2"], {"d": 40, "r": 1, "t": 40}, lambda p, s: 20, "k is 0 or missing somewhere"),
        (["m=4:40:4", "k=1:3"], {"d": 40, "r": 1, "t": 40}, lambda p, s: 1e6, "ended the same way"),
        (["m=4:40:4", "k/m=0.1,0.2"], {"d": 40, "r": 1, "t": 40}, law, "a ratio of m"),
    ],
)
def test_designs_that_cannot_answer(axes, fixed, threshold, message):
    with pytest.raises(InvalidInput, match=message):
        fit_scaling(make_trials(axes, fixed, threshold, replicates=2))


def test_factors_that_vary_together():
    a = make_trials(["m=4:40:4"], {"d": 40, "r": 1, "t": 40, "k": 1}, law, replicates=3)
    b = make_trials(["m=4:40:4"], {"d": 40, "r": 2, "t": 40, "k": 2}, law, replicates=3)
    with pytest.raises(InvalidInput, match="vary together"):
        fit_scaling([a, b])


def test_unknown_factor(trials):
    with pytest.raises(InvalidInput, match="factors: kk cannot enter"):
        fit_scaling(trials, ["kk"])


def test_constant_has_an_interval(fits):
    constant = fits[0].constant
    assert 0 < constant.lower < constant.estimate < constant.upper
    assert math.isfinite(constant.upper)
    assert np.isfinite(constant.estimate)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("scale", "replicates"), [(1e-6, 2), (0.05, 3), (2.0, 2)])
def test_small_and_separated_designs_have_an_interval_around_the_estimate(scale, replicates, seed):
    """Two or three configurations, few replicates: the likelihood is flat or linear in most directions."""
    levels = np.random.default_rng([seed, replicates]).choice(np.arange(1, 9), size=2 + seed % 2, replace=False)
    ks = ",".join(map(str, sorted(levels)))
    data = make_trials(["m=4:60:4", f"k={ks}"], {"d": 40, "r": 2, "t": 40}, lambda p, s: 8 * p["k"] ** 0.7,
                       scale=scale, replicates=replicates, seed=seed)  # fmt: skip
    (exponent,) = fit_scaling(data)[0].exponents
    assert exponent.lower <= exponent.estimate <= exponent.upper
    assert math.isfinite(exponent.estimate)
