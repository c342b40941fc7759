"""Rate certificates: families of known shape told apart, claims kept or broken, every verdict reached."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrs.core.errors import InvalidInput
from property_tests.benchmarks.rate_errors import SETS, late_drops
from theory.statistics.rates import (
    FloorKind,
    RateVerdict,
    Reason,
    certify,
    envelope_constant,
    envelope_rate,
    precision_ladder,
    right_majorant,
)


def geometric(rng):
    """ρ in .3–.99 with 5–30 % jitter over 6.5 to 20 decades, on a floor of rounding size."""
    rho, jitter, decades = rng.uniform(0.3, 0.99), rng.uniform(0.05, 0.3), rng.uniform(6.5, 20)
    t = np.arange(math.ceil(decades * math.log(10) / -math.log(rho)) + 1)
    floor = 1e-16 * np.exp(0.5 * np.abs(rng.standard_normal(len(t))))
    return rho**t * np.exp(jitter * rng.standard_normal(len(t))) + floor


def power_law(order):
    """(1 + t/c)^−order over 6 to 9 decades with a random offset c and jitter; time is thinned to 3000 looks."""

    def draw(rng):
        decades, jitter = rng.uniform(6, 9), rng.uniform(0, 0.3)
        tau = np.linspace(0, 10 ** (decades / order) - 1, 3000)
        return (1 + tau) ** -order * np.exp(jitter * rng.standard_normal(len(tau)))

    return draw


def short_power_law(order):
    """The same without thinning: one point per step from offset c on, as few steps as six decades take."""

    def draw(rng):
        offset, decades = rng.uniform(10, 100), rng.uniform(6, 9)
        t = np.arange(math.ceil(offset * (10 ** (decades / order) - 1)) + 1)
        return (1 + t / offset) ** -order * np.exp(rng.uniform(0, 0.3) * rng.standard_normal(len(t)))

    return draw


def _families(count):
    for i in range(count):
        certificate = certify(geometric(np.random.default_rng([3, 1, i])))
        assert certificate.verdict.linear, (i, certificate)
    for key, draw in enumerate((power_law(1), power_law(2), power_law(6), short_power_law(6))):
        for i in range(count):
            certificate = certify(draw(np.random.default_rng([3, 2, key, i])))
            assert not certificate.verdict.linear, (key, i, certificate)
            assert certificate.verdict is not RateVerdict.SUPERLINEAR
            if key < 3:  # with thousands of points the bend is beyond doubt
                assert certificate.verdict is RateVerdict.SUBLINEAR


def test_families_are_told_apart():
    _families(10)


@pytest.mark.slow
def test_families_are_told_apart_at_full_size():
    _families(2000)


def gradient_descent(rank, steps, seed, n=50, true_rank=3, eta=0.1, alpha=0.5):
    """X ← X − η(XXᵀ − M)X on a fully observed M = QQᵀ: geometric at the exact rank, 1/t² loss above it."""
    rng = np.random.default_rng([3, 3, seed])
    Q = np.linalg.qr(rng.standard_normal((n, true_rank)))[0]
    X = alpha * rng.standard_normal((n, rank)) / math.sqrt(n)
    M = Q @ Q.T
    errors = [np.linalg.norm(X @ X.T - M)]
    for _ in range(steps):
        X = X - eta * (X @ (X.T @ X) - Q @ (Q.T @ X))
        errors.append(np.linalg.norm(X @ X.T - M))
    return np.array(errors)


@pytest.mark.parametrize("seed", range(5))
def test_over_parameterised_control_is_separated_by_300_steps(seed):
    exact, over = certify(gradient_descent(3, 300, seed)), certify(gradient_descent(5, 300, seed))
    assert exact.verdict.linear
    assert 0.9 < exact.straightness < 1.2
    assert over.verdict is RateVerdict.SUBLINEAR
    assert 0.2 < over.straightness < 0.3
    assert over.rival == "power law"


def test_over_parameterised_control_has_its_asymptotic_constant():
    errors = gradient_descent(5, 20_000, 0)
    assert errors[-1] ** 2 * 4 * 0.1**2 * 20_000**2 / 2 == pytest.approx(0.997, abs=1e-3)
    assert certify(errors[:3001]).straightness == pytest.approx(0.18, abs=0.005)


@pytest.mark.parametrize("plateau", [1e-4, 1e-8])
@pytest.mark.parametrize("jitter", [0.0, 0.1, 0.3])
@pytest.mark.parametrize(("rho", "length"), [(0.5, 40), (0.5, 300), (0.5, 3000), (0.9, 300), (0.9, 1000)])
def test_unexplained_plateau_stalls_and_explained_one_does_not(plateau, jitter, rho, length):
    rng = np.random.default_rng([3, 4])
    trace = (rho ** np.arange(length) + plateau) * np.exp(jitter * rng.standard_normal(length))
    stalled = certify(trace)
    assert stalled.verdict is RateVerdict.STALLED
    assert stalled.floor == pytest.approx(plateau, rel=0.3)
    assert stalled.floor_reason is None
    explained = certify(trace, noise=plateau, min_decades=3)
    assert explained.floor_reason == "noise"
    if plateau == 1e-4 and jitter > 0:  # over so few decades jitter leaves rivals
        assert explained.verdict is not RateVerdict.STALLED
        return
    assert explained.verdict is RateVerdict.CERTIFIED
    assert explained.rate == pytest.approx(rho, rel=0.1)


def test_every_verdict():
    t = np.arange(400)
    assert certify(0.9**t + 1e-16).verdict is RateVerdict.CERTIFIED
    assert certify(0.9**t + 1e-16).floor_reason == "rounding"
    assert certify(0.9 ** t[:180]).verdict is RateVerdict.TRUNCATED
    assert certify(0.9 ** t[:20]).verdict is RateVerdict.WEAK
    assert certify(0.5 ** (2.0 ** np.arange(8))).verdict is RateVerdict.SUPERLINEAR
    assert certify(1 / (1 + t)).verdict is RateVerdict.SUBLINEAR
    assert certify(np.ones(9)).verdict is RateVerdict.STALLED
    assert certify(0.9**t + 1e-16, rate=0.8).verdict is RateVerdict.TOO_SLOW
    assert certify([1, 1e-16, 1e-16, 1e-16]).reason is Reason.JUMP  # exact after one step
    assert certify([1, 0.0, 0.0, 0.0]).reason is Reason.JUMP
    assert certify([1e-16] * 5).reason is Reason.FLOOR
    assert certify([0.0] * 5).verdict is RateVerdict.INCONCLUSIVE
    assert RateVerdict.WEAK is RateVerdict.INCONCLUSIVE  # its name in the first edition
    for verdict in RateVerdict:
        assert verdict.sentence.endswith(".")


def test_one_jump_is_no_rate():
    slow = 1 / np.arange(1.0, 51)
    for tail in ([1e-13], [1e-13] * 30):  # ended by it, or at rest afterwards
        c = certify(np.concatenate([slow, tail]))
        assert not c.verdict.linear
        assert c.verdict is not RateVerdict.SUPERLINEAR
        assert c.jump == pytest.approx(11.3, abs=0.1)
        assert c.stop == 49
    level = certify([0.61, 0.45, 0.17, 0.13, 0.131, 0.13, 0.129, 0.13, 8.7e-16])
    assert not level.verdict.linear
    assert level.jump > 14
    inside = certify(np.concatenate([0.9 ** np.arange(20), 1e-9 * 0.9 ** np.arange(3)]))
    assert inside.reason is Reason.JUMP
    assert inside.rival == "one jump"
    assert inside.stop == 19


@pytest.mark.parametrize("jitter", [0.0, 0.1, 0.3])
def test_stretched_exponential_is_no_rate(jitter):
    t = np.arange(90)
    c = certify(np.exp(-0.5 * t**0.7 + jitter * np.random.default_rng(1).standard_normal(90)), min_decades=4)
    assert c.verdict is RateVerdict.SUBLINEAR
    assert c.exponent == pytest.approx(0.7, abs=0.1)
    assert c.exponent_interval[0] < 0.7 < c.exponent_interval[1]
    assert c.rival == "stretched exponential"
    assert c.evidence < -3


def test_power_law_of_order_eight_in_heavy_jitter_is_no_rate():
    for seed in range(20):
        rng = np.random.default_rng([3, 8, seed])
        offset, n = rng.uniform(1, 50), int(rng.integers(60, 600))
        t = np.linspace(0, offset * (10 ** (8 / 8) - 1), n)
        c = certify((1 + t / offset) ** -8.0 * np.exp(rng.standard_normal(n)))
        assert not c.verdict.linear, seed
        assert c.verdict is not RateVerdict.SUPERLINEAR


def test_a_plateau_before_the_drop_hides_a_constant():
    t = np.arange(60)
    trace = np.exp(-0.7 * np.maximum(0, t - 20) + 0.1 * np.random.default_rng(2).standard_normal(60))
    c = certify(trace)
    assert c.verdict is RateVerdict.INCONCLUSIVE
    assert c.reason is Reason.PLATEAU
    assert c.evidence < -3
    assert c.constant > 100
    assert c.plateau == pytest.approx(20, abs=2)
    assert f"begins at index {c.plateau}" in c.sentence
    assert certify(trace, start=c.plateau).verdict is RateVerdict.TRUNCATED
    late = certify(trace, start=20)  # the burn-in of the claim
    assert late.verdict is RateVerdict.TRUNCATED
    assert late.constant < 2
    assert late.rate == pytest.approx(math.exp(-0.7), rel=0.01)


def test_contractions_that_vary_from_step_to_step_are_a_rate():
    found = 0
    for seed in range(40):
        rng = np.random.default_rng([3, 10, seed])
        logs = np.concatenate([[0.0], np.cumsum(1 + 0.25 * rng.standard_normal(80))])
        found += certify(np.exp(-logs * 8 * math.log(10) / logs[-1])).verdict.linear
    assert found >= 39


def test_late_drops_are_no_rate():
    for i in range(216, 236):  # the last looks geometric but for a plateau that fits far better
        c = certify(late_drops(np.random.default_rng([1, i]), SETS["calibration"])[0], min_decades=3)
        assert not c.verdict.linear, i
        assert c.verdict is not RateVerdict.SUPERLINEAR, i


def test_a_fast_start_is_left_out():
    t = np.arange(400)
    c = certify(0.9 * 0.7**t + 0.1 * 0.95**t + 1e-16)
    assert c.verdict.linear
    assert c.start > 0
    assert c.constant < 2


@pytest.mark.parametrize(("n", "jitter", "least"), [(8, 0.1, 38), (12, 0.2, 37), (60, 0.3, 38), (1500, 0.3, 39)])
def test_geometric_traces_are_certified_from_eight_steps_on(n, jitter, least):
    found = covered = 0
    for seed in range(40):
        rng = np.random.default_rng([3, 9, n, seed])
        c = certify(10 ** (-7 * np.arange(n) / (n - 1)) * np.exp(jitter * rng.standard_normal(n)))
        found += c.verdict.linear
        covered += c.rate_interval[0] <= 10 ** (-7 / (n - 1)) <= c.rate_interval[1]
        assert c.constant <= c.constant_bound < 20
        assert c.straightness_interval[0] < c.straightness < c.straightness_interval[1]
    assert found >= least
    assert covered >= 38


def test_claims():
    trace = 0.7 ** np.arange(90) + 1e-16
    trace[5] *= 3  # one bump within a constant of 3
    assert certify(trace, rate=0.71).verdict is RateVerdict.TOO_SLOW
    kept = certify(trace, rate=0.71, constant=3)
    assert kept.holds is True
    assert kept.verdict is RateVerdict.CERTIFIED
    assert certify(trace, rate=0.69, constant=3).holds is False  # the tail, not the bump, breaks it
    assert certify(trace).holds is None
    burnt = np.concatenate([np.ones(20), trace])
    assert certify(burnt, rate=0.71, constant=3).holds is False
    assert certify(burnt, rate=0.71, constant=3, start=20).holds is True
    # A stall is part of the claim when nothing explains it.
    assert certify(0.5 ** np.arange(60) + 1e-5, rate=0.6).holds is False


@given(st.lists(st.floats(1e-12, 1e3), min_size=4, max_size=30), st.floats(1, 50))
@settings(deadline=None)
def test_envelope_is_tight(values, constant):
    rho = envelope_rate(values, constant)
    majorant, t = right_majorant(values), np.arange(len(values))
    assert (majorant == [max(values[i:]) for i in range(len(values))]).all()
    bound = constant * rho**t * majorant[0]
    assert (majorant[1:] <= bound[1:] * (1 + 1e-9)).all()
    assert np.any(majorant[1:] >= bound[1:] * (1 - 1e-9))  # no smaller rate holds
    back = envelope_constant(values, rho)
    assert back <= constant * (1 + 1e-9)
    assert (majorant <= back * rho**t * majorant[0] * (1 + 1e-9)).all()


def newton_like(dtype):
    """Jacobi iteration of a well conditioned system in the given precision, errors measured in float64."""
    rng = np.random.default_rng([3, 5])
    A = np.eye(30) + 0.3 * rng.standard_normal((30, 30)) / math.sqrt(30)
    x = rng.standard_normal(30)
    b = (A @ x).astype(dtype)
    A = A.astype(dtype)
    z, errors = np.zeros(30, dtype), []
    for _ in range(80):
        z = (z + (b - A @ z)).astype(dtype)
        errors.append(np.linalg.norm(z.astype(np.float64) - x) / np.linalg.norm(x))
    return np.array(errors)


def test_precision_ladder():
    rounding = precision_ladder(newton_like)
    assert rounding.kind is FloorKind.ROUNDING
    assert rounding.shift == pytest.approx(29, abs=4)
    plateau = precision_ladder(lambda dtype: newton_like(dtype) + 1e-3)
    assert plateau.kind is FloorKind.PLATEAU
    assert plateau.floor64 == pytest.approx(1e-3, rel=1e-3)
    both = precision_ladder(lambda dtype: newton_like(dtype) + 1e-11)
    assert both.kind is FloorKind.UNDECIDED
    assert certify(newton_like(np.float32), dtype=np.float32, min_decades=3).floor_reason == "rounding"
    assert certify(newton_like(np.float32)).verdict is RateVerdict.STALLED  # float64 does not explain that floor


def test_condition_and_scale_explain_a_higher_floor():
    trace = 0.5 ** np.arange(80) + 1e-9
    assert certify(trace).verdict is RateVerdict.STALLED
    assert certify(trace, condition=1e4).verdict is RateVerdict.CERTIFIED
    assert certify(1e6 * trace).verdict is RateVerdict.STALLED
    assert certify(1e6 * (0.5 ** np.arange(80) + 1e-15)).verdict is RateVerdict.CERTIFIED  # scale is e0 by default
    assert certify(0.5 ** np.arange(80) + 1e-14, scale=1e-6).verdict is RateVerdict.STALLED


@given(st.floats(1e-3, 1e3))
@settings(deadline=None, max_examples=30)
def test_units_do_not_matter_once_the_scale_is_given(unit):
    trace = 0.8 ** np.arange(150) + 1e-15
    a, b = certify(trace, scale=1.0), certify(unit * trace, scale=unit)
    assert a.verdict is b.verdict
    assert a.rate == pytest.approx(b.rate, rel=1e-9)
    assert a.stop == b.stop


def test_certificate_is_json():
    values = json.loads(json.dumps(certify([1, 0, 0, 0], rate=0.5).to_dict(), allow_nan=False))
    assert values["verdict"] == "INCONCLUSIVE"
    assert values["reason"] == "JUMP"
    assert values["straightness"] is None
    assert values["exponent_interval"] == [0.0, None]
    assert values["holds"] is True


@pytest.mark.parametrize(
    ("trace", "options", "message"),
    [
        ([1, 0.5, float("nan"), 0.1], {}, r"trace: 1 value\(s\) are NaN or infinite, the first at index 2"),
        ([1, 0.5, 0.2], {}, r"trace: 3 point\(s\); a rate needs at least 4"),
        ([1, 2, 3, 4], {}, "trace: the error does not decrease"),
        ([1, 0.5, -0.2, 0.1], {}, "trace: the error is negative at index 2"),
        ([[1, 2], [3, 4]], {}, "trace: expected one error per iteration"),
        (["a"] * 5, {}, "trace: expected numbers"),
        ([1, 0.5, 0.2, 0.1], {"rate": 1.0}, "rate: expected a contraction"),
        ([1, 0.5, 0.2, 0.1], {"rate": 0.5, "constant": 0.5}, "constant: expected"),
        ([1, 0.5, 0.2, 0.1], {"start": 1}, "start: expected"),
        ([1, 0.5, 0.2, 0.1], {"condition": 0}, "condition: expected"),
        ([1, 0.5, 0.2, 0.1], {"scale": 0}, "scale: expected"),
        ([1, 0.5, 0.2, 0.1], {"noise": -1}, "noise: expected"),
        ([1, 0.5, 0.2, 0.1], {"min_decades": 0}, "min_decades: expected"),
    ],
)
def test_bad_input_is_named(trace, options, message, unchecked):
    with pytest.raises(InvalidInput, match=f"^{message}"):
        certify(trace, **options)


def test_bad_envelopes_are_named():
    with pytest.raises(InvalidInput, match=r"^start, stop:"):
        envelope_rate([1, 0.5, 0.2, 0.1], start=3)
    with pytest.raises(InvalidInput, match=r"^constant:"):
        envelope_rate([1, 0.5, 0.2, 0.1], 0)
    with pytest.raises(InvalidInput, match=r"^rate:"):
        envelope_constant([1, 0.5, 0.2, 0.1], 0)
