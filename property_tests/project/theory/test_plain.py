"""Formulas in a line read like mathematics, and a margin has its unit."""

import pytest
import sympy
from sympy import Integer, Max, Rational, log, sqrt

from theory.language.readers.plain import expression, relation
from theory.language.verdict import Check, Verdict
from theory.theorems import available_theorems, load_theorem

C, d, k, k_max, m, r, t, kappa = sympy.symbols("C_total d k k_max m r t kappa", positive=True)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (C * d * k * r**4, "C_total d k r⁴"),
        (Rational(1, 10**9), "10⁻⁹"),
        (Rational(3, 4) * m, "3 m/4"),
        (C * (k + r) * log(d), "C_total (k + r) ln(d)"),
        (sqrt(r) / kappa, "√r/κ"),
        (d * r / t + k - 1, "d r/t + k − 1"),
        (Max(d, k**2), "max(d, k²)"),
        (Integer(-4), "-4"),
        (Rational(10**9 - 1, 10**9), "1 − 10⁻⁹"),
    ],
)
def test_an_expression_reads_like_mathematics(value, text):
    assert expression(value) == text


def test_what_is_compared_with_nothing_is_compared_with_the_other_side():
    assert relation(k_max - k, "≤", 0) == "k_max ≤ k"
    assert relation(m, "≥", C * k) == "m ≥ C_total k"


def test_no_formula_of_a_theorem_is_left_in_the_words_of_a_program():
    for name in available_theorems():
        theorem = load_theorem(name)
        for part in (*theorem.assumptions.parts, *theorem.conclusions):
            assert not set("*") & set(part.words()), part.words()
            assert "000000" not in part.words()


@pytest.mark.parametrize(
    ("margin", "text"), [(0.336, "1.4 × to spare"), (-0.85, "2.3 × short"), (40.0, "ample"), (float("-inf"), "far off")]
)
def test_a_margin_has_a_unit(margin, text):
    assert Check("a", 1.0, 2.0, margin, Verdict.HOLDS if margin > 0 else Verdict.FAILS).amount == text
