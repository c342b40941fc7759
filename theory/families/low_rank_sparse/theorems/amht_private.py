"""The private variant: when the noise of the releases is small beside what t users say together.

ρ is the total zCDP budget: two fifths pay the private start, a tenth the features' second moment where
gradients are released, the rest is split evenly over L rounds, as `lrs.PrivateAMHT` does by
default; of a round a small share counts the users within their level, or A and V have one half each. Rows have unit covariance.
"""

from __future__ import annotations

from sympy import Integer, Rational, sqrt

from theory.families.low_rank_sparse import assumptions as a
from theory.language.predicate import And, Predicate
from theory.language.symbols import L, Status, d, declare, lambda_r, r, t
from theory.language.theorem import Theorem

DERIVED = "Gaussian mechanism (Bun and Steinke 2016) with the sensitivities of clipped users, derived"

rho_dp = declare("rho_dp", r"\rho_{\text{DP}}", "total zCDP budget", kind="level")
A_x = declare("A_x", r"A_1", "clip level of ‖x‖", kind="level")
A_y = declare("A_y", r"A_2", "clip level of |y|", kind="level")
A_xb = declare("A_xb", r"A_3", "clip level of |xᵀb|", kind="level")
A_w = declare("A_w", r"A_w", "clip level of ‖w‖", kind="level")
Gamma_s = declare(
    "Gamma_s", r"\Gamma", "eigenvalue of E ssᵀ/‖s‖² along a shared direction, less the largest other one", kind="level"
)
kappa_g = declare("kappa_g", r"\kappa", "level of the gradients over the present subspace error", kind="level")
tau_0 = declare("tau_0", r"\tau_0", "subspace error of the start from which rounds improve", kind="level", maximum=1.0)
tau = declare("tau", r"\tau", "subspace error that the privacy noise may cause", kind="level", maximum=1.0)
halvings = declare(
    "halvings",
    r"H",
    "halvings of the error from the start to the tolerance, at most L",
    kind="level",
    zero_allowed=True,
)
private_error = declare(
    "private_error", r"e_{\text{DP}}", "subspace error caused by the privacy noise", kind="error", zero_allowed=True
)

#: Standard deviations of the noise: Δ/√(2ρ') with ρ' = 2ρ/5 for the start, ρ/10 for the features, ρ/(2L) for a round; 3ρ/(5L) without features.
START, FEATURES, COUNT = Rational(2, 5), Rational(1, 10), Rational(3, 50)
ROUNDS = 1 - START
start_noise = 1 / sqrt(2 * START * rho_dp)
features_noise = 1 / sqrt(2 * FEATURES * rho_dp)
gradient_noise = sqrt(L / (2 * (ROUNDS - FEATURES) * (1 - COUNT) * rho_dp))
a_noise = A_w**2 * A_x**2 * sqrt(L / (ROUNDS * rho_dp))
v_noise = A_x * A_w * (A_y + A_xb) * sqrt(L / (ROUNDS * rho_dp))
#: r times the smallest eigenvalue of Σ wwᵀ, and of A for rows of unit covariance. Bounds are written t λ_r ≥ …, a form in which
#: the relations between them can be decided.
signal = t * lambda_r

start_small = Predicate(
    "start beside its noise",
    t * Gamma_s,
    ">=",
    start_noise * sqrt(2 * d) * (1 + tau_0) / tau_0,
    DERIVED,
    Status.DERIVED,
    meaning="Symmetric noise of norm ‖E‖ = s√(2d) turns the leading eigenvectors, a gap g above the others, by a sine of at most "
    "‖E‖/(g − ‖E‖) (Davis–Kahan and Weyl): at most τ₀ where g ≥ (1 + τ₀)‖E‖/τ₀.",
)
rounds_average = Predicate(
    "rounds that average their noise",
    t,
    ">=",
    kappa_g * r * gradient_noise * (sqrt(d) + sqrt(r)) * sqrt(3 * halvings / L),
    DERIVED,
    Status.DERIVED,
    meaning="With a level of κ times the present error e, the step r/t has noise of norm q e, q = r κ s(√d + √r)/t. Steps with the gain "
    "1/(1 + q²) and the gains that follow average the rounds: after j of them 1/e² has grown by j/(q e)², so that a halving takes "
    "3q² rounds, and H of them no more than L.",
)
a_usable = Predicate(
    "A above its noise",
    signal,
    ">=",
    a_noise * sqrt(2 * d * r) * r,
    DERIVED,
    Status.DERIVED,
    meaning="The released A stays invertible: its smallest eigenvalue exceeds the norm s√(2dr) of symmetric noise.",
)
a_small = Predicate(
    "error from the noise of A",
    signal,
    ">=",
    a_noise * sqrt(r / 2) * (sqrt(d) + sqrt(r)) * r / tau,
    DERIVED,
    Status.DERIVED,
    meaning="The noise of A times vec U has entries of size s√(r/2); a d × r matrix of them has norm √d + √r.",
)
v_small = Predicate(
    "error from the noise of V",
    signal,
    ">=",
    v_noise * (sqrt(d) + sqrt(r)) * r / tau,
    DERIVED,
    Status.DERIVED,
    meaning="Noise of d × r independent entries has norm s(√d + √r).",
)
error_small = Predicate(
    "small error from privacy",
    private_error / tau,
    "<=",
    Integer(1),
    DERIVED,
    Status.DERIVED,
    meaning="The start is within τ₀, and L rounds halve that H = log₂(τ₀/τ) ≤ L times, to first order in the noise.",
)

THEOREM = Theorem(
    name="amht-private",
    title="Private AMHT-LRS: users that drown the noise",
    statement=(
        "With gradients bounded per user at a level that follows the error, Gaussian noise and an even split of the budget over L "
        "rounds, the privacy noise leaves a subspace error of at most τ, to first order, in expectation over the noise's norm."
    ),
    assumptions=And(
        "assumptions of the private variant",
        (a.gaussian_design, a.independent_rows, a.orthonormal, start_small, rounds_average),
    ),
    conclusions=(error_small,),
    source=DERIVED,
    status=Status.DERIVED,
    notes=(
        "Necessary scaling, not a proof of convergence: clipping bias, sampling error, noise of the responses, the sparse step under "
        "noise and the share (r + k)/m of the rows that each user's own parameters take are left out. The paper's own private "
        "theorem is not at hand."
    ),
)
