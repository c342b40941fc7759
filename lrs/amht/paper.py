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
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from lrs import kernels
from lrs.amht.compression import Samples
from lrs.amht.initialization import BLOCK, moments_subspace, random_subspace
from lrs.amht.schedule import GeometricSchedule, OracleSchedule, Progress, Schedule
from lrs.amht.subspace_step import least_squares_subspace, orthonormalise
from lrs.errors import InvalidInput
from lrs.kernels.engine import Engine
from lrs.model import LRSModel
from lrs.problem import MultiTaskData, Problem
from lrs.solver import Callback, Iterate, Solution, Status, Traits

#: A run has diverged when a task's b, or the residual, exceeds this multiple of what the data allow.
DIVERGED = 10.0
#: Outer steps without a smaller residual before a run has stalled; thresholds that still shrink need some.
PATIENCE = 25


@dataclass(eq=False)
class PaperState:
    """Where a run of `PaperAMHT` stands.

    Attributes
    ----------
    U : (d, r), W : (t, r), B : (t, d) dense
    residual : float
        ‖y − ŷ‖ / ‖y‖.
    thresholds : (t, s) array
        Δ of every task and inner step of the last outer step.
    """

    U: Float[np.ndarray, "d r"]
    W: Float[np.ndarray, "t r"]
    B: Float[np.ndarray, "t d"]
    residual: float
    first_rms: Float[np.ndarray, " t"]
    iteration: int = 0
    thresholds: Float[np.ndarray, "t s"] | None = None
    bounds: tuple[np.ndarray, ...] = ()
    best: float = np.inf
    stagnant: int = 0


