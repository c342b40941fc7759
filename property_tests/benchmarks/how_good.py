"""How far and how fast AMHT goes: every figure of the solver's guide, measured.

    python -m property_tests.benchmarks.how_good reach --seeds 10
    python -m property_tests.benchmarks.how_good speed
    python -m property_tests.benchmarks.how_good growth
    python -m property_tests.benchmarks.how_good memory
    python -m property_tests.benchmarks.how_good noise --rows ABD --seeds 3
    python -m property_tests.benchmarks.how_good frontier
    python -m property_tests.benchmarks.how_good table school.csv.gz --task school --target score

Times are compared as ratios of runs that take turns in one process, after the kernels are compiled; the table printed
is Markdown.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from lrs import AMHT, Instance, InstanceSpec, Problem, generate, kernels, load_solver, metrics, solve
from lrs.amht.driver import Run
from lrs.kernels.engine import Engine, Pass
from property_tests.benchmarks.simple_pipeline import SimplePipeline
from theory.reachable import relative_bayes

ROWS = {
    "A": InstanceSpec(t=400, m=70, d=100, r=3, k=5),
    "B": InstanceSpec(t=1000, m=50, d=100, r=3, k=5),
    "C": InstanceSpec(t=400, m=25, d=50, r=2, k=3),
    "D": InstanceSpec(t=200, m=25, d=50, r=5, k=4),
    "E": InstanceSpec(t=200, m=20, d=50, r=5, k=4),
    "F": InstanceSpec(t=5000, m=30, d=100, r=2, k=3),
    "G": InstanceSpec(t=1000, m=50, d=100, r=3, k=5, kappa=100.0),
}


def line(*cells: object) -> None:
    """One Markdown row."""
    print("| " + " | ".join(f"{c:.3g}" if isinstance(c, float) else str(c) for c in cells) + " |", flush=True)


def header(*names: str) -> None:
    line(*names)
    print("|" + "---|" * len(names))


def clock(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def interleaved(works: Sequence[Callable[[], object]], rounds: int) -> list[list[float]]:
    """Seconds of every work, the works taking turns."""
    return [[clock(work) for work in works] for _ in range(rounds)]


def floor(instance: Instance) -> float:
    """Relative error of least squares with the true subspace and supports given."""
    truth, data = instance.truth, instance.problem.data
    target = truth.theta
    theta = np.zeros_like(target)
    for i, (X, y) in enumerate(data):
        S = truth.B[[i]].indices
        c = np.linalg.lstsq(np.column_stack([X @ truth.U, X[:, S]]), y, rcond=None)[0]
        theta[i] = truth.U @ c[: truth.rank]
        theta[i, S] += c[truth.rank :]
    return float(np.linalg.norm(theta - target) / np.linalg.norm(target))


def supports_given(instance: Instance) -> float:
    """Relative error with the true supports given and U estimated: what any solver pays for not knowing U."""
    truth, problem = instance.truth, instance.problem
    with Engine(problem.data, problem.rank, problem.sparsity) as engine:
        support = np.sort(truth.B.indices.reshape(problem.t, -1), axis=1).astype(np.int64)
        U = truth.U
        from lrs.amht.initialization import design_covariance
        from lrs.amht.subspace_step import Preconditioner, conjugate_gradients, orthonormalise

        covariance, ones = design_covariance(problem.data), np.ones(problem.t)
        for _ in range(6):
            fit = engine.fit(U, Pass(start=support, search=False))
            rhs = fit.gradient.T @ fit.W
            right = Preconditioner(covariance, fit.W, engine.freedom(fit).astype(float))
            D, _ = conjugate_gradients(engine, fit, rhs, ones, right, tolerance=1e-8, products=40, across=U)
            U = orthonormalise(U + D)
        fit = engine.fit(U, Pass(start=support, search=False))
        return metrics.theta_error(engine.model(U, fit), truth)


def reach(rows: Sequence[str], seeds: int) -> None:
    """Errors and exact tasks of the default solver, medians and worst over the seeds."""
    header("row", "theta error", "subspace", "exact tasks: median", "worst", "all exact in", "seconds")
    for row in rows:
        runs = []
        for seed in range(seeds):
            instance = generate(ROWS[row], seed)
            solution = solve(instance.problem)
            summary = metrics.summary(solution.model, instance.truth)
            runs.append(
                (summary["theta_error"], summary["subspace_distance"], summary["tasks_recovered"], solution.seconds)
            )
        theta, subspace, exact, seconds = (statistics.median(column) for column in zip(*runs, strict=True))
        exact_all = sum(run[2] == 1.0 for run in runs)
        line(row, theta, subspace, exact, min(run[2] for run in runs), f"{exact_all} of {seeds}", seconds)


def speed(rows: Sequence[str], rounds: int) -> None:
    """The compiled solver against the same algorithm on the NumPy definitions, the simple pipeline and NAHT."""
    header("row", "seconds", "÷ simple pipeline", "÷ NumPy definitions", "÷ naht")
    for row in rows:
        problem = generate(ROWS[row], 0).problem
        solve(problem)

        def plain(problem: Problem = problem) -> None:
            with kernels.use("numpy"):
                solve(problem)

        works: list[Callable[[], object]] = [lambda p=problem: solve(p), lambda p=problem: solve(p, SimplePipeline())]
        times = interleaved(works, rounds)
        mine = statistics.median(t[0] for t in times)
        pipeline = statistics.median(t[1] / t[0] for t in times)
        definitions = clock(plain) / mine if row in "ABCD" else float("nan")
        naht = clock(lambda p=problem: solve(p, "naht")) / mine if row == "A" else float("nan")  # type: ignore[misc]
        line(row, mine, pipeline, definitions, naht)


def growth(largest: int) -> None:
    """Time from t = 250 on at m = 50, d = 100, r = 3, k = 5, and the log–log slope."""
    header("t", "seconds", "nanoseconds per m·t·d")
    sizes, times = [], []
    t = 250
    while t <= largest:
        problem = generate(replace(ROWS["B"], t=t), 0).problem
        solve(problem)
        seconds = statistics.median(clock(lambda p=problem: solve(p)) for _ in range(3))
        sizes.append(t)
        times.append(seconds)
        line(t, seconds, 1e9 * seconds / problem.data.X.size)
        t *= 2
    print(f"log-log slope {np.polyfit(np.log(sizes), np.log(times), 1)[0]:.3f}")


def outer_step(t: int) -> None:
    """One outer step of the whole problem in units of a BLAS pass X @ v over the stacked rows."""
    problem = generate(replace(ROWS["B"], t=t), 0).problem
    data = problem.data
    parts = AMHT().alternation()
    v = np.ones(data.d)
    with parts.samples(problem) as samples:
        run = Run(parts, problem, samples, np.random.default_rng(0), None)
        state = run.start()
        ratios = []
        for _ in range(6):
            passes = [clock(lambda: data.X @ v) for _ in range(3)]

            def step() -> None:
                nonlocal state
                state = run.step(state)

            seconds = clock(step)
            passes += [clock(lambda: data.X @ v) for _ in range(3)]
            ratios.append(seconds / statistics.median(passes))
    gigabytes = data.X.nbytes / statistics.median(passes) / 1e9
    print(f"outer steps at t={t}: {', '.join(f'{r:.1f}' for r in ratios)} passes; a pass streams {gigabytes:.1f} GB/s")


def memory(t: int) -> None:
    """Peak resident memory added by a solve, as a multiple of the data."""
    import resource

    solve(generate(replace(ROWS["B"], t=200), 0).problem)
    problem = generate(replace(ROWS["B"], t=t), 0).problem
    before = _resident()
    peak_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    solve(problem)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if peak == peak_before:
        print("the peak lies before the solve (in making the data): the solve added less than that")
    size = problem.data.X.nbytes
    print(
        f"data {size / 1e6:.0f} MB; with the solve's own arrays the peak is ≤ {(size + peak - before) / size:.2f} × the data"
    )


def _resident() -> int:
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[1]) * 4096


def noise(rows: Sequence[str], levels: Sequence[float], seeds: int) -> None:
    """Error with noise against least squares with U and supports given, with supports given only, and the Bayes error."""
    header("row", "σ", "theta error", "÷ floor (U and supports given)", "÷ supports given", "÷ Bayes error")
    for row in rows:
        for level in levels:
            spec, runs = replace(ROWS[row], noise=level), []
            bayes = relative_bayes(spec)
            for seed in range(seeds):
                instance = generate(spec, seed)
                error = metrics.theta_error(solve(instance.problem).model, instance.truth)
                runs.append((error, error / floor(instance), error / supports_given(instance), error / bayes))
            line(row, level, *(statistics.median(column) for column in zip(*runs, strict=True)))


def frontier(seeds: int) -> None:
    """Where E's family ends: exact tasks over m."""
    header("m", "exact tasks: median", "subspace found in")
    for m in range(16, 23):
        exact, found = [], 0
        for seed in range(seeds):
            instance = generate(replace(ROWS["E"], m=m), seed)
            model = solve(instance.problem).model
            exact.append(metrics.tasks_recovered(model, instance.truth))
            found += metrics.subspace_distance(model.U, instance.truth.U) < 1e-6
        line(m, statistics.median(exact), f"{found} of {seeds}")


