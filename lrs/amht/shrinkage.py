"""Empirical-Bayes weights: with few noisy rows a task's own least squares says less than what the other tasks' say."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from lrs.kernels.engine import Engine
from lrs.model import LRSModel

#: EM steps for the prior's mean and covariance; it converges in a handful.
STEPS = 30


def shrink(engine: Engine, U: Float[np.ndarray, "d r"]) -> LRSModel:
    """The model with w replaced by its posterior mean under w ~ N(μ, Σ), b re-fitted on its support.

    With M_i the projection off X_i's support columns, task i says about w only N(w | A_i⁻¹g_i, σ²A_i⁻¹) with
    A_i = UᵀX_iᵀM_iX_iU and g_i = UᵀX_iᵀM_iy_i. The prior (μ, Σ) and σ² are fitted by expectation maximisation on those
    statistics, which is the random-effects model of classical multi-task regression.
    """
    data, r, t = engine.data, engine.r, engine.data.t
    A, g = np.zeros((t, r, r)), np.zeros((t, r))
    left = np.zeros(t)  # residual sum of squares with w and b free
    freedom = np.maximum(engine.freedom, 0).astype(float)
    designs = []
    for i, (X, y) in enumerate(data):
        S = engine.support[i][engine.support[i] >= 0]
        Q = np.linalg.qr(X[:, S])[0] if len(S) else np.empty((len(y), 0))
        XU = X @ U
        inside = XU - Q @ (Q.T @ XU)
        rest = y - Q @ (Q.T @ y)
        A[i], g[i], left[i] = inside.T @ inside, inside.T @ rest, engine.rss[i]
        designs.append((S, XU))
    total = max(float(freedom.sum()), 1.0)
    variance = max(float(left[freedom > 0].sum()) / total, np.finfo(float).tiny)
    mean, spread = engine.W.mean(axis=0), np.cov(engine.W.T, bias=True).reshape(r, r)
    ridge = 1e-9 * np.trace(spread) / max(r, 1) * np.eye(r) + np.finfo(float).tiny * np.eye(r)
    W = engine.W
    for _ in range(STEPS):
        precision = np.linalg.inv(spread + ridge)
        posterior = np.linalg.inv(A / variance + precision)
        W = np.einsum("tij,tj->ti", posterior, g / variance + mean @ precision)
        new_mean = W.mean(axis=0)
        centred = W - new_mean
        new_spread = (centred.T @ centred + posterior.sum(axis=0)) / t
        change = np.abs(new_spread - spread).max() / max(np.abs(spread).max(), np.finfo(float).tiny)
        mean, spread = new_mean, new_spread
        if change < 1e-6:
            break
    for i, (X, y) in enumerate(data):
        S, XU = designs[i]
        rest = y - XU @ W[i]
        if len(S):
            engine.values[i, : len(S)] = np.linalg.lstsq(X[:, S], rest, rcond=None)[0]
            rest = rest - X[:, S] @ engine.values[i, : len(S)]
        engine.rss[i] = rest @ rest
    engine.W[...] = W
    return engine.model(U)
