"""Solvers broken in exactly one way: what the conformance suite must notice.

Every mutant is reachable as ``property_tests.families.low_rank_sparse.mutants:NAME`` and is listed in `MUTANTS` with the claims that are meant to
refute it. Most exchange one part of `property_tests.families.low_rank_sparse.textbook.Textbook`; some wrap a solver.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from lrs.amht import AMHT
from lrs.amht.driver import State
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import Instance, MultiTaskData, Problem
from lrs.solver import Callback, Solution, Status, Traits, traits_of
from property_tests.examine.mutant import Mutant
from property_tests.families.low_rank_sparse.dead_zones import DEAD_ZONES
from property_tests.families.low_rank_sparse.textbook import (
    THRESHOLDING,
    Batch,
    Falling,
    Greedy,
    Projected,
    RandomSupports,
    Stop,
    Textbook,
    joint_weights,
    plain_subspace,
    updated,
)

MUTANTS: dict[str, Mutant] = {}
TEXTBOOK, PRACTICAL = Textbook(), AMHT(threads=1)


def mutant(name: str, why: str, expected: str, of: Any = TEXTBOOK, **parts: Any) -> Any:
    """Register the solver ``of`` with some of its parts exchanged; it becomes the module attribute ``name``."""
    solver = replace(of, **parts) if parts else of
    MUTANTS[name] = Mutant(solver, why, tuple(expected.split()))
    globals()[name] = solver
    return solver


def part(kind: str, why: str, expected: str, of: Any = TEXTBOOK, **others: Any) -> Callable[[Any], Any]:
    """Register the decorated function as the part ``kind`` of a solver, under the function's name (decorator)."""
    return lambda function: mutant(function.__name__, why, expected, of, **{kind: function}, **others)


def around(why: str, expected: str, of: Any = TEXTBOOK) -> Callable[[Any], Any]:
    """Register ``function(solver, problem, rng, callback)`` as a solver around another one (decorator)."""
    return lambda function: mutant(
        function.__name__, why, expected, Around(function, of, traits_of(of), getattr(of, "region", "practical"))
    )


@dataclass(frozen=True)
class Around:
    """A solver around another one."""

    function: Callable[..., Solution]
    solver: Any
    traits: Traits
    region: str

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        return self.function(self.solver, problem, rng, callback)


def length(share: Callable[[int], float]) -> Callable[[Batch, State], State]:
    """The subspace step times ``share(iteration)``."""
    whole = Projected()
    return lambda batch, state: replace(state, U=state.U + share(state.iteration) * (whole(batch, state).U - state.U))


def only(step: Callable[[Batch, State], State], when: Callable[[int], bool]) -> Callable[[Batch, State], State]:
    """The step in the outer steps that ``when`` names; in others everything stays as it is."""
    return lambda batch, state: step(batch, state) if when(state.iteration) else state


LATE, RATE = "recovery/exact recovery/to-rounding", "recovery/exact rate/envelope rate/linear"


# ---------------------------------------------------------------------------------------------- algebra
mutant(
    "row_major_vec",
    "vec stacks rows where A = Σ wwᵀ ⊗ XᵀX asks for columns",
    "recovery/exact",
    subspace=Projected(order="C"),
)


@part("gauge", "U is replaced by another basis of its span, w is not turned along", "recovery/exact", restarts=None)
def no_gauge_fix(batch, state):
    return replace(state, U=np.linalg.svd(state.U, full_matrices=False)[0])


@part("gauge", "the QR step is left out", "conduct/orthonormal-basis")
def not_orthonormal(batch, state):
    return state


mutant(
    "projector_missing",
    "the subspace step forgets that (w, b) will be refitted: XᵀX for the projected Gram, twice as long steps",
    RATE,
    subspace=length(lambda iteration: 2.0),
)
_before: dict[str, np.ndarray] = {}


@part("subspace", "the subspace step uses the residual of the step before", RATE)
def stale_residual(batch, state):
    squares = state.fit.squares
    stale = _before["gradient"] if state.iteration else squares.gradient
    _before["gradient"] = squares.gradient
    after = Projected()(batch, updated(state, squares=squares._replace(gradient=stale)))
    return replace(state, U=after.U)


