"""The verbs that read a sweep: ``lrs boundary``, ``lrs scaling``, ``lrs plot``, ``lrs duel`` and ``lrs report``."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from lrs.cli import print_json, report, stdout
from lrs.commands.progress import shown
from lrs.commands.shared import Json
from lrs.core.errors import InvalidInput
from lrs.core.files import writable
from phase_diagrams.commands.sweep import Isolate, Jobs, Memory, Seconds, calls_of, engine_of, looked_at

if TYPE_CHECKING:
    from phase_diagrams.analysis.duel import Duel, Shift, Timing
    from phase_diagrams.analysis.scaling import ScalingFit
    from phase_diagrams.analysis.table import Trials
    from phase_diagrams.sweeps.trial import Calls

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a sweep.")]
Confidence = Annotated[float, typer.Option("--confidence", help="Of the intervals.")]
Along = Annotated[str | None, typer.Option("--along", metavar="AXIS", help="Axis of the boundary; default m.")]
Constants = Annotated[
    str | None,
    typer.Option(
        "--constants",
        metavar="C_total=…,C_task=…",
        help="Constants of the theorem's region; default: those that lrs calibrate froze for the solver.",
    ),
]

#: Pictures of every family; besides, one of each of its errors.
PICTURES = ("success", "failures", "iterations", "rate")


def register(app: typer.Typer) -> None:
    """Add the verbs to the root."""
    for verb in (boundary, scaling, plot, duel):
        app.command(rich_help_panel="Recovery maps")(verb)
    app.command("report", rich_help_panel="Recovery maps")(html_report)


# ------------------------------------------------------------------------------------------------ shared
def _load(folder: Path) -> Trials:
    from phase_diagrams.analysis.table import load

    trials = load(folder)
    if trials.possible.empty:
        damage = f" ({'; '.join(trials.torn)})" if trials.torn else ""
        raise InvalidInput(f"{folder}: no finished trial in this sweep yet{damage}; run or resume it first")
    for sentence in trials.torn:
        report("note", sentence, "yellow")
    if trials.conflicts:
        report("warning", f"{trials.conflicts} trials are recorded twice with different results; one is kept", "yellow")
    return trials


def _constants(text: str | None) -> dict[str, float] | None:
    if text is None:
        return None
    values = {}
    for part in text.split(","):
        name, equals, number = part.partition("=")
        try:
            values[name.strip()] = float(number)
        except ValueError:
            equals = ""
        if not equals:
            raise InvalidInput(f"constants: expected C_total=…,C_task=…, got {part!r}")
    from phase_diagrams.analysis.overlays import theorem_overlay

    theorem_overlay(values)  # unknown names and impossible values are refused before anything is drawn
    return values


def _names(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _print_table(title: str, columns: list[str], rows: list[list[Any]]) -> None:
    table = Table(title=title, title_justify="left")
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in row))
    stdout().print(table)


# ------------------------------------------------------------------------------------------------ boundary
def boundary(
    folder: Folder,
    along: Along = None,
    confidence: Confidence = 0.95,
    link: Annotated[str, typer.Option("--link", help="logit or probit.")] = "logit",
    as_json: Json = False,
) -> None:
    """The 50 % boundary of a map, line by line, with profile-likelihood intervals."""
    from phase_diagrams.analysis import boundary as core

    trials = _load(folder)
    found = core.boundary(trials, along, confidence=confidence, link=link)  # type: ignore[arg-type]
    table = found.table()
    if as_json:
        print_json(
            {
                "command": "boundary",
                **trials.spec.judged_by(),
                "axis": found.axis,
                "nested": found.nested,
                "confidence": confidence,
                "points": table.to_dict("records"),
            }
        )
        return
    kind = "replicates, each one critical level" if found.nested else "independent trials"
    columns = ["solver", *found.others, "text", "trials"]
    shown = [*columns[:-2], f"50 % boundary along {found.axis}", kind.split(",")[0]]
    _print_table(f"Boundary of {folder} ({kind})", shown, table[columns].to_numpy().tolist())
    stdout().print(f"recovered: {trials.spec.recovered}", soft_wrap=True, markup=False)
    if table["irregular"].sum():
        stdout().print(
            f"{table['irregular'].sum()} replicates failed above a level at which they had succeeded; their bracket is wider"
        )


# ------------------------------------------------------------------------------------------------ scaling
def scaling(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR…", help="Sweeps with an axis that sets m.")],
    factors: Annotated[str | None, typer.Option("--factors", help="Sizes that may enter the law (r,k,d,t).")] = None,
    confidence: Confidence = 0.95,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="STEM", help="Also draw the data collapse: STEM.png and STEM.svg."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Fit m₅₀ = C · r^a · k^b · d^c · t^e and compare the exponents with the theorem's and with the limits'."""
    from phase_diagrams.analysis.scaling import comparison, fit_scaling
    from phase_diagrams.draw.canvas import save
    from phase_diagrams.draw.plot import collapse_figure
    from phase_diagrams.draw.report import fit_note

    sweeps = [_load(folder) for folder in folders]
    fits: list[ScalingFit] = []
    left_out: list[str] = []
    solvers = list(dict.fromkeys(name for trials in sweeps for name in trials.spec.solvers))
    for name in solvers:
        try:
            fits += fit_scaling(sweeps, _names(factors) or None, solvers=[name], confidence=confidence)
        except InvalidInput as error:
            left_out.append(f"{name} is left out: {error}")
    if not fits:
        raise InvalidInput(f"no solver of these sweeps can be fitted: {'; '.join(left_out)}")
    for sentence in left_out:
        report("note", sentence, "yellow")
    written: list[Path] = []
    for fit in fits:
        if out is not None:
            stem = out if len(fits) == 1 else out.with_name(f"{out.name}-{_file_name(fit.solver)}")
            written += save(collapse_figure(sweeps, fit), stem)
    if as_json:
        laws = []
        for fit in fits:
            law = {n: v for n, v in vars(fit).items() if n not in ("points", "constant", "exponents")}
            law["constant"], law["exponents"] = asdict(fit.constant), comparison(fit).to_dict("records")
            law["points"] = fit.points.to_dict("records")
            laws.append(law)
        print_json({"command": "scaling", "laws": laws, "written": written})
        return
    for fit in fits:
        table = comparison(fit)
        references = list(table.columns[4:-1])
        rows = [
            [
                r["factor"],
                f"{r['estimate']:.2f} [{r['lower']:.2f}, {r['upper']:.2f}]",
                *(f"{r[n]:.2g}" for n in references),
            ]
            for r in table.to_dict("records")
        ]
        columns = ["factor", f"fitted, {100 * confidence:g} %", *references]
        _print_table(f"{fit.solver}: {fit.formula}   ({fit.configurations} configurations)", columns, rows)
        for r in table.to_dict("records"):
            stdout().print(f"{r['factor']}: {r['verdict']}")
        stdout().print(fit_note(fit))
    for path in written:
        stdout().print(f"wrote {path}")


