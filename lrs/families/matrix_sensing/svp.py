"""Singular value projection: iterative hard thresholding of the spectrum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lrs.core.solver import Callback, Solution, Traits
from lrs.families.matrix_sensing.descent import Descent, run
from lrs.families.matrix_sensing.problem import Factor, SensingProblem
from lrs.families.matrix_sensing.spectral import truncated


@dataclass(frozen=True)
class SVP(Descent):
    """S ← P_k(S − η 𝒜*(𝒜(S) − y)) from S = 0, P_k the nearest matrix of rank k (Jain, Meka and Dhillon 2010).

    Parameters
    ----------
    eta : float
        η = 1/(1 + δ), δ the restricted isometry constant of rank 2k; the default is the one for δ = ⅓, the largest that the
        theorem allows. With few measurements it diverges.
    alpha, max_iterations, tolerance
        As of `lrs.families.matrix_sensing.descent.Descent`; there is no random start, so that α plays no part.
    """

    eta: float = 0.75
    max_iterations: int = 1000
    traits: ClassVar[Traits] = Traits(eta=True, steps=True)

    def __call__(
        self, problem: SensingProblem, *, rng: np.random.Generator, callback: Callback | None = None
    ) -> Solution[Factor]:
        def step(at: Factor, gradient: np.ndarray, error: float) -> Factor:
            return truncated(at.matrix - self.eta * gradient, problem.rank, problem.symmetric)

        zero = truncated(np.zeros(problem.shape), problem.rank, problem.symmetric)
        ends = {"max_iterations": self.max_iterations, "tolerance": self.tolerance, "callback": callback}
        return run(problem, zero, step, **ends)  # type: ignore[arg-type]
