"""Matrix sensing: the family keeps the protocol, and gradient descent is as slow as the theorem says."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from lrs import solve
from lrs.core.errors import InvalidInput, MissingExtra
from lrs.core.family import Success, check_family, load_family
from lrs.core.inline import Inline
from lrs.core.run import Subject
from lrs.core.trial import trial
from lrs.families.matrix_sensing import Factor, ModifiedGD, NuclearNorm, SymmetricGD
from lrs.families.matrix_sensing.descent import symmetric
from lrs.isolation import Isolated
from lrs.solver import Status, load_solver, traits_of
from property_tests import check_solver
from property_tests.examine import search
from property_tests.examine.claim import Context, Verdict, claims
from property_tests.examine.engine import BUDGETS
from property_tests.families.matrix_sensing.mutants import MUTANTS
from property_tests.families.matrix_sensing.region import ILL, LAWS, SensingRegion, configuration
from theory.families.matrix_sensing.limits import convex_law, statistical_dimension
from theory.theorems import load_theorem

FAMILY = load_family("matrix-sensing")


def test_it_keeps_the_protocol():
    assert check_family(FAMILY) is FAMILY
    full = FAMILY.draw(FAMILY.spec(n=6, r=2, kappa=4.0), (3,))
    assert np.linalg.eigvalsh(full.truth.matrix)[-3:] == pytest.approx([0, 0.25, 1], abs=1e-12)
    np.testing.assert_array_equal(full.problem.y, full.truth.matrix)
    again = FAMILY.unpack(FAMILY.pack(full))
    assert again.spec == full.spec
    assert again.seed == full.seed
    np.testing.assert_array_equal(again.truth.X, full.truth.X)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n": 4}, "^r: missing"),
        ({"n": 4, "r": 5}, r"^r: expected a rank in 1 … n = 4"),
        ({"n": 4, "r": 3, "n2": 2}, r"^r: expected a rank in 1 … n2 = 2"),
        ({"n": 4, "r": 2, "k": 1}, r"^k: expected a search rank in r … n = 2 … 4"),
        ({"n": 4, "r": 2, "kappa": 0.5}, "^kappa: "),
        ({"n": 4, "r": 1, "kappa": 2.0}, "^kappa: a matrix of rank 1"),
        ({"n": 4, "r": 2, "sparsity": 1}, "^sparsity: no parameter of matrix sensing"),
    ],
)
def test_what_does_not_exist_is_refused(values, message):
    with pytest.raises(InvalidInput, match=message):
        FAMILY.spec(**values)


def test_the_gradient_is_the_derivative_of_the_loss():
    instance = FAMILY.draw(FAMILY.spec(n=5, r=2, k=3, m=40, noise=0.1), (1,))
    problem, X = instance.problem, np.random.default_rng(0).standard_normal((5, 3))
    V, h = np.random.default_rng(1).standard_normal((5, 3)), 1e-5

    def loss(Y):
        return np.sum(problem.residual(Y @ Y.T) ** 2) / 4

    slope = (loss(X + h * V) - loss(X - h * V)) / (2 * h)
    assert np.vdot(symmetric(problem.adjoint(problem.residual(X @ X.T))) @ X, V) == pytest.approx(slope, rel=1e-7)


def test_an_exact_rank_is_found_geometrically():
    instance = FAMILY.draw(FAMILY.spec(n=30, r=2, kappa=2.0), (0,))
    errors = []
    solution = solve(
        instance.problem,
        "gd-symmetric",
        callback=lambda i: errors.append(FAMILY.errors(i.model, instance)["matrix_error"]),
    )
    assert solution.status is Status.CONVERGED
    assert len(errors) == solution.iterations + 1
    assert errors[-1] <= 1e-8
    rates = np.diff(np.log(errors))[-40:]
    assert rates.max() < 0
    assert np.ptp(rates) < 0.02 * abs(rates.mean())


def test_an_over_specified_rank_is_as_slow_as_derived():
    """T‖XXᵀ − M‖_F ÷ (√(k − r)/(2η)) → 1 with full observation: .98 at T = 4000."""
    n, r, k, eta, steps = 50, 3, 6, 0.1, 4000
    for kappa in (1.0, 10.0):
        instance = FAMILY.draw(FAMILY.spec(n=n, r=r, k=k, kappa=kappa), (0,))
        starts = []
        solver = SymmetricGD(eta=eta, alpha=0.3, max_iterations=steps, tolerance=0.0)
        answer = solve(
            instance.problem, solver, callback=lambda i, to=starts: to.append(i.model.X) if not i.iteration else None
        ).model
        error = float(np.linalg.norm(answer.matrix - instance.truth.matrix))
        assert steps * error / (np.sqrt(k - r) / (2 * eta)) == pytest.approx(0.985, abs=0.015)
        Q = np.linalg.qr(instance.truth.X)[0]
        off = np.linalg.svd(starts[0] - Q @ (Q.T @ starts[0]), compute_uv=False)[: k - r]
        theorem = load_theorem("symmetric-gd")
        values = {**FAMILY.quantities(instance), "eta": eta, "L": steps, "start": float(off.min())}
        assert theorem.report(values).verdict.value == "HOLDS"
        end = {"squared_error": error**2, "error": 1.0, "error_next": 1.0, "rho": 0.5}
        assert all(c.check({**values, **end}).verdict.value == "HOLDS" for c in theorem.conclusions)
        faster = {**values, **end, "squared_error": error**2 / 2}
        assert [c.check(faster).verdict.value for c in theorem.conclusions] == ["HOLDS", "FAILS"]


def test_a_trial_in_a_process_of_its_own_is_the_same_trial():
    spec, success = FAMILY.spec(n=8, r=1, k=1, m=60), Success().of(FAMILY)
    executor = Isolated()
    try:
        alone = trial(FAMILY, spec, (0,), Subject.of("gd-symmetric"), success, executor)
    finally:
        executor.close()
    here = trial(FAMILY, spec, (0,), Subject.of("gd-symmetric"), success, Inline())
    assert alone.recovered
    assert (alone.errors, alone.iterations) == (here.errors, here.iterations)
    other = trial(FAMILY, spec, (1,), Subject.of("gd-symmetric"), success, Inline())
    assert other.errors != here.errors


def test_answers_that_are_none():
    instance = FAMILY.draw(FAMILY.spec(n=4, r=1), (0,))
    assert "WRONG_SHAPE" in FAMILY.audit(instance.problem, Factor(np.zeros((4, 2))))
    assert "NOT_FINITE" in FAMILY.audit(instance.problem, Factor(np.full((4, 1), np.nan)))
    assert "WRONG_SHAPE" in FAMILY.audit(instance.problem, Factor(np.zeros((4, 1)), np.zeros((3, 1))))
    wild = solve(instance.problem, SymmetricGD(eta=50.0))
    assert wild.status is Status.DIVERGED


SOLVERS = ("gd-symmetric", "gd-asymmetric", "gd-modified", "precgd", "scaled-gd", "svp", "spectral", "nuclear-norm")


@pytest.mark.parametrize("name", SOLVERS)
def test_every_solver_finds_the_exact_rank(name):
    instance = FAMILY.draw(FAMILY.spec(n=8, r=2, kappa=2.0), (0,))
    assert FAMILY.errors(solve(instance.problem, name).model, instance)["matrix_error"] <= 1e-6
    if name == "spectral":
        return  # an estimate, where not every entry is seen
    measured = FAMILY.draw(FAMILY.spec(n=8, r=1, m=160), (0,))
    assert FAMILY.errors(solve(measured.problem, name).model, measured)["matrix_error"] <= 1e-6


@pytest.mark.parametrize("name", ["gd-asymmetric", "gd-modified", "svp", "nuclear-norm"])
def test_a_general_matrix_has_columns_of_its_own(name):
    instance = FAMILY.draw(FAMILY.spec(n=6, n2=9, r=1, m=150), (2,))
    assert instance.truth.matrix.shape == (6, 9)
    answer = solve(instance.problem, name).model
    assert FAMILY.errors(answer, instance)["matrix_error"] <= 1e-6
    again = FAMILY.unpack(FAMILY.pack(instance))
    np.testing.assert_array_equal(again.truth.Y, instance.truth.Y)
    assert not again.problem.symmetric
    with pytest.raises(InvalidInput, match="SymmetricGD searches XXᵀ and this matrix is not symmetric"):
        solve(instance.problem, "gd-symmetric")


def test_files_of_version_1_are_read():
    packed = FAMILY.pack(FAMILY.draw(FAMILY.spec(n=4, r=1), (0,)))
    del packed["problem"]["symmetric"], packed["truth"]["Y"], packed["spec"]["n2"]
    again = FAMILY.unpack(packed)
    assert again.problem.symmetric
    assert again.truth.Y is None


def test_the_modified_step_leaves_the_product():
    rng = np.random.default_rng(0)
    at = Factor(rng.standard_normal((7, 4)), rng.standard_normal((6, 4)))
    after = ModifiedGD(beta=2.0).balanced(at)
    np.testing.assert_allclose(after.matrix, at.matrix, atol=1e-12)
    assert np.linalg.svd(after.X, compute_uv=False).min() == pytest.approx(2.0)


def test_the_convex_program_says_which_package_it_lacks(monkeypatch):
    monkeypatch.setitem(sys.modules, "scs", None)
    instance = FAMILY.draw(FAMILY.spec(n=4, r=1, m=8), (0,))
    with pytest.raises(
        MissingExtra, match=r"nuclear-norm needs the package 'scs': pip install 'lrs-toolkit\[convex\]'"
    ):
        solve(instance.problem, NuclearNorm())


def test_the_statistical_dimension_is_that_of_the_cone():
    """Values of Proposition 4.7 and of simulation, from the literature's formula and 10⁴ draws."""
    for sizes, value in (((30, 30, 2), 230.2), ((30, 60, 3), 505.6), ((60, 60, 5), 1098.7)):
        n, n2, r = sizes
        assert statistical_dimension(side=n, columns=n2, rank=r) == pytest.approx(value, abs=0.1)
    law = convex_law(30, 30, 2, draws=1500)
    assert law.centre == pytest.approx(231.3, abs=4 * law.error)
    assert law.spread == pytest.approx(10.7, abs=1.2)
    assert statistical_dimension(side=np.array([5, 6]), columns=6, rank=1).shape == (2,)
    assert statistical_dimension(side=3, columns=3, rank=3) == 9


