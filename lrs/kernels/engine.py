"""Runs a kernel over all tasks of a problem: ranges of tasks for threads, one new value for what they have fitted."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import MultiTaskData
from lrs.kernels import check_threads, kernel
from lrs.kernels.arguments import Fit, Pursuit, Rows, Thresholds, frozen

#: Ranges of tasks a pass is cut into; fixed, so that sums over ranges do not depend on the number of threads.
RANGES = 8
#: A range holds at least this many tasks: below, starting it costs more than it saves.
TASKS_PER_RANGE = 32


class Pass(NamedTuple):
    """One pass of the sparse and weight step over some tasks (`lrs.kernels.arguments.Pursuit`).

    ``tasks`` default to all, ``start`` to the present supports, ``limit`` to the sparsity.
    """

    tasks: Int[np.ndarray, " n"] | None = None
    start: Int[np.ndarray, "n k"] | None = None
    limit: int | None = None
    swaps: int = 0
    search: bool = True
    keep_better: bool = False


class Engine:
    """The data of a problem and the passes over it; what a pass finds is a value of its own (`lrs.kernels.arguments.Fit`).

    Attributes
    ----------
    square : (t, d) array
        Squared column norms of every task's design.
    correlation : (t, d) array
        X_iᵀ y_i.
    energy : (t,) array
        ‖y_i‖².
    """

    def __init__(self, data: MultiTaskData, rank: int, sparsity: int, threads: int | None = None) -> None:
        t, d = data.t, data.d
        self.data, self.r, self.k = data, rank, sparsity
        self.threads = check_threads(threads)
        self._pool = ThreadPoolExecutor(self.threads) if self.threads > 1 else None
        self.all_tasks = np.arange(t)
        self._rows = Rows(data.X, data.y, data.offsets)
        self.square, self.correlation = np.empty((t, d)), np.empty((t, d))
        self._run("first_pass", self.all_tasks, lambda _: (self.square, self.correlation))
        self.energy = np.add.reduceat(data.y**2, data.offsets[:-1])

    def close(self) -> None:
        """Release the threads."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, name: str, tasks: Int[np.ndarray, " n"], arguments: Callable[[int], tuple[Any, ...]]) -> None:
        """Call the kernel on every range of ``tasks``; ``arguments(index)`` completes the call of one range."""
        function = kernel(name)
        ranges = min(RANGES, len(tasks) // TASKS_PER_RANGE)
        if ranges <= 1:
            function(self._rows, tasks, 0, len(tasks), *arguments(0))
            return
        # Cut by rows, not by tasks: ragged tasks would leave one thread waiting for another.
        rows = np.concatenate([[0], np.cumsum(self.data.counts[tasks])])
        cuts = np.searchsorted(rows, np.arange(ranges + 1) * rows[-1] // ranges).tolist()
        calls = [(self._rows, tasks, lo, hi, *arguments(index)) for index, (lo, hi) in enumerate(pairwise(cuts))]
        if self._pool is None:
            for call in calls:
                function(*call)
        else:
            for future in [self._pool.submit(function, *call) for call in calls]:
                future.result()

    # ------------------------------------------------------------------ the passes
    def fit(self, U: Float[np.ndarray, "d r"], *passes: Pass, fit: Fit | None = None) -> Fit:
        """Sparse and weight step (`lrs.kernels.definitions.fit_tasks`): the passes one after the other, then one new fit.

        Tasks that no pass treats keep what ``fit`` says of them.
        """
        passes = tuple(p for p in passes or (Pass(),) if p.tasks is None or len(p.tasks))
        if not passes and fit is not None:
            return fit
        fit = fit or self.nothing()
        # The large arrays are not copied where every task is written anyway.
        written = np.zeros(self.data.t, dtype=bool)
        for p in passes:
            if not p.keep_better:
                written[self.all_tasks if p.tasks is None else p.tasks] = True
        large = (np.empty(a.shape) if written.all() else a.copy() for a in fit[-2:])
        work = Fit._make([*(a.copy() for a in fit[:-2]), *large])
        for p in passes:
            self.write(work, U, p)
        return frozen(work)

    def write(self, work: Fit, U: Float[np.ndarray, "d r"], one: Pass) -> None:
        """One pass into arrays that nobody else has seen yet."""
        tasks = self.all_tasks if one.tasks is None else one.tasks
        start = work.support[tasks] if one.start is None else one.start
        pursuit = Pursuit(start, self.k if one.limit is None else one.limit, *one[3:])
        Ut = np.ascontiguousarray(U.T)
        self._run("fit_tasks", tasks, lambda _: (Ut, self.square, pursuit, work))

    def nothing(self) -> Fit:
        """Before the first fit."""
        return frozen(Fit.nothing(self.data.t, self.data.d, self.r, self.k, self.data.n))

    def no_support(self, tasks: Int[np.ndarray, " n"] | None = None) -> Int[np.ndarray, "n k"]:
        """A start with no coordinate at all, for the given tasks or for all."""
        return np.full((self.data.t if tasks is None else len(tasks), self.k), -1, dtype=np.int64)

    def hessian_product(
        self, fit: Fit, D: Float[np.ndarray, "d r"], weight: Float[np.ndarray, " t"], *, projected: bool = True
    ) -> Float[np.ndarray, "d r"]:
        """Σ_i weight_i X_iᵀP_iX_i D w_i w_iᵀ, where P_i removes span[X_iU, X_i on the support] when ``projected``."""
        parts = np.zeros((RANGES, self.r, self.data.d))
        if not projected:
            fit = frozen(fit._replace(rank=np.zeros_like(fit.rank)))
        D = np.ascontiguousarray(D)
        self._run("hessian_product", np.flatnonzero(weight), lambda n: (D, weight, fit, parts[n]))
        return parts.sum(axis=0).T

    def threshold_steps(
        self,
        shared: Float[np.ndarray, "t d"],
        B: Float[np.ndarray, "t d"],
        gamma: Float[np.ndarray, " t"],
        thresholds: Thresholds,
    ) -> tuple[Float[np.ndarray, "t d"], Float[np.ndarray, "t s"]]:
        """OptimizeSparseVector of all tasks from ``B``; the new B and the thresholds used."""
        used, B, gamma = np.zeros((self.data.t, thresholds.steps)), B.copy(), gamma.copy()
        self._run("threshold_steps", self.all_tasks, lambda _: (shared, thresholds, B, gamma, used))
        return B, used

    # ------------------------------------------------------------------ reading
    def freedom(self, fit: Fit) -> Int[np.ndarray, " t"]:
        """Residual degrees of freedom m_i − rank[X_iU, X_i on the support]."""
        return self.data.counts - fit.rank

    def model(self, U: Float[np.ndarray, "d r"], fit: Fit) -> LRSModel:
        """The fit as a model."""
        return LRSModel(U, fit.W.copy(), fit.sparse_part, self.data.task_names, self.data.feature_names)

    def relative_residual(self, fit: Fit) -> float:
        """‖y − ŷ‖₂ / ‖y‖₂ over all tasks."""
        total = float(self.energy.sum())
        return float(np.sqrt(fit.rss.sum() / (total or 1.0)))


def exercise() -> None:
    """Run every kernel once on a small problem."""
    rng = np.random.default_rng([0])
    data = MultiTaskData.from_arrays(rng.standard_normal((2, 6, 4)), rng.standard_normal((2, 6)))
    with Engine(data, 1, 1, threads=1) as engine:
        fit = engine.fit(np.eye(4)[:, :1], Pass(swaps=1))
        engine.hessian_product(fit, np.ones((4, 1)), np.ones(2))
        zeros, ones = np.zeros((2, 4)), np.ones(2)
        engine.threshold_steps(zeros, zeros, ones, Thresholds(ones, ones, ones, 0.25, 1))
