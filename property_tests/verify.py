"""The door for Python: `check_solver`, and what it returns.

The same function stands behind ``lrs verify`` and the pytest plugin, so the three doors cannot disagree.
"""

from __future__ import annotations

import json
import math
import pkgutil
import platform
import shlex
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lrs.core import streams
from lrs.core.errors import InvalidInput
from lrs.core.face import face
from lrs.core.family import LOW_RANK_SPARSE, Family, Success, load_family, reference
from lrs.core.run import Fault, Subject
from lrs.core.spelling import renamed
from lrs.core.validate import hint
from property_tests.examine import statement
from property_tests.examine.bench import Bench, Trial, default_jobs
from property_tests.examine.claim import DEFAULT, Claim, Verdict, quantifier_of
from property_tests.examine.claim import claims as available_claims
from property_tests.examine.configuration import Configuration, Region, check_region, region_of
from property_tests.examine.engine import Budget, Interrupted, Progress, Result, budget_of, examine, with_requirements
from property_tests.examine.forecast import Forecast, forecast
from property_tests.examine.ledger import Ledger
from theory.theorems import available_theorems, load_theorem, theorem_of

#: Version of verdicts.json; 2 added the nonce, the family and the criterion, 3 cells, bounds, ranges and hypotheses.
SCHEMA = 3


# ---------------------------------------------------------------------------------------------- expected failures
@dataclass(frozen=True)
class Expected:
    """A claim that is known to be refuted, and why that is accepted."""

    claim: str
    reason: str
    solver: str = "*"

    def matches(self, claim: str, solver: str) -> bool:
        return fnmatchcase(claim, self.claim) and fnmatchcase(solver, self.solver)


_EXPECTED_KEYS = ("claim", "reason", "solver")


