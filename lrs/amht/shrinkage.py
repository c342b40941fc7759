"""Empirical-Bayes weights: with few noisy rows a task's own least squares says less than what the other tasks' say."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from lrs.kernels.engine import Engine

#: EM steps for the prior's mean and covariance; it converges in a handful.
STEPS = 30


def shrink(engine: Engine, U: Float[np.ndarray, "d r"]) -> None:
    """Replace every task's w by its posterior mean under w ~ N(μ, Σ), and re-fit b on its support.

    With M_i the projection off X_i's support columns, task i says about w only N(w | A_i⁻¹g_i, σ²A_i⁻¹) with
    A_i = UᵀX_iᵀM_iX_iU and g_i = UᵀX_iᵀM_iy_i. The prior (μ, Σ) and σ² are fitted by expectation maximisation on those
    statistics, which is the random-effects model of classical multi-task regression.
    """
    data, r, t = engine.data, engine.r, engine.data.t
    if t < 2 * r + 2:  # too few tasks to say how weights vary
        return
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
    scale = float(np.trace(spread)) / r
    if not scale > 0 or not np.isfinite(scale / variance):
        return
    ridge = 1e-9 * scale * np.eye(r)
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


def borrow_strength(engine: Engine, U: Float[np.ndarray, "d r"]) -> None:
    """Fit tasks with fewer than r + k + 1 rows by what the other tasks say about them.

    Such a task cannot find its own coordinates: least squares would interpolate its few rows. Its w becomes the
    posterior mean under the weights' mean and covariance over the other tasks, b the typical size of theirs spread over
    all coordinates and counted as noise, so b = 0.
    """
    data, r = engine.data, engine.r
    short = data.counts < r + engine.k + 1
    if not short.any() or (~short).sum() < 2 * r + 2:
        return
    W = engine.W[~short]
    mean, spread = W.mean(axis=0), np.cov(W.T, bias=True).reshape(r, r)
    scale = float(np.trace(spread)) / max(r, 1)
    personal = float((engine.values[~short] ** 2).sum()) / int((~short).sum())
    freedom = np.maximum(engine.freedom[~short], 1)
    column = float(engine.square.sum()) / (data.n * data.d)  # mean square of a covariate
    variance = personal * column + float(np.median(engine.rss[~short] / freedom))
    spread = spread + 1e-9 * scale * np.eye(r)
    for i in np.flatnonzero(short):
        X, y = data.task(int(i))
        XU = X @ U
        covariance = XU @ spread @ XU.T + (variance + 1e-12 * scale * column) * np.eye(len(y))
        engine.values[i], engine.support[i], engine.size[i] = 0.0, -1, 0
        engine.W[i] = mean + spread @ XU.T @ np.linalg.lstsq(covariance, y - XU @ mean, rcond=None)[0]
        rest = y - XU @ engine.W[i]
        engine.rss[i] = rest @ rest
