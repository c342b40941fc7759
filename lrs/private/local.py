"""The step a user takes alone: its own (w, b) for a published U."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from lrs.families.low_rank_sparse.problem import MultiTaskData
from lrs.kernels.engine import Engine, Pass


def local_step(
    U: Float[np.ndarray, "d r"], data: MultiTaskData, sparsity: int
) -> tuple[Float[np.ndarray, "t r"], Float[np.ndarray, "t d"]]:
    """W and B of the users in ``data``: greedy selection with exchanges, as `lrs.amht.adapt.fit_task` does from its first start.

    Every user's numbers depend on its own rows and U only; users are handled together because a hundred thousand of
    them are simulated in one process.
    """
    with Engine(data, U.shape[1], sparsity, threads=1) as engine:
        fit = engine.fit(np.asarray(U, dtype=np.float64), Pass(swaps=4 * max(sparsity, 2)))
        return fit.W.copy(), fit.B
