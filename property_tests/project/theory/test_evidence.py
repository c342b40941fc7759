"""The evidence about a success probability: published tables reproduced, validity and stability checked."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrs.core.errors import InvalidInput
from theory.statistics.evidence import (
    BinomialTest,
    EvidenceVerdict,
    WaldSPRT,
    confidence_sequence,
    design,
    e_bh,
    log_incomplete_beta,
    zero_failure_trials,
)

# test, n at p=1, ASN at p=.99, (ASN, q99, P(REFUTE)) at p0, (ASN, q99, P(CONFIRM)) at p1, n at p=0, as printed.
TABLE = [
    (WaldSPRT(0.95, 0.90, 1e-3, 1e-3), 128, 149, (414, 1082, "7.9e-04"), (346, 1024, "9.7e-04"), 10),
    (BinomialTest(0.95, 0.90, 1e-3, 1e-3), 77, 106, (479, 1135, "4.3e-04"), (467, 1174, "8.2e-04"), 3),
    (BinomialTest(0.95, 0.80, 1e-6, 1e-3), 37, 43, (81, 182, "3.4e-07"), (116, 252, "6.9e-04"), 6),
    (BinomialTest(0.99, 0.95, 1e-3, 1e-3), 158, 305, (305, 636, "2.7e-04"), (236, 643, "7.1e-04"), 2),
]


@pytest.mark.parametrize(("test", "n_one", "asn_99", "at_p0", "at_p1", "n_zero"), TABLE)
def test_operating_characteristics_table(test, n_one, asn_99, at_p0, at_p1, n_zero):
    one, zero = test.operating_characteristics(1.0), test.operating_characteristics(0.0)
    assert (one.asn, one.q99, one.confirm) == (n_one, n_one, 1.0)
    assert (zero.asn, zero.q99, zero.refute) == (n_zero, n_zero, 1.0)
    assert round(test.operating_characteristics(0.99).asn) == asn_99
    p0, p1 = test.operating_characteristics(test.p0), test.operating_characteristics(test.p1)
    assert (round(p0.asn), p0.q99, f"{p0.refute:.1e}") == at_p0
    assert (round(p1.asn), p1.q99, f"{p1.confirm:.1e}") == at_p1


@pytest.mark.parametrize(("delta", "expected"), [(0.05, [59, 90, 135, 270])])
def test_zero_failure_certificates(delta, expected):
    trials = [zero_failure_trials(delta, beta) for beta in (5e-2, 1e-2, 1e-3, 1e-6)]
    assert trials == expected
    for n, beta in zip(trials, (5e-2, 1e-2, 1e-3, 1e-6), strict=True):
        assert (1 - delta) ** n <= beta < (1 - delta) ** (n - 1)


@pytest.mark.parametrize("test", [row[0] for row in TABLE[1:]])
def test_probabilities_add_up_and_errors_hold_everywhere(test):
    for p in np.linspace(0, 1, 21):
        c = test.operating_characteristics(p)
        assert c.refute + c.confirm + c.inconclusive == pytest.approx(1, abs=1e-12)
        assert c.inconclusive <= 1e-14  # the region of indecision of the mixtures closes
        if p >= test.p0:
            assert c.refute <= test.alpha
        if p <= test.p1:
            assert c.confirm <= test.beta


def test_dynamic_programme_agrees_with_enumeration():
    test, n = BinomialTest(0.7, 0.3, 0.2, 0.2), 8
    for p in (0.2, 0.5, 0.8):
        probability = dict.fromkeys(EvidenceVerdict, 0.0)
        mean = 0.0
        for code in range(2**n):
            s = f = 0
            verdict = EvidenceVerdict.INCONCLUSIVE
            for bit in f"{code:0{n}b}":
                s, f = (s + 1, f) if bit == "1" else (s, f + 1)
                verdict = test.verdict(s, f)
                if verdict is not EvidenceVerdict.INCONCLUSIVE:
                    break
            weight = p ** sum(b == "1" for b in f"{code:0{n}b}") * (1 - p) ** sum(b == "0" for b in f"{code:0{n}b}")
            probability[verdict] += weight
            mean += weight * (s + f)
        c = test.operating_characteristics(p, budget=n)
        assert c.refute == pytest.approx(probability[EvidenceVerdict.REFUTED], abs=1e-13)
        assert c.confirm == pytest.approx(probability[EvidenceVerdict.CONFIRMED], abs=1e-13)
        assert c.inconclusive == pytest.approx(probability[EvidenceVerdict.INCONCLUSIVE], abs=1e-13)
        assert c.asn == pytest.approx(mean, abs=1e-12)


@given(
    p0=st.floats(0.05, 0.99),
    ratio=st.floats(0.1, 0.95),
    s=st.integers(0, 300),
    f=st.integers(0, 300),
    p=st.floats(0.0, 1.0),
)
@settings(deadline=None)
def test_each_trial_is_a_fair_or_losing_bet(p0, ratio, s, f, p):
    """One-step supermartingale property under every p the process argues against: the heart of Ville's inequality."""
    test = BinomialTest(p0, p0 * ratio, 1e-3, 1e-3)
    for log_e, against in (
        (test.log_e_refute, test.p0 + (1 - test.p0) * p),
        (test.log_e_confirm, test.p1 * p),
    ):
        now = log_e(s, f)
        expected = against * np.exp(log_e(s + 1, f) - now) + (1 - against) * np.exp(log_e(s, f + 1) - now)
        assert expected <= 1 + 1e-9
    assert test.log_e_refute(0, 0) == pytest.approx(0, abs=1e-12)
    assert test.log_e_confirm(0, 0) == pytest.approx(0, abs=1e-12)


