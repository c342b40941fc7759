"""Sketched least squares: the family, its sketches, the two witnesses, the disputed step, the verbs, and what the claims notice."""

from __future__ import annotations

import numpy as np
import pytest

from lrs import solve
from lrs.core.errors import InvalidInput
from lrs.core.family import check_family, load_family
from lrs.core.solver import load_solver, of_family
from lrs.families.sketch import SketchProblem
from property_tests import Verdict, check_solver
from property_tests.families.sketch.mutants import MUTANTS
from theory.families.sketch.counterexample import counterexample
from theory.language.symbols import Status
from theory.theorems import load_theorem

FAMILY = load_family("sketch")
DENSE = ("sketch-gaussian", "sketch-rademacher", "srht")
SPARSE = ("count-sketch", "count-sketch-2", "count-sketch-4", "count-sketch-8")


def ratios(name, spec, draws=15):
    """Errors of one draw of the problem each."""
    instances = [FAMILY.draw(spec, (j,)) for j in range(draws)]
    return [FAMILY.errors(solve(i.problem, name, seed=j).model, i) for j, i in enumerate(instances)]


def median(name, d, kind, error="ratio"):
    return float(np.median([e[error] for e in ratios(name, FAMILY.spec(d=d, kind=kind))]))


def test_it_keeps_the_protocol():
    assert check_family(FAMILY) is FAMILY
    for kind in ("gaussian", "spikes", "groups"):
        spec = FAMILY.spec(d=4, kind=kind)
        instance = FAMILY.draw(spec, (1,))
        A, b, x = instance.problem.A, instance.problem.b, instance.truth
        np.testing.assert_allclose(A.T @ (A @ x - b), 0, atol=1e-9)
        if kind != "gaussian":
            assert np.linalg.norm(b) == pytest.approx(1)
            assert np.linalg.svd(A, compute_uv=False) == pytest.approx(1)
        fewer = FAMILY.restrict(instance, "m", 9).problem
        np.testing.assert_array_equal(fewer.A, FAMILY.draw(FAMILY.spec(d=4, kind=kind, m=9), (1,)).problem.A)
        assert fewer.m == 9


@pytest.mark.parametrize("name", [*DENSE, *SPARSE])
def test_a_sketch_keeps_squared_lengths_on_average(name):
    sketch, rng = load_solver(name), np.random.default_rng(0)
    M = np.diag([1.0, 2.0, 0.0, 3.0, 1.0])
    mean = np.mean([S.T @ S for S in (sketch.apply(M, 8, rng, M) for _ in range(1500))], axis=0)
    np.testing.assert_allclose(mean, M.T @ M, atol=0.4)
    assert sketch.apply(M, 8, rng, M).shape == (8, 5)


def test_leverage_keeps_them_where_it_looks():
    sketch, rng = load_solver("leverage"), np.random.default_rng(0)
    M = np.random.default_rng(1).standard_normal((30, 3))
    mean = np.mean([S.T @ S for S in (sketch.apply(M, 10, rng, M) for _ in range(1500))], axis=0)
    np.testing.assert_allclose(mean, M.T @ M, atol=1.5)


def test_non_zeros_a_column_are_as_many_as_said():
    for s, name in ((1, "count-sketch"), (2, "count-sketch-2"), (8, "count-sketch-8")):
        S = load_solver(name).apply(np.eye(40), 19, np.random.default_rng(0), np.eye(40))
        np.testing.assert_array_equal((S != 0).sum(axis=0), s)
        assert np.abs(S[S != 0]) == pytest.approx(1 / np.sqrt(s))
    with pytest.raises(InvalidInput, match="nonzeros: a sketch of m = 4 rows cannot have 8"):
        load_solver("count-sketch-8").apply(np.eye(4), 4, np.random.default_rng(0), np.eye(4))


