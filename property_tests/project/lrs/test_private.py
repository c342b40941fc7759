"""The private variant: what a user can change is bounded, noised and accounted, and nothing else of it leaves."""

from __future__ import annotations

import doctest
import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import dp_accounting
import numpy as np
import pytest
from dp_accounting.rdp import RdpAccountant
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lrs import InstanceSpec, InvalidInput, MultiTaskData, PrivateAMHT, Problem, Status, generate, metrics, solve
from lrs.core.errors import MissingExtra
from lrs.private import (
    Client,
    Clip,
    Cohort,
    Ledger,
    PrivAltMin,
    Release,
    Schedule,
    SecureNoise,
    SeededNoise,
    Server,
    ServerModel,
    epsilon_of,
    propose_clip,
    rho_for,
    sensitivity,
)
from lrs.private.clip import row_scales
from lrs.private.server import denoise, user_group, whitening
from lrs.private.server import run as play
from lrs.private.statistics import direction_statistics, gradient_statistics, lattice, normal_statistics

LEVELS = Clip(x=6.7, y=6.6, xb=4.7, w=2.4)
SPEC = InstanceSpec(t=300, m=20, d=12, r=2, k=2)


def private(**options) -> PrivateAMHT:
    return PrivateAMHT(**{"epsilon": 1.0, "delta": 1e-6, **options})


def rows_clipped(**options) -> PrivateAMHT:
    """With A and V released."""
    return private(**{"release": "statistics", "clip": LEVELS, "rounds": 4, **options})


def named(problem: Problem) -> Problem:
    """The same users with ids of their own."""
    data = problem.data
    users = MultiTaskData(data.X, data.y, data.offsets, tuple(f"user {i}" for i in range(data.t)), data.feature_names)
    return replace(problem, data=users)


def rng(*key: int) -> np.random.Generator:
    return np.random.default_rng([7, *key])


# ---------------------------------------------------------------- accounting
@pytest.mark.parametrize(
    ("rho", "standard", "renyi", "gaussian"),
    [(0.1, 2.246, 1.914, 1.760), (0.5, 5.299, 4.728, 4.377), (1.0, 7.786, 7.077, 6.573)],
)
def test_conversions_to_the_printed_digits(rho, standard, renyi, gaussian):
    assert epsilon_of(rho, 1e-5, "standard") == pytest.approx(standard, abs=5.1e-4)
    assert epsilon_of(rho, 1e-5, "renyi") == pytest.approx(renyi, abs=5.1e-4)
    assert epsilon_of(rho, 1e-5, "gaussian") == pytest.approx(gaussian, abs=5.1e-4)


def test_ledger_equals_the_library_on_1000_random_schedules():
    orders = np.concatenate([np.linspace(1.05, 3, 12), np.geomspace(3.2, 2000, 28)])
    for case in range(1000):
        draw = rng(1, case)
        ledger = Ledger()
        accountant = RdpAccountant(orders)
        for _ in range(draw.integers(1, 12)):
            size = 10 ** draw.uniform(-2, 4)
            noise = size * 10 ** draw.uniform(0, 2)
            ledger.add(Release(name="V", round=1, sensitivity=size, noise=noise))
            accountant.compose(dp_accounting.GaussianDpEvent(noise / size))
        delta = 10 ** draw.uniform(-9, -2)
        # The library's accountant of the composed events, and its conversion of our total on the same orders.
        ours = dp_accounting.rdp.compute_epsilon(orders, ledger.rho * orders, delta)[0]
        assert accountant.get_epsilon(delta) == pytest.approx(ours, rel=1e-9)
        if (
            case % 20 == 0
        ):  # the exact curve costs a root search: never above what follows from moments, and inverted by the library
            exact = ledger.epsilon(delta)
            assert exact <= accountant.get_epsilon(delta) + 1e-9
            sigma = 1 / math.sqrt(2 * ledger.rho)
            assert (
                dp_accounting.get_sigma_gaussian(exact, delta) == pytest.approx(sigma, rel=1e-3)
                if exact > 1e-6
                else True
            )


def test_exact_curve_agrees_with_the_privacy_loss_distribution():
    ledger = Ledger()
    accountant = dp_accounting.pld.PLDAccountant()
    for noise in (3.0, 5.0, 8.0):
        ledger.add(Release(name="V", round=1, sensitivity=1.0, noise=noise))
        accountant.compose(dp_accounting.GaussianDpEvent(noise))
    assert ledger.epsilon(1e-6) == pytest.approx(accountant.get_epsilon(1e-6), rel=2e-3)
    assert ledger.epsilon(1e-6) <= accountant.get_epsilon(1e-6)


