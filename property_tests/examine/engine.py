"""The sequential engine: explore → decide → shrink → confirm, for every claim of a run.

- *explore*: Hypothesis moves towards configurations with small margins; what fails once is pressed later. A
  counterexample to an `Always` claim already decides.
- *decide*: fresh configurations and the pressed ones, on fresh data, until `property_tests.examine.tally` reaches a verdict or
  the budget is spent. Trials run in batches of fixed size, so the number of processes changes no number.
- *shrink*: Hypothesis reduces a failing configuration.
- *confirm*: the candidates for a witness are tried on fresh data; the smallest that fails there is the witness.

The four phases use disjoint data. Only *decide* counts as evidence for `AtLeast` claims.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from lrs.core.errors import InvalidInput, MissingExtra
from lrs.core.identity import joint_digest
from lrs.core.run import Fault, Limits, SolverFault
from lrs.core.validate import hint, probability
from property_tests.examine import search
from property_tests.examine.bench import Asked, Bench, Trial
from property_tests.examine.claim import Claim, Outcome, Verdict
from property_tests.examine.closure import fingerprint
from property_tests.examine.configuration import Configuration, Everywhere, Region
from property_tests.examine.ledger import Entry, Ledger
from property_tests.examine.tally import Tally

#: Trials between two looks at the evidence; fixed, because the order of trials must not depend on the processes.
BATCH = 8
#: Proposals that all lie outside the region before a claim is called OUT_OF_SCOPE.
_ENOUGH_OUTSIDE = 24


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much is tried.

    Parameters
    ----------
    name : str
    explore : int
        Configurations searched for small margins, per claim.
    least, most : int
        Counted trials per claim: a verdict of CONFIRMED waits for ``least``, INCONCLUSIVE comes after ``most``.
    shrink : int
        Configurations tried while reducing a failure.
    confirm : int
        Fresh trials of each candidate for a witness.
    limits : Limits
        Of one solver call.
    """

    name: str
    explore: int
    least: int
    most: int
    shrink: int
    confirm: int
    limits: Limits = field(default_factory=Limits)


BUDGETS = {
    "quick": Budget(name="quick", explore=6, least=0, most=400, shrink=40, confirm=6, limits=Limits(seconds=20.0)),
    "standard": Budget(
        name="standard", explore=40, least=150, most=2000, shrink=150, confirm=10, limits=Limits(seconds=60.0)
    ),
    "exhaustive": Budget(
        name="exhaustive", explore=400, least=2000, most=20000, shrink=600, confirm=20, limits=Limits(seconds=300.0)
    ),
}


def budget_of(budget: str | Budget) -> Budget:
    """A budget from its name."""
    if isinstance(budget, Budget):
        return budget
    if budget not in BUDGETS:
        raise InvalidInput(f"budget: no budget {budget!r}; {hint(budget, BUDGETS)}")
    return BUDGETS[budget]


@dataclass(frozen=True, eq=False)
class Witness:
    """A counterexample: the trial, and how often its configuration fails on fresh data."""

    trial: Trial
    failures: int
    repeats: int

    @property
    def damning(self) -> tuple[Any, ...]:
        """Sort key: what fails on fresh data before what does not, small before large, deep before shallow."""
        depth = self.trial.depth.margin
        return (self.failures == 0, self.trial.configuration.size, -depth if math.isfinite(depth) else 0.0)


@dataclass(frozen=True, eq=False)
class Result:
    """What is said about one claim, and why."""

    claim: Claim
    verdict: Verdict
    why: str = ""
    tally: Tally | None = None
    witness: Witness | None = None
    explored: int = 0
    outside: int = 0
    resumed: int = 0
    outdated: int = 0
    seconds: float = 0.0
    calls: int = 0
    examples: tuple[Trial, ...] = ()

    @property
    def ran(self) -> bool:
        return self.verdict in (Verdict.CONFIRMED, Verdict.REFUTED, Verdict.INCONCLUSIVE)


@dataclass(frozen=True)
class Progress:
    """What a progress display is told after every batch."""

    solver: str
    claim: str
    position: int
    total: int
    phase: str
    tally: Tally
    trials: int
    most: int


