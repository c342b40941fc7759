"""Sequential evidence about a success probability: both error rates controlled, however often one looks.

The question is always "does P(success) ≥ p₀ hold?", with a tolerated alternative p₁ < p₀. Two truncated beta-binomial
mixtures accumulate evidence, one against p ≥ p₀ and one against p ≤ p₁; each is a non-negative supermartingale of
mean ≤ 1 under what it argues against, so by Ville's inequality it exceeds 1/α with probability at most α *at any time*.
Nothing here is simulated: operating characteristics come from exact dynamic programming.

Sources: Ville (1939); Wald, *Sequential Analysis* (1947); Robbins (1970) for mixtures; Wang & Ramdas, *False discovery
rate control with e-values* (2022) for e-BH. The truncation of the mixture is derived [D]: a mixture over p < p₀ only of
likelihood ratios against p₀ is a supermartingale for every p ≥ p₀, because each ratio falls with every success.
"""

from __future__ import annotations

import enum
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Bool
from scipy import special

from lrs.core.errors import InvalidInput
from lrs.core.validate import integer, probability, real

#: One value per broadcast entry: a NumPy scalar for scalar counts.
Values: TypeAlias = np.ndarray | np.float64

#: Probability left undecided below which the dynamic programme stops looking.
_NEGLIGIBLE = 1e-14


class EvidenceVerdict(enum.Enum):
    """What the evidence says about "P(success) ≥ p₀"."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"

    @property
    def sentence(self) -> str:
        """One full sentence for people."""
        return _SENTENCES[self]


_SENTENCES = {
    EvidenceVerdict.CONFIRMED: "The success probability exceeds the tolerated alternative p1.",
    EvidenceVerdict.REFUTED: "The success probability is below the claimed p0.",
    EvidenceVerdict.INCONCLUSIVE: "The trials so far decide neither way; run more of them.",
}


class OperatingCharacteristics(NamedTuple):
    """What a sequential test does when every trial succeeds with probability ``p``; exact, not simulated.

    Attributes
    ----------
    p : float
        Success probability of a trial.
    asn : float
        Average sample number: mean number of trials until a verdict (or the budget).
    q99 : int
        99th percentile of that number.
    refute, confirm, inconclusive : float
        Probabilities of the three verdicts; ``inconclusive`` is the probability of meeting the budget undecided.
    truncation : int
        No run takes more trials than this: where the region of indecision closes, or the budget.
    """

    p: float
    asn: float
    q99: int
    refute: float
    confirm: float
    inconclusive: float
    truncation: int


class _Boundaries(NamedTuple):
    """For n = 0 … N trials: REFUTED iff s ≤ refute[n], else CONFIRMED iff s ≥ confirm[n]."""

    refute: np.ndarray
    confirm: np.ndarray


def _counts(s: Any, f: Any) -> tuple[np.ndarray, np.ndarray]:
    s, f = np.asarray(s, dtype=np.float64), np.asarray(f, dtype=np.float64)
    for name, values in (("s", s), ("f", f)):
        if not np.all((values >= 0) & (values == np.floor(values)) & np.isfinite(values)):
            raise InvalidInput(f"{name}: expected counts (integers ≥ 0), got {values!r}")
    return s, f


def log_incomplete_beta(x: float, a: Any, b: Any) -> np.ndarray:
    """ln ∫₀ˣ u^{a−1} (1−u)^{b−1} du, also where the integral underflows.

    Where `scipy.special.betainc` is representable its logarithm is taken. Elsewhere x lies far below the mode, which is
    where the classical continued fraction (DLMF 8.17.22), taken out of the prefactor x^a (1−x)^b / a, converges fast.

    Parameters
    ----------
    x : float in (0, 1)
    a, b : array_like
        Positive, broadcast against each other.
    """
    a, b = np.broadcast_arrays(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64))
    regular = special.betainc(a, b, x)
    with np.errstate(divide="ignore"):
        out = np.asarray(np.log(regular) + special.betaln(a, b))
    tiny = regular < 1e-280
    if tiny.any():
        out[tiny] = (
            a[tiny] * math.log(x)
            + b[tiny] * math.log1p(-x)
            - np.log(a[tiny])
            + np.log(_beta_fraction(x, a[tiny], b[tiny]))
        )
    return out


def _beta_fraction(x: float, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Continued fraction of the incomplete beta function by the modified Lentz scheme."""
    smallest = 1e-300
    d = 1 - (a + b) * x / (a + 1)
    d = 1 / np.where(np.abs(d) < smallest, smallest, d)
    c, value = np.ones_like(a), d.copy()
    for j in range(1, 500):
        even = j * (b - j) * x / ((a + 2 * j - 1) * (a + 2 * j))
        odd = -(a + j) * (a + b + j) * x / ((a + 2 * j) * (a + 2 * j + 1))
        for numerator in (even, odd):
            d = 1 + numerator * d
            d = 1 / np.where(np.abs(d) < smallest, smallest, d)
            c = 1 + numerator / c
            c = np.where(np.abs(c) < smallest, smallest, c)
            value *= d * c
        if np.all(np.abs(d * c - 1) < 1e-15):
            break
    return value


