"""Audits of what a person runs: honest paths are not refuted, and every way in which one user moves others is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lrs.cli import run
from lrs.core.errors import InvalidInput
from lrs.private import PrivateAMHT, rho_for
from property_tests.families.low_rank_sparse.end_to_end import (
    OTHERS,
    PATHS,
    ROWS,
    D,
    Way,
    audit_path,
    by_solver,
    problem,
    requests,
    schedule,
)
from property_tests.families.low_rank_sparse.privacy import ATTACKS, LEARNED, runs_needed


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


@pytest.mark.parametrize("name", ["trained", "blocks", "command line", "estimator", "programs"])
def test_a_path_publishes_what_the_solver_publishes_to_the_last_bit(name):
    """With and without a newcomer whose name sorts first, so that an audit of the solver is one of these paths."""
    solver = PrivateAMHT(epsilon=4.0, delta=1e-6, rounds=2, insecure_seed=3)
    few = dict(list(people().items())[:8])
    for users in (few, {"a": (1e4 * np.ones((ROWS, D)), np.linspace(1e6, 5e6, ROWS)), **few}):
        first, second = (
            play(users, solver, 3) for play in (by_solver, _trained if name == "trained" else PATHS[name].play)
        )
        for (release, noisy), (same, equal) in zip(first.releases, second.releases, strict=True):
            assert release == same
            assert np.array_equal(noisy, equal), release.name


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


def _trained(users, solver, seed):
    """The solver without what it does for the eyes of whoever plays the users; it publishes the same."""
    population = len(users) if solver.neighbours == "replace-one" else None
    drawn = np.random.default_rng(seed)
    return solver.train([problem(users).data], d=D, rank=1, sparsity=1, rng=drawn, population=population)[1]


def _quiet(users, solver, seed):
    return by_solver(users, replace(solver, epsilon=8 * solver.epsilon), seed)


def _moved(users, solver, seed):
    mean = np.mean(np.concatenate([X for X, _ in users.values()]), axis=0)
    return by_solver({n: (X - mean, y) for n, (X, y) in users.items()}, solver, seed)


#: Runs a side of the audits of honest paths, and the paths that are mechanisms of their own.
TRIALS = 100
HONEST = {
    "seeded noise": Way(_trained),
    "secure noise": Way(_trained, secure=True),
    "groups": Way(_trained, {"groups": True}),
    "replace-one": Way(_trained, {"neighbours": "replace-one"}),
}

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
@pytest.mark.parametrize("seed", range(15))
@pytest.mark.parametrize("name", HONEST)
def test_an_honest_path_is_not_refuted(name, seed):
    """Sixty audits, at a false-alarm rate of 1e-3 each; the other paths publish what the solver does."""
    found = audit_path(HONEST[name], trials=TRIALS, seed=seed)
    assert not found.refuted, found.sentence
    assert not found.broken, found.sentence


def test_the_audits_of_honest_paths_have_power():
    """Their runs are enough to refute a quarter of the noise nine times in ten; fewer would make them pass whatever is true."""
    tests = 2 * (len(ATTACKS) + len(LEARNED))
    assert runs_needed(0.25, rho_for(8.0, 1e-6), 1e-3 / (2 * tests)) <= TRIALS


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
