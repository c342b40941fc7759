"""A reconstruction of the formal AMHT-LRS theorem; the paper's own formal statement is not at hand."""

from __future__ import annotations

from sympy import Max, log

from theory.families.low_rank_sparse import assumptions as a
from theory.language.predicate import And, Predicate
from theory.language.symbols import (
    Constant,
    Status,
    constant_symbol,
    d,
    delta,
    error,
    error_next,
    k,
    kappa,
    m,
    mu,
    r,
    rho,
    t,
)
from theory.language.theorem import Theorem

RECONSTRUCTION = f"reconstructed from the informal theorem of {a.PAPER}, with A1, A2 and the logarithm as remembered"

K_task = constant_symbol("K_task", r"K_{m}", "constant of the reconstructed bound on the samples of a task")
K_total = constant_symbol("K_total", r"K_{mt}", "constant of the reconstructed bound on all samples")

#: ln(d t/δ), the union bound over the entries of all tasks.
union_bound = log(d * t / delta)

task_samples = Predicate(
    "samples per task",
    m,
    ">=",
    K_task * mu**2 * kappa**2 * Max(k, r**3) * union_bound,
    RECONSTRUCTION,
    Status.ASSUMED,
    (Constant("K_task", "larger-is-stronger"),),
    "The informal bound with incoherence, condition and the union bound written out; these exponents are assumed.",
)
total_samples = Predicate(
    "total samples",
    m * t,
    ">=",
    K_total * mu**2 * kappa**2 * k * d * r**4 * union_bound,
    RECONSTRUCTION,
    Status.ASSUMED,
    (Constant("K_total", "larger-is-stronger"),),
    "The informal bound with incoherence, condition and the union bound written out; these exponents are assumed.",
)
geometric = Predicate(
    "geometric decay",
    error_next,
    "<=",
    rho * error,
    a.REMEMBERED,
    Status.ASSUMED,
    meaning="Subspace error and ‖b − b*‖_∞ shrink by the factor ρ at every outer step.",
)
contraction = Predicate("contraction", rho, "<", 1, a.REMEMBERED, Status.ASSUMED, meaning="The factor is below 1.")

THEOREM = Theorem(
    name="amht-formal",
    title="AMHT-LRS, formal (reconstruction)",
    statement=(
        "Under A1 (task diversity, incoherence of U and W), A2 (row and column sparsity), a start within c/√κ of the "
        "subspace with no large row, fresh samples per outer step and enough of them, subspace error and ‖b − b*‖_∞ "
        "decay geometrically."
    ),
    assumptions=And(
        "assumptions of the reconstructed theorem",
        (
            a.gaussian_design,
            a.independent_rows,
            a.orthonormal,
            a.noiseless,
            a.task_diversity,
            a.condition,
            a.incoherent_U,
            a.incoherent_W,
            a.column_sparse,
            a.row_sparse,
            a.init_close,
            a.init_incoherent,
            a.fresh_samples,
            task_samples,
            total_samples,
        ),
    ),
    conclusions=(geometric, contraction),
    source=RECONSTRUCTION,
    status=Status.RECONSTRUCTED,
    notes=(
        "Not the paper's words. The powers of μ and κ and the logarithm ln(dt/δ) are assumptions of this toolkit; the "
        "exponents of d, r, k and t are those of the informal theorem."
    ),
)
