"""Every mutant breaks a claim that is meant to notice it; what it was made from keeps that claim."""

import pytest
from inprocess import outcomes

from property_tests.examine.claim import claims
from property_tests.families.low_rank_sparse.dead_zones import DEAD_ZONES
from property_tests.families.low_rank_sparse.mutants import MUTANTS

CLAIMS = {c.name: c for c in claims()}
#: Trials after which the intended claim must have failed at least this often: a tenth of the failures REFUTED takes.
TRIALS, FAILURES = 12, 2
#: Seen by other means: rarely wrong (90 %), watched by the sandbox only, or wrong only in cells of the ladder (`test_dead_zones`).
ELSEWHERE = {"works_nine_times_in_ten", "peeks_at_the_truth", *DEAD_ZONES}

#: Slow to fail: they are given many steps, are held to the region with many rows, or fail in processor time.
SLOW = {
    "quadratic_time",
    "seldom_subspace_step",
    "spread_supports_only",
    "step_by_m_squared",
    "sublinear",
    "threshold_not_shrunk",
    "threshold_too_low",
    "too_slow",
}


def test_at_least_twenty():
    assert len(MUTANTS) >= 20
    assert len({m.why for m in MUTANTS.values()}) == len(MUTANTS)


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in sorted(set(MUTANTS) - ELSEWHERE)],
)
def test_the_intended_claim_notices(name):
    for claim in (CLAIMS[c] for c in MUTANTS[name].expected):
        found = outcomes(
            f"property_tests.families.low_rank_sparse.mutants:{name}", claim, TRIALS, enough_failures=FAILURES
        )
        if found is not None and sum(not o.ok for o in found) >= FAILURES:
            return
    pytest.fail(f"{name} passes {', '.join(MUTANTS[name].expected)}")


def test_cheating_works_only_without_the_sandbox():
    """In this process the truth can be found; the claims run the solver in another one, where it cannot."""
    from lrs.core.run import Subject
    from lrs.isolation import Sandbox
    from property_tests.examine.search import propose
    from property_tests.families.low_rank_sparse.strategies import inside
    from theory.families.low_rank_sparse.fixtures import parameter_error

    instance = propose(inside(), 1, 0)[0].instance("test", 0)
    here = MUTANTS["peeks_at_the_truth"].solver(instance.problem, rng=None)
    assert parameter_error(here.model, instance.truth) < 1e-12
    with Sandbox(Subject.of("property_tests.families.low_rank_sparse.mutants:peeks_at_the_truth")) as sandbox:
        there = sandbox(instance.problem, (1,), trace=False, memory=False)
    assert parameter_error(there.model, instance.truth) > 1e-3
