"""Where solvers of sparse recovery are held to exact recovery, and the problems drawn there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from lrs.core.errors import InvalidInput
from lrs.families.sparse.problem import NAME, SparseSpec
from property_tests.examine.cell import Cell
from property_tests.examine.configuration import Configuration, Depth
from theory.families.sparse.theorems import AMP, ELL_ONE, OMP
from theory.region import TheoremRegion

#: Dimensions of the cells, and the budgets that have them.
CELLS = {"d 100–140": ("quick", (100, 140)), "d 200–260": ("quick", (200, 260)), "d 400–500": ("standard", (400, 500))}


@dataclass(frozen=True)
class Rows:
    """m ≥ 2 k ln(d − k) + C₀: the bound of greedy methods, which ℓ₁ minimisation keeps as well."""

    bounds: TheoremRegion
    name: str = OMP.name
    family: str = NAME

    @property
    def label(self) -> str:
        """The constant is none of a theorem."""
        return "2 k ln(d − k) as remembered, 15 rows more as measured"

    def depth(self, configuration: Configuration) -> Depth:
        """ln(m / rows)."""
        s = configuration.spec
        margin = math.log(s.m / self.rows(s.d, s.k)) if s.k < s.d else -math.inf
        return Depth(margin, {"rows": margin})

    def rows(self, d: int, k: int) -> int:
        """Smallest m inside."""
        return int(self.bounds.rows(d=d, k=k)) if k else 1

    def draw(self, d: tuple[int, int] = (12, 60), noise: bool = False) -> st.SearchStrategy[Configuration]:
        """Configurations from the shell to 1.5 times as many rows, with at most a tenth of the entries of b non-zero."""

        def configuration(size: int, share: float, more: float, sigma: float) -> Configuration:
            k = max(1, round(share * size))
            spec = SparseSpec(d=size, k=k, m=math.ceil(self.rows(size, k) * (1 + more)), noise=sigma)
            return Configuration(family=NAME, spec=spec)

        levels = st.sampled_from((0.01, 0.1, 1.0)) if noise else st.just(0.0)
        share = st.integers(1, 10).map(lambda n: n / 100)
        more = st.integers(0, 10).map(lambda n: n / 20)
        return st.builds(configuration, st.integers(*d), share, more, levels)


def ladder(region: Any, budget: str) -> Sequence[Cell]:
    """Cells of larger dimension."""
    return [Cell(name, region.draw(d)) for name, (least, d) in CELLS.items() if least == "quick" or budget != "quick"]


REGION = Rows(TheoremRegion(OMP))


def region_for(solver: Any, theorem: str | None) -> Rows:
    """The one region; the other theorems say themselves what they are about.

    Raises
    ------
    InvalidInput
        When the solver carries another region.
    """
    carried = getattr(solver, "region", None)
    if carried not in (None, REGION.name):
        raise InvalidInput(f"region: no region {carried!r} of {NAME}; known is {REGION.name}")
    assert theorem in (None, OMP.name, ELL_ONE.name, AMP.name)
    return REGION
