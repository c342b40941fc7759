"""What a robust mean owes: to be near the truth with a tenth of outliers; and where that is asked of it."""

import math
from dataclasses import dataclass

from heavy_mean import Spec
from hypothesis import strategies as st

from lrs.core.family import Success
from property_tests import AtLeast, Claim, register
from property_tests.examine.configuration import Configuration, Depth


@dataclass(frozen=True)
class Contaminated:
    name: str = "a tenth"
    family: str = "heavy-mean"

    def depth(self, configuration):
        spec = configuration.spec
        margin = math.log(0.1 * spec.m / spec.k) if spec.k else math.inf
        return Depth(margin, {"few outliers": margin})

    def draw(self):
        sizes = {"d": st.integers(1, 4), "m": st.integers(40, 120), "k": st.integers(0, 4)}
        return st.builds(Spec, **sizes).map(lambda spec: Configuration(family=self.family, spec=spec))


REGION = Contaminated()
register(
    Claim(
        name="robust/near",
        statement="With a tenth of outliers the mean is found up to 0.5.",
        cite="trimming removes the outliers [D]; the tolerance is chosen here",
        kind=AtLeast(0.95, 0.80),
        families=("heavy-mean",),
        configurations=Contaminated.draw,
        check=lambda context: context.recovered(success=Success(tolerance=0.5)),
    )
)
