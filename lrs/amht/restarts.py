"""Other supports for the tasks that stay unexplained although the subspace explains most."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count
from math import comb
from typing import ClassVar

import numpy as np
from jaxtyping import Int

from lrs.amht.compression import EXPLAINED, Samples
from lrs.amht.driver import Run, State
from lrs.kernels.arguments import Fit, frozen
from lrs.kernels.engine import Pass

#: Searches on exact data, all tasks together, before the last tasks are given up: so many find two coordinates of three in 200 …
SEARCHES = 20000
#: … where one is left or no larger share: more than these are no matter of luck.
LAST = 0.02
#: With noise, a task whose residual per degree of freedom is above this multiple of the typical one is searched again, so many times.
FAR, NOISY_TRIES = 4.0, 40


@dataclass(frozen=True)
class RandomSupports:
    """A search from nothing, then from random halves of a support; the last tasks that U does not explain get `SEARCHES`.

    Parameters
    ----------
    tries : int
    """

    tries: int = 200
    works_on: ClassVar[type] = Fit

    def __call__(self, run: Run, state: State, most: int | None = None) -> State:
        samples = run.samples[0]
        engine = samples.engine
        k = engine.k
        if k == 0 or not np.isfinite(state.level):
            return state
        fit, exact = state.fit, state.level <= EXPLAINED
        tries, searches = self.tries if most is None else min(most, self.tries), 0
        for attempt in count():
            bad = samples.unexplained(fit) if exact else samples.scores(fit) > FAR * state.level
            bad &= engine.freedom(fit) > 0
            if not bad.any() or (not exact and attempt >= NOISY_TRIES):
                break
            last = exact and most is None and tries and bad.sum() <= max(1, LAST * len(bad))
            # Starts drawn three times as often as there are different ones have nearly all been drawn.
            if attempt >= tries and not (last and searches < SEARCHES and attempt < 3 * comb(engine.data.d, _kept(k))):
                break
            fit = fit if attempt else fit.draft()
            tasks = np.flatnonzero(bad)
            start = random_halves(samples, tasks, run.rng) if attempt else engine.no_support(tasks)
            engine.write(fit, state.U, Pass(tasks, start, swaps=4 * max(k, 2), keep_better=True))
            searches += len(tasks)
        return replace(state, fit=frozen(fit))


@dataclass(frozen=True, eq=False)
class Insistent:
    """A sparse step after another: random halves of a support for every task that is not explained, in each outer step.

    With as few rows as the search can do with, one search in two ends at a wrong support even where U is right, so that the
    typical residual says nothing of U. With several searches most tasks end at the right one.

    Parameters
    ----------
    rng : numpy Generator
    tries : int
        Searches per task and outer step.
    """

    rng: np.random.Generator
    tries: int = 4
    works_on: ClassVar[type] = Fit

    def __call__(self, samples: Samples, state: State) -> State:
        fit, k = state.fit.draft(), samples.engine.k
        for _ in range(self.tries):
            tasks = np.flatnonzero(samples.unexplained(fit))
            start = random_halves(samples, tasks, self.rng)
            samples.engine.write(fit, state.U, Pass(tasks, start, swaps=3 * max(k, 2), keep_better=True))
        return replace(state, fit=frozen(fit))


def random_halves(samples: Samples, tasks: Int[np.ndarray, " n"], rng: np.random.Generator) -> Int[np.ndarray, "n k"]:
    """Starts with half of a support drawn at random, two coordinates at least; the search completes and exchanges them."""
    start, (k, d) = samples.engine.no_support(tasks), (samples.engine.k, samples.engine.data.d)
    kept = _kept(k)
    start[:, :kept] = rng.permuted(np.broadcast_to(np.arange(d), (len(tasks), d)), axis=1)[:, :kept]
    return start


def _kept(k: int) -> int:
    """Coordinates of a start that are drawn."""
    return max(min(2, k), (k + 1) // 2)
