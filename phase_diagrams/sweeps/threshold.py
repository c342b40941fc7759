"""Where a success probability crosses one half: a curve with a lapse, and a profile-likelihood interval of that level.

The model is P(success at x) = γ + (1 − γ − λ) F((x − c)/s), F logistic or standard normal: λ is the lapse, the share that fails
however easy the problem is, and γ a guess rate, which is 0 unless the data ask for one. What is looked for is the level x₅₀
where P is one half, in absolute terms: with λ = 0.1 that is where F = 5/9, and with λ ≥ ½ there is none. An
observation is what one replicate says about its own critical level x*: a success at x says x* ≤ x, a failure says x* > x, and
a bisection that failed at a and succeeded at b says a < x* ≤ b. All three are intervals (lo, hi], with probability
P(hi) − P(lo), where x* = ∞ has probability λ and x* = −∞ has γ; so one likelihood serves independent trials and nested ones.

A lapse makes the likelihood neither concave nor, at a fixed x₅₀, free of second peaks; all maxima are looked for from a grid of
starts, and the interval is the hull of what the profile likelihood does not exclude, x₅₀ = ±∞ included.
"""

from __future__ import annotations

import enum
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numba import njit
from scipy import optimize, special, stats

from lrs.core.errors import InvalidInput
from lrs.core.validate import choice, finite, probability

Link = Literal["logit", "probit"]

#: Differences of ln L below which two curves fit equally well, and by which a guess rate has to fit better (χ²₁ at 1 %).
_EVEN, _ASKED = 0.02, 3.32
#: Share of the error that intervals use up: a lapse is estimated from the few trials above the transition, fewer than the
#: law of the deviance counts on (simulated: `property_tests.benchmarks.coverage`).
_SPENT = 0.75
#: Steepest slope, in units of the smallest spacing of the levels.
_STEEP = 1e4
#: Up to that many levels each of them is looked at when an interval is drawn.
_FEW = 16
_NO_STEP = (-np.inf, np.nan, np.nan, 0.0, 0.0)
#: Largest lapse of a curve that reaches one half.
_HALF = 0.4999
#: Lapses that a search starts from.
_LAPSES = (0.0, 0.05, 0.2, 0.4, 0.48)


class ThresholdStatus(enum.Enum):
    """What the data say about the threshold; the text is what a reader sees."""

    ESTIMATED = "estimated"
    SEPARATED = "separated"
    BETWEEN = "between"
    AT_EDGE = "at the edge"
    NEVER = "never reaches one half"
    ALL_SUCCEED = "below the range"
    ALL_FAIL = "above the range"
    NO_TRANSITION = "no transition"
    EMPTY = "no trials"


