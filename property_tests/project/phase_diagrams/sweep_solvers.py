"""Solvers that end in every way a trial can, for the tests of sweeps."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time

import numpy as np
from scipy import sparse

from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import Problem
from lrs.solver import Iterate, Solution, Status


def _zero(problem: Problem) -> LRSModel:
    return LRSModel(
        np.zeros((problem.d, problem.rank)),
        np.zeros((problem.t, problem.rank)),
        sparse.csr_array((problem.t, problem.d)),
    )


def every_outcome(problem: Problem, *, rng: np.random.Generator, callback=None) -> Solution:
    """The number of rows decides how it ends."""
    m = int(problem.data.counts[0])
    if m == 1:
        raise ZeroDivisionError("one row is not enough")
    if m == 2:
        os.abort()
    if m == 3:
        model = _zero(problem)
        model.W.setflags(write=True)
        object.__setattr__(model, "B", model.B + sparse.csr_array(np.full((problem.t, problem.d), np.nan)))
        return Solution(model, Status.CONVERGED, 3)
    if m == 4:
        return Solution(_zero(problem), Status.ITERATION_CAP, 4)
    if m == 5:
        return Solution(_zero(problem), Status.STALLED, 5)
    if m == 6:
        return Solution(_zero(problem), Status.DIVERGED, 6)
    if m == 7:
        return "no solution"  # type: ignore[return-value]
    theta = np.array([np.linalg.lstsq(X, y, rcond=None)[0] for X, y in problem.data])
    for step in range(8):
        if callback is not None:
            model = LRSModel(
                np.zeros((problem.d, 0)), np.zeros((problem.t, 0)), sparse.csr_array(theta * (1 - 0.1 ** (step + 1)))
            )
            callback(Iterate(step, model, 0.0))
    model = LRSModel(np.zeros((problem.d, 0)), np.zeros((problem.t, 0)), sparse.csr_array(theta))
    return Solution(model, Status.CONVERGED, 8)


def killed_once(problem: Problem, *, rng: np.random.Generator, callback=None) -> Solution:
    """Kills its own process the first time it is called with a marker file waiting, as an out-of-memory killer would."""
    marker = os.environ.get("SWEEP_TEST_MARKER", "")
    try:
        os.unlink(marker)
    except OSError:
        pass
    else:
        os.kill(os.getpid(), signal.SIGKILL)
    return every_outcome(problem, rng=rng, callback=callback)


_calls = itertools.count(1)


def slow(problem: Problem, *, rng: np.random.Generator, callback=None) -> Solution:
    """Takes about 5 ms of computing, then draws lots; held for ever after so many calls, so that a run cannot end by itself."""
    if next(_calls) > int(os.environ.get("SWEEP_TEST_HOLD", "1000000")):
        threading.Event().wait()
    start = time.perf_counter()
    while time.perf_counter() - start < 0.005:
        pass
    if rng.random() < 0.5:
        return Solution(_zero(problem), Status.STALLED, 1)
    return every_outcome(problem, rng=rng, callback=callback)


def noisy_signature(problem: Problem) -> Solution:
    """Not a solver: it takes no generator."""
    raise AssertionError


def dies(*_):
    """Not a solver: the body of a worker that ends at once."""
    os.kill(os.getpid(), signal.SIGKILL)
