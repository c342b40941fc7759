"""Hold-out of the rows that greedy recovery is held to: sizes, shares of non-zeros and draws that 2 k ln(d − k) + 15 was not measured on.

    python -m property_tests.benchmarks.greedy_rows --draws 25 --seed 5

Every instance lies on the shell of the region itself, where the claim ``recovery/exact`` asks for least. A row a solver: of all instances
and of the worst cell (d, k), with what it missed.
"""

from __future__ import annotations

import argparse

import numpy as np

from lrs.core.family import load_family
from lrs.core.solver import load_solver
from property_tests.families.sparse.region import REGION

NAMES = ("omp", "htp", "sparse-niht", "sparse-iht", "cosamp", "basis-pursuit", "sklearn.linear_model:Lars")
DIMENSIONS, SHARES = (45, 170, 330, 600), (0.02, 0.05, 0.1)


def main() -> None:
    """A row a solver."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=25)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--solvers", nargs="+", default=NAMES)
    parser.add_argument("--largest", type=int, default=DIMENSIONS[-1])
    options = parser.parse_args()
    family = load_family("sparse")
    print("| solver | recovered | worst cell |")
    for name in options.solvers:
        solver, cells = load_solver(name), {}
        for d in (d for d in DIMENSIONS if d <= options.largest):
            for k in sorted({max(1, round(share * d)) for share in SHARES}):
                spec, found = family.spec(d=d, k=k, m=REGION.rows(d, k)), 0
                for i in range(options.draws):
                    instance = family.draw(spec, (options.seed, d, k, i))
                    answer = solver(instance.problem, rng=np.random.default_rng(i)).model
                    found += family.errors(answer, instance)["error"] <= 1e-6
                cells[d, k] = found
        worst = min(cells, key=lambda cell: cells[cell])
        total = options.draws * len(cells)
        print(
            f"| {name} | {sum(cells.values())} of {total} | {cells[worst]} of {options.draws} at d, k = {worst[0]}, {worst[1]} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
