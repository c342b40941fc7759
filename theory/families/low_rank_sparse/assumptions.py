"""The assumptions of the theory as predicates over measured quantities, and the conditions no theorem can avoid.

Labels: [S] quoted from the paper's first pages, [R] restated by a third party, [D] derived, [M] remembered and assumed.
The formal statements of the paper's assumptions are not at hand; what is written here says how it was obtained.
"""

from __future__ import annotations

from sympy import Integer, Max, Min, Rational, sqrt

from theory.language.predicate import Implies, Predicate, Statement
from theory.language.symbols import (
    Constant,
    L,
    Status,
    constant_symbol,
    d,
    init_error,
    init_row,
    k,
    k_max,
    kappa,
    lambda_r,
    m,
    mu,
    nu,
    orth,
    p_correlation,
    p_mean,
    p_noise,
    p_rows,
    p_scale,
    p_shape,
    r,
    rank_visible,
    rank_W,
    repeated_rows,
    sigma,
    size,
    t,
    zeta,
)

PAPER = "Pal et al., AISTATS 2024, arXiv 2210.03505"
REMEMBERED = f"{PAPER}, as remembered"

# ------------------------------------------------------------------------------------------ constants
C_total = constant_symbol("C_total", r"C_{mt}", "constant of the bound on all samples m t")
C_task = constant_symbol("C_task", r"C_{m}", "constant of the bound on the samples of a task m")
c_zeta = constant_symbol("c_zeta", r"c_{\zeta}", "constant of the row-sparsity bound")
c_init = constant_symbol("c_init", r"c_{U}", "constant of the initial subspace error")
C_row = constant_symbol("C_row", r"C_{U}", "constant of the initial row norm")

nu_0 = constant_symbol("nu_0", r"\nu_0", "largest incoherence of U that counts as O(1)")
mu_0 = constant_symbol("mu_0", r"\mu_0", "largest incoherence of W that counts as O(1)")
kappa_0 = constant_symbol("kappa_0", r"\kappa_0", "largest condition κ that counts as O(1)")

#: Everything hidden in an Ω(·) or O(·) of the paper is free until calibrated (`theory.statistics.calibration`).
FREE = {
    "C_total": Constant("C_total", "larger-is-stronger"),
    "C_task": Constant("C_task", "larger-is-stronger"),
    "c_zeta": Constant("c_zeta", "smaller-is-stronger"),
    "c_init": Constant("c_init", "smaller-is-stronger"),
    "C_row": Constant("C_row", "smaller-is-stronger"),
    "nu_0": Constant("nu_0", "smaller-is-stronger"),
    "mu_0": Constant("mu_0", "smaller-is-stronger"),
    "kappa_0": Constant("kappa_0", "smaller-is-stronger"),
}

#: Size of the statistical tests on data: one in a thousand data sets that satisfy the assumption is refused.
TEST_SIZE = Constant("size", "larger-is-stronger", 1e-3, "cited", "chosen for this toolkit")

# ------------------------------------------------------------------------------------------ the model
orthonormal = Predicate(
    "orthonormal U",
    orth,
    "<=",
    Rational(1, 10**9),
    PAPER,
    Status.QUOTED,
    meaning="UᵀU = I, up to rounding.",
)
column_sparse = Predicate(
    "column sparsity", k_max - k, "<=", Integer(0), PAPER, Status.QUOTED, meaning="Every b has at most k non-zeros."
)
gaussian_design = Predicate(
    "Gaussian isotropic design",
    5 * Min(p_mean, p_scale, p_correlation, p_rows, p_shape),
    ">=",
    size,
    f"{PAPER} (x ~ N(0, I)); the test is this toolkit's",
    Status.QUOTED,
    (TEST_SIZE,),
    "Rows of X are N(0, I): five tests, Bonferroni-corrected, reject Gaussian data with probability at most α.",
)
independent_rows = Predicate(
    "no repeated rows",
    repeated_rows,
    "<=",
    Integer(0),
    f"{PAPER} (samples are independent)",
    Status.QUOTED,
    meaning="No row of X occurs twice; a Gaussian design repeats none.",
)
noiseless = Predicate("no noise", sigma, "<=", Integer(0), PAPER, Status.QUOTED, meaning="Responses are exact (σ = 0).")
noise_as_stated = Predicate(
    "noise as stated",
    p_noise,
    ">=",
    size,
    f"{PAPER} (z ~ N(0, σ²)); the test is this toolkit's",
    Status.QUOTED,
    (TEST_SIZE,),
    "The residuals of the truth have the stated variance: a χ² test of size α; exact residuals where σ = 0.",
)
fresh_samples = Predicate(
    "fresh samples per outer step",
    m,
    ">=",
    L * (r + k + 1),
    f"{REMEMBERED}: the analysis splits the samples over the L outer steps; every part must at least fit a task",
    Status.ASSUMED,
    meaning="Sample splitting leaves m/L rows per outer step, at least r + k + 1 of them.",
)