# ---------------------------------------------------------------------------------------------- claims
SHORT = replace(BUDGETS["quick"], explore=0, shrink=0, confirm=1)
LAWS_OF = {c.name: c for c in claims(family=FAMILY) if FAMILY.name in (c.families or ())}
HONEST = {"symmetric": "gd-symmetric", "asymmetric": "gd-asymmetric", "modified": "gd-modified", "precgd": "precgd"}
HONEST |= {"scaled": "scaled-gd", "recovery": "svp"}


def outcomes(solver, claim, number, region=LAWS):
    """What a claim says of a solver that runs here, one by one on the first configurations that it draws."""
    executor, subject = Inline(), Subject.of(solver)

    def execute(problem, key, **options):
        return executor(subject, FAMILY, problem, key, **{n: v for n, v in options.items() if n != "memory"})

    drawn = search.propose(LAWS_OF[claim].configurations(region), number, 7)
    traits = traits_of(load_solver(solver), FAMILY)
    contexts = [Context(c, "test", i, region, traits, execute) for i, c in enumerate(drawn)]
    return (LAWS_OF[claim].check(context) for context in contexts)


@pytest.mark.parametrize("claim", [name for name in LAWS_OF if name != "convex/law"])
def test_an_honest_solver_keeps_its_laws(claim):
    found = list(outcomes(HONEST[claim.partition("/")[0]], claim, 3))
    assert [o.note for o in found if o.in_scope and not o.ok] == []
    assert any(o.in_scope for o in found)


