"""The verbs ``lrs sweep`` (with status, merge, export, reproduce, selftest) and ``lrs replay``."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from lrs.cli import print_json, report, stdout
from lrs.commands.progress import Shown, duration, shown
from lrs.commands.shared import Json
from lrs.core import streams
from lrs.core.errors import InvalidInput
from lrs.core.family import LOW_RANK_SPARSE, load_family, settings_of

if TYPE_CHECKING:
    from phase_diagrams.analysis.table import Trials
    from phase_diagrams.sweeps.engines import Engine
    from phase_diagrams.sweeps.grid import SweepSpec
    from phase_diagrams.sweeps.runner import Progress, Summary
    from phase_diagrams.sweeps.trial import Calls, Row

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a sweep.")]
Jobs = Annotated[
    int | None,
    typer.Option("-j", "--jobs", help="Processes; default: one per processor. 0: all in this very process."),
]

Isolate = Annotated[
    bool | None,
    typer.Option("--isolate/--no-isolate", help="Solvers in processes of their own; default: all but the toolkit's."),
]
Seconds = Annotated[
    float | None,
    typer.Option(
        "--seconds-per-call", help="Processor time of a call of an isolated solver before it is a timeout (300)."
    ),
]

#: Largest number of columns of the map printed in the terminal.
WIDEST_MAP = 40


class _Sweep(TyperGroup):
    """Ends its help with the parameters of the family."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        family = load_family(ctx.params.get("family") or LOW_RANK_SPARSE)
        known = [*family.parameters.values(), *settings_of(family).values()]
        lines = [f"Axes and --fixed, {family.title}:", *(f"{p.name} — {p.meaning}" for p in known)]
        others = "--family NAME --help lists those of another family."
        self.epilog = "\n\n".join([*lines, f"Success: {', '.join(family.criteria)}.", others])
        super().format_help(ctx, formatter)


sweep_app = typer.Typer(
    cls=_Sweep,
    name="sweep",
    help="Run a recovery map, or go on with one: lrs sweep --x m=14:40:4 --y k=1:6 --fixed d=40,r=2,t=60 --out DIR",
    invoke_without_command=True,
)


def register(app: typer.Typer) -> None:
    """Add the verbs to the root."""
    app.add_typer(sweep_app, name="sweep", rich_help_panel="Recovery maps")
    app.command(rich_help_panel="Recovery maps")(replay)


