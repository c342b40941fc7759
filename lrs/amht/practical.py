"""AMHT: the practical preset of AMHT-LRS.

The alternation of the paper, with every step replaced by the one that reaches furthest:

========================  =====================================================================================
paper                     here
========================  =====================================================================================
b ← HT(gradient step, Δ)  support by orthogonal least squares with w eliminated, improved by exchanges of one
                          coordinate, least squares on the support (`lrs.kernels.definitions.fit_tasks`)
w ← least squares         eliminated jointly with b
U ← least squares         Gauss–Newton step on U with w and b eliminated, tasks reweighted by their residual so that
                          a wrong support cannot poison it (`lrs.amht.subspace_step`)
QR                        QR
========================  =====================================================================================

A noiseless task certifies itself: with more rows than r + k unknowns a zero residual is no accident. So tasks that are
not yet explained are restarted from other supports, and the run says how many stay unexplained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from lrs import kernels
from lrs.amht.initialization import design_covariance, moments_subspace, random_subspace
from lrs.amht.paper import PaperAMHT
from lrs.amht.shrinkage import borrow_strength, shrink
from lrs.amht.subspace_step import Preconditioner, conjugate_gradients, orthonormalise
from lrs.errors import InvalidInput
from lrs.kernels.engine import Engine
from lrs.model import LRSModel
from lrs.problem import Problem
from lrs.solver import Callback, Iterate, Solution, Status, Traits

#: A task is explained exactly when ‖residual‖² is below this share of ‖y‖².
EXPLAINED = 1e-20
#: With more than this share of the tasks unexplained after restarts, the subspace is not right yet.
UNEXPLAINED = 0.05
#: Smoothing of the reweighting, as a share of the median: weights differ by at most about its inverse.
SMOOTHING = 0.1
#: A coordinate of b below this share of the median size may be spare (over-specified sparsity).
SPARE = 0.05
#: Conjugate-gradient products per outer step at most.
PRODUCTS = 10
#: Rows per unknown of U used to find the subspace; with more rows a random part of the tasks does it.
ROWS_PER_UNKNOWN = 20
#: … which is worth a copy of those tasks only when they are at most this share of all.
LARGEST_PART = 0.35


@dataclass(eq=False)
class State:
    """Where a run stands; `AMHT.step` takes one to the next.

    Attributes
    ----------
    engine : Engine
        The tasks at work and their present fits.
    U : (d, r) array
    covariance : (d, d) array
        Of the design, for the preconditioner.
    level : float
        Median (``quantile``) over tasks of the residual sum of squares per degree of freedom, as a share of the tasks'
        mean square.
    quantile : float
        ½, and more once half of the tasks are explained exactly by a subspace that does not explain the others.
    limit : int, optional
        Coordinates per task allowed at present, below the sparsity in a graduated attempt.
    ratio : float
        By how much the last step changed ``level``.
    settled : (t,) booleans
        Tasks whose support the last search left alone.
    stagnant : int
        Consecutive steps that did not lower ``level``.
    """

    engine: Engine
    U: Float[np.ndarray, "d r"]
    covariance: Float[np.ndarray, "d d"]
    level: float = np.inf
    ratio: float = 1.0
    iteration: int = 0
    quantile: float = 0.5
    limit: int | None = None
    settled: Bool[np.ndarray, " t"] = field(default_factory=lambda: np.zeros(0, dtype=bool))
    stagnant: int = 0
    products: int = 0


@dataclass(frozen=True, kw_only=True)
class AMHT:
    """Practical AMHT-LRS: orthogonal matching with exchanges, joint elimination, reweighted Gauss–Newton subspace step.

    Parameters
    ----------
    max_iterations : int
        Cap on outer steps of one attempt.
    attempts : int
        Initialisations tried while exact data (``problem.noise == 0``) stay unexplained.
    swaps : int
        Exchanges per task and search.
    restarts : int
        Other starting supports tried for a task that is not explained although the others are.
    initialization : {"moments", "random"}
        First subspace, unless the problem has a warm start.
    shrinkage : bool
        With noise, shrink weights by empirical Bayes at the end; harmless when tasks have many rows, decisive when they
        have few. No effect on exact data.
    prune : bool
        With noise, drop coordinates of b whose contribution is not distinguishable from noise; an over-specified
        sparsity then costs little.
    threads : int, optional
        Default: ``OMP_NUM_THREADS`` or all processors. The answer does not depend on it.

    Notes
    -----
    ``AMHT.paper(...)`` is the preset that follows the paper to the letter.
    """

    max_iterations: int = 100
    attempts: int = 3
    swaps: int = 8
    restarts: int = 200
    initialization: Literal["moments", "random"] = "moments"
    shrinkage: bool = True
    prune: bool = True
    threads: int | None = None
    family: ClassVar[str] = Problem.family
    traits: ClassVar[Traits] = Traits(warm_start=True)

    def __post_init__(self) -> None:
        for name, least in (("max_iterations", 1), ("attempts", 1), ("swaps", 0), ("restarts", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InvalidInput(f"{name}: expected an integer of at least {least}, got {value!r}")
        if self.initialization not in ("moments", "random"):
            raise InvalidInput(f"initialization: expected 'moments' or 'random', got {self.initialization!r}")
        kernels.check_threads(self.threads)

    @classmethod
    def paper(cls, **options: Any) -> PaperAMHT:
        """The preset faithful to the paper: see `lrs.amht.paper.PaperAMHT` for its options."""
        return PaperAMHT(**options)

    def prepare(self) -> float:
        """Load the compiled kernels; the seconds it took."""
        return kernels.warm_up()

    # ------------------------------------------------------------------ init / step / terminate
    def init(self, problem: Problem, engine: Engine, rng: np.random.Generator, attempt: int = 0) -> State:
        """First subspace and a first fit of every task."""
        covariance = design_covariance(engine.data)
        if problem.warm_start is not None and attempt == 0:
            U = orthonormalise(problem.warm_start.U)
        elif self.initialization == "random":
            U = random_subspace(problem.d, problem.rank, rng)
        else:
            # From the third attempt on, random halves of the tasks: other noise in the moments, another start.
            t = engine.data.t
            tasks = None if attempt < 2 else rng.permutation(t)[: max(1, (t + 1) // 2)]
            U = moments_subspace(engine, problem.rank, covariance, tasks)
        # The second attempt is graduated: no personal coordinates at first, more whenever the level stays. Where b is
        # small, coordinates chosen early hide errors of U instead: all tasks take the row of U that is most wrong, and
        # what every task has in its support the subspace step cannot see.
        limit = 0 if attempt == 1 and problem.sparsity and problem.rank else None
        state = State(engine, U, covariance, limit=limit, settled=np.zeros(engine.data.t, dtype=bool))
        engine.rss[:] = np.inf
        engine.fit(U, start=self._no_support(engine, engine.all_tasks), limit=limit)
        return replace(state, level=self._level(engine))

    def step(self, state: State) -> State:
        """One outer step: subspace step with the present supports, then sparse and weight step of every task."""
        engine, limit = state.engine, state.limit
        weight = self._weights(engine, state.quantile)
        converging = state.ratio < 0.3
        # A Gauss–Newton step squares the error: solving it more exactly than to the present error is wasted.
        U, used = self._subspace_step(state, weight, tolerance=float(np.clip(np.sqrt(state.level), 1e-6, 0.1)))
        before = np.sort(engine.support, axis=1)
        scores = self._scores(engine)
        suspect = scores > 4 * np.median(scores)
        # Where the level falls fast the supports are right, and refitting costs a third of searching.
        search = ~state.settled | suspect if converging else np.ones(engine.data.t, dtype=bool)
        again = np.flatnonzero(suspect if converging else search)
        engine.fit(U, tasks=np.flatnonzero(search), swaps=self.swaps, limit=limit)
        engine.fit(U, tasks=np.flatnonzero(~search), search=False, limit=limit)
        if state.iteration > 0:
            fresh = self._no_support(engine, again)
            engine.fit(U, tasks=again, start=fresh, swaps=self.swaps, limit=limit, keep_better=True)
        level = self._level(engine, state.quantile)
        ratio = level / state.level if np.isfinite(state.level) and state.level > 0 else 1.0
        stagnant = state.stagnant + 1 if ratio > 0.999 else 0
        if limit is not None and limit < engine.k and ratio > 0.7 and state.iteration > 0:
            limit, stagnant = min(engine.k, limit + max(1, engine.k // 4)), 0
        return replace(
            state,
            U=U,
            level=level,
            ratio=ratio,
            iteration=state.iteration + 1,
            limit=limit,
            settled=(np.sort(engine.support, axis=1) == before).all(axis=1),
            stagnant=stagnant,
            products=state.products + used,
        )

    def terminate(self, state: State, noise: float) -> Status | None:
        """CONVERGED at the rounding floor or, with noise, when the level stays; STALLED when exact data stay unexplained."""
        if not np.isfinite(state.level) or not np.isfinite(state.U).all():
            return Status.DIVERGED
        if state.level <= EXPLAINED and (state.ratio > 0.01 or state.level <= 1e-26):
            return Status.CONVERGED
        patience = 2 if noise > 0 else 6
        if state.stagnant >= patience:
            return Status.CONVERGED if noise > 0 else Status.STALLED
        if state.iteration >= self.max_iterations:
            return Status.ITERATION_CAP
        return None

    # ------------------------------------------------------------------ the whole run
    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        compile_seconds = self.prepare()
        data = problem.data
        part = self._part_of_tasks(problem, rng)
        with Engine(data, problem.rank, problem.sparsity, self.threads) as engine:
            report = _Reporter(engine, callback)
            if part is not None:
                small = replace(problem, data=data.select(part), warm_start=_warm_start_of(problem, part))
                with Engine(small.data, problem.rank, problem.sparsity, self.threads) as few:
                    # One attempt only: where a part of the tasks does not do, all of them are the better next try.
                    state, status = self._search(small, few, rng, report, attempts=1)
                if status is Status.CONVERGED:
                    state = replace(state, engine=engine, settled=np.zeros(data.t, dtype=bool))
                    engine.fit(state.U, start=self._no_support(engine, engine.all_tasks), swaps=self.swaps)
                    state = replace(state, level=self._level(engine))
                else:
                    part = None
            if part is None:
                attempts = self.attempts if problem.noise == 0 else 1
                state, status = self._search(problem, engine, rng, report, attempts)
            exact = state.level <= EXPLAINED
            if status is not Status.DIVERGED:
                if exact:
                    state = self._shorten_supports(state, report)
                    self._restart_tasks(state, rng)
                else:
                    self._restart_tasks(state, rng)
                    state = self._polish(problem, state, report)
                    if self.prune and problem.sparsity:
                        self._prune(state)
                    if self.shrinkage and problem.rank:
                        shrink(engine, state.U)
                borrow_strength(engine, state.U)
            model = engine.model(state.U)
            short = data.counts < problem.rank + problem.sparsity + 1
            unexplained = int(((engine.rss > EXPLAINED * engine.energy) & ~short).sum())
            if status is Status.CONVERGED and exact and unexplained and problem.noise == 0:
                status = Status.STALLED
            if status is not Status.DIVERGED and not _determined(problem):
                status = Status.NOT_IDENTIFIABLE
            report(state, model)
            info: Mapping[str, Any] = {
                "unsolved_tasks": unexplained if exact or problem.noise == 0 else 0,
                "short_tasks": int(short.sum()),
                "hessian_products": state.products,
                "compile_seconds": compile_seconds,
                "noise_estimate": float(np.sqrt(max(self._variance(engine), 0.0))),
            }
            return Solution(model, status, report.steps, engine.relative_residual(), info=info)

    def _search(
        self, problem: Problem, engine: Engine, rng: np.random.Generator, report: _Reporter, attempts: int
    ) -> tuple[State, Status]:
        """Attempts from different starts until one explains the data; the best of them."""
        best: tuple[float, float, State, Status, dict[str, np.ndarray]] | None = None
        enough = engine.data.counts > problem.rank + problem.sparsity  # fewer rows cannot certify an explanation

        def unexplained() -> float:
            return float(np.mean((engine.rss > EXPLAINED * engine.energy)[enough])) if enough.any() else 0.0

        for attempt in range(attempts):
            state = self.init(problem, engine, rng, attempt)
            report(state)
            status = None
            while status is None:
                state = self.step(state)
                report(state)
                status = self.terminate(state, problem.noise)
                if status is None:
                    continue
                exact = status is Status.CONVERGED and state.level <= EXPLAINED
                if exact:
                    self._restart_tasks(state, rng, restarts=10)
                share = unexplained()
                if best is None or (share, state.level) < best[:2]:
                    best = (share, state.level, state, status, engine.snapshot())
                quantile = 1 - share / 2
                if exact and share > UNEXPLAINED and quantile > state.quantile + 0.01:
                    # A subspace that is right for these tasks only, perhaps: let the others count as well.
                    level = self._level(engine, quantile)
                    state = replace(state, quantile=quantile, level=level, ratio=1.0, stagnant=0)
                    status = None
            if best is not None and best[3] is Status.CONVERGED:
                break
        assert best is not None
        _, _, state, status, fit = best
        engine.restore(fit)
        return replace(state, quantile=0.5, level=self._level(engine)), status

    def _restart_tasks(self, state: State, rng: np.random.Generator, restarts: int | None = None) -> None:
        """Other starting supports for the tasks that stay unexplained while the subspace explains most."""
        engine = state.engine
        k, d = engine.k, engine.data.d
        if k == 0 or not np.isfinite(state.level):
            return
        exact = state.level <= EXPLAINED
        for restart in range(self.restarts if restarts is None else min(restarts, self.restarts)):
            bad = engine.rss > EXPLAINED * engine.energy if exact else self._scores(engine) > 9 * state.level
            bad &= engine.freedom > 0
            if not bad.any() or (not exact and restart >= 3):
                return
            tasks = np.flatnonzero(bad)
            start = self._no_support(engine, tasks)
            if restart:
                random = rng.permuted(np.broadcast_to(np.arange(d), (len(tasks), d)), axis=1)
                kept = max(1, (k + 1) // 2)
                start[:, :kept] = random[:, :kept]
            engine.fit(state.U, tasks=tasks, start=start, swaps=4 * max(k, 2), keep_better=True)

    def _polish(self, problem: Problem, state: State, report: _Reporter) -> State:
        """With noise: Gauss–Newton steps with equal weights, except for tasks far above the noise."""
        engine = state.engine
        for _ in range(8):
            if problem.rank == 0:
                break
            variance = self._variance(engine)
            score = engine.rss / np.maximum(engine.freedom, 1)
            weight = np.where(engine.freedom > 0, np.minimum(1.0, 3 * variance / np.maximum(score, variance)), 0.0)
            U, used = self._subspace_step(state, weight, tolerance=1e-3)
            moved = float(np.linalg.norm(U - state.U @ (state.U.T @ U)))
            before = np.sort(engine.support, axis=1)
            engine.fit(U, swaps=self.swaps)
            level = self._level(engine)
            state = replace(state, U=U, level=level, iteration=state.iteration + 1, products=state.products + used)
            report(state)
            if moved < 1e-6 and (np.sort(engine.support, axis=1) == before).all():
                break
        return state

    def _shorten_supports(self, state: State, report: _Reporter) -> State:
        """On exact data, the same explanation with fewer coordinates, if there is one.

        With an over-specified sparsity the spare coordinates can hide an error of U: all tasks are explained and U is
        still wrong. A spare coordinate shows by its size; the run goes on with a limit that leaves no room for it, and
        what it finds is kept when it explains the data as well.
        """
        engine = state.engine
        limit = int(engine.size.max(initial=0))
        while limit and engine.r:
            used = np.abs(engine.values[engine.support >= 0])
            large = np.abs(engine.values) > SPARE * np.median(used)
            needed = int(np.quantile(large.sum(axis=1), 0.9))
            if needed >= limit:
                break
            before, fit = state, engine.snapshot()
            for _ in range(10):
                state = self.step(replace(state, limit=needed))
                report(state)
                if state.level <= EXPLAINED and (state.ratio > 0.3 or state.level <= 1e-26):
                    break
            if state.level > EXPLAINED:
                engine.restore(fit)
                state = before
                break
            limit = needed
        engine.fit(state.U, tasks=np.flatnonzero(engine.rss > EXPLAINED * engine.energy), swaps=self.swaps)
        return state

    def _prune(self, state: State) -> None:
        """Drop coordinates whose contribution to the fit is what a search over noise finds.

        The risk inflation criterion (Foster and George 1994) asks for 2 σ² log d of the largest of d independent
        candidates; the exchanges search over sets of them, so 3 σ² log d is asked for.
        """
        engine = state.engine
        threshold = 3 * self._variance(engine) * np.log(max(engine.data.d, 2))
        support = engine.support.copy()
        drop = (support >= 0) & (engine.gain < threshold)
        support[drop] = -1
        tasks = np.flatnonzero(drop.any(axis=1))
        engine.fit(state.U, tasks=tasks, start=support[tasks], search=False)

    # ------------------------------------------------------------------ parts
    @staticmethod
    def _no_support(engine: Engine, tasks: Int[np.ndarray, " n"]) -> Int[np.ndarray, "n k"]:
        return np.full((len(tasks), engine.k), -1, dtype=np.int64)

    def _subspace_step(
        self, state: State, weight: Float[np.ndarray, " t"], tolerance: float
    ) -> tuple[Float[np.ndarray, "d r"], int]:
        engine = state.engine
        if engine.r == 0 or not weight.any():
            return state.U, 0
        rhs = (engine.gradient * weight[:, None]).T @ engine.W
        preconditioner = Preconditioner(state.covariance, engine.W, weight * engine.freedom)
        D, used = conjugate_gradients(
            engine, rhs, weight, preconditioner, tolerance=tolerance, products=PRODUCTS, across=state.U
        )
        return orthonormalise(state.U + D), used

    @staticmethod
    def _weights(engine: Engine, quantile: float) -> Float[np.ndarray, " t"]:
        """Reweighting 1/(residual · ‖w‖²), both smoothed: the error of U enters the residual in proportion to ‖w‖."""
        size = (engine.W**2).sum(axis=1)
        usable = engine.freedom > 0
        if not usable.any():
            return np.zeros(len(size))
        residual = engine.rss / np.maximum(engine.freedom, 1)

        def smoothed(value: Float[np.ndarray, " t"], at: float) -> Float[np.ndarray, " t"]:
            return value / (float(np.quantile(value[usable], at)) or 1.0) + SMOOTHING

        weight = np.where(usable, 1.0 / (smoothed(residual, quantile) * smoothed(size, 0.5)), 0.0)
        return weight / weight.max()

    @staticmethod
    def _scores(engine: Engine) -> Float[np.ndarray, " t"]:
        """Residual per degree of freedom, as a share of the task's mean square; 0 for tasks without freedom."""
        scale = np.where(engine.energy > 0, engine.energy / engine.data.counts, 1.0)
        return np.where(engine.freedom > 0, engine.rss / np.maximum(engine.freedom, 1), 0.0) / scale

    def _level(self, engine: Engine, quantile: float = 0.5) -> float:
        usable = engine.freedom > 0
        return float(np.quantile(self._scores(engine)[usable], quantile)) if usable.any() else 0.0

    @staticmethod
    def _variance(engine: Engine) -> float:
        """Median over tasks of the residual variance."""
        usable = engine.freedom > 0
        return float(np.median((engine.rss / np.maximum(engine.freedom, 1))[usable])) if usable.any() else 0.0

    @staticmethod
    def _part_of_tasks(problem: Problem, rng: np.random.Generator) -> Int[np.ndarray, " s"] | None:
        """Random tasks that suffice to find U, or None when most are needed."""
        data = problem.data
        wanted = ROWS_PER_UNKNOWN * data.d * max(problem.rank, 1)
        if problem.rank == 0 or data.n * LARGEST_PART < wanted:
            return None
        order = rng.permutation(data.t)
        count = int(np.searchsorted(np.cumsum(data.counts[order]), wanted)) + 1
        count = max(count, 20 * problem.rank)
        return np.sort(order[:count]) if count <= LARGEST_PART * data.t else None


