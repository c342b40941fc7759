"""``auto`` in place of a rank or a sparsity: who can take it, and what a solver gets that does not."""

from __future__ import annotations

from typing import Any

from lrs.amht import AMHT
from lrs.core import streams
from lrs.core.errors import InvalidInput
from lrs.core.validate import integer
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import MultiTaskData, Problem
from lrs.hierarchical.choice import Automatic
from lrs.solver import Callback, Solution, solve, traits_of

#: What asks for a choice by held-out rows.
AUTO = "auto"


def solve_automatically(
    data: MultiTaskData,
    solver: Any,
    seed: int = 0,
    callback: Callback | None = None,
    *,
    rank: int | str = AUTO,
    sparsity: int | str = AUTO,
) -> Solution[LRSModel]:
    """Fit with the rank, the sparsity or both found from the data.

    Parameters
    ----------
    data : MultiTaskData
    solver : callable
        `AMHT`, or one that uses neither rank nor sparsity.
    rank, sparsity : int or "auto"

    Returns
    -------
    Solution
        See `Automatic`.

    Raises
    ------
    InvalidInput
        When the solver must be told.
    """
    given: dict[str, int | None] = {}
    for name, value in (("rank", rank), ("sparsity", sparsity)):
        if isinstance(value, str) and value != AUTO:
            raise InvalidInput(f"{name}: expected a number or {AUTO!r}, got {value!r}")
        given[name] = None if isinstance(value, str) else integer(name, value)
    if isinstance(solver, AMHT):
        automatic = Automatic(**given, solver=solver)

        def found(problem: Problem, *, rng: Any, callback: Callback | None = None) -> Solution[LRSModel]:
            return automatic(problem.data, rng=rng, callback=callback)

        return solve(Problem(data, 0, 0), found, streams.generator("solver", seed), callback)
    traits = traits_of(solver)
    for name, size in given.items():
        if size is None and (traits.private or traits.low_rank or traits.sparse):
            why = "a private solver looks at no held-out rows" if traits.private else "only amht finds it"
            raise InvalidInput(f"{name}: must be told to this solver, {why}; pass a number")
    default = {"rank": min(1, data.d), "sparsity": 0}
    told = {name: default[name] if size is None else size for name, size in given.items()}
    return solve(Problem(data, told["rank"], told["sparsity"]), solver, seed, callback)
