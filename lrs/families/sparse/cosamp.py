"""Compressive sampling matching pursuit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lrs.families.sparse.iteration import Iterative, Step, fitted, largest, thresholded
from lrs.families.sparse.problem import SparseProblem


@dataclass(frozen=True, kw_only=True)
class CoSaMP(Iterative):
    """Least squares on the present support and the 2k largest entries of the gradient, then the k largest (Needell and Tropp 2009).

    Its answer is the least squares fit on these k; the iteration goes on from the truncated one, as published.
    """

    max_iterations: int = 200

    def steps(self, problem: SparseProblem) -> Iterator[Step]:
        """From b = 0."""
        X, y, k = problem.X, problem.y, problem.sparsity
        b = np.zeros(problem.d)
        while True:
            yield b, {}
            merged = np.union1d(np.flatnonzero(b), largest(X.T @ (y - X @ b), min(2 * k, problem.d)))
            b = thresholded(fitted(problem, merged), k)