@dataclass(frozen=True, kw_only=True)
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
    family: ClassVar[str] = Problem.family
    traits: ClassVar[Traits] = Traits(warm_start=True, thresholds=True)

    def __post_init__(self) -> None:
        if not 0 < self.c1 < 0.5:
            raise InvalidInput(
                f"c1: expected a number in (0, ½), got {self.c1!r}; the lemma needs the contraction 2c₁ < 1"
            )
        for name in ("inner_steps", "max_iterations"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InvalidInput(f"{name}: expected a positive integer, got {value!r}")
        if self.schedule == "oracle" and self.truth is None:
            raise InvalidInput("truth: the oracle schedule takes the true errors; pass truth=instance.truth")
        if isinstance(self.schedule, str) and self.schedule not in ("data", "oracle"):
            raise InvalidInput(f"schedule: expected 'data', 'oracle' or a Schedule, got {self.schedule!r}")
        if self.initialization not in ("moments", "random"):
            raise InvalidInput(f"initialization: expected 'moments' or 'random', got {self.initialization!r}")
        kernels.check_threads(self.threads)

    def prepare(self) -> float:
        """Load the compiled kernels; the seconds it took."""
        return kernels.warm_up()

    # ------------------------------------------------------------------ init / step / terminate
    def init(self, problem: Problem, samples: Samples, rng: np.random.Generator) -> PaperState:
        """U from the moments, at random or from the warm start; w = 0 and b = 0 unless the start is warm."""
        t, d, r = problem.t, problem.d, problem.rank
        W, B = np.zeros((t, r)), np.zeros((t, d))
        start = problem.warm_start
        if start is not None:
            U = orthonormalise(start.U)
            W, B = start.W @ (start.U.T @ U), start.B.toarray()
        elif self.initialization == "random":
            U = random_subspace(d, r, rng)
        else:
            with Engine(
                samples.data, r, 0, self.threads
            ) as engine:  # pairs of rows: not to be had from compressed ones
                U = moments_subspace(engine, r, samples.covariance)
        rest = _rest(samples, W @ U.T + B)
        residual = float(np.linalg.norm(rest)) / (float(np.linalg.norm(samples.data.y)) or 1.0)
        return PaperState(U, W, B, residual, _task_rms(samples, rest))

    def step(self, samples: Samples, state: PaperState) -> PaperState:
        """One outer step: sparse step, weight step, subspace step."""
        state = self.sparse_step(samples, state)
        state = self.weight_step(samples, state)
        state = self.subspace_step(samples, state)
        state = self.weight_step(samples, state)
        stagnant = state.stagnant + 1 if state.residual > state.best * (1 - 1e-3) else 0
        return replace(state, iteration=state.iteration + 1, best=min(state.best, state.residual), stagnant=stagnant)

    def terminate(self, state: PaperState, noise: float = 0.0) -> Status | None:
        """DIVERGED, CONVERGED at the rounding floor, or None to go on.

        When the residual no longer falls: CONVERGED for noisy data, STALLED for exact ones.
        """
        finite = all(np.isfinite(a).all() for a in (state.U, state.W, state.B)) and np.isfinite(state.residual)
        if not finite or state.residual > DIVERGED:
            return Status.DIVERGED
        # A diverging b can hide from the residual: w grows with it and U w cancels it.
        if (np.linalg.norm(state.B, axis=1) > DIVERGED * state.first_rms.max()).any():
            return Status.DIVERGED
        if state.residual <= self.tolerance or (state.stagnant >= 3 and state.residual < 1e-12):
            return Status.CONVERGED
        if state.stagnant >= PATIENCE:
            return Status.CONVERGED if noise > 0 else Status.STALLED
        if state.iteration >= self.max_iterations:
            return Status.ITERATION_CAP
        return None

    # ------------------------------------------------------------------ the three steps
    def sparse_step(self, samples: Samples, state: PaperState) -> PaperState:
        """OptimizeSparseVector of every task, from the present b."""
        engine, schedule = samples.engine, self._schedule()
        shared, B = state.W @ state.U.T, state.B.copy()
        rms = _task_rms(samples, _rest(samples, shared + B))
        length = 1.0 / samples.counts
        rounds, steps = (self.inner_steps, 1) if schedule.every_inner_step else (1, self.inner_steps)
        thresholds, bounds = [], state.bounds
        for _ in range(rounds):
            progress = Progress(state.iteration, shared, B, rms, state.first_rms, engine.r)
            bounds = tuple(np.ascontiguousarray(b, dtype=np.float64) for b in schedule(progress))
            alpha, beta, gamma = bounds
            scaled = beta / np.sqrt(max(engine.k, 1))
            thresholds.append(engine.threshold_steps(shared, B, length, alpha, scaled, gamma.copy(), self.c1, steps))
            if engine.k == 0:
                B[:] = 0.0
        return replace(state, B=B, thresholds=np.concatenate(thresholds, axis=1), bounds=bounds)

    def weight_step(self, samples: Samples, state: PaperState) -> PaperState:
        """w ← ((XU)ᵀXU)⁻¹(XU)ᵀ(y − X b)."""
        data = samples.engine.data
        target = _rest(samples, state.B)
        XU = data.X @ state.U
        W = np.empty_like(state.W)
        for tasks, rows in _by_count(data):
            W[tasks] = _least_squares(XU[rows], target[rows])
        rest = target - np.einsum("nr,nr->n", XU, W[data.groups])
        scale = float(np.linalg.norm(data.y))
        return replace(state, W=W, residual=float(np.linalg.norm(rest)) / (scale or 1.0))

    def subspace_step(self, samples: Samples, state: PaperState) -> PaperState:
        """U ← QR(vec⁻¹(A⁻¹ vec V))."""
        engine, data = samples.engine, samples.engine.data
        if engine.r == 0:
            return state
        target = _rest(samples, state.B)
        engine.W[...] = state.W
        # V = Σ_i X_iᵀ target_i w_iᵀ, block by block so that no second array of the size of X is made.
        V = np.zeros_like(state.U)
        for lo in range(0, data.n, BLOCK):
            rows = slice(lo, lo + BLOCK)
            V += data.X[rows].T @ (target[rows, None] * state.W[data.groups[rows]])
        U = least_squares_subspace(engine, V, samples.covariance)
        if not np.isfinite(U).all():
            return replace(state, U=np.full_like(U, np.nan))
        return replace(state, U=orthonormalise(U))

    def _schedule(self) -> Schedule:
        if self.schedule == "oracle":
            assert self.truth is not None
            return OracleSchedule(self.truth)
        if self.schedule == "data":
            return GeometricSchedule()
        assert not isinstance(self.schedule, str)
        return self.schedule

    # ------------------------------------------------------------------ the whole run
    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        compile_seconds = self.prepare()
        data = problem.data
        parts = _disjoint_parts(data, self.max_iterations) if self.fresh_samples else [data]
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            samples = [Samples.of(part, problem.rank, problem.sparsity, self.threads) for part in parts]
            try:
                return self._run(problem, samples, rng, callback, compile_seconds)
            finally:
                for part in samples:
                    part.engine.close()

    def _run(
        self,
        problem: Problem,
        samples: list[Samples],
        rng: np.random.Generator,
        callback: Callback | None,
        compile_seconds: float,
    ) -> Solution:
        state = self.init(problem, samples[0], rng)
        last = state
        self._show(problem, state, callback)
        status = None
        while status is None:
            try:
                state = self.step(samples[state.iteration % len(samples)], state)
                status = self.terminate(state, problem.noise)
            except np.linalg.LinAlgError:  # NaN or overflow inside a factorisation
                status = Status.DIVERGED
            if status is not Status.DIVERGED:
                last = state
                self._show(problem, state, callback)
        info: dict[str, Any] = {"compile_seconds": compile_seconds, "thresholds": last.thresholds}
        return Solution(_model(problem, last), status, state.iteration, last.residual, info=info)

    @staticmethod
    def _show(problem: Problem, state: PaperState, callback: Callback | None) -> None:
        if callback is None:
            return
        info: dict[str, Any] = {}
        if state.thresholds is not None:
            alpha, beta, gamma = state.bounds
            info = {"threshold": state.thresholds, "alpha": alpha, "beta": beta, "gamma": gamma}
        callback(Iterate(state.iteration, _model(problem, state), state.residual, info))


def _model(problem: Problem, state: PaperState) -> LRSModel:
    data = problem.data
    return LRSModel(state.U, state.W, sparse.csr_array(state.B), data.task_names, data.feature_names)


def _task_rms(samples: Samples, rest: Float[np.ndarray, " n"]) -> Float[np.ndarray, " t"]:
    return np.sqrt(np.add.reduceat(rest**2, samples.engine.data.offsets[:-1]) / samples.counts)


def _rest(samples: Samples, theta: Float[np.ndarray, "t d"]) -> Float[np.ndarray, " n"]:
    """y_i − X_iθ⁽ⁱ⁾ of every task, stacked."""
    data = samples.engine.data
    rest = data.y.copy()
    for lo in range(0, data.n, BLOCK):
        rows = slice(lo, lo + BLOCK)
        rest[rows] -= np.einsum("nd,nd->n", data.X[rows], theta[data.groups[rows]])
    return rest


def _by_count(data: MultiTaskData) -> Iterator[tuple[Int[np.ndarray, " n"], Int[np.ndarray, "n m"]]]:
    """Tasks with the same number of rows, and their rows."""
    for count in np.unique(data.counts):
        tasks = np.flatnonzero(data.counts == count)
        yield tasks, data.offsets[tasks, None] + np.arange(count)


def _least_squares(XU: Float[np.ndarray, "n m r"], target: Float[np.ndarray, "n m"]) -> Float[np.ndarray, "n r"]:
    """The shortest minimisers of ‖target − XU w‖, for a stack of tasks of one size."""
    # The pseudoinverse of the triangle, not of XU: a rank below r is met all the same, at an SVD of r rows.
    Q, R = np.linalg.qr(XU)
    right = Q.swapaxes(1, 2) @ target[..., None]
    return (np.linalg.pinv(R, rcond=max(XU.shape[1:]) * np.finfo(float).eps) @ right)[..., 0]


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
