"""How many solves bisection and adaptive rounds save, measured on a real solver.

``python -m property_tests.benchmarks.economy FOLDER`` runs (or resumes) two sweeps of the same map, one nested and adaptive to ± 1 in
m, one over every level with a fixed number of replicates, and compares what each paid for the precision. The uniform
sweep is read as favourably as it can be: each line stops at the fewest replicates that give the precision, its
replicates count as nested too, and levels may be 1 or 2 apart.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from phase_diagrams.analysis.boundary import boundary
from phase_diagrams.analysis.table import Trials, load
from phase_diagrams.sweeps.engines.local import LocalEngine
from phase_diagrams.sweeps.grid import build
from phase_diagrams.sweeps.runner import Engine, sweep
from phase_diagrams.sweeps.threshold import ThresholdFit, fit_threshold_intervals

PRECISION = 1.0
MAP = {"x": "m=4:80", "y": "k=1,2,4,6", "fixed": "d=50,r=2,t=200", "solvers": "amht"}
REPLICATES = 8  # of the uniform sweep
FEWEST = 3  # replicates from which an interval is believed
STEPS = (1, 2)


class Needed(NamedTuple):
    """Solves of the cheapest uniform sweep that reaches the precision, or of all that were run when even they do not."""

    solves: int
    reached: bool

    def __str__(self) -> str:
        return f"{'' if self.reached else 'more than '}{self.solves}"


@dataclass(frozen=True)
class Line:
    """One line of the map: what the adaptive sweep found, and what the uniform one would have had to pay.

    Attributes
    ----------
    k : int
    adaptive, uniform : ThresholdFit
        The uniform one from all its replicates at all levels.
    solves : int
        Of the adaptive sweep.
    grid : mapping
        Step of the grid → `Needed`.
    """

    k: int
    adaptive: ThresholdFit
    uniform: ThresholdFit
    solves: int
    grid: dict[int, Needed]

    @property
    def agree(self) -> bool:
        """Whether the two intervals overlap."""
        return self.adaptive.lower <= self.uniform.upper and self.uniform.lower <= self.adaptive.upper


def grid_fit(line: Trials, step: int, replicates: int) -> tuple[ThresholdFit, int]:
    """The fit of a line's uniform trials thinned to every ``step``-th level and the first replicates, and their number."""
    frame = line.possible
    levels = np.unique(frame["m"])[::step]
    thinned = replace(line, frame=frame[frame["m"].isin(levels) & (frame["replicate"] < replicates)])
    brackets = thinned.thresholds("m")
    return fit_threshold_intervals(brackets["lower"], brackets["upper"]), len(thinned.frame)


def cheapest(line: Trials, step: int, precision: float = PRECISION) -> Needed:
    """The smallest uniform sweep of this line that reaches the precision and keeps it with more replicates."""
    needed = Needed(0, False)
    for replicates in range(int(line.frame["replicate"].max()) + 1, FEWEST - 1, -1):
        fit, solves = grid_fit(line, step, replicates)
        if fit.width / 2 > precision:
            return needed if needed.reached else Needed(solves, False)
        needed = Needed(solves, True)
    return needed


def compare(adaptive: Trials, uniform: Trials) -> list[Line]:
    """Line by line, on sweeps of the same map."""
    lines = []
    for found, full in zip(boundary(adaptive).points, boundary(uniform).points, strict=True):
        k = int(found.at["k"])  # type: ignore[arg-type]
        line = replace(uniform, frame=uniform.frame[uniform.frame["k"] == k])
        solves = int((adaptive.possible["k"] == k).sum())
        lines.append(Line(k, found.fit, full.fit, solves, {step: cheapest(line, step) for step in STEPS}))
    return lines


def run(folder: Path, engine: Engine, **settings: object) -> Trials:
    """Run or resume one of the sweeps."""
    sweep(build({**MAP, **settings}), folder, engine)
    return load(folder)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``python -m property_tests.benchmarks.economy``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the two sweeps go (resumed when they exist)")
    parser.add_argument("--jobs", type=int, help="default: the processors this process may use")
    options = parser.parse_args(arguments)
    folder, workers = options.folder, options.jobs
    adaptive = run(folder / "adaptive", LocalEngine(workers), nested="m", precision=PRECISION, replicates=500)
    uniform = run(folder / "uniform", LocalEngine(workers), replicates=REPLICATES)
    lines = compare(adaptive, uniform)
    print(
        f"{'k':>2}  {'nested and adaptive':<38}{'solves':>7}  {f'uniform, {REPLICATES} replicates':<38}  to ± {PRECISION:g}"
    )
    for line in lines:
        needed = ", ".join(f"{n} (step {step})" for step, n in line.grid.items())
        print(
            f"{line.k:>2}  {line.adaptive.describe('m'):<38}{line.solves:>7}  {line.uniform.describe('m'):<38}  {needed}"
            + ("" if line.agree else "  DISAGREE")
        )
    solves = sum(line.solves for line in lines)
    for step in STEPS:
        parts = [line.grid[step] for line in lines]
        total = Needed(sum(part.solves for part in parts), all(part.reached for part in parts))
        more = "" if total.reached else "more than "
        print(
            f"uniform grid, step {step}: {total} solves for the same precision, {more}{total.solves / solves:.1f} times as many"
        )
    seconds = [t.possible["timing_solve"].sum() for t in (adaptive, uniform)]
    print(
        f"nested and adaptive: {solves} solves, {seconds[0]:.0f} s in the solver (uniform as run: {seconds[1]:.0f} s)"
    )


if __name__ == "__main__":
    main()
