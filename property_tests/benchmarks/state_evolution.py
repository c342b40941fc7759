"""Messages against state evolution, both given the same W, iteration by iteration.

    python -m property_tests.benchmarks.state_evolution                      # d = 1600, t 2, 5, 10, r 1, 2, three noise levels
    python -m property_tests.benchmarks.state_evolution -t 5 --runs 5
    python -m property_tests.benchmarks.state_evolution --scatter -t 10      # what the scatter of the limit comes from

One line a setting: seconds of a curve, the error in the limit, the ratio of the messages' mean error to the curve, the
largest departure from 1 over the iterations in per cent and in standard errors (of the runs and of the curve together), and
whether every iteration is within 3 % or three standard errors. Rows are N(0, 1), U and B independent entries as in the law; W has the
size that the generator's would have at d = 5 t in shares of b, so that neither part hides the other.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np

from lrs.baselines.amp import AMP
from lrs.families.low_rank_sparse.problem import MultiTaskData, Problem
from theory.families.low_rank_sparse.state_evolution import FewTasks, curve

DELTA, RATE = 0.35, 0.08


def weights(t: int, r: int, d: int, seed: int) -> np.ndarray:
    """W of a setting."""
    return np.random.default_rng([seed, t, r]).standard_normal((t, r)) * np.sqrt(d / 5 / r)


def draw(W: np.ndarray, m: int, d: int, sigma: float, seed: Sequence[int]) -> tuple[Problem, np.ndarray]:
    """A problem with these weights, and its Θ."""
    rng = np.random.default_rng(seed)
    t, r = W.shape
    U = rng.standard_normal((d, r)) / np.sqrt(d)
    B = np.where(rng.random((t, d)) < RATE, rng.standard_normal((t, d)), 0.0)
    theta = W @ U.T + B
    X = rng.standard_normal((t, m, d))
    y = (X @ theta[:, :, None])[:, :, 0] + sigma * rng.standard_normal((t, m))
    return Problem(MultiTaskData.from_arrays(X, y), r, round(RATE * d), sigma), theta


def run(
    W: np.ndarray, m: int, d: int, sigma: float, iterations: int, seed: Sequence[int], **options: object
) -> np.ndarray:
    """Mean error of a task after every iteration of the messages."""
    problem, theta = draw(W, m, d, sigma, seed)
    solver = AMP(max_iterations=iterations, **options)  # type: ignore[arg-type]
    return np.array([((one.posterior.mean.T - theta) ** 2).sum(axis=1).mean() for one in solver.messages(problem)])


def compare(t: int, r: int, d: int, variance: float, runs: int, iterations: int) -> bool:
    """Print one setting; whether it is within the bounds."""
    W, m = weights(t, r, d, 0), round(DELTA * d)
    sigma = float(np.sqrt(variance * m))
    start = time.process_time()
    law = curve(FewTasks(W, m, d, RATE * d, sigma), iterations)
    seconds = time.process_time() - start
    limit, own = law.errors.mean(axis=1)[1:], law.standard_error[1:]
    errors = np.array([run(W, m, d, sigma, iterations, (1, n), weights=W, slab=1.0) for n in range(runs)])
    ratio = errors.mean(axis=0) / limit
    spread = np.hypot(errors.std(axis=0, ddof=1) / np.sqrt(runs), own) / limit
    away = np.abs(ratio - 1)
    good = bool(((away <= 0.03) | (away <= 3 * spread)).all())
    print(
        f"t {t:2d}  r {r}  σ²/m {variance:<6g}  {seconds:5.1f} s  limit {limit[-1] / d:.4f} d  ratio "
        + " ".join(f"{x:.3f}" for x in ratio)
        + f"  worst {100 * away.max():.1f} %, {(away / spread).max():.1f} s.e.; one run scatters by "
        f"{100 * errors[:, -1].std(ddof=1) / errors[:, -1].mean():.1f} %  {'within' if good else 'OUTSIDE'}",
        flush=True,
    )
    return good


def scatter(t: int, r: int, d: int, variance: float, runs: int, iterations: int) -> None:
    """How much of the scatter of the messages is W's, and how much is left once the limit is given W."""
    m = round(DELTA * d)
    sigma = float(np.sqrt(variance * m))
    limits, own = [], []
    for seed in range(runs):
        W = weights(t, r, d, seed)
        limits.append(FewTasks(W, m, d, RATE * d, sigma, points=512).curve(iterations).mean(axis=1)[-1])
        own.append(run(W, m, d, sigma, iterations, (2, seed), weights=W, slab=1.0)[-1])
    a, b = np.array(limits), np.array(own)
    print(
        f"t {t}  r {r}  σ²/m {variance:g}  d {d}: over draws of W the limit scatters by {100 * a.std(ddof=1) / a.mean():.0f} %, the messages by "
        f"{100 * b.std(ddof=1) / b.mean():.0f} %, their ratio by {100 * (b / a).std(ddof=1):.1f} % about {(b / a).mean():.3f}",
        flush=True,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-t", type=int, nargs="*", default=[2, 5, 10])
    parser.add_argument("-r", type=int, nargs="*", default=[1, 2])
    parser.add_argument("-d", type=int, default=1600)
    parser.add_argument("--noise", type=float, nargs="*", default=[0.0005, 0.005, 0.05], help="σ²/m")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--iterations", type=int, default=8)
    parser.add_argument("--scatter", action="store_true")
    chosen = parser.parse_args(arguments)
    good = True
    for t in chosen.t:
        for r in chosen.r:
            for variance in chosen.noise:
                if chosen.scatter:
                    scatter(t, r, chosen.d, variance, chosen.runs, chosen.iterations)
                else:
                    good &= compare(t, r, chosen.d, variance, chosen.runs, chosen.iterations)
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    main()
