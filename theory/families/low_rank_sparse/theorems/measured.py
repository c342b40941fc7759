"""Regions that were measured and not proved, written as theorems: bounds within which solvers recover, as far as tried.

The shapes are those of `theory.families.low_rank_sparse.limits`, of the sparse-vector lemma's union bound, and of the knobs of the generator; every
constant was measured on this toolkit's solvers and is nobody's promise (``docs/verify/strategies.md``). Shares and spreads
are compared as eˣ ≤ e^c, so that the margin of such a bound is their difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy
from sympy import Integer, Max, exp, log

from theory.families.low_rank_sparse import assumptions as a
from theory.families.low_rank_sparse import limits
from theory.families.low_rank_sparse.theorems.amht_informal import exact_recovery
from theory.language.predicate import And, Predicate, Statement
from theory.language.symbols import (
    Constant,
    Direction,
    Status,
    b_size,
    constant_symbol,
    d,
    failing,
    k,
    k_max,
    kappa,
    m,
    r,
    ragged,
    rank_U,
    rank_W,
    repeated,
    row_U,
    t,
    w_spread,
    zeta,
    zeta_least,
)
from theory.language.theorem import Theorem

CITE = "measured, see docs/verify/strategies.md"

C_rows = constant_symbol("C_rows", "C", "measured constant of the rows per task")
C_dimension = constant_symbol("C_dimension", "C_{d}", "measured least d in units of r + k")
C_tasks = constant_symbol("C_tasks", "C_{t}", "measured least t in units of r")
w_spread_0 = constant_symbol("w_spread_0", r"s_0", "measured largest norm spread of w")
row_0 = constant_symbol("row_0", r"u_0", "measured largest squared norm of a row of U")
zeta_0 = constant_symbol("zeta_0", r"\zeta_0", "measured largest row sparsity in units of t/r")
repeated_0 = constant_symbol("repeated_0", r"q_0", "measured largest share of repeated tasks")
b_most = constant_symbol("b_most", r"\bar b", "measured largest size of b")
b_least = constant_symbol("b_least", r"\underline b", "measured smallest size of b")
ragged_0 = constant_symbol("ragged_0", r"\varrho_0", "measured largest raggedness")
failing_0 = constant_symbol("failing_0", r"f_0", "measured largest share of tasks that fail")


def constant(symbol: sympy.Symbol, value: float, direction: Direction = "smaller-is-stronger") -> Constant:
    """A measured value of a constant."""
    return Constant(symbol.name, direction, value, "measured", CITE)


def _bound(name: str, lhs: Any, relation: Any, rhs: Any, meaning: str, *constants: Constant) -> Predicate:
    return Predicate(name, lhs, relation, rhs, CITE, Status.MEASURED, constants, meaning)


def _most(name: str, symbol: sympy.Symbol, limit: sympy.Symbol, value: float, meaning: str) -> Predicate:
    """symbol ≤ limit, by their difference; a limit of 0 needs no constant."""
    if value == 0:
        return _bound(name, exp(symbol), "<=", Integer(1), meaning)
    return _bound(name, exp(symbol), "<=", exp(limit), meaning, constant(limit, value))


def departures(
    *,
    dimension: float = 4.0,
    tasks: float = 5.0,
    condition: float = 100.0,
    spread: float = 1.5,
    row: float = 0.6,
    zeta_share: float = 0.65,
    duplicates: float = 0.25,
    sizes_of_b: tuple[float, float] = (1e-3, 100.0),
    raggedness: float = 0.3,
    share_failing: float = 0.1,
) -> tuple[Statement, ...]:
    """How far each departure from the plain model may go, as predicates; the defaults are the practical region's."""
    least_b, most_b = sizes_of_b
    return (
        _bound(
            "dimension",
            d,
            ">=",
            Max(C_dimension * (rank_U + k_max), 1),
            "Supports are sparse at all.",
            constant(C_dimension, dimension, "larger-is-stronger"),
        ),
        _bound(
            "number of tasks",
            t,
            ">=",
            Max(C_tasks * rank_U, 1),
            "Tasks enough to see the subspace.",
            constant(C_tasks, tasks, "larger-is-stronger"),
        ),
        _bound(
            "condition of W",
            kappa,
            "<=",
            a.kappa_0,
            "The directions of the w are balanced.",
            constant(a.kappa_0, condition),
        ),
        _most("spread of W", w_spread, w_spread_0, spread, "The norms of the w are comparable."),
        _most("incoherence of U", row_U, row_0, row, "No row of U is large."),
        _most("repeated tasks", repeated, repeated_0, duplicates, "Most tasks tell something new about U."),
        And(
            "size of b",
            (
                _bound("largest b", b_size, "<=", b_most, "b does not drown w.", constant(b_most, most_b)),
                _bound(
                    "smallest b",
                    b_size,
                    ">=",
                    b_least,
                    "No theorem asks for it; a solver's stopping rule may.",
                    constant(b_least, least_b, "larger-is-stronger"),
                ),
            ),
        ),
        _most("raggedness", ragged, ragged_0, raggedness, "The smallest task is not much smaller than the largest."),
        _most("tasks that fail", failing, failing_0, share_failing, "The others are still to be recovered."),
        _bound(
            "row sparsity",
            zeta,
            "<=",
            Max(zeta_0 * t / Max(rank_U, 1), zeta_least),
            "A2: no coordinate is used by more than a share of t/r tasks, or than d coordinates force.",
            constant(zeta_0, zeta_share),
        ),
        _bound("task diversity", rank_U - rank_W, "<=", Integer(0), "A1: the w span R^r."),
    )


def measured(name: str, title: str, scale: sympy.Expr, value: float, limits_: Mapping[str, Any]) -> Theorem:
    """A measured region as a theorem: m ≥ C g and bounded departures, recovered as far as was tried."""
    rows = _bound(
        "samples per task",
        m,
        ">=",
        C_rows * scale,
        "Rows of the smallest task.",
        constant(C_rows, value, "larger-is-stronger"),
    )
    return Theorem(
        name=name,
        title=title,
        statement="Within these bounds solvers recovered every problem that was tried; nothing is proved.",
        assumptions=And(f"bounds of the region {name}", (rows, a.gaussian_design, *departures(**limits_))),
        conclusions=(exact_recovery,),
        source=CITE,
        status=Status.MEASURED,
    )


#: r + k ln(e d/k) + d r/t: the stable scale per task, with the price of a support.
SUPPORT_SCALE = limits.stable_rows.expression + k
#: (r + k) ln(d t): the union bound of the sparse-vector lemma.
UNION_SCALE = Max(r + k, 1) * log(d * t)

PRACTICAL = measured("practical", "where the practical solver recovers", SUPPORT_SCALE, 2.0, {})
PAPER = measured(
    "paper",
    "where solvers with the paper's thresholds recover",
    UNION_SCALE,
    12.0,
    {
        "dimension": 12.0,
        "tasks": 60.0,
        "condition": 10.0,
        "spread": 0.25,
        "row": 0.3,
        "zeta_share": 0.25,
        "sizes_of_b": (0.1, 2.0),
        "share_failing": 0.0,
    },
)
