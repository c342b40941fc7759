"""What any solver is up against: counting, statistical and polynomial-time yardsticks, as functions that broadcast.

Each closed formula is a sympy expression over the declared quantities, evaluated by NumPy and typeset for the
documentation from the same object. Derived [D] except where a source is named.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import sympy
from scipy import special

from lrs.core.errors import InvalidInput
from lrs.core.family import Family
from lrs.core.registry import import_attribute
from lrs.core.validate import numbers
from theory.language import symbols
from theory.language.readers.arrays import compile_numpy
from theory.language.readers.typeset import expression_latex
from theory.language.symbols import Status, d, k, m, r, sigma, t

#: One value per broadcast entry: a NumPy scalar for scalar arguments.
Values: TypeAlias = np.ndarray | np.float64


@dataclass(frozen=True, eq=False)
class Limit:
    """A formula over declared quantities.

    Attributes
    ----------
    name, meaning, cite : str
    expression : sympy expression
    status : Status
    where : sympy relation
        Where the expression applies; elsewhere the value is infinite (no finite amount is enough).

    Examples
    --------
    >>> float(counting_limit(d=100, r=3, k=5, t=100))
    10.91
    >>> counting_limit.latex
    'k + r + \\\\frac{r \\\\left(d - r\\\\right)}{t}'
    """

    name: str
    expression: sympy.Expr
    meaning: str
    cite: str = "derived"
    status: Status = Status.DERIVED
    where: Any = sympy.true

    @cached_property
    def arguments(self) -> tuple[str, ...]:
        """Names of the quantities it needs."""
        return tuple(sorted(s.name for s in self.expression.free_symbols))

    @cached_property
    def _compiled(self) -> Callable[..., Any]:
        guarded = sympy.Piecewise((self.expression, self.where), (sympy.oo, True))
        return compile_numpy([guarded], list(self.arguments))

    @property
    def latex(self) -> str:
        """The formula as the documentation prints it."""
        return expression_latex(self.expression)

    def __call__(self, **values: Any) -> Values:
        """Evaluate; arguments are numbers or arrays that broadcast.

        Raises
        ------
        InvalidInput
            When a quantity is missing, superfluous or outside its domain.
        """
        missing = [name for name in self.arguments if name not in values]
        if missing:
            raise InvalidInput(
                f"{', '.join(missing)}: missing; the {self.name} is a function of {', '.join(self.arguments)}"
            )
        unknown = [name for name in values if name not in self.arguments]
        if unknown:
            raise InvalidInput(
                f"{', '.join(unknown)}: not part of the {self.name}, a function of {', '.join(self.arguments)}"
            )
        arrays = [
            numbers(name, values[name], zero_allowed=symbols.quantity(name).zero_allowed) for name in self.arguments
        ]
        arrays = list(np.broadcast_arrays(*arrays))
        at = dict(zip(self.arguments, arrays, strict=True))
        for name in ("r", "k"):
            if name in at and "d" in at and np.any(at[name] > at["d"]):
                raise InvalidInput(f"{name}: cannot exceed d")
        with np.errstate(divide="ignore", invalid="ignore"):  # both branches of a case are evaluated, one is used
            out = np.asarray(self._compiled(*arrays)[0], dtype=np.float64)
        return np.broadcast_to(out, arrays[0].shape)[()]


# The maximum makes k ln(d/k) what it tends to at k = 0, namely 0, and changes nothing for k ≥ 1.
_stable_scale = d * r + t * (r + k * sympy.log(d / sympy.Max(k, 1)))

counting_limit = Limit(
    "counting limit",
    r + k + r * (d - r) / t,
    "rows per task below which the equations are fewer than the unknowns of U, W and B, whatever the solver; above d no "
    "number of rows is enough for these",
)
counting_theta = Limit(
    "counting limit for Θ",
    sympy.Min(d, counting_limit.expression),
    "the same for Θ alone: d rows determine a task's θ by themselves, whatever the others",
)
counting_tasks = Limit(
    "counting limit on tasks",
    r * (d - r) / (m - r - k),
    "tasks below which the equations are fewer than the unknowns of U, W and B at m rows per task",
    where=sympy.Gt(m, r + k),
)
stable_scale = Limit(
    "stable scale",
    _stable_scale,
    "total number of rows n₀ at which recovery becomes stable to noise, up to a constant",
)
stable_rows = Limit("stable scale per task", _stable_scale / t, "rows per task that make up n₀")
oracle_risk = Limit(
    "oracle risk",
    sigma**2 * (r + k) / (m - r - k - 1),
    "E‖θ̂ − θ*‖² of a task when U and all supports are known; exact for a Gaussian design",
    where=sympy.Gt(m, r + k + 1),
)
noisy_floor = Limit(
    "noisy floor",
    sigma**2 * _stable_scale / (m * t),
    "order of the smallest achievable (1/t)‖Θ̂ − Θ*‖²_F",
)


# ------------------------------------------------------------------------------------------------ Donoho–Tanner
def _weak_delta(z: Any) -> Any:
    """δ(z) = 2φ(z) / (z + 2(φ(z) − zΦ(−z))), falling from 1 at 0 to 0 at infinity."""
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return 2 * density / (z + 2 * (density - z * special.ndtr(-z)))


def _weak_rho(z: Any) -> Any:
    """ρ(z) = 1 − zΦ(−z)/φ(z), by the scaled error function, which does not underflow."""
    return 1 - z * math.sqrt(math.pi / 2) * special.erfcx(z / math.sqrt(2))


def _solve_z(function: Callable[[Any], Any], target: Any) -> Any:
    """z ≥ 0 where a falling function meets the target, by bisection."""
    low, high = np.zeros(np.shape(target)), np.full(np.shape(target), 37.0)
    for _ in range(80):
        z = (low + high) / 2
        above = function(z) > target
        low, high = np.where(above, z, low), np.where(above, high, z)
    return (low + high) / 2


def donoho_tanner(delta: Any) -> Values:
    """Weak threshold ρ(δ) of ℓ₁ minimisation with a Gaussian design: k/n above it fails, below it succeeds (n = δ d).

    In parametric form for z > 0: δ(z) = 2φ(z)/(z + 2(φ(z) − zΦ(−z))), ρ(z) = 1 − zΦ(−z)/φ(z), with φ and Φ the standard
    normal density and distribution (Donoho & Tanner 2009; Donoho, Maleki & Montanari 2009 for this form).

    Parameters
    ----------
    delta : array_like in (0, 1]
        Undersampling ratio n/d.

    Examples
    --------
    >>> donoho_tanner([0.2, 0.5, 0.8]).round(4).tolist()
    [0.2433, 0.3857, 0.5733]
    """
    delta = numbers("delta", delta, zero_allowed=False)
    if np.any(delta > 1):
        raise InvalidInput(f"delta: expected undersampling ratios in (0, 1], got {delta!r}")
    return np.where(delta == 1, 1.0, _weak_rho(_solve_z(_weak_delta, delta)))[()]


def donoho_tanner_rows(*, d: Any, r: Any, k: Any) -> Values:
    """Rows per task at which ℓ₁ minimisation finds the sparse part once U is known.

    A task with U known is a sparse regression with m − r effective samples, so this is the smallest integer m with
    k/(m − r) ≤ ρ((m − r)/d). The classic polynomial-time yardstick, not a limit: other algorithms may pass it.

    Parameters
    ----------
    d, r, k : array_like
        Dimension, rank and sparsity; they broadcast, k ≤ d.

    Examples
    --------
    >>> int(donoho_tanner_rows(d=100, r=3, k=5))
    24
    """
    d_, r_, k_ = np.broadcast_arrays(
        numbers("d", d, zero_allowed=False),
        numbers("r", r, zero_allowed=True),
        numbers("k", k, zero_allowed=True),
    )
    return (r_ + np.ceil(weak_threshold(d_, k_) - 1e-9))[()]


def weak_threshold(d: np.ndarray, k: np.ndarray) -> np.ndarray:
    """The same with r = 0 as a real number: d δ at which k = d δ ρ(δ)."""
    if np.any(k > d):
        raise InvalidInput("k: cannot exceed d")
    # δρ(δ) rises with δ from 0 to 1, so the threshold meets k/d exactly once.
    share = k / d
    z = _solve_z(lambda z: _weak_delta(z) * _weak_rho(z), share)
    return np.asarray(np.where(k == 0, 0.0, d * np.where(share < 1, _weak_delta(z), 1.0)))


def counting_rows(*, d: Any, r: Any, k: Any, t: Any) -> Values:
    """equations against unknowns of Θ; nothing works below"""
    return np.ceil(counting_theta(d=d, r=r, k=k, t=t) - 1e-9)


def ell_one_rows(*, d: Any, r: Any, k: Any, t: Any) -> Values:
    """ℓ₁ minimisation with U known"""
    return donoho_tanner_rows(d=d, r=r, k=k) + 0 * numbers("t", t, zero_allowed=False)


def stable_scale_rows(*, d: Any, r: Any, k: Any, t: Any) -> Values:
    """n₀/t: the scale of stable and of polynomial-time recovery, up to a constant"""
    return np.ceil(stable_rows(d=d, r=r, k=k, t=t) - 1e-9)


#: Rows per task that each yardstick asks for, as functions of d, r, k and t.
ROWS: Mapping[str, Callable[..., Values]] = {
    "counting limit": counting_rows,
    "Donoho–Tanner": ell_one_rows,
    "stable scale": stable_scale_rows,
}


def of_family(family: Family) -> dict[str, Callable[..., Values]]:
    """What is known to be needed of the nested parameter, by name: functions of the family's quantities, by keyword."""
    return {name: import_attribute(where, "limit") for name, where in family.limits.items()}


