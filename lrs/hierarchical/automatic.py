"""``auto`` in place of a rank or a sparsity: who can take it, and what a solver gets that does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from lrs.amht import AMHT
from lrs.amht.truncation import leading
from lrs.core import streams
from lrs.core.errors import InvalidInput
from lrs.core.validate import integer
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import MultiTaskData, Problem
from lrs.hierarchical.choice import Automatic
from lrs.solver import Callback, Solution, Traits, solve, traits_of

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
    if traits.finds_sizes and not any(size is not None for size in given.values()):
        return solve(Problem(data, 0, 0), solver, seed, callback)
    for name, size in given.items():
        if size is None and (traits.private or traits.low_rank or traits.sparse):
            why = "a private solver looks at no held-out rows" if traits.private else "only amht finds it"
            raise InvalidInput(f"{name}: must be told to this solver, {why}; pass a number")
    default = {"rank": min(1, data.d), "sparsity": 0}
    told = {name: default[name] if size is None else size for name, size in given.items()}
    return solve(Problem(data, told["rank"], told["sparsity"]), solver, seed, callback)


def auto(problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution[LRSModel]:
    """`Automatic` as a solver: what the problem says of rank, sparsity and noise is not looked at.

    Where it finds a larger rank than the problem says, what is beyond the leading directions is stored in B, which is then dense.
    """
    found = Automatic()(problem.data, rng=rng, callback=callback)
    model = found.model
    if model.rank <= problem.rank:
        return found
    first = leading(model, problem.rank)
    B = sparse.csr_array(model.theta - first.W @ first.U.T)
    return replace(found, model=replace(first, B=B))


auto.traits = Traits(trace=False, finds_sizes=True)  # type: ignore[attr-defined]
