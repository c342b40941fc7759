"""Normalised iterative hard thresholding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lrs.families.sparse.iteration import Iterative, Step, largest, normalised, thresholded
from lrs.families.sparse.problem import SparseProblem


@dataclass(frozen=True, kw_only=True)
class NIHT(Iterative):
    """Hard thresholding with the step that is best on the present support (Blumensath and Davies 2010).

    Where the support changes the step is halved until μ ≤ .99 ‖Δb‖²/‖X Δb‖², so that the residual falls.
    """

    max_iterations: int = 2000

    def steps(self, problem: SparseProblem) -> Iterator[Step]:
        """From b = 0, with the support that the first gradient would choose."""
        X, y, k = problem.X, problem.y, problem.sparsity
        b = np.zeros(problem.d)
        support = np.sort(largest(X.T @ y, k))
        while True:
            yield b, {}
            gradient = X.T @ (y - X @ b)
            mu = normalised(problem, gradient, support)
            while True:
                new = thresholded(b + mu * gradient, k)
                chosen = np.flatnonzero(new)
                change = new - b
                image = float(np.sum((X @ change) ** 2))
                if np.array_equal(chosen, support) or mu * image <= 0.99 * float(change @ change) or not image:
                    break
                mu /= 2
            b, support = new, chosen if len(chosen) else support
