"""One self-contained HTML page about a sweep: figures inline, tables, violations, specification, environment, hash."""

from __future__ import annotations

import io
import json
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from lrs.core.errors import InvalidInput
from lrs.core.files import write_text
from lrs.core.identity import digest
from lrs.core.page import ON_EITHER, fold, page, text
from phase_diagrams.analysis.boundary import boundary, cell_counts
from phase_diagrams.analysis.duel import duel
from phase_diagrams.analysis.overlays import Promise, drawn, overlays, promise
from phase_diagrams.analysis.scaling import ScalingFit, comparison, fit_scaling
from phase_diagrams.analysis.table import VOLATILE, Trials
from phase_diagrams.draw import plot
from phase_diagrams.draw.canvas import STYLE, select, slices, subtitle

LONGEST_LIST = 20  # violations written out
MOST_SLICES = 6  # values of further axes drawn
_PACKAGES = ("lrs-toolkit", "numpy", "scipy", "numba", "pandas", "matplotlib")


def integrity_hash(trials: Trials) -> str:
    """SHA-256 of what the sweep found: the canonical specification, then every trial's columns but timing and host.

    Two runs of the same sweep have the same hash, however they were interrupted or distributed.
    """
    frame = trials.frame[[c for c in trials.frame.columns if not c.startswith(VOLATILE)]]
    return digest(trials.spec.canonical() + "\n" + frame.to_csv(index=False, lineterminator="\n"))


def report(
    trials: Trials, folder: str, *, constants: Mapping[str, float] | None = None, confidence: float = 0.95
) -> str:
    """The page as text.

    Parameters
    ----------
    trials : Trials
    folder : str
        How the reader's command line calls the sweep; appears in replay lines.
    constants : mapping, optional
        ``C_total`` and ``C_task`` of the theorem's region; default: those frozen for each solver. For a solver without
        constants no violation can be claimed.
    confidence : float

    Raises
    ------
    InvalidInput
        When the sweep holds no finished trial.
    """
    spec = trials.spec
    found = boundary(trials, confidence=confidence) if any(a.numeric for a in spec.axes) else None
    kept = promise(trials, constants)
    axes = " × ".join(a.name for a in spec.axes)
    cells: dict[str, tuple[str, str]] = {}
    parts = [
        f"<h1>Recovery over {text(axes)}</h1>",
        f"<p>{text(_summary(trials))}</p>",
        _violations(kept, folder),
        "<h2>Maps</h2>",
        _at_a_glance(trials, confidence),
        *(_maps(trials, solver, kept, confidence, folder, cells) for solver in spec.solvers),
    ]
    if found is not None:
        table = found.table()[["solver", *found.others, "text", "scale", "trials", "irregular"]]
        table = table.rename(
            columns={
                "text": f"50 % boundary along {found.axis}",
                "scale": "width of the transition",
                "trials": "replicates" if found.nested else "trials",
                "irregular": "non-monotone replicates",
            }
        )
        parts += ["<h2>Boundary</h2>", _table(table), f"<p>{text(_boundary_note(found.nested, confidence))}</p>"]
    parts += _scaling(trials, confidence)
    parts += _duels(trials, confidence)
    parts += [
        "<h2>Specification</h2>",
        fold("the sweep, as its folder holds it", f"<pre>{text(json.dumps(spec.to_dict(), indent=1))}</pre>"),
        "<h2>Environment</h2>",
        fold("versions", _table(pd.DataFrame(_environment(trials), columns=["what", "version"]))),
        "<h2>Integrity</h2>",
        f'<p class="dim">SHA-256 of the specification and of all results but timings: <code>{integrity_hash(trials)}</code>.'
        f" Run the same sweep and <code>lrs report {text(folder)} --hash</code> prints the same line.</p>",
    ]
    parts += [f'<p class="alarm">{text(line)}</p>' for line in trials.torn]
    return page(f"Recovery over {axes}", "\n".join(p for p in parts if p), cells)


def write(text: str, path: str | Path) -> Path:
    """Write a page; an unwritable path is bad input."""
    return write_text(path, text)


# --------------------------------------------------------------------------------------------------------- parts
def _summary(trials: Trials) -> str:
    spec, possible = trials.spec, trials.possible
    outcomes = trials.frame["outcome"].value_counts()
    counted = ", ".join(f"{n} {name}" for name, n in outcomes.items())
    cells = sum(c.spec is not None for c in spec.cells)
    return (
        f"{len(possible)} trials in {cells} possible cells of {len(spec.cells)}, {subtitle(spec, {}) or 'nothing fixed'}; "
        f"solvers {', '.join(spec.solvers)}; {spec.sampling.kind} sampling, seed {spec.seed}. Outcomes: {counted}. "
        f"A trial is recovered when {spec.recovered}."
    )