@dataclass(frozen=True)
class ThresholdFit:
    """The level of 50 % success and its interval.

    Attributes
    ----------
    x50 : float
        Maximum-likelihood level of 50 % success, in absolute terms. Where the data only say between which levels it lies
        (separated, between), the middle of the interval, for drawing; ±inf when it is not among the levels tried; NaN
        without trials.
    lower, upper : float
        Ends of the profile-likelihood interval; ±inf where the data do not bound it.
    scale : float
        Width s of the transition in units of x (0: a step as far as the data can tell; inf: no transition).
    gap : (float, float)
        Highest level that failed and lowest level that succeeded, in the direction of more success. The data are
        separated when the first lies before the second. Where one partial level decides (between), the levels around it.
    status : ThresholdStatus
    confidence : float
    link : str
    increasing : bool
        Whether success grows with x.
    trials : int
    log_likelihood : float
        At the maximum.
    lapse, guess : float
        λ and γ at the maximum.
    """

    x50: float
    lower: float
    upper: float
    scale: float
    gap: tuple[float, float]
    status: ThresholdStatus
    confidence: float
    link: str
    increasing: bool
    trials: int
    log_likelihood: float
    lapse: float = 0.0
    guess: float = 0.0

    @property
    def width(self) -> float:
        """Length of the interval (inf when it is unbounded)."""
        return self.upper - self.lower if self.status is not ThresholdStatus.EMPTY else float("inf")

    def probability(self, levels: Any) -> np.ndarray:
        """Fitted success probability at the levels (NaN without trials)."""
        x = np.asarray(levels, dtype=float)
        sign = 1.0 if self.increasing else -1.0
        if self.status is ThresholdStatus.EMPTY:
            return np.full(x.shape, np.nan)
        if not np.isfinite(self.x50):
            succeeds = (self.x50 < 0) == self.increasing
            return np.full(x.shape, 1 - self.lapse if succeeds else self.guess)
        share = 1 - self.guess - self.lapse
        if self.scale == 0:
            return self.guess + share * np.heaviside(sign * (x - self.x50), 0.5)
        z = _quantile((0.5 - self.guess) / share, self.link) + sign * (x - self.x50) / self.scale
        return np.asarray(self.guess + share * _cdf(z, self.link))

    def describe(self, name: str = "x") -> str:
        """One phrase for a table: ``m = 30.2 [28.9, 31.6]`` or ``between m = 28 and m = 32``."""
        low, high = _number(self.lower), _number(self.upper)
        interval = f"{100 * self.confidence:g} %: {low} … {high}"
        match self.status:
            case ThresholdStatus.EMPTY:
                return "no trials"
            case ThresholdStatus.SEPARATED | ThresholdStatus.BETWEEN:
                a, b = sorted(self.gap)
                text = f"between {name} = {_number(a)} and {name} = {_number(b)}"
                return text if (self.lower, self.upper) == (a, b) else f"{text} ({interval})"
            case ThresholdStatus.ALL_SUCCEED:
                side = (
                    f"below {name} = {_number(self.gap[1])}"
                    if self.increasing
                    else f"above {name} = {_number(self.gap[1])}"
                )
                return f"{side}: every trial succeeded ({interval})"
            case ThresholdStatus.ALL_FAIL:
                side = (
                    f"above {name} = {_number(self.gap[0])}"
                    if self.increasing
                    else f"below {name} = {_number(self.gap[0])}"
                )
                return f"{side}: every trial failed ({interval})"
            case ThresholdStatus.NO_TRANSITION:
                return f"no transition along {name} ({interval})"
            case ThresholdStatus.AT_EDGE:
                share = "more" if (self.x50 < 0) == self.increasing else "less"
                return f"at the edge: {share} than half succeed at every {name} tried ({interval})"
            case ThresholdStatus.NEVER:
                return f"never reaches one half along {name}: levels off at {1 - self.lapse:.2g} ({interval})"
        return f"{name} = {self.x50:.4g} [{low}, {high}]"


def _number(x: float) -> str:
    if np.isinf(x):
        return "∞" if x > 0 else "−∞"
    return f"{x:.4g}"