class _SequentialTest(ABC):
    """What every sequential test of "P(success) ≥ p₀" shares: verdicts and exact operating characteristics."""

    @abstractmethod
    def _refutes(self, s: np.ndarray, f: np.ndarray) -> Any: ...

    @abstractmethod
    def _confirms(self, s: np.ndarray, f: np.ndarray) -> Any: ...

    def verdict(self, s: int, f: int) -> EvidenceVerdict:
        """Verdict after ``s`` successes and ``f`` failures.

        When both statements are proved (p₁ < p < p₀ and very many trials) the claim p ≥ p₀ is false: REFUTED.
        """
        s_, f_ = _counts(s, f)
        if self._refutes(s_, f_):
            return EvidenceVerdict.REFUTED
        return EvidenceVerdict.CONFIRMED if self._confirms(s_, f_) else EvidenceVerdict.INCONCLUSIVE

    def _boundaries(self, n: int) -> _Boundaries:
        """Decision boundaries for 0 … n trials, by bisection over s at all n at once (both rules are monotone in s)."""
        trials = np.arange(n + 1, dtype=np.float64)
        boundaries = []
        for decides, sign in ((self._refutes, 1), (self._confirms, -1)):
            # Invariant: decides at `inside`, does not at `outside`, seen from the end where it decides first.
            inside, outside = (np.full(n + 1, -1.0), trials + 1) if sign > 0 else (trials + 1, np.full(n + 1, -1.0))
            while np.any(np.abs(outside - inside) > 1):
                middle = np.floor((inside + outside) / 2)
                s = np.clip(middle, 0, trials)
                there = np.where(np.abs(outside - inside) > 1, decides(s, trials - s), False)
                open_ = np.abs(outside - inside) > 1
                inside = np.where(open_ & there, middle, inside)
                outside = np.where(open_ & ~there, middle, outside)
            boundaries.append(inside.astype(np.int64))
        return _Boundaries(*boundaries)

    def operating_characteristics(self, p: float, budget: int | None = None) -> OperatingCharacteristics:
        """Exact operating characteristics at success probability ``p``, looking after every trial.

        Parameters
        ----------
        p : float in [0, 1]
        budget : int, optional
            Largest number of trials. Default: until a verdict is certain (or all but certain, to 1e-14).

        Returns
        -------
        OperatingCharacteristics
        """
        real("p", p, least=0, most=1, what="a probability")
        if budget is not None:
            integer("budget", budget, least=1, expected="at least 1 trial")
        horizon = 1024 if budget is None else budget
        table = _boundaries_of(self, horizon)
        mass = np.ones(1)  # P(undecided with low + j successes)
        low, n = 0, 0
        refute = confirm = asn = 0.0
        q99 = 0
        while len(mass) and (budget is None or n < budget):
            alive = float(mass.sum())
            if budget is None and alive < _NEGLIGIBLE:
                break
            if alive > 0.01:
                q99 = n + 1
            asn += alive
            n += 1
            if n > horizon:
                horizon *= 2
                table = _boundaries_of(self, horizon)
            step = np.zeros(len(mass) + 1)
            step[:-1] = mass * (1 - p)
            step[1:] += mass * p
            below = min(max(int(table.refute[n]) - low + 1, 0), len(step))  # entries with s ≤ refute[n]
            above = max(min(int(table.confirm[n]) - low, len(step)), below)  # first entry with s ≥ confirm[n]
            refute += float(step[:below].sum())
            confirm += float(step[above:].sum())
            mass, low = step[below:above], low + below
        return OperatingCharacteristics(float(p), asn, q99, refute, confirm, float(mass.sum()), n)


