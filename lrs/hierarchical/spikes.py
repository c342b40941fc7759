"""A personal coordinate on top of a Gaussian model, its support summed exactly and its size shrunk."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from lrs.hierarchical.gaussian import Gaussian, Sums

#: EM steps for how often and how large.
STEPS = 30


def one_spike(sums: Sums, base: Gaussian) -> Float[np.ndarray, "t d"]:
    """θ⁽ⁱ⁾ = μ + L w⁽ⁱ⁾ + b⁽ⁱ⁾ with at most one non-zero in b⁽ⁱ⁾: coordinate j with probability π_j, then N(0, s_j²).

    With S_i = σ²I + X_iLLᵀX_iᵀ, M = X_iᵀS_i⁻¹X_i and u = X_iᵀS_i⁻¹(y_i − X_iμ), the marginal likelihood of coordinate j is
    (1 + s²M_jj)^{−½} exp(½ u_j²s²/(1 + s²M_jj)) times that of no coordinate; given j, b_j has mean s²u_j/(1 + s²M_jj).
    π_j and a common s (s_j = s / root mean square of covariate j) by EM; returned are the posterior means of θ.
    """
    L, variance = base.factor, base.variance
    t, d = sums.moment.shape
    u = (sums.moment - np.matmul(sums.gram, base.theta[:, :, None])[:, :, 0]) / variance
    GL = sums.gram @ L
    V = np.linalg.inv(np.matmul(L.T, GL) / variance + np.eye(L.shape[1]))
    GLV = np.matmul(GL, V)
    diagonal = np.einsum("tdd->td", sums.gram) / variance
    M = np.maximum(diagonal - np.einsum("tdr,tdr->td", GLV, GL) / variance**2, 1e-9 * diagonal)
    unit = 1 / np.maximum(np.diag(sums.covariance()), np.finfo(float).tiny)
    s, often = variance / d, np.full(d, 0.1 / d)
    b = np.zeros((t, d))
    for _ in range(STEPS):
        prior = s * unit
        b = prior * u / (1 + prior * M)
        log_odds = np.log(often) - np.log1p(-min(often.sum(), 1 - 1e-9)) + 0.5 * (u * b - np.log1p(prior * M))
        top = np.maximum(log_odds.max(axis=1, keepdims=True), 0.0)
        odds = np.exp(log_odds - top)
        p = odds / (np.exp(-top) + odds.sum(axis=1, keepdims=True))
        # A prior count of one spike among all tasks and coordinates keeps the rates off the boundary.
        often = (p.sum(axis=0) + 1 / d) / (t + 2)
        s = float((p * (b**2 + prior / (1 + prior * M)) / unit).sum() / max(p.sum(), np.finfo(float).tiny))
        b *= p
    # What b explains w no longer has to: θ̂ moves by (I − L V LᵀG/σ²) b̂.
    moved = np.einsum("tdr,td->tr", GLV, b) / variance
    return base.theta + b - moved @ L.T
