"""How many measurements matrix sensing needs: by counting, and by the convex program."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from scipy import integrate, optimize

from lrs.core.validate import integer, numbers


def counting_measurements(*, side: Any, columns: Any, rank: Any, symmetric: Any) -> Any:
    """unknowns of a matrix of rank r: n r − r(r − 1)/2 of a symmetric one, (n + n₂ − r) r of a general one; nothing works with fewer"""
    n, n2, r = (
        numbers(name, v, zero_allowed=False) for name, v in (("side", side), ("columns", columns), ("rank", rank))
    )
    return np.where(np.asarray(symmetric) > 0, n * r - r * (r - 1) / 2, (n + n2 - r) * r)[()]


def statistical_dimension(*, side: Any, columns: Any, rank: Any) -> Any:
    """statistical dimension δ of the nuclear norm: the convex program succeeds half of the time at m = δ Gaussian measurements"""
    found = [_dimension(float(n), float(n2), float(r)) for n, n2, r in np.broadcast(side, columns, rank)]
    return np.reshape(found, np.broadcast(side, columns, rank).shape)[()]


def counting_line(*, n: Any, r: Any, n2: Any = None, **_: Any) -> Any:
    """counting limit: as many measurements as unknowns"""
    symmetric = n2 is None
    return counting_measurements(side=n, columns=n if symmetric else n2, rank=r, symmetric=symmetric)


def convex_line(*, n: Any, r: Any, n2: Any = None, **_: Any) -> Any:
    """statistical dimension δ of the nuclear norm"""
    return statistical_dimension(side=n, columns=n if n2 is None else n2, rank=r)


@lru_cache(maxsize=4096)
def _dimension(n: float, n2: float, r: float) -> float:
    """inf over τ of E dist²(G, τ ∂‖·‖_*), the singular values of the block off the range by Marchenko and Pastur.

    Amelunxen, Lotz, McCoy and Tropp 2014, Proposition 4.7: the subdifferential at a matrix of rank r is diag(I_r, W), ‖W‖ ≤ 1, so that
    the expectation is r(n + n₂ − r) + rτ² + E Σ (σ_i − τ)₊².
    """
    a, b = sorted((n - r, n2 - r))
    if a <= 0:
        return float(r * (n + n2 - r))
    low, high = math.sqrt(b) - math.sqrt(a), math.sqrt(b) + math.sqrt(a)

    def density(s: float) -> float:  # of a singular value of an a × b Gaussian matrix, a ≤ b; of mass 1
        return math.sqrt(max((high**2 - s**2) * (s**2 - low**2), 0.0)) / (math.pi * a * s) if s > 0 else 0.0

    def expected(tau: float) -> float:
        start = max(tau, low)
        excess = integrate.quad(lambda s: (s - tau) ** 2 * density(s), start, high)[0] if start < high else 0.0
        return float(r * (n + n2 - r) + r * tau**2 + a * excess)

    return float(optimize.minimize_scalar(expected, bounds=(0.0, high), method="bounded").fun)


class NormalLaw(NamedTuple):
    """P(the convex program finds M from m Gaussian measurements) ≈ Φ((m − centre)/spread)."""

    centre: float
    spread: float
    error: float  # standard error of the centre


def convex_law(n: int, n2: int, r: int, draws: int = 4000, seed: int = 0) -> NormalLaw:
    """δ and the width of the transition, by simulation of ‖Π g‖² on the descent cone: δ = E, spread² = Var − 2δ.

    ‖Π g‖² is the squared distance of g from the polar cone, inf over τ of dist²(g, τ ∂‖·‖_*).
    """
    for name, value in (("n", n), ("n2", n2), ("r", r)):
        integer(name, value, least=1)
    rng = np.random.default_rng(seed)
    squares = np.empty(draws)
    for i in range(draws):
        G = rng.standard_normal((n, n2))
        sigma = np.linalg.svd(G[r:, r:], compute_uv=False) if min(n, n2) > r else np.zeros(0)
        trace, fixed = float(np.trace(G[:r, :r])), float(np.sum(G[:r] ** 2) + np.sum(G[r:, :r] ** 2))
        # fixed − 2τ trace + rτ² + Σ (σ − τ)₊² is convex with a piecewise linear derivative: its root among the breakpoints
        levels = np.r_[np.inf, sigma]  # falling
        sums = np.r_[0.0, np.cumsum(sigma)]
        roots = (trace + sums) / (r + np.arange(len(sums)))
        j = next(
            (j for j in range(len(sums)) if roots[j] <= levels[j] and (j == len(sigma) or roots[j] >= sigma[j])), 0
        )
        tau = max(float(roots[j]), 0.0)
        squares[i] = fixed - 2 * tau * trace + r * tau**2 + float(np.sum(np.maximum(sigma - tau, 0) ** 2))
    centre, variance = float(squares.mean()), float(squares.var(ddof=1))
    return NormalLaw(centre, math.sqrt(max(variance - 2 * centre, 0.0)), math.sqrt(variance / draws))
