"""Matrix sensing as a family (see `lrs.core.family.Family` for what each member means)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import partial
from typing import Any, ClassVar

import numpy as np

from lrs.core.errors import InvalidInput
from lrs.core.family import TOLERANCE, Criterion, Parameter, Setting, Value
from lrs.core.validate import hint, integer, real
from lrs.families.matrix_sensing.problem import NAME, Factor, SensingInstance, SensingProblem, SensingSpec, draw

_PARAMETERS = (
    Parameter(name="n", meaning="Side n of the matrix.", options=("-n", "--side"), words="side", size=True),
    Parameter(name="r", meaning="Rank r of the matrix.", options=("-r", "--rank"), words="rank", size=True),
    Parameter(
        name="k",
        meaning="Rank k that is searched for, at least r; default: r.",
        options=("-k", "--search-rank"),
        words="search rank",
        default=None,
        size=True,
    ),
    Parameter(
        name="m",
        meaning="Gaussian measurements m; default: every entry is observed.",
        options=("-m", "--measurements"),
        words="measurements",
        default=None,
        eases=True,
        nested=True,
        size=True,
    ),
    Parameter(name="kappa", meaning="Condition number κ of the matrix, ≥ 1.", kind=float, default=1.0),
    Parameter(name="noise", meaning="Standard deviation σ of the noise.", words="noise σ", kind=float, default=0.0),
    Parameter(
        name="n2",
        meaning="Columns of a general matrix; default: it is symmetric and positive semidefinite.",
        options=("--columns",),
        words="columns",
        default=None,
        size=True,
    ),
)
_SETTINGS = (
    Setting(
        name="alpha",
        meaning="Size α of the random start; default: the solver's own.",
        words="size of the start α",
        kind=float,
        default=None,
        trait="alpha",
        check=partial(real, above=0),
    ),
    Setting(
        name="eta",
        meaning="Step size η; default: the solver's own.",
        words="step size η",
        kind=float,
        default=None,
        trait="eta",
        check=partial(real, above=0),
    ),
    Setting(
        name="beta",
        meaning="β of the modified step; default: the solver's own.",
        words="β of the modified step",
        kind=float,
        default=None,
        trait="modified_gd",
        check=partial(real, above=0),
    ),
    Setting(
        name="steps",
        meaning="Steps to make, without an earlier end; default: the solver ends by itself.",
        words="steps T",
        default=None,
        trait="steps",
        check=partial(integer, least=1),
    ),
)
#: Traits that say which theorem a solver is meant to keep: the theorem's name with underscores.
_THEOREMS = {
    "symmetric-gd": "gradient descent on XXᵀ, exact or over-specified rank",
    "asymmetric-gd": "gradient descent on FGᵀ from starts of two sizes",
    "modified-gd": "the same with one modified step",
    "precgd": "preconditioned gradient descent",
    "scaled-gd": "scaled gradient descent with a fixed damping",
    "nuclear-norm": "the convex program",
}


class MatrixSensing:
    """Matrix sensing with a rank that may be over-specified."""

    name: ClassVar[str] = NAME
    title: ClassVar[str] = "matrix sensing"
    note: ClassVar[str] = (
        "The matrix is positive semidefinite, unless it has columns of its own; its singular values fall from 1 to 1/κ."
    )
    version: ClassVar[int] = 2
    parameters: ClassVar[Mapping[str, Parameter]] = {p.name: p for p in _PARAMETERS}
    settings: ClassVar[Mapping[str, Setting]] = {s.name: s for s in _SETTINGS}
    errors_of: ClassVar[Mapping[str, str]] = {"matrix_error": "relative error of the matrix, ‖S − M*‖_F/‖M*‖_F"}
    criteria: ClassVar[Mapping[str, Criterion]] = {
        "matrix": Criterion(
            "matrix",
            "the relative error of the matrix, ‖S − M*‖_F/‖M*‖_F, is ≤ {tolerance}",
            lambda errors, tolerance, share: errors["matrix_error"] <= tolerance,
        )
    }
    traits: ClassVar[Mapping[str, tuple[str, bool]]] = {
        "trace": ("calls the callback once per outer step", True),
        "exact": ("aims at exact recovery without noise", True),
        "noise": ("is meant for noisy data", True),
        **{s.name: (f"takes the setting {s.name}", False) for s in _SETTINGS if s.trait == s.name},
        **{name.replace("-", "_"): (f"is meant to keep the theorem {name}", False) for name in _THEOREMS},
    }
    example: ClassVar[Mapping[str, Value]] = {"n": 5, "r": 1, "k": 2, "m": 12}
    theorems: ClassVar[Mapping[str, str]] = _THEOREMS
    limits: ClassVar[Mapping[str, str]] = {
        "counting limit": "theory.families.matrix_sensing.limits:counting_measurements",
        "statistical dimension": "theory.families.matrix_sensing.limits:statistical_dimension",
    }
    overlays: ClassVar[Mapping[str, str]] = {
        "counting": "theory.families.matrix_sensing.limits:counting_line",
        "statistical-dimension": "theory.families.matrix_sensing.limits:convex_line",
    }
    scaling: ClassVar[str] = "theory.families.matrix_sensing.scaling:SCALING"
    mutants: ClassVar[str] = "property_tests.families.matrix_sensing.mutants:MUTANTS"
    regions: ClassVar[str] = "property_tests.families.matrix_sensing.region:region_for"
    tried: ClassVar[str] = "property_tests.families.matrix_sensing.region:tried"

    def spec(self, **values: Any) -> SensingSpec:
        """As `SensingSpec`."""
        known = [f.name for f in fields(SensingSpec)]
        for name in values:
            if name not in known:
                raise InvalidInput(f"{name}: no parameter of {self.title}; {hint(name, known)}")
        missing = [name for name in ("n", "r") if name not in values]
        if missing:
            raise InvalidInput(f"{', '.join(missing)}: missing")
        return SensingSpec(**values)

    def draw(self, spec: SensingSpec, key: Sequence[int]) -> SensingInstance:
        """As `lrs.families.matrix_sensing.problem.draw`."""
        return draw(spec, key)

    def restrict(self, instance: SensingInstance, name: str, value: int) -> SensingInstance:
        """The first m measurements."""
        if name != "m":
            raise InvalidInput(f"{name}: only m has nested data, a prefix of the measurements")
        return instance.prefix(value)

    def errors(self, answer: Factor, instance: SensingInstance, *, tolerance: float = TOLERANCE) -> dict[str, float]:
        """‖S − M*‖_F/‖M*‖_F, S the matrix of the answer."""
        M = instance.truth.matrix
        return {"matrix_error": float(np.linalg.norm(answer.matrix - M) / np.linalg.norm(M))}

    def quantities(self, subject: Any) -> dict[str, float]:
        """Sizes, noise and whether everything is observed; the rank and κ where the truth or the specification is known."""
        if isinstance(subject, SensingSpec):
            known = {"rank": subject.r, "condition": subject.kappa}
            side, columns, search = subject.n, subject.columns, subject.search_rank
            measurements, sigma, symmetric = subject.m, subject.noise, subject.n2 is None
        else:
            problem = subject.problem if isinstance(subject, SensingInstance) else subject
            side, columns, search = problem.n, problem.n2, problem.rank
            measurements, sigma, symmetric = problem.m, problem.noise, problem.symmetric
            known = {}
            if isinstance(subject, SensingInstance):
                s = np.linalg.svd(subject.truth.matrix, compute_uv=False)[: subject.truth.X.shape[1]]
                known = {"rank": len(s), "condition": float(s[0] / s[-1])}
        total = side * (side + 1) // 2 if symmetric else side * columns
        return {
            "side": side,
            "columns": columns,
            "symmetric": float(symmetric),
            "search_rank": search,
            **known,
            "measurements": total if measurements is None else measurements,
            "fully_observed": float(measurements is None),
            "sigma": sigma,
        }

    def audit(self, problem: SensingProblem, answer: Factor) -> dict[str, str]:
        """Shape and finiteness."""
        k, wanted = problem.rank, dict(zip(("X", "Y"), problem.shape, strict=True))
        for name, side in wanted.items():
            factor = getattr(answer, name)
            if factor is None:  # XXᵀ
                factor = answer.X
            if factor.shape[0] != side or factor.shape[1] > k:
                return {"WRONG_SHAPE": f"{name} {factor.shape}, expected {(side, k)}"}
            if not np.isfinite(factor).all():
                return {"NOT_FINITE": f"{name} holds NaN or infinite values"}
        return {}

    def pack(self, value: Any) -> dict[str, Any]:
        """Plain arrays of a `Factor`, a `SensingProblem` or a `SensingInstance`."""
        if isinstance(value, Factor):
            return {"X": value.X, "Y": value.Y}
        if isinstance(value, SensingInstance):
            return {
                "problem": self.pack(value.problem),
                "truth": self.pack(value.truth),
                "spec": None if value.spec is None else value.spec.to_dict(),
                "seed": list(value.seed),
            }
        if not isinstance(value, SensingProblem):
            raise InvalidInput(f"pack: expected a factor, a problem or an instance, got {type(value).__name__}")
        return {n: getattr(value, n) for n in ("y", "A", "rank", "noise", "symmetric")}

    def unpack(self, packed: Mapping[str, Any]) -> Any:
        """Inverse of `pack`, on arrays of its own."""
        if "problem" in packed:
            spec = None if packed["spec"] is None else self.spec(**packed["spec"])
            return SensingInstance(
                self.unpack(packed["problem"]), self.unpack(packed["truth"]), spec, tuple(packed["seed"])
            )
        if "X" in packed:
            return Factor(np.array(packed["X"]), None if packed.get("Y") is None else np.array(packed["Y"]))
        A = None if packed["A"] is None else np.array(packed["A"])
        # Version 1 had symmetric matrices only.
        return SensingProblem(np.array(packed["y"]), packed["rank"], A, packed["noise"], packed.get("symmetric", True))

    def cost(self, spec: SensingSpec) -> float:
        """One pass over the data: n n2 a measurement, n n2 k with full observation."""
        return float(spec.n * spec.columns * (spec.search_rank if spec.m is None else spec.m))

    def configure(self, solver: Any, spec: SensingSpec, rng: np.random.Generator, **values: Any) -> Any:
        """A solver with the method ``for_study(**values)`` takes them; others stay as they are."""
        return solver.for_study(**values) if hasattr(solver, "for_study") else solver
