"""Limits: published values, inverses, and the counting limit and oracle risk against what they count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from lrs.core.errors import InvalidInput
from theory.families.low_rank_sparse import limits


@pytest.mark.parametrize(("delta", "rho"), [(0.5, 0.3857), (0.2, 0.2433), (0.8, 0.5733)])
def test_donoho_tanner_published_values(delta, rho):
    assert round(float(limits.donoho_tanner(delta)), 4) == rho


def test_donoho_tanner_matches_the_minimax_characterisation():
    """Independent route: δ(ρ) = min over τ of the ℓ₁ phase transition (Donoho, Johnstone & Montanari 2011).

    With ε = ρδ non-zeros per coordinate, the threshold is where min_τ ε(1 + τ²) + (1 − ε)E(|Z| − τ)₊² = δ.
    """
    for delta in (0.1, 0.35, 0.6, 0.9):
        epsilon = float(limits.donoho_tanner(delta)) * delta
        tau = np.linspace(0, 5, 4001)
        soft = 2 * ((1 + tau**2) * stats.norm.sf(tau) - tau * stats.norm.pdf(tau))
        risk = epsilon * (1 + tau**2) + (1 - epsilon) * soft
        assert risk.min() == pytest.approx(delta, abs=1e-5)


def test_soft_threshold_risk_used_above():
    for tau in (0.0, 0.7, 2.0):
        exact = 2 * integrate.quad(lambda z, tau=tau: (z - tau) ** 2 * stats.norm.pdf(z), tau, 40)[0]
        assert 2 * ((1 + tau**2) * stats.norm.sf(tau) - tau * stats.norm.pdf(tau)) == pytest.approx(exact, abs=1e-10)


@given(d=st.integers(1, 500), r=st.integers(0, 10), k=st.integers(0, 500))
@settings(deadline=None)
def test_donoho_tanner_rows_is_the_smallest_integer(d, r, k):
    k = min(k, d)
    m = float(limits.donoho_tanner_rows(d=d, r=r, k=k))
    assert m == int(m)
    assert r + k <= m <= r + d
    if k == 0:
        assert m == r
        return
    effective = m - r
    assert k / effective <= float(limits.donoho_tanner(effective / d)) + 1e-9
    if effective > 1:
        assert k / (effective - 1) > float(limits.donoho_tanner((effective - 1) / d)) - 1e-9


def test_donoho_tanner_is_monotone_up_to_the_ends():
    delta = np.concatenate([[1e-8, 1e-5], np.linspace(1e-3, 1, 500)])
    rho = limits.donoho_tanner(delta)
    assert (np.diff(rho) > 0).all()
    assert rho[-1] == 1


@given(d=st.integers(5, 300), r=st.integers(0, 5), k=st.integers(0, 5), t=st.integers(1, 10_000))
@settings(deadline=None)
def test_counting_limit_balances_equations_and_unknowns(d, r, k, t):
    m = float(limits.counting_limit(d=d, r=r, k=k, t=t))
    assert m * t == pytest.approx(r * (d - r) + t * (r + k))
    if r and m > r + k:
        assert float(limits.counting_tasks(d=d, r=r, k=k, m=m)) == pytest.approx(t, rel=1e-6)
    if r + k:
        assert limits.counting_tasks(d=d, r=r, k=k, m=r + k) == np.inf


def test_stable_scale_and_floor():
    assert limits.stable_scale(d=100, r=3, k=5, t=200) == pytest.approx(300 + 200 * (3 + 5 * np.log(20)))
    assert limits.stable_scale(d=100, r=3, k=0, t=200) == 900
    assert limits.stable_rows(d=100, r=3, k=0, t=200) == 4.5
    assert limits.noisy_floor(d=100, r=3, k=0, t=200, m=9, sigma=2) == pytest.approx(4 * 900 / 1800)
    assert limits.noisy_floor(d=100, r=3, k=0, t=200, m=9, sigma=0) == 0


def test_oracle_risk_is_exact_for_gaussian_designs():
    """E tr (AᵀA)⁻¹ = p/(m − p − 1) for A (m, p) standard normal, within four standard errors of a simulation."""
    r, k, m, sigma = 2, 3, 15, 0.5
    rng = np.random.default_rng([3, 6])
    A = rng.standard_normal((20_000, m, r + k))
    risks = sigma**2 * np.trace(np.linalg.inv(A.transpose(0, 2, 1) @ A), axis1=1, axis2=2)
    expected = float(limits.oracle_risk(sigma=sigma, r=r, k=k, m=m))
    assert abs(risks.mean() - expected) < 4 * risks.std() / np.sqrt(len(risks))
    assert limits.oracle_risk(sigma=1, r=2, k=3, m=[5, 6, 7]).tolist() == [np.inf, np.inf, 5.0]


def test_limits_broadcast():
    t, d = np.array([10, 100, 1000]), np.array([[20], [40]])
    grid = limits.counting_limit(d=d, r=2, k=3, t=t)
    assert grid.shape == (2, 3)
    assert grid[1, 2] == limits.counting_limit(d=40, r=2, k=3, t=1000)
    assert isinstance(limits.counting_limit(d=40, r=2, k=3, t=1000), float)


@pytest.mark.parametrize(("axis", "values"), [("d", [20, 50]), ("r", [0, 4]), ("k", [0, 5]), ("t", [5, 500])])
def test_curves_over_any_axis(axis, values):
    fixed = {name: value for name, value in {"d": 60, "r": 3, "k": 4, "t": 100}.items() if name != axis}
    curves = limits.curves(axis, values, **fixed)
    assert set(curves) == {"counting limit", "Donoho–Tanner", "stable scale"}
    for name, rows in curves.items():
        assert rows.shape == (2,)
        assert (rows == [limits.ROWS[name](**fixed, **{axis: v}) for v in values]).all()
        assert (rows == np.floor(rows)).all()


def test_formulas_are_typeset_from_the_expression():
    assert limits.counting_limit.latex == r"k + r + \frac{r \left(d - r\right)}{t}"
    for limit in (limits.stable_scale, limits.oracle_risk, limits.noisy_floor):
        assert "\\" in limit.latex or "d" in limit.latex


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: limits.counting_limit(d=10, r=2, k=3), "t: missing"),
        (lambda: limits.counting_limit(d=10, r=2, k=3, t=5, m=4), "m: not part of the counting limit"),
        (lambda: limits.counting_limit(d=-1, r=2, k=3, t=5), "d: expected values above 0"),
        (lambda: limits.counting_limit(d=10, r=-2, k=3, t=5), "r: expected values at least 0"),
        (lambda: limits.counting_limit(d=10, r=11, k=3, t=5), "r: cannot exceed d"),
        (lambda: limits.counting_limit(d="ten", r=1, k=3, t=5), "d: expected numbers"),
        (lambda: limits.counting_limit(d=float("nan"), r=1, k=3, t=5), "d: expected values above 0"),
        (lambda: limits.donoho_tanner(0), "delta: expected values above 0"),
        (lambda: limits.donoho_tanner(1.5), "delta: expected undersampling ratios"),
        (lambda: limits.donoho_tanner_rows(d=5, r=1, k=6), "k: cannot exceed d"),
        (lambda: limits.curves("m", [1], d=1, r=1, k=1, t=1), "axis: expected one of"),
        (lambda: limits.curves("t", [1], d=1, r=1), "fixed: with the axis 't' pass d, k, r"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InvalidInput, match=f"^{message}"):
        call()


def test_the_page_shows_the_formulas_of_the_code():
    page = (Path(__file__).parents[3] / "docs" / "theory" / "limits.md").read_text(encoding="utf-8")
    for name in (
        "counting_limit",
        "counting_theta",
        "counting_tasks",
        "stable_scale",
        "stable_rows",
        "oracle_risk",
        "noisy_floor",
    ):
        limit = getattr(limits, name)
        assert f"`theory.families.low_rank_sparse.limits.{name}` | ${limit.latex}$ | {limit.meaning} |" in page
