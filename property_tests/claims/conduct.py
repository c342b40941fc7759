"""What any solver owes its caller, whatever it computes: an answer of the right form, and no side effects.

The sandbox watches every call; these claims turn what it saw into verdicts. They hold everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from lrs.core.family import family_of
from lrs.core.registry import import_attribute
from lrs.core.run import Fault
from property_tests.examine.claim import Always, Claim, Context, Outcome, register
from property_tests.examine.configuration import Configuration, Region

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_CITE = "the solver protocol (lrs.solver.Solver)"


def tried(region: Region, *, inside: bool) -> SearchStrategy[Configuration]:
    """Small problems of the region's family, inside or of any kind; what the region draws where the family names none."""
    door = getattr(family_of(region), "tried", "")
    return import_attribute(door, "tried")(region, inside=inside) if door else region.draw()


def _answers(context: Context) -> Outcome:
    context.run()  # a hard fault fails the trial
    return Outcome(True, 1.0)


def without(fault: Fault) -> Callable[[Context], Outcome]:
    """The check that a call shows no sign of a fault."""

    def check(context: Context) -> Outcome:
        detail = context.run().faults.get(fault)
        if detail is None:
            return Outcome(True, 1.0)
        return Outcome(False, -1.0, f"the solver {fault.value}: {detail}", fault=fault)

    return check


register(
    Claim(
        name="conduct/answers",
        statement="The solver answers every valid problem with finite parameters of the right shape, within the limits.",
        cite=_CITE,
        kind=Always(p1=0.9),
        families=None,
        configurations=partial(tried, inside=False),
        check=_answers,
        requires=(),
        inside=False,
    )
)

_CONDUCT = {
    "input-unmodified": (Fault.INPUT_MODIFIED, "The solver leaves its input as it was."),
    "prints-nothing": (Fault.PRINTS, "The solver prints nothing."),
    "one-process": (Fault.FORKS, "The solver starts no other processes."),
    "own-randomness": (
        Fault.GLOBAL_RANDOM_STATE,
        "The solver leaves global random state alone and draws from its rng.",
    ),
}

for _name, (_fault, _statement) in _CONDUCT.items():
    register(
        Claim(
            name=f"conduct/{_name}",
            statement=_statement,
            cite=_CITE,
            kind=Always(p1=0.9),
            families=None,
            configurations=partial(tried, inside=False),
            check=without(_fault),
            inside=False,
        )
    )
