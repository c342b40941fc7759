"""Pictures of a recovery map: success, failure modes, iterations, fitted rate, and the duel of two solvers.

Every map is drawn in cell coordinates (cell i spans i ± ½), so that uneven axes stay readable and lines that belong to
values are placed by interpolation. Colours are safe for colour-blind readers and never the only carrier: categories
also have a letter, bands an outline, unfinished cells a second colour for the other bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
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

from lrs.errors import InvalidInput
from phase_diagrams.boundary import Boundary, boundary, boundary_axis, cell_counts
from phase_diagrams.grid import Axis, SweepSpec, Value
from phase_diagrams.overlays import Overlay, margin, parameters_at
from phase_diagrams.table import Trials

WORDS = {
    "m": "samples per task",
    "t": "tasks",
    "d": "dimension",
    "r": "rank of the shared part",
    "k": "non-zeros of the personal part",
    "noise": "noise level σ",
    "zeta": "tasks per coordinate ζ",
    "kappa": "task diversity κ",
    "coherence": "coherence of U",
    "m/d": "samples per task over dimension",
    "k/m": "sparsity over samples per task",
    "b_law": "law of the personal part",
    "x_law": "law of the covariates",
    "duplicates": "repeated tasks",
    "w_spread": "norm spread of w",
    "ragged": "raggedness of the tasks",
}
#: Failure modes, their letter and colour (Okabe–Ito).
MODES = {
    "recovered": ("", "#F0E442"),
    "support": ("S", "#56B4E9"),
    "subspace": ("U", "#0072B2"),
    "weights": ("W", "#009E73"),
    "iteration cap": ("C", "#E69F00"),
    "non-finite": ("N", "#D55E00"),
    "raised": ("R", "#CC79A7"),
    "crashed": ("X", "#000000"),
}
SUBSPACE_TOLERANCE = 1e-3  # sine of the largest angle above which the shared subspace counts as wrong
BAND, LINE = "#FFFFFF", "#FFFFFF"
_STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.titlesize": 11,
    "figure.dpi": 120,
    "savefig.dpi": 150,
    "svg.hashsalt": "lrs-toolkit",
}


def label(name: str) -> str:
    """Axis label: symbol and words."""
    return f"{name}   ({WORDS[name]})" if name in WORDS else name


def slices(spec: SweepSpec) -> list[dict[str, Value]]:
    """Values of the third and further axes, one dictionary a picture."""
    combinations: list[dict[str, Value]] = [{}]
    for axis in spec.axes[2:]:
        combinations = [{**c, axis.name: v} for c in combinations for v in axis.values]
    return combinations


def _select(frame: pd.DataFrame, at: Mapping[str, Value]) -> pd.DataFrame:
    for name, value in at.items():
        frame = frame[frame[name] == value]
    return frame


def _check(trials: Trials, solver: str) -> None:
    if solver not in trials.spec.solvers:
        raise InvalidInput(f"solver: {solver!r} is not in this sweep; it has {', '.join(trials.spec.solvers)}")
    if trials.possible.empty:
        raise InvalidInput("trials: no finished trial in this sweep yet; run or resume it first")


def _position(axis: Axis, values: Any) -> np.ndarray:
    """Cell coordinates of values, linear between neighbours and continued beyond the ends."""
    own = np.asarray(axis.values, dtype=float)
    order = np.argsort(own)
    own, places = own[order], np.arange(len(own), dtype=float)[order]
    values = np.asarray(values, dtype=float)
    if len(own) == 1:
        return np.where(np.isfinite(values), places[0] + np.sign(values - own[0]), values)
    out = np.interp(values, own, places)
    first, last = (places[1] - places[0]) / (own[1] - own[0]), (places[-1] - places[-2]) / (own[-1] - own[-2])
    out = np.where(values < own[0], places[0] + (values - own[0]) * first, out)
    return np.where(values > own[-1], places[-1] + (values - own[-1]) * last, out)


def _values_at(axis: Axis, positions: np.ndarray) -> np.ndarray:
    own = np.asarray(axis.values, dtype=float)
    if len(own) == 1:
        return np.full(positions.shape, own[0])
    inner = np.interp(positions, np.arange(len(own)), own)
    inner = np.where(positions < 0, own[0] + positions * (own[1] - own[0]), inner)
    end = len(own) - 1
    return np.where(positions > end, own[-1] + (positions - end) * (own[-1] - own[-2]), inner)


def _frame_axes(ax: Axes, x: Axis, y: Axis) -> None:
    for axis, set_ticks, set_label, set_limits in (
        (x, ax.set_xticks, ax.set_xlabel, ax.set_xlim),
        (y, ax.set_yticks, ax.set_ylabel, ax.set_ylim),
    ):
        n = len(axis.values)
        step = max(1, -(-n // 16))
        shown = range(0, n, step)
        set_ticks(list(shown), [f"{v:g}" if isinstance(v, int | float) else str(v) for v in axis.values[::step]])
        set_label(label(axis.name))
        set_limits(-0.5, n - 0.5)
    ax.set_aspect("auto")


def _grid(spec: SweepSpec, table: pd.DataFrame, column: str) -> np.ndarray:
    """A column of a per-cell table as an array (y, x)."""
    x, y = spec.axes[0], spec.axes[1]
    out = np.full((len(y.values), len(x.values)), np.nan)
    column_of, row_of = {v: i for i, v in enumerate(x.values)}, {v: i for i, v in enumerate(y.values)}
    for a, b, value in zip(table[x.name], table[y.name], table[column], strict=True):
        out[row_of[b], column_of[a]] = value
    return out


def _mesh(ax: Axes, values: np.ndarray, **options: Any) -> Any:
    rows, columns = values.shape
    return ax.pcolormesh(np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5, values, **options)


def _new(size: tuple[float, float], columns: int = 1) -> tuple[Figure, Any]:
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, columns)


def _two_axes(spec: SweepSpec) -> None:
    if len(spec.axes) < 2:
        raise InvalidInput("plot: this sweep has one axis; only its success curve can be drawn")


def _subtitle(spec: SweepSpec, at: Mapping[str, Value]) -> str:
    return ", ".join(
        f"{n} = {v:g}" if isinstance(v, int | float) else f"{n} = {v}" for n, v in {**spec.fixed, **at}.items()
    )


def _hatch_impossible(ax: Axes, possible: np.ndarray) -> list[Any]:
    for row, column in np.argwhere(~possible):
        ax.add_patch(
            Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor="#DDDDDD", edgecolor="#999999", hatch="///", lw=0)
        )
    return (
        [Patch(facecolor="#DDDDDD", edgecolor="#999999", hatch="///", label="impossible")] if not possible.all() else []
    )


def _legend(ax: Axes, handles: list[Any]) -> None:
    """Below the picture, one line each; the figure grows so that the map keeps its size."""
    figure = ax.get_figure(root=True)
    if handles and figure is not None:
        figure.set_figheight(figure.get_figheight() + 0.19 * len(handles))
        figure.legend(handles=handles, loc="outside lower left", ncol=1, frameon=False, fontsize=9)


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
    """
    spec, solver = trials.spec, solver or trials.spec.solvers[0]
    _check(trials, solver)
    if len(spec.axes) == 1:
        return _success_curve(trials, solver, confidence)
    at = slices(spec)[0] if at is None else dict(at)
    counts = _select(cell_counts(trials, confidence=confidence), at)
    counts = counts[counts["solver"] == solver]
    with mpl.rc_context(_STYLE):
        figure, ax = _new((7.2, 5.4))
        mesh = _mesh(ax, _grid(spec, counts, "rate"), cmap="cividis", norm=Normalize(0, 1), rasterized=False)
        handles = _unfinished(ax, spec, counts) + _numbers(ax, spec, counts)
        handles += _hatch_impossible(ax, _grid(spec, counts, "possible").astype(bool))
        figure.colorbar(mesh, ax=ax, label="share of replicates recovered", pad=0.02)
        if any(a.numeric for a in spec.axes[:2]):
            handles += _boundary_line(ax, spec, boundary(trials, along, confidence=confidence), solver, at)
        handles += _overlay_lines(ax, spec, at, overlays)
        if marked is not None:
            handles += _marks(ax, spec, _select(marked[marked["solver"] == solver], at))
        _frame_axes(ax, spec.axes[0], spec.axes[1])
        ax.set_title(f"Recovery by {solver}\n{_subtitle(spec, at)}")
        _legend(ax, handles)
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
    """n per cell: in the legend when it is the same everywhere, in the cells otherwise."""
    tried = counts[counts["possible"]]
    n = sorted(set(tried["finished"]))
    if len(n) <= 1:
        return [Line2D([], [], ls="none", label=f"n = {n[0] if n else 0} replicates in every cell")]
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
    return [
        Line2D([], [], ls="none", label=f"number in a cell: replicates with a known outcome (n = {n[0]} … {n[-1]})")
    ]


