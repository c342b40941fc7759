"""The private variant: when the noise of the releases is small beside what t users say together.

ρ is the total zCDP budget: half of it pays the private start, the rest is split evenly over L rounds and over A and V, as
`lrs.PrivateAMHT` does by default. Rows have unit covariance, so that the smallest eigenvalue of A is t λ_r/r.
"""

from __future__ import annotations

from sympy import Integer, sqrt

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
A_s = declare("A_s", r"A_s", "clip level of ‖Xᵀy/m‖", kind="level")
tau = declare("tau", r"\tau", "subspace error that the privacy noise may cause", kind="level", maximum=1.0)
private_error = declare(
    "private_error", r"e_{\text{DP}}", "subspace error caused by the privacy noise", kind="error", zero_allowed=True
)

#: Standard deviations of the noise: Δ/√(2ρ') with ρ' = ρ/2 for the start and ρ/(4L) for each A and V.
start_noise = A_s**2 / sqrt(rho_dp)
a_noise = A_w**2 * A_x**2 * sqrt(2 * L / rho_dp)
v_noise = A_x * A_w * (A_y + A_xb) * sqrt(2 * L / rho_dp)
#: r times the smallest eigenvalue of Σ wwᵀ, and of A for rows of unit covariance. Bounds are written t λ_r ≥ …, a form in which
#: the relations between them can be decided.
signal = t * lambda_r

start_small = Predicate(
    "start beside its noise",
    signal,
    ">=",
    start_noise * sqrt(2 * d) * r * (1 + tau) / tau,
    DERIVED,
    Status.DERIVED,
    meaning="Symmetric noise of norm ‖E‖ = s√(2d) turns the leading eigenvectors, a gap g above the others, by a sine of at most "
    "‖E‖/(g − ‖E‖) (Davis–Kahan and Weyl): at most τ where g ≥ (1 + τ)‖E‖/τ.",
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
    Integer(2),
    DERIVED,
    Status.DERIVED,
    meaning="A and V each add at most τ, to first order in the noise.",
)

THEOREM = Theorem(
    name="amht-private",
    title="Private AMHT-LRS: users that drown the noise",
    statement=(
        "With clipped statistics, Gaussian noise, half of the budget for the start and an even split of the rest over L rounds, the "
        "privacy noise turns the start by at most τ, and that of a round moves the subspace by at most 2τ, to first order, both "
        "in expectation over the noise's norm."
    ),
    assumptions=And(
        "assumptions of the private variant",
        (a.gaussian_design, a.independent_rows, a.orthonormal, start_small, a_usable, a_small, v_small),
    ),
    conclusions=(error_small,),
    source=DERIVED,
    status=Status.DERIVED,
    notes=(
        "Necessary scaling, not a proof of convergence: clipping bias, sampling error and the sparse step under noise are "
        "left out. The paper's own private theorem is not at hand."
    ),
)
