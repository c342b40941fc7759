"""A report as one picture: the share of trials in which every claim was kept."""

from __future__ import annotations

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy.stats import binomtest

from property_tests.verify import Report

_COLOURS = {"CONFIRMED": "#0a6b4f", "REFUTED": "#b3261e", "INCONCLUSIVE": "#8a5a00"}


def kept(report: Report) -> Figure:
    """The share kept and its exact 95 % interval, claim by claim; what is refuted stands above."""
    shown = [r for r in report.in_order() if r.ran and r.tally is not None and r.tally.trials]
    figure = Figure(figsize=(7.0, 0.8 + 0.28 * len(shown)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for place, r in enumerate(reversed(shown)):
        assert r.tally is not None
        share = r.tally.successes / r.tally.trials
        low, high = binomtest(r.tally.successes, r.tally.trials).proportion_ci(0.95)
        colour = _COLOURS[r.verdict.value]
        axes.plot([low, high], [place, place], color=colour, lw=2)
        axes.plot(share, place, "o", color=colour)
    axes.set_yticks(range(len(shown)), [r.claim.name for r in reversed(shown)])
    axes.set(xlim=(-0.02, 1.02), xlabel="share of trials kept, 95 % interval", title=report.solver)
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right", "left"]].set_visible(False)
    return figure
