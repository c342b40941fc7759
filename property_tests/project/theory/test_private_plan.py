"""Users a private run needs: the bounds are those of the solver's own schedule, and the verb says so or refuses."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from lrs.cli import run
from lrs.core.errors import InvalidInput
from lrs.private import PrivateAMHT, Schedule
from theory.families.low_rank_sparse.theorems.amht_private import (
    a_noise,
    a_small,
    start_noise,
    start_small,
    v_noise,
    v_small,
)
from theory.private_plan import ROUNDS, PrivatePlan, draw, plan_users, users

PLAN = PrivatePlan(d=20, r=2, k=2, epsilon=1.0, delta=1e-6)


def test_noise_is_that_of_the_solvers_schedule():
    solver = PrivateAMHT(epsilon=1.0, delta=1e-6, clip=PLAN.clip, rounds=PLAN.rounds)
    schedule = Schedule(
        clip=PLAN.clip,
        rho=PLAN.rho,
        rounds=solver.rounds,
        sparsity=2,
        start_share=solver.start_share,
        a_share=solver.a_share,
    )
    planned = {release.name: release.noise for _, releases in schedule.releases for release in releases}
    values = PLAN.values()
    for name, expression in (("moment", start_noise), ("A", a_noise), ("V", v_noise)):
        found = float(expression.subs({s: values[s.name] for s in expression.free_symbols}))
        assert found == pytest.approx(planned[name], rel=1e-12)


def test_a_bound_holds_at_its_number_of_users_and_not_below():
    for predicate in (start_small, *ROUNDS):
        n = users(predicate, PLAN)
        assert predicate.margin({**PLAN.values(), "t": n}) >= 0
        assert predicate.margin({**PLAN.values(), "t": n - 1}) < 0


def test_users_needed_scale_as_derived():
    half = replace(PLAN, tolerance=0.05)
    assert users(start_small, half) == pytest.approx(2 * 1.05 / 1.1 * users(start_small, PLAN), rel=1e-3)  # (1 + τ)/τ
    longer = replace(PLAN, rounds=16)
    for predicate in (a_small, v_small):
        assert users(predicate, longer) == pytest.approx(2 * users(predicate, PLAN), rel=1e-3)
    needs = [plan_users(replace(PLAN, epsilon=e))[-1].amount for e in (0.1, 1.0, 10.0)]
    assert needs == sorted(needs, reverse=True)
    assert needs[0] / needs[1] == pytest.approx(10, rel=0.25)


def test_the_cheaper_way_is_what_is_needed():
    needs = {need.source: need.amount for need in plan_users(PLAN)}
    assert needs["users needed"] == min(needs["start"], needs["rounds"])
    assert needs["rounds"] == max(needs[p.name] for p in ROUNDS)


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