def _boundary_note(nested: bool, confidence: float) -> str:
    how = (
        "Each replicate is one critical level, known up to a grid step, because its data at m rows are the first m rows "
        "of its data at m + 1."
        if nested
        else "Trials at different levels are independent draws."
    )
    return f"Logistic curve by maximum likelihood, {100 * confidence:g} % profile-likelihood interval. {how}"


def _image(figure: Figure, caption: str, at: str = "") -> str:
    """A picture inside the page; ``at`` goes before the names of its cells, so that they are the only ones on the page."""
    buffer = io.StringIO()
    with mpl.rc_context(STYLE | ON_EITHER):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace('id="cell-', f'id="{at}cell-')
    return f'<figure role="img" aria-label="{text(caption)}">{svg}<figcaption>{text(caption)}</figcaption></figure>'


def _said_of_cells(
    trials: Trials, solver: str, at: Mapping[str, Any], folder: str, confidence: float
) -> dict[int, tuple[str, str]]:
    """What every cell of a map says of itself: where it is, n, interval, outcomes, and the command that replays a trial."""
    spec = trials.spec
    counts = select(cell_counts(trials, confidence=confidence), at)
    frame = trials.possible[trials.possible["solver"] == solver]
    outcomes = {c: part.value_counts() for c, part in frame.groupby("cell", observed=True)["outcome"]}
    first = (
        frame.sort_values(["success", "replicate"], kind="stable")
        .drop_duplicates("cell")
        .set_index("cell")["replicate"]
    )
    said = {}
    for row in counts[counts["solver"] == solver].to_dict("records"):
        cell = int(row["cell"])
        where = ", ".join(f"{a.name} = {row[a.name]}" for a in spec.axes)
        if not row["possible"]:
            said[cell] = (f"{where}: {spec.cells[cell].reason}", "")
        elif not row["finished"]:
            said[cell] = (f"{where}: not tried", "")
        else:
            mix = (
                ", ".join(f"{n} {name}" for name, n in outcomes[cell].items())
                if cell in outcomes
                else "implied by others"
            )
            share = f"{row['recovered']} of {row['finished']} recovered, {100 * confidence:g} % [{row['lower']:.2f}, {row['upper']:.2f}]"
            line = f"lrs replay {folder} {cell} {first[cell]} --solver {solver}" if cell in first.index else ""
            said[cell] = (f"{where}: {share}; run here: {mix}", line)
    return said


def _at_a_glance(trials: Trials, confidence: float) -> str:
    """All maps of the sweep as one panel of small ones; nothing where there is one."""
    spec, cuts = trials.spec, slices(trials.spec)[:MOST_SLICES]
    if len(spec.axes) == 1 or len(spec.solvers) * len(cuts) == 1:
        return ""
    with mpl.rc_context(ON_EITHER):
        figure = plot.small_multiples(trials, cuts, confidence=confidence)
    return _image(figure, f"All of {', '.join(spec.solvers)} at a glance, on one scale; each larger below")


def _maps(
    trials: Trials,
    solver: str,
    kept: Promise,
    confidence: float,
    folder: str,
    cells: dict[str, tuple[str, str]],
) -> str:
    spec, constants = trials.spec, kept.sources[solver]
    figures = []
    cuts = slices(spec)
    for at in cuts[:MOST_SLICES]:
        where = f", {subtitle(spec, at)}"
        drawable = len(spec.axes) > 1 and spec.axes[0].numeric and spec.axes[1].numeric
        names = (["theorem"] if constants.values else []) + list(drawn(spec.of_family))[:2]
        with mpl.rc_context(ON_EITHER):
            figure = plot.success_map(
                trials,
                solver,
                at=at,
                overlays=overlays(names, constants.values, constants.source, spec.of_family) if drawable else (),
                confidence=confidence,
                marked=kept.broken if constants.values else None,
                tapped=True,
            )
        here = f"p{len(cells)}-"
        cells |= {f"{here}cell-{c}": said for c, said in _said_of_cells(trials, solver, at, folder, confidence).items()}
        figures.append(_image(figure, f"Share of replicates recovered by {solver}{where}", here))
        if len(spec.axes) > 1:
            with mpl.rc_context(ON_EITHER):
                figure = plot.failure_map(trials, solver, at=at)
            figures.append(_image(figure, f"What failed, {solver}{where}"))
            for column in ("iterations", "rate"):
                if pd.to_numeric(trials.possible[column], errors="coerce").notna().any():
                    with mpl.rc_context(ON_EITHER):
                        figure = plot.quantity_map(trials, column, solver, at=at)
                    figures.append(_image(figure, f"Median {column}, {solver}{where}"))
    rest = f"<p>{len(cuts) - MOST_SLICES} further slices are in the data.</p>" if len(cuts) > MOST_SLICES else ""
    return f'<h3>{text(solver)}</h3><p class="dim">Point at a cell of the first map, or tap it.</p><div class="row">{"".join(figures)}</div>{rest}'