@given(
    x=st.floats(0.01, 0.99),
    s=st.integers(0, 20_000),
    f=st.integers(0, 20_000),
)
@settings(deadline=None, max_examples=60)
def test_log_incomplete_beta_keeps_its_digits(x, s, f):
    got = float(log_incomplete_beta(x, s + 0.5, f + 0.5))
    with mpmath.workdps(40):
        # The integrand over its sharp peak, by the series that converges for either side of the mode.
        a, b, z = mpmath.mpf(s) + 0.5, mpmath.mpf(f) + 0.5, mpmath.mpf(x)
        if z < (a + 1) / (a + b + 2):
            exact = a * mpmath.log(z) + b * mpmath.log1p(-z) - mpmath.log(a)
            exact += mpmath.log(mpmath.hyp2f1(a + b, 1, a + 1, z))
        else:
            complement = (z**a) * (1 - z) ** b / b * mpmath.hyp2f1(a + b, 1, b + 1, 1 - z)
            exact = mpmath.log(mpmath.beta(a, b) - complement)
        assert got == pytest.approx(float(exact), rel=2e-11, abs=1e-10)


def test_thousands_of_trials_stay_finite_and_ordered():
    test = BinomialTest()
    n = np.arange(0, 200_001, 5000)
    for values, rising in (
        (test.log_e_confirm(n, 0), True),
        (test.log_e_refute(n, 0), False),
        (test.log_e_refute(0, n), True),
        (test.log_e_confirm(0, n), False),
    ):
        assert np.isfinite(values).all()
        assert (np.diff(values) > 0).all() == rising
    assert test.verdict(200_000, 0) is EvidenceVerdict.CONFIRMED
    assert test.verdict(0, 200_000) is EvidenceVerdict.REFUTED
    # Between p1 and p0 both are proved in the end: the claim p ≥ p0 is false, so REFUTED wins.
    assert test.verdict(87_000, 13_000) is EvidenceVerdict.REFUTED


def test_evidence_is_vectorised():
    test = BinomialTest()
    s, f = np.arange(40), np.arange(5)
    grid = test.log_e_refute(s[:, None], f[None, :])
    assert grid.shape == (40, 5)
    assert grid[37, 2] == test.log_e_refute(37, 2)


