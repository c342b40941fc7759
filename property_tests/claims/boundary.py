"""How the smallest sufficient m moves when one size doubles: no faster than the theorem's bound."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import strategies as st

from lrs import metrics
from lrs.generate import InstanceSpec, generate
from lrs.problem import Instance
from property_tests import strategies
from property_tests.claim import Claim, Context, Outcome, Scaling, register
from property_tests.claims.recovery import RECOVERED, THEOREM
from property_tests.configuration import Configuration, Region

#: Exponents of the bound m t = Ω(k d r⁴), m = Ω(max(k, r³)).
EXPONENTS = {"k": 1.0, "d": 1.0, "r": 4.0}
#: Ratio of neighbouring numbers of rows tried, and the allowance for that resolution and for logarithms.
RATIO, ALLOWANCE = 0.75, 0.6


def critical_rows(context: Context, full: Instance) -> float:
    """Last number of rows at which this replicate is recovered when they are taken away a quarter at a time.

    Nested rows, and only one failing call, because a solver that fails has usually tried hard.
    """
    assert full.spec is not None
    last = full.spec.m / RATIO  # stands for "not even with all"
    m = full.spec.m
    while m > full.spec.r + full.spec.k:
        nested = full.prefix(m)
        if metrics.theta_error(context.run(nested.problem, trace=False).model, nested.truth) > RECOVERED:
            break
        last, m = m, int(RATIO * m)
    return float(last)


def _exponent(context: Context) -> Outcome:
    size = str(context.configuration["doubles"])
    key = context.key
    spec = context.configuration.spec
    larger = replace(spec, **{size: 2 * getattr(spec, size)}, m=2 * spec.m)
    small, large = (critical_rows(context, generate(s, key)) for s in (spec, larger))
    slope = math.log2(large / small)
    bound = EXPONENTS[size] + ALLOWANCE
    values = {"smallest m": small, "smallest m, doubled": large}
    outcome = Outcome.below(f"exponent of m in {size}", slope, bound, values=values)
    return replace(outcome, margin=bound - slope)


@st.composite
def _doubling(draw: st.DrawFn, region: strategies.SampleRegion) -> Configuration:
    size = draw(st.sampled_from(tuple(EXPONENTS)))
    r, k = 1, draw(st.integers(1, 2))
    least = max(14, math.ceil(region.dimension * (r + k)))
    d = draw(st.integers(least, least + 4))
    t = max(24, math.ceil(2 * region.tasks * r))
    m = region.rows(t, d, r, k, slack=0.3)
    spec = InstanceSpec(t=t, m=m, d=d, r=r, k=k)
    return Configuration(spec=spec, slack=0.3, extras=(("doubles", size),))


def _configurations(region: Region) -> st.SearchStrategy[Configuration]:
    return _doubling(strategies.sample_region(region))


register(
    Claim(
        name="boundary/exponents",
        statement="When k, d or r doubles, the smallest sufficient m grows no faster than the theorem's bound: exponents 1, "
        "1 and 4, with 0.6 for logarithms and for steps of a quarter.",
        cite=f"m t = Ω(k d r⁴), m = Ω(max(k, r³)), {THEOREM}",
        kind=Scaling(0.90, 0.50),
        configurations=_configurations,
        check=_exponent,
        theorems=("amht-informal",),
        traits=("exact", "low_rank", "sparse"),
        calls=12,
    )
)
