"""Predicates: margins, verdicts, the algebra, reports and bad input."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from lrs.core.errors import InvalidInput
from theory.language import symbols
from theory.language.predicate import And, Implies, Not, Or, Predicate, Statement
from theory.language.symbols import Constant, Status, d, delta, k, m, r, sigma, t
from theory.language.verdict import Check, Verdict


def predicate(name: str, lhs: object, relation: str, rhs: object, **options: object) -> Predicate:
    return Predicate(name, lhs, relation, rhs, "test", Status.DERIVED, **options)  # type: ignore[arg-type]


ROWS = predicate("rows", m, ">=", r + k + 1)
TASKS = predicate("tasks", t, ">", r)
POINT = {"m": 12, "r": 3, "k": 5, "t": 40, "d": 100}


# ---------------------------------------------------------------------------------------------- margins
def test_margin_is_the_log_ratio_where_both_sides_are_positive() -> None:
    assert ROWS.margin(POINT) == pytest.approx(math.log(12 / 9))
    flipped = predicate("flipped", r + k + 1, "<=", m)
    assert flipped.margin(POINT) == pytest.approx(math.log(12 / 9))


@pytest.mark.parametrize(
    ("value", "bound", "expected"),
    [(0.0, 0.0, 0.0), (3.0, 0.0, 1.0), (0.0, 3.0, -1.0)],
)
def test_margin_is_scaled_difference_where_a_side_vanishes(value: float, bound: float, expected: float) -> None:
    p = predicate("zero", k, ">=", r)
    assert p.margin({"k": value, "r": bound}) == expected


def test_margin_is_scaled_difference_where_a_side_is_negative() -> None:
    p = predicate("difference", k - r, ">=", -m)
    assert p.margin({"k": 1, "r": 5, "m": 8}) == pytest.approx((-4 + 8) / 8)


def test_margins_broadcast_and_mix_both_forms() -> None:
    rows, sparsity = np.array([5.0, 20.0])[:, None], np.array([0.0, 4.0, 9.0])[None, :]
    p = predicate("mixed", m, ">=", k * 2)
    found = p.margin({"m": rows, "k": sparsity})
    assert found.shape == (2, 3)
    assert found[:, 0].tolist() == [1.0, 1.0]
    assert found[:, 1:] == pytest.approx(np.log(rows) - np.log(2 * sparsity[:, 1:]))


def test_an_infinite_bound_fails_and_an_infinite_value_holds() -> None:
    p = predicate("condition", symbols.kappa, "<=", m)
    assert p.check({"kappa": np.inf, "m": 3}).verdict is Verdict.FAILS
    assert p.margin({"kappa": np.inf, "m": 3}) == -np.inf
    q = predicate("other way", symbols.kappa, ">=", k)
    assert q.check({"kappa": np.inf, "k": 0}).verdict is Verdict.HOLDS


def test_undefined_relations_are_refused() -> None:
    p = predicate("ratio", k / r, ">=", m)
    with pytest.raises(InvalidInput, match=r"ratio.*undefined"):
        p.margin({"k": 0, "r": 0, "m": 3})


# ---------------------------------------------------------------------------------------------- verdicts
def test_strictness_decides_ties() -> None:
    tie = {"m": 9, "r": 3, "k": 5, "t": 3}
    assert ROWS.check(tie).verdict is Verdict.HOLDS
    assert TASKS.check(tie).verdict is Verdict.FAILS
    assert (~ROWS).check(tie).verdict is Verdict.FAILS
    assert ROWS.negated().check(tie).verdict is Verdict.FAILS


def test_a_tie_of_irrational_sides_is_undecided_and_never_a_pass() -> None:
    p = predicate("tie", sympy.sqrt(m) ** 2 * sympy.log(d), ">=", sympy.log(d) * t + sympy.sqrt(k) * sympy.sqrt(r) - 1)
    check = p.check({"m": 7, "t": 7, "d": 3, "k": 2, "r": Fraction(1, 2)})
    assert check.verdict is Verdict.UNDECIDED
    assert not check


def test_a_quantity_known_only_within_bounds_leaves_the_verdict_open() -> None:
    p = predicate("noise", sigma, "<=", delta)
    assert p.check({"sigma": (0.1, 0.3), "delta": 0.2}).verdict is Verdict.UNDECIDED
    assert p.check({"sigma": (0.1, 0.3), "delta": 0.35}).verdict is Verdict.HOLDS
    assert p.check({"sigma": (0.25, 0.3), "delta": 0.2}).verdict is Verdict.FAILS


def test_verdicts_follow_kleene() -> None:
    H, F, U = Verdict.HOLDS, Verdict.FAILS, Verdict.UNDECIDED
    assert Verdict.all([H, U]) is U
    assert Verdict.all([F, U]) is F
    assert Verdict.any([H, U]) is H
    assert Verdict.any([F, U]) is U
    assert (~H, ~F, ~U) == (F, H, U)


# ---------------------------------------------------------------------------------------------- algebra
BOTH, EITHER, NEITHER, FOLLOWS = ROWS & TASKS, ROWS | TASKS, ~ROWS, ROWS >> TASKS
NOT_BOTH, SOME_NOT, NOT_OR = ~BOTH, ~ROWS | ~TASKS, ~ROWS | TASKS
SIZES = st.fixed_dictionaries({name: st.integers(1, 60) for name in "mrktd"})


@settings(deadline=None, max_examples=40)
@given(SIZES)
def test_margins_combine_as_min_max_and_minus(point: dict[str, int]) -> None:
    a, b = float(ROWS.margin(point)), float(TASKS.margin(point))
    assert BOTH.margin(point) == min(a, b)
    assert EITHER.margin(point) == max(a, b)
    assert NEITHER.margin(point) == -a
    assert FOLLOWS.margin(point) == max(-a, b)


@settings(deadline=None, max_examples=40)
@given(SIZES)
def test_de_morgan_and_implication_agree_in_verdict(point: dict[str, int]) -> None:
    assert NOT_BOTH.check(point).verdict is SOME_NOT.check(point).verdict
    assert FOLLOWS.check(point).verdict is NOT_OR.check(point).verdict
    truth = {"rows": point["m"] >= point["r"] + point["k"] + 1, "tasks": point["t"] > point["r"]}
    assert bool(BOTH.check(point)) == (truth["rows"] and truth["tasks"])
    assert bool(FOLLOWS.check(point)) == (not truth["rows"] or truth["tasks"])


def test_the_binding_assumption_is_named_through_nesting() -> None:
    third = predicate("third", d, ">=", m)
    both = And("all", (Or("either", (TASKS, ROWS)), third))
    check = both.check({**POINT, "d": 13})
    assert check.binding == "third"
    assert both.check({**POINT, "t": 10, "d": 100}).binding == "tasks"
    assert "binding: third" in str(check)


def test_the_binding_assumption_over_a_sweep() -> None:
    both = ROWS & TASKS
    found = both.binding({"m": np.array([10, 1000]), "t": 8, "r": 3, "k": 5})
    assert found.tolist() == ["rows", "tasks"]


def test_a_condition_met_exactly_does_not_bind() -> None:
    noiseless = predicate("noiseless", sigma, "<=", 0)
    both = And("both", (noiseless, ROWS))
    assert both.check({**POINT, "sigma": 0}).binding == "rows"
    assert both.check({**POINT, "sigma": 0.1}).binding == "noiseless"
    assert both.binding({**POINT, "sigma": np.array([0, 0.1])}).tolist() == ["rows", "noiseless"]


def test_status_of_a_composition_is_that_of_its_weakest_part() -> None:
    assumed = Predicate("assumed", m, ">=", k, "memory", Status.ASSUMED)
    assert (ROWS & assumed).status is Status.ASSUMED
    assert (ROWS & assumed).cite == "test; memory"


# ---------------------------------------------------------------------------------------------- reports
def test_a_report_prints_every_sub_expression() -> None:
    p = predicate("bound", m * t, ">=", k * d * sympy.Max(r, 2) ** 2)
    text = str(p.check({**POINT, "k": 2}))
    for part in ("m = 12", "t = 40", "m*t = 480", "Max(2, r) = 3", "Max(2, r)**2 = 9", "FAILS"):
        assert part in text
    check = p.check(POINT)
    assert isinstance(check, Check)
    assert (check.value, check.bound) == (480, 100 * 5 * 9)
    assert check.ratio == pytest.approx(480 / 4500)


def test_checks_are_plain_values_for_json() -> None:
    check = And("all", (ROWS, predicate("κ", symbols.kappa, "<=", m))).check({**POINT, "kappa": np.inf})
    document = json.loads(json.dumps(check.to_dict(), allow_nan=False))
    assert document["binding"] == "κ"
    assert document["margin"] == "-inf"
    assert [child["name"] for child in document["children"]] == ["rows", "κ"]
    assert [leaf.name for leaf in check.leaves()] == ["rows", "κ"]


# ---------------------------------------------------------------------------------------------- constants
def test_constants_fill_in_and_can_be_replaced() -> None:
    symbol = symbols.constant_symbol("C_test", "C", "constant of the test")
    p = predicate(
        "bound", m, ">=", symbol * k, constants=(Constant("C_test", "larger-is-stronger", 2.0, "calibrated"),)
    )
    assert p.check(POINT).bound == 10
    assert p.check({**POINT, "C_test": 3}).bound == 15
    assert p.with_constants(Constant("C_test", "larger-is-stronger", 4.0, "cited")).check(POINT).bound == 20
    free = p.with_constants(Constant("C_test", "larger-is-stronger"))
    with pytest.raises(InvalidInput, match=r"C_test \(constant of the test\)"):
        free.check(POINT)
    assert (free & ROWS).with_constants(Constant("C_test", "larger-is-stronger", 1.0, "cited")).check(POINT)


def test_a_constant_symbol_needs_its_constant() -> None:
    symbol = symbols.constant_symbol("C_test", "C", "constant of the test")
    with pytest.raises(InvalidInput, match="C_test occurs in 'bound' without a Constant"):
        predicate("bound", m, ">=", symbol * k)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("C_test", "upwards"), "direction: expected"),
        (("C_test", "larger-is-stronger", None, "calibrated"), "needs a value"),
        (("C_test", "larger-is-stronger", -1.0, "cited"), "finite positive"),
        (("C_test", "larger-is-stronger", math.inf, "cited"), "finite positive"),
        (("C_tset", "larger-is-stronger"), "did you mean 'C_test'"),
    ],
)
def test_meaningless_constants_are_refused(arguments: tuple, message: str) -> None:
    symbols.constant_symbol("C_test", "C", "constant of the test")
    with pytest.raises(InvalidInput, match=message):
        Constant(*arguments)


# ---------------------------------------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"r": 3, "k": 5}, r"'rows' needs m \(rows per task"),
        ({"m": -1, "r": 3, "k": 5}, "m: -1 is out of range.*above 0"),
        ({"m": 0, "r": 3, "k": 5}, "m: 0 is out of range"),
        ({"m": [5, 0], "r": 3, "k": 5}, "m: 0 is out of range"),
        ({"m": math.nan, "r": 3, "k": 5}, "m: NaN"),
        ({"m": "many", "r": 3, "k": 5}, "m: expected a number"),
        ({"m": [], "r": 3, "k": 5}, "m: an empty array"),
        ({"m": 9, "r": 3, "k": -5}, "k: -5 is out of range.*at least 0"),
    ],
)
def test_bad_values_are_refused_by_name(values: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        ROWS.margin(values)


def test_quantities_outside_their_domain_are_refused() -> None:
    p = predicate("domain", symbols.kappa, ">=", delta)
    with pytest.raises(InvalidInput, match=r"kappa: 0\.5 is out of range.*at least 1"):
        p.margin({"kappa": 0.5, "delta": 0.1})
    with pytest.raises(InvalidInput, match=r"delta: 2 is out of range.*at most 1"):
        p.margin({"kappa": 1, "delta": 2})


def test_a_check_takes_one_point() -> None:
    with pytest.raises(InvalidInput, match="m: a check is made at one point"):
        ROWS.check({"m": np.array([1, 2]), "r": 1, "k": 1})
    with pytest.raises(InvalidInput, match="is empty"):
        ROWS.check({"m": (9, 8), "r": 1, "k": 1})


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: predicate("p", sympy.Symbol("zz"), ">=", m), "'zz' is not declared"),
        (lambda: predicate("p", sympy.Symbol("kapa"), ">=", m), "did you mean 'kappa'"),
        (lambda: predicate("p", sympy.Symbol("m"), ">=", k), "differs from the declared one"),
        (lambda: predicate("p", sympy.sin(m), ">=", k), "sin is not supported"),
        (lambda: predicate("p", m, "=", k), "relation: expected one of"),
        (lambda: Predicate("p", m, ">=", k, "", Status.DERIVED), "needs a source"),
        (lambda: Predicate("p", m, ">=", k, "here", "derived"), "status: expected theory.Status"),  # type: ignore[arg-type]
        (lambda: And("none", ()), "needs at least one"),
        (lambda: Or("text", ("m >= k",)), "expected predicates, got str"),  # type: ignore[arg-type]
        (lambda: Not("text", "m >= k"), "expected a predicate, got str"),  # type: ignore[arg-type]
        (lambda: symbols.declare("2m", "m", "no identifier"), "not an identifier"),
        (lambda: symbols.declare("m", "m", "something else"), "declared already"),
    ],
)
def test_bad_statements_are_refused(build: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        build()  # type: ignore[operator]


def test_every_declared_symbol_is_documented() -> None:
    for name, quantity in symbols.quantities().items():
        assert quantity.meaning, name
        assert quantity.latex, name
        assert quantity.domain, name


def test_statements_share_one_face() -> None:
    for statement in (ROWS, ROWS & TASKS, ROWS | TASKS, ~ROWS, ROWS >> TASKS):
        assert isinstance(statement, Statement)
        assert statement.quantities == tuple(sorted({q for p in statement.predicates for q in p.quantities}))
        assert statement.check(POINT).formula == statement.formula()
        assert isinstance(statement, Predicate | And | Or | Not | Implies)
