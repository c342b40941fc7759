"""Which law a trace of errors follows, with its constant and where it was read: C ρ^t, C/t, C/t², C exp(−c t^p), ….

The certificate (`theory.statistics.rates`) decides between geometric, faster, slower and none; a slower trace is a power law or a
stretched exponential, whichever fits better by more than `DECIDES` (2 ln likelihood). A power law C/(t + c)^q keeps its offset c, and
is called 1/T or 1/T² when that whole number is the only one within `SLACK` of the interval of q; its constant is then read with it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

from theory.statistics import shapes
from theory.statistics.rates import BURN_IN, FEWEST, ORDER, STRETCHED, RateCertificate, RateVerdict, Reason, certify

#: By how much (2 ln likelihood) a power law or a stretched exponential has to fit better than the other.
DECIDES = 9.0
#: Laws are not exact before the end: a logarithm beside T moves an order by a few hundredths.
SLACK = 0.05
#: Orders that have a name.
_NAMES = {1: "1/T", 2: "1/T²"}


class Number(NamedTuple):
    """An estimate and its 99 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4g} in [{self.low:.4g}, {self.high:.4g}]"


@dataclass(frozen=True)
class TraceLaw:
    """The law of a trace.

    Attributes
    ----------
    name : str
        ``geometric``, ``1/T``, ``1/T²``, ``power law``, ``stretched exponential``, ``faster than geometric``, ``standing still`` or
        ``undecided``.
    formula : str
        With the symbols of ``numbers``.
    numbers : mapping of str to Number
    start, stop : int
        First and last iteration that it was read from.
    """

    name: str
    formula: str = ""
    numbers: Mapping[str, Number] = field(default_factory=dict)
    start: int = 0
    stop: int = 0

    @property
    def sentence(self) -> str:
        """The law in words."""
        if not self.formula:
            return self.name
        numbers = ", ".join(f"{name} = {number}" for name, number in self.numbers.items())
        return f"{self.name}: e_t ≈ {self.formula} with {numbers}, from iterations {self.start} to {self.stop}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "numbers": {n: list(v) for n, v in self.numbers.items()}, "sentence": self.sentence}


def law_of(trace: Any, certificate: RateCertificate | None = None, **options: Any) -> TraceLaw:
    """The law of a trace.

    Parameters
    ----------
    trace : (T + 1,) array_like
        Non-negative errors, one per iteration.
    certificate : RateCertificate, optional
        That of the same trace; default: `theory.statistics.rates.certify` with ``options``.

    Returns
    -------
    TraceLaw
    """
    e = np.asarray(trace, dtype=float)
    c = certify(e, **options) if certificate is None else certificate
    if c.verdict is RateVerdict.STALLED:
        return TraceLaw("standing still")
    if c.verdict is RateVerdict.SUBLINEAR:
        return _slow(e, c.start, c.stop)
    if c.reason is Reason.PLATEAU:  # the drop by itself
        after = e[c.plateau : c.stop + 1]
        if len(after) >= FEWEST:
            drop = certify(after, min_decades=c.decades / 2)
            c = replace(drop, start=drop.start + c.plateau, stop=drop.stop + c.plateau)
    geometric = c.verdict.linear or (c.verdict is RateVerdict.TOO_SLOW and c.exponent_interval[0] > STRETCHED)
    where = {"start": c.start, "stop": c.stop}
    if geometric:
        t = np.arange(c.start, c.stop + 1)
        y = np.log(e[c.start : c.stop + 1])
        first = [math.exp(float(np.mean(y - t * math.log(rate)))) for rate in (c.rate, *c.rate_interval)]
        numbers = {"ρ": Number(c.rate, *c.rate_interval), "C": Number(first[0], *sorted(first[1:]))}
        return TraceLaw("geometric", "C ρ^t", numbers, **where)
    if c.verdict is RateVerdict.SUPERLINEAR:
        return TraceLaw(
            "faster than geometric", "C exp(−c t^p)", {"p": Number(c.exponent, *c.exponent_interval)}, **where
        )
    return TraceLaw("undecided")


def _slow(e: Float[np.ndarray, " n"], start: int, stop: int) -> TraceLaw:
    """A power law or a stretched exponential; a start that neither explains is left out."""
    found = []
    for share in (0.0, *BURN_IN):
        first = start + math.ceil(share * (stop - start))
        if stop + 1 - first < max(FEWEST, 10):
            break
        law, misfit = _slow_from(e, first, stop)
        if law.formula:
            found.append((law, misfit))
    enough = max(1.2 * min((m for _, m in found), default=0.0), shapes.LEAST_JITTER / 10)
    return next((law for law, misfit in found if misfit <= enough), TraceLaw("undecided"))


