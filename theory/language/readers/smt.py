"""The z3 reader (extra ``prove``): the same expression as a real-arithmetic formula.

The logarithm is an uninterpreted function with a few true axioms, in Ackermann's form: one fresh number per argument,
and the axioms stated for those arguments, which keeps the formulas inside real arithmetic. A root is a fresh
non-negative number whose power is the radicand, Max and Min are If. Everything stated about them is true of the real
functions, so what z3 proves here holds; what it refutes may be an artefact of the few axioms, and is checked on the
numbers, and the axioms sharpened there, before it is reported (`theory.prove.relations`).
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import mpmath
import sympy

from lrs.core.errors import InvalidInput, MissingExtra
from theory.language import symbols


def z3_module() -> Any:
    """The z3 package, or an error that names the extra to install."""
    try:
        import z3
    except ImportError:
        raise MissingExtra("z3-solver", "prove", "machine-checked relations") from None
    return z3


class Translation:
    """Shared variables of several formulas, and the side conditions they rest on.

    Attributes
    ----------
    variables : dict of str to z3 real
        One per quantity that occurred.
    conditions : list of z3 formulas
        Domains of the variables, definitions of the roots, and instances of the axioms of the logarithm.
    logarithms : list of (z3 term, z3 real)
        Arguments and the numbers that stand for their logarithms.
    """

    def __init__(self) -> None:
        self.z3 = z3_module()
        self.variables: dict[str, Any] = {}
        self.conditions: list[Any] = []
        self.logarithms: list[tuple[Any, Any]] = []
        self._roots: dict[tuple[str, int], Any] = {}

    def variable(self, name: str) -> Any:
        """The real variable of a declared quantity; its domain joins the conditions."""
        if name not in self.variables:
            quantity = symbols.quantity(name)
            v = self.z3.Real(name)
            self.variables[name] = v
            if quantity.minimum > 0:
                self.conditions.append(v >= self._number(sympy.Rational(str(quantity.minimum))))
            else:
                self.conditions.append(v >= 0 if quantity.zero_allowed else v > 0)
            if quantity.maximum < math.inf:
                self.conditions.append(v <= self._number(sympy.Rational(str(quantity.maximum))))
        return self.variables[name]

    def _number(self, q: Any) -> Any:
        return self.z3.Q(int(q.p), int(q.q))

    def term(self, e: sympy.Expr) -> Any:
        """An expression as a z3 term."""
        z3 = self.z3
        if e.is_Symbol:
            return self.variable(e.name)
        if e.is_Rational:
            return self._number(e)
        if e.is_Float:
            return self._number(sympy.Rational(float(e)))
        if e.func is sympy.Add:
            return z3.Sum([self.term(a) for a in e.args])
        if e.func is sympy.Mul:
            above, below = sympy.fraction(e)
            if below != 1:
                return self.term(above) / self.term(below)
            out = self.term(e.args[0])
            for a in e.args[1:]:
                out = out * self.term(a)
            return out
        if e.func is sympy.Pow:
            return self._power(e)
        if e.func is sympy.log:
            return self._logarithm(self.term(e.args[0]))
        if e.func in (sympy.Max, sympy.Min):
            out = self.term(e.args[0])
            for a in e.args[1:]:
                other = self.term(a)
                out = z3.If(out >= other, out, other) if e.func is sympy.Max else z3.If(out <= other, out, other)
            return out
        raise InvalidInput(f"expression: {e.func.__name__} has no SMT form; use +, ×, powers, log, Max or Min")

    def _power(self, e: Any) -> Any:
        base, exponent = e.base, e.exp
        if not exponent.is_Rational:
            raise InvalidInput(f"expression: the exponent of {e} is not a number; SMT knows rational powers only")
        p, q = int(exponent.p), int(exponent.q)
        x = self.term(base) if q == 1 else self._root(base, q)
        out = x
        for _ in range(abs(p) - 1):
            out = out * x
        return out if p > 0 else self.z3.RealVal(1) / out

    def _root(self, base: sympy.Expr, q: int) -> Any:
        key = (sympy.srepr(base), q)
        if key not in self._roots:
            x, root = self.term(base), self.z3.FreshReal("root")
            product = root
            for _ in range(q - 1):
                product = product * root
            self.conditions += [root >= 0, product == x, self.z3.Implies(x > 0, root > 0)]
            self._roots[key] = root
        return self._roots[key]

    def _logarithm(self, x: Any) -> Any:
        """ln x with 1 − 1/x ≤ ln x ≤ x − 1 and its sign; against every other logarithm, monotonicity and (ln x)/x."""
        z3 = self.z3
        x = z3.simplify(x)
        for known, value in self.logarithms:
            if z3.eq(x, known):
                return value
        value = z3.FreshReal("ln")
        positive = x > 0
        self.conditions += [
            z3.Implies(positive, z3.And(value <= x - 1, value * x >= x - 1)),
            z3.Implies(x > 1, value > 0),
            z3.Implies(x == 1, value == 0),
        ]
        for known, other in self.logarithms:
            both = z3.And(positive, known > 0)
            self.conditions += [
                z3.Implies(z3.And(both, x > known), value > other),
                z3.Implies(z3.And(both, x < known), value < other),
                z3.Implies(z3.And(both, x == known), value == other),
                # (ln x)/x falls beyond e < 3
                z3.Implies(z3.And(known >= 3, x >= known), value * known <= other * x),
                z3.Implies(z3.And(x >= 3, known >= x), other * x <= value * known),
            ]
        self.logarithms.append((x, value))
        return value

    def sharpen(self, index: int, at: Fraction) -> None:
        """Two more true facts about one logarithm, tight near a point: its tangent, and that of −ln(1/x)."""
        z3, (x, value) = self.z3, self.logarithms[index]
        low, high = _log_bounds(at)
        point = z3.Q(at.numerator, at.denominator)
        below, above = z3.Q(low.numerator, low.denominator), z3.Q(high.numerator, high.denominator)
        self.conditions += [
            z3.Implies(x > 0, value <= above + (x - point) / point),
            z3.Implies(x > 0, value * x >= below * x + x - point),
        ]

    def relation(self, lhs: sympy.Expr, relation: str, rhs: sympy.Expr) -> Any:
        """A relation as a z3 formula."""
        a, b = self.term(lhs), self.term(rhs)
        return {">=": a >= b, ">": a > b, "<=": a <= b, "<": a < b}[relation]


def _log_bounds(x: Fraction) -> tuple[Fraction, Fraction]:
    """Rationals below and above ln x, 2⁻³² apart or less for moderate x."""
    value = mpmath.iv.log(mpmath.iv.mpf(x.numerator) / mpmath.iv.mpf(x.denominator))
    step = Fraction(1, 2**32)
    low, high = (Fraction(float(mpmath.mpf(end))) for end in (value.a, value.b))
    return (low // step) * step - step, -((-high) // step) * step + step
