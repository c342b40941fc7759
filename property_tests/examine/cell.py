"""A cell of the ladder on which a claim is decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from property_tests.examine.configuration import Configuration

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True, eq=False)
class Cell:
    """A cell of the ladder on which a claim is decided.

    Attributes
    ----------
    name : str
        Stable, short, unique in its ladder: “d 100-140, r 4-5, k 1, m/d ≤ ¼”.
    configurations : strategy of Configuration, optional
        None where the region promises nothing.
    why : str
        Then: why, e.g. “amht-informal asks for m ≥ 400 here”.
    """

    name: str
    configurations: SearchStrategy[Configuration] | None = None
    why: str = ""
