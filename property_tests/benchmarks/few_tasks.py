"""Failures of `amht` with few tasks and a small b, without and with b relaxed: ``python -m property_tests.benchmarks.few_tasks``."""

from __future__ import annotations

from unittest.mock import patch

import typer

from lrs import AMHT, InstanceSpec, generate, metrics, solve
from lrs.amht import practical

#: t, m, d, r, k, size of b.
SIZES = [
    (10, 93, 94, 2, 3, 1e-3),
    (10, 93, 94, 2, 3, 1e-5),
    (10, 60, 94, 2, 3, 1e-3),
    (10, 93, 94, 3, 3, 1e-3),
    (10, 93, 94, 2, 6, 1e-3),
    (10, 40, 40, 2, 3, 1e-3),
    (8, 93, 94, 2, 3, 1e-3),
    (6, 93, 94, 2, 3, 1e-3),
]


def failures(spec: InstanceSpec, seeds: int) -> int:
    """Instances in which some task is not recovered to 1e-6."""
    failed = 0
    for seed in range(seeds):
        instance = generate(spec, seed)
        model = solve(instance.problem, AMHT(threads=1), seed=seed).model
        failed += not metrics.task_errors(model, instance.truth).max() <= 1e-6
    return failed


def main(seeds: int = 100) -> None:
    """Print a table."""
    print("|  t |  m |  d | r | k | size of b | without | with |\n|---:|---:|---:|--:|--:|---:|---:|---:|")
    for t, m, d, r, k, scale in SIZES:
        spec = InstanceSpec(t=t, m=m, d=d, r=r, k=k, b_scale=scale)
        after = failures(spec, seeds)
        with patch.object(practical, "relaxed_subspace", lambda data, U, sparsity: U):
            before = failures(spec, seeds)
        print(f"| {t} | {m} | {d} | {r} | {k} | {scale:g} | {before} | {after} |", flush=True)


if __name__ == "__main__":
    typer.run(main)
