"""Iterative hard thresholding with a fixed step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lrs.core.validate import real
from lrs.families.sparse.iteration import Iterative, Step, thresholded
from lrs.families.sparse.problem import SparseProblem


@dataclass(frozen=True, kw_only=True)
class IHT(Iterative):
    """b ← H_k(b + μ Xᵀ(y − X b)) (Blumensath and Davies 2009).

    Parameters
    ----------
    step : float
        μ = step / m. Step 1 diverges for Gaussian rows unless there are many of them (2δ_{3k} < 1), and a step that is too
        short stays on the first support; .65 is what Maleki and Donoho (2010) found best for them [M].
    """

    step: float = 0.65
    max_iterations: int = 3000

    def __post_init__(self) -> None:
        super().__post_init__()
        real("step", self.step, above=0)

    def steps(self, problem: SparseProblem) -> Iterator[Step]:
        """From b = 0."""
        X, y, k = problem.X, problem.y, problem.sparsity
        b = np.zeros(problem.d)
        while True:
            yield b, {}
            b = thresholded(b + self.step / problem.m * (X.T @ (y - X @ b)), k)
