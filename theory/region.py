"""The region where a theorem promises something: its own assumptions, with constants, read as bounds on quantities.

Depth, rows and exponents are all taken from the predicates that ``lrs check`` evaluates; no bound is written twice. A
region that was only measured is one more `Theorem`, of status *measured* (`theory.families.low_rank_sparse.theorems.measured`). Nothing here knows
a model: points are mappings of declared quantities to values.

>>> from theory.theorems import load_theorem
>>> theorem = load_theorem("amht-informal")
>>> ones = [Constant(name, "larger-is-stronger", 1.0, "cited", "an example") for name in ("C_task", "C_total")]
>>> region = TheoremRegion(theorem, tuple(ones))
>>> int(region.rows(t=100, d=50, r=2, k=3))
24
>>> region.depth({"t": 100, "m": 12, "d": 50, "r": 2, "k": 3}).binding
'total samples'
>>> region.exponents()["r"]
(4, 0, 3)
>>> region.exponents_at({"t": 100, "d": 50, "r": 2, "k": 3})["r"]
(4.0, 4.0)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np
import sympy

from lrs.core.errors import InvalidInput
from theory.language import symbols
from theory.language.depth import ROWS_ROUNDING, Depth
from theory.language.predicate import And, Implies, Not, Or, Predicate, Statement
from theory.language.readers.arrays import compile_numpy
from theory.language.symbols import Constant, Status
from theory.language.theorem import Theorem

#: Relative difference up to which two branches of a maximum are both active.
_TIE = 1e-12


# ---------------------------------------------------------------------------------------------- solving a bound
def needed(predicate: Predicate, symbol: sympy.Symbol, *, largest: bool = False) -> sympy.Expr | None:
    """The smallest value of ``symbol`` that a bound allows, as an expression; None where it is absent.

    With ``largest``, the largest value that it allows.

    Raises
    ------
    InvalidInput
        When the bound is not of the form symbol · g ≥ h (with ``largest``: symbol · g ≤ h).
    """
    if symbol not in predicate.lhs.free_symbols | predicate.rhs.free_symbols:
        return None
    side, other = predicate.greater, predicate.smaller
    if largest:
        side, other = other, side
    factor = sympy.cancel(side / symbol)
    if factor.has(symbol) or other.has(symbol):
        raise InvalidInput(f"{symbol}: the bound {predicate.formula()} cannot be solved for it")
    return other / factor


class _Solution(NamedTuple):
    """A bound solved for a quantity: names of the others, and the function of them."""

    names: tuple[str, ...]
    function: Callable[..., Any]


@cache
def _solved(predicate: Predicate, name: str, largest: bool) -> _Solution:
    expression = needed(predicate, symbols.quantity(name).symbol, largest=largest)
    assert expression is not None
    names = tuple(sorted(s.name for s in expression.free_symbols))
    return _Solution(names, compile_numpy([expression], list(names)))


def _conjuncts(statement: Statement) -> Iterator[Predicate]:
    """The single relations that hold whenever a statement does."""
    if isinstance(statement, Predicate):
        yield statement
    elif isinstance(statement, And):
        for part in statement.parts:
            yield from _conjuncts(part)


def margin(statement: Statement, values: Mapping[str, Any]) -> float:
    """ln greater − ln smaller, ±∞ where a side is not positive: what has no ratio is kept or broken, by no amount."""
    match statement:
        case And():
            return min(margin(part, values) for part in statement.parts)
        case Or():
            return max(margin(part, values) for part in statement.parts)
        case Not():
            return -margin(statement.part, values)
        case Implies():
            return max(-margin(statement.premise, values), margin(statement.conclusion, values))
    assert isinstance(statement, Predicate)
    lhs, rhs = (float(side) for side in statement.sides(values))
    out = float(statement.margin(values))
    if out == 0 and statement.strict:
        return math.nextafter(0.0, -1.0)  # equality fails it
    return out if lhs > 0 and rhs > 0 else math.copysign(math.inf, out)


# ---------------------------------------------------------------------------------------------- exponents
def branches(expression: sympy.Expr, at: Mapping[str, float] | None = None) -> tuple[sympy.Expr, ...]:
    """What an expression is where each of its maxima (and minima) is one of its arguments; ``at`` a point, there."""
    nodes = [n for n in sympy.postorder_traversal(expression) if isinstance(n, sympy.Max | sympy.Min)]
    if not nodes:
        return (expression,)
    node = nodes[0]  # innermost
    arguments = list(node.args)
    if at is not None:
        found = [_number(a, at) for a in arguments]
        best = (max if isinstance(node, sympy.Max) else min)(found)
        arguments = [a for a, x in zip(arguments, found, strict=True) if math.isclose(x, best, rel_tol=_TIE)]
    every = (b for a in arguments for b in branches(expression.xreplace({node: a}), at))
    return tuple(dict.fromkeys(every))


def logarithmic_derivative(expression: sympy.Expr, symbol: sympy.Symbol) -> sympy.Expr:
    """d ln(expression) / d ln(symbol): the exponent, where the expression is a power of the symbol."""
    return sympy.simplify(symbol * sympy.diff(expression, symbol) / expression)


def _number(expression: sympy.Expr, at: Mapping[str, float]) -> float:
    return float(expression.subs({s: at[s.name] for s in expression.free_symbols}))


# ---------------------------------------------------------------------------------------------- regions
@dataclass(frozen=True, repr=False)
class TheoremRegion:
    """Where the assumptions of a theorem hold, with these constants.

    Parameters
    ----------
    theorem : Theorem
        Of a source, or of status *measured*.
    constants : tuple of Constant
        Values of constants that the theorem leaves free; others of the tuple are not looked at.
    also : tuple of Statement
        Bounds on what the theorem does not speak of (that were measured, say); names of their own.
    without : tuple of str
        Names of assumptions that are left to whoever asks (a claim that adds noise on purpose).

    Raises
    ------
    InvalidInput
        When two assumptions have one name, or ``without`` names none.
    """

    theorem: Theorem
    constants: tuple[Constant, ...] = ()
    also: tuple[Statement, ...] = ()
    without: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [p.name for p in (*self.theorem.assumptions.parts, *self.also)]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise InvalidInput(f"also: {self.theorem.name} has two assumptions named {twice[0]!r}; rename one")
        for name in self.without:
            if name not in names:
                raise InvalidInput(
                    f"without: {self.theorem.name} has no assumption {name!r}; it has {', '.join(names)}"
                )

    @property
    def name(self) -> str:
        return self.theorem.name

    @property
    def label(self) -> str:
        """Whose region it is: the theorem's, by its status and that of its constants, or only measured."""
        if self.theorem.status is Status.MEASURED:
            return Status.MEASURED.value
        states = sorted({f"{c.status} constants" for p in self._own for c in p.constants if c.status != "cited"})
        other = [f"other bounds {s.value}" for s in Status if any(p.status is s for p in self.also)]
        return ", ".join([f"the theorem's ({self.theorem.status.value})", *states, *other])

    @cached_property
    def _own(self) -> tuple[Statement, ...]:
        kept = (p for p in self.theorem.assumptions.parts if p.name not in self.without)
        return tuple(p.with_constants(*self.constants) for p in kept)

    @cached_property
    def assumptions(self) -> tuple[Statement, ...]:
        """Every bound with its constants, named as in the theorem."""
        return (*self._own, *(p.with_constants(*self.constants) for p in self.also if p.name not in self.without))

    @cached_property
    def values(self) -> Mapping[str, float]:
        """Constants that have a value, by name."""
        return {c.name: c.value for p in self.assumptions for c in p.constants if c.value is not None}

    def __repr__(self) -> str:
        """Everything the region depends on, and no address: evidence is filed under it."""
        bounds = "; ".join(f"{p.name}: {p.formula()}" for p in self.assumptions)
        constants = ", ".join(f"{n}={v!r}" for n, v in sorted(self.values.items()))
        return f"{type(self).__name__}({self.name!r}, {self.label}; {bounds}; {constants})"

    # ------------------------------------------------------------------ depth
    def unknown(self, quantities: Mapping[str, Any]) -> tuple[str, ...]:
        """Names of the assumptions that cannot be evaluated, because a quantity is not given."""
        given = self._given(quantities)
        return tuple(p.name for p in self.assumptions if not given.issuperset(p.quantities))

    def _given(self, quantities: Mapping[str, Any]) -> set[str]:
        return {n for n in quantities if quantities[n] is not None} | set(self.values)

    def depth(self, quantities: Mapping[str, Any]) -> Depth:
        """Margin of every assumption that can be evaluated; the smallest decides.

        An assumption of the form yes or no has the margin −∞ when it is broken and is not listed when it holds.
        """
        unknown = self.unknown(quantities)
        found = {p.name: margin(p, quantities) for p in self.assumptions if p.name not in unknown}
        parts = {name: value for name, value in found.items() if value < math.inf}
        return Depth(min(parts.values(), default=math.inf), parts)

    # ------------------------------------------------------------------ solved for one quantity
    def bounds(self, name: str) -> Iterator[Predicate]:
        """The assumptions that speak of a quantity."""
        return (p for s in self.assumptions for p in _conjuncts(s) if name in p.quantities)

    def limit(
        self, name: str, quantities: Mapping[str, Any], *, largest: bool = False, partial: bool = False
    ) -> np.ndarray:
        """The smallest value of a quantity (``largest``: the largest) that the bounds allow; a real number.

        Parameters
        ----------
        quantities : mapping of str to number or array
            The others; arrays broadcast.
        partial : bool
            Leave out the bounds that speak of quantities not given (yet).

        Raises
        ------
        InvalidInput
            When a bound cannot be solved, a quantity is missing, or nothing bounds this one.
        """
        point, given = {**quantities, **self.values}, self._given(quantities) | {name}
        found = []
        for p in self.bounds(name):
            missing = [q for q in p.quantities if q not in given]
            if missing and partial:
                continue
            names, function = _solved(p, name, largest)
            if missing:
                raise InvalidInput(f"{', '.join(missing)}: missing; {p.name} of {self.name} needs it: {p.formula()}")
            found.append(np.asarray(function(*(np.asarray(point[n], dtype=np.float64) for n in names))[0]))
        if not found:
            raise InvalidInput(f"{name}: nothing in {self.name} bounds it")
        reduce = np.minimum if largest else np.maximum
        return np.asarray(reduce.reduce(np.broadcast_arrays(*found)), dtype=np.float64)

    def rows(self, *, slack: float = 0.0, **quantities: Any) -> np.ndarray:
        """Fewest rows per task, a whole number, that keep every bound on m with a margin of ``slack``."""
        return whole(self.limit("m", quantities) * math.exp(slack))

    def tasks(self, **quantities: Any) -> np.ndarray:
        """Fewest tasks that keep the bounds at m rows per task; inf where a bound on m without t fails."""
        out = np.maximum(1.0, self.limit("t", quantities))
        for p in self.bounds("m"):
            if "t" not in p.quantities:
                out = np.where(p.margin(quantities) >= 0, out, np.inf)
        return whole(out)

    # ------------------------------------------------------------------ exponents
    def _bounds_of(self, name: str) -> Iterator[sympy.Expr]:
        for p in self.bounds(name):
            expression = needed(p, symbols.quantity(name).symbol)
            assert expression is not None
            yield expression

    def exponents(self, name: str = "m") -> dict[str, tuple[sympy.Expr, ...]]:
        """How the bound on a quantity grows: d ln(bound)/d ln(parameter), one formula for every branch of the maximum."""
        every = [b for e in self._bounds_of(name) for b in branches(e)]
        return {p.name: tuple(dict.fromkeys(logarithmic_derivative(b, p) for b in every)) for p in _parameters(every)}

    def exponents_at(self, quantities: Mapping[str, float], name: str = "m") -> dict[str, tuple[float, float]]:
        """Smallest and largest exponent at a point: equal where one branch is active, an interval where several are."""
        point = {**quantities, **self.values}
        bounds = [(_number(e, point), e) for e in self._bounds_of(name)]
        most = max(value for value, _ in bounds)
        active = [b for v, e in bounds if math.isclose(v, most, rel_tol=_TIE) for b in branches(e, point)]
        out = {}
        for p in _parameters([e for _, e in bounds]):
            found = [_number(logarithmic_derivative(b, p), point) for b in active]
            out[p.name] = (min(found), max(found))
        return out


def _parameters(expressions: list[sympy.Expr]) -> list[sympy.Symbol]:
    """The quantities of some expressions that are no constants, by name."""
    every = {s for e in expressions for s in e.free_symbols if symbols.quantity(s.name).kind != "constant"}
    return sorted(every, key=lambda s: s.name)


def whole(values: Any) -> np.ndarray:
    """Rounded up, except for what `ROWS_ROUNDING` explains."""
    return np.asarray(np.ceil(np.asarray(values, dtype=np.float64) - ROWS_ROUNDING))
