"""One trial of a sweep: which instance, which solver, where it is called, and the record of how it ended."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from lrs.core.errors import InvalidInput
from lrs.core.family import Family, Instance
from lrs.core.inline import Inline
from lrs.core.run import Executor, Limits, Loaded, Settings, SolverFault, Subject
from lrs.core.solver import is_own
from lrs.core.trial import Ended, Outcome, judged
from lrs.core.validate import real
from lrs.isolation import Isolated
from phase_diagrams.sweeps import identity
from phase_diagrams.sweeps.grid import Cell, SweepSpec

#: Processor time of one call of an isolated solver, unless told otherwise.
SECONDS_PER_CALL = 300.0
#: Outer steps of a call: as good as all, since they are only counted where the error is traced, which changes no outcome.
STEPS_PER_CALL = 10**9
LONGEST_MESSAGE = 200


class Trial(NamedTuple):
    """What identifies a trial within a sweep: cell index, replicate, index of the solver."""

    cell: int
    replicate: int
    solver: int


class Row(NamedTuple):
    """The record of one trial. The journal has a column for each of the family's errors instead of `errors`."""

    cell: int
    replicate: int
    solver: str
    outcome: str
    status: str | None = None
    iterations: int | None = None
    errors: Mapping[str, float] = {}
    residual: float = math.nan
    rate: float = math.nan
    message: str | None = None
    timing_solve: float = math.nan
    timing_generate: float = math.nan
    host_worker: str | None = None


_BEFORE: dict[str, Any] = {
    "cell": int, "replicate": int, "solver": str | None, "outcome": str | None, "status": str | None,
    "iterations": int | None,
}  # fmt: skip
_AFTER: dict[str, Any] = {
    "residual": float, "rate": float, "message": str | None, "timing_solve": float, "timing_generate": float,
    "host_worker": str | None,
}  # fmt: skip


def columns(family: Family) -> dict[str, Any]:
    """Columns of a journal of this family, in order → int, float, str | None or int | None."""
    taken = [n for n in family.errors_of if n in (*_BEFORE, *_AFTER, "success", *family.parameters)]
    if taken:
        raise InvalidInput(f"family: {family.name!r} calls an error {taken[0]!r}, which is another column of a table")
    return {**_BEFORE, **dict.fromkeys(family.errors_of, float), **_AFTER}


def values(row: Row, family: Family) -> list[Any]:
    """A record column by column."""
    split = len(_BEFORE)
    return [*row[:split], *(row.errors.get(name, math.nan) for name in family.errors_of), *row[split + 1 :]]


def row_of(values: Sequence[Any], family: Family) -> Row:
    """Inverse of `values`."""
    split, end = len(_BEFORE), len(_BEFORE) + len(family.errors_of)
    errors = dict(zip(family.errors_of, values[split:end], strict=True))
    return Row._make([*values[:split], errors, *values[end:]])


def impossible(spec: SweepSpec, trial: Trial, reason: str) -> Row:
    """The record of a trial in a cell where no instance exists."""
    return Row(trial.cell, trial.replicate, spec.solvers[trial.solver], Ended.IMPOSSIBLE, message=_short(reason))


def crashed(spec: SweepSpec, trial: Trial, reason: str) -> Row:
    """The record of a trial whose solver ended its process."""
    return Row(trial.cell, trial.replicate, spec.solvers[trial.solver], Ended.CRASHED, message=_short(reason))


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE - 1] + "…"


def draw(spec: SweepSpec, cell: Cell, replicate: int) -> Instance:
    """The instance of a cell and a replicate; raises `InvalidInput` where none exists."""
    if cell.spec is None:
        raise InvalidInput(cell.reason)
    spec.check_streams()
    key = identity.instance_key(spec.seed, cell.parameters, replicate, spec.nonce, spec.of_family)
    drawn: Instance = spec.of_family.draw(cell.spec, key)
    return drawn


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


