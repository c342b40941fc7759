"""The verbs of the property suite: verify, claims, write.

Everything that is slow to import is imported inside the verbs, so that ``lrs --help`` stays quick.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lrs.cli import print_json, stderr, stdout
from lrs.commands.family import FamilyName
from lrs.commands.progress import Shown, shown
from lrs.commands.shared import Jobs, Json
from lrs.core import streams
from lrs.core.errors import InvalidInput
from lrs.core.family import LOW_RANK_SPARSE
from lrs.core.files import naming
from lrs.core.machine import parse_size

if TYPE_CHECKING:
    from lrs.core.family import Family
    from property_tests.examine.bench import Trial
    from property_tests.examine.engine import Progress
    from property_tests.examine.mutant import Mutant
    from property_tests.verify import Expected, Report

#: File of the evidence in the folder of a run.
LEDGER = "ledger.jsonl"

Solvers = Annotated[
    list[str] | None,
    typer.Option("--solver", metavar="NAME|MODULE:ATTR", help="Solver to check, repeatable; the reference by default."),
]
Glob = Annotated[str, typer.Option("--claims", metavar="GLOB", help="Claims to check: globs separated by commas.")]
Theorem = Annotated[str | None, typer.Option(help="Only what this theorem promises.")]
BudgetName = Annotated[str, typer.Option("--budget", help="quick, standard or exhaustive.")]
Alpha = Annotated[float, typer.Option(help="Bound on the probability of any false REFUTED, all claims together.")]
Beta = Annotated[float, typer.Option(help="Bound on the probability of any false CONFIRMED, all claims together.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the suite: other configurations and other data.")]
Nonce = Annotated[
    str | None,
    typer.Option(
        "--nonce", metavar="HEX", help="Repeat the data of a run; default: a new secret, shown in the report."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the verbs to the root."""
    for verb in (verify, claims, write):
        app.command(rich_help_panel="Check a solver")(verb)