@pytest.mark.parametrize("name", [n for n, m in MUTANTS.items() if m.expected != ("convex/law",)])
def test_a_mutant_breaks_one_of_the_laws_it_is_meant_to(name):
    mutant = MUTANTS[name]
    solver = f"property_tests.families.matrix_sensing.mutants:{name}"
    assert any(not o.ok for c in mutant.expected for o in outcomes(solver, c, 4) if o.in_scope), mutant.why


@pytest.mark.parametrize(
    "claim", ["symmetric/constant", "symmetric/exact-rank", "modified/rate", "asymmetric/constant"]
)
def test_before_its_regime_no_law_speaks(claim):
    solver = "gd-symmetric" if claim.startswith("sym") else "gd-modified"
    region = SensingRegion("far", "", (1000.0,))
    drawn = list(outcomes(solver, claim, 2, region))
    if claim == "asymmetric/constant":  # no κ of it: a start that is too small to have contracted
        far = configuration(20, 2, 4, alpha=0.01)
        context = Context(far, "test", 0, LAWS, traits_of(load_solver("gd-asymmetric"), FAMILY), None)
        drawn = [LAWS_OF[claim].check(context)]
    assert not any(o.in_scope for o in drawn)
    assert all("before the regime of the law" in o.note for o in drawn)


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_the_suite_refutes_every_mutant(name):
    report = check_solver(
        f"property_tests.families.matrix_sensing.mutants:{name}", family=FAMILY, hunt=MUTANTS[name].expected
    )
    assert {r.claim.name for r in report.with_verdict(Verdict.REFUTED)} & set(MUTANTS[name].expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", SOLVERS)
def test_the_suite_confirms_every_solver(name):
    assert check_solver(name, family=FAMILY).exit_code == 0


def alone(claim, solver, **options):
    """The verdict on one claim by itself, from the suite."""
    chosen = replace(LAWS_OF[claim], requires=())
    return check_solver(solver, family=FAMILY, claims_matching=[chosen], jobs=1, **options)[claim]


@pytest.mark.slow
def test_a_solver_is_held_to_the_theorem_that_is_named():
    assert alone("asymmetric/constant", "gd-symmetric").verdict is Verdict.NOT_APPLICABLE
    refuted = alone("asymmetric/constant", "gd-symmetric", theorem="asymmetric-gd", budget=SHORT)
    assert refuted.verdict is Verdict.REFUTED
    assert "the starts differ by nothing" in refuted.why


@pytest.mark.slow
def test_the_suite_says_what_a_law_says():
    assert alone("precgd/factor", "precgd", budget=SHORT).verdict is Verdict.CONFIRMED
    early = alone("modified/rate", "gd-modified", region=ILL, budget=SHORT)
    assert early.verdict is Verdict.INCONCLUSIVE
    assert early.why == "before the regime of the law: β²κ = 49 of at most 1"


SWEEP = ["--family", "matrix-sensing", "--out", "s", "--fixed", "n=8,r=1"]
