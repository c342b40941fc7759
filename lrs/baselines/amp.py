"""Approximate message passing: the posterior mean in a model of Gaussian designs, by messages that state evolution predicts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from lrs.baselines._stack import Progress, Stack, top_k
from lrs.core.errors import InvalidInput
from lrs.core.validate import choice, integer, real
from lrs.families.low_rank_sparse.problem import Problem
from lrs.kernels import kernel
from lrs.kernels.arguments import Channel, RowPosterior
from lrs.solver import Callback, Solution, Status, Traits

#: With more tasks than this the sum over supports is too long.
MOST_TASKS = 12
#: Steps of expectation maximisation before the first message, and with every later one.
FIRST_STEPS, STEPS = 15, 2
#: Smallest τ² of a message, as a share of the mean square of all of them: below, supports are certain and sums are rounding.
FLOOR = 1e-11


class Message(NamedTuple):
    """One iteration: the posterior of Θ's rows (columns of θ) and the channel it was computed for."""

    posterior: RowPosterior
    channel: Channel


@dataclass(frozen=True, kw_only=True)
class AMP:
    """Bayes-optimal approximate message passing for few tasks, W given or by expectation maximisation.

    h_j is the posterior mean of row j of Θ under u_j ~ N(0, I/d), b_ij zero or N(0, s²) with probability k/d, given
    r_i = h_i + X_iᵀz_i/m_i as if r_i = θ_i + N(0, τ_i² I), with z_i = y_i − X_ih_i plus Onsager's term (d/m_i) ⟨∂h_i/∂r_i⟩ z_i and
    τ_i² = ‖z_i‖²/m_i² for designs of unit variance. Every design row belongs to one task, so that Onsager's matrix is diagonal.
    Derived here; ``theory.families.low_rank_sparse.state_evolution`` predicts its error. A reference for Gaussian designs and up
    to 12 tasks: on others it may diverge, and says so.

    Parameters
    ----------
    max_iterations : int
    tolerance : float
        Stop when the messages change by less than this share.
    weights : (t, r) array, optional
        W, where it is known; default: by expectation maximisation, from factor analysis of the first messages.
    slab : float, optional
        s, where it is known; else by expectation maximisation.
    answer : {"sparse", "mean"}
        Whether b keeps its k largest entries, as a model asks for, or is the posterior mean, which has the smallest error.
    """

    max_iterations: int = 60
    tolerance: float = 1e-4
    weights: Float[np.ndarray, "t r"] | None = None
    slab: float | None = None
    answer: Literal["sparse", "mean"] = "sparse"
    family: ClassVar[str] = Problem.family
    traits: ClassVar[Traits] = Traits(exact=False)

    def __post_init__(self) -> None:
        integer("max_iterations", self.max_iterations, least=1)
        real("tolerance", self.tolerance, least=0)
        if self.slab is not None:
            real("slab", self.slab, above=0)
        choice("answer", self.answer, ("sparse", "mean"))

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        stack, progress = Stack(problem.data), Progress(problem, callback)
        before = np.zeros((problem.t, problem.d))
        progress.record(np.eye(problem.d, problem.rank), np.zeros((problem.t, problem.rank)), before, 1.0)
        status = Status.ITERATION_CAP
        for message in self.messages(problem):
            h = message.posterior.mean.T
            Q, R = np.linalg.qr(message.posterior.u)
            W = message.channel.W @ R.T
            B = h - W @ Q.T
            if self.answer == "sparse":
                B = top_k(B, problem.sparsity)
            residual = stack.relative(stack.residuals(h))
            if not np.isfinite(residual) or not progress.record(Q, W, B, residual):
                return progress.solution(Status.DIVERGED)
            moved = float(np.linalg.norm(h - before))
            if moved <= self.tolerance * float(np.linalg.norm(h)):
                status = Status.CONVERGED
                break
            before = h.copy()
        return progress.solution(status)

    def messages(self, problem: Problem) -> Iterator[Message]:
        """The iterations, from h = 0; ``posterior.mean`` is (d, t)."""
        t, d, r = problem.t, problem.d, problem.rank
        if t > MOST_TASKS:
            raise InvalidInput(f"row-amp: sums over 2ᵗ supports, at most {MOST_TASKS} tasks; this problem has {t}")
        stack = Stack(problem.data)
        counts, scale = stack.counts, float(np.sqrt((problem.data.X**2).mean())) or 1.0
        posteriors = kernel("row_posteriors")
        rate = problem.sparsity / d
        h, z, onsager = np.zeros((t, d)), [np.zeros_like(b.y) for b in stack.blocks], np.zeros(t)
        channel = None
        for iteration in range(self.max_iterations):
            rest = stack.residuals(h)
            z = [e + onsager[b.tasks, None] * old for b, e, old in zip(stack.blocks, rest, z, strict=True)]
            R = np.ascontiguousarray((h + stack.adjoint(z) / (counts[:, None] * scale**2)).T)
            noise = stack.squares(z) / (counts * scale) ** 2
            noise = np.maximum(noise, FLOOR * float((R**2).mean()) + np.finfo(float).tiny)
            if not np.isfinite(R).all():
                return
            channel = self._first(R, noise, rate, r) if channel is None else channel._replace(noise=noise)
            posterior = RowPosterior.empty(d, t, r)
            for _ in range(0 if self._known else STEPS if iteration else FIRST_STEPS):
                posteriors(R, channel, posterior)
                channel = self._improved(channel, posterior)
            posteriors(R, channel, posterior)
            yield Message(posterior, channel)
            h = posterior.mean.T
            onsager = posterior.variance.mean(axis=0) / noise * d / counts

    @property
    def _known(self) -> bool:
        return self.weights is not None and self.slab is not None

    def _first(self, R: Float[np.ndarray, "d t"], noise: Float[np.ndarray, " t"], rate: float, r: int) -> Channel:
        """W from factor analysis of the rows (their own variances by iteration), and what is left is b."""
        C = R.T @ R / len(R)
        own = np.diag(C) / 2
        for _ in range(50):
            values, vectors = np.linalg.eigh(C - np.diag(own))
            W = vectors[:, ::-1][:, :r] * np.sqrt(np.maximum(values[::-1][:r], 0.0))
            own = np.clip(np.diag(C) - (W**2).sum(axis=1), 0.05 * np.diag(C), np.diag(C))
        if self.weights is not None:
            W = np.asarray(self.weights, dtype=np.float64) / np.sqrt(len(R))
            if W.shape != (R.shape[1], r):
                raise InvalidInput(f"weights: expected shape (t, r) = {(R.shape[1], r)}, got {W.shape}")
            own = np.diag(C) - (W**2).sum(axis=1)
        if self.slab is not None:
            return Channel(W, noise, rate, self.slab**2)
        left = float(np.mean(own - noise)) / rate if rate else 0.0
        return Channel(W, noise, rate, max(left, 0.1 * float(np.diag(C).mean())))

    def _improved(self, channel: Channel, posterior: RowPosterior) -> Channel:
        """One step of expectation maximisation for W and the slab."""
        W, slab = channel.W, channel.slab
        if self.weights is None and W.shape[1]:
            W = np.array(
                [np.linalg.lstsq(g, c, rcond=None)[0] for g, c in zip(posterior.gram, posterior.cross, strict=True)]
            )
        if self.slab is None and channel.rate and posterior.active.sum() > 0:
            slab = max(float(posterior.second.sum() / posterior.active.sum()), float(channel.noise.min()))
        return channel._replace(W=np.ascontiguousarray(W), slab=slab)
