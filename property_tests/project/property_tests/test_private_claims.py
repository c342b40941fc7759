"""The private claims: kept by the private solver, refuted by broken ones, not applicable to others."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from inprocess import outcomes, runner

from lrs.core.solver import traits_of
from lrs.private import PrivateAMHT, SeededNoise, ServerModel
from property_tests.examine.claim import Context, claims
from property_tests.examine.configuration import Everywhere
from property_tests.examine.search import propose
from property_tests.families.low_rank_sparse.privacy import private_amht

SOLVER = "property_tests.families.low_rank_sparse.privacy:private_amht"
ALL = {c.name: c for c in claims("private/*") if c.name.startswith("private/")}
TRIALS = {"private/error-falls-with-users": 2, "private/error-falls-with-budget": 2}


@pytest.mark.parametrize("name", ALL)
def test_the_private_solver_keeps_it(name):
    found = outcomes(SOLVER, ALL[name], TRIALS.get(name, 3))
    assert all(o.ok for o in found), [o.note for o in found if not o.ok]
    assert any(o.in_scope for o in found)


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_the_private_solver_keeps_it_often(name):
    found = outcomes(SOLVER, ALL[name], 60, seed=1)
    assert sum(not o.ok for o in found) <= 1, [o.note for o in found if not o.ok]


def test_they_cost_other_solvers_nothing():
    assert all(outcomes("amht", claim, 1) is None for claim in ALL.values())


def refuted(name: str, solver) -> bool:
    claim, traits = ALL[name], traits_of(solver)
    execute = runner(solver, traits)
    for i, configuration in enumerate(propose(claim.configurations(Everywhere()), 3, 0)):
        outcome = claim.check(Context(configuration, "inprocess", i, Everywhere(), traits, execute))
        if outcome.in_scope and not outcome.ok:
            return True
    return False


def cheating(change):
    """The private solver with an account that says something else."""

    def solver(problem, *, rng, callback=None):
        solution = private_amht(problem, rng=rng, callback=callback)
        account = json.loads(solution.info["account"])
        change(account)
        return replace(solution, info={**solution.info, "account": json.dumps(account)})

    solver.traits = private_amht.traits
    return solver


def test_a_ledger_that_forgets_a_release_is_refuted():
    assert refuted("private/ledger-adds-up", cheating(lambda a: a["privacy"].update(rho=a["privacy"]["rho"] / 2)))


def test_a_sensitivity_that_is_too_small_is_refuted():
    def halve(account):
        for release in account["privacy"]["releases"]:
            release["sensitivity"] /= 2

    assert refuted("private/sensitivity-never-exceeded", cheating(halve))
    assert refuted("private/ledger-adds-up", cheating(halve))
    assert refuted("private/sensitivity-attained", cheating(halve))


def test_noise_that_is_not_what_the_ledger_says_is_refuted(monkeypatch):
    train, add = PrivateAMHT.train, SeededNoise.add

    def quiet(self, *arguments, **options):
        with monkeypatch.context() as patch:
            patch.setattr(SeededNoise, "add", lambda source, value, scale: add(source, value, scale / 2))
            return train(self, *arguments, **options)

    monkeypatch.setattr(PrivateAMHT, "train", quiet)
    assert not refuted("private/ledger-adds-up", private_amht)  # the account is in order, the noise is not
    assert refuted("private/only-clipped-statistics", private_amht)


def test_an_answer_that_ignores_the_data_is_refuted(monkeypatch):
    honest = PrivateAMHT.train

    def train(self, *arguments, d, rank, **options):
        model, transcript = honest(self, *arguments, d=d, rank=rank, **options)
        return ServerModel(
            transcript.subspaces[0], model.ledger, model.delta, model.clip, model.sparsity, False
        ), transcript

    monkeypatch.setattr(PrivateAMHT, "train", train)
    assert refuted("private/recovers-inside", private_amht)