# ------------------------------------------------------------------------------------------ A1, A2
task_diversity = Predicate(
    "task diversity", lambda_r, ">", Integer(0), REMEMBERED, Status.ASSUMED, meaning="A1: the w span R^r (λ_r > 0)."
)
incoherent_U = Predicate(
    "incoherence of U",
    nu,
    "<=",
    nu_0,
    REMEMBERED,
    Status.ASSUMED,
    (FREE["nu_0"],),
    "A1: no row of U is large, ‖U‖²_{2,∞} ≤ ν r/d with ν = O(1).",
)
incoherent_W = Predicate(
    "incoherence of W",
    mu,
    "<=",
    mu_0,
    REMEMBERED,
    Status.ASSUMED,
    (FREE["mu_0"],),
    "A1: no task's w is large, max ‖w‖² ≤ μ λ_r with μ = O(1).",
)
condition = Predicate(
    "condition of W",
    kappa,
    "<=",
    kappa_0,
    REMEMBERED,
    Status.ASSUMED,
    (FREE["kappa_0"],),
    "A1: the directions of the w are balanced, λ₁ ≤ κ λ_r with κ = O(1).",
)
row_sparse = Predicate(
    "row sparsity",
    zeta * r**2 * mu * kappa,
    "<=",
    c_zeta * t,
    REMEMBERED,
    Status.ASSUMED,
    (FREE["c_zeta"],),
    "A2: no coordinate is used by more than ζ = O(t/(r²μκ)) tasks.",
)

# ------------------------------------------------------------------------------------------ start
init_close = Predicate(
    "initial subspace",
    init_error,
    "<=",
    c_init * sqrt(1 / kappa),
    REMEMBERED,
    Status.ASSUMED,
    (FREE["c_init"],),
    "The start is within c/√κ of the true subspace.",
)
init_incoherent = Predicate(
    "initial incoherence",
    init_row,
    "<=",
    C_row * sqrt(mu * r / d),
    REMEMBERED,
    Status.ASSUMED,
    (FREE["C_row"],),
    "The start has no large row.",
)

# ------------------------------------------------------------------------------------------ samples
total_samples = Predicate(
    "total samples",
    m * t,
    ">=",
    C_total * k * d * r**4,
    PAPER,
    Status.QUOTED,
    (FREE["C_total"],),
    "m t = Ω(k d r⁴) samples in all.",
)
task_samples = Predicate(
    "samples per task",
    m,
    ">=",
    C_task * Max(k, r**3),
    PAPER,
    Status.QUOTED,
    (FREE["C_task"],),
    "m = Ω(max(k, r³)) samples per task.",
)

# ------------------------------------------------------------------------------------------ no theorem can avoid
_D = "docs, theory/assumptions: derivation"
separable = Predicate(
    "separability",
    2 * k * nu * r,
    "<",
    d,
    f"{_D} 1",
    Status.DERIVED,
    meaning="Sufficient, not necessary: no difference of two k-sparse vectors lies in span(U), because a vector of "
    "span(U) has at least d/(νr) non-zeros.",
)
sparse_free_span = Implies(
    "no coordinate in span U",
    Predicate("personal parts exist", k, ">=", Integer(1), f"{_D} 1", Status.DERIVED),
    Predicate(
        "rows of U below 1",
        nu * r,
        "<",
        d,
        f"{_D} 1",
        Status.DERIVED,
        meaning="A row of U of norm 1 puts that coordinate vector into span(U).",
    ),
)
visible_rows = Predicate(
    "rows of U visible",
    t,
    ">=",
    zeta + r,
    f"{_D} 2",
    Status.DERIVED,
    meaning="Row j of U shows only in tasks whose b leaves j free; r of them are needed.",
)
visible_span = Predicate(
    "rows of U determined",
    rank_W - rank_visible,
    "<=",
    Integer(0),
    f"{_D} 2",
    Status.DERIVED,
    meaning="The w of the tasks that show row j span what all w span.",
)
spanning = Predicate(
    "W spans", r - rank_W, "<=", Integer(0), f"{_D} 3", Status.DERIVED, meaning="The w span R^r (λ_r > 0)."
)
rows_known_support = Predicate(
    "rows, supports known",
    m,
    ">=",
    r + k,
    f"{_D} 4",
    Status.DERIVED,
    meaning="r + k unknowns per task, with U and all supports given.",
)
rows_unknown_support = Predicate(
    "rows, supports unknown",
    m,
    ">=",
    r + k + 1,
    f"{_D} 4",
    Status.DERIVED,
    meaning="One more equation tells the right support from the others, for almost every b.",
)
rows_every_b = Predicate(
    "rows, every b",
    m,
    ">=",
    r + 2 * k,
    f"{_D} 4",
    Status.DERIVED,
    meaning="For every b, not only almost every: two k-sparse vectors differ in up to 2k entries.",
)
counting = Predicate(
    "counting limit",
    m,
    ">=",
    r + k + r * (d - r) / t,
    f"{_D} 5",
    Status.DERIVED,
    meaning="Equations m t against unknowns r(d − r) + t(r + k): no solver finds U, W and B below it.",
)
counting_theta = Predicate(
    "counting limit of Θ",
    m,
    ">=",
    Min(d, r + k + r * (d - r) / t),
    f"{_D} 5",
    Status.DERIVED,
    meaning="For Θ alone: d rows give every θ by least squares, whatever the count says.",
)
underdetermined = Predicate(
    "rows below dimension",
    m,
    "<",
    d,
    f"{_D} 6",
    Status.DERIVED,
    meaning="m < d: some rank-one matrix maps to 0, so theorems that assume a restricted isometry do not apply.",
)
isometry_possible = Predicate(
    "restricted isometry possible",
    m,
    ">=",
    d,
    f"{_D} 6",
    Status.DERIVED,
    meaning="With m < d the matrix e_i vᵀ, v in the kernel of X⁽ⁱ⁾, has rank one and maps to 0.",
)

#: Conditions without which U, W and B cannot all be recovered, by any method.
NECESSARY: tuple[Statement, ...] = (
    sparse_free_span,
    visible_rows,
    visible_span,
    spanning,
    rows_known_support,
    rows_unknown_support,
    counting,
)