class Interrupted(Exception):
    """Ctrl-C between or within trials; the results so far are in ``results``."""

    def __init__(self, results: list[Result]) -> None:
        super().__init__("interrupted")
        self.results = results


class _CheckFailed(Exception):
    """The check itself raised: a bug of the claim, not of the solver."""


@contextmanager
def _blame_the_claim(claim: Claim) -> Iterator[None]:
    try:
        yield
    except (MissingExtra, SolverFault, KeyboardInterrupt, _CheckFailed):
        raise
    except Exception as error:
        raise _CheckFailed(
            f"the check of {claim.name} raised {type(error).__name__}: {error}; this is a bug of the claim, please report"
        ) from error


class Examination:
    """One claim, one solver: the four phases and their bookkeeping."""

    def __init__(
        self,
        claim: Claim,
        bench: Bench,
        region: Region,
        budget: Budget,
        ledger: Ledger,
        *,
        alpha: float,
        beta: float,
        seed: int,
        progress: Callable[[Tally, str, int], None],
        record: Callable[[Trial], None],
        drawn_from: Region | None = None,
        nonce: str | None = None,
    ) -> None:
        self.nonce = nonce
        self.claim, self.bench, self.region, self.budget, self.ledger = claim, bench, region, budget, ledger
        self.seed, self.progress, self.record = seed, progress, record
        self.tally = Tally.of(claim.kind, alpha, beta)
        code = fingerprint(type(bench.family).__module__)  # how data are drawn and answers judged
        texts = [bench.hash, claim.name, claim.hash, code, region.name]
        for r in (region, *([] if drawn_from is None else [drawn_from])):
            texts += [repr(r), fingerprint(type(r).__module__)]
        self.evidence = joint_digest(*texts)[:16]
        self.strategy = claim.configurations(region if drawn_from is None else drawn_from)
        self.failures: list[Trial] = []
        self.examples: list[Trial] = []
        self.first_outside: Trial | None = None
        self.explored = self.outside = self.resumed = self.calls = 0
        self.seconds = 0.0
        self.round = 0
        self._replicates: Counter[tuple[str, str]] = Counter()
        self._resume()

    def _resume(self) -> None:
        """Count again what the ledger holds about this very solver, claim and region."""
        for entry in self.ledger.about(self.evidence):
            self._count(entry.phase, entry.configuration, entry.ok)
            self._replicates[(entry.phase, entry.configuration)] = max(
                self._replicates[(entry.phase, entry.configuration)], entry.replicate + 1
            )
            self.round = max(self.round, entry.round + 1)
            self.resumed += 1
            if not entry.ok:
                configuration = Configuration.parse(entry.configuration)
                self.failures.append(
                    Trial(
                        self.claim.name,
                        entry.phase,
                        configuration,
                        entry.replicate,
                        self.region.depth(configuration),
                        Outcome(False, entry.margin),
                        0.0,
                        0,
                        True,
                        entry.nonce,
                    )
                )

    def _count(self, phase: str, configuration: str, ok: bool) -> None:
        if phase.startswith("press/"):
            self.tally.press(configuration)
            self.tally.add(ok, pressed=configuration)
        else:
            self.tally.add(ok)

    def _entry(self, t: Trial) -> Entry:
        return Entry(
            evidence=self.evidence,
            solver=self.bench.subject.name,
            claim=self.claim.name,
            phase=t.phase,
            configuration=t.configuration.text,
            replicate=t.replicate,
            ok=t.outcome.ok,
            margin=t.outcome.margin,
            round=self.round,
            nonce=t.nonce,
        )

    def _phase(self, name: str) -> str:
        return f"{name}/{self.seed}"

    def _next(self, phase: str, configuration: Configuration) -> Asked:
        """The next replicate of a configuration that has not been used in this phase."""
        key = (phase, configuration.text)
        replicate = self._replicates[key]
        self._replicates[key] += 1
        return phase, configuration, replicate, self.nonce

    def _run(self, asked: Sequence[Asked], *, count: bool) -> list[Trial]:
        with _blame_the_claim(self.claim):
            done = self.bench.trials(self.claim, self.region, asked)
        out = []
        for t in done:
            counted = count and t.outcome.in_scope
            if counted:
                counted = self.ledger.add(self._entry(t))
            if counted:
                self._count(t.phase, t.configuration.text, t.outcome.ok)
            t = replace(t, counted=counted)
            self.calls += t.calls
            self.seconds += t.seconds
            if not t.outcome.in_scope:
                self.outside += 1
                self.first_outside = self.first_outside or t
            if t.failed:
                self.failures.append(t)
            if len(self.examples) < 3 and t.outcome.in_scope:
                self.examples.append(t)
            self.record(t)
            out.append(t)
        self.ledger.flush()
        return out

    # ------------------------------------------------------------------ phases
    def explore(self) -> None:
        """Look for small margins; a counterexample to an Always claim counts, nothing else does."""
        phase = self._phase("explore")

        def margin(configuration: Configuration) -> float:
            if self.tally.verdict is Verdict.REFUTED:
                return math.inf
            (t,) = self._run([self._next(phase, configuration)], count=False)
            if t.failed and self.tally.at_once:
                self._witnessed(t)
            self.explored += 1
            self.progress(self.tally, "explore", self.explored)
            return t.outcome.margin if t.outcome.in_scope else math.inf

        number = self.budget.explore
        search.explore(self.strategy, number, search.seed_of("explore", str(self.seed)), margin)
        for t in [t for t in self.failures if t.phase == phase]:
            self.tally.press(t.configuration.text)

    def _witnessed(self, t: Trial) -> None:
        """Count a counterexample found outside the decide phase: for an Always claim one is enough."""
        if self.ledger.add(self._entry(t)):
            self._count(t.phase, t.configuration.text, False)

    def _decided(self) -> bool:
        verdict = self.tally.verdict
        if verdict is Verdict.CONFIRMED:
            return self.tally.trials >= self.budget.least
        return verdict is Verdict.REFUTED

    def decide(self) -> None:
        """Fresh configurations and pressed ones, until the evidence or the budget decides."""
        pool, press = self._phase("decide"), self._phase("press")
        drawn: list[Configuration] = []
        used = 0
        while not self._decided() and self.tally.trials - self.resumed < self.budget.most:
            if used + BATCH > len(drawn):
                # The first block suffices for a clear AtLeast, the second for an Always; Hypothesis cannot continue a
                # stream, so each block has a seed of its own.
                asked_for = 5 * BATCH if not drawn else max(4 * BATCH, len(drawn) // 2)
                # No claim name: claims with the same strategy are tried on the same data and share answers.
                key = ("decide", str(self.seed), str(self.round), str(len(drawn)))
                drawn += search.propose(self.strategy, asked_for, search.seed_of(*key))
            slots = self.tally.undecided_slots
            fresh = BATCH if not slots else BATCH // 2
            if slots and self.tally.pool.best_confirm >= -math.log(self.tally.beta):
                fresh = 0  # only the pressed ones are still open
            asked = [self._next(pool, c) for c in drawn[used : used + fresh]]
            used += fresh
            asked += [
                self._next(press, Configuration.parse(slots[i % len(slots)]))
                for i in range(BATCH - fresh if slots else 0)
            ]
            done = self._run(asked, count=True)
            for t in done:
                if t.failed and t.phase == pool:
                    self.tally.press(t.configuration.text)
            self.progress(self.tally, "decide", self.tally.trials)
            if not self.tally.trials and self.outside >= _ENOUGH_OUTSIDE:
                return

    def _fails(self, configuration: Configuration) -> bool:
        """Whether most of up to three fresh trials fail (for an Always claim: whether one does)."""
        need = 1 if self.tally.at_once else 2
        failed = 0
        for i in range(3):
            (t,) = self._run([self._next(self._phase("shrink"), configuration)], count=False)
            failed += t.failed
            if failed >= need or failed + 2 - i < need:
                break
        self.progress(self.tally, "shrink", sum(self._replicates.values()))
        return failed >= need

    def shrink(self) -> Configuration | None:
        """The simplest failing configuration Hypothesis finds; None without a budget for it."""
        if not self.budget.shrink:
            return None
        seed = search.seed_of("shrink", str(self.seed))
        return search.shrink(self.strategy, self.budget.shrink, seed, self._fails)

    def confirm(self, shrunk: Configuration | None) -> Witness | None:
        """Try candidates on fresh data, smallest first, and keep the most damning."""
        candidates = {t.configuration.text: t.configuration for t in self.failures}
        if shrunk is not None:
            candidates[shrunk.text] = shrunk
        best: Witness | None = None
        phase = self._phase("confirm")
        for configuration in sorted(candidates.values(), key=lambda c: c.size)[:4]:
            hangs = [t.outcome.fault is Fault.TIMEOUT for t in self.failures if t.configuration == configuration]
            # A hang takes the whole limit of a call, and looks the same every time.
            repeats = min(2, self.budget.confirm) if hangs and all(hangs) else self.budget.confirm
            asked = [self._next(phase, configuration) for _ in range(repeats)]
            done = self._run(asked, count=False)
            failed = [t for t in done if t.failed]
            if failed:
                shown = failed[0]
            else:
                # Nothing failed on fresh data: show the failure that was seen, run again for its details.
                seen = next((t for t in self.failures if t.configuration.text == configuration.text), None)
                if seen is None:
                    continue
                (shown,) = self._run([(seen.phase, seen.configuration, seen.replicate, seen.nonce)], count=False)
                if not shown.failed:
                    continue
            witness = Witness(shown, len(failed), len(done))
            if best is None or witness.damning < best.damning:
                best = witness
            if 2 * len(failed) > len(done) or (failed and self.tally.at_once):
                break
        return best

    def run(self) -> Result:
        """All phases; raises KeyboardInterrupt after the trials so far were recorded."""
        start = time.perf_counter()
        why, witness = "", None
        verdict: Verdict | None = None
        try:
            if not self._decided() and not self.resumed:
                self.explore()
            self.decide()
            if self.tally.verdict is Verdict.REFUTED:
                witness = self.confirm(self.shrink())
        except _CheckFailed as error:
            verdict, why = Verdict.INCONCLUSIVE, str(error)
        if verdict is None:
            verdict = self.tally.verdict
            if verdict is Verdict.INCONCLUSIVE and not self.tally.trials and self.outside:
                verdict, why = Verdict.OUT_OF_SCOPE, self._outside_sentence()
            elif verdict is Verdict.INCONCLUSIVE:
                why = f"the budget of {self.budget.most} trials was spent; run again with the same ledger to go on"
            elif verdict is Verdict.REFUTED and witness is not None and witness.trial.outcome.note:
                why = witness.trial.outcome.note
        return self.result(verdict, why, witness, time.perf_counter() - start)

    def _outside_sentence(self) -> str:
        assert self.first_outside is not None
        binding = self.first_outside.depth.binding
        return f"all {self.outside} problems lay outside the region {self.region.name}, the first by its {binding}"

    def result(self, verdict: Verdict, why: str, witness: Witness | None, seconds: float) -> Result:
        return Result(
            self.claim,
            verdict,
            why,
            self.tally,
            witness,
            self.explored,
            self.outside,
            self.resumed,
            self.ledger.outdated(self.bench.subject.name, self.claim.name, self.evidence),
            seconds,
            self.calls,
            tuple(self.examples),
        )


def _nothing(*_: Any) -> None:
    """The progress display and trial recorder of those who want none."""


def with_requirements(chosen: Iterable[Claim], manifest: Sequence[Claim]) -> list[Claim]:
    """The chosen claims and those they rest on, in the order of the manifest."""
    names: set[str] = set()
    by_name = {c.name: c for c in manifest}

    def add(name: str) -> None:
        if name in names:
            return
        names.add(name)
        for needed in by_name[name].requires:
            add(needed)

    for c in chosen:
        add(c.name)
    return [c for c in manifest if c.name in names]


def examine(
    bench: Bench,
    chosen: Sequence[Claim],
    *,
    region: Region | None = None,
    drawn_from: Region | None = None,
    budget: str | Budget = "quick",
    alpha: float = 1e-6,
    beta: float = 1e-3,
    seed: int = 0,
    ledger: Ledger | None = None,
    progress: Callable[[Progress], None] = _nothing,
    record: Callable[[Trial], None] = _nothing,
    earlier: dict[str, Verdict] | None = None,
    until_refuted: bool = False,
    nonce: str | None = None,
) -> list[Result]:
    """Every chosen claim on one solver, each after those it rests on; time is measured last.

    Parameters
    ----------
    bench : Bench
    chosen : sequence of Claim
        In an order in which each comes after those it requires (as `claims` gives them).
    region : Region, optional
        Where the solver is held to its claims.
    drawn_from : Region, optional
        Where configurations come from instead; those outside ``region`` are OUT_OF_SCOPE.
    budget : str or Budget
    alpha, beta : float
        Bounds, per claim, on the probability of a false REFUTED and of a false CONFIRMED.
    seed : int
        Of the suite: another one draws other configurations and other data.
    ledger : Ledger, optional
        Evidence of earlier runs; added to.
    nonce : str, optional
        Secret that keys the data besides; without one a solver that knows this code could draw them again.
    progress, record : callable
        Told after every batch, and of every trial.
    earlier : mapping of name to Verdict, optional
        Verdicts known already (of claims that are not in ``chosen``); added to.
    until_refuted : bool
        Try the claims exactly in the order given and end with the first that is refuted.

    Raises
    ------
    Interrupted
        On Ctrl-C, with the results so far.
    """
    plan = budget_of(budget)
    where: Region = Everywhere() if region is None else region
    ledger = Ledger() if ledger is None else ledger
    for name, value in (("alpha", alpha), ("beta", beta)):
        probability(name, value, "an error rate in (0, 1)")
    verdicts = {} if earlier is None else earlier
    results: list[Result] = []
    in_time_order = (
        list(chosen) if until_refuted else sorted(chosen, key=lambda c: bool(getattr(c.kind, "alone", False)))
    )
    for position, claim in enumerate(in_time_order):
        blocking = [n for n in claim.requires if verdicts.get(n) in (Verdict.REFUTED, Verdict.BLOCKED)]
        missing = claim.missing_traits(bench.traits)
        if bench.broken is not None:
            result = _unloadable(claim, bench.broken, alpha, beta)
        elif missing:
            result = Result(claim, Verdict.NOT_APPLICABLE, f"the solver declares: no {', no '.join(missing)}")
        elif blocking:
            result = Result(claim, Verdict.BLOCKED, f"rests on {', '.join(blocking)}")
        else:

            def told(tally: Tally, phase: str, trials: int, claim: Claim = claim, position: int = position) -> None:
                progress(
                    Progress(
                        bench.subject.name, claim.name, position, len(in_time_order), phase, tally, trials, plan.most
                    )
                )

            examination = Examination(
                claim,
                bench,
                where,
                plan,
                ledger,
                alpha=alpha,
                beta=beta,
                seed=seed,
                progress=told,
                record=record,
                drawn_from=drawn_from,
                nonce=nonce,
            )
            try:
                result = examination.run()
            except KeyboardInterrupt:
                results.append(examination.result(examination.tally.verdict, "interrupted", None, 0.0))
                rest = in_time_order[position + 1 :]
                results += [Result(c, Verdict.INCONCLUSIVE, "interrupted before it was tried") for c in rest]
                raise Interrupted(results) from None
        verdicts[claim.name] = result.verdict
        results.append(result)
        if until_refuted and result.verdict is Verdict.REFUTED:
            break
    return results


def _unloadable(claim: Claim, fault: SolverFault, alpha: float, beta: float) -> Result:
    """A solver that cannot be loaded breaks the claims that rest on nothing, and blocks the others."""
    if claim.requires:
        return Result(claim, Verdict.BLOCKED, f"rests on {', '.join(claim.requires)}")
    return Result(claim, Verdict.REFUTED, f"the solver {fault}", Tally.of(claim.kind, alpha, beta))
