"""The fully observed limit m ≥ d: Θ itself is known, and is split by alternating projections."""

from __future__ import annotations

from sympy import Max

from theory.families.low_rank_sparse import assumptions as a
from theory.families.low_rank_sparse.theorems import amht_formal
from theory.language.predicate import And, Predicate
from theory.language.symbols import Constant, Status, constant_symbol, d, k, m, mu, nu, r, t, zeta
from theory.language.theorem import Theorem

ALTPROJ = "Netrapalli, Niranjan, Sanghavi, Anandkumar, Jain, 2014 (AltProj), as remembered"

C_corrupt = constant_symbol("C_corrupt", r"C_{S}", "constant of the corruption bound")

observed = Predicate(
    "Θ observed", m, ">=", d, "m ≥ d noiseless Gaussian rows determine every θ", Status.DERIVED, meaning="m ≥ d."
)
corruption = Predicate(
    "corruption",
    C_corrupt * Max(mu, nu) * r * Max(k / d, zeta / t),
    "<=",
    1,
    ALTPROJ,
    Status.ASSUMED,
    (Constant("C_corrupt", "larger-is-stronger", 512.0, "cited", ALTPROJ),),
    "At most a share 1/(512 μ² r) of each row and column of Θ is corrupted. The incoherence μ² of both factors is at "
    "most max(μ, ν) in the notation of A1.",
)
positive_rank = Predicate("positive rank", r, ">=", 1, ALTPROJ, Status.ASSUMED, meaning="r ≥ 1.")

THEOREM = Theorem(
    name="robust-pca",
    title="Robust PCA (the limit m ≥ d)",
    statement="When Θ is observed, alternating projections split it in O(log 1/ε) steps of O(r² d t).",
    assumptions=And(
        "assumptions of robust PCA",
        (positive_rank, a.orthonormal, a.noiseless, a.task_diversity, observed, corruption),
    ),
    conclusions=(amht_formal.geometric, amht_formal.contraction),
    source=ALTPROJ,
    status=Status.ASSUMED,
    notes="The matching axis for comparisons is max(k/d, ζ/t).",
)
