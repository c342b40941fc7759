"""Measured symbols, the assumptions on instances, and the failure fixtures with the solver."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from lrs.amht import AMHT
from lrs.core.errors import InvalidInput
from lrs.families.low_rank_sparse.generate import InstanceSpec, generate
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import Instance, Problem
from lrs.solver import solve
from theory.families.low_rank_sparse import assumptions as a
from theory.families.low_rank_sparse.fixtures import FIXTURES, annihilated_matrix, parameter_error
from theory.families.low_rank_sparse.measurement import (
    PARAMETER_QUANTITIES,
    measure,
    measure_design,
    measure_parameters,
)
from theory.language.predicate import And
from theory.language.verdict import Verdict

SPEC = InstanceSpec(t=80, m=20, d=40, r=2, k=3)


@pytest.fixture(scope="module")
def instance() -> Instance:
    return generate(SPEC, 5)


# ---------------------------------------------------------------------------------------------- measured symbols
def test_measured_quantities_are_those_of_the_draw(instance: Instance) -> None:
    measured, truth = measure(instance), instance.truth
    eigenvalues = np.linalg.eigvalsh(SPEC.r / SPEC.t * truth.W.T @ truth.W)
    assert measured["lambda_1"] == pytest.approx(eigenvalues[-1])
    assert measured["lambda_r"] == pytest.approx(eigenvalues[0])
    assert measured["kappa"] == pytest.approx(eigenvalues[-1] / eigenvalues[0])
    assert measured["mu"] == pytest.approx((truth.W**2).sum(1).max() / eigenvalues[0])
    assert measured["nu"] == pytest.approx(SPEC.d / SPEC.r * (truth.U**2).sum(1).max())
    assert measured["zeta"] == (truth.B.toarray() != 0).sum(0).max()
    assert (measured["k_max"], measured["rank_W"], measured["rank_visible"]) == (3, 2, 2)
    assert measured["orth"] < 1e-14
    assert (measured["n"], measured["m"], measured["t"], measured["d"]) == (1600, 20, 80, 40)
    assert measured.origin["nu"] == "truth"
    assert measured.origin["r"] == "request"


def test_measured_quantities_do_not_depend_on_the_gauge(instance: Instance) -> None:
    truth = instance.truth
    Q = np.linalg.qr(np.random.default_rng([21, 1]).standard_normal((2, 2)))[0]
    turned = measure_parameters(LRSModel(truth.U @ Q, truth.W @ Q, truth.B))
    for name, value in measure_parameters(truth).items():
        assert turned[name] == pytest.approx(value, abs=1e-13), name


def test_m_is_the_smallest_task(instance: Instance) -> None:
    ragged = generate(InstanceSpec(t=30, m=20, d=10, r=2, k=1, ragged=0.6), 0)
    assert measure(ragged)["m"] == ragged.problem.data.counts.min() < 20


def test_a_request_does_not_replace_a_measurement() -> None:
    drawn = generate(InstanceSpec(t=40, m=20, d=20, r=2, k=4), 0)
    fewer = Instance(Problem(drawn.problem.data, 2, 2), drawn.truth)
    assert a.column_sparse.check(measure(fewer)).verdict is Verdict.FAILS
    assert a.column_sparse.check(measure(drawn)).verdict is Verdict.HOLDS


def test_stored_zeros_are_not_support() -> None:
    B = sparse.csr_array((np.array([0.0, 2.0]), np.array([0, 1]), np.array([0, 2, 2])), shape=(2, 3))
    found = measure_parameters(LRSModel(np.eye(3)[:, :1], np.ones((2, 1)), B))
    assert (found["k_max"], found["zeta"]) == (1, 1)


@pytest.mark.parametrize(("r", "k"), [(0, 2), (2, 0), (0, 0)])
def test_parts_that_are_absent_are_no_obstacle(r: int, k: int) -> None:
    measured = measure(generate(InstanceSpec(t=30, m=12, d=15, r=r, k=k), 1))
    for condition in a.NECESSARY:
        assert condition.check(measured).verdict is Verdict.HOLDS, condition.name


def test_without_truth_what_needs_it_is_unknown(instance: Instance) -> None:
    measured = measure(instance.problem)
    assert not set(PARAMETER_QUANTITIES) & set(measured)
    assert set(PARAMETER_QUANTITIES) <= set(measured.unknown)
    assert "--model" in measured.why_missing("nu")
    assert measured["p_shape"] > 0
    with_model = measure(instance.problem, model=instance.truth)
    assert with_model.origin["nu"] == "model"
    assert with_model["nu"] == measure(instance)["nu"]


def test_the_noise_of_a_table_is_never_assumed() -> None:
    noisy = generate(InstanceSpec(t=100, m=30, d=15, r=1, k=1, noise=0.5), 3)
    blind = Problem(noisy.problem.data, 1, 1)
    assert "sigma" not in measure(blind, noise_known=False)
    fitted = solve(noisy.problem, AMHT(), seed=0).model
    estimated = measure(blind, model=fitted, noise_known=False)
    assert estimated["sigma"] == pytest.approx(0.5, rel=0.05)
    assert estimated.origin["sigma"] == "model"


def test_start_quality_is_measured_from_the_warm_start(instance: Instance) -> None:
    assert "no warm start" in measure(instance).why_missing("init_error")
    p = instance.problem
    U = np.linalg.qr(instance.truth.U + 0.05 * np.random.default_rng([21, 2]).standard_normal((40, 2)))[0]
    start = LRSModel(U, instance.truth.W, instance.truth.B)
    warm = Instance(Problem(p.data, p.rank, p.sparsity, warm_start=start), instance.truth)
    measured = measure(warm)
    P = np.eye(40) - instance.truth.U @ instance.truth.U.T
    assert measured["init_error"] == pytest.approx(np.linalg.norm(P @ U))
    assert measured["init_row"] == pytest.approx(np.linalg.norm(U, axis=1).max())


def test_bad_subjects_are_refused(instance: Instance) -> None:
    with pytest.raises(InvalidInput, match=r"failure: expected a probability"):
        measure(instance, failure=1.5)
    other = generate(InstanceSpec(t=10, m=5, d=40, r=2, k=3), 0)
    with pytest.raises(InvalidInput, match="model: has"):
        measure(instance, model=other.truth)


# ---------------------------------------------------------------------------------------------- the design test
@pytest.mark.parametrize(
    ("law", "part"),
    [
        ("rademacher", "p_shape"),
        ("student-t", "p_shape"),
        ("correlated", "p_correlation"),
        ("scaled", "p_scale"),
    ],
)
def test_designs_that_are_not_gaussian_isotropic_are_told(law: str, part: str) -> None:
    measured = measure(generate(InstanceSpec(t=40, m=30, d=20, r=2, k=2, x_law=law), 0))  # type: ignore[arg-type]
    check = a.gaussian_design.check(measured)
    assert check.verdict is Verdict.FAILS
    assert measured[part] < 1e-6


def test_a_shift_and_dependent_rows_are_told() -> None:
    data = generate(InstanceSpec(t=40, m=30, d=20, r=2, k=2), 0).problem.data
    shifted = type(data)(data.X + 0.2, data.y, data.offsets)
    assert measure_design(shifted)["p_mean"] < 1e-6
    doubled = type(data)(np.repeat(data.X[::2], 2, axis=0), data.y, data.offsets)
    found = measure_design(doubled)
    assert found["repeated_rows"] == data.n // 2
    assert found["p_rows"] < 1e-6


def test_the_design_test_keeps_its_size() -> None:
    """At size 0.2 at most a fifth of Gaussian data sets may be refused: 60 of them, Bonferroni makes it fewer."""
    refused = 0
    for seed in range(60):
        found = measure_design(generate(InstanceSpec(t=10, m=15, d=8, r=1, k=1), (21, seed)).problem.data)
        refused += 5 * min(found[p] for p in ("p_mean", "p_scale", "p_correlation", "p_rows", "p_shape")) < 0.2
    assert 1 <= refused <= 20  # Binomial(60, .2) exceeds 20 with probability 1 %


def test_p_values_are_uniform() -> None:
    """Kolmogorov–Smirnov over 200 Gaussian data sets with one coordinate, where no Bonferroni factor enters."""
    from scipy import stats

    rng = np.random.default_rng([21, 3])
    data = generate(InstanceSpec(t=5, m=8, d=1, r=1, k=0), 0).problem.data
    found = [measure_design(type(data)(rng.standard_normal((40, 1)), data.y, data.offsets)) for _ in range(200)]
    for name in ("p_mean", "p_scale"):
        assert stats.kstest([f[name] for f in found], "uniform").pvalue > 1e-3, name


def test_the_stated_noise_is_tested() -> None:
    noisy = generate(InstanceSpec(t=50, m=20, d=10, r=1, k=1, noise=0.3), 0)
    assert a.noise_as_stated.check(measure(noisy))
    p = noisy.problem
    assert not a.noise_as_stated.check(measure(Instance(Problem(p.data, 1, 1, 0.4), noisy.truth)))
    assert not a.noise_as_stated.check(measure(Instance(Problem(p.data, 1, 1, 0.0), noisy.truth)))
    assert not a.noiseless.check(measure(noisy))
    clean = generate(InstanceSpec(t=50, m=20, d=10, r=1, k=1), 0)
    assert a.noise_as_stated.check(measure(clean))
    assert a.noiseless.check(measure(clean))


# ---------------------------------------------------------------------------------------------- necessary conditions
#: Conditions that a violated one violates with it; each implication is proved in test_relations.
IMPLIED = {
    "rows of U visible": {"rows of U determined"},
    "rows, supports known": {"rows, supports unknown", "counting limit"},
    "rows, supports unknown": {"counting limit"},
}


@pytest.mark.parametrize("name", FIXTURES)
def test_each_fixture_violates_exactly_its_condition(name: str) -> None:
    for seed in range(3):
        measured = measure(FIXTURES[name](seed))
        violated = {c.name for c in a.NECESSARY if c.check(measured).verdict is not Verdict.HOLDS}
        assert violated == {name} | IMPLIED.get(name, set())
        assert all(c.check(measured).verdict is Verdict.FAILS for c in a.NECESSARY if c.name in violated)


@pytest.mark.parametrize("name", FIXTURES)
def test_the_solver_fails_on_each_fixture_and_the_predicate_says_why(name: str) -> None:
    fixture = FIXTURES[name]
    instance = fixture(0)
    solution = solve(instance.problem, AMHT(), seed=0)
    assert parameter_error(solution.model, instance.truth) > 1e-2
    check = And("necessary", a.NECESSARY).check(measure(instance))
    assert check.verdict is Verdict.FAILS
    failed = {leaf.name for leaf in check.children if leaf.verdict is Verdict.FAILS}
    assert name in failed
    assert check.sub_expressions


def test_a_sound_instance_meets_every_condition_and_is_recovered() -> None:
    sound = generate(InstanceSpec(t=60, m=30, d=30, r=2, k=2), 4)
    check = And("necessary", a.NECESSARY).check(measure(sound))
    assert check.verdict is Verdict.HOLDS
    solution = solve(sound.problem, AMHT(), seed=0)
    assert parameter_error(solution.model, sound.truth) < 1e-6


def test_separability_bounds_the_sparsest_vector_of_the_span(instance: Instance) -> None:
    """‖Uw‖₀ ≥ d/(νr), by brute force over the zeros of combinations of two columns."""
    U = instance.truth.U
    nu = measure(instance)["nu"]
    sparsest = min((np.abs(U @ np.array([-U[j, 1], U[j, 0]])) > 1e-12).sum() for j in range(U.shape[0]))
    assert sparsest >= SPEC.d / (nu * SPEC.r)


def test_below_d_rows_a_rank_one_matrix_maps_to_zero(instance: Instance) -> None:
    assert a.isometry_possible.check(measure(instance)).verdict is Verdict.FAILS
    assert a.underdetermined.check(measure(instance)).verdict is Verdict.HOLDS
    theta = annihilated_matrix(instance.problem, 7)
    data = instance.problem.data
    assert np.linalg.norm(theta) == pytest.approx(1)
    assert np.linalg.matrix_rank(theta) == 1
    assert np.abs(np.einsum("nd,nd->n", data.X, theta[data.groups])).max() < 1e-12
