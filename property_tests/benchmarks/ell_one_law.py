"""Freezes the law of ℓ₁ minimisation from a million draws of the face dimension, to hold the integrated one to.

    python -m property_tests.benchmarks.ell_one_law property_tests/project/families/ell_one_law.json

One draw is the dimension V of `theory.statistics.exact_laws`, by its definition: T is found by sorting. The frozen failure
probability at m rows is the mean of 2·1{V > m, V − m odd}.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

SIZES, DRAWS, BLOCK = ((40, 3), (100, 5), (200, 10)), 1_000_000, 20_000


def dimensions(d: int, k: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draws of V."""
    g = rng.standard_normal((draws, d))
    rest = -np.sort(-np.abs(g[:, k:]), axis=1)
    sums = np.c_[np.zeros(draws), np.cumsum(rest, axis=1)]
    roots = (g[:, :k].sum(1, keepdims=True) + sums) / (k + np.arange(d - k + 1))
    above = (rest >= roots[:, :-1]).sum(1)
    return np.where(roots[np.arange(draws), above] <= 0, d, k - 1 + above)


def main(path: str) -> None:
    """Draw, and write the file."""
    found = {}
    for d, k in SIZES:
        rng = np.random.default_rng([d, k])
        V = np.concatenate([dimensions(d, k, BLOCK, rng) for _ in range(DRAWS // BLOCK)])
        rows = range(k, min(d, 8 * k) + 1)
        twice = [2.0 * ((m < V) & ((V - m) % 2 == 1)) for m in rows]
        found[f"{d},{k}"] = {
            "rows": list(rows),
            "failure": [round(float(x.mean()), 6) for x in twice],
            "variance": round(max(float(x.var()) for x in twice), 4),
        }
    command = "python -m property_tests.benchmarks.ell_one_law"
    Path(path).write_text(json.dumps({"command": command, "draws": DRAWS, "sizes": found}, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