def table(path: str, task: str, target: str, seeds: int) -> None:
    """Explained variance on held-out rows of a table at 20, 50 and 75 % training."""
    from lrs.datasets import load_data

    data = load_data(path, task=task, target=target)
    competitors = [("global", 0, 0), ("ridge", 0, 0), ("altmin", 1, 0), ("altmin", 3, 0), ("iht", 0, 3), ("naht", 2, 2)]
    ours = [("amht", 1, 0), ("amht", 2, 0), ("amht", 3, 0), ("amht", 2, 1), ("amht", 3, 3)]
    header("solver", "rank", "sparsity", "20 %", "50 %", "75 %")
    for name, rank, sparsity in competitors + ours:
        row = []
        for fraction in (0.2, 0.5, 0.75):
            scores = []
            for seed in range(seeds):
                training, mask = data.split(fraction, np.random.default_rng([seed]))
                solution = solve(Problem(training, rank, sparsity, noise=float(data.y.std())), load_solver(name), seed)
                y, predicted = data.y[~mask], solution.model.predict(data.X[~mask], data.groups[~mask])
                scores.append(1 - ((y - predicted) ** 2).sum() / ((y - y.mean()) ** 2).sum())
            row.append(float(np.mean(scores)))
        line(name, rank, sparsity, *row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["reach", "speed", "growth", "step", "memory", "noise", "frontier", "table"])
    parser.add_argument("file", nargs="?")
    parser.add_argument("--rows", default="ABCDEFG")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--levels", type=float, nargs="*", default=[0.03, 0.1, 0.3, 1.0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tasks", type=int, default=4000)
    parser.add_argument("--task", default="task")
    parser.add_argument("--target", default="y")
    a = parser.parse_args()
    kernels.warm_up()
    match a.what:
        case "reach":
            reach(a.rows, a.seeds)
        case "speed":
            speed(a.rows, a.rounds)
        case "growth":
            growth(16000)
        case "step":
            outer_step(a.tasks)
        case "memory":
            memory(a.tasks)
        case "noise":
            noise(a.rows, a.levels, a.seeds)
        case "frontier":
            frontier(a.seeds)
        case "table":
            if a.file is None:
                parser.error("table: name the file")
            table(a.file, a.task, a.target, a.seeds)


if __name__ == "__main__":
    main()
