"""Random effects: θ⁽ⁱ⁾ ~ N(μ, Σ), the prior by maximum marginal likelihood, every task by its posterior mean.

All that a Gaussian model needs of a task are G_i = X_iᵀX_i, c_i = X_iᵀy_i, ‖y_i‖² and m_i, so the rows are read once.
Σ is full (the mixed model of statistics), diagonal (every coordinate personal), or of rank r (a shared subspace).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from lrs.families.low_rank_sparse.problem import MultiTaskData
from lrs.kernels import kernel

#: EM stops when a step gains less than this in log-likelihood per row.
GAIN = 1e-6
#: A covariate is determined when its share of the largest eigenvalue of the covariance exceeds this.
DETERMINED = 1e-10


@dataclass(frozen=True, eq=False)
class Sums:
    """What the rows say to a Gaussian model.

    Attributes
    ----------
    gram : (t, d, d) array
    moment : (t, d) array
    energy, counts : (t,) arrays
    """

    gram: Float[np.ndarray, "t d d"]
    moment: Float[np.ndarray, "t d"]
    energy: Float[np.ndarray, " t"]
    counts: Float[np.ndarray, " t"]

    @classmethod
    def of(cls, data: MultiTaskData) -> Sums:
        """Of all tasks."""
        gram, moment = np.empty((data.t, data.d, data.d)), np.empty((data.t, data.d))
        for i, (X, y) in enumerate(data):
            gram[i], moment[i] = X.T @ X, X.T @ y
        return cls(gram, moment, np.add.reduceat(data.y**2, data.offsets[:-1]), data.counts.astype(float))

    @property
    def d(self) -> int:
        return int(self.moment.shape[1])

    @property
    def n(self) -> float:
        """All rows."""
        return float(self.counts.sum())

    @property
    def rounding(self) -> float:
        """A noise variance below which nothing is told from rounding: what is left where rows are fewer than features."""
        return max(1e-14 * float(self.energy.sum()) / self.n, float(np.finfo(float).tiny))

    def covariance(self) -> Float[np.ndarray, "d d"]:
        """Mean of x xᵀ over all rows, made definite."""
        total = self.gram.sum(axis=0) / self.n
        return total + DETERMINED * (np.trace(total) / self.d or 1.0) * np.eye(self.d)


@dataclass(frozen=True, eq=False)
class Gaussian:
    """A fitted prior N(μ, Σ), the noise, and what it makes of the tasks.

    Attributes
    ----------
    mean : (d,) array
    factor : (d, q) array
        Σ = factor factorᵀ.
    variance : float
        σ².
    theta : (t, d) array
        Posterior means.
    likelihood : float
        Marginal log-likelihood of the responses, of the step before the last.
    """

    mean: Float[np.ndarray, " d"]
    factor: Float[np.ndarray, "d q"]
    variance: float
    theta: Float[np.ndarray, "t d"]
    likelihood: float


def common(sums: Sums) -> tuple[Float[np.ndarray, " d"], float]:
    """The least squares θ of all tasks together, and its mean squared residual."""
    total = sums.moment.sum(axis=0)
    theta = np.linalg.solve(sums.covariance(), total / sums.n)
    return theta, max(float(sums.energy.sum() - theta @ total) / sums.n, sums.rounding)


def global_model(sums: Sums) -> Gaussian:
    """Σ = 0."""
    mean, variance = common(sums)
    likelihood = -0.5 * sums.n * (np.log(2 * np.pi * variance) + 1)
    theta = np.broadcast_to(mean, sums.moment.shape)
    return Gaussian(mean, np.zeros((sums.d, 0)), variance, theta, float(likelihood))


def random_effects(
    sums: Sums, form: Literal["full", "diagonal"] = "full", *, steps: int = 200, start: Gaussian | None = None
) -> Gaussian:
    """EM for θ⁽ⁱ⁾ ~ N(μ, Σ) (Laird and Ware 1982): E-step θ̂_i, V_i; μ = mean θ̂_i, Σ = mean of V_i + (θ̂_i − μ)(θ̂_i − μ)ᵀ.

    It starts at a small diagonal Σ, a tenth of the residual variance in all coordinates together; a Σ that is not
    determined (a few tasks, collinear covariates) keeps some of it, and fewer ``steps`` keep more. With ``start`` it goes
    on from there.
    """
    t, d = sums.moment.shape
    if not sums.energy.any():  # nothing to explain
        return global_model(sums)
    mean, variance = common(sums)
    small = variance / (10 * d) / np.diag(sums.covariance())
    S = np.diag(small)
    if start is not None:
        mean, variance, S = start.mean, start.variance, start.factor @ start.factor.T
    theta, spread = np.empty((t, d)), np.empty((d, d))
    trace, log_det = np.empty(t), np.empty(t)
    last = likelihood = -np.inf
    # A component of Σ never reaches 0 in EM but may underflow; this floor costs nothing in prediction.
    floor = np.diag(1e-8 * small)
    for step in range(steps + 1):
        P = np.linalg.inv(S + floor)
        arguments: Any = (sums.gram, sums.moment, P, P @ mean, variance, theta, spread, trace, log_det)
        kernel("gaussian_posterior")(*arguments)
        centred = theta - mean
        residual = float(
            sums.energy.sum() - 2 * (theta * sums.moment).sum() + np.einsum("td,td->", _times(sums.gram, theta), theta)
        )
        quadratic = residual / variance + np.einsum("td,td->", centred @ P, centred)
        determinants = sums.n * np.log(2 * np.pi * variance) + t * np.linalg.slogdet(S + floor)[1] - log_det.sum()
        last, likelihood = likelihood, -0.5 * float(determinants + quadratic)
        if step == steps or likelihood - last < GAIN * sums.n:
            break
        mean = theta.mean(axis=0)
        centred = theta - mean
        S = (centred.T @ centred + spread) / t
        if form == "diagonal":
            S = np.diag(np.diag(S))
        variance = max((residual + float(trace.sum())) / sums.n, sums.rounding)
    return Gaussian(mean, np.linalg.cholesky(S + floor), variance, theta, likelihood)


def low_rank(sums: Sums, rank: int, *, steps: int = 60) -> Gaussian:
    """EM for θ⁽ⁱ⁾ = μ + L w⁽ⁱ⁾, w ~ N(0, I_r), with L (d, r) and μ by the regression on E[w] and E[wwᵀ].

    After each step L and μ take over the mean and covariance of the posterior w (parameter expansion, Liu, Rubin and Wu
    1998), which makes it converge in tens of steps.
    """
    t, d = sums.moment.shape
    if not sums.energy.any():
        return global_model(sums)
    mean, variance = common(sums)
    covariance, total = sums.covariance(), sums.moment.sum(axis=0)
    # Start: leading directions of the residual moments in the metric of the design.
    half = np.linalg.inv(np.linalg.cholesky(covariance)).T
    rest = (sums.moment - sums.gram @ mean) @ half
    sizes, directions = np.linalg.eigh(
        (rest.T @ rest / sums.n - variance * np.eye(d)) / (sums.counts**2).sum() * sums.n
    )
    least = variance / (10 * d)
    L = half @ (directions[:, ::-1][:, :rank] * np.sqrt(np.maximum(sizes[::-1][:rank], least)))
    flat = sums.gram.reshape(t, d * d)
    q, last = rank + 1, -np.inf
    for step in range(steps + 1):
        GL = (sums.gram.reshape(t * d, d) @ L).reshape(t, d, rank)
        V = np.linalg.inv(np.matmul(L.T, GL) / variance + np.eye(rank))
        g = sums.moment @ L - np.einsum("tdr,d->tr", GL, mean)
        W = np.matmul(V, g[:, :, None])[:, :, 0] / variance
        energy = float(sums.energy.sum() - 2 * mean @ total + mean @ sums.gram.sum(axis=0) @ mean)
        likelihood = -0.5 * float(
            sums.n * np.log(2 * np.pi * variance) + (energy - (W * g).sum()) / variance - np.linalg.slogdet(V)[1].sum()
        )
        if step == steps or likelihood - last < GAIN * sums.n:
            break
        last = likelihood
        one = np.column_stack([np.ones(t), W])
        second = one[:, :, None] * one[:, None, :]
        second[:, 1:, 1:] += V
        H = (second.reshape(t, q * q).T @ flat).reshape(q, q, d, d).transpose(0, 2, 1, 3).reshape(q * d, q * d)
        H[np.diag_indices(q * d)] += DETERMINED * np.trace(H) / (q * d)
        b = (one.T @ sums.moment).ravel()
        solution = np.linalg.solve(H, b)
        variance = max(float(sums.energy.sum() - solution @ b) / sums.n, sums.rounding)
        mean, L = solution[:d], solution[d:].reshape(rank, d).T
        centre = W.mean(axis=0)
        spread = (W - centre).T @ (W - centre) / t + V.mean(axis=0)
        mean, L = mean + L @ centre, L @ np.linalg.cholesky(spread)
    return Gaussian(mean, L, variance, mean + W @ L.T, likelihood)


def _times(gram: Float[np.ndarray, "t d d"], theta: Float[np.ndarray, "t d"]) -> Float[np.ndarray, "t d"]:
    return np.asarray(np.matmul(gram, theta[:, :, None])[:, :, 0])