def at(limit: Callable[..., Values], quantities: Mapping[str, Any]) -> Values:
    """A limit of a family at these quantities, of which it takes those that it names."""
    parameters = inspect.signature(limit).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return limit(**quantities)
    return limit(**{p.name: quantities[p.name] for p in parameters})


def curves(axis: str, values: Any, **fixed: Any) -> dict[str, Values]:
    """Rows per task that each yardstick asks for, along one axis.

    Parameters
    ----------
    axis : {"d", "r", "k", "t"}
    values : array_like
        Where to evaluate.
    **fixed : float
        The other three quantities.

    Returns
    -------
    dict
        Name of the yardstick → array of whole numbers of rows, shaped like ``values``.

    Examples
    --------
    >>> {name: rows.tolist() for name, rows in curves("t", [100, 1000], d=100, r=3, k=5).items()}
    {'counting limit': [11.0, 9.0], 'Donoho–Tanner': [24.0, 24.0], 'stable scale': [21.0, 19.0]}
    """
    names = ("d", "r", "k", "t")
    if axis not in names:
        raise InvalidInput(f"axis: expected one of {', '.join(names)}, got {axis!r}")
    expected = {name for name in names if name != axis}
    if set(fixed) != expected:
        raise InvalidInput(
            f"fixed: with the axis {axis!r} pass {', '.join(sorted(expected))}, got {', '.join(sorted(fixed))}"
        )
    at = {**fixed, axis: np.asarray(values)}
    return {name: rows(**at) for name, rows in ROWS.items()}
