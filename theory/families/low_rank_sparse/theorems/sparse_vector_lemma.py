"""The lemma behind the sparse step: supports never grow beyond the truth, and ‖b − b*‖_∞ ≤ 2Δ.

With S = XᵀX/m, c − b* = (I − S)(b − b*) − (v − v*) + (I − S)(v − v*) + Xᵀz/m. Where the two (I − S) terms are at most c₁γ
and c₁β/√k entry-wise and the noise term at most its bound, ‖c − b*‖_∞ ≤ Δ: an entry outside supp b* stays below the
threshold, and one inside moves by at most 2Δ. How many rows that takes depends on what b may depend on, hence two versions;
both are derived, with every constant, in ``docs/theory/proofs.md``.
"""

from __future__ import annotations

from sympy import Integer, Max, Rational, sqrt

from theory.families.low_rank_sparse import assumptions as a
from theory.families.low_rank_sparse import chains
from theory.families.low_rank_sparse.proof_terms import ROWS, union, union_corners
from theory.language.chain import Chain
from theory.language.predicate import And, Predicate
from theory.language.symbols import (
    Status,
    alpha,
    b_inf,
    b_inf_next,
    beta,
    c_1,
    declare,
    false_support,
    gamma,
    k,
    m,
    sigma,
    v_2,
    v_inf,
)
from theory.language.theorem import Theorem

DERIVATION = "derived in docs/theory/proofs from the update of OptimizeSparseVector (read in public code)"

false_before = declare(
    "false_before",
    r"|\operatorname{supp} b\setminus\operatorname{supp} b^{*}|_{\text{before}}",
    "entries of b outside the true support before the step",
    kind="error",
    zero_allowed=True,
    integer=True,
)

#: Largest entry of Xᵀz/m over d coordinates and t tasks.
noise_term = sigma * (sqrt(2 * union / m) + union / m)

#: Δ, the threshold of one inner step. k = 0 leaves no β term; Max keeps the formula defined there.
threshold = alpha + c_1 * (gamma + beta / sqrt(Max(k, 1))) + noise_term

#: Where γ ← 2Δ settles: γ_∞ = 2(α + c₁β/√k + noise)/(1 − 2c₁).
fixed_point = 2 * (alpha + c_1 * beta / sqrt(Max(k, 1)) + noise_term) / (1 - 2 * c_1)

alpha_bounds = Predicate(
    "α bounds v entry-wise", v_inf, "<=", alpha, DERIVATION, Status.DERIVED, meaning="α ≥ ‖v − v*‖_∞."
)
beta_bounds = Predicate("β bounds v", v_2, "<=", beta, DERIVATION, Status.DERIVED, meaning="β ≥ ‖v − v*‖₂.")
gamma_bounds = Predicate(
    "γ bounds b entry-wise", b_inf, "<=", gamma, DERIVATION, Status.DERIVED, meaning="γ ≥ ‖b − b*‖_∞ at the start."
)
contained_before = Predicate(
    "support contained before",
    false_before,
    "<=",
    Integer(0),
    DERIVATION,
    Status.DERIVED,
    meaning="supp b ⊆ supp b* at the start; b = 0 is.",
)
share = Predicate(
    "share below one half", c_1, "<", Rational(1, 2), DERIVATION, Status.DERIVED, meaning="2c₁ is the contraction."
)
samples = Predicate(
    "samples per task",
    m,
    ">=",
    ROWS * Max(k, 1) * union_corners / c_1**2,
    DERIVATION,
    Status.DERIVED,
    meaning="Enough rows for both (I − S) terms at once for every b with supp b ⊆ supp b*: the union is over 2ᵏ corners.",
)
samples_fixed = Predicate(
    "samples per task, b given",
    m,
    ">=",
    ROWS * Max(k, 1) * union / c_1**2,
    DERIVATION,
    Status.DERIVED,
    meaning="Enough rows for both (I − S) terms for one b that does not depend on these rows.",
)
contained = Predicate(
    "support containment", false_support, "<=", Integer(0), DERIVATION, Status.DERIVED, meaning="supp b ⊆ supp b*."
)
two_thresholds = Predicate(
    "entry-wise bound", b_inf_next, "<=", 2 * threshold, DERIVATION, Status.DERIVED, meaning="‖b − b*‖_∞ ≤ 2Δ."
)


def _lemma(name: str, title: str, statement: str, rows: Predicate, notes: str, chain: Chain) -> Theorem:
    premises = (a.gaussian_design, a.column_sparse, alpha_bounds, beta_bounds, gamma_bounds, contained_before, share)
    return Theorem(
        name=name,
        title=title,
        statement=statement,
        assumptions=And("assumptions of the lemma", (*premises, rows)),
        conclusions=(contained, two_thresholds),
        source=DERIVATION,
        status=Status.DERIVED,
        notes=notes,
        region="paper",
        chain=chain,
    )


THEOREM = _lemma(
    "sparse-vector-lemma",
    "OptimizeSparseVector: support containment and the 2Δ bound",
    (
        "With v independent of the rows, α ≥ ‖v−v*‖_∞, β ≥ ‖v−v*‖₂, γ ≥ ‖b−b*‖_∞, supp b ⊆ supp b* and Δ = α + c₁(γ + β/√k), every "
        "inner step on the same rows keeps supp b ⊆ supp b* and ‖b−b*‖_∞ ≤ 2Δ, in all tasks at once with probability at least "
        "1 − δ; with γ ← 2Δ the bound contracts by 2c₁ to γ_∞ = 2(α + c₁β/√k)/(1−2c₁). No lower bound on |b*| is needed."
    ),
    samples,
    (
        "The algorithm is read in public code, where c₁ = ¼. After the first inner step b depends on the rows it is tested on: "
        "the bound is uniform over b, and costs a factor k over that for a given b (sparse-vector-lemma-fixed). A v that was "
        "fitted to the same rows is not covered."
    ),
    chains.EVERY_B,
)
FIXED = _lemma(
    "sparse-vector-lemma-fixed",
    "OptimizeSparseVector: one inner step on fresh rows",
    (
        "With v and b independent of the rows, and α, β, γ, Δ and supp b as in sparse-vector-lemma, one inner step keeps "
        "supp b ⊆ supp b* and ‖b−b*‖_∞ ≤ 2Δ, in all tasks at once with probability at least 1 − δ."
    ),
    samples_fixed,
    "T inner steps need T sets of rows, and δ/T in place of δ; that is still linear in k.",
    chains.GIVEN_B,
)
