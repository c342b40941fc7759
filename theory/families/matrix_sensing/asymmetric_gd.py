"""Gradient descent on FGᵀ: starts of two sizes make an over-specified rank geometric, and one modified step makes it fast."""

from __future__ import annotations

from sympy import Rational, log

from theory.families.matrix_sensing.symmetric_gd import SOURCE, observed, rank, search_rank
from theory.language.predicate import And, Predicate
from theory.language.symbols import L, Status, declare, eta
from theory.language.theorem import Theorem

DERIVED = "derived, docs/families/matrix-sensing.md"

condition = declare("condition", r"\kappa", "condition number of the matrix", minimum=1.0)
start_size = declare("start_size", r"\alpha", "size of the start", kind="level")
imbalance = declare(
    "imbalance",
    r"\lambda_{\min}(N^{\top}(F_0^{\top}F_0-G_0^{\top}G_0)N)/\alpha^2",
    "smallest eigenvalue of the starts' imbalance on the excess directions, by the square of their size",
    kind="level",
)
excess_rate = declare("excess_rate", r"-\ln(e_T/e_{T-1})", "late rate of ‖FGᵀ − M‖_F per step", kind="error")
beta_step = declare("beta_step", r"\beta_0", "β of the modified step", kind="level")

over = Predicate(
    "over-specified rank", search_rank, ">", rank, SOURCE, Status.ASSUMED, meaning="k > r: there are excess directions."
)
small = Predicate(
    "small start",
    start_size,
    "<=",
    Rational(2, 5),
    "measured, docs/families/matrix-sensing.md",
    Status.MEASURED,
    meaning="α ≤ 0.4: of larger starts the rate grows faster than α².",
)
settled = Predicate(
    "long enough",
    eta * start_size**2 * imbalance * L,
    ">=",
    2,
    DERIVED,
    Status.DERIVED,
    meaning="The excess directions have contracted by e² before the end, and the rate is read from the second half.",
)
slowest = Predicate(
    "excess directions are the slowest",
    condition * start_size**2 * imbalance,
    "<=",
    Rational(1, 2),
    DERIVED,
    Status.DERIVED,
    meaning="The range itself contracts by 1 − η/κ a step, which must not be slower.",
)

THEOREM = Theorem(
    name="asymmetric-gd",
    title="Gradient descent on two factors",
    statement=(
        "F ← F − ηRG, G ← G − ηRᵀF from F₀ ~ α N(0, 1/n), G₀ ~ α/3 N(0, 1/n) converges geometrically when k > r, at a rate of "
        "Θ(ηα²) a step: exp(−Θ(ηα²T)). With full observation the rate is η λ_min(Nᵀ(F₀ᵀF₀ − G₀ᵀG₀)N), N the kernel of G in "
        "the end: to first order in α that of QᵀF₀ + PᵀG₀ for M = QΛPᵀ."
    ),
    assumptions=And("assumptions of asymmetric gradient descent", (over, observed, small, slowest, settled)),
    conclusions=(
        Predicate(
            "no faster than the starts allow",
            excess_rate,
            "<=",
            Rational(11, 10) * eta * start_size**2 * imbalance,
            f"{SOURCE}: exp(−Θ(ηα²T)); the constant is {DERIVED}",
            Status.DERIVED,
            meaning="At most a tenth faster than η α² times the imbalance of the starts in the excess directions.",
        ),
        Predicate(
            "no slower",
            excess_rate,
            ">=",
            Rational(9, 10) * eta * start_size**2 * imbalance,
            f"{SOURCE}: exp(−Θ(ηα²T)); the constant is {DERIVED}",
            Status.DERIVED,
            meaning="At most a tenth slower than η α² times the imbalance of the starts in the excess directions.",
        ),
    ),
    source=SOURCE,
    status=Status.ASSUMED,
    family="matrix-sensing",
    notes=(
        "The formal statement is remembered, not verified. The constant is derived to first order in η and α² for full "
        "observation; starts of one size have no definite imbalance, and lose the law."
    ),
)

reachable = Predicate(
    "β below the spectrum",
    beta_step**2 * condition,
    "<=",
    1,
    DERIVED,
    Status.DERIVED,
    meaning="β² ≤ σ_r(M) = 1/κ: the step changes the excess directions of F and no others.",
)
MODIFIED = Theorem(
    name="modified-gd",
    title="One modified step",
    statement=(
        "F = PΣQᵀ, F ← FQD, G ← GQD⁻¹ with D_ii = β/σ_i where σ_i ≤ β, once near the optimum: FGᵀ stays, and from then on the "
        "squared error falls by 2 ln 1/(1 − ηβ²) ≈ 2ηβ² a step, whatever α was."
    ),
    assumptions=And("assumptions of the modified step", (over, observed, reachable)),
    conclusions=(
        Predicate(
            "no faster than the step allows",
            excess_rate,
            "<=",
            -Rational(23, 20) * log(1 - eta * beta_step**2),
            f"{SOURCE}; the form is remembered, the constant {DERIVED}",
            Status.DERIVED,
            meaning="At most 15 % faster than −2 ln(1 − ηβ²), whatever α is.",
        ),
        Predicate(
            "no slower",
            excess_rate,
            ">=",
            -Rational(17, 20) * log(1 - eta * beta_step**2),
            f"{SOURCE}; the form is remembered, the constant {DERIVED}",
            Status.DERIVED,
            meaning="At most 15 % slower than −2 ln(1 − ηβ²), whatever α is.",
        ),
    ),
    source=SOURCE,
    status=Status.ASSUMED,
    family="matrix-sensing",
    notes="Statement and form of the step are remembered, not verified.",
)
