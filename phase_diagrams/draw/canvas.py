"""What all maps share: cell coordinates, axes in words, impossible cells, the boundary line, legend and files.

Maps are drawn in cell coordinates (cell i spans i ± ½), so that uneven axes stay readable and lines that belong to
values are placed by interpolation.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import Normal, Stroke

from lrs.core.family import settings_of
from lrs.core.files import save_figure
from phase_diagrams.analysis.boundary import Boundary
from phase_diagrams.sweeps.grid import Axis, SweepSpec, Value

BAND = "#FFFFFF"
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.titlesize": 11,
    "figure.dpi": 120,
    "savefig.dpi": 120,
    "svg.hashsalt": "lrs-toolkit",
}


def label(name: str, spec: SweepSpec) -> str:
    """Axis label: symbol and words."""
    known = {**spec.of_family.parameters, **settings_of(spec.of_family)}
    words = " over ".join(known[part].words for part in name.split("/"))
    return name if words == name else f"{name}   ({words})"


def slices(spec: SweepSpec) -> list[dict[str, Value]]:
    """Values of the third and further axes, one dictionary a picture."""
    combinations: list[dict[str, Value]] = [{}]
    for axis in spec.axes[2:]:
        combinations = [{**c, axis.name: v} for c in combinations for v in axis.values]
    return combinations


def select(frame: pd.DataFrame, at: Mapping[str, Value]) -> pd.DataFrame:
    for name, value in at.items():
        frame = frame[frame[name] == value]
    return frame


def _geometric(own: np.ndarray) -> bool:
    """Whether values grow by factors rather than by steps: what lies between two cells is then their geometric mean."""
    if len(own) < 3 or own.min() <= 0:
        return False
    steps, factors = np.abs(np.diff(own)), np.abs(np.diff(np.log(own)))
    return bool(np.ptp(factors) / factors.mean() < np.ptp(steps) / steps.mean())


def position(axis: Axis, values: Any) -> np.ndarray:
    """Cell coordinates of values, linear between neighbours (of their logarithms, where the axis is geometric) and continued
    beyond the ends."""
    own = np.asarray(axis.values, dtype=float)
    order = np.argsort(own)
    own, places = own[order], np.arange(len(own), dtype=float)[order]
    values = np.asarray(values, dtype=float)
    if len(own) == 1:
        return np.where(np.isfinite(values), places[0] + np.sign(values - own[0]), values)
    if _geometric(own):
        with np.errstate(divide="ignore", invalid="ignore"):  # a boundary may lie at 0, at −∞, or be unknown
            own, values = np.log(own), np.where(values <= 0, -np.inf, np.log(values))
    out = np.interp(values, own, places)
    first, last = (places[1] - places[0]) / (own[1] - own[0]), (places[-1] - places[-2]) / (own[-1] - own[-2])
    out = np.where(values < own[0], places[0] + (values - own[0]) * first, out)
    return np.where(values > own[-1], places[-1] + (values - own[-1]) * last, out)


def values_at(axis: Axis, positions: np.ndarray) -> np.ndarray:
    """Values at cell coordinates: the inverse of `position`."""
    own = np.asarray(axis.values, dtype=float)
    if len(own) == 1:
        return np.full(positions.shape, own[0])
    geometric = _geometric(own)
    own = np.log(own) if geometric else own
    inner = np.interp(positions, np.arange(len(own)), own)
    inner = np.where(positions < 0, own[0] + positions * (own[1] - own[0]), inner)
    end = len(own) - 1
    found = np.where(positions > end, own[-1] + (positions - end) * (own[-1] - own[-2]), inner)
    return np.exp(found) if geometric else found


def frame_axes(ax: Axes, spec: SweepSpec) -> None:
    x, y = spec.axes[:2]
    for axis, set_ticks, set_label, set_limits in (
        (x, ax.set_xticks, ax.set_xlabel, ax.set_xlim),
        (y, ax.set_yticks, ax.set_ylabel, ax.set_ylim),
    ):
        n = len(axis.values)
        step = max(1, -(-n // 16))
        shown = range(0, n, step)
        set_ticks(list(shown), [f"{v:g}" if isinstance(v, int | float) else str(v) for v in axis.values[::step]])
        set_label(label(axis.name, spec))
        set_limits(-0.5, n - 0.5)
    ax.set_aspect("auto")


def grid_of(spec: SweepSpec, table: pd.DataFrame, column: str) -> np.ndarray:
    """A column of a per-cell table as an array (y, x)."""
    x, y = spec.axes[0], spec.axes[1]
    out = np.full((len(y.values), len(x.values)), np.nan)
    column_of, row_of = {v: i for i, v in enumerate(x.values)}, {v: i for i, v in enumerate(y.values)}
    for a, b, value in zip(table[x.name], table[y.name], table[column], strict=True):
        out[row_of[b], column_of[a]] = value
    return out


def mesh(ax: Axes, values: np.ndarray, **options: Any) -> Any:
    rows, columns = values.shape
    # An edge of the cell's own colour: without one, pictures that are scaled show the background between the cells.
    edges: dict[str, Any] = {"edgecolors": "face", "linewidth": 0.9}
    return ax.pcolormesh(np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5, values, **edges, **options)


def new_figure(size: tuple[float, float], columns: int = 1) -> tuple[Figure, Any]:
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, columns)


def subtitle(spec: SweepSpec, at: Mapping[str, Value]) -> str:
    return ", ".join(
        f"{n} = {v:g}" if isinstance(v, int | float) else f"{n} = {v}" for n, v in {**spec.fixed, **at}.items()
    )


def hatch_impossible(ax: Axes, possible: np.ndarray) -> list[Any]:
    for row, column in np.argwhere(~possible):
        ax.add_patch(
            Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor="#DDDDDD", edgecolor="#999999", hatch="///", lw=0)
        )
    return (
        [Patch(facecolor="#DDDDDD", edgecolor="#999999", hatch="///", label="impossible")] if not possible.all() else []
    )


def legend(ax: Axes, handles: list[Any]) -> None:
    """Below the picture, one line each; the figure grows so that the map keeps its size."""
    figure = ax.get_figure(root=True)
    if handles and figure is not None:
        figure.set_figheight(figure.get_figheight() + 0.19 * len(handles))
        figure.legend(handles=handles, loc="outside lower left", ncol=1, frameon=False, fontsize=9)


def boundary_line(
    ax: Axes, spec: SweepSpec, found: Boundary, solver: str, at: Mapping[str, Value], *, dashes: str = "-"
) -> list[Any]:
    """Draw the 50 % boundary of a solver with its band; what lies beyond the picture is clipped at its edge."""
    names = [a.name for a in spec.axes[:2]]
    if found.axis not in names:
        return []
    along = spec.axes[names.index(found.axis)]
    other = spec.axes[1 - names.index(found.axis)]
    points = found.of(solver, at)
    if not points:
        return []
    place = {v: i for i, v in enumerate(other.values)}
    across = np.array([place[p.at[other.name]] for p in points], dtype=float)
    far = len(along.values) + 1.0
    middle, low, high = (
        np.clip(np.nan_to_num(position(along, [getattr(p.fit, n) for p in points]), posinf=far, neginf=-far), -1, far)
        for n in ("x50", "lower", "upper")
    )
    low, high = np.minimum(low, high), np.maximum(low, high)
    middle = np.where([np.isfinite(p.fit.x50) for p in points], middle, np.nan)
    handles = []
    horizontal = along is spec.axes[0]
    for row, a, b in zip(across[np.isnan(middle)], low[np.isnan(middle)], high[np.isnan(middle)], strict=True):
        # Where the level of one half is not resolved there is no line to draw: only where it may lie.
        corner, size = ((a, row - 0.5), (b - a, 1)) if horizontal else ((row - 0.5, a), (1, b - a))
        ax.add_patch(Rectangle(corner, *size, facecolor="none", edgecolor="white", hatch="xx", lw=0))
        text = "boundary not resolved: it may lie anywhere here"
        handles = [Patch(facecolor="#7c7b78", edgecolor="white", hatch="xx", label=text)]
    # A point stands for its whole row of cells: extend the ends by half a cell.
    across = np.r_[across[0] - 0.5, across, across[-1] + 0.5]
    middle, low, high = (np.r_[v[0], v, v[-1]] for v in (middle, low, high))
    fill = ax.fill_betweenx if horizontal else ax.fill_between
    # The edges alone: a fill would give other colours to the cells that matter most.
    fill(across, low, high, facecolor="none", edgecolor="black", lw=1.8)
    fill(across, low, high, facecolor="none", edgecolor=BAND, lw=0.8, ls=(0, (4, 2)))
    line = (middle, across) if horizontal else (across, middle)
    ax.plot(*line, color="black", lw=3.6)
    ax.plot(*line, color=BAND, lw=2.0, ls=dashes)
    text = f"50 % boundary of {solver} along {found.axis}, between the edges of its {100 * found.confidence:g} % band"
    return [
        Line2D(
            [], [], color=BAND, lw=2, label=text, path_effects=[Stroke(linewidth=3.6, foreground="black"), Normal()]
        ),
        *handles,
    ]


def save(figure: Figure, stem: str | Path) -> tuple[Path, Path]:
    """Write ``stem.png`` and ``stem.svg``; returns both paths."""
    stem = Path(stem)
    paths = (stem.with_name(stem.name + ".png"), stem.with_name(stem.name + ".svg"))
    with mpl.rc_context(STYLE):
        save_figure(figure, paths[0])
        save_figure(figure, paths[1], metadata={"Date": None})  # the same map is the same file
    return paths