@given(epsilon=st.floats(0.05, 20), exponent=st.floats(-9, -2))
@settings(max_examples=50, deadline=None)
def test_rho_for_is_the_largest_that_keeps_the_target(epsilon, exponent):
    delta = 10**exponent
    rho = rho_for(epsilon, delta)
    assert epsilon_of(rho, delta) <= epsilon
    assert epsilon_of(rho * 1.001, delta) > epsilon


def test_disjoint_groups_cost_the_dearest_one_only():
    ledger = Ledger(releases=[Release(name="moment", round=0, sensitivity=1, noise=10)])
    for group, noise in enumerate((1.0, 2.0, 4.0)):
        ledger.add(Release(name="V", round=group + 1, sensitivity=1, noise=noise, group=group))
    assert ledger.rho == pytest.approx(0.005 + 0.5)


def test_a_release_without_noise_costs_everything():
    ledger = Ledger(releases=[Release(name="V", round=1, sensitivity=1.0, noise=0.0)])
    assert ledger.rho == math.inf
    assert ledger.epsilon(1e-6) == math.inf


@pytest.mark.parametrize("neighbours", ["add-remove", "replace-one"])
@pytest.mark.parametrize("groups", [False, True])
@pytest.mark.parametrize("release", ["normal", "statistics", "gradient"])
@pytest.mark.parametrize("seed", [None, 3])
def test_what_is_spent_never_exceeds_the_target(neighbours, groups, release, seed):
    solver = rows_clipped(
        neighbours=neighbours, groups=groups, release=release, epsilon=2.0, rounds=3, insecure_seed=seed
    )
    privacy = solve(named(generate(SPEC, 0).problem), solver).info["privacy"]
    assert 1.999 < privacy["epsilon"] <= 2.0
    assert privacy["neighbours"] == neighbours
    assert len(privacy["releases"]) == 1 + (release == "gradient") + 3 * 2


def test_missing_library_says_which_extra(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "dp_accounting", None)
    with pytest.raises(MissingExtra, match=r"lrs-toolkit\[private\]"):
        epsilon_of(0.1, 1e-5)


# ---------------------------------------------------------------- sensitivity
def one_user(seed: int, size: float):
    draw = rng(2, seed)
    m, d, r = draw.integers(1, 6), draw.integers(1, 6), draw.integers(1, 4)
    scale = size ** draw.uniform(-1, 1, 4)
    X = scale[0] * draw.standard_normal((1, m, d))
    if draw.random() < 0.4:
        X[:] = X[:, :1]  # equal rows are the worst case
    w, b = draw.standard_normal((1, r)), draw.standard_normal((1, d)) * (draw.random((1, d)) < 0.5)
    return X, scale[1] * draw.standard_normal((1, m)), scale[2] * w, scale[3] * b


@given(seed=st.integers(0, 10**6), size=st.floats(1, 1e4))
@settings(max_examples=300, deadline=None)
def test_no_user_exceeds_the_bound(seed, size):
    X, y, W, B = one_user(seed, size)
    clip = Clip(x=1.3, y=0.7, xb=0.4, w=2.0)
    U = np.linalg.qr(rng(3, seed).standard_normal((max(X.shape[2], W.shape[1]), W.shape[1])))[0][: X.shape[2]]
    found = {
        **normal_statistics(X, y, W, B, clip),
        **direction_statistics(X, y),
        **gradient_statistics(X, y, U, W, B, 0.9),
    }
    assert set(found) == {"A", "V", "moment", "gradient", "inside"}
    for name, value in found.items():
        assert value.dtype == np.int64
        bound = math.ceil(sensitivity(name, clip, "add-remove") / lattice(name, clip))
        assert sum(int(v) ** 2 for v in value.ravel()) <= bound**2, "in whole numbers: not up to rounding"


def in_units(statistics, clip):
    return {name: value * lattice(name, clip) for name, value in statistics.items()}


def test_the_bounds_are_attained_when_all_rows_are_equal():
    clip = Clip(x=1.3, y=0.7, xb=0.4, w=2.0)
    m = 5
    x = np.array([1.0, 2.0, 2.0, 0.0]) / 3
    X = 1.3 * np.tile(x, (1, m, 1))
    w = np.array([[2.0, 0.0, 0.0]])
    b = -0.4 / 1.3 * x[None]
    found = in_units(normal_statistics(X, np.full((1, m), 0.7), w, b, clip), clip)
    for name in ("A", "V"):
        assert np.linalg.norm(found[name]) == pytest.approx(sensitivity(name, clip, "add-remove"), rel=1e-8)
    # Replacing that user by the opposite one attains twice the bound for V, and by an orthogonal one √2 times for A.
    opposite = in_units(normal_statistics(X, np.full((1, m), -0.7), w, -b, clip), clip)
    assert np.linalg.norm(found["V"] - opposite["V"]) == pytest.approx(sensitivity("V", clip, "replace-one"))
    turned = in_units(normal_statistics(X, np.full((1, m), 0.7), w[:, ::-1], b, clip), clip)
    assert np.linalg.norm(found["A"] - turned["A"]) == pytest.approx(sensitivity("A", clip, "replace-one"), rel=1e-5)
    both = {
        **direction_statistics(X, np.full((1, m), 0.7)),
        **gradient_statistics(X, np.full((1, m), 0.7), np.eye(4, 3), w, b, 1e-3),
    }
    for name, value in in_units(both, None).items():
        assert np.linalg.norm(value) == pytest.approx(sensitivity(name, None, "add-remove"), rel=1e-8)


