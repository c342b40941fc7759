"""What the answer owes by its form, and what it says of itself: U, b and the reported residual."""

from __future__ import annotations

from functools import partial

import numpy as np
from hypothesis.strategies import SearchStrategy

from lrs.families.low_rank_sparse import NOT_ORTHONORMAL, TOO_DENSE
from lrs.solver import relative_residual
from property_tests.claims.conduct import tried, without
from property_tests.examine.claim import Always, AtLeast, Claim, Context, Outcome, register
from property_tests.examine.configuration import Configuration, Region
from property_tests.families.low_rank_sparse import strategies

_dense = without(TOO_DENSE)


def _sparse_enough(context: Context) -> Outcome:
    """A threshold keeps what is large, not k entries: that these are at most k is promised inside the region only."""
    depth = context.region.depth(context.configuration)
    if context.traits.thresholds and depth.margin < 0:
        return Outcome(False, note=f"outside the region {context.region.name}, by its {depth.binding}", in_scope=False)
    return _dense(context)


def _anything_and_inside(region: Region) -> SearchStrategy[Configuration]:
    return tried(region, inside=False) | strategies.inside(region, sizes=strategies.TINY, corners=("plain", "signs"))


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
        name="conduct/orthonormal-basis",
        statement="The columns of the returned U are orthonormal.",
        cite="the solver protocol (lrs.solver.Solver)",
        kind=Always(p1=0.9),
        configurations=partial(tried, inside=False),
        check=without(NOT_ORTHONORMAL),
        inside=False,
    )
)
register(
    Claim(
        name="conduct/sparse-enough",
        statement="No task's b has more than k non-zeros (of a solver with thresholds: inside its region).",
        cite="‖b⁽ⁱ⁾‖₀ ≤ k is part of the objective [S]; supp b ⊆ supp b*, sparse-vector lemma [D], for thresholds",
        kind=Always(p1=0.9),
        configurations=_anything_and_inside,
        check=_sparse_enough,
        inside=False,
    )
)
register(
    Claim(
        name="honesty/residual",
        statement="The reported residual is that of the returned model.",
        cite="lrs.solver.Solution.residual = ‖y − ŷ‖₂/‖y‖₂",
        kind=AtLeast(0.95, 0.80),
        configurations=partial(tried, inside=True),
        check=_residual,
    )
)
