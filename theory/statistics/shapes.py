"""Which curve do the logarithms of a trace follow? A straight line against the shapes that resemble one.

Each shape is y_t = a − b f(t) + noise with one parameter in f, so that it contains the straight line:

- *stretched exponential* f = t^p: p = 1 is geometric, p < 1 slower, p > 1 faster;
- *power law* f = ln(1 + t/c), whose b is the order q: geometric for c → ∞, that is for q → ∞;
- *plateau then drop* f = g min(t, h) + max(0, t − h) with g ≤ ½: geometric for h = 0.

The noise is AR(1). Its correlation φ comes from the residuals of the best curve, corrected for their bias and shrunk towards
0 where the trace is short; a and b are fitted by generalised least squares, the parameter by its profile. A value of the
parameter is excluded when its residual sum of squares exceeds the smallest one by more than the square of a Student
quantile, in units of the noise. Derived [D]; the level is calibrated on simulated traces (`property_tests/benchmarks/rate_errors.py`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

#: One-sided level at which a value of a parameter is excluded.
LEVEL = 0.01
#: No trace is taken to follow a curve more closely than this (standard deviation of ln e): models are not exact.
LEAST_JITTER = 0.02
#: Longer traces are averaged in blocks, down to this many.
BLOCKS = 250
_EXPONENTS = np.geomspace(0.1, 6.0, 33)
_OFFSETS = np.geomspace(1e-9, 1e3, 41)  # c, in lengths of the trace
_KNEES, _SLOPES = np.linspace(0.05, 0.95, 19), np.array([0.0, 0.15, 0.3, 0.5])


class Shapes(NamedTuple):
    """What the shapes say of a stretch of a trace.

    Attributes
    ----------
    exponent : float
        p of the stretched exponential that fits best.
    exponent_interval : (float, float)
        Those p that are not excluded.
    order : float
        Every power law of a smaller order is excluded, whatever its offset; inf excludes all.
    slope, slope_error : float
        b of the straight line, and its standard error.
    plateau, plateau_slope : float
        h and g of the plateau then drop that fits best.
    plateau_gain : float
        How much better that shape fits than the best stretched exponential, in units of 2 ln likelihood.
    evidence : dict
        2 ln likelihood of the straight line over the best curve of each rival: "stretched exponential" (p ≤ `stretched`),
        "power law" (order ≤ `power`), "plateau then drop".
    jitter, correlation : float
        Standard deviation and AR(1) correlation of the noise.
    """

    exponent: float
    exponent_interval: tuple[float, float]
    order: float
    slope: float
    slope_error: float
    plateau: float
    plateau_slope: float
    plateau_gain: float
    evidence: dict[str, float]
    jitter: float
    correlation: float


class _Whitened:
    """Least squares of y on (1, f) for many f at once, in noise of correlation φ."""

    def __init__(self, y: Float[np.ndarray, " n"], correlation: float) -> None:
        self.correlation = correlation
        self.one = self._white(np.ones_like(y))
        self.norm = float(self.one @ self.one)
        self.y = self._centred(self._white(y))

    def _white(self, x: np.ndarray) -> np.ndarray:
        first = math.sqrt(1 - self.correlation**2) * x[..., :1]
        return np.concatenate([first, x[..., 1:] - self.correlation * x[..., :-1]], axis=-1)

    def _centred(self, x: np.ndarray) -> np.ndarray:
        return x - (x @ self.one)[..., None] / self.norm * self.one

    def fit(self, f: Float[np.ndarray, "p n"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Residual sum of squares, slope b ≥ 0 of a − b f, and the squared norm of what is left of f."""
        x = self._centred(self._white(f))
        size = np.maximum((x * x).sum(axis=1), 1e-300)
        slope = np.maximum(-(x @ self.y) / size, 0.0)
        return np.maximum(float(self.y @ self.y) - slope**2 * size, 0.0), slope, size

    def residual(self, f: np.ndarray, slope: float, y: np.ndarray) -> np.ndarray:
        """y − (a − b f), not whitened."""
        rest = y + slope * f
        return rest - (self._white(rest) @ self.one) / self.norm


