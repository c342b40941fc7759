"""The questions put to the prover, by topic: what is implied by what, and what is not.

Each states the expected answer; the tests hold the prover to it, and the documentation prints it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sympy import Max, Rational, log, sqrt

from lrs.core.errors import InvalidInput
from lrs.core.validate import hint
from theory.families.low_rank_sparse import assumptions as a
from theory.families.low_rank_sparse import proof_terms as p
from theory.families.low_rank_sparse.theorems.amht_formal import K_task
from theory.families.low_rank_sparse.theorems.amht_noisy import decay_to_floor
from theory.families.low_rank_sparse.theorems.sparse_vector_lemma import (
    fixed_point,
    noise_term,
    samples,
    samples_fixed,
    threshold,
)
from theory.language import symbols
from theory.language.predicate import Implies, Predicate
from theory.language.symbols import c_1, constant_symbol, d, declare, error, error_next, floor, gamma, k, m, r, rho, t
from theory.language.theorem import Theorem
from theory.prove.relations import FACTS, SMALL_DELTA, Relation, RelationStatus, at_least, premise
from theory.theorems import available_theorems, load_theorem


# ---------------------------------------------------------------------------------------------- the questions
def redundancy(theorem: Theorem) -> tuple[Relation, ...]:
    """For every assumption: is it implied by the others (and the structure of the model)?"""
    parts = theorem.assumptions.parts
    return tuple(
        Relation(
            f"{theorem.name}: the other assumptions imply “{part.name}”",
            (*FACTS, *(p for p in parts if p is not part)),
            part,
            "redundancy",
            RelationStatus.REFUTED,
            "REFUTED is the healthy answer: the assumption is needed as stated.",
        )
        for part in parts
    )


#: Bounds that more tasks can break, all else equal: m against ln(dt/δ).
FALLS_WITH_T = {
    ("amht-formal", "samples per task"),
    ("amht-noisy", "samples per task"),
    ("sparse-vector-lemma", "samples per task"),
    ("sparse-vector-lemma-fixed", "samples per task, b given"),
    ("amht-fresh-rows", "rows of the sparse step"),
    ("amht-fresh-rows", "rows of the subspace step"),
    ("amht-fresh-rows", "rows of the weight step"),
}

m_more = declare("m_more", "m'", "a larger number of rows per task", kind="size", integer=True)
t_more = declare("t_more", "t'", "a larger number of tasks", kind="size", integer=True)


def monotonicity(theorem: Theorem) -> tuple[Relation, ...]:
    """For every bound that mentions m or t: does it survive more rows, and more tasks (all else equal)?"""
    found = []
    for part in theorem.assumptions.parts:
        if not isinstance(part, Predicate):
            continue
        for symbol, more in ((m, m_more), (t, t_more)):
            if symbol.name not in part.quantities:
                continue
            bigger = Predicate(
                f"{part.name} with more {symbol}",
                part.lhs.subs(symbol, more),
                part.relation,
                part.rhs.subs(symbol, more),
                part.cite,
                part.status,
                part.constants,
            )
            breaks = symbol == t and (theorem.name, part.name) in FALLS_WITH_T
            found.append(
                Relation(
                    f"{theorem.name}: “{part.name}” survives a larger {symbol}",
                    (
                        part,
                        SMALL_DELTA,
                        premise("rank at most d", r, "<=", d),
                        premise(f"more {symbol}", more, ">=", symbol),
                    ),
                    bigger,
                    "monotonicity",
                    RelationStatus.REFUTED if breaks else RelationStatus.PROVED,
                    "The logarithm of the union bound grows with t faster than what stands against it."
                    if breaks
                    else "",
                )
            )
    return tuple(found)


initial_error = declare("error_0", "e_0", "error at the start", kind="error", zero_allowed=True)
growth = declare("growth", "R", "ρ to the power of the steps taken", kind="level")
gamma_0 = declare("gamma_0", r"\gamma_0", "threshold bound γ at the start", kind="level", zero_allowed=True)
c_entry = declare("c_entry", "c", "entry of the gradient step, positive by symmetry", kind="error", zero_allowed=True)
b_entry = declare("b_entry", "b^{*}_j", "entry of b* with the sign of c", kind="error", zero_allowed=True)
cut = declare("cut", r"\Delta", "threshold Δ", kind="level", zero_allowed=True)
tail = declare("tail", "x", "minus the logarithm of a failure probability", kind="level")
b_term = declare("b_term", r"|[(I-S)(b-b^*)]_j|", "entry of (I − S)(b − b*)", kind="error", zero_allowed=True)
v_term = declare("v_term", r"|[(I-S)(v-v^*)]_j|", "entry of (I − S)(v − v*)", kind="error", zero_allowed=True)
z_term = declare("z_term", r"|[X^{\top}z/m]_j|", "entry of Xᵀz/m", kind="error", zero_allowed=True)


def induction() -> tuple[Relation, ...]:
    """The inductive steps: the geometric rate with a floor, and the γ recursion of the sparse step."""
    below_one = premise("contraction", rho, "<", 1)
    next_gamma = 2 * threshold
    return (
        Relation(
            "geometric rate with a floor: if it holds at step ℓ, it holds at ℓ + 1",
            (
                below_one,
                premise("hypothesis", error, "<=", growth * initial_error + floor / (1 - rho)),
                decay_to_floor,
            ),
            premise("conclusion", error_next, "<=", rho * growth * initial_error + floor / (1 - rho)),
            "induction",
        ),
        Relation(
            "γ ← 2Δ contracts by 2c₁ to its fixed point",
            (
                premise("share", c_1, "<", Rational(1, 2)),
                SMALL_DELTA,
                premise("hypothesis", gamma, "<=", growth * gamma_0 + fixed_point),
            ),
            premise("conclusion", next_gamma, "<=", 2 * c_1 * growth * gamma_0 + fixed_point),
            "induction",
        ),
        Relation(
            "6 k x/c₁² rows bring 2√(x/m) + 2x/m down to c₁/√k",
            (
                at_least(k, 1),
                premise("share", c_1, "<=", Rational(1, 2)),
                premise("rows", m, ">=", p.ROWS * k * tail / c_1**2),
            ),
            premise("conclusion", p.deviation(tail), "<=", c_1 / sqrt(k)),
            "induction",
            remark="The probability enters before: an entry of (I − S)u exceeds (2√(x/m) + 2x/m)‖u‖₂ with probability at most "
            "2e⁻ˣ, derived in docs/theory/proofs.",
        ),
        Relation(
            "terms within their shares put c within Δ of b*",
            (
                at_least(k, 1),
                premise("α bounds v", symbols.v_inf, "<=", symbols.alpha),
                premise("β bounds v", symbols.v_2, "<=", symbols.beta),
                premise("γ bounds b", symbols.b_inf, "<=", gamma),
                premise("entry of (I − S)(b − b*)", b_term, "<=", c_1 * symbols.b_inf),
                premise("entry of (I − S)(v − v*)", v_term, "<=", c_1 * symbols.v_2 / sqrt(k)),
                premise("entry of noise", z_term, "<=", noise_term),
                premise("triangle", c_entry - b_entry, "<=", b_term + symbols.v_inf + v_term + z_term),
            ),
            premise("conclusion", c_entry - b_entry, "<=", threshold),
            "induction",
            remark="What the next two questions take as their premise.",
        ),
        Relation(
            "hard thresholding keeps zeros: |c| ≤ Δ leaves b = 0 outside the support",
            (
                premise("error below Δ", c_entry - b_entry, "<=", cut),
                premise("outside the support", b_entry, "<=", 0),
            ),
            premise("not kept", c_entry, "<=", cut),
            "induction",
            remark="This is supp b ⊆ supp b*: an entry is kept only when |c| > Δ.",
        ),
        Relation(
            "hard thresholding moves a kept or dropped entry by at most 2Δ",
            (
                premise("error below Δ, above", c_entry - b_entry, "<=", cut),
                premise("error below Δ, below", b_entry - c_entry, "<=", cut),
            ),
            Implies(
                "dropped",
                premise("below the threshold", c_entry, "<=", cut),
                premise("moved", b_entry, "<=", 2 * cut),
            ),
            "induction",
            remark="A kept entry has error at most Δ; a dropped one at most |b*| ≤ |c| + Δ ≤ 2Δ.",
        ),
    )


spread = declare("spread", "a", "√r + √(2x)", kind="level")
share_of_start = declare("share_of_start", "e'", "E√(r/λ_r)", kind="level", zero_allowed=True)
gamma_1 = declare("gamma_1", r"\gamma_1", "γ√k/E after the first inner step", kind="level", zero_allowed=True)
gamma_2 = declare("gamma_2", r"\gamma_2", "γ√k/E after the second inner step", kind="level", zero_allowed=True)


def fresh_rows() -> tuple[Relation, ...]:
    """The algebra of the theorem on fresh rows: every constant of one outer step."""
    small = (
        premise("p", p.p_share, "<=", Rational(1, 50)),
        premise("q", p.q_row, "<=", Rational(1, 32)),
        premise("n", p.n_rows, "<=", Rational(1, 160)),
    )
    weights = premise("ω", p.omega, "<=", Rational(1, 20))
    return (
        Relation(
            "two inner steps with c₁ = 1/8 bring γ from 6.5 E/√k to 3.25 E/√k",
            (
                premise("start", gamma_0, "<=", 2 * p.ENTRY),
                premise("first step", gamma_1, "<=", 2 * (1 + (gamma_0 + 1) / 8)),
                premise("second step", gamma_2, "<=", 2 * (1 + (gamma_1 + 1) / 8)),
            ),
            premise("conclusion", gamma_2, "<=", p.ENTRY),
            "fresh rows",
        ),
        Relation(
            "a start within 1/8 leaves 6/7 of Q",
            (premise("start", share_of_start, "<=", Rational(1, 8)),),
            premise("conclusion", share_of_start / (1 - share_of_start), "<=", Rational(1, 7)),
            "fresh rows",
        ),
        Relation(
            "the sampling error of U is at most 10 n",
            small,
            premise("conclusion", p.F_sampling, "<=", 10 * p.n_rows),
            "fresh rows",
        ),
        Relation(
            "882(r + 2x) rows give √m ≥ 21(√r + √(2x))",
            (premise("rows", m, ">=", 882 * (r + 2 * tail)),),
            premise("conclusion", sqrt(m), ">=", 21 * (sqrt(r) + sqrt(2 * tail))),
            "fresh rows",
        ),
        Relation(
            "√m ≥ 21 a bounds a/(√m − a) by 1/20",
            (premise("rows", sqrt(m), ">=", 21 * spread),),
            premise("conclusion", spread / (sqrt(m) - spread), "<=", Rational(1, 20)),
            "fresh rows",
        ),
        Relation(
            "the length of v − v* halves",
            (*small, weights),
            premise("conclusion", p.rho_2, "<=", Rational(1, 2)),
            "fresh rows",
        ),
        Relation(
            "the entries of v − v* halve",
            (*small, weights),
            premise("conclusion", p.rho_inf, "<=", Rational(1, 2)),
            "fresh rows",
        ),
        Relation(
            "with ω ≤ 1/18 the length of v − v* still halves",
            (*small, premise("ω", p.omega, "<=", Rational(1, 18))),
            premise("conclusion", p.rho_2, "<=", Rational(1, 2)),
            "fresh rows",
            RelationStatus.REFUTED,
            "The four conditions are used up: none has room to spare.",
        ),
    )


C_weak = constant_symbol("C_weak", r"C_1", "a smaller constant")


def implications() -> tuple[Relation, ...]:
    """Between theorems: one bound gives another, and the reverse does not."""
    task = _part(load_theorem("amht-formal"), "samples per task")
    sizes = (at_least(r, 1), SMALL_DELTA)
    enough = premise("constant", K_task * c_1**2, ">=", 2 * p.ROWS)
    return (
        Relation(
            "the reconstructed bound on m implies the lemma's for a given b, once K_task ≥ 12/c₁²",
            (
                task,
                *sizes,
                enough,
                premise("ln 6u ≤ 2 ln u where u ≥ 6", p.union, "<=", 2 * log(d * t / symbols.delta)),
            ),
            samples_fixed,
            "implication",
        ),
        Relation(
            "the reconstructed bound on m implies the lemma's for every b, once K_task ≥ 12/c₁²",
            (task, *sizes, enough),
            samples,
            "implication",
            RelationStatus.REFUTED,
            "The union over 2ᵏ corners costs a factor k: m = Ω(max(k, r³)) needs fresh rows in every inner step, or an argument "
            "that leaves rows out.",
        ),
        Relation(
            "the lemma's bound on m for a given b implies the reconstructed one",
            (samples_fixed, *sizes, premise("constants", K_task * c_1**2, "<=", p.ROWS)),
            task,
            "implication",
            RelationStatus.REFUTED,
            "The lemma needs no r³: the sparse step is not the bottleneck, the subspace is.",
        ),
        Relation(
            "A2 with c_ζ < 1 implies that every row of U is determined",
            (a.row_sparse, premise("constant", a.c_zeta, "<", 1), at_least(r, 1), *FACTS),
            a.visible_span,
            "implication",
        ),
        Relation(
            "a larger constant asks for more",
            (
                a.total_samples,
                premise("constants", a.C_total, ">=", C_weak),
            ),
            premise("weaker bound", m * t, ">=", C_weak * k * d * r**4),
            "implication",
        ),
    )


def reduction() -> tuple[Relation, ...]:
    """What is left at k = 0, against the theorem for low rank only."""
    low_rank = load_theorem("low-rank-only")
    none = _part(low_rank, "no sparse part")
    return (
        Relation(
            "k = 0: the reconstructed bound on m implies m = Ω(ln d), once K_task ≥ C_log",
            (
                none,
                _part(load_theorem("amht-formal"), "samples per task"),
                at_least(r, 1),
                SMALL_DELTA,
                premise("constants", K_task, ">=", symbols.quantity("C_log").symbol),
            ),
            _part(low_rank, "samples per task"),
            "k = 0",
        ),
        Relation(
            "k = 0: the informal bounds imply the counting limit",
            (none, a.task_samples, a.total_samples, *FACTS, at_least(a.C_task, 4), at_least(a.C_total, 4)),
            a.counting,
            "k = 0",
            RelationStatus.REFUTED,
            "m t = Ω(k d r⁴) asks for nothing at k = 0: read literally, the informal theorem would recover U from one task.",
        ),
        Relation(
            "k = 0: with max(k, 1) in place of k, the informal bounds imply the counting limit",
            (
                none,
                a.task_samples,
                premise("total, k read as max(k, 1)", m * t, ">=", a.C_total * Max(k, 1) * d * r**4),
                *FACTS,
                at_least(r, 1),
                at_least(a.C_task, 2),
                at_least(a.C_total, 2),
            ),
            a.counting,
            "k = 0",
            remark="So the theorem means k ≥ 1, or max(k, 1).",
        ),
        Relation(
            "k = 0: the fixed point of the sparse step needs no β",
            (
                premise("no noise", symbols.sigma, "<=", 0),
                none,
                premise("share", c_1, "<=", Rational(1, 4)),
                SMALL_DELTA,
            ),
            premise("bounded", fixed_point, "<=", 4 * (symbols.alpha + symbols.beta / 4)),
            "k = 0",
        ),
    )


def necessity() -> tuple[Relation, ...]:
    """Do the necessary conditions follow from the theorem's assumptions, and from which constants on?"""
    informal = load_theorem("amht-informal")
    samples = (a.task_samples, a.total_samples)
    sizes = (at_least(r, 1), at_least(k, 1))
    return (
        Relation(
            "the informal bounds with C_task ≥ 3 leave a row to find the support",
            (*samples, *sizes, at_least(a.C_task, 3)),
            a.rows_unknown_support,
            "necessity",
        ),
        Relation(
            "the informal bounds with C_task = 2 do",
            (*samples, *sizes, at_least(a.C_task, 2)),
            a.rows_unknown_support,
            "necessity",
            RelationStatus.REFUTED,
            "At k = r = 1 the bound asks for 2 rows and 3 are needed: a valid constant exceeds 2.",
        ),
        Relation(
            "the informal bounds with C_task ≥ 4 and C_total ≥ 2 lie above the counting limit",
            (*samples, *sizes, at_least(a.C_task, 4), at_least(a.C_total, 2)),
            a.counting,
            "necessity",
        ),
        Relation(
            "the informal assumptions exclude a coordinate in span U",
            (*informal.assumptions.parts, *FACTS, *sizes),
            a.sparse_free_span,
            "necessity",
            RelationStatus.REFUTED,
            "The informal theorem leaves incoherence unsaid; it must be read into it.",
        ),
        Relation(
            "A1 with ν₀ r < d excludes a coordinate in span U",
            (a.incoherent_U, premise("bounded incoherence", a.nu_0 * r, "<", d), *sizes),
            a.sparse_free_span,
            "necessity",
        ),
        Relation(
            "task diversity (λ_r > 0) implies that W spans",
            (a.task_diversity, *FACTS),
            a.spanning,
            "necessity",
        ),
        Relation(
            "A2 with c_ζ ≤ ½ implies t ≥ ζ + r, with at least 2r tasks",
            (
                a.row_sparse,
                premise("constant", a.c_zeta, "<=", Rational(1, 2)),
                premise("tasks", t, ">=", 2 * r),
                at_least(r, 1),
            ),
            a.visible_rows,
            "necessity",
        ),
        Relation(
            "the counting limit implies m ≥ r + k",
            (a.counting, *FACTS),
            a.rows_known_support,
            "necessity",
        ),
        Relation(
            "m ≥ r + k implies the counting limit",
            (a.rows_known_support, *FACTS, at_least(r, 1)),
            a.counting,
            "necessity",
            RelationStatus.REFUTED,
        ),
        Relation(
            "robust PCA's corruption bound implies separability",
            (
                load_theorem("robust-pca").assumptions.parts[-1],
                *FACTS,
                at_least(r, 1),
                at_least(k, 1),
                at_least(symbols.quantity("C_corrupt").symbol, 512),
            ),
            a.separable,
            "necessity",
        ),
    )


def _part(theorem: Theorem, name: str) -> Predicate:
    found = next(p for p in theorem.assumptions.parts if p.name == name)
    assert isinstance(found, Predicate)
    return found


#: Topics of the catalogue and the functions that state their questions.
TOPICS: dict[str, Callable[[], tuple[Relation, ...]]] = {
    "induction": induction,
    "fresh rows": fresh_rows,
    "implication": implications,
    "k = 0": reduction,
    "necessity": necessity,
    "monotonicity": lambda: tuple(q for n in available_theorems() for q in monotonicity(load_theorem(n))),
    "redundancy": lambda: tuple(q for n in available_theorems() for q in redundancy(load_theorem(n))),
}


def catalogue(topics: Iterable[str] | None = None) -> tuple[Relation, ...]:
    """All questions of the given topics (default: all).

    Raises
    ------
    InvalidInput
        When a topic is unknown.
    """
    chosen = list(TOPICS) if topics is None else list(topics)
    for topic in chosen:
        if topic not in TOPICS:
            raise InvalidInput(f"topics: no topic {topic!r}; {hint(topic, TOPICS)}")
    return tuple(q for topic in chosen for q in TOPICS[topic]())
