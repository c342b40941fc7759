"""A new task learns its own (w, b) with U fixed, without contributing to U."""

from __future__ import annotations

from sympy import log

from theory.families.low_rank_sparse import assumptions as a
from theory.language.predicate import And, Predicate
from theory.language.symbols import Constant, Status, constant_symbol, d, delta, k, m, r, sigma, theta_error
from theory.language.theorem import Theorem

C_new = constant_symbol("C_new", r"C_{\text{new}}", "constant of the sample bound of a new task")
C_risk = constant_symbol("C_risk", r"C_{\text{risk}}", "constant of the risk of a new task")

samples = Predicate(
    "samples of the new task",
    m,
    ">=",
    C_new * (r + k * log(d / delta)),
    "sparse regression on the m − r directions that U leaves, derived",
    Status.DERIVED,
    (Constant("C_new", "larger-is-stronger"),),
    "r unknown weights, and a k-sparse vector among d coordinates.",
)
risk = Predicate(
    "error of the new task",
    theta_error**2,
    "<=",
    C_risk * sigma**2 * (r + k * log(d / delta)) / m,
    "standard rate of sparse regression, derived; zero without noise",
    Status.DERIVED,
    (Constant("C_risk", "smaller-is-stronger"),),
    "Squared error of θ for a new task of unit size, U exact.",
)

THEOREM = Theorem(
    name="new-task",
    title="A new task with U fixed",
    statement="A new user learns its (w, b) from its own m samples, U fixed, without contributing to U.",
    assumptions=And(
        "assumptions for a new task",
        (
            a.gaussian_design,
            a.orthonormal,
            a.separable,
            a.column_sparse,
            a.noise_as_stated,
            a.rows_unknown_support,
            samples,
        ),
    ),
    conclusions=(risk,),
    source=f"{a.PAPER} for the claim; its sample bound is derived here",
    status=Status.DERIVED,
    notes="That a new user can do this is the paper's; how many samples it takes is not quoted, and U is taken as exact.",
    region="practical",
)