@dataclass(frozen=True)
class Calls:
    """Where solvers are called. No part of a sweep: it changes no number but those of time.

    Parameters
    ----------
    isolate : bool, optional
        Each in a process of its own, which never holds a truth; default: all but the toolkit's own.
    seconds : float
        Processor time of a call of an isolated solver, after which it ends as *timeout*.
    memory : int, optional
        Bytes that a call of an isolated solver may take; what asks for more ends as *raised*.
    """

    isolate: bool | None = None
    seconds: float = SECONDS_PER_CALL
    memory: int | None = None

    def __post_init__(self) -> None:
        real("seconds per call", self.seconds, above=0)

    def about(self, solvers: Sequence[str]) -> dict[str, str]:
        """For the header of a journal: which solvers ran isolated."""
        return {"isolated": ", ".join(filter(self.isolated, solvers)) or "none"}

    def isolated(self, solver: str) -> bool:
        """Whether this solver gets a process of its own."""
        return not is_own(solver) if self.isolate is None else self.isolate


@dataclass
class Callers:
    """The executors of a sweep's solvers; close it when done."""

    calls: Calls = field(default_factory=Calls)

    def __post_init__(self) -> None:
        limits = Limits(seconds=self.calls.seconds, iterations=STEPS_PER_CALL, memory=self.calls.memory)
        self._executors: dict[bool, Executor] = {False: Inline(limits), True: Isolated(limits)}

    def of(self, solver: Subject) -> Executor:
        """The one for this solver."""
        return self._executors[self.calls.isolated(solver.name)]

    def load(self, solver: Subject, family: Family) -> Loaded:
        """Load it where it will run; `InvalidInput` where that fails."""
        try:
            return self.of(solver).load(solver, family)
        except SolverFault as error:
            raise InvalidInput(f"solver: {solver.name!r} cannot be loaded: it {error}") from None

    def close(self) -> None:
        """End the processes."""
        for executor in self._executors.values():
            executor.close()

    def __enter__(self) -> Callers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def check_solvers(spec: SweepSpec, calls: Calls) -> None:
    """Refuse a solver that cannot be loaded, or lacks a setting, before a single trial is run."""
    with Callers(calls) as callers:
        spec.check_settings({name: callers.load(Subject.of(name), spec.of_family).traits for name in spec.solvers})


class Runner:
    """Runs trials of one sweep, keeping the last instance so that several solvers share the drawing of it."""

    def __init__(self, spec: SweepSpec, worker: str, calls: Calls | None = None) -> None:
        spec.check_streams()
        self.spec, self.worker = spec, worker
        self.subjects = [Subject.of(name) for name in spec.solvers]
        self.callers = Callers(calls or Calls())
        for subject in self.subjects:
            self.callers.load(subject, spec.of_family)
        self._drawn: tuple[tuple[int, int], Instance, float] | None = None

    def close(self) -> None:
        """End the processes of isolated solvers."""
        self.callers.close()

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
        outcome = self.outcome(trial, instance, watch=self.spec.trace, draw_seconds=seconds)
        if outcome.ended is Ended.CRASHED:  # once may be somebody's kill
            outcome = self.outcome(trial, instance, watch=self.spec.trace, draw_seconds=seconds)
        return self.row(trial, outcome)

    def outcome(
        self, trial: Trial, instance: Instance, *, watch: bool = False, draw_seconds: float = math.nan
    ) -> Outcome:
        """Call the solver on an instance and judge it (`lrs.core.trial.judged`)."""
        spec, cell, subject = self.spec, self.spec.cells[trial.cell], self.subjects[trial.solver]
        return judged(
            spec.of_family,
            instance,
            identity.solver_key(spec.seed, cell.parameters, trial.replicate, spec.nonce, spec.of_family),
            subject,
            spec.success,
            self.callers.of(subject),
            watch=watch,
            draw_seconds=draw_seconds,
            settings=Settings(cell.spec, cell.settings) if cell.settings else None,
        )

    def row(self, trial: Trial, outcome: Outcome) -> Row:
        """The record of an outcome."""
        return Row(
            trial.cell,
            trial.replicate,
            self.spec.solvers[trial.solver],
            outcome.ended,
            None if outcome.status is None else outcome.status.value,
            outcome.iterations,
            outcome.errors,
            outcome.residual,
            geometric_rate(outcome.curve),
            None if outcome.message is None else _short(outcome.message),
            round(outcome.seconds, 6),
            round(outcome.draw_seconds, 6),
            self.worker,
        )
