"""What a robust mean owes: to be near the truth with a tenth of outliers; and where that is asked of it."""

import math
from dataclasses import dataclass

from heavy_mean import Spec
from hypothesis import strategies as st

from lrs.core.family import Success
from property_tests.examine.claim import AtLeast, Claim, register
from property_tests.examine.configuration import Configuration, Depth


@dataclass(frozen=True)
class Contaminated:
    name: str = "a tenth"
    family: str = "heavy-mean"
    share: float = 0.1

    def depth(self, configuration):
        spec = configuration.spec
        margin = math.log(self.share * spec.m / spec.k) if spec.k else math.inf
        return Depth(margin, {"few outliers": margin})

    def draw(self):
        return st.builds(
            lambda d, m, k: Configuration(family=self.family, spec=Spec(d=d, m=max(10 * k, m), k=k)),
            st.integers(1, 4),
            st.integers(40, 120),
            st.integers(0, 10),
        )


REGION = Contaminated()
register(
    Claim(
        name="robust/near",
        statement="With a tenth of outliers the mean is found up to 0.5.",
        cite="trimming removes the outliers [D]; the tolerance is chosen here",
        kind=AtLeast(0.95, 0.80),
        families=("heavy-mean",),
        configurations=lambda region: region.draw(),
        check=lambda context: context.recovered(success=Success(tolerance=0.5)),
    )
)
