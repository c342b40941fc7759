"""Utility of the private variant: how the error falls with ε and t, what A costs against the gradient, and the large run.

python -m property_tests.benchmarks.private slopes --regime start
python -m property_tests.benchmarks.private slopes --regime rounds
python -m property_tests.benchmarks.private noise
python -m property_tests.benchmarks.private dimension
python -m property_tests.benchmarks.private large --t 100000
"""

from __future__ import annotations

import argparse
import itertools
import math
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse
from scipy.optimize import brentq
from scipy.stats import t as t_law

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
    clip_of,
    rho_for,
)
from lrs.private.statistics import Statistics

DELTA = 1e-6


def levels(d: int, r: int, k: int) -> Clip:
    """Clip levels from the publicly known scales of the generator."""
    return clip_of(InstanceSpec(t=1, m=1, d=d, r=r, k=k))


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


def slope(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> float:
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def table(name: str, values: Sequence[float], error: Callable[[float], float]) -> None:
    errors = []
    for value in values:
        errors.append(error(value))
        print(f"| {name} = {value:g} | {errors[-1]:.3e} |", flush=True)
    print(f"slope of ln(error) in ln({name}): {slope(values, errors):+.3f}")


def train_together(servers: Mapping[Any, tuple[Server, int]], users: Users) -> None:
    """Play the rounds of many servers, each with the first so many of the same users, in one pass over the users per round."""
    while True:
        asked = {key: request for key, (server, _) in servers.items() if (request := server.request()) is not None}
        if not asked:
            return
        totals: dict[Any, Statistics] = {key: {} for key in asked}
        seen = 0
        for data in users:
            cohort, seen = Cohort(data), seen + data.t
            moment = None
            for key, request in asked.items():
                if seen > servers[key][1]:
                    continue
                if request.kind == "moment":  # the same for every server: it depends on no U
                    answer = moment = cohort.answer(request) if moment is None else moment
                else:
                    answer = cohort.answer(request)
                add(totals[key], answer)
        for key in asked:
            servers[key][0].receive([totals[key]])


def add(total: Statistics, answer: Statistics) -> None:
    """Add an answer to a running total."""
    for name, value in answer.items():
        total[name] = total[name] + value if name in total else value


@dataclass(frozen=True)
class Regime:
    """Where the noise decides the error of the whole mechanism: small beside 1, large beside what the same users leave without it.

    Attributes
    ----------
    start : float or None
        Subspace error of a public start; None for the private one.
    rounds : int
    epsilons : tuple of float
        At the largest number of users.
    users : tuple of int
        At the largest ε.
    """

    start: float | None
    rounds: int
    epsilons: tuple[float, ...]
    users: tuple[int, ...]


#: The private start decides where t ε is small, the rounds where a public start is far from what they reach.
REGIMES = {
    "start": Regime(None, 1, (0.01, 0.02, 0.04), (50_000, 100_000, 200_000)),
    "rounds": Regime(0.2, 4, (0.5, 1.0, 2.0), (50_000, 100_000, 200_000)),
}


def slopes(regime: Regime, seeds: int) -> None:
    """Slopes of the whole mechanism's subspace error in ε, √ρ and t, each with a 95 % t-interval over the seeds."""
    spec, clip = InstanceSpec(t=1, m=20, d=20, r=2, k=2), levels(20, 2, 2)
    largest, most = max(regime.users), max(regime.epsilons)
    runs = [(e, largest) for e in regime.epsilons] + [(most, t) for t in regime.users[:-1]]
    runs += [(np.inf, t) for t in regime.users]
    errors = np.empty((seeds, len(runs)))
    for s in range(seeds):
        users = Users(spec, largest, block=2000, seed=s)
        start = public_start(users.U, regime.start, s)
        share = 0.5 if regime.start is None else 0.0
        servers = {}
        for number, (e, t) in enumerate(runs):
            schedule = Schedule(clip=clip, rho=rho_for(e, DELTA), rounds=regime.rounds, sparsity=2, start_share=share)
            # The same noise, differently scaled, in every run of a seed: slopes compare like with like.
            servers[number] = Server(schedule, start, SeededNoise(s)), t
        train_together(servers, users)
        errors[s] = [metrics.subspace_distance(server.U, users.U) for server, _ in servers.values()]
    start_name = "private start" if regime.start is None else f"public start at {regime.start:g}"
    print(f"{start_name}, rounds: {regime.rounds}, seeds: {seeds}")
    for (e, t), column in zip(runs, errors.T, strict=True):
        print(f"| ε = {e:g} | t = {t:,} | {np.median(column):.3e} |")
    n = len(regime.epsilons)
    along_t = [*range(n, n + len(regime.users) - 1), n - 1]
    roots = [math.sqrt(rho_for(e, DELTA)) for e in regime.epsilons]
    report_slope("ε", regime.epsilons, errors[:, :n])
    report_slope("√ρ", roots, errors[:, :n])
    report_slope("t", regime.users, errors[:, along_t])
    print(f"√ρ itself has slope {slope(regime.epsilons, roots):+.3f} in ln(ε)", flush=True)
    if regime.start is not None:
        smallest, floor = (float(np.median(errors[:, column])) for column in (n - 1, -1))
        contraction = (floor / regime.start) ** (1 / regime.rounds)
        in_root = weighting_slope(regime.start, regime.rounds, contraction, smallest, roots[-1] / np.array(roots))
        in_users = weighting_slope(regime.start, regime.rounds, contraction, smallest, largest / np.array(regime.users))
        print(
            f"the server's weighting predicts {in_root:+.3f} in ln(√ρ) and {in_users:+.3f} in ln(t), at the contraction of "
            f"{contraction:.3f} a round without noise"
        )


def weighting_slope(start: float, rounds: int, contraction: float, smallest: float, louder: np.ndarray) -> float:
    """Slope in 1/noise of the error after some rounds, as the server's weighting of rounds makes it, in one dimension [D].

    Parameters
    ----------
    start : float
        Error of the start.
    rounds : int
    contraction : float
        What a round leaves of an error without noise.
    smallest : float
        Error at the quietest noise, which sets its size.
    louder : array
        Noise of every run over the quietest.
    """

    def error(noise: float) -> float:
        # As `Server._from_normal`: gain against the uncertainty τ, which shrinks at most fourfold a round; an n × r matrix of
        # entries s has norm s(√(d − r) + √r).
        entry, tau, left, variance = noise / (math.sqrt(18) + math.sqrt(2)), 1 / math.sqrt(20), start, 0.0
        for _ in range(rounds):
            gain = 1 / (1 + entry**2 / tau**2)
            kept = 1 - gain + gain * contraction
            left, variance = kept * left, kept**2 * variance + (gain * noise) ** 2
            tau *= math.sqrt(max(1 - gain, 1 / 16))
        return math.sqrt(left**2 + variance)

    quietest = float(brentq(lambda noise: error(noise) - smallest, 1e-9, 1.0))
    return slope(1 / louder, [error(quietest * factor) for factor in louder])


def public_start(U: np.ndarray, error: float | None, seed: int) -> np.ndarray:
    """An orthonormal start at this subspace error from U; a random one for None."""
    noise = np.random.default_rng([seed, 1]).standard_normal(U.shape)
    if error is None:
        return np.linalg.qr(noise)[0]
    noise -= U @ (U.T @ noise)
    return np.linalg.qr(U + math.tan(math.asin(error)) * noise / np.linalg.norm(noise, 2))[0]


def report_slope(name: str, x: Sequence[float], errors: np.ndarray) -> None:
    """Mean of the seeds' slopes, with its t-interval."""
    found = np.array([slope(x, row) for row in errors])
    half = (
        float(t_law.ppf(0.975, len(found) - 1)) * found.std(ddof=1) / math.sqrt(len(found))
        if len(found) > 1
        else math.inf
    )
    print(f"slope of ln(error) in ln({name}): {found.mean():+.3f} ± {half:.3f}")


def noise_slopes(seeds: int) -> None:
    """What the noise alone does to the private start: its U against that of the same users without noise, in ε and in t.

    Sampling and clipping are in both and cancel. Medians over the seeds, each with 5 draws of the noise per user set. What
    they leave without noise is shown beside it, and the number of users at which both are equal for ε = 1.
    """
    spec, clip = InstanceSpec(t=1, m=20, d=20, r=2, k=2), levels(20, 2, 2)
    epsilons, numbers = (0.1, 0.2, 0.4, 0.8, 1.6), (8000, 16_000, 32_000, 64_000)
    budgets = {e: rho_for(e, DELTA) for e in epsilons}
    errors: dict[tuple[float, int], list[float]] = {}
    sampled: dict[int, list[float]] = {}
    for s in range(seeds):
        users = Users(spec, numbers[-1], seed=s)
        moment, seen = np.zeros((20, 20)), 0
        for data in users:
            moment += Cohort(data).answer(Request(0, "moment", np.eye(20, 2), clip, 2))["moment"]
            seen += data.t
            if seen not in numbers:
                continue
            free = noisy_start(moment, clip, np.inf, 0)
            sampled.setdefault(seen, []).append(metrics.subspace_distance(free, users.U))
            for (e, rho), draw in itertools.product(budgets.items(), range(5)):
                U = noisy_start(moment, clip, rho, 1000 * s + draw)
                errors.setdefault((e, seen), []).append(metrics.subspace_distance(U, free))
    print("ε at t = 64000")
    table("ε", epsilons, lambda e: statistics.median(errors[e, 64_000]))
    print("t at ε = 0.4")
    table("t", numbers, lambda t: statistics.median(errors[0.4, int(t)]))
    print("without noise, against the truth")
    table("t", numbers, lambda t: statistics.median(sampled[int(t)]))
    most = numbers[-1]
    noise = statistics.median(errors[0.4, most]) * most * math.sqrt(budgets[0.4])
    sampling = statistics.median(sampled[most]) * math.sqrt(most)
    equal = noise**2 / (sampling**2 * rho_for(1.0, DELTA))
    print(f"noise {noise:.3g}/(t√ρ), sampling {sampling:.3g}/√t: equal at t = {equal:,.0f} for ε = 1")


def noisy_start(moment: np.ndarray, clip: Clip, rho: float, seed: int) -> np.ndarray:
    """U of the private start that a server with budget ρ makes of the exact sum."""
    schedule = Schedule(clip=clip, rho=rho, rounds=1, sparsity=2, start_share=0.5)
    return Server(schedule, np.eye(20, 2), SeededNoise(seed)).receive([{"moment": moment}])


def dimension(seeds: int, draws: int = 20) -> None:
    """Privacy error of one round from the truth as public start, k = 0: A and V against one gradient, as d grows.

    The exact sums of a set of users are the same for every draw of the noise; a seed's error is the median of its draws.
    """
    sizes, t = (8, 16, 32, 64), 20_000
    errors = {release: np.empty((seeds, len(sizes))) for release in ("normal", "gradient")}
    for s, (column, d) in itertools.product(range(seeds), enumerate(sizes)):
        users = Users(InstanceSpec(t=1, m=2 * d, d=d, r=2, k=0), t, seed=s, block=1000)
        # At the truth every gradient is zero, so its level is public knowledge of the residual: take that of w x y.
        clip = levels(d, 2, 0)
        clip = replace(clip, gradient=clip.x * clip.w * clip.y)
        schedules = {}
        for release in errors:
            solver = PrivAltMin(epsilon=8.0, delta=DELTA, clip=clip, rounds=1, release=release, start=users.U)
            schedules[release] = solver._schedule(solver._budget()[0], d, 2, 0, t)
        totals: dict[str, Statistics] = {release: {} for release in schedules}
        for cohort in map(Cohort, users):
            for release, schedule in schedules.items():
                request = Server(schedule, users.U, SeededNoise(0)).request()
                assert request is not None
                add(totals[release], cohort.answer(request))
        for release, schedule in schedules.items():
            found = [
                Server(schedule, users.U, SeededNoise(1000 * s + n)).receive([totals[release]]) for n in range(draws)
            ]
            errors[release][s, column] = statistics.median(metrics.subspace_distance(U, users.U) for U in found)
    for release, found_errors in errors.items():
        print(f"\nrelease {release}, {seeds} seeds")
        for d, column_of_d in zip(sizes, found_errors.T, strict=True):
            print(f"| d = {d} | {np.median(column_of_d):.3e} |")
        report_slope("d", sizes, found_errors)


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
    parser.add_argument("what", choices=("slopes", "noise", "dimension", "large"))
    parser.add_argument("--t", type=int, default=100_000)
    parser.add_argument("--regime", choices=tuple(REGIMES), default="start", help="of the slopes")
    parser.add_argument("--noise", type=float, default=0.0)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args(arguments)
    if options.what == "large":
        large(options.t, options.noise)
    elif options.what == "slopes":
        slopes(REGIMES[options.regime], options.seeds)
    else:
        {"noise": noise_slopes, "dimension": dimension}[options.what](options.seeds)


if __name__ == "__main__":
    main()
