"""Claims from both sides: a success probability that has to be the law's, and a number with a sharp constant."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lrs.core.errors import InvalidInput
from property_tests.examine.claim import Claim, Outcome, Quantifier, Verdict, quantifier_of
from property_tests.examine.engine import Budget, examine
from property_tests.examine.law import Exactly, LawTally, Sharp
from property_tests.examine.statement import columns, hypothesis, numbers
from property_tests.examine.synthetic import NoSolver, bernoulli, configurations

BUDGET = Budget(name="short", explore=2, least=0, most=40, shrink=5, confirm=2)


def by_tasks(configuration):
    """A law that depends on the configuration: .3 … .7."""
    return 0.3 + 0.4 * (configuration.spec.t % 7) / 6


def result(claim, **rest):
    with NoSolver() as bench:
        return examine(bench, [claim], budget=BUDGET, **rest)[0]


@pytest.mark.parametrize(
    ("off", "verdict"), [(0.0, Verdict.CONFIRMED), (-0.2, Verdict.REFUTED), (0.2, Verdict.REFUTED)]
)
def test_as_often_as_the_law_says_neither_less_nor_more(off, verdict):
    kind = Exactly(by_tasks, off=0.2, error=0.005, most=1000)
    found = result(bernoulli(lambda c: by_tasks(c) + off, kind))
    assert found.verdict is verdict
    assert found.witness is None  # no single trial is a counterexample to a law
    assert found.tally.trials > BUDGET.most
    assert "where the law expects" in numbers(found)
    assert columns(found)[0] == ("" if verdict is Verdict.REFUTED else "law")
    assert "above the law" in hypothesis(found)


@pytest.mark.parametrize("where", [0.002, 0.3, 0.998])
def test_both_error_rates_of_a_law_are_kept(where, monkeypatch):
    """60 runs at 5 %: at the edge of what keeps it, and at the edge of what breaks it."""
    monkeypatch.setattr("property_tests.examine.law.Configuration.parse", lambda text: text)
    kind = Exactly(lambda c: where, off=0.2, error=0.05)
    rng = np.random.default_rng(0)

    def share(p, verdict):
        def run():
            tally = LawTally(kind, alpha=0.05, beta=0.05)
            for ok in rng.random(100) < p:
                tally.add(bool(ok), configuration="c")
            return tally.verdict is verdict

        return np.mean([run() for _ in range(60)])

    for side in (-1, 1):
        if 0 <= (kept := where + side * kind.error) <= 1:
            assert share(kept, Verdict.REFUTED) <= 0.15
        if 0 <= (broken := where + side * kind.off) <= 1:
            assert share(broken, Verdict.CONFIRMED) <= 0.15
            assert share(broken, Verdict.REFUTED) >= 0.5


def test_a_kind_says_what_it_is():
    assert quantifier_of(Exactly(by_tasks)) is Quantifier.LAW
    assert "by_tasks" in repr(Exactly(by_tasks))  # part of the claim's hash, and the same in every process
    assert "0x" not in repr(Exactly(by_tasks))
    with pytest.raises(InvalidInput, match="error"):
        Exactly(by_tasks, off=0.05, error=0.05)


def sharp(value, settled=True):
    kind = Sharp(within=0.05)

    def check(context):
        if not settled:
            return kind.before("too early", {"steps": 3.0})
        return kind.judge("rate", value(context), 2.0)

    rest = {"statement": "", "cite": "", "requires": (), "configurations": configurations}
    return Claim(name="synthetic/sharp", kind=kind, check=check, **rest)


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (2.09, Verdict.CONFIRMED),
        (1.91, Verdict.CONFIRMED),
        (1.89, Verdict.REFUTED),
        (2.11, Verdict.REFUTED),
        (math.nan, Verdict.REFUTED),
        (-2.0, Verdict.REFUTED),
    ],
)
def test_a_sharp_constant_from_both_sides(value, verdict):
    assert result(sharp(lambda context: value)).verdict is verdict


def test_before_its_regime_a_law_has_no_verdict():
    found = result(sharp(lambda context: 5.0, settled=False))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.tally.trials == 0
    assert found.why == "before the regime of the law: too early"


def test_a_sharp_outcome_shows_what_was_compared():
    outcome = Sharp(within=0.1).judge("rate", 1.2, 1.0, values={"alpha": 0.3})
    assert outcome == Outcome(
        False,
        pytest.approx(-0.1),
        "rate is 1.2, 1.2 of the law's 1",
        {"rate": 1.2, "law": 1.0, "ratio": 1.2, "alpha": 0.3},
    )