# ------------------------------------------------------------------------------------------------ sweep
@sweep_app.callback()
def sweep(
    context: typer.Context,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="DIR", help="Folder of the sweep; made if absent.")
    ] = None,
    spec: Annotated[
        Path | None, typer.Option("--spec", metavar="FILE", help="Settings in a TOML or JSON file.")
    ] = None,
    family: Annotated[
        str | None,
        typer.Option("--family", metavar="NAME", is_eager=True, help="Of the instances; default low-rank-sparse."),
    ] = None,
    x: Annotated[str | None, typer.Option("--x", metavar="NAME=VALUES", help="First axis, such as m=14:40:4.")] = None,
    y: Annotated[str | None, typer.Option("--y", metavar="NAME=VALUES", help="Second axis, such as k=1:6.")] = None,
    axis: Annotated[list[str] | None, typer.Option("--axis", metavar="NAME=VALUES", help="Further axes.")] = None,
    fixed: Annotated[list[str] | None, typer.Option("--fixed", metavar="NAME=VALUE,…", help="What stays.")] = None,
    solver: Annotated[list[str] | None, typer.Option("--solver", help="Name or module:attribute; repeatable.")] = None,
    replicates: Annotated[int | None, typer.Option("--replicates", help="Trials per cell and solver (10).")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of the experiment (0).")] = None,
    nonce: Annotated[
        str | None,
        typer.Option(
            "--nonce",
            metavar="HEX|secret|public",
            help="Key the data by a secret too; drawn where a solver is isolated.",
        ),
    ] = None,
    success: Annotated[
        str | None,
        typer.Option(
            "--success", help="What counts: all tasks (default), theta, subspace, parts, or a fraction such as 0.99."
        ),
    ] = None,
    tolerance: Annotated[float | None, typer.Option("--tolerance", help="Relative error that counts (1e-6).")] = None,
    nested: Annotated[
        str | None, typer.Option("--nested", metavar="AXIS", help="Bisect every replicate along m.")
    ] = None,
    precision: Annotated[
        float | None, typer.Option("--precision", help="Adaptive: stop when the boundary is known to ± this.")
    ] = None,
    confidence: Annotated[float | None, typer.Option("--confidence", help="… with this confidence (0.95).")] = None,
    trace: Annotated[bool, typer.Option("--trace", help="Fit the geometric rate of every trial.")] = False,
    jobs: Jobs = None,
    shard: Annotated[str | None, typer.Option("--shard", metavar="I/N", help="Run only part I of N.")] = None,
    dask: Annotated[str | None, typer.Option("--dask", metavar="ADDRESS", help="tcp://host:port, or local.")] = None,
    extend: Annotated[bool, typer.Option("--extend", help="Allow more replicates than DIR was started with.")] = False,
    isolate: Isolate = None,
    seconds: Seconds = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be run, and what it would cost.")] = False,
    as_json: Json = False,
) -> None:
    """Run a recovery map, or go on with one. Same command again: resumes."""
    if context.invoked_subcommand is not None:
        return
    options = {
        "family": family,
        "x": x,
        "y": y,
        "axes": axis,
        "fixed": fixed,
        "solvers": solver,
        "replicates": replicates,
        "seed": seed,
        "nonce": nonce,
        "success": success,
        "tolerance": tolerance,
        "nested": nested,
        "precision": precision,
        "confidence": confidence,
        "trace": trace or None,
    }
    options = {name: value for name, value in options.items() if value is not None and value != []}
    if out is None:
        raise InvalidInput(
            "out: name the folder of the sweep with --out DIR; running the same command again resumes it"
        )
    calls = calls_of(isolate, seconds)
    chosen = _specification(options, spec, out, calls, sharded=shard is not None)
    if dry_run:
        _dry_run(chosen, out, as_json, calls)
        return

    from phase_diagrams.sweeps.engines.shard import Shard
    from phase_diagrams.sweeps.runner import Interrupted
    from phase_diagrams.sweeps.runner import sweep as run

    part = Shard.parse(shard) if shard is not None else None
    engine = engine_of(jobs, dask)
    _warn_about_noise(chosen)
    try:
        with _terminate_like_interrupt(), shown("trials", quiet=as_json and not sys.stderr.isatty()) as display:
            summary = run(chosen, out, engine, shard=part, extend=extend, report=looked_at(display), calls=calls)
    except Interrupted as stopped:
        report(
            "stopped",
            f"{stopped.summary.ran} trials were run and recorded, {stopped.summary.known} in all; "
            f"the same command, or lrs sweep --out {out}, goes on from here",
            "yellow",
        )
        raise typer.Exit(130) from None
    for sentence in summary.torn:
        report("note", sentence, "yellow")
    _print_summary(chosen, out, summary, as_json)


def _specification(
    options: Mapping[str, Any], file: Path | None, out: Path, calls: Calls, *, sharded: bool
) -> SweepSpec:
    from phase_diagrams.sweeps import grid, journal

    settings: dict[str, Any] = grid.read_specification(file) if file is not None else {}
    twice = sorted(set(settings).intersection(options))
    if twice:
        raise InvalidInput(f"{twice[0]}: given both in {file} and as an option; keep one of the two")
    settings |= options
    begun = (out / journal.SPECIFICATION).exists()
    if not settings and begun:
        return journal.read_spec(out)
    said = settings.pop("nonce", None)
    spec = grid.build({**settings, "nonce": None if said in ("secret", "public") else said})
    if said == "secret" or (said is None and any(map(calls.isolated, spec.solvers))):
        known = journal.read_spec(out).nonce if begun else None
        # Shards with folders of their own could not agree on one that nobody said.
        fresh = said == "secret" or not (begun or sharded)
        spec = replace(spec, nonce=known or (streams.new_nonce() if fresh else None))
    return spec


