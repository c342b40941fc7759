"""Does the boundary interval cover? Simulated transitions of known threshold, wide, medium and sharp, with lapses.

``python -m property_tests.benchmarks.coverage`` prints the table of the documentation, ``python -m property_tests.benchmarks.coverage adaptive``
the lines of one design. The threshold is the level at which half of the trials succeed; a lapse is a replicate that fails
at every level.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from scipy import special

from lrs.core import streams
from phase_diagrams.sweeps.grid import Axis, Sampling, SweepSpec
from phase_diagrams.sweeps.sampling import AdaptiveRounds
from phase_diagrams.sweeps.threshold import (
    Link,
    ThresholdFit,
    ThresholdStatus,
    binomial_interval,
    fit_threshold,
    fit_threshold_intervals,
)
from phase_diagrams.sweeps.trial import Trial

LAPSES = (0.0, 0.03, 0.1, 0.2)
Design = Literal["independent", "nested", "adaptive", "nested adaptive"]

LEVELS = np.arange(10, 54, 4)  # 11 levels, 4 apart
FINE_LEVELS = np.arange(10, 54)  # of the adaptive designs
PRECISION = 1.5  # of the adaptive designs, or half the width of a wide transition if that is more
MOST = 4000  # replicates of an adaptive sweep


@dataclass(frozen=True)
class Transition:
    """A simulated transition: logistic of width ``scale``, ``replicates`` trials at each level."""

    name: str
    scale: float
    replicates: int


TRANSITIONS = (Transition("wide", 6.0, 10), Transition("medium", 2.5, 5), Transition("sharp", 0.5, 10))


@dataclass(frozen=True)
class Coverage:
    """What a simulation found; ``lower``, ``upper`` are the exact 95 % interval of the coverage itself.

    ``unbounded`` is the share of intervals that reach to infinity, ``separated`` that of unresolved transitions.
    """

    transition: Transition
    design: str
    lapse: float
    coverage: float
    lower: float
    upper: float
    median_width: float
    separated: float
    unbounded: float


def interval_coverage(
    transition: Transition,
    *,
    simulations: int = 500,
    design: Design = "independent",
    lapse: float = 0.0,
    confidence: float = 0.95,
    link: Link = "logit",
    seed: int = 0,
) -> Coverage:
    """Share of simulated data sets whose interval holds the true threshold, which is uniform between two levels.

    Parameters
    ----------
    transition : Transition
    simulations : int
    design : {'independent', 'nested', 'adaptive', 'nested adaptive'}
        Fresh trials at every level; replicates that each have one critical level, known up to a grid step; or the rounds
        of an adaptive sweep, until ± `PRECISION` is reached, of fresh trials or of bisected replicates.
    lapse : float
        Share of the replicates that fail at every level; below one half.
    confidence : float
        Nominal coverage.
    link : {'logit', 'probit'}
        Of the fitted curve; the simulated one is logistic, so probit is also a test of misspecification. Adaptive rounds
        fit logit.
    seed : int
    """
    rng = streams.generator("coverage", seed, transition.replicates, transition.scale, lapse)
    trials = np.full(len(LEVELS), transition.replicates)
    covered, separated, widths = 0, 0, []

    def critical_levels(truth: float, count: int) -> np.ndarray:
        centre = truth - transition.scale * special.logit(0.5 / (1 - lapse))
        return np.where(rng.random(count) < lapse, np.inf, rng.logistic(centre, transition.scale, count))

    for simulation in range(simulations):
        truth = LEVELS[5] + rng.uniform(0, 4)
        if design == "nested":
            above = np.searchsorted(LEVELS, critical_levels(truth, transition.replicates))
            edges = np.r_[-np.inf, LEVELS, np.inf]
            fit = fit_threshold_intervals(edges[above], edges[above + 1], confidence=confidence, link=link)
        elif design == "independent":
            critical = critical_levels(truth, len(LEVELS) * transition.replicates).reshape(len(LEVELS), -1)
            fit = fit_threshold(LEVELS, (critical <= LEVELS[:, None]).sum(1), trials, confidence=confidence, link=link)
        else:
            sampling = Sampling(
                nested="m" if design == "nested adaptive" else None,
                precision=max(PRECISION, transition.scale / 2),
                confidence=confidence,
            )
            fit = adaptive_fit(critical_levels(truth, MOST), sampling, simulation)
        covered += int(fit.lower <= truth <= fit.upper)
        separated += fit.status in (ThresholdStatus.SEPARATED, ThresholdStatus.BETWEEN)
        widths.append(fit.width)
    low, high = (float(x) for x in binomial_interval(covered, simulations))
    return Coverage(
        transition, design, lapse, covered / simulations, low, high, float(np.median(widths)),
        separated / simulations, float(np.isinf(widths).mean()),
    )  # fmt: skip


def adaptive_fit(critical: np.ndarray, sampling: Sampling, seed: int = 0) -> ThresholdFit:
    """The fit at which adaptive rounds stop when the replicates have these critical levels."""
    spec = SweepSpec(
        axes=(Axis("m", tuple(int(m) for m in FINE_LEVELS)),),
        fixed={"d": 4, "k": 1, "r": 1, "t": 4},
        solvers=("simulated",),
        replicates=len(critical),
        seed=seed,
        sampling=sampling,
    )
    known: dict[Trial, bool] = {}
    with tempfile.TemporaryDirectory(prefix="lrs-coverage-") as folder:
        rounds = AdaptiveRounds(spec, Path(folder))
        while trials := rounds.pending(known):
            known |= {t: bool(FINE_LEVELS[t.cell] >= critical[t.replicate]) for t in trials}
        (state,) = rounds.states(known)
    return state.fit


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m property_tests.benchmarks.coverage", description=__doc__)
    parser.add_argument("designs", nargs="*", metavar="DESIGN", help=", ".join(get_args(Design)) + " (default: all)")
    parser.add_argument("--simulations", type=int, default=500)
    parser.add_argument("--lapse", type=float, action="append", help="default: " + ", ".join(map(str, LAPSES)))
    options = parser.parse_args(arguments)
    for name in options.designs:
        if name not in get_args(Design):
            parser.error(f"DESIGN: {name!r} is not known; pass {', '.join(map(repr, get_args(Design)))}")
    print(
        "transition  s    R   design           link    lapse  coverage  95 % of it      median width  between  unbounded"
    )
    for design in options.designs or get_args(Design):
        for transition in TRANSITIONS:
            for lapse in options.lapse or LAPSES:
                for link in get_args(Link) if "adaptive" not in design and not lapse else ("logit",):
                    c = interval_coverage(
                        transition, design=design, lapse=lapse, link=link, simulations=options.simulations
                    )
                    replicates = "" if "adaptive" in design else transition.replicates
                    print(
                        f"{transition.name:<11} {transition.scale:<4} {replicates:<3} {design:<16} {link:<7} {lapse:<6g} "
                        f"{c.coverage:.3f}     {c.lower:.3f} … {c.upper:.3f}   {c.median_width:<12.2f}  "
                        f"{c.separated:<7.0%}  {c.unbounded:.0%}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