@given(first=st.integers(0, 10**6), second=st.integers(0, 10**6))
@settings(max_examples=100, deadline=None)
def test_replacing_a_user_stays_under_its_bound(first, second):
    clip = Clip(x=1.3, y=0.7, xb=0.4, w=2.0)
    stats = []
    for seed in (first, second):
        draw = rng(4, seed)
        X, y = 3 * draw.standard_normal((1, 3, 2)), 3 * draw.standard_normal((1, 3))
        W, B = 3 * draw.standard_normal((1, 2)), draw.standard_normal((1, 2))
        both = {**normal_statistics(X, y, W, B, clip), **direction_statistics(X, y)}
        both.update(gradient_statistics(X, y, np.eye(2), W, B, 0.5))
        stats.append(in_units(both, clip))
    for name in stats[0]:
        assert np.linalg.norm(stats[0][name] - stats[1][name]) <= sensitivity(name, clip, "replace-one") * (1 + 1e-12)


def test_clipping_a_row_scales_it_and_does_not_bend_it():
    X = np.array([[[3.0, 4.0], [0.3, 0.4]]])
    scale = row_scales(X, np.array([[1.0, 1.0]]), Clip(x=2.5, y=10, xb=1, w=1))
    assert scale.tolist() == [[0.5, 1.0]]


def test_clipped_users_still_ask_for_the_true_subspace():
    """With exact parameters and no noise the normal equations hold at the truth, however much is clipped."""
    instance = generate(SPEC, 0)
    X, y = (a.reshape(300, 20, -1) for a in (instance.problem.data.X, instance.problem.data.y))
    truth = instance.truth
    tight = Clip(x=2.0, y=1.0, xb=0.5, w=0.7)
    found = normal_statistics(X, y[:, :, 0], truth.W, truth.B.toarray(), tight, exact=True)
    u = truth.U.T.ravel()
    assert np.allclose(found["A"] @ u, found["V"].T.ravel(), atol=1e-10)


def test_statistics_agree_with_their_definition():
    draw = rng(5)
    X, y = draw.standard_normal((4, 3, 5)), draw.standard_normal((4, 3))
    W, B, U = draw.standard_normal((4, 2)), draw.standard_normal((4, 5)), np.linalg.qr(draw.standard_normal((5, 2)))[0]
    wide = Clip(x=1e6, y=1e6, xb=1e6, w=1e6)
    A = sum(np.kron(np.outer(W[i], W[i]), X[i].T @ X[i]) / 3 for i in range(4))
    V = sum(np.outer(X[i].T @ (y[i] - X[i] @ B[i]), W[i]) / 3 for i in range(4))
    G = sum(np.outer(X[i].T @ (X[i] @ (U @ W[i] + B[i]) - y[i]), W[i]) / 3 for i in range(4))
    found = normal_statistics(X, y, W, B, wide, exact=True)
    assert np.allclose(found["A"], A)
    assert np.allclose(found["V"], V)
    unit = sum(
        np.outer(X[i].T @ (X[i] @ (U @ W[i] + B[i]) - y[i]), W[i]) / 3 / np.mean(X[i] ** 2) / (W[i] @ W[i])
        for i in range(4)
    )
    released = gradient_statistics(X, y, U, W, B, 1e3, exact=True)
    assert np.allclose(1e3 * released["gradient"], unit)
    assert released["inside"] == 2
    assert gradient_statistics(X, y, U, W, B, 1e-3, exact=True)["inside"] == -2
    theta = [
        np.linalg.solve(X[i].T @ X[i] + 0.5 * np.sum(X[i] ** 2) / 5 * np.eye(5), X[i].T @ y[i]) for i in range(4)
    ]  # fewer rows than features: the dual must say the same
    moment = sum(np.outer(v, v) / (v @ v) for v in theta)
    assert np.allclose(direction_statistics(X, y, exact=True)["moment"], moment)
    assert np.allclose(G.T.ravel(), A @ U.T.ravel() - V.T.ravel()), "vec stacks columns"


