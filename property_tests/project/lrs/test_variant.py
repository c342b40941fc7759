"""Parts of the solver: the guide's variant runs as it stands, and what does not go together is refused."""

from __future__ import annotations

import json
import pickle
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lrs import AMHT, InstanceSpec, InvalidInput, generate, load_solver, metrics, solve
from lrs.amht import (
    EqualWeights,
    GaussNewton,
    GeometricSchedule,
    HardThresholding,
    LeastSquaresWeights,
    orthonormalise,
    with_weights,
)
from lrs.cli import run

PAGE = (Path(__file__).parents[3] / "docs" / "guide" / "variant.md").read_text(encoding="utf-8")
INSTANCE = generate(InstanceSpec(t=60, m=30, d=20, r=2, k=2), 0)


@pytest.fixture
def here(tmp_path, monkeypatch):
    code = re.search(r"```python\n(# mine_file.py\n.*?)```", PAGE, re.S)[1]
    (tmp_path / "mine_file.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "mine_file", raising=False)
    return tmp_path


def test_the_variant_of_the_guide_is_another_solver_that_recovers(here):
    mine = load_solver("mine_file:mine")
    solution, usual = solve(INSTANCE.problem, mine), solve(INSTANCE.problem)
    assert metrics.theta_error(solution.model, INSTANCE.truth) < 1e-8
    assert solution.iterations > 2 * usual.iterations  # half a step: a linear rate for a quadratic one
    again = solve(INSTANCE.problem, pickle.loads(pickle.dumps(mine)))
    np.testing.assert_array_equal(again.model.theta, solution.model.theta)
    assert "step=0.5" in repr(mine)


def test_verify_duel_and_sweep_take_it_as_it_is(here, capsys):
    claim = ["--claims", "conduct/orthonormal-basis", "--beta", "0.1", "--jobs", "1"]
    assert run(["verify", "--solver", "mine_file:mine", *claim]) == 0
    cells = ["--x", "m=10,30", "--fixed", "d=12,r=1,k=1,t=20", "--replicates", "2", "--jobs", "0"]
    assert run(["sweep", *cells, "--solver", "mine_file:mine", "--out", "sweep"]) == 0
    capsys.readouterr()
    assert run(["duel", "amht", "mine_file:mine", "--in", "duel", *cells, "--json"]) == 0
    assert "mine_file:mine" in json.dumps(json.loads(capsys.readouterr().out))


def test_any_callable_is_a_part_and_sees_values_nobody_changes():
    seen = []

    def weights(samples, state):
        seen.append((state, state.fit.W.copy()))
        return replace(state, fit=with_weights(samples.engine, state.U, state.fit, 0.5 * state.fit.W))

    def polish(run, state):
        return state

    solution = solve(INSTANCE.problem, AMHT(weights=weights, polish=polish, max_iterations=3, attempts=1))
    exact = solve(INSTANCE.problem)
    assert metrics.theta_error(solution.model, INSTANCE.truth) > 0.1 > metrics.theta_error(exact.model, INSTANCE.truth)
    for state, W in seen:
        np.testing.assert_array_equal(state.fit.W, W)


def test_thresholding_brings_the_other_parts_of_the_paper_with_it():
    problem = generate(InstanceSpec(t=60, m=120, d=20, r=1, k=1), 1).problem
    paper, parts = solve(problem, AMHT.paper()), solve(problem, AMHT(sparse=HardThresholding()))
    np.testing.assert_array_equal(paper.model.theta, parts.model.theta)
    fast = GeometricSchedule(decay=0.7)
    exchanged = solve(problem, AMHT(sparse=HardThresholding(), schedule=fast))
    np.testing.assert_array_equal(solve(problem, AMHT.paper(schedule=fast)).model.theta, exchanged.model.theta)
    assert exchanged.iterations < paper.iterations


def test_the_paper_with_another_subspace_step():
    def still(samples, state):
        return replace(state, U=orthonormalise(state.U))

    solver = AMHT.paper(subspace=still, max_iterations=4)
    assert "still" in repr(solver)
    start = []
    solution = solve(INSTANCE.problem, solver, callback=start.append)
    assert metrics.subspace_distance(solution.model.U, start[0].model.U) < 1e-12


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"subspace": lambda U: U}, r"subspace: expected a callable subspace\(samples, state\) -> State"),
        ({"sparse": 3}, r"sparse: expected a callable sparse\(samples, state\) -> State, got 3"),
        ({"subspace": GaussNewton}, r"subspace: .* pass an instance, GaussNewton\(…\)"),
        ({"polish": lambda state: state}, r"polish: expected a callable polish\(run, state\) -> State"),
        ({"restarts": lambda run: run}, r"restarts: expected a callable restarts\(run, state, most\) -> State"),
        ({"weights": LeastSquaresWeights()}, "weights: LeastSquaresWeights works on a PlainFit, but sparse=Matching"),
        ({"sparse": HardThresholding(), "subspace": GaussNewton()}, "subspace: GaussNewton works on a Fit"),
        ({"sparse": HardThresholding(), "polish": EqualWeights()}, "polish: EqualWeights works on a Fit"),
        ({"schedule": GeometricSchedule()}, "schedule: .* pass sparse=HardThresholding"),
        ({"sparse": HardThresholding(), "polish": lambda run, state: state}, "restarts, polish: .* leave both out"),
    ],
)
def test_parts_that_do_not_fit_are_refused_with_one_sentence(unchecked, parts, message):
    with pytest.raises(InvalidInput, match=message):
        AMHT(**parts)
