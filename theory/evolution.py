"""State evolution: the error that an optimal message-passing method reaches, iteration by iteration.

With a Gaussian design of m rows and entries N(0, 1), a method that has mean squared error E = E‖θ̂ − θ*‖² sees every
coordinate of θ with an independent Gaussian error of variance τ² = (σ² + E)/m, and an optimal one answers with the posterior
mean: E ← M(τ²), the Bayes error of that channel. (Donoho, Maleki & Montanari 2009 for sparse regression; Bayati &
Montanari 2011 for the proof.) Started from the prior it ends at the largest fixed point, which is what message passing
reaches; started from the truth at the smallest. Where the two differ the Bayes error is the one of smaller potential

    i(E) = I(γ) + (m/2) (ln(1 + E/σ²) − E γ/m),  γ = m/(σ² + E),  di/dE = ½ γ′(E) (M − E),

I the information of the channel (Reeves & Pfister 2016, Barbier et al. 2016 for independent coordinates). If that is the
smaller error no method of polynomial time is known that reaches it: the hard phase.

The laws are written for the sizes of a problem and not for their ratios, so that they can be read at finite d, where they are
an approximation of order 1/√d.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import ClassVar, Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Float
from scipy import special

from lrs.core.validate import choice, integer, real

#: Gauss–Legendre nodes of a panel; twice as many change nothing above 1e-10 (a test says so).
NODES = 24
#: Iterations to a fixed point at most; an error below this share of the prior's is zero.
ITERATIONS, ZERO = 2000, 1e-14

Slab = Literal["gaussian", "uniform", "signs"]


class FixedPoints(NamedTuple):
    """Where state evolution ends from the prior and from the truth, and which of both is the Bayes error."""

    from_prior: Float[np.ndarray, " n"]
    from_truth: Float[np.ndarray, " n"]
    bayes: Float[np.ndarray, " n"]

    @property
    def hard(self) -> bool:
        """Whether the Bayes error is out of reach of message passing: by more than 1 %, and 1e-6 of the larger."""
        high, low = self.from_prior.mean(), self.bayes.mean()
        return bool(high > 1.01 * low + 1e-6 * high and high > 0)


class Evolution(ABC):
    """A law E ← M(τ²), τ_i² = (σ² + E_i)/m_i; errors are arrays, one value per task with rows of its own.

    Attributes
    ----------
    rows, prior : (n,) arrays
        Rows m_i, and the error of an answer that has seen none: E‖θ‖².
    sigma : float
        Standard deviation of the noise.
    settled : float
        A fixed point is reached when an iteration changes the error by less than this share.
    """

    settled: ClassVar[float] = 1e-7
    sigma: float

    @property
    @abstractmethod
    def rows(self) -> Float[np.ndarray, " n"]: ...

    @property
    @abstractmethod
    def prior(self) -> Float[np.ndarray, " n"]: ...

    @abstractmethod
    def remaining(self, variance: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """M(τ²): the error of the posterior mean when every coordinate is seen with errors of these variances."""

    def step(self, error: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """One iteration."""
        variance = (self.sigma**2 + error) / self.rows
        return self.remaining(variance) if variance.max() > 0 else np.zeros_like(error)

    def curve(self, iterations: int) -> Float[np.ndarray, "steps n"]:
        """Errors before the first iteration (row 0) and after each of ``iterations``."""
        integer("iterations", iterations, least=0)
        errors = [self.prior]
        for _ in range(iterations):
            errors.append(self.step(errors[-1]))
        return np.array(errors)

    def settle(self, error: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """The fixed point that iterations from this error reach."""
        for _ in range(ITERATIONS):
            before, error = error, self.step(error)
            if error.max() <= ZERO * self.prior.max():
                return np.zeros_like(error)
            if np.abs(error - before).max() <= self.settled * error.max():
                break
        return error

    @cached_property
    def fixed_points(self) -> FixedPoints:
        """From both starts; the Bayes error by the difference of the potential on the line between them."""
        high = self.settle(self.prior)
        # From the truth: an error of zero is a fixed point without noise, whether it attracts is asked next to it.
        low = self.settle(np.zeros_like(high) if self.sigma > 0 else 1e-9 * self.prior)
        if not high.mean() > low.mean() * 1.001:
            return FixedPoints(high, low, high)
        if low.max() == 0:  # the potential falls without bound towards it
            return FixedPoints(high, low, low)
        # di along E(s) = low + (e^s − 1) c, which follows errors over many orders of magnitude.
        node, weight = special.roots_legendre(NODES)
        span = np.log((high / low).max())
        climb = 0.0
        for x, w in zip((node + 1) / 2 * span, weight / 2 * span, strict=True):
            error = low + (high - low) * np.expm1(x) / np.expm1(span)
            slope = (high - low) * np.exp(x) / np.expm1(span)
            total = self.sigma**2 + error
            climb += w * float((-self.rows / total**2 / 2 * (self.remaining(total / self.rows) - error) * slope).sum())
        return FixedPoints(high, low, low if climb > 0 else high)


@dataclass(frozen=True)
class SparsePrior:
    """A number that is zero, or with probability ``rate`` drawn from a slab: N(0, s²), ± U(s/2, 3s/2) or ± s.

    Parameters
    ----------
    rate : float in [0, 1]
    law : {"gaussian", "uniform", "signs"}
        As the generator names them.
    scale : float
        s > 0.
    """

    rate: float
    law: Slab = "uniform"
    scale: float = 1.0

    def __post_init__(self) -> None:
        real("rate", self.rate, least=0, most=1)
        choice("law", self.law, get_args(Slab))
        real("scale", self.scale, above=0)

    @property
    def slab(self) -> float:
        """Variance of the slab."""
        return self.scale**2 * (13 / 12 if self.law == "uniform" else 1.0)

    def information(self, variance: float, nodes: int = NODES) -> tuple[float, float]:
        """Of x = b + N(0, τ²) with density p: I = E[(ln p)′²], the Fisher information of its location, and E[(ln p)″²].

        By Tweedie's formula E[b | x] = x + τ² (ln p)′ and Var[b | x] = τ² + τ⁴ (ln p)″, so that M = τ² − τ⁴ I.
        """
        return _information(self.rate, self.law, self.scale, float(variance), nodes)

    def remaining(self, variance: float) -> float:
        """E Var[b | x]."""
        # τ² − τ⁴ I loses digits where the noise is far above the slab, and there it is the prior's variance.
        fisher, _ = self.information(variance)
        return float(np.clip(variance * (1 - variance * fisher), 0.0, self.rate * self.slab))


@lru_cache(maxsize=65536)
def _information(rate: float, law: Slab, scale: float, variance: float, nodes: int) -> tuple[float, float]:
    tau = float(np.sqrt(variance))
    steps = np.r_[0:6, 6.5, 7, 8, 10, 12, 16, 20]
    # The density is a sum of normal densities, or for a uniform slab of their integrals from its ends.
    shapes: dict[Slab, list[float]] = {"gaussian": [0.0], "signs": [-1.0, 1.0], "uniform": [-1.5, -0.5, 0.5, 1.5]}
    ends = scale * np.array(shapes[law])
    wide = float(np.hypot(tau, scale)) if law == "gaussian" else tau
    edges = np.concatenate([tau * steps, *(e + wide * np.r_[-steps[::-1], steps] for e in ends)])
    edges = np.unique(edges[edges >= 0])
    node, weight = special.roots_legendre(nodes)
    half = np.diff(edges)[:, None] / 2
    x, w = (edges[:-1, None] + half * (node + 1)).ravel(), (half * weight).ravel()
    derivatives = (1 - rate) * np.array(_normal(x, tau)[1:])  # of the density at x ≥ 0: itself, first, second
    for n, e in enumerate(ends):
        if law == "uniform":
            derivatives += rate / (2 * scale) * (-1) ** n * np.array(_normal(x - e, tau)[:3])
        else:
            derivatives += rate / len(ends) * np.array(_normal(x - e, wide)[1:])
    p, first, second = derivatives[:, derivatives[0] > 1e-300]
    w = w[derivatives[0] > 1e-300]
    return float(2 * (w * first**2 / p).sum()), float(2 * (w * p * (second / p - (first / p) ** 2) ** 2).sum())


def _normal(z: np.ndarray, tau: float) -> tuple[np.ndarray, ...]:
    """Integral from infinity, which is exact where it is small, density and its two derivatives of N(0, τ²)."""
    density = np.exp(-((z / tau) ** 2) / 2) / (tau * np.sqrt(2 * np.pi))
    return -special.ndtr(-z / tau), density, -z / tau**2 * density, ((z / tau) ** 2 - 1) / tau**2 * density


@dataclass(frozen=True)
class SparseRegression(Evolution):
    """One vector of d independent numbers from a sparse prior, and ``shared`` more from N(0, 1) along delocalised directions.

    The latter are w of a task whose subspace is known: a direction u_a with ‖u_a‖ = 1 is seen through all d coordinates, so
    that w_a has posterior variance 1/(1 + I), I the Fisher information of the channel, of which E[(1 − ∂E[b|x]/∂x)²] reaches
    θ. Where the channel is almost Gaussian this is τ²/(1 + τ²), and τ² = (σ² + E)/m is the law of m − r rows.

    Parameters
    ----------
    m : int
    d : int
    sigma : float
    sparse : SparsePrior
    shared : int
        r.
    """

    m: int
    d: int
    sigma: float
    sparse: SparsePrior
    shared: int = 0

    def __post_init__(self) -> None:
        integer("m", self.m, least=1)
        integer("d", self.d, least=1)
        integer("shared", self.shared, least=0)
        real("sigma", self.sigma, least=0)

    @property
    def rows(self) -> Float[np.ndarray, " n"]:
        """As in `Evolution`."""
        return np.array([float(self.m)])

    @property
    def prior(self) -> Float[np.ndarray, " n"]:
        """As in `Evolution`."""
        return np.array([self.d * self.sparse.rate * self.sparse.slab + self.shared])

    def remaining(self, variance: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """As in `Evolution`."""
        tau2 = float(variance[0])
        fisher, curvature = self.sparse.information(tau2)
        along = min(tau2**2 * curvature, 1.0) / (1 + fisher)
        return np.array([self.d * self.sparse.remaining(tau2) + self.shared * along])
