"""Utility of the private variant: how the error falls with ε and t, what A costs against the gradient, and the large run.

python -m property_tests.benchmarks.private slopes
python -m property_tests.benchmarks.private dimension
python -m property_tests.benchmarks.private large --t 100000
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from lrs import InstanceSpec, LRSModel, MultiTaskData, generate, metrics, solve
from lrs.baselines import TaskRidge
from lrs.private import Clip, PrivAltMin, PrivateAMHT, propose_clip

DELTA = 1e-6


def levels(d: int, r: int, k: int) -> Clip:
    """Clip levels from the publicly known scales of the generator."""
    return propose_clip(d=d, feature_scale=1, weight_scale=1, rank=r, sparse_scale=1, sparsity=k)


@dataclass(frozen=True)
class Users:
    """t users in blocks drawn when they are asked for: the same truth U, every block its own users, no block kept."""

    spec: InstanceSpec
    t: int
    block: int = 2000
    seed: int = 0

    def instances(self) -> Iterator[tuple[MultiTaskData, LRSModel]]:
        U = generate(replace(self.spec, t=1, m=1), [self.seed]).truth.U
        for number in range(-(-self.t // self.block)):
            users = min(self.block, self.t - number * self.block)
            drawn = generate(replace(self.spec, t=users), [self.seed, number + 1])
            # The block brings its own U: rotate the responses to the shared one.
            truth = LRSModel(U, drawn.truth.W, drawn.truth.B)
            data = drawn.problem.data
            noise = data.y - drawn.truth.predict(data.X, data.groups)
            names = tuple(range(number * self.block, number * self.block + users))
            y = truth.predict(data.X, data.groups) + noise
            yield MultiTaskData(data.X, y, data.offsets, names), truth

    def __iter__(self) -> Iterator[MultiTaskData]:
        return (data for data, _ in self.instances())

    @property
    def U(self) -> np.ndarray:
        return generate(replace(self.spec, t=1, m=1), [self.seed]).truth.U


def subspace_error(solver: PrivateAMHT, users: Users, seed: int) -> float:
    spec = users.spec
    server, _ = solver.train(
        users, d=spec.d, rank=spec.r, sparsity=spec.k, rng=np.random.default_rng([seed, 1]), population=users.t
    )
    return metrics.subspace_distance(server.U, users.U)


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def table(name: str, values: Sequence[float], error: Callable[[float], float]) -> None:
    errors = []
    for value in values:
        errors.append(error(value))
        print(f"| {name} = {value:g} | {errors[-1]:.3e} |", flush=True)
    print(f"slope of ln(error) in ln({name}): {slope(values, errors):+.3f}")


def slopes(seeds: int) -> None:
    """Subspace error against ε at fixed t, and against t at fixed ε, where noise and not sampling limits it."""
    spec = InstanceSpec(t=1, m=20, d=20, r=2, k=2)
    clip = levels(20, 2, 2)

    def median(epsilon: float, t: int) -> float:
        solver = PrivateAMHT(epsilon=epsilon, delta=DELTA, clip=clip, rounds=1)
        return statistics.median(
            subspace_error(replace(solver, insecure_seed=s), Users(spec, t, seed=s), s) for s in range(seeds)
        )

    print("ε at t = 20000")
    table("ε", [0.04, 0.08, 0.16, 0.32], lambda e: median(e, 20000))
    print("t at ε = 0.1")
    table("t", [8000, 16000, 32000, 64000], lambda t: median(0.1, int(t)))


def dimension(seeds: int) -> None:
    """Privacy error of one round from the truth as public start, k = 0: A and V against one gradient, as d grows."""
    for release in ("normal", "gradient"):
        print(f"release {release}")

        def error(d: float, release: str = release) -> float:
            n = int(d)
            spec = InstanceSpec(t=1, m=2 * n, d=n, r=2, k=0)
            # At the truth every gradient is zero, so its level is public knowledge of the residual: take that of w x y.
            clip = levels(n, 2, 0)
            clip = replace(clip, gradient=clip.x * clip.w * clip.y)
            found = []
            for s in range(seeds):
                users = Users(spec, 20000, seed=s, block=1000)
                solver = PrivAltMin(
                    epsilon=8.0, delta=DELTA, clip=clip, rounds=1, release=release, start=users.U, insecure_seed=s
                )
                found.append(subspace_error(solver, users, s))
            return statistics.median(found)

        table("d", [8, 16, 32, 64], error)


def large(t: int, noise: float) -> None:
    """ε = 1 at t users against no noise, no sharing and no personal parts; the first 2000 users judge."""
    spec = InstanceSpec(t=1, m=20, d=20, r=2, k=2, noise=noise)
    users, clip = Users(spec, t), levels(20, 2, 2)
    print(f"t = {t}, d = 20, r = 2, k = 2, m = 20, σ = {noise:g}, clip {clip.to_dict()}")
    print("| solver | ε | subspace | median user error | θ error | seconds |\n|---|---|---|---|---|---|")
    data, truth = next(users.instances())
    for name, solver, sparsity in (
        ("private-amht", PrivateAMHT(epsilon=1.0, delta=DELTA, clip=clip), 2),
        ("without noise", PrivateAMHT(epsilon=np.inf, delta=DELTA, clip=clip), 2),
        ("priv-altmin", PrivAltMin(epsilon=1.0, delta=DELTA, clip=clip), 0),
    ):
        start = time.perf_counter()
        server, _ = solver.train(users, d=20, rank=2, sparsity=sparsity, rng=np.random.default_rng([0, 1]))
        seconds = time.perf_counter() - start
        parts = [server.adapt(X, y, sparsity=sparsity) for X, y in data]
        model = LRSModel(server.U, np.array([p.w for p in parts]), sparse.csr_array(np.array([p.b for p in parts])))
        print(row(name, f"{server.privacy['epsilon']:.4g}", model, truth, seconds), flush=True)
    from lrs import Problem

    start = time.perf_counter()
    alone = solve(Problem(data, 2, 2, noise), TaskRidge()).model
    print(row("local-only (ridge)", "0", alone, truth, (time.perf_counter() - start) * t / data.t))
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def row(name: str, epsilon: str, model: LRSModel, truth: LRSModel, seconds: float) -> str:
    shared = metrics.subspace_distance(model.U, truth.U) if model.W.any() else float("nan")
    median = float(np.median(metrics.task_errors(model, truth)))
    return f"| {name} | {epsilon} | {shared:.2e} | {median:.2e} | {metrics.theta_error(model, truth):.2e} | {seconds:.0f} |"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("slopes", "dimension", "large"))
    parser.add_argument("--t", type=int, default=100_000)
    parser.add_argument("--noise", type=float, default=0.0)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args(arguments)
    if options.what == "large":
        large(options.t, options.noise)
    else:
        {"slopes": slopes, "dimension": dimension}[options.what](options.seeds)


if __name__ == "__main__":
    main()