def read_expected(path: str | Path) -> tuple[Expected, ...]:
    """Expected failures from a TOML file of ``[[expected]]`` tables with claim, reason and, optionally, solver.

    Raises
    ------
    InvalidInput
        When the file cannot be read, a table has an unknown key, or a reason is missing.
    """
    path = Path(path)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(f"expected: {path} cannot be read ({error.strerror or error})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"expected: {path} is not TOML ({error})") from None
    tables = document.pop("expected", [])
    if document or not isinstance(tables, list):
        raise InvalidInput(
            f"expected: {path} may hold [[expected]] tables only, found {', '.join(document) or 'a value'}"
        )
    out = []
    for number, table in enumerate(tables, 1):
        where = f"expected: {path}, table {number}"
        unknown = set(table) - set(_EXPECTED_KEYS)
        if unknown:
            raise InvalidInput(f"{where}: unknown key {min(unknown)!r}; {hint(min(unknown), _EXPECTED_KEYS)}")
        if not all(isinstance(v, str) for v in table.values()):
            raise InvalidInput(f"{where}: claim, reason and solver are texts")
        if not table.get("claim"):
            raise InvalidInput(f"{where}: no claim; name one, or a glob over names")
        if not table.get("reason", "").strip():
            raise InvalidInput(f"{where}: {table['claim']} has no reason; an expected failure needs one")
        out.append(Expected(**table))
    return tuple(out)


# ---------------------------------------------------------------------------------------------- the report
def rate_text(value: float) -> str:
    """An error rate as people write it: 1e-6, not 1e-06."""
    return f"{value:g}".replace("e-0", "e-")


def _number(value: float) -> float | None:
    """A number JSON can hold; NaN and infinities become None."""
    return float(value) if math.isfinite(value) else None


@dataclass(frozen=True, eq=False)
class Report:
    """What was found about one solver.

    Attributes
    ----------
    solver : str
    results : tuple of Result
        One per claim of the run, in the order in which they were tried.
    budget : Budget
    alpha, beta : float
        Of all claims of the run together.
    seed : int
    theorem : str or None
    region : str
    jobs : int
    seconds : float
    expected : tuple of Expected
        Those given for this solver.
    faults : mapping of Fault to (times, first detail)
        Everything noticed in any call.
    interrupted : bool
    solver_hash : str
    ledger : str or None
    nonce : str or None
        Secret that keyed the data of this run; ``nonce=`` repeats it.
    region_label : str
        Whose region it is: the theorem's, or only measured.
    family : Family
        Whose problems the solver was asked.
    uncertified : mapping of str to str
        Theorems of the claims that have no region of their own to count in, and why.
    promised : mapping of str to str
        Theorems with one, and whose it is: its label says when the constants are not certified.
    """

    solver: str
    results: tuple[Result, ...]
    budget: Budget
    alpha: float
    beta: float
    seed: int
    theorem: str | None
    region: str
    jobs: int
    seconds: float
    expected: tuple[Expected, ...] = ()
    faults: Mapping[Fault, tuple[int, str]] = field(default_factory=dict)
    interrupted: bool = False
    solver_hash: str = ""
    ledger: str | None = None
    nonce: str | None = None
    region_label: str = ""
    family: Family = field(default_factory=load_family)
    uncertified: Mapping[str, str] = field(default_factory=dict)
    promised: Mapping[str, str] = field(default_factory=dict)

    # ------------------------------------------------------------------ reading
    def __getitem__(self, claim: str) -> Result:
        for r in self.results:
            if r.claim.name == claim:
                return r
        raise KeyError(claim)

    def with_verdict(self, verdict: Verdict) -> tuple[Result, ...]:
        """The results with this verdict."""
        return tuple(r for r in self.results if r.verdict is verdict)

    @property
    def success(self) -> Success:
        """The criterion of the claims that say “recovered”: the family's default."""
        return DEFAULT.of(self.family)

    @property
    def criterion(self) -> str:
        """It in words."""
        return self.success.sentence(self.family)

    @property
    def counts(self) -> dict[Verdict, int]:
        """How many claims got each verdict."""
        found = Counter(r.verdict for r in self.results)
        return {v: found[v] for v in Verdict}

    @property
    def applicable(self) -> int:
        """Claims that speak about this solver: collected minus NOT_APPLICABLE."""
        return len(self.results) - self.counts[Verdict.NOT_APPLICABLE]

    @property
    def ran(self) -> int:
        return sum(r.ran for r in self.results)

    def expectation(self, result: Result) -> Expected | None:
        """The expected failure that this result matches, if any."""
        return next((e for e in self.expected if e.matches(result.claim.name, self.solver)), None)

    @property
    def unexpected(self) -> tuple[Result, ...]:
        """Refuted claims that nobody expected to be."""
        return tuple(r for r in self.with_verdict(Verdict.REFUTED) if self.expectation(r) is None)

    @property
    def wrongly_expected(self) -> tuple[Result, ...]:
        """Confirmed claims that were listed as expected failures."""
        return tuple(r for r in self.with_verdict(Verdict.CONFIRMED) if self.expectation(r) is not None)

    @property
    def exit_code(self) -> int:
        """0 nothing refuted and nothing left open, 1 a refutation (or a wrong expectation), 3 something left open."""
        if self.unexpected or self.wrongly_expected:
            return 1
        return 3 if self.counts[Verdict.INCONCLUSIVE] else 0

    @property
    def ok(self) -> bool:
        return self.exit_code == 0

    @property
    def sentence(self) -> str:
        """The verdict in one sentence."""
        n = self.counts
        parts = [f"{n[Verdict.CONFIRMED]} of {self.applicable} claims confirmed"]
        for verdict, word in (
            (Verdict.REFUTED, "refuted"),
            (Verdict.INCONCLUSIVE, "inconclusive"),
            (Verdict.BLOCKED, "blocked"),
            (Verdict.OUT_OF_SCOPE, "out of scope"),
        ):
            if n[verdict]:
                expected = sum(self.expectation(r) is not None for r in self.with_verdict(verdict))
                note = f" ({expected} expected)" if expected and verdict is Verdict.REFUTED else ""
                parts.append(f"{n[verdict]} {word}{note}")
        if n[Verdict.NOT_APPLICABLE]:
            parts.append(f"{n[Verdict.NOT_APPLICABLE]} more not applicable")
        end = " (interrupted)" if self.interrupted else ""
        return f"{self.solver}: {'; '.join(parts)}{end}."

    @property
    def headline(self) -> Result | None:
        """The claim that says most about where the solver works: of those decided on a ladder the one others rest on."""
        laddered = [r for r in self.results if r.ran and r.tally is not None and len(r.tally.cells) > 1]
        needed = {n for r in self.results for n in r.claim.requires}
        return min(laddered, key=lambda r: (r.claim.name not in needed, r.claim.name), default=None)

    @property
    def range(self) -> str:
        """Where the headline was examined, and what it found there, in a sentence."""
        r = self.headline
        if r is None:
            return ""
        word = {Verdict.CONFIRMED: "in every cell examined", Verdict.REFUTED: "not in every cell examined"}.get(
            r.verdict, "undecided"
        )
        return f"{r.claim.name} {word} of {statement.examined(r)}: success probability {statement.numbers(r)}."

    @property
    def tables(self) -> list[tuple[str, list[dict[str, Any]]]]:
        """Title and rows of the headline's cells: the region's, and of its trials those in a theorem's own; never mixed."""
        r = self.headline
        if r is None or r.tally is None:
            return []
        own = (f"region {self.region}: {self.region_label}", statement.table(r.tally, r.out_of_scope))
        theirs = [
            (f"of these the problems inside the region of {n}: {self.promised.get(n, '')}", statement.promised_table(t))
            for n, t in r.tables.items()
        ]
        return [own, *theirs]

    @property
    def rates(self) -> str:
        """The error rates of the whole run, in words."""
        n = max(self.applicable, 1)
        split = next(((r.tally.beta, r.tally.alpha) for r in self.results if r.tally), (self.beta / n, self.alpha / n))
        low, high = map(statement.confidence, split)
        together = f"all {n} claims together" if n > 1 else "one claim"
        return (
            f"any false REFUTED: at most {rate_text(self.alpha)}, any false CONFIRMED: at most {rate_text(self.beta)}, for "
            f"{together}; each lower bound and each q holds at {low}, each upper bound at {high}"
        )

    @property
    def causes(self) -> dict[str, list[str]]:
        """Refuted claims by the claim whose counterexample they share."""
        found: dict[str, list[str]] = {}
        for r in self.with_verdict(Verdict.REFUTED):
            found.setdefault(r.cause or r.claim.name, []).append(r.claim.name)
        return found

    def in_order(self) -> tuple[Result, ...]:
        """The results by verdict: what is broken first, then what is open."""
        order = [Verdict.REFUTED, Verdict.INCONCLUSIVE, *(v for v in Verdict)]
        return tuple(sorted(self.results, key=lambda r: order.index(r.verdict)))

    def __str__(self) -> str:
        lines = [self.sentence]
        lines += [f"  {r.verdict.value:<14} {r.claim.name}{f': {r.why}' if r.why else ''}" for r in self.in_order()]
        return "\n".join(lines)

    # ------------------------------------------------------------------ writing
    def __repr__(self) -> str:
        return f"Report({self.sentence})"

    def _repr_html_(self) -> str:
        rows = [
            (r.verdict.value, r.claim.name, r.tally.trials if r.tally else "", r.why) for r in self.in_order() if r.ran
        ]
        return face(self.sentence, rows, ("verdict", "claim", "trials", ""), self.range)

    def plot(self) -> Any:
        """The share of trials in which every claim was kept, with intervals, as a figure of matplotlib."""
        return pkgutil.resolve_name("property_tests.show.picture:kept")(self)  # it imports this

    def replay_command(self, trial: Trial) -> str:
        """A line that runs this very trial again."""
        return _replay_command(self.solver, trial, self.theorem, self.family)

    def to_dict(self) -> dict[str, Any]:
        """The document of verdicts.json; `property_tests.schema` says what is in it."""
        return {
            "solver": self.solver,
            "sentence": self.sentence,
            "range": self.range,
            "rates": self.rates,
            "causes": self.causes,
            "uncertified": dict(self.uncertified),
            "promised": dict(self.promised),
            "exit_code": self.exit_code,
            "interrupted": self.interrupted,
            "alpha": self.alpha,
            "beta": self.beta,
            "budget": self.budget.name,
            "seed": self.seed,
            "nonce": self.nonce,
            "theorem": self.theorem,
            "family": self.family.name,
            "recovered": {
                "criterion": self.success.criterion,
                "tolerance": self.success.tolerance,
                "sentence": self.criterion,
            },
            "region": self.region,
            "region_label": self.region_label,
            "solver_hash": self.solver_hash,
            "ledger": self.ledger,
            "seconds": round(self.seconds, 3),
            "counts": {
                "collected": len(self.results),
                "applicable": self.applicable,
                "ran": self.ran,
                **{v.value.lower(): n for v, n in self.counts.items()},
            },
            "claims": [self._result_dict(r) for r in self.results],
            "faults": [
                {"fault": f.name.lower(), "text": f.value, "times": n, "first": detail, "hard": f.hard}
                for f, (n, detail) in self.faults.items()
            ],
        }

    def _result_dict(self, r: Result) -> dict[str, Any]:
        tally, expectation = r.tally, self.expectation(r)
        evidence = None
        if tally is not None:
            low, high = tally.interval() if tally.pool.trials else (0.0, 1.0)
            evidence = {
                "trials": tally.trials,
                "successes": tally.successes,
                "failures": tally.trials - tally.successes,
                "pool": {"trials": tally.pool.trials, "successes": tally.pool.successes},
                "pressed_configurations": len(tally.pressed),
                "success_probability_95": [low, high],
                "at_least": tally.bounds(tally.worst)[0],
                "at_most": tally.bounds(tally.worst)[1],
                "at_least_over_all": tally.overall[0],
                "worst_cell": statement.named(tally.worst),
                "unseen_share": tally.unseen,
                "alpha": tally.alpha,
                "beta": tally.beta,
                "not_examined": statement.not_examined(tally),
                "log_e_refute": _number(tally.log_e_refute),
                "log_e_confirm": _number(tally.log_e_confirm),
                "log_threshold_refute": -math.log(tally.alpha),
                "log_threshold_confirm": -math.log(tally.beta),
                "explored": r.explored,
                "outside_region": r.outside,
                "resumed": r.resumed,
                "outdated": r.outdated,
            }
        return {
            "claim": r.claim.name,
            "statement": r.claim.statement,
            "cite": r.claim.cite,
            "kind": type(r.claim.kind).__name__.lower(),
            "promise": r.claim.kind.sentence,
            "p0": r.claim.kind.p0,
            "p1": r.claim.kind.p1,
            "hash": r.claim.hash,
            "verdict": r.verdict.value,
            "why": r.why,
            "hypothesis": statement.hypothesis(r),
            "quantifier": quantifier_of(r.claim.kind).name.lower(),
            "numbers": statement.numbers(r),
            "examined": statement.examined(r),
            "extent": {n: list(v) for n, v in r.extent.items()},
            "cells": [] if tally is None or len(tally.cells) < 2 else statement.table(tally, r.out_of_scope),
            "promised": {n: statement.promised_table(t) for n, t in r.tables.items()},
            "cause": r.cause or None,
            "expected": None if expectation is None else expectation.reason,
            "evidence": evidence,
            "witness": None if r.witness is None else self._witness_dict(r),
            "seconds": round(r.seconds, 3),
            "solver_calls": r.calls,
        }

    def _witness_dict(self, r: Result) -> dict[str, Any]:
        assert r.witness is not None
        t = r.witness.trial
        return {
            **trial_dict(t),
            "fresh_failures": r.witness.failures,
            "fresh_trials": r.witness.repeats,
            "reproduce": self.replay_command(t),
        }


def _replay_command(solver: str, trial: Trial, theorem: str | None, family: Family) -> str:
    replay = json.dumps(
        {
            "phase": trial.phase,
            "replicate": trial.replicate,
            "configuration": trial.configuration.to_dict(),
            "nonce": trial.nonce,
        },
        sort_keys=True,
        separators=(",", ":"),
    )
    options = ["--solver", solver, "--claims", trial.claim]
    if family.name != LOW_RANK_SPARSE:
        options += ["--family", reference(family)]
    if theorem is not None:  # it decides the region
        options += ["--theorem", theorem]
    return shlex.join(["lrs", "verify", *options, "--trial", replay])


def trial_dict(t: Trial) -> dict[str, Any]:
    """A trial as plain values (a line of trials.jsonl)."""
    return {
        "claim": t.claim,
        "phase": t.phase,
        "replicate": t.replicate,
        "nonce": t.nonce,
        "configuration": t.configuration.to_dict(),
        "ok": t.outcome.ok,
        "in_scope": t.outcome.in_scope,
        "counted": t.counted,
        "margin": _number(t.outcome.margin),
        "note": t.outcome.note,
        "fault": None if t.outcome.fault is None else t.outcome.fault.name.lower(),
        "values": {n: _number(v) for n, v in t.outcome.values.items()},
        "depth": _number(t.depth.margin),
        "binding": t.depth.binding,
        "assumptions": {n: _number(v) for n, v in t.depth.parts.items()},
        "curve": [_number(v) for v in t.outcome.curve],
        "seconds": round(t.seconds, 4),
        "solver_calls": t.calls,
    }


def environment() -> dict[str, Any]:
    """Versions and machine, as far as they can matter for a number."""
    versions = {}
    for package in ("lrs-toolkit", "numpy", "scipy", "numba", "hypothesis"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.machine(),
        "packages": versions,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


# ---------------------------------------------------------------------------------------------- running
def family_for(family: str | Family | None, theorem: str | None) -> Family:
    """The family of a run: the one that is named, or the theorem's, or low rank + sparse.

    Raises
    ------
    InvalidInput
        When there is no such family, or the theorem is about another one.
    """
    known = theorem is not None and theorem in available_theorems()
    if family is None:
        return load_family(load_theorem(theorem).family) if theorem is not None and known else load_family()
    chosen = load_family(family)
    if known:
        theorem_of(chosen, theorem)
    return chosen


def _run_of(claims: str | Sequence[Claim], theorem: str | None, whose: Family) -> list[Claim]:
    """The claims that are asked for and those that they rest on."""
    manifest = available_claims(family=whose)
    if isinstance(claims, str):
        chosen = available_claims(claims, theorem=theorem, family=whose)
    else:
        chosen = tuple(claims)
        for c in chosen:
            c.check_family(whose)
    known = {c.name for c in manifest}
    return with_requirements(chosen, [*manifest, *(c for c in chosen if c.name not in known)])


def foretell(
    solver: Any,
    *,
    family: str | Family | None = None,
    budget: str | Budget = "quick",
    claims: str | Sequence[Claim] = "*",
    theorem: str | None = None,
    alpha: float = 1e-6,
    beta: float = 1e-3,
    seed: int = 0,
) -> Forecast:
    """What `check_solver` of the same arguments would try and cost, from one timed trial of every claim and cell."""
    whose = family_for(family, theorem)
    run, plan = _run_of(claims, theorem, whose), budget_of(budget)
    with Bench(Subject.of(solver), plan.limits, 1, whose) as bench:
        where = region_of(bench, theorem)
        rates: dict[str, Any] = {"alpha": alpha, "beta": beta, "seed": seed, "nonce": streams.new_nonce()}
        return forecast(bench, run, region=where, budget=plan, **rates)


@renamed(claims_matching="claims", drawn_from="draw")
def check_solver(
    solver: Any,
    *,
    family: str | Family | None = None,
    budget: str | Budget = "quick",
    claims: str | Sequence[Claim] = "*",
    theorem: str | None = None,
    region: Region | None = None,
    draw: Region | None = None,
    alpha: float = 1e-6,
    beta: float = 1e-3,
    seed: int = 0,
    jobs: int | None = None,
    ledger: str | Path | Ledger | None = None,
    expected: Sequence[Expected] = (),
    name: str | None = None,
    hunt: Sequence[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
    record: Callable[[Trial], None] | None = None,
    nonce: str | None = None,
) -> Report:
    """Check a solver against the claims.

    Parameters
    ----------
    solver : str or callable
        A registered name, ``module:attr``, or a solver. An object is sent to the worker processes with cloudpickle.
    family : str or Family, optional
        Whose problems it solves: a registered name, ``module:attr``, or a family; default: the theorem's, or
        ``"low-rank-sparse"``.
    budget : {"quick", "standard", "exhaustive"} or Budget
    claims : str or sequence of Claim
        Globs over names, separated by commas. The claims that those rest on are added.
    theorem : str, optional
        Only what this theorem promises.
    region : Region, optional
        Where the solver is held to it; default: the theorem's, or the one that the solver carries (its attribute
        ``region``), or the practical one.
    draw : Region, optional
        Where problems are drawn instead; those outside ``region`` are shown and judge nobody.
    alpha, beta : float
        Bounds, for all claims of the run together, on the probability of a false REFUTED and of a false CONFIRMED.
    seed : int
        Of the suite: another one draws other configurations and other data.
    jobs : int, optional
        Worker processes; default: one per processor. Changes no number.
    ledger : path or Ledger, optional
        Evidence of earlier runs, added to.
    expected : sequence of Expected
    name : str, optional
        What the report calls the solver.
    hunt : sequence of str, optional
        Names of claims to try first, before those they rest on; the run ends with the first
        refutation, whose witness is not shrunk.
    progress, record : callable, optional
        Told after every batch, and of every trial.
    nonce : str, optional
        32 hexadecimal digits that key the data of the trials besides the seed; default: drawn for this run and kept from
        the solver, so that it cannot draw the data itself. The report shows it; given again, it repeats the run.

    Returns
    -------
    Report

    Raises
    ------
    InvalidInput
        When there is no such solver, claim or budget, or one of them is of another family.
    """
    nonce = streams.new_nonce() if nonce is None else streams.check_nonce(nonce)
    whose = family_for(family, theorem)
    run = _run_of(claims, theorem, whose)
    plan = budget_of(budget)
    if hunt is not None:
        # Who is known to be broken needs no small witness, and failing calls are the slow ones.
        plan = replace(plan, shrink=0, confirm=1)
        run.sort(key=lambda c: hunt.index(c.name) if c.name in hunt else len(hunt))
    subject = Subject.of(solver, name)
    mine = tuple(e for e in expected if fnmatchcase(subject.name, e.solver))
    for e in mine:
        if not any(e.matches(c.name, subject.name) for c in run):
            raise InvalidInput(f"expected: no claim of this run matches {e.claim!r}; `lrs claims` lists them")
    held = None if region is None else check_region(region, whose)
    source = None if draw is None else check_region(draw, whose)
    workers = default_jobs() if jobs is None else jobs
    start = time.perf_counter()
    book = ledger if isinstance(ledger, Ledger) else Ledger(ledger)
    interrupted = False
    try:
        with Bench(subject, plan.limits, workers, whose) as bench:
            if theorem is not None:
                bench.held_to(theorem)
            where = region_of(bench, theorem) if held is None else held
            promised, uncertified = _promised(bench, run, where) if theorem is None else ({}, {})
            try:
                results = examine(
                    bench,
                    run,
                    region=where,
                    drawn_from=source,
                    budget=plan,
                    alpha=alpha,
                    beta=beta,
                    seed=seed,
                    ledger=book,
                    until_refuted=hunt is not None,
                    nonce=nonce,
                    promised=promised,
                    **{n: f for n, f in (("progress", progress), ("record", record)) if f is not None},  # type: ignore[arg-type]
                )
            except Interrupted as stop:
                results, interrupted = stop.results, True
            faults = {f: (n, bench.conduct.first[f]) for f, n in bench.conduct.counts.most_common()}
            solver_hash = bench.hash
    finally:
        if book is not ledger:
            book.close()
    return Report(
        solver=subject.name,
        results=tuple(results),
        budget=plan,
        alpha=alpha,
        beta=beta,
        seed=seed,
        theorem=theorem,
        region=where.name,
        region_label=getattr(where, "label", ""),
        family=whose,
        jobs=workers,
        seconds=time.perf_counter() - start,
        expected=mine,
        faults=faults,
        interrupted=interrupted,
        solver_hash=solver_hash,
        ledger=None if book.path is None else str(book.path),
        nonce=nonce,
        uncertified=uncertified,
        promised={n: str(getattr(r, "label", "")) for n, r in promised.items()},
    )


def _promised(bench: Bench, run: Sequence[Claim], held: Region) -> tuple[dict[str, Region], dict[str, str]]:
    """The regions of the theorems that promise what is claimed on a ladder, and why others have none."""
    found: dict[str, Region] = {}
    missing: dict[str, str] = {}
    for name in dict.fromkeys(n for c in run if c.ladder is not None for n in c.theorems):
        try:
            region = region_of(bench, name)
        except InvalidInput as error:
            missing[name] = str(error)
            continue
        if region.name != held.name:
            found[name] = region
    return found, missing


def replay(
    solver: Any,
    claim: str,
    text: str,
    *,
    family: str | Family | None = None,
    theorem: str | None = None,
    budget: str | Budget = "quick",
    region: Region | None = None,
) -> Trial:
    """Run one trial again, from the text of a witness's reproduction line.

    Raises
    ------
    InvalidInput
        When the text is not that of a trial, the claim is unknown, or they are of different families.
    """
    whose = family_for(family, theorem)
    try:
        values = json.loads(text)
        configuration = Configuration.from_dict(values["configuration"])
        phase, replicate = str(values["phase"]), int(values["replicate"])
        streams.refuse_old(
            "replay: the trial", streams.VERSION if "nonce" in values else 1, "check the solver again for a new witness"
        )
        nonce = None if values["nonce"] is None else streams.check_nonce(values["nonce"])
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise InvalidInput(f"trial: not the text of a trial ({type(error).__name__}: {error})") from None
    if configuration.family != whose.name:
        raise InvalidInput(f"trial: it is of {configuration.family}, and this run is of {whose.name}")
    chosen = available_claims(claim, family=whose)
    if len(chosen) != 1:
        raise InvalidInput(f"claims: a replay is of one claim, {claim!r} matches {len(chosen)}")
    held = None if region is None else check_region(region, whose)
    with Bench(Subject.of(solver), budget_of(budget).limits, family=whose) as bench:
        if bench.broken is not None:
            raise InvalidInput(f"solver: it cannot be loaded: it {bench.broken}")
        where = region_of(bench, theorem) if held is None else held
        return bench.trial(chosen[0], where, phase, configuration, replicate, nonce)


def parametrize_with_claims(
    matching: str = "*", *, theorem: str | None = None, family: str | Family | None = None
) -> Callable[[Any], Any]:
    """Decorator for a pytest test with an argument ``claim``: one test per claim of the manifest.

    Examples
    --------
    >>> @parametrize_with_claims("recovery/*")
    ... def test_my_solver(claim):
    ...     assert check_solver(my_solver, claims=[claim]).ok  # doctest: +SKIP
    """
    import pytest

    chosen = available_claims(matching, theorem=theorem, family=family_for(family, theorem))
    return pytest.mark.parametrize("claim", chosen, ids=[c.name for c in chosen])


def document(reports: Sequence[Report]) -> dict[str, Any]:
    """The one JSON document of a run."""
    return {
        "format": "lrs-verdicts",
        "version": SCHEMA,
        "command": shlex.join(["lrs", *sys.argv[1:]]) if Path(sys.argv[0]).name == "lrs" else "check_solver",
        "exit_code": exit_code(reports),
        "environment": environment(),
        "solvers": [r.to_dict() for r in reports],
    }


def exit_code(reports: Sequence[Report]) -> int:
    """1 when any solver is refuted, else 3 when anything stays open, else 0."""
    codes = {r.exit_code for r in reports}
    return 1 if 1 in codes else 3 if 3 in codes else 0
