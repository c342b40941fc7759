"""How far every competitor gets, and in which time: the measured table of the competitors' guide.

    python -m property_tests.benchmarks.competitors S A B --seeds 3

Prints one Markdown row per solver: medians over the seeds, and the range of the tasks that are exact (relative error
at most 1e-6).
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence

from lrs import InstanceSpec, InvalidInput, generate, load_solver, metrics, solve
from property_tests.benchmarks.simple_pipeline import SimplePipeline

ROWS = {
    "S": InstanceSpec(t=200, m=70, d=50, r=2, k=3),
    "L": InstanceSpec(t=200, m=70, d=50, r=2, k=0),
    "A": InstanceSpec(t=400, m=70, d=100, r=3, k=5),
    "B": InstanceSpec(t=1000, m=50, d=100, r=3, k=5),
    "C": InstanceSpec(t=400, m=25, d=50, r=2, k=3),
    "D": InstanceSpec(t=200, m=25, d=50, r=5, k=4),
}
SOLVERS = (
    "global",
    "ridge",
    "iht",
    "global-iht",
    "moments",
    "altmin",
    "altmin-gd",
    "convex",
    "naht",
    "altproj",
    "simple",
)


def measure(row: str, solver: str, seeds: int) -> str:
    """One Markdown row."""
    run = SimplePipeline() if solver == "simple" else load_solver(solver)
    theta, subspace, exact, iterations, seconds, statuses = [], [], [], [], [], []
    for seed in range(seeds):
        instance = generate(ROWS[row], seed)
        try:
            solution = solve(instance.problem, run, seed=seed)
        except InvalidInput:
            return f"| {solver} | not applicable | | | | | |"
        theta.append(metrics.theta_error(solution.model, instance.truth))
        subspace.append(metrics.subspace_distance(solution.model.U, instance.truth.U))
        exact.append(metrics.tasks_recovered(solution.model, instance.truth))
        iterations.append(solution.iterations)
        seconds.append(solution.seconds)
        statuses.append(solution.status.value)
    return (
        f"| {solver} | {statistics.median(theta):.1e} | {statistics.median(subspace):.1e} | "
        f"{min(exact):.0%}–{max(exact):.0%} | {statistics.median(iterations):.0f} | {statistics.median(seconds):.2f} | "
        f"{', '.join(sorted(set(statuses)))} |"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="+", choices=sorted(ROWS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--solvers", nargs="+", default=SOLVERS)
    options = parser.parse_args(arguments)
    for row in options.rows:
        spec = ROWS[row]
        print(f"\nRow {row}: t={spec.t}, m={spec.m}, d={spec.d}, r={spec.r}, k={spec.k}\n")
        print("| solver | θ error | subspace | exact tasks | iterations | seconds | status |")
        print("|---|---|---|---|---|---|---|")
        for solver in options.solvers:
            print(measure(row, solver, options.seeds), flush=True)


if __name__ == "__main__":
    main()