def _slow_from(e: Float[np.ndarray, " n"], first: int, stop: int) -> tuple[TraceLaw, float]:
    """The law of this stretch, and the jitter about it."""
    t, y = np.arange(first, stop + 1, dtype=float), np.log(np.maximum(e[first : stop + 1], 1e-300))
    s = shapes.fit(y, first, stretched=STRETCHED, power=ORDER)
    power = s.evidence["stretched exponential"] - s.evidence["power law"]
    if power < -DECIDES:
        p = Number(s.exponent, *s.exponent_interval)
        b = -np.polyfit(t**p.value, y, 1)[0]
        ends = sorted(-float(np.polyfit(t**q, y, 1)[0]) for q in s.exponent_interval)
        numbers = {"p": p, "c": Number(float(b), ends[0], ends[1])}
        return TraceLaw("stretched exponential", "C exp(−c t^p)", numbers, first, stop), _misfit(y, t**p.value)
    if power <= DECIDES:
        return TraceLaw("undecided"), math.inf
    q, offset = _order(y, t, s)
    whole = [n for n in range(1, math.floor(q.high + SLACK) + 1) if q.low - SLACK <= n <= q.high + SLACK]
    numbers = {"q": q}
    name, formula = "power law", "C/(t + c)^q"
    if len(whole) == 1 and whole[0] in _NAMES:
        name, formula = _NAMES[whole[0]], "C/(t + c)" + ("" if whole[0] == 1 else "²")
        late = len(t) // 2  # what else there is at first has died out
        numbers = {"C": _constant(e[first + late : stop + 1], t[late:], whole[0], s, _width(len(t))), **numbers}
    return TraceLaw(name, formula, numbers, first, stop), _misfit(y, np.log(t + offset))


def _misfit(y: Float[np.ndarray, " n"], f: Float[np.ndarray, " n"]) -> float:
    """Standard deviation of ln e about a − b f."""
    return float(np.std(y - np.polyval(np.polyfit(f, y, 1), f)))


def _order(y: Float[np.ndarray, " n"], t: Float[np.ndarray, " n"], s: shapes.Shapes) -> tuple[Number, float]:
    """q of a − q ln(t + c), by its profile over the offset c, and the best c."""
    offsets = np.geomspace(1e-4, 1e3, 281) * t[-1] - t[0]
    f = np.log(t + offsets[:, None])
    x, centred = f - f.mean(axis=1, keepdims=True), y - y.mean()
    slope = -(x @ centred) / (x * x).sum(axis=1)
    rss = ((centred + slope[:, None] * x) ** 2).sum(axis=1)
    # The jitter is that of blocks, and of n correlated ones n(1 − φ)/(1 + φ) count.
    effective = (1 - s.correlation) / (1 + s.correlation) / _width(len(y))
    excess = (rss - rss.min()) * effective / s.jitter**2
    inside = slope[excess <= float(stats.t.ppf(1 - shapes.LEVEL / 2, max(len(y) - 3, 1))) ** 2]
    best = int(np.argmin(rss))
    return Number(float(slope[best]), float(inside.min()), float(inside.max())), float(offsets[best])


def _width(n: int) -> int:
    """Errors to a block, of which `theory.statistics.shapes` took the mean."""
    return -(-n // shapes.BLOCKS)


def _constant(e: Float[np.ndarray, " n"], t: Float[np.ndarray, " n"], q: int, s: shapes.Shapes, width: int) -> Number:
    """C of C/(t + c)^q: e^{−1/q} is a line in t of slope C^{−1/q}, with errors in proportion to itself."""
    z = e ** (-1 / q)
    level = np.polyval(np.polyfit(t, z, 1), t)  # not z itself: weights that know the errors are biased
    (slope, _), covariance = np.polyfit(t, z, 1, w=1 / np.maximum(level, z.min()), cov="unscaled")
    few = width * (1 + s.correlation) / (1 - s.correlation)
    error = s.jitter / q * math.sqrt(float(covariance[0, 0]) * few) * float(stats.norm.ppf(1 - shapes.LEVEL / 2))
    low, high = slope + error, slope - error
    return Number(float(slope) ** -q, float(low) ** -q, float(high) ** -q if high > 0 else math.inf)


def late_rate(errors: Float[np.ndarray, " n"], high: float, low: float, share: float = 0.0) -> float:
    """Rate per step of the geometric end of a trace: minus the slope of ln e_t between two levels of the error.

    Parameters
    ----------
    errors : (T + 1,) ndarray
    high, low : float
        Only errors between them are used, from the first one that is below ``high`` on and up to the first one below ``low``.
    share : float
        Share of these steps that is left out at their beginning.

    Returns
    -------
    float
        NaN when fewer than five steps are left.
    """
    e = np.asarray(errors, dtype=float)
    if not len(e) or not np.isfinite(e).all():
        return math.nan
    start = int(np.argmax(e < high)) if (e < high).any() else len(e)
    stop = int(np.argmax(e < low)) if (e < low).any() else len(e)
    start += int(share * max(stop - start, 0))
    if stop - start < 5:
        return math.nan
    t = np.arange(start, stop)
    return float(-np.polyfit(t, np.log(e[start:stop]), 1)[0])
