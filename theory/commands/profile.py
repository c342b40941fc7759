"""The verb ``lrs profile``: a proof measured along a run, link by link."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lrs.cli import print_json, stdout
from lrs.commands.progress import shown
from lrs.commands.shared import Json, problem_sentence
from lrs.core import archive
from lrs.core.errors import InvalidInput
from lrs.core.family import family_of, load_family

if TYPE_CHECKING:
    from theory.profile.slack import Profile, Scaling


def register(app: typer.Typer) -> None:
    """Add the verb to the root."""
    app.command(rich_help_panel="Theory")(profile)


def profile(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Instance (.npz) with its truth.")],
    theorem: Annotated[
        str | None,
        typer.Option("--theorem", metavar="NAME", help="Whose proof to measure; default: sparse-vector-lemma."),
    ] = None,
    solver: Annotated[
        str | None,
        typer.Option("--solver", metavar="NAME|MODULE:ATTR", help="In place of the program that the proof is about."),
    ] = None,
    x: Annotated[
        str | None,
        typer.Option(
            "--x", metavar="NAME=V,V", help="Draw instances like FILE's along a size: r=1,2,4. Fits exponents."
        ),
    ] = None,
    replicates: Annotated[int, typer.Option(min=1, help="Instances for every value of --x.")] = 4,
    rounds: Annotated[int, typer.Option(min=1, help="Outer steps.")] = 6,
    failure: Annotated[float, typer.Option(help="Failure probability δ in logarithms.")] = 0.05,
    seed: Annotated[int, typer.Option(min=0, help="Of the instances of --x, and of the solver.")] = 0,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="Draw it (.png, .svg, .pdf).")] = None,
    as_json: Json = False,
) -> int:
    """Measure how much every inequality of a proof loses: left over right side, in every step of a run.

    Exits with 1 when a link that stands on no assumption is broken.
    """
    from lrs.core.files import picture
    from lrs.solver import load_solver
    from theory.profile import slack
    from theory.theorems import load_theorem

    if out is not None:
        picture(out)
    chosen = load_theorem(theorem or "sparse-vector-lemma")
    slack.chain_of(chosen)
    family = load_family(chosen.family)
    instance = archive.read_instance(file, None if theorem is None else family)
    if (own := family_of(instance.problem)).name != family.name:
        raise InvalidInput(
            f"{file}: no proof about {own.title} is written as a chain of links, and lrs profile needs one"
        )
    run = None if solver is None else load_solver(solver)
    options = {"rounds": rounds, "solver": run, "failure": failure}
    found: Profile | Scaling
    if x is None:
        found = slack.profile(chosen, instance, seed=seed, **options)  # type: ignore[arg-type]
        broken = [one.link.name for one in found.broken]
    else:
        if instance.spec is None:
            raise InvalidInput(
                "x: the file does not say how it was drawn, so no other sizes of it can be; leave --x out"
            )
        axis, values = slack.parse_axis(x, family)
        with shown("profile"):
            found = slack.scaling(
                chosen, family, instance.spec, axis, values, replicates=replicates, seed=seed, **options
            )
        broken = list(found.broken)
    if out is not None:
        from theory.profile import pictures

        if isinstance(found, slack.Profile):
            pictures.draw_profile(out, found)
        else:
            pictures.draw_scaling(out, found)
    if as_json:
        print_json({"command": "profile", "file": file, **found.to_dict(), "figure": out})
    else:
        console = stdout()
        console.print(f"{file}: {problem_sentence(instance.problem)}", soft_wrap=True)
        if isinstance(found, slack.Profile):
            _print_profile(found)
        else:
            _print_scaling(found)
        for name, why in slack.chain_of(chosen).missing.items():
            console.print(f"Not in the chain: {name} ({why}).", soft_wrap=True, style="yellow")
        if broken:
            console.print(f"BROKEN: {', '.join(broken)}. The proof or the program is wrong there.", soft_wrap=True)
        if out is not None:
            console.print(f"Figure written to {out}.")
    return 1 if broken else 0


def _figure(value: float) -> str:
    return "–" if not math.isfinite(value) else f"{value:.2g}"


def _print_profile(found: Profile) -> None:
    from rich.table import Table

    table = Table(title=f"{found.theorem.title}: left / right, {found.steps} steps", title_justify="left")
    for name in ("step of the proof", "link", "inequality", "from", "median", "worst (step)", ""):
        table.add_column(name, overflow="fold")
    for one in found.links:
        worst, at = one.worst
        shown = f"{_figure(worst)} ({at})" if math.isfinite(worst) else "–"
        verdict = f"{one.verdict}: {one.link.needs}" if one.verdict == "ASSUMPTION FAILS" else one.verdict
        row = (one.link.part, one.link.name, one.link.symbols, one.link.status.label)
        table.add_row(*row, _figure(one.typical), shown, verdict)
    console = stdout()
    console.print(table)
    loosest = found.loosest
    if loosest is not None:
        console.print(
            f"Most is lost at “{loosest.link.name}”: its right side is {1 / loosest.typical:.3g} times its left (median).",
            soft_wrap=True,
        )


def _print_scaling(found: Scaling) -> None:
    from rich.table import Table

    table = Table(title=f"{found.theorem.title}: exponents in {found.axis}, 95 %", title_justify="left")
    for name in ("step of the proof", "link", "left", "right", "left / right", f"left / right at {found.axis} = "):
        table.add_column(name, overflow="fold")
    for one in found.links:
        exponents = [
            "–" if not math.isfinite(e) else f"{e:+.2f}" + (f" ± {h:.2f}" if math.isfinite(h) else "")
            for e, h in (one.left, one.right, one.ratio)
        ]
        middle = [sorted(v for v in row.tolist() if math.isfinite(v)) for row in one.slack]
        at = ", ".join(
            f"{v}: {_figure(m[len(m) // 2]) if m else '–'}" for v, m in zip(found.values, middle, strict=True)
        )
        table.add_row(one.link.part, one.link.name, *exponents, at)
    stdout().print(table)
