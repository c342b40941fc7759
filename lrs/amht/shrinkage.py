"""Empirical-Bayes weights: with few noisy rows a task's own least squares says less than what the other tasks' say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from lrs.kernels.arguments import Fit, frozen
from lrs.kernels.engine import Engine

#: EM steps for the prior's mean and covariance; it converges in a handful.
STEPS = 30


#: Covariates gathered at once from tasks of equal shape.
HELD = 2**20


class _Alike(NamedTuple):
    """Tasks with equally many rows m and personal coordinates s, and an orthonormal basis of their columns."""

    tasks: Int[np.ndarray, " g"]
    rows: Int[np.ndarray, "g m"]
    columns: Float[np.ndarray, "g m s"]
    Q: Float[np.ndarray, "g m q"]
    R: Float[np.ndarray, "g q s"]

    @property
    def full(self) -> Bool[np.ndarray, " g"]:
        """Where the columns, at least one, are independent."""
        if self.R.shape[1] < self.R.shape[2]:
            return np.zeros(len(self.R), dtype=bool)
        size = np.abs(np.diagonal(self.R, axis1=1, axis2=2))
        return size.min(axis=1) > 1e-12 * size.max(axis=1)


def _alike(engine: Engine, fit: Fit) -> Iterator[_Alike]:
    """All tasks, by shape and in pieces of about `HELD` covariates."""
    data = engine.data
    shape = data.counts * (engine.k + 1) + fit.size
    for one in np.unique(shape):
        alike = np.flatnonzero(shape == one)
        m, size = divmod(int(one), engine.k + 1)
        for first in range(0, len(alike), step := max(1, HELD // max(m * data.d, 1))):
            tasks = alike[first : first + step]
            rows = data.offsets[tasks][:, None] + np.arange(m)
            columns = data.X[rows[:, :, None], fit.support[tasks, None, :size]]
            yield _Alike(tasks, rows, columns, *np.linalg.qr(columns))


def with_weights(engine: Engine, U: Float[np.ndarray, "d r"], fit: Fit, W: Float[np.ndarray, "t r"]) -> Fit:
    """The fit with other weights, and b by least squares on its support."""
    data = engine.data
    values, rss, gradient = fit.values.copy(), fit.rss.copy(), fit.gradient.copy()
    unexplained = data.y - np.einsum("nr,nr->n", data.X @ U, np.repeat(W, data.counts, axis=0))
    for alike in _alike(engine, fit):
        tasks, rest = alike.tasks, unexplained[alike.rows]
        if size := alike.columns.shape[2]:
            b, full = np.empty((len(tasks), size)), alike.full
            inside = (rest[full, None] @ alike.Q[full])[:, 0]
            b[full] = np.linalg.solve(alike.R[full], inside[:, :, None])[:, :, 0]
            for i in np.flatnonzero(~full):
                b[i] = np.linalg.lstsq(alike.columns[i], rest[i], rcond=None)[0]
            values[tasks, :size] = b
            rest = rest - (alike.columns @ b[:, :, None])[:, :, 0]
        rss[tasks] = np.einsum("gm,gm->g", rest, rest)
        gradient[tasks] = (rest[:, None] @ data.X[alike.rows])[:, 0]
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
    freedom = np.maximum(engine.freedom(fit), 0).astype(float)
    left = fit.rss  # with w and b free
    XU = data.X @ U
    for alike in _alike(engine, fit):
        Q, Qt = alike.Q, alike.Q.transpose(0, 2, 1)
        inside, rest = XU[alike.rows], data.y[alike.rows][:, :, None]
        inside = inside - Q @ (Qt @ inside)
        across = inside.transpose(0, 2, 1)
        A[alike.tasks], g[alike.tasks] = across @ inside, (across @ (rest - Q @ (Qt @ rest)))[:, :, 0]
    total = max(float(freedom.sum()), 1.0)
    variance = max(float(left[freedom > 0].sum()) / total, np.finfo(float).tiny)
    mean, spread = fit.W.mean(axis=0), np.cov(fit.W.T, bias=True).reshape(r, r)
    scale = float(np.trace(spread)) / r
    if not scale > 0 or not np.isfinite(scale / variance):
        return fit
    ridge = 1e-9 * scale * np.eye(r)
    W = fit.W
    for _ in range(STEPS):
        # (A/σ² + Σ⁻¹)⁻¹ with Σ = LLᵀ, as L(I + LᵀAL/σ²)⁻¹Lᵀ: A is singular where a task has few rows, Σ⁻¹ may be nothing beside it.
        sizes, vectors = np.linalg.eigh(spread + ridge)
        L = vectors * np.sqrt(np.maximum(sizes, 0.0))
        posterior = L @ np.linalg.inv(np.eye(r) + (L.T @ A @ L) / variance) @ L.T
        W = mean + np.einsum("tij,tj->ti", posterior, (g - A @ mean) / variance)
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
