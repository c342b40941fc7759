"""Sweeps over a private target: the same users at every ε, the target reaches the solver, the users needed are drawn."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lrs import InvalidInput, PrivateAMHT
from lrs.cli import run
from lrs.core.family import load_family
from lrs.families.low_rank_sparse.generate import InstanceSpec
from lrs.private import clip_of, epsilon_of
from phase_diagrams.analysis.duel import time_both
from phase_diagrams.analysis.overlays import margin, overlays, parameters_at
from phase_diagrams.analysis.table import load
from phase_diagrams.sweeps.engines import Inline
from phase_diagrams.sweeps.grid import SweepSpec, build
from phase_diagrams.sweeps.runner import sweep
from phase_diagrams.sweeps.trial import Calls, Runner, Trial, check_solvers, draw
from theory.private_plan import PrivatePlan, plan_users

SIZES = "d=6,r=1,k=1,m=8"
SETTINGS = {
    "x": "epsilon=0.02,1000",
    "y": "t=100,400",
    "fixed": f"{SIZES},delta=1e-6",
    "solvers": ["private-amht", "amht"],
    "success": "subspace",
    "tolerance": 0.2,
    "replicates": 1,
}


def spec(**changes) -> SweepSpec:
    return build({**SETTINGS, **changes})


def test_a_target_is_no_part_of_the_instance():
    cells = spec().cells
    assert [c.settings for c in cells] == [{"epsilon": e, "delta": 1e-6} for e in (0.02, 0.02, 1000, 1000)]
    few, many = (draw(spec(), cells[i], 0).problem.data for i in (0, 2))
    assert np.array_equal(few.X, many.X)


def test_the_target_reaches_the_private_solver_only():
    solver, instance = PrivateAMHT(release="statistics"), InstanceSpec(t=9, m=8, d=6, r=1, k=1)
    first, second = (
        solver.for_study(instance, np.random.default_rng(key), epsilon=2.0, delta=1e-5) for key in ([1], [2])
    )
    assert (first.epsilon, first.delta, first.clip) == (2.0, 1e-5, clip_of(instance))
    assert first.insecure_seed is not None
    assert first.insecure_seed != second.insecure_seed
    assert load_family().configure("amht", instance, np.random.default_rng(0), epsilon=2.0, delta=1e-5) == "amht"


def test_budget_decides_and_trials_repeat():
    chosen = spec()
    rows = [[Runner(chosen, "test").run(Trial(cell, 0, 0)) for cell in (1, 3)] for _ in range(2)]
    assert [row.outcome for row in rows[0]] == ["not recovered", "recovered"]
    assert [r.errors for r in rows[0]] == [r.errors for r in rows[1]]


def test_an_impossible_target_is_an_impossible_cell():
    first = spec(x="epsilon=0,1").cells[0]
    assert first.spec is None
    assert "epsilon: expected a positive number" in first.reason


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fixed": SIZES}, "delta: missing; a private target is both"),
        ({"x": "m=8,9", "fixed": "d=6,r=1,k=1,delta=1e-6"}, "epsilon: missing"),
    ],
)
def test_half_a_target_is_refused(changes, message):
    with pytest.raises(InvalidInput, match=message):
        spec(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"solvers": ["amht"]}, "none of the solvers amht takes a target"),
        ({"x": "m=8,9", "fixed": "d=6,r=1,k=1"}, "'private-amht' needs a target"),
    ],
)
def test_solvers_and_targets_go_together(changes, message):
    with pytest.raises(InvalidInput, match=message):
        check_solvers(spec(**changes), Calls())


def test_the_line_is_at_the_users_of_the_plan():
    chosen = spec(x="epsilon=1,2")
    (overlay,) = overlays(["private"])
    needed = {e: plan_users(PrivatePlan(d=6, r=1, k=1, epsilon=e, delta=1e-6))[-1].amount for e in (1.0, 2.0)}
    assert needed[1.0] > needed[2.0]
    for epsilon, users in needed.items():
        at = parameters_at(chosen, {"epsilon": epsilon, "t": np.array([users, 2 * users, 0.5 * users])})
        assert margin(overlay, at) == pytest.approx([0, np.log(2), -np.log(2)])
    with pytest.raises(InvalidInput, match="private needs a sweep with a target"):
        margin(overlay, parameters_at(build({"x": "m=8,9", "fixed": "d=6,r=1,k=1,t=9"}), {"m": np.array([8])}))


def test_verbs(tmp_path, capsys):
    folder = tmp_path / "sweep"
    arguments = ["--x", SETTINGS["x"], "--y", SETTINGS["y"], "--fixed", SETTINGS["fixed"], "--replicates", "1"]
    arguments += ["--solver", "private-amht", "--success", "subspace", "--tolerance", "0.2", "--jobs", "0"]
    assert run(["sweep", *arguments, "--out", str(folder)]) == 0
    frame = load(folder).frame
    assert sorted(frame["epsilon"].unique()) == [0.02, 1000]
    capsys.readouterr()
    assert run(["plot", str(folder), "--what", "subspace_distance", "--overlay", "private", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["written"]) == 2


def test_private_solvers_are_timed_with_their_target(tmp_path):
    folder = tmp_path / "sweep"
    chosen = spec(
        x="epsilon=500,1000", y="t=100,400", success="subspace", tolerance=0.9, solvers=["private-amht", "priv-altmin"]
    )
    sweep(chosen, folder, Inline())
    assert time_both(load(folder), "private-amht", "priv-altmin", instances=2).seconds_a > 0


def test_a_study_spends_its_target():
    instance = draw(spec(), spec().cells[1], 0)
    solver = PrivateAMHT().for_study(spec().cells[1].spec, np.random.default_rng(0), **spec().cells[1].settings)
    privacy = solver(instance.problem, rng=np.random.default_rng(0)).info["privacy"]
    assert epsilon_of(privacy["rho"], 1e-6) <= 0.5
    assert privacy["secure_noise"] is False
