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

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, cast

import numpy as np
from jaxtyping import Int

from lrs import kernels
from lrs.amht import doubts
from lrs.amht.compression import EXPLAINED, Samples
from lrs.amht.driver import Alternation, Run, State, Step, View
from lrs.amht.initialization import STARTS, moments_subspace, random_subspace
from lrs.amht.matching import Matching
from lrs.amht.paper import PaperAMHT, plain_alternation
from lrs.amht.parts import PlainFit, Polish, Restarts, SparseStep, SubspaceStep, WeightStep, check_parts, described
from lrs.amht.polish import EqualWeights
from lrs.amht.posterior import feasible, posterior_subspace
from lrs.amht.relaxation import relaxed_subspace
from lrs.amht.restarts import Insistent, RandomSupports
from lrs.amht.schedule import Schedule
from lrs.amht.shrinkage import borrow_strength
from lrs.amht.subspace_step import GaussNewton, orthonormalise
from lrs.core.errors import InvalidInput
from lrs.core.validate import choice, integer
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import Problem
from lrs.families.low_rank_sparse.scaling import solved
from lrs.kernels.engine import Engine, Pass
from lrs.solver import Callback, Solution, Status, Traits

#: With more than this share of the tasks unexplained after restarts, the subspace is not right yet.
UNEXPLAINED = 0.05
#: A coordinate of b below this share of the median size may be spare (over-specified sparsity).
SPARE = 0.05
#: Rows per unknown of U used to find the subspace; with more rows a random part of the tasks does it.
ROWS_PER_UNKNOWN = 20
#: … which is worth a copy of those tasks only when they are at most this share of all.
LARGEST_PART = 0.35
#: Where all attempts stall, tasks with this many equations per unknown of U are searched from several supports …
INSISTENT_EQUATIONS = 8
#: … for so many outer steps at most, and while the level falls by a twentieth in so many, led by this quantile of their residuals.
INSISTENT_STEPS, INSISTENT_PATIENCE, INSISTENT_QUANTILE = 60, 25, 0.3