# ---------------------------------------------------------------- noise
@pytest.mark.parametrize("kind", ["gradient", "statistics"])
def test_noise_has_the_recorded_size_and_differs_between_releases(kind):
    schedule = Schedule(clip=LEVELS, rho=0.1, rounds=3, sparsity=1, kind=kind, neighbours="replace-one")
    server = Server(schedule, np.eye(12, 2), SecureNoise())
    play(server, [Cohort(generate(replace(SPEC, t=2), 0).problem.data)])
    seen = []
    for release, noisy in server.transcript.releases:
        # Two users cannot be seen under this much noise, so the release is noise.
        if noisy.ndim == 2 and len(noisy) == noisy.shape[1]:
            values = noisy[np.triu_indices(len(noisy), 1)] * math.sqrt(2)
        else:
            values = noisy.ravel()
        # Secure noise cannot be seeded: the bounds are those of χ² that chance leaves once in 10⁹ runs.
        low, high = stats.chi2.interval(1 - 1e-9, len(values))
        assert low < float(np.sum((values / release.noise) ** 2)) < high
        seen.append(noisy.ravel()[:5] / release.noise)
    assert len({tuple(s) for s in seen}) == len(seen)
    assert len(seen) == 7 + (kind == "gradient")


def test_secure_noise_is_whole_and_of_the_stated_size_and_never_repeats():
    from scipy.stats import kstest

    zero = np.zeros((100, 100), dtype=np.int64)
    a, b = (SecureNoise().add(zero, 2.0**33) for _ in range(2))
    assert a.dtype == np.int64
    assert not np.array_equal(a, b)
    assert kstest(a.ravel() / 2.0**33, "norm").pvalue > 1e-6
    shifted = SecureNoise().add(zero + 2**40, 3.0)
    assert abs(shifted.mean() - 2**40) < 1


def test_the_charge_is_the_librarys_and_never_below_the_formula():
    import opendp.prelude as dp

    for sensitivity_, scale in ((2**30, 2.0**34), (2**31 - 1, 1.7e10), (1, 3.0)):
        charged = SecureNoise().charge(sensitivity_, scale)
        space = dp.vector_domain(dp.atom_domain(T=dp.i64)), dp.l2_distance(T=float)
        assert charged == dp.m.make_gaussian(*space, scale=scale).map(float(sensitivity_))
        assert charged >= sensitivity_**2 / (2 * scale**2) * (1 - 1e-15)
        assert SeededNoise(0).charge(sensitivity_, scale) == pytest.approx(charged, rel=1e-12)
    solution = solve(generate(SPEC, 0).problem, private())
    charged = [r["charged"] for r in solution.info["privacy"]["releases"]]
    assert solution.info["privacy"]["rho"] == pytest.approx(sum(charged), rel=1e-12)


def test_noise_beyond_64_bits_is_refused():
    with pytest.raises(InvalidInput, match="64-bit"):
        solve(generate(SPEC, 0).problem, PrivateAMHT(rho=1e-16))


def test_missing_noise_library_says_which_extra_before_anybody_is_asked(monkeypatch):
    import sys

    from lrs.private import noise

    noise._opendp.cache_clear()
    monkeypatch.setitem(sys.modules, "opendp", None)
    with pytest.raises(MissingExtra, match=r"lrs-toolkit\[private\]"):
        solve(generate(SPEC, 0).problem, private())
    solve(generate(SPEC, 0).problem, private(insecure_seed=1))  # needs none


def test_seeded_noise_repeats_and_marks_the_model():
    problem = generate(SPEC, 0).problem
    first, second = (solve(problem, private(insecure_seed=5)).info["server"] for _ in range(2))
    assert np.array_equal(first.U, second.U)
    assert not first.secure
    assert first.privacy["secure_noise"] is False
    other = solve(problem, private(insecure_seed=6)).info["server"]
    assert not np.array_equal(first.U, other.U)
    unseeded = [solve(problem, private(), seed=3).info["server"] for _ in range(2)]
    assert not np.array_equal(unseeded[0].U, unseeded[1].U), "the solver's seed must not reach the noise"
    assert unseeded[0].secure


# ---------------------------------------------------------------- the billboard
@pytest.mark.parametrize("release", [private, rows_clipped])
def test_transcript_depends_on_a_user_only_through_its_bounded_statistics(release):
    data = generate(SPEC, 0).problem.data
    far, near = (
        MultiTaskData.from_arrays(
            [*(x for x, _ in data), f * LEVELS.x * np.eye(12)[:4]], [*(y for _, y in data), f * np.full(4, 99.0)]
        )
        for f in (1e3, 1e6)
    )
    a, b = (solve(Problem(part, 2, 0), release(insecure_seed=1)).info["transcript"] for part in (far, near))
    for (_, left), (_, right) in zip(a.releases, b.releases, strict=True):
        assert np.allclose(left, right, rtol=1e-6, atol=1e-6)
    outside = solve(Problem(data, 2, 0), release(insecure_seed=1)).info["transcript"]
    assert not np.allclose(outside.releases[0][1], a.releases[0][1], rtol=1e-9)


