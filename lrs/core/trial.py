"""One trial: draw an instance, call a solver, say how it ended. Calibration, plans, sweeps and verdicts all run this."""

from __future__ import annotations

import enum
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lrs.core import streams
from lrs.core.errors import InvalidInput
from lrs.core.family import Family, Success
from lrs.core.run import Executor, Fault, Key, Run, Settings, SolverFault, Subject, audited
from lrs.core.solver import Iterate, Status


class Ended(enum.StrEnum):
    """How a trial ended. Every trial has one; none is left out of a success rate."""

    RECOVERED = "recovered"
    NOT_RECOVERED = "not recovered"
    ITERATION_CAP = "iteration cap"  # not recovered, and the solver said it would have gone on
    NON_FINITE = "non-finite"  # the iteration diverged or returned NaN or infinity
    RAISED = "raised"  # the solver raised an exception, or answered with something else than an answer
    TIMEOUT = "timeout"  # the solver did not answer within its limits
    CRASHED = "crashed"  # the solver ended its process
    IMPOSSIBLE = "impossible"  # no such instance exists (k > d, m < 1, …)


_ENDED_BY = {
    Fault.NOT_FINITE: Ended.NON_FINITE,
    Fault.TIMEOUT: Ended.TIMEOUT,
    Fault.ITERATIONS: Ended.TIMEOUT,
    Fault.CRASHED: Ended.CRASHED,
}


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one trial found.

    Attributes
    ----------
    ended : Ended
    success : Success
        The criterion by which it was judged.
    errors : mapping of str to float
        The family's errors; empty when there was no answer.
    status : Status or None
        What the solver said of its run.
    iterations : int or None
    residual : float
    curve : tuple of float
        The family's first error after every outer step, when it was watched.
    fault : Fault or None
        The hard fault that ended the call; ``message`` is its sentence.
    faults : mapping of Fault to str
        Soft ones.
    message : str or None
    seconds, cpu_seconds, draw_seconds : float
        Wall and processor time of the call, and wall time of drawing the instance.
    peak_bytes : int or None
    """

    ended: Ended
    success: Success
    errors: Mapping[str, float] = field(default_factory=dict)
    status: Status | None = None
    iterations: int | None = None
    residual: float = math.nan
    curve: tuple[float, ...] = ()
    fault: Fault | None = None
    faults: Mapping[Fault, str] = field(default_factory=dict)
    message: str | None = None
    seconds: float = math.nan
    cpu_seconds: float = math.nan
    draw_seconds: float = math.nan
    peak_bytes: int | None = None

    @property
    def recovered(self) -> bool:
        return self.ended is Ended.RECOVERED


def trial(
    family: Family,
    spec: Any,
    key: Key,
    solver: Subject,
    success: Success,
    executor: Executor,
    *,
    solver_key: Key | None = None,
    watch: bool = False,
    settings: Settings | None = None,
) -> Outcome:
    """Draw, solve and judge: a pure function of its arguments but for the times.

    Parameters
    ----------
    family : Family
    spec
        A specification of the family.
    key : sequence of int
        Of the random streams of the data.
    solver : Subject
    success : Success
        What counts as recovered (`Success.of` the family).
    executor : Executor
        Where the solver runs.
    solver_key : sequence of int, optional
        Of the solver's own generator; default: made from ``key``.
    watch : bool
        Follow the error after every outer step.
    settings : Settings, optional
        Of the solver.

    Returns
    -------
    Outcome
        IMPOSSIBLE when no such instance exists. Whatever a solver does is an outcome too.
    """
    start = time.perf_counter()
    try:
        instance = family.draw(spec, key)
    except InvalidInput as error:
        return Outcome(Ended.IMPOSSIBLE, success, message=str(error))
    drawn = time.perf_counter() - start
    own = (streams.key("trial/solver", *key),) if solver_key is None else solver_key
    return judged(family, instance, own, solver, success, executor, watch=watch, draw_seconds=drawn, settings=settings)


def judged(
    family: Family,
    instance: Any,
    key: Key,
    solver: Subject,
    success: Success,
    executor: Executor,
    *,
    watch: bool = False,
    draw_seconds: float = math.nan,
    settings: Settings | None = None,
) -> Outcome:
    """The part of a trial after its instance was drawn; ``key`` is the solver's own."""
    followed = next(iter(family.errors_of))
    curve: list[float] = []

    def follow(iterate: Iterate[Any]) -> None:
        audited(family, instance.problem, iterate.model, f"iterate {iterate.iteration}")
        curve.append(family.errors(iterate.model, instance)[followed])

    start = time.perf_counter()
    try:
        run = executor(solver, family, instance.problem, key, watch=follow if watch else None, settings=settings)
    except SolverFault as error:
        return Outcome(
            _ENDED_BY.get(error.fault, Ended.RAISED),
            success,
            curve=tuple(curve),
            fault=error.fault,
            message=str(error),
            seconds=time.perf_counter() - start,
            draw_seconds=draw_seconds,
        )
    return outcome_of(family, instance, run, success, curve=tuple(curve), draw_seconds=draw_seconds)


def outcome_of(
    family: Family,
    instance: Any,
    run: Run[Any],
    success: Success,
    *,
    curve: tuple[float, ...] = (),
    draw_seconds: float = math.nan,
) -> Outcome:
    """How an answer is judged."""
    solution = run.solution
    errors = family.errors(run.model, instance, tolerance=success.tolerance)
    if not all(math.isfinite(e) for e in errors.values()):
        ended = Ended.NON_FINITE
    elif success.met(family, errors):
        ended = Ended.RECOVERED
    elif solution.status is Status.DIVERGED:
        ended = Ended.NON_FINITE
    elif solution.status is Status.ITERATION_CAP:
        ended = Ended.ITERATION_CAP
    else:
        ended = Ended.NOT_RECOVERED
    return Outcome(
        ended,
        success,
        errors,
        solution.status,
        int(solution.iterations),
        float(solution.residual),
        curve,
        faults=run.faults,
        seconds=run.seconds,
        cpu_seconds=run.cpu_seconds,
        draw_seconds=draw_seconds,
        peak_bytes=run.peak_bytes,
    )
