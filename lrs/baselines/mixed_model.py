"""The linear mixed model: a random coefficient for every task and feature, what a statistician would run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lrs.baselines._stack import Progress, Stack
from lrs.core.validate import integer
from lrs.families.low_rank_sparse.problem import Problem
from lrs.hierarchical.gaussian import Sums, random_effects
from lrs.solver import Callback, Solution, Status, Traits


@dataclass(frozen=True, kw_only=True)
class MixedModel:
    """θ⁽ⁱ⁾ ~ N(μ, Σ) with a full Σ, noise N(0, σ²): μ, Σ, σ² by maximum likelihood, posterior means (Laird and Ware 1982).

    Parameters
    ----------
    max_iterations : int
        Cap on the steps of expectation maximisation.

    Notes
    -----
    θ⁽ⁱ⁾ has no structure, so it is stored in B, which is then dense, with W = 0.
    """

    max_iterations: int = 200
    family: ClassVar[str] = Problem.family
    traits: ClassVar[Traits] = Traits(exact=False, low_rank=False, sparse=False)

    def __post_init__(self) -> None:
        integer("max_iterations", self.max_iterations, least=1)

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        data, r = problem.data, problem.rank
        fitted = random_effects(Sums.of(data), steps=self.max_iterations)
        progress, stack = Progress(problem, callback), Stack(data)
        residual = stack.relative(stack.residuals(fitted.theta))
        progress.record(np.eye(data.d, r), np.zeros((data.t, r)), fitted.theta, residual)
        return progress.solution(Status.CONVERGED, noise_estimate=float(np.sqrt(fitted.variance)))