@pytest.mark.parametrize("p", [0.02, 0.5, 0.95])
def test_confidence_sequence_covers_at_all_times(p):
    """Exact crossing probability up to 200 trials by dynamic programming, not by simulation."""
    alpha, n = 0.05, 200
    mass = np.ones(1)
    for trials in range(1, n + 1):
        step = np.zeros(trials + 1)
        step[:-1] = mass * (1 - p)
        step[1:] += mass * p
        s = np.arange(trials + 1)
        low, high = confidence_sequence(s, trials - s, alpha)
        mass = np.where((low <= p) & (p <= high), step, 0.0)
    missed = 1 - mass.sum()
    assert 0 < missed <= alpha


def test_confidence_sequence_ends():
    low, high = confidence_sequence([0, 50, 0, 25], [0, 0, 50, 25])
    assert (low[0], high[0]) == (0, 1)
    assert high[1] == 1
    assert low[1] == pytest.approx(1 - high[2], abs=1e-12)
    assert low[2] == 0
    assert low[3] == pytest.approx(1 - high[3], abs=1e-12)
    narrow, wide = confidence_sequence(500, 500), confidence_sequence(50, 50)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_e_bh_against_its_definition():
    rng = np.random.default_rng([3, 1])
    for _ in range(200):
        n = int(rng.integers(1, 12))
        e = np.exp(rng.normal(2, 3, n))
        largest = max((k for k in range(1, n + 1) if np.sort(e)[::-1][k - 1] >= n / (0.05 * k)), default=0)
        expected = np.isin(np.arange(n), np.argsort(-e, kind="stable")[:largest])
        assert (e_bh(np.log(e), 0.05) == expected).all()
    assert e_bh([np.inf, -np.inf]).tolist() == [True, False]
    assert e_bh([]).tolist() == []


def test_e_bh_controls_false_discoveries_under_full_dependence():
    """All nulls share one e-value that is 1/q with probability q: the worst case for dependence."""
    alpha, n, nulls = 0.1, 20, 10
    for q in (0.01, 0.05, 0.1, 0.5):
        log_e = np.concatenate([np.full(nulls, -np.log(q)), np.full(n - nulls, 50.0)])
        rejected = e_bh(log_e, alpha)
        assert q * rejected[:nulls].sum() / max(rejected.sum(), 1) <= alpha


def test_design_finds_the_smallest_budget():
    plan = design(0.9, 0.6, 1e-2, 1e-2, undecided=0.01)
    for p in (0.6, 0.9, 1.0):
        assert plan.test.operating_characteristics(p, plan.budget).inconclusive <= 0.01
    short = [plan.test.operating_characteristics(p, plan.budget - 1).inconclusive for p in (0.6, 0.9, 1.0)]
    assert max(short) > 0.01
    assert str(plan.budget) in str(plan)


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (lambda: BinomialTest(p0=1.0), "p0"),
        (lambda: BinomialTest(p0=0.8, p1=0.8), "p1"),
        (lambda: BinomialTest(alpha=0), "alpha"),
        (lambda: BinomialTest(a=0), "a:"),
        (lambda: BinomialTest(p0="0.9"), "p0"),
        (lambda: BinomialTest().verdict(-1, 0), "s"),
        (lambda: BinomialTest().log_e_refute(1, 0.5), "f"),
        (lambda: BinomialTest().operating_characteristics(1.5), "p"),
        (lambda: BinomialTest().operating_characteristics(0.5, 0), "budget"),
        (lambda: zero_failure_trials(0, 0.1), "delta"),
        (lambda: e_bh([np.nan]), "log_e"),
        (lambda: design(undecided=0), "undecided"),
        (lambda: confidence_sequence(1, 1, alpha=2), "alpha"),
    ],
)
def test_bad_input_is_named(call, names, unchecked):
    with pytest.raises(InvalidInput, match=f"^{names}"):
        call()