def _file_name(solver: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in solver)


# ------------------------------------------------------------------------------------------------ plot
def plot(
    folder: Folder,
    overlay: Annotated[
        str | None,
        typer.Option(
            "--overlay",
            metavar="NAMES",
            help="theorem, counting, l1-known-u, bayes, identifiability, private; or a family's.",
        ),
    ] = None,
    what: Annotated[
        str | None,
        typer.Option(
            "--what",
            help="success,failures,iterations,rate, or an error such as subspace_distance; default: what says something.",
        ),
    ] = None,
    solver: Annotated[list[str] | None, typer.Option("--solver", help="Default: all of the sweep.")] = None,
    along: Along = None,
    constants: Constants = None,
    confidence: Confidence = 0.95,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FOLDER", help="Where to write; default DIR/pictures.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Draw a map as PNG and SVG, and list the violations of the theorem's region with the commands that replay them."""
    from phase_diagrams.analysis.overlays import FORMERLY, overlays, promise
    from phase_diagrams.draw import canvas
    from phase_diagrams.draw import plot as core
    from phase_diagrams.draw.report import LONGEST_LIST, replay_lines
    from phase_diagrams.sweeps.journal import read_spec

    values = _constants(constants)
    chosen = _names(overlay)
    family = read_spec(folder).of_family
    overlays(chosen, family=family)  # an unknown name is refused before anything is drawn
    for old in set(chosen) & set(FORMERLY):
        report(
            "note", f"--overlay {old} is an old spelling; {FORMERLY[old]} is the same line by the exact law", "yellow"
        )
    all_pictures = (*PICTURES, *family.errors_of)
    pictures = _names(what) or None
    for name in pictures or ():
        if name not in all_pictures:
            raise InvalidInput(f"what: {name!r} is not a picture; choose from {', '.join(all_pictures)}")
    trials = _load(folder)
    target = out if out is not None else folder / "pictures"
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"out: {target} cannot be made ({error.strerror or error})") from None
    solvers = solver or list(trials.spec.solvers)
    kept = promise(trials, values, solvers) if values or "theorem" in chosen else None
    available = [
        name
        for name in all_pictures
        if name == "success"
        or (
            len(trials.spec.axes) > 1
            and (name != "rate" or trials.possible["rate"].notna().any())
            # Of the errors, the one that the criterion is named after.
            and (name in PICTURES or name.startswith(str(trials.spec.success.criterion)))
        )
    ]
    written: list[Path] = []
    cuts = canvas.slices(trials.spec)
    for name in solvers:
        lines_of = overlays(chosen, family=family)
        if kept is not None:
            lines_of = overlays(chosen, kept.sources[name].values, kept.sources[name].source, family)
        marked = kept.broken if kept is not None and kept.sources[name].values else None
        for at in cuts:
            suffix = "".join(f"-{n.replace('/', '-over-')}={v}" for n, v in at.items())
            for picture in pictures or available:
                if picture == "success":
                    figure = core.success_map(
                        trials, name, at=at, overlays=lines_of, along=along, confidence=confidence, marked=marked
                    )
                elif picture == "failures":
                    figure = core.failure_map(trials, name, at=at)
                else:
                    figure = core.quantity_map(trials, picture, name, at=at, overlays=lines_of)
                written += canvas.save(figure, target / f"{picture}-{_file_name(name)}{suffix}")
    lines = replay_lines(kept.broken, str(folder)) if kept is not None and kept.made else None
    if as_json:
        print_json({"command": "plot", "written": written, "violations": lines})
        return
    for path in written:
        stdout().print(f"wrote {path}", soft_wrap=True)
    if kept is None:
        return
    stdout().print(kept.sentence, soft_wrap=True)
    for line in (lines or [])[:LONGEST_LIST]:
        stdout().print(f"  {line}", soft_wrap=True)
    if lines and len(lines) > LONGEST_LIST:
        stdout().print(f"  … and {len(lines) - LONGEST_LIST} more (--json lists all)")
    for name, found in kept.sources.items():
        if found.values is None:
            stdout().print(
                f"{name}: the theorem's line has constants 1 (pass --constants, or lrs calibrate them)", soft_wrap=True
            )


