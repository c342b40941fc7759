"""The outer iteration, once for all solvers that are made of parts.

A part takes the samples and the present state and returns the next state; no state is ever changed. What differs between
solvers is which parts are called in which order, where they start, when they stop, and what comes after.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from lrs.amht import doubts
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import Problem
from lrs.solver import Callback, Iterate, Solution, Status


@dataclass(frozen=True, eq=False)
class State:
    """Where a run stands; parts make the next one with `dataclasses.replace`.

    Attributes
    ----------
    U : (d, r) array
    fit : `lrs.kernels.arguments.Fit` or `lrs.amht.parts.PlainFit`
        What every task has fitted: at least ``W`` (t, r) and ``B`` (t, d).
    level : float
        What the run drives down, infinite before the first fit. `AMHT`: median (``quantile``) over tasks of the residual
        sum of squares per degree of freedom, as a share of the tasks' mean square; else ‖y − ŷ‖ / ‖y‖.
    ratio : float
        By how much the last step changed ``level``.
    best : float
        Smallest ``level`` so far.
    iteration, stagnant : int
        Outer steps taken, and how many of the last ones did not lower ``level``.
    quantile : float
        ½, and more once half of the tasks are explained exactly by a subspace that does not explain the others.
    limit : int, optional
        Coordinates per task allowed at present, below the sparsity in a graduated attempt.
    settled : (t,) booleans
        Tasks whose support the last search left alone.
    products : int
        Products with the normal matrix of U so far.
    """

    U: Float[np.ndarray, "d r"]
    fit: Any
    level: float = np.inf
    ratio: float = 1.0
    best: float = np.inf
    iteration: int = 0
    stagnant: int = 0
    quantile: float = 0.5
    limit: int | None = None
    settled: Bool[np.ndarray, " t"] = field(default_factory=lambda: np.zeros(0, dtype=bool))
    products: int = 0


Step = Callable[[Any, State], State]
#: What a spectator sees: model, relative residual, info.
View = tuple[LRSModel, float, dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Alternation:
    """A choice of parts, ready to run.

    Attributes
    ----------
    samples : callable
        Context manager of what the steps work on, made from the problem: one entry, or one for each outer step in turn.
    start : callable
        ``start(run, attempt)``: the first state.
    steps : sequence of callables
        ``step(samples, state)``, called in this order once per outer step.
    stop : callable
        ``stop(state, noise)``: how the run ended, or None to go on.
    view : callable
        ``view(run, state)``: what a spectator sees.
    finish : callable
        ``finish(run, state, status)``: what comes after the iteration.
    search : callable
        ``search(run)``: which starts are tried; one by default.
    undo : bool
        Whether a step that diverges is neither shown nor returned.
    """

    samples: Callable[[Problem], AbstractContextManager[Sequence[Any]]]
    start: Callable[[Run, int], State]
    steps: Sequence[Step]
    stop: Callable[[State, float], Status | None]
    view: Callable[[Run, State], View]
    finish: Callable[[Run, State, Status], Solution]
    search: Callable[[Run], tuple[State, Status]] = lambda run: run.iterate(run.start())
    undo: bool = False

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        with self.samples(problem) as samples:
            run = Run(self, problem, samples, rng, callback)
            state, status = self.search(run)
            return self.finish(run, state, status)


@dataclass(eq=False)
class Run:
    """One problem on its way through an `Alternation`: what is fixed, and how many states were shown."""

    alternation: Alternation
    problem: Problem
    samples: Sequence[Any]
    rng: np.random.Generator
    callback: Callback | None
    shown: int = 0

    @cached_property
    def undetermined(self) -> str:
        """Why the data cannot determine the parameters; empty where nothing says so."""
        return doubts.undetermined(self.problem)

    def start(self, attempt: int = 0) -> State:
        """The first state of an attempt, shown."""
        state = self.alternation.start(self, attempt)
        self.show(state)
        return state

    def step(self, state: State) -> State:
        """One outer step."""
        samples = self.samples[state.iteration % len(self.samples)]
        for step in self.alternation.steps:
            state = step(samples, state)
        return state

    def iterate(self, state: State) -> tuple[State, Status]:
        """Outer steps until the run ends."""
        status = None
        while status is None:
            before = state
            try:
                state = self.step(state)
                status = self.alternation.stop(state, self.problem.noise)
            except np.linalg.LinAlgError:  # NaN or overflow inside a factorisation
                return before, Status.DIVERGED
            if status is Status.DIVERGED and self.alternation.undo:
                return replace(before, iteration=state.iteration), status
            self.show(state)
        return state, status

    def show(self, state: State) -> None:
        """Count a state and show it to the callback; models are only made when somebody looks."""
        if self.callback is not None:
            self.callback(Iterate(self.shown, *self.alternation.view(self, state)))
        self.shown += 1
