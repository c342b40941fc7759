"""Sketched least squares as a family (see `lrs.core.family.Family` for what each member means)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from lrs.core.errors import InvalidInput
from lrs.core.family import TOLERANCE, Criterion, Parameter, Value
from lrs.core.plain import Drawn, PlainFamily
from lrs.families.sketch.problem import KINDS, NAME, SketchProblem, SketchSpec, draw

#: A dense sketch is this much times √ln d above ε/√d in the median, at the sizes examined.
GROWTH = 1.5
_PARAMETERS = (
    Parameter(name="d", meaning="Columns d of A.", options=("-d", "--columns"), words="columns", size=True),
    Parameter(name="n", meaning="Rows n of A; default: 32 d.", words="rows of A", default=None, size=True),
    Parameter(
        name="m",
        meaning="Rows m of the sketch, at least d; default: 16 d.",
        options=("-m", "--rows"),
        words="rows of the sketch",
        default=None,
        eases=True,
        nested=True,
        size=True,
    ),
    Parameter(name="kind", meaning="What A and b are.", kind=str, default=KINDS[0], choices=KINDS),
    Parameter(name="spikes", meaning="Non-zeros of b in the kind spikes.", default=32),
)


class Sketched(PlainFamily):
    """Least squares from a sketch."""

    name: ClassVar[str] = NAME
    title: ClassVar[str] = "sketched least squares"
    note: ClassVar[str] = "The solver is the sketch; spikes and groups are witnesses against sparse ones."
    spec, Problem = SketchSpec, SketchProblem
    parameters: ClassVar[Mapping[str, Parameter]] = {p.name: p for p in _PARAMETERS}
    errors_of: ClassVar[Mapping[str, str]] = {
        "ratio": "‖x′ − x*‖_∞ √d/(ε ‖Ax* − b‖ ‖A⁺‖), ε = √(d/m)",
        "growth": "the ratio by √ln d",
        "ell_2": "‖x′ − x*‖₂/(ε ‖Ax* − b‖ ‖A⁺‖)",
    }
    criteria: ClassVar[Mapping[str, Criterion]] = {
        "entrywise": Criterion(
            "entrywise",
            f"‖x′ − x*‖_∞ is ≤ {GROWTH:g} √(ln d) (ε/√d) ‖Ax* − b‖ ‖A⁺‖, ε = √(d/m)",
            lambda errors, tolerance, share: errors["growth"] <= GROWTH,
        ),
        "ratio": Criterion(
            "ratio",
            "‖x′ − x*‖_∞ is ≤ {tolerance} (ε/√d) ‖Ax* − b‖ ‖A⁺‖, ε = √(d/m)",
            lambda errors, tolerance, share: errors["ratio"] <= tolerance,
        ),
    }
    example: ClassVar[Mapping[str, Value]] = {"d": 3, "n": 12, "m": 6}
    theorems: ClassVar[Mapping[str, str]] = {"sketched-regression": "entrywise guarantee of dense sketches (contested)"}
    limits: ClassVar[Mapping[str, str]] = {"columns": "theory.families.sketch.limits:columns"}
    regions: ClassVar[str] = "property_tests.families.sketch.region:REGION"
    claims: ClassVar[Sequence[str]] = ("property_tests.families.sketch.claims",)
    mutants: ClassVar[str] = "property_tests.families.sketch.mutants:MUTANTS"

    def draw(self, spec: SketchSpec, key: Sequence[int]) -> Drawn:
        """As `lrs.families.sketch.problem.draw`."""
        return draw(spec, key)

    def restrict(self, instance: Drawn, name: str, value: int) -> Drawn:
        """The same A and b for a sketch of fewer rows."""
        if name != "m":
            raise InvalidInput(f"{name}: only m is nested, the same A and b for a smaller sketch")
        spec = None if instance.spec is None else replace(instance.spec, m=value)
        return Drawn(replace(instance.problem, m=value), instance.truth, spec)

    def errors(self, answer: np.ndarray, instance: Drawn, *, tolerance: float = TOLERANCE) -> dict[str, float]:
        """All three; an exact answer has none."""
        problem, off = instance.problem, np.asarray(answer) - instance.truth
        d = problem.A.shape[1]
        spectrum = np.linalg.eigvalsh(problem.A.T @ problem.A)
        residual = np.linalg.norm(problem.A @ instance.truth - problem.b)
        unit = np.sqrt(d / problem.m) * residual / np.sqrt(spectrum[0]) if spectrum[0] > 0 else 0.0
        unit = unit or np.finfo(float).tiny  # a system without residual: every error is too large
        ratio = float(np.abs(off).max() * np.sqrt(d) / unit)
        return {
            "ratio": ratio,
            "growth": ratio / np.sqrt(np.log(max(d, 2))),
            "ell_2": float(np.linalg.norm(off) / unit),
        }

    def quantities(self, subject: Any) -> dict[str, float]:
        """d, n and m."""
        if isinstance(subject, SketchSpec):
            d, n, m = subject.d, subject.height, subject.rows
        else:
            problem = subject.problem if isinstance(subject, Drawn) else subject
            (n, d), m = problem.A.shape, problem.m
        return {"d": d, "n": n, "m": m}

    def audit(self, problem: SketchProblem, answer: Any) -> dict[str, str]:
        """Shape and finiteness."""
        if np.shape(answer) != problem.A.shape[1:]:
            return {"WRONG_SHAPE": f"x {np.shape(answer)}, expected (d,) = {problem.A.shape[1:]}"}
        return super().audit(problem, answer)
