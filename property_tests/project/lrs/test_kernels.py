"""Every compiled kernel equals its NumPy definition to rounding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrs import MultiTaskData, kernels
from lrs.core.errors import InvalidInput
from lrs.kernels.arguments import Channel, Fit, RowPosterior, Thresholds
from lrs.kernels.engine import Engine, Pass


@st.composite
def cases(draw):
    """Sizes and a seed: the data are made in the test, so that Hypothesis never chooses them."""
    # r + k ≤ d − 3: where span(U) and the support fill the space, candidates tie and either choice is right.
    d = draw(st.integers(3, 12))
    r = draw(st.integers(0, min(4, d - 3)))
    return {
        "d": d,
        "r": r,
        "k": draw(st.integers(0, min(5, d - 3 - r))),
        "counts": draw(st.lists(st.integers(1, 16), min_size=1, max_size=5)),
        "collinear": draw(st.booleans()),
        "noise": draw(st.sampled_from([0.0, 0.3])),
        "seed": draw(st.integers(0, 2**32 - 1)),
    }


def make(case):
    """Data of a few ragged tasks (also with fewer rows than r + k), a subspace, k, and a generator."""
    d, rng = case["d"], np.random.default_rng([case["seed"]])
    X = [rng.standard_normal((m, d)) for m in case["counts"]]
    if case["collinear"]:  # rank-deficient, as one-hot groups make it
        for x in X:
            x[:, -1] = x[:, 0] + x[:, 1]
    theta = [rng.standard_normal(d) * (rng.random(d) < 0.5) for _ in X]
    y = [x @ v + case["noise"] * rng.standard_normal(len(x)) for x, v in zip(X, theta, strict=True)]
    U = np.linalg.qr(rng.standard_normal((d, case["r"])))[0]
    return MultiTaskData.from_arrays(X, y), U, case["k"], rng


def both(data, r, k, work):
    """Run ``work`` on a fresh engine with either backend."""
    out = []
    for backend in ("numpy", "numba"):
        with kernels.use(backend), Engine(data, r, k, threads=1) as engine:
            out.append((work(engine), engine))
    return out


def assert_same_fit(data: MultiTaskData, a: Fit, b: Fit) -> np.ndarray:
    """Same residuals and, where no two choices tie, the same supports; the tasks without ties.

    Candidates tie when columns are collinear and when the residual is rounding already. With collinear columns a tie that
    rounding decides otherwise may lead a search elsewhere: residuals agree where the supports do.
    """
    energy = np.add.reduceat(data.y**2, data.offsets[:-1])
    scale = 1 + np.sqrt(energy.max())
    X = data.X
    collinear = np.array_equal(X[:, -1], X[:, 0] + X[:, 1])
    same = (np.sort(a.support) == np.sort(b.support)).all(axis=1) if collinear else np.ones(data.t, dtype=bool)
    np.testing.assert_allclose(a.rss[same], b.rss[same], rtol=1e-7, atol=1e-18 * scale**2)
    if same.all():
        np.testing.assert_allclose(a.gradient, b.gradient, atol=1e-8 * scale)
    if collinear:
        return np.zeros(data.t, dtype=bool)
    distinct = a.rss > 1e-18 * energy
    np.testing.assert_array_equal(a.size[distinct], b.size[distinct])
    np.testing.assert_array_equal(np.sort(a.support)[distinct], np.sort(b.support)[distinct])
    np.testing.assert_array_equal(a.rank[distinct], b.rank[distinct])
    order, other = np.argsort(a.support), np.argsort(b.support)
    gains = np.take_along_axis(a.gain, order, 1)[distinct], np.take_along_axis(b.gain, other, 1)[distinct]
    np.testing.assert_allclose(*gains, rtol=1e-5, atol=1e-9 * scale**2)
    return distinct


@settings(max_examples=150, deadline=None)
@given(cases(), st.integers(0, 4), st.booleans())
def test_fit_tasks_equals_its_definition(case, swaps, search):
    data, U, k, _ = make(case)
    work = lambda engine: engine.fit(U, Pass(swaps=swaps, search=search))  # noqa: E731
    (plain, _), (fast, _) = both(data, U.shape[1], k, work)
    # A task with more columns than rows has many solutions; only its residual is unique.
    unique = assert_same_fit(data, plain, fast) & (plain.rank == U.shape[1] + plain.size)
    np.testing.assert_allclose(plain.W[unique], fast.W[unique], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(plain.B[unique], fast.B[unique], rtol=1e-6, atol=1e-7)


@settings(max_examples=50, deadline=None)
@given(cases(), st.integers(0, 2**16))
def test_fit_tasks_from_a_start_keeping_the_better_fit(case, seed):
    data, U, k, _ = make(case)
    start = np.random.default_rng([seed]).integers(-1, data.d, (data.t, k))

    def work(engine):
        return engine.fit(U, Pass(), Pass(start=start, swaps=1, keep_better=True))

    (plain, _), (fast, _) = both(data, U.shape[1], k, work)
    assert_same_fit(data, plain, fast)


@settings(max_examples=50, deadline=None)
@given(cases())
def test_hessian_product_equals_its_definition(case):
    data, U, k, rng = make(case)
    D, weight = rng.standard_normal(U.shape), rng.random(data.t)

    def work(engine):
        fit = engine.fit(U)
        products = (engine.hessian_product(fit, D, weight, projected=projected) for projected in (True, False))
        return *products, fit.W

    (plain, engine), (fast, _) = both(data, U.shape[1], k, work)
    scale = 1 + engine.square.max() * np.abs(plain[2]).max(initial=0) ** 2
    for x, y in zip(plain[:2], fast[:2], strict=True):
        np.testing.assert_allclose(x, y, atol=1e-7 * scale)


@settings(max_examples=50, deadline=None)
@given(cases(), st.integers(0, 5))
def test_threshold_steps_equal_their_definition(case, steps):
    data, U, k, rng = make(case)
    shared = rng.standard_normal((data.t, data.d)) * 0.1
    alpha, beta, gamma = rng.random((3, data.t)) + 0.01
    length = rng.random(data.t) / data.counts

    def work(engine):
        B = np.zeros((data.t, data.d))
        return engine.threshold_steps(shared, B, gamma, Thresholds(length, alpha, beta, 0.25, steps))

    (plain, _), (fast, _) = both(data, U.shape[1], k, work)
    for x, y in zip(plain, fast, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-9)


@given(cases())
@settings(max_examples=20, deadline=None)
def test_first_pass_equals_its_definition(case):
    data, U, k, _ = make(case)
    (_, plain), (_, fast) = both(data, U.shape[1], k, lambda engine: None)
    np.testing.assert_allclose(plain.square, fast.square, rtol=1e-12)
    np.testing.assert_allclose(plain.correlation, fast.correlation, atol=1e-10)


def test_a_swap_finds_what_greedy_selection_misses():
    """Two coordinates whose sum is the first pick of a greedy choice: only an exchange reaches the exact pair."""
    rng = np.random.default_rng([7])
    found = []
    for swaps in (0, 5):
        exact = 0
        for _ in range(60):
            X = rng.standard_normal((12, 30))
            b = np.zeros(30)
            b[rng.permutation(30)[:4]] = rng.choice([-1, 1], 4)
            with Engine(MultiTaskData.from_arrays([X], [X @ b]), 0, 4, threads=1) as engine:
                exact += engine.fit(np.empty((30, 0)), Pass(swaps=swaps)).rss[0] < 1e-20
        found.append(exact)
    assert found[1] > found[0]


def test_results_do_not_depend_on_the_number_of_threads():
    rng = np.random.default_rng([3])
    data = MultiTaskData.from_arrays(rng.standard_normal((300, 8, 6)), rng.standard_normal((300, 8)))
    U = np.linalg.qr(rng.standard_normal((6, 2)))[0]
    out = []
    for threads in (1, 3):
        with Engine(data, 2, 1, threads=threads) as engine:
            out.append(engine.hessian_product(engine.fit(U, Pass(swaps=2)), U, np.ones(300)))
    np.testing.assert_array_equal(out[0], out[1])


def test_unknown_backend_and_bad_threads_are_refused():
    with pytest.raises(InvalidInput, match="numba"), kernels.use("fortran"):
        pass
    with pytest.raises(InvalidInput, match="threads"):
        kernels.check_threads(0)


def test_a_fit_is_a_value_that_later_passes_leave_alone():
    rng = np.random.default_rng([4])
    data = MultiTaskData.from_arrays(rng.standard_normal((9, 8, 6)), rng.standard_normal((9, 8)))
    U, V = (np.linalg.qr(rng.standard_normal((6, 2)))[0] for _ in range(2))
    with Engine(data, 2, 2, threads=1) as engine:
        first = engine.fit(U)
        before = [array.copy() for array in first]
        few = engine.fit(V, Pass(np.array([1, 4])), fit=first)
        engine.fit(V, Pass(swaps=2), Pass(start=engine.no_support(), keep_better=True), fit=first)
    for was, now in zip(before, first, strict=True):
        np.testing.assert_array_equal(was, now)
        assert not now.flags.writeable
    changed = (few.W != first.W).any(axis=1)
    np.testing.assert_array_equal(np.flatnonzero(changed), [1, 4])
    with pytest.raises(ValueError, match="read-only"):
        first.W[0] = 0.0


def test_a_mixed_pass_equals_the_same_passes_one_by_one():
    """Arrays that are wholly rewritten are not copied first: nothing of what they held may show."""
    rng = np.random.default_rng([5])
    data = MultiTaskData.from_arrays(
        [rng.standard_normal((m, 6)) for m in (3, 8, 9, 20)], [np.ones(m) for m in (3, 8, 9, 20)]
    )
    U = np.linalg.qr(rng.standard_normal((6, 2)))[0]
    a, b, again = np.array([0, 2]), np.array([1, 3]), np.array([1, 2])
    with Engine(data, 2, 2, threads=1) as engine:
        passes = [Pass(a, swaps=2), Pass(b, search=False), Pass(again, engine.no_support(again), keep_better=True)]
        start = engine.fit(U[::-1])
        one_by_one = start
        together = engine.fit(U, *passes, fit=start)
        for p in passes:
            one_by_one = engine.fit(U, p, fit=one_by_one)
        products = [engine.hessian_product(fit, U, np.ones(4)) for fit in (together, one_by_one)]
    np.testing.assert_array_equal(*products)
    for x, y in zip(together[:-1], one_by_one[:-1], strict=True):
        np.testing.assert_array_equal(x, y)


@settings(max_examples=40)
@given(
    t=st.integers(1, 5),
    r=st.integers(0, 3),
    noise=st.sampled_from([1e-6, 0.01, 1.0]),
    rate=st.sampled_from([0.0, 0.1, 1.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_posteriors_of_rows_are_sums_over_all_supports(t, r, noise, rate, seed):
    rng = np.random.default_rng(seed)
    channel = Channel(rng.standard_normal((t, r)), noise * rng.uniform(0.5, 2.0, t), rate, 1.5)
    b = np.where(rng.random((4, t)) < 0.3, 1.2 * rng.standard_normal((4, t)), 0.0)
    R = rng.standard_normal((4, r)) @ channel.W.T + b + np.sqrt(channel.noise) * rng.standard_normal((4, t))
    found = []
    for backend in ("numpy", "numba"):
        out = RowPosterior.empty(len(R), t, r)
        with kernels.use(backend):
            kernels.kernel("row_posteriors")(R, channel, out)
        found.append(out)
    for name, a, b in zip(RowPosterior._fields, *found, strict=True):
        # The definition subtracts covariances of size 1 to find variances of size ``noise``.
        np.testing.assert_allclose(b, a, rtol=1e-6, atol=1e-13 + 1e-9 * np.abs(a).max(initial=0.0), err_msg=name)
