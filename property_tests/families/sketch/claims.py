"""What a sketch owes: the least squares solution, as a whole and entry by entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from lrs.families.sketch.family import GROWTH
from lrs.families.sketch.problem import NAME
from property_tests.examine.claim import AtLeast, Claim, Context, OnAverage, Outcome, register
from property_tests.examine.configuration import Configuration
from property_tests.families.sketch.region import ladder
from theory.families.sketch.theorem import SOURCE

#: ‖x′ − x*‖₂ in units of ε ‖Ax* − b‖ ‖A⁺‖.
WHOLE = 2.0


@dataclass(frozen=True)
class Median(OnAverage):
    """The median of what is measured keeps its bound: more than half of the trials of a cell do."""

    p0: float = 0.5
    p1: float = 0.3

    @property
    def sentence(self) -> str:
        return "in the median of every cell"


def drawn(region: Any) -> st.SearchStrategy[Configuration]:
    """Small problems of all kinds."""
    found: st.SearchStrategy[Configuration] = region.draw()
    return found


def entrywise(context: Context) -> Outcome:
    """The largest error of an entry against 1.5 √ln d in units of the guarantee."""
    errors = context.outcome().errors
    return Outcome.below("ratio/√ln d", errors["growth"], GROWTH, values={"ratio": errors["ratio"]})


def whole(context: Context) -> Outcome:
    """The length of the error."""
    return Outcome.below("ell_2", context.outcome().errors["ell_2"], WHOLE)


register(
    Claim(
        name="sketch/entrywise",
        statement=f"‖x′ − x*‖_∞ ≤ {GROWTH:g} √(ln d) (ε/√d) ‖Ax* − b‖ ‖A⁺‖ with ε = √(d/m).",
        cite=f"{SOURCE} [C]; the logarithm in place of its log³ [N]",
        kind=Median(),
        configurations=drawn,
        ladder=ladder,
        check=entrywise,
        families=(NAME,),
        theorems=("sketched-regression",),
    )
)
register(
    Claim(
        name="sketch/whole",
        statement=f"‖x′ − x*‖₂ ≤ {WHOLE:g} ε ‖Ax* − b‖ ‖A⁺‖ with ε = √(d/m).",
        cite="an oblivious subspace embedding gives (1 + O(ε)) times the residual (Sarlós 2006) [M], the constant measured [N]",
        kind=AtLeast(0.95, 0.80),
        configurations=drawn,
        ladder=ladder,
        check=whole,
        families=(NAME,),
    )
)
