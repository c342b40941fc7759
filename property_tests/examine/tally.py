"""From counted trials to a verdict on one claim, at the promised error rates.

A claim is decided in *cells*: a base cell of small problems and, where the claim has a ladder, cells of other sizes. The
verdict is the worst cell's. In each cell two streams of trials are counted. The *pool* tries configurations as the cell's
strategy proposes them. The *pressed* configurations are the ones that failed once: each gets trials of its own, so that a
solver that works on nearly everything and never on one kind of instance does not hide in the average. What is tested
depends on the quantifier of the claim's kind:

- *every configuration* has p ≥ p₀. Then the average of each cell has too, so the pool's e-value argues against it as those
  of the `SLOTS` pressed configurations do; their mean with fixed weights, over all cells, is an e-value whatever their
  dependence, and REFUTED keeps the rate α. CONFIRMED asks every pool and every pressed configuration to be confirmed;
- *on average* over each cell p ≥ p₀: only the pools count, nothing is pressed;
- *always*: one counterexample refutes; CONFIRMED bounds how often it may still be broken.

What β protects against: a claim whose average is ≤ p₁ in some cell. A corner that is broken and met too rarely to show
is not excluded; `Tally.unseen` says how large it may still be.

Which configuration comes next may depend on everything seen so far; the data of a trial may not, and does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from property_tests.examine.claim import Kind, Quantifier, Verdict, quantifier_of
from theory.statistics.evidence import (
    BinomialTest,
    confidence_sequence,
    first_crossing,
    lower_bound,
    unseen_share,
    upper_bound,
)

#: Pressed configurations of a cell; each holds an equal share of half of its evidence, also while unused.
SLOTS = 3
#: Name of the cell of small problems; the only one of a claim without a ladder.
BASE = ""


@lru_cache(maxsize=100_000)
def _log_e(test: BinomialTest, successes: int, failures: int) -> tuple[float, float]:
    """ln E_refute and ln E_confirm; remembered, because every claim of a run passes through the same counts."""
    s, f = np.array([successes]), np.array([failures])
    return float(np.asarray(test.log_e_refute(s, f))[0]), float(np.asarray(test.log_e_confirm(s, f))[0])


@dataclass
class Count:
    """Successes and failures of a stream of trials, and the largest evidence for confirming seen on the way."""

    successes: int = 0
    failures: int = 0
    best_confirm: float = 0.0
    #: Counts at which the evidence for confirming was largest.
    best: tuple[int, int] = (0, 0)
    #: Numbers of the trials that failed.
    failed: list[int] = field(default_factory=list)

    @property
    def trials(self) -> int:
        return self.successes + self.failures

    def low(self, beta: float) -> float:
        """Lower bound of the success probability that holds whenever one looks: the larger of the present and the best."""
        return max(lower_bound(self.successes, self.failures, beta), lower_bound(*self.best, beta))

    def high(self, alpha: float) -> float:
        """Upper bound of it."""
        return upper_bound(self.successes, self.failures, alpha)


@dataclass
class Stratum:
    """The trials of one cell."""

    pool: Count = field(default_factory=Count)
    pressed: dict[str, Count] = field(default_factory=dict)
    #: ln of the evidence against the claim, now and at its largest.
    refute: float = 0.0
    best_refute: float = -math.inf
    #: Why the cell does not count ("40 s a call"); "" while it does.
    skipped: str = ""
    #: Whether that is because nothing in it lies in the region.
    outside: bool = False

    @property
    def counts(self) -> Iterable[Count]:
        return (self.pool, *self.pressed.values())

    @property
    def trials(self) -> int:
        return sum(c.trials for c in self.counts)

    @property
    def successes(self) -> int:
        return sum(c.successes for c in self.counts)

    @property
    def best_confirm(self) -> float:
        return min(c.best_confirm for c in self.counts)


@dataclass
class Tally:
    """What the trials of one claim say; a kind that needs another count brings a subclass (`Tally.of`).

    Parameters
    ----------
    kind : Kind
    alpha, beta : float
        Bounds on the probabilities of a false REFUTED and a false CONFIRMED of this claim.
    cells : tuple of str
        Names of the cells, fixed beforehand: each holds an equal share of the evidence against the claim.
    """

    kind: Kind
    alpha: float = 1e-6
    beta: float = 1e-3
    cells: tuple[str, ...] = (BASE,)
    strata: dict[str, Stratum] = field(default_factory=dict)
    counterexamples: int = 0
    best_refute: float = 0.0
    #: Failures of the pools: how many trials of all pools came before, cell, configuration.
    suspects: list[tuple[int, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.strata = {name: Stratum() for name in self.cells}
        self._test = (
            None if self.at_once else BinomialTest(self.kind.p0, self.kind.p1, alpha=self.alpha, beta=self.beta)
        )

    @classmethod
    def of(cls, kind: Kind, alpha: float, beta: float, cells: tuple[str, ...] = (BASE,)) -> Tally:
        """What counts the trials of a kind: its own ``tally(alpha, beta)`` with one cell, or a plain one."""
        own = getattr(kind, "tally", None)
        return cls(kind, alpha, beta, cells) if own is None else own(alpha, beta)

    # ------------------------------------------------------------------ counting
    @property
    def at_once(self) -> bool:
        """Whether one counterexample refutes."""
        return quantifier_of(self.kind) is Quantifier.ALWAYS

    def press(self, configuration: str, cell: str = BASE) -> bool:
        """Give a configuration a slot of its own; False when it needs none or all of the cell's are taken."""
        stratum = self.strata[cell]
        if configuration in stratum.pressed or quantifier_of(self.kind) is not Quantifier.EVERY:
            return False
        if len(stratum.pressed) >= SLOTS:
            return False
        stratum.pressed[configuration] = Count()
        return True

    def add(self, ok: bool, *, pressed: str | None = None, cell: str = BASE, configuration: str = "") -> None:
        """Count a trial of a cell's pool (of this configuration), or of a pressed configuration."""
        stratum = self.strata[cell]
        count = stratum.pool if pressed is None else stratum.pressed[pressed]
        if not ok and pressed is None:
            self.suspects.append((self.pool.trials, cell, configuration))
        if not ok:
            count.failed.append(count.trials)
        count.successes += ok
        count.failures += not ok
        self.counterexamples += not ok
        # Ville: what matters is the largest value on the way, so that stopping at any time is allowed.
        evidence = self._confirm(count)
        if evidence > count.best_confirm:
            count.best_confirm, count.best = evidence, (count.successes, count.failures)
        stratum.refute = self._refute(stratum)
        stratum.best_refute = max(stratum.best_refute, stratum.refute)
        self.best_refute = max(self.best_refute, self.log_e_refute)

    def skip(self, cell: str, why: str) -> None:
        """A cell that cannot be tried, with the reason that a report gives."""
        self.strata[cell].skipped = why

    def leave_out(self, cell: str, why: str) -> None:
        """A cell that the claim does not speak about."""
        self.strata[cell].skipped, self.strata[cell].outside = why, True

    # ------------------------------------------------------------------ evidence
    def _confirm(self, count: Count) -> float:
        if self._test is None:
            return -math.inf if count.failures else -count.successes * math.log(self.kind.p1)
        return _log_e(self._test, count.successes, count.failures)[1]

    def _refute(self, stratum: Stratum, test: BinomialTest | None = None) -> float:
        """ln of a cell's evidence against the claim, or against another p₀."""
        test = self._test if test is None else test
        if test is None:
            return math.inf if any(c.failures for c in stratum.counts) else 0.0
        pool = _log_e(test, stratum.pool.successes, stratum.pool.failures)[0]
        if quantifier_of(self.kind) is not Quantifier.EVERY:
            return pool
        values = [_log_e(test, c.successes, c.failures)[0] for c in stratum.pressed.values()]
        values += [0.0] * (SLOTS - len(values))
        mean = np.logaddexp.reduce(values) - math.log(SLOTS)
        return float(np.logaddexp(pool, mean)) - math.log(2.0)

    @property
    def log_e_refute(self) -> float:
        """ln of the evidence against the claim, now: the mean over the cells. REFUTED once it has reached ln 1/α."""
        if self._test is None:
            return math.inf if self.counterexamples else 0.0
        return self._mean([s.refute for s in self.strata.values()])

    @staticmethod
    def _mean(log_values: list[float]) -> float:
        return float(np.logaddexp.reduce(log_values)) - math.log(len(log_values))

    @property
    def examined(self) -> dict[str, Stratum]:
        """The cells that count."""
        return {name: s for name, s in self.strata.items() if not s.skipped}

    @property
    def log_e_confirm(self) -> float:
        """ln of the evidence for the claim, of the worst cell that counts; CONFIRMED at ln 1/β."""
        return min((s.best_confirm for s in self.examined.values()), default=0.0)

    def undecided_slots(self, cell: str = BASE) -> list[str]:
        """Pressed configurations of a cell that still need trials."""
        return [name for name, c in self.strata[cell].pressed.items() if c.best_confirm < -math.log(self.beta)]

    # ------------------------------------------------------------------ verdicts
    def verdict_of(self, cell: str) -> Verdict:
        """What the trials of one cell say; REFUTED by the evidence of this cell alone, or where most of it comes from."""
        stratum = self.strata[cell]
        if stratum.skipped:
            return Verdict.OUT_OF_SCOPE if stratum.outside else Verdict.INCONCLUSIVE
        against = max(s.best_refute for s in self.strata.values())
        alone = stratum.best_refute >= -math.log(self.alpha)
        if self.refuted and (alone or stratum.best_refute >= against > -math.inf):
            return Verdict.REFUTED
        if len(self.strata) == 1:
            return self.verdict
        return Verdict.CONFIRMED if stratum.best_confirm >= -math.log(self.beta) else Verdict.INCONCLUSIVE

    @property
    def refuted(self) -> bool:
        if self._test is None:
            return self.counterexamples > 0
        return self.best_refute >= -math.log(self.alpha)

    @property
    def verdict(self) -> Verdict:
        """CONFIRMED, REFUTED or INCONCLUSIVE: the worst cell's. With fewer than half of the cells tried, nothing is confirmed."""
        if self.refuted:
            return Verdict.REFUTED
        enough = 2 * len(self.examined) >= sum(not s.outside for s in self.strata.values())
        if enough and self.log_e_confirm >= -math.log(self.beta):
            return Verdict.CONFIRMED
        return Verdict.INCONCLUSIVE

    # ------------------------------------------------------------------ numbers
    @property
    def pool(self) -> Count:
        """Successes and failures of the pools of all cells."""
        pools = [s.pool for s in self.strata.values()]
        return Count(sum(p.successes for p in pools), sum(p.failures for p in pools))

    @property
    def pressed(self) -> dict[str, Count]:
        """The pressed configurations of all cells."""
        return {name: c for s in self.strata.values() for name, c in s.pressed.items()}

    @property
    def trials(self) -> int:
        return sum(s.trials for s in self.strata.values())

    @property
    def successes(self) -> int:
        return sum(s.successes for s in self.strata.values())

    def bounds(self, cell: str) -> tuple[float, float]:
        """Success probability of a cell's configurations, on average: at least, at confidence 1 − β, and at most, at 1 − α.

        Both may be read at any time. The first reaches p₁ exactly when the pool is confirmed.
        """
        pool = self.strata[cell].pool
        return pool.low(self.beta), pool.high(self.alpha)

    @property
    def worst(self) -> str:
        """The cell with the smallest lower bound among those that count."""
        return min(
            self.examined,
            key=lambda name: (self.strata[name].pool.low(self.beta), self.strata[name].trials),
            default=self.cells[0],
        )

    @property
    def overall(self) -> tuple[float, float]:
        """Bounds of the mean over the cells that count, each with the same weight, from as many first trials of each.

        With one trial of every cell a round, a round's factor of the bets is at most that of the mean (the geometric mean
        is at most the arithmetic one), so the bounds hold at the end of every round.
        """
        pools = [s.pool for s in self.examined.values()]
        rounds = min((p.trials for p in pools), default=0)
        failures = sum(i < rounds for p in pools for i in p.failed)
        successes = rounds * len(pools) - failures
        return lower_bound(successes, failures, self.beta), upper_bound(successes, failures, self.alpha)

    @property
    def unseen(self) -> float:
        """q: configurations on which the claim never holds are a smaller share of those drawn, at 1 − β.

        Of the pools' trials those count that came before the first failure of a configuration that has not been seen to
        work since: up to there none was of a dead one. A share s is missed by n of them with probability (1 − s)ⁿ, whenever
        one stops; where cells differ, s is their mean weighted by the trials of each (1/Π(1 − s_c)ⁿ of a cell's trials is a
        martingale as long as none is dead).
        """
        clean = (n for n, cell, name in self.suspects if not self._works(cell, name))
        return unseen_share(next(clean, self.pool.trials), self.beta)

    def _works(self, cell: str, configuration: str) -> bool:
        count = self.strata[cell].pressed.get(configuration)
        return count is not None and count.successes > 0

    def against(self, count: Count) -> float:
        """ln of the evidence of one stream of trials against the claim."""
        return math.inf if self._test is None else _log_e(self._test, count.successes, count.failures)[0]

    @property
    def highest(self) -> float:
        """Upper bound, at 1 − α, of the smallest success probability there is: of a configuration, or of a cell's average.

        The largest x such that the evidence against "p ≥ x" everywhere, averaged as that against the claim is, stays below 1/α.
        """
        found = first_crossing(lambda x: self._against(x) >= -math.log(self.alpha), 1.0, 0.0)
        # Refuted by these bets it was below p₀ on the way, at the latest look or before.
        own = type(self).log_e_refute is not Tally.log_e_refute
        return min(found, self.kind.p0) if self.refuted and not own else found

    def _against(self, x: float) -> float:
        test = BinomialTest(p0=x, p1=x / 2, alpha=self.alpha)
        return self._mean([self._refute(s, test) for s in self.strata.values()])

    def interval(self, level: float = 0.05) -> tuple[float, float]:
        """Success probability of the pools together: an interval that may be read at any time, at confidence 1 − ``level``.

        Of one cell; of several a description only, because cells differ and their shares depend on the evidence.
        """
        pool = self.pool
        low, high = confidence_sequence(np.array([pool.successes]), np.array([pool.failures]), level)
        return float(low[0]), float(high[0])