@around("reports the residual of the step before the last", "honesty/residual")
def stale_report(solver, problem, rng, callback):
    seen = []

    def watch(step):
        seen.append(step.residual)
        if callback is not None:
            callback(step)

    solution = solver(problem, rng=rng, callback=watch)
    return replace(solution, residual=min([x for x in seen if x > 1e-6][-1], 1.0))


# ---------------------------------------------------------------------------------------------- sparse step
mutant(
    "one_coordinate_short",
    "keeps k − 1 coordinates",
    "recovery/exact recovery/support",
    sparse=Greedy(more=-1),
)
mutant(
    "one_coordinate_over",
    "keeps k + 1 coordinates",
    "conduct/sparse-enough",
    sparse=Greedy(more=1),
)
mutant(
    "frozen_support",
    "supports are chosen in the first step and never again",
    "recovery/exact",
    sparse=only(Greedy(), lambda iteration: iteration == 0),
    restarts=RandomSupports(0),
)
mutant("no_sparse_step", "b is always 0: the low-rank method", "recovery/exact", sparse=Greedy(more=-(10**9)))


@part("polish", "rounds the non-zeros of b to ±1: works only when they are", "recovery/exact")
def signs_only(batch, state):
    return updated(state, B=np.sign(state.fit.B))


@part(
    "polish",
    "non-zeros of b below 0.1 are cut: a lower bound on |b| that the theorem does not need",
    "recovery/b-of-any-size recovery/support",
)
def small_b_dropped(batch, state):
    return updated(state, B=np.where(np.abs(state.fit.B) > 0.1, state.fit.B, 0.0))


@part(
    "polish",
    "a coordinate may be used by at most a fifth of the tasks: fails on clustered supports",
    "recovery/clustered-supports recovery/support",
)
def spread_supports_only(batch, state):
    used = (state.fit.B != 0).sum(axis=0)
    return updated(state, B=np.where(used > max(3.0, 0.35 * batch.t), 0.0, state.fit.B))


# ---------------------------------------------------------------------------------------------- outer loop
mutant("early_stop", "stops after three outer steps", LATE, stop=Stop(3))
mutant("loose_tolerance", "stops at a relative residual of 1e-4", LATE, stop=Stop(floor=1e-2))
mutant("skips_subspace_step", "the subspace step is left out", "recovery/exact", subspace=lambda batch, state: state)
mutant(
    "seldom_subspace_step",
    "the subspace step is made in one of twelve outer steps only, while Δ goes on falling",
    "thresholds/contained recovery/exact",
    THRESHOLDING,
    subspace=only(plain_subspace, lambda iteration: iteration % 12 == 11),
)
mutant(
    "too_slow",
    "takes a twentieth of every subspace step: linear, but slower than claimed",
    "rate/envelope",
    sparse=only(Greedy(), lambda iteration: iteration % 20 < 2),
    subspace=length(lambda iteration: 0.05),
    stop=Stop(350, floor=1e-13, stagnates=False),
)
mutant(
    "sublinear",
    "step lengths shrink like 1/ℓ: the error falls as a power of the iterations",
    "rate/linear rate/envelope",
    sparse=only(Greedy(), lambda iteration: iteration < 6),
    subspace=length(lambda iteration: min(1.0, 2.0 / (iteration + 2))),
    stop=Stop(300, floor=0.0, stagnates=False),
    restarts=None,
)


@around("works in float32", "recovery/to-rounding")
def single_precision(solver, problem, rng, callback):
    data = problem.data
    rounded = replace(data, X=data.X.astype(np.float32).astype(float), y=data.y.astype(np.float32).astype(float))
    return solver(replace(problem, data=rounded), rng=rng, callback=callback)


