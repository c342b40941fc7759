"""The verb ``lrs calibrate``: the constants of the theorem for any solver, and its efficiency against the reference."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from lrs.cli import print_json, stderr, stdout
from lrs.commands.shared import Json
from lrs.core.errors import InvalidInput
from lrs.core.files import writable
from lrs.core.validate import real

if TYPE_CHECKING:
    from theory.statistics.calibration import Calibration, Efficiency, ShellResult
    from theory.statistics.laws import LawCalibration


def register(app: typer.Typer) -> None:
    """Add the verb to the root."""
    app.command(rich_help_panel="Theory")(calibrate)


def calibrate(
    solver: Annotated[
        str, typer.Option("--solver", metavar="NAME|MODULE:ATTR", help="Registered name or module:attribute.")
    ] = "amht",
    top: Annotated[float, typer.Option(help="Largest constant of the grid; the descent starts here.")] = 16.0,
    steps: Annotated[int, typer.Option(min=1, help="Number of constants, half an octave apart.")] = 17,
    trials: Annotated[int, typer.Option(min=1, help="Largest number of trials on a shell.")] = 250,
    p0: Annotated[float, typer.Option(help="Success probability that is claimed.")] = 0.99,
    p1: Annotated[float, typer.Option(help="Success probability that is certified to be exceeded.")] = 0.95,
    alpha: Annotated[
        float, typer.Option(help="Bound on the probability of calling a shell too small by mistake.")
    ] = 1e-3,
    beta: Annotated[float, typer.Option(help="Bound on the probability of certifying a shell by mistake.")] = 1e-2,
    seed: Annotated[int, typer.Option(min=0, help="Key of all random streams.")] = 0,
    scale: Annotated[int, typer.Option(min=1, help="Factor on d of the hold-out.")] = 2,
    reference: Annotated[
        str | None, typer.Option(metavar="NAME", help="Report the efficiency against these frozen constants.")
    ] = None,
    lock: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Lock file of --reference; default: the one shipped.")
    ] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="Lock file to add to.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace constants of this solver in the lock file.")] = False,
    laws: Annotated[
        bool, typer.Option("--laws", help="Measure rows per task, choose a law on a hold-out and certify it by (r, k).")
    ] = False,
    study: Annotated[
        str,
        typer.Option(
            metavar="full|every|small",
            help="Sizes of --laws; every: all r ≤ 5 and k ≤ 8; small: for a solver that needs many rows.",
        ),
    ] = "full",
    as_json: Json = False,
) -> int:
    """Measure the constants of the theorem's sample bounds for a solver, or (--laws) what law its rows follow.

    For a constant C that descends on a grid, instances are drawn with exactly as many samples as the bound asks for, and
    the success probability is certified; the last certified C counts. Exits with 1 when a constant cannot be certified:
    when there is none, it is an end of its grid, or its hold-out fails; with --laws, when no pair (r, k) is certified.
    """
    from theory.statistics import calibration as cal
    from theory.statistics.evidence import BinomialTest

    if out is not None:
        writable(out)
    if laws:
        return _measure_laws(solver, study, seed, out, force, as_json)
    real("top", top, above=0)
    grid = cal.octave_grid(top, steps)
    test = BinomialTest(p0, p1, alpha, beta)
    path = lock or cal.LOCK_FILE
    frozen = None if reference is None else cal.calibrations(reference, path)
    if out is not None and out.exists() and solver in cal.read_lock(out) and not force:
        raise InvalidInput(f"{out}: holds constants of {solver!r} already; --force replaces them")

    def progress(shell: ShellResult) -> None:
        word = "certified" if shell.certified else "too small" if shell.below else "undecided"
        stderr().print(
            f"C = {shell.constant:g}: {shell.successes} of {shell.successes + shell.failures} trials, {word}"
        )

    found = cal.calibrate_theorem(
        solver, grid=grid, test=test, trials=trials, seed=seed, scale=scale, progress=progress
    )
    ratios = {} if frozen is None else {c.name: cal.efficiency(frozen[c.name], c) for c in found if c.name in frozen}
    complete = len(found) == 2 and all(c.value is not None for c in found)
    certified = complete and all(c.certified for c in found)
    if out is not None and complete:
        cal.write_lock(out, {solver: found}, overwrite=force)
    if as_json:
        print_json(
            {
                "command": "calibrate",
                "solver": found[0].solver,
                "constants": {c.name: c.value for c in found},
                "calibrations": [c.to_dict() for c in found],
                "efficiency": {name: e._asdict() for name, e in ratios.items()},
                "reference": reference,
                "lock_file": out if complete else None,
            }
        )
    else:
        _print(found, ratios, reference)
        if out is not None:
            stdout().print(f"wrote {out}" if complete else f"{out} not written: a constant could not be certified")
    return 0 if certified else 1


def _measure_laws(solver: str, study: str, seed: int, out: Path | None, force: bool, as_json: bool) -> int:
    from theory.statistics import calibration as cal
    from theory.statistics import laws

    if study not in laws.STUDIES:
        raise InvalidInput(f"study: expected one of {', '.join(laws.STUDIES)}, got {study!r}")
    if out is not None and out.exists() and solver in cal.read_laws(out) and not force:
        raise InvalidInput(f"{out}: holds the law of {solver!r} already; --force replaces it")
    found = laws.calibrate_law(solver, study=laws.STUDIES[study], seed=seed, progress=stderr().print)
    if out is not None:
        cal.write_lock(out, {solver: found}, overwrite=force)
    if as_json:
        print_json({"command": "calibrate", "law": found.to_dict(), "lock_file": out})
    else:
        _print_laws(found)
        if out is not None:
            stdout().print(f"wrote {out}")
    return 0 if found.certified else 1


def _print_laws(found: LawCalibration) -> None:
    console = stdout()
    table = Table(title=f"laws of {found.solver}, recovered by the criterion {found.criterion!r}", title_justify="left")
    for heading in ("law", "rows per task", "raised by", "hold-out sizes kept", "asked/measured there"):
        table.add_column(heading)
    for c in found.candidates:
        share = f"{c.within} of {c.held_out}" + ("" if c.passes else ", FAILED")
        table.add_row(c.law, c.formula, f"{c.margin:.2f}", share, f"{c.low:.2f} … {c.high:.2f}")
    console.print(table)
    if found.chosen is None:
        console.print("No law: the solver failed at a training size wherever it was tried.")
        return
    console.print(f"The hold-out chooses {found.chosen.law!r}.")
    for cell in found.cells:
        word = "certified" if cell.certified else "NOT CERTIFIED"
        console.print(f"r = {cell.r}, k = {cell.k}: {word}, {cell.successes} of {cell.trials} recovered; {cell.range}")


def _print(found: tuple[Calibration, ...], ratios: dict[str, Efficiency], reference: str | None) -> None:
    table = Table(
        title=f"constants of {found[0].solver}, recovered by the criterion {found[0].criterion!r}", title_justify="left"
    )
    for heading in ("constant", "bound", "certified", "refuted", "trials", "hold-out"):
        table.add_column(heading)
    if ratios:
        table.add_column(f"efficiency against {reference}")
    for c in found:
        held = c.hold_out
        row = [
            c.name,
            c.bound,
            "none"
            if c.value is None
            else f"{c.value:g}"
            if c.certified
            else f"{c.value:g}: NOT CERTIFIED, {'; '.join(c.doubts)}",
            "none" if c.refuted is None else f"{c.refuted:g}",
            str(sum(s.successes + s.failures for s in c.shells)),
            "–"
            if held is None
            else f"{held.successes} of {held.successes + held.failures} at {c.hold_out_scale}·d"
            + ("" if held.certified else ", not certified"),
        ]
        if ratios:
            e = ratios.get(c.name)
            row.append("–" if e is None else f"{e.ratio:.2f} ({e.low:.2f} … {e.high:.2f})")
        table.add_row(*row)
    stdout().print(table)
