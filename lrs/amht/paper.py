"""AMHT-LRS as the paper describes it: threshold schedule, plain 1/m step, no least squares on the support.

Read beside the outer step ℓ (restated by third parties; the formal text is not at hand):

1. for each task, ``inner_steps`` times  c = b − (1/m) Xᵀ(X b + X v − y),  b ← HT(c, Δ),  γ ← 2Δ   with v = U w;
2. for each task, w ← ((XU)ᵀXU)⁻¹(XU)ᵀ(y − X b);
3. A = Σ_i w_iw_iᵀ ⊗ X_iᵀX_i,  V = Σ_i X_iᵀ(y_i − X_ib_i) w_iᵀ,  U ← vec⁻¹(A⁻¹ vec V),  U ← QR(U).

After the QR step w would have to become R w; it is re-solved before it is used again, which is the same. Tasks of many
rows are read through their compressed rows (`lrs.amht.compression`), which give the same steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np
from scipy import sparse as scipy_sparse

from lrs import kernels
from lrs.amht.compression import Samples
from lrs.amht.driver import Alternation, Run, State, View
from lrs.amht.initialization import STARTS, moments_subspace, random_subspace, residuals
from lrs.amht.parts import PlainFit, SparseStep, SubspaceStep, WeightStep, check_parts, described
from lrs.amht.schedule import GeometricSchedule, OracleSchedule, Schedule
from lrs.amht.subspace_step import LeastSquaresSubspace, orthonormalise
from lrs.amht.thresholding import HardThresholding, task_rms
from lrs.amht.weight_step import LeastSquaresWeights
from lrs.core.errors import InvalidInput
from lrs.core.validate import choice, integer
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import MultiTaskData, Problem
from lrs.kernels.engine import Engine
from lrs.solver import Callback, Solution, Status, Traits

#: A run has diverged when a task's b, or the residual, exceeds this multiple of what the data allow.
DIVERGED = 10.0
#: Outer steps without a smaller residual before a run has stalled; thresholds that still shrink need some.
PATIENCE = 25


def plain_alternation(
    sparse: SparseStep,
    *,
    weights: WeightStep | None = None,
    subspace: SubspaceStep | None = None,
    max_iterations: int = 100,
    initialization: Literal["moments", "random"] = "moments",
    threads: int | None = None,
    tolerance: float = 1e-15,
    fresh_samples: bool = False,
) -> Alternation:
    """The paper's outer step: sparse, weight and subspace step, and the weights again for the new U."""
    weights, subspace = weights or LeastSquaresWeights(), subspace or LeastSquaresSubspace()

    @contextmanager
    def samples(problem: Problem) -> Iterator[list[Samples]]:
        kernels.warm_up()
        parts = _disjoint_parts(problem.data, max_iterations) if fresh_samples else [problem.data]
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"), ExitStack() as stack:
            made = [Samples.of(part, problem.rank, problem.sparsity, threads) for part in parts]
            for part in made:
                stack.enter_context(part.engine)
            yield made

    def start(run: Run, attempt: int) -> State:
        """U from the moments, at random or from the warm start; w = 0 and b = 0 unless the start is warm."""
        problem, samples, warm = run.problem, run.samples[0], run.problem.warm_start
        t, d, r = problem.t, problem.d, problem.rank
        W, B = np.zeros((t, r)), np.zeros((t, d))
        if warm is not None:
            U = orthonormalise(warm.U)
            W, B = warm.W @ (warm.U.T @ U), warm.B.toarray()
        elif initialization == "random":
            U = random_subspace(d, r, run.rng)
        else:  # pairs of rows: not to be had from compressed ones
            with Engine(samples.data, r, 0, threads) as engine:
                U = moments_subspace(engine, r, samples.covariance)
        rest = residuals(samples.engine.data, W @ U.T + B)
        level = float(np.linalg.norm(rest)) / (float(np.linalg.norm(samples.data.y)) or 1.0)
        return State(U, PlainFit(W, B, task_rms(samples, rest)), level)

    stop = partial(terminate, max_iterations=max_iterations, tolerance=tolerance)
    return Alternation(samples, start, (sparse, weights, subspace, weights, judge), stop, _view, _finish, undo=True)


