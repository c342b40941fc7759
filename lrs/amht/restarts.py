"""Other supports for the tasks that stay unexplained although the subspace explains most."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from lrs.amht.compression import EXPLAINED
from lrs.amht.driver import Run, State
from lrs.kernels.arguments import Fit, frozen
from lrs.kernels.engine import Pass


@dataclass(frozen=True)
class RandomSupports:
    """A search from nothing, then from random halves of a support.

    Parameters
    ----------
    tries : int
    """

    tries: int = 200
    works_on: ClassVar[type] = Fit

    def __call__(self, run: Run, state: State, most: int | None = None) -> State:
        samples = run.samples[0]
        engine = samples.engine
        k, d = engine.k, engine.data.d
        if k == 0 or not np.isfinite(state.level):
            return state
        fit = state.fit.draft()
        exact = state.level <= EXPLAINED
        for attempt in range(self.tries if most is None else min(most, self.tries)):
            bad = samples.unexplained(fit) if exact else samples.scores(fit) > 9 * state.level
            bad &= engine.freedom(fit) > 0
            if not bad.any() or (not exact and attempt >= 3):
                break
            tasks = np.flatnonzero(bad)
            start = engine.no_support(tasks)
            if attempt:
                random = run.rng.permuted(np.broadcast_to(np.arange(d), (len(tasks), d)), axis=1)
                kept = max(1, (k + 1) // 2)
                start[:, :kept] = random[:, :kept]
            engine.write(fit, state.U, Pass(tasks, start, swaps=4 * max(k, 2), keep_better=True))
        return replace(state, fit=frozen(fit))
