"""What every sketch does with S A and S b."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from scipy import linalg

from lrs.core.solver import Callback, Solution, Status
from lrs.families.sketch.problem import NAME, SketchProblem

Matrix = Float[np.ndarray, "n c"]


@dataclass(frozen=True, kw_only=True)
class Sketch:
    """A sketch by its product: a subclass says ``apply(M, m, rng, A)``, which is S M for an S of m rows with E SᵀS = I.

    The answer is the least squares solution of S A x = S b, that of least norm where S A has not full rank.
    """

    family: ClassVar[str] = NAME

    def apply(self, M: Matrix, m: int, rng: np.random.Generator, A: np.ndarray) -> np.ndarray:
        """S M, M = [A b]."""
        raise NotImplementedError

    def __call__(
        self, problem: SketchProblem, *, rng: np.random.Generator, callback: Callback | None = None
    ) -> Solution[np.ndarray]:
        A, b = problem.A, problem.b
        reduced = self.apply(np.c_[A, b], problem.m, rng, A)
        x = linalg.lstsq(reduced[:, :-1], reduced[:, -1], lapack_driver="gelsy")[0]  # of least norm too, and fast
        scale = float(np.linalg.norm(b)) or 1.0
        return Solution(x, Status.CONVERGED, 1, float(np.linalg.norm(A @ x - b)) / scale)
