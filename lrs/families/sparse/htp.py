"""Hard thresholding pursuit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lrs.families.sparse.iteration import Iterative, Step, fitted, largest, normalised
from lrs.families.sparse.problem import SparseProblem


@dataclass(frozen=True, kw_only=True)
class HTP(Iterative):
    """Least squares on the support of a thresholded gradient step, with the normalised step (Foucart 2011)."""

    def steps(self, problem: SparseProblem) -> Iterator[Step]:
        """From b = 0; a support that comes again ends it."""
        X, y, k = problem.X, problem.y, problem.sparsity
        b = np.zeros(problem.d)
        support = largest(X.T @ y, k)
        while True:
            yield b, {}
            gradient = X.T @ (y - X @ b)
            support = np.sort(largest(b + normalised(problem, gradient, support) * gradient, k))
            b = fitted(problem, support)
