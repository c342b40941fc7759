"""Claims from both sides: what a law says with its constant, neither less nor more.

Two kinds. `Sharp` is for a law of a number (a rate, a constant): each trial measures it and is ok when it is near the law's.
`Exactly` is for a law of the success probability itself: the trials together have to succeed as often as it says.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from lrs.core.validate import probability, real
from property_tests.examine.claim import AtLeast, Outcome, Quantifier, Verdict
from property_tests.examine.configuration import Configuration
from property_tests.examine.tally import Count, Stratum, Tally
from theory.statistics.evidence import BinomialTest


@dataclass(frozen=True)
class Guarded(AtLeast):
    """What a law says once it has set in; counted as `AtLeast`.

    The guard (how late, how small) is a part of the statement: a trial that it excludes is `before` the regime and not counted,
    and a claim of which every trial is has no verdict but INCONCLUSIVE. The guard must not depend on the answer.
    """

    p0: float = 0.95
    p1: float = 0.70
    unsettled: ClassVar[Verdict] = Verdict.INCONCLUSIVE

    @staticmethod
    def before(why: str, values: Mapping[str, float] | None = None) -> Outcome:
        """Not counted: before the regime that the law is about."""
        return Outcome(False, math.nan, f"before the regime of the law: {why}", values or {}, in_scope=False)


@dataclass(frozen=True)
class Sharp(Guarded):
    """A trial is ok when value/law is in 1 ± ``within``."""

    within: float = 0.05

    @property
    def sentence(self) -> str:
        return f"within {100 * self.within:g} % of the law, {super().sentence}"

    def judge(self, name: str, value: float, law: float, **rest: Any) -> Outcome:
        """A measured number against the law's."""
        ratio = float(value) / float(law)
        off = abs(ratio - 1)
        ok = bool(off <= self.within)  # NaN is not
        note = "" if ok else f"{name} is {value:.4g}, {ratio:.3g} of the law's {law:.4g}"
        values = {name: float(value), "law": float(law), "ratio": ratio, **rest.pop("values", {})}
        return Outcome(ok, self.within - off if math.isfinite(off) else -math.inf, note, values, **rest)


@dataclass(frozen=True)
class Exactly:
    """The success probability of every configuration is ``law(configuration)``: neither less nor more.

    Parameters
    ----------
    law : callable
        Of a `Configuration`; a function of a module, since its name is part of what evidence is about.
    off : float
        Difference of the probabilities that the verdicts tell apart.
    error : float
        By how much the law's own numbers may be wrong (it was simulated); below ``off``.
    most : int
        Counted trials before it is INCONCLUSIVE, when the budget has fewer: 2 ln(1/α) p(1 − p)/off² decide on average.
    """

    law: Callable[[Configuration], float] = field(repr=False)
    off: float = 0.05
    error: float = 0.005
    most: int = 8000
    quantifier: ClassVar[Quantifier] = Quantifier.LAW

    def __post_init__(self) -> None:
        probability("off", self.off)
        real("error", self.error, above=0, below=self.off)

    def __repr__(self) -> str:
        name = f"{self.law.__module__}.{self.law.__qualname__}"
        return f"Exactly({name}, off={self.off}, error={self.error}, most={self.most})"

    @property
    def p0(self) -> float:
        """1 − |p − law|, at least, where the law is kept."""
        return 1 - self.error

    @property
    def p1(self) -> float:
        return 1 - self.off

    @property
    def sentence(self) -> str:
        return f"as often as the law says, told apart from {100 * self.off:g} percentage points more or less"

    def tally(self, alpha: float, beta: float) -> LawTally:
        return LawTally(self, alpha, beta)


@dataclass
class LawTally(Tally):
    """Successes against the number that a law expects, by likelihood ratios that may be looked at any time.

    Against the law: the mean of two bets, that every probability is ``off`` above the law and that it is ``off`` below; under the
    law each is a supermartingale, at whatever configuration comes next. For it: the smaller of the bets against these two.
    """

    expected: float = 0.0
    _bets: dict[int, float] = field(default_factory=lambda: {-1: 0.0, 1: 0.0})
    _for_law: dict[int, float] = field(default_factory=lambda: {-1: 0.0, 1: 0.0})

    def add(self, ok: bool, *, pressed: str | None = None, cell: str = "", configuration: str = "") -> None:
        """Count a trial of this configuration."""
        kind: Any = self.kind
        law = float(kind.law(Configuration.parse(configuration)))
        self.expected += law
        for side in (-1, 1):
            broken = law + side * kind.off
            self._bets[side] += _gain(ok, broken, law + side * kind.error)
            self._for_law[side] += _gain(ok, law, broken)
        super().add(ok, cell=cell, configuration=configuration)

    def _confirm(self, count: Count) -> float:
        return min(self._for_law.values())

    def _refute(self, stratum: Stratum, test: BinomialTest | None = None) -> float:
        low, high = sorted(self._bets.values())
        return high + math.log1p(math.exp(low - high)) - math.log(2)

    @property
    def sentence(self) -> str:
        """Counts beside the law's."""
        return (
            f"{self.pool.successes} of {self.pool.trials} trials succeeded, where the law expects {self.expected:.1f}"
        )


def _gain(ok: bool, p: float, q: float) -> float:
    """ln of the likelihood of an outcome under p over that under q, both kept off 0 and 1 by 1e-3.

    That keeps the bets valid: where p and q are cut alike the outcome says nothing, and a q that is moved towards p only makes
    the bet against it smaller.
    """
    p, q = (min(max(x, 1e-3), 1 - 1e-3) for x in (p, q))
    return math.log(p / q) if ok else math.log((1 - p) / (1 - q))
