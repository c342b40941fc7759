"""A proof as a chain of inequalities that can be measured: every link has two sides that are computed along a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lrs.core.errors import InvalidInput
from theory.language.symbols import Status

#: One side of a link: a number or an array (one entry per task, say) from what the chain's ``step`` returns.
Side = Callable[[Any], Any]


@dataclass(frozen=True)
class Link:
    """One inequality of a proof, left ≤ right.

    Attributes
    ----------
    name : str
    left, right : callable
        From a step of a run (what `Chain.step` makes of two iterates, the truth and the problem) to numbers that broadcast.
        None instead of a number where the run does not show what the side needs.
    symbols : str
        The inequality in symbols.
    status : Status
        Derived, assumed or measured.
    source : str
        Where it is derived.
    part : str
        Which step of the proof it belongs to.
    needs : str
        The assumption that it stands on, where it is one of the theorem's; empty: it holds of every run.
    """

    name: str
    left: Side
    right: Side
    symbols: str
    status: Status
    source: str
    part: str = ""
    needs: str = ""

    def __post_init__(self) -> None:
        if not (callable(self.left) and callable(self.right)):
            raise InvalidInput(f"left, right: the sides of the link {self.name!r} are functions of a step")
        if not isinstance(self.status, Status):
            raise InvalidInput(f"status: expected theory.Status, got {self.status!r}")
        if not self.source:
            raise InvalidInput(f"source: the link {self.name!r} needs one; pass where it is derived")


@dataclass(frozen=True)
class Chain:
    """The links of a proof, and the program they are about.

    Attributes
    ----------
    links : tuple of Link
    step : callable
        (previous iterate, iterate, instance, delta) → what the sides are computed from.
    program : callable
        (instance, rounds, solver) → (problem, solver): the run whose iterates are measured; ``solver`` is None, or what the
        user asked for in its place.
    missing : mapping of str to str
        Links that the proof would need and does not have, with the reason.
    """

    links: tuple[Link, ...]
    step: Callable[..., Any]
    program: Callable[..., Any]
    missing: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [link.name for link in self.links]
        if not names or len(set(names)) < len(names):
            raise InvalidInput("links: a chain needs at least one link, and every name once")
