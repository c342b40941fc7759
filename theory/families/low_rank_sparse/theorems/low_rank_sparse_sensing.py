"""Sensing a sum of a low-rank and a sparse matrix under a restricted isometry."""

from __future__ import annotations

from sympy import Integer, Max, Rational, log

from theory.families.low_rank_sparse import assumptions as a
from theory.families.low_rank_sparse.theorems import amht_formal
from theory.language.predicate import And, Predicate
from theory.language.symbols import Constant, Status, constant_symbol, d, k, m, mu, nu, r, rho, rip_3, t
from theory.language.theorem import Theorem

TANNER_VARY = "Tanner, Vary, 2020, as remembered"

C_sensing = constant_symbol("C_sensing", r"c_0", "constant of the number of measurements")

measurements = Predicate(
    "measurements",
    m * t,
    ">=",
    C_sensing * (r * (d + t - r) + k * t) * log(d / Max(k, 1)),
    TANNER_VARY,
    Status.ASSUMED,
    (Constant("C_sensing", "larger-is-stronger"),),
    "O((r(m+n−r) + s) ln(mn/s)) measurements (abstract), here of the t × d matrix Θ with s = k t non-zeros.",
)
incoherence = Predicate(
    "incoherence",
    4 * 9 * 3 * Max(mu, nu) ** 2 * r**2 * k,
    "<",
    d,
    TANNER_VARY,
    Status.ASSUMED,
    meaning="The low-rank part is μ-incoherent with μ < √(mn)/(r√s), here at the orders 3r, 3s, 2μ of Δ₃ and s = k t; both factors "
    "of Θ are max(μ, ν)-incoherent in the notation of A1. Without it no sum of the two kinds has an isometry.",
)
isometry = Predicate(
    "isometry constant",
    rip_3,
    "<",
    Rational(1, 5),
    TANNER_VARY,
    Status.ASSUMED,
    meaning="Δ₃ = Δ_{3r,3s,2μ} < 1/5 over sums of 2μ-incoherent rank-3r and 3s-sparse matrices.",
)
rate = Predicate(
    "rate",
    rho,
    "<=",
    4 * rip_3 / (1 - rip_3),
    TANNER_VARY,
    Status.ASSUMED,
    meaning="NIHT contracts by 4Δ₃/(1 − Δ₃) per step.",
)
positive_rank = Predicate("positive rank", r, ">=", Integer(1), TANNER_VARY, Status.ASSUMED, meaning="r ≥ 1.")

THEOREM = Theorem(
    name="low-rank-sparse-sensing",
    title="Low-rank + sparse sensing under a restricted isometry",
    statement="NIHT recovers an incoherent Θ and contracts by 4Δ₃/(1−Δ₃) per step when Δ₃ = Δ_{3r,3s,2μ} < 1/5.",
    assumptions=And(
        "assumptions of low-rank + sparse sensing",
        (positive_rank, a.gaussian_design, a.column_sparse, a.isometry_possible, incoherence, measurements, isometry),
    ),
    conclusions=(amht_formal.geometric, rate),
    source=TANNER_VARY,
    status=Status.ASSUMED,
    notes=(
        "Multi-task measurements see one row of Θ each: with m < d they annihilate a rank-one matrix, no restricted isometry "
        "holds, and this theorem says nothing. That is why the AMHT-LRS theorem needs incoherence."
    ),
)
