"""Medians of the entrywise error of sketches on the witness *spikes*: sparse ones grow with d, dense ones like √ln d.

    python -m property_tests.benchmarks.sketches --columns 64 256 512 --draws 15

n = 32 d, m = 16 d, 32 spikes; the error is that of the family, where x* = 0 and the guarantee is ε/√d.
"""

from __future__ import annotations

import argparse

import numpy as np

from lrs.core.family import load_family
from lrs.core.solver import load_solver

NAMES = ("count-sketch", "count-sketch-2", "count-sketch-4", "count-sketch-8", "srht", "sketch-rademacher", "sketch-gaussian")  # fmt: skip


def main() -> None:
    """A row a sketch: median (share within 1.5 √ln d) for every number of columns."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--columns", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--draws", type=int, default=15)
    options = parser.parse_args()
    family = load_family("sketch")
    print("| sketch |", " | ".join(f"d = {d}" for d in options.columns), "|", flush=True)
    for name in NAMES:
        cells = []
        for d in options.columns:
            found = []
            for i in range(options.draws):
                instance = family.draw(family.spec(d=d, kind="spikes"), (i,))
                answer = load_solver(name)(instance.problem, rng=np.random.default_rng(i)).model
                found.append(np.abs(answer).max() * np.sqrt(d) * 4)  # ‖x′‖_∞ √d/ε, ε = √(d/m) = ¼
            cells.append(f"{np.median(found):.1f} ({np.mean(np.array(found) <= 1.5 * np.sqrt(np.log(d))):.2f})")
        print(f"| {name} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