def _warm_start_of(problem: Problem, tasks: Int[np.ndarray, " s"]) -> LRSModel | None:
    start = problem.warm_start
    return None if start is None else LRSModel(start.U, start.W[tasks], start.B[tasks])


def _determined(problem: Problem) -> bool:
    """Whether there are at least as many equations as unknowns (theory: m ≥ r + k + r(d − r)/t)."""
    d, r, k = problem.d, problem.rank, problem.sparsity
    usable = np.maximum(problem.data.counts - r - k, 0)
    return int(usable.sum()) >= r * (d - r)


class _Reporter:
    """Counts outer steps and calls the callback; models are only made when somebody looks."""

    def __init__(self, engine: Engine, callback: Callback | None) -> None:
        self._engine = engine
        self._callback = callback
        self.steps = -1

    def __call__(self, state: State, model: LRSModel | None = None) -> None:
        self.steps += 1
        if self._callback is None:
            return
        engine = self._engine
        if state.engine is not engine:
            # A part of the tasks is at work. What the others would get is fitted for the spectator's eyes only: the
            # run overwrites it when it comes to all tasks.
            engine.fit(state.U, start=np.full_like(engine.support, -1))
        info = {"level": state.level, "hessian_products": state.products}
        self._callback(Iterate(self.steps, model or engine.model(state.U), engine.relative_residual(), info))
