"""Sparse recovery: the family, its solvers, the objects of scikit-learn, the laws, the verbs, and what the claims notice."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import OrthogonalMatchingPursuit

from lrs import cli, solve
from lrs.core.errors import InvalidInput
from lrs.core.family import check_family, load_family
from lrs.core.inline import Inline
from lrs.core.run import Subject
from lrs.core.solver import Status, load_solver, of_family, traits_of
from lrs.families.sparse.amp import AMP, minimax_threshold, soft
from lrs.families.sparse.basis_pursuit import BasisPursuit
from lrs.families.sparse.iht import IHT
from property_tests import check_solver
from property_tests.examine import search
from property_tests.examine.claim import Context, claims
from property_tests.families.sparse.mutants import MUTANTS, no_onsager
from property_tests.families.sparse.region import REGION
from theory.families.sparse.evolution import soft_risk, trajectory
from theory.statistics.exact_laws import EllOne

FAMILY = load_family("sparse")
FROZEN = json.loads((Path(__file__).parent / "ell_one_law.json").read_text())
OMP = "sklearn.linear_model:OrthogonalMatchingPursuit"
MUTANT = "property_tests.families.sparse.mutants:"


def draw(d=60, k=3, m=45, noise=0.0, key=(0,)):
    return FAMILY.draw(FAMILY.spec(d=d, k=k, m=m, noise=noise), key)


def error(answer, instance):
    return FAMILY.errors(answer, instance)["error"]


def test_it_keeps_the_protocol_and_draws_every_support_alike():
    assert check_family(FAMILY) is FAMILY
    counts = sum(draw(d=12, k=3, m=1, key=(i,)).truth != 0 for i in range(200))
    assert stats.chisquare(counts).pvalue > 1e-3
    full = draw(noise=0.5)
    np.testing.assert_array_equal(FAMILY.restrict(full, "m", 20).problem.y, draw(m=20, noise=0.5).problem.y)
    assert error(np.zeros(60), full) == 1
    assert FAMILY.errors(np.eye(60)[0], draw(k=0))["error"] == 1


@pytest.mark.parametrize("name", [*sorted(set(of_family("sparse")) - {"lasso"}), OMP])
def test_every_solver_finds_an_easy_vector(name):
    instance, steps = draw(), []
    solution = solve(instance.problem, name, callback=steps.append)
    assert solution.status is Status.CONVERGED
    assert error(solution.model, instance) <= 1e-8
    assert steps[-1].residual == pytest.approx(solution.residual, abs=1e-12)
    np.testing.assert_array_equal(steps[-1].model, solution.model)
    for extreme in (draw(k=0), draw(d=3, k=3, m=9), draw(d=5, k=5, m=2), draw(d=1, k=1, m=1)):
        assert np.isfinite(solve(extreme.problem, name).model).all()


def test_the_lasso_errs_by_the_noise():
    instance = draw(m=400, noise=0.1)
    assert error(solve(instance.problem, "lasso").model, instance) < 0.1


def test_a_step_too_long_diverges_and_says_so():
    assert solve(draw().problem, IHT(step=3.0)).status is Status.DIVERGED


# ------------------------------------------------------------------ scikit-learn
def test_any_linear_regressor_is_a_solver_by_name_and_by_object():
    instance = draw()
    assert error(solve(instance.problem, OrthogonalMatchingPursuit(n_nonzero_coefs=3)).model, instance) <= 1e-8
    assert error(solve(instance.problem, OrthogonalMatchingPursuit(n_nonzero_coefs=2)).model, instance) > 1e-3
    least_squares = draw(m=80)
    assert error(solve(least_squares.problem, "sklearn.linear_model:LinearRegression").model, least_squares) <= 1e-8


@pytest.mark.parametrize("name", ["lasso", "sklearn.linear_model:SGDRegressor"])
def test_a_regressor_draws_from_the_generator_and_not_from_numpys_state(name):
    instance, before = draw(), np.random.get_state()[2]  # noqa: NPY002 - what must not change
    first, again = (solve(instance.problem, name, seed=1).model for _ in range(2))
    assert np.random.get_state()[2] == before  # noqa: NPY002
    np.testing.assert_array_equal(first, again)


def test_the_import_of_scikit_learn_leaves_the_state_of_random():
    code = (
        "import random; from lrs import solve; from lrs.core.family import load_family; f = load_family('sparse'); "
        "p = f.draw(f.spec(d=6, k=1, m=6), (0,)).problem; before = random.getstate(); solve(p, 'omp'); "
        "assert before == random.getstate()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sklearn.cluster:KMeans", "is a KMeans, which scikit-learn does not count among its regressors"),
        ("sklearn.linear_model:LogisticRegression", "which scikit-learn does not count among its regressors"),
        (
            "sklearn.ensemble:RandomForestRegressor",
            "is a RandomForestRegressor, which cannot be asked for b in y = X b",
        ),
        ("sklearn.svm:SVR", "is a SVR, which cannot be asked for b in y = X b"),
        ("sklearn.linear_model:MultiTaskLasso", "is a MultiTaskLasso, which cannot be asked for b"),
        ("sklearn.linear_model:lasso_path", "does not have the signature"),
        ("sklearn.linear_model:Nothing", "has no attribute 'Nothing'"),
    ],
)
def test_what_is_no_regressor_is_refused_in_one_sentence(name, words):
    with pytest.raises(InvalidInput, match=words):
        load_solver(name)


# ------------------------------------------------------------------ laws
@pytest.mark.parametrize("size", sorted(FROZEN["sizes"]))
def test_the_exact_law_is_that_of_a_million_draws(size):
    d, k = map(int, size.split(","))
    rows, failed = FROZEN["sizes"][size]["rows"], np.array(FROZEN["sizes"][size]["failure"])
    allowed = 5 * np.sqrt(FROZEN["sizes"][size]["variance"]) / np.sqrt(FROZEN["draws"])
    assert np.abs(1 - EllOne(d, k).probability(rows) - failed) == pytest.approx(0, abs=allowed)


def test_basis_pursuit_is_right_about_as_often_as_the_law_says():
    solver, rng = BasisPursuit(), np.random.default_rng(0)
    for m, least, most in ((6, 0, 8), (10, 10, 30), (15, 33, 40)):  # P = .06, .49, .94
        instances = (draw(40, 3, m, key=(j,)) for j in range(40))
        assert least <= sum(error(solver(i.problem, rng=rng).model, i) < 1e-6 for i in instances) <= most


def test_the_threshold_is_where_the_transition_is():
    """At δ = ½ the weak threshold of ℓ₁ minimisation is ρ = .386: there the smallest worst risk is δ."""
    share, a = 0.386 * 0.5, minimax_threshold(0.386 * 0.5)

    def risk(a):
        return share * (1 + a**2) + 2 * (1 - share) * ((1 + a**2) * stats.norm.sf(a) - a * stats.norm.pdf(a))

    assert risk(a) == pytest.approx(0.5, abs=5e-4)
    assert risk(a) < min(risk(a - 0.05), risk(a + 0.05))
    assert minimax_threshold(1.0) == 1e-2


def test_the_risk_of_soft_thresholding_is_the_simulated_one():
    rng = np.random.default_rng(0)
    b = np.r_[np.zeros(4), 0.3, -2.0]
    z = rng.standard_normal((200_000, 6))
    assert soft_risk(b, 0.7, 0.9) == pytest.approx(np.mean((soft(b + 0.7 * z, 0.9) - b) ** 2), rel=0.01)
    assert soft_risk(b, 0.0, 0.5) == pytest.approx((0.09 + 0.25) / 6)


@pytest.mark.parametrize(("solver", "follows"), [(AMP(), True), (no_onsager, False)])
def test_amp_follows_state_evolution_and_thresholding_alone_does_not(solver, follows):
    instance, seen = draw(d=1000, k=50, m=500, noise=2.0), []
    solve(instance.problem, solver, callback=seen.append)
    predicted = islice(trajectory(instance.truth, 500, 2.0, seen[0].info["alpha"]), 12)
    off = [abs(np.log(it.info["tau"] / tau)) for it, (_, tau) in zip(seen, predicted, strict=False)]
    assert bool(max(off) < 0.1) is follows


# ------------------------------------------------------------------ verdicts
@pytest.mark.parametrize(("name", "keeps"), [("basis-pursuit", True), (MUTANT + "found_by_another", False)])
def test_a_minimiser_is_one_at_every_size(name, keeps):
    (claim,) = claims("law/minimiser", family=FAMILY)
    executor, subject = Inline(), Subject.of(name)
    drawn = search.propose(claim.configurations(REGION), 8, 7)
    contexts = [
        Context(c, "test", 0, REGION, traits_of(load_solver(name), FAMILY), partial(executor, subject, FAMILY))
        for c in drawn
    ]
    assert all(claim.check(context).ok for context in contexts) is keeps


def test_a_solver_that_is_blunt_is_refuted_by_the_claim_that_is_meant_to():
    report = check_solver(MUTANT + "blunt", family="sparse", claims_matching="recovery/exact", jobs=1)
    assert [r.claim.name for r in report.unexpected] == ["recovery/exact"]
    assert report["recovery/exact"].witness.trial.configuration.spec.k == 1  # the smallest


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_every_mutant_is_refuted_by_the_claim_that_is_meant_to(name):
    claim = MUTANTS[name].expected[0]
    report = check_solver(MUTANT + name, family="sparse", claims_matching=claim, jobs=1)
    assert [r.claim.name for r in report.unexpected] == [claim]


@pytest.mark.slow
@pytest.mark.parametrize(("size", "rows"), [("d=40,k=3", "1:24"), ("d=100,k=5", "4:44"), ("d=200,k=10", "16:70")])
def test_a_sweep_of_basis_pursuit_reproduces_the_law(size, rows, tmp_path, capsys):
    """The centre within .3 rows, from 300 nested replicates."""
    sweep = ["sweep", "--family", "sparse", "--solver", "basis-pursuit", "--nested", "m", "--jobs", "0"]
    assert cli.run([*sweep, "--x", f"m={rows}", "--fixed", size, "--replicates", "300", "--out", str(tmp_path)]) == 0
    capsys.readouterr()
    assert cli.run(["boundary", str(tmp_path), "--json"]) == 0
    (point,) = json.loads(capsys.readouterr().out)["points"]
    d, k = (int(part.partition("=")[2]) for part in size.split(","))
    assert point["x50"] == pytest.approx(EllOne(d, k).level(0.5), abs=0.3)


@pytest.mark.slow
@pytest.mark.parametrize("name", of_family("sparse"))
def test_every_solver_keeps_what_it_says(name):
    assert check_solver(name, family="sparse", jobs=1).exit_code == 0


# ------------------------------------------------------------------ verbs
