"""Matrix sensing as a family (see `lrs.core.family.Family` for what each member means)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, ClassVar

import numpy as np

from lrs.core.errors import InvalidInput
from lrs.core.family import TOLERANCE, Criterion, Parameter, Value
from lrs.core.validate import hint
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
)


class MatrixSensing:
    """Symmetric matrix sensing with a rank that may be over-specified."""

    name: ClassVar[str] = NAME
    title: ClassVar[str] = "matrix sensing"
    note: ClassVar[str] = "The matrix is positive semidefinite; its eigenvalues fall from 1 to 1/κ."
    version: ClassVar[int] = 1
    parameters: ClassVar[Mapping[str, Parameter]] = {p.name: p for p in _PARAMETERS}
    errors_of: ClassVar[Mapping[str, str]] = {"matrix_error": "relative error of the matrix, ‖XXᵀ − M*‖_F/‖M*‖_F"}
    criteria: ClassVar[Mapping[str, Criterion]] = {
        "matrix": Criterion(
            "matrix",
            "the relative error of the matrix, ‖XXᵀ − M*‖_F/‖M*‖_F, is ≤ {tolerance}",
            lambda errors, tolerance, share: errors["matrix_error"] <= tolerance,
        )
    }
    traits: ClassVar[Mapping[str, tuple[str, bool]]] = {
        "trace": ("calls the callback once per outer step", True),
        "exact": ("aims at exact recovery without noise", True),
        "noise": ("is meant for noisy data", True),
    }
    example: ClassVar[Mapping[str, Value]] = {"n": 5, "r": 1, "k": 2, "m": 12}
    theorems: ClassVar[Mapping[str, str]] = {"symmetric-gd": "gradient descent on XXᵀ, exact or over-specified rank"}
    limits: ClassVar[Mapping[str, str]] = {
        "counting limit": "theory.families.matrix_sensing.limits:counting_measurements"
    }

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
        """‖XXᵀ − M*‖_F/‖M*‖_F."""
        M = instance.truth.matrix
        return {"matrix_error": float(np.linalg.norm(answer.matrix - M) / np.linalg.norm(M))}

    def quantities(self, subject: Any) -> dict[str, float]:
        """Sizes, noise and whether everything is observed; the rank and κ where the truth or the specification is known."""
        if isinstance(subject, SensingSpec):
            known = {"rank": subject.r, "condition": subject.kappa}
            side, search, measurements, sigma = subject.n, subject.search_rank, subject.m, subject.noise
        else:
            problem = subject.problem if isinstance(subject, SensingInstance) else subject
            side, search, measurements, sigma = problem.n, problem.rank, problem.m, problem.noise
            known = {}
            if isinstance(subject, SensingInstance):
                s = np.linalg.svd(subject.truth.X, compute_uv=False)
                known = {"rank": len(s), "condition": float((s[0] / s[-1]) ** 2)}
        total = side * (side + 1) // 2
        return {
            "side": side,
            "search_rank": search,
            **known,
            "measurements": total if measurements is None else measurements,
            "fully_observed": float(measurements is None),
            "sigma": sigma,
        }

    def audit(self, problem: SensingProblem, answer: Factor) -> dict[str, str]:
        """Shape and finiteness."""
        X = answer.X
        if X.shape[0] != problem.n or X.shape[1] > problem.rank:
            return {"WRONG_SHAPE": f"X {X.shape}, expected (n, k) = {(problem.n, problem.rank)}"}
        if not np.isfinite(X).all():
            return {"NOT_FINITE": "X holds NaN or infinite values"}
        return {}

    def pack(self, value: Any) -> dict[str, Any]:
        """Plain arrays of a `Factor`, a `SensingProblem` or a `SensingInstance`."""
        if isinstance(value, Factor):
            return {"X": value.X}
        if isinstance(value, SensingInstance):
            return {
                "problem": self.pack(value.problem),
                "truth": self.pack(value.truth),
                "spec": None if value.spec is None else value.spec.to_dict(),
                "seed": list(value.seed),
            }
        if not isinstance(value, SensingProblem):
            raise InvalidInput(f"pack: expected a factor, a problem or an instance, got {type(value).__name__}")
        return {"y": value.y, "A": value.A, "rank": value.rank, "noise": value.noise}

    def unpack(self, packed: Mapping[str, Any]) -> Any:
        """Inverse of `pack`, on arrays of its own."""
        if "problem" in packed:
            spec = None if packed["spec"] is None else self.spec(**packed["spec"])
            return SensingInstance(
                self.unpack(packed["problem"]), self.unpack(packed["truth"]), spec, tuple(packed["seed"])
            )
        if "X" in packed:
            return Factor(np.array(packed["X"]))
        A = None if packed["A"] is None else np.array(packed["A"])
        return SensingProblem(np.array(packed["y"]), packed["rank"], A, packed["noise"])

    def cost(self, spec: SensingSpec) -> float:
        """One pass over the data: n² a measurement, n² k with full observation."""
        return float(spec.n**2 * (spec.search_rank if spec.m is None else spec.m))
