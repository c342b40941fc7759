"""Mutants with a dead zone: right where it is easy, wrong in the zone, and the ladder's draws meet every zone."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from lrs.core.family import LOW_RANK_SPARSE, Success, load_family
from lrs.families.low_rank_sparse.generate import InstanceSpec, generate
from lrs.solver import Solution, Status
from property_tests.examine.search import propose
from property_tests.families.low_rank_sparse import mutants
from property_tests.families.low_rank_sparse.dead_zones import DEAD_ZONES, Seen
from property_tests.families.low_rank_sparse.ladder import ladder
from property_tests.families.low_rank_sparse.mutants import MUTANTS
from property_tests.families.low_rank_sparse.strategies import PRACTICAL

FAMILY = load_family(LOW_RANK_SPARSE)
#: Draws of a cell, and how many of them in one cell must lie in a zone.
DRAWS, MET = 60, 8


def recovered(model, instance):
    return Success().of(FAMILY).met(FAMILY, FAMILY.errors(model, instance))


def seen(spec):
    """What zones look at in a problem to be drawn: its truth does not depend on the rows, so only one is drawn."""
    truth = generate(replace(spec, m=1, ragged=0.0), 5).truth
    counts = np.full(spec.t, spec.m)
    counts[1:] = np.ceil(spec.m * (1 - spec.ragged))
    return Seen(counts, truth, spec.r, spec.k)


@pytest.fixture(scope="module")
def met():
    """Zone → the most draws of a cell of `quick` that lie in it, and the smallest problem among all of them."""
    most, smallest = Counter(), {}
    for cell in ladder(PRACTICAL, "quick"):
        if cell.configurations is None:
            continue
        found = Counter()
        for c in propose(cell.configurations, DRAWS, 11):
            at, cost = seen(c.spec), c.spec.t * c.spec.m * c.spec.d
            for name in (n for n, dead in DEAD_ZONES.items() if dead.zone(at)):
                found[name] += 1
                if name not in smallest or cost < smallest[name][0]:
                    smallest[name] = cost, c.spec
        most |= found
    return most, {name: spec for name, (_, spec) in smallest.items()}


def test_all_are_mutants():
    assert len(DEAD_ZONES) >= 14
    assert all("recovery/exact" in MUTANTS[name].expected for name in DEAD_ZONES)
    assert len({dead.damage for dead in DEAD_ZONES.values()}) >= 7


@pytest.mark.parametrize(("r", "k"), [(1, 1), (2, 1), (1, 2), (2, 2), (1, 3)])
def test_right_on_small_easy_problems(r, k):
    instance = generate(InstanceSpec(t=60, m=26, d=20, r=r, k=k), 10 * r + k)
    answer = mutants.PRACTICAL(instance.problem, rng=np.random.default_rng(0))  # once for all of them
    for name, dead in DEAD_ZONES.items():
        assert (MUTANTS[name].solver.function, MUTANTS[name].solver.solver) == (dead, mutants.PRACTICAL)
        assert recovered(dead(lambda *_, **__: answer, instance.problem, None, None).model, instance), name


@pytest.mark.parametrize("name", DEAD_ZONES)
def test_met_by_the_ladder_and_wrong_there(name, met):
    most, smallest = met
    assert most[name] >= MET
    instance = generate(smallest[name], 5)

    def right(problem, *, rng, callback=None):
        return Solution(instance.truth, Status.CONVERGED, 1)

    assert recovered(instance.truth, instance)
    assert not recovered(DEAD_ZONES[name](right, instance.problem, None, None).model, instance)