def _boundary_line(ax: Axes, spec: SweepSpec, found: Boundary, solver: str, at: Mapping[str, Value]) -> list[Any]:
    names = [a.name for a in spec.axes[:2]]
    if found.axis not in names:
        return []
    along = spec.axes[names.index(found.axis)]
    other = spec.axes[1 - names.index(found.axis)]
    points = found.of(solver, at)
    place = {v: i for i, v in enumerate(other.values)}
    across = np.array([place[p.at[other.name]] for p in points], dtype=float)
    far = len(along.values) + 1.0
    middle, low, high = (
        np.clip(np.nan_to_num(_position(along, [getattr(p.fit, n) for p in points]), posinf=far, neginf=-far), -1, far)
        for n in ("x50", "lower", "upper")
    )
    low, high = np.minimum(low, high), np.maximum(low, high)
    middle = np.where([np.isfinite(p.fit.x50) for p in points], middle, np.nan)
    # A point stands for its whole row of cells: extend the ends by half a cell.
    if len(across):
        across = np.r_[across[0] - 0.5, across, across[-1] + 0.5]
        middle, low, high = (np.r_[v[0], v, v[-1]] for v in (middle, low, high))
    if along is spec.axes[0]:
        ax.fill_betweenx(across, low, high, facecolor=BAND, alpha=0.35, edgecolor="black", lw=0.6)
        ax.plot(middle, across, color="black", lw=3.2)
        ax.plot(middle, across, color=LINE, lw=1.6)
    else:
        ax.fill_between(across, low, high, facecolor=BAND, alpha=0.35, edgecolor="black", lw=0.6)
        ax.plot(across, middle, color="black", lw=3.2)
        ax.plot(across, middle, color=LINE, lw=1.6)
    text = f"50 % boundary along {found.axis}, with its {100 * found.confidence:g} % band"
    return [Patch(facecolor=BAND, edgecolor="black", label=text)]


