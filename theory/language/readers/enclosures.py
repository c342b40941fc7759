"""The interval and the exact reader: the same printed code run on intervals, balls or fractions.

The printer writes every number as a call (``_q(1, 3)``, never ``1/3``), so that no float rounding creeps in before the
arithmetic of the chosen number type takes over.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, Literal

import mpmath
import sympy
from sympy.printing.pycode import PythonCodePrinter

from lrs.core.errors import InvalidInput, MissingExtra

Backend = Literal["auto", "mpmath", "flint"]


class _Printer(PythonCodePrinter):
    """Every constant and function becomes a call into the number type's namespace."""

    def _print_Integer(self, expr: Any) -> str:
        return f"_q({int(expr)}, 1)"

    def _print_Rational(self, expr: Any) -> str:
        return f"_q({expr.p}, {expr.q})"

    def _print_Float(self, expr: Any) -> str:
        exact = Fraction(float(expr))
        return f"_q({exact.numerator}, {exact.denominator})"

    def _print_Pow(self, expr: Any, rational: bool = False) -> str:
        base, exponent = self._print(expr.base), expr.exp
        if exponent.is_Integer:
            return f"_ipow({base}, {int(exponent)})"
        if exponent.is_Rational:
            return f"_rpow({base}, {exponent.p}, {exponent.q})"
        return f"_exp({self._print(exponent)}*_log({base}))"

    def _print_log(self, expr: Any) -> str:
        return f"_log({self._print(expr.args[0])})"

    def _print_exp(self, expr: Any) -> str:
        return f"_exp({self._print(expr.args[0])})"

    def _print_Max(self, expr: Any) -> str:
        return f"_max({', '.join(self._print(a) for a in expr.args)})"

    def _print_Min(self, expr: Any) -> str:
        return f"_min({', '.join(self._print(a) for a in expr.args)})"


def _compile(expressions: list[sympy.Expr], names: list[str], namespace: dict[str, Any]) -> Callable[..., list[Any]]:
    symbols = {s.name: s for e in expressions for s in e.free_symbols}
    arguments = [symbols.get(name, sympy.Symbol(name)) for name in names]
    printer = _Printer({"fully_qualified_modules": False, "allow_unknown_functions": True})
    return sympy.lambdify(arguments, expressions, modules=[namespace], printer=printer)


@dataclass(frozen=True)
class Enclosure:
    """A closed interval that contains the exact margin; rounded outwards, never across 0."""

    low: float
    high: float

    def __contains__(self, x: float) -> bool:
        return self.low <= x <= self.high

    def __neg__(self) -> Enclosure:
        return Enclosure(-self.high, -self.low)


def _outward(low: Fraction | float, high: Fraction | float, sign_low: int, sign_high: int) -> Enclosure:
    """Floats around [low, high] that keep the signs of the exact end points."""
    a, b = float(low), float(high)
    if not (sign_low == 0 and a == 0):
        a = math.nextafter(a, -math.inf)
    if not (sign_high == 0 and b == 0):
        b = math.nextafter(b, math.inf)
    return Enclosure(max(a, 0.0) if sign_low >= 0 else a, min(b, 0.0) if sign_high <= 0 else b)


# ------------------------------------------------------------------------------------------ number types
class _MpmathIntervals:
    """mpmath.iv, always available."""

    def __init__(self) -> None:
        self.iv = mpmath.iv

    @contextlib.contextmanager
    def precision(self, bits: int) -> Iterator[None]:
        before = self.iv.prec
        self.iv.prec = bits
        try:
            yield
        finally:
            self.iv.prec = before

    def rational(self, p: int, q: int) -> Any:
        return self.iv.mpf(p) if q == 1 else self.iv.mpf(p) / self.iv.mpf(q)

    def between(self, low: Fraction, high: Fraction) -> Any:
        a, b = self.rational(*low.as_integer_ratio()), self.rational(*high.as_integer_ratio())
        return self.iv.mpf([a.a, b.b])

    def log(self, x: Any) -> Any:
        return self.iv.log(x)

    def exp(self, x: Any) -> Any:
        return self.iv.exp(x)

    def integer_power(self, x: Any, n: int) -> Any:
        return x**n

    def rational_power(self, x: Any, p: int, q: int) -> Any:
        # Monotone on x ≥ 0 whatever the exponent, so the end points suffice, and 0 needs no logarithm.
        root = self.iv.sqrt(x) if q == 2 else self._root(x, q)
        return root**p

    def _root(self, x: Any, q: int) -> Any:
        if self.low(x) > 0:
            return self.iv.exp(self.iv.log(x) / q)
        top = self.iv.exp(self.iv.log(self.iv.mpf(x.b)) / q) if self.high(x) > 0 else self.iv.mpf(0)
        return self.iv.mpf([0, top.b])

    def maximum(self, *xs: Any) -> Any:
        return self.iv.mpf([max(x.a for x in xs), max(x.b for x in xs)])

    def minimum(self, *xs: Any) -> Any:
        return self.iv.mpf([min(x.a for x in xs), min(x.b for x in xs)])

    def low(self, x: Any) -> Any:
        return mpmath.mpf(x.a)

    def high(self, x: Any) -> Any:
        return mpmath.mpf(x.b)


