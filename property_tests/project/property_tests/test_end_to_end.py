"""Audits of what a person runs: honest paths are not refuted, and every way in which one user moves others is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lrs.cli import run
from lrs.core.errors import InvalidInput
from lrs.private import PrivateAMHT
from property_tests.families.low_rank_sparse.end_to_end import (
    OTHERS,
    PATHS,
    ROWS,
    D,
    Way,
    audit_path,
    by_solver,
    requests,
    schedule,
)


def people(seed=0):
    rng = np.random.default_rng(seed)
    return {f"u{i}": (rng.standard_normal((ROWS, D)), rng.standard_normal(ROWS)) for i in range(OTHERS)}


# ---------------------------------------------------------------- every path publishes the same mechanism
@pytest.mark.parametrize("name", PATHS)
def test_a_path_publishes_what_its_schedule_plans_and_its_requests_can_be_told(name):
    way = PATHS[name]
    solver = replace(PrivateAMHT(epsilon=4.0, delta=1e-6, rounds=2), **way.settings)
    published = way.play(people(), replace(solver, insecure_seed=None if way.secure else 3), 3)
    plan = schedule(replace(solver, population=OTHERS) if solver.neighbours == "replace-one" else solver)
    assert [(r.name, r.round, r.noise) for r, _ in published.releases] == [
        (r.name, r.round, r.noise) for _, releases in plan.releases for r in releases
    ]
    asked = requests(plan, published)
    assert [r.round for r in asked] == [0, 1, 2]
    assert all(np.array_equal(r.U, U) for r, U in zip(asked, published.subspaces, strict=False))
    assert asked[-1].whiten is not None


def test_the_command_line_and_the_solver_publish_the_same_numbers():
    solver = PrivateAMHT(epsilon=4.0, delta=1e-6, rounds=2, insecure_seed=3)
    first, second = (PATHS[name].play(people(), solver, 3) for name in ("solver", "command line"))
    assert np.array_equal(first.subspaces[0], second.subspaces[0])
    for (_, a), (_, b) in zip(first.releases, second.releases, strict=True):
        assert np.allclose(a, b, rtol=1e-12)


# ---------------------------------------------------------------- leaks
def _centred(users, solver, seed):
    mean = np.mean([y.mean() for _, y in users.values()])
    return by_solver({n: (X, y - mean) for n, (X, y) in users.items()}, solver, seed)


def _split(users, solver, seed):
    stream, kept = np.random.default_rng(0), {}
    for name, (X, y) in sorted(users.items()):
        half = stream.permutation(ROWS)[: ROWS - 2]
        kept[name] = X[half], y[half]
    return by_solver(kept, solver, seed)


def _standardised(users, solver, seed):
    scale = np.std(np.concatenate([X for X, _ in users.values()]), axis=0)
    return by_solver({n: (X / scale, y) for n, (X, y) in users.items()}, solver, seed)


def _quiet(users, solver, seed):
    return by_solver(users, replace(solver, epsilon=8 * solver.epsilon), seed)


def _moved(users, solver, seed):
    mean = np.mean(np.concatenate([X for X, _ in users.values()]), axis=0)
    return by_solver({n: (X - mean, y) for n, (X, y) in users.items()}, solver, seed)


LEAKS = {
    "responses centred by the mean of all": Way(_centred),
    "rows split by one stream": Way(_split),
    "features scaled by the deviation of all": Way(_standardised),
    "an eighth of the noise": Way(_quiet),
    "features centred by the mean of all": Way(_moved),
}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", LEAKS)
def test_a_leak_is_refuted(name, seed):
    found = audit_path(LEAKS[name], trials=200, seed=seed)
    assert found.refuted, found.sentence
    assert not found.broken


def test_a_leak_is_refuted_in_150_runs():
    found = audit_path(LEAKS["responses centred by the mean of all"], trials=150)
    assert found.refuted, found.sentence


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(7))
@pytest.mark.parametrize("name", PATHS)
def test_an_honest_path_is_not_refuted(name, seed):
    """56 audits, at a false-alarm rate of 1e-3 each."""
    found = audit_path(name, trials=200 if name not in ("command line", "programs") else 60, seed=seed)
    assert not found.refuted, found.sentence
    assert not found.broken


# ---------------------------------------------------------------- bad input and the verb
def test_bad_input(capsys):
    with pytest.raises(InvalidInput, match=r"path: .* 'clouds'"):
        audit_path("clouds")
    with pytest.raises(InvalidInput, match="trials: 5 runs bound nothing"):
        audit_path("solver", trials=5)
    for words, message in (
        (("--path", "clouds"), "path: no path named 'clouds'"),
        (("--path", "solver", "--release", "statistics"), "leave --mutant, --solver and --release out"),
    ):
        assert run(["audit", *words]) == 2
        assert message in capsys.readouterr().err


def test_the_verb_audits_a_path(capsys):
    assert not run(["audit", "--path", "estimator", "--trials", "20", "--epsilon", "1"])
    assert capsys.readouterr().out.startswith("estimator: Not refuted: ")
