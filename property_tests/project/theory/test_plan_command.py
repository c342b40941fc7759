"""`lrs plan`: what limits, theorem and solver need, from the same expressions as everything else."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from lrs.cli import run
from lrs.core.errors import InvalidInput
from lrs.solver import Solution, Status
from theory import plan
from theory.families.low_rank_sparse import assumptions as a
from theory.language import symbols
from theory.language.symbols import Constant
from theory.region import TheoremRegion, needed
from theory.theorems import load_theorem

Capture = pytest.CaptureFixture[str]
SIZES = {"d": 30, "r": 2, "k": 2}
CONSTANTS = {n: Constant(n, "larger-is-stronger", v, "cited", "test") for n, v in (("C_task", 2.0), ("C_total", 1.5))}
REGION = TheoremRegion(load_theorem(plan.THEOREM), tuple(CONSTANTS.values()))


def call(capsys: Capture, *arguments: object) -> tuple[int, str, str]:
    code = run(["plan", *(str(a) for a in arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def amounts(needs: tuple[plan.Requirement, ...]) -> dict[str, float]:
    return {q.source: q.amount for q in needs}


# ---------------------------------------------------------------------------------------------- the figures
@pytest.mark.parametrize("t", [5, 40, 700])
def test_theorem_rows_are_the_fewest_that_satisfy_its_bounds(t: int) -> None:
    rows = int(REGION.rows(t=t, **SIZES))
    values = {"C_task": 2.0, "C_total": 1.5, "t": t, **SIZES}
    both = a.total_samples & a.task_samples
    assert both.check({**values, "m": rows})
    assert not both.check({**values, "m": rows - 1})


@pytest.mark.parametrize("m", [16, 40, 700])
def test_theorem_tasks_are_the_fewest_that_satisfy_its_bounds(m: int) -> None:
    tasks = int(REGION.tasks(m=m, **SIZES))
    values = {"C_task": 2.0, "C_total": 1.5, "m": m, **SIZES}
    both = a.total_samples & a.task_samples
    assert both.check({**values, "t": tasks})
    assert tasks == 1 or not both.check({**values, "t": tasks - 1})


def test_no_number_of_tasks_helps_below_the_bound_per_task() -> None:
    assert REGION.tasks(m=15, **SIZES) == math.inf


def test_counting_rows_and_tasks_are_inverse() -> None:
    for t in (1, 4, 17, 300):
        rows = amounts(plan.plan_rows(t=t, **SIZES))["counting limit"]
        tasks = amounts(plan.plan_tasks(m=int(rows), **SIZES))["counting limit"]
        assert tasks <= t
        assert amounts(plan.plan_rows(t=int(tasks), **SIZES))["counting limit"] <= rows
    assert amounts(plan.plan_tasks(m=4, **SIZES))["counting limit"] == math.inf


def test_a_bound_is_solved_only_where_it_can_be() -> None:
    assert needed(a.total_samples, symbols.t) == a.total_samples.rhs / symbols.m
    assert needed(a.task_samples, symbols.t) is None
    with pytest.raises(InvalidInput, match=r"t: the bound .* cannot be solved for it"):
        needed(a.counting, symbols.t)


def truth_or_nothing(threshold: int) -> object:
    """A solver that recovers from ``threshold`` rows per task on; it peeks at nothing else."""

    def solver(problem: object, *, rng: object, callback: object = None) -> Solution:
        from lrs import AMHT

        solution = AMHT()(problem, rng=rng)  # type: ignore[arg-type]
        if int(problem.data.counts.min()) >= threshold:  # type: ignore[attr-defined]
            return solution
        model = solution.model
        return Solution(type(model)(model.U, 0 * model.W, model.B), Status.STALLED, 1)

    return solver


def test_the_measured_solver_is_found_by_bisection() -> None:
    lines: list[str] = []
    found = plan.measured_rows(t=20, d=10, r=1, k=1, solver=truth_or_nothing(11), replicates=1, progress=lines.append)
    assert found.amount == 11
    assert len(lines) <= 9
    assert "fewest rows per task of 1 noiseless replicate(s): 11" in found.note


def test_a_solver_that_never_recovers_needs_infinitely_many() -> None:
    assert plan.measured_rows(t=5, d=8, r=1, k=1, solver=truth_or_nothing(10**6), replicates=1).amount == math.inf
    assert plan.measured_tasks(m=3, d=8, r=1, k=1, solver=truth_or_nothing(10**6), replicates=1).amount == math.inf
    impossible = plan.measured_tasks(m=2, d=8, r=1, k=1)
    assert impossible.amount == math.inf
    assert "m is below r + k + 1" in impossible.note


def test_fewer_tasks_are_the_first_ones_of_more() -> None:
    found = plan.measured_tasks(m=14, d=12, r=1, k=1, replicates=1)
    assert 1 <= found.amount <= 20


# ---------------------------------------------------------------------------------------------- the verb
def test_rows_are_planned_for_given_tasks(capsys: Capture, tmp_path: Path) -> None:
    figure = tmp_path / "plan.png"
    code, out, err = call(
        capsys, "-d", 12, "-r", 1, "-k", 1, "-t", 20, "--replicates", 1, "--json", "-o", figure
    )  # fmt: skip
    assert code == 0, err
    found = json.loads(out)
    assert found["unit"] == "rows per task"
    needs = {n["source"]: n["amount"] for n in found["needs"]}
    assert needs["counting limit"] == math.ceil(2 + 11 / 20)
    assert needs["counting limit"] <= needs["measured solver"] <= 4 * needs["stable scale"]
    assert found["trials_for_delta"] == 135
    assert figure.stat().st_size > 10_000


def test_tasks_are_planned_for_given_rows_and_both_for_neither(capsys: Capture) -> None:
    code, out, _ = call(capsys, "-d", 100, "-r", 3, "-k", 5, "-m", 20, "--replicates", 0)
    assert code == 0
    assert "tasks needed" in out
    assert "∞" in out
    code, out, _ = call(capsys, "-d", 100, "-r", 3, "-k", 5, "--json")
    found = json.loads(out)
    assert found["rows"]["counting limit"] == [38, 18, 11, 9, 9, 9, 9]
    assert len(found["tasks"]) == 7


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_figures_are_drawn_in_each_format(tmp_path: Path, suffix: str) -> None:
    path = plan.draw(tmp_path / f"plan{suffix}", m=20, **SIZES)
    assert path.stat().st_size > 3000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-t", 10, "-m", 10), "t, m: pass one of them"),
        (("-t", 0), "t: expected a whole number of at least 1"),
        (("-m", -3), "m: expected a whole number of at least 1"),
        (("-t", 10, "--failure", 0), "failure: expected a probability"),
        (("-t", 10, "--solver", "amth"), "no solver named 'amth'"),
        (("-t", 10, "--replicates", 0, "-o", "plan.txt"), "is not a picture"),
        (("-t", 10, "--replicates", 0, "-o", "nowhere/plan.png"), "folder nowhere does not exist"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(capsys: Capture, arguments: tuple[object, ...], message: str) -> None:
    code, out, err = call(capsys, "-d", 30, "-r", 2, "-k", 2, *arguments)
    assert code == 2
    assert out == ""
    assert message in " ".join(err.split())


def test_sizes_that_do_not_fit_are_refused(capsys: Capture) -> None:
    code, _, err = call(capsys, "-d", 5, "-r", 9, "-k", 1, "-t", 10)
    assert code == 2
    assert "cannot exceed d = 5" in err


def test_calibrated_constants_are_named_when_there_are_any(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen = {n: Constant(n, c.direction, c.value, "calibrated", "lock") for n, c in CONSTANTS.items()}
    monkeypatch.setattr(plan, "frozen_constants", lambda: {"mine": frozen})
    needs = {q.source: q for q in plan.plan_rows(t=40, **SIZES)}
    assert needs["theorem, mine"].amount == REGION.rows(t=40, **SIZES)
    assert "C_task = 2 (calibrated)" in needs["theorem, mine"].note
    assert np.isfinite(needs["theorem, mine"].amount)
