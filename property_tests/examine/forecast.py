"""What a run will cost, foretold from one timed trial of every claim in every cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lrs.commands.progress import duration
from lrs.core.errors import InvalidInput
from property_tests.examine.bench import Bench
from property_tests.examine.claim import Claim
from property_tests.examine.configuration import Region
from property_tests.examine.engine import Budget, Examination
from property_tests.examine.ledger import Ledger


@dataclass(frozen=True)
class Forecast:
    """What a run is going to be, if nothing is refuted: a refutation ends a claim earlier.

    Attributes
    ----------
    claims, cells : int
        Claims that apply to the solver; cells of the ladders in which a claim is examined.
    trials : int
        Counted trials until every claim is confirmed.
    slow : int
        Cells that will be left out, because confirming them would take more than the budget gives to one.
    seconds : float
        Processor time of all trials together.
    """

    claims: int
    cells: int
    trials: int
    slow: int
    seconds: float

    def sentence(self, jobs: int) -> str:
        left_out = f", {self.slow} cells too slow for this budget and left out" if self.slow else ""
        low, high = (max(1.0, f * self.seconds / jobs) for f in (0.7, 2.0))
        return (
            f"{self.claims} claims, {self.trials:,} trials in {self.cells} cells{left_out}; about {duration(low)} to "
            f"{duration(high)} on {jobs} process{'es' * (jobs > 1)} if every claim is kept"
        )


def forecast(
    bench: Bench,
    chosen: Sequence[Claim],
    *,
    region: Region,
    budget: Budget,
    alpha: float,
    beta: float,
    seed: int,
    nonce: str,
) -> Forecast:
    """Run one trial of every claim in every cell that it does not share with another, and multiply."""
    applicable = [c for c in chosen if not c.missing_traits(bench.traits)]
    each = max(len(applicable), 1)
    cells: set[tuple[object, str]] = set()
    slow: set[tuple[object, str]] = set()
    total, seconds = 0, 0.0
    for claim in applicable:
        one = Examination(
            claim, bench, region, budget, Ledger(), alpha=alpha / each, beta=beta / each, seed=seed, nonce=nonce,
            progress=lambda *_: None, record=lambda _: None,
        )  # fmt: skip
        needed = max(one.needed, budget.least)
        for name in one.cells:
            # The cells of a ladder are tried once for all the claims that share it.
            place = (id(claim.ladder) if claim.ladder is not None and name else claim.name, name)
            if place not in cells:
                cells.add(place)
                try:
                    took = one.timed(name)
                except InvalidInput:  # the region has nothing there
                    took = 0.0
                if name and took * needed > budget.cell_seconds:
                    slow.add(place)
                seconds += took * (1 if place in slow else needed + budget.explore * (not name))
            total += 0 if place in slow else needed
    return Forecast(each, len(cells), total, len(slow), seconds)


__all__ = ["Forecast", "forecast"]
