"""Runs a sweep: plans batches, cuts them into chunks of about a second, records every outcome, isolates what crashes."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lrs.core.errors import InvalidInput
from lrs.core.trial import Ended
from phase_diagrams.sweeps import journal
from phase_diagrams.sweeps.engines import Engine
from phase_diagrams.sweeps.engines.shard import Shard
from phase_diagrams.sweeps.grid import SweepSpec
from phase_diagrams.sweeps.sampling import Planner
from phase_diagrams.sweeps.trial import Calls, Row, Trial, check_solvers, crashed

CHUNK_SECONDS = 1.0
LARGEST_CHUNK = 2_000
#: A trial on which a worker died this often is recorded as crashed. Twice: once may be somebody's kill.
DEATHS = 2
PROGRESS_SECONDS = 0.2


@dataclass(frozen=True)
class Progress:
    """A look at a running sweep.

    Attributes
    ----------
    done, total : int
        Trials with an outcome and, as far as it can be foreseen, those of the whole sweep (this shard's part).
    seconds_left : float
        Estimated from the measured cost of every cell, NaN while nothing is measured.
    outcomes : mapping
        How many ended how.
    """

    done: int
    total: int
    seconds_left: float
    outcomes: Mapping[str, int]


@dataclass
class Summary:
    """What a call of `sweep` did.

    Attributes
    ----------
    ran : int
        Trials run by this call.
    known : int
        Trials with an outcome now (this shard's part).
    outcomes : Counter
        Of all known trials.
    seconds : float
        Wall time of the call.
    solver_seconds : float
        Time spent inside solvers and generators by this call, all workers together.
    torn : list of str
        What was found damaged in the journal.
    """

    ran: int = 0
    known: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    solver_seconds: float = 0.0
    torn: list[str] = field(default_factory=list)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, after everything reported by then was recorded."""

    def __init__(self, summary: Summary) -> None:
        super().__init__()
        self.summary = summary


class Costs:
    """Expected seconds of a trial: the mean of its cell, else that of all trials scaled by the family's `cost`.

    That is the cost of one pass over the data; only its ratio between cells matters.
    """

    def __init__(self, spec: SweepSpec) -> None:
        self._cells: dict[tuple[int, int], tuple[float, int]] = {}
        self._seconds = [0.0] * len(spec.solvers)
        self._sizes = [0.0] * len(spec.solvers)
        self._size = [spec.of_family.cost(c.spec) if c.spec is not None else 0.0 for c in spec.cells]

    def add(self, trial: Trial, seconds: float) -> None:
        """Record a measured trial."""
        if seconds == seconds:
            total, count = self._cells.get((trial.cell, trial.solver), (0.0, 0))
            self._cells[trial.cell, trial.solver] = (total + seconds, count + 1)
            self._seconds[trial.solver] += seconds
            self._sizes[trial.solver] += self._size[trial.cell]

    @property
    def mean(self) -> float:
        """Mean over everything measured, NaN when that is nothing."""
        count = sum(n for _, n in self._cells.values())
        return sum(self._seconds) / count if count else float("nan")

    def __call__(self, trial: Trial) -> float:
        """Expected seconds; NaN when nothing was measured for this solver."""
        total, count = self._cells.get((trial.cell, trial.solver), (0.0, 0))
        if count:
            return total / count
        size = self._sizes[trial.solver]
        return self._seconds[trial.solver] * self._size[trial.cell] / size if size else float("nan")


class Dispatcher:
    """Feeds an engine with trials in chunks, and finds the guilty one when a process dies.

    Parameters
    ----------
    spec : SweepSpec
    engine : Engine
        Already started.
    record : callable
        Takes rows as they come; called before the chunk they belong to is over.
    costs : Costs
    """

    def __init__(
        self, spec: SweepSpec, engine: Engine, record: Callable[[Sequence[Row]], None], costs: Costs | None = None
    ) -> None:
        self.spec, self.engine, self.record = spec, engine, record
        self.costs = Costs(spec) if costs is None else costs
        self._deaths: Counter[Trial] = Counter()

    def run(self, batch: Iterable[Trial], look: Callable[[Iterable[Trial]], None] = lambda waiting: None) -> None:
        """Run all trials; ``look`` is called with those not handed out yet, now and then."""
        waiting = deque(batch)
        suspects: deque[list[Trial]] = deque()
        in_flight = 0
        look(waiting)
        while waiting or suspects or in_flight:
            # An engine that cannot tell which of its chunks killed a worker gets suspects one at a time, with nothing
            # beside them: whoever is there when the worker dies would come under suspicion too.
            quarantine = bool(suspects) and not self.engine.precise
            room = int(in_flight == 0) if quarantine else self.engine.capacity - in_flight
            for _ in range(room):
                if suspects:
                    self.engine.submit(suspects.popleft())
                elif waiting:
                    self.engine.submit(self._cut(waiting))
                else:
                    break
                in_flight += 1
            proven = self.engine.precise or (quarantine and room > 0)
            for event in self.engine.events():
                self.record(event.rows)
                in_flight -= event.finished
                waiting.extendleft(reversed(event.bystanders))
                suspects.extend(self._isolate(event.suspects, event.reason, proven))
            look(waiting)

    def _cut(self, waiting: deque[Trial]) -> list[Trial]:
        """The next chunk: about a second, less near the end so that no worker idles; one trial while costs are unknown."""
        largest = max(1, min(LARGEST_CHUNK, len(waiting) // (2 * self.engine.capacity)))
        chunk, seconds = [waiting.popleft()], 0.0
        while waiting and len(chunk) < largest:
            seconds += self.costs(chunk[-1])
            if not seconds + self.costs(waiting[0]) <= CHUNK_SECONDS:  # NaN, not measured yet, ends the chunk too
                break
            chunk.append(waiting.popleft())
        return chunk

    def _isolate(self, suspects: Sequence[Trial], reason: str, proven: bool) -> list[list[Trial]]:
        """Chunks to run again after a death: halves, down to one trial, guilty when it is proven to kill repeatedly."""
        if len(suspects) > 1:
            middle = len(suspects) // 2
            return [list(suspects[:middle]), list(suspects[middle:])]
        for trial in suspects:
            self._deaths[trial] += proven
            if self._deaths[trial] < DEATHS:
                return [[trial]]
            self.record([crashed(self.spec, trial, f"the solver ended its process ({reason})")])
        return []


class _Sweep:
    """State of one call of `sweep`."""

    def __init__(self, spec: SweepSpec, folder: Path, shard: Shard, report: Callable[[Progress], None] | None) -> None:
        self.spec, self.report = spec, report
        self.known: dict[Trial, bool] = {}
        self.costs = Costs(spec)
        self.summary = Summary()
        self.planner = Planner(spec, folder, shard.owns)
        self._solver_index = {name: i for i, name in enumerate(spec.solvers)}
        self._reported = 0.0
        self._total = 0
        contents = journal.read(folder, spec)
        self.summary.torn = contents.torn
        for row in contents.rows():
            if shard.owns(spec.line_of[row.cell], row.replicate):
                self._note(row)

    def _note(self, row: Row) -> None:
        trial = Trial(row.cell, row.replicate, self._solver_index[row.solver])
        if trial in self.known:
            return
        self.known[trial] = row.outcome == Ended.RECOVERED
        self.costs.add(trial, row.timing_solve)
        self.summary.outcomes[str(row.outcome)] += 1
        self.summary.known = len(self.known)

    def run(self, engine: Engine, writer: journal.Writer) -> None:
        def record(rows: Sequence[Row]) -> None:
            writer.append(rows)
            for row in rows:
                self._note(row)
                self.summary.ran += 1
                self.summary.solver_seconds += sum(s for s in (row.timing_solve, row.timing_generate) if s == s)

        dispatcher = Dispatcher(self.spec, engine, record, self.costs)
        while batch := self.planner.batch(self.known):
            self._total = len(self.known) + max(len(batch), self.planner.remaining(self.known))
            dispatcher.run(batch, lambda waiting: self._look(waiting, engine.capacity))

    def _look(self, waiting: Iterable[Trial], capacity: int) -> None:
        if self.report is None or (time.monotonic() - self._reported < PROGRESS_SECONDS and waiting):
            return
        self._reported = time.monotonic()
        done = len(self.known)
        self._total = max(self._total, done)
        sample = [
            cost for trial, _ in zip(waiting, range(LARGEST_CHUNK), strict=False) if (cost := self.costs(trial)) == cost
        ]
        mean = sum(sample) / len(sample) if sample else self.costs.mean
        self.report(Progress(done, self._total, mean * (self._total - done) / capacity, self.summary.outcomes))


def sweep(
    spec: SweepSpec,
    folder: str | Path,
    engine: Engine,
    *,
    shard: Shard | None = None,
    extend: bool = False,
    report: Callable[[Progress], None] | None = None,
    calls: Calls | None = None,
) -> Summary:
    """Start a sweep, or go on with it where it stopped.

    Parameters
    ----------
    spec : SweepSpec
    folder : path
        Made when it does not exist. All engines, shards and resumed runs may write to the same folder.
    engine : Engine
        `phase_diagrams.sweeps.engines.local.LocalEngine`, `phase_diagrams.sweeps.engines.dask.DaskEngine` or, to run in this very
        process, `phase_diagrams.sweeps.engines.Inline`.
    shard : Shard, optional
        Run only this part.
    extend : bool
        Allow more replicates than the folder was started with.
    report : callable, optional
        Called with a `Progress` a few times a second.
    calls : Calls, optional
        Where solvers are called; default: strangers' in processes of their own.

    Raises
    ------
    InvalidInput
        Before anything is run: another sweep in the folder, a solver that does not load, a grid without a possible
        cell. While running: a full disk, a broken cluster. What was recorded stays.
    Interrupted
        On Ctrl-C; everything reported until then is recorded.
    """
    folder, shard, calls = Path(folder), shard or Shard(), calls or Calls()
    check_solvers(spec, calls)
    if all(cell.spec is None for cell in spec.cells):
        raise InvalidInput(f"axes: no cell of this grid is possible; the first says: {spec.cells[0].reason}")
    if shard.count > 1 and spec.sampling.precision is not None:
        raise InvalidInput(
            "shard: adaptive rounds (--precision) are planned from all results, which shards do not see; use --dask, "
            "or sample uniformly or nested"
        )
    journal.open_folder(folder, spec, extend=extend)
    state = _Sweep(spec, folder, shard, report)
    start = time.perf_counter()
    try:
        if state.planner.batch(state.known):
            with journal.Writer(folder, spec, shard.label, calls.about(spec.solvers)) as writer:
                try:
                    engine.start(spec, calls)
                    state.run(engine, writer)
                finally:
                    engine.stop()
    except KeyboardInterrupt:
        raise Interrupted(state.summary) from None
    finally:
        state.summary.seconds = time.perf_counter() - start
    return state.summary