@lru_cache(maxsize=64)
def _boundaries_of(test: _SequentialTest, n: int) -> _Boundaries:
    return test._boundaries(n)


@dataclass(frozen=True)
class BinomialTest(_SequentialTest):
    """Anytime-valid test of "P(success) ≥ p₀" against the tolerated p₁, by two truncated beta-binomial e-processes.

    After s successes and f failures, with the Beta(a, b) mixture cut to p < p₀ or to p > p₁,

    - E_refute  = [B(a+s, b+f) I_{p₀}(a+s, b+f)] / [B(a, b) I_{p₀}(a, b)] / (p₀ˢ (1−p₀)ᶠ) argues against every p ≥ p₀;
    - E_confirm = [B(a+s, b+f) (1 − I_{p₁}(a+s, b+f))] / [B(a, b) (1 − I_{p₁}(a, b))] / (p₁ˢ (1−p₁)ᶠ) against every p ≤ p₁.

    Parameters
    ----------
    p0, p1 : float
        Claimed success probability and the alternative that must not be confirmed; 0 < p₁ < p₀ < 1. Defaults .95 / .80.
    alpha : float
        Bound on P(REFUTED) for every p ≥ p₀. Default 1e-6: forty properties a day for a year give 1.4 % of one false alarm.
    beta : float
        Bound on P(CONFIRMED) for every p ≤ p₁. Default 1e-3.
    a, b : float
        Parameters of the mixture, ½ and ½ by default (Jeffreys).

    Raises
    ------
    InvalidInput
        When a parameter is outside its range.

    Examples
    --------
    >>> test = BinomialTest()
    >>> test.verdict(37, 0), test.verdict(36, 0), test.verdict(0, 6)
    (<EvidenceVerdict.CONFIRMED: 'confirmed'>, <EvidenceVerdict.INCONCLUSIVE: 'inconclusive'>, <EvidenceVerdict.REFUTED: 'refuted'>)
    """

    p0: float = 0.95
    p1: float = 0.80
    alpha: float = 1e-6
    beta: float = 1e-3
    a: float = 0.5
    b: float = 0.5

    def __post_init__(self) -> None:
        _check_rates(self)
        for name in ("a", "b"):
            real(name, getattr(self, name), above=0, what="a mixture parameter")

    def log_e_refute(self, s: Any, f: Any) -> Values:
        """ln E_refute after ``s`` successes and ``f`` failures (arrays broadcast); finite for any number of trials."""
        s, f = _counts(s, f)
        prior = log_incomplete_beta(self.p0, self.a, self.b)
        return (
            log_incomplete_beta(self.p0, self.a + s, self.b + f)
            - prior
            - s * math.log(self.p0)
            - f * math.log1p(-self.p0)
        )

    def log_e_confirm(self, s: Any, f: Any) -> Values:
        """ln E_confirm after ``s`` successes and ``f`` failures (arrays broadcast); finite for any number of trials."""
        s, f = _counts(s, f)
        # 1 − I_x(a, b) = I_{1−x}(b, a): the mirrored integral keeps its digits where the complement would cancel.
        prior = log_incomplete_beta(1 - self.p1, self.b, self.a)
        return (
            log_incomplete_beta(1 - self.p1, self.b + f, self.a + s)
            - prior
            - s * math.log(self.p1)
            - f * math.log1p(-self.p1)
        )

    def _refutes(self, s: np.ndarray, f: np.ndarray) -> Any:
        return self.log_e_refute(s, f) >= -math.log(self.alpha)

    def _confirms(self, s: np.ndarray, f: np.ndarray) -> Any:
        return self.log_e_confirm(s, f) >= -math.log(self.beta)


@dataclass(frozen=True)
class WaldSPRT(_SequentialTest):
    """Wald's sequential probability ratio test of p₀ against p₁, for comparison; thresholds 1/α and 1/β.

    It needs fewer trials when p is near p₀ or p₁ and more when p is near 0 or 1, where programs live.
    Parameters as in `BinomialTest`.
    """

    p0: float = 0.95
    p1: float = 0.80
    alpha: float = 1e-6
    beta: float = 1e-3

    def __post_init__(self) -> None:
        _check_rates(self)

    def log_likelihood_ratio(self, s: Any, f: Any) -> Values:
        """ln of the likelihood of p₁ over that of p₀."""
        s, f = _counts(s, f)
        return s * math.log(self.p1 / self.p0) + f * (math.log1p(-self.p1) - math.log1p(-self.p0))

    def _refutes(self, s: np.ndarray, f: np.ndarray) -> Any:
        return self.log_likelihood_ratio(s, f) >= -math.log(self.alpha)

    def _confirms(self, s: np.ndarray, f: np.ndarray) -> Any:
        return self.log_likelihood_ratio(s, f) <= math.log(self.beta)