@dataclass(frozen=True, kw_only=True, repr=False)
class AMHT:
    """AMHT-LRS as a choice of parts; without any, the practical one.

    Parameters
    ----------
    max_iterations : int
        Cap on outer steps of one attempt.
    attempts : int
        Initialisations tried while exact data (``problem.noise == 0``) stay unexplained.
    swaps : int
        Exchanges per task and search.
    restarts : int or `Restarts`
        Other starting supports tried for a task that is not explained although the others are, and more for the last ones
        (`lrs.amht.restarts.SEARCHES`); or the part that does it.
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

    sparse, weights, subspace, schedule, polish : callables, optional
        Parts to exchange (`lrs.amht.parts`): by default `Matching`, whose fit holds the weights too, no weight step,
        `GaussNewton`, no schedule and `EqualWeights`. With a sparse step that finds b alone, such as
        `HardThresholding`, the other parts default to those of the paper.

    Raises
    ------
    InvalidInput
        When an option is out of range, a part has another signature, or parts do not go together.

    Notes
    -----
    ``AMHT.paper(...)`` is the choice of parts that follows the paper to the letter.
    """

    max_iterations: int = 100
    attempts: int = 3
    swaps: int = 8
    restarts: int | Restarts = 200
    initialization: Literal["moments", "random"] = "moments"
    shrinkage: bool = True
    prune: bool = True
    threads: int | None = None
    family: ClassVar[str] = Problem.family
    sparse: SparseStep | None = None
    weights: WeightStep | None = None
    subspace: SubspaceStep | None = None
    schedule: Schedule | None = None
    polish: Polish | None = None
    traits: ClassVar[Traits] = Traits(warm_start=True)

    def __post_init__(self) -> None:
        for name, least in (("max_iterations", 1), ("attempts", 1), ("swaps", 0), ("restarts", 0)):
            value = getattr(self, name)
            if name == "restarts" and callable(value):
                continue
            integer(name, value, least=least)
        choice("initialization", self.initialization, STARTS)
        kernels.check_threads(self.threads)
        exchanged = {name: getattr(self, name) for name in ("sparse", "weights", "subspace", "schedule", "polish")}
        exchanged["restarts"] = self.restarts if callable(self.restarts) else None
        if any(part is not None for part in exchanged.values()):
            check_parts(**{**exchanged, "sparse": self._fitting[0]})
            self.alternation()

    __repr__ = described

    @classmethod
    def paper(cls, **options: Any) -> PaperAMHT:
        """The choice of parts faithful to the paper: see `lrs.amht.paper.PaperAMHT` for its options."""
        return PaperAMHT(**options)

    def prepare(self) -> float:
        """Load the compiled kernels; the seconds it took."""
        return kernels.warm_up()

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        return solved(self.alternation(), problem, rng=rng, callback=callback)

    # ------------------------------------------------------------------ the parts
    def alternation(self) -> Alternation:
        """The parts, put together."""
        sparse, subspace = self._fitting[0], self.subspace
        if self.schedule is not None:
            if not hasattr(sparse, "schedule"):
                raise InvalidInput(f"schedule: {sparse!r} takes no thresholds; pass sparse=HardThresholding() too")
            sparse = replace(cast(Any, sparse), schedule=self.schedule)
        if getattr(sparse, "works_on", None) is PlainFit:
            if callable(self.restarts) or self.polish is not None:
                raise InvalidInput(f"restarts, polish: {sparse!r} ends when its thresholds do; leave both out")
            options = {name: getattr(self, name) for name in ("weights", "max_iterations", "initialization", "threads")}
            return plain_alternation(sparse, subspace=subspace, **options)
        subspace = subspace or GaussNewton()
        return Alternation(
            samples=self._samples,
            start=self._start,
            steps=(subspace, *self._fitting, judge),
            stop=self.terminate,
            view=_view,
            finish=self._finish,
            search=self._search,
        )

    @property
    def _fitting(self) -> tuple[Step, ...]:
        """The parts that fit w and b."""
        sparse = self.sparse or Matching(swaps=self.swaps)
        return (sparse,) if self.weights is None else (sparse, self.weights)

    @property
    def _restarts(self) -> Restarts:
        return RandomSupports(self.restarts) if isinstance(self.restarts, int) else self.restarts

    @property
    def _polish(self) -> Polish:
        return self.polish or EqualWeights(swaps=self.swaps, prune=self.prune, shrinkage=self.shrinkage)

    @contextmanager
    def _samples(self, problem: Problem) -> Iterator[list[Samples]]:
        self.prepare()
        with Engine(problem.data, problem.rank, problem.sparsity, self.threads) as engine:
            yield [Samples(engine, problem.data)]

    def _start(self, run: Run, attempt: int) -> State:
        """First subspace and a first fit of every task."""
        (samples,), problem = run.samples, run.problem
        t = problem.t
        if problem.warm_start is not None and attempt == 0:
            U = orthonormalise(problem.warm_start.U)
        elif self.initialization == "random":
            U = random_subspace(problem.d, problem.rank, run.rng)
        else:
            # From the third attempt on, random halves of the tasks: other noise in the moments, another start.
            tasks = None if attempt < 2 else run.rng.permutation(t)[: max(1, (t + 1) // 2)]
            U = moments_subspace(samples.engine, problem.rank, samples.covariance, tasks)
        # The second attempt is graduated: no personal coordinates at first, more whenever the level stays. Where b is
        # small, coordinates chosen early hide errors of U instead: all tasks take the row of U that is most wrong, and
        # what every task has in its support the subspace step cannot see.
        limit = 0 if attempt == 1 and problem.sparsity and problem.rank else None
        state = State(U, samples.engine.nothing(), limit=limit)
        for part in self._fitting:
            state = part(samples, state)
        return replace(state, level=samples.level(state.fit))

    # ------------------------------------------------------------------ ends
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

    def _search(self, run: Run) -> tuple[State, Status]:
        """Where a part of the tasks finds U, that part and one pass over all; else attempts on all tasks."""
        problem = run.problem
        part = _part_of_tasks(problem, run.rng)
        if part is not None:
            small = replace(problem, data=problem.data.select(part), warm_start=_warm_start_of(problem, part))
            # The spectator sees all tasks: what the others would get is fitted for its eyes only.
            over_all = replace(run.alternation, view=lambda _, state: _view(run, self._over_all(run, state, 0)))
            with self._samples(small) as samples:
                few = replace(run, alternation=over_all, problem=small, samples=samples)
                # One attempt only: where a part of the tasks does not do, all of them are the better next try.
                state, status = self._attempts(few, 1)
            run.shown = few.shown
            if status is Status.CONVERGED:
                run.samples = [replace(run.samples[0], known=samples[0].covariance)]
                state = self._over_all(run, state, state.iteration)
                return replace(state, level=run.samples[0].level(state.fit)), status
        return self._attempts(run, self.attempts if problem.noise == 0 else 1)

    def _over_all(self, run: Run, state: State, iteration: int) -> State:
        """The state of a part of the tasks with a first fit of all of them."""
        samples = run.samples[0]
        first = replace(state, fit=samples.engine.nothing(), level=np.inf, iteration=iteration)
        for part in self._fitting:
            first = part(samples, first)
        return replace(first, level=state.level)

    def _attempts(self, run: Run, attempts: int) -> tuple[State, Status]:
        """Attempts from different starts until one explains the data; the best of them."""
        best: tuple[float, float, State, Status] | None = None
        samples, problem = run.samples[0], run.problem
        enough = problem.data.counts > problem.rank + problem.sparsity  # fewer rows cannot certify an explanation
        for attempt in range(attempts):
            state = run.start(attempt)
            while True:
                state, status = run.iterate(state)
                exact = status is Status.CONVERGED and state.level <= EXPLAINED
                if exact:
                    state = self._restarts(run, state, 10)
                share = float(np.mean(samples.unexplained(state.fit)[enough])) if enough.any() else 0.0
                if best is None or (share, state.level) < best[:2]:
                    best = (share, state.level, state, status)
                quantile = 1 - share / 2
                if not (exact and share > UNEXPLAINED and quantile > state.quantile + 0.01):
                    break
                # A subspace that is right for these tasks only, perhaps: let the others count as well.
                level = samples.level(state.fit, quantile)
                state = replace(state, quantile=quantile, level=level, ratio=1.0, stagnant=0)
            if best[3] is Status.CONVERGED:
                break
        assert best is not None
        share, level, state, status = best
        state = replace(state, quantile=0.5, level=samples.level(state.fit))
        if (
            attempts > 1
            and status is not Status.CONVERGED
            and problem.rank
            and problem.sparsity
            and not run.undetermined
        ):
            insisted = self._insist(run, state)
            if insisted is not None:
                return insisted
        return state, status

    def _insist(self, run: Run, stalled: State) -> tuple[State, Status] | None:
        """What is tried when all attempts stall: searches from several supports in each outer step, on tasks enough for U.

        From a warm start, then from where the attempts ended: with b relaxed (`lrs.amht.relaxation`), which few tasks need,
        then from a posterior over supports (`lrs.amht.posterior`), which few rows need. A quantile of the residuals leads
        that leaves out the tasks whose searches fail all the same; tasks that are explained exactly certify U.
        """
        problem = run.problem
        data, d, r = problem.data, problem.d, problem.rank
        spare = np.maximum(data.counts - r - problem.sparsity, 0)
        order = run.rng.permutation(problem.t)
        enough = int(np.searchsorted(np.cumsum(spare[order]), INSISTENT_EQUATIONS * r * (d - r))) + 1
        part = np.sort(order[:enough])
        small = problem if len(part) == problem.t else replace(problem, data=data.select(part))
        levels: list[float] = []

        def stop(state: State, noise: float) -> Status | None:
            levels.append(state.level)
            short_of_breath = len(levels) >= INSISTENT_STEPS or levels[-1] > 0.95 * levels[-INSISTENT_PATIENCE:][0]
            if len(levels) >= INSISTENT_PATIENCE and state.level > EXPLAINED and short_of_breath:
                return Status.STALLED
            return self.terminate(state, noise)

        starts = [
            lambda: relaxed_subspace(small.data, stalled.U, problem.sparsity),
            lambda: (
                posterior_subspace(small.data, stalled.U, problem.sparsity, run.rng)
                if feasible(small.data, r, problem.sparsity)
                else stalled.U
            ),
        ]
        if (warm := problem.warm_start) is not None:
            starts = [lambda: orthonormalise(warm.U), *starts]
        steps: tuple[Step, ...] = (run.alternation.steps[0], *self._fitting, Insistent(run.rng), judge)
        with self._samples(small) as samples:
            others = replace(
                run.alternation,
                steps=steps,
                stop=stop,
                view=lambda _, state: _view(run, self._over_all(run, state, 0)),
            )
            few = replace(run, alternation=others, problem=small, samples=samples)
            for start in starts:
                state = State(start(), samples[0].engine.nothing(), quantile=INSISTENT_QUANTILE)
                for step in steps[1:]:
                    state = step(samples[0], state)
                levels.clear()
                state, status = few.iterate(replace(state, iteration=0))
                if status is Status.CONVERGED:
                    run.shown = few.shown
                    state = self._restarts(run, self._over_all(run, state, state.iteration), None)
                    level = run.samples[0].level(state.fit)
                    if level <= EXPLAINED:
                        return replace(state, quantile=0.5, level=level), status
            run.shown = few.shown
        return None

    def _finish(self, run: Run, state: State, status: Status) -> Solution:
        samples, problem = run.samples[0], run.problem
        engine = samples.engine
        exact = state.level <= EXPLAINED
        if status is not Status.DIVERGED:
            if exact:
                state = self._restarts(run, self._shorten_supports(run, state), None)
            else:
                state = self._polish(run, self._restarts(run, state, None))
            state = replace(state, fit=borrow_strength(engine, state.U, state.fit))
        run.show(state)
        short = problem.data.counts < problem.rank + problem.sparsity + 1
        unexplained = int((samples.unexplained(state.fit) & ~short).sum())
        if status is Status.CONVERGED and exact and unexplained and problem.noise == 0:
            status = Status.STALLED
        why = run.undetermined
        if status is not Status.DIVERGED and why:
            status = Status.NOT_IDENTIFIABLE
        model, residual, _ = _view(run, state)
        info: Mapping[str, Any] = {
            "unsolved_tasks": unexplained if exact or problem.noise == 0 else 0,
            "short_tasks": int(short.sum()),
            "note": " ".join(filter(None, (why, doubts.short(problem)))),
            "hessian_products": state.products,
            "compile_seconds": self.prepare(),
            "noise_estimate": float(np.sqrt(max(samples.variance(state.fit), 0.0))),
        }
        return Solution(model, status, run.shown - 1, residual, info=info)

    def _shorten_supports(self, run: Run, state: State) -> State:
        """On exact data, the same explanation with fewer coordinates, if there is one.

        With an over-specified sparsity the spare coordinates can hide an error of U: all tasks are explained and U is
        still wrong. A spare coordinate shows by its size; the run goes on with a limit that leaves no room for it, and
        what it finds is kept when it explains the data as well.
        """
        samples = run.samples[0]
        limit = int(state.fit.size.max(initial=0))
        while limit and run.problem.rank:
            values = np.abs(state.fit.values)
            large = values > SPARE * np.median(values[state.fit.support >= 0])
            needed = int(np.quantile(large.sum(axis=1), 0.9))
            if needed >= limit:
                break
            before = state
            for _ in range(10):
                state = run.step(replace(state, limit=needed))
                run.show(state)
                if state.level <= EXPLAINED and (state.ratio > 0.3 or state.level <= 1e-26):
                    break
            if state.level > EXPLAINED:
                state = before
                break
            limit = needed
        again = Pass(np.flatnonzero(samples.unexplained(state.fit)), swaps=self.swaps)
        return replace(state, fit=samples.engine.fit(state.U, again, fit=state.fit))


def judge(samples: Samples, state: State) -> State:
    """The last part of an outer step: how far it came, and whether more coordinates are allowed from now on."""
    engine, limit = samples.engine, state.limit
    level = samples.level(state.fit, state.quantile)
    ratio = level / state.level if np.isfinite(state.level) and state.level > 0 else 1.0
    stagnant = state.stagnant + 1 if ratio > 0.999 else 0
    if limit is not None and limit < engine.k and ratio > 0.7 and state.iteration > 0:
        limit, stagnant = min(engine.k, limit + max(1, engine.k // 4)), 0
    return replace(state, level=level, ratio=ratio, iteration=state.iteration + 1, limit=limit, stagnant=stagnant)


def _view(run: Run, state: State) -> View:
    engine = run.samples[0].engine
    info = {"level": state.level, "hessian_products": state.products}
    return engine.model(state.U, state.fit), engine.relative_residual(state.fit), info


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
