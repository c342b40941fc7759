"""The 50 % boundary of a recovery map: one threshold per line of the grid, with its interval, and exact cell counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lrs.core.errors import InvalidInput
from phase_diagrams.analysis.table import Trials
from phase_diagrams.sweeps.grid import Axis, SweepSpec, Value, nested, target
from phase_diagrams.sweeps.threshold import (
    Link,
    ThresholdFit,
    ThresholdStatus,
    binomial_interval,
    fit_threshold,
    fit_threshold_intervals,
    sequential_level,
)

__all__ = [
    "Boundary",
    "BoundaryPoint",
    "ThresholdFit",
    "ThresholdStatus",
    "binomial_interval",
    "boundary",
    "boundary_axis",
    "cell_counts",
    "fit_threshold",
    "fit_threshold_intervals",
    "implied_outcomes",
]


@dataclass(frozen=True)
class BoundaryPoint:
    """The threshold of one solver on one line of the grid.

    Attributes
    ----------
    solver : str
    at : mapping
        Values of the other axes.
    fit : ThresholdFit
    irregular : int
        Replicates that failed at a level above one at which they succeeded (nested data only; 0 otherwise).
    """

    solver: str
    at: Mapping[str, Value]
    fit: ThresholdFit
    irregular: int = 0


@dataclass(frozen=True)
class Boundary:
    """The boundary of a sweep along one axis.

    Attributes
    ----------
    axis : str
    others : tuple of str
        The remaining axes, in the order of the sweep.
    points : tuple of BoundaryPoint
    nested : bool
        Whether the replicates were taken as one threshold each (axis m, whose data are nested) rather than as
        independent trials.
    confidence : float
        Of every single interval; the band is pointwise.
    """

    axis: str
    others: tuple[str, ...]
    points: tuple[BoundaryPoint, ...]
    nested: bool
    confidence: float

    def table(self) -> pd.DataFrame:
        """One row a point: solver, the other axes, ``x50, lower, upper, scale, status, trials, irregular, text``."""
        return pd.DataFrame(
            [
                {
                    "solver": p.solver,
                    **p.at,
                    "x50": p.fit.x50,
                    "lower": p.fit.lower,
                    "upper": p.fit.upper,
                    "scale": p.fit.scale,
                    "status": p.fit.status.value,
                    "trials": p.fit.trials,
                    "irregular": p.irregular,
                    "text": p.fit.describe(self.axis),
                }
                for p in self.points
            ]
        )

    def of(self, solver: str, at: Mapping[str, Value] | None = None) -> tuple[BoundaryPoint, ...]:
        """The points of one solver, those with the given values of some other axes."""
        wanted = (at or {}).items()
        return tuple(p for p in self.points if p.solver == solver and all(p.at.get(n) == v for n, v in wanted))


def axis_named(spec: SweepSpec, name: str) -> Axis:
    """The axis of that name.

    Raises
    ------
    InvalidInput
        When the sweep has no such axis.
    """
    for axis in spec.axes:
        if axis.name == name:
            return axis
    raise InvalidInput(f"axis: {name!r} is not an axis of this sweep ({', '.join(a.name for a in spec.axes)})")


def boundary_axis(spec: SweepSpec, name: str | None = None) -> Axis:
    """The axis a boundary is looked for along: the one named, else the one of nested data (m), else the first
    numeric one."""
    numeric = [a for a in spec.axes if a.numeric]
    if name is not None:
        axis = axis_named(spec, name)
        if not axis.numeric:
            raise InvalidInput(f"axis: {name!r} takes words, not numbers; a boundary needs an order")
        return axis
    if not numeric:
        raise InvalidInput("axis: no axis of this sweep takes numbers; a boundary needs one")
    return next((a for a in numeric if target(a.name) in nested(spec.of_family)), numeric[0])


def nested_along(spec: SweepSpec, axis: Axis) -> bool:
    """Whether the data of a replicate at one level of the axis are part of its data at the next.

    True along m, unless another size is a ratio of m and changes with it.
    """
    along = target(axis.name)
    return along in nested(spec.of_family) and not spec.moves_with(along)


def boundary(trials: Trials, along: str | None = None, *, confidence: float = 0.95, link: Link = "logit") -> Boundary:
    """The level of 50 % success on every line of the grid.

    Along m (or m/d) every replicate is one critical level m*, bracketed by what was tried, because its data at m rows
    are the first m rows of its data at m + 1; along any other axis the trials are independent draws. The intervals of
    an adaptive sweep allow for its having looked before it stopped (`sequential_level`).

    Parameters
    ----------
    trials : Trials
    along : str, optional
        Name of the axis; default m (or a ratio that sets m), else the first numeric axis.
    confidence : float
    link : {'logit', 'probit'}

    Returns
    -------
    Boundary

    Raises
    ------
    InvalidInput
        When the axis is unknown or takes words, or the sweep holds no finished trial.
    """
    spec = trials.spec
    axis = boundary_axis(spec, along)
    others = tuple(a.name for a in spec.axes if a.name != axis.name)
    if trials.possible.empty:
        raise InvalidInput("trials: no finished trial in this sweep yet; run or resume it first")
    increasing = spec.eases(axis.name)
    one_data = nested_along(spec, axis)
    if one_data:
        table = trials.thresholds(axis.name)
    else:
        table = (
            trials.possible.groupby(["solver", *others, axis.name], observed=True, dropna=False)["success"]
            .agg(["sum", "count"])
            .reset_index()
        )
    options: dict[str, Any] = {"confidence": confidence, "link": link}
    if spec.sampling.precision is not None:
        options["level"] = sequential_level(confidence, spec.sampling.nested is not None)
    points = []
    for key, group in table.groupby(["solver", *others], observed=True, dropna=False, sort=False):
        fit = (
            fit_threshold_intervals(group["lower"], group["upper"], **options)
            if one_data
            else fit_threshold(group[axis.name], group["sum"], group["count"], increasing=increasing, **options)
        )
        solver, *values = key if isinstance(key, tuple) else (key,)
        irregular = int((~group["monotone"].astype(bool)).sum()) if one_data else 0
        points.append(BoundaryPoint(str(solver), dict(zip(others, map(_plain, values), strict=True)), fit, irregular))
    order = {n: {v: i for i, v in enumerate(axis_named(spec, n).values)} for n in others}
    points.sort(key=lambda p: (spec.solvers.index(p.solver), *(order[n][p.at[n]] for n in others)))
    return Boundary(axis.name, others, tuple(points), one_data, confidence)


def _plain(value: Any) -> Value:
    value = value.item() if isinstance(value, np.generic) else value
    return None if value is pd.NA or value != value else value


def cell_counts(trials: Trials, *, confidence: float = 0.95) -> pd.DataFrame:
    """Successes of every cell and solver, with exact intervals and with bounds that count what is unfinished both ways.

    A sweep that bisects does not try every cell. A replicate counts as a success at every level at or above the one
    from which it recovered, as a failure at or below the last one at which it did not, and in between as unfinished;
    the share of successes among the trials that happened to be run would be biased.

    Returns
    -------
    pandas.DataFrame
        One row per cell and solver: the axes, ``cell``, ``solver``, ``recovered``, ``finished``, ``scheduled``,
        ``possible``, ``rate`` (recovered / finished), ``lower`` and ``upper`` (Clopper–Pearson), ``least`` and
        ``most`` (the rate if every unfinished replicate fails, or succeeds).
    """
    spec = trials.spec
    names = [a.name for a in spec.axes]
    cells = pd.DataFrame([{**c.coordinates, "cell": c.index, "possible": c.spec is not None} for c in spec.cells])
    grid = cells.merge(pd.DataFrame({"solver": list(spec.solvers)}), how="cross")
    if spec.sampling.nested is None:
        counts = trials.possible.groupby(["cell", "solver"], observed=True)["success"].agg(["sum", "count"])
        counts = counts.rename(columns={"sum": "recovered", "count": "finished"}).reset_index()
    else:
        outcomes = implied_outcomes(trials).groupby(["cell", "solver"], observed=True)
        counts = outcomes[["recovered", "finished"]].sum().reset_index()
    table = grid.merge(counts, on=["cell", "solver"], how="left")
    for name in ("recovered", "finished"):
        table[name] = table[name].fillna(0).astype(int)
    fixed_number = spec.sampling.precision is None
    table["scheduled"] = np.where(table["possible"], spec.replicates if fixed_number else table["finished"], 0)
    s, n = table["recovered"].to_numpy(float), table["finished"].to_numpy(float)
    planned = table["scheduled"].to_numpy(float)
    table["lower"], table["upper"] = binomial_interval(s, n, confidence)
    with np.errstate(invalid="ignore"):
        table["rate"] = s / n
        table["least"], table["most"] = s / planned, (s + planned - n) / planned
    counted = ["possible", "recovered", "finished", "scheduled"]
    return table[[*names, "cell", "solver", *counted, "rate", "lower", "upper", "least", "most"]]


def implied_outcomes(trials: Trials) -> pd.DataFrame:
    """Outcomes of all cells that the brackets of bisected replicates imply.

    Returns
    -------
    pandas.DataFrame
        One row per possible cell, replicate and solver: the axes, ``cell``, ``replicate``, ``solver``, ``recovered`` and
        ``finished``, false where the cell lies inside the bracket.
    """
    spec = trials.spec
    axis = spec.threshold_axis.name
    names = [a.name for a in spec.axes]
    cells = pd.DataFrame([{**c.coordinates, "cell": c.index} for c in spec.cells if c.spec is not None])
    brackets = trials.thresholds(axis)
    others = [n for n in names if n != axis]
    joined = cells.merge(brackets, on=others) if others else cells.merge(brackets, how="cross")
    joined["recovered"] = joined[axis] >= joined["upper"]
    joined["finished"] = joined["recovered"] | (joined[axis] <= joined["lower"])
    return joined[[*names, "cell", "replicate", "solver", "recovered", "finished"]]
