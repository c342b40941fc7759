"""The engine decides at the promised error rates, counts everything once, and reports the smallest witness."""

import math

import numpy as np
import pytest
from hypothesis import strategies as st

from lrs.core.errors import InvalidInput
from lrs.core.run import Fault, SolverFault
from property_tests.examine.claim import Always, AtLeast, Outcome, Verdict
from property_tests.examine.configuration import Configuration, Depth, Everywhere
from property_tests.examine.engine import BUDGETS, Budget, Interrupted, budget_of, examine, with_requirements
from property_tests.examine.ledger import Ledger
from property_tests.examine.synthetic import NoSolver, bernoulli, configurations
from property_tests.examine.tally import SLOTS, Tally

SMALL = Budget(name="small", explore=4, least=0, most=600, shrink=60, confirm=4)


def one(claim, **options):
    bench = options.pop("bench", None) or NoSolver()
    options.setdefault("budget", SMALL)
    (result,) = examine(bench, [claim], **options)
    return result


# ------------------------------------------------------------------ error rates
def verdicts(probability, runs, *, alpha, beta, most=600, press=True):
    """Verdict counts of the tally alone on Bernoulli draws, failing draws being pressed as the engine does."""
    rng = np.random.default_rng([4, int(1e6 * probability), runs])
    counts = dict.fromkeys(Verdict, 0)
    for _ in range(runs):
        tally = Tally(AtLeast(0.95, 0.80), alpha, beta)
        for i in range(most):
            if tally.verdict is not Verdict.INCONCLUSIVE:
                break
            slots = tally.undecided_slots()
            if slots and i % 2:
                tally.add(bool(rng.random() < probability), pressed=slots[i // 2 % len(slots)])
            else:
                ok = bool(rng.random() < probability)
                tally.add(ok)
                if press and not ok:
                    tally.press(str(i))
        counts[tally.verdict] += 1
    return counts


def test_false_refutations_stay_below_alpha():
    """α = .1, 300 runs at p₀: P(more than 48 | rate ≤ .1) < 1e-3."""
    counts = verdicts(0.95, 300, alpha=0.1, beta=0.1, most=150)
    assert counts[Verdict.REFUTED] <= 48
    assert counts[Verdict.CONFIRMED] > 100  # the test is not passed by deciding nothing


def test_false_confirmations_stay_below_beta():
    counts = verdicts(0.80, 300, alpha=0.1, beta=0.1, most=150)
    assert counts[Verdict.CONFIRMED] <= 48
    assert counts[Verdict.REFUTED] > 100


@pytest.mark.slow
@pytest.mark.parametrize(("probability", "wrong"), [(0.95, Verdict.REFUTED), (0.80, Verdict.CONFIRMED)])
def test_error_rates_of_the_whole_engine(probability, wrong):
    """400 runs of the engine at rate .05: P(more than 34 | rate ≤ .05) < 1e-3."""
    tiny = Budget(name="tiny", explore=3, least=0, most=160, shrink=1, confirm=1)
    found = [one(bernoulli(probability), budget=tiny, seed=i, alpha=0.05, beta=0.05).verdict for i in range(400)]
    assert found.count(wrong) <= 34
    assert found.count(Verdict.INCONCLUSIVE) < 300


def test_the_engine_decides_the_clear_cases():
    assert one(bernoulli(1.0)).verdict is Verdict.CONFIRMED
    assert one(bernoulli(1.0)).tally.trials == 40  # 37 suffice; five batches of eight
    broken = one(bernoulli(0.0))
    assert broken.verdict is Verdict.REFUTED
    assert broken.tally.trials <= 16
    assert one(bernoulli(0.99)).verdict is Verdict.CONFIRMED
    assert one(bernoulli(0.5)).verdict is Verdict.REFUTED


def test_always_is_refuted_by_one_counterexample_and_confirmed_by_none():
    sure = one(bernoulli(1.0, Always(p1=0.9)))
    assert sure.verdict is Verdict.CONFIRMED
    assert sure.tally.trials == 72  # 66 = ⌈ln β / ln p1⌉ suffice
    rare = one(bernoulli(0.95, Always(p1=0.9)), seed=3)
    assert rare.verdict is Verdict.REFUTED
    assert rare.witness is not None


def test_a_solver_that_fails_on_one_kind_of_instance_does_not_hide_in_the_average():
    """One in ten configurations fails always: P = .9 on average, between p1 and p0, yet refuted."""
    result = one(bernoulli(lambda c: float(c.spec.t % 10 != 3)), seed=1)
    assert result.verdict is Verdict.REFUTED
    assert result.witness.trial.configuration.spec.t % 10 == 3
    assert result.witness.failures == result.witness.repeats


def test_pressing_uses_at_most_its_slots():
    tally = Tally(AtLeast())
    assert [tally.press(str(i)) for i in range(SLOTS + 2)] == [True] * SLOTS + [False] * 2
    assert not tally.press("0")
    assert not Tally(Always()).press("0")


def test_a_pressed_configuration_withholds_the_confirmation():
    tally = Tally(AtLeast())
    for _ in range(40):
        tally.add(True)
    assert tally.verdict is Verdict.CONFIRMED
    tally.press("hard")
    assert tally.verdict is Verdict.INCONCLUSIVE
    for _ in range(36):
        tally.add(True, pressed="hard")
    assert tally.verdict is Verdict.INCONCLUSIVE
    tally.add(True, pressed="hard")
    assert tally.verdict is Verdict.CONFIRMED


# ------------------------------------------------------------------ each trial once
def test_no_trial_is_drawn_twice_within_a_phase():
    bench = NoSolver()
    one(bernoulli(0.9), bench=bench)
    assert max(bench.seen.values()) == 1


def test_a_strategy_of_one_configuration_is_tried_on_fresh_data():
    bench = NoSolver()
    result = one(
        bernoulli(
            1.0, configurations=lambda region: st.just(Configuration.parse('{"spec":{"t":3,"m":5,"d":6,"r":1,"k":1}}'))
        ),
        bench=bench,
    )
    assert result.verdict is Verdict.CONFIRMED
    assert max(bench.seen.values()) == 1


def test_the_number_of_processes_changes_nothing():
    """Batches are fixed, so the order of trials is too."""

    class Backwards(NoSolver):
        def trials(self, claim, region, asked, companions=()):
            return [self.trial(claim, region, *a) for a in reversed(asked)][::-1]

    first, second = one(bernoulli(0.9)), one(bernoulli(0.9), bench=Backwards())
    assert first.verdict is second.verdict
    assert first.tally == second.tally


# ------------------------------------------------------------------ ledger
def test_evidence_accumulates_until_it_decides(tmp_path):
    short = Budget(name="short", explore=2, least=0, most=16, shrink=4, confirm=2)
    trials = []
    for _ in range(3):
        with Ledger(tmp_path / "ledger") as ledger:
            result = one(bernoulli(1.0), budget=short, ledger=ledger)
            trials.append((result.verdict.name, result.tally.trials, result.resumed))
    assert trials == [("INCONCLUSIVE", 16, 0), ("INCONCLUSIVE", 32, 16), ("CONFIRMED", 40, 32)]
    with Ledger(tmp_path / "ledger") as ledger:
        bench = NoSolver()
        again = one(bernoulli(1.0), budget=short, ledger=ledger, bench=bench)
    assert again.verdict is Verdict.CONFIRMED
    assert not bench.seen  # everything came from the ledger


def test_evidence_is_not_carried_to_another_solver_or_claim(tmp_path):
    with Ledger(tmp_path / "ledger") as ledger:
        one(bernoulli(1.0), ledger=ledger)
        other = one(bernoulli(1.0), ledger=ledger, bench=NoSolver("changed"))
        assert (other.resumed, other.outdated) == (0, 40)
        reworded = one(bernoulli(1.0, statement="something else"), ledger=ledger)
        assert reworded.resumed == 0


def test_a_refutation_from_the_ledger_keeps_its_witness(tmp_path):
    claim = bernoulli(0.0)
    with Ledger(tmp_path / "ledger") as ledger:
        one(claim, ledger=ledger)
        again = one(claim, ledger=ledger)
    assert again.verdict is Verdict.REFUTED
    assert again.witness is not None


class Stops(NoSolver):
    """Ctrl-C at the n-th trial."""

    def __init__(self, n):
        super().__init__()
        self.n = n

    def trial(self, *arguments):
        self.n -= 1
        if self.n == 0:
            raise KeyboardInterrupt
        return super().trial(*arguments)


def test_an_interrupted_run_resumes_to_the_same_verdict(tmp_path):
    claims = [bernoulli(1.0), bernoulli(1.0, name="synthetic/second")]
    with Ledger(tmp_path / "ledger") as ledger:
        with pytest.raises(Interrupted) as caught:
            examine(Stops(25), claims, budget=SMALL, ledger=ledger)
        assert [r.why for r in caught.value.results] == ["interrupted", "interrupted before it was tried"]
        counted = len(ledger)
        assert 0 < counted < 40
        results = examine(NoSolver(), claims, budget=SMALL, ledger=ledger)
    assert [r.verdict for r in results] == [Verdict.CONFIRMED] * 2
    assert results[0].resumed == counted


# ------------------------------------------------------------------ witness
def test_the_witness_is_small():
    result = one(bernoulli(lambda c: float(c.spec.t * c.spec.d < 300)), seed=2)
    spec = result.witness.trial.configuration.spec
    assert result.verdict is Verdict.REFUTED
    assert spec.t * spec.d >= 300
    assert spec.t * spec.d < 600


# ------------------------------------------------------------------ other verdicts
class LargeOnly:
    name = "large only"

    def depth(self, configuration):
        margin = math.log(configuration.spec.t / 100)
        return Depth(margin, {"t": margin, "d": 1.0})


def test_outside_the_region_nothing_is_refuted():
    small = bernoulli(0.0, configurations=lambda r: configurations().filter(lambda c: c.spec.t < 100))
    result = one(small, region=LargeOnly())
    assert result.verdict is Verdict.OUT_OF_SCOPE
    assert "large only" in result.why
    # A solver that fails exactly outside is confirmed on what is inside.
    assert one(bernoulli(lambda c: float(c.spec.t >= 100)), region=LargeOnly()).verdict is Verdict.CONFIRMED
    # So it is when problems are drawn from another region than the solver's own.
    elsewhere = bernoulli(0.0, configurations=lambda r: configurations().filter(lambda c: r.depth(c).margin < 0))
    result = one(elsewhere, region=Everywhere(), drawn_from=LargeOnly())
    assert result.verdict is Verdict.REFUTED
    result = one(elsewhere, region=LargeOnly(), drawn_from=LargeOnly())
    assert result.verdict is Verdict.OUT_OF_SCOPE
    assert "by its t" in result.why
    # A claim about the outside is tried there.
    assert one(bernoulli(0.0, inside=False), region=LargeOnly()).verdict is Verdict.REFUTED


def test_not_applicable_and_blocked_are_said():
    bench = NoSolver()
    bench.traits = type(bench.traits)(noise=False)
    chosen = [
        bernoulli(0.0, name="a/base"),
        bernoulli(1.0, name="b/above", requires=("a/base",)),
        bernoulli(1.0, name="c/higher", requires=("b/above",)),
        bernoulli(1.0, name="d/noisy", traits=("noise",)),
    ]
    results = examine(bench, chosen, budget=SMALL)
    assert [r.verdict.name for r in results] == ["REFUTED", "BLOCKED", "BLOCKED", "NOT_APPLICABLE"]
    assert [r.why for r in results][1:] == ["rests on a/base", "rests on b/above", "the solver declares: no noise"]
    assert [c.name for c in with_requirements(chosen[2:3], chosen)] == ["a/base", "b/above", "c/higher"]


@pytest.mark.parametrize("error", [ZeroDivisionError, InvalidInput])
def test_a_bug_of_a_check_is_not_blamed_on_the_solver(error):
    calls = []

    def check(context):
        calls.append(context)
        if len(calls) % 2:  # not on every trial: Hypothesis must not take it for flakiness
            return Outcome(True, 1.0)
        raise error(f"trial {len(calls)}")

    claim = bernoulli(1.0)
    object.__setattr__(claim, "check", check)
    result = one(claim)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "bug of the claim" in result.why
    assert f"{error.__name__}: trial 2" in result.why


@pytest.mark.parametrize(("fault", "repeats"), [(Fault.TIMEOUT, 2), (Fault.RAISED, SMALL.confirm)])
def test_a_hang_is_repeated_less_often_than_other_failures(fault, repeats):
    def check(context):
        raise SolverFault(fault, "here")

    claim = bernoulli(0.0)
    object.__setattr__(claim, "check", check)
    result = one(claim)
    assert result.verdict is Verdict.REFUTED
    assert (result.witness.failures, result.witness.repeats) == (repeats, repeats)


def test_standard_goes_on_after_the_first_confirmation():
    least = Budget(name="longer", explore=2, least=100, most=600, shrink=4, confirm=2)
    assert one(bernoulli(1.0), budget=least).tally.trials == 104


def test_bad_options_are_named():
    with pytest.raises(InvalidInput, match="budget: no budget 'fast'"):
        budget_of("fast")
    with pytest.raises(InvalidInput, match="alpha: expected an error rate"):
        one(bernoulli(1.0), alpha=0.0)
    assert set(BUDGETS) == {"quick", "standard", "exhaustive"}
