"""The readers of one relation agree: NumPy, intervals (two back ends), exact rationals, LaTeX, JSON, z3."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from functools import cache

import mpmath
import numpy as np
import pytest
import sympy

from lrs.core.errors import InvalidInput, MissingExtra
from theory.families.low_rank_sparse import assumptions as a
from theory.language import symbols
from theory.language.predicate import Predicate, Statement
from theory.language.readers import enclosures
from theory.language.symbols import Constant, Quantity, Status
from theory.language.verdict import Verdict
from theory.theorems import available_theorems, load_theorem

#: Every relation of every theorem and every necessary condition, once.
ALL = {
    str(p.to_json()): p
    for statement in (
        *(s for n in available_theorems() for s in (load_theorem(n).assumptions, *load_theorem(n).conclusions)),
        *a.NECESSARY,
        a.separable,
        a.rows_every_b,
    )
    for p in statement.predicates
}
PREDICATES = list(ALL.values())


def rational(rng: np.random.Generator, quantity: Quantity) -> Fraction:
    """A value inside the domain: integers for sizes, small rationals otherwise; ties and zeros are frequent."""
    if quantity.maximum < math.inf:
        return Fraction(int(rng.integers(1, 50)), 50)
    if quantity.zero_allowed and rng.random() < 0.1:
        return Fraction(0)
    if quantity.integer:
        return Fraction(int(rng.integers(1, 13)))
    return max(Fraction(int(rng.integers(1, 60)), int(rng.integers(1, 13))), Fraction(int(quantity.minimum)))


@cache
def _high_precision(index: int) -> tuple[list[str], Callable[..., mpmath.mpf]]:
    p = PREDICATES[index]
    names = list(p.quantities)
    difference = sympy.nsimplify(p.greater - p.smaller, rational=True)
    return names, sympy.lambdify([symbols.quantity(n).symbol for n in names], difference, modules="mpmath")


def exact_verdict(index: int, values: dict[str, Fraction]) -> Verdict | None:
    """By 300-bit floats, independent of the interval code.

    Numbers below 10⁻⁶⁰ count as 0, far above the rounding of 300 bits. None where the relation is undefined.
    """
    p = PREDICATES[index]
    names, difference = _high_precision(index)
    with mpmath.workprec(300):
        try:
            found = difference(*(mpmath.mpf(values[n].numerator) / values[n].denominator for n in names))
        except ZeroDivisionError:
            return None
        if isinstance(found, mpmath.mpc) or not mpmath.isfinite(found):  # a root of what is negative
            return None
        sign = 0 if abs(found) < mpmath.mpf(10) ** -60 else int(mpmath.sign(found))
    return Verdict.HOLDS if sign > 0 or (sign == 0 and not p.strict) else Verdict.FAILS


def contradictions(backend: str, count: int, seed: int) -> tuple[int, Counter[str]]:
    rng = np.random.default_rng([20, seed])
    wrong, seen = 0, Counter[str]()
    while sum(seen.values()) < count:
        index = int(rng.integers(len(PREDICATES)))
        p = PREDICATES[index]
        values = {name: rational(rng, symbols.quantity(name)) for name in p.quantities}
        expected = exact_verdict(index, values)
        if expected is None:
            continue
        found = p.decide(p.enclosure(values, backend=backend))  # type: ignore[arg-type]
        seen[found.value] += 1
        wrong += found not in (expected, Verdict.UNDECIDED)
    return wrong, seen


@pytest.mark.parametrize("backend", ["mpmath", "flint"])
def test_intervals_never_contradict_exact_numbers(backend: str) -> None:
    if backend == "flint":
        pytest.importorskip("flint")
    wrong, seen = contradictions(backend, 600, 1)
    assert wrong == 0
    assert min(seen["HOLDS"], seen["FAILS"]) > 60
    assert seen["UNDECIDED"] < 6


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["mpmath", "flint"])
def test_intervals_never_contradict_exact_numbers_on_ten_thousand(backend: str) -> None:
    if backend == "flint":
        pytest.importorskip("flint")
    wrong, seen = contradictions(backend, 10_000, 2)
    assert wrong == 0
    assert seen["UNDECIDED"] < 100


def test_the_float_margin_lies_in_the_enclosure() -> None:
    rng = np.random.default_rng([20, 3])
    for index, p in enumerate(PREDICATES):
        for _ in range(5):
            values = {name: rational(rng, symbols.quantity(name)) for name in p.quantities}
            if exact_verdict(index, values) is None:
                continue
            box = p.enclosure(values)
            margin = float(p.margin({name: float(v) for name, v in values.items()}))
            assert box.low - 1e-9 <= margin <= box.high + 1e-9, (p.name, values)


@pytest.mark.parametrize("backend", ["mpmath", "flint"])
def test_enclosures_of_wide_boxes_contain_every_margin_inside(backend: str) -> None:
    if backend == "flint":
        pytest.importorskip("flint")
    p = load_theorem("sparse-vector-lemma").conclusions[1]
    rng = np.random.default_rng([20, 4])
    low = {name: 0.1 + rng.random() * 0.4 for name in p.quantities} | {"m": 20, "d": 30, "t": 10, "k": 3}
    high = {name: value * 1.3 for name, value in low.items()}
    box = p.enclosure({name: (low[name], high[name]) for name in low}, backend=backend)  # type: ignore[arg-type]
    for _ in range(200):
        inside = {name: low[name] + rng.random() * (high[name] - low[name]) for name in low}
        assert float(p.margin(inside)) in box
    assert math.isfinite(box.low)
    assert math.isfinite(box.high)


def test_precision_is_restored_and_sharpens() -> None:
    before = mpmath.iv.prec
    p = Predicate("third", symbols.m, ">=", symbols.k / 3 + sympy.sqrt(symbols.r), "test", Status.DERIVED)
    values = {"m": 5, "k": 7, "r": 7}
    coarse, fine = (p.enclosure(values, bits=bits, backend="mpmath") for bits in (20, 64))
    assert mpmath.iv.prec == before
    assert fine.high - fine.low < coarse.high - coarse.low
    assert coarse.low <= fine.low <= fine.high <= coarse.high


def test_a_tie_that_floats_get_wrong_is_decided_exactly() -> None:
    p = Predicate("tie", sympy.Rational(1, 10) * symbols.m * 3, ">=", symbols.k / 10, "test", Status.DERIVED)
    values = {"m": 1, "k": 3}
    assert 0.1 * 3 > 3 / 10
    assert p.check(values).verdict is Verdict.HOLDS
    assert p.negated().check(values).verdict is Verdict.FAILS
    assert p.exact(values) is Verdict.HOLDS


def test_roots_other_than_square_and_real_powers_are_enclosed() -> None:
    p = Predicate(
        "powers",
        symbols.m ** sympy.Rational(2, 3) + sympy.exp(symbols.k) ** symbols.r + sympy.Min(symbols.m, symbols.t),
        ">=",
        symbols.d ** sympy.Rational(-1, 5),
        "test",
        Status.DERIVED,
    )
    values = {"m": 8.0, "k": 1.0, "r": 2.0, "t": 3.0, "d": 32.0}
    expected = math.log(4 + math.e**2 + 3) - math.log(0.5)
    for backend in ("mpmath", "auto"):
        box = p.enclosure(values, backend=backend)  # type: ignore[arg-type]
        assert box.low <= expected <= box.high
        assert box.high - box.low < 1e-12
    assert p.margin(values) == pytest.approx(expected)
    zero = p.enclosure({**values, "m": (0.5, 1.0)}, backend="mpmath")
    assert zero.low > 0


@pytest.mark.usefixtures("unchecked")
def test_a_missing_back_end_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "flint", None)
    enclosures._backend.cache_clear()
    try:
        fresh = Predicate("fresh", symbols.m, ">=", symbols.k, "test", Status.DERIVED)
        assert fresh.enclosure({"m": 3, "k": 2}).low > 0
        with pytest.raises(MissingExtra, match=r"python-flint.*lrs-toolkit\[prove\]"):
            fresh.enclosure({"m": 3, "k": 2}, backend="flint")
    finally:
        enclosures._backend.cache_clear()
    with pytest.raises(InvalidInput, match="backend: expected"):
        fresh.enclosure({"m": 3, "k": 2}, backend="magic")  # type: ignore[arg-type]


def test_z3_is_asked_for_by_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "z3", None)
    with pytest.raises(MissingExtra, match=r"z3-solver.*lrs-toolkit\[prove\]"):
        a.counting.to_z3()


# ---------------------------------------------------------------------------------------------- JSON, LaTeX, z3
STATEMENTS = [*(load_theorem(n).assumptions for n in available_theorems()), *PREDICATES, *a.NECESSARY, ~a.counting]


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda s: s.name)
def test_json_round_trips(statement: Statement) -> None:
    text = json.dumps(statement.to_json(), allow_nan=False)
    assert Statement.from_json(text) == statement
    assert json.dumps(Statement.from_json(json.loads(text)).to_json()) == text


def test_json_keeps_floats_and_rationals_exact() -> None:
    p = Predicate("numbers", symbols.m * 0.1, ">=", symbols.k * sympy.Rational(1, 3), "test", Status.ASSUMED)
    again = Statement.from_json(json.dumps(p.to_json()))
    assert again == p
    assert again.margin({"m": 7, "k": 3}) == p.margin({"m": 7, "k": 3})


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ("not json", "not JSON"),
        ({"kind": "sum"}, "not a statement"),
        ({"kind": "sum", "name": "x"}, "unknown kind"),
        ({**a.counting.to_json(), "lhs": "zz"}, "'zz' is not declared"),
        ({**a.counting.to_json(), "lhs": {"op": "sin", "args": ["m"]}}, "is not a node"),
        ({**a.counting.to_json(), "lhs": True}, "is not a node"),
        ({**a.counting.to_json(), "lhs": "__import__('os')"}, "is not declared"),
        ({**a.counting.to_json(), "status": "proved"}, "not a statement"),
        ({**a.counting.to_json(), "relation": "=="}, "relation: expected"),
    ],
)
def test_damaged_json_is_refused(tree: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        Statement.from_json(tree)


def test_latex_uses_the_declared_names() -> None:
    assert a.counting.latex() == r"m \ge k + r + \frac{r \left(d - r\right)}{t}"
    assert r"\zeta" in a.row_sparse.latex()
    assert (a.counting & a.spanning).latex().count(r"\wedge") == 1
    assert r"\Rightarrow" in a.sparse_free_span.latex()
    assert r"\neg" in (~a.counting).latex()


def test_z3_agrees_with_the_exact_verdict_at_points() -> None:
    z3 = pytest.importorskip("z3")
    from theory.language.readers.smt import Translation

    rng = np.random.default_rng([20, 5])
    tried = 0
    for index, p in enumerate(PREDICATES):
        if (p.lhs - p.rhs).has(sympy.log):
            continue
        values = {name: rational(rng, symbols.quantity(name)) for name in p.quantities}
        expected = exact_verdict(index, values)
        if expected is None:
            continue
        translation = Translation()
        solver = z3.Tactic("qfnra-nlsat").solver()
        solver.add(p.to_z3(translation), *translation.conditions)
        solver.add(*(translation.variables[n] == z3.Q(v.numerator, v.denominator) for n, v in values.items()))
        assert (solver.check() == z3.sat) == (expected is Verdict.HOLDS), p.name
        tried += 1
    assert tried > 30


# ---------------------------------------------------------------------------------------------- speed
def sweep_ratio() -> float:
    """Time of the vectorised margin of the total-samples bound over 10⁶ cells, over the same formula in bare NumPy."""
    rng = np.random.default_rng([20, 6])
    cells = 1_000_000
    values = {n: rng.integers(1, 200, cells).astype(float) for n in ("m", "t", "k", "d", "r")}
    p = a.total_samples.with_constants(Constant("C_total", "larger-is-stronger", 1.5, "cited", "test"))
    m_, t_, k_, d_, r_ = (values[n] for n in ("m", "t", "k", "d", "r"))
    p.margin({n: v[:10] for n, v in values.items()})
    best = [math.inf, math.inf]
    for _ in range(5):
        start = time.process_time()  # of this process: other ones do not count
        bare = np.log(m_ * t_) - np.log(1.5 * k_ * d_ * r_**4)
        middle = time.process_time()
        found = p.margin(values)
        best = [min(best[0], middle - start), min(best[1], time.process_time() - middle)]
    assert np.allclose(found, bare)
    return best[1] / best[0]


def test_a_sweep_costs_at_most_ten_times_bare_numpy() -> None:
    assert sweep_ratio() <= 10
