"""Configurations lie where they are said to lie, by construction."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lrs.core.errors import InvalidInput
from lrs.solver import load_solver
from property_tests.examine.configuration import Configuration
from property_tests.examine.search import propose
from property_tests.families.low_rank_sparse import strategies
from property_tests.families.low_rank_sparse.strategies import (
    CORNERS,
    PAPER,
    PRACTICAL,
    TRACE_SHAPES,
    VIOLATIONS,
    inside,
    shell,
    violating,
)
from property_tests.families.low_rank_sparse.structures import FAILING
from theory.statistics.rates import RateVerdict, certify

REGIONS = (PRACTICAL, PAPER, strategies.theorem_region())
few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("region", REGIONS, ids=lambda r: r.name)
@given(data=st.data())
@few
def test_inside_is_inside(region, data):
    c = data.draw(inside(region))
    depth = region.depth(c)
    assert depth.margin >= 0, (str(c), depth.binding)
    assert min(depth.parts.get(n, np.inf) for n in ("samples per task", "total samples")) >= c.slack - 1e-9


@pytest.mark.parametrize("region", REGIONS, ids=lambda r: r.name)
@given(data=st.data())
@few
def test_the_shell_is_tight(region, data):
    """One row less and the configuration is outside."""
    c = data.draw(shell(region, corners=("plain",)))
    fewer = c.with_spec(m=c.spec.m - 1)
    assert region.depth(fewer).binding in ("samples per task", "total samples")
    assert region.depth(fewer).margin < 0


@pytest.mark.parametrize("assumption", VIOLATIONS)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_violating_breaks_one_assumption(assumption, data):
    c = data.draw(violating(assumption))
    broken = [name for name, margin in PRACTICAL.depth(c).parts.items() if margin < 0]
    assert broken == [assumption]
    assert c.violates == assumption
    c.instance("test", 0)  # and can be drawn


@pytest.mark.parametrize("corner", CORNERS)
def test_every_corner_is_reached(corner):
    """The corner changes the instance, and its instance obeys what the region promises of it."""
    (c,) = propose(inside(corners=(corner,)), 1, 0)
    truth, s = c.instance("test", 0).truth, c.spec
    assert np.diff(truth.B.indptr).tolist() == [s.k] * s.t
    used = np.bincount(truth.B.indices, minlength=s.d).max()
    sizes = np.linalg.eigvalsh(truth.W.T @ truth.W)
    facts = {
        "clustered supports": used >= 0.4 * s.t / s.r,
        "condition at its limit": s.r == 1 or sizes[-1] / sizes[0] > 0.99 * PRACTICAL["kappa_0"],
        "rows at the incoherence limit": (truth.U**2).sum(axis=1).max() >= PRACTICAL["row_0"],
        "tiny b": np.abs(truth.B.data).max() < 2e-3,
        "large b": np.abs(truth.B.data).max() > 3,
        "signs": set(np.abs(truth.B.data)) == {1.0},
        "repeated tasks": len(np.unique(truth.W.round(12), axis=0)) == s.t - s.duplicates < s.t,
    }
    assert facts.get(corner, True)


@given(inside(over_rank=1, over_sparsity=2))
@few
def test_overspecified_is_counted_by_what_is_told(c):
    assert dict(c.told) == {"rank": c.spec.r + 1, "sparsity": c.spec.k + 2}
    assert PRACTICAL.depth(c).margin >= 0


@given(inside(ragged=0.3))
@settings(max_examples=10, deadline=None)
def test_ragged_counts_the_smallest_task(c):
    counts = c.instance("test", 0).problem.data.counts
    assert counts.min() >= PRACTICAL.rows(c.spec.t, c.spec.d, c.spec.r, c.spec.k) - 1


@given(inside())
@few
def test_configurations_survive_their_text(c):
    assert Configuration.parse(c.text) == c


@given(strategies.instances(sizes=strategies.TINY))
@settings(max_examples=10, deadline=None)
def test_instances_are_realizable(instance):
    data, truth = instance.problem.data, instance.truth
    assert np.allclose(data.y, truth.predict(data.X, data.groups), rtol=0, atol=1e-10)


@pytest.mark.parametrize("structure", FAILING)
def test_tasks_that_fail_belong_to_the_practical_region_only(structure):
    for region in REGIONS:
        (c,) = propose(inside(region, slacks=(0.5,), corners=("plain",)), 1, 0)
        depth = region.depth(replace(c, structure=structure))
        assert region.depth(c).margin >= 0
        assert (depth.margin >= 0) is (region is PRACTICAL)
        assert region is PRACTICAL or depth.binding == "tasks that fail"


def test_data_do_not_depend_on_what_was_drawn_before():
    first, second = propose(inside(), 4, 0)[0], propose(inside(), 4, 0)[0]
    assert np.array_equal(first.instance("p", 3).problem.data.X, second.instance("p", 3).problem.data.X)
    assert not np.array_equal(first.instance("p", 3).problem.data.X, first.instance("q", 3).problem.data.X)


@pytest.mark.parametrize("shape", TRACE_SHAPES)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_traces_are_told_apart(shape, data):
    verdict = certify(data.draw(strategies.traces(shape, 60))).verdict
    if shape in ("power law", "stalled"):
        assert not verdict.linear
    elif shape == "geometric":
        assert verdict.linear or verdict is RateVerdict.SUPERLINEAR
    else:  # a dozen steps, two of them on the floor, may be too few to say
        assert verdict not in (RateVerdict.SUBLINEAR, RateVerdict.STALLED, RateVerdict.TOO_SLOW)


@pytest.mark.parametrize(
    ("solver", "region"),
    [
        ("amht", PRACTICAL),
        ("amht-paper", PAPER),
        ("property_tests.families.low_rank_sparse.textbook:Textbook", PRACTICAL),
        ("property_tests.families.low_rank_sparse.textbook:Thresholding", PAPER),
        ("property_tests.families.low_rank_sparse.strangers.from_the_paper:amht_lrs", PAPER),
        ("property_tests.families.low_rank_sparse.mutants:threshold_too_low", PAPER),
        ("property_tests.families.low_rank_sparse.mutants:row_major_vec", PRACTICAL),
    ],
)
def test_a_solver_carries_its_region(solver, region):
    assert strategies.region_for(load_solver(solver)) is region


def test_regions_by_name():
    assert strategies.region_for() is PRACTICAL
    assert strategies.region_for(theorem="sparse-vector-lemma") is PAPER
    with pytest.raises(
        InvalidInput, match="solver: a region is a solver's attribute, not its name's; load 'amht-paper'"
    ):
        strategies.region_for("amht-paper")
    assert strategies.region_named("paper") is PAPER
    with pytest.raises(
        InvalidInput,
        match="region: no region 'large'; known are practical, paper, amht-fresh-rows, amht-informal, amht-noisy",
    ):
        strategies.region_named("large")
    with pytest.raises(InvalidInput, match="theorem: no region is known for 'x'"):
        strategies.region_for(theorem="x")


def test_every_theorem_that_a_claim_names_has_a_region():
    from property_tests.examine.claim import claims

    for theorem in {name for c in claims() for name in c.theorems}:
        assert strategies.region_for(theorem=theorem).rows(60, 20, 1, 1) > 0


@given(inside(strategies.theorem_region()))
@few
def test_the_theorems_region_is_the_theorem_with_the_frozen_constants(c):
    """m is the smallest number of rows that keeps both of its bounds."""
    from theory.statistics import calibration

    s, frozen = c.spec, calibration.constants("amht", certified=False)
    needed = max(frozen["C_task"].value * max(s.k, s.r**3), frozen["C_total"].value * s.k * s.d * s.r**4 / s.t)
    assert s.m >= needed - 1e-9
    if c.slack == 0:
        assert s.m - 1 < needed


def test_the_practical_region_asks_for_no_more_rows_than_the_theorem_from_rank_two_on():
    """So confirming a solver there says more than the theorem promises, whatever the frozen constants become."""
    theorem = strategies.theorem_region()
    for r in (2, 3):
        for k in (1, 2, 3):
            for d in (4 * (r + k), 60):
                for t in (24, 80, 200):
                    assert PRACTICAL.rows(t, d, r, k) <= theorem.rows(t, d, r, k)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: inside(corners=("round",)), "corners: no corner 'round'"),
        (lambda: inside(slacks=(-1.0,)), "slacks: expected depths"),
        (lambda: violating("luck"), "assumption: no violation of 'luck'"),
    ],
)
def test_slips_are_named(call, message):
    with pytest.raises(InvalidInput, match=message):
        call()
