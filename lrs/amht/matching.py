"""The sparse step of the practical solver: orthogonal matching with exchanges, the weights eliminated jointly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from lrs.amht.compression import Samples
from lrs.amht.driver import State
from lrs.kernels.arguments import Fit
from lrs.kernels.engine import Pass


@dataclass(frozen=True, kw_only=True)
class Matching:
    """Supports by orthogonal least squares from the last ones and from nothing, improved by exchanges; w and b refitted.

    Parameters
    ----------
    swaps : int
        Exchanges per task and search.
    """

    swaps: int = 8
    works_on: ClassVar[type] = Fit

    def __call__(self, samples: Samples, state: State) -> State:
        engine, fit, limit = samples.engine, state.fit, state.limit
        if np.isinf(state.level):
            first = Pass(start=engine.no_support(), swaps=self.swaps if state.iteration else 0, limit=limit)
            fit = engine.fit(state.U, first, fit=fit)
            return replace(state, fit=fit, settled=np.zeros(engine.data.t, dtype=bool))
        scores = samples.scores(fit)
        suspect = scores > 4 * np.median(scores)
        # Where the level falls fast the supports are right, and refitting costs a third of searching.
        converging = state.ratio < 0.3
        search = ~state.settled | suspect if converging else np.ones(engine.data.t, dtype=bool)
        passes = [
            Pass(np.flatnonzero(search), swaps=self.swaps, limit=limit),
            Pass(np.flatnonzero(~search), search=False, limit=limit),
        ]
        if state.iteration > 0:
            again = np.flatnonzero(suspect if converging else search)
            passes.append(Pass(again, engine.no_support(again), limit, self.swaps, keep_better=True))
        found = engine.fit(state.U, *passes, fit=fit)
        return replace(state, fit=found, settled=same_supports(fit, found))


def same_supports(a: Fit, b: Fit) -> np.ndarray:
    """Per task, whether both have the same support."""
    same: np.ndarray = (np.sort(a.support, axis=1) == np.sort(b.support, axis=1)).all(axis=1)
    return same