@part(
    "subspace",
    "gradient descent on the parameters of r + 2 directions: sublinear",
    "rate/linear rate/envelope recovery/exact",
    sparse=only(Greedy(), lambda iteration: iteration < 4),
    stop=Stop(150, floor=0.0, stagnates=False),
    restarts=None,
)
def overspecified_descent(batch, state):
    W, gradient = state.fit.W, state.fit.squares.gradient
    step = 1.0 / (batch.counts.mean() * np.linalg.norm(W, 2) ** 2)
    return replace(state, U=state.U + 0.1 * step * (gradient.T @ W))


@part("weights", "a ridge of 1e-3 on w stays in: converges, to the wrong point", "recovery/exact rate/linear")
def biased_fixed_point(batch, state):
    state = joint_weights(batch, state)
    return updated(state, W=state.fit.W / (1 + 1e-3))


@around("returns the warm start unchanged when there is one", "adaptation/warm-start")
def warm_start_returned(solver, problem, rng, callback):
    if problem.warm_start is not None:
        return Solution(problem.warm_start, Status.CONVERGED, 0)
    return solver(problem, rng=rng, callback=callback)


# ---------------------------------------------------------------------------------------------- tasks and samples
mutant(
    "all_tasks_trusted",
    "tasks with a wrong support weigh as much as the others in the subspace step",
    "recovery/despite-wild-tasks recovery/despite-short-tasks",
    subspace=Projected(omega=lambda batch, state: np.ones(batch.t)),
)


@part("polish", "the last task is never fitted", "recovery/exact")
def one_task_dropped(batch, state):
    kept = np.arange(batch.t)[:, None] < batch.t - 1
    return updated(state, W=np.where(kept, state.fit.W, 0.0), B=np.where(kept, state.fit.B, 0.0))


@part(
    "polish",
    "later tasks count less: task weights fall with the index",
    "invariance/task-permutation noise/near-oracle recovery/exact",
)
def order_matters(batch, state):
    fade = 1.0 - 1e-5 * np.arange(batch.t) / batch.t
    return updated(state, W=state.fit.W * fade[:, None])


@around("takes every task to have as many rows as the first", "recovery/ragged")
def equal_sizes_assumed(solver, problem, rng, callback):
    data = problem.data
    edges = np.linspace(0, data.n, data.t + 1).astype(np.int64)
    return solver(replace(problem, data=MultiTaskData(data.X, data.y, edges)), rng=rng, callback=callback)


@around("an absolute tolerance: responses below 0.1 count as 0", "invariance/response-scale")
def scale_assumed(solver, problem, rng, callback):
    if float(np.sqrt(np.mean(problem.data.y**2))) >= 0.5:
        return solver(problem, rng=rng, callback=callback)
    t, d, r = problem.t, problem.d, problem.rank
    return Solution(LRSModel(np.eye(d, r), np.zeros((t, r)), sparse.csr_array((t, d))), Status.CONVERGED, 0)