# ------------------------------------------------------------------------------------------------ duel
def duel(
    a: Annotated[str, typer.Argument(metavar="A", help="Solver: a name or module:attribute.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The solver to compare it with.")],
    folder: Annotated[
        Path,
        typer.Option("--in", metavar="DIR", help="Sweep that holds both, or where to run one with the axes below."),
    ],
    x: Annotated[str | None, typer.Option("--x", metavar="NAME=VALUES", help="First axis, such as m=14:40:4.")] = None,
    y: Annotated[str | None, typer.Option("--y", metavar="NAME=VALUES", help="Second axis, such as k=1:6.")] = None,
    fixed: Annotated[list[str] | None, typer.Option("--fixed", metavar="NAME=VALUE,…", help="What stays.")] = None,
    replicates: Annotated[int | None, typer.Option("--replicates", help="Trials per cell and solver.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of the experiment.")] = None,
    nested: Annotated[str | None, typer.Option("--nested", metavar="AXIS", help="Bisect along m.")] = None,
    jobs: Jobs = None,
    fdr: Annotated[float, typer.Option("--fdr", help="False-discovery rate over the cells.")] = 0.05,
    confidence: Confidence = 0.95,
    family: Annotated[str | None, typer.Option("--family", metavar="NAME", help="Of the instances.")] = None,
    isolate: Isolate = None,
    seconds: Seconds = None,
    memory: Memory = None,
    timing: Annotated[
        int, typer.Option("--timing", metavar="N", help="Time both, interleaved, on N instances both solved.")
    ] = 0,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="STEM", help="Draw the map: STEM.png, STEM.svg.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Did B move the boundary? Paired map, exact McNemar tests, shift of the boundary, fair timing."""
    from phase_diagrams.analysis import duel as core

    options = {
        "family": family,
        "x": x,
        "y": y,
        "fixed": fixed,
        "replicates": replicates,
        "seed": seed,
        "nested": nested,
    }
    options = {name: value for name, value in options.items() if value not in (None, [])}
    calls = calls_of(isolate, seconds, memory)
    if options.keys() - {"family"}:
        _run(options | {"solvers": (a, b)}, folder, jobs, calls)
    trials = _load(folder)
    result = core.duel(trials, a, b, fdr=fdr, confidence=confidence)
    times = None
    if timing:
        if result.cells["both"].sum():
            times = core.time_both(trials, a, b, instances=timing, confidence=confidence, calls=calls)
        else:
            report("note", "there is no instance that both solved, so their times cannot be compared", "yellow")
    written: list[Path] = []
    if out is not None:
        from phase_diagrams.draw.canvas import save
        from phase_diagrams.draw.plot import duel_map

        written += save(duel_map(trials, result), out)
    if as_json:
        document = {n: v for n, v in vars(result).items() if n not in ("cells", "shifts", "ratio")}
        print_json(
            {
                "command": "duel",
                **trials.spec.judged_by(),
                **document,
                "verdict": result.verdict,
                "ratio": asdict(result.ratio),
                "shifts": [asdict(s) for s in result.shifts],
                "cells": result.cells.to_dict("records"),
                "timing": None if times is None else asdict(times),
                "written": written,
            }
        )
        return
    _print_duel(result, times)
    for path in written:
        stdout().print(f"wrote {path}", soft_wrap=True)


def _run(settings: dict[str, Any], folder: Path, jobs: int | None, calls: Calls) -> None:
    from phase_diagrams.sweeps import grid
    from phase_diagrams.sweeps.runner import Interrupted, sweep

    try:
        with shown("trials") as display:
            sweep(grid.build(settings), folder, engine_of(jobs), report=looked_at(display), calls=calls)
    except Interrupted as stopped:
        report("stopped", f"{stopped.summary.known} trials are recorded; the same command goes on from here", "yellow")
        raise typer.Exit(130) from None


def _print_duel(result: Duel, times: Timing | None) -> None:
    stdout().print(result.verdict)
    others = list(result.shifts[0].at) if result.shifts else []
    _print_table(
        f"Shift of the 50 % boundary along {result.axis}: {result.a} − {result.b}",
        [*others, "shift", f"{100 * result.confidence:g} % interval", "pairs"],
        [[*s.at.values(), *_shift(s), s.pairs] for s in result.shifts],
    )
    ratio = result.ratio
    if 0 < ratio.estimate < float("inf"):
        needs = f"{ratio.estimate:.3g} [{ratio.lower:.3g}, {ratio.upper:.3g}] times"
    elif ratio.upper < float("inf"):
        needs = f"at most {ratio.upper:.3g} times"
    else:
        needs = f"at least {ratio.lower:.3g} times" if ratio.lower > 0 else ""
    if needs:
        stdout().print(
            f"Over all lines, {result.a} needs {needs} the rows of {result.b} ({ratio.pairs} replicates)",
            soft_wrap=True,
        )
    found = result.discoveries
    stdout().print(
        f"{len(found)} of {len(result.cells)} cells differ at false-discovery rate {result.rate:g}: "
        f"{(found['difference'] > 0).sum()} for {result.a}, {(found['difference'] < 0).sum()} for {result.b}"
    )
    if result.testable == 0:
        stdout().print(
            "no cell has enough instances that only one of them solved to be told apart; use more replicates",
            soft_wrap=True,
        )
    if "over_bayes_a" in result.cells:
        middle = result.cells[["over_bayes_a", "over_bayes_b"]].dropna()
        stdout().print(
            f"Median error as a multiple of the Bayes error: {result.a} {middle['over_bayes_a'].median():.3g}, {result.b} "
            f"{middle['over_bayes_b'].median():.3g} (over {len(middle)} cells with noise)",
            soft_wrap=True,
        )
    if times is not None:
        stdout().print(
            f"On {times.instances} instances both solved: {result.a} {times.seconds_a:.3g} s, {result.b} "
            f"{times.seconds_b:.3g} s (medians); ratio {times.ratio:.3g} "
            + (f"[{times.lower:.3g}, {times.upper:.3g}]" if times.upper < math.inf else "(too few for an interval)"),
            soft_wrap=True,
        )


def _shift(shift: Shift) -> tuple[str, str]:
    """The estimate, and its interval in words where one end is open."""
    low, high = f"{shift.lower:+.3g}", f"{shift.upper:+.3g}"
    open_low, open_high = shift.lower == -float("inf"), shift.upper == float("inf")
    if open_low or open_high:
        interval = "any" if open_low and open_high else f"below {high}" if open_low else f"above {low}"
    else:
        interval = f"{low} … {high}"
    return f"{shift.estimate:+.3g}" if math.isfinite(shift.estimate) else "—", interval


# ------------------------------------------------------------------------------------------------ report
def html_report(
    folder: Folder,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="Page to write; default DIR/report.html.")
    ] = None,
    constants: Constants = None,
    confidence: Confidence = 0.95,
    only_hash: Annotated[bool, typer.Option("--hash", help="Only print the integrity hash.")] = False,
    as_json: Json = False,
) -> None:
    """One self-contained HTML page: maps, boundary, scaling, violations, specification, environment, integrity hash."""
    from phase_diagrams.draw import report as core

    values = _constants(constants)
    trials = _load(folder)
    digest = core.integrity_hash(trials)
    if only_hash:
        if as_json:
            print_json({"command": "report", "integrity": digest})
        else:
            stdout().print(digest, soft_wrap=True)
        return
    path = writable(out if out is not None else folder / "report.html")  # unwritable: say so before the work
    core.write(core.report(trials, str(folder), constants=values, confidence=confidence), path)
    if as_json:
        print_json({"command": "report", "written": path, "integrity": digest, **trials.spec.judged_by()})
        return
    stdout().print(f"wrote {path}", soft_wrap=True)