@pytest.mark.parametrize("kind", ["gradient", "statistics"])
def test_clients_one_by_one_give_what_a_cohort_gives(kind):
    data = generate(replace(SPEC, t=12, ragged=0.4), 0).problem.data
    schedule = Schedule(clip=LEVELS, rho=1e6, rounds=2, sparsity=2, kind=kind)
    together, apart = (Server(schedule, np.eye(12, 2), SeededNoise(0)) for _ in range(2))
    play(together, [Cohort(data)])
    play(apart, [Client(X, y, name) for name, (X, y) in zip(data.task_names, data, strict=True)])
    assert np.array_equal(together.U, apart.U), "sums of whole numbers: to the last bit"
    assert len(apart.transcript.lines()) == 5 + (kind == "gradient")


def test_streamed_blocks_give_what_one_block_gives():
    instance = generate(SPEC, 0)
    whole, blocks = (solve(instance.problem, private(insecure_seed=2, block=b)).info["server"].U for b in (1000, 37))
    assert np.array_equal(whole, blocks)


def test_a_generator_of_blocks_is_refused_before_it_runs_dry():
    data = generate(SPEC, 0).problem.data
    with pytest.raises(InvalidInput, match=r"blocks: .*once per round"):
        private().train((data for _ in range(1)), d=12, rank=2, sparsity=2, rng=rng())


def test_disjoint_groups_depend_on_the_user_alone_and_are_all_asked():
    groups = [user_group(i, 4) for i in range(4000)]
    assert np.bincount(groups).min() > 850
    problem = named(generate(SPEC, 0).problem)
    solution = solve(problem, rows_clipped(groups=True))
    assert [r["group"] for r in solution.info["privacy"]["releases"]] == [None, 0, 0, 1, 1, 2, 2, 3, 3]
    together = solve(problem, rows_clipped())
    noise = [s.info["privacy"]["releases"][1]["noise"] for s in (solution, together)]
    assert noise[1] / noise[0] == pytest.approx(2.0), "disjoint groups drop √L"


# ---------------------------------------------------------------- utility
def test_without_noise_it_is_alternating_minimisation_to_rounding():
    instance = generate(replace(SPEC, k=0), 0)
    wide = Clip(x=1e3, y=1e3, xb=1e3, w=1e3)
    solution = solve(instance.problem, PrivAltMin(epsilon=math.inf, delta=1e-6, clip=wide, rounds=25))
    assert metrics.subspace_distance(solution.model.U, instance.truth.U) < 1e-12
    assert metrics.theta_error(solution.model, instance.truth) < 1e-12
    clipped = solve(instance.problem, PrivAltMin(epsilon=math.inf, delta=1e-6, clip=LEVELS, rounds=25))
    assert metrics.subspace_distance(clipped.model.U, instance.truth.U) < 1e-12, "clipping costs weight, not bias"
    stepped = solve(instance.problem, private(epsilon=math.inf, rounds=60))
    assert metrics.subspace_distance(stepped.model.U, instance.truth.U) < 1e-9


def test_large_epsilon_tends_to_the_answer_without_noise():
    instance = generate(replace(SPEC, k=0), 0)
    exact = solve(instance.problem, PrivAltMin(epsilon=math.inf, delta=1e-6, clip=LEVELS)).info["server"].U
    distances = [
        metrics.subspace_distance(
            solve(instance.problem, PrivAltMin(rho=rho, clip=LEVELS, insecure_seed=1)).info["server"].U, exact
        )
        for rho in (1e4, 1e8, 1e12)
    ]
    assert distances[0] > 10 * distances[1] > 100 * distances[2]
    assert distances[2] < 1e-4


def test_more_users_help():
    errors = []
    for t in (300, 3000):
        instance = generate(replace(SPEC, t=t), 0)
        solution = solve(instance.problem, private(insecure_seed=0))
        errors.append(metrics.subspace_distance(solution.model.U, instance.truth.U))
        assert solution.status is Status.FIXED_ROUNDS
    assert errors[1] < 0.3 * errors[0]


def test_private_alternating_minimisation_has_no_personal_parts():
    solution = solve(generate(SPEC, 0).problem, PrivAltMin(epsilon=1.0, delta=1e-6, clip=LEVELS))
    assert solution.model.B.nnz == 0


def test_denoising_keeps_a_kronecker_product_and_removes_most_noise():
    draw = rng(6)
    S, C = (M @ M.T for M in (draw.standard_normal((2, 2)), draw.standard_normal((10, 10))))
    exact = 50 * np.kron(S, C)
    noise = draw.standard_normal((20, 20))
    noisy = exact + 4 * (noise + noise.T) / 2
    assert np.linalg.norm(denoise(noisy, 4.0, 10, 2)[0] - exact) < 0.6 * np.linalg.norm(noisy - exact)
    assert np.array_equal(denoise(noisy, 0.0, 10, 2)[0], noisy)


