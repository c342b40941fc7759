"""A region is its theorem's predicates: depth by their verdicts, rows by solving them, exponents by deriving them."""

import math

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from lrs.core.errors import InvalidInput
from lrs.families.low_rank_sparse.generate import InstanceSpec, generate
from theory.families.low_rank_sparse.measurement import measure, planned
from theory.families.low_rank_sparse.theorems import measured
from theory.language import symbols
from theory.language.depth import ROWS_ROUNDING
from theory.language.predicate import And, Implies, Not, Or, Predicate
from theory.language.symbols import Constant, Status
from theory.language.verdict import Verdict
from theory.region import TheoremRegion, branches, margin
from theory.theorems import load_theorem

INFORMAL = load_theorem("amht-informal")
VALUES = {"C_task": 2.25, "C_total": 1.375}


def informal(**values):
    given = {**VALUES, **values}
    constants = tuple(Constant(n, "larger-is-stronger", v, "cited", "test") for n, v in given.items())
    return TheoremRegion(INFORMAL, constants)


REGIONS = {
    "informal": informal(),
    "practical": TheoremRegion(measured.PRACTICAL),
    "paper": TheoremRegion(measured.PAPER),
}
by_name = pytest.mark.parametrize("name", REGIONS)
sizes = st.fixed_dictionaries(
    {
        "t": st.integers(6, 5000),
        "d": st.integers(8, 400),
        "r": st.integers(1, 6),
        "k": st.integers(1, 8),
    }
)
knobs = st.fixed_dictionaries(
    {},
    optional={
        "noise": st.sampled_from((0.0, 0.1)),
        "kappa": st.sampled_from((1.0, 50.0, 150.0)),
        "w_spread": st.sampled_from((0.0, 1.0, 2.0)),
        "coherence": st.sampled_from((0.0, 0.5, 0.7)),
        "w_rank": st.sampled_from((0, 1)),
        "b_scale": st.sampled_from((1e-4, 1.0, 99.0, 101.0)),
        "x_law": st.sampled_from(("gaussian", "scaled", "rademacher")),
        "ragged": st.sampled_from((0.0, 0.2, 0.5)),
    },
)


def verdicts(region, quantities):
    unknown = region.unknown(quantities)
    return [p.check(quantities).verdict for p in region.assumptions if p.name not in unknown]


# ------------------------------------------------------------------ depth
@by_name
@given(at=sizes, m=st.integers(1, 4000), with_knobs=knobs)
@settings(max_examples=60, deadline=None)
def test_the_sign_of_the_depth_is_the_verdict_of_the_assumptions(name, at, m, with_knobs):
    region = REGIONS[name]
    quantities = planned(InstanceSpec(m=m, **at, **with_knobs))
    verdict = Verdict.all(verdicts(region, quantities))
    depth = region.depth(quantities)
    if verdict is Verdict.UNDECIDED:  # eˣ ≤ eˣ: no arithmetic with error bounds decides an equality of exponentials
        assert depth.margin == 0
    else:
        assert (depth.margin >= 0) is (verdict is Verdict.HOLDS), (depth.binding, depth.margin)


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({}, set()),
        ({"noise": 0.1}, {"no noise"}),
        ({"x_law": "scaled"}, {"Gaussian isotropic design"}),
        ({"m": 5}, {"samples per task", "total samples"}),
        ({"t": 20}, {"total samples"}),
    ],
)
def test_a_measured_instance_is_inside_where_the_theorem_holds(changes, broken):
    """The same quantities as `lrs check`: nothing is left unevaluated, and the report agrees."""
    region = informal()
    quantities = measure(generate(InstanceSpec(**{"t": 150, "m": 30, "d": 20, "r": 2, "k": 2, **changes}), 3))
    assert region.unknown(quantities) == ()
    report = INFORMAL.with_constants(*region.constants).report(quantities)
    depth = region.depth(quantities)
    assert (depth.margin >= 0) is (report.verdict is Verdict.HOLDS) is (not broken)
    assert {n for n, v in depth.parts.items() if v < 0} == broken
    if broken:
        assert depth.binding in broken


def test_a_condition_without_a_ratio_is_kept_or_broken_by_no_amount():
    found = TheoremRegion(measured.PRACTICAL).depth(planned(InstanceSpec(t=60, m=40, d=30, r=2, k=2, w_rank=1)))
    assert found.parts["task diversity"] == -math.inf
    whole = TheoremRegion(measured.PRACTICAL).depth(planned(InstanceSpec(t=60, m=40, d=30, r=2, k=2)))
    assert "task diversity" not in whole.parts


def test_margins_of_composed_statements():
    more, less = (Predicate(n, symbols.t, ">=", x, "test", Status.DERIVED) for n, x in (("more", 20), ("less", 5)))
    at, up, down = {"t": 10}, math.log(2), math.log(0.5)
    assert margin(And("a", (more, less)), at) == pytest.approx(down)
    assert margin(Or("o", (more, less)), at) == pytest.approx(up)
    assert margin(Not("n", more), at) == pytest.approx(up)
    assert margin(Implies("i", less, more), at) == pytest.approx(down)
    assert margin(Predicate("strict", symbols.t, ">", 10, "test", Status.DERIVED), at) < 0  # equality fails it


# ------------------------------------------------------------------ rows and tasks
@by_name
@given(at=sizes)
@settings(max_examples=100, deadline=None)
def test_rows_are_the_fewest_with_a_margin_of_at_least_0(name, at):
    region = REGIONS[name]
    m = int(region.rows(**at))
    bounds = list(region.bounds("m"))

    def kept(rows):
        return min(float(p.margin({**at, "m": rows + ROWS_ROUNDING})) for p in bounds) >= 0

    assert kept(m)
    assert m <= 1 or not kept(m - 1)


