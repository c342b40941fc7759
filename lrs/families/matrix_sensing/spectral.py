"""The spectral estimate: the matrix of rank k nearest to 𝒜*(y), in one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from lrs.core.solver import Callback, Iterate, Solution, Status, Traits
from lrs.families.matrix_sensing.problem import NAME, Factor, SensingProblem


def truncated(S: Float[np.ndarray, "n n2"], k: int, symmetric: bool) -> Factor:
    """The factors of the nearest matrix of rank k; of a symmetric one the nearest positive semidefinite."""
    if symmetric:
        values, vectors = np.linalg.eigh((S + S.T) / 2)
        return Factor(vectors[:, -k:] * np.sqrt(np.maximum(values[-k:], 0.0)))
    U, s, Vt = np.linalg.svd(S, full_matrices=False)
    return Factor(U[:, :k] * np.sqrt(s[:k]), Vt[:k].T * np.sqrt(s[:k]))


@dataclass(frozen=True)
class Spectral:
    """Leading eigenvectors (singular vectors) of 𝒜*(y): where descents that are only local start. Exact with full observation."""

    family: ClassVar[str] = NAME
    traits: ClassVar[Traits] = Traits(exact=False)

    def __call__(
        self, problem: SensingProblem, *, rng: np.random.Generator, callback: Callback | None = None
    ) -> Solution[Factor]:
        origin = problem.residual(np.zeros(problem.shape))
        found = truncated(-problem.adjoint(origin), problem.rank, problem.symmetric)
        residual = float(np.linalg.norm(problem.residual(found.matrix)) / (np.linalg.norm(origin) or 1.0))
        if callback is not None:
            callback(Iterate(0, found, residual))
        return Solution(found, Status.FIXED_ROUNDS, 1, residual)
