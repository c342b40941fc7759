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
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from lrs.core.errors import InvalidInput, MissingExtra
from lrs.core.family import load_family
from lrs.core.identity import joint_digest
from lrs.core.run import Fault, Limits, SolverFault
from lrs.core.validate import hint, probability
from property_tests.examine import search
from property_tests.examine.bench import Asked, Bench, Trial
from property_tests.examine.cell import Cell, cell_of
from property_tests.examine.claim import Claim, Outcome, Quantifier, Verdict, quantifier_of
from property_tests.examine.closure import fingerprint
from property_tests.examine.configuration import Configuration, Everywhere, Region
from property_tests.examine.ledger import Entry, Ledger
from property_tests.examine.tally import BASE, Tally

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

#: Trials between two looks at the evidence; fixed, because the order of trials must not depend on the processes.
BATCH = 8
#: The claim that all others rest on, but for problems of the plain model that are answered.
ANSWERS = "conduct/answers"
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
        Counted trials: a verdict of CONFIRMED waits for ``least`` of the claim, INCONCLUSIVE comes after ``most`` of a cell.
    shrink : int
        Configurations tried while reducing a failure.
    confirm : int
        Fresh trials of each candidate for a witness.
    limits : Limits
        Of one solver call.
    cell_seconds : float
        Processor time of the solver that confirming one cell of a ladder may take; a slower solver is not examined there.
    """

    name: str
    explore: int
    least: int
    most: int
    shrink: int
    confirm: int
    limits: Limits = field(default_factory=Limits)
    cell_seconds: float = 60.0


BUDGETS = {
    b.name: b
    for b in (
        Budget(name="quick", explore=6, least=0, most=400, shrink=40, confirm=6, limits=Limits(seconds=20.0)),
        Budget(
            name="standard",
            explore=40,
            least=150,
            most=2000,
            shrink=150,
            confirm=10,
            limits=Limits(seconds=60.0),
            cell_seconds=600.0,
        ),
        Budget(
            name="exhaustive",
            explore=400,
            least=2000,
            most=20000,
            shrink=600,
            confirm=20,
            limits=Limits(seconds=300.0),
            cell_seconds=6000.0,
        ),
    )
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
    claim: Claim

    @property
    def damning(self) -> tuple[Any, ...]:
        """Sort key: what fails on fresh data more often than the claim allows first, small before large, deep before shallow."""
        depth = self.trial.depth.margin
        return (
            self.failures <= (1 - self.claim.kind.p0) * self.repeats,
            self.trial.configuration.size,
            -depth if math.isfinite(depth) else 0.0,
        )


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
    #: Smallest and largest of each size among the counted trials.
    extent: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    #: Cells of the ladder where the region promises nothing, and why.
    out_of_scope: Mapping[str, str] = field(default_factory=dict)
    #: Name of the claim whose counterexample this one shares.
    cause: str = ""
    #: What the trials inside a theorem's own region say, by its name.
    tables: Mapping[str, Tally] = field(default_factory=dict)

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
    results: Sequence[Result] = ()


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

    parse = staticmethod(Configuration.parse)

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
        companions: Sequence[Claim] = (),
        promised: Mapping[str, Region] | None = None,
    ) -> None:
        self.nonce = nonce
        self.claim, self.bench, self.region, self.budget, self.ledger = claim, bench, region, budget, ledger
        self.seed, self.progress, self.record, self.companions = seed, progress, record, companions
        source = region if drawn_from is None else drawn_from
        self.cells = {BASE: Cell(BASE, claim.configurations(source))}
        self.out_of_scope: dict[str, str] = {}
        if claim.ladder is not None and not hasattr(claim.kind, "tally"):
            for cell in claim.ladder(source, budget.name):
                if cell.configurations is None:
                    self.out_of_scope[cell.name] = cell.why
                else:
                    self.cells[cell.name] = cell
        self.tally = Tally.of(claim.kind, alpha, beta, tuple(self.cells))
        #: The trials that lay in the region of a theorem which promises the claim.
        self.promised = {n: r for n, r in (promised or {}).items() if n in claim.theorems and r is not region}
        self.tables = {n: Tally.of(claim.kind, alpha, beta, tuple(self.cells)) for n in self.promised}
        code = fingerprint(type(bench.family).__module__)  # how data are drawn and answers judged
        texts = [bench.hash, claim.name, claim.hash, code, region.name]
        for r in (region, *([] if drawn_from is None else [drawn_from])):
            texts += [repr(r), fingerprint(type(r).__module__)]
        self.evidence = joint_digest(*texts)[:16]
        self.failures: list[Trial] = []
        self.examples: list[Trial] = []
        self.first_outside: Trial | None = None
        self.explored = self.outside = self.resumed = self.calls = 0
        self.seconds = 0.0
        self.round = 0
        self.extent: dict[str, tuple[float, float]] = {}
        self._replicates: Counter[tuple[str, str]] = Counter()
        self._drawn: dict[str, list[Configuration]] = {name: [] for name in self.cells}
        self._used: Counter[str] = Counter()
        self._cpu: defaultdict[str, float] = defaultdict(float)
        self._before: Counter[str] = Counter()
        self._outside: Counter[str] = Counter()
        self._resume()

    def _resume(self) -> None:
        """Count again what the ledger holds about this very solver, claim and region."""
        entries = list(self.ledger.about(self.evidence))
        for entry in entries:  # those first that have a slot already: what failed while exploring is in no entry
            if entry.phase.startswith("press/") and cell_of(entry.phase) in self.cells:
                self.tally.press(entry.configuration, cell_of(entry.phase))
        for entry in entries:
            cell = cell_of(entry.phase)
            if cell not in self.cells:
                continue  # of another budget's ladder
            configuration = Configuration.parse(entry.configuration)
            self._count(entry.phase, configuration, entry.ok)
            self._replicates[(entry.phase, entry.configuration)] = max(
                self._replicates[(entry.phase, entry.configuration)], entry.replicate + 1
            )
            self.round = max(self.round, entry.round + 1)
            self.resumed += 1
            self._before[cell] += 1
            if not entry.ok:
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

    def _count(self, phase: str, configuration: Configuration, ok: bool) -> None:
        cell, text = cell_of(phase), configuration.text
        for name, value in _sizes(self.region, configuration).items():
            low, high = self.extent.get(name, (value, value))
            self.extent[name] = (min(low, value), max(high, value))
        if phase.startswith("press/"):
            if text in self.tally.strata[cell].pressed:
                self.tally.add(ok, pressed=text, cell=cell)
            return
        self.tally.add(ok, cell=cell, configuration=text)
        if not ok and phase.startswith("decide/"):
            self.tally.press(text, cell)
        for name, region in self.promised.items():
            if region.depth(configuration).margin >= 0:
                self.tables[name].add(ok, cell=cell, configuration=text)

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

    def _phase(self, name: str, cell: str = BASE) -> str:
        return f"{name}/{self.seed}" + (f"/{cell}" if cell else "")

    def _next(self, phase: str, configuration: Configuration) -> Asked:
        """The next replicate of a configuration that has not been used in this phase."""
        key = (phase, configuration.text)
        replicate = self._replicates[key]
        self._replicates[key] += 1
        return phase, configuration, replicate, self.nonce

    def _run(self, asked: Sequence[Asked], *, count: bool, companions: Sequence[Claim] = ()) -> list[Trial]:
        with _blame_the_claim(self.claim):
            done = self.bench.trials(self.claim, self.region, asked, companions)
        out = []
        for t in done:
            counted = count and t.outcome.in_scope
            if counted:
                counted = self.ledger.add(self._entry(t))
            if counted:
                self._count(t.phase, t.configuration, t.outcome.ok)
            t = replace(t, counted=counted)
            cell = cell_of(t.phase)
            self.calls += t.calls
            self.seconds += t.seconds
            self._cpu[cell] += t.cpu_seconds
            if not t.outcome.in_scope:
                self.outside += 1
                self._outside[cell] += 1
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
        search.explore(self._strategy(BASE), number, search.seed_of("explore", str(self.seed)), margin)
        for t in [t for t in self.failures if t.phase == phase]:
            self.tally.press(t.configuration.text)

    def _strategy(self, cell: str) -> SearchStrategy[Configuration]:
        found = self.cells[cell].configurations
        assert found is not None
        return found

    def _witnessed(self, t: Trial) -> None:
        """Count a counterexample found outside the decide phase: for an Always claim one is enough."""
        if self.ledger.add(self._entry(t)):
            self._count(t.phase, t.configuration, False)

    def _open(self, cell: str) -> bool:
        """Whether a cell still wants trials."""
        stratum = self.tally.strata[cell]
        new = stratum.trials - self._before[cell]
        if stratum.skipped or new >= max(self.budget.most, getattr(self.claim.kind, "most", 0)):
            return False
        if not stratum.trials and self._outside[cell] >= _ENOUGH_OUTSIDE:
            return False
        if cell and self._cpu[cell] > 2 * self.budget.cell_seconds:
            return False
        if self.tally.verdict_of(cell) is Verdict.CONFIRMED:
            return cell == BASE and self.tally.trials < self.budget.least
        return True

    def decide(self) -> None:
        """Fresh configurations and pressed ones, a batch in every open cell in turn, until evidence or budget decides.

        A cell in which something failed goes on until it is decided before the others do: what is broken is found soon.
        """
        while self.tally.verdict is not Verdict.REFUTED:
            opened = [cell for cell in self.cells if self._open(cell)]
            if not opened:
                break
            for cell in opened:
                again = True
                while again:
                    self._batch(cell)
                    if self.tally.verdict is Verdict.REFUTED:
                        return
                    again = any(c.failures for c in self.tally.strata[cell].counts) and self._open(cell)
        for cell, stratum in self.tally.strata.items():
            if not stratum.trials and self._outside[cell] and not stratum.skipped:
                self.tally.leave_out(cell, "every problem drawn lay outside the region")

    def _propose(self, cell: str, number: int) -> list[Configuration]:
        """The next configurations of a cell."""
        # No claim name: claims with the same strategy are tried on the same data and share answers.
        # The nonce: a solver that knew the sizes to come could be right on those and nowhere else.
        drawn = len(self._drawn[cell])
        key = ["decide", str(self.seed), str(self.round), str(drawn), *filter(None, (cell, self.nonce))]
        return search.propose(self._strategy(cell), number, search.seed_of(*key))

    def _batch(self, cell: str) -> None:
        """The next trials of a cell."""
        if cell in self.bench.slow:
            self.tally.skip(cell, self.bench.slow[cell])
            return
        pool, press = self._phase("decide", cell), self._phase("press", cell)
        drawn, stratum = self._drawn[cell], self.tally.strata[cell]
        # The first trial of a ladder's cell shows what the others are going to cost.
        first = bool(cell) and not stratum.trials and not self._outside[cell]
        size = 1 if first else BATCH
        if self._used[cell] + BATCH > len(drawn):
            # The first block suffices for a clear AtLeast, the second for an Always; Hypothesis cannot continue a
            # stream, so each block has a seed of its own.
            drawn += self._propose(cell, 5 * BATCH if not drawn else max(4 * BATCH, len(drawn) // 2))
        slots = self.tally.undecided_slots(cell)
        fresh = size if not slots else size // 2
        if slots and stratum.pool.best_confirm >= -math.log(self.tally.beta):
            fresh = 0  # only the pressed ones are still open
        used = self._used[cell]
        asked = [self._next(pool, c) for c in drawn[used : used + fresh]]
        self._used[cell] += fresh
        asked += [self._next(press, self.parse(slots[i % len(slots)])) for i in range(size - fresh if slots else 0)]
        (first_trial, *_) = self._run(asked, count=True, companions=self.companions if cell else ())
        self.progress(self.tally, "decide", self.tally.trials)
        # A failure is no excuse: a few more of them decide, and a solver must not hide where it is wrong by being slow there.
        slow = first_trial.cpu_seconds * self.needed > self.budget.cell_seconds
        hung = first_trial.outcome.fault is Fault.TIMEOUT
        if first and slow and (hung or not first_trial.failed):
            self.bench.slow[cell] = f"{'more than ' * hung}{first_trial.cpu_seconds:.2g} s a call"
            self.tally.skip(cell, self.bench.slow[cell])

    @property
    def needed(self) -> int:
        """Trials without failure that confirm a cell, roughly."""
        return math.ceil(math.log(self.tally.beta) / math.log(self.claim.kind.p1)) + BATCH

    def timed(self, cell: str) -> float:
        """Processor seconds of one trial in a cell, which counts nowhere."""
        (t,) = self._run([self._next(self._phase("forecast", cell), self._propose(cell, 1)[0])], count=False)
        return t.cpu_seconds

    def _failing_cell(self) -> str:
        """Where most of the evidence against the claim comes from."""
        strata = self.tally.strata
        return max(strata, key=lambda cell: (strata[cell].best_refute, sum(c.failures for c in strata[cell].counts)))

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
        return search.shrink(self._strategy(self._failing_cell()), self.budget.shrink, seed, self._fails)

    def confirm(self, shrunk: Configuration | None) -> Witness | None:
        """Try candidates on fresh data, smallest first, and keep the most damning."""
        # An average is broken in a cell: single failures in another are no counterexamples.
        average, cell = quantifier_of(self.claim.kind) is Quantifier.AVERAGE, self._failing_cell()
        failures = [t for t in self.failures if not average or cell_of(t.phase) == cell]
        candidates = {t.configuration.text: t.configuration for t in failures}
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
            witness = Witness(shown, len(failed), len(done), self.claim)
            if best is None or witness.damning < best.damning:
                best = witness
            if 2 * len(failed) > len(done) or (failed and self.tally.at_once):
                break
        return best

    def _same_cause(self, causes: Sequence[Witness]) -> Witness | None:
        """The first of these counterexamples to other claims that breaks this one too: one instance, one cause."""
        for cause in causes:
            t, other = cause.trial, cause.claim
            if t.outcome.fault is not None:
                if any(f.outcome.fault is t.outcome.fault for f in self.failures):
                    return cause
                continue
            own, theirs = self.claim, other
            alike = own.ladder is theirs.ladder if own.ladder else own.configurations is theirs.configurations
            if alike:
                (again,) = self._run([(t.phase, t.configuration, t.replicate, t.nonce)], count=False)
                if again.failed:
                    return replace(cause, trial=again, claim=other)
        return None

    def run(self, causes: Sequence[Witness] = ()) -> Result:
        """All phases; raises KeyboardInterrupt after the trials so far were recorded.

        A claim that a counterexample of ``causes`` breaks as well gets that one for its witness.
        """
        start = time.perf_counter()
        why, witness, cause = "", None, ""
        verdict: Verdict | None = None
        try:
            if self.budget.explore and not self.resumed:
                self.explore()
            self.decide()
            if self.tally.verdict is Verdict.REFUTED and quantifier_of(self.claim.kind) is not Quantifier.LAW:
                witness = self._same_cause(causes)
                if witness is not None:
                    cause = witness.claim.name
                else:
                    witness = self.confirm(self.shrink())
        except _CheckFailed as error:
            verdict, why = Verdict.INCONCLUSIVE, str(error)
        if verdict is None:
            verdict = self.tally.verdict
            if verdict is Verdict.INCONCLUSIVE and not self.tally.trials and self.outside:
                verdict = getattr(self.claim.kind, "unsettled", Verdict.OUT_OF_SCOPE)
                why = self._outside_sentence()
            elif verdict is Verdict.INCONCLUSIVE:
                why = self._open_sentence()
            elif verdict is Verdict.REFUTED and witness is not None and witness.trial.outcome.note:
                why = witness.trial.outcome.note
        return self.result(verdict, why, witness, time.perf_counter() - start, cause)

    def _outside_sentence(self) -> str:
        assert self.first_outside is not None
        if self.first_outside.depth.margin >= 0:  # it was the drawn instance that the claim does not speak about
            return self.first_outside.outcome.note
        binding = self.first_outside.depth.binding
        return f"all {self.outside} problems lay outside the region {self.region.name}, the first by its {binding}"

    def _open_sentence(self) -> str:
        strata = self.tally.strata
        skipped = {cell: s for cell, s in strata.items() if s.skipped and not s.outside}
        if 2 * len(skipped) > len(strata):
            return f"{len(skipped)} of {len(strata)} cells are too slow to be examined in this budget"
        open_ = [c or "small problems" for c in strata if self.tally.verdict_of(c) is Verdict.INCONCLUSIVE]
        where = f" in {', '.join(c for c in open_ if c not in skipped)}" if len(strata) > 1 else ""
        return f"the budget was spent{where}; run again with the same ledger to go on"

    def result(self, verdict: Verdict, why: str, witness: Witness | None, seconds: float, cause: str = "") -> Result:
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
            self.extent,
            self.out_of_scope,
            cause,
            self.tables,
        )


def _sizes(region: Region, configuration: Configuration) -> dict[str, float]:
    """The sizes of a problem that a verdict names the range of: what the region says, or the family's sizes."""
    own = getattr(region, "extent", None)
    if own is not None:
        return dict(own(configuration))
    parameters = load_family(configuration.family).parameters
    values = configuration.spec.to_dict()
    return {n: float(values[n]) for n, p in parameters.items() if p.size and isinstance(values.get(n), int | float)}


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
    promised: Mapping[str, Region] | None = None,
    later: Sequence[Claim] = (),
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
        Bounds, for all claims of the run together, on the probability of a false REFUTED and of a false CONFIRMED; each
        claim that applies has an equal share of both.
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
    promised : mapping of str to Region, optional
        Regions of theorems by name: what lies in them is counted in tables of its own for the claims that they promise.
    later : sequence of Claim
        Claims that further calls will try on this bench: those with the ladder of one of ``chosen`` judge its trials now.
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
    applicable = [c for c in in_time_order if not c.missing_traits(bench.traits)]
    each = max(len(applicable), 1)  # Bonferroni: the rates are those of the whole run
    alpha, beta = alpha / each, beta / each
    causes: list[Witness] = []

    @cache
    def answers_plainly() -> bool:
        return _answers_plainly(bench, where, by_name[ANSWERS], seed, nonce)

    by_name = {c.name: c for c in in_time_order}
    for position, claim in enumerate(in_time_order):
        blocking = [n for n in claim.requires if verdicts.get(n) in (Verdict.REFUTED, Verdict.BLOCKED)]
        if ANSWERS in blocking and ANSWERS in by_name and answers_plainly():
            blocking.remove(ANSWERS)  # a corner without an answer is a failure there, and hides nothing else
        missing = claim.missing_traits(bench.traits)
        if bench.broken is not None:
            result = _unloadable(claim, bench.broken, alpha, beta)
        elif missing:
            result = Result(claim, Verdict.NOT_APPLICABLE, f"the solver declares: no {', no '.join(missing)}")
        elif blocking:
            result = Result(claim, Verdict.BLOCKED, f"rests on {', '.join(blocking)}")
        else:

            def told(
                tally: Tally,
                phase: str,
                trials: int,
                claim: Claim = claim,
                position: int = position,
                results: list[Result] = results,
            ) -> None:
                progress(
                    Progress(
                        bench.subject.name,
                        claim.name,
                        position,
                        len(in_time_order),
                        phase,
                        tally,
                        trials,
                        plan.most,
                        results,
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
                companions=[
                    c for c in [*applicable[applicable.index(claim) + 1 :], *later] if _shares_ladder(c, claim)
                ],
                promised=promised,
            )
            try:
                result = examination.run(causes)
            except KeyboardInterrupt:
                results.append(examination.result(examination.tally.verdict, "interrupted", None, 0.0))
                rest = in_time_order[position + 1 :]
                results += [Result(c, Verdict.INCONCLUSIVE, "interrupted before it was tried") for c in rest]
                raise Interrupted(results) from None
        verdicts[claim.name] = result.verdict
        results.append(result)
        if result.witness is not None and not result.cause:
            causes.append(result.witness)
        if until_refuted and result.verdict is Verdict.REFUTED:
            break
    return results


def _shares_ladder(claim: Claim, other: Claim) -> bool:
    return claim.ladder is not None and claim.ladder is other.ladder


def _answers_plainly(bench: Bench, region: Region, answers: Claim, seed: int, nonce: str | None) -> bool:
    """Whether the solver answers three problems of the plain model (of a region without one: any three)."""
    draw = getattr(region, "plain", region.draw)
    try:
        plain = search.propose(draw(), 3, search.seed_of("plain", str(seed)))
    except InvalidInput:
        return False  # a region that cannot draw
    return not any(bench.trial(answers, region, f"plain/{seed}", c, i, nonce).failed for i, c in enumerate(plain))


def _unloadable(claim: Claim, fault: SolverFault, alpha: float, beta: float) -> Result:
    """A solver that cannot be loaded breaks the claims that rest on nothing, and blocks the others."""
    if claim.requires:
        return Result(claim, Verdict.BLOCKED, f"rests on {', '.join(claim.requires)}")
    return Result(claim, Verdict.REFUTED, f"the solver {fault}", Tally.of(claim.kind, alpha, beta))
