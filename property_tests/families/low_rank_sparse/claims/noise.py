"""With noise: the error is near the oracle's, proportional to σ, and falls with m and t as counting says."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from hypothesis.strategies import SearchStrategy

from lrs.families.low_rank_sparse import metrics
from lrs.families.low_rank_sparse.generate import generate
from lrs.families.low_rank_sparse.problem import Instance
from property_tests.examine.claim import AtLeast, Claim, Context, Outcome, Scaling, register
from property_tests.examine.configuration import Configuration, Region
from property_tests.families.low_rank_sparse import strategies

FLOOR = "noise floor of the shape σ√(d r²/(mt)) + σ√(k/m) [M]; oracle risk σ²(r+k)/(m−r−k−1) per task [D]"
#: Small against the smallest |b| = ½ of the law used, so that supports stay findable.
LEVEL = 0.02


def _again(context: Context, **changes: object) -> Instance:
    """The same random numbers with other sizes or another noise level."""
    spec = replace(context.configuration.spec, **changes)
    return generate(spec, context.key)


def _error(context: Context, instance: Instance) -> float:
    model = context.run(instance.problem, trace=False).model
    return float(np.linalg.norm(model.theta - instance.truth.theta)) / math.sqrt(instance.problem.t)


def _near_oracle(context: Context) -> Outcome:
    s, instance = context.configuration.spec, context.instance
    oracle = s.noise**2 * (s.r + s.k) / (s.m - s.r - s.k - 1)
    subspace = s.noise**2 * s.r * (s.d - s.r) / (s.m * s.t)  # what not knowing U costs at least
    return Outcome.below("root mean square error of θ", _error(context, instance), 3.0 * math.sqrt(oracle + subspace))


def _proportional(context: Context) -> Outcome:
    factor = 4.0
    low = _error(context, _again(context, noise=LEVEL / factor))
    high = _error(context, _again(context, noise=LEVEL))
    ratio = high / max(low, np.finfo(float).tiny)
    values = {"error at σ/4": low, "error at σ": high}
    return Outcome.below(
        "departure |ln(ratio/4)|", abs(math.log(max(ratio, 1e-300) / factor)), math.log(1.6), values=values
    )


def _exponent(
    context: Context, name: str, factor: int, values: dict[str, tuple[float, float]], bound: float
) -> Outcome:
    outcomes = []
    for what, (small, large) in values.items():
        slope = math.log(max(large, 1e-300) / max(small, 1e-300)) / math.log(factor)
        outcomes.append(
            Outcome.below(f"exponent of {what} in {name}", slope, bound, values={"small": small, "large": large})
        )
    return Outcome.all(replace(o, margin=bound - next(iter(o.values.values()))) for o in outcomes)


def _falls_with_m(context: Context) -> Outcome:
    s = context.configuration.spec
    few, many = context.instance, _again(context, m=4 * s.m)
    return _exponent(context, "m", 4, {"θ": (_error(context, few), _error(context, many))}, -0.35)


def _falls_with_t(context: Context) -> Outcome:
    s, factor = context.configuration.spec, strategies.growth(context.region)
    distances = []
    for instance in (context.instance, _again(context, t=factor * s.t)):
        model = context.run(instance.problem, trace=False).model
        distances.append(metrics.subspace_distance(model.U, instance.truth.U, norm="fro"))
    return _exponent(context, "t", factor, {"U": (distances[0], distances[1])}, -0.25)


def _noisy(region: Region) -> SearchStrategy[Configuration]:
    return strategies.inside(
        region,
        sizes=strategies.Sizes(r=(1, 2), k=(1, 2), extra_d=6, extra_t=10),
        slacks=(0.5, 0.8),
        corners=("plain", "signs"),
        noise=(LEVEL,),
    )


register(
    Claim(
        name="noise/near-oracle",
        statement="At noise level σ the error is at most three times that of a solver told the supports and counting U's "
        "r(d−r) parameters.",
        cite=f"{FLOOR}; the factor 3 is chosen here",
        kind=AtLeast(0.95, 0.80),
        configurations=_noisy,
        check=_near_oracle,
        theorems=("amht-noisy",),
        traits=("noise", "low_rank", "sparse"),
    )
)
register(
    Claim(
        name="noise/proportional",
        statement="Four times the noise makes four times the error, within a factor 1.6.",
        cite=FLOOR,
        kind=Scaling(0.95, 0.80),
        configurations=_noisy,
        check=_proportional,
        theorems=("amht-noisy",),
        traits=("noise", "low_rank", "sparse"),
        calls=2,
    )
)
register(
    Claim(
        name="noise/falls-with-m",
        statement="With four times the rows the error of θ falls at least as m^−0.35 (counting says m^−½).",
        cite=FLOOR,
        kind=Scaling(0.95, 0.80),
        configurations=_noisy,
        check=_falls_with_m,
        theorems=("amht-noisy",),
        traits=("noise", "low_rank", "sparse"),
        calls=2,
    )
)
register(
    Claim(
        name="noise/falls-with-t",
        statement="With sixteen times the tasks (four times where tasks are long) the error of the subspace falls at least "
        "as t^−0.25 (counting says t^−½).",
        cite=FLOOR,
        kind=Scaling(0.95, 0.80),
        configurations=_noisy,
        check=_falls_with_t,
        theorems=("amht-noisy",),
        traits=("noise", "low_rank", "sparse"),
        calls=2,
    )
)