def calls_of(isolate: bool | None, seconds: float | None = None) -> Calls:
    """Where solvers are called, as the options say."""
    from phase_diagrams.sweeps.trial import SECONDS_PER_CALL, Calls

    return Calls(isolate, SECONDS_PER_CALL if seconds is None else seconds)


def engine_of(jobs: int | None, dask: str | None = None) -> Engine:
    """Where trials run, as the options say."""
    from phase_diagrams.sweeps.engines import Inline
    from phase_diagrams.sweeps.engines.dask import DaskEngine
    from phase_diagrams.sweeps.engines.local import LocalEngine

    if dask is not None:
        return DaskEngine(dask, jobs)
    return Inline() if jobs == 0 else LocalEngine(jobs)


def _warn_about_noise(spec: SweepSpec) -> None:
    quantities = spec.of_family.quantities
    largest = max((quantities(c.spec).get("sigma", 0.0) for c in spec.cells if c.spec is not None), default=0.0)
    if largest > 0 and spec.success.tolerance < 1e-3 * largest:
        report(
            "note",
            f"with noise {largest:g} no solver reaches a relative error of {spec.success.tolerance:g}; "
            "pass a --tolerance of the size of the noise",
            "yellow",
        )


@contextmanager
def _terminate_like_interrupt() -> Iterator[None]:
    """A scheduler's SIGTERM ends the sweep the way Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not in the main thread: signals are somebody else's
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def looked_at(display: Shown) -> Callable[[Progress], None]:
    """What the runner reports to."""

    def look(progress: Progress) -> None:
        recovered = progress.outcomes.get("recovered", 0)
        display(f"{recovered} recovered", progress.done, progress.total, progress.seconds_left)

    return look


def _print_summary(spec: SweepSpec, out: Path, summary: Summary, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "command": "sweep",
                "out": out,
                "hash": spec.hash(),
                **spec.judged_by(),
                "ran": summary.ran,
                "known": summary.known,
                "outcomes": dict(summary.outcomes),
                "seconds": summary.seconds,
                "solver_seconds": summary.solver_seconds,
                "torn": summary.torn,
            }
        )
        return
    from phase_diagrams.analysis.table import load

    trials = load(out)
    _print_map(trials)
    what = f"ran {summary.ran} trials in {duration(summary.seconds)}" if summary.ran else "nothing left to run"
    stdout().print(f"{what}; {summary.known} in {out}: {_counts(trials)}")
    stdout().print(
        f"next: lrs plot {out} · lrs boundary {out} · lrs sweep export {out} -o trials.parquet", soft_wrap=True
    )


def _counts(trials: Trials) -> str:
    counts = trials.frame["outcome"].value_counts()
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items()) or "no trials"


def _print_map(trials: Trials) -> None:
    """The success rates as digits, for sweeps of two axes that fit: 0–9 tenths, # all, · not tried, × impossible."""
    spec = trials.spec
    if len(spec.axes) != 2 or spec.y is None or len(spec.x.values) > WIDEST_MAP or len(spec.y.values) > WIDEST_MAP:
        return
    console = stdout()
    for name in spec.solvers:
        frame = trials.frame[trials.frame["solver"] == name]
        rates = frame.groupby("cell")["success"].mean()
        impossible = set(frame.loc[frame["outcome"] == "impossible", "cell"])
        if len(spec.solvers) > 1:
            console.print(name)
        width = max(len(str(v)) for v in spec.x.values) + 1
        label = max(len(f"{v}") for v in spec.y.values)
        for j in reversed(range(len(spec.y.values))):
            marks = []
            for i in range(len(spec.x.values)):
                cell = i * len(spec.y.values) + j
                rate = rates.get(cell)
                mark = "×" if cell in impossible else "·" if rate is None else "#" if rate == 1 else str(int(10 * rate))
                marks.append(mark.rjust(width))
            console.print(f"{spec.y.name}={str(spec.y.values[j]).rjust(label)} {''.join(marks)}", soft_wrap=True)
        axis = "".join(str(v).rjust(width) for v in spec.x.values)
        console.print(" " * (len(spec.y.name) + 1 + label) + f" {axis}  {spec.x.name}", soft_wrap=True)
    console.print("tenths of the trials recovered; # all, · none run, × impossible")
    console.print(f"recovered: {spec.recovered}", soft_wrap=True, markup=False)


