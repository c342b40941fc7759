"""Compressed rows give the sums of squares, and the outer steps, of the rows themselves."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lrs import AMHT, InstanceSpec, MultiTaskData, generate
from lrs.amht.compression import Samples, compress
from lrs.amht.driver import Run
from lrs.kernels.engine import Engine


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6), st.lists(st.integers(1, 25), min_size=1, max_size=5))
def test_sums_of_squares_are_kept(seed, d, counts):
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    data = MultiTaskData(rng.standard_normal((offsets[-1], d)), rng.standard_normal(offsets[-1]), offsets)
    small = compress(data)
    assert (small.counts == np.minimum(data.counts, d + 1)).all()
    for before, after in zip(zip(*tasks(data), strict=True), zip(*tasks(small), strict=True), strict=True):
        (X, y), (Z, u) = before, after
        for full, short in ((X.T @ X, Z.T @ Z), (X.T @ y, Z.T @ u), (y @ y, u @ u)):
            np.testing.assert_allclose(short, full, rtol=0, atol=1e-13 * len(y) * (1 + np.abs(X).max()) ** 2 * 10)


def tasks(data):
    return np.split(data.X, data.offsets[1:-1]), np.split(data.y, data.offsets[1:-1])


def test_short_tasks_are_left_as_they_are():
    data = generate(InstanceSpec(t=5, m=8, d=10, r=1, k=1), 0).problem.data
    assert compress(data) is data


def test_an_outer_step_does_not_see_the_compression():
    problem = generate(InstanceSpec(t=30, m=75, d=12, r=2, k=1, noise=0.05, ragged=0.2), 3).problem
    short = Samples.of(problem.data, 2, 1)
    full = Samples(Engine(problem.data, 2, 1), problem.data)
    parts = AMHT.paper().alternation()
    runs = [Run(parts, problem, [samples], np.random.default_rng(0), None) for samples in (short, full)]
    states = [run.start() for run in runs]
    for _ in range(4):
        states = [run.step(state) for run, state in zip(runs, states, strict=True)]
        np.testing.assert_allclose(*(state.U for state in states), rtol=0, atol=1e-11)
        for name in ("W", "B", "thresholds"):
            np.testing.assert_allclose(*(getattr(state.fit, name) for state in states), rtol=0, atol=1e-11)
        np.testing.assert_allclose(*(state.level for state in states), rtol=1e-10)
    assert short.engine.data.n < full.engine.data.n / 4
