"""How many rows or tasks are needed: the counting limit, the stable scale, ℓ₁, the theorem, and the measured solver.

Every figure comes from the expression that `lrs check` evaluates: a theorem's bounds are solved for m or t symbolically.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sympy

from lrs.errors import InvalidInput
from theory import limits, symbols
from theory.predicate import Predicate
from theory.symbols import Constant
from theory.theorems import load_theorem

#: Tasks at which `lrs plan` tabulates the rows when neither t nor m is given.
DEFAULT_TASKS = (10, 30, 100, 300, 1000, 3000, 10_000)

#: The theorem whose bounds are planned with.
THEOREM = "amht-informal"


@dataclass(frozen=True)
class Requirement:
    """What one source asks for.

    Attributes
    ----------
    source : str
    amount : float
        Whole number of rows per task or of tasks; inf when no number is enough.
    kind : {"limit", "yardstick", "theorem", "measured"}
    note : str
        Formula, constants and what the figure means.
    """

    source: str
    amount: float
    kind: str
    note: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        amount: int | str = int(self.amount) if math.isfinite(self.amount) else "inf"
        return {"source": self.source, "amount": amount, "kind": self.kind, "note": self.note}


def needed(predicate: Predicate, symbol: sympy.Symbol) -> sympy.Expr | None:
    """The smallest value of ``symbol`` that a bound proportional to it allows, as an expression; None where it is absent.

    Raises
    ------
    InvalidInput
        When the bound is not of the form symbol · g ≥ h.
    """
    if symbol not in predicate.lhs.free_symbols | predicate.rhs.free_symbols:
        return None
    factor = sympy.cancel(predicate.greater / symbol)
    if factor.has(symbol) or predicate.smaller.has(symbol):
        raise InvalidInput(f"{symbol}: the bound {predicate.formula()} cannot be solved for it")
    return predicate.smaller / factor


def _whole(values: Any) -> np.ndarray:
    """Rounded up, with 1e-9 of slack for rounding errors."""
    return np.ceil(np.asarray(values, dtype=np.float64) - 1e-9)


def _validate(**sizes: Any) -> None:
    for name, value in sizes.items():
        quantity = symbols.quantity(name)
        array = np.asarray(value, dtype=np.float64)
        if np.any(~(array >= (0 if quantity.zero_allowed else 1))) or np.any(array != np.round(array)):
            least = 0 if quantity.zero_allowed else 1
            raise InvalidInput(f"{name}: expected a whole number of at least {least}, got {value}")
    if sizes["r"] > sizes["d"] or sizes["k"] > sizes["d"]:
        raise InvalidInput(f"r, k: {sizes['r']} and {sizes['k']} cannot exceed d = {sizes['d']}")


def _bounds() -> tuple[Predicate, ...]:
    """The sample bounds of the theorem: those with a free or calibrated constant."""
    parts = load_theorem(THEOREM).assumptions.parts
    return tuple(p for p in parts if isinstance(p, Predicate) and any(c.name.startswith("C_") for c in p.constants))


def _evaluate(expression: sympy.Expr, values: Mapping[str, Any]) -> np.ndarray:
    names = sorted(s.name for s in expression.free_symbols)
    compiled = sympy.lambdify([symbols.quantity(n).symbol for n in names], expression, modules="numpy")
    return np.asarray(compiled(*(np.asarray(values[n], dtype=np.float64) for n in names)), dtype=np.float64)


def theorem_rows(constants: Mapping[str, Constant], **values: Any) -> np.ndarray:
    """Rows per task that all bounds of the theorem ask for together."""
    point = {**values, **{name: c.value for name, c in constants.items()}}
    needs = [needed(p, symbols.m) for p in _bounds()]
    found = [_evaluate(e, point) for e in needs if e is not None]
    return _whole(np.maximum.reduce(np.broadcast_arrays(*found)))


def theorem_tasks(constants: Mapping[str, Constant], **values: Any) -> np.ndarray:
    """Tasks that the bounds ask for at m rows per task; inf where a bound without t fails at that m."""
    point = {**values, **{name: c.value for name, c in constants.items()}}
    out: np.ndarray = np.asarray(1.0)
    for p in _bounds():
        need = needed(p, symbols.t)
        out = np.maximum(out, np.where(p.margin(point) >= 0, 1.0, np.inf) if need is None else _evaluate(need, point))
    return _whole(out)
