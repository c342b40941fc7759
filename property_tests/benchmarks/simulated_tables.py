"""Held-out explained variance on simulated tables of many kinds: nothing given, beside what people use already.

    python -m property_tests.benchmarks.simulated_tables --seeds 3
    python -m property_tests.benchmarks.simulated_tables --kinds wide heavy-tails

Half of every task's rows are fitted, the others judged; figures are means over the seeds.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from lrs import MultiTaskData
from lrs.hierarchical import Automatic
from property_tests.benchmarks.how_good import header, line
from property_tests.families.low_rank_sparse.tables import KINDS, halves, in_use


def measure(data: MultiTaskData, seed: int) -> dict[str, float]:
    """Explained variance of every model on the half held out."""
    training, score = halves(data, (seed, 1))
    start = time.process_time()
    found = {"auto": score(Automatic()(training, rng=np.random.default_rng([seed])).model.theta)}
    found["seconds"] = time.process_time() - start
    return found | {name: score(theta) for name, theta in in_use(training).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    options = parser.parse_args()
    header("table", "auto", "global", "ridge", "mixed", "low rank", "auto − best", "seconds")
    for kind in options.kinds:
        runs = [measure(KINDS[kind](np.random.default_rng([seed])), seed) for seed in range(options.seeds)]
        mean = {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}
        mean["low rank"] = max(value for name, value in mean.items() if name.startswith("low rank"))
        best = max(mean[name] for name in ("global", "ridge", "mixed", "low rank"))
        cells = [f"{mean[name]:.4f}" for name in ("auto", "global", "ridge", "mixed", "low rank")]
        line(kind, *cells, f"{mean['auto'] - best:+.4f}", f"{mean['seconds']:.1f}")


if __name__ == "__main__":
    main()
