"""A family that is nothing like low rank + sparse: the mean of a heavy-tailed law, seen with k outliers."""

from dataclasses import asdict, dataclass
from typing import ClassVar

import numpy as np

from lrs.core import streams
from lrs.core.family import Criterion, Parameter
from lrs.core.solver import Solution, Status
from lrs.errors import InvalidInput


@dataclass(frozen=True, kw_only=True)
class Spec:
    n: int
    k: int = 0

    def __post_init__(self):
        if not 0 <= self.k < self.n:
            raise InvalidInput(f"k: expected 0 … n − 1 outliers, got {self.k}")

    def to_dict(self):
        return asdict(self)

    @property
    def size(self):
        return (self.n, self.k)


@dataclass(frozen=True, eq=False)
class Sample:
    x: np.ndarray
    family: ClassVar[str] = "heavy-mean"


@dataclass(frozen=True, eq=False)
class Drawn:
    problem: Sample
    truth: float


class HeavyMean:
    name = "heavy-mean"
    title = "mean of a heavy-tailed law"
    parameters: ClassVar = {
        "n": Parameter(name="n", meaning="Samples.", eases=True, size=True),
        "k": Parameter(name="k", meaning="Outliers.", default=0, size=True),
    }
    errors_of: ClassVar = {"standard_errors": "distance from the mean in units of n^−½"}
    criteria: ClassVar = {
        "near": Criterion(
            "near", "the estimate is within 6 n^−½ of the mean", lambda e, tol, f: e["standard_errors"] <= 6
        )
    }
    traits: ClassVar = {"robust": ("does not mind outliers", True)}
    example: ClassVar = {"n": 20, "k": 2}
    theorems: ClassVar = {}
    limits: ClassVar = {}
    regions = "heavy_mean_claims:REGION"
    claims = ("heavy_mean_claims",)

    def spec(self, **values):
        return Spec(**values)

    def draw(self, spec, key):
        rng = streams.generator("heavy-mean", *key)
        truth = float(10 * rng.standard_normal())
        x = truth + rng.standard_t(3, spec.n)
        x[: spec.k] += 1000
        return Drawn(Sample(rng.permutation(x)), truth)

    def restrict(self, instance, name, value):
        raise InvalidInput(f"{name}: nothing is nested")

    def errors(self, answer, instance, *, tolerance=1e-6):
        return {"standard_errors": abs(answer - instance.truth) * len(instance.problem.x) ** 0.5}

    def quantities(self, subject):
        return {"n": subject.n, "k": subject.k} if isinstance(subject, Spec) else {"n": len(subject.x)}

    def audit(self, problem, answer):
        return {} if np.isfinite(answer) else {"NOT_FINITE": f"the mean is {answer}"}

    def pack(self, value):
        if isinstance(value, Drawn):
            return {"problem": self.pack(value.problem), "truth": value.truth}
        return {"x": value.x} if isinstance(value, Sample) else {"mean": float(value)}

    def unpack(self, packed):
        if "problem" in packed:
            return Drawn(self.unpack(packed["problem"]), packed["truth"])
        return Sample(np.array(packed["x"])) if "x" in packed else packed["mean"]

    def cost(self, spec):
        return float(spec.n)


FAMILY = HeavyMean()


def median(problem, *, rng, callback=None):
    return Solution(float(np.median(problem.x)), Status.CONVERGED, 1)


def mean(problem, *, rng, callback=None):
    return Solution(float(problem.x.mean()), Status.CONVERGED, 1)