def test_callback_sees_every_published_subspace():
    seen = []
    solution = solve(generate(SPEC, 0).problem, private(insecure_seed=0), callback=seen.append)
    assert [s.iteration for s in seen] == list(range(22))
    assert np.array_equal(seen[-1].model.U, solution.model.U)


def test_a_seed_shared_with_the_generator_does_not_start_at_the_truth():
    instance = generate(SPEC, 0)
    solution = solve(instance.problem, private(start_share=0.0, epsilon=0.01, population=300), seed=0)
    assert metrics.subspace_distance(solution.info["transcript"].subspaces[0], instance.truth.U) > 0.1


# ---------------------------------------------------------------- what is kept back
def test_server_file_holds_no_task_axis(tmp_path):
    solution = solve(generate(SPEC, 0).problem, private())
    path = solution.info["server"].save(tmp_path / "server.npz")
    with np.load(path, allow_pickle=False) as file:
        shapes = {name: file[name].shape for name in file.files}
        header = json.loads(bytes(file["header"]).decode())
    assert set(shapes) == {"header", "U"}
    assert shapes["U"] == (12, 2)
    assert "task_names" not in header
    assert str(SPEC.t) not in json.dumps(header)
    back = ServerModel.load(path)
    assert np.array_equal(back.U, solution.info["server"].U)
    assert back.privacy == solution.info["server"].privacy
    assert back.feature_names == tuple(f"x{j}" for j in range(12))


def test_the_model_of_the_users_refuses_to_be_saved(tmp_path):
    model = solve(generate(SPEC, 0).problem, private()).model
    with pytest.raises(InvalidInput, match="private W and B"):
        model.save(tmp_path / "all.npz")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["W", "B", "theta", "predict"])
def test_a_server_model_has_no_users(what):
    server = solve(generate(SPEC, 0).problem, private()).info["server"]
    with pytest.raises(InvalidInput, match=f"{what}: .*never leave the users"):
        server.predict(np.eye(12), 0) if what == "predict" else getattr(server, what)


def test_a_new_user_joins_with_its_own_rows():
    instance = generate(replace(SPEC, t=2000), 0)
    server = solve(instance.problem, private()).info["server"]
    newcomer = generate(SPEC, 0)  # nested: user 0 of the same truth
    X, y = newcomer.problem.data.task(3)
    w, b = server.adapt(X, y)
    truth = newcomer.truth.theta[3]
    exact = np.linalg.norm(instance.truth.U - newcomer.truth.U) == 0
    assert exact
    assert np.linalg.norm(server.U @ w + b - truth) < 0.2 * np.linalg.norm(truth)
    client = Client(X, y).adapt(server.U, 2)
    assert np.linalg.norm(server.U @ client.w + client.b - truth) < 0.2 * np.linalg.norm(truth)


# ---------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epsilon": 0.0}, "epsilon: expected a positive"),
        ({"epsilon": -1.0}, "epsilon: expected a positive"),
        ({"epsilon": math.nan}, "epsilon: expected a positive"),
        ({"delta": 0.0}, "delta: expected a probability"),
        ({"delta": 1.0}, "delta: expected a probability"),
        ({"delta": None}, "delta: an epsilon needs its delta"),
        ({"rho": 0.1}, "not both"),
        ({"epsilon": None, "rho": -0.1}, "rho: expected a positive"),
        ({"clip": "x=1"}, "clip: no level for y"),
        ({"rounds": 0}, "rounds: expected an integer"),
        ({"neighbours": "swap"}, "neighbours: expected 'add-remove' or 'replace-one'"),
        ({"release": "all"}, "release: expected 'gradient', 'statistics' or 'normal'"),
        ({"clip_user": 0.0}, "clip_user: expected a positive"),
        ({"clip_user": math.inf}, "clip_user: expected a positive"),
        ({"population": 0}, "population: expected an integer"),
        ({"population": 10, "delta": 0.1}, "delta: 0.1 is not below one over the population of 10"),
        ({"start_share": 1.0}, "start_share"),
        ({"a_share": 0.0}, "a_share"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options, message):
    with pytest.raises(InvalidInput, match=message):
        private(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"release": "statistics"}, "clip: no clip levels"),
        ({"groups": True}, "groups: users need ids of their own"),
        ({"epsilon": None}, "epsilon: no privacy target"),
        ({"start": np.eye(12, 2)}, "population: with a public start nothing tells how many users there are"),
        ({"start_share": 0.0}, "population: with a public start nothing tells how many users there are"),
        ({"start": np.eye(5, 2), "population": 300}, "start: expected a finite array of shape"),
    ],
)
def test_a_run_without_levels_target_or_budget_is_refused(options, message):
    with pytest.raises(InvalidInput, match=message):
        solve(generate(SPEC, 0).problem, private(**options))


