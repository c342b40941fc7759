"""Utility of the private variant: how the error falls with ε and t, what A costs against the gradient, the large run, and
the map of the error over ε and t with the users that the theory asks for.

python -m property_tests.benchmarks.private slopes
python -m property_tests.benchmarks.private noise
python -m property_tests.benchmarks.private dimension
python -m property_tests.benchmarks.private large --t 100000
python -m property_tests.benchmarks.private map --t 16000 --seeds 3 -o FOLDER
"""

from __future__ import annotations

import argparse
import itertools
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import sparse

from lrs import InstanceSpec, LRSModel, MultiTaskData, generate, metrics, solve
from lrs.baselines import TaskRidge
from lrs.private import (
    Clip,
    Cohort,
    PrivAltMin,
    PrivateAMHT,
    Request,
    Schedule,
    SeededNoise,
    Server,
    propose_clip,
    rho_for,
)

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
    """Subspace error against ε at fixed t, and against t at fixed ε, where noise and not sampling limits it.

    Sampling leaves about 0.027 of the start at t = 20,000, and that falls as 1/√t only: many users and a small ε keep it
    below the error of the noise. `noise_slopes` takes it out altogether.
    """
    spec = InstanceSpec(t=1, m=20, d=20, r=2, k=2)
    clip = levels(20, 2, 2)

    def median(epsilon: float, t: int) -> float:
        solver = PrivateAMHT(epsilon=epsilon, delta=DELTA, clip=clip, rounds=1)
        found = [subspace_error(replace(solver, insecure_seed=s), Users(spec, t, seed=s), s) for s in range(seeds)]
        print("| " + " | ".join(f"{e:.3e}" for e in found), flush=True)
        return statistics.median(found)

    print("ε at t = 100000")
    table("ε", [0.025, 0.05, 0.1, 0.2], lambda e: median(e, 100_000))
    print("t at ε = 0.05")
    table("t", [50_000, 100_000, 200_000], lambda t: median(0.05, int(t)))


def noise_slopes(seeds: int) -> None:
    """What the noise alone does to the private start: its U against that of the same users without noise, in ε and in t.

    Sampling and clipping are in both and cancel. Medians over the seeds, each with 5 draws of the noise per user set.
    """
    spec, clip = InstanceSpec(t=1, m=20, d=20, r=2, k=2), levels(20, 2, 2)
    epsilons, numbers = (0.1, 0.2, 0.4, 0.8, 1.6), (8000, 16_000, 32_000, 64_000)
    budgets = {e: rho_for(e, DELTA) for e in epsilons}
    errors: dict[tuple[float, int], list[float]] = {}
    for s in range(seeds):
        moment, seen = np.zeros((20, 20)), 0
        for data in Users(spec, numbers[-1], seed=s):
            moment += Cohort(data).answer(Request(0, "moment", np.eye(20, 2), clip, 2))["moment"]
            seen += data.t
            if seen not in numbers:
                continue
            free = noisy_start(moment, clip, np.inf, 0)
            for (e, rho), draw in itertools.product(budgets.items(), range(5)):
                U = noisy_start(moment, clip, rho, 1000 * s + draw)
                errors.setdefault((e, seen), []).append(metrics.subspace_distance(U, free))
    print("ε at t = 64000")
    table("ε", epsilons, lambda e: statistics.median(errors[e, 64_000]))
    print("t at ε = 0.4")
    table("t", numbers, lambda t: statistics.median(errors[0.4, int(t)]))


def noisy_start(moment: np.ndarray, clip: Clip, rho: float, seed: int) -> np.ndarray:
    """U of the private start that a server with budget ρ makes of the exact sum."""
    schedule = Schedule(clip=clip, rho=rho, rounds=1, sparsity=2, start_share=0.5)
    return Server(schedule, np.eye(20, 2), SeededNoise(seed)).receive([{"moment": moment}])


MAP_EPSILONS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
MAP_USERS = (500, 1000, 2000, 4000, 8000, 16_000)
TOLERANCE = 0.1


