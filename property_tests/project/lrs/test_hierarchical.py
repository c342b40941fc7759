"""The hierarchical model: formulas against their definitions, and the choice of rank and sparsity on tables of all kinds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from lrs import InstanceSpec, InvalidInput, MultiTaskData, Problem, generate, kernels, metrics, solve
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.hierarchical import Automatic, solve_automatically
from lrs.hierarchical.choice import _stacked
from lrs.hierarchical.gaussian import Gaussian, Sums, global_model, low_rank, random_effects
from lrs.hierarchical.spikes import one_spike
from lrs.private import PrivateAMHT


def table(seed: int, t: int = 12, m: int = 7, d: int = 3, spread: float = 1.0) -> MultiTaskData:
    """Random effects with a correlated covariance and ragged rows."""
    rng = np.random.default_rng([seed])
    root = spread * np.tril(rng.standard_normal((d, d)))
    tasks = [rng.standard_normal((m + int(rng.integers(4)), d)) for _ in range(t)]
    return MultiTaskData.from_arrays(
        tasks, [X @ (1 + root @ rng.standard_normal(d)) + 0.5 * rng.standard_normal(len(X)) for X in tasks]
    )


def likelihood(data: MultiTaskData, model: Gaussian) -> float:
    """The marginal log-likelihood as it is defined: y_i ~ N(X_iμ, σ²I + X_iΣX_iᵀ)."""
    S = model.factor @ model.factor.T
    return sum(
        multivariate_normal.logpdf(y, X @ model.mean, model.variance * np.eye(len(y)) + X @ S @ X.T) for X, y in data
    )


FITS = {
    "full": lambda sums, **o: random_effects(sums, "full", **o),
    "diagonal": lambda sums, **o: random_effects(sums, "diagonal", **o),
    "low rank": lambda sums, **o: low_rank(sums, 2, **o),
}


@pytest.mark.parametrize("form", FITS)
def test_a_step_raises_the_likelihood_of_the_definition(form: str):
    data = table(0)
    values = [likelihood(data, FITS[form](Sums.of(data), steps=n)) for n in (0, 1, 2, 5, 20)]
    assert np.all(np.diff(values) > 0)
    assert FITS[form](Sums.of(data), steps=20).likelihood == pytest.approx(values[-1], rel=1e-6)


def test_the_mixed_model_is_at_the_maximum():
    data = table(1, t=30)
    fitted = random_effects(Sums.of(data), steps=3000)
    best, rng = likelihood(data, fitted), np.random.default_rng([2])
    for _ in range(20):  # no direction leads up by more than EM's last gain
        step = [1e-2 * rng.standard_normal(a.shape) for a in (fitted.mean, fitted.factor)]
        other = replace(
            fitted,
            mean=fitted.mean + step[0],
            factor=fitted.factor + np.tril(step[1]),
            variance=fitted.variance * np.exp(1e-2 * rng.standard_normal()),
        )
        assert likelihood(data, other) < best + 1e-3


@pytest.mark.parametrize("form", FITS)
def test_posterior_means_are_those_of_the_definition(form: str):
    data = table(3)
    fitted = FITS[form](Sums.of(data), steps=4)
    S = fitted.factor @ fitted.factor.T
    for i, (X, y) in enumerate(data):
        covariance = X @ S @ X.T + fitted.variance * np.eye(len(y))
        theta = fitted.mean + S @ X.T @ np.linalg.solve(covariance, y - X @ fitted.mean)
        assert fitted.theta[i] == pytest.approx(theta, abs=1e-6)


def test_the_kernel_is_its_definition():
    sums = Sums.of(table(4, d=6))
    with kernels.use("numpy"):
        defined = random_effects(sums, steps=7)
    compiled = random_effects(sums, steps=7)
    assert compiled.theta == pytest.approx(defined.theta, abs=1e-10)
    assert compiled.likelihood == pytest.approx(defined.likelihood, rel=1e-12)


def test_a_spike_finds_what_a_gaussian_model_smears():
    spec = InstanceSpec(t=200, m=12, d=8, r=0, k=1, noise=0.5, b_scale=3.0)
    instance = generate(spec, 0)
    sums = Sums.of(instance.problem.data)
    smeared, spiked = (
        random_effects(sums, "diagonal").theta,
        one_spike(sums, replace(global_model(sums), variance=0.25)),
    )
    truth = instance.truth.theta
    assert np.linalg.norm(spiked - truth) < 0.7 * np.linalg.norm(smeared - truth)


# ---------------------------------------------------------------------- the choice
def chosen(data: MultiTaskData, **given: int):
    return Automatic(**given)(data, rng=np.random.default_rng([0]))


def test_exact_data_keep_their_answer():
    instance = generate(InstanceSpec(t=60, m=24, d=12, r=2, k=2), 1)
    solution = chosen(instance.problem.data)
    assert (solution.info["rank"], solution.info["sparsity"]) == (2, 2)
    assert metrics.theta_error(solution.model, instance.truth) < 1e-6
    assert "exact" in solution.info["sentence"]


def test_noisy_data_with_nothing_given_are_as_good_as_told():
    instance = generate(InstanceSpec(t=120, m=30, d=20, r=2, k=2, noise=0.2), 2)
    told = metrics.theta_error(solve(instance.problem).model, instance.truth)
    assert metrics.theta_error(chosen(instance.problem.data).model, instance.truth) < 1.05 * told


@pytest.mark.parametrize("spread", [0.0, 0.15, 1.0])
def test_never_worse_than_what_people_use(spread: float):
    data = table(5, t=80, m=20, d=5, spread=spread)
    training, mask = data.split(0.5, np.random.default_rng([6]))
    X, y, tasks = data.X[~mask], data.y[~mask], data.groups[~mask]

    def explained(model: LRSModel) -> float:
        return metrics.explained_variance(y, model.predict(X, tasks))

    others = [explained(solve(Problem(training, 1, 0), name).model) for name in ("global", "ridge", "mixed")]
    assert explained(chosen(training).model) > max(others) - 0.005


def test_candidates_that_predict_alike_are_averaged():
    rng = np.random.default_rng([0])
    y, alike = rng.standard_normal((2, 400))
    sizes = {"nothing": (0, 0), "global": (1, 0), "mixed": (None, 0)}
    held = np.arange(400) % 5 == np.arange(5)[:, None]
    weights, _ = _stacked(y, held, dict.fromkeys(sizes, alike), sizes)
    assert sum(weights.values()) == pytest.approx(1)


def test_no_signal_is_no_signal():
    rng = np.random.default_rng([7])
    X = rng.standard_normal((40, 15, 4))
    data = MultiTaskData.from_arrays(X, rng.standard_normal((40, 15)))
    model = chosen(data).model
    assert np.sqrt(np.mean(model.theta**2)) < 0.1  # least squares a task has about .3


@pytest.mark.parametrize(
    "shape",
    [(1, 30, 4), (30, 1, 4), (2, 3, 12), (5, 2, 3), (3, 3, 1)],
    ids=["one task", "one row", "d > n", "two rows", "one feature"],
)
def test_odd_tables_get_an_answer_and_a_sentence(shape: tuple[int, int, int]):
    rng = np.random.default_rng([8])
    X = rng.standard_normal(shape)
    for y in (X.sum(axis=2) + rng.standard_normal(shape[:2]), np.ones(shape[:2]), np.zeros(shape[:2])):
        solution = chosen(MultiTaskData.from_arrays(X, y))
        assert np.isfinite(solution.model.theta).all()
        assert solution.info["sentence"]


def test_one_of_them_may_be_given():
    instance = generate(InstanceSpec(t=60, m=24, d=12, r=2, k=2, noise=0.1), 3)
    solution = chosen(instance.problem.data, rank=2)
    assert solution.model.rank == 2
    assert {row.rank for row in solution.info["considered"]} == {2}
    assert solution.info["sparsity"] == 2


def test_the_table_is_kept_in_the_model(tmp_path):
    model = chosen(table(9, t=30)).model
    loaded = LRSModel.load(model.save(tmp_path / "model.npz"))
    assert loaded.considered == model.considered
    assert sum(row["weight"] for row in loaded.considered) == pytest.approx(1.0)


@pytest.mark.usefixtures("unchecked")
def test_what_makes_no_sense_is_refused():
    data = table(10)
    with pytest.raises(InvalidInput, match="rank: expected a number or 'auto', got 'most'"):
        solve_automatically(data, load("amht"), rank="most")
    with pytest.raises(InvalidInput, match="rank: 9 is outside"):
        solve_automatically(data, load("amht"), rank=9)
    with pytest.raises(InvalidInput, match="sparsity: must be told to this solver, a private solver"):
        solve_automatically(data, PrivateAMHT(epsilon=1.0, delta=1e-6), rank=1)
    with pytest.raises(InvalidInput, match="rank: must be told to this solver, only amht"):
        solve_automatically(data, load("naht"))


def load(name: str):
    from lrs import load_solver

    return load_solver(name)
