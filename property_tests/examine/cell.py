"""A cell of the ladder on which a claim is decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from property_tests.examine.configuration import Configuration


@dataclass(frozen=True, eq=False)
class Cell:
    """Where configurations of one kind and size come from.

    Parameters
    ----------
    name : str
        Short, stable, unique in its ladder; what a report calls the cell.
    configurations : strategy, optional
        None: the region promises nothing there.
    why : str
        Then: why.
    """

    name: str
    configurations: SearchStrategy[Configuration] | None = None
    why: str = ""


def cell_of(phase: str) -> str:
    """The cell that a phase's trials belong to: “decide/0/d 100–140” → “d 100–140”."""
    return phase.partition("/")[2].partition("/")[2]
