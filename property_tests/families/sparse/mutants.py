"""Solvers of sparse recovery that are broken in one way each, and the claim that is meant to notice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lrs.core.solver import Solution, Traits
from lrs.families.sparse.amp import AMP, soft
from lrs.families.sparse.basis_pursuit import BasisPursuit
from lrs.families.sparse.htp import HTP
from lrs.families.sparse.iht import IHT
from lrs.families.sparse.iteration import Step, fitted, largest, thresholded
from lrs.families.sparse.problem import NAME, SparseProblem
from lrs.families.sparse.scikit import omp
from property_tests.examine.mutant import Mutant

#: Name → what is broken, and the claims any of which is meant to refute it.
_BROKEN: dict[str, tuple[str, str]] = {
    "lapse": ("ℓ₁ minimisation that gives up in a tenth of the calls: five points at the centre", "law/ell-one"),
    "refitted": (
        "ℓ₁ minimisation and least squares on its k largest entries: finds too much",
        "law/ell-one law/minimiser",
    ),
    "one_row_less": ("ℓ₁ minimisation without the last row", "law/ell-one"),
    "found_by_another": (
        "a greedy method that gives up as often as ℓ₁ minimisation would: as often right as the law says, and no minimiser",
        "law/minimiser",
    ),
    "no_onsager": ("AMP without the term of Onsager", "evolution/trajectory"),
    "other_threshold": ("AMP that thresholds at .6 of the α that it shows", "evolution/trajectory"),
    "long_step": ("hard thresholding with a step that diverges", "recovery/exact"),
    "one_step": ("one hard thresholding step and least squares", "recovery/exact"),
    "one_short": ("orthogonal matching pursuit told k − 1", "recovery/exact"),
    "blunt": ("hard thresholding pursuit that adds 1e-5", "recovery/exact"),
    "noise_kept": ("least squares on half of the coordinates when there is noise", "noise/bounded"),
}


@dataclass(frozen=True)
class Around:
    """A solver around another one: ``change(problem, answer, rng)`` is the answer."""

    solver: Any
    change: Callable[[SparseProblem, Any, np.random.Generator], np.ndarray]
    traits: Traits
    family: str = NAME

    def __call__(self, problem: SparseProblem, *, rng: np.random.Generator, callback: Any = None) -> Solution:
        found = self.solver(problem, rng=rng, callback=callback)
        return replace(found, model=self.change(problem, found.model, rng))


def around(solver: Any) -> Callable[[Any], Around]:
    """The decorated change around a solver (decorator)."""
    return lambda change: Around(solver, change, solver.traits)


@around(BasisPursuit())
def lapse(problem: SparseProblem, b: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.zeros_like(b) if rng.random() < 0.1 else b


@around(BasisPursuit())
def refitted(problem: SparseProblem, b: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return fitted(problem, largest(b, problem.sparsity))


@around(BasisPursuit())
def one_row_less(problem: SparseProblem, b: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if problem.m == 1:
        return b
    return BasisPursuit()(replace(problem, X=problem.X[:-1], y=problem.y[:-1]), rng=rng).model


@around(BasisPursuit())
def found_by_another(problem: SparseProblem, b: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    found = np.count_nonzero(b) <= problem.sparsity
    return fitted(problem, largest(problem.X.T @ problem.y, problem.sparsity)) if not found else b


@dataclass(frozen=True, kw_only=True)
class _Wrong(AMP):
    memory: float = 1.0
    factor: float = 1.0

    def steps(self, problem: SparseProblem) -> Iterator[Step]:
        scale, m = np.sqrt(problem.m), problem.m
        alpha = next(super().steps(problem))[1]["alpha"]
        b, z = np.zeros(problem.d), problem.y / scale
        while True:
            tau = float(np.linalg.norm(z)) / scale
            yield b, {"alpha": alpha, "tau": tau}
            b = soft(b + problem.X.T @ z / scale, self.factor * alpha * tau)
            z = (problem.y - problem.X @ b) / scale + self.memory * z * (np.count_nonzero(b) / m)


no_onsager, other_threshold = _Wrong(memory=0.0), _Wrong(factor=0.6)
long_step = IHT(step=2.5)


@dataclass(frozen=True, kw_only=True)
class _Once(HTP):
    def steps(self, problem: SparseProblem) -> Iterator[Step]:
        b = fitted(problem, largest(problem.X.T @ problem.y, problem.sparsity))
        while True:
            yield b, {}


one_step = _Once()


@around(omp())
def one_short(problem: SparseProblem, b: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return thresholded(b, problem.sparsity - 1)


@around(HTP())
def blunt(problem: SparseProblem, b: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return b + 1e-5 * np.linalg.norm(b) / np.sqrt(len(b))


@around(HTP())
def noise_kept(problem: SparseProblem, b: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return fitted(problem, largest(problem.X.T @ problem.y, min(problem.d, problem.m) // 2)) if problem.noise else b


MUTANTS = {name: Mutant(globals()[name], why, tuple(claims.split())) for name, (why, claims) in _BROKEN.items()}