def _dry_run(spec: SweepSpec, out: Path, as_json: bool, calls: Calls) -> None:
    """What is to do, and one timed trial in the middle of the grid."""
    from phase_diagrams.sweeps import journal
    from phase_diagrams.sweeps.engines import Inline
    from phase_diagrams.sweeps.runner import Costs, Dispatcher
    from phase_diagrams.sweeps.sampling import Planner
    from phase_diagrams.sweeps.trial import Trial, check_solvers

    check_solvers(spec, calls)
    possible = [c.index for c in spec.cells if c.spec is not None]
    if not possible:
        raise InvalidInput(f"axes: no cell of this grid is possible; the first says: {spec.cells[0].reason}")
    known: dict[Trial, bool] = {}
    if (out / journal.SPECIFICATION).exists():
        changed_spec = journal.read_spec(out)
        if changed_spec.hash() != spec.hash():
            journal.open_folder(out, spec)
        for row in journal.read(out, spec).rows():
            known[Trial(row.cell, row.replicate, spec.solvers.index(row.solver))] = row.outcome == "recovered"
    planner = Planner(spec, out)
    costs, engine = Costs(spec), Inline()
    engine.start(spec, calls)
    timed = {name: Trial(possible[len(possible) // 2], 0, i) for i, name in enumerate(spec.solvers)}

    def measure(rows: Sequence[Row]) -> None:
        for row in rows:
            costs.add(timed[row.solver], row.timing_solve)

    Dispatcher(spec, engine, measure).run(timed.values())
    engine.stop()
    seconds = (
        sum(costs(Trial(c, 0, s)) for c in possible for s in range(len(spec.solvers)))
        / len(possible)
        / len(spec.solvers)
    )
    low = median = high = planner.remaining(known)
    grid = None
    if planner.rounds is not None:
        low, median, high, grid = planner.forecast(known)
    document = {
        "command": "sweep",
        "dry_run": True,
        "sampling": spec.sampling.kind,
        "cells": len(spec.cells),
        "impossible": len(spec.cells) - len(possible),
        "trials": {"low": low, "expected": median, "high": high},
        "uniform_trials": grid,
        "seconds_per_trial": seconds,
        "processor_seconds": {"low": low * seconds, "expected": median * seconds, "high": high * seconds},
    }
    if as_json:
        print_json(document)
        return
    span = f"{median}" if low == high else f"about {median} (between {low} and {high})"
    stdout().print(
        f"{len(spec.cells)} cells, {len(spec.cells) - len(possible)} impossible; {spec.sampling.kind} sampling; {span} trials to "
        f"run, {seconds:.3g} s each, {duration(median * seconds)} of one processor",
        soft_wrap=True,
    )
    if grid is not None:
        stdout().print(f"a uniform grid of the same precision would take about {grid} trials")


# ------------------------------------------------------------------------------------------------ status
@sweep_app.command()
def status(folder: Folder, as_json: Json = False) -> None:
    """How far a sweep is, what came out so far, and whether the files are sound."""
    from phase_diagrams.analysis.table import load
    from phase_diagrams.sweeps.sampling import Planner
    from phase_diagrams.sweeps.trial import Trial

    trials = load(folder)
    spec = trials.spec
    order = {name: i for i, name in enumerate(spec.solvers)}
    frame = trials.possible
    known = {
        Trial(int(c), int(n), order[s]): bool(ok)
        for c, n, s, ok in zip(frame["cell"], frame["replicate"], frame["solver"], frame["success"], strict=True)
    }
    current = spec.streams == streams.VERSION
    remaining = Planner(spec, folder).remaining(known) if current else 0
    outcomes = {str(name): int(count) for name, count in trials.frame["outcome"].value_counts().items()}
    versions = sorted({f"{h.get('toolkit')} (numpy {h.get('numpy')})" for h in trials.hosts})
    if as_json:
        print_json(
            {
                "command": "status",
                "folder": folder,
                "hash": spec.hash(),
                "spec": spec.to_dict(),
                "known": len(known),
                "remaining": remaining,
                "outcomes": outcomes,
                "torn": list(trials.torn),
                "conflicts": trials.conflicts,
                "versions": versions,
            }
        )
        return
    _print_map(trials)
    console = stdout()
    console.print(
        f"{spec.sampling.kind} sampling, {len(spec.cells)} cells, solvers {', '.join(spec.solvers)}", soft_wrap=True
    )
    about = "" if spec.sampling.kind == "uniform" else "about "
    console.print(f"{len(known)} trials recorded, {about}{remaining} to run: {_counts(trials)}", soft_wrap=True)
    if len(versions) > 1:
        report("note", f"written by several versions: {', '.join(versions)}", "yellow")
    for sentence in trials.torn:
        report("note", sentence, "yellow")
    if trials.conflicts:
        report(
            "note",
            f"{trials.conflicts} trials were recorded twice with different results; one of each is kept",
            "yellow",
        )
    if not current:
        report("note", "made with older random streams: read, export and draw it; it cannot be gone on with", "yellow")
    if remaining:
        console.print(f"go on with: lrs sweep --out {folder}", soft_wrap=True)


# ------------------------------------------------------------------------------------------------ merge, export
@sweep_app.command()
def merge(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR…", help="Folders of the same sweep.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Folder to put all of them together in.")],
    as_json: Json = False,
) -> None:
    """Put the shards of several folders into one. Merging again, or merging what was merged, changes nothing."""
    from phase_diagrams.analysis.table import load
    from phase_diagrams.sweeps.merge import merge as merge_folders

    merge_folders(folders, out)
    trials = load(out)
    if as_json:
        print_json({"command": "merge", "out": out, "trials": len(trials.possible), "conflicts": trials.conflicts})
        return
    stdout().print(f"{len(trials.possible)} trials in {out}: {_counts(trials)}", soft_wrap=True)
    if trials.conflicts:
        report(
            "note",
            f"{trials.conflicts} trials were recorded twice with different results; one of each is kept",
            "yellow",
        )


@sweep_app.command()
def export(
    folder: Folder,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help=".parquet, .csv, or .nc for the grid.")],
    stable: Annotated[
        bool, typer.Option("--stable", help="Leave out timing_… and host_… columns: the same file from every run.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a table with one row a trial (.parquet, .csv), or the grid of success rates (.nc, needs xarray)."""
    from phase_diagrams.analysis import table

    trials = table.load(folder)
    if out.suffix == ".nc":
        table.export_grid(trials, out)
    else:
        table.export(trials, out, volatile=not stable)
    if as_json:
        print_json({"command": "export", "output": out, "rows": len(trials.frame), "torn": list(trials.torn)})
        return
    for sentence in trials.torn:
        report("note", sentence, "yellow")
    stdout().print(f"wrote {out}: {len(trials.frame)} trials", soft_wrap=True)


# ------------------------------------------------------------------------------------------------ reproduce, selftest, replay
@sweep_app.command()
def reproduce(
    folder: Folder,
    sample: Annotated[str, typer.Option("--sample", help="How many trials to run again: 1%, or a number.")] = "1%",
    seed: Annotated[int, typer.Option("--seed", help="Of the choice.")] = 0,
    jobs: Jobs = None,
    isolate: Isolate = None,
    seconds: Seconds = None,
    as_json: Json = False,
) -> None:
    """Run part of somebody's results again and report the agreement; exit code 1 when an outcome differs."""
    from phase_diagrams.sweeps.journal import read_spec
    from phase_diagrams.sweeps.replay import reproduce as run

    found = run(folder, sample, engine_of(jobs), seed, calls_of(isolate, seconds))
    if as_json:
        document = asdict(found) | {"command": "sweep reproduce"}
        spec = read_spec(folder)
        document["witnesses"] = [
            {"recorded": _flat(old, spec), "now": _flat(new, spec)} for old, new in found.witnesses
        ]
        print_json(document)
    else:
        stdout().print(
            f"{found.sampled} of {found.recorded} trials run again: {found.identical} identical bit for bit, "
            f"{found.close} with the same outcome and errors within {found.largest:.2g}, {found.different} different",
            soft_wrap=True,
        )
        for old, new in found.witnesses[:10]:
            stdout().print(
                f"  was {old.outcome}, is {new.outcome}: lrs replay {folder} {old.cell} {old.replicate} --solver {old.solver}",
                soft_wrap=True,
            )
    if found.different:
        raise typer.Exit(1)


@sweep_app.command()
def selftest(
    lines: Annotated[
        int | None, typer.Option("--lines", min=2, help="Simulations per design and transition (40), or size (30).")
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Hold the pipeline to the exact law of ℓ₁ minimisation with U given.")
    ] = False,
    size: Annotated[
        list[str] | None,
        typer.Option("--size", metavar="D,K,R", help="With --exact; repeatable. Default: 40,3,2 100,5,3 200,10,3."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed")] = 0,
    jobs: Jobs = 0,
    as_json: Json = False,
) -> None:
    """Run the pipeline on a solver of known boundary; exit code 1 when its intervals do not hold it as they promise."""
    if size and not exact:
        raise InvalidInput("--size: only --exact has sizes; add it")
    if exact:
        passed = _exact_selftest(size, lines, seed, jobs, as_json)
    else:
        passed = _coverage_selftest(lines or 40, seed, jobs, as_json)
    if not passed:
        raise typer.Exit(1)


def _coverage_selftest(lines: int, seed: int, jobs: int | None, as_json: bool) -> bool:
    from phase_diagrams.analysis.selftest import selftest as run

    results = run(lambda: engine_of(jobs), lines, seed)
    passed = all(result.passed for result in results)
    if as_json:
        print_json(
            {
                "command": "selftest",
                "passed": passed,
                "results": [asdict(r) | {"coverage": r.coverage} for r in results],
            }
        )
    else:
        from rich.table import Table

        table = Table("design", "transition", "coverage", "95 % interval", "half-width in m", "solves a line", box=None)
        for r in results:
            interval = f"[{r.low:.3f}, {r.high:.3f}]"
            table.add_row(
                r.design, r.transition, f"{r.coverage:.3f}", interval, f"{r.half_width:.2f}", f"{r.trials:.0f}"
            )
        stdout().print(table)
        stdout().print("the intervals cover as they promise" if passed else "some intervals cover less often than .92")
    return passed


def _exact_selftest(size: list[str] | None, lines: int | None, seed: int, jobs: int | None, as_json: bool) -> bool:
    from phase_diagrams.analysis import exactness

    sizes = []
    for text in size or ():
        numbers = text.split(",")
        if len(numbers) != 3 or not all(n.strip().isdigit() for n in numbers):
            raise InvalidInput(f"--size: expected d,k,r such as 40,3,2, got {text!r}")
        sizes.append((int(numbers[0]), int(numbers[1]), int(numbers[2])))
    laws, checks = exactness.selftest(lambda: engine_of(jobs), sizes or exactness.SIZES, lines or exactness.LINES, seed)
    passed = all(law.passed for law in laws) and all(check.passed for check in checks)
    if as_json:
        results = [asdict(law) | {"faults": law.faults} for law in laws]
        found = [asdict(check) | {"passed": check.passed} for check in checks]
        print_json({"command": "selftest --exact", "passed": passed, "results": results, "checks": found})
        return passed
    from rich.table import Table

    table = Table(
        "d, k, r", "law: m₅₀", "99.9 % interval", "width", "99.9 % interval", "cover m₅₀", "solves", "s", box=None
    )
    for law in laws:
        table.add_row(
            f"{law.d}, {law.k}, {law.r}", f"{law.m50:.2f}", f"{law.lower:.2f} … {law.upper:.2f}", f"{law.scale:.2f}",
            f"{law.scale_lower:.2f} … {law.scale_upper:.2f}", f"{law.covered} of {law.lines}", str(law.solves),
            f"{law.seconds:.0f}",
        )  # fmt: skip
    stdout().print(table)
    for check in checks:
        stdout().print(f"{check.name}: {check.fault or 'yes'}")
    for law in laws:
        for fault in law.faults:
            stdout().print(f"d, k, r = {law.d}, {law.k}, {law.r}: {fault}")
    stdout().print("the pipeline reproduces the law" if passed else "the pipeline does not reproduce the law")
    return passed


def replay(
    folder: Folder,
    cell: Annotated[str, typer.Argument(metavar="CELL", help="Index of the cell, or its axes: m=20,k=3.")],
    replicate: Annotated[int, typer.Argument(metavar="REPLICATE", help="Number of the replicate, from 0.")],
    solver: Annotated[str | None, typer.Option("--solver", help="Default: the first of the sweep.")] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="Also write the instance (.npz) for lrs solve."),
    ] = None,
    isolate: Isolate = None,
    seconds: Seconds = None,
    as_json: Json = False,
) -> None:
    """Run one trial of a sweep again, bit for bit, and show its trace; exit code 1 when it ends differently."""
    from phase_diagrams.sweeps.journal import read_spec
    from phase_diagrams.sweeps.replay import instance_lines
    from phase_diagrams.sweeps.replay import replay as run

    done = run(folder, cell, replicate, solver, calls_of(isolate, seconds))
    spec = read_spec(folder)
    if out is not None:
        if not hasattr(done.instance, "save"):
            raise InvalidInput(f"out: instances of {spec.of_family.title} have no files; leave --out out")
        done.instance.save(out)
    if as_json:
        recorded = None if done.recorded is None else _flat(done.recorded, spec)
        print_json(
            {
                "command": "replay",
                **spec.judged_by(),
                "now": _flat(done.row, spec),
                "recorded": recorded,
                "difference": done.difference,
                "identical": done.difference == 0,
                "errors": list(done.errors),
            }
        )
    else:
        console = stdout()
        where = ", ".join(f"{n}={v}" for n, v in spec.cells[done.row.cell].coordinates.items())
        console.print(f"cell {done.row.cell} ({where}), replicate {replicate}, {done.row.solver}: {done.row.outcome}")
        words = spec.of_family.errors_of
        for step in _thinned(len(done.errors)):
            console.print(f"  step {step + 1:4d}  {next(iter(words.values()))} {done.errors[step]:.3e}", soft_wrap=True)
        row = done.row
        found = [f"{words[name]} {value:.3g}" for name, value in row.errors.items()]
        console.print(", ".join([*found, f"rate {row.rate:.3f}"]), soft_wrap=True)
        console.print(f"recovered: {spec.recovered}", soft_wrap=True, markup=False)
        if row.message:
            console.print(row.message, soft_wrap=True, markup=False)
        if done.recorded is None:
            console.print("not recorded in this sweep, so there is nothing to compare with")
        elif done.difference == 0:
            console.print("identical to the record, bit for bit")
        else:
            console.print(
                f"the record says {done.recorded.outcome}; largest difference of an error {done.difference:.2g} "
                "(another machine, library or version computes other last digits)",
                soft_wrap=True,
            )
        console.print(instance_lines(spec, row), soft_wrap=True, markup=False)
    if done.difference == float("inf"):
        raise typer.Exit(1)


def _flat(row: Row, spec: SweepSpec) -> dict[str, Any]:
    """A record by the names of its columns."""
    from phase_diagrams.sweeps.trial import columns, values

    return dict(zip(columns(spec.of_family), values(row, spec.of_family), strict=True))


def _thinned(count: int, most: int = 20) -> list[int]:
    """At most about ``most`` of the steps, with the first and the last."""
    stride = max(1, -(-count // most))
    return sorted({*range(0, count, stride), *([count - 1] if count else [])})
