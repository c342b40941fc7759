"""Matrix sensing: the family keeps the protocol, and gradient descent is as slow as the theorem says."""

from __future__ import annotations

import numpy as np
import pytest

from lrs import cli, solve
from lrs.core.errors import InvalidInput
from lrs.core.family import Success, check_family, load_family
from lrs.core.inline import Inline
from lrs.core.run import Subject
from lrs.core.trial import trial
from lrs.families.matrix_sensing import Factor, SymmetricGD
from lrs.isolation import Isolated
from lrs.solver import Status
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
    assert np.vdot(problem.adjoint(problem.residual(X @ X.T)) @ X, V) == pytest.approx(slope, rel=1e-7)


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
    wild = solve(instance.problem, SymmetricGD(eta=50.0))
    assert wild.status is Status.DIVERGED


def test_the_verbs_speak_it(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.run(["generate", "--family", "matrix-sensing", "-n", "9", "-r", "1", "-m", "60", "-o", "a.npz"]) == 0
    for verb in (["solve"], ["info"], ["check"]):
        assert cli.run([*verb, "a.npz", "--json"]) == 0
    assert cli.run(["plan", "--family", "matrix-sensing", "-n", "6", "-r", "1", "--replicates", "1"]) == 0
    assert cli.run(["solvers", "--family", "matrix-sensing"]) == 0
    out = capsys.readouterr().out
    assert "gd-symmetric" in out
    assert "amht" not in out
    for arguments, message in (
        (["solve", "a.npz", "--solver", "amht"], "solves problems of the family low-rank-sparse"),
        (["solve", "a.npz", "--rank", "1"], "--rank: lrs solve has no such option for matrix sensing"),
        (
            ["generate", "--family", "matrix-sensing", "-n", "9", "-r", "1", "--tasks", "3", "-o", "b.npz"],
            "--tasks: lrs",
        ),
        (["check", "a.npz", "--theorem", "iht"], "holds an instance of the family matrix-sensing"),
        (["check", "a.npz", "--family", "matrix-sensing", "--theorem", "iht"], "is about the family low-rank-sparse"),
    ):
        assert cli.run(arguments) == 2
        assert message in capsys.readouterr().err
