"""Pictures of a recovery map: success, failure modes, iterations, fitted rate, and the duel of two solvers.

Colours are safe for colour-blind readers and never the only carrier: categories also have a letter, bands an outline,
unfinished cells a second colour for the other bound.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import BoundaryNorm, ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Polygon, Rectangle
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullFormatter

from lrs.core.errors import InvalidInput
from lrs.core.family import Family, InParts
from lrs.core.trial import Ended
from phase_diagrams.analysis.boundary import boundary, boundary_axis, cell_counts
from phase_diagrams.analysis.duel import Duel
from phase_diagrams.analysis.overlays import Overlay, margin, parameters_at
from phase_diagrams.analysis.scaling import ScalingFit, critical_levels, references
from phase_diagrams.analysis.table import Trials
from phase_diagrams.draw.canvas import (
    STYLE,
    boundary_line,
    frame_axes,
    grid_of,
    hatch_impossible,
    label,
    legend,
    mesh,
    new_figure,
    position,
    select,
    slices,
    subtitle,
    values_at,
)
from phase_diagrams.sweeps.grid import SweepSpec, Value, ratio_terms

#: Ways to fail without a wrong answer, their letter and colour (Okabe–Ito).
_ENDS = {
    Ended.ITERATION_CAP: ("C", "#E69F00"),
    Ended.NON_FINITE: ("N", "#D55E00"),
    Ended.RAISED: ("R", "#CC79A7"),
    Ended.TIMEOUT: ("T", "#999999"),
    Ended.CRASHED: ("X", "#000000"),
}
#: Small maps beside one another.
SMALL_COLUMNS = 4
_PART_COLOURS = ("#56B4E9", "#0072B2", "#009E73", "#882255", "#44AA99")


def failure_modes_of(family: Family) -> dict[str, tuple[str, str]]:
    """What the outcome of a cell can be: recovered, a part that is wrong, or another end; with letter and colour."""
    parts = family.parts if isinstance(family, InParts) else {Ended.NOT_RECOVERED.value: "–"}
    colours = itertools.cycle(_PART_COLOURS)
    wrong = {part: (letter, next(colours)) for part, letter in parts.items()}
    return {Ended.RECOVERED.value: ("", "#F0E442"), **wrong, **{end.value: look for end, look in _ENDS.items()}}


def _check(trials: Trials, solver: str) -> None:
    if solver not in trials.spec.solvers:
        raise InvalidInput(f"solver: {solver!r} is not in this sweep; it has {', '.join(trials.spec.solvers)}")
    if trials.possible.empty:
        raise InvalidInput("trials: no finished trial in this sweep yet; run or resume it first")


def _two_axes(spec: SweepSpec) -> None:
    if len(spec.axes) < 2:
        raise InvalidInput("plot: this sweep has one axis; only its success curve can be drawn")


# ------------------------------------------------------------------------------------------------------ the maps
def success_map(
    trials: Trials,
    solver: str | None = None,
    *,
    at: Mapping[str, Value] | None = None,
    overlays: Sequence[Overlay] = (),
    along: str | None = None,
    confidence: float = 0.95,
    marked: pd.DataFrame | None = None,
    tapped: bool = False,
) -> Figure:
    """Empirical success with the 50 % boundary, its band and yardsticks.

    Parameters
    ----------
    trials : Trials
    solver : str, optional
        Default: the first.
    at : mapping, optional
        Values of the third and further axes; default their first.
    overlays : sequence of Overlay
    along : str, optional
        Axis of the boundary.
    confidence : float
    marked : pandas.DataFrame, optional
        Trials whose cells get a cross (violations).
    tapped : bool
        Name every cell in the SVG (``cell-7``), so that a page can say more of it.
    """
    spec, solver = trials.spec, solver or trials.spec.solvers[0]
    _check(trials, solver)
    if len(spec.axes) == 1:
        return _success_curve(trials, solver, confidence)
    at = slices(spec)[0] if at is None else dict(at)
    counts = select(cell_counts(trials, confidence=confidence), at)
    counts = counts[counts["solver"] == solver]
    with mpl.rc_context(STYLE):
        figure, ax = new_figure((7.2, 5.4))
        image = mesh(ax, grid_of(spec, counts, "rate"), cmap="cividis", norm=Normalize(0, 1), rasterized=False)
        handles = _unfinished(ax, spec, counts) + _numbers(ax, spec, counts)
        handles += hatch_impossible(ax, grid_of(spec, counts, "possible").astype(bool))
        figure.colorbar(image, ax=ax, label="share of replicates recovered", pad=0.02)
        if any(a.numeric for a in spec.axes[:2]):
            handles += boundary_line(ax, spec, boundary(trials, along, confidence=confidence), solver, at)
        handles += _overlay_lines(ax, spec, at, overlays)
        if marked is not None:
            handles += _marks(ax, spec, select(marked[marked["solver"] == solver], at))
        frame_axes(ax, spec)
        if tapped:
            for at_x, at_y, cell in zip(
                *(counts[a.name].map(list(a.values).index) for a in spec.axes[:2]), counts["cell"], strict=True
            ):
                ax.add_patch(Rectangle((at_x - 0.5, at_y - 0.5), 1, 1, alpha=0, lw=0, zorder=9, gid=f"cell-{cell}"))
        ax.set_title(f"Recovery by {solver}\n{subtitle(spec, at)}")
        legend(ax, handles)
    return figure


def small_multiples(trials: Trials, at: Sequence[Mapping[str, Value]], *, confidence: float = 0.95) -> Figure:
    """Every solver in every slice on one pair of axes and one colour scale, with the 50 % boundary and nothing else.

    Parameters
    ----------
    trials : Trials
        Of at least two axes.
    at : sequence of mappings
        The slices: values of the third and further axes. One solver is a row; with one slice the solvers follow one another.
    confidence : float
    """
    spec = trials.spec
    counts = cell_counts(trials, confidence=confidence)
    found = boundary(trials, confidence=confidence) if any(a.numeric for a in spec.axes[:2]) else None
    maps = [(solver, cut) for solver in spec.solvers for cut in at]
    columns = len(at) if len(at) > 1 else min(len(maps), SMALL_COLUMNS)
    rows = -(-len(maps) // columns)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(2.3 * columns + 1.2, 2.1 * rows + 0.5), layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for ax, (solver, cut) in zip(grid.flat, maps, strict=False):
            table = select(counts[counts["solver"] == solver], cut)
            image = mesh(ax, grid_of(spec, table, "rate"), cmap="cividis", norm=Normalize(0, 1))
            hatch_impossible(ax, grid_of(spec, table, "possible").astype(bool))
            if found is not None:
                boundary_line(ax, spec, found, solver, cut)
            frame_axes(ax, spec)
            ax.set(xlabel="", ylabel="")
            ax.tick_params(labelsize=7)
            ax.set_title("\n".join([solver, *(f"{n} = {v}" for n, v in cut.items())]), fontsize=8)
        for ax in grid.flat[len(maps) :]:
            ax.set_visible(False)
        figure.supxlabel(label(spec.axes[0].name, spec), fontsize=9)
        figure.supylabel(label(spec.axes[1].name, spec), fontsize=9)
        figure.colorbar(image, ax=grid, label="share of replicates recovered", pad=0.02)
    return figure


def _unfinished(ax: Axes, spec: SweepSpec, counts: pd.DataFrame) -> list[Any]:
    """Two triangles for a cell with unfinished replicates: if they all fail (below), if they all succeed (above)."""
    open_cells = counts[counts["possible"] & (counts["finished"] < counts["scheduled"])]
    colours = mpl.colormaps["cividis"]
    place = [{v: i for i, v in enumerate(a.values)} for a in spec.axes[:2]]
    for _, cell in open_cells.iterrows():
        i, j = (place[n][cell[spec.axes[n].name]] for n in (0, 1))
        corners = {"least": [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5)], "most": [(-0.5, -0.5), (-0.5, 0.5), (0.5, 0.5)]}
        for bound, shape in corners.items():
            points = [(i + a, j + b) for a, b in shape]
            ax.add_patch(Polygon(points, closed=True, facecolor=colours(cell[bound]), edgecolor="none"))
    if open_cells.empty:
        return []
    return [
        Patch(
            facecolor="none",
            edgecolor="#777777",
            label="split cell: unfinished replicates count as failures (lower right) or successes (upper left)",
        )
    ]


def _numbers(ax: Axes, spec: SweepSpec, counts: pd.DataFrame) -> list[Any]:
    """n per cell: in the legend when it is the same in most cells, in the others otherwise."""
    tried = counts[counts["possible"]]
    n = sorted(set(tried["finished"]))
    if len(n) <= 1:
        return [Line2D([], [], ls="none", label=f"n = {n[0] if n else 0} replicates in every cell")]
    usual = int(tried["finished"].mode().iloc[0])
    if (tried["finished"] == usual).mean() > 0.5:
        tried = tried[tried["finished"] != usual]
        text = f"n = {usual} replicates, but for cells with a number of their own"
    else:
        text = f"number in a cell: replicates with a known outcome (n = {n[0]} … {n[-1]})"
    if len(tried) > 600:
        return [Line2D([], [], ls="none", label=f"n = {n[0]} … {n[-1]} replicates per cell")]
    place = [{v: i for i, v in enumerate(a.values)} for a in spec.axes[:2]]
    size = 7 if len(tried) < 250 else 5
    for _, cell in tried.iterrows():
        rate = cell["rate"] if cell["rate"] == cell["rate"] else 1.0
        i, j = (place[q][cell[spec.axes[q].name]] for q in (0, 1))
        ax.text(
            i,
            j,
            str(cell["finished"]),
            ha="center",
            va="center",
            fontsize=size,
            color="white" if rate < 0.55 else "black",
        )
    return [Line2D([], [], ls="none", label=text)]


def _overlay_lines(ax: Axes, spec: SweepSpec, at: Mapping[str, Value], chosen: Sequence[Overlay]) -> list[Any]:
    x, y = spec.axes[0], spec.axes[1]
    if not chosen:
        return []
    if not (x.numeric and y.numeric):
        raise InvalidInput("overlay: both axes of the picture must take numbers")
    px, py = (np.linspace(-0.5, len(a.values) - 0.5, 12 * len(a.values) + 1) for a in (x, y))
    X, Y = np.meshgrid(values_at(x, px), values_at(y, py))
    p = parameters_at(spec, {**at, x.name: X, y.name: Y})
    # Half a cell beyond the grid a size may be negative; it may be 0 where it is 0 in a cell.
    zero = {
        n for n in ratio_terms(spec.of_family) if any(c.spec is not None and c.parameters[n] == 0 for c in spec.cells)
    }
    valid = np.logical_and.reduce([(v >= 0) if n in zero else (v > 0) for n, v in p.items()])
    p = {n: np.where(valid, v, 1.0) for n, v in p.items()}
    handles = []
    for overlay in chosen:
        values = np.where(valid, np.clip(margin(overlay, p), -50, 50), np.nan)
        inside = np.nanmin(values) < 0 < np.nanmax(values)
        name = overlay.label if inside else f"{overlay.label} (outside this picture)"
        handles.append(Line2D([], [], color=overlay.colour, ls=overlay.dashes, lw=2, label=name))
        if inside:
            # A white casing keeps every line readable on both ends of the colour scale.
            ax.contour(px, py, values, levels=[0], colors="white", linewidths=4)
            ax.contour(px, py, values, levels=[0], colors=[overlay.colour], linestyles=[overlay.dashes], linewidths=2)
    return handles


def _marks(ax: Axes, spec: SweepSpec, marked: pd.DataFrame) -> list[Any]:
    if marked.empty:
        return []
    place = [{v: i for i, v in enumerate(a.values)} for a in spec.axes[:2]]
    cells = marked.drop_duplicates([a.name for a in spec.axes[:2]])
    at = [[place[n][v] for v in cells[spec.axes[n].name]] for n in (0, 1)]
    ax.plot(*at, ls="none", marker="X", ms=9, mfc="#D55E00", mec="white", mew=1.2)
    text = "violation: inside the theorem's region, yet not recovered"
    return [Line2D([], [], ls="none", marker="X", ms=9, mfc="#D55E00", mec="black", label=text)]


def _success_curve(trials: Trials, solver: str, confidence: float) -> Figure:
    spec, axis = trials.spec, trials.spec.axes[0]
    counts = cell_counts(trials, confidence=confidence)
    counts = counts[(counts["solver"] == solver) & counts["possible"] & (counts["finished"] > 0)]
    with mpl.rc_context(STYLE):
        figure, ax = new_figure((7.2, 5.0))
        place = {v: i for i, v in enumerate(axis.values)}
        at = np.array([place[v] for v in counts[axis.name]], dtype=float)
        rate = counts["rate"].to_numpy(float)
        bars = np.clip([rate - counts["lower"], counts["upper"] - rate], 0, None)
        ax.errorbar(
            at,
            rate,
            yerr=bars,
            fmt="o",
            color="#0072B2",
            capsize=3,
            label=f"share recovered, exact {100 * confidence:g} % interval",
        )
        if axis.numeric:
            found = boundary(trials, axis.name, confidence=confidence)
            fit = found.of(solver)[0].fit
            fine = np.linspace(-0.5, len(axis.values) - 0.5, 400)
            ax.plot(fine, fit.probability(values_at(axis, fine)), color="black", lw=1.5, label="fitted curve")
            ends = np.clip(
                np.nan_to_num(position(axis, [fit.lower, fit.upper]), neginf=-1e3, posinf=1e3), -1, len(axis.values)
            )
            ax.axvspan(*sorted(ends), color="#E69F00", alpha=0.3, label=f"50 % level: {fit.describe(axis.name)}")
        n = sorted(set(counts["finished"]))
        ax.plot([], [], ls="none", label=f"n = {n[0]}" + (f" … {n[-1]}" if len(n) > 1 else "") + " replicates per cell")
        step = max(1, len(axis.values) // 16)
        ax.set_xticks(range(0, len(axis.values), step), [str(v) for v in axis.values[::step]])
        ax.set(
            xlabel=label(axis.name, spec),
            ylabel="share of replicates recovered",
            ylim=(-0.03, 1.03),
            xlim=(-0.5, len(axis.values) - 0.5),
        )
        ax.set_title(f"Recovery by {solver}\n{subtitle(spec, {})}")
        legend(ax, ax.get_legend_handles_labels()[0])
    return figure


def failure_modes(frame: pd.DataFrame, family: Family) -> pd.Series:
    """Which part failed, trial by trial: one of the keys of `failure_modes_of`.

    A trial that ended without an answer has its outcome; one with a wrong answer is put down to the part that the family
    names, where its answers have parts.
    """
    modes = frame["outcome"].astype(object)
    if isinstance(family, InParts):
        wrong = frame["outcome"] == Ended.NOT_RECOVERED.value
        names = list(family.errors_of)
        errors = frame.loc[wrong, names].to_numpy(float).tolist()
        modes[wrong] = [family.wrong_part(dict(zip(names, values, strict=True))) for values in errors]
    return modes.rename("mode")


def failure_map(trials: Trials, solver: str | None = None, *, at: Mapping[str, Value] | None = None) -> Figure:
    """The most frequent outcome of every cell, and for failures which part failed, where the answers of the family have parts."""
    spec, solver = trials.spec, solver or trials.spec.solvers[0]
    _check(trials, solver)
    _two_axes(spec)
    at = slices(spec)[0] if at is None else dict(at)
    frame = select(trials.possible, at)
    frame = frame[frame["solver"] == solver]
    known = failure_modes_of(spec.of_family)
    modes = list(known)
    frame = frame.assign(mode=failure_modes(frame, spec.of_family).map(modes.index))
    names = [a.name for a in spec.axes[:2]]
    share = frame.groupby([*names, "mode"], observed=True).size().reset_index(name="count")
    top = share.sort_values(["count", "mode"], ascending=[False, True], kind="stable").drop_duplicates(names)
    values = grid_of(spec, top, "mode")
    with mpl.rc_context(STYLE):
        figure, ax = new_figure((7.2, 5.4))
        colours = ListedColormap([c for _, c in known.values()])
        mesh(ax, values, cmap=colours, norm=BoundaryNorm(np.arange(len(modes) + 1) - 0.5, len(modes)))
        for row, column in np.argwhere(np.isfinite(values)):
            mode = modes[int(values[row, column])]
            ax.text(column, row, known[mode][0], ha="center", va="center", fontsize=8,
                    color="white" if known[mode][1] in ("#0072B2", "#000000", "#009E73", "#882255") else "black")  # fmt: skip
        handles: list[Any] = [
            Patch(
                facecolor=c,
                edgecolor="#777777",
                label=f"{letter or '(no letter)'}  {mode}" + ("" if mode in set(Ended) else " wrong"),
            )
            for i, (mode, (letter, c)) in enumerate(known.items())
            if (values == i).any()
        ]
        cells = select(cell_counts(trials), at)
        handles += hatch_impossible(ax, grid_of(spec, cells[cells["solver"] == solver], "possible").astype(bool))
        frame_axes(ax, spec)
        ax.set_title(f"Most frequent outcome, {solver}\n{subtitle(spec, at)}")
        legend(ax, handles)
    return figure


def quantity_map(
    trials: Trials,
    column: str,
    solver: str | None = None,
    *,
    at: Mapping[str, Value] | None = None,
    overlays: Sequence[Overlay] = (),
) -> Figure:
    """Median of ``iterations``, ``rate`` (factor per outer step) or an error in every cell, with yardsticks.

    Raises
    ------
    InvalidInput
        When the column is unknown or empty (``rate`` needs a sweep that traces).
    """
    spec, solver = trials.spec, solver or trials.spec.solvers[0]
    _check(trials, solver)
    _two_axes(spec)
    titles = {
        "iterations": "Outer iterations (median)",
        "rate": "Fitted rate: error per outer step (median; 1 = no progress)",
        **{name: f"{words[0].upper()}{words[1:]} (median)" for name, words in spec.of_family.errors_of.items()},
    }
    if column not in titles:
        raise InvalidInput(f"column: {column!r} has no map; choose from {', '.join(titles)}")
    at = slices(spec)[0] if at is None else dict(at)
    frame = select(trials.possible, at)
    frame = frame[frame["solver"] == solver]
    values = pd.to_numeric(frame[column], errors="coerce").astype(float)
    if not np.isfinite(values).any():
        hint = "; sweep with --trace to record rates" if column == "rate" else ""
        raise InvalidInput(f"column: no trial has a value of {column}{hint}")
    names = [a.name for a in spec.axes[:2]]
    table = frame.assign(value=values).groupby(names, observed=True)["value"].median().reset_index()
    grid = grid_of(spec, table, "value")
    with mpl.rc_context(STYLE):
        figure, ax = new_figure((7.2, 5.4))
        positive = grid[np.isfinite(grid) & (grid > 0)]
        norm = (
            Normalize(0, 1)
            if column == "rate"
            else LogNorm(max(positive.min(initial=1), 1e-16), max(positive.max(initial=1), 1e-15) * 1.0001)
        )
        if column == "iterations":
            norm = Normalize(0, float(positive.max(initial=1)))
        image = mesh(ax, grid, cmap="viridis", norm=norm)
        figure.colorbar(image, ax=ax, label=titles[column], pad=0.02)
        if any(a.numeric for a in spec.axes) and boundary_axis(spec).name in names:
            handles = boundary_line(ax, spec, boundary(trials), solver, at)
        else:
            handles = []
        handles += _overlay_lines(ax, spec, at, overlays)
        cells = select(cell_counts(trials), at)
        handles += hatch_impossible(ax, grid_of(spec, cells[cells["solver"] == solver], "possible").astype(bool))
        frame_axes(ax, spec)
        ax.set_title(f"{titles[column].split(' (')[0]}, {solver}\n{subtitle(spec, at)}")
        legend(ax, handles)
    return figure


def duel_map(trials: Trials, result: Duel, *, at: Mapping[str, Value] | None = None) -> Figure:
    """Where A recovers and B does not, and the reverse; a letter marks cells that differ after error control."""
    spec = trials.spec
    _two_axes(spec)
    at = slices(spec)[0] if at is None else dict(at)
    cells = select(result.cells, at)
    with mpl.rc_context(STYLE):
        figure, ax = new_figure((7.2, 5.4))
        image = mesh(ax, grid_of(spec, cells, "difference"), cmap="PuOr", norm=Normalize(-1, 1))
        bar = figure.colorbar(image, ax=ax, pad=0.02)
        bar.set_label(f"share only {result.a} recovers − share only {result.b} recovers", fontsize=9)
        place = [{v: i for i, v in enumerate(a.values)} for a in spec.axes[:2]]
        for _, cell in select(result.discoveries, at).iterrows():
            i, j = (place[n][cell[spec.axes[n].name]] for n in (0, 1))
            ax.text(i, j, "A" if cell["difference"] > 0 else "B", ha="center", va="center", fontsize=8, color="white")
        handles: list[Any] = []
        found = boundary(trials, result.axis, confidence=result.confidence)
        for solver, style in ((result.a, "-"), (result.b, "--")):
            if boundary_line(ax, spec, found, solver, at, dashes=style):
                text = f"50 % boundary of {solver} along {result.axis}, with its {100 * result.confidence:g} % band"
                handles.append(Line2D([], [], color="black", ls=style, lw=2, label=text))
        if cells["difference"].isna().any() or len(cells) < len(spec.x.values) * len(spec.axes[1].values):
            handles.append(Line2D([], [], ls="none", label="white: no instance that both were run on"))
        handles.append(
            Line2D([], [], ls="none", label=f"A / B: differs at false-discovery rate {result.rate:g} (exact McNemar)")
        )
        frame_axes(ax, spec)
        ax.set_title(f"A = {result.a} against B = {result.b}\n{subtitle(spec, at)}")
        legend(ax, handles)
    return figure


def collapse_figure(sweeps: Trials | Sequence[Trials], fit: ScalingFit) -> Figure:
    """Success of every configuration against m in three units: the counting limit, n₀/t, and the fitted law.

    Where a unit explains the boundary, the curves fall on one another. The number in each title is the spread of
    ln(m₅₀ / unit) over the configurations (standard deviation).
    """
    sweeps = [sweeps] if isinstance(sweeps, Trials) else list(sweeps)
    levels, spec = critical_levels(sweeps), sweeps[0].spec
    levels = levels[levels["solver"] == fit.solver]
    units = {**references(fit), "fitted law": fit.points["law"].to_numpy(float)}
    names = [e.name for e in fit.exponents]
    shade = names[0]
    colours, norm = mpl.colormaps["cividis"], Normalize(fit.points[shade].min(), fit.points[shade].max())
    x50 = fit.points["x50"].to_numpy(float)
    with mpl.rc_context(STYLE):
        figure, panels = new_figure((11.5, 4.4), len(units))
        for ax, (title, unit) in zip(panels, units.items(), strict=True):
            for i, (_, point) in enumerate(fit.points.iterrows()):
                rows = levels[np.logical_and.reduce([levels[n] == point[n] for n in names])]
                ends = np.unique(np.r_[rows["lower"], rows["upper"]])
                ends = ends[(ends > 0) & np.isfinite(ends)]
                share = [
                    ((rows["upper"] <= m).sum() + 0.5 * ((rows["lower"] < m) & (rows["upper"] > m)).sum()) / len(rows)
                    for m in ends
                ]
                ax.plot(ends / unit[i], share, ".-", lw=0.9, ms=4, color=colours(norm(point[shade])), alpha=0.8)
            found = np.isfinite(x50) & (x50 > 0)
            spread = float(np.std(np.log(x50[found] / unit[found]))) if found.any() else float("nan")
            ax.set_xscale("log")
            low, high = ax.get_xlim()
            ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)) if high > 10 * low else MaxNLocator(5))
            ax.xaxis.set_major_formatter(FormatStrFormatter("%g"))
            ax.xaxis.set_minor_formatter(NullFormatter())
            ax.axhline(0.5, color="#777777", lw=0.8, ls=":")
            ax.set(xlabel=f"{fit.along} / ({title})", ylim=(-0.03, 1.03))
            ax.set_title(f"spread of ln {fit.along}₅₀: {spread:.2f}")
        panels[0].set_ylabel("share of replicates recovered")
        figure.colorbar(mpl.cm.ScalarMappable(norm, colours), ax=panels[-1], label=label(shade, spec))
        figure.suptitle(f"Data collapse, {fit.solver}: {len(fit.points)} configurations of {', '.join(names)}")
    return figure
