"""Empirical-Bayes weights: with few noisy rows a task's own least squares says less than what the other tasks' say."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from lrs.kernels.arguments import Fit, frozen
from lrs.kernels.engine import Engine

#: EM steps for the prior's mean and covariance; it converges in a handful.
STEPS = 30


def with_weights(engine: Engine, U: Float[np.ndarray, "d r"], fit: Fit, W: Float[np.ndarray, "t r"]) -> Fit:
    """The fit with other weights, and b by least squares on its support."""
    values, rss, gradient = fit.values.copy(), fit.rss.copy(), fit.gradient.copy()
    for i, (X, y) in enumerate(engine.data):
        S = fit.support[i][fit.support[i] >= 0]
        rest = y - X @ U @ W[i]
        if len(S):
            values[i, : len(S)] = np.linalg.lstsq(X[:, S], rest, rcond=None)[0]
            rest = rest - X[:, S] @ values[i, : len(S)]
        rss[i], gradient[i] = rest @ rest, X.T @ rest
    return frozen(fit._replace(W=W.copy(), values=values, rss=rss, gradient=gradient))


def shrink(engine: Engine, U: Float[np.ndarray, "d r"], fit: Fit) -> Fit:
    """Every task's w replaced by its posterior mean under w ~ N(μ, Σ), and b re-fitted on its support.

    With M_i the projection off X_i's support columns, task i says about w only N(w | A_i⁻¹g_i, σ²A_i⁻¹) with
    A_i = UᵀX_iᵀM_iX_iU and g_i = UᵀX_iᵀM_iy_i. The prior (μ, Σ) and σ² are fitted by expectation maximisation on those
    statistics, which is the random-effects model of classical multi-task regression.
    """
    data, r, t = engine.data, engine.r, engine.data.t
    if t < 2 * r + 2:  # too few tasks to say how weights vary
        return fit
    A, g = np.zeros((t, r, r)), np.zeros((t, r))
    left = np.zeros(t)  # residual sum of squares with w and b free
    freedom = np.maximum(engine.freedom(fit), 0).astype(float)
    for i, (X, y) in enumerate(data):
        S = fit.support[i][fit.support[i] >= 0]
        Q = np.linalg.qr(X[:, S])[0] if len(S) else np.empty((len(y), 0))
        XU = X @ U
        inside = XU - Q @ (Q.T @ XU)
        rest = y - Q @ (Q.T @ y)
        A[i], g[i], left[i] = inside.T @ inside, inside.T @ rest, fit.rss[i]
    total = max(float(freedom.sum()), 1.0)
    variance = max(float(left[freedom > 0].sum()) / total, np.finfo(float).tiny)
    mean, spread = fit.W.mean(axis=0), np.cov(fit.W.T, bias=True).reshape(r, r)
    scale = float(np.trace(spread)) / r
    if not scale > 0 or not np.isfinite(scale / variance):
        return fit
    ridge = 1e-9 * scale * np.eye(r)
    W = fit.W
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
    return with_weights(engine, U, fit, W)


def borrow_strength(engine: Engine, U: Float[np.ndarray, "d r"], fit: Fit) -> Fit:
    """Fit tasks with fewer than r + k + 1 rows by what the other tasks say about them.

    Such a task cannot find its own coordinates: least squares would interpolate its few rows. Its w becomes the
    posterior mean under the weights' mean and covariance over the other tasks, b the typical size of theirs spread over
    all coordinates and counted as noise, so b = 0.
    """
    data, r = engine.data, engine.r
    short = data.counts < r + engine.k + 1
    if not short.any() or (~short).sum() < 2 * r + 2:
        return fit
    W = fit.W[~short]
    mean, spread = W.mean(axis=0), np.cov(W.T, bias=True).reshape(r, r)
    scale = float(np.trace(spread)) / max(r, 1)
    personal = float((fit.values[~short] ** 2).sum()) / int((~short).sum())
    freedom = np.maximum(engine.freedom(fit)[~short], 1)
    column = float(engine.square.sum()) / (data.n * data.d)  # mean square of a covariate
    variance = personal * column + float(np.median(fit.rss[~short] / freedom))
    spread = spread + 1e-9 * scale * np.eye(r)
    fit = fit.draft()
    for i in np.flatnonzero(short):
        X, y = data.task(int(i))
        XU = X @ U
        covariance = XU @ spread @ XU.T + (variance + 1e-12 * scale * column) * np.eye(len(y))
        fit.values[i], fit.support[i], fit.size[i] = 0.0, -1, 0
        fit.W[i] = mean + spread @ XU.T @ np.linalg.lstsq(covariance, y - XU @ mean, rcond=None)[0]
        rest = y - XU @ fit.W[i]
        fit.rss[i], fit.gradient[i] = rest @ rest, X.T @ rest
    return frozen(fit)
