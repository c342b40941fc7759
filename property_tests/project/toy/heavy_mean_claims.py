"""What a robust mean owes: to be near the truth with a tenth of outliers."""

import math
from dataclasses import dataclass

from heavy_mean import Spec
from hypothesis import strategies as st

from property_tests.claim import AtLeast, Claim, register
from property_tests.configuration import Configuration, Depth


@dataclass(frozen=True)
class Contaminated:
    name: str = "a tenth"
    family: str = "heavy-mean"
    share: float = 0.1

    def depth(self, configuration):
        spec = configuration.spec
        margin = math.log(self.share * spec.m / spec.k) if spec.k else math.inf
        return Depth(margin, {"few outliers": margin})

    def draw(self, *, most=10):
        return st.builds(
            lambda k, m: Configuration(family=self.family, spec=Spec(d=2, m=max(10 * k, m), k=k)),
            st.integers(0, most),
            st.integers(20, 200),
        )


REGION = Contaminated()
register(
    Claim(
        name="robust/near",
        statement="With a tenth of outliers the estimate is near the mean.",
        cite="median of a contaminated law [D]",
        kind=AtLeast(0.95, 0.80),
        families=("heavy-mean",),
        configurations=lambda region: region.draw(),
        check=lambda context: context.recovered(),
        traits=("robust",),
    )
)
