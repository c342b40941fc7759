"""Claims tried in this process, without sandbox and engine: fast, for tests of the claims themselves."""

import time
import tracemalloc

import numpy as np

from lrs.core.run import Fault, Run
from lrs.families.low_rank_sparse import NOT_ORTHONORMAL, TOO_DENSE
from lrs.solver import load_solver, traits_of
from property_tests.examine.claim import Context, Outcome
from property_tests.examine.search import propose
from property_tests.families.low_rank_sparse import strategies


def runner(solver, traits):
    """An executor that calls the solver here and notices three soft faults."""

    def execute(problem, seed, *, trace, memory):
        seen = []
        before = problem.data.y.copy()
        if memory:
            tracemalloc.start()
        cpu = time.process_time()
        solution = solver(
            problem, rng=np.random.default_rng(list(seed)), callback=seen.append if trace and traits.trace else None
        )
        cpu = time.process_time() - cpu
        peak = None
        if memory:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        faults = {}
        U = solution.model.U
        if not np.array_equal(before, problem.data.y):
            faults[Fault.INPUT_MODIFIED] = "y"
        if np.abs(U.T @ U - np.eye(U.shape[1])).max(initial=0.0) > 1e-8:
            faults[NOT_ORTHONORMAL] = "U"
        if np.diff(solution.model.B.indptr).max(initial=0) > problem.sparsity:
            faults[TOO_DENSE] = "B"
        return Run(problem, solution, tuple(seen), cpu, cpu, peak, faults)

    return execute


def outcomes(spec, claim, number, *, seed=0, enough_failures=None) -> list[Outcome] | None:
    """Outcomes of ``number`` trials, fewer after ``enough_failures``; None when the claim does not apply."""
    solver = load_solver(spec)
    traits, region = traits_of(solver), strategies.region_for(solver)
    if claim.missing_traits(traits):
        return None
    execute, found = runner(solver, traits), []
    for i, c in enumerate(propose(claim.configurations(region), number, seed)):
        if claim.inside:
            assert region.depth(c).margin >= 0, (claim.name, str(c), region.depth(c).binding)
        found.append(claim.check(Context(c, "inprocess", i, region, traits, execute)))
        if enough_failures is not None and sum(not o.ok for o in found) >= enough_failures:
            break
    return found
