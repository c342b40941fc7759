"""Structured corners that an `InstanceSpec` cannot express, by name (see `property_tests.examine.configuration.STRUCTURES`)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lrs.families.low_rank_sparse.problem import Instance
from property_tests.examine.configuration import structure
from theory.families.low_rank_sparse.fixtures import FIXTURES

#: Share of tasks that `short tasks` leaves without enough rows.
SHORT = 0.1
#: Structures that make `SHORT` of the tasks impossible to solve.
FAILING = ("short tasks", "wild tasks")


def short_tasks(truth_r: int, truth_k: int, t: int) -> tuple[int, int]:
    """How many tasks are cut, and to how many rows: one fewer than a task has parameters, so nobody can solve them."""
    return max(1, int(SHORT * t)), max(1, truth_r + truth_k - 1)


@structure("short tasks")
def cut(instance: Instance, rng: np.random.Generator) -> Instance:
    """The last tenth of the tasks keeps too few rows; those tasks cannot be solved, the subspace can."""
    problem, spec = instance.problem, instance.spec
    assert spec is not None
    number, rows = short_tasks(spec.r, spec.k, spec.t)
    data = problem.data
    position = np.arange(data.n) - np.repeat(data.offsets[:-1], data.counts)
    kept = (data.groups < data.t - number) | (position < rows)
    return replace(instance, problem=replace(problem, data=data.rows(kept)))


@structure("wild tasks")
def wild(instance: Instance, rng: np.random.Generator) -> Instance:
    """The last tenth of the tasks follows no model at all: its responses are noise of the same size."""
    problem, spec = instance.problem, instance.spec
    assert spec is not None
    number, _ = short_tasks(spec.r, spec.k, spec.t)
    data = problem.data
    y = data.y.copy()
    where = data.groups >= data.t - number
    y[where] = rng.standard_normal(int(where.sum())) * float(np.sqrt(np.mean(data.y**2)))
    return replace(instance, problem=replace(problem, data=replace(data, y=y)))


def fixture_names() -> tuple[str, ...]:
    """Names of the conditions that `theory.families.low_rank_sparse.fixtures` breaks one at a time."""
    return tuple(FIXTURES)


def _fixture(name: str) -> None:
    @structure(f"fixture:{name}")
    def make(instance: Instance, rng: np.random.Generator) -> Instance:
        made = FIXTURES[name](int(rng.integers(2**63)))
        return replace(made, spec=None)


for _name in FIXTURES:
    _fixture(_name)