def test_a_warm_start_has_no_budget():
    instance = generate(SPEC, 0)
    with pytest.raises(InvalidInput, match=r"warm_start: .*no budget"):
        solve(replace(instance.problem, warm_start=instance.truth), private())
    public = solve(instance.problem, private(start=instance.truth.U, population=300))
    assert all(r["name"] != "moment" for r in public.info["privacy"]["releases"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x=1,y=1,xb=1", "no level for w"),
        ("x=1,y=1,xb=1,w=0", "clip w .*: expected a positive number"),
        ("x=1,y=1,xb=1,w=inf", "expected a positive number"),
        ("x=1,y=1,xb=1,w=big", "level of w must be a number"),
        ("x=1,x=2,y=1,xb=1,w=1", "at most once"),
        ("z=1", "'z=1' is not one of"),
        ("auto", "reading them off the data would need a budget"),
    ],
)
def test_clip_levels_that_do_not_parse(text, message):
    with pytest.raises(InvalidInput, match=message):
        Clip.parse(text)


def test_proposed_levels_clip_about_one_row_in_a_thousand():
    clip = propose_clip(d=20, feature_scale=1, weight_scale=1, rank=2, sparse_scale=1, sparsity=2)
    instance = generate(InstanceSpec(t=2000, m=10, d=20, r=2, k=2, b_law="signs"), 0)
    data, truth = instance.problem.data, instance.truth
    assert np.mean(np.linalg.norm(data.X, axis=1) > clip.x) < 4e-3
    assert np.mean(np.linalg.norm(truth.W, axis=1) > clip.w) < 0.1
    assert np.mean(np.abs(data.y) > clip.y) < 1e-2
    with pytest.raises(InvalidInput, match="feature_scale"):
        propose_clip(d=20, feature_scale=0, weight_scale=1, rank=2, sparse_scale=1, sparsity=2)


# ---------------------------------------------------------------- command line
CLIP = "x=6.7,y=6.6,xb=4.7,w=2.4"
TARGET = ("--solver", "private-amht", "--epsilon", "1", "--delta", "1e-6")


def test_command_line_contract(run, instance_file, tmp_path):
    server = str(tmp_path / "server.npz")
    code, out, _ = run("solve", instance_file, *TARGET, "-o", server, "--json")
    document = json.loads(out)
    assert code == 0
    assert {"epsilon", "delta", "rho", "neighbours", "releases"} <= set(document["privacy"])
    assert 0.99 < document["privacy"]["epsilon"] <= 1
    assert document["seed"] is None
    assert {"data", "storage", "metrics", "residual"} <= set(document["not_private"])
    assert sum(r["rho"] for r in document["privacy"]["releases"]) == pytest.approx(document["privacy"]["rho"])
    with np.load(server) as arrays:  # no array has an axis for users
        assert {name: arrays[name].ndim for name in arrays} == {"U": 2, "header": 1}
    assert ServerModel.load(server).U.shape == (8, 1)
    code, _, err = run("predict", server, instance_file)
    assert code == 2
    assert "never leave the users" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*TARGET, "--release", "statistics"), "clip: no clip levels"),
        ((*TARGET, "--release", "all"), "release: expected 'gradient'"),
        ((*TARGET, "--clip-user", "0"), "clip_user: expected a positive"),
        ((*TARGET, "--population", "20", "--delta", "0.1"), "delta: 0.1 is not below one over the population"),
        ((*TARGET, "--start-share", "0"), "population: with a public start"),
        ((*TARGET, "--clip", "x=1"), "clip: no level for y, xb, w"),
        ((*TARGET, "--seed", "3"), "seed: whoever knows the seed knows the noise"),
        (("--solver", "private-amht"), "epsilon: no privacy target"),
        (
            ("--solver", "private-amht", "--epsilon", "0", "--delta", "1e-6", "--clip", CLIP),
            "epsilon: expected a positive",
        ),
        (("--epsilon", "1"), "epsilon: the solver 'amht' is not private"),
        (("--insecure-seed",), "insecure_seed: the solver 'amht' is not private"),
    ],
)
def test_command_line_refusals(run, instance_file, arguments, message):
    code, out, err = run("solve", instance_file, *arguments)
    assert code == 2
    assert message in err
    assert out == ""


def test_command_line_insecure_seed_marks_the_result(run, instance_file):
    arguments = ("solve", instance_file, *TARGET, "--seed", "3", "--insecure-seed", "--json")
    first, second = (json.loads(run(*arguments)[1]) for _ in range(2))
    assert first["privacy"]["secure_noise"] is False
    assert first["metrics"] == second["metrics"]
    assert first["seed"] == 3


