"""How closely AMP follows state evolution at d = 2000: the mean over many runs of mse and τ², each by its prediction, at every iteration.

    python -m property_tests.benchmarks.trajectories --runs 200 --seed 1

A row a setting: the largest distance of a mean from 1, its standard error, and how far the mean is off in these. Then the share of
means over 12 of the same runs that the claim ``evolution/trajectory`` would keep.
"""

from __future__ import annotations

import argparse

import numpy as np

from lrs.core.family import load_family
from lrs.families.sparse.amp import AMP
from property_tests.families.sparse.claims import ITERATIONS, RUNS, allowed, ratios

#: (k, m, σ), from few rows to many and from little noise to much.
SETTINGS = ((40, 600, 1.0), (40, 600, 2.0), (60, 800, 2.0), (100, 1000, 3.0), (100, 1400, 4.0), (150, 1000, 6.0))


def run(family, spec, key):
    """(iterations + 1, 2) ratios of one run."""
    instance, trace = family.draw(spec, key), []
    AMP(max_iterations=ITERATIONS)(instance.problem, rng=np.random.default_rng(0), callback=trace.append)
    return ratios(trace, instance.truth, spec)


def main() -> None:
    """A row a setting."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-d", type=int, default=2000)
    parser.add_argument("--setting", type=int, nargs="*", default=range(len(SETTINGS)))
    options = parser.parse_args()
    family = load_family("sparse")
    print("| k, m, σ | largest distance of mse | of τ² | trials of the claim kept |")
    for k, m, noise in (SETTINGS[i] for i in options.setting):
        spec = family.spec(d=options.d, k=k, m=m, noise=noise)
        found = np.array([run(family, spec, (options.seed, i)) for i in range(options.runs)])
        off, error = np.abs(found.mean(axis=0) - 1), found.std(axis=0, ddof=1) / np.sqrt(len(found))
        cells = []
        for which in range(2):
            at = int(np.argmax(off[:, which]))
            cells.append(f"{off[at, which]:.2%} ± {error[at, which]:.2%} at {at}")
        trials = [found[i : i + RUNS] for i in range(0, len(found) - RUNS + 1, RUNS)]
        kept = sum(bool((np.abs(t.mean(axis=0) - 1) <= allowed(t)).all()) for t in trials)
        print(f"| {k}, {m}, {noise:g} | {' | '.join(cells)} | {kept} of {len(trials)} |", flush=True)


if __name__ == "__main__":
    main()