def utility_map(folder: Path, seeds: int, largest: int) -> None:
    """Subspace error over (ε, t ≤ largest) at d = 20, r = 2, k = 2, m = 20, with the users needed for τ = 0.1; CSV, PNG, SVG."""
    from theory.private_plan import PrivatePlan, plan_users

    spec, clip = InstanceSpec(t=1, m=20, d=20, r=2, k=2), levels(20, 2, 2)
    folder.mkdir(parents=True, exist_ok=True)
    numbers = [t for t in MAP_USERS if t <= largest]
    errors = np.empty((len(numbers), len(MAP_EPSILONS)))
    lines = ["epsilon,t,median_subspace_error,seeds"]
    for (i, t), (j, epsilon) in itertools.product(enumerate(numbers), enumerate(MAP_EPSILONS)):
        solver = PrivateAMHT(epsilon=epsilon, delta=DELTA, clip=clip)
        errors[i, j] = statistics.median(
            subspace_error(replace(solver, insecure_seed=s), Users(spec, t, seed=s), s) for s in range(seeds)
        )
        lines.append(f"{epsilon:g},{t},{errors[i, j]:.4g},{seeds}")
        print(lines[-1], flush=True)
    (folder / "utility_map.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    needs = [
        {need.source: need.amount for need in plan_users(PrivatePlan(d=20, r=2, k=2, epsilon=e, delta=DELTA))}
        for e in MAP_EPSILONS
    ]
    draw_map(
        folder / "utility_map",
        numbers,
        errors,
        [n["users needed"] for n in needs],
        [n["A above its noise"] for n in needs],
    )


def draw_map(
    stem: Path, numbers: Sequence[int], errors: np.ndarray, needed: Sequence[float], usable: Sequence[float]
) -> None:
    """Heat map of the error with its measured contour at τ and the derived lines."""
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 5), layout="constrained")
    axes = figure.subplots()
    mesh = axes.pcolormesh(MAP_EPSILONS, numbers, errors, norm=LogNorm(0.005, 1), cmap="viridis_r", shading="nearest")
    figure.colorbar(mesh, ax=axes, label="subspace error (median)")
    axes.set(xscale="log", yscale="log", xlabel="ε (δ = 1e-6)", ylabel="users t")
    axes.contour(MAP_EPSILONS, numbers, errors, levels=[TOLERANCE], colors="white", linewidths=2.5)
    axes.plot([], [], color="white", linewidth=2.5, label=f"measured error {TOLERANCE:g}")
    limits = axes.get_xlim(), axes.get_ylim()
    axes.plot(MAP_EPSILONS, needed, color="#D55E00", linewidth=2.5, label=f"users needed for τ = {TOLERANCE:g} [D]")
    if min(usable) <= limits[1][1]:
        axes.plot(MAP_EPSILONS, usable, "--", color="black", linewidth=2, label="A above its noise [D]")
    axes.set(xlim=limits[0], ylim=limits[1], title="Private AMHT-LRS: d = 20, r = 2, k = 2, m = 20, 4 rounds")
    axes.legend(loc="lower left", framealpha=0.9, facecolor="#BBBBBB")
    for suffix in (".png", ".svg"):
        figure.savefig(stem.with_suffix(suffix), dpi=150)


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
    parser.add_argument("what", choices=("slopes", "noise", "dimension", "large", "map"))
    parser.add_argument("--t", type=int, default=100_000)
    parser.add_argument("--noise", type=float, default=0.0)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("-o", "--output", type=Path, default=Path(), metavar="DIR", help="folder of the map's files")
    options = parser.parse_args(arguments)
    if options.what == "large":
        large(options.t, options.noise)
    elif options.what == "map":
        utility_map(options.output, options.seeds, options.t)
    else:
        {"slopes": slopes, "noise": noise_slopes, "dimension": dimension}[options.what](options.seeds)


if __name__ == "__main__":
    main()
