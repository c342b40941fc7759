"""Pictures of a profile: which link loses how much, and how that grows."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from lrs.core.files import picture, save_figure
from theory.profile.slack import Profile, Scaling

_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999")
_STATES = {
    "NOT SHOWN": "not shown",
    "SAYS NOTHING": "says nothing",
    "ASSUMPTION FAILS": "assumption fails",
    "BROKEN": "broken",
}


def _colours(parts: list[str]) -> dict[str, str]:
    return {part: _COLOURS[i % len(_COLOURS)] for i, part in enumerate(dict.fromkeys(parts))}


def draw_profile(path: str | Path, profile: Profile) -> Path:
    """A bar for every link: the median over the steps of left/right, with its range; the links in the order of the proof."""
    path = picture(path)
    found = profile.links
    colours = _colours([x.link.part for x in found])
    figure = Figure(figsize=(9.5, 1.4 + 0.27 * len(found)), layout="constrained")
    axes = figure.subplots()
    for at, x in enumerate(found):
        series = x.slack[np.isfinite(x.slack) & (x.slack > 0)]
        if len(series) and not x.says_nothing:
            axes.plot([series.min(), series.max()], [at, at], "-", color=colours[x.link.part], lw=2)
            axes.plot(series, np.full(len(series), at), ".", color=colours[x.link.part], ms=3, alpha=0.5)
            axes.plot(x.typical, at, "o", color=colours[x.link.part], ms=6)
        if x.verdict in _STATES:
            axes.annotate(f" {_STATES[x.verdict]}", (1.0, at), va="center", fontsize=7, color="#D55E00")
    axes.axvline(1.0, color="#000000", lw=1)
    axes.set_xscale("log")
    axes.set_yticks(range(len(found)), [x.link.name for x in found], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("left / right over the steps, worst task (1: tight; above: broken)")
    axes.set_title(f"{profile.theorem.name}: the slack of every link, {profile.steps} steps", loc="left", fontsize=10)
    axes.grid(axis="x", alpha=0.3)
    for part, colour in colours.items():
        axes.plot([], [], "o", color=colour, label=part)
    axes.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1.03), ncols=len(colours))
    return save_figure(figure, path, dpi=150)


def draw_scaling(path: str | Path, scaling: Scaling) -> Path:
    """Left: the slack of every link against the axis. Right: the fitted exponents of its two sides and of the slack."""
    path = picture(path)
    found = [x for x in scaling.links if np.isfinite(x.slack).any()]
    colours = _colours([x.link.part for x in found])
    figure = Figure(figsize=(13, 1.8 + 0.3 * max(len(found), 8)), layout="constrained")
    left, right = figure.subplots(1, 2)
    for x in found:
        middle = np.array([np.median(row[np.isfinite(row)]) if np.isfinite(row).any() else math.nan for row in x.slack])
        left.plot(scaling.values, middle, ".-", color=colours[x.link.part], lw=1, alpha=0.8)
    left.axhline(1.0, color="#000000", lw=1)
    left.set(xscale="log", yscale="log", xlabel=scaling.axis, ylabel="left / right")
    left.set_xticks(scaling.values, [str(v) for v in scaling.values])
    left.minorticks_off()
    left.grid(alpha=0.3)
    for part, colour in colours.items():
        left.plot([], [], "-", color=colour, label=part)
    left.legend(frameon=False, fontsize=8)
    for at, x in enumerate(found):
        for offset, mark, (slope, half) in ((-0.22, "<", x.left), (0.0, ">", x.right), (0.22, "o", x.ratio)):
            if math.isfinite(slope):
                error = half if math.isfinite(half) else 0.0
                right.errorbar(slope, at + offset, xerr=error, fmt=mark, ms=4, lw=1, color=colours[x.link.part])
    right.axvline(0.0, color="#000000", lw=1)
    right.set_yticks(range(len(found)), [x.link.name for x in found], fontsize=8)
    right.invert_yaxis()
    right.set_xlabel(f"exponent in {scaling.axis}, 95 %: ◁ left, ▷ right, ● left / right")
    right.grid(axis="x", alpha=0.3)
    figure.suptitle(f"{scaling.theorem.name}: the links against {scaling.axis}", fontsize=10)
    return save_figure(figure, path, dpi=150)
