"""A new task learns its own (w, b) with U fixed, without contributing to U."""

from __future__ import annotations

from sympy import log

from theory.families.low_rank_sparse import assumptions as a
from theory.language.predicate import And, Predicate
from theory.language.symbols import Status, d, delta, k, m, r, sigma, theta_error
from theory.language.theorem import Theorem

DERIVATION = "least squares over all supports of k entries, U exact; derived in docs/theory/proofs"

#: (√(r + 2k) + √(2x))² ≤ 2(r + 2k + 2x) with x = ln(2 d²ᵏ/δ): a difference of two answers lies in one of at most d²ᵏ
#: spaces of dimension r + 2k. At k = 0 the logarithm of 1/δ remains.
scale = 2 * (r + 2 * k + 4 * k * log(d) + 2 * log(2 / delta))

samples = Predicate(
    "samples of the new task",
    m,
    ">=",
    4 * scale,
    DERIVATION,
    Status.DERIVED,
    meaning="The smallest singular value of X on every such space is at least √m/2.",
)
risk = Predicate(
    "error of the new task",
    theta_error**2,
    "<=",
    16 * sigma**2 * scale / m,
    DERIVATION,
    Status.DERIVED,
    meaning="Squared error of θ for a new task of unit size, U exact, with probability at least 1 − δ; 0 without noise.",
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
            samples,
        ),
    ),
    conclusions=(risk,),
    source=f"{a.PAPER} for the claim; its sample bound is derived here",
    status=Status.DERIVED,
    notes=(
        "That a new user can do this is the paper's; how many samples it takes is not quoted, and U is taken as exact. The bound "
        "is for least squares over all supports, which no solver here computes; separability is for (w, b), not for θ."
    ),
    region="practical",
)