def _violations(kept: Promise, folder: str) -> str:
    sentence = text(kept.sentence[0].upper() + kept.sentence[1:])
    if not kept.made:
        return f"<p>{sentence} (constants: --constants C_total=…,C_task=…, or lrs calibrate).</p>"
    if kept.broken.empty:
        return f"<p>{sentence}.</p>"
    lines = replay_lines(kept.broken, folder)
    more = f"\n… and {len(lines) - LONGEST_LIST} more" if len(lines) > LONGEST_LIST else ""
    return (
        f'<div class="alarm"><p>{sentence}; the deepest first:</p>'
        f"<pre>{text(chr(10).join(lines[:LONGEST_LIST]))}{more}</pre></div>"
    )


def replay_lines(frame: pd.DataFrame, folder: str) -> list[str]:
    """One command a trial that reruns it."""
    return [
        f"lrs replay {folder} {cell} {replicate} --solver {solver}"
        for cell, replicate, solver in zip(frame["cell"], frame["replicate"], frame["solver"], strict=True)
    ]


def _table(frame: pd.DataFrame) -> str:
    def cell(value: Any) -> str:
        return text(f"{value:.4g}" if isinstance(value, float) else value)

    head = "".join(f"<th>{text(c)}</th>" for c in frame.columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{cell(v)}</td>" for v in row) + "</tr>" for row in frame.itertuples(index=False)
    )
    return f'<div class="scroll"><table class="plain sort"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _scaling(trials: Trials, confidence: float) -> list[str]:
    parts = ["<h2>Scaling</h2>"]
    for solver in trials.spec.solvers:
        try:
            (fit,) = fit_scaling(trials, solvers=[solver], confidence=confidence)
        except InvalidInput as reason:
            parts.append(f"<p>{text(solver)}: no scaling law can be fitted. {text(reason)}.</p>")
            continue
        parts += [
            f"<p>{text(fit.solver)}: {text(fit.formula)}. {text(fit_note(fit))}</p>",
            _table(_exponents(fit)),
            "<ul>"
            + "".join(
                f"<li>{text(e.name)}: {text(v)}</li>"
                for e, v in zip(fit.exponents, comparison(fit)["verdict"], strict=True)
            )
            + "</ul>",
        ]
        with mpl.rc_context(ON_EITHER):
            parts.append(_image(plot.collapse_figure(trials, fit), f"Data collapse, {fit.solver}"))
    return parts


def _exponents(fit: ScalingFit) -> pd.DataFrame:
    """`comparison` with estimate and interval in one column, to fit a narrow page."""
    table = comparison(fit)
    fitted = [f"{e.estimate:.2f} [{e.lower:.2f}, {e.upper:.2f}]" for e in fit.exponents]
    table.insert(1, f"fitted, {100 * fit.confidence:g} %", fitted)
    return table.drop(columns=["estimate", "lower", "upper", "verdict"])


def fit_note(fit: ScalingFit) -> str:
    """What the lack-of-fit test says, in words."""
    if fit.lack_of_fit != fit.lack_of_fit:
        return "Too few configurations, or replicates that all agree: whether the boundary is a power law cannot be tested."
    if fit.lack_of_fit < 0.01:
        return (
            f"The boundary is not a power law (p = {fit.lack_of_fit:.2g}); the exponents are a local summary, their "
            f"intervals widened by a factor {fit.inflation**0.5:.2g}."
        )
    return f"No clear departure from a power law (lack of fit p = {fit.lack_of_fit:.2g})."


def _duels(trials: Trials, confidence: float) -> list[str]:
    solvers = trials.spec.solvers
    parts: list[str] = []
    for other in solvers[1:]:
        try:
            result = duel(trials, solvers[0], other, confidence=confidence)
        except InvalidInput:  # not yet tried on a common instance
            continue
        parts.append(f"<p>{text(result.verdict)}</p>")
        if len(trials.spec.axes) > 1:
            with mpl.rc_context(ON_EITHER):
                figure = plot.duel_map(trials, result)
            parts.append(_image(figure, f"{solvers[0]} against {other}"))
    return ["<h2>Duels</h2>", *parts] if parts else []


def _environment(trials: Trials) -> Iterable[tuple[str, str]]:
    """Versions here, and what the shards say about where they were written, machine names left out."""
    yield "this page: Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    for package in _PACKAGES:
        yield f"this page: {package}", version(package)
    for facts in sorted(
        {json.dumps({k: v for k, v in h.items() if k != "name"}, sort_keys=True) for h in trials.hosts}
    ):
        yield "trials", ", ".join(f"{k} {v}" for k, v in json.loads(facts).items())
