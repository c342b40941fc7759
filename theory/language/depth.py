"""How deep a point lies inside a region; light to import, for those who only carry the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: What a number of rows or tasks may fall short of its bound: the rounding of m (1 − ragged) and of the bound itself.
ROWS_ROUNDING = 1e-9


@dataclass(frozen=True)
class Depth:
    """How deep a configuration lies inside a region.

    Attributes
    ----------
    margin : float
        Smallest of ``parts``; ≥ 0 inside.
    parts : mapping of str to float
        The margin of each assumption (logarithmic where both sides are positive).
    """

    margin: float
    parts: Mapping[str, float] = field(default_factory=dict)

    @property
    def binding(self) -> str:
        """The assumption with the smallest margin."""
        return min(self.parts, key=lambda name: self.parts[name]) if self.parts else ""
