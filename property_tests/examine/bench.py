"""Trials of one solver: executors, one per thread, answers shared between claims, and the counting of faults."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from lrs.core.errors import InvalidInput
from lrs.core.family import LOW_RANK_SPARSE, Family, load_family
from lrs.core.identity import canonical
from lrs.core.machine import processors
from lrs.core.run import Executor, Fault, Limits, Run, Settings, SolverFault, Subject
from lrs.core.solver import Traits, traits_of
from lrs.isolation import Isolated
from property_tests.examine.cell import cell_of
from property_tests.examine.claim import Claim, Context, Outcome
from property_tests.examine.configuration import Configuration, Depth, Region

#: Phase, configuration, replicate and nonce of a trial.
Asked = tuple[str, Configuration, int, str | None]

#: Answers kept for the next claims that are tried on the same data.
_REMEMBERED = 256


@dataclass(frozen=True, eq=False)
class Trial:
    """One trial as it was run."""

    claim: str
    phase: str
    configuration: Configuration
    replicate: int
    depth: Depth
    outcome: Outcome
    seconds: float
    calls: int
    counted: bool = False
    nonce: str | None = None
    cpu_seconds: float = 0.0

    @property
    def failed(self) -> bool:
        return self.outcome.in_scope and not self.outcome.ok


@dataclass
class Conduct:
    """Faults seen in any call of a run: how often, and the first detail."""

    counts: Counter[Fault] = field(default_factory=Counter)
    first: dict[Fault, str] = field(default_factory=dict)

    def note(self, fault: Fault, detail: str) -> None:
        self.counts[fault] += 1
        self.first.setdefault(fault, detail)


class Bench:
    """Executors for one solver, one per thread, and the counting of calls and faults.

    Parameters
    ----------
    subject : Subject
    limits : Limits
        Of a call.
    jobs : int
        Threads.
    family : str or Family
        Whose problems the solver is asked.
    executor : callable
        ``executor(limits)`` makes an executor (`lrs.core.run.Executor`); default: a process for the solver.
    """

    def __init__(
        self,
        subject: Subject,
        limits: Limits,
        jobs: int = 1,
        family: str | Family = LOW_RANK_SPARSE,
        executor: Callable[[Limits], Executor] = Isolated,
    ) -> None:
        if jobs < 1:
            raise InvalidInput(f"jobs: expected at least 1 process, got {jobs}")
        self.subject, self.limits, self.jobs, self.family = subject, limits, jobs, load_family(family)
        self.conduct = Conduct()
        self._make = executor
        self._local = threading.local()
        self._executors: list[Executor] = []
        self._lock = threading.Lock()
        self._answers: OrderedDict[tuple[Any, ...], Run[Any] | SolverFault] = OrderedDict()
        self._made: dict[tuple[Any, ...], Trial] = {}
        #: Cells that are too slow for this solver, and why: claims that share a ladder need not find out again.
        self.slow: dict[str, str] = {}
        self._pool = ThreadPoolExecutor(jobs, thread_name_prefix="lrs-verify")
        self.broken: SolverFault | None = None
        self.traits, self.hash = traits_of(None, self.family), ""
        self.region: Any = None
        try:
            loaded = self._executor().load(subject, self.family)
            self.traits, self.hash, self.region = loaded.traits, loaded.hash, loaded.region
        except SolverFault as error:
            self.broken = error
        except BaseException:
            self.close()
            raise

    def _executor(self) -> Executor:
        found: Executor | None = getattr(self._local, "executor", None)
        if found is None:
            found = self._local.executor = self._make(self.limits)
            with self._lock:
                self._executors.append(found)
        return found

    def held_to(self, theorem: str) -> None:
        """Whatever the solver says of itself, it is meant to keep this theorem: its trait of that name is true."""
        word = theorem.replace("-", "_")
        if word in self.family.traits:
            self.traits = Traits(**{**self.traits.to_dict(), word: True})

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        for executor in self._executors:
            executor.close()

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------------ trials
    def trial(
        self,
        claim: Claim,
        region: Region,
        phase: str,
        configuration: Configuration,
        replicate: int,
        nonce: str | None = None,
        companions: Sequence[Claim] = (),
    ) -> Trial:
        """Run one trial in this thread; its data are keyed by the nonce, which stays on this side of the sandbox.

        ``companions`` are claims that will be tried on the same trial: they judge it now, while its data and its answer
        are at hand, and find theirs when they ask.
        """
        about = (phase, configuration.text, replicate, nonce)
        with self._lock:
            made = self._made.pop((claim.name, *about), None)
        if made is not None:
            return made
        asked = (phase, configuration, replicate, nonce)
        own, context = self._judge(claim, region, asked)
        for other in companions:
            theirs, _ = self._judge(other, region, asked, context)
            with self._lock:
                self._made[(other.name, *about)] = theirs
        if cell_of(phase):  # large, and everyone who wants it has judged it
            with self._lock:
                for key in [
                    k for k, a in self._answers.items() if getattr(a, "problem", None) is context.instance.problem
                ]:
                    del self._answers[key]
        return own

    def _judge(
        self, claim: Claim, region: Region, asked: Asked, earlier: Context | None = None
    ) -> tuple[Trial, Context]:
        """What a claim says of a trial; with the context of another claim's, its data are not drawn again."""
        phase, configuration, replicate, nonce = asked
        depth = region.depth(configuration)
        start = time.perf_counter()
        calls, cpu = 0, 0.0
        answered: set[tuple[Any, ...]] = set()

        def execute(
            problem: Any, seed: tuple[int, ...], *, trace: bool, memory: bool, settings: Settings | None = None
        ) -> Run[Any]:
            nonlocal calls, cpu
            trace = trace and getattr(self.traits, "trace", True)
            # Claims that are tried on the same trial share its first answer; a second call asks the solver again.
            key = (seed, trace, memory, None if settings is None else canonical(dict(settings.values)))
            shared = problem is context.instance.problem and trace and key not in answered
            answered.add(key)
            answer = self._remembered(key) if shared else None
            if answer is None:
                calls += 1
                answer = self._ask(problem, seed, trace, memory, settings)
                took = self.limits.seconds if isinstance(answer, SolverFault) else answer.cpu_seconds
                hard = isinstance(answer, SolverFault) and answer.fault is not Fault.TIMEOUT
                cpu += 0.0 if hard or math.isnan(took) else took
                if shared:
                    self._remember(key, answer)
            if isinstance(answer, SolverFault):
                raise answer
            return answer

        context = Context(configuration, phase, replicate, region, self.traits, execute, nonce)
        if earlier is not None and "instance" in vars(earlier):
            vars(context)["instance"] = earlier.instance  # drawn once
        if claim.inside and depth.margin < 0:
            note = f"outside the region {region.name}: {depth.binding} has margin {depth.margin:.3g}"
            outcome = Outcome(False, math.nan, note, in_scope=False)
        else:
            try:
                outcome = claim.check(context)
            except SolverFault as error:
                outcome = Outcome(False, -math.inf, str(error), fault=error.fault)
        seconds = time.perf_counter() - start
        return Trial(
            claim.name, phase, configuration, replicate, depth, outcome, seconds, calls, nonce=nonce, cpu_seconds=cpu
        ), context

    def _ask(
        self, problem: Any, seed: tuple[int, ...], trace: bool, memory: bool, settings: Settings | None
    ) -> Run[Any] | SolverFault:
        """Call the solver and note its faults; a hard one comes back as a value."""
        try:
            run: Run[Any] | SolverFault = self._executor()(
                self.subject, self.family, problem, seed, trace=trace, memory=memory, settings=settings
            )
        except SolverFault as error:
            run = error
        with self._lock:
            if isinstance(run, SolverFault):
                self.conduct.note(run.fault, run.detail)
            else:
                for fault, detail in run.faults.items():
                    self.conduct.note(fault, detail)
        return run

    def _remembered(self, key: tuple[Any, ...]) -> Run[Any] | SolverFault | None:
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
            return self._answers.get(key)

    def _remember(self, key: tuple[Any, ...], answer: Run[Any] | SolverFault) -> None:
        with self._lock:
            self._answers[key] = answer
            while len(self._answers) > _REMEMBERED:
                self._answers.popitem(last=False)

    def trials(
        self, claim: Claim, region: Region, asked: Sequence[Asked], companions: Sequence[Claim] = ()
    ) -> list[Trial]:
        """Run trials, several at a time unless the claim measures time; answers come in the order asked."""
        if self.jobs == 1 or getattr(claim.kind, "alone", False):
            return [self.trial(claim, region, *a, companions) for a in asked]
        futures = [self._pool.submit(self.trial, claim, region, *a, companions) for a in asked]
        return [f.result() for f in futures]


def default_jobs() -> int:
    """Processes to use when nothing is said: one per processor this process may run on, at most eight."""
    return min(8, processors())
