"""Utility of the private variant: the reference sizes, its rivals on one grid, its levels, a real table, and the large run.

python -m property_tests.benchmarks.private reference
python -m property_tests.benchmarks.private rivals --seeds 3
python -m property_tests.benchmarks.private rounds --t 564
python -m property_tests.benchmarks.private table --file insteval.csv.gz
python -m property_tests.benchmarks.private large --t 100000
"""

from __future__ import annotations

import argparse
import math
import resource
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from scipy import sparse

from lrs import InstanceSpec, LRSModel, MultiTaskData, Problem, generate, metrics, solve
from lrs.baselines import TaskRidge
from lrs.private import Cohort, PrivAltMin, PrivateAMHT, Schedule, SeededNoise, Server, clip_of, rho_for, run
from lrs.private.intake import load_users
from lrs.private.local import local_step
from lrs.private.solver import DataBlocks
from lrs.private.statistics import direction_statistics, lattice, unit_scale

DELTA = 1e-6


@dataclass(frozen=True)
class Users:
    """t users in blocks drawn when they are asked for: the same truth U, every block its own users, no block kept."""

    spec: InstanceSpec
    t: int
    block: int = 2000
    seed: int = 0
    drawing: list[float] = field(default_factory=list)  # processor seconds of every block drawn

    def instances(self) -> Iterator[tuple[MultiTaskData, LRSModel]]:
        U = generate(replace(self.spec, t=1, m=1), [self.seed]).truth.U
        for number in range(-(-self.t // self.block)):
            start = time.process_time()
            users = min(self.block, self.t - number * self.block)
            drawn = generate(replace(self.spec, t=users), [self.seed, number + 1])
            # The block brings its own U: rotate the responses to the shared one.
            truth = LRSModel(U, drawn.truth.W, drawn.truth.B)
            data = drawn.problem.data
            noise = data.y - drawn.truth.predict(data.X, data.groups)
            names = tuple(range(number * self.block, number * self.block + users))
            y = truth.predict(data.X, data.groups) + noise
            block = MultiTaskData(data.X, y, data.offsets, names)
            self.drawing.append(time.process_time() - start)
            yield block, truth

    def __iter__(self) -> Iterator[MultiTaskData]:
        return (data for data, _ in self.instances())

    @property
    def U(self) -> np.ndarray:
        return generate(replace(self.spec, t=1, m=1), [self.seed]).truth.U


# ---------------------------------------------------------------------------------------------- the reference sizes
REFERENCE = (
    InstanceSpec(t=1000, m=20, d=20, r=2, k=2),
    InstanceSpec(t=5000, m=20, d=20, r=2, k=2),
    InstanceSpec(t=20_000, m=20, d=20, r=2, k=2),
    InstanceSpec(t=10_000, m=20, d=40, r=4, k=4),
    InstanceSpec(t=20_000, m=20, d=20, r=2, k=2, noise=0.5),
)


def subspace_error(solver: PrivateAMHT, spec: InstanceSpec, seed: int) -> float:
    instance = generate(spec, seed)
    server, _ = solver.train(
        DataBlocks(instance.problem.data, 2000),
        d=spec.d,
        rank=spec.r,
        sparsity=spec.k,
        rng=np.random.default_rng([seed, 1]),
    )
    return metrics.subspace_distance(server.U, instance.truth.U)


def reference(seeds: int) -> None:
    """Median subspace error of the default settings, against the same without noise, and `amht` where it is not exact."""
    print("| t | d | r | k | σ | ε = 1 | ε = ∞ | amht |\n|---|---|---|---|---|---|---|---|")
    for spec in REFERENCE:
        errors = [
            statistics.median(subspace_error(PrivateAMHT(epsilon=e, delta=DELTA), spec, s) for s in range(seeds))
            for e in (1.0, math.inf)
        ]
        if spec.noise:  # without noise it finds U exactly
            instance = generate(spec, 0)
            errors.append(metrics.subspace_distance(solve(instance.problem, "amht").model.U, instance.truth.U))
        shown = " | ".join(f"{e:.2g}" for e in errors)
        print(f"| {spec.t:,} | {spec.d} | {spec.r} | {spec.k} | {spec.noise:g} | {shown} |", flush=True)


# ---------------------------------------------------------------------------------------------- rivals
class DPAM(Server):
    """Differentially private alternating minimisation of personalised linear models (Jain et al. 2021; Google Research).

    As we read it: clipped A and V with Gaussian noise, A projected to positive semidefinite matrices with a ridge, U solved for; no
    weighting of rounds and no use of the structure of A. Users take their own sparse step here, which the original does not have.
    """

    def _from_normal(self, A: np.ndarray, V: np.ndarray, a_noise: float, v_noise: float) -> np.ndarray:
        d, r = self.U.shape
        values, basis = np.linalg.eigh(A)
        inverse = 1 / (np.maximum(values, 0.0) + a_noise * math.sqrt(2 * d * r) + 1e-12)
        return np.linalg.qr((basis @ (inverse * (basis.T @ V.T.ravel()))).reshape(r, d).T)[0]


def dpam(spec: InstanceSpec, data: MultiTaskData, epsilon: float, seed: int) -> np.ndarray:
    schedule = Schedule(
        rho=rho_for(epsilon, DELTA), rounds=4, sparsity=spec.k, kind="statistics", clip=clip_of(spec), start_share=0.5
    )
    server = DPAM(schedule, np.eye(spec.d, spec.r), SeededNoise(seed))
    run(server, [Cohort(block) for block in DataBlocks(data, 2000)])
    return server.U


def fedrep(
    spec: InstanceSpec, data: MultiTaskData, epsilon: float, seed: int, level: float, sparsity: int
) -> np.ndarray:
    """Private FedRep (arXiv 2506.19220) as we read it: Gaussian noise on the mean of users' gradients, each clipped at one level.

    It is given what it does not have: the private start of this toolkit, the exact number of users, the step of a unit curvature,
    and in `rivals` the best of three levels in hindsight; ``sparsity`` > 0 gives it this toolkit's users as well.
    """
    rounds, rng, rho = 6, np.random.default_rng([seed, 2]), rho_for(epsilon, DELTA)
    X, y = data.X.reshape(data.t, -1, data.d), data.y.reshape(data.t, -1)
    moment = direction_statistics(*unit_scale(X, y)[:2])["moment"] * lattice("moment", None)
    noise = rng.standard_normal(moment.shape) / math.sqrt(rho)
    U = np.linalg.eigh(moment + (noise + noise.T) / 2)[1][:, ::-1][:, : spec.r]
    size = level * math.sqrt(rounds / rho)  # half of ρ in so many parts
    for _ in range(rounds):
        W, B = local_step(U, data, sparsity)
        residual = (X @ (W @ U.T + B)[:, :, None])[:, :, 0] - y
        each = (residual[:, None, :] @ X)[:, 0][:, :, None] * W[:, None, :] / X.shape[1]
        norm = np.linalg.norm(each, axis=(1, 2))
        total = np.einsum("bdr,b->dr", each, np.minimum(1, level / np.maximum(norm, 1e-300)))
        U = np.linalg.qr(U - (total + size * rng.standard_normal(U.shape)) / data.t)[0]
    return U


def rivals(seeds: int) -> None:
    """Median subspace error of all on one grid of t and ε, the same users and budget."""
    print(
        "| t | ε | private-amht | Priv-AltMin | DPAM | Private FedRep | the same with sparse users |\n|---|---|---|---|---|---|---|"
    )
    for t in (1000, 3000, 9000):
        for epsilon in (0.25, 1.0, 4.0):
            found: dict[str, list[float]] = {}
            for s in range(seeds):
                answers: dict[str, list[np.ndarray]] = {}
                spec = InstanceSpec(t=t, m=20, d=20, r=2, k=2)
                instance = generate(spec, s)
                data, truth = instance.problem.data, instance.truth.U

                for name, solver in (
                    ("ours", PrivateAMHT(epsilon=epsilon, delta=DELTA, insecure_seed=s)),
                    ("altmin", PrivAltMin(epsilon=epsilon, delta=DELTA, insecure_seed=s, clip=clip_of(spec))),
                ):
                    k = 0 if name == "altmin" else 2
                    blocks = DataBlocks(data, 2000)
                    server, _ = solver.train(blocks, d=20, rank=2, sparsity=k, rng=np.random.default_rng(s))
                    answers[name] = [server.U]
                answers["dpam"] = [dpam(spec, data, epsilon, s)]
                for k in (0, 2):
                    answers[f"fedrep {k}"] = [fedrep(spec, data, epsilon, s, level, k) for level in (0.1, 0.3, 1.0)]
                for name, subspaces in answers.items():  # the best in hindsight where there are several
                    found.setdefault(name, []).append(min(metrics.subspace_distance(U, truth) for U in subspaces))
            shown = " | ".join(f"{statistics.median(errors):.2g}" for errors in found.values())
            print(f"| {t:,} | {epsilon:g} | {shown} |", flush=True)


# ---------------------------------------------------------------------------------------------- levels
def rounds(t: int, seeds: int) -> None:
    """Level over subspace error in every round: κ of `theory.private_plan`."""
    for s in range(seeds):
        instance = generate(InstanceSpec(t=t, m=20, d=20, r=2, k=2), s)
        solver = PrivateAMHT(epsilon=1.0, delta=DELTA, insecure_seed=s)
        server = Server(solver._schedule(solver._budget()[0], 2), np.eye(20, 2), SeededNoise(s))
        shown = []
        while (request := server.request()) is not None:
            if request.kind == "gradient":
                shown.append(request.level / metrics.subspace_distance(request.U, instance.truth.U))
            server.receive([Cohort(instance.problem.data).answer(request)])
        print("level / error:", " ".join(f"{ratio:.2f}" for ratio in shown))


# ---------------------------------------------------------------------------------------------- a real table
def table(file: Path, task: str, target: str, rank: int, sparsity: int, rounds: int, seeds: int) -> None:
    """Explained variance on every fourth rating of users with eight or more, against ε.

    The level of sharing that needs no budget is nothing (ridge on one's own rows); the global model is not private.
    """
    data = load_users(file, task=task, target=target)
    data = data.select(np.flatnonzero(data.counts >= 8))
    position = np.arange(data.n) - np.repeat(data.offsets[:-1], data.counts)
    held = position % 4 == 3
    train = data.rows(~held)
    total = float(np.var(data.y[held]))

    def explained(predicted: np.ndarray) -> float:
        return 1 - float(np.mean((data.y[held] - predicted) ** 2)) / total

    def users(U: np.ndarray, k: int) -> float:
        """Ridge on U within every user, and k coordinates of its own by exchange; the penalty is public: one."""
        out = np.empty(data.n)
        W, B = Cohort(train).parameters(U, k) if k else (np.zeros((data.t, U.shape[1])), np.zeros((data.t, data.d)))
        for i in range(data.t):
            X, y = train.task(i)
            Z = X @ U
            w = W[i] if k else np.linalg.solve(Z.T @ Z + np.eye(U.shape[1]), Z.T @ y)
            out[data.offsets[i] : data.offsets[i + 1]] = data.task(i)[0] @ (U @ w + B[i])
        return explained(out[held])

    print(
        f"{data.t:,} users, {train.n:,} rows fitted, {int(held.sum()):,} held out, d = {data.d}, r = {rank}, k = {sparsity}"
    )
    shared = np.linalg.solve(train.X.T @ train.X + np.eye(data.d), train.X.T @ train.y)
    print(f"| global model, not private | {explained(data.X[held] @ shared):.4f} |")
    print(f"| own rows only, ridge | {users(np.eye(data.d), 0):.4f} |")
    print(f"| amht, not private | {users(solve(Problem(train, rank, sparsity, 1.0), 'amht').model.U, sparsity):.4f} |")
    for epsilon in (0.5, 1.0, 2.0, 4.0, 8.0, math.inf):
        found = []
        for s in range(seeds):
            solver = PrivateAMHT(epsilon=epsilon, delta=1e-5, rounds=rounds, insecure_seed=s)
            server, _ = solver.train([train], d=data.d, rank=rank, sparsity=sparsity, rng=np.random.default_rng(s))
            found.append(users(server.U, sparsity))
        spread = f"{min(found):.4f} to {max(found):.4f}"
        print(f"| ε = {epsilon:g} | {statistics.median(found):.4f} ({spread}) |", flush=True)


# ---------------------------------------------------------------------------------------------- the large run
def large(t: int, noise: float) -> None:
    """ε = 1 at t users against no noise, no sharing and no personal parts; the first 2000 users judge.

    Seconds are of the processor; users are drawn anew whenever they are asked, which is told apart.
    """
    spec = InstanceSpec(t=1, m=20, d=20, r=2, k=2, noise=noise)
    users = Users(spec, t)
    print(f"t = {t}, d = 20, r = 2, k = 2, m = 20, σ = {noise:g}")
    print(
        "| solver | ε | subspace | median user error | θ error | s | drawing users, s |\n|---|---|---|---|---|---|---|"
    )
    data, truth = next(users.instances())
    for name, solver, sparsity in (
        ("private-amht", PrivateAMHT(epsilon=1.0, delta=DELTA), 2),
        ("without noise", PrivateAMHT(epsilon=np.inf, delta=DELTA), 2),
        ("priv-altmin", PrivAltMin(epsilon=1.0, delta=DELTA, clip=clip_of(spec)), 0),
    ):
        users.drawing.clear()
        start = time.process_time()
        server, _ = solver.train(users, d=20, rank=2, sparsity=sparsity, rng=np.random.default_rng([0, 1]))
        drawing = sum(users.drawing)
        seconds = time.process_time() - start - drawing
        parts = [server.adapt(X, y, sparsity=sparsity) for X, y in data]
        model = LRSModel(server.U, np.array([p.w for p in parts]), sparse.csr_array(np.array([p.b for p in parts])))
        print(row(name, f"{server.privacy['epsilon']:.4g}", model, truth, seconds, drawing), flush=True)
        print(f"peak memory so far {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB", flush=True)
    start = time.process_time()
    alone = solve(Problem(data, 2, 2, noise), TaskRidge()).model
    print(row("local-only (ridge)", "0", alone, truth, (time.process_time() - start) * t / data.t, 0.0))


def row(name: str, epsilon: str, model: LRSModel, truth: LRSModel, *seconds: float) -> str:
    shared = metrics.subspace_distance(model.U, truth.U) if model.W.any() else float("nan")
    median = float(np.median(metrics.task_errors(model, truth)))
    spent = " | ".join(f"{s:.0f}" for s in seconds)
    return f"| {name} | {epsilon} | {shared:.2e} | {median:.2e} | {metrics.theta_error(model, truth):.2e} | {spent} |"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("reference", "rivals", "rounds", "table", "large"))
    parser.add_argument("--t", type=int, default=100_000)
    parser.add_argument("--noise", type=float, default=0.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--file", type=Path, help="of the table")
    parser.add_argument("--task", default="student")
    parser.add_argument("--target", default="y")
    parser.add_argument("-r", type=int, default=2)
    parser.add_argument("-k", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=PrivateAMHT.rounds, help="of the table")
    options = parser.parse_args(arguments)
    if options.what == "large":
        large(options.t, options.noise)
    elif options.what == "table":
        table(options.file, options.task, options.target, options.r, options.k, options.rounds, options.seeds)
    elif options.what == "rounds":
        rounds(options.t, options.seeds)
    else:
        (reference if options.what == "reference" else rivals)(options.seeds)


if __name__ == "__main__":
    main()
