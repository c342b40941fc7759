"""One trial: draw the instance, run the solver, say how it ended. A pure function of the sweep and three integers."""

from __future__ import annotations

import enum
import math
import time
from collections.abc import Sequence
from typing import Any, NamedTuple, get_type_hints

import numpy as np

from lrs import metrics
from lrs.errors import InvalidInput, NotFinite
from lrs.generate import generate
from lrs.private.options import for_study
from lrs.problem import Instance
from lrs.solver import Iterate, Solution, Solver, Status, load_solver
from phase_diagrams import identity
from phase_diagrams.grid import Cell, SweepSpec


class Outcome(enum.StrEnum):
    """How a trial ended. Every scheduled trial has one; none is left out of a success rate."""

    RECOVERED = "recovered"
    NOT_RECOVERED = "not recovered"
    ITERATION_CAP = "iteration cap"  # not recovered, and the solver said it would have gone on
    NON_FINITE = "non-finite"  # the iteration diverged or returned NaN or infinity
    RAISED = "raised"  # the solver raised an exception
    CRASHED = "crashed"  # the solver ended its process, twice
    IMPOSSIBLE = "impossible"  # no such instance exists (k > d, m < 1, …)


class Trial(NamedTuple):
    """What identifies a trial within a sweep: cell index, replicate, index of the solver."""

    cell: int
    replicate: int
    solver: int


class Row(NamedTuple):
    """The record of one trial, in the order of the journal's columns."""

    cell: int
    replicate: int
    solver: str
    outcome: str
    status: str | None = None
    iterations: int | None = None
    theta_error: float = math.nan
    subspace_distance: float = math.nan
    tasks_recovered: float = math.nan
    support_precision: float = math.nan
    support_recall: float = math.nan
    residual: float = math.nan
    rate: float = math.nan
    message: str | None = None
    timing_solve: float = math.nan
    timing_generate: float = math.nan
    host_worker: str | None = None


COLUMNS = Row._fields
#: Column → int, float, str | None or int | None.
KINDS = get_type_hints(Row)
LONGEST_MESSAGE = 200


def impossible(spec: SweepSpec, trial: Trial, reason: str) -> Row:
    """The record of a trial in a cell where no instance exists."""
    return Row(trial.cell, trial.replicate, spec.solvers[trial.solver], Outcome.IMPOSSIBLE, message=_short(reason))


def crashed(spec: SweepSpec, trial: Trial, reason: str) -> Row:
    """The record of a trial whose solver ended its process."""
    return Row(trial.cell, trial.replicate, spec.solvers[trial.solver], Outcome.CRASHED, message=_short(reason))


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE - 1] + "…"


def draw(spec: SweepSpec, cell: Cell, replicate: int) -> Instance:
    """The instance of a cell and a replicate; raises `InvalidInput` where none exists."""
    if cell.spec is None:
        raise InvalidInput(cell.reason)
    spec.check_streams()
    return generate(cell.spec, identity.instance_key(spec.seed, cell.parameters, replicate, spec.nonce))


def aimed(solver: Solver, cell: Cell, rng: np.random.Generator) -> Solver:
    """The solver with the private target of the cell; as it is where there is none, or when it takes none."""
    if not cell.target or cell.spec is None:
        return solver
    configured: Solver = for_study(solver, cell.spec, rng, **cell.target)
    return configured


def geometric_rate(errors: Sequence[float]) -> float:
    """Factor by which the error shrinks per outer step, NaN when fewer than three steps show it.

    Least squares on the logarithm of the right majorant max_{u ≥ s} e_u, which forgives jitter, over the steps before
    the error is within a factor 10 of where it ends: a rounding or noise floor is not part of the decay.
    """
    e = np.asarray(errors, dtype=float)
    if len(e) < 3 or not np.isfinite(e).all():
        return math.nan
    majorant = np.maximum.accumulate(e[::-1])[::-1]
    falling = majorant > 10 * max(majorant[-1], 1e-15)
    if falling.sum() < 3:
        return math.nan
    steps = np.flatnonzero(falling)
    return float(np.exp(np.polyfit(steps, np.log(majorant[steps]), 1)[0]))