# ---------------------------------------------------------------------------------------------- verify
def verify(
    solver: Solvers = None,
    claims: Glob = "*",
    theorem: Theorem = None,
    family: FamilyName = None,
    budget: BudgetName = "quick",
    alpha: Alpha = 1e-6,
    beta: Beta = 1e-3,
    seed: Seed = 0,
    nonce: Nonce = None,
    jobs: Jobs = None,
    memory: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Memory that a call may take, such as 4GB; default: a share of the machine."),
    ] = None,
    expected: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML file of failures that are expected, each with a reason.")
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Evidence of earlier runs, added to; default: in --out.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="DIR", help="Folder for report.html, verdicts.json, trials.jsonl."),
    ] = None,
    draw: Annotated[
        str | None,
        typer.Option(
            metavar="REGION",
            help="Draw problems of another region than the solver's own; what lies outside of its own judges nobody.",
        ),
    ] = None,
    mutants: Annotated[
        bool, typer.Option("--mutants", help="Check the broken solvers and print which claim refutes which.")
    ] = False,
    every_claim: Annotated[
        bool, typer.Option("--every-claim", help="With --mutants: go on after the first claim that refutes one.")
    ] = False,
    trial: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Run this one trial again, as the line under a witness says.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be tried, and what it would cost.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Check a solver against the theorem, claim by claim, with both error rates controlled.

    Exits with 0 when no claim is refuted and none is left open, 1 when one is refuted, 3 when some stay inconclusive, 2
    on bad input. Ctrl-C ends a run with what is known; the same command with the same --out or --ledger goes on.
    """
    from property_tests.examine.configuration import region_of
    from property_tests.examine.ledger import Ledger
    from property_tests.show import report as pages
    from property_tests.verify import check_solver, document, exit_code, family_for, read_expected

    if trial is not None:
        if nonce is not None:
            raise InvalidInput("nonce: the text of a trial carries its own; leave --nonce out beside --trial")
        return _replay(solver, claims, family, theorem, trial, budget, as_json)
    if mutants and solver:
        raise InvalidInput("mutants: checks the broken solvers of the suite; leave --solver out")
    if every_claim and not mutants:
        raise InvalidInput("every-claim: only with --mutants; any other solver is checked against every claim anyway")
    nonce = streams.new_nonce() if nonce is None else streams.check_nonce(nonce)  # one for all solvers of this run
    whose = family_for(family, theorem)
    broken = getattr(whose, "mutants", None)
    if (mutants and broken is None) or (not mutants and not solver and whose.name != LOW_RANK_SPARSE):
        what = "mutants: the broken solvers of the suite are" if mutants else "solver: name one; the reference is"
        raise InvalidInput(f"{what} of low-rank-sparse, and this run is of {whose.name}")
    drawn_from = None if draw is None else region_of(SimpleNamespace(family=whose, region=draw), None)
    names = _mutant_specs(whose) if mutants else list(dict.fromkeys(solver or ["amht"]))
    accepted = read_expected(expected) if expected is not None else ()
    _check_expected(accepted, names)
    if len(names) > 1 and not mutants:
        _load_all(names, whose)
    if dry_run:
        asked = {"family": whose, "theorem": theorem, "claims": claims, "budget": budget}
        return _foretell(names, jobs, as_json, **asked, alpha=alpha, beta=beta, seed=seed)
    folder = None if out is None else pages.prepare(out)
    book_path = ledger if ledger is not None else None if folder is None else folder / LEDGER
    reports: list[Report] = []
    with Ledger(book_path) as book, _trial_file(folder, resumed=len(book) > 0) as record, shown("claims") as display:
        if book.torn:
            stderr().print(f"lrs: {book_path}: the last line was cut off by an interruption and was dropped")
        for name in names:
            look = _looked_at(
                display, f"{name}: checking {claims if claims != '*' else 'every claim'}, budget {budget}"
            )
            reports.append(
                check_solver(
                    name,
                    budget=budget,
                    claims=claims,
                    family=whose,
                    theorem=theorem,
                    draw=drawn_from,
                    alpha=alpha,
                    beta=beta,
                    seed=seed,
                    jobs=jobs,
                    memory=None if memory is None else parse_size("memory", memory),
                    ledger=book,
                    expected=accepted,
                    hunt=_intended(whose, name) if mutants and not every_claim else None,
                    progress=look,
                    record=None if record is None else record(name),
                    nonce=nonce,
                )
            )
            if reports[-1].interrupted:
                break
    page = None if folder is None else pages.write(reports, folder)
    result = document(reports)
    kills = _kills(whose, reports) if mutants else None
    if kills is not None:
        result["mutants"] = kills
        result["exit_code"] = 1 if kills["survived"] else 0
    if folder is not None and kills is not None:
        pages.write_json(result, folder)
    if as_json:
        print_json(result)
    elif kills is not None:
        _print_kills(reports, kills)
    else:
        for one in reports:
            _print_report(one)
    if not as_json:
        stdout().print(
            f"nonce {nonce}: the same command with --nonce {nonce} draws the same data", style="dim", soft_wrap=True
        )
    if page is not None:
        stderr().print(f"report: {page}", soft_wrap=True, markup=False)
    if any(r.interrupted for r in reports):
        again = (
            "run the same command again to go on" if book_path is not None else "with --out or --ledger it could go on"
        )
        stderr().print(f"lrs: interrupted; {again}", style="yellow")
    return result["exit_code"] if kills is not None else exit_code(reports)


def _foretell(names: Sequence[str], jobs: int | None, as_json: bool, **asked: Any) -> int:
    """What a run would try and cost."""
    from dataclasses import asdict

    from property_tests.examine.bench import default_jobs
    from property_tests.verify import foretell

    processes = default_jobs() if jobs is None else jobs
    with shown("forecast", quiet=as_json) as display:
        found: dict[str, Any] = {}
        for name in names:
            display(f"timing {name}", len(found), len(names))
            found[name] = foretell(name, **asked)
    if as_json:
        print_json(
            {
                "command": "verify",
                "dry_run": True,
                "jobs": processes,
                "solvers": {n: asdict(f) for n, f in found.items()},
            }
        )
    else:
        for name, one in found.items():
            stdout().print(f"{name}: {one.sentence(processes)}", soft_wrap=True, markup=False)
    return 0


def _check_expected(accepted: Sequence[Expected], names: Sequence[str]) -> None:
    from fnmatch import fnmatchcase

    for e in accepted:
        if not any(fnmatchcase(n, e.solver) for n in names):
            raise InvalidInput(f"expected: {e.claim} is expected of {e.solver!r}, which is not checked in this run")


def _load_all(names: Sequence[str], family: Family) -> None:
    """Refuse a misspelt solver before the first one has been checked for minutes."""
    from lrs.core.run import SolverFault, Subject
    from lrs.isolation import Sandbox

    for name in names:
        with Sandbox(Subject.of(name), family=family) as box, contextlib.suppress(SolverFault):
            box.start()


@contextlib.contextmanager
def _trial_file(folder: Path | None, *, resumed: bool) -> Iterator[Callable[[str], Callable[[Trial], None]] | None]:
    """Writer of trials.jsonl; a resumed run adds to it."""
    if folder is None:
        yield None
        return
    from lrs.isolation.wall import conceal
    from property_tests.verify import SCHEMA, trial_dict

    path = folder / "trials.jsonl"
    conceal(path)  # its lines hold the nonce of the run
    with naming(path):
        stream = open(path, "a" if resumed else "w", encoding="utf-8")  # noqa: SIM115 - closed below

    def of(solver: str) -> Callable[[Trial], None]:
        def record(trial: Trial) -> None:
            line = {"version": SCHEMA, "solver": solver, **trial_dict(trial)}
            with naming(path):
                stream.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")

        return record

    try:
        yield of
    finally:
        with naming(path):
            stream.close()


def _looked_at(display: Shown, first: str) -> Callable[[Progress], None]:
    """What the engine reports to: every verdict as it falls, and what is being tried now."""
    said: dict[str, int] = {}

    def look(p: Progress) -> None:
        if not said:  # what is wrong with the question has been said by now
            display.say(first)
        for r in p.results[said.get(p.solver, 0) :]:
            if r.ran:
                display.say(f"{r.verdict.value:<12} {r.claim.name} ({r.tally.trials if r.tally else 0} trials)")
        said[p.solver] = len(p.results)
        decided = sum(p.tally.verdict_of(c).value != "INCONCLUSIVE" for c in p.tally.cells)
        cells = f", {decided} of {len(p.tally.cells)} cells decided" if len(p.tally.cells) > 1 else ""
        kept = f"{p.tally.successes} of {p.tally.trials} trials kept" if p.tally.trials else p.phase
        display(f"{p.claim}: {kept}{cells}", p.position, p.total)

    return look


_STYLE = {"CONFIRMED": "green", "REFUTED": "bold red", "INCONCLUSIVE": "yellow"}


def _print_report(report: Report) -> None:
    from rich.table import Column, Table
    from rich.text import Text

    from property_tests.examine import statement
    from property_tests.examine.claim import Quantifier, Verdict, quantifier_of

    console = stdout()
    console.print(Text(report.sentence, style="bold"))
    if report.range:
        console.print(Text(report.range), soft_wrap=True)
    console.print(Text(f"recovered: {report.criterion}", style="dim"), soft_wrap=True)
    console.print(Text(report.rates, style="dim"), soft_wrap=True)
    # A name cut short cannot be passed to --claims; what is long stands below the table.
    columns = [Column(name, no_wrap=True) for name in ("verdict", "claim", "trials", "P ≥", "q <")]
    table = Table(*columns, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    notes: list[tuple[str, str]] = []
    for r in report.in_order():
        if not r.ran:
            continue
        why = [r.why] if r.why else []
        if r.verdict is Verdict.CONFIRMED and report.expectation(r) is not None:
            why = ["listed as an expected failure; remove it from the list"]
        elif (expectation := report.expectation(r)) is not None and r.verdict is Verdict.REFUTED:
            why = [f"expected: {expectation.reason}"]
        if r.cause:
            why = [f"broken by the counterexample to {r.cause}"]
        if r.verdict is Verdict.REFUTED and (found := statement.numbers(r)):
            share = quantifier_of(r.claim.kind) in (Quantifier.EVERY, Quantifier.AVERAGE)
            why.append(f"succeeds with probability {found}" if share else found)
        if r.tally is not None and (slow := statement.not_examined(r.tally)):
            why.append(f"not examined in {len(slow)} of {len(r.tally.cells)} cells")
        if r.resumed:
            why.append(f"{r.resumed} trials from the ledger")
        if r.outdated and not r.resumed:
            why.append(f"the solver or the code of the claim changed: {r.outdated} earlier trials not counted")
        if why:
            notes.append((r.claim.name, "; ".join(why)))
        trials = str(r.tally.trials) if r.tally is not None else ""
        word = Text(r.verdict.value, style=_STYLE.get(r.verdict.value, "dim"))
        table.add_row(word, r.claim.name, trials, *statement.columns(r))
    console.print(table)
    for name, note in notes:
        console.print(Text(f"{name}: {note}"), soft_wrap=True)
    rest: dict[tuple[str, str], list[str]] = {}
    for r in report.in_order():
        if not r.ran:
            rest.setdefault((r.verdict.value.replace("_", " "), r.why), []).append(r.claim.name)
    for (verdict, reason), names in rest.items():
        console.print(Text(f"{verdict} ({reason}): {', '.join(names)}", style="dim"), soft_wrap=True)
    legend = (
        "P: success probability, on average in the worst cell examined, at least; q: configurations that never work (for "
        "“always”: trials that break it) are a smaller share than this of those drawn"
    )
    console.print(Text(legend, style="dim"), soft_wrap=True)
    _print_cells(report)
    for r in report.with_verdict(Verdict.REFUTED):
        if r.witness is None or r.cause:
            continue
        t = r.witness.trial
        line = f"{r.claim.name} fails on {t.configuration}"
        if r.witness.repeats:
            line += f", in {r.witness.failures} of {r.witness.repeats} fresh trials"
        if len(others := report.causes[r.claim.name]) > 1:
            line += f"; so do {', '.join(others[1:])}"
        console.print(Text(f"\n{line}; run it again with"), soft_wrap=True)
        console.print(Text(f"  {report.replay_command(t)}", style="dim"), soft_wrap=True)
    for fault, (times, detail) in report.faults.items():
        note = f"noticed: the solver {fault.value}, {times} time{'s' * (times != 1)}; first: {detail}"
        console.print(Text(note, style="yellow"), soft_wrap=True)


def _print_cells(report: Report) -> None:
    """The cells of the headline claim: what the region asks for, and what a theorem promises, in two tables."""
    from rich.table import Column, Table
    from rich.text import Text

    from property_tests.examine import statement

    r = report.headline
    if r is None:
        return
    for title, rows in report.tables:
        stdout().print(Text(f"\n{r.claim.name}, {title}", style="bold"), soft_wrap=True)
        columns = [Column(name, no_wrap=True) for name in ("cell", "verdict", "kept", "P ≥")]
        table = Table(*columns, box=None, pad_edge=False, padding=(0, 2, 0, 0))
        shown, rest = statement.folded(rows)
        for row in shown:
            verdict = str(row["verdict"])
            low = statement.figure(row["at_least"]) if row["trials"] else row["why"]
            words = Text(verdict.replace("_", " "), style=_STYLE.get(verdict, "dim"))
            table.add_row(row["cell"], words, f"{row['successes']} of {row['trials']}", low)
        if table.row_count:
            stdout().print(table)
        for line in rest:
            stdout().print(Text(line, style="dim"), soft_wrap=True)
    for name, why in report.uncertified.items():
        stdout().print(Text(f"\n{r.claim.name}, region of {name}: NOT CERTIFIED, {why}", style="bold"), soft_wrap=True)


def _replay(
    solver: list[str] | None,
    claim: str,
    family: str | None,
    theorem: str | None,
    text: str,
    budget: str,
    as_json: bool,
) -> int:
    from property_tests import verify as door

    if solver and len(solver) > 1:
        raise InvalidInput("solver: a replay is of one solver")
    name = (solver or ["amht"])[0]
    trial = door.replay(name, claim, text, family=family, theorem=theorem, budget=budget)
    if as_json:
        print_json({"solver": name, **door.trial_dict(trial)})
    else:
        word = (
            "outside the region, not counted"
            if not trial.outcome.in_scope
            else "kept"
            if trial.outcome.ok
            else "broken"
        )
        stdout().print(f"{claim} is {word} on {trial.configuration}", soft_wrap=True, markup=False)
        if trial.outcome.note:
            stdout().print(f"  {trial.outcome.note}", soft_wrap=True, markup=False)
        for value_name, value in trial.outcome.values.items():
            stdout().print(f"  {value_name} = {value:.6g}", soft_wrap=True, markup=False)
        for value_name, value in sorted(trial.depth.parts.items(), key=lambda i: i[1]):
            stdout().print(f"  margin of {value_name}: {value:.3g}", soft_wrap=True, markup=False)
    return 1 if trial.failed else 0


# ---------------------------------------------------------------------------------------------- mutants
def _mutants_of(family: Family) -> dict[str, Mutant]:
    from lrs.core.registry import import_attribute

    found: dict[str, Mutant] = import_attribute(family.mutants, "mutants")  # type: ignore[attr-defined]
    return found


def _mutant_specs(family: Family) -> list[str]:
    module = family.mutants.partition(":")[0]  # type: ignore[attr-defined]
    return [f"{module}:{name}" for name in _mutants_of(family)]


def _intended(family: Family, spec: str) -> tuple[str, ...]:
    """Claims that are meant to refute a mutant."""
    return _mutants_of(family)[spec.partition(":")[2]].expected


def _kills(family: Family, reports: Sequence[Report]) -> dict[str, Any]:
    """Which claims refute which mutant, and whether the one that was meant to is among them."""
    from property_tests.examine.claim import Verdict

    mutants = _mutants_of(family)
    killed: dict[str, list[str]] = {}
    for report in reports:
        killed[report.solver.partition(":")[2]] = [r.claim.name for r in report.with_verdict(Verdict.REFUTED)]
    intended = {name: list(mutants[name].expected) for name in killed}
    return {
        "killed": {n: c for n, c in killed.items() if c},
        "survived": [n for n, c in killed.items() if not c],
        "intended": intended,
        "named": sum(bool(set(killed[n]) & set(intended[n])) for n in killed),
    }


def _print_kills(reports: Sequence[Report], kills: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    console = stdout()
    total = len(reports)
    console.print(
        Text(
            f"{len(kills['killed'])} of {total} mutants refuted, {kills['named']} of them by the claim that is meant to.",
            style="bold",
        )
    )
    table = Table("mutant", "refuted by", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for report in reports:
        name = report.solver.partition(":")[2]
        claims_ = kills["killed"].get(name, [])
        table.add_row(name, Text(", ".join(claims_) or "SURVIVED", style="" if claims_ else "bold red"))
    console.print(table)


# ---------------------------------------------------------------------------------------------- claims
def claims(
    pattern: Annotated[str, typer.Argument(metavar="[GLOB]", help="Globs over names, separated by commas.")] = "*",
    theorem: Theorem = None,
    family: FamilyName = None,
    as_json: Json = False,
) -> None:
    """List the claims: what each says, what decides it, what it rests on."""
    from property_tests.examine.claim import claims as manifest
    from property_tests.verify import family_for

    whose = family_for(family, theorem)
    found = manifest(pattern, theorem=theorem, family=whose)
    if as_json:
        print_json(
            {
                "command": "claims",
                "family": whose.name,
                "claims": [
                    {
                        "claim": c.name,
                        "statement": c.statement,
                        "kind": type(c.kind).__name__.lower(),
                        "promise": c.kind.sentence,
                        "p0": c.kind.p0,
                        "p1": c.kind.p1,
                        "families": c.families,
                        "theorems": c.theorems,
                        "traits": c.traits,
                        "requires": c.requires,
                        "inside": c.inside,
                        "cite": c.cite,
                        "hash": c.hash,
                    }
                    for c in found
                ],
            }
        )
        return
    from rich.table import Table
    from rich.text import Text

    table = Table("claim", "what it says", "promise", "needs", box=None, pad_edge=False, padding=(0, 2, 1, 0))
    for c in found:
        needs = ", ".join([*c.traits, *(n for n in c.requires if n != "conduct/answers")])
        statement = Text(c.statement)
        statement.append(f"\n{c.cite}", style="dim")
        table.add_row(Text(c.name, style="bold"), statement, c.kind.sentence, needs)
    stdout().print(table)
    stdout().print(f"{len(found)} claims", style="dim")


# ---------------------------------------------------------------------------------------------- write
def _book(path: Path | None) -> Path | None:
    """The ledger of an earlier run: the file, or the folder that it was written to."""
    if path is None:
        return None
    file = path / LEDGER if path.is_dir() else path
    if not file.is_file():
        raise InvalidInput(f"ledger: {path} holds no evidence; pass the --ledger or the --out of a run of lrs verify")
    return file


def write(
    solver: Annotated[str, typer.Argument(metavar="MODULE:ATTR", help="Your solver.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Folder to write into.")] = Path("."),
    family: FamilyName = None,
    budget: BudgetName = "quick",
    jobs: Jobs = None,
    ledger: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|DIR", help="Evidence of a run of lrs verify (its --ledger or --out): not paid for again."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
    as_json: Json = False,
) -> None:
    """Write a test file and a list of expected failures for your repository, after one probing run."""
    from property_tests.show import writer
    from property_tests.verify import check_solver

    files = writer.paths(solver, out, force=force)
    with shown("claims") as display:
        look = _looked_at(display, f"{solver}: one probing run, budget {budget}")
        report = check_solver(solver, family=family, budget=budget, jobs=jobs, ledger=_book(ledger), progress=look)
    writer.write(report, files)
    if as_json:
        print_json({"command": "write", "solver": solver, "files": list(files), "sentence": report.sentence})
        return
    stdout().print(report.sentence, soft_wrap=True, markup=False)
    for file in files:
        stdout().print(f"wrote {file}", soft_wrap=True, markup=False)
    stdout().print(f"run it with: pytest {files[0]}", soft_wrap=True, markup=False)
