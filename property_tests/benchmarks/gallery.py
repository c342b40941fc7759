"""Regenerates the gallery of the documentation: every map with the commands that draw it.

``python -m property_tests.benchmarks.gallery FOLDER`` runs the sweeps (or goes on with them), draws the pictures and writes
``gallery.md`` beside them. Every step is a command line that a reader can type; nothing here computes anything itself.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lrs import cli
from lrs.core.errors import InvalidInput

SWEEPS, PICTURES = "gallery-sweeps", "docs/phase_diagrams/gallery"  # folders as the page names them
BASE = "d=40,r=2,t=60,k=3"
# Levels of m: fine where the practical preset changes, with octaves up to where the paper's preset does.
ROWS = "4,6,8,10,12,14,16,18,20,22,24,28,32,36,40,48,56,64,80,96,112,128,160,192"
FINE = "4:40:2"
ALL = ("amht", "amht-paper", "altmin", "iht")


@dataclass(frozen=True)
class Entry:
    """One picture or table of the gallery.

    Attributes
    ----------
    name : str
        Stem of its files and folder of its sweep.
    title, story : str
        What it shows, in words.
    sweep : str
        Arguments of ``lrs sweep`` but for ``--out``; empty when it reads other entries' sweeps.
    look : tuple of str
        Commands that read sweeps, ``{name}`` standing for the folder of that entry's sweep and ``{out}`` for the folder
        of the pictures.
    pictures : tuple of str
        Files (without .png) to show.
    """

    name: str
    title: str
    story: str
    sweep: str = ""
    look: tuple[str, ...] = ()
    pictures: tuple[str, ...] = field(default=())


def _map(
    name: str,
    axis: str,
    values: str,
    title: str,
    story: str,
    *,
    m: str = ROWS,
    fixed: str = BASE,
    solvers: Sequence[str] = ("amht",),
    pictures: Sequence[str] | None = None,
    options: str = "",
    overlay: str = "theorem,counting,l1-known-u",
    replicates: int = 6,
) -> Entry:
    """A map of m against one other axis, bisected along m, with its boundary as a table."""
    held = ",".join(p for p in fixed.split(",") if p.partition("=")[0] != axis)
    run_by = " ".join(f"--solver {s}" for s in solvers)
    sweep = f"--x m={m} --y {axis}={values} --fixed {held} --nested m --replicates {replicates} {run_by} {options}"
    shown = solvers if pictures is None else pictures
    only = "" if tuple(shown) == tuple(solvers) else "".join(f" --solver {s}" for s in shown)
    lines = f" --overlay {overlay}" if overlay else ""
    return Entry(
        name,
        title,
        story,
        sweep.strip(),
        (
            f"lrs plot {{{name}}} --what success{lines}{only} --out {{out}}/{name}",
            f"lrs boundary {{{name}}}",
        ),
        tuple(f"{name}/success-{s}" for s in shown),
    )


def entries() -> tuple[Entry, ...]:
    """The gallery, in the order of the page."""
    both = ALL[:2]
    maps = (
        _map(
            "m-k", "k", "1,2,3,4,6,8", "Samples per task against sparsity",
            "Four solvers on the same data: the practical preset, the paper's preset with data-driven thresholds, low "
            "rank only (no personal part) and sparse only (no shared part).", solvers=ALL, pictures=both,
        ),
        _map(
            "m-r", "r", "1:5", "Samples per task against rank",
            "The theorem's bounds grow like r³ per task and r⁴ in total.", solvers=ALL, pictures=both,
        ),
        _map(
            "m-t", "t", "15,30,60,120", "Samples per task against tasks",
            "More tasks share the cost of the subspace; in the end only a task's own r + k unknowns are left to pay for.",
            solvers=ALL, pictures=both,
        ),
        _map(
            "m-d", "d", "20,30,40,60,80", "Samples per task against dimension",
            "The theorem's bound on all samples together is linear in d.", solvers=both,
        ),
        _map(
            "plain", "r", "1:5", "No personal part",
            "k = 0, the one case in which low rank only is the right model.", m=FINE, fixed="d=40,t=60,k=0",
            solvers=("amht", "altmin"), pictures=("amht", "altmin"), overlay="counting",
        ),
        _map(
            "alone", "k", "1,2,3,4,6,8", "No shared part",
            "r = 0, the one case in which sparse only is the right model.", m=FINE, fixed="d=40,t=60,r=0",
            solvers=("amht", "iht"), pictures=("amht", "iht"), overlay="counting",
        ),
    )  # fmt: skip
    zeta, coherence = "5,15,30,36,45,60", "0,0.5,0.8,0.95,0.99,1"
    walls = (
        _map("zeta", "zeta", zeta, "The ζ wall: all parameters", "Supports confined to few coordinates, each used by up to ζ "
             "of the 60 tasks: there the personal parts look like a shared one. At ζ = 60 all tasks use the same three "
             "coordinates; their rows of U are then invisible, but the parameters, sums of both parts, are not.",
             m=FINE, overlay=""),
        _map("zeta-parts", "zeta", zeta, "The ζ wall: both parts", "The same data; success asks for the subspace and the "
             "supports as well. A coordinate that more than t − r tasks use hides its row of U, whatever m is.",
             m=FINE, overlay="", options="--success parts"),
        _map("coherence", "coherence", coherence, "The incoherence wall: all parameters", "The first row of U takes up to "
             "all of one direction; at 1 that direction is itself sparse, and which part it belongs to cannot be told.",
             m=FINE, overlay=""),
        _map("coherence-parts", "coherence", coherence, "The incoherence wall: both parts", "The same data; success asks for "
             "the subspace and the supports as well.", m=FINE, overlay="", options="--success parts"),
        _map("noise", "noise", "0.01,0.03,0.1,0.3", "Noise", "Success here is a relative error of all parameters of "
             "at most 0.05.", m=ROWS, options="--success theta --tolerance 0.05", overlay=""),
    )  # fmt: skip
    scaling = Entry(
        "scaling",
        "Which exponents does the boundary have?",
        "All sweeps together: the fitted exponents beside the theorem's, the counting limit's and those of n₀/t on the "
        "same configurations; then the data collapse in units of each.",
        look=("lrs scaling {m-k} {m-r} {m-t} {m-d} --out {out}/scaling",),
        pictures=tuple(f"scaling-{s}" for s in both),
    )
    duel = Entry(
        "duel",
        "Practical against paper preset",
        "Where the two presets differ on the same data, and by how much the boundary moves.",
        look=("lrs duel amht amht-paper --in {m-k} --timing 7 --out {out}/duel",),
        pictures=("duel",),
    )
    return (*maps, scaling, duel, *walls)


def commands(entry: Entry, data: str, out: str) -> list[str]:
    """The command lines of an entry, with sweeps under ``data`` and pictures under ``out``."""
    lines = [f"lrs sweep {entry.sweep} --out {data}/{entry.name}"] if entry.sweep else []
    places = {e.name: f"{data}/{e.name}" for e in entries()}
    return lines + [line.format(out=out, **places) for line in entry.look]


def run(command: str) -> str:
    """Run one command line in this process and return what it printed; a failure is bad input."""
    printed = io.StringIO()
    arguments = shlex.split(command)[1:]
    with contextlib.redirect_stdout(printed):
        code = cli.run(arguments)
    if code:
        raise InvalidInput(f"gallery: {command!r} ended with code {code}")
    return printed.getvalue()


def page(texts: dict[str, list[tuple[str, str]]]) -> str:
    """The gallery as Markdown: story, commands, what they printed, pictures."""
    parts = [
        "# Gallery\n",
        f"Written by `python -m property_tests.benchmarks.gallery {PICTURES}`; every figure below is drawn by the "
        "commands above it. Sweeps bisect every replicate along m (`--nested m`), so a cell shows what the replicates' "
        "critical levels imply.\n",
    ]
    for entry in entries():
        if entry.name not in texts:
            continue
        parts.append(f"## {entry.title}\n\n{entry.story}\n")
        parts.append("```console\n" + "\n".join(f"$ {command}" for command, _ in texts[entry.name]) + "\n```\n")
        for command, printed in texts[entry.name]:
            shown = "\n".join(line.rstrip() for line in printed.splitlines() if not line.startswith("wrote "))
            if shown.strip() and not command.startswith(("lrs sweep", "lrs plot")):
                parts.append(f"```text\n{shown.strip()}\n```\n")
        parts += [f"![{entry.title}: {Path(p).name}](gallery/{p}.png)\n" for p in entry.pictures]
    return "\n".join(parts)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``python -m property_tests.benchmarks.gallery``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the pictures go; gallery.md is written beside it")
    parser.add_argument("--sweeps", default=SWEEPS, help="folder of the sweeps (resumed when it exists)")
    parser.add_argument("--only", nargs="*", help="names of entries")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args(arguments)
    known = [e.name for e in entries()]
    for name in options.only or ():
        if name not in known:
            parser.error(f"--only: no entry {name!r}; known are {', '.join(known)}")
    options.folder.mkdir(parents=True, exist_ok=True)
    texts: dict[str, list[tuple[str, str]]] = {}
    for entry in entries():
        if options.only and entry.name not in options.only:
            continue
        texts[entry.name] = []
        shown = commands(entry, SWEEPS, PICTURES)
        for command, line in zip(commands(entry, options.sweeps, str(options.folder)), shown, strict=True):
            extra = f" --jobs {options.jobs}" if command.startswith("lrs sweep") else ""
            # What is printed names the folders as the page does, not as this machine does.
            printed = run(command + extra).replace(str(options.folder), PICTURES).replace(options.sweeps, SWEEPS)
            texts[entry.name].append((line, printed))
        for picture in options.folder.rglob("*.svg"):  # the page shows the PNG; the commands give both
            picture.unlink()
    if not options.only:
        (options.folder.parent / "gallery.md").write_text(page(texts), encoding="utf-8")
        for folder in options.folder.iterdir():
            if folder.is_dir() and not any(folder.iterdir()):
                shutil.rmtree(folder)


if __name__ == "__main__":
    main()
