"""Users a private run needs: the bounds are those of the solver's own schedule, and the verb says so or refuses."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from lrs import InstanceSpec, generate, metrics, solve
from lrs.cli import run
from lrs.core.errors import InvalidInput
from lrs.private import PrivateAMHT, propose_clip
from theory.families.low_rank_sparse.theorems.amht_private import (
    a_noise,
    a_small,
    features_noise,
    gradient_noise,
    rounds_average,
    start_noise,
    start_small,
    v_noise,
    v_small,
)
from theory.private_plan import ROUNDS, PrivatePlan, draw, plan_users, users

PLAN = PrivatePlan(d=20, r=2, k=2, epsilon=1.0, delta=1e-6)
LEVELS = replace(PLAN, clip=propose_clip(d=20, feature_scale=1, weight_scale=1, rank=2, sparse_scale=1, sparsity=2))


@pytest.mark.parametrize("release", ["gradient", "statistics"])
def test_noise_is_that_of_the_solvers_schedule(release):
    solver = PrivateAMHT(epsilon=1.0, delta=1e-6, clip=LEVELS.clip, rounds=PLAN.rounds, release=release)
    planned = {r.name: r.noise for _, releases in solver._schedule(PLAN.rho, 2).releases for r in releases}
    values = LEVELS.values()
    expressions = {
        "moment": start_noise,
        "features": features_noise,
        "gradient": gradient_noise,
        "A": a_noise,
        "V": v_noise,
    }
    for name in planned.keys() - {"inside"}:
        found = float(expressions[name].subs({s: values[s.name] for s in expressions[name].free_symbols}))
        assert found == pytest.approx(planned[name], rel=1e-12)


def test_a_bound_holds_at_its_number_of_users_and_not_below():
    for predicate, plan in ((start_small, PLAN), (rounds_average, PLAN), *((p, LEVELS) for p in ROUNDS)):
        n = users(predicate, plan)
        assert predicate.margin({**plan.values(), "t": n}) >= 0
        assert predicate.margin({**plan.values(), "t": n - 1}) < 0


def test_users_needed_scale_as_derived():
    half = replace(LEVELS, tolerance=0.05)
    assert users(start_small, half) == pytest.approx(2 * 1.05 / 1.1 * users(start_small, LEVELS), rel=1e-2)  # (1 + τ)/τ
    longer = replace(LEVELS, rounds=80)
    for predicate in (a_small, v_small):
        assert users(predicate, longer) == pytest.approx(2 * users(predicate, LEVELS), rel=1e-2)
    finer = replace(PLAN, tolerance=0.5 / 2**16), replace(PLAN, tolerance=0.5 / 2**4)
    assert users(rounds_average, finer[0]) == pytest.approx(2 * users(rounds_average, finer[1]), rel=1e-2)
    # Averaged over all rounds, the noise does not depend on how many there are.
    assert users(rounds_average, replace(PLAN, rounds=80)) == users(rounds_average, PLAN)
    for plan in (PLAN, LEVELS):
        needs = [plan_users(replace(plan, epsilon=e))[-1].amount for e in (0.1, 1.0, 10.0)]
        assert needs == sorted(needs, reverse=True)
        assert needs[0] / needs[1] == pytest.approx(10, rel=0.25)


def test_what_is_needed_of_start_and_rounds():
    needs = {need.source: need.amount for need in plan_users(LEVELS)}
    assert needs["users needed"] == min(needs["start"], needs["rounds"])
    assert needs["rounds"] == max(needs[p.name] for p in ROUNDS)
    needs = {need.source: need.amount for need in plan_users(PLAN)}
    assert needs["users needed"] == max(needs["start"], needs[rounds_average.name])
    fine = replace(PLAN, tolerance=1e-8)  # beyond 2²⁰ halvings the start has to be nearer
    assert users(start_small, fine) > users(start_small, PLAN)
    assert fine.values()["halvings"] == pytest.approx(20)
    assert users(rounds_average, replace(PLAN, tolerance=0.6)) == 1, "the start alone is within it"


def test_the_planned_users_reach_the_tolerance():
    """Derived against measured: the error is within the tolerance at the planned number, and not at a quarter of it."""
    needed = int(plan_users(PLAN)[-1].amount)
    errors = []
    for t in (needed, needed // 4):
        instance = generate(InstanceSpec(t=t, m=20, d=20, r=2, k=2), 0)
        found = [
            solve(instance.problem, PrivateAMHT(epsilon=1.0, delta=1e-6, insecure_seed=s)).model.U for s in range(3)
        ]
        errors.append(sorted(metrics.subspace_distance(U, instance.truth.U) for U in found)[1])
    assert errors[0] <= PLAN.tolerance < errors[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epsilon": 0.0}, "epsilon"),
        ({"epsilon": math.inf}, "no privacy"),
        ({"delta": 1.0}, "delta"),
        ({"tolerance": 0.0}, "tolerance"),
        ({"rounds": 0}, "rounds"),
        ({"r": 0}, "r: expected"),
        ({"k": 21}, "cannot exceed"),
    ],
)
def test_what_is_no_plan_is_refused(change, message):
    with pytest.raises(InvalidInput, match=message):
        replace(PLAN, **change)


def test_picture(tmp_path):
    assert draw(tmp_path / "plan.svg", PLAN).stat().st_size > 10_000
    with pytest.raises(InvalidInput, match="not a picture"):
        draw(tmp_path / "plan.txt", PLAN)


def test_verb(capsys):
    assert run(["plan", "--epsilon", "1", "--delta", "1e-6", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["privacy"]["epsilon"] == 1
    assert found["users"] == plan_users(PLAN)[-1].amount
    assert {need["kind"] for need in found["needs"]} == {"derived"}
    assert run(["plan", "--epsilon", "1", "--delta", "1e-6"]) == 0
    assert "reference sizes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epsilon", "1"], "delta: an epsilon needs its delta"),
        (["--epsilon", "0", "--delta", "1e-6"], "epsilon"),
        (["--epsilon", "1", "--delta", "1e-6", "-m", "20"], "m: a private plan"),
        (["--epsilon", "1", "--delta", "1e-6", "-d", "20"], "r, k: not given"),
        (["--epsilon", "1", "--delta", "1e-6", "--clip", "x=1"], "no level for"),
        (["-d", "20", "-r", "2", "-k", "2", "--rounds", "3"], "rounds: belongs to a private plan"),
        (["-d", "20"], "r, k: not given"),
    ],
)
def test_verb_refuses(arguments, message, capsys):
    assert run(["plan", *arguments]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
