"""From counted trials to a verdict on one claim, at the promised error rates.

Two streams of trials are counted. The *pool* tries configurations as the claim's strategy proposes them. The *pressed*
configurations are the ones that failed once: each gets trials of its own, so that a solver that works on nearly
everything and never on one kind of instance does not hide in the average.

The pool's e-value and those of `SLOTS` pressed configurations are averaged with fixed weights; a mean of e-values is an
e-value whatever their dependence, so REFUTED keeps the rate α. CONFIRMED asks the pool and every pressed configuration
to be confirmed (an intersection, which can only lower β). Which configuration comes next may depend on everything seen
so far; the data of a trial may not, and does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from property_tests.examine.claim import Kind, Verdict
from theory.statistics.evidence import BinomialTest, confidence_sequence

#: Pressed configurations; each holds an equal share of half of the evidence, also while unused.
SLOTS = 3


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

    @property
    def trials(self) -> int:
        return self.successes + self.failures


@dataclass
class Tally:
    """What the trials of one claim say; a kind that needs another count brings a subclass (`Tally.of`).

    Parameters
    ----------
    kind : Kind
    alpha, beta : float
        Bounds on the probabilities of a false REFUTED and a false CONFIRMED.
    """

    kind: Kind
    alpha: float = 1e-6
    beta: float = 1e-3
    pool: Count = field(default_factory=Count)
    pressed: dict[str, Count] = field(default_factory=dict)
    counterexamples: int = 0
    best_refute: float = 0.0

    def __post_init__(self) -> None:
        self._test = (
            None if self.at_once else BinomialTest(self.kind.p0, self.kind.p1, alpha=self.alpha, beta=self.beta)
        )

    @classmethod
    def of(cls, kind: Kind, alpha: float, beta: float) -> Tally:
        """What counts the trials of a kind: its own ``tally(alpha, beta)``, or a plain one."""
        own = getattr(kind, "tally", None)
        return cls(kind, alpha, beta) if own is None else own(alpha, beta)

    @property
    def at_once(self) -> bool:
        """Whether one counterexample refutes."""
        return self.kind.p0 >= 1

    def press(self, configuration: str) -> bool:
        """Give a configuration a slot of its own; False when all are taken (or one counterexample decides)."""
        if self._test is None or configuration in self.pressed or len(self.pressed) >= SLOTS:
            return False
        self.pressed[configuration] = Count()
        return True

    def add(self, ok: bool, *, pressed: str | None = None) -> None:
        """Count a trial of the pool, or of a pressed configuration."""
        count = self.pool if pressed is None else self.pressed[pressed]
        count.successes += ok
        count.failures += not ok
        self.counterexamples += not ok
        # Ville: what matters is the largest value on the way, so that stopping at any time is allowed.
        count.best_confirm = max(count.best_confirm, self._confirm(count))
        self.best_refute = max(self.best_refute, self.log_e_refute)

    def _confirm(self, count: Count) -> float:
        if self._test is None:
            return -math.inf if count.failures else -count.successes * math.log(self.kind.p1)
        return _log_e(self._test, count.successes, count.failures)[1]

    @property
    def log_e_refute(self) -> float:
        """ln of the evidence against the claim, now; REFUTED once it has reached ln 1/α."""
        if self._test is None:
            return math.inf if self.counterexamples else 0.0
        values = [_log_e(self._test, c.successes, c.failures)[0] for c in self.pressed.values()]
        values += [0.0] * (SLOTS - len(values))
        mean = np.logaddexp.reduce(values) - math.log(SLOTS)
        pool = _log_e(self._test, self.pool.successes, self.pool.failures)[0]
        return float(np.logaddexp(pool, mean)) - math.log(2.0)

    @property
    def log_e_confirm(self) -> float:
        """ln of the evidence for the claim (the smallest of the pool's and the pressed ones'); CONFIRMED at ln 1/β."""
        return min(c.best_confirm for c in (self.pool, *self.pressed.values()))

    @property
    def undecided_slots(self) -> list[str]:
        """Pressed configurations that still need trials."""
        return [name for name, c in self.pressed.items() if c.best_confirm < -math.log(self.beta)]

    @property
    def verdict(self) -> Verdict:
        """CONFIRMED, REFUTED or INCONCLUSIVE."""
        if self._test is None and self.counterexamples:
            return Verdict.REFUTED
        if self._test is not None and self.best_refute >= -math.log(self.alpha):
            return Verdict.REFUTED
        if self.log_e_confirm >= -math.log(self.beta):
            return Verdict.CONFIRMED
        return Verdict.INCONCLUSIVE

    @property
    def trials(self) -> int:
        return self.pool.trials + sum(c.trials for c in self.pressed.values())

    @property
    def successes(self) -> int:
        return self.pool.successes + sum(c.successes for c in self.pressed.values())

    def interval(self, level: float = 0.05) -> tuple[float, float]:
        """Success probability in the pool: an interval that may be read at any time, at confidence 1 − ``level``."""
        low, high = confidence_sequence(np.array([self.pool.successes]), np.array([self.pool.failures]), level)
        return float(low[0]), float(high[0])