def test_the_transcript_on_the_page_is_what_the_run_prints():
    page = (Path(__file__).parents[3] / "docs" / "private" / "index.md").read_text(encoding="utf-8")
    example = re.search(r"```pycon\n(.*?)```", page, re.DOTALL)[1].replace('Instance.load("users.npz")', "instance")
    instance = generate(InstanceSpec(t=5000, m=20, d=20, r=2, k=2), 0)
    parsed = doctest.DocTestParser().get_doctest(example, {"instance": instance}, "private", "index.md", 0)
    results = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(parsed, clear_globs=False)
    assert results.attempted == len(parsed.examples) > 4
    assert results.failed == 0


def test_settings_make_the_same_solver_again():
    solver = rows_clipped(rounds=3, groups=True, insecure_seed=5, start=np.eye(12, 2))
    again = PrivateAMHT.from_settings(json.loads(json.dumps(solver.settings())))
    assert again.settings() == solver.settings()
    problem = named(generate(SPEC, 3).problem)
    assert np.array_equal(solve(problem, solver).model.U, solve(problem, again).model.U)


def test_account_is_text_and_holds_no_user():
    account = json.loads(solve(generate(SPEC, 3).problem, private(insecure_seed=1)).info["account"])
    assert account["privacy"]["epsilon"] <= account["settings"]["epsilon"] == 1.0
    assert set(account) == {"settings", "privacy"}


# ---------------------------------------------------------------- features that are correlated, signals that are weak
def _correlated(t: int, noise: float) -> tuple[MultiTaskData, np.ndarray]:
    """Users of a constant, two continuous features and nine indicators of one category, as tables have them; and U."""
    rng = np.random.default_rng([t, 5])
    m, d = 15, 12
    X = np.zeros((t, m, d))
    X[:, :, 0] = 1.0
    X[:, :, 1:3] = rng.standard_normal((t, m, 2))
    category = rng.integers(0, 10, (t, m))
    X[:, :, 3:] = category[:, :, None] == np.arange(1, 10)
    U = np.linalg.qr(rng.standard_normal((d, 2)))[0]
    y = np.einsum("tmd,td->tm", X, rng.standard_normal((t, 2)) @ U.T) + noise * rng.standard_normal((t, m))
    return MultiTaskData.from_arrays(X, y), U


def _found(data: MultiTaskData, U: np.ndarray, **options: Any) -> float:
    solver = PrivateAMHT(epsilon=4.0, delta=1e-6, insecure_seed=1, rounds=40, **options)
    server, _ = solver.train([data], d=12, rank=2, sparsity=0, rng=np.random.default_rng(0))
    return metrics.subspace_distance(server.U, U)


def test_whitened_gradients_see_directions_that_few_rows_have():
    data, U = _correlated(3000, 0.5)
    plain, whitened = _found(data, U, features_share=0.0), _found(data, U)
    assert whitened < 0.5 * plain


def test_whitening_is_invariant_to_rotations_it_knows_and_leaves_equal_directions_alone():
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    M = np.diag([5.0, 3.0, 1.0, 0.5, 0.3, 0.2])
    assert np.allclose(whitening(Q @ M @ Q.T, 0.1), Q @ whitening(M, 0.1) @ Q.T)
    assert np.allclose(whitening(7 * np.eye(6), 0.0), np.eye(6) / math.sqrt(2))
    mostly_noise = whitening(M, 1e4)
    assert np.allclose(mostly_noise, mostly_noise[0, 0] * np.eye(6), rtol=1e-3)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_a_whitened_gradient_is_the_gradient_of_whitened_rows(seed):
    """Definition: rows XS, responses without the personal part, the same subspace in the new coordinates, and no S."""
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((3, 5, 4)), rng.standard_normal((3, 5))
    U, W, B = np.linalg.qr(rng.standard_normal((4, 2)))[0], rng.standard_normal((3, 2)), rng.standard_normal((3, 4))
    S = whitening(np.cov(rng.standard_normal((4, 9))), 0.0)
    V, R = np.linalg.qr(np.linalg.inv(S) @ U)
    signs = np.sign(np.diag(R))
    expected = gradient_statistics(
        X @ S,
        y - np.einsum("bmd,bd->bm", X, B),
        V * signs,
        np.array([signs * (R @ w) for w in W]),
        np.zeros((3, 4)),
        0.7,
        exact=True,
    )
    found = gradient_statistics(X, y, U, W, B, 0.7, whiten=S, exact=True)
    assert found.keys() == expected.keys()
    assert all(np.allclose(found[n], expected[n], rtol=1e-9, atol=1e-12) for n in found)
