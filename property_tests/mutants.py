"""Solvers broken in exactly one way: what the conformance suite must notice.

Every mutant is reachable as ``property_tests.mutants:NAME`` and is listed in `MUTANTS` with the claims that are meant to
refute it. Most override one method of `property_tests.textbook.Textbook`; some wrap `lrs.AMHT`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from lrs.amht import AMHT
from lrs.model import LRSModel
from lrs.problem import MultiTaskData, Problem
from lrs.solver import Callback, Iterate, Solution, Status, Traits
from property_tests.textbook import Batch, State, Textbook, Thresholding


@dataclass(frozen=True)
class Mutant:
    """A broken solver.

    Attributes
    ----------
    solver : callable
    why : str
        What is broken.
    expected : tuple of str
        Claims of which at least one is meant to refute it.
    region : str
        Name of the region (`property_tests.strategies.REGIONS`) in which what it was made from is confirmed.
    """

    solver: Any
    why: str
    expected: tuple[str, ...]
    region: str = "practical"


MUTANTS: dict[str, Mutant] = {}


def mutant(name: str, why: str, *expected: str, region: str = "practical"):
    """Register a broken solver class (decorator); an instance of it becomes the module attribute ``name``."""

    def add(kind: Any) -> Any:
        kind.region = region
        solver = kind()
        MUTANTS[name] = Mutant(solver, why, expected, region)
        globals()[name] = solver
        return kind

    return add


def told(solution: Solution, **model: np.ndarray) -> Solution:
    """The solution with parts of its model replaced."""
    old = solution.model
    parts = {"U": old.U, "W": old.W, "B": old.B, **model}
    return replace(solution, model=LRSModel(**parts))


# ---------------------------------------------------------------------------------------------- algebra
@mutant("row_major_vec", "vec stacks rows where A = Σ wwᵀ ⊗ XᵀX asks for columns", "recovery/exact")
@dataclass(frozen=True, kw_only=True)
class RowMajorVec(Textbook):
    def vec(self, V):
        return V.ravel(order="C")


@mutant("no_gauge_fix", "U is replaced by another basis of its span, w is not turned along", "recovery/exact")
@dataclass(frozen=True, kw_only=True)
class NoGaugeFix(Textbook):
    def orthonormalise(self, U, W):
        return np.linalg.svd(U, full_matrices=False)[0], W

    def finish(self, problem, batch, state, rng):
        return state


@mutant("not_orthonormal", "the QR step is left out", "conduct/orthonormal-basis")
@dataclass(frozen=True, kw_only=True)
class NotOrthonormal(Textbook):
    def orthonormalise(self, U, W):
        return U, W


@mutant(
    "projector_missing",
    "the subspace step forgets that (w, b) will be refitted: XᵀX for the projected Gram, twice as long steps",
    "recovery/exact",
    "rate/envelope",
    "rate/linear",
)
@dataclass(frozen=True, kw_only=True)
class OvershootingStep(Textbook):
    def subspace_step(self, batch, state, fit):
        return state.U + 2.0 * (super().subspace_step(batch, state, fit) - state.U)


@mutant(
    "stale_residual",
    "the subspace step uses the residual of the step before",
    "recovery/exact",
    "rate/envelope",
    "rate/linear",
)
@dataclass(frozen=True, kw_only=True)
class StaleResidual(Textbook):
    memory: dict = field(default_factory=dict, repr=False, compare=False)

    def residual_moment(self, batch, state, fit):
        if state.iteration == 0:
            self.memory.clear()
        stale = self.memory.get("gradient", fit.gradient)
        self.memory["gradient"] = fit.gradient
        return stale


@mutant("stale_report", "reports the residual of the step before the last", "honesty/residual")
@dataclass(frozen=True, kw_only=True)
class StaleReport(Textbook):
    def __call__(self, problem, *, rng, callback=None):
        seen: list[float] = []

        def watch(step: Iterate) -> None:
            seen.append(step.residual)
            if callback is not None:
                callback(step)

        solution = super().__call__(problem, rng=rng, callback=watch)
        falling = [x for x in seen if x > 1e-6]
        return replace(solution, residual=min(falling[-1], 1.0))


# ---------------------------------------------------------------------------------------------- sparse step
@mutant("one_coordinate_short", "keeps k − 1 coordinates", "recovery/exact", "recovery/support")
@dataclass(frozen=True, kw_only=True)
class OneShort(Textbook):
    def support_size(self, batch):
        return max(0, super().support_size(batch) - 1)


@mutant("one_coordinate_over", "keeps k + 1 coordinates", "conduct/sparse-enough")
@dataclass(frozen=True, kw_only=True)
class OneOver(Textbook):
    def support_size(self, batch):
        return super().support_size(batch) + 1


@mutant("frozen_support", "supports are chosen in the first step and never again", "recovery/exact")
@dataclass(frozen=True, kw_only=True)
class FrozenSupport(Textbook):
    restarts: int = 0

    def sparse_step(self, batch, state):
        return super().sparse_step(batch, state) if state.iteration == 0 else state.S


@mutant("no_sparse_step", "b is always 0: the low-rank method", "recovery/exact")
@dataclass(frozen=True, kw_only=True)
class NoSparseStep(Textbook):
    def support_size(self, batch):
        return 0


@mutant("signs_only", "rounds the non-zeros of b to ±1: works only when they are", "recovery/exact")
@dataclass(frozen=True, kw_only=True)
class SignsOnly(Textbook):
    def finish(self, problem, batch, state, rng):
        state = super().finish(problem, batch, state, rng)
        return replace(state, B=np.sign(state.B))


@mutant(
    "small_b_dropped",
    "non-zeros of b below 0.1 are cut: a lower bound on |b| that the theorem does not need",
    "recovery/b-of-any-size",
    "recovery/support",
)
@dataclass(frozen=True, kw_only=True)
class SmallDropped(Textbook):
    def finish(self, problem, batch, state, rng):
        state = super().finish(problem, batch, state, rng)
        return replace(state, B=np.where(np.abs(state.B) > 0.1, state.B, 0.0))


@mutant(
    "spread_supports_only",
    "a coordinate may be used by at most a fifth of the tasks: fails on clustered supports",
    "recovery/clustered-supports",
    "recovery/support",
)
@dataclass(frozen=True, kw_only=True)
class SpreadOnly(Textbook):
    def finish(self, problem, batch, state, rng):
        state = super().finish(problem, batch, state, rng)
        used = (state.B != 0).sum(axis=0)
        return replace(state, B=np.where(used > max(3.0, 0.35 * batch.t), 0.0, state.B))


# ---------------------------------------------------------------------------------------------- outer loop
@mutant("early_stop", "stops after three outer steps", "recovery/exact", "recovery/to-rounding")
@dataclass(frozen=True, kw_only=True)
class EarlyStop(Textbook):
    max_iterations: int = 3


@mutant("loose_tolerance", "stops at a relative residual of 1e-4", "recovery/exact", "recovery/to-rounding")
@dataclass(frozen=True, kw_only=True)
class LooseTolerance(Textbook):
    def finished(self, residuals):
        return Status.CONVERGED if residuals[-1] < 1e-2 else super().finished(residuals)


@mutant("single_precision", "works in float32", "recovery/to-rounding")
class SinglePrecision:
    """The answer after rounding the data to float32."""

    traits: ClassVar[Traits] = AMHT.traits

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        data = problem.data
        rounded = replace(data, X=data.X.astype(np.float32).astype(float), y=data.y.astype(np.float32).astype(float))
        return Textbook()(replace(problem, data=rounded), rng=rng, callback=callback)


@mutant("skips_subspace_step", "the subspace step is left out", "recovery/exact")
@dataclass(frozen=True, kw_only=True)
class SkipsSubspace(Textbook):
    def subspace_step(self, batch, state, fit):
        return state.U


@mutant(
    "seldom_subspace_step",
    "the subspace step is made in one of twelve outer steps only, while Δ goes on falling",
    "thresholds/contained",
    "recovery/exact",
    region="paper",
)
@dataclass(frozen=True, kw_only=True)
class SeldomSubspace(Thresholding):
    def step(self, batch, state):
        after = super().step(batch, state)
        if state.iteration % 12 == 11:
            return after
        W = self.plain_weights(batch, state.U, after.B)
        return replace(after, U=state.U, W=W, residual=self.relative_residual(batch, W @ state.U.T + after.B))


@mutant("too_slow", "takes a twentieth of every subspace step: linear, but slower than claimed", "rate/envelope")
@dataclass(frozen=True, kw_only=True)
class TooSlow(Textbook):
    max_iterations: int = 350

    def sparse_step(self, batch, state):
        return super().sparse_step(batch, state) if state.iteration % 20 < 2 else state.S

    def subspace_step(self, batch, state, fit):
        return state.U + 0.05 * (super().subspace_step(batch, state, fit) - state.U)

    def finished(self, residuals):
        if residuals[-1] < 1e-13:
            return Status.CONVERGED
        return Status.ITERATION_CAP if len(residuals) >= self.max_iterations else None


@mutant(
    "sublinear",
    "step lengths shrink like 1/ℓ: the error falls as a power of the iterations",
    "rate/linear",
    "rate/envelope",
)
@dataclass(frozen=True, kw_only=True)
class Sublinear(Textbook):
    max_iterations: int = 300

    def sparse_step(self, batch, state):
        return super().sparse_step(batch, state) if state.iteration < 6 else state.S

    def subspace_step(self, batch, state, fit):
        length = min(1.0, 2.0 / (state.iteration + 2))
        return state.U + length * (super().subspace_step(batch, state, fit) - state.U)

    def finished(self, residuals):
        return Status.ITERATION_CAP if len(residuals) >= self.max_iterations else None

    def finish(self, problem, batch, state, rng):
        return state


@mutant(
    "overspecified_descent",
    "gradient descent on the parameters of r + 2 directions: sublinear",
    "rate/linear",
    "rate/envelope",
    "recovery/exact",
)
@dataclass(frozen=True, kw_only=True)
class OverspecifiedDescent(Textbook):
    """Supports and w as in the textbook; U by plain gradient steps on an over-specified factor, truncated at the end."""

    max_iterations: int = 150

    def sparse_step(self, batch, state):
        return super().sparse_step(batch, state) if state.iteration < 4 else state.S

    def subspace_step(self, batch, state, fit):
        step = 1.0 / (batch.counts.mean() * np.linalg.norm(state.W, 2) ** 2)
        return state.U + 0.1 * step * (self.residual_moment(batch, state, fit).T @ state.W)

    def finished(self, residuals):
        return Status.ITERATION_CAP if len(residuals) >= self.max_iterations else None

    def finish(self, problem, batch, state, rng):
        return state


@mutant(
    "biased_fixed_point",
    "a ridge of 1e-3 on w stays in: converges, to the wrong point",
    "recovery/exact",
    "rate/linear",
)
@dataclass(frozen=True, kw_only=True)
class Biased(Textbook):
    def weight_step(self, batch, U, S):
        W, B, fit = super().weight_step(batch, U, S)
        return W / (1 + 1e-3), B, fit


@mutant("warm_start_returned", "returns the warm start unchanged when there is one", "adaptation/warm-start")
@dataclass(frozen=True, kw_only=True)
class WarmStartReturned(Textbook):
    def __call__(self, problem, *, rng, callback=None):
        if problem.warm_start is not None:
            return Solution(problem.warm_start, Status.CONVERGED, 0)
        return super().__call__(problem, rng=rng, callback=callback)


# ---------------------------------------------------------------------------------------------- tasks and samples
@mutant("one_task_dropped", "the last task is never fitted", "recovery/exact")
@dataclass(frozen=True, kw_only=True)
class OneDropped(Textbook):
    def finish(self, problem, batch, state, rng):
        state = super().finish(problem, batch, state, rng)
        W, B = state.W.copy(), state.B.copy()
        W[-1], B[-1] = 0.0, 0.0
        return replace(state, W=W, B=B)


@mutant("equal_sizes_assumed", "takes every task to have as many rows as the first", "recovery/ragged")
class EqualSizes:
    """Cuts the stacked rows into t equal parts."""

    traits: ClassVar[Traits] = Textbook.traits

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        data = problem.data
        edges = np.linspace(0, data.n, data.t + 1).astype(np.int64)
        return Textbook()(replace(problem, data=MultiTaskData(data.X, data.y, edges)), rng=rng, callback=callback)


@mutant(
    "all_tasks_trusted",
    "tasks with a wrong support weigh as much as the others in the subspace step",
    "recovery/despite-wild-tasks",
    "recovery/despite-short-tasks",
)
@dataclass(frozen=True, kw_only=True)
class AllTrusted(Textbook):
    def task_weights(self, batch, state, fit):
        return np.ones(batch.t)


@mutant(
    "order_matters",
    "later tasks count less: task weights fall with the index",
    "invariance/task-permutation",
    "noise/near-oracle",
    "recovery/exact",
)
@dataclass(frozen=True, kw_only=True)
class OrderMatters(Textbook):
    def finish(self, problem, batch, state, rng):
        state = super().finish(problem, batch, state, rng)
        fade = 1.0 - 1e-5 * np.arange(batch.t) / batch.t
        return replace(state, W=state.W * fade[:, None])


@mutant(
    "scale_assumed",
    "an absolute tolerance: responses below 0.1 count as 0",
    "invariance/response-scale",
)
@dataclass(frozen=True, kw_only=True)
class ScaleAssumed(Textbook):
    def __call__(self, problem, *, rng, callback=None):
        data = problem.data
        if float(np.sqrt(np.mean(data.y**2))) < 0.5:
            empty = LRSModel(
                np.eye(problem.d, problem.rank),
                np.zeros((problem.t, problem.rank)),
                sparse.csr_array((problem.t, problem.d)),
            )
            return Solution(empty, Status.CONVERGED, 0)
        return super().__call__(problem, rng=rng, callback=callback)


# ---------------------------------------------------------------------------------------------- noise
@mutant("noise_ignored", "half of the rows are thrown away when there is noise", "noise/near-oracle")
@dataclass(frozen=True, kw_only=True)
class HalfTheRows(Textbook):
    def __call__(self, problem, *, rng, callback=None):
        if problem.noise:
            problem = replace(
                problem,
                data=problem.data.prefix(max(problem.rank + problem.sparsity + 2, int(problem.data.counts.min()) // 4)),
            )
        return super().__call__(problem, rng=rng, callback=callback)


@mutant("noise_added", "adds a noise of its own to the responses", "recovery/exact", "noise/near-oracle")
class NoiseAdded:
    """AMHT on responses with noise of a hundredth of their size added."""

    traits: ClassVar[Traits] = AMHT.traits

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        data = problem.data
        size = float(np.sqrt(np.mean(data.y**2)))
        y = data.y + 0.01 * size * rng.standard_normal(data.n)
        return AMHT(threads=1)(replace(problem, data=replace(data, y=y)), rng=rng, callback=callback)


# ---------------------------------------------------------------------------------------------- conduct and honesty
@mutant("seed_ignored", "draws from the operating system instead of the rng it is given", "honesty/deterministic")
class SeedIgnored:
    """A random start whose answer differs in the last digits from call to call."""

    traits: ClassVar[Traits] = AMHT.traits

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        own = np.random.default_rng(int.from_bytes(os.urandom(8), "big"))
        return AMHT(threads=1, initialization="random")(problem, rng=own, callback=callback)


@mutant("input_modified", "centres the responses in place", "conduct/input-unmodified")
class InputModified:
    """Writes into y through the base array that the read-only view guards."""

    traits: ClassVar[Traits] = AMHT.traits

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        solution = AMHT(threads=1)(problem, rng=rng, callback=callback)
        y = problem.data.y
        base = y.base if y.base is not None else y
        base.flags.writeable = True
        base -= base.mean()
        return solution


@mutant("works_nine_times_in_ten", "succeeds on 90 % of the problems", "recovery/nearly-always")
class NineInTen:
    """Gives up at random, one call in ten."""

    traits: ClassVar[Traits] = AMHT.traits

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        solution = AMHT(threads=1)(problem, rng=rng, callback=callback)
        return solution if rng.random() < 0.9 else told(solution, W=0.99 * solution.model.W)


@mutant("remembers", "answers the question before the last when it has the same shape", "honesty/no-peeking")
class Remembers:
    """Keeps its last answer and gives it again for another problem of the same shape."""

    traits: ClassVar[Traits] = AMHT.traits

    def __init__(self) -> None:
        self.last: tuple[Any, LRSModel] | None = None

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        shape = (problem.data.X.shape, problem.t, problem.rank)
        solution = AMHT(threads=1)(problem, rng=rng, callback=callback)
        if self.last is not None and self.last[0] == shape:
            U = self.last[1].U
            drift = LRSModel(solution.model.U, solution.model.W + 1e-9 * float(U[0, 0]), solution.model.B)
            solution = replace(solution, model=drift)
        self.last = (shape, solution.model)
        return solution


@mutant(
    "peeks_at_the_truth",
    "looks for the truth among the objects of its process and, where there is none, guesses",
    "recovery/exact",
)
class Peeks:
    """Cheats where it can: in the sandbox there is no truth to find."""

    traits: ClassVar[Traits] = AMHT.traits

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        import gc

        from lrs.problem import Instance

        for thing in gc.get_objects():
            if (
                isinstance(thing, Instance)
                and thing.problem.data.y.shape == problem.data.y.shape
                and np.array_equal(thing.problem.data.y, problem.data.y)
            ):
                return Solution(thing.truth, Status.CONVERGED, 1, 0.0)
        return Textbook(max_iterations=1, restarts=0)(problem, rng=rng, callback=callback)


# ---------------------------------------------------------------------------------------------- cost
@mutant("quadratic_time", "compares every task with every other one", "cost/time")
class Quadratic:
    """AMHT after the distances between all pairs of tasks in two norms, which nothing uses."""

    traits: ClassVar[Traits] = AMHT.traits

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        tasks = Batch.of(problem).X.reshape(problem.t, -1)
        difference = np.empty_like(tasks)  # in place: fresh arrays of this size would cost more than the arithmetic
        for task in tasks:
            np.subtract(tasks, task, out=difference)
            np.abs(difference, out=difference).sum(axis=1)
            np.square(difference, out=difference).sum(axis=1)
        return AMHT(threads=1)(problem, rng=rng, callback=callback)


@mutant("steps_grow", "takes t/4 further outer steps after it has converged", "cost/steps", "cost/time")
@dataclass(frozen=True, kw_only=True)
class StepsGrow(Textbook):
    def finish(self, problem: Problem, batch: Batch, state: State, rng: np.random.Generator) -> State:
        state = super().finish(problem, batch, state, rng)
        return replace(state, iteration=state.iteration + batch.t // 4)


@mutant("hoards_memory", "keeps a copy of the t × d × d arrays for every outer step", "cost/memory")
@dataclass(frozen=True, kw_only=True)
class Hoards(Textbook):
    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        copies = [Batch.of(problem) for _ in range(40)]
        solution = super().__call__(problem, rng=rng, callback=callback)
        del copies
        return solution


# ---------------------------------------------------------------------------------------------- thresholding
@mutant("threshold_not_shrunk", "Δ stays where it starts", "recovery/exact", region="paper")
@dataclass(frozen=True, kw_only=True)
class NotShrunk(Thresholding):
    shrink: float = 1.0
    max_iterations: int = 60


@mutant(
    "threshold_too_low",
    "Δ is a twelfth of what bounds the error: false coordinates enter",
    "thresholds/contained",
    region="paper",
)
@dataclass(frozen=True, kw_only=True)
class TooLow(Thresholding):
    start_level: float = 1.0 / 12.0


@mutant("threshold_misreported", "shows a tenth of the Δ it used", "thresholds/two-delta", region="paper")
@dataclass(frozen=True, kw_only=True)
class Misreported(Thresholding):
    def show(self, problem, state, callback):
        if state.threshold is not None:
            state = replace(state, threshold=state.threshold / 10)
        super().show(problem, state, callback)


@mutant("step_by_m_squared", "the gradient step is divided by m²", "recovery/exact", region="paper")
@dataclass(frozen=True, kw_only=True)
class SquaredStep(Thresholding):
    def stepsize(self, batch):
        return 1.0 / batch.counts[:, None] ** 2
