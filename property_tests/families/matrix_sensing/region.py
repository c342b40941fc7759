"""Where problems of matrix sensing come from.

The laws are claims about every problem, each with a guard of its own that says where it has not set in yet; so no region has a
boundary. `LAWS` draws where most of the guards are met, `ILL` the condition numbers where they are not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from lrs.core.errors import InvalidInput
from lrs.core.validate import hint
from lrs.families.matrix_sensing.problem import NAME, SensingSpec
from property_tests.examine.configuration import Configuration, Depth


@dataclass(frozen=True)
class SensingRegion:
    """Matrices of these condition numbers."""

    name: str
    label: str
    kappas: tuple[float, ...]
    family: str = NAME

    def depth(self, configuration: Configuration) -> Depth:
        return Depth(math.inf)

    def draw(self) -> SearchStrategy[Configuration]:
        return tried(self, inside=True)

    def plain(self) -> SearchStrategy[Configuration]:
        """Every entry observed, the exact rank."""
        return fully_observed(self, sides=(4, 8), excess=(0, 0), condition=1.0)

    def conditions(self, most: float = math.inf) -> SearchStrategy[float]:
        """Its condition numbers up to a largest one; that one where all of its own are larger."""
        return st.sampled_from([kappa for kappa in self.kappas if kappa <= most] or [self.kappas[0]])


LAWS = SensingRegion("laws", "condition numbers from 1 to 10", (1.0, 2.0, 4.0, 10.0))
ILL = SensingRegion(
    "ill-conditioned", "condition numbers of 100 and 1000, before the regime of most laws", (100.0, 1000.0)
)
REGIONS: Mapping[str, SensingRegion] = {region.name: region for region in (LAWS, ILL)}


def region_for(solver: Any, theorem: str | None) -> SensingRegion:
    """The region that the solver carries by name, or the one of the laws."""
    name = getattr(solver, "region", None) or LAWS.name
    if name not in REGIONS:
        raise InvalidInput(f"region: no region {name!r} of {NAME}; {hint(str(name), REGIONS)}")
    return REGIONS[name]


def configuration(n: int, r: int, k: int, kappa: float = 1.0, m: int | None = None, **extras: Any) -> Configuration:
    """One configuration; a matrix of rank 1 has condition 1."""
    spec = SensingSpec(n=n, r=r, k=k, m=m, kappa=kappa if r > 1 else 1.0)
    return Configuration(family=NAME, spec=spec, extras=tuple(extras.items()))


def fully_observed(
    region: SensingRegion,
    *,
    sides: tuple[int, int],
    ranks: tuple[int, int] = (1, 2),
    excess: tuple[int, int],
    condition: float = math.inf,
    **extras: SearchStrategy[Any],
) -> SearchStrategy[Configuration]:
    """Every entry is observed; k − r is drawn from ``excess``, κ ≤ ``condition`` from the region."""

    def build(n: int, r: int, over: int, kappa: float, **drawn: Any) -> Configuration:
        return configuration(n, r, r + over, kappa, **drawn)

    if min(region.kappas) > 1:  # which a matrix of rank 1 cannot have
        ranks = max(ranks[0], 2), max(ranks[1], 2)
    return st.builds(
        build, st.integers(*sides), st.integers(*ranks), st.integers(*excess), region.conditions(condition), **extras
    )


def measured(region: SensingRegion, *, times: int, condition: float) -> SearchStrategy[Configuration]:
    """From ``times`` n r Gaussian measurements of the exact rank, up to half as many more."""

    def build(n: int, r: int, more: float, kappa: float) -> Configuration:
        return configuration(n, r, r, kappa, math.ceil(times * n * r * more))

    least = 2 if min(region.kappas) > 1 else 1
    more = st.sampled_from((1.0, 1.25, 1.5))
    return st.builds(build, st.integers(5, 10), st.integers(least, 2), more, region.conditions(condition))


def tried(region: SensingRegion, *, inside: bool) -> SearchStrategy[Configuration]:
    """Small symmetric problems for what is asked of every solver, measured or observed entry by entry, with noise when not ``inside``."""

    def build(n: int, r: int, over: int, kappa: float, m: int | None, noise: float) -> Configuration:
        made = configuration(n, min(r, n), min(min(r, n) + over, n), kappa, m)
        return made.with_spec(noise=noise)

    return st.builds(
        build,
        st.integers(3, 8),
        st.integers(1, 2),
        st.integers(0, 2),
        region.conditions(),
        st.none() | st.integers(1, 60),
        st.just(0.0) if inside else st.sampled_from([0.0, 0.1]),
    )
