"""The pipeline held to a law that is exact at every finite size: ℓ₁ minimisation with U given.

A sweep of `lrs.baselines.EllOne` at t = 1 (tasks share U, so each trial has one) goes through the whole chain: generator,
executor, criterion, journal, table, boundary fit and interval. At m rows the solver succeeds with probability
P(m − r), `theory.statistics.exact_laws.EllOne`, whatever the places and the values of b; so the boundary must lie at the law's
level of one half and rise as the law does. Rows off by one, a fit that is biased and intervals that are too short cannot
pass. The law is blind to three faults, which have checks of their own: a support that is not uniform, a criterion that
forgives errors, and rows that are not nested.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from lrs.core.errors import InvalidInput
from lrs.core.family import Success
from lrs.core.run import Run
from lrs.core.trial import outcome_of
from lrs.families.low_rank_sparse.family import LowRankSparse
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.spec import InstanceSpec
from lrs.solver import Solution, Status
from phase_diagrams.analysis.boundary import boundary
from phase_diagrams.analysis.table import Trials, load
from phase_diagrams.sweeps.grid import Axis, Sampling, SweepSpec
from phase_diagrams.sweeps.runner import Engine, sweep
from phase_diagrams.sweeps.synthetic import U_GIVEN
from phase_diagrams.sweeps.threshold import binomial_interval, fit_threshold_intervals, scale_interval
from theory.statistics.exact_laws import EllOne

#: (d, k, r) of the sweeps.
SIZES = ((40, 3, 2), (100, 5, 3), (200, 10, 3))
FAMILY, SOLVER = "phase_diagrams.sweeps.synthetic:U_GIVEN", "phase_diagrams.sweeps.synthetic:EllOneGiven"
#: Lines of a sweep, each with an interval of its own, and replicates of a line.
LINES, REPLICATES = 30, 20
#: Confidence of the two intervals of all replicates together: three sizes fail a right pipeline in 6 of 1000 runs.
POOLED = 0.999
#: Lowest p-value at which supports pass for uniform.
UNIFORM = 1e-4


@dataclass(frozen=True)
class Law:
    """What one sweep says of the law.

    Attributes
    ----------
    d, k, r : int
    replicates : int
    m50, lower, upper : float
        The law's level of one half, and the interval of all replicates for it.
    scale, scale_lower, scale_upper : float
        Width of the logistic curve closest to the law, and the interval of all replicates for it.
    lines, covered : int
        Lines, and those whose own 95 % interval holds the law's level.
    low, high : float
        Exact 95 % interval of that coverage.
    solves, seconds : float
    """

    d: int
    k: int
    r: int
    replicates: int
    m50: float
    lower: float
    upper: float
    scale: float
    scale_lower: float
    scale_upper: float
    lines: int
    covered: int
    low: float
    high: float
    solves: int
    seconds: float

    @property
    def faults(self) -> tuple[str, ...]:
        """In words; empty when the pipeline reproduces the law."""
        found = []
        if not self.lower <= self.m50 <= self.upper:
            found.append(f"the level of one half is {self.m50:.2f}, not within {self.lower:.2f} … {self.upper:.2f}")
        if not self.scale_lower <= self.scale <= self.scale_upper:
            bounds = f"{self.scale_lower:.2f} … {self.scale_upper:.2f}"
            found.append(f"the width of the transition is {self.scale:.2f}, not within {bounds}")
        if self.high < 0.92:
            found.append(f"{self.covered} of {self.lines} intervals hold the level of one half")
        return tuple(found)

    @property
    def passed(self) -> bool:
        return not self.faults


@dataclass(frozen=True)
class Check:
    """One of the faults that the law does not show: what was looked at, and the fault, empty when there is none."""

    name: str
    fault: str = ""

    @property
    def passed(self) -> bool:
        return not self.fault


def specification(d: int, k: int, r: int, lines: int, replicates: int, seed: int, family: str = FAMILY) -> SweepSpec:
    """The sweep of one size: every m that matters, against a size of b that changes no outcome."""
    law = EllOne(d, k)
    low, high = (round(law.level(p)) + r for p in (5e-4, 1 - 5e-4))
    return SweepSpec(
        axes=(Axis("m", tuple(range(max(low - 1, 1), high + 2))), Axis("b_scale", tuple(float(i) for i in range(1, lines + 1)))),
        fixed={"d": d, "k": k, "r": r, "t": 1},
        solvers=(SOLVER,),
        replicates=replicates,
        seed=seed,
        sampling=Sampling(nested="m"),
        family=family,
    )  # fmt: skip


def run(spec: SweepSpec, engine: Engine) -> tuple[Trials, float]:
    """The trials of a sweep in a folder that is thrown away, and the seconds it took."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="lrs-exact-") as folder:
        sweep(spec, Path(folder) / "sweep", engine)
        return load(Path(folder) / "sweep"), time.perf_counter() - start


def closest_scale(law: EllOne) -> float:
    """Width of the logistic curve that is closest to the law: fitted to the law itself, as to endlessly many replicates."""
    rows = np.arange(-1, law.d + 1)
    mass = np.diff(law.probability(rows))
    kept = mass > 1e-12
    return scale_interval(rows[:-1][kept], rows[1:][kept], weight=1e6 * mass[kept])[0]


