"""State evolution of AMP with soft thresholding, for the very b of an instance."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float
from scipy import stats


def soft_risk(b: Float[np.ndarray, " d"], tau: float, threshold: float) -> float:
    """E (η(B + τZ; θ) − B)² with Z standard normal and B a random entry of b, in closed form.

    In units of τ, with λ = θ/τ and μ = |b|/τ, of one entry: 1 + λ² + (μ² − 1 − λ²)(Φ(λ − μ) − Φ(−λ − μ))
    − (λ − μ) φ(λ + μ) − (λ + μ) φ(λ − μ) (Donoho and Johnstone 1994).
    """
    if tau == 0:
        return float(np.mean(np.minimum(np.abs(b), threshold) ** 2))
    level, mu = threshold / tau, np.abs(b) / tau
    inside = stats.norm.cdf(level - mu) - stats.norm.cdf(-level - mu)
    ends = (level - mu) * stats.norm.pdf(level + mu) + (level + mu) * stats.norm.pdf(level - mu)
    return float(tau**2 * np.mean(1 + level**2 + (mu**2 - 1 - level**2) * inside - ends))


def trajectory(b: Float[np.ndarray, " d"], m: int, noise: float, alpha: float) -> Iterator[tuple[float, float]]:
    """(mse_t, τ_t) for t = 0, 1, …, from b_0 = 0: τ_t² = (σ² + d mse_t)/m with σ the noise in y.

    That is τ² = σ²/m + mse/δ of the theorem, for rows N(0, I_d) that are divided by √m.
    """
    mse = float(np.mean(b**2))
    while True:
        tau = float(np.sqrt((noise**2 + len(b) * mse) / m))
        yield mse, tau
        mse = soft_risk(b, tau, alpha * tau)
