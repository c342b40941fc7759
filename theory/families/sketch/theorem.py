"""The entrywise guarantee of dense sketches, whose proof is disputed."""

from __future__ import annotations

from sympy import Rational, log, sqrt

from theory.language.predicate import And, Predicate
from theory.language.symbols import Status, d, declare, m
from theory.language.theorem import Theorem

CLAIMED = "Song, Ye, Yin and Zhang, ICML 2023, arXiv 2302.00248"
DISPUTED = "a note of 2026 by two of its authors disputes the proof"
SOURCE = f"{CLAIMED}; {DISPUTED}; rigorous in part: Price, Song and Woodruff 2017"

ratio = declare(
    "ratio",
    r"\|x'-x^{*}\|_\infty\sqrt d/(\varepsilon\|Ax^{*}-b\|\|A^{+}\|)",
    "entrywise error of a sketched solution in units of the guarantee",
    kind="error",
    zero_allowed=True,
)
rows = Predicate(
    "rows of the sketch",
    m,
    ">=",
    d,
    CLAIMED,
    Status.CONTESTED,
    meaning="ε = √(d/m) is at most 1; the log³(n/δ) of the theorem is left out.",
)

THEOREM = Theorem(
    name="sketched-regression",
    title="Entrywise error of sketched least squares",
    statement=(
        "A dense sketch of m = ε⁻² d log³(n/δ) rows gives ‖x′ − x*‖_∞ ≤ (ε/√d) ‖Ax* − b‖ ‖A⁺‖. Sparse sketches do not."
    ),
    assumptions=And("assumptions of sketched regression", (rows,)),
    conclusions=(
        Predicate(
            "entrywise",
            ratio,
            "<=",
            Rational(3, 2) * sqrt(log(d)),
            f"{CLAIMED}; the logarithm in place of its log³ is measured",
            Status.CONTESTED,
            meaning="In the median, at the sizes examined.",
        ),
    ),
    source=SOURCE,
    status=Status.CONTESTED,
    family="sketch",
    notes=(
        "The proof uses a bound for pairs of vectors that are fixed beforehand on one that depends on the sketch; "
        "theory.families.sketch.counterexample keeps the bound and fails by 1/399 in one entry at every d. That refutes the route, not "
        "the statement. The statement and the note are remembered, not verified."
    ),
)
