"""Gradient descent on XXᵀ: fast when the rank is exact, provably slow when it is over-specified."""

from __future__ import annotations

from sympy import Integer, Rational

from theory.language.predicate import And, Implies, Predicate
from theory.language.symbols import L, Status, declare, error, error_next, eta, rho
from theory.language.theorem import Theorem

SOURCE = "Xiong, Ding, Du, ICLR 2024, arXiv 2310.01769"
DERIVED = "derived, docs/families/matrix-sensing.md"

rank = declare("rank", "r", "rank of the matrix", kind="size", integer=True)
search_rank = declare("search_rank", "k", "rank that is searched for", kind="size", integer=True)
fully_observed = declare(
    "fully_observed",
    r"\mathbb{1}_{\mathrm{full}}",
    "1 when every entry is observed, else 0",
    zero_allowed=True,
    maximum=1.0,
)
start = declare("start", "s_0", "smallest singular value of the start off the range of the matrix", kind="error")
squared_error = declare(
    "squared_error", r"\|X_TX_T^{\top}-M\|_F^2", "squared error after L steps", kind="error", zero_allowed=True
)

enough_rank = Predicate(
    "search rank", search_rank, ">=", rank, SOURCE, Status.ASSUMED, meaning="The rank searched for is not too small."
)
observed = Predicate(
    "full observation",
    fully_observed,
    ">=",
    Integer(1),
    DERIVED,
    Status.DERIVED,
    meaning="Every entry is observed; with Gaussian measurements the constant is approached only at large m.",
)
late = Predicate(
    "late enough",
    2 * eta * L * start**2,
    ">=",
    Integer(20),
    DERIVED,
    Status.DERIVED,
    meaning="Enough steps for the start to be forgotten to 5 %: 1/(2ηT + 1/s₀²) ≥ (20/21)/(2ηT).",
)
exact = Predicate("exact rank", search_rank, "<=", rank, SOURCE, Status.ASSUMED, meaning="k = r.")
over = Predicate("over-specified rank", search_rank, ">", rank, SOURCE, Status.ASSUMED, meaning="k > r.")
geometric = Predicate(
    "geometric",
    error_next,
    "<=",
    rho * error,
    SOURCE,
    Status.ASSUMED,
    meaning="The error shrinks by ρ a step, exp(−Ω(T)).",
)
slow = Predicate(
    "no faster than 1/T²",
    squared_error,
    ">=",
    Rational(9, 10) * (search_rank - rank) / (4 * eta**2 * L**2),
    f"{SOURCE}: Ω(1/T²); the constant is {DERIVED}",
    Status.DERIVED,
    meaning="Each of the k − r excess directions has s² = 1/(2ηT + 1/s₀²) left.",
)

THEOREM = Theorem(
    name="symmetric-gd",
    title="Gradient descent on a symmetric factor",
    statement=(
        "X ← X − η 𝒜*𝒜(XXᵀ − M) X from a small random start converges geometrically when the search rank k is the rank r, "
        "and no faster than Ω(1/T²) in squared error when k > r; with full observation ‖XXᵀ − M‖_F T → √(k − r)/(2η)."
    ),
    assumptions=And("assumptions of symmetric gradient descent", (enough_rank, observed, late)),
    conclusions=(
        Implies("exact rank: geometric", exact, geometric),
        Implies("over-specified rank: slow", over, slow),
    ),
    source=SOURCE,
    status=Status.ASSUMED,
    family="matrix-sensing",
    notes=(
        "The formal statement is remembered, not verified. The constant of the lower bound is derived for full observation; "
        "at large κ or a small start the run is long in the regime before, where nothing is said."
    ),
)
