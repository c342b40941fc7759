"""Held-out explained variance on a table: nothing given but the columns, beside what people use already.

    python -m property_tests.benchmarks.real_tables school.csv.gz --task school --target score --train 0.2 0.5 0.75
    python -m property_tests.benchmarks.real_tables insteval.csv.gz --task student --target y --train 0.25 0.5 0.8

Tasks with at least ten rows; random rows of every task are fitted, the others judged. Each row is a share, each figure a
mean over the splits ± half the width of its 95 % interval (Student); *hindsight* is AMHT at the rank and sparsity that
turn out best on the judged rows, on average over the splits; *seconds* are of the processor, for the fit alone.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from scipy import stats

from lrs import AMHT, MultiTaskData, Problem, datasets, metrics, solve
from lrs.hierarchical import Automatic
from lrs.hierarchical.gaussian import Sums, low_rank
from property_tests.benchmarks.how_good import header, line

LEAST = 10


def measure(data: MultiTaskData, share: float, seed: int, ranks: list[int], sparsities: list[int]) -> dict[str, float]:
    """Explained variance of every model on the held-out rows of one split."""
    training, mask = data.split(share, np.random.default_rng([seed]))
    X, y, tasks = data.X[~mask], data.y[~mask], data.groups[~mask]

    def score(theta: np.ndarray) -> float:
        return float(metrics.explained_variance(y, np.einsum("nd,nd->n", X, theta[tasks])))

    found = {}
    start = time.process_time()
    solution = Automatic()(training, rng=np.random.default_rng([seed]))
    found["auto"], found["seconds"] = score(solution.model.theta), time.process_time() - start
    for name in ("global", "ridge", "mixed"):
        found[name] = score(solve(Problem(training, 1, 0), name).model.theta)
    sums = Sums.of(training)
    for r in ranks:
        found[f"low rank {r}"] = score(low_rank(sums, r).theta)
        for k in sparsities:
            found[f"amht {r} {k}"] = score(solve(Problem(training, r, k, 1.0), AMHT()).model.theta)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--task", required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--train", type=float, nargs="+", default=[0.25, 0.5, 0.75])
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 3, 4, 6, 8])
    parser.add_argument("--sparsities", type=int, nargs="+", default=[0, 1])
    options = parser.parse_args()
    data = datasets.load_data(options.file, task=options.task, target=options.target)
    data = data.select(np.flatnonzero(data.counts >= LEAST))
    solve(Problem(data.select(np.arange(20)), 1, 1, 1.0))  # kernels
    columns = ("auto", "global", "ridge", "mixed", "low rank", "hindsight", "auto − best", "seconds")
    header("share", *columns)
    for share in options.train:
        runs = [measure(data, share, seed, options.ranks, options.sparsities) for seed in range(options.splits)]
        all_of = {name: np.array([run[name] for run in runs]) for name in runs[0]}
        for family, prefix in (("low rank", "low rank "), ("hindsight", "amht ")):
            best = max((name for name in all_of if name.startswith(prefix)), key=lambda name: all_of[name].mean())
            all_of[family] = all_of[best]
        best = max(("global", "ridge", "mixed", "low rank", "hindsight"), key=lambda name: all_of[name].mean())
        all_of["auto − best"] = all_of["auto"] - all_of[best]
        t = stats.t.ppf(0.975, options.splits - 1) / np.sqrt(options.splits)
        cells = [f"{all_of[c].mean():.4f} ± {t * all_of[c].std(ddof=1):.4f}" for c in columns[:-1]]
        line(share, *cells, f"{all_of['seconds'].mean():.1f}")


if __name__ == "__main__":
    main()