def judge(trials: Trials, seconds: float) -> Law:
    """Hold a sweep to the law."""
    d, k, r = (int(trials.spec.fixed[n]) for n in ("d", "k", "r"))  # type: ignore[arg-type]
    law = EllOne(d, k)
    m50 = law.level(0.5) + r
    found = boundary(trials).points
    covered = sum(p.fit.lower <= m50 <= p.fit.upper for p in found)
    low, high = binomial_interval([covered], [len(found)])
    brackets = trials.thresholds("m")
    pooled = fit_threshold_intervals(brackets["lower"], brackets["upper"], confidence=POOLED)
    _, narrow, wide = scale_interval(brackets["lower"], brackets["upper"], confidence=POOLED)
    return Law(
        d, k, r, len(brackets), m50, pooled.lower, pooled.upper, closest_scale(law), narrow, wide, len(found), covered,
        float(low[0]), float(high[0]), len(trials.frame), seconds,
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------ what the law is blind to
def uniform_support(family: LowRankSparse, seed: int = 0, tasks: int = 4000) -> Check:
    """Is every coordinate in the support of b equally often? χ² with d − 1 degrees of freedom.

    Each task draws k of d coordinates without replacement, so a count has variance t (k/d)(1 − k/d), and
    (d − 1)/d times the sum of squared standardised counts is χ² with d − 1 degrees.
    """
    d, k = 20, 3
    drawn = family.draw(InstanceSpec(t=tasks, m=1, d=d, r=1, k=k), (seed,))
    counts = np.asarray((drawn.truth.B != 0).sum(axis=0)).ravel()
    share = k / d
    chi2 = (d - 1) / d * float(((counts - tasks * share) ** 2).sum()) / (tasks * share * (1 - share))
    p = float(stats.chi2.sf(chi2, d - 1))
    fault = f"not uniform: χ² = {chi2:.0f} at {d - 1} degrees of freedom, p = {p:.2g}" if p < UNIFORM else ""
    return Check("supports are uniform", fault)


def strict_criterion(family: LowRankSparse, seed: int = 0, planted: float = 1e-3) -> Check:
    """Is an answer with this relative error in one task judged wrong, and the truth right?"""
    instance = family.draw(InstanceSpec(t=5, m=8, d=10, r=2, k=2), (seed,))
    truth = instance.truth

    def recovered(error: float) -> bool:
        weights = truth.W.copy()
        weights[0] *= 1 + error * np.linalg.norm(truth.theta[0]) / np.linalg.norm(truth.W[0])
        answer = LRSModel(truth.U, weights, truth.B)
        run = Run(instance.problem, Solution(answer, Status.CONVERGED, 1))
        return outcome_of(family, instance, run, Success().of(family)).recovered

    if not recovered(0.0):
        return Check("the criterion is strict", "the truth itself counts as not recovered")
    fault = f"a relative error of {planted:g} in one task counts as recovered" if recovered(planted) else ""
    return Check("the criterion is strict", fault)


def nested_rows(family: LowRankSparse, seed: int = 0) -> Check:
    """Are the data at m rows the first m rows of the data at more, drawn and restricted alike?"""
    more = family.draw(InstanceSpec(t=3, m=9, d=7, r=2, k=2), (seed,))
    for m in (1, 5, 8):
        fewer = family.draw(InstanceSpec(t=3, m=m, d=7, r=2, k=2), (seed,))
        for part in (fewer, family.restrict(more, "m", m)):
            for (X, y), (X_all, y_all) in zip(part.problem.data, more.problem.data, strict=True):
                # X bit for bit; y is a product, whose rounding may depend on the number of rows.
                if not (np.array_equal(X, X_all[:m]) and np.allclose(y, y_all[:m], rtol=1e-10, atol=1e-10)):
                    return Check("rows are nested", f"the data at m = {m} are not the first rows of those at m = 9")
    return Check("rows are nested")


def checks(family: LowRankSparse = U_GIVEN, seed: int = 0) -> tuple[Check, ...]:
    """The checks of what the law does not show."""
    return uniform_support(family, seed), strict_criterion(family, seed), nested_rows(family, seed)


def selftest(
    engine: Callable[[], Engine], sizes: Sequence[tuple[int, int, int]] = SIZES, lines: int = LINES, seed: int = 0
) -> tuple[list[Law], tuple[Check, ...]]:
    """Hold the pipeline to the law at every size (d, k, r), and to the checks; ``engine`` makes an engine for each sweep.

    Raises
    ------
    InvalidInput
        When a size is no size of a problem, or leaves no transition to look at.
    """
    for d, k, r in sizes:
        if not (1 <= k < d and 0 <= r < d):
            raise InvalidInput(f"size: d,k,r = {d},{k},{r} has no transition; pass 1 ≤ k < d and 0 ≤ r < d")
    laws = [judge(*run(specification(*size, lines, REPLICATES, seed), engine())) for size in sizes]
    return laws, checks(seed=seed)
