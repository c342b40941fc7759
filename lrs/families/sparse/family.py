"""Sparse recovery as a family (see `lrs.core.family.Family` for what each member means)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np

from lrs.core.family import TOLERANCE, Parameter, Setting, Value
from lrs.core.plain import Drawn, PlainFamily
from lrs.core.validate import integer
from lrs.families.sparse.problem import NAME, SparseProblem, SparseSpec, draw

_PARAMETERS = (
    Parameter(name="d", meaning="Dimension d.", options=("-d", "--dimension"), words="dimension", size=True),
    Parameter(name="k", meaning="Non-zeros k of b.", options=("-k", "--sparsity"), words="non-zeros", size=True),
    Parameter(name="m", meaning="Rows m.", options=("-m", "--rows"), words="rows", eases=True, nested=True, size=True),
    Parameter(name="noise", meaning="Standard deviation σ of the noise.", words="noise σ", kind=float, default=0.0),
)


class Sparse(PlainFamily):
    """Sparse recovery from Gaussian rows."""

    name: ClassVar[str] = NAME
    title: ClassVar[str] = "sparse recovery"
    note: ClassVar[str] = "Rows are N(0, I_d); b has k standard normal entries in uniformly random places."
    spec, Problem = SparseSpec, SparseProblem
    parameters: ClassVar[Mapping[str, Parameter]] = {p.name: p for p in _PARAMETERS}
    settings: ClassVar[Mapping[str, Setting]] = {
        "steps": Setting(
            name="steps",
            meaning="Iterations at most; default: the solver's own.",
            words="iterations T",
            default=None,
            trait="steps",
            check=partial(integer, least=1),
        )
    }
    errors_of: ClassVar[Mapping[str, str]] = {
        "error": "relative error ‖b̂ − b‖₂/‖b‖₂",
        "missed": "share of supp b that is not among the k largest entries of b̂",
    }
    traits: ClassVar[Mapping[str, tuple[str, bool]]] = {
        "trace": ("calls the callback once per iteration", True),
        "exact": ("aims at exact recovery without noise", True),
        "noise": ("is meant for noisy data", True),
        "ell_one": ("its answer minimises ‖b‖₁ among all that explain the data", False),
        "steps": ("takes the setting steps", False),
        "state_evolution": ("iterates as AMP does, and shows its α and τ", False),
    }
    example: ClassVar[Mapping[str, Value]] = {"d": 8, "k": 1, "m": 6}
    theorems: ClassVar[Mapping[str, str]] = {
        "ell-one-law": "exact probability that ℓ₁ minimisation succeeds, at every size",
        "state-evolution": "the trajectory of AMP, iteration by iteration",
        "omp-rows": "rows that orthogonal matching pursuit needs",
    }
    limits: ClassVar[Mapping[str, str]] = {
        "counting limit": "theory.families.sparse.limits:counting_rows",
        "ell-one": "theory.yardsticks:ell_one",
        "asymptotic": "theory.families.sparse.limits:asymptotic_rows",
    }
    regions: ClassVar[str] = "property_tests.families.sparse.region:region_for"
    claims: ClassVar[Sequence[str]] = ("property_tests.families.sparse.claims",)
    mutants: ClassVar[str] = "property_tests.families.sparse.mutants:MUTANTS"

    def draw(self, spec: SparseSpec, key: Sequence[int]) -> Drawn:
        """As `lrs.families.sparse.problem.draw`."""
        return draw(spec, key)

    def errors(self, answer: np.ndarray, instance: Drawn, *, tolerance: float = TOLERANCE) -> dict[str, float]:
        """Both errors; where b = 0, ‖b̂‖₂ and 0."""
        b = instance.truth
        support = np.flatnonzero(b)
        largest = np.argsort(-np.abs(answer), kind="stable")[: len(support)]
        missed = len(np.setdiff1d(support, largest)) / max(len(support), 1)
        return {"error": float(np.linalg.norm(answer - b) / (np.linalg.norm(b) or 1.0)), "missed": missed}

    def quantities(self, subject: Any) -> dict[str, float]:
        """d, k, m and σ."""
        if isinstance(subject, SparseSpec):
            return {"d": subject.d, "k": subject.k, "m": subject.m, "sigma": subject.noise}
        problem = subject.problem if isinstance(subject, Drawn) else subject
        return {"d": problem.d, "k": problem.sparsity, "m": problem.m, "sigma": problem.noise}

    def configure(self, solver: Any, spec: SparseSpec, rng: np.random.Generator, *, steps: int | None = None) -> Any:
        """A solver with the method ``for_study(steps)`` makes so many iterations at most; others stay as they are."""
        return solver if steps is None or not hasattr(solver, "for_study") else solver.for_study(steps)

    def audit(self, problem: SparseProblem, answer: Any) -> dict[str, str]:
        """Shape and finiteness."""
        if np.shape(answer) != (problem.d,):
            return {"WRONG_SHAPE": f"b {np.shape(answer)}, expected (d,) = ({problem.d},)"}
        return super().audit(problem, answer)
