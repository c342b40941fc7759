"""How the smallest sufficient m moves when one size doubles: no faster than the theorem's bound."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

from hypothesis import strategies as st

from lrs.families.low_rank_sparse.generate import generate
from lrs.families.low_rank_sparse.problem import Instance
from property_tests.examine.claim import Claim, Context, Outcome, Scaling, register
from property_tests.examine.configuration import Configuration, Region
from property_tests.families.low_rank_sparse import strategies
from property_tests.families.low_rank_sparse.claims.recovery import THEOREM
from theory.region import TheoremRegion
from theory.theorems import load_theorem

#: What is doubled.
DOUBLED = ("k", "d", "r")
#: Ratio of neighbouring numbers of rows tried, and the allowance for that resolution and for logarithms.
RATIO, ALLOWANCE = 0.75, 0.6


@cache
def exponents() -> dict[str, float]:
    """Largest exponent of every size over the branches of the theorem's bounds on m."""
    formulas = TheoremRegion(load_theorem("amht-informal")).exponents("m")
    return {name: max(float(e) for e in found) for name, found in formulas.items()}


def critical_rows(context: Context, full: Instance) -> float:
    """Last number of rows at which this replicate is recovered when they are taken away a quarter at a time.

    Nested rows, and only one failing call, because a solver that fails has usually tried hard.
    """
    assert full.spec is not None
    last = full.spec.m / RATIO  # stands for "not even with all"
    m = full.spec.m
    while m > full.spec.r + full.spec.k:
        nested = full.prefix(m)
        if not context.outcome(context.run(nested.problem, trace=False), instance=nested).recovered:
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
    bound = exponents()[size] + ALLOWANCE
    values = {"smallest m": small, "smallest m, doubled": large}
    outcome = Outcome.below(f"exponent of m in {size}", slope, bound, values=values)
    return replace(outcome, margin=bound - slope)


@st.composite
def _doubling(draw: st.DrawFn, region: Region) -> Configuration:
    size = draw(st.sampled_from(DOUBLED))
    # Room for twice the rank: twice the tasks.
    sizes = strategies.Sizes(r=(1, 1), k=(1, 2), extra_d=4, extra_t=0, tasks=2.0, largest=3)
    base = draw(strategies.inside(region, sizes=sizes, slacks=(0.3,), corners=("plain",)))
    return replace(base, extras=(("doubles", size),))


register(
    Claim(
        name="boundary/exponents",
        statement="When k, d or r doubles, the smallest sufficient m grows no faster than the theorem's bound: exponents 1, "
        "1 and 4, with 0.6 for logarithms and for steps of a quarter.",
        cite=f"m t = Ω(k d r⁴), m = Ω(max(k, r³)), {THEOREM}",
        kind=Scaling(0.90, 0.50),
        configurations=_doubling,
        check=_exponent,
        theorems=("amht-informal",),
        traits=("exact", "low_rank", "sparse"),
        calls=12,
    )
)
