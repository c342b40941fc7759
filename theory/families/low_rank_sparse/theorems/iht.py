"""Iterative hard thresholding under restricted strong convexity, and its unit-step special case."""

from __future__ import annotations

from typing import Any

from sympy import Integer, Rational

from theory.families.low_rank_sparse import assumptions as a
from theory.families.low_rank_sparse.theorems import amht_formal
from theory.language.predicate import And, Or, Predicate
from theory.language.symbols import Status, eta, k, rho, rip_3k, rsc, rss, s
from theory.language.theorem import Theorem

IHT = "Jain, Tewari, Kar, 2014, as remembered"

#: A step within this share of the theorem's counts as it.
ROUNDING = Rational(1, 10**9)


def _exactly(name: str, step: Any, meaning: str) -> And:
    """step = 1, as two relations."""
    return And(
        name,
        (
            Predicate(f"{name}, no shorter", step, ">=", 1 - ROUNDING, IHT, Status.ASSUMED, meaning=meaning),
            Predicate(f"{name}, no longer", step, "<=", 1 + ROUNDING, IHT, Status.ASSUMED, meaning=meaning),
        ),
    )


convex = Predicate(
    "condition", rsc, "<=", rss, IHT, Status.ASSUMED, meaning="Restricted strong convexity is at most the smoothness."
)
expanded_support = Predicate(
    "expanded support",
    s,
    ">=",
    32 * (rss / rsc) ** 2 * k,
    IHT,
    Status.ASSUMED,
    meaning="Keep s ≥ 32 (L/α)² k entries, more than the true k.",
)
step = _exactly(
    "step 2/(3L)",
    3 * rss * eta / 2,
    "The step is 2/(3L), up to rounding: nothing is said of any other, a shorter one included.",
)
isometry = Predicate(
    "restricted isometry", 2 * rip_3k, "<", Integer(1), IHT, Status.ASSUMED, meaning="Unit step, s = k: 2 δ₃ₖ < 1."
)
unit_step = _exactly("unit step", eta, "The step is 1, up to rounding (δ₃ₖ scales it).")
rate = Predicate(
    "rate of the unit step", rho, "<=", 2 * rip_3k, IHT, Status.ASSUMED, meaning="The error shrinks by 2 δ₃ₖ per step."
)

THEOREM = Theorem(
    name="iht",
    title="Iterative hard thresholding (one task, U known)",
    statement=(
        "Linear convergence with s ≥ 32(L/α)²k kept entries and step exactly 2/(3L); with unit step and s = k when 2δ₃ₖ < 1. "
        "For Gaussian rows and m < d the unit step 1/m diverges at small m, because 2δ₃ₖ ≥ 1 there."
    ),
    assumptions=And(
        "assumptions of IHT",
        (
            a.column_sparse,
            Or(
                "expanded support or isometry",
                (
                    And("expanded support, its step", (convex, expanded_support, step)),
                    And("isometry, unit step", (isometry, unit_step)),
                ),
            ),
        ),
    ),
    conclusions=(amht_formal.geometric, amht_formal.contraction),
    source=IHT,
    status=Status.ASSUMED,
    notes="δ₃ₖ and the restricted constants cannot be computed from data in polynomial time; they are given, never measured.",
)
