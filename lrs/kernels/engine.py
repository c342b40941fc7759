"""Runs a kernel over all tasks of a problem: ranges of tasks for threads, arrays for what each task has fitted."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from lrs.kernels import check_threads, kernel
from lrs.model import LRSModel
from lrs.problem import MultiTaskData

#: Ranges of tasks a pass is cut into; fixed, so that sums over ranges do not depend on the number of threads.
RANGES = 8
#: A range holds at least this many tasks: below, starting it costs more than it saves.
TASKS_PER_RANGE = 32


class Engine:
    """The data of a problem together with the present fit of every task.

    Attributes
    ----------
    square : (t, d) array
        Squared column norms of every task's design.
    correlation : (t, d) array
        X_iᵀ y_i.
    energy : (t,) array
        ‖y_i‖².
    support : (t, k) integer array
        Support of b⁽ⁱ⁾, padded by −1; ``size`` (t,) counts it.
    W : (t, r), values : (t, k)
        Weights, and b on the support.
    gain : (t, k) array
        How much a task's residual sum of squares would rise without that coordinate of b.
    rss : (t,) array
        Residual sums of squares, infinite before the first fit.
    gradient : (t, d) array
        X_iᵀ(y_i − X_iθ⁽ⁱ⁾).
    rank : (t,) integer array
        Dimension of span[X_i U, X_i on the support].
    """

    def __init__(self, data: MultiTaskData, rank: int, sparsity: int, threads: int | None = None) -> None:
        t, d = data.t, data.d
        self.data, self.r, self.k = data, rank, sparsity
        self.threads = check_threads(threads)
        self._pool = ThreadPoolExecutor(self.threads) if self.threads > 1 else None
        self.all_tasks = np.arange(t)
        self.square, self.correlation = np.empty((t, d)), np.empty((t, d))
        self._run("first_pass", self.all_tasks, lambda _: (self.square, self.correlation))
        self.energy = np.add.reduceat(data.y**2, data.offsets[:-1])
        self.support = np.full((t, sparsity), -1, dtype=np.int64)
        self.size, self.rank = np.zeros(t, dtype=np.int64), np.zeros(t, dtype=np.int64)
        self.W, self.values, self.gain = np.zeros((t, rank)), np.zeros((t, sparsity)), np.zeros((t, sparsity))
        self.rss, self.gradient = np.full(t, np.inf), np.zeros((t, d))
        self._basis = np.zeros(data.n * (rank + sparsity))

    def close(self) -> None:
        """Release the threads."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, name: str, tasks: Int[np.ndarray, " n"], arguments: Callable[[int], tuple[Any, ...]]) -> int:
        """Call the kernel on every range of ``tasks``; ``arguments(index)`` completes the call of one range."""
        function = kernel(name)
        ranges = max(1, min(RANGES, len(tasks) // TASKS_PER_RANGE))
        # Cut by rows, not by tasks: ragged tasks would leave one thread waiting for another.
        rows = np.concatenate([[0], np.cumsum(self.data.counts[tasks])])
        cuts = np.searchsorted(rows, np.arange(ranges + 1) * rows[-1] // ranges).tolist()
        head = (self.data.X, self.data.y, self.data.offsets, tasks)
        if name == "hessian_product":
            head = (self.data.X, self.data.offsets, tasks)  # type: ignore[assignment]
        calls = [(lo, hi, arguments(index)) for index, (lo, hi) in enumerate(pairwise(cuts))]
        if self._pool is None or ranges == 1:
            for lo, hi, rest in calls:
                function(*head, lo, hi, *rest)
        else:
            for future in [self._pool.submit(function, *head, lo, hi, *rest) for lo, hi, rest in calls]:
                future.result()
        return ranges

    # ------------------------------------------------------------------ the passes
    def fit(
        self,
        U: Float[np.ndarray, "d r"],
        *,
        tasks: Int[np.ndarray, " n"] | None = None,
        start: Int[np.ndarray, "n k"] | None = None,
        limit: int | None = None,
        swaps: int = 0,
        search: bool = True,
        keep_better: bool = False,
    ) -> None:
        """Sparse and weight step of the given tasks (`lrs.kernels.definitions.fit_tasks`)."""
        tasks = self.all_tasks if tasks is None else tasks
        if len(tasks) == 0:
            return
        start = self.support[tasks] if start is None else start
        fixed = (
            np.ascontiguousarray(U.T),
            start,
            self.k if limit is None else limit,
            swaps,
            search,
            keep_better,
            self.square,
            self.support,
            self.size,
            self.W,
            self.values,
            self.gain,
            self.rss,
            self.gradient,
            self._basis,
            self.rank,
        )
        self._run("fit_tasks", tasks, lambda _: fixed)

    def hessian_product(
        self, D: Float[np.ndarray, "d r"], weight: Float[np.ndarray, " t"], *, projected: bool = True
    ) -> Float[np.ndarray, "d r"]:
        """Σ_i weight_i X_iᵀP_iX_i D w_i w_iᵀ, where P_i removes span[X_iU, X_i on the support] when ``projected``."""
        tasks = np.flatnonzero(weight)
        parts = np.zeros((RANGES, self.r, self.data.d))
        rank = self.rank if projected else np.zeros_like(self.rank)
        width = self.r + self.k
        D = np.ascontiguousarray(D)
        self._run("hessian_product", tasks, lambda n: (D, self.W, weight, self._basis, rank, width, parts[n]))
        return parts.sum(axis=0).T

    def threshold_steps(
        self,
        shared: Float[np.ndarray, "t d"],
        B: Float[np.ndarray, "t d"],
        length: Float[np.ndarray, " t"],
        alpha: Float[np.ndarray, " t"],
        beta: Float[np.ndarray, " t"],
        gamma: Float[np.ndarray, " t"],
        c1: float,
        steps: int,
    ) -> Float[np.ndarray, "t s"]:
        """OptimizeSparseVector of all tasks with steps of ``length``, ``B`` and ``gamma`` in place; the thresholds used."""
        used = np.zeros((self.data.t, steps))
        fixed = (shared, B, length, alpha, beta, gamma, c1, steps, used)
        self._run("threshold_steps", self.all_tasks, lambda _: fixed)
        return used

    _FIT = ("support", "size", "rank", "W", "values", "gain", "rss", "gradient", "_basis")

    def snapshot(self) -> dict[str, np.ndarray]:
        """Copies of the present fit, for `restore`."""
        return {name: getattr(self, name).copy() for name in self._FIT}

    def restore(self, fit: dict[str, np.ndarray]) -> None:
        """Take back a fit that `snapshot` kept."""
        for name, value in fit.items():
            getattr(self, name)[...] = value

    # ------------------------------------------------------------------ reading
    @property
    def freedom(self) -> Int[np.ndarray, " t"]:
        """Residual degrees of freedom m_i − rank[X_iU, X_i on the support]."""
        return self.data.counts - self.rank

    def sparse_part(self) -> sparse.csr_array:
        """B (t, d) of the present fit."""
        kept = self.support >= 0
        indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
        B = sparse.csr_array((self.values[kept], self.support[kept], indptr), shape=(self.data.t, self.data.d))
        B.sort_indices()
        return B

    def model(self, U: Float[np.ndarray, "d r"]) -> LRSModel:
        """The present fit as a model."""
        return LRSModel(U, self.W.copy(), self.sparse_part(), self.data.task_names, self.data.feature_names)

    def relative_residual(self) -> float:
        """‖y − ŷ‖₂ / ‖y‖₂ over all tasks."""
        total = float(self.energy.sum())
        return float(np.sqrt(self.rss.sum() / (total or 1.0)))


def exercise() -> None:
    """Run every kernel once on a small problem."""
    rng = np.random.default_rng([0])
    data = MultiTaskData.from_arrays(rng.standard_normal((2, 6, 4)), rng.standard_normal((2, 6)))
    with Engine(data, 1, 1, threads=1) as engine:
        engine.fit(np.eye(4)[:, :1], swaps=1)
        engine.hessian_product(np.ones((4, 1)), np.ones(2))
        zeros, ones = np.zeros((2, 4)), np.ones(2)
        engine.threshold_steps(zeros, zeros.copy(), ones, ones, ones, ones.copy(), 0.25, 1)
