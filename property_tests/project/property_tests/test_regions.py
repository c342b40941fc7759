"""A subject carries its region; anybody's region that draws is used, and no other is put in its place."""

from dataclasses import dataclass, replace

import pytest
from bad_solvers import honest

from lrs.core.errors import InvalidInput
from lrs.core.run import Subject
from lrs.isolation import Sandbox
from property_tests.examine.claim import claims
from property_tests.examine.configuration import Everywhere
from property_tests.examine.engine import Budget
from property_tests.families.low_rank_sparse import strategies
from property_tests.families.low_rank_sparse.strategies import PAPER, PRACTICAL, region_for, theorem_region
from property_tests.verify import check_solver

TINY = Budget(name="tiny", explore=2, least=0, most=24, shrink=1, confirm=1)


@dataclass(frozen=True)
class Mine:
    """A region of one's own: the practical one with at most this many tasks."""

    most: int
    name: str = "mine"

    def depth(self, configuration):
        found = PRACTICAL.depth(configuration)
        return replace(found, margin=min(found.margin, float(self.most - configuration.spec.t)))

    def draw(self, **options):
        return PRACTICAL.draw(**options)


class Undrawable:
    name = "flat"

    def depth(self, configuration):
        return PRACTICAL.depth(configuration)


class Carrier:
    """A solver that carries whatever it is given."""

    def __init__(self, region):
        self.region = region

    def __call__(self, problem, *, rng, callback=None):
        return honest(problem, rng=rng, callback=callback)


def check(**options):
    return check_solver("bad_solvers:honest", claims="honesty/deterministic", budget=TINY, jobs=1, **options)


def test_a_region_of_ones_own_is_used():
    report = check(region=Mine(10_000))
    assert report.region == "mine"
    assert report["honesty/deterministic"].tally.trials > 0
    none = check(region=Mine(1))  # every problem has more tasks
    assert none["honesty/deterministic"].verdict.value == "OUT_OF_SCOPE"


@pytest.mark.parametrize("option", ["region", "draw"])
@pytest.mark.parametrize(
    ("region", "message"),
    [
        (Undrawable(), r"region: 'flat' \(Undrawable\) has no method draw"),
        ("practical", "region: a str has no name"),
        (Everywhere(), "region: 'everywhere' has no boundary and cannot draw"),
    ],
)
def test_a_region_that_cannot_draw_is_refused(option, region, message):
    with pytest.raises(InvalidInput, match=message):
        check(**{option: region})
    with pytest.raises(InvalidInput, match=message):
        strategies.inside(region)


def test_every_claim_draws_from_a_region_of_ones_own():
    """No claim asks a region for more than name, depth and draw."""
    for claim in claims():
        claim.configurations(Mine(10_000)).validate()
    assert strategies.growth(Mine(1)) == PRACTICAL.growth


@pytest.mark.parametrize(
    ("spec", "region"),
    [
        ("property_tests.families.low_rank_sparse.textbook:Thresholding", PAPER),
        ("property_tests.families.low_rank_sparse.textbook:Textbook", PRACTICAL),
    ],
)
def test_the_worker_says_which_region_a_solver_carries(spec, region):
    with Sandbox(Subject.of(spec)) as box:
        assert region_for(box.start()) is region


def test_a_carried_region_crosses_as_its_constants():
    mine = PRACTICAL.with_constants(kappa_0=50.0, C_rows=3.0)
    with Sandbox(Subject.of(Carrier(mine))) as box:
        found = region_for(box.start())
    assert found.bounds.values == mine.bounds.values
    assert found["C_rows"] == 3.0
    assert repr(found) == repr(mine) != repr(PRACTICAL)
    assert found.label == "measured"


@pytest.mark.parametrize(
    ("carried", "message"),
    [
        ("large", "region: no region 'large'"),
        (3, "region: the solver carries a int"),
        ({"name": "practical", "constants": {"luck": 1.0}}, "constants: the region practical has no 'luck'"),
        ({"name": "practical", "constants": {"C_rows": "many"}}, "region: the solver carries a dict"),
    ],
)
def test_a_carried_region_that_is_none_is_refused(carried, message):
    with pytest.raises(InvalidInput, match=message):
        check_solver(Carrier(carried), claims="honesty/deterministic", budget=TINY, jobs=1)


def test_theorem_and_region_override_what_is_carried():
    assert region_for(Carrier("paper")) is PAPER
    assert region_for(Carrier("paper"), "amht-informal") == theorem_region()
    assert check_solver(Carrier("paper"), claims="honesty/deterministic", budget=TINY, jobs=1, region=Mine(99)).region == "mine"  # fmt: skip


def test_whose_region_it_is_stands_in_the_report():
    assert check(region=PRACTICAL).to_dict()["region_label"] == "measured"
    assert theorem_region().label == "the theorem's (quoted), NOT CERTIFIED constants, other bounds measured"
    assert "no noise" not in {p.name for p in theorem_region().bounds.assumptions}
