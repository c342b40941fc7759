"""The audit refutes every mutant, leaves the server alone, and its error rates are what it says."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from scipy.stats import binomtest

from lrs import InvalidInput
from lrs.cli import run
from lrs.private import Clip, Schedule, SeededNoise, Server, epsilon_of, rho_for, sensitivity
from lrs.private.server import Request
from lrs.private.statistics import lattice
from property_tests.families.low_rank_sparse.privacy import (
    MUTANTS,
    Puppet,
    _bounds,
    _find,
    _rates,
    asked,
    audit,
    extreme_user,
    honest,
    ordinary_users,
    runs_needed,
)

CLIP = Clip(x=1.0, y=1.0, xb=1.0, w=1.0)
#: Runs per side that mutants need which do not give themselves away, for five in five: of less noise
#: 1.4 times `runs_needed`.
TRIALS = {
    "noise halved": 450,
    "noise times seven tenths": 1800,
    "rows split by one stream": 1000,
    "responses centred by their mean": 500,
}

#: Audited on every run; the others with the slow tests.
FAST = ("subspace from the exact sums", "clip of y forgotten", "clip after summation", "seed reused between rounds")


def audited(name: str, **options):
    mutant = MUTANTS[name]
    return audit(mutant.mechanism, kind=mutant.kind, **{"trials": TRIALS.get(name, 120), **options})


@pytest.mark.parametrize("name", [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in MUTANTS])
def test_every_mutant_is_refuted(name):
    result = audited(name)
    assert result.refuted, result.sentence
    assert not result.broken
    assert "REFUTED" in result.sentence


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_every_mutant_is_refuted_five_times_in_five(name):
    results = [audited(name, seed=seed, trials=TRIALS.get(name, 200)) for seed in range(1, 6)]
    assert all(r.refuted and not r.broken for r in results), [r.sentence for r in results]


def test_the_server_is_not_refuted_and_the_null_finds_nothing():
    result = audit(honest, trials=120)
    assert not result.refuted, result.sentence
    assert not result.broken
    assert result.null_epsilon_lower == 0
    assert 0 < result.epsilon_lower < result.claimed_epsilon, "an audit that finds nothing at ε = 8 has no power"
    assert result.claimed_rho == pytest.approx(rho_for(8.0, 1e-6))


def test_the_sentence_says_what_it_supposes_and_what_it_cannot_show():
    result = audit(honest, trials=40, kind="statistics")
    assert f"ε ≥ {result.epsilon_free:.3g} without any assumption" in result.sentence
    assert f"ε ≥ {result.epsilon_gaussian:.3g} if the noise is Gaussian" in result.sentence
    assert f"at most ε ≥ {result.reach:.3g} without an assumption" in result.sentence
    assert f"noise × 0.9 needs about {result.runs_for_nine_tenths:,}" in result.sentence
    assert result.epsilon_free <= result.reach < result.claimed_epsilon, "forty runs cannot refute 8 without it"
    caught = audited("clip of y forgotten")
    assert "REFUTED as a Gaussian mechanism" in caught.sentence
    assert caught.epsilon_free < caught.claimed_epsilon


def test_the_runs_needed_are_enough_and_half_of_them_are_not():
    """By simulation of the best attack on a Gaussian mechanism with seven tenths of its noise."""
    rho, alpha, mu = 1.0, 1e-4, 2**0.5
    n = runs_needed(0.7, rho, alpha)
    draw = np.random.default_rng([5])

    def refuted(runs: int) -> int:
        return sum(
            _find("c", "a", draw.standard_normal(runs), mu / 0.7 + draw.standard_normal(runs), alpha, 1e-6).mu > mu
            for _ in range(100)
        )

    assert refuted(n) >= 75
    assert refuted(n // 3) <= 50


@pytest.mark.slow
def test_the_server_is_never_flagged_in_fifty_audits():
    results = [audit(honest, seed=seed) for seed in range(50)]
    assert not any(r.refuted or r.broken for r in results)


@pytest.mark.slow
def test_the_release_of_a_and_v_is_never_flagged_either():
    results = [audit(honest, seed=seed, kind="statistics") for seed in range(20)]
    assert not any(r.refuted or r.broken for r in results)


# ---------------------------------------------------------------- the statistics of the audit
def test_rates_are_clopper_pearson():
    for hits, alarms, n in ((0, 0, 50), (50, 50, 50), (31, 7, 50)):
        low, high = _rates(hits, alarms, n, 0.005)
        assert low == pytest.approx(binomtest(hits, n).proportion_ci(0.99, "exact").low, abs=1e-12)
        assert high == pytest.approx(binomtest(alarms, n).proportion_ci(0.99, "exact").high, abs=1e-12)


@pytest.fixture
def auditing():
    """The auditor of jax-privacy (Google DeepMind): one module of NumPy, SciPy and dp-accounting, loaded without JAX."""
    package = importlib.util.find_spec("jax_privacy")
    if package is None:
        pytest.skip("jax-privacy is not installed: pip install --no-deps jax-privacy")
    path = Path(package.submodule_search_locations[0], "auditing.py")
    spec = importlib.util.spec_from_file_location("jax_privacy_auditing", path)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_a_second_auditor_finds_the_same_bound_at_a_threshold(auditing):
    draw, alpha, delta = np.random.default_rng([3]), 1e-3, 1e-6
    for mu, threshold in ((3.0, 1.0), (1.0, 0.3), (0.2, -1.0), (6.0, 3.0)):
        absent, present = draw.standard_normal(300), mu + draw.standard_normal(300)
        ours = _bounds(*_rates((present > threshold).sum(), (absent > threshold).sum(), 300, alpha), delta)[1]
        theirs = auditing.CanaryScoreAuditor(present, absent).epsilon_clopper_pearson(
            2 * alpha, delta, one_sided=False, threshold_strategy=auditing.Explicit(threshold)
        )
        assert ours == pytest.approx(theirs, rel=1e-9)


def test_bounds_of_exact_rates_are_the_truth_or_below():
    mu, delta = 1.3, 1e-5
    claimed = epsilon_of(mu**2 / 2, delta)
    for alarm in (1e-4, 1e-2, 0.1, 0.5, 0.9):
        hit = float(ndtr(mu + ndtri(alarm)))
        found, epsilon = _bounds(hit, alarm, delta)
        assert found == pytest.approx(mu, abs=1e-9)
        assert 0 < epsilon < claimed


def test_finding_covers_a_gaussian_shift_at_its_level():
    """The true μ is exceeded in at most the stated share of audits: nominal 2·10 %, 400 experiments."""
    draw = np.random.default_rng([11])
    mu = 1.0
    wrong = sum(
        _find("c", "a", draw.standard_normal(200), mu + draw.standard_normal(200), 0.1, 1e-6).mu > mu
        for _ in range(400)
    )
    assert binomtest(wrong, 400, 0.2, alternative="greater").pvalue > 1e-4
    assert wrong > 0, "a bound that is never exceeded at 80 % confidence is not the one described"


@pytest.mark.slow
def test_more_trials_give_a_sharper_bound():
    bounds = [audited("noise scaled by m twice", trials=n).epsilon_lower for n in (40, 120)]
    assert bounds[0] < bounds[1]


@pytest.mark.parametrize(
    ("shown", "message"), [(False, "0 of 6 planned releases are in the transcript"), (True, "not finite")]
)
def test_what_is_not_shown_is_no_honest_mechanism(shown, message):
    """Without noise and without a word in the transcript there was nothing to attack, and nothing was refuted."""

    class Silent(Server):
        def release(self, release, value):
            if shown:
                super().release(release, value)[...] = np.nan
            return 1.0 * value

    with pytest.raises(InvalidInput, match=message):
        audit(lambda schedule, start, noise, users: Silent(schedule, start, noise), trials=20)


# ---------------------------------------------------------------- canaries
def test_the_extreme_user_attains_the_bounds_and_changes_sign():
    user = extreme_user(CLIP, 3, 2, 4)
    even, odd = (
        user.answer(Request(round=n, kind="statistics", U=np.eye(3, 2), clip=CLIP, sparsity=0)) for n in (0, 1)
    )
    others = {
        **user.answer(Request(round=0, kind="moment", U=np.eye(3, 2), clip=None, sparsity=0, features=True)),
        **user.answer(Request(round=1, kind="gradient", U=np.eye(3, 2), clip=None, sparsity=0)),
    }
    for name, value in {**even, **others}.items():
        size = lattice(name, CLIP) * np.linalg.norm(value)
        assert size == pytest.approx(sensitivity(name, CLIP, "add-remove")), name
    assert np.array_equal(even["V"], -odd["V"])
    assert np.array_equal(even["A"], odd["A"])


def test_ordinary_users_are_inside_the_levels():
    users = ordinary_users(20, CLIP, 4, 2, 3, np.random.default_rng([0]))
    assert max(np.linalg.norm(u.X, axis=1).max() for u in users) < 1.5
    assert all(np.linalg.norm(u.w) < 1 for u in users)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_keeps_the_honest_ledger(name):
    """Otherwise the ledger would give it away, and the audit would not be what refutes it."""
    mutant = MUTANTS[name]
    schedule = Schedule(clip=CLIP, rho=1.0, rounds=2, sparsity=0, start_share=0.2, kind=mutant.kind)
    users = [extreme_user(CLIP, 2, 1, 4)]
    spent = []
    for mechanism in (honest, mutant.mechanism):
        server: Server = mechanism(schedule, np.eye(2, 1), SeededNoise(1), users)
        while (request := server.request()) is not None:
            server.receive(user.answer(request) for user in asked(server, users))
        spent.append(server.ledger.rho)
    assert spent[1] == pytest.approx(spent[0], rel=1e-6)


def test_a_puppet_recomputes_the_gradient_for_every_subspace():
    user = Puppet(np.eye(2), np.ones(2), np.ones(1), np.zeros(2))
    a, b = (
        user.answer(Request(round=2, kind="gradient", U=U, clip=CLIP, sparsity=0))["gradient"]
        for U in (np.eye(2, 1), np.eye(2)[:, 1:])
    )
    assert not np.array_equal(a, b)


# ---------------------------------------------------------------- bad input and the verb
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trials": 5}, "trials: 5 runs bound nothing"),
        ({"alpha": 0.0}, "alpha: expected a probability"),
        ({"epsilon": -1.0}, "epsilon: expected a positive"),
        ({"delta": 2.0}, "delta: expected a probability"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(InvalidInput, match=message):
        audit(**{"trials": 40, **options})


def cli(capsys, *arguments: str) -> tuple[int, str, str]:
    code = run(list(arguments))
    out = capsys.readouterr()
    return int(code or 0), out.out, out.err


def test_verb(capsys):
    code, out, _ = cli(capsys, "audit", "--trials", "40", "--json")
    document = json.loads(out)
    assert code == 0
    assert document["audits"]["server"]["refuted"] is False
    own = "property_tests.families.low_rank_sparse.privacy:honest"
    code, out, _ = cli(capsys, "audit", "--trials", "20", "--solver", own, "--release", "statistics")
    assert code == 0
    assert out.startswith(f"{own}: Not refuted")
    code, _, err = cli(capsys, "audit", "--solver", "nothing")
    assert code == 2
    assert "solver: 'nothing' is not of the form module:attribute" in err
    code, _, err = cli(capsys, "audit", "--release", "all")
    assert code == 2
    assert "release: expected" in err
    code, out, _ = cli(capsys, "audit", "--trials", "20", "--audits", "2")
    assert code == 0
    assert "refuted in 0 of 2 audits, bounds ε ≥" in out
    code, out, _ = cli(capsys, "audit", "--trials", "120", "--mutant", "noise scaled by m twice")
    assert code == 0
    assert "REFUTED" in out
    code, _, _ = cli(capsys, "audit", "--trials", "20", "--mutant", "noise halved")
    assert code == 1, "20 runs cannot refute halved noise, so the audit failed its purpose"
    code, _, err = cli(capsys, "audit", "--mutant", "nothing")
    assert code == 2
    assert "no mutant named 'nothing'" in err
