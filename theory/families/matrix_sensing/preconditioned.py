"""Preconditioned descents: PrecGD, whose damping falls with the error, and ScaledGD(λ), whose damping stays."""

from __future__ import annotations

from sympy import Integer, Rational, sqrt

from theory.families.matrix_sensing.symmetric_gd import enough_rank, observed, rank, search_rank
from theory.language.predicate import And, Predicate
from theory.language.symbols import L, Status, declare, error, error_next, eta
from theory.language.theorem import Theorem

DERIVED = "derived, docs/families/matrix-sensing.md"
PREC = "Zhang, Fattahi, Zhang 2021; arXiv 2504.09708"
SCALE = "Xu, Shen, Chi, Ma 2023, arXiv 2302.01186"

relative_error = declare(
    "relative_error", r"\|X_TX_T^{\top}-M\|_F/\|M\|_F", "relative error after L steps", kind="error", zero_allowed=True
)
condition = declare("condition", r"\kappa", "condition number of the matrix", minimum=1.0)

over = Predicate("over-specified rank", search_rank, ">", rank, PREC, Status.ASSUMED, meaning="k > r.")
factor = (1 - eta / (1 + sqrt(search_rank - rank))) ** 2
PRECGD = Theorem(
    name="precgd",
    title="Preconditioned gradient descent",
    statement=(
        "X ← X − η 𝒜*𝒜(XXᵀ − M) X (XᵀX + √f I)⁻¹ with f = ‖XXᵀ − M‖²_F converges geometrically when k > r, at a factor that does "
        "not depend on κ: with full observation (1 − η/(1 + √(k − r)))² a step, late in the run."
    ),
    assumptions=And("assumptions of preconditioned gradient descent", (over, observed)),
    conclusions=(
        Predicate(
            "no slower",
            error_next,
            "<=",
            Rational(51, 50) * factor * error,
            f"{PREC}; the factor is {DERIVED}",
            Status.DERIVED,
            meaning="A step leaves at most this factor, whatever κ is, to a fiftieth.",
        ),
        Predicate(
            "no faster",
            error_next,
            ">=",
            Rational(49, 50) * factor * error,
            f"{PREC}; the factor is {DERIVED}",
            Status.DERIVED,
            meaning="A step leaves at least this factor, whatever κ is, to a fiftieth.",
        ),
    ),
    source=PREC,
    status=Status.ASSUMED,
    family="matrix-sensing",
    notes=(
        "The formal statement is remembered. The factor: the k − r excess values of XᵀX become equal, s² each, so that √f = √(k − r) s², "
        "and s ← s(1 − ηs²/(s² + √f)). With f/4 in the damping it would be another one."
    ),
)

moderate = Predicate(
    "condition",
    condition,
    "<=",
    Integer(100),
    "measured, docs/families/matrix-sensing.md",
    Status.MEASURED,
    meaning="κ ≤ 100, up to which thirty steps were tried.",
)
enough_steps = Predicate(
    "thirty steps", L, ">=", Integer(30), DERIVED, Status.MEASURED, meaning="The run is long enough to be held to it."
)
SCALED = Theorem(
    name="scaled-gd",
    title="Scaled gradient descent with a fixed damping",
    statement=(
        "X ← X − η 𝒜*𝒜(XXᵀ − M) X (XᵀX + λI)⁻¹ from a very small random start finds M in O(log κ log κn + log 1/ε) steps, with as many "
        "measurements as the true rank asks for, whatever k is: to 1e-8 within 30 steps up to κ = 100 with full observation."
    ),
    assumptions=And("assumptions of scaled gradient descent", (enough_rank, observed, moderate, enough_steps)),
    conclusions=(
        Predicate(
            "found in thirty steps",
            relative_error,
            "<=",
            Rational(1, 10**8),
            f"{SCALE}: the order; the number of steps is measured",
            Status.MEASURED,
            meaning="Relative error of 1e-8 at the end.",
        ),
    ),
    source=SCALE,
    status=Status.ASSUMED,
    family="matrix-sensing",
    notes="The formal statement is remembered, not verified.",
)
