"""The convex program: it succeeds half of the time at as many measurements as its descent cone has dimensions."""

from __future__ import annotations

from sympy import Rational

from theory.language.predicate import And, Predicate
from theory.language.symbols import Status, declare
from theory.language.theorem import Theorem

SOURCE = "Amelunxen, Lotz, McCoy, Tropp 2014, arXiv 1303.6672"

measurements = declare("measurements", "m", "Gaussian measurements", kind="size", integer=True)
convex_dimension = declare(
    "convex_dimension", r"\delta", "statistical dimension of the nuclear norm at a matrix of this rank", kind="size"
)
convex_spread = declare(
    "convex_spread", r"\varsigma", "width of the transition: its standard deviation in m", kind="level"
)
matrix_error = declare(
    "matrix_error", r"\|S-M\|_F/\|M\|_F", "relative error of the answer", kind="error", zero_allowed=True
)

THEOREM = Theorem(
    name="nuclear-norm",
    title="The nuclear norm",
    statement=(
        "min ‖S‖_* subject to 𝒜(S) = y with m Gaussian measurements and no noise finds M with probability Φ((m − δ)/ς), nearly: δ the "
        "statistical dimension of the descent cone at rank r, ς² = Var ‖Π g‖² − 2δ. Four widths above δ it nearly never fails."
    ),
    assumptions=And(
        "assumptions of the convex program",
        (
            Predicate(
                "measurements",
                measurements,
                ">=",
                convex_dimension + 4 * convex_spread,
                SOURCE,
                Status.RECONSTRUCTED,
                meaning="Φ(4): one failure in 30 000.",
            ),
        ),
    ),
    conclusions=(
        Predicate(
            "found", matrix_error, "<=", Rational(1, 10**6), SOURCE, Status.RECONSTRUCTED, meaning="Up to rounding."
        ),
    ),
    source=SOURCE,
    status=Status.RECONSTRUCTED,
    family="matrix-sensing",
    notes=(
        "The conic theorem is Theorem II of the source; the formula of δ (Proposition 4.7) is remembered and agrees with simulation, the normal "
        "form of the transition is that of McCoy and Tropp's concentration, measured here."
    ),
)
