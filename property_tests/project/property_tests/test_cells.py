"""A verdict is the worst cell's, with the number it is short for; what it promises holds against those who hide."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrs.core.run import Fault, SolverFault
from property_tests.examine import statement
from property_tests.examine.cell import Cell, cell_of
from property_tests.examine.claim import Always, AtLeast, OnAverage, Outcome, Quantifier, Verdict, quantifier_of
from property_tests.examine.configuration import Configuration, Depth
from property_tests.examine.engine import BUDGETS, Budget, examine
from property_tests.examine.ledger import Ledger
from property_tests.examine.synthetic import Drawn, NoSolver, Simulated, bernoulli, configurations
from property_tests.examine.tally import SLOTS, Tally
from property_tests.verify import check_solver
from theory.statistics.evidence import BinomialTest, lower_bound, unseen_share, upper_bound

SMALL = Budget(name="small", explore=4, least=0, most=600, shrink=20, confirm=4)
RARE = Budget(name="rare", explore=0, least=0, most=160, shrink=0, confirm=1)


def sized(low, high):
    return configurations().map(lambda c: c.with_spec(d=low + c.spec.d % (high - low)))


def steps(region, budget):
    """Cells of small, middle and large d, and one that is out of scope."""
    return (
        Cell("d < 60", sized(51, 60)),
        Cell("d < 100", sized(60, 100)),
        Cell("d > 200", None, "nothing is promised"),
    )


def one(claim, **options):
    options.setdefault("budget", SMALL)
    (result,) = examine(options.pop("bench", None) or NoSolver(), [claim], **options)
    return result


# ------------------------------------------------------------------ bounds
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 300), st.integers(0, 40), st.sampled_from([1e-6, 1e-3, 0.05]))
def test_a_bound_is_where_the_test_changes_its_mind(s, f, rate):
    """lower_bound and upper_bound against the e-values they invert, on a grid."""
    low, high = lower_bound(s, f, rate), upper_bound(s, f, rate)
    assert 0 <= low <= (s / (s + f) if s + f else 0) or (s, f) == (0, 0)
    assert high >= low
    for p in np.linspace(0.02, 0.98, 25):
        confirms = BinomialTest(p0=(1 + p) / 2, p1=p, beta=rate).log_e_confirm(s, f) >= -math.log(rate)
        refutes = BinomialTest(p0=p, p1=p / 2, alpha=rate).log_e_refute(s, f) >= -math.log(rate)
        assert confirms == (p < low) or abs(p - low) < 1e-5
        assert refutes == (p > high) or abs(p - high) < 1e-5


def test_confirmed_is_short_for_a_bound():
    result = one(bernoulli(1.0))
    low, _ = result.tally.bounds("")
    assert result.verdict is Verdict.CONFIRMED
    assert low >= 0.8
    assert lower_bound(36, 0, 1e-3) < 0.8 <= lower_bound(37, 0, 1e-3)


def _coverage(p, runs, trials, rate, bound):
    """Share of runs in which a bound excludes p at any look."""
    rng = np.random.default_rng([7, int(1000 * p), runs])
    wrong = 0
    for _ in range(runs):
        ok = rng.random(trials) < p
        s = np.cumsum(ok)
        counts = [(int(s[n]), int(n + 1 - s[n])) for n in range(trials)]
        wrong += any(bound(*c, rate) > p if bound is lower_bound else bound(*c, rate) < p for c in counts)
    return wrong


@pytest.mark.parametrize("p", [0.8, 0.97])
def test_bounds_cover_whenever_one_looks(p):
    """Rate .1, 50 runs: P(more than 13 | rate ≤ .1) < 1e-3."""
    assert _coverage(p, 50, 40, 0.1, lower_bound) <= 13
    assert _coverage(p, 50, 40, 0.1, upper_bound) <= 13


def test_what_a_dead_corner_may_hide():
    assert unseen_share(688, 1e-3) <= 0.01 < unseen_share(687, 1e-3)
    assert unseen_share(0, 1e-3) == 1


# ------------------------------------------------------------------ quantifiers
def test_three_quantifiers():
    assert quantifier_of(AtLeast()) is Quantifier.EVERY
    assert quantifier_of(OnAverage()) is Quantifier.AVERAGE
    assert quantifier_of(Always()) is Quantifier.ALWAYS
    assert "every configuration" in AtLeast().sentence
    assert "on average" in OnAverage().sentence


def corner(share):
    """A solver that never works on a share of the configurations."""
    return lambda c: float((c.spec.t * 7919 + c.spec.d * 104729) % 1000 >= 1000 * share)


def test_on_average_forgives_single_configurations_and_every_configuration_does_not():
    """A dead corner of 3 %: the average .97 keeps p₀ = .95, the configurations do not."""
    budget = Budget(name="long", explore=0, least=250, most=600, shrink=0, confirm=1)
    average = [one(bernoulli(corner(0.03), OnAverage()), seed=i, budget=budget).verdict for i in range(4)]
    every = [one(bernoulli(corner(0.03)), seed=i, budget=budget).verdict for i in range(4)]
    assert Verdict.REFUTED not in average
    assert every.count(Verdict.REFUTED) >= 3


@pytest.mark.parametrize("others", [1.0, 0.95])
@pytest.mark.parametrize("share", [0.01, 0.05])
def test_the_share_that_may_hide_is_an_honest_bound(share, others):
    """q ≤ share of a solver dead on that share, whatever the verdict: rate β = .1, 100 runs, P(more than 20) < 1e-3."""
    wrong = 0
    law = {"": lambda rng: others * (rng.random() >= share)}
    for seed in range(100):
        run = Simulated(AtLeast(), law, RARE, np.random.default_rng([3, seed]), alpha=1e-6, beta=0.1)
        run.decide()
        wrong += run.tally.unseen <= share
    assert wrong <= 20


def test_always_says_how_often_it_may_still_be_broken():
    result = one(bernoulli(1.0, Always(p1=0.9)))
    assert result.tally.unseen < 0.1
    assert "less often than in" in statement.numbers(result)


# ------------------------------------------------------------------ cells
def test_the_verdict_is_the_worst_cells():
    """Right below d = 60, dead from there on: most trials succeed, and the claim is refuted."""
    result = one(bernoulli(lambda c: float(c.spec.d < 60), ladder=steps))
    assert result.verdict is Verdict.REFUTED
    verdicts = {row["cell"]: row["verdict"] for row in statement.table(result.tally, result.out_of_scope)}
    assert verdicts["d < 100"] == "REFUTED"
    assert verdicts["d > 200"] == "OUT_OF_SCOPE"
    assert result.witness.trial.configuration.spec.d >= 60
    assert one(bernoulli(lambda c: float(c.spec.d < 60))).verdict is Verdict.CONFIRMED


def test_every_cell_has_to_be_confirmed():
    result = one(bernoulli(lambda c: 1.0 if c.spec.d < 60 else 0.88, ladder=steps), seed=2)
    assert result.verdict is not Verdict.CONFIRMED
    sure = one(bernoulli(1.0, ladder=steps))
    assert sure.verdict is Verdict.CONFIRMED
    assert {row["verdict"] for row in statement.table(sure.tally, sure.out_of_scope)} == {"CONFIRMED", "OUT_OF_SCOPE"}
    assert sure.extent["d"][1] >= 60
    assert "d 4" in statement.extent(sure.extent)
    assert all(row["at_least"] >= 0.8 for row in statement.table(sure.tally, {}))
    assert sure.tally.overall[0] > sure.tally.bounds(sure.tally.worst)[0]


def test_false_refutations_over_cells_stay_below_alpha():
    """α = .2, p₀ in each of three cells, 20 runs: P(more than 11 | rate ≤ .2) < 1e-3."""
    short = replace(RARE, most=64)
    found = [one(bernoulli(0.95, ladder=steps), seed=i, alpha=0.2, beta=0.1, budget=short).verdict for i in range(20)]
    assert found.count(Verdict.REFUTED) <= 11


class Slow(NoSolver):
    """A bench on which large problems take 40 s."""

    def trial(self, claim, region, phase, configuration, replicate, nonce=None, companions=()):
        t = super().trial(claim, region, phase, configuration, replicate, nonce, companions)
        return replace(t, cpu_seconds=40.0 if configuration.spec.d >= 60 else 0.01)


def test_a_cell_that_a_slow_solver_cannot_be_tried_in_is_named():
    result = one(bernoulli(1.0, ladder=steps), bench=Slow())
    assert result.verdict is Verdict.CONFIRMED
    assert statement.not_examined(result.tally) == {"d < 100": "40 s a call"}
    assert "not examined: d < 100 (40 s a call)" in statement.examined(result)
    assert result.tally.strata["d < 100"].trials == 1


def test_with_most_cells_left_out_nothing_is_confirmed():
    tally = Tally(AtLeast(), cells=("", "a", "b"))
    for _ in range(40):
        tally.add(True)
    tally.skip("a", "slow")
    assert tally.verdict is Verdict.INCONCLUSIVE
    tally.skip("b", "slow")
    assert tally.verdict is Verdict.INCONCLUSIVE
    tally.leave_out("b", "outside")
    assert tally.verdict is Verdict.CONFIRMED


def test_claims_on_one_ladder_share_every_answer():
    bench = NoSolver()
    both = [bernoulli(1.0, name="a/one", ladder=steps), bernoulli(1.0, name="b/two", ladder=steps)]
    first, second = examine(bench, both, budget=SMALL)
    assert first.tally.trials == second.tally.trials
    assert not bench._made  # nothing was judged that nobody asked for
    alone = one(bernoulli(1.0, name="b/two", ladder=steps), beta=5e-4)
    assert alone.tally == Tally(AtLeast(), 1e-6, 5e-4, alone.tally.cells, alone.tally.strata) or alone.tally.trials > 0


def test_a_ledger_keeps_the_cells(tmp_path):
    short = Budget(name="short", explore=0, least=0, most=16, shrink=0, confirm=1)
    with Ledger(tmp_path / "ledger.jsonl") as book:
        first = one(bernoulli(1.0, ladder=steps), ledger=book, budget=short)
    with Ledger(tmp_path / "ledger.jsonl") as book:
        second = one(bernoulli(1.0, ladder=steps), ledger=book)
    assert first.verdict is Verdict.INCONCLUSIVE
    assert second.verdict is Verdict.CONFIRMED
    assert second.resumed == first.tally.trials
    assert all(s.trials >= 17 for s in second.tally.strata.values())
    assert cell_of("decide/0/d < 60") == "d < 60"
    assert cell_of("decide/0") == ""


def test_a_theorems_own_region_has_a_table_of_its_own():
    class Below:
        name = "below"

        def depth(self, configuration):
            return Depth(float(55 - configuration.spec.d))

    result = one(bernoulli(1.0, ladder=steps, theorems=("t",)), promised={"t": Below()})
    rows = {r["cell"]: r for r in statement.promised_table(result.tables["t"])}
    assert rows["d < 100"]["verdict"] == "OUT_OF_SCOPE"
    assert rows["d < 100"]["why"] == "no problem drawn here lay inside"
    assert 0 < rows["d < 60"]["trials"] < result.tally.strata["d < 60"].trials


# ------------------------------------------------------------------ the run as a whole
def test_the_error_rates_are_those_of_the_run():
    many = [bernoulli(1.0, name=f"a/{i}") for i in range(5)]
    results = examine(NoSolver(), many, budget=SMALL, alpha=1e-6, beta=1e-3)
    assert {(r.tally.alpha, r.tally.beta) for r in results} == {(2e-7, 2e-4)}
    assert all(r.tally.bounds("")[0] >= 0.8 for r in results)


def test_one_instance_that_breaks_several_claims_is_one_cause():
    def dead(context):
        return Outcome(context.configuration.spec.d < 60, -1.0, "dead")

    broken = [bernoulli(0.0, name=f"a/{i}", ladder=steps) for i in range(3)]
    for c in broken:
        object.__setattr__(c, "check", dead)
    results = examine(NoSolver(), broken, budget=SMALL)
    assert [r.verdict for r in results] == [Verdict.REFUTED] * 3
    assert [r.cause for r in results] == ["", "a/0", "a/0"]
    assert len({r.witness.trial.configuration.text for r in results}) == 1


def _answers(raises):
    def check(context):
        if raises(context):
            raise SolverFault(Fault.RAISED, "in a corner")
        return Outcome(True, 1.0)

    claim = bernoulli(0.0, Always(), name="conduct/answers")
    object.__setattr__(claim, "check", check)
    return claim


class Plain:
    name = "plain"

    def depth(self, configuration):
        return Depth(1.0)

    def draw(self, **options):
        return st.just(_PLAIN)


_PLAIN = Configuration.from_dict({"spec": {"t": 9, "m": 10, "d": 8, "r": 1, "k": 1}})


@pytest.mark.parametrize(
    ("raises", "verdict"), [(lambda c: c.configuration != _PLAIN, "CONFIRMED"), (lambda c: True, "BLOCKED")]
)
def test_a_corner_without_an_answer_blocks_nothing(raises, verdict):
    above = bernoulli(1.0, name="recovery/x", requires=("conduct/answers",))
    results = examine(NoSolver(), [_answers(raises), above], budget=SMALL, region=Plain())
    assert [r.verdict.name for r in results] == ["REFUTED", verdict]


def test_slots_are_those_of_a_cell():
    tally = Tally(AtLeast(), cells=("", "large"))
    assert all(tally.press(str(i)) for i in range(SLOTS))
    assert not tally.press("more")
    assert tally.press("0", "large")
    assert BUDGETS["quick"].cell_seconds < BUDGETS["standard"].cell_seconds


@pytest.mark.slow
def test_a_solver_that_is_dead_where_rows_are_few_is_refuted():
    """Returns zero where a task has fewer than d/2 rows: passed every claim before."""
    name = "property_tests.families.low_rank_sparse.mutants:dead_few_rows"
    report = check_solver(name, claims="recovery/exact", jobs=1)
    assert report["recovery/exact"].verdict is Verdict.REFUTED


# ------------------------------------------------------------------ what an adversary made it say
def test_q_counts_a_dead_configuration_as_seen_while_it_is_pressed():
    """INCONCLUSIVE printed q = 1.7 % of a solver whose dead corner of 3 % stood in a slot."""
    tally = Tally(AtLeast(), beta=1e-3)
    for i in range(400):
        tally.add(i % 33 != 32, configuration=str(i))
        if i % 33 == 32:
            tally.press(str(i))
    assert tally.unseen == unseen_share(32, 1e-3) > 0.03
    for name in list(tally.pressed):
        tally.add(True, pressed=name)  # these work after all
    assert tally.unseen == unseen_share(4 * 33 - 1, 1e-3)


def test_many_failures_before_the_first_counted_trial_are_no_crash():
    tally = Tally(AtLeast())
    for i in range(30):
        tally.press(str(i))  # as after a search that only failed
    tally.add(True)
    assert 0 < tally.unseen <= 1


def test_the_upper_bound_of_a_refutation_pays_for_having_looked_everywhere():
    """A count picked because it looks worst has no bound at 1 − α of its own: .5³ happens in one of 51 slots."""
    tally = Tally(AtLeast(), alpha=0.05, cells=("", "large"))
    tally.press("a")
    for _ in range(3):
        tally.add(False, pressed="a")
    for _ in range(60):
        tally.add(False, cell="large")
    assert tally.refuted
    assert upper_bound(0, 60, 0.05) < tally.highest < 0.2
    few = Tally(AtLeast(), alpha=0.05)
    few.press("a")
    for _ in range(3):
        few.add(False, pressed="a")
    assert few.highest > upper_bound(0, 3, 0.05)


def test_words_round_to_the_safe_side():
    assert statement.ceiling(0.9304) == "0.931"
    assert statement.ceiling(0.93) == "0.93"
    assert statement.figure(0.9309) == "0.93"
    assert statement.confidence(0.05) == "95 %"
    assert statement.confidence(1e-9) == "99.9999999 %"  # was 100 %
    assert statement.confidence(1e-3 / 46) == "99.9978 %"


def test_a_solver_cannot_hide_where_it_is_wrong_by_being_slow_there():
    """Was CONFIRMED, “not examined: d < 100 (40 s a call)”."""
    budget = replace(SMALL, cell_seconds=400.0)
    wrong = bernoulli(lambda c: float(c.spec.d < 60), ladder=steps)
    assert one(wrong, bench=Slow(), budget=budget).verdict is Verdict.REFUTED
    assert one(wrong, bench=Slow()).verdict is not Verdict.CONFIRMED


def test_the_sizes_to_come_are_keyed_by_the_nonce():
    """A solver that knew them could be right on those and nowhere else, and q would be false."""

    def drawn(nonce):
        seen = []
        one(bernoulli(1.0), budget=replace(RARE, explore=0), nonce=nonce, record=lambda t: seen.append(t.configuration))
        return {c.text for c in seen}

    assert drawn("0" * 32) == drawn("0" * 32)
    assert len(drawn("0" * 32) & drawn("1" * 32)) < 10


@pytest.mark.parametrize("seed", range(3))
def test_the_simulated_engine_counts_as_the_engine_does(seed):
    """Fed with what a run of the engine drew and saw, in several cells, with pressed configurations."""
    seen = {}

    def record(t):
        seen.setdefault(t.phase, []).append(t)

    claim = bernoulli(lambda c: 0.9 if c.spec.t % 9 == 0 else 1.0, ladder=steps)
    result = one(claim, seed=seed, budget=replace(SMALL, explore=0, shrink=0), record=record)
    replayed = {}

    class Replayed(Simulated):
        def _propose(self, cell, number):
            trials = seen.get(self._phase("decide", cell), [])
            at = len(self._drawn[cell])
            found = [Drawn(t.configuration.text, 1.0) for t in trials[at : at + number]]
            self.known.update({d.text: d for d in found})
            return found + [Drawn("never asked", 0.0)] * (number - len(found))

        def succeeds(self, configuration, phase):
            at = replayed[phase] = replayed.get(phase, -1) + 1
            assert seen[phase][at].configuration.text == configuration.text
            return seen[phase][at].outcome.ok

    run = Replayed(AtLeast(), dict.fromkeys(result.tally.cells), SMALL, None, alpha=1e-6, beta=1e-3)
    run.seed = seed
    run.decide()
    assert run.tally == result.tally
    assert len(result.tally.pressed) > 0


def test_a_refuted_claim_prints_a_bound_below_what_it_claims():
    """Evidence may fall again within a batch: “REFUTED, at most 0.952” of P ≥ .95."""
    tally = Tally(OnAverage())
    for ok in [True] * 103 + [False] * 25 + [True] * 7:
        tally.add(ok)
    while tally.log_e_refute >= -math.log(tally.alpha):
        tally.add(True)
    assert tally.refuted
    assert tally.highest <= 0.95
