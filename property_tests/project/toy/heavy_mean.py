"""A family that is nothing like low rank + sparse: the mean μ ∈ ℝᵈ of a heavy-tailed law, m samples, k of them outliers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from lrs.core.errors import InvalidInput
from lrs.core.family import Criterion, Parameter, Setting
from lrs.core.solver import Solution, Status
from lrs.core.validate import integer, real

OUTLIER = 50.0  # how far away an outlier lies, in every coordinate


@dataclass(frozen=True)
class Spec:
    d: int
    m: int
    k: int = 0
    tail: float = 3.0

    def __post_init__(self) -> None:
        integer("d", self.d, least=1), integer("m", self.m, least=1), integer("k", self.k, least=0)
        real("tail", self.tail, above=1)
        if self.k > self.m:
            raise InvalidInput(f"k: at most m = {self.m} samples can be outliers, got {self.k}")

    to_dict = asdict

    @property
    def size(self) -> tuple[int, ...]:
        return (self.m * self.d, self.k)


@dataclass(frozen=True, eq=False)
class Problem:
    samples: np.ndarray  # (m, d)
    outliers: int
    family: ClassVar[str] = "heavy-mean"
    family: ClassVar[str] = "heavy-mean"


@dataclass(frozen=True, eq=False)
class Instance:
    problem: Problem
    truth: np.ndarray  # (d,)
    spec: Spec


class HeavyMean:
    name, title = "heavy-mean", "mean of a heavy-tailed law"
    claims, regions, note, version = ("heavy_mean_claims",), "heavy_mean_claims:REGION", "", 1
    parameters: ClassVar = {
        p.name: p
        for p in (
            Parameter(name="d", meaning="Dimension d.", words="dimension", size=True),
            Parameter(name="m", meaning="Samples m.", words="samples", size=True, eases=True, nested=True),
            Parameter(name="k", meaning="Outliers k among the samples.", words="outliers", size=True, default=0),
            Parameter(name="tail", meaning="Degrees of freedom of the law.", kind=float, default=3.0, eases=True),
        )
    }
    settings: ClassVar = {
        "trim": Setting(
            name="trim", meaning="Share that a trimmed mean leaves out at each end.", words="share to leave out",
            kind=float, default=None, trait="trims", check=partial(real, least=0, below=0.5),
        )
    }  # fmt: skip
    errors_of: ClassVar = {"error": "error of the mean", "worst": "largest error of a coordinate"}
    criteria: ClassVar = {
        "mean": Criterion("mean", "‖μ̂ − μ‖₂/√d ≤ {tolerance}", lambda e, tolerance, share: e["error"] <= tolerance),
        "worst": Criterion("worst", "max |μ̂ⱼ − μⱼ| ≤ {tolerance}", lambda e, tolerance, share: e["worst"] <= tolerance),
    }
    traits: ClassVar = {"trace": ("calls the callback", False), "trims": ("takes the share to leave out", False)}
    example: ClassVar = {"d": 2, "m": 9, "k": 1}
    theorems: ClassVar[Mapping[str, str]] = {}
    limits: ClassVar = {"breakdown": f"{__name__}:breakdown"}

    def spec(self, **values: Any) -> Spec:
        return Spec(**values)

    def draw(self, spec: Spec, key: Sequence[int]) -> Instance:
        rng = np.random.default_rng(list(key))
        truth = rng.normal(size=spec.d)
        samples = truth + rng.standard_t(spec.tail, (spec.m, spec.d))
        samples[: spec.k] += OUTLIER  # the first ones, so that fewer samples are a part of more
        return Instance(Problem(samples, spec.k), truth, spec)

    def restrict(self, instance: Instance, name: str, value: int) -> Instance:
        problem = replace(instance.problem, samples=instance.problem.samples[:value])
        return Instance(problem, instance.truth, replace(instance.spec, m=value))

    def errors(self, answer: np.ndarray, instance: Instance, *, tolerance: float = 1e-6) -> dict[str, float]:
        off = np.abs(answer - instance.truth)
        return {"error": float(np.sqrt((off**2).mean())), "worst": float(off.max())}

    def quantities(self, subject: Any) -> dict[str, float]:
        spec = getattr(subject, "spec", subject)
        return {"d": spec.d, "m": spec.m, "k": spec.k} if isinstance(spec, Spec) else {}

    def audit(self, problem: Problem, answer: Any) -> dict[str, str]:
        return {} if np.shape(answer) == problem.samples[0].shape else {"WRONG_SHAPE": f"{np.shape(answer)}"}

    def pack(self, value: Any) -> dict[str, Any]:
        if isinstance(value, Instance):
            return {"problem": self.pack(value.problem), "truth": value.truth, "spec": asdict(value.spec)}
        return vars(value) if isinstance(value, Problem) else {"mean": value}

    def unpack(self, packed: Mapping[str, Any]) -> Any:
        if "problem" in packed:
            return Instance(self.unpack(packed["problem"]), np.array(packed["truth"]), Spec(**packed["spec"]))
        if "samples" in packed:
            return Problem(**{**packed, "samples": np.array(packed["samples"])})
        return np.array(packed["mean"])

    def cost(self, spec: Spec) -> float:
        return float(spec.m * spec.d)

    def configure(self, solver: Any, spec: Spec, rng: np.random.Generator, **values: Any) -> Any:
        return replace(solver, share=values["trim"]) if isinstance(solver, Trimmed) else solver


FAMILY = HeavyMean()


def breakdown(*, k: np.ndarray, **_: Any) -> np.ndarray:
    """breakdown: half of the samples are outliers."""
    return np.asarray(2.0 * k)


@dataclass(frozen=True)
class Trimmed:
    """The mean of each coordinate without a share of its values at each end; nothing is left out of share 0."""

    share: float = 0.25
    traits: ClassVar = {"trims": True}
    family: ClassVar[str] = "heavy-mean"

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Any = None) -> Solution:
        ordered = np.sort(problem.samples, axis=0)
        cut = min(int(np.ceil(self.share * len(ordered))), (len(ordered) - 1) // 2)
        return Solution(ordered[cut : len(ordered) - cut].mean(axis=0), Status.CONVERGED, 1)


def mean(problem: Problem, *, rng: np.random.Generator, callback: Any = None) -> Solution:
    """The plain mean, which one outlier spoils."""
    return Solution(problem.samples.mean(axis=0), Status.CONVERGED, 1)