# ---------------------------------------------------------------------------------------------- likelihood
def log_cdf(z: np.ndarray, link: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """ln F(z) with two derivatives, F logistic or standard normal."""
    if link == "probit":
        mills = np.sqrt(2 / np.pi) / special.erfcx(-z / np.sqrt(2))
        return special.log_ndtr(z), mills, -mills * (z + mills)
    upper = special.expit(-z)
    return special.log_expit(z), upper, -upper * (1 - upper)


def log_cdf_difference(zl: np.ndarray, zh: np.ndarray, link: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """ln(F(zh) − F(zl)), its gradient in (zl, zh), and its second derivatives (ll, lh, hh)."""
    if link == "probit":
        # In the right tail Φ(zh) − Φ(zl) cancels; Φ(−zl) − Φ(−zh) is the same number and does not.
        mirror = zl + zh > 0
        low, high = np.where(mirror, -zh, zl), np.where(mirror, -zl, zh)
        log_low, m_low, _ = log_cdf(low, link)
        log_high, m_high, _ = log_cdf(high, link)
        ratio = np.exp(np.minimum(log_low - log_high, -1e-15))
        g_low, g_high = -m_low * ratio / (1 - ratio), m_high / (1 - ratio)
        gl, gh = np.where(mirror, -g_high, g_low), np.where(mirror, -g_low, g_high)
        return (
            log_high + np.log1p(-ratio),
            np.array([gl, gh]),
            np.array([-zl * gl - gl**2, -gl * gh, -zh * gh - gh**2]),
        )
    # F(zh) − F(zl) = F(zh) F(−zl) (1 − e^{−(zh − zl)}) for the logistic F.
    value_h, gh, hh = log_cdf(zh, link)
    value_l, gl, ll = log_cdf(-zl, link)
    step = np.maximum(zh - zl, 1e-12)  # far out, where z is huge, rounding would make the interval empty
    q1 = 1 / np.expm1(np.minimum(step, 700.0))
    q2 = -q1 * (1 + q1)
    value = value_h + value_l + np.log(-np.expm1(-step))
    return value, np.array([-gl - q1, gh + q1]), np.array([ll + q2, -q2, hh + q2])


def critical_deviance(n: int, parameters: int, confidence: float) -> float:
    """Largest deviance inside an interval for one of ``parameters`` numbers fitted to n replicates.

    n ln(1 + F/(n − q)), F the quantile of the F(1, n − q) law: exact for uncensored normal data (Student's interval),
    χ²₁ as n grows, infinite when nothing is left to estimate the spread from.
    """
    left = n - parameters
    return n * float(np.log1p(stats.f.ppf(confidence, 1, left) / left)) if left > 0 else np.inf


def sequential_level(confidence: float, nested: bool) -> float:
    """Level at which the interval of an adaptive sweep, which looked at its data before it stopped, covers ``confidence``.

    A rule that stops when an interval is narrow stops more often where it is narrow by luck, and intervals at the nominal
    level cover too seldom. Using up a quarter of the error makes up for it, and half of it for bisected replicates,
    whose brackets say more about the width of the transition (simulated: `property_tests.benchmarks.coverage`).
    """
    return 1 - (1 - confidence) / (2 if nested else 4)


def _cdf(z: np.ndarray, link: str) -> np.ndarray:
    return np.asarray(special.expit(z) if link == "logit" else special.ndtr(z))


def _quantile(p: Any, link: str) -> Any:
    return special.logit(p) if link == "logit" else special.ndtri(p)


#: Curves, one a row: centre c, ln slope, lapse, guess rate.
_Curves = np.ndarray


@njit(cache=True)
def _rise(z: float, probit: bool) -> float:
    if probit:
        return 0.5 * math.erfc(-z / math.sqrt(2.0))
    if z < 0:
        e = math.exp(z)
        return e / (1 + e)
    return 1 / (1 + math.exp(-z))


@njit(cache=True)
def _log_likelihood(
    curves: np.ndarray, lo: np.ndarray, hi: np.ndarray, weight: np.ndarray, failures: int, ends: int, probit: bool
) -> np.ndarray:
    """ln L of curves (n, 4); of the observations the first have no upper end, those up to ``ends`` no lower one."""
    total = np.empty(len(curves))
    for i in range(len(curves)):
        c, slope, lapse, guess = curves[i, 0], math.exp(curves[i, 1]), curves[i, 2], curves[i, 3]
        share, value = 1 - lapse - guess, 0.0
        for j in range(len(weight)):
            if j < failures:
                p = lapse + share * _rise(slope * (c - lo[j]), probit)
            elif j < ends:
                p = guess + share * _rise(slope * (hi[j] - c), probit)
            else:
                low, high = slope * (lo[j] - c), slope * (hi[j] - c)
                if low > 0:  # in the right tail F(high) − F(low) cancels; F(−low) − F(−high) is the same and does not
                    low, high = -high, -low
                p = share * (_rise(high, probit) - _rise(low, probit))
            value += weight[j] * math.log(max(p, 1e-300))
        total[i] = value
    return total


class _Intervals:
    """Observations lo < x* ≤ hi with weights, equal ones merged."""

    def __init__(self, lo: np.ndarray, hi: np.ndarray, weight: np.ndarray, link: str) -> None:
        ends, where = np.unique(np.column_stack([lo, hi]), axis=0, return_inverse=True)
        self.lo, self.hi = ends.T
        self.weight = np.bincount(where.ravel(), weight)
        order = np.argsort(np.isfinite(self.lo) + 2 * np.isfinite(self.hi), kind="stable")  # failures, successes, pairs
        self.lo, self.hi, self.weight = self.lo[order], self.hi[order], self.weight[order]
        self.failures = int((~np.isfinite(self.hi)).sum())
        self.ends = self.failures + int((~np.isfinite(self.lo)).sum())
        self.link, self.n = link, float(weight.sum())
        self.levels = np.unique(np.r_[self.lo, self.hi][np.isfinite(np.r_[self.lo, self.hi])])
        gaps = np.diff(self.levels) if len(self.levels) > 1 else np.ones(1)
        self.unit, self.finest = float(gaps.max()), float(gaps.min())
        self.span = float(np.ptp(self.levels)) or 1.0
        self.slopes = np.log(
            np.r_[np.geomspace(0.5 / self.span, 8 / self.finest, 9), 100 / self.finest, _STEEP / self.finest]
        )

    def value(self, curves: _Curves) -> np.ndarray:
        """ln L of every curve, (…, 4) → (…)."""
        rows = np.ascontiguousarray(curves.reshape(-1, 4))
        found = _log_likelihood(rows, self.lo, self.hi, self.weight, self.failures, self.ends, self.link == "probit")
        return np.asarray(found).reshape(curves.shape[:-1])

    def curves(self, x50: np.ndarray, rest: np.ndarray) -> _Curves:
        """The curves that are one half at ``x50``, of these ln slopes, lapses and guess rates."""
        share = 1 - rest[..., 1] - rest[..., 2]
        z = _quantile((0.5 - rest[..., 2]) / share, self.link)
        return np.concatenate([(x50 - z / np.exp(rest[..., 0]))[..., None], rest], axis=-1)

    def x50(self, curve: np.ndarray) -> float:
        """Where a curve is one half: ±∞ where it never is."""
        c, slope, lapse, guess = (float(v) for v in curve)
        if lapse >= 0.5 or guess >= 0.5:
            return np.inf if lapse >= 0.5 else -np.inf
        return c + float(_quantile((0.5 - guess) / (1 - lapse - guess), self.link)) / float(np.exp(slope))

    def maximum(
        self, lapse: tuple[float, float], guess: tuple[float, float] = (0.0, 0.0), near: np.ndarray | None = None
    ) -> tuple[np.ndarray, float]:
        """The best curve with lapse and guess rate between these, and its ln L; looked for near a curve if one is given."""
        if near is None:
            middle = (self.levels[1:] + self.levels[:-1]) / 2
            centres = np.r_[self.levels[0] - self.unit, middle, self.levels[-1] + self.unit]
            centres = centres[np.unique(np.linspace(0, len(centres) - 1, 24).astype(int))]
            slopes, lapses = self.slopes, lapse[0] + (lapse[1] - lapse[0]) * np.array([0.0, 0.1, 0.3, 0.7])
        else:
            centres = near[0] + np.array([-2.0, -1.0, 0.0, 1.0, 2.0]) / np.exp(near[1])
            slopes, lapses = near[1] + np.array([0.0, 0.7, 1.5]), np.clip([near[2], lapse[0]], *lapse)
        guesses = guess[0] + (guess[1] - guess[0]) * np.array([0.0, 0.05, 0.3] if guess[1] > 0 else [0.0])
        starts = np.stack(np.meshgrid(centres, slopes, lapses, guesses, indexing="ij"), -1).reshape(-1, 4)
        best = starts[np.argsort(-self.value(starts))[:4]]
        low = np.array([-np.inf, self.slopes[0] - 7, lapse[0], guess[0]])
        high = np.array([np.inf, self.slopes[-1], lapse[1], guess[1]])
        compass = np.array([self.unit / 4, 0.5, 0.1, 0.1 * (guess[1] > 0)])
        found, values = _climb(self.value, best, compass, low, high, 10)
        curve, value = found[int(np.argmax(values))], float(values.max())
        return self.polished(curve, value, compass, low, high)

    def polished(
        self, curve: np.ndarray, value: float, size: np.ndarray, low: np.ndarray, high: np.ndarray
    ) -> tuple[np.ndarray, float]:
        """The curve moved on by a simplex of this size: along a curved ridge a compass stands still."""
        free = np.flatnonzero(size)
        found = optimize.minimize(
            lambda v: -float(self.value(_placed(curve, free, np.clip(v, low[free], high[free]))[None])[0]),
            curve[free],
            method="Nelder-Mead",
            options={"initial_simplex": np.vstack([curve[free], curve[free] + np.diag(size[free])]), "maxfev": 400},
        )
        if -found.fun > value:
            curve, value = _placed(curve, free, np.clip(found.x, low[free], high[free])), -float(found.fun)
        return curve, value

    def profile(self, x50: np.ndarray, guessing: bool, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Largest ln L over slopes, lapses and guess rates of the curves that are one half at each of these levels.

        Second these curves.
        """
        guesses = [0.0, 0.1] if guessing else [0.0]
        rest = np.stack(np.meshgrid(self.slopes, _LAPSES, guesses, indexing="ij"), -1).reshape(-1, 3)
        rest = np.concatenate([rest, np.minimum(start[None, 1:], [np.inf, _HALF, _HALF])])
        # Close to a level there may be a peak where the curve rises between the two.
        distance = np.abs(x50[:, None] - self.levels).min(1)
        sharp = np.minimum(np.log(1.5 / np.maximum(distance, 1e-9)), self.slopes[-1])
        own = np.stack([np.broadcast_to(v, (len(x50), len(_LAPSES))) for v in (sharp[:, None], _LAPSES, 0.0)], -1)
        rest = np.concatenate([np.broadcast_to(rest, (len(x50), *rest.shape)), own], axis=1)
        values = self.value(self.curves(x50[:, None], rest))
        rest = rest[np.arange(len(x50)), values.argmax(1)]
        low, high = np.array([self.slopes[0] - 7, 0.0, 0.0]), np.array([self.slopes[-1], _HALF, _HALF])

        def value(r: np.ndarray) -> np.ndarray:
            return self.value(self.curves(x50[:, None] if r.ndim == 3 else x50, r))

        found, values = _climb(value, rest, np.array([0.5, 0.1, 0.1 * guessing]), low, high, 9)
        return values, self.curves(x50, found)

    def step(self, guessing: bool) -> tuple[float, float, float, float, float]:
        """The best of the curves that rise within one level: ln L, the two levels it rises between, lapse and guess rate.

        Such a curve has a free value at the level: mass just below it, just above it, at ∞ and, if asked for, at −∞. Its
        masses are found by expectation and maximisation, for every level at once.
        """
        edges = np.r_[-np.inf, self.levels, np.inf]
        j = np.arange(1, len(edges) - 1)
        lo, hi = self.lo[None, :], self.hi[None, :]
        fits = np.stack(
            [
                (lo <= edges[j - 1, None]) & (hi >= edges[j, None]),
                (lo <= edges[j, None]) & (hi >= edges[j + 1, None]),
                np.broadcast_to(np.isinf(hi), (len(j), len(self.hi))),
                np.broadcast_to(np.isinf(lo) & guessing, (len(j), len(self.lo))),
            ],
            axis=-1,
        ).astype(float)
        possible = fits.any(-1).all(-1)
        if not possible.any():
            return _NO_STEP
        fits, j = fits[possible], j[possible]
        mass = np.full((len(j), 4), 0.25)
        for _ in range(100):
            part = fits * mass[:, None, :]
            part /= part.sum(-1, keepdims=True)
            mass = (self.weight[None, :, None] * part).sum(1) / self.n
        values = np.log((fits * mass[:, None, :]).sum(-1)) @ self.weight
        best = int(np.argmax(values))
        below, above = mass[best, 0] > 1e-3, mass[best, 1] > 1e-3
        low, high = edges[j[best] - (1 if below else 0)], edges[j[best] + (1 if above else 0)]
        return float(values[best]), float(low), float(high), float(mass[best, 2]), float(mass[best, 3])


def _placed(curve: np.ndarray, free: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A curve with other values of its free parameters."""
    out = curve.copy()
    out[free] = values
    return out


def _climb(
    value: Callable[[np.ndarray], np.ndarray],
    at: np.ndarray,
    step: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    halvings: int,
) -> tuple[np.ndarray, np.ndarray]:
    """A compass search from every row at once: to the best neighbour, or half the step where none is better."""
    free = np.flatnonzero(step)
    axes = np.eye(len(step))[free]
    pairs = [a + sign * b for a, b in itertools.combinations(axes, 2) for sign in (1, -1)]
    compass = np.concatenate([axes, pairs]) if pairs else axes
    compass = np.concatenate([compass, -compass]) * step
    size, best = np.ones(len(at)), value(at)
    rows = np.arange(len(at))
    for _ in range(6 * halvings):
        trial = np.clip(at[:, None, :] + size[:, None, None] * compass, low, high)
        values = value(trial)
        j = values.argmax(1)
        better = values[rows, j] > best + 1e-9
        at = np.where(better[:, None], trial[rows, j], at)
        best = np.where(better, values[rows, j], best)
        size = np.where(better, size, size / 2)
        if (size < 0.5**halvings).all():
            break
    return at, best


def _entropy(successes: float, trials: float, least: float = 0.0, most: float = 1.0) -> float:
    """Largest ln L of `successes` out of `trials` under one common probability between these."""
    p = min(max(successes / trials, least), most)
    return float(special.xlogy(successes, p) + special.xlogy(trials - successes, 1 - p))


def _fit(
    lo: np.ndarray,
    hi: np.ndarray,
    weight: np.ndarray,
    confidence: float,
    link: str,
    increasing: bool,
    critical: float,
) -> ThresholdFit:
    """Fit in the direction of more success; ``lo``, ``hi`` are already reflected when success falls with x.

    The interval is the hull of the x₅₀ whose profile deviance is at most ``critical``.
    """
    n = float(weight.sum())
    sign = 1.0 if increasing else -1.0
    gap = (np.nan, np.nan)
    value, lapse, guess = 0.0, 0.0, 0.0

    def finish(x50: float, lower: float, upper: float, scale: float, status: ThresholdStatus) -> ThresholdFit:
        low, high = (lower, upper) if increasing else (-upper, -lower)
        fail, success = (float(sign * g) for g in gap)
        return ThresholdFit(
            float(sign * x50), float(low), float(high), float(scale), (fail, success), status, confidence, link,
            increasing, round(n), float(value), float(lapse), float(guess),
        )  # fmt: skip

    if n == 0:
        return finish(np.nan, -np.inf, np.inf, np.nan, ThresholdStatus.EMPTY)
    data = _Intervals(lo, hi, weight, link)
    gap = (float(lo.max()), float(hi.min()))  # ∓∞ when nothing failed, nothing succeeded
    bottom, top = float(data.levels[0]), float(data.levels[-1])
    guessing = False
    curve, value = data.maximum((0.0, 1.0))
    asked, better = data.maximum((0.0, _HALF), (0.0, _HALF), curve)
    if better > value + _ASKED:
        guessing, curve, value = True, asked, better
    step, low, high, *shares = data.step(guessing) if np.exp(-curve[1]) < data.unit else _NO_STEP
    value = max(value, step)
    # A common probability gives no mass to a bounded interval.
    paired, successes = data.ends < len(data.weight), float(weight[np.isfinite(hi)].sum())
    never = data.maximum((0.5, 1.0), near=curve)[1]  # x₅₀ = ∞
    always = -np.inf if paired else _entropy(successes, n, least=0.5)  # x₅₀ = −∞
    if guessing:
        always = max(always, data.maximum((0.0, _HALF), (0.5, 1.0), curve)[1])
    unresolved = step >= value - _EVEN
    centre = data.x50(curve)
    if unresolved:
        centre = np.inf if shares[0] >= 0.5 else _middle(low, high)
    inside = float(np.clip(centre, bottom - 2 * data.span, top + 2 * data.span))
    lower, upper, value = _hull(data, inside, guessing, curve, max(value, always, never), critical, always, never)
    scale, lapse, guess = 1 / float(np.exp(curve[1])), float(curve[2]), float(curve[3])

    if gap[0] < gap[1]:  # one step explains everything, anywhere in the gap
        value = lapse = guess = 0.0
        if np.isinf(gap).any():
            succeed = np.isinf(gap[0])
            status = ThresholdStatus.ALL_SUCCEED if succeed else ThresholdStatus.ALL_FAIL
            return finish(-np.inf if succeed else np.inf, lower, upper, 0.0, status)
        return finish(sum(gap) / 2, lower, upper, 0.0, ThresholdStatus.SEPARATED)
    if not paired and value <= _entropy(successes, n) + _EVEN:
        half = np.inf if always < never else -np.inf
        lapse, guess = (1 - successes / n, 0.0) if half < 0 else (0.0, successes / n)
        return finish(half, lower, upper, np.inf, ThresholdStatus.NO_TRANSITION)
    if lower == upper:
        return finish(upper, top, np.inf, scale, ThresholdStatus.NEVER)
    if unresolved and np.isfinite(centre):
        # The levels around the partial one, or that one where its own share of successes is on one side of one half.
        around = np.array([low, *data.levels[(data.levels > low) & (data.levels < high)], high])
        gap = (float(around[around <= max(lower, low)].max()), float(around[around >= min(upper, high)].min()))
        lapse, guess = shares
        if np.isfinite(gap).all():
            middle = (max(lower, gap[0]) + min(upper, gap[1])) / 2
            return finish(middle, lower, upper, 0.0, ThresholdStatus.BETWEEN)
        centre = gap[0] if np.isinf(gap[0]) else gap[1]
    if not bottom <= centre <= top:
        return finish(-np.inf if centre < bottom else np.inf, lower, upper, scale, ThresholdStatus.AT_EDGE)
    return finish(centre, lower, upper, scale, ThresholdStatus.ESTIMATED)


def _middle(low: float, high: float) -> float:
    """Of an interval; the finite end where there is but one."""
    return (low + high) / 2 if np.isfinite([low, high]).all() else low if np.isfinite(low) else high


def _hull(
    data: _Intervals,
    inside: float,
    guessing: bool,
    curve: np.ndarray,
    best: float,
    critical: float,
    always: float,
    never: float,
) -> tuple[float, float, float]:
    """Ends of the smallest interval that holds every x₅₀ of deviance at most ``critical``; ∞ twice if only that is left.

    Third the largest likelihood, which the profile may find where ``best`` fell short of it.
    """

    def excess(x: np.ndarray) -> np.ndarray:
        # The signed root of the deviance is nearly a straight line in x, between the points of a search too.
        return root(data.profile(x, guessing, curve)[0])

    def root(profile: np.ndarray) -> np.ndarray:
        return np.sqrt(np.maximum(0.0, 2 * (best - profile))) - np.sqrt(critical)

    steps = data.finest / 16 * 2.0 ** np.arange(np.ceil(np.log2(16 * 3 * data.span / data.finest)) + 1)
    x = np.r_[inside - steps[::-1], inside, inside + steps]
    if len(data.levels) <= _FEW:  # with few trials a level can be a peak of its own
        hair = 1e-3 * data.finest
        x = np.unique(np.r_[x, data.levels - hair, data.levels + hair, (data.levels[1:] + data.levels[:-1]) / 2])
    profile, curves = data.profile(x, guessing, curve)
    i = int(profile.argmax())
    low, high = np.array([-np.inf, data.slopes[0] - 7, 0.0, 0.0]), np.array([np.inf, data.slopes[-1], 1.0, _HALF])
    size = np.array([data.unit, 0.5, 0.1, 0.1 * guessing])
    best = max(best, data.polished(curves[i], float(profile[i]), size, low, high)[1])
    y = root(profile)
    within = np.flatnonzero(y <= 0)
    left, right = 2 * (best - always) <= critical, 2 * (best - never) <= critical
    if not len(within):
        end = -np.inf if left and not right else np.inf
        return end, end, best
    ends = []
    for infinite, i, side in ((left, within[0], -1), (right, within[-1], 1)):
        if infinite or not 0 <= i + side < len(x):
            ends.append(side * np.inf)
            continue
        (a, b), (ya, yb) = x[[i, i + side]], y[[i, i + side]]
        for _ in range(4):
            if abs(ya - yb) < 0.05:
                break
            grid = np.linspace(a, b, 10)[1:-1]
            values = np.r_[ya, excess(grid), yb]
            j = int(np.flatnonzero(values <= 0)[-1])
            grid = np.r_[a, grid, b]
            a, b, ya, yb = grid[j], grid[j + 1], values[j], values[j + 1]
        end = a + (b - a) * ya / (ya - yb)
        near = data.levels[np.abs(data.levels - end).argmin()]
        ends.append(float(near if abs(near - end) <= max(abs(b - a), 1e-3 * data.finest) else end))
    return ends[0], ends[1], best


# ---------------------------------------------------------------------------------------------- public
def _confidence(confidence: float, link: str) -> None:
    probability("confidence", confidence, "a number between 0 and 1 (0.95 is usual)")
    choice("link", link, ("logit", "probit"))


def _counts(successes: Any, trials: Any) -> tuple[np.ndarray, np.ndarray]:
    s, n = np.asarray(successes, dtype=float), np.asarray(trials, dtype=float)
    if s.shape != n.shape:
        raise InvalidInput(f"successes: shape {s.shape}, but trials has shape {n.shape}; pass one count per level")
    if not (np.isfinite(s).all() and np.isfinite(n).all()) or (s < 0).any() or (s > n).any():
        raise InvalidInput("successes: every count must lie between 0 and the number of trials")
    return s, n


def fit_threshold(
    levels: Any,
    successes: Any,
    trials: Any,
    *,
    confidence: float = 0.95,
    link: Link = "logit",
    increasing: bool = True,
    level: float | None = None,
) -> ThresholdFit:
    """Level of 50 % success from counts of independent trials.

    Parameters
    ----------
    levels : (n,) array
        Where the trials were made, in any order; a level may occur more than once.
    successes, trials : (n,) arrays
        Counts; levels without trials are ignored.
    confidence : float
        Of the profile-likelihood interval.
    link : {'logit', 'probit'}
    increasing : bool
        Whether success grows with the level (m) or falls with it (k, r).
    level : float, optional
        For trials that were placed, and whose number was chosen, by what earlier ones showed: `sequential_level`. The
        deviance is then compared with `critical_deviance` at that level; otherwise at the one that leaves three quarters
        of the error, since a lapse is estimated too.

    Returns
    -------
    ThresholdFit
        Complete separation (a sharp transition between two levels) is an ordinary outcome: the interval is the gap.

    Raises
    ------
    InvalidInput
        On levels that are not finite, counts that do not fit, or an unknown link.
    """
    _confidence(confidence, link)
    x = np.asarray(levels, dtype=float)
    s, n = _counts(successes, trials)
    if x.ndim != 1 or x.shape != s.shape:
        raise InvalidInput(f"levels: expected one level per count ({s.shape}), got shape {x.shape}")
    x = finite("levels", x)
    x = x if increasing else -x
    x, where = np.unique(x, return_inverse=True)
    wins, losses = np.bincount(where, s, len(x)), np.bincount(where, n - s, len(x))
    lo = np.r_[np.full(len(x), -np.inf), x]
    hi = np.r_[x, np.full(len(x), np.inf)]
    weight = np.r_[wins, losses]
    keep = weight > 0
    critical = critical_deviance(round(n.sum()), 3, 1 - _SPENT * (1 - confidence) if level is None else level)
    return _fit(lo[keep], hi[keep], weight[keep], confidence, link, increasing, critical)


def fit_threshold_intervals(
    failed_at: Any,
    succeeded_at: Any,
    *,
    confidence: float = 0.95,
    link: Link = "logit",
    increasing: bool = True,
    level: float | None = None,
) -> ThresholdFit:
    """Level of 50 % success from replicates whose own critical level is known up to an interval (nested bisection).

    Parameters
    ----------
    failed_at, succeeded_at : (n,) arrays
        For every replicate, the most favourable level that failed (NaN or infinite: none did) and the least favourable
        level that succeeded (NaN or infinite: none did). The trials of one replicate on nested data are not
        independent, so they must not be counted one by one in `fit_threshold`.
    level : float, optional
        For replicates whose number was chosen by what earlier ones showed: `sequential_level`.

    Returns
    -------
    ThresholdFit
        ``trials`` counts replicates.

    Notes
    -----
    The deviance is compared with `critical_deviance` instead of χ²₁: with a handful of replicates the spread of x* is
    estimated from the very same few numbers, and a single replicate has no interval.
    """
    _confidence(confidence, link)
    lo, hi = np.asarray(failed_at, dtype=float), np.asarray(succeeded_at, dtype=float)
    if lo.shape != hi.shape or lo.ndim != 1:
        raise InvalidInput(f"failed_at, succeeded_at: expected one value per replicate, got {lo.shape} and {hi.shape}")
    sign = 1.0 if increasing else -1.0
    lo, hi = np.where(np.isfinite(lo), sign * lo, -np.inf), np.where(np.isfinite(hi), sign * hi, np.inf)
    if (lo >= hi).any():
        i = int(np.argmax(lo >= hi))
        raise InvalidInput(
            f"failed_at: replicate {i} failed at {_number(sign * lo[i])} and succeeded at {_number(sign * hi[i])}, which "
            "is not monotone; pass the levels outside which its outcomes are all alike"
        )
    informative = np.isfinite(lo) | np.isfinite(hi)
    n = int(informative.sum())
    critical = critical_deviance(n, 1, 1 - _SPENT * (1 - confidence) if level is None else level)
    return _fit(lo[informative], hi[informative], np.ones(n), confidence, link, increasing, critical)


def scale_interval(
    failed_at: Any, succeeded_at: Any, *, weight: Any = None, confidence: float = 0.95, link: Link = "logit"
) -> tuple[float, float, float]:
    """Width s of the transition with its profile-likelihood interval: (estimate, lower, upper).

    Parameters
    ----------
    failed_at, succeeded_at : (n,) arrays
        As in `fit_threshold_intervals`, success growing with the level.
    weight : (n,) array, optional
        How many replicates each stands for; default 1.
    """
    _confidence(confidence, link)
    lo, hi = (np.asarray(v, dtype=float) for v in (failed_at, succeeded_at))
    lo, hi = np.where(np.isfinite(lo), lo, -np.inf), np.where(np.isfinite(hi), hi, np.inf)
    data = _Intervals(lo, hi, np.ones(len(lo)) if weight is None else np.asarray(weight, dtype=float), link)
    curve, best = data.maximum((0.0, 1.0))
    critical = critical_deviance(round(data.n), 3, confidence)

    def excess(slope: float) -> float:
        start = np.array([[curve[0], slope, curve[2], 0.0]])
        low, high = np.array([-np.inf, slope, 0.0, 0.0]), np.array([np.inf, slope, 1.0, 0.0])
        value = _climb(data.value, start, np.array([data.unit / 4, 0.0, 0.1, 0.0]), low, high, 12)[1][0]
        return float(np.sqrt(max(0.0, 2 * (best - value))) - np.sqrt(critical))

    ends = []
    for side in (-1.0, 1.0):
        far = 0.1
        while (open_end := excess(curve[1] + side * far) < 0) and far < 10:
            far *= 2
        ends.append(side * np.inf if open_end else optimize.brentq(lambda v: excess(curve[1] + v), 0.0, side * far))
    return tuple(float(np.exp(-v)) for v in (curve[1], curve[1] + ends[1], curve[1] + ends[0]))  # type: ignore[return-value]


def binomial_interval(successes: Any, trials: Any, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Exact (Clopper–Pearson) interval of a success probability, entry by entry; (0, 1) without trials."""
    _confidence(confidence, "logit")
    s, n = _counts(successes, trials)
    tail = (1 - confidence) / 2
    with np.errstate(invalid="ignore"):
        lower = np.where(s > 0, stats.beta.ppf(tail, np.maximum(s, 1), n - s + 1), 0.0)
        upper = np.where(s < n, stats.beta.isf(tail, s + 1, np.maximum(n - s, 1)), 1.0)
    return lower, upper
