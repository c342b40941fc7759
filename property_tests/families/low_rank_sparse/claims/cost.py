"""Time nearly linear in m·t, outer steps that do not grow with it, bounded memory."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis.strategies import SearchStrategy

from lrs.families.low_rank_sparse.generate import generate
from lrs.families.low_rank_sparse.problem import Problem
from property_tests.examine.claim import AtLeast, Claim, Context, Outcome, Scaling, Timing, register
from property_tests.examine.configuration import Configuration, Region
from property_tests.families.low_rank_sparse import strategies
from property_tests.families.low_rank_sparse.claims.recovery import THEOREM

#: Largest exponents of m·t; 1 is linear, the rest is for logarithms and for the noise of clocks.
TIME_EXPONENT, STEP_EXPONENT = 1.35, 0.25
#: Memory: this many numbers per number of the data and of the tasks' Gram matrices, plus an allowance for small arrays.
MEMORY_FACTOR, MEMORY_ALLOWANCE = 12.0, 16e6
#: Multiples of the configuration's tasks between which outer steps are counted.
_COUNTED = (1, 4)


def _problem(context: Context, factor: int) -> Problem:
    """The configuration with ``factor`` times the tasks: m·t grows, d, r, k and the conditioning stay."""
    spec = replace(context.configuration.spec, t=context.configuration.spec.t * factor)
    return generate(spec, context.key).problem


def _exponent(factors: tuple[int, int], values: list[float]) -> float:
    small, large = (max(v, 1e-9) for v in values)
    return math.log(large / small) / math.log(factors[1] / factors[0])


def _time(context: Context) -> Outcome:
    context.run(_problem(context, 1), trace=False)  # caches and compiled code
    # Both sizes are large, so that what a call costs whatever its size does not hide the growth.
    largest = strategies.growth(context.region)
    factors = (largest // 4, largest)
    seconds = []
    for factor in factors:
        problem = _problem(context, factor)
        seconds.append(min(context.run(problem, trace=False, seed=s).cpu_seconds for s in range(2)))
    values = {f"cpu seconds at {f}×": s for f, s in zip(factors, seconds, strict=True)}
    slope = _exponent(factors, seconds)
    return replace(
        Outcome.below("exponent of time in m·t", slope, TIME_EXPONENT, values=values), margin=TIME_EXPONENT - slope
    )


def _steps(context: Context) -> Outcome:
    steps = [float(max(1, context.run(_problem(context, f), trace=False).solution.iterations)) for f in _COUNTED]
    slope = _exponent(_COUNTED, steps)
    values = {f"outer steps at {f}×": s for f, s in zip(_COUNTED, steps, strict=True)}
    return replace(
        Outcome.below("exponent of steps in m·t", slope, STEP_EXPONENT, values=values), margin=STEP_EXPONENT - slope
    )


def _memory(context: Context) -> Outcome:
    problem = context.instance.problem
    peak = context.run(trace=False, memory=True).peak_bytes or 0
    t, d, r, n = problem.t, problem.d, problem.rank, problem.data.n
    numbers = n * d + t * d * (d + r + problem.sparsity) + (d * max(r, 1)) ** 2
    return Outcome.below("peak bytes", float(peak), MEMORY_FACTOR * 8 * numbers + MEMORY_ALLOWANCE)


def _sizes(region: Region, d: int, t: int) -> SearchStrategy[Configuration]:
    sizes = strategies.Sizes(r=(1, 2), k=(1, 2), least_d=d, extra_d=0, least_t=t, extra_t=0, largest=4)
    return strategies.inside(region, sizes=sizes, slacks=(0.5,), corners=("plain",))


def _growing(region: Region) -> SearchStrategy[Configuration]:
    return _sizes(region, 20, 60)


def _large(region: Region) -> SearchStrategy[Configuration]:
    return _sizes(region, 40, 100)


register(
    Claim(
        name="cost/time",
        statement="Processor time grows at most as (m·t)^1.35 when the number of tasks of a large problem grows fourfold.",
        cite=f"‘time nearly linear in m·t’, {THEOREM}; d, r and the conditioning fixed [D]",
        kind=Timing(0.90, 0.50),
        configurations=_growing,
        check=_time,
        theorems=("amht-informal",),
        traits=("low_rank", "sparse"),
        calls=5,
    )
)
register(
    Claim(
        name="cost/steps",
        statement="The number of outer steps does not grow with m·t (at most as its power 0.25).",
        cite=f"counted part of ‘time nearly linear in m·t’, {THEOREM}",
        kind=Scaling(0.95, 0.80),
        configurations=_growing,
        check=_steps,
        theorems=("amht-informal",),
        traits=("exact", "low_rank", "sparse"),
        calls=2,
    )
)
register(
    Claim(
        name="cost/memory",
        statement="Working memory is at most twelve times the data, the tasks' Gram matrices and the dense subspace system "
        "(16 MB allowed for the rest).",
        cite="cost of the dense steps, t d² + (d r)² numbers [D]; the factor is chosen here",
        kind=AtLeast(0.95, 0.80),
        configurations=_large,
        check=_memory,
        traits=(),
    )
)
