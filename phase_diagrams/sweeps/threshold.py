"""Where a success probability crosses one half: a two-parameter curve, with a profile-likelihood interval.

The model is P(success at x) = F((x − x₅₀)/s), F logistic or standard normal. An observation is what one replicate says
about its own critical level x*: a success at x says x* ≤ x, a failure says x* > x, and a bisection that failed at a
and succeeded at b says a < x* ≤ b. All three are intervals (lo, hi], with probability F(β(hi − x₅₀)) − F(β(lo − x₅₀)),
β = 1/s, so one likelihood serves independent trials and nested ones.

Two facts make the interval quick and safe. The log-likelihood is jointly concave in (a, β), a = −β x₅₀, because F is
log-concave (Pratt 1981; Burridge 1981); and x₅₀ = −a/β is quasi-linear where β > 0. Hence the profile likelihood of
x₅₀ has no second peak and the confidence set is one interval, each end of which is a single root.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import optimize, special, stats

from lrs.core.errors import InvalidInput
from lrs.core.validate import choice, finite, probability

Link = Literal["logit", "probit"]

_HAIR = 1e-4  # distance from a level, in spacings, at which a likelihood that jumps there is evaluated
_FLAT, _STEEP = 1e-9, 1e7  # slopes per unit of the largest |x − x₅₀| that count as 0 and as a step


class ThresholdStatus(enum.Enum):
    """What the data say about the threshold; the text is what a reader sees."""

    ESTIMATED = "estimated"
    SEPARATED = "separated"
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
        Maximum-likelihood level of 50 % success. The middle of the gap when the data are separated; ±inf when every
        trial ended the same way or no transition shows; NaN without trials.
    lower, upper : float
        Ends of the profile-likelihood interval; ±inf where the data do not bound it.
    scale : float
        Width s of the transition in units of x (0: a step as far as the data can tell; inf: no transition).
    gap : (float, float)
        Highest level that failed and lowest level that succeeded, in the direction of more success. The data are
        separated when the first lies before the second.
    status : ThresholdStatus
    confidence : float
    link : str
    increasing : bool
        Whether success grows with x.
    trials : int
    log_likelihood : float
        At the maximum.
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
            return np.full(x.shape, float(succeeds))
        if self.scale == 0:
            return np.heaviside(sign * (x - self.x50), 0.5)
        z = sign * (x - self.x50) / self.scale
        return np.asarray(special.expit(z) if self.link == "logit" else special.ndtr(z))

    def describe(self, name: str = "x") -> str:
        """One phrase for a table: ``m = 30.2 [28.9, 31.6]`` or ``between m = 28 and m = 32``."""
        low, high = _number(self.lower), _number(self.upper)
        interval = f"{100 * self.confidence:g} %: {low} … {high}"
        match self.status:
            case ThresholdStatus.EMPTY:
                return "no trials"
            case ThresholdStatus.SEPARATED:
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


class _Intervals:
    """Observations lo < x* ≤ hi with weights, split into those with one finite end and those with two."""

    def __init__(self, lo: np.ndarray, hi: np.ndarray, weight: np.ndarray, link: str) -> None:
        pair = np.isfinite(lo) & np.isfinite(hi)
        success = ~pair & np.isfinite(hi)
        failure = ~pair & np.isfinite(lo)
        self.link = link
        self.x = np.r_[hi[success], lo[failure]]
        self.sign = np.r_[np.ones(success.sum()), -np.ones(failure.sum())]
        self.weight = np.r_[weight[success], weight[failure]]
        self.lo, self.hi, self.pair_weight = lo[pair], hi[pair], weight[pair]
        self.paired = bool(pair.any())
        self.n = float(weight.sum())
        self.successes = float(weight[success].sum())
        self.ends = np.r_[self.x, self.lo, self.hi]

    def evaluate(self, a: float, b: float, origin: float) -> tuple[float, np.ndarray, np.ndarray]:
        """ln L, gradient and Hessian in (a, b) of the linear predictor z = a + b (x − origin)."""
        u = self.x - origin
        value, first, second = log_cdf(self.sign * (a + b * u), self.link)
        g, h = self.weight * self.sign * first, self.weight * second
        total = float(self.weight @ value)
        ga, gb, haa, hab, hbb = g.sum(), g @ u, h.sum(), h @ u, h @ (u * u)
        if self.paired:
            ul, uh, w = self.lo - origin, self.hi - origin, self.pair_weight
            value, (gl, gh), (ll, lh, hh) = log_cdf_difference(a + b * ul, a + b * uh, self.link)
            total += float(w @ value)
            ga, gb = ga + w @ (gl + gh), gb + w @ (gl * ul + gh * uh)
            haa = haa + w @ (ll + 2 * lh + hh)
            hab = hab + w @ (ll * ul + lh * (ul + uh) + hh * uh)
            hbb = hbb + w @ (ll * ul**2 + 2 * lh * ul * uh + hh * uh**2)
        return total, np.array([ga, gb]), np.array([[haa, hab], [hab, hbb]])

    def profile(self, x50: float) -> float:
        """Largest ln L over slopes ≥ 0 with the threshold held at x50."""
        reach = float(np.abs(self.ends - x50).max()) or 1.0
        low, high = _FLAT / reach, _STEEP / reach
        value, g, _ = self.evaluate(0.0, low, x50)
        if g[1] <= 0:
            return value
        b = 2.0 / reach
        for _ in range(200):
            value, g, h = self.evaluate(0.0, b, x50)
            slope, curvature = float(g[1]), float(h[1, 1])
            # On a concave function the gain left is at most slope × the distance to the other end of the bracket.
            if slope * slope <= -1e-12 * curvature:
                break
            low, high = (b, high) if slope > 0 else (low, b)
            if high < low * (1 + 1e-12):
                break
            newton = b - slope / curvature if curvature < 0 else np.inf
            # A Newton step that leaves the bracket, or that leaps, gives way to the middle of the bracket (in logs).
            b = newton if low < newton < high and 0.1 < newton / b < 10 else float(np.sqrt(low * high))
        return value

    def maximum(self) -> tuple[float, float, float]:
        """Maximum for overlapping data: (x50, slope, ln L), by Newton's method with step halving."""
        origin, unit = float(self.ends.mean()), float(np.ptp(self.ends)) or 1.0
        theta = np.array([0.0, 4.0 / unit])
        value, g, h = self.evaluate(float(theta[0]), float(theta[1]), origin)
        for _ in range(100):
            step = -np.linalg.lstsq(h, g, rcond=None)[0]
            gain = float(g @ step)
            if gain < 1e-13 * (1 + abs(value)):
                break
            for halving in range(60):
                trial = theta + step * 0.5**halving
                if self.paired and trial[1] <= 0:
                    continue
                candidate = self.evaluate(float(trial[0]), float(trial[1]), origin)
                if candidate[0] >= value + 1e-4 * gain * 0.5**halving:
                    break
            else:
                break
            theta, (value, g, h) = trial, candidate
        slope = float(theta[1])
        return (origin - float(theta[0]) / slope if slope > 0 else np.nan), slope, value


