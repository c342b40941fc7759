"""Did the variant move the boundary? Two solvers on the same data: exact paired tests, shift of the boundary, time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from lrs.core.errors import InvalidInput
from lrs.core.registry import import_attribute
from lrs.core.spelling import renamed
from lrs.core.validate import integer, probability
from phase_diagrams.analysis.boundary import BoundaryPoint, boundary, boundary_axis, implied_outcomes, nested_along
from phase_diagrams.analysis.table import Trials
from phase_diagrams.sweeps.grid import Value
from phase_diagrams.sweeps.threshold import ThresholdStatus, fit_threshold_intervals
from phase_diagrams.sweeps.trial import Calls, Runner, Trial, draw


@dataclass(frozen=True)
class Shift:
    """How much further along the axis A's boundary lies than B's on one line (negative: A needs less)."""

    at: Mapping[str, Value]
    estimate: float
    lower: float
    upper: float
    pairs: int


@dataclass(frozen=True)
class Timing:
    """Seconds of both solvers on instances that both solved, run in the order A B B A.

    Attributes
    ----------
    instances : int
    seconds_a, seconds_b : float
        Medians.
    ratio, lower, upper : float
        Median of time of A / time of B, with its exact order-statistic interval.
    """

    instances: int
    seconds_a: float
    seconds_b: float
    ratio: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Duel:
    """The comparison of two solvers on one sweep.

    Attributes
    ----------
    a, b : str
    axis : str
        Along which the boundary moves.
    cells : pandas.DataFrame
        Per cell (of a bisected sweep: with the outcomes that the replicates' brackets imply): the axes, ``cell``, ``both, only_a, only_b, neither, pairs``, ``difference`` = (only_a − only_b) /
        pairs, exact McNemar ``p_value``, and ``q_value`` with the false-discovery rate controlled over all cells; with noise, where the
        family knows the least possible error, each solver's median error as a multiple of it, ``over_bayes_a`` and ``…_b``.
    shifts : tuple of Shift
        One a line of the grid.
    ratio : Shift
        Over all lines together: the factor m*_A / m*_B by which A's critical level differs (NaN off the m axis).
    p_value : float
        Exact paired test over whole replicates: for every (line, replicate) which solver recovered in more cells;
        nested cells of one replicate count once.
    wins_a, wins_b : int
        Number of such replicates won by each; ties are left out, as in a sign test.
    rate : float
        The false-discovery rate asked for.
    """

    a: str
    b: str
    axis: str
    cells: pd.DataFrame = field(repr=False)
    shifts: tuple[Shift, ...]
    ratio: Shift
    p_value: float
    wins_a: int
    wins_b: int
    rate: float
    confidence: float

    @property
    def testable(self) -> int:
        """Cells with enough discordant pairs to be a discovery at all."""
        return int(_testable((self.cells["only_a"] + self.cells["only_b"]).to_numpy(), self.rate).sum())

    @property
    def discoveries(self) -> pd.DataFrame:
        """The cells in which the solvers differ at the false-discovery rate asked for."""
        return self.cells[self.cells["q_value"] <= self.rate]

    @property
    def verdict(self) -> str:
        """One sentence."""
        if self.p_value > 1 - self.confidence:
            return (
                f"No difference shown between {self.a} and {self.b}: "
                f"{self.wins_a} against {self.wins_b} replicates, p = {self.p_value:.2g}."
            )
        better, worse = (self.a, self.b) if self.wins_a > self.wins_b else (self.b, self.a)
        return (
            f"{better} recovers more than {worse}: {max(self.wins_a, self.wins_b)} against "
            f"{min(self.wins_a, self.wins_b)} replicates, p = {self.p_value:.2g}."
        )


def _over_bayes(trials: Trials, solver: str) -> dict[int, float]:
    """Median error in every cell as a multiple of the least possible one, where that is known and not 0."""
    error, door = getattr(trials.spec.of_family, "best_error", ("", ""))
    if not error:
        return {}
    least = import_attribute(door, "best_error")
    medians = trials.possible[trials.possible["solver"] == solver].groupby("cell")[error].median()
    best = {cell: least(trials.spec.cells[cell].spec) for cell in medians.index.tolist()}
    return {cell: float(medians[cell]) / value for cell, value in best.items() if value > 0}


def _pairs(trials: Trials, a: str, b: str, *, implied: bool = False) -> pd.DataFrame:
    """Instances with an outcome of both; of a bisected sweep also, if asked, those whose outcomes the brackets imply.

    Bisections of two solvers seldom try the same levels.
    """
    for name in (a, b):
        if name not in trials.spec.solvers:
            raise InvalidInput(f"solver: {name!r} is not in this sweep; it has {', '.join(trials.spec.solvers)}")
    if a == b:
        raise InvalidInput("solver: A and B are the same; name two solvers")
    names = [x.name for x in trials.spec.axes]
    frame = trials.possible
    if implied and trials.spec.sampling.nested is not None:
        frame = implied_outcomes(trials)
        frame = frame[frame["finished"]].rename(columns={"recovered": "success"})
    left, right = (frame[frame["solver"] == s] for s in (a, b))
    pairs = left[["cell", "replicate", "success", *names]].merge(
        right[["cell", "replicate", "success"]], on=["cell", "replicate"], suffixes=("_a", "_b")
    )
    if pairs.empty:
        raise InvalidInput("trials: no instance has been tried by both solvers yet; run or resume the sweep first")
    return pairs


def exact_mcnemar(only_a: Any, only_b: Any) -> np.ndarray:
    """Two-sided exact McNemar p-values: is one side of the discordant pairs heavier? 1 without discordant pairs."""
    low, n = np.minimum(only_a, only_b), np.add(only_a, only_b)
    return np.minimum(1.0, 2 * stats.binom.cdf(low, n, 0.5))


def _testable(discordant: np.ndarray, rate: float) -> np.ndarray:
    return np.exp2(1.0 - discordant) <= rate


def _adjusted(p: np.ndarray, discordant: np.ndarray, rate: float) -> np.ndarray:
    """Benjamini–Hochberg over the cells that can be discoveries at all.

    With n discordant pairs no p-value is below 2^(1 − n). Cells where even that exceeds the rate are left out of the
    correction (Tarone 1990; Gilbert 2005): the choice looks at n alone, given which the p-values are valid.
    """
    testable = _testable(discordant, rate)
    q = np.ones(len(p))
    if testable.any():
        q[testable] = stats.false_discovery_control(p[testable], method="bh")
    return q


@renamed(rate="fdr")
def duel(trials: Trials, a: str, b: str, *, fdr: float = 0.05, confidence: float = 0.95) -> Duel:
    """Compare two solvers that ran on the same instances.

    Parameters
    ----------
    trials : Trials
        A sweep that holds both solvers.
    a, b : str
    fdr : float
        False-discovery rate over the cells of the map (Benjamini–Hochberg; valid under the positive dependence that
        nested rows bring).
    confidence : float
        Of the intervals.

    Raises
    ------
    InvalidInput
        When a solver is not in the sweep, both are the same, or no instance was tried by both.
    """
    probability("fdr", fdr, "a false-discovery rate between 0 and 1")
    pairs = _pairs(trials, a, b, implied=True)
    spec = trials.spec
    names = [x.name for x in spec.axes]
    pairs = pairs.assign(
        both=pairs["success_a"] & pairs["success_b"],
        only_a=pairs["success_a"] & ~pairs["success_b"],
        only_b=~pairs["success_a"] & pairs["success_b"],
        neither=~pairs["success_a"] & ~pairs["success_b"],
    )
    counted = ["both", "only_a", "only_b", "neither"]
    cells = pairs.groupby([*names, "cell"], sort=False)[counted].sum().reset_index().sort_values("cell")
    cells["pairs"] = cells[counted].sum(axis=1)
    cells["difference"] = (cells["only_a"] - cells["only_b"]) / cells["pairs"]
    cells["p_value"] = exact_mcnemar(cells["only_a"].to_numpy(), cells["only_b"].to_numpy())
    cells["q_value"] = _adjusted(cells["p_value"].to_numpy(), (cells["only_a"] + cells["only_b"]).to_numpy(), fdr)
    for side, solver in (("a", a), ("b", b)):
        if over := _over_bayes(trials, solver):
            cells[f"over_bayes_{side}"] = cells["cell"].map(over)

    axis = boundary_axis(spec)
    nested = nested_along(spec, axis)
    others = [n for n in names if n != axis.name]
    unit = [*others, "replicate"] if nested else ["cell", "replicate"]
    lead = pairs.groupby(unit)[["only_a", "only_b"]].sum()
    wins_a, wins_b = int((lead["only_a"] > lead["only_b"]).sum()), int((lead["only_a"] < lead["only_b"]).sum())
    if nested:
        shifts, ratio = _nested_shifts(trials, a, b, confidence)
    else:
        shifts = tuple(_separate_shifts(trials, a, b, confidence))
        ratio = Shift({}, float("nan"), float("nan"), float("nan"), 0)
    return Duel(
        a, b, axis.name, cells.reset_index(drop=True), shifts, ratio, float(exact_mcnemar(wins_a, wins_b)),
        wins_a, wins_b, fdr, confidence,
    )  # fmt: skip


def _nested_shifts(trials: Trials, a: str, b: str, confidence: float) -> tuple[tuple[Shift, ...], Shift]:
    """Median of m*_A − m*_B over replicates, each known up to the sum of two brackets; paired, since data are shared."""
    spec = trials.spec
    axis = boundary_axis(spec).name
    others = [x.name for x in spec.axes if x.name != axis]
    brackets = trials.thresholds(axis)
    left, right = (brackets[brackets["solver"] == s] for s in (a, b))
    joined = left.merge(right, on=[*others, "replicate"], suffixes=("_a", "_b"))

    def shift(rows: pd.DataFrame, at: Mapping[str, Value], log: bool = False) -> Shift:
        with np.errstate(divide="ignore", invalid="ignore"):
            la, ua, lb, ub = (
                np.log(np.maximum(ends, 0)) if log else ends
                for ends in (rows[c].to_numpy(float) for c in ("lower_a", "upper_a", "lower_b", "upper_b"))
            )
            fit = fit_threshold_intervals(la - ub, ua - lb, confidence=confidence)
        x50, lower, upper = (float(np.exp(v)) if log else v for v in (fit.x50, fit.lower, fit.upper))
        return Shift(at, x50, lower, upper, fit.trials)

    groups: Iterable[tuple[Any, pd.DataFrame]] = joined.groupby(others, sort=False) if others else [((), joined)]
    shifts = tuple(
        shift(rows, dict(zip(others, key if isinstance(key, tuple) else (key,), strict=True))) for key, rows in groups
    )
    return shifts, shift(joined, {}, log=True)


def _separate_shifts(trials: Trials, a: str, b: str, confidence: float) -> list[Shift]:
    """Difference of two boundaries along an axis without nesting.

    The two profile intervals are combined (Zou & Donner's MOVER). That ignores that the data are shared, which can only
    make the interval too wide.
    """
    found = boundary(trials, confidence=confidence)

    def line(p: BoundaryPoint) -> tuple[tuple[str, Value], ...]:
        return tuple(p.at.items())

    theirs = {line(p): p.fit for p in found.of(b)}
    shifts = []
    for p in found.of(a):
        if line(p) not in theirs:
            continue
        x, y = p.fit, theirs[line(p)]
        unresolved = {ThresholdStatus.SEPARATED, ThresholdStatus.BETWEEN}
        if {x.status, y.status} & unresolved and {x.status, y.status} <= unresolved | {ThresholdStatus.ESTIMATED}:
            # Between two levels every place is as good: no variances to combine, only the ends.
            estimate, lower, upper = x.x50 - y.x50, x.lower - y.upper, x.upper - y.lower
        elif x.status is y.status is ThresholdStatus.ESTIMATED:
            estimate = x.x50 - y.x50
            lower = estimate - np.hypot(x.x50 - x.lower, y.upper - y.x50)
            upper = estimate + np.hypot(x.upper - x.x50, y.x50 - y.lower)
        else:
            estimate, lower, upper = float("nan"), -np.inf, np.inf
        shifts.append(Shift(p.at, float(estimate), float(lower), float(upper), x.trials))
    return shifts


def time_both(
    trials: Trials, a: str, b: str, *, instances: int = 20, confidence: float = 0.95, calls: Calls | None = None
) -> Timing:
    """Time two solvers on instances that both solved, interleaved.

    Timing columns of a sweep are not fair: the trials ran at other moments, on other machines, beside other work. Here
    each instance is drawn again and solved in the order A B B A, both in this process or, as soon as one of them is
    isolated, each in its own, after one run of each to warm up. The clock is around the call itself.

    Parameters
    ----------
    trials : Trials
    a, b : str
    instances : int
        How many, spread evenly over those that both solved (of a bisected sweep: tried or not, by their brackets).
    calls : Calls, optional
        Where solvers are called.

    Raises
    ------
    InvalidInput
        When both solved no instance in common.
    """
    integer("instances", instances, least=1)
    pairs = _pairs(trials, a, b, implied=True)
    solved = pairs[pairs["success_a"] & pairs["success_b"]]
    if solved.empty:
        raise InvalidInput("timing: there is no instance that both solved")
    chosen = solved.iloc[np.unique(np.linspace(0, len(solved) - 1, min(instances, len(solved))).astype(int))]
    spec, calls = trials.spec, calls or Calls()
    same = replace(calls, isolate=calls.isolated(a) or calls.isolated(b))
    runner = Runner(replace(spec, solvers=(a, b)), "duel", same)

    def run(solver: int) -> float:
        return runner.outcome(Trial(cell.index, replicate, solver), instance).seconds

    spent = []
    for i, (cell_index, number) in enumerate(zip(chosen["cell"], chosen["replicate"], strict=True)):
        cell, replicate = spec.cells[int(cell_index)], int(number)
        instance = draw(spec, cell, replicate)
        if i == 0:
            run(0), run(1)
        first_a, first_b, second_b, second_a = (run(solver) for solver in (0, 1, 1, 0))
        spent.append(((first_a + second_a) / 2, (first_b + second_b) / 2))
    runner.close()
    seconds = np.array(spent)
    ratios = np.sort(seconds[:, 0] / seconds[:, 1])
    n = len(ratios)
    # The j-th smallest and j-th largest ratio enclose the median with this probability, whatever the law.
    j = int(stats.binom.ppf((1 - confidence) / 2, n, 0.5))
    bounded = j > 0
    return Timing(
        n,
        float(np.median(seconds[:, 0])),
        float(np.median(seconds[:, 1])),
        float(np.median(ratios)),
        float(ratios[j - 1]) if bounded else 0.0,
        float(ratios[n - j]) if bounded else float("inf"),
    )