@dataclass(frozen=True, kw_only=True, repr=False)
class PaperAMHT:
    """AMHT-LRS, faithful to the paper.

    Parameters
    ----------
    schedule : "data", "oracle" or a `Schedule`
        Where α, β, γ come from: geometric decay from the size of the data (reconstructed), the true errors before
        every inner step (needs ``truth``), or your own rule.
    truth : LRSModel, optional
        For the oracle schedule.
    c1 : float in (0, ½)
        The constant of the threshold. The lemma needs m ≥ C k log(dt)/c₁²: the smaller c₁, the faster the contraction
        2c₁ and the more rows it takes to keep false coordinates out. The public code takes ¼.
    inner_steps : int
        Thresholding steps per outer step, T.
    max_iterations : int
    tolerance : float
        Converged when the relative residual, or its change over an outer step relative to it, is below.
    fresh_samples : bool
        Use disjoint rows in every outer step, as the analysis assumes: the rows of each task are cut into
        ``max_iterations`` parts.
    initialization : {"moments", "random"}
    threads : int, optional
    sparse, weights, subspace : callables, optional
        Parts to exchange (`lrs.amht.parts`); a sparse part brings its own ``c1``, ``inner_steps`` and ``schedule``.

    Notes
    -----
    ``Iterate.info`` holds ``threshold`` (t, T), the Δ of every inner step, and ``alpha``, ``beta``, ``gamma`` (t,), the
    bounds the last of them came from.
    """

    schedule: Literal["data", "oracle"] | Schedule = "data"
    truth: LRSModel | None = None
    c1: float = 0.4
    inner_steps: int = 5
    max_iterations: int = 100
    tolerance: float = 1e-15
    fresh_samples: bool = False
    initialization: Literal["moments", "random"] = "moments"
    threads: int | None = None
    sparse: SparseStep | None = None
    weights: WeightStep | None = None
    subspace: SubspaceStep | None = None
    family: ClassVar[str] = Problem.family
    traits: ClassVar[Traits] = Traits(warm_start=True, thresholds=True)
    region: ClassVar[str] = (
        "paper"  # where it is held to the theorem: `property_tests.families.low_rank_sparse.strategies.REGIONS`
    )
    __repr__ = described

    def __post_init__(self) -> None:
        integer("max_iterations", self.max_iterations, least=1)
        if self.schedule == "oracle" and self.truth is None:
            raise InvalidInput("truth: the oracle schedule takes the true errors; pass truth=instance.truth")
        if isinstance(self.schedule, str) and self.schedule not in ("data", "oracle"):
            raise InvalidInput(f"schedule: expected 'data', 'oracle' or a Schedule, got {self.schedule!r}")
        choice("initialization", self.initialization, STARTS)
        kernels.check_threads(self.threads)
        schedule = None if isinstance(self.schedule, str) else self.schedule
        check_parts(sparse=self._sparse, weights=self.weights, subspace=self.subspace, schedule=schedule)

    def prepare(self) -> float:
        """Load the compiled kernels; the seconds it took."""
        return kernels.warm_up()

    @property
    def _sparse(self) -> SparseStep:
        schedule = self.schedule
        if isinstance(schedule, str):
            schedule = OracleSchedule(self.truth) if schedule == "oracle" and self.truth else GeometricSchedule()
        return self.sparse or HardThresholding(c1=self.c1, inner_steps=self.inner_steps, schedule=schedule)

    def alternation(self) -> Alternation:
        """The parts, put together."""
        return plain_alternation(
            self._sparse,
            weights=self.weights,
            subspace=self.subspace,
            max_iterations=self.max_iterations,
            initialization=self.initialization,
            threads=self.threads,
            tolerance=self.tolerance,
            fresh_samples=self.fresh_samples,
        )

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        return self.alternation()(problem, rng=rng, callback=callback)


def judge(samples: Samples, state: State) -> State:
    """The last part of an outer step: whether it lowered the residual."""
    stagnant = state.stagnant + 1 if state.level > state.best * (1 - 1e-3) else 0
    return replace(state, iteration=state.iteration + 1, best=min(state.best, state.level), stagnant=stagnant)


def terminate(state: State, noise: float, *, max_iterations: int, tolerance: float) -> Status | None:
    """DIVERGED, CONVERGED at the rounding floor, or None to go on.

    When the residual no longer falls: CONVERGED for noisy data, STALLED for exact ones.
    """
    fit = state.fit
    finite = all(np.isfinite(a).all() for a in (state.U, fit.W, fit.B)) and np.isfinite(state.level)
    if not finite or state.level > DIVERGED:
        return Status.DIVERGED
    # A diverging b can hide from the residual: w grows with it and U w cancels it.
    if (np.linalg.norm(fit.B, axis=1) > DIVERGED * fit.first_rms.max()).any():
        return Status.DIVERGED
    if state.level <= tolerance or (state.stagnant >= 3 and state.level < 1e-12):
        return Status.CONVERGED
    if state.stagnant >= PATIENCE:
        return Status.CONVERGED if noise > 0 else Status.STALLED
    if state.iteration >= max_iterations:
        return Status.ITERATION_CAP
    return None


def _view(run: Run, state: State) -> View:
    info: dict[str, Any] = {}
    if state.fit.thresholds is not None:
        info = {"threshold": state.fit.thresholds, **state.fit.bounds._asdict()}
    return _model(run.problem, state), state.level, info


def _finish(run: Run, state: State, status: Status) -> Solution:
    info: dict[str, Any] = {"compile_seconds": kernels.warm_up(), "thresholds": state.fit.thresholds}
    return Solution(_model(run.problem, state), status, state.iteration, state.level, info=info)


def _model(problem: Problem, state: State) -> LRSModel:
    data = problem.data
    return LRSModel(state.U, state.fit.W, scipy_sparse.csr_array(state.fit.B), data.task_names, data.feature_names)


def _disjoint_parts(data: MultiTaskData, parts: int) -> list[MultiTaskData]:
    """The rows of every task cut into disjoint parts of (nearly) equal size."""
    if int(data.counts.min()) < parts:
        raise InvalidInput(
            f"fresh_samples: {parts} outer steps need at least {parts} rows in every task, the smallest has "
            f"{int(data.counts.min())}; lower max_iterations"
        )
    position = np.arange(data.n) - np.repeat(data.offsets[:-1], data.counts)
    part = position * parts // np.repeat(data.counts, data.counts)
    return [data.rows(part == p) for p in range(parts)]
