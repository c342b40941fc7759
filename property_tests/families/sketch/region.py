"""The problems that sketches are tried on: random ones, and two witnesses against sparse sketches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from lrs.families.sketch.problem import KINDS, NAME, SketchSpec
from property_tests.examine.cell import Cell
from property_tests.examine.configuration import Configuration, Depth

#: Kind and columns of the cells, and the smallest budget that has them.
CELLS = (
    ("quick", "spikes", (32, 64)),
    ("quick", "spikes", (96, 128)),
    ("quick", "spikes", (192, 256)),
    ("quick", "groups", (32, 64)),
    ("quick", "gaussian", (32, 64)),
    ("standard", "spikes", (384, 512)),
    ("standard", "groups", (96, 128)),
)


@dataclass(frozen=True)
class Tall:
    """A of 32 d rows and a sketch of 16 d: ε = ¼; small problems also with a sketch of 24 d."""

    name: str = "n = 32 d, m = 16 d"
    family: str = NAME
    label: str = "sizes at which sparse and dense sketches come apart"

    def depth(self, configuration: Configuration) -> Depth:
        """Inside where the sketch has 16 rows a column."""
        spec = configuration.spec
        margin = math.log(spec.rows / (16 * spec.d))
        return Depth(margin, {"rows of the sketch": margin})

    def draw(
        self, d: tuple[int, int] = (4, 24), kinds: Sequence[str] = KINDS, times: Sequence[int] = (16, 24)
    ) -> st.SearchStrategy[Configuration]:
        """Of these kinds, numbers of columns and rows of the sketch in units of d."""

        def configuration(columns: int, kind: str, rows: int) -> Configuration:
            return Configuration(family=NAME, spec=SketchSpec(d=columns, kind=kind, m=rows * columns))

        return st.builds(configuration, st.integers(*d), st.sampled_from(tuple(kinds)), st.sampled_from(tuple(times)))


def ladder(region: Any, budget: str) -> Sequence[Cell]:
    """One kind a cell, from few columns to many."""
    return [
        Cell(f"{kind}, d {d[0]}–{d[1]}", region.draw(d, (kind,), (16,)))
        for least, kind, d in CELLS
        if least == "quick" or budget != "quick"
    ]


REGION = Tall()
