"""A new task with U fixed: weights and sparse part from its own rows, nothing else changes."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from lrs.core.errors import InvalidInput
from lrs.core.validate import integer
from lrs.families.low_rank_sparse.model import TaskParameters, adapts
from lrs.families.low_rank_sparse.problem import MultiTaskData
from lrs.kernels.engine import Engine, Pass

#: Starting supports tried; each is improved by exchanges and the best kept.
STARTS = 12


@adapts
def fit_task(U: Float[np.ndarray, "d r"], X: Any, y: Any, sparsity: int) -> TaskParameters:
    """min ‖y − X(U w + b)‖ over w and ‖b‖₀ ≤ k, by greedy selection and exchanges from several starts.

    Parameters
    ----------
    U : (d, r) array
    X : (m, d) array
    y : (m,) array
    sparsity : int
        k ≥ 0; with fewer than r + k + 1 rows b gets fewer non-zeros, so that at least one row remains to judge by.

    Returns
    -------
    TaskParameters
        ``w`` (r,) and ``b`` (d,).
    """
    data = MultiTaskData.from_arrays([X], [y])
    d, r = U.shape
    if data.d != d:
        raise InvalidInput(f"X: {data.d} features, but U has d = {d} rows")
    k = integer("sparsity", sparsity, least=0, most=d)
    rng = np.random.default_rng([data.n, d, r, k])  # fixed: the same task always gets the same answer
    with Engine(data, r, k, threads=1) as engine:
        U = np.asarray(U, dtype=np.float64)
        start = engine.no_support()
        fit = engine.fit(U, Pass(start=start, swaps=4 * max(k, 2)))
        for _ in range(STARTS if k else 0):
            if fit.rss[0] <= 1e-20 * engine.energy[0]:
                break
            start[0, : (k + 1) // 2] = rng.permutation(d)[: (k + 1) // 2]
            fit = engine.fit(U, Pass(start=start, swaps=4 * max(k, 2), keep_better=True), fit=fit)
        return TaskParameters(fit.W[0].copy(), fit.B[0])
