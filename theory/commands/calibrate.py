"""The verb ``lrs calibrate``: the constants of the theorem for any solver, and its efficiency against the reference."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from lrs.cli import print_json, stderr, stdout
from lrs.core.errors import InvalidInput
from lrs.core.validate import real

if TYPE_CHECKING:
    from theory.statistics.calibration import Calibration, Efficiency, ShellResult


def register(app: typer.Typer) -> None:
    """Add the verb to the root."""
    app.command(rich_help_panel="Theory")(calibrate)


def calibrate(
    solver: Annotated[
        str, typer.Option("--solver", metavar="NAME|MODULE:ATTR", help="Registered name or module:attribute.")
    ] = "amht",
    top: Annotated[float, typer.Option(help="Largest constant of the grid; the descent starts here.")] = 16.0,
    steps: Annotated[int, typer.Option(min=1, help="Number of constants, half an octave apart.")] = 17,
    budget: Annotated[int, typer.Option(min=1, help="Largest number of trials on a shell.")] = 250,
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
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Lock file to add to.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace constants of this solver in the lock file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout instead of text.")] = False,
) -> int:
    """Measure the constants of the theorem's sample bounds for a solver.

    For a constant C that descends on a grid, instances are drawn with exactly as many samples as the bound asks for, and
    the success probability is certified; the last certified C counts. Exits with 1 when a constant cannot be certified.
    """
    from theory.statistics import calibration as cal
    from theory.statistics.evidence import BinomialTest

    real("top", top, above=0)
    grid = cal.octave_grid(top, steps)
    test = BinomialTest(p0, p1, alpha, beta)
    path = lock or cal.LOCK_FILE
    frozen = None if reference is None else cal.calibrations(reference, path)
    if output is not None and output.exists() and solver in cal.read_lock(output) and not force:
        raise InvalidInput(f"{output}: holds constants of {solver!r} already; --force replaces them")

    def progress(shell: ShellResult) -> None:
        word = "certified" if shell.certified else "too small" if shell.below else "undecided"
        stderr().print(
            f"C = {shell.constant:g}: {shell.successes} of {shell.successes + shell.failures} trials, {word}"
        )

    found = cal.calibrate_theorem(
        solver, grid=grid, test=test, budget=budget, seed=seed, scale=scale, progress=progress
    )
    ratios = {} if frozen is None else {c.name: cal.efficiency(frozen[c.name], c) for c in found if c.name in frozen}
    complete = len(found) == 2 and all(c.value is not None for c in found)
    if output is not None and complete:
        cal.write_lock(output, {solver: found}, overwrite=force)
    if as_json:
        print_json(
            {
                "command": "calibrate",
                "solver": found[0].solver,
                "constants": {c.name: c.value for c in found},
                "calibrations": [c.to_dict() for c in found],
                "efficiency": {name: e._asdict() for name, e in ratios.items()},
                "reference": reference,
                "lock_file": output if complete else None,
            }
        )
    else:
        _print(found, ratios, reference)
        if output is not None:
            stdout().print(
                f"wrote {output}" if complete else f"{output} not written: a constant could not be certified"
            )
    return 0 if complete else 1


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
            "none" if c.value is None else f"{c.value:g}",
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
