"""The whole pipeline on a solver whose boundary is known: do the intervals it reports cover the truth?

Every simulation is a line of a real sweep (drawn instances, spawned or inline workers, journal, table, fit); the lines
differ in a parameter the synthetic solver ignores, so that they are independent repetitions with one true threshold.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from phase_diagrams.analysis.boundary import boundary
from phase_diagrams.analysis.table import load
from phase_diagrams.sweeps.grid import Axis, Sampling, SweepSpec
from phase_diagrams.sweeps.runner import Engine, sweep
from phase_diagrams.sweeps.synthetic import Synthetic, medium, sharp, wide
from phase_diagrams.sweeps.threshold import binomial_interval

SOLVERS: dict[str, Callable[[], Synthetic]] = {"wide": wide, "medium": medium, "sharp": sharp}
DIMENSION = 4
PRECISION = 1.0
#: Name → sampling, replicates per cell (adaptive: at most per line), spacing of the levels.
DESIGNS: dict[str, tuple[Sampling, int, int]] = {
    "uniform": (Sampling(), 10, 4),
    "nested": (Sampling(nested="m"), 20, 1),
    "adaptive": (Sampling(precision=PRECISION), 2000, 1),
    "nested adaptive": (Sampling(nested="m", precision=PRECISION), 500, 1),
}


@dataclass(frozen=True)
class Result:
    """Coverage of one design on one transition.

    Attributes
    ----------
    design, transition : str
    lines : int
        Simulations.
    covered : int
        How many intervals hold the true threshold.
    low, high : float
        Exact 95 % interval of the coverage.
    half_width : float
        Median half-width of the intervals, in rows m.
    trials : float
        Mean number of solves a line took.
    """

    design: str
    transition: str
    lines: int
    covered: int
    low: float
    high: float
    half_width: float
    trials: float

    @property
    def coverage(self) -> float:
        return self.covered / self.lines

    @property
    def passed(self) -> bool:
        """The data do not contradict a coverage of at least .92."""
        return self.high >= 0.92


def specification(design: str, transition: str, lines: int, seed: int) -> SweepSpec:
    """The sweep of one design: m against a size of b that the solver does not look at."""
    sampling, replicates, step = DESIGNS[design]
    return SweepSpec(
        axes=(
            Axis("m", tuple(range(8, 57, step))),
            Axis("b_scale", tuple(float(i) for i in range(1, lines + 1))),
        ),
        fixed={"d": DIMENSION, "k/d": 1.0, "r": 0, "t": 1},
        solvers=(f"phase_diagrams.sweeps.synthetic:{transition}",),
        replicates=replicates,
        seed=seed,
        sampling=sampling,
    )


def selftest(engine: Callable[[], Engine], lines: int, seed: int = 0) -> list[Result]:
    """Run every design on every transition; ``engine`` makes a fresh engine for each sweep."""
    results = []
    for design in DESIGNS:
        for transition, solver in SOLVERS.items():
            spec = specification(design, transition, lines, seed)
            with tempfile.TemporaryDirectory(prefix="lrs-selftest-") as folder:
                sweep(spec, Path(folder) / "sweep", engine())
                trials = load(Path(folder) / "sweep")
            fits = [point.fit for point in boundary(trials, confidence=spec.sampling.confidence).points]
            truth = solver().boundary(DIMENSION)
            covered = sum(fit.lower <= truth <= fit.upper for fit in fits)
            low, high = binomial_interval([covered], [len(fits)])
            half_width = float(np.median([fit.width / 2 for fit in fits]))
            results.append(
                Result(
                    design,
                    transition,
                    len(fits),
                    covered,
                    float(low[0]),
                    float(high[0]),
                    half_width,
                    len(trials.frame) / lines,
                )
            )
    return results
