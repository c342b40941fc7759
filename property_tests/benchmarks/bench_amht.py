"""pytest-benchmark: the compiled kernels and solver against their NumPy definitions and against a pass over the data.

pytest property_tests/benchmarks/bench_amht.py --benchmark-only --benchmark-group-by=group
"""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest

from lrs import InstanceSpec, generate, kernels, solve
from lrs.kernels.engine import Engine, Pass
from property_tests.benchmarks.simple_pipeline import SimplePipeline

SPEC = InstanceSpec(t=200, m=50, d=100, r=3, k=5)


@pytest.fixture(scope="module")
def instance():
    kernels.warm_up()
    return generate(SPEC, 0)


def _backend(name):
    return kernels.use("numpy") if name == "numpy" else nullcontext()


@pytest.mark.benchmark(group="fit_tasks")
@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_fit(benchmark, instance, backend):
    with _backend(backend), Engine(instance.problem.data, 3, 5, threads=1) as engine:
        start = Pass(start=engine.no_support())
        benchmark.pedantic(engine.fit, (instance.truth.U, start), rounds=3, iterations=1)


@pytest.mark.benchmark(group="hessian_product")
@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_hessian_product(benchmark, instance, backend):
    with _backend(backend), Engine(instance.problem.data, 3, 5, threads=1) as engine:
        with kernels.use("numba"):
            fit = engine.fit(instance.truth.U)
        benchmark(engine.hessian_product, fit, instance.truth.U, np.ones(SPEC.t))


@pytest.mark.benchmark(group="hessian_product")
def test_limit_two_passes_over_the_data(benchmark, instance):
    """X v and Xᵀ r by BLAS: what a product cannot do without."""
    X = instance.problem.data.X
    v, r = np.ones(X.shape[1]), np.ones(X.shape[0])
    benchmark(lambda: (X @ v, r @ X))


@pytest.mark.benchmark(group="solve")
@pytest.mark.parametrize("solver", ["amht", SimplePipeline()], ids=["amht", "simple pipeline"])
def test_solve(benchmark, instance, solver):
    benchmark.pedantic(solve, (instance.problem, solver), rounds=3, iterations=1, warmup_rounds=1)
