"""Solvers of matrix sensing broken in exactly one way, each with the claim that is meant to notice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from lrs.core.solver import Callback, Solution, Traits
from lrs.families.matrix_sensing import (
    SVP,
    AsymmetricGD,
    Factor,
    ModifiedGD,
    NuclearNorm,
    PrecGD,
    ScaledGD,
    Spectral,
    SymmetricGD,
)
from lrs.families.matrix_sensing.descent import run, symmetric
from lrs.families.matrix_sensing.problem import SensingProblem
from property_tests.examine.mutant import Mutant

MUTANTS: dict[str, Mutant] = {}


def mutant(why: str, expected: str) -> Callable[[type], type]:
    """Register a class of solvers under its name (decorator)."""

    def add(kind: type) -> type:
        MUTANTS[kind.__name__] = Mutant(kind, why, tuple(expected.split()))
        return kind

    return add


# ---------------------------------------------------------------------------------------------- gradient descent on XXᵀ
@mutant("the rank is read off the data, and the exact rank sold as an over-specified one", "symmetric/constant")
@dataclass(frozen=True)
class ExactRankSold(SymmetricGD):
    def __call__(self, problem: SensingProblem, **rest: Any) -> Solution[Factor]:
        true = int(np.linalg.matrix_rank(problem.y, tol=1e-6)) if problem.A is None else problem.rank
        return super().__call__(replace(problem, rank=min(max(true, 1), problem.rank)), **rest)


@mutant("the last column of the factor is dropped in silence", "symmetric/constant")
@dataclass(frozen=True)
class RankTruncated(SymmetricGD):
    def __call__(self, problem: SensingProblem, **rest: Any) -> Solution[Factor]:
        return super().__call__(replace(problem, rank=max(problem.rank - 1, 1)), **rest)


@dataclass(frozen=True)
class _Timed(SymmetricGD):
    """A descent whose step knows how many were made."""

    def share(self, iteration: int) -> float:
        raise NotImplementedError

    def __call__(
        self, problem: SensingProblem, *, rng: np.random.Generator, callback: Callback | None = None
    ) -> Solution[Factor]:
        made = 0

        def step(at: Factor, gradient: np.ndarray, error: float) -> Factor:
            nonlocal made
            made += 1
            return Factor(at.X - self.share(made) * self.eta * symmetric(gradient) @ at.X)

        ends: dict[str, Any] = {"max_iterations": self.max_iterations, "tolerance": self.tolerance}
        return run(problem, self.start(problem, rng), step, callback=callback, **ends)


@mutant("the step is halved after half of the steps", "symmetric/constant")
@dataclass(frozen=True)
class StepHalved(_Timed):
    def share(self, iteration: int) -> float:
        return 1.0 if iteration <= self.max_iterations / 2 else 0.5


@mutant("the step grows by a thousandth of itself at each step", "symmetric/constant symmetric/exact-rank")
@dataclass(frozen=True)
class StepGrows(_Timed):
    def share(self, iteration: int) -> float:
        return min(1.0 + iteration / 1000, 2.0)


@mutant("the gradient lacks the factor ½ of the symmetric part: (R + Rᵀ)X", "symmetric/constant symmetric/exact-rank")
@dataclass(frozen=True)
class TwiceTheGradient(SymmetricGD):
    def step(self, at: Factor, gradient: np.ndarray, error: float) -> Factor:
        return Factor(at.X - self.eta * (gradient + gradient.T) @ at.X)


# ---------------------------------------------------------------------------------------------- gradient descent on FGᵀ
@mutant("gradient descent on XXᵀ under the theorem about FGᵀ", "asymmetric/alpha-squared asymmetric/constant")
@dataclass(frozen=True)
class SymmetricUnderAsymmetric(SymmetricGD):
    traits: ClassVar[Traits] = AsymmetricGD.traits


@mutant("a balanced start: G₀ is as large as F₀", "asymmetric/constant")
@dataclass(frozen=True)
class BalancedStart(AsymmetricGD):
    def start(self, problem: SensingProblem, rng: np.random.Generator) -> Factor:
        at = super().start(problem, rng)
        assert at.Y is not None
        return Factor(at.X, 3 * at.Y)


@mutant("the start is half as large as told", "asymmetric/constant")
@dataclass(frozen=True)
class SmallerStart(AsymmetricGD):
    def start(self, problem: SensingProblem, rng: np.random.Generator) -> Factor:
        return AsymmetricGD(alpha=self.alpha / 2).start(problem, rng)


@mutant("the size of the start is not taken: always 0.3", "asymmetric/alpha-squared asymmetric/constant")
@dataclass(frozen=True)
class AlphaIgnored(AsymmetricGD):
    def for_study(self, **values: Any) -> Any:
        return super().for_study(**{**values, "alpha": 0.3})


@mutant("G is updated by half of the step", "asymmetric/constant")
@dataclass(frozen=True)
class UnequalSteps(AsymmetricGD):
    def step(self, at: Factor, gradient: np.ndarray, error: float) -> Factor:
        whole = super().step(at, gradient, error)
        assert at.Y is not None and whole.Y is not None  # noqa: PT018 - for the type checker
        return Factor(whole.X, (at.Y + whole.Y) / 2)


# ---------------------------------------------------------------------------------------------- the modified step
@mutant("the gauge is forgotten in F: F ← FD, G ← GQD⁻¹", "modified/product")
@dataclass(frozen=True)
class GaugeForgotten(ModifiedGD):
    def balanced(self, at: Factor) -> Factor:
        _, sigma, _ = np.linalg.svd(at.X, full_matrices=False)
        D = np.where(sigma <= self.beta, self.beta / sigma, 1.0)
        return Factor(at.X * D, super().balanced(at).Y)


@mutant("the modified step changes FGᵀ: G is not divided by D", "modified/product")
@dataclass(frozen=True)
class ProductChanged(ModifiedGD):
    def balanced(self, at: Factor) -> Factor:
        assert at.Y is not None
        return Factor(super().balanced(at).X, at.Y @ np.linalg.svd(at.X, full_matrices=False)[2].T)


@mutant("the modified step is never made", "modified/rate")
@dataclass(frozen=True)
class StepForgotten(ModifiedGD):
    def balanced(self, at: Factor) -> Factor:
        return at


@mutant("D has the root of β/σ", "modified/rate")
@dataclass(frozen=True)
class RootOfBeta(ModifiedGD):
    def balanced(self, at: Factor) -> Factor:
        assert at.Y is not None
        _, sigma, Qt = np.linalg.svd(at.X, full_matrices=False)
        D = np.sqrt(np.where(sigma <= self.beta, self.beta / sigma, 1.0))
        return Factor(at.X @ Qt.T * D, at.Y @ Qt.T / D)


# ---------------------------------------------------------------------------------------------- preconditioned
@mutant("the damping is the root of f/4, as of the loss", "precgd/factor")
@dataclass(frozen=True)
class QuarterDamping(PrecGD):
    def step(self, at: Factor, gradient: np.ndarray, error: float) -> Factor:
        return super().step(at, gradient, error / 2)


@mutant("the damping stays at 0.01", "precgd/factor")
@dataclass(frozen=True)
class FixedDamping(PrecGD):
    def step(self, at: Factor, gradient: np.ndarray, error: float) -> Factor:
        return super().step(at, gradient, 0.01)


@mutant("λ is the largest eigenvalue instead of less than the smallest", "scaled/thirty-steps")
@dataclass(frozen=True)
class TooMuchDamping(ScaledGD):
    damping: float = 1.0


@mutant("no preconditioner: gradient descent", "scaled/thirty-steps")
@dataclass(frozen=True)
class NotScaled(ScaledGD):
    def step(self, at: Factor, gradient: np.ndarray, error: float) -> Factor:
        return Factor(at.X - self.eta * symmetric(gradient) @ at.X)


# ---------------------------------------------------------------------------------------------- measurements
@mutant("every second measurement is taken with the sign of the one before", "recovery/measured")
@dataclass(frozen=True)
class SignsMixed(SVP):
    def __call__(self, problem: SensingProblem, **rest: Any) -> Solution[Factor]:
        if problem.A is not None:
            signs = np.where(np.arange(len(problem.y)) % 2, np.sign(np.roll(problem.y, 1) * problem.y), 1.0)
            problem = replace(problem, y=problem.y * signs)
        return super().__call__(problem, **rest)


@mutant("of Gaussian measurements it makes one spectral step", "recovery/measured")
@dataclass(frozen=True)
class OneStepOfMeasured(SVP):
    def __call__(self, problem: SensingProblem, **rest: Any) -> Solution[Factor]:
        return Spectral()(problem, **rest) if problem.A is not None else super().__call__(problem, **rest)


# ---------------------------------------------------------------------------------------------- the convex program
@mutant("an operator with reused rows: a tenth of the measurements is replaced by copies of others", "convex/law")
@dataclass(frozen=True)
class ReusedRows(NuclearNorm):
    def __call__(self, problem: SensingProblem, **rest: Any) -> Solution:
        if problem.A is not None and len(problem.y) > 10:
            used = np.arange(len(problem.y)) % (len(problem.y) * 9 // 10)
            problem = replace(problem, A=problem.A[used], y=problem.y[used])
        return super().__call__(problem, **rest)


@mutant("it is told more than the law allows: the symmetric part of every measurement", "convex/law")
@dataclass(frozen=True)
class Symmetrised(NuclearNorm):
    def __call__(self, problem: SensingProblem, **rest: Any) -> Solution:
        if problem.A is not None and problem.symmetric:
            problem = replace(problem, A=(problem.A + problem.A.transpose(0, 2, 1)) / 2)
        return super().__call__(problem, **rest)
