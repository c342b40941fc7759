"""Calls in this process: fast, with a copy of the data for every call, and no protection against a solver that means harm."""

from __future__ import annotations

import time
from typing import Any, Unpack

import numpy as np

from lrs.core.family import Family
from lrs.core.run import (
    Fault,
    IterationLimit,
    Key,
    Limits,
    Loaded,
    Options,
    Run,
    SolverFault,
    Subject,
    audited,
    blamed_on_solver,
)
from lrs.core.solver import Iterate, check_family_of, traits_of, what_is_wrong


class Inline:
    """The executor of the toolkit's own solvers (`lrs.core.run.Executor`).

    A solver gets arrays of its own: what it writes there, nobody else reads. It does share a process with the truth; a
    stranger's solver belongs into `lrs.isolation.Isolated`.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._solvers: dict[int, tuple[Subject, Any]] = {}

    def _solver(self, solver: Subject) -> Any:
        if id(solver) not in self._solvers:
            self._solvers[id(solver)] = solver, solver.load()
        return self._solvers[id(solver)][1]

    def load(self, solver: Subject, family: Family) -> Loaded:
        """Load the solver; in this process nothing is hashed."""
        check_family_of(self._solver(solver), family.name, solver.name)
        return Loaded(traits_of(self._solver(solver), family), "")

    def close(self) -> None:
        """Forget the solvers."""
        self._solvers.clear()

    def __call__(self, solver: Subject, family: Family, problem: Any, key: Key, **options: Unpack[Options]) -> Run[Any]:
        """As the protocol says; ``memory`` is not measured."""
        trace, watch, settings = options.get("trace", False), options.get("watch"), options.get("settings")
        function = self._solver(solver)
        check_family_of(function, family.name, solver.name)
        own = family.unpack(family.pack(problem))
        seen: list[Iterate[Any]] = []
        steps = 0

        def record(iterate: Iterate[Any]) -> None:
            nonlocal steps
            steps += 1
            if steps > self.limits.iterations + 1:
                raise IterationLimit(f"{self.limits.iterations} outer steps")
            if watch is not None:
                watch(iterate)
            if trace:
                seen.append(iterate)

        rng = np.random.default_rng(list(key))
        wall, cpu = time.perf_counter(), time.process_time()
        with blamed_on_solver():
            if settings is not None:
                function = settings.applied(function, family, rng)
            solution = function(own, rng=rng, callback=record if trace or watch is not None else None)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            check_solution(solution)
            faults = audited(family, problem, solution.model, "solution")
        return Run(problem, solution, tuple(seen), wall, cpu, None, faults)


def check_solution(solution: Any) -> None:
    """Refuse what is no answer of a solver."""
    if wrong := what_is_wrong(solution):
        raise SolverFault(Fault.NOT_A_SOLUTION, wrong)