def _blocks(y: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    width = -(-len(y) // BLOCKS)
    if width == 1:
        return y, t
    n = len(y) // width * width
    return y[:n].reshape(-1, width).mean(axis=1), t[:n].reshape(-1, width).mean(axis=1)


def _correlation(residual: np.ndarray, parameters: int = 3) -> float:
    """φ of AR(1) residuals: their lag-one correlation is low by about (parameters + 3φ)/n, and varies by 1/√n."""
    n = len(residual)
    energy = float(residual @ residual)
    if energy <= n * (LEAST_JITTER / 100) ** 2:
        return 0.0
    raw = float(residual[1:] @ residual[:-1]) / energy
    return float(np.clip((raw + (parameters + 3 * raw) / n) / (1 + 8 / n), 0.0, 0.97))


def fit(logs: Float[np.ndarray, " n"], first: int = 0, *, stretched: float, power: float) -> Shapes:
    """Fit every shape to ln e_t at t = first, first + 1, ….

    Parameters
    ----------
    logs : (n,) ndarray
        At least 5 logarithms.
    first : int
        Steps before the first of them.
    stretched, power : float
        Largest exponent, largest order of the rivals that `Shapes.evidence` compares with.

    Returns
    -------
    Shapes
    """
    y, t = _blocks(logs, np.arange(first, first + len(logs), dtype=float))
    n, length = len(y), float(t[-1])
    u = t / length
    log_u = np.log(np.maximum(u, 1e-300))
    powers = np.log1p(u / _OFFSETS[:, None])
    knees = np.maximum(u[0] + (1 - u[0]) * _KNEES, 1e-9)[:, None, None]
    drops = (_SLOPES[:, None] * np.minimum(u, knees) + np.maximum(0, u - knees)).reshape(-1, n)

    def stretch(p: np.ndarray) -> np.ndarray:
        return np.exp(p[:, None] * log_u)

    exponents = np.sort(np.append(_EXPONENTS, stretched))
    correlation = 0.0
    curves = np.concatenate([stretch(exponents), powers, drops])
    for _ in range(3):
        white = _Whitened(y, correlation)
        rss, slopes, _ = white.fit(curves)
        best = int(np.argmin(rss))
        update = _correlation(white.residual(curves[best], slopes[best], y))
        if abs(update - correlation) < 0.02:
            break
        correlation = update
    white = _Whitened(y, correlation)
    rss, slopes, _ = white.fit(curves)
    degrees = max(n - 3, 1)
    variance = max(float(rss.min()) / degrees, LEAST_JITTER**2 * (1 - correlation**2))
    threshold = float(stats.t.ppf(1 - LEVEL, degrees)) ** 2
    parts = [len(exponents), len(exponents) + len(powers)]
    by_p, by_c, by_h = np.split(rss / variance, parts)
    orders = np.split(slopes, parts)[1]

    least, best_c, h = float(by_p.min()), float(by_c.min()), int(np.argmin(by_h))
    slower, of_order = by_p[exponents <= stretched].min(), by_c[orders <= power].min(initial=math.inf)

    # The profile of p on finer grids around its minimum.
    for _ in range(3):
        inside = np.flatnonzero(by_p - least <= threshold)
        low, high = max(inside[0] - 1, 0), min(inside[-1] + 1, len(exponents) - 1)
        finer = np.linspace(exponents[low], exponents[high], 25)
        exponents = np.sort(np.append(finer, exponents[np.argmin(by_p)]))  # the best so far stays
        by_p = white.fit(stretch(exponents))[0] / variance
        least = float(by_p.min())
    excess = by_p - least - threshold
    inside = np.flatnonzero(excess <= 0)
    interval = _crossing(exponents, excess, int(inside[0]), -1), _crossing(exponents, excess, int(inside[-1]), 1)

    rss, (b,), (size,) = white.fit(u[None])
    straight = float(rss[0]) / variance
    possible = orders[by_c - min(best_c, least) <= threshold]
    return Shapes(
        exponent=float(exponents[int(np.argmin(by_p))]),
        exponent_interval=interval,
        order=float(possible.min(initial=math.inf)),
        slope=float(b) / length,
        slope_error=math.sqrt(variance / float(size)) / length,
        plateau=float(knees[h // len(_SLOPES), 0, 0]) * length,
        plateau_slope=float(_SLOPES[h % len(_SLOPES)]),
        plateau_gain=least - float(by_h[h]),
        evidence={
            "stretched exponential": float(slower) - straight,
            "power law": float(of_order) - straight,
            "plateau then drop": float(by_h[h]) - straight,
        },
        jitter=math.sqrt(variance / (1 - correlation**2)),
        correlation=correlation,
    )


def _crossing(x: np.ndarray, excess: np.ndarray, at: int, step: int) -> float:
    """Where the excess becomes positive, going from the last index within by ``step``."""
    if not 0 <= at + step < len(x):
        return float(x[at])
    return float(np.interp(0.0, [excess[at], excess[at + step]], [x[at], x[at + step]]))
