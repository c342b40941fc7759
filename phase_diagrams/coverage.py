"""Does the boundary interval cover? Simulated transitions of known threshold, wide, medium and sharp.

``python -m phase_diagrams.coverage`` prints the table of the documentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy import special

from phase_diagrams.threshold import Link, ThresholdStatus, binomial_interval, fit_threshold, fit_threshold_intervals

Sampling = Literal["independent", "nested"]

LEVELS = np.arange(10, 54, 4)  # 11 levels, 4 apart


@dataclass(frozen=True)
class Transition:
    """A simulated transition: logistic of width ``scale``, ``replicates`` trials at each level."""

    name: str
    scale: float
    replicates: int


TRANSITIONS = (Transition("wide", 6.0, 10), Transition("medium", 2.5, 5), Transition("sharp", 0.5, 10))


@dataclass(frozen=True)
class Coverage:
    """What a simulation found; ``lower``, ``upper`` are the exact 95 % interval of the coverage itself."""

    transition: Transition
    sampling: str
    coverage: float
    lower: float
    upper: float
    median_width: float
    separated: float


def interval_coverage(
    transition: Transition,
    *,
    simulations: int = 500,
    sampling: Sampling = "independent",
    confidence: float = 0.95,
    link: Link = "logit",
    seed: int = 0,
) -> Coverage:
    """Share of simulated data sets whose interval holds the true threshold, which is uniform between two levels.

    Parameters
    ----------
    transition : Transition
    simulations : int
    sampling : {'independent', 'nested'}
        Fresh trials at every level, or replicates that each have one critical level, known up to a grid step.
    confidence : float
        Nominal coverage.
    link : {'logit', 'probit'}
        Of the fitted curve; the simulated one is logistic, so probit is also a test of misspecification.
    seed : int
    """
    rng = np.random.default_rng([seed, transition.replicates, round(1000 * transition.scale)])
    trials = np.full(len(LEVELS), transition.replicates)
    covered, separated, widths = 0, 0, []
    for _ in range(simulations):
        truth = LEVELS[5] + rng.uniform(0, 4)
        if sampling == "nested":
            above = np.searchsorted(LEVELS, rng.logistic(truth, transition.scale, transition.replicates))
            edges = np.r_[-np.inf, LEVELS, np.inf]
            fit = fit_threshold_intervals(edges[above], edges[above + 1], confidence=confidence, link=link)
        else:
            wins = rng.binomial(trials, special.expit((LEVELS - truth) / transition.scale))
            fit = fit_threshold(LEVELS, wins, trials, confidence=confidence, link=link)
        covered += fit.lower <= truth <= fit.upper
        separated += fit.status is ThresholdStatus.SEPARATED
        widths.append(fit.width)
    low, high = (float(x) for x in binomial_interval(covered, simulations))
    return Coverage(
        transition, sampling, covered / simulations, low, high, float(np.median(widths)), separated / simulations
    )


def main() -> None:
    """Print the table."""
    print("transition  s    R   sampling     link    coverage  95 % of it      median width  separated")
    for sampling in get_args(Sampling):
        for transition in TRANSITIONS:
            for link in get_args(Link):
                c = interval_coverage(transition, sampling=sampling, link=link)
                print(
                    f"{transition.name:<11} {transition.scale:<4} {transition.replicates:<3} {sampling:<12} {link:<7} "
                    f"{c.coverage:.3f}     {c.lower:.3f} … {c.upper:.3f}   {c.median_width:<12.2f}  {c.separated:.0%}"
                )


if __name__ == "__main__":
    main()
