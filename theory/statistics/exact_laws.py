"""Laws of recovery that hold exactly at every finite size: what an instrument can be held to.

**ℓ₁ with Gaussian rows.** min ‖β‖₁ subject to A β = A b, A an m × d Gaussian matrix, b with k non-zeros, finds b unless the
kernel of A, which is uniformly random, meets the descent cone of ‖·‖₁ at b. By the conic Crofton formula (McCoy & Tropp
2014; Amelunxen, Lotz, McCoy & Tropp 2014) that has probability 2 Σ_{j ≥ 0} v_{m+1+2j}, v_i the intrinsic volumes of the cone:
v_i = P(V = i), V the dimension of the face on which the projection of g ~ N(0, I_d) on the cone lies. With T the root of
Σ_{i∈S}(T − s_i g_i) = Σ_{i∉S}(|g_i| − T)₊ it is V = k − 1 + #{i ∉ S: |g_i| ≥ T}, and V = d where T ≤ 0.

Here the law of V is not simulated but integrated (our derivation; in angles it is Vershik & Sporyshev 1992, Donoho & Tanner
2009). For a set I ⊂ Sᶜ of n indices the event {|g_i| ≥ T exactly on I} has T = (Z + Σ_I |g_i|)/(k + n), Z = Σ_S s_i g_i. With the
signs of g_I fixed, T ~ N(0, 1/(k + n)) is independent of all g_i − T, i ∈ I, so that the probability is a product:

- of |g_i| < T off I, T > 0: ∫₀^∞ √(k+n) φ(√(k+n) t) (2Φ(t) − 1)^{d−k−n} dt,
- of g_i ≥ T on I, for any value of T, hence given T = 0: over the 2ⁿ signs together √(2π(k+n)) f(0), f the density of
  Z + Σ_I |g_i|, by the inverse Laplace transform of e^{k u²/2} erfcx(−u/√2)ⁿ on the vertical line through its saddle point.

Gauss's rule on the first and the trapezoid rule on the second converge geometrically.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from scipy import special

from lrs.core.errors import InvalidInput
from lrs.core.validate import integer, probability

_NODES = 100  # of each integral; twice as many change nothing above 1e-13 up to d = 1000


@dataclass(frozen=True)
class EllOne:
    """The exact law of ℓ₁ minimisation with Gaussian rows.

    With the shared subspace U given, min ‖β‖₁ subject to y = X(U w + β) sees the rows orthogonal to the columns of X U, and
    their kernel is uniformly random as well: it succeeds at m rows with probability ``probability(min(m, d) - r)``: span(U) stays in it.

    Parameters
    ----------
    d, k : int
        Dimension and non-zeros of b; neither the places nor the values of the non-zeros matter.

    Examples
    --------
    >>> law = EllOne(100, 5)
    >>> law.probability([20, 22, 24, 26, 28]).round(3).tolist()
    [0.526, 0.709, 0.846, 0.93, 0.973]
    >>> round(law.level(0.5), 2)
    19.73
    """

    d: int
    k: int

    def __post_init__(self) -> None:
        integer("d", self.d, least=1)
        integer("k", self.k, least=0)
        if self.k > self.d:
            raise InvalidInput(f"k: cannot exceed d = {self.d}, got {self.k}")

    @cached_property
    def face_dimensions(self) -> np.ndarray:
        """P(V = i) for i = 0 … d: the intrinsic volumes of the descent cone."""
        d, k = self.d, self.k
        v = np.zeros(d + 1)
        if k == 0:  # the cone is a point
            v[0] = 1.0
            return v
        n = np.arange(d - k + 1)[:, None]
        a = np.sqrt(k + n)
        # Off I. The integrand's logarithm is concave with curvature at least a² = k + n, so that all of it lies within 9/a of its
        # mode, where a² t = (d − k − n) 2φ(t)/(2Φ(t) − 1). At n = d − k the mode is 0.
        off = d - k - n
        mode = _crossing(lambda t: a**2 * t * special.erf(t / np.sqrt(2)) - off * _twice_phi(t), a.shape)
        low = np.maximum(mode - 9 / a, 0.0)
        node, weight = _gauss()
        half = (mode + 9 / a - low) / 2
        t = low + half * (node + 1)
        log_off = special.logsumexp(
            np.log(a) - (a * t) ** 2 / 2 + special.xlogy(off, special.erf(t / np.sqrt(2))), axis=1, b=half * weight
        )
        # On I. The saddle −θ ≤ 0 of ln M(u) = k u²/2 + n ln erfcx(−u/√2) on the real line.
        theta = _crossing(lambda x: (k + n) * x - n * np.sqrt(2 / np.pi) / special.erfcx(x / np.sqrt(2)), a.shape)
        tau = np.arange(_NODES + 1) / _NODES * 9 / np.sqrt(k)  # |M| falls at least as fast as e^{−k τ²/2}
        u = theta - 1j * tau  # −u of the transform
        log_m = k * u**2 / 2 + n * np.log(special.wofz(1j * u / np.sqrt(2)))
        top = log_m[:, :1].real
        values = np.exp(log_m - top).real
        density = (values.sum(1) - (values[:, 0] + values[:, -1]) / 2) * (tau[1] - tau[0]) / np.pi
        on = top[:, 0] + np.log(density) + 0.5 * np.log(2 * np.pi * (k + n[:, 0]))
        choose = special.gammaln(d - k + 1) - special.gammaln(n + 1) - special.gammaln(d - k - n + 1)
        v[k - 1 : d] = np.exp(choose[:, 0] + on + log_off - 0.5 * np.log(2 * np.pi))
        v[d] = max(0.0, 1 - v.sum())  # T ≤ 0: g lies in the cone itself
        return v

    def probability(self, m: Any) -> np.ndarray:
        """P(b is found) from m rows; m may be an array of whole numbers, also below 0 (no rows) and above d."""
        rows = np.asarray(m)
        if not np.equal(rows, np.floor(rows)).all():
            raise InvalidInput(f"m: expected whole numbers, got {m!r}")
        if self.k == 0:
            return np.ones(rows.shape)
        padded = np.r_[self.face_dimensions, 0.0, 0.0]
        tail = np.zeros(self.d + 3)  # tail[i] = v_i + v_{i+2} + …
        for i in range(self.d, -1, -1):
            tail[i] = padded[i] + tail[i + 2]
        return np.clip(1 - 2 * tail[np.clip(rows.astype(int), 0, self.d) + 1], 0.0, 1.0)

    def level(self, p: float) -> float:
        """Rows at which P = p, interpolated linearly between whole numbers of rows."""
        probability("p", p)
        return _level(self.d, self.k, p)


@lru_cache(maxsize=1)
def _gauss() -> tuple[np.ndarray, np.ndarray]:
    node, weight = special.roots_legendre(_NODES)
    return node, weight


def _twice_phi(t: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt(2 / np.pi) * np.exp(-(t**2) / 2))


def _crossing(rising: Callable[[np.ndarray], np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Where functions of x ≥ 0 that are rising change sign (0 where they are never negative), by bisection."""
    low, high = np.zeros(shape), np.full(shape, 40.0)
    for _ in range(60):
        middle = (low + high) / 2
        above = rising(middle) > 0
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return low


@lru_cache(maxsize=4096)
def _level(d: int, k: int, p: float) -> float:
    rows = np.arange(d + 1)
    values = EllOne(d, k).probability(rows)
    above = int(np.argmax(values >= p))
    if above == 0:
        return 0.0
    low, high = values[above - 1], values[above]
    return float(above - 1 + (p - low) / (high - low))
