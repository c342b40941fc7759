"""A family that is nothing like low rank + sparse: the mean μ ∈ ℝᵈ of a heavy-tailed law, m samples, k of them outliers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from lrs.core.errors import InvalidInput
from lrs.core.family import Parameter, Setting
from lrs.core.plain import Drawn, PlainFamily, PlainSpec
from lrs.core.solver import Solution, Status
from lrs.core.validate import integer, real

OUTLIER = 50.0  # how far away an outlier lies, in every coordinate


@dataclass(frozen=True)
class Spec(PlainSpec):
    d: int
    m: int
    k: int = 0
    tail: float = 3.0

    def __post_init__(self) -> None:
        integer("d", self.d, least=1), integer("m", self.m, least=1), integer("k", self.k, least=0)
        real("tail", self.tail, above=1)
        if self.k > self.m:
            raise InvalidInput(f"k: at most m = {self.m} samples can be outliers, got {self.k}")


@dataclass(frozen=True, eq=False)
class Problem:
    samples: np.ndarray  # (m, d)
    outliers: int
    family: ClassVar[str] = "heavy-mean"


class HeavyMean(PlainFamily):
    name, title, spec, Problem = "heavy-mean", "mean of a heavy-tailed law", Spec, Problem
    claims, regions = ("heavy_mean_claims",), "heavy_mean_claims:REGION"
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
            name="trim",
            meaning="Share that a trimmed mean leaves out at each end.",
            words="share to leave out",
            kind=float,
            default=None,
            trait="trims",
            check=partial(real, least=0, below=0.5),
        )
    }
    errors_of: ClassVar = {"error": "‖μ̂ − μ‖₂/√d", "worst": "max |μ̂ⱼ − μⱼ|"}
    traits: ClassVar = {"trace": ("calls the callback", False), "trims": ("takes the share to leave out", False)}
    example: ClassVar = {"d": 2, "m": 9, "k": 1}
    limits: ClassVar = {"breakdown": f"{__name__}:breakdown"}

    def draw(self, spec: Spec, key: Any) -> Drawn:
        rng = np.random.default_rng(list(key))
        truth = rng.normal(size=spec.d)
        samples = truth + rng.standard_t(spec.tail, (spec.m, spec.d))
        samples[: spec.k] += OUTLIER  # the first ones, so that fewer samples are a part of more
        return Drawn(Problem(samples, spec.k), truth, spec)

    def errors(self, answer: np.ndarray, instance: Drawn, *, tolerance: float = 1e-6) -> dict[str, float]:
        off = np.abs(answer - instance.truth)
        return {"error": float(np.sqrt((off**2).mean())), "worst": float(off.max())}

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