@given(at=sizes, slack=st.sampled_from((0.3, 0.8)))
@settings(max_examples=30, deadline=None)
def test_rows_at_a_depth_have_that_margin(at, slack):
    region = REGIONS["practical"]
    m = int(region.rows(**at, slack=slack))
    assert region.depth({**at, "m": m + ROWS_ROUNDING}).margin >= slack - 1e-12
    assert region.depth({**at, "m": m - 1}).margin < slack


@given(at=sizes, m=st.integers(1, 3000))
@settings(max_examples=100, deadline=None)
def test_tasks_are_the_fewest_at_these_rows(at, m):
    region, at = informal(), {n: v for n, v in at.items() if n != "t"}
    t = float(region.tasks(m=m, **at))

    def kept(tasks):
        return region.depth({**at, "m": m, "t": tasks + ROWS_ROUNDING}).margin >= 0

    if math.isinf(t):
        assert not kept(1e12)
    else:
        assert kept(t)
        assert t == 1 or not kept(t - 1)


def test_what_cannot_be_solved_or_is_missing_is_named():
    with pytest.raises(InvalidInput, match=r"^d: missing; total samples of amht-informal needs it"):
        informal().rows(r=2, k=2, t=5)
    with pytest.raises(InvalidInput, match="b_size: nothing in amht-informal bounds it"):
        informal().limit("b_size", {})
    with pytest.raises(InvalidInput, match=r"t: the bound .* cannot be solved"):
        TheoremRegion(measured.PRACTICAL).tasks(m=10, d=20, r=1, k=1)
    with pytest.raises(InvalidInput, match="also: amht-informal has two assumptions named 'no noise'"):
        TheoremRegion(INFORMAL, also=(INFORMAL.assumptions.parts[4],))
    with pytest.raises(InvalidInput, match="without: amht-informal has no assumption 'luck'"):
        TheoremRegion(INFORMAL, without=("luck",))


# ------------------------------------------------------------------ exponents
@by_name
@given(at=sizes)
@settings(max_examples=40, deadline=None)
def test_exponents_are_the_logarithmic_derivatives_of_the_rows(name, at):
    """One-sided numeric derivatives lie in the interval; both are equal where one branch is active."""
    region, step = REGIONS[name], 1e-6
    here = float(region.limit("m", at))
    for size, (low, high) in region.exponents_at(at).items():
        for sign in (1, -1):
            there = float(region.limit("m", {**at, size: at[size] * math.exp(sign * step)}))
            assert low - 1e-4 <= math.log(there / here) / (sign * step) <= high + 1e-4, size


def test_exponents_of_the_informal_theorem():
    """m ≥ C max(k, r³) and m ≥ C k d r⁴/t, whatever the constants."""
    found = TheoremRegion(INFORMAL).exponents()
    assert {n: set(e) for n, e in found.items()} == {
        "d": {0, 1},
        "k": {0, 1},
        "r": {0, 3, 4},
        "t": {0, -1},
    }
    assert TheoremRegion(INFORMAL).exponents("t")["m"] == (-1,)
    # k = r³ and both bounds equal: every branch is active.
    tie = informal(C_task=1.0, C_total=1.0).exponents_at({"r": 2, "k": 8, "d": 25, "t": 400})
    assert tie == {"d": (0, 1), "k": (0, 1), "r": (0, 4), "t": (-1, 0)}
    assert informal(C_task=2.0, C_total=1.0).exponents_at({"r": 2, "k": 1, "d": 2, "t": 400})["r"] == (3, 3)


def test_branches_of_nested_maxima():
    x, y = symbols.t, symbols.d
    expression = 2 * sympy.Max(x, 3 * sympy.Min(y, 5))
    assert set(branches(expression)) == {2 * x, 6 * y, sympy.Integer(30)}
    assert branches(expression, {"t": 4, "d": 1}) == (2 * x,)
    assert branches(expression, {"t": 4, "d": 2}) == (6 * y,)


# ------------------------------------------------------------------ what a region says of itself
def test_a_region_says_whose_it_is():
    assert TheoremRegion(measured.PRACTICAL).label == "measured"
    assert TheoremRegion(INFORMAL).label == "the theorem's (quoted), free constants"
    assert informal().label == "the theorem's (quoted)"
    assert "practical" in repr(TheoremRegion(measured.PRACTICAL))
    assert "C_task=2.25" in repr(informal())
    assert repr(informal()) == repr(informal()) != repr(informal(C_task=2.5))


def test_planned_quantities_are_those_that_are_measured():
    """What is planned of the truth is what is found in the draw."""
    spec = InstanceSpec(t=40, m=20, d=15, r=2, k=3, kappa=7.0, coherence=0.9, zeta=20)
    before, after = planned(spec), measure(generate(spec, 1))
    assert set(before) - set(after) == {"w_spread", "b_size", "repeated"}  # asked for; a draw has its own
    for name in sorted(set(before) & set(after) - {"row_U", "orth", "zeta"}):
        assert after[name] == pytest.approx(before[name], abs=1e-8), name
    assert after["row_U"] >= before["row_U"]  # at least what is asked for
    assert after["zeta"] <= before["zeta"]
    assert planned(spec, rank=3, sparsity=5)["r"] == 3
    assert "zeta" in planned(InstanceSpec(t=40, m=20, d=15, r=2, k=3)).unknown