def _check_rates(test: BinomialTest | WaldSPRT) -> None:
    for name in ("p0", "p1", "alpha", "beta"):
        probability(name, getattr(test, name))
    if test.p1 >= test.p0:
        raise InvalidInput(f"p1: the tolerated alternative must lie below p0 = {test.p0}, got {test.p1}")


def zero_failure_trials(delta: float, beta: float) -> int:
    """Trials that, all successful, show P(success) > 1 − δ with error at most β: n = ⌈ln β / ln(1 − δ)⌉.

    For a number of trials fixed beforehand and looked at once.

    Examples
    --------
    >>> [zero_failure_trials(0.05, beta) for beta in (5e-2, 1e-2, 1e-3, 1e-6)]
    [59, 90, 135, 270]
    """
    probability("delta", delta)
    probability("beta", beta)
    return math.ceil(math.log(beta) / math.log1p(-delta))


def confidence_sequence(
    s: Any, f: Any, alpha: float = 0.05, a: float = 0.5, b: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """Interval for the success probability that may be looked at after every trial.

    The interval is {p : B(a+s, b+f) / B(a, b) / (pˢ (1−p)ᶠ) < 1/α}: with probability at least 1 − α it holds the true p
    at *all* times, so the intersection over the times looked at does too (Robbins 1970).

    Parameters
    ----------
    s, f : array_like of int
        Successes and failures; arrays broadcast, e.g. cumulative counts.
    alpha : float
    a, b : float
        Beta mixture.

    Returns
    -------
    low, high : arrays
    """
    probability("alpha", alpha)
    s, f = np.broadcast_arrays(*_counts(s, f))
    log_mixture = special.betaln(a + s, b + f) - special.betaln(a, b) + math.log(alpha)

    def inside(p: Any) -> Any:
        return special.xlogy(s, p) + special.xlog1py(f, -p) > log_mixture

    mode = np.where(s + f > 0, s / np.maximum(s + f, 1), 0.5)
    bounds = []
    for end in (0.0, 1.0):
        out, in_ = np.full(s.shape, end), mode.copy()
        reached = inside(out)  # only without successes (failures) is the likelihood positive at 0 (at 1)
        for _ in range(60):
            middle = (out + in_) / 2
            ok = inside(middle)
            in_, out = np.where(ok, middle, in_), np.where(ok, out, middle)
        bounds.append(np.where(reached, end, out))
    return bounds[0], bounds[1]


@lru_cache(maxsize=100_000)
def lower_bound(s: int, f: int, beta: float) -> float:
    """Lower bound for the success probability that may be looked at after every trial, at confidence 1 − ``beta``.

    The smallest x that `BinomialTest` does not exclude: E_confirm for p₁ = x stays below 1/β. So a claim is CONFIRMED
    exactly when this bound reaches its p₁, and P(bound > p at any time) ≤ P(E_confirm for p₁ = p ever ≥ 1/β) ≤ β.

    Parameters
    ----------
    s, f : int
        Successes and failures.
    beta : float

    Examples
    --------
    >>> lower_bound(37, 0, 1e-3) >= 0.8 > lower_bound(36, 0, 1e-3)
    True
    """
    probability("beta", beta)

    def excluded(x: float) -> bool:
        return bool(BinomialTest(p0=(1 + x) / 2, p1=x, beta=beta).log_e_confirm(s, f) >= -math.log(beta))

    return first_crossing(excluded, 0.0, 1.0)


@lru_cache(maxsize=100_000)
def upper_bound(s: int, f: int, alpha: float) -> float:
    """Upper bound for the success probability, as `lower_bound`: REFUTED when it falls below a claim's p₀."""
    probability("alpha", alpha)

    def excluded(x: float) -> bool:
        return bool(BinomialTest(p0=x, p1=x / 2, alpha=alpha).log_e_refute(s, f) >= -math.log(alpha))

    return first_crossing(excluded, 1.0, 0.0)


def first_crossing(excluded: Callable[[float], bool], start: float, end: float) -> float:
    """Where exclusion ends, going from ``start``; to 1e-6, rounded towards ``start``."""
    steps = np.linspace(start, end, 33)[1:-1]
    last = start
    for x in steps:  # the excluded set may have holes further on: only what is connected with the start counts
        if not excluded(float(x)):
            break
        last = float(x)
    low, high = last, last + (end - start) / 32
    while abs(high - low) > 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if excluded(middle) else (low, middle)
    return low


def unseen_share(n: int, beta: float) -> float:
    """Share q of the configurations such that those that never work, at a share ≥ q, had shown themselves in n, at 1 − β.

    q = 1 − β^{1/n}: a share s is missed by the first n(s) = ln β / ln(1 − s) draws with probability (1 − s)^{n(s)} = β,
    and whenever one stops, q ≤ s needs n ≥ n(s).

    Examples
    --------
    >>> round(unseen_share(688, 1e-3), 4)
    0.01
    """
    return 1.0 if n <= 0 else -math.expm1(math.log(beta) / n)


def e_bh(log_e: Any, alpha: float = 0.05) -> Bool[np.ndarray, " n"]:
    """Which of n hypotheses to reject with false-discovery rate at most ``alpha``, whatever their dependence.

    The e-BH procedure: reject the k* largest e-values, k* = max{k : e_(k) ≥ n / (α k)}.

    Parameters
    ----------
    log_e : (n,) array_like
        Logarithms of the e-values, one per hypothesis (−inf and +inf allowed).
    alpha : float

    Returns
    -------
    (n,) boolean array
    """
    probability("alpha", alpha)
    log_e = np.atleast_1d(np.asarray(log_e, dtype=np.float64))
    if log_e.ndim != 1 or np.isnan(log_e).any():
        raise InvalidInput("log_e: expected one number per hypothesis, none of them NaN")
    n = len(log_e)
    order = np.argsort(-log_e, kind="stable")
    enough = log_e[order] >= math.log(n / alpha) - np.log(np.arange(1, n + 1)) if n else np.zeros(0, dtype=bool)
    rejected = np.zeros(n, dtype=bool)
    if enough.any():
        rejected[order[: np.flatnonzero(enough)[-1] + 1]] = True
    return rejected


@dataclass(frozen=True)
class Design:
    """How many trials a test of "P(success) ≥ p₀" takes.

    Attributes
    ----------
    test : BinomialTest
    budget : int
        Smallest number of trials within which the verdict falls with probability ≥ 1 − ``undecided`` at p₁, at p₀ and
        at 1.
    undecided : float
    characteristics : tuple of OperatingCharacteristics
        At p = 1, p₀, p₁ and 0, with that budget.
    """

    test: BinomialTest
    budget: int
    undecided: float
    characteristics: tuple[OperatingCharacteristics, ...] = field(repr=False)

    def __str__(self) -> str:
        test = self.test
        lines = [
            f"P(success) ≥ {test.p0:g} against {test.p1:g}, false refutation ≤ {test.alpha:g}, "
            f"false confirmation ≤ {test.beta:g}",
            f"budget: {self.budget} trials (undecided with probability ≤ {self.undecided:g} at p1, p0 and 1)",
            "     p     mean   99 %   P(REFUTED)  P(CONFIRMED)",
        ]
        lines += [
            f"{c.p:6g} {c.asn:8.1f} {c.q99:6d}   {c.refute:10.2g}  {c.confirm:12.2g}" for c in self.characteristics
        ]
        return "\n".join(lines)


def design(
    p0: float = 0.95, p1: float = 0.80, alpha: float = 1e-6, beta: float = 1e-3, undecided: float = 1e-3
) -> Design:
    """How many trials for these error rates.

    Parameters
    ----------
    p0, p1, alpha, beta : float
        As in `BinomialTest`.
    undecided : float
        Tolerated probability of spending the whole budget without a verdict.

    Returns
    -------
    Design
        Prints as a table.
    """
    test = BinomialTest(p0, p1, alpha, beta)
    probability("undecided", undecided)
    low, high = 0, 1

    def enough(n: int) -> bool:
        return all(test.operating_characteristics(p, n).inconclusive <= undecided for p in (p1, p0, 1.0))

    while not enough(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    rows = tuple(test.operating_characteristics(p, high) for p in (1.0, p0, p1, 0.0))
    return Design(test, high, undecided, rows)
