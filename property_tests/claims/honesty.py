"""What the answer may depend on: the problem and the generator, nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from property_tests.claims.conduct import tried
from property_tests.examine.claim import Always, Claim, Context, Outcome, register


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


def _same(what: str, context: Context, *problems: Any) -> Outcome:
    """Whether the answers to the first and the last of these problems are the same; what lies between is asked too."""
    answers = [context.family.pack(context.run(problem).model) for problem in problems]
    return Outcome.below(what, largest_difference(answers[0], answers[-1]), 0.0)


def _deterministic(context: Context) -> Outcome:
    problem = context.instance.problem
    return _same("largest difference between the answers of two identical calls", context, problem, problem)


def _no_peeking(context: Context) -> Outcome:
    """A copy of the numbers is asked about: whatever the truth behind them, the solver cannot tell the two apart."""
    family, problem = context.family, context.instance.problem
    other = family.draw(context.configuration.spec, (*context.key, 7)).problem
    twin = family.unpack(family.pack(problem))
    return _same("difference of the answers", context, problem, other, twin)


register(
    Claim(
        name="honesty/deterministic",
        statement="The same problem with the same generator gives the same answer, bit for bit.",
        cite="the solver protocol: randomness only from rng",
        kind=Always(p1=0.9),
        families=None,
        configurations=partial(tried, inside=True),
        check=_deterministic,
        calls=2,
    )
)
register(
    Claim(
        name="honesty/no-peeking",
        statement="Equal data get the same answer, bit for bit, whatever was asked in between.",
        cite="the solver protocol: the answer is a function of the problem and rng",
        kind=Always(p1=0.9),
        families=None,
        configurations=partial(tried, inside=True),
        check=_no_peeking,
        calls=3,
    )
)
