"""What the iterative solvers of sparse recovery share: the loop around their steps, and the k largest entries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from lrs.core.solver import Callback, Iterate, Solution, Status, Traits
from lrs.core.validate import integer, real
from lrs.families.sparse.problem import NAME, SparseProblem

Vector = Float[np.ndarray, " d"]
#: An iterate, and what its solver shows of it.
Step = tuple[Vector, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Iterative:
    """A solver by its steps: a subclass says ``steps(problem)``, an endless iterator of iterates, the first being 0.

    Parameters
    ----------
    max_iterations : int
    tolerance : float
        It stops when ‖y − Xb‖/‖y‖ is at most this, or when a step changes b by 1e-11 of it or less.
    """

    max_iterations: int = 500
    tolerance: float = 1e-12
    family: ClassVar[str] = NAME
    traits: ClassVar[Traits] = Traits(steps=True)

    def __post_init__(self) -> None:
        integer("max_iterations", self.max_iterations, least=1)
        real("tolerance", self.tolerance, least=0)

    def for_study(self, steps: int) -> Iterative:
        """The same, at most so many iterations."""
        return replace(self, max_iterations=steps)

    def steps(self, problem: SparseProblem) -> Iterator[Step]:
        """Iterates without end."""
        raise NotImplementedError

    def __call__(
        self, problem: SparseProblem, *, rng: np.random.Generator, callback: Callback | None = None
    ) -> Solution[Vector]:
        """Step until the data are explained, nothing changes, the iteration diverges, or the cap is reached."""
        scale = float(np.linalg.norm(problem.y)) or 1.0
        last, status, residual = np.zeros(problem.d), Status.ITERATION_CAP, 1.0
        with np.errstate(over="ignore", invalid="ignore"):
            for iteration, (b, info) in zip(range(self.max_iterations + 1), self.steps(problem), strict=False):
                residual = float(np.linalg.norm(problem.y - problem.X @ b)) / scale
                if not residual < 1e6:  # NaN too
                    return Solution(last, Status.DIVERGED, iteration, residual)
                if callback is not None:
                    callback(Iterate(iteration, b.copy(), residual, info))
                change, last = np.linalg.norm(b - last), b
                if residual <= self.tolerance or (iteration and change <= 1e-11 * np.linalg.norm(b)):
                    status = Status.CONVERGED
                    break
        return Solution(last, status, iteration, residual)


def largest(v: Vector, k: int) -> np.ndarray:
    """Indices of the k entries of largest modulus."""
    return np.argpartition(-np.abs(v), k - 1)[:k] if k else np.zeros(0, dtype=int)


def thresholded(v: Vector, k: int) -> Vector:
    """v with all but its k largest entries set to 0."""
    kept = largest(v, k)
    out = np.zeros_like(v)
    out[kept] = v[kept]
    return out


def fitted(problem: SparseProblem, support: np.ndarray) -> Vector:
    """Least squares on a support."""
    b = np.zeros(problem.d)
    b[support] = np.linalg.lstsq(problem.X[:, support], problem.y, rcond=None)[0]
    return b


def normalised(problem: SparseProblem, gradient: Vector, support: np.ndarray) -> float:
    """The step ‖g_S‖²/‖X g_S‖², the best one along the gradient on the support."""
    g = gradient[support]
    image = float(np.sum((problem.X[:, support] @ g) ** 2))
    return float(g @ g) / image if image > 0 else 0.0
