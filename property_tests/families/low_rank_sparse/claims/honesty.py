"""What the answer may depend on: the problem and the generator, nothing else; and what is said about it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis.strategies import SearchStrategy

from lrs.core.family import LOW_RANK_SPARSE, family_of
from lrs.families.low_rank_sparse.generate import generate
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import Problem
from lrs.solver import relative_residual
from property_tests.examine.claim import Always, AtLeast, Claim, Context, Outcome, register
from property_tests.examine.configuration import Configuration, Region
from property_tests.families.low_rank_sparse import strategies


def _difference(a: LRSModel, b: LRSModel) -> float:
    return float(np.abs(a.theta - b.theta).max(initial=0.0))


def largest_difference(a: Any, b: Any) -> float:
    """Between two packed answers: 0 when they are the same bit for bit, ∞ when no number says by how much they differ."""
    if isinstance(a, Mapping) and isinstance(b, Mapping) and a.keys() == b.keys():
        return max((largest_difference(a[n], b[n]) for n in a), default=0.0)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple) and len(a) == len(b):
        return max(map(largest_difference, a, b), default=0.0)
    x, y = np.asarray(a), np.asarray(b)
    if x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes():
        return 0.0
    if x.shape != y.shape or not {x.dtype.kind, y.dtype.kind} <= set("biuf"):
        return math.inf
    gap = float(np.abs(x.astype(float) - y.astype(float)).max())
    return gap if math.isfinite(gap) else math.inf


def _deterministic(context: Context) -> Outcome:
    first, second = (context.family.pack(context.run().model) for _ in range(2))
    gap = largest_difference(first, second)
    return Outcome.below("largest difference between the answers of two identical calls", gap, 0.0)


def _small(region: Region) -> SearchStrategy[Configuration]:
    """Small problems, noisy ones among them; of another family, what its region draws."""
    if family_of(region).name != LOW_RANK_SPARSE:
        return region.draw()
    return strategies.inside(region, sizes=strategies.TINY, noise=(0.0, 0.1))


def two_truths(problem: Problem, theta: np.ndarray) -> np.ndarray:
    """Another Θ with exactly the same responses: every task with m < d gets a vector of the kernel of its X added."""
    other = theta.copy()
    for i, (X, _) in enumerate(problem.data):
        if len(X) < problem.d:
            other[i] += np.linalg.svd(X)[2][-1]
    return other


def _no_peeking(context: Context) -> Outcome:
    """Asked about data that two truths explain, with a question about a third in between."""
    instance = context.instance
    problem, theta = instance.problem, instance.truth.theta
    other = two_truths(problem, theta)
    # The two truths agree on every response: a second problem object with a copy of the same numbers is the other's.
    gap = max(float(np.abs(X @ (a - b)).max()) for (X, _), a, b in zip(problem.data, theta, other, strict=True))
    data = problem.data
    twin = replace(problem, data=replace(data, X=data.X.copy(), y=data.y.copy()))
    first = context.run().model
    between = generate(context.configuration.spec, (*instance.seed, 7)).problem
    context.run(between, trace=False)
    second = context.run(twin).model
    values = {
        "largest response difference of the truths": gap,
        "distance of the truths": float(np.abs(theta - other).max()),
    }
    return Outcome.below("difference of the answers", _difference(first, second), 0.0, values=values)


def _residual(context: Context) -> Outcome:
    solution = context.run().solution
    if not np.isfinite(solution.residual):
        return Outcome(True, 0.0)  # says nothing
    true = relative_residual(context.instance.problem, solution.model)
    values = {"said": float(solution.residual), "true": true}
    return Outcome.below(
        "error of the reported residual", abs(solution.residual - true), 1e-8 + 1e-3 * true, values=values
    )


register(
    Claim(
        name="honesty/deterministic",
        statement="The same problem with the same generator gives the same answer, bit for bit.",
        cite="the solver protocol: randomness only from rng",
        kind=Always(p1=0.9),
        families=None,
        configurations=_small,
        check=_deterministic,
        calls=2,
    )
)
register(
    Claim(
        name="honesty/no-peeking",
        statement="Two truths with the same data get the same answer, whatever was asked in between.",
        cite="the solver protocol: the answer is a function of the problem and rng",
        kind=Always(p1=0.9),
        configurations=lambda region: strategies.inside(region, sizes=strategies.TINY, corners=("plain",)),
        check=_no_peeking,
        calls=3,
    )
)
register(
    Claim(
        name="honesty/residual",
        statement="The reported residual is that of the returned model.",
        cite="lrs.solver.Solution.residual = ‖y − ŷ‖₂/‖y‖₂",
        kind=AtLeast(0.95, 0.80),
        configurations=_small,
        check=_residual,
    )
)