def _entropy(successes: float, trials: float) -> float:
    """Largest ln L of `successes` out of `trials` under one common probability."""
    p = successes / trials
    return float(special.xlogy(successes, p) + special.xlogy(trials - successes, 1 - p))


def _limit(data: _Intervals, side: float) -> float:
    """Profile ln L as x₅₀ → ±∞ (side = ±1): one common probability, at least ½ on the left and at most ½ on the right."""
    if data.paired:
        return -np.inf  # a common probability gives no mass to a bounded interval
    n, s = data.n, data.successes
    p = max(s / n, 0.5) if side < 0 else min(s / n, 0.5)
    return float(special.xlogy(s, p) + special.xlogy(n - s, 1 - p))


def _end(data: _Intervals, inside: float, side: float, best: float, critical: float, unit: float) -> float:
    """The end of the interval on one side of a point inside it (or on its edge)."""
    if 2 * (best - _limit(data, side)) <= critical:
        return side * np.inf

    def excess(x: float) -> float:
        # The signed root of the deviance is nearly a straight line in x, which is what makes the root search short.
        return float(np.sqrt(max(0.0, 2 * (best - data.profile(x)))) - np.sqrt(critical))

    near, step = inside, unit / 2
    while excess(far := inside + side * step) <= 0:
        near, step = far, 2 * step
    if excess(near) >= 0:
        return near
    return float(optimize.brentq(excess, near, far, xtol=1e-6 * unit, rtol=1e-12))


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

    The interval holds every x₅₀ whose profile deviance is at most ``critical``.
    """
    n = float(weight.sum())
    sign = 1.0 if increasing else -1.0

    def finish(
        x50: float, lower: float, upper: float, scale: float, status: ThresholdStatus, value: float
    ) -> ThresholdFit:
        low, high = (lower, upper) if increasing else (-upper, -lower)
        fail, success = (float(sign * g) for g in gap)
        return ThresholdFit(
            float(sign * x50), float(low), float(high), float(scale), (fail, success), status, confidence, link,
            increasing, round(n), value,
        )  # fmt: skip

    gap = (np.nan, np.nan)
    if n == 0:
        return finish(np.nan, -np.inf, np.inf, np.nan, ThresholdStatus.EMPTY, 0.0)
    data = _Intervals(lo, hi, weight, link)
    fail = float(lo.max())  # −inf when nothing failed
    success = float(hi.min())  # +inf when nothing succeeded
    gap = (fail, success)
    levels = np.unique(data.ends)
    unit = float(np.diff(levels).max()) if len(levels) > 1 else 1.0

    if fail < success:  # one step explains everything: the supremum is ln L = 0, anywhere in the gap
        lower = -np.inf if np.isinf(fail) else _end(data, fail, -1.0, 0.0, critical, unit)
        upper = np.inf if np.isinf(success) else _end(data, success, 1.0, 0.0, critical, unit)
        if np.isinf(fail):
            return finish(-np.inf, lower, upper, 0.0, ThresholdStatus.ALL_SUCCEED, 0.0)
        if np.isinf(success):
            return finish(np.inf, lower, upper, 0.0, ThresholdStatus.ALL_FAIL, 0.0)
        return finish((fail + success) / 2, lower, upper, 0.0, ThresholdStatus.SEPARATED, 0.0)
    if fail == success:  # only one level is mixed: the supremum is a step there that keeps its own probability
        w_success, w_fail = float(weight[hi == success].sum()), float(weight[lo == fail].sum())
        best = _entropy(w_success, w_success + w_fail)
        # The supremum is approached from one side only (p ≠ ½), so each search starts a hair off the level.
        lower = _end(data, fail - _HAIR * unit, -1.0, best, critical, unit)
        upper = _end(data, fail + _HAIR * unit, 1.0, best, critical, unit)
        return finish(fail, lower, upper, 0.0, ThresholdStatus.ESTIMATED, best)
    x50, slope, best = data.maximum()
    if slope > 1e-6 / np.ptp(levels):
        lower = _end(data, x50, -1.0, best, critical, unit)
        upper = _end(data, x50, 1.0, best, critical, unit)
        return finish(x50, lower, upper, 1 / slope, ThresholdStatus.ESTIMATED, best)
    best = _entropy(data.successes, n)
    if _limit(data, -1.0) >= _limit(data, 1.0):
        upper = _end_from_infinity(data, -1.0, best, critical, unit, fail)
        return finish(-np.inf, -np.inf, upper, np.inf, ThresholdStatus.NO_TRANSITION, best)
    lower = _end_from_infinity(data, 1.0, best, critical, unit, fail)
    return finish(np.inf, lower, np.inf, np.inf, ThresholdStatus.NO_TRANSITION, best)


def _end_from_infinity(data: _Intervals, side: float, best: float, critical: float, unit: float, start: float) -> float:
    """The finite end of an interval that reaches to ``side``·∞, where the maximum of the profile lies."""
    if 2 * (best - _limit(data, -side)) <= critical:
        return -side * np.inf
    inside, step = start, unit
    while 2 * (best - data.profile(inside)) > critical:
        inside, step = inside + side * step, 2 * step
    return _end(data, inside, -side, best, critical, unit)


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
        deviance is then compared with `critical_deviance` at that level instead of χ²₁ at ``confidence``.

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
    critical = float(stats.chi2.ppf(confidence, 1)) if level is None else critical_deviance(round(n.sum()), 1, level)
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
    critical = critical_deviance(n, 1, confidence if level is None else level)
    return _fit(lo[informative], hi[informative], np.ones(n), confidence, link, increasing, critical)


def binomial_interval(successes: Any, trials: Any, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Exact (Clopper–Pearson) interval of a success probability, entry by entry; (0, 1) without trials."""
    _confidence(confidence, "logit")
    s, n = _counts(successes, trials)
    tail = (1 - confidence) / 2
    with np.errstate(invalid="ignore"):
        lower = np.where(s > 0, stats.beta.ppf(tail, np.maximum(s, 1), n - s + 1), 0.0)
        upper = np.where(s < n, stats.beta.isf(tail, s + 1, np.maximum(n - s, 1)), 1.0)
    return lower, upper
