"""The pipeline reproduces an exact law, and each way in which an instrument can be wrong is seen to be caught."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from scipy import sparse

from lrs import InvalidInput
from lrs.baselines import EllOne
from lrs.cli import run as command
from lrs.core.family import Criterion
from lrs.families.low_rank_sparse.family import LowRankSparse
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.spec import InstanceSpec
from phase_diagrams.analysis import boundary as boundary_module
from phase_diagrams.analysis import exactness
from phase_diagrams.sweeps import threshold
from phase_diagrams.sweeps.engines import Inline
from phase_diagrams.sweeps.synthetic import SubspaceGiven


@pytest.fixture
def lrs(capsys):
    """Run the command; returns (exit code, stdout, stderr)."""

    def call(*arguments):
        code = command([str(a) for a in arguments])
        captured = capsys.readouterr()
        return code, captured.out, " ".join(captured.err.split())

    return call


SMALL = (10, 1, 1)


@pytest.fixture(scope="module")
def trials():
    return exactness.run(exactness.specification(*SMALL, 6, 15, 0), Inline())[0]


def test_the_pipeline_reproduces_the_law(trials):
    law = exactness.judge(trials, 0.0)
    assert law.passed, law.faults
    assert law.replicates == 90
    assert law.upper - law.lower < 1.5  # it could fail: the law rises from 10 to 90 % over four rows
    assert law.scale_upper / law.scale_lower < 4


def test_a_mutant_with_m_off_by_one_is_caught(monkeypatch):
    """One row fewer than m, drawn and restricted alike, so that rows stay nested."""
    honest, restrict = SubspaceGiven.draw, LowRankSparse.restrict
    monkeypatch.setattr(SubspaceGiven, "draw", lambda self, spec, key: honest(self, replace(spec, m=spec.m - 1), key))
    monkeypatch.setattr(
        SubspaceGiven, "restrict", lambda self, i, name, value: restrict(self, i, name, value - 1), raising=False
    )
    spec = exactness.specification(*SMALL, 4, 15, 0)
    spec = replace(spec, axes=(replace(spec.axes[0], values=spec.axes[0].values[1:]), spec.axes[1]))
    law = exactness.judge(exactness.run(spec, Inline())[0], 0.0)
    assert any("level of one half" in fault for fault in law.faults)


def test_a_mutant_with_a_biased_fit_is_caught(trials, monkeypatch):
    def biased(lower, upper, **options):
        fit = threshold.fit_threshold_intervals(lower, upper, **options)
        return replace(fit, x50=fit.x50 + 1, lower=fit.lower + 1, upper=fit.upper + 1)

    monkeypatch.setattr(exactness, "fit_threshold_intervals", biased)
    assert not exactness.judge(trials, 0.0).passed


def test_a_mutant_with_a_biased_width_is_caught(trials, monkeypatch):
    original = threshold.scale_interval
    monkeypatch.setattr(
        exactness,
        "scale_interval",
        lambda *a, **o: tuple((2 if "weight" not in o else 1) * v for v in original(*a, **o)),
    )
    assert any("width" in fault for fault in exactness.judge(trials, 0.0).faults)


@pytest.mark.slow
def test_mutants_with_short_intervals_are_caught_and_the_honest_ones_pass(monkeypatch):
    trials = exactness.run(exactness.specification(20, 2, 1, 30, 20, 0), Inline())[0]
    assert exactness.judge(trials, 0.0).passed
    honest = boundary_module.fit_threshold_intervals

    def short(lower, upper, **options):
        fit = honest(lower, upper, **options)
        ends = (fit.x50 + 0.4 * (end - fit.x50) for end in (fit.lower, fit.upper))
        return replace(fit, **dict(zip(("lower", "upper"), ends, strict=True)))

    monkeypatch.setattr(boundary_module, "fit_threshold_intervals", short)
    assert any("intervals hold" in fault for fault in exactness.judge(trials, 0.0).faults)


@pytest.mark.slow
@pytest.mark.parametrize("size", exactness.SIZES)
def test_the_pipeline_reproduces_the_law_at_its_sizes(size):
    laws, _ = exactness.selftest(Inline, [size])
    assert laws[0].passed, laws[0].faults


# ------------------------------------------------------------------------------------------------ what the law is blind to
class Lopsided(SubspaceGiven):
    """Every support holds the first coordinate one time in five more than it should."""

    def draw(self, spec, key):
        drawn = super().draw(spec, key)
        B = drawn.truth.B.toarray()
        rng = np.random.default_rng(list(key))
        for row in B:
            if row[0] == 0 and rng.random() < 0.05:
                j = np.flatnonzero(row)[0]
                row[0], row[j] = row[j], 0.0
        truth = LRSModel(drawn.truth.U, drawn.truth.W, sparse.csr_array(B))
        return replace(drawn, truth=truth)


class Lenient(SubspaceGiven):
    """A criterion that forgives a relative error of one per cent."""

    criteria: ClassVar = {"all": Criterion("all", "", lambda errors, tolerance, share: errors["theta_error"] <= 1e-2)}


class Refuses(SubspaceGiven):
    criteria: ClassVar = {"all": Criterion("all", "", lambda errors, tolerance, share: False)}


class Fresh(SubspaceGiven):
    """Rows drawn anew for every m."""

    def draw(self, spec, key):
        return super().draw(spec, (*key, spec.m))


class LastRows(SubspaceGiven):
    """Restricts to the last rows instead of the first."""

    def restrict(self, instance, name, value):
        back = instance.problem.data
        turned = type(back).from_arrays(
            *(np.stack(a) for a in zip(*((X[::-1], y[::-1]) for X, y in back), strict=True))
        )
        return super().restrict(replace(instance, problem=replace(instance.problem, data=turned)), name, value)


def test_the_checks_pass_on_the_family_itself():
    assert [check.fault for check in exactness.checks()] == ["", "", ""]
    assert all(exactness.uniform_support(exactness.U_GIVEN, seed).passed for seed in range(20))


@pytest.mark.parametrize(
    ("mutant", "caught"),
    [
        (Lopsided(), "supports are uniform"),
        (Lenient(), "the criterion is strict"),
        (Refuses(), "the criterion is strict"),
        (Fresh(), "rows are nested"),
        (LastRows(), "rows are nested"),
    ],
    ids=lambda v: type(v).__name__ if not isinstance(v, str) else "",
)
def test_a_mutant_that_the_law_is_blind_to_is_caught(mutant, caught):
    assert [check.name for check in exactness.checks(mutant) if not check.passed] == [caught]


# ------------------------------------------------------------------------------------------------ the solver, the verb
def test_ell_one_is_right_or_far_off_and_never_refits_what_it_did_not_find():
    found = []
    for seed in range(12):
        instance = exactness.U_GIVEN.draw(InstanceSpec(t=2, m=9, d=12, r=1, k=2), (seed,))
        answer = EllOne()(instance.problem, rng=np.random.default_rng(0)).model
        error = exactness.U_GIVEN.errors(answer, instance)["theta_error"]
        assert error < 1e-10 or error > 1e-3
        assert exactness.U_GIVEN.audit(instance.problem, answer) == {}
        found.append(error < 1e-10)
    assert 0 < sum(found) < 12


@pytest.mark.parametrize("m", [1, 30])
def test_ell_one_answers_without_equations_and_with_more_than_unknowns(m):
    instance = exactness.U_GIVEN.draw(InstanceSpec(t=1, m=m, d=8, r=1, k=1), (0,))
    answer = EllOne()(instance.problem, rng=np.random.default_rng(0)).model
    assert (exactness.U_GIVEN.errors(answer, instance)["theta_error"] < 1e-10) == (m == 30)


def test_ell_one_asks_for_the_subspace():
    instance = exactness.U_GIVEN.draw(InstanceSpec(t=1, m=4, d=8, r=2, k=2), (0,))
    with pytest.raises(InvalidInput, match="warm_start: ℓ₁ minimisation needs the subspace"):
        EllOne()(replace(instance.problem, warm_start=None), rng=np.random.default_rng(0))


def test_the_verb_says_what_it_found(lrs, monkeypatch):
    monkeypatch.setattr(exactness, "REPLICATES", 10)
    code, out, _ = lrs("sweep", "selftest", "--exact", "--size", "8,1,1", "--lines", 3, "--json")
    found = json.loads(out)
    (law,) = found["results"]
    assert (code, found["passed"]) == (0, True)
    assert (law["d"], law["k"], law["r"], law["lines"]) == (8, 1, 1, 3)
    assert [c["name"] for c in found["checks"]] == [
        "supports are uniform", "the criterion is strict", "rows are nested"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--size", "8,1,1"], "only --exact has sizes"),
        (["--exact", "--size", "8,1"], "expected d,k,r such as 40,3,2"),
        (["--exact", "--size", "8,8,1"], "has no transition"),
    ],
)
def test_bad_sizes_are_refused(lrs, arguments, words):
    code, _, err = lrs("sweep", "selftest", *arguments)
    assert code == 2
    assert words in err