# ---------------------------------------------------------------------------------------------- noise
@around("half of the rows are thrown away when there is noise", "noise/near-oracle")
def noise_ignored(solver, problem, rng, callback):
    if problem.noise:
        rows = max(problem.rank + problem.sparsity + 2, int(problem.data.counts.min()) // 4)
        problem = replace(problem, data=problem.data.prefix(rows))
    return solver(problem, rng=rng, callback=callback)


@around("adds a noise of its own to the responses", "recovery/exact noise/near-oracle", PRACTICAL)
def noise_added(solver, problem, rng, callback):
    data = problem.data
    size = float(np.sqrt(np.mean(data.y**2)))
    y = data.y + 0.01 * size * rng.standard_normal(data.n)
    return solver(replace(problem, data=replace(data, y=y)), rng=rng, callback=callback)


# ---------------------------------------------------------------------------------------------- conduct and honesty
@around(
    "draws from the operating system instead of the rng it is given",
    "honesty/deterministic",
    AMHT(threads=1, initialization="random"),
)
def seed_ignored(solver, problem, rng, callback):
    own = np.random.default_rng(int.from_bytes(os.urandom(8), "big"))
    return solver(problem, rng=own, callback=callback)


@around("centres the responses in place", "conduct/input-unmodified", PRACTICAL)
def input_modified(solver, problem, rng, callback):
    solution = solver(problem, rng=rng, callback=callback)
    y = problem.data.y
    base = y.base if y.base is not None else y  # the array that the read-only view guards
    base.flags.writeable = True
    base -= base.mean()
    return solution


@around("succeeds on 90 % of the problems", "recovery/nearly-always", PRACTICAL)
def works_nine_times_in_ten(solver, problem, rng, callback):
    solution = solver(problem, rng=rng, callback=callback)
    model = solution.model
    return solution if rng.random() < 0.9 else replace(solution, model=LRSModel(model.U, 0.99 * model.W, model.B))


_last: dict[str, Any] = {}


@around("answers the question before the last when it has the same shape", "honesty/no-peeking", PRACTICAL)
def remembers(solver, problem, rng, callback):
    shape = (problem.data.X.shape, problem.t, problem.rank)
    solution = solver(problem, rng=rng, callback=callback)
    model = solution.model
    if _last.get("shape") == shape:
        model = LRSModel(model.U, model.W + 1e-9 * float(_last["U"][0, 0]), model.B)
    _last.update(shape=shape, U=model.U)
    return replace(solution, model=model)


@around(
    "looks for the truth among the objects of its process and, where there is none, guesses",
    "recovery/exact",
    replace(TEXTBOOK, stop=Stop(1), restarts=RandomSupports(0)),
)
def peeks_at_the_truth(solver, problem, rng, callback):
    for thing in gc.get_objects():
        if (
            isinstance(thing, Instance)
            and thing.problem.data.y.shape == problem.data.y.shape
            and np.array_equal(thing.problem.data.y, problem.data.y)
        ):
            return Solution(thing.truth, Status.CONVERGED, 1, 0.0)
    return solver(problem, rng=rng, callback=callback)


# ---------------------------------------------------------------------------------------------- cost
@around("compares every task with every other one", "cost/time", PRACTICAL)
def quadratic_time(solver, problem, rng, callback):
    tasks = Batch.of(problem).X.reshape(problem.t, -1)
    difference = np.empty_like(tasks)  # in place: fresh arrays of this size would cost more than the arithmetic
    for task in tasks:
        np.subtract(tasks, task, out=difference)
        np.abs(difference, out=difference).sum(axis=1)
        np.square(difference, out=difference).sum(axis=1)
    return solver(problem, rng=rng, callback=callback)


@part("polish", "takes t/4 further outer steps after it has converged", "cost/steps cost/time")
def steps_grow(batch, state):
    return replace(state, iteration=state.iteration + batch.t // 4)


@around("keeps a copy of the t × d × d arrays for every outer step", "cost/memory")
def hoards_memory(solver, problem, rng, callback):
    copies = [Batch.of(problem) for _ in range(40)]
    solution = solver(problem, rng=rng, callback=callback)
    del copies
    return solution


# ---------------------------------------------------------------------------------------------- thresholding
mutant(
    "threshold_not_shrunk",
    "Δ stays where it starts",
    "recovery/exact",
    THRESHOLDING,
    sparse=Falling(shrink=1.0),
    stop=Stop(60, floor=1e-13, stagnates=False, explodes=1e3),
)
mutant(
    "threshold_too_low",
    "Δ is a twelfth of what bounds the error: false coordinates enter",
    "thresholds/contained",
    THRESHOLDING,
    sparse=Falling(start_level=1.0 / 12.0),
)
mutant(
    "step_by_m_squared",
    "the gradient step is divided by m²",
    "recovery/exact",
    THRESHOLDING,
    sparse=Falling(power=2),
)


@part("sparse", "shows a tenth of the Δ it used", "thresholds/two-delta", THRESHOLDING)
def threshold_misreported(batch, state):
    state = Falling()(batch, state)
    return updated(state, threshold=state.fit.threshold / 10)


# ---------------------------------------------------------------------------------------------- dead zones
for _name, _zone in DEAD_ZONES.items():
    mutant(_name, _zone.why, "recovery/exact", Around(_zone, PRACTICAL, traits_of(PRACTICAL), "practical"))
