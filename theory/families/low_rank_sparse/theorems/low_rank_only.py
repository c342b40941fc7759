"""k = 0: the alternating minimisation theorems of low-rank multi-task regression."""

from __future__ import annotations

from sympy import Integer, log

from theory.families.low_rank_sparse import assumptions as a
from theory.families.low_rank_sparse.theorems import amht_formal
from theory.language.predicate import And, Predicate
from theory.language.symbols import Constant, Status, constant_symbol, d, delta, k, kappa, m, mu, r, t
from theory.language.theorem import Theorem

ALTMIN = "Thekumparampil, Jain, Netrapalli, Oh, 2021 (AltMin, AltMinGD)"

C_log = constant_symbol("C_log", r"C_{\ln}", "constant of the logarithmic bound on the samples of a task")
C_rank = constant_symbol("C_rank", r"C_{r}", "constant of the bound on all samples, low rank only")

no_sparse_part = Predicate(
    "no sparse part", k, "<=", Integer(0), ALTMIN, Status.QUOTED, meaning="Θ has rank r; there is no b."
)
task_samples = Predicate(
    "samples per task",
    m,
    ">=",
    C_log * log(d),
    ALTMIN,
    Status.QUOTED,
    (Constant("C_log", "larger-is-stronger"),),
    "m = Ω(ln d) per task, from the abstract; a power of r belongs in the constant.",
)
total_samples = Predicate(
    "total samples",
    m * t,
    ">=",
    C_rank * mu * kappa**2 * (d + t) * r**2 * log(d / delta),
    "AltGDmin (Nayer, Vaswani): (d + t) r² log(1/ε); factors of μ and κ as remembered",
    Status.ASSUMED,
    (Constant("C_rank", "larger-is-stronger"),),
    "(d + t) r² up to logarithms; the factors μ and κ² are assumed.",
)

THEOREM = Theorem(
    name="low-rank-only",
    title="Low rank only (k = 0)",
    statement="Without sparse parts, alternating minimisation recovers U at a geometric rate from m = Ω(ln d) samples per task.",
    assumptions=And(
        "assumptions, low rank only",
        (
            a.gaussian_design,
            a.independent_rows,
            a.orthonormal,
            no_sparse_part,
            a.task_diversity,
            a.incoherent_W,
            a.rows_known_support,
            task_samples,
            total_samples,
        ),
    ),
    conclusions=(amht_formal.geometric, amht_formal.contraction),
    source=ALTMIN,
    status=Status.RECONSTRUCTED,
    notes="Constants, and the powers of μ and κ, are not verified against the source.",
)