def _overlay_lines(ax: Axes, spec: SweepSpec, at: Mapping[str, Value], chosen: Sequence[Overlay]) -> list[Any]:
    x, y = spec.axes[0], spec.axes[1]
    if not chosen:
        return []
    if not (x.numeric and y.numeric):
        raise InvalidInput("overlay: both axes of the picture must take numbers")
    px, py = (np.linspace(-0.5, len(a.values) - 0.5, 12 * len(a.values) + 1) for a in (x, y))
    X, Y = np.meshgrid(_values_at(x, px), _values_at(y, py))
    p = parameters_at(spec, {**at, x.name: X, y.name: Y})
    valid = np.logical_and.reduce([p[n] > 0 for n in ("t", "m", "d")]) & (p["r"] >= 0) & (p["k"] >= 0)
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
    with mpl.rc_context(_STYLE):
        figure, ax = _new((7.2, 5.0))
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
            ax.plot(fine, fit.probability(_values_at(axis, fine)), color="black", lw=1.5, label="fitted curve")
            ends = np.clip(
                np.nan_to_num(_position(axis, [fit.lower, fit.upper]), neginf=-1e3, posinf=1e3), -1, len(axis.values)
            )
            ax.axvspan(*sorted(ends), color="#E69F00", alpha=0.3, label=f"50 % level: {fit.describe(axis.name)}")
        n = sorted(set(counts["finished"]))
        ax.plot([], [], ls="none", label=f"n = {n[0]}" + (f" … {n[-1]}" if len(n) > 1 else "") + " replicates per cell")
        step = max(1, len(axis.values) // 16)
        ax.set_xticks(range(0, len(axis.values), step), [str(v) for v in axis.values[::step]])
        ax.set(
            xlabel=label(axis.name),
            ylabel="share of replicates recovered",
            ylim=(-0.03, 1.03),
            xlim=(-0.5, len(axis.values) - 0.5),
        )
        ax.set_title(f"Recovery by {solver}\n{_subtitle(spec, {})}")
        _legend(ax, ax.get_legend_handles_labels()[0])
    return figure


def failure_modes(frame: pd.DataFrame, tolerance: float = SUBSPACE_TOLERANCE) -> pd.Series:
    """Which part failed, trial by trial: one of the keys of `MODES`.

    A trial that ended without an answer has its outcome; one with a wrong answer is put down to the shared subspace
    when that is off by more than ``tolerance``, else to the supports, else to the weights.
    """
    wrong_support = (frame["support_precision"] < 1) | (frame["support_recall"] < 1)
    part = np.select([frame["subspace_distance"] > tolerance, wrong_support], ["subspace", "support"], "weights")
    answer = frame["outcome"].isin(["not recovered"])
    return pd.Series(np.where(answer, part, frame["outcome"]), index=frame.index, name="mode")


def failure_map(trials: Trials, solver: str | None = None, *, at: Mapping[str, Value] | None = None) -> Figure:
    """The most frequent outcome of every cell, and for failures which part failed (U subspace, S support, W weights)."""
    spec, solver = trials.spec, solver or trials.spec.solvers[0]
    _check(trials, solver)
    _two_axes(spec)
    at = slices(spec)[0] if at is None else dict(at)
    frame = _select(trials.possible, at)
    frame = frame[frame["solver"] == solver]
    modes = list(MODES)
    frame = frame.assign(mode=failure_modes(frame).map(modes.index))
    names = [a.name for a in spec.axes[:2]]
    share = frame.groupby([*names, "mode"], observed=True).size().reset_index(name="count")
    top = share.sort_values(["count", "mode"], ascending=[False, True], kind="stable").drop_duplicates(names)
    values = _grid(spec, top, "mode")
    with mpl.rc_context(_STYLE):
        figure, ax = _new((7.2, 5.4))
        colours = ListedColormap([c for _, c in MODES.values()])
        _mesh(ax, values, cmap=colours, norm=BoundaryNorm(np.arange(len(modes) + 1) - 0.5, len(modes)))
        for row, column in np.argwhere(np.isfinite(values)):
            mode = modes[int(values[row, column])]
            ax.text(column, row, MODES[mode][0], ha="center", va="center", fontsize=8,
                    color="white" if mode in ("subspace", "crashed", "weights") else "black")  # fmt: skip
        handles: list[Any] = [
            Patch(
                facecolor=c,
                edgecolor="#777777",
                label=f"{letter or '(no letter)'}  {mode}"
                + (" wrong" if mode in ("support", "subspace", "weights") else ""),
            )
            for i, (mode, (letter, c)) in enumerate(MODES.items())
            if (values == i).any()
        ]
        cells = _select(cell_counts(trials), at)
        handles += _hatch_impossible(ax, _grid(spec, cells[cells["solver"] == solver], "possible").astype(bool))
        _frame_axes(ax, spec.axes[0], spec.axes[1])
        ax.set_title(f"Most frequent outcome, {solver}\n{_subtitle(spec, at)}")
        _legend(ax, handles)
    return figure


def quantity_map(
    trials: Trials, column: str, solver: str | None = None, *, at: Mapping[str, Value] | None = None
) -> Figure:
    """Median of ``iterations``, ``rate`` (factor per outer step) or an error in every cell.

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
        "theta_error": "Relative error of all parameters (median)",
        "subspace_distance": "Subspace distance (median)",
    }
    if column not in titles:
        raise InvalidInput(f"column: {column!r} has no map; choose from {', '.join(titles)}")
    at = slices(spec)[0] if at is None else dict(at)
    frame = _select(trials.possible, at)
    frame = frame[frame["solver"] == solver]
    values = pd.to_numeric(frame[column], errors="coerce").astype(float)
    if not np.isfinite(values).any():
        hint = "; sweep with --trace to record rates" if column == "rate" else ""
        raise InvalidInput(f"column: no trial has a value of {column}{hint}")
    names = [a.name for a in spec.axes[:2]]
    table = frame.assign(value=values).groupby(names, observed=True)["value"].median().reset_index()
    grid = _grid(spec, table, "value")
    with mpl.rc_context(_STYLE):
        figure, ax = _new((7.2, 5.4))
        positive = grid[np.isfinite(grid) & (grid > 0)]
        norm = (
            Normalize(0, 1)
            if column == "rate"
            else LogNorm(max(positive.min(initial=1), 1e-16), max(positive.max(initial=1), 1e-15) * 1.0001)
        )
        if column == "iterations":
            norm = Normalize(0, float(positive.max(initial=1)))
        mesh = _mesh(ax, grid, cmap="viridis", norm=norm)
        figure.colorbar(mesh, ax=ax, label=titles[column], pad=0.02)
        if boundary_axis(spec).name in names:
            handles = _boundary_line(ax, spec, boundary(trials), solver, at)
        else:
            handles = []
        cells = _select(cell_counts(trials), at)
        handles += _hatch_impossible(ax, _grid(spec, cells[cells["solver"] == solver], "possible").astype(bool))
        _frame_axes(ax, spec.axes[0], spec.axes[1])
        ax.set_title(f"{titles[column].split(' (')[0]}, {solver}\n{_subtitle(spec, at)}")
        _legend(ax, handles)
    return figure


def save(figure: Figure, stem: str | Path) -> tuple[Path, Path]:
    """Write ``stem.png`` and ``stem.svg``; returns both paths."""
    stem = Path(stem)
    paths = (stem.with_name(stem.name + ".png"), stem.with_name(stem.name + ".svg"))
    try:
        with mpl.rc_context(_STYLE):
            figure.savefig(paths[0])
            figure.savefig(paths[1], metadata={"Date": None})  # the same map is the same file
    except OSError as error:
        raise InvalidInput(f"output: {stem} cannot be written ({error.strerror or error})") from None
    return paths
