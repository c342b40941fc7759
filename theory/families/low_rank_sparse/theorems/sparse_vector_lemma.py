"""The lemma behind the sparse step: supports never grow beyond the truth, and ‖b − b*‖_∞ ≤ 2Δ.

With S = XᵀX/m, c − b* = (I − S)(b − b*) − (v − v*) + (I − S)(v − v*) + Xᵀz/m. When m ≥ C k ln(dt/δ)/c₁² the two (I − S)
terms are at most c₁γ and c₁β/√k entry-wise, and the noise term at most σ√(2 ln(2dt/δ)/m), so ‖c − b*‖_∞ ≤ Δ: an entry
outside supp b* stays below the threshold, and one inside moves by at most 2Δ.
"""

from __future__ import annotations

from sympy import Integer, Max, Rational, log, sqrt

from theory.families.low_rank_sparse import assumptions as a
from theory.language.predicate import And, Predicate
from theory.language.symbols import (
    Constant,
    Status,
    alpha,
    b_inf,
    b_inf_next,
    beta,
    c_1,
    constant_symbol,
    d,
    delta,
    false_support,
    gamma,
    k,
    m,
    sigma,
    t,
    v_2,
    v_inf,
)
from theory.language.theorem import Theorem

DERIVATION = "derived in this file from the update of OptimizeSparseVector (read in public code)"

C_lemma = constant_symbol("C_lemma", r"C_{b}", "constant of the sample bound of the sparse step")

#: Largest entry of Xᵀz/m over d coordinates and t tasks, with probability 1 − δ.
noise_term = sigma * sqrt(2 * log(2 * d * t / delta) / m)

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
share = Predicate(
    "share below one half", c_1, "<", Rational(1, 2), DERIVATION, Status.DERIVED, meaning="2c₁ is the contraction."
)
samples = Predicate(
    "samples per task",
    m,
    ">=",
    C_lemma * k * log(d * t / delta) / c_1**2,
    DERIVATION,
    Status.DERIVED,
    (Constant("C_lemma", "larger-is-stronger"),),
    "Enough rows for the two (I − S) terms to be small in every entry, by a union bound over d t entries.",
)
contained = Predicate(
    "support containment", false_support, "<=", Integer(0), DERIVATION, Status.DERIVED, meaning="supp b ⊆ supp b*."
)
two_thresholds = Predicate(
    "entry-wise bound", b_inf_next, "<=", 2 * threshold, DERIVATION, Status.DERIVED, meaning="‖b − b*‖_∞ ≤ 2Δ."
)

THEOREM = Theorem(
    name="sparse-vector-lemma",
    title="OptimizeSparseVector: support containment and the 2Δ bound",
    statement=(
        "With α ≥ ‖v−v*‖_∞, β ≥ ‖v−v*‖₂, γ ≥ ‖b−b*‖_∞ and Δ = α + c₁(γ + β/√k), every inner step keeps supp b ⊆ supp b* and "
        "‖b−b*‖_∞ ≤ 2Δ; with γ ← 2Δ the bound contracts by 2c₁ to γ_∞ = 2(α + c₁β/√k)/(1−2c₁). No lower bound on |b*| is needed."
    ),
    assumptions=And(
        "assumptions of the lemma",
        (a.gaussian_design, a.column_sparse, alpha_bounds, beta_bounds, gamma_bounds, share, samples),
    ),
    conclusions=(contained, two_thresholds),
    source=DERIVATION,
    status=Status.DERIVED,
    notes=(
        "The algorithm is read in public code, where c₁ = ¼; the proof is the four lines above. The inner iterates depend on "
        "the rows they are tested on after the first step, so the union bound is over sparse directions; its price is the "
        "constant C_b."
    ),
    region="paper",
)