class Runner:
    """Runs trials of one sweep, keeping the last instance so that several solvers share it."""

    def __init__(self, spec: SweepSpec, worker: str) -> None:
        spec.check_streams()
        self.spec = spec
        self.worker = worker
        self.solvers = [load_solver(name) for name in spec.solvers]
        self._drawn: tuple[tuple[int, int], Instance, float] | None = None

    def _instance(self, trial: Trial) -> tuple[Instance, float]:
        at = (trial.cell, trial.replicate)
        if self._drawn is None or self._drawn[0] != at:
            start = time.perf_counter()
            instance = draw(self.spec, self.spec.cells[trial.cell], trial.replicate)
            self._drawn = (at, instance, time.perf_counter() - start)
        return self._drawn[1], self._drawn[2]

    def run(self, trial: Trial) -> Row:
        """The record of one trial; only the end of the process can stop it from being returned."""
        try:
            instance, seconds = self._instance(trial)
        except InvalidInput as error:
            return impossible(self.spec, trial, str(error))
        return self.solve(trial, instance)._replace(timing_generate=round(seconds, 6), host_worker=self.worker)

    def solve(self, trial: Trial, instance: Instance, errors: list[float] | None = None) -> Row:
        """Run the solver on an instance and judge it; ``errors`` collects the error after every outer step."""
        spec = self.spec
        if errors is None and spec.trace:
            errors = []

        def trace(iterate: Iterate) -> None:
            assert errors is not None
            errors.append(metrics.theta_error(iterate.model, instance.truth))

        cell = spec.cells[trial.cell]
        rng = identity.solver_rng(spec.seed, cell.parameters, trial.replicate, spec.nonce)
        row = Row(trial.cell, trial.replicate, spec.solvers[trial.solver], Outcome.RAISED)
        start = time.perf_counter()
        try:
            solver = aimed(self.solvers[trial.solver], cell, rng)
            solution = solver(instance.problem, rng=rng, callback=None if errors is None else trace)
            seconds = round(time.perf_counter() - start, 6)
            judged = _judge(row, solution, instance, spec)
        except Exception as error:  # whatever a solver raises is a result of the sweep, not an end of it
            seconds = round(time.perf_counter() - start, 6)
            non_finite = isinstance(error, FloatingPointError | OverflowError | NotFinite)
            judged = row._replace(
                outcome=Outcome.NON_FINITE if non_finite else Outcome.RAISED,
                message=_short(f"{type(error).__name__}: {error}"),
            )
        return judged._replace(timing_solve=seconds, rate=geometric_rate(errors or ()))


def _judge(row: Row, solution: Any, instance: Instance, spec: SweepSpec) -> Row:
    if not isinstance(solution, Solution):
        raise TypeError(f"the solver returned {type(solution).__name__}, expected lrs.Solution")
    model, truth = solution.model, instance.truth
    errors = metrics.Comparison(model, truth)
    theta = errors.theta_error
    tasks = errors.tasks_recovered(spec.success.tolerance)
    distance = metrics.subspace_distance(model.U, truth.U)
    precision, recall = errors.support_precision, errors.support_recall
    if not math.isfinite(theta):
        outcome = Outcome.NON_FINITE
    elif spec.success.recovered(theta, tasks, distance, precision == recall == 1):
        outcome = Outcome.RECOVERED
    elif solution.status is Status.DIVERGED:
        outcome = Outcome.NON_FINITE
    elif solution.status is Status.ITERATION_CAP:
        outcome = Outcome.ITERATION_CAP
    else:
        outcome = Outcome.NOT_RECOVERED
    return row._replace(
        outcome=outcome,
        status=solution.status.value,
        iterations=int(solution.iterations),
        theta_error=theta,
        subspace_distance=distance,
        tasks_recovered=tasks,
        support_precision=precision,
        support_recall=recall,
        residual=float(solution.residual),
    )