# ------------------------------------------------------------------ what separates sparse from dense
def test_spikes_separate_sparse_sketches_from_dense_ones():
    for name in DENSE:
        assert median(name, 64, "spikes") <= 1.5 * np.sqrt(np.log(64))
    assert median("count-sketch", 64, "spikes") == pytest.approx(np.sqrt(64 / 32) / 0.25, rel=0.05)  # √(d/s)/ε
    assert median("count-sketch", 64, "spikes") > 1.5 * np.sqrt(np.log(64))
    assert median("leverage", 64, "spikes") == 0  # it never draws a row that A does not see
    assert 0.5 < median("count-sketch", 64, "spikes", "ell_2") < 1.5  # as a whole the answer is as good as any


def test_groups_separate_sampling_from_the_others():
    assert median("leverage", 64, "groups") > 1.5 * np.sqrt(np.log(64)) > median("srht", 64, "groups")


@pytest.mark.parametrize("d", [3, 40, 250])
def test_the_disputed_step_fails_by_the_same_amount_at_every_size(d):
    """All fixed pairs are kept to O(√(ln d/d)), and yet one entry of the answer is 1/399, which the guarantee lets fall."""
    found = counterexample(d, np.random.default_rng(d))
    assert found.pairs <= 0.05 * min(1.0, np.sqrt(4 * np.log(d) / d) + (d < 10))
    assert abs(found.answer[0]) == pytest.approx(1 / 399, rel=1e-9)
    gram = found.S.T @ found.S
    assert np.linalg.norm(gram - np.eye(d + 1), 2) < 0.1
    np.testing.assert_allclose(found.S, found.S.T, atol=1e-12)


def test_the_theorem_is_contested_and_names_both_sources():
    theorem = load_theorem("sketched-regression")
    assert theorem.status is Status.CONTESTED
    assert "arXiv 2302.00248" in theorem.source
    assert "disputes the proof" in theorem.source
    assert theorem.status.label == "[C]"


# ------------------------------------------------------------------ verdicts
def test_count_sketch_is_refuted_by_a_small_witness():
    """The same trials at each run: which cell has most of the evidence depends on them."""
    report = check_solver("count-sketch", family="sketch", claims_matching="sketch/entrywise", jobs=1, nonce="0" * 32)
    result = report["sketch/entrywise"]
    assert result.verdict is Verdict.REFUTED
    spec = result.witness.trial.configuration.spec
    assert spec.kind == "spikes"
    assert spec.d <= 128


@pytest.mark.slow
@pytest.mark.parametrize("name", of_family("sketch"))
def test_dense_sketches_keep_the_guarantee_and_sparse_ones_do_not(name):
    report = check_solver(name, family="sketch", jobs=1)
    refuted = [] if name in DENSE else ["sketch/entrywise"]
    assert [r.claim.name for r in report.with_verdict(Verdict.REFUTED)] == refuted
    assert not report.with_verdict(Verdict.INCONCLUSIVE)


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_every_mutant_is_refuted_by_the_claim_that_is_meant_to(name):
    claim = MUTANTS[name].expected[0]
    report = check_solver(
        f"property_tests.families.sketch.mutants:{name}", family="sketch", claims_matching=claim, jobs=1
    )
    assert report[claim].verdict is Verdict.REFUTED


# ------------------------------------------------------------------ bad input and verbs
@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"d": 8, "m": 7}, r"^m: expected a sketch with at least as many rows as A has columns, d = 8, got 7$"),
        ({"d": 8, "n": 8}, "^n: "),
        ({"d": 8, "kind": "spike"}, "^kind: .*did you mean 'spikes'"),
        ({"d": 1, "kind": "spikes"}, "^spikes: at most n − d = 31 rows"),
        ({"d": 3, "n": 9, "m": 4, "kind": "groups"}, "^n: expected a multiple of 2 d = 6"),
    ],
)
def test_what_does_not_exist_is_refused(values, words):
    with pytest.raises(InvalidInput, match=words):
        FAMILY.spec(**values)


def test_a_problem_with_too_small_a_sketch_is_refused():
    with pytest.raises(InvalidInput, match=r"^m: expected a sketch with at least as many rows"):
        SketchProblem(np.eye(6, 3), np.ones(6), 2)