class _FlintBalls:
    """python-flint's arb, faster and sharper; the extra ``prove``."""

    def __init__(self) -> None:
        try:
            import flint
        except ImportError:
            raise MissingExtra("python-flint", "prove", "the flint backend of interval enclosures") from None
        self.flint = flint

    @contextlib.contextmanager
    def precision(self, bits: int) -> Iterator[None]:
        before = self.flint.ctx.prec
        self.flint.ctx.prec = bits
        try:
            yield
        finally:
            self.flint.ctx.prec = before

    def rational(self, p: int, q: int) -> Any:
        return self.flint.arb(p) if q == 1 else self.flint.arb(self.flint.fmpq(p, q))

    def between(self, low: Fraction, high: Fraction) -> Any:
        a, b = self.rational(*low.as_integer_ratio()), self.rational(*high.as_integer_ratio())
        return a if low == high else a.union(b)

    def log(self, x: Any) -> Any:
        return x.log()

    def exp(self, x: Any) -> Any:
        return x.exp()

    def integer_power(self, x: Any, n: int) -> Any:
        return x**n

    def rational_power(self, x: Any, p: int, q: int) -> Any:
        if q == 2:
            return x.sqrt() ** p
        return x.root(q) ** p

    def maximum(self, *xs: Any) -> Any:
        out = xs[0]
        for x in xs[1:]:
            out = out.max(x)
        return out

    def minimum(self, *xs: Any) -> Any:
        out = xs[0]
        for x in xs[1:]:
            out = out.min(x)
        return out

    def low(self, x: Any) -> Any:
        return x.lower()

    def high(self, x: Any) -> Any:
        return x.upper()


@lru_cache(maxsize=4)
def _backend(name: Backend) -> Any:
    if name == "auto":
        try:
            return _FlintBalls()
        except MissingExtra:
            return _MpmathIntervals()
    if name == "mpmath":
        return _MpmathIntervals()
    if name == "flint":
        return _FlintBalls()
    raise InvalidInput(f"backend: expected auto, mpmath or flint, got {name!r}")


class IntervalReader:
    """Encloses two sides of a relation and the margin between them."""

    def __init__(self, greater: sympy.Expr, smaller: sympy.Expr, names: list[str], backend: Backend = "auto") -> None:
        self.numbers = _backend(backend)
        n = self.numbers
        namespace = {
            "_q": n.rational,
            "_log": n.log,
            "_exp": n.exp,
            "_ipow": n.integer_power,
            "_rpow": n.rational_power,
            "_max": n.maximum,
            "_min": n.minimum,
        }
        self._sides = _compile([greater, smaller], names, namespace)

    def margin(self, bounds: list[tuple[Fraction, Fraction]], bits: int) -> Enclosure:
        """Enclosure of ln(greater) − ln(smaller), or of (greater − smaller)/max(|greater|, |smaller|)."""
        n = self.numbers
        with n.precision(bits):
            a, b = self._sides(*(n.between(low, high) for low, high in bounds))
            difference = a - b
            low, high = n.low(difference), n.high(difference)
            if not (low <= high):  # NaN: an operation was undefined on this box
                return Enclosure(-math.inf, math.inf)
            sign_low, sign_high = _sign(low), _sign(high)
            if sign_low == 0 and sign_high == 0:
                return Enclosure(0.0, 0.0)
            if n.low(a) > 0 and n.low(b) > 0:
                value = n.log(a) - n.log(b)
            else:
                scale = n.maximum(a, -a, b, -b)
                if not n.low(scale) > 0:  # both sides may vanish: only the sign of the difference is known
                    return Enclosure(-2.0 if sign_low < 0 else 0.0, 2.0 if sign_high > 0 else 0.0)
                value = difference / scale
            # The difference decides the sign: it is exact where the logarithms are not.
            return _outward(float(n.low(value)), float(n.high(value)), sign_low, sign_high)


def _sign(x: Any) -> int:
    return 1 if x > 0 else (-1 if x < 0 else 0)


def _undefined(*_: Any) -> Any:
    raise _NotRational


class _NotRational(Exception):
    pass


def _fraction_power(x: Fraction, n: int) -> Fraction:
    return Fraction(x) ** n


def exact_sign(greater: sympy.Expr, smaller: sympy.Expr, names: list[str], values: list[Fraction]) -> int | None:
    """Sign of greater − smaller in rational arithmetic, None when the relation is not a rational function.

    Raises
    ------
    ZeroDivisionError
        Where a denominator vanishes.
    """
    namespace = {
        "_q": Fraction,
        "_log": _undefined,
        "_exp": _undefined,
        "_ipow": _fraction_power,
        "_rpow": _undefined,
        "_max": max,
        "_min": min,
    }
    try:
        a, b = _compile([greater, smaller], names, namespace)(*values)
    except _NotRational:
        return None
    return _sign(a - b)
