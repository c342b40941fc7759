"""Failure fixtures: instances that violate exactly one necessary condition, so that recovery must fail.

A checker that has never seen a failure proves nothing. Each fixture names the condition it breaks, satisfies every
other necessary condition, and states in which of U and B the failure shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from lrs.core import streams
from lrs.families.low_rank_sparse import metrics
from lrs.families.low_rank_sparse.generate import InstanceSpec, generate
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import Instance, MultiTaskData, Problem
from theory.families.low_rank_sparse import assumptions
from theory.language.predicate import Statement


@dataclass(frozen=True)
class Fixture:
    """One way to fail.

    Attributes
    ----------
    condition : Statement
        The only necessary condition it violates. The conditions it implies (supports known follows from supports
        unknown, and both from the counting limit) are violated with it.
    make : callable
        ``make(seed) -> Instance``.
    why : str
        What goes wrong, in one sentence.
    """

    condition: Statement
    make: Callable[[int], Instance]
    why: str

    def __call__(self, seed: int = 0) -> Instance:
        return self.make(seed)


def parameter_error(model: LRSModel, truth: LRSModel) -> float:
    """Largest of the errors of Θ, of span(U) and of B: 0 only when every parameter is recovered."""
    return max(
        metrics.theta_error(model, truth),
        metrics.subspace_distance(model.U, truth.U),
        metrics.sparse_error(model, truth),
    )


def _with_parameters(spec: InstanceSpec, seed: int, U: np.ndarray, W: np.ndarray, B: np.ndarray) -> Instance:
    """Gaussian noiseless data for given parameters."""
    X = streams.generator("fixture/X", seed).standard_normal((spec.t, spec.m, spec.d))
    truth = LRSModel(U, W, sparse.csr_array(B))
    data = MultiTaskData.from_arrays(X, (X @ truth.theta[:, :, None])[:, :, 0])
    return Instance(Problem(data, spec.r, spec.k), truth, None, (streams.key("fixture", seed),))


def coordinate_in_span(seed: int = 0) -> Instance:
    """U = e₁ and k = 1: a b on coordinate 0 cannot be told from a larger w."""
    spec = InstanceSpec(t=60, m=30, d=30, r=1, k=1)
    rng = streams.generator("fixture/truth", seed)
    U = np.eye(spec.d)[:, :1]
    B = np.zeros((spec.t, spec.d))
    B[np.arange(spec.t), rng.integers(0, 6, spec.t)] = rng.choice([-1.0, 1.0], spec.t)
    return _with_parameters(spec, seed, U, rng.standard_normal((spec.t, 1)), B)


def coordinate_always_used(seed: int = 0) -> Instance:
    """Coordinate 0 is in every support: row 0 of U is never seen apart from b."""
    spec = InstanceSpec(t=60, m=30, d=30, r=2, k=2)
    rng = streams.generator("fixture/truth", seed)
    U = np.linalg.qr(rng.standard_normal((spec.d, spec.r)))[0]
    B = np.zeros((spec.t, spec.d))
    B[:, 0] = rng.choice([-1.0, 1.0], spec.t)
    B[np.arange(spec.t), rng.integers(1, spec.d, spec.t)] = rng.choice([-1.0, 1.0], spec.t)
    return _with_parameters(spec, seed, U, rng.standard_normal((spec.t, spec.r)), B)


def row_seen_in_one_direction(seed: int = 0) -> Instance:
    """Coordinate 0 is free only in tasks whose w are parallel: they fix one direction of row 0 of U, not both."""
    spec = InstanceSpec(t=60, m=30, d=30, r=2, k=2)
    rng = streams.generator("fixture/truth", seed)
    U = np.linalg.qr(rng.standard_normal((spec.d, spec.r)))[0]
    W = rng.standard_normal((spec.t, spec.r))
    free = np.arange(spec.t) < 20
    W[free, 1] = 0.0
    B = np.zeros((spec.t, spec.d))
    B[~free, 0] = rng.choice([-1.0, 1.0], int((~free).sum()))
    B[np.arange(spec.t), rng.integers(1, spec.d, spec.t)] = rng.choice([-1.0, 1.0], spec.t)
    return _with_parameters(spec, seed, U, W, B)


def weights_do_not_span(seed: int = 0) -> Instance:
    """rank W = r − 1: one direction of U is never used."""
    return generate(InstanceSpec(t=60, m=30, d=30, r=2, k=2, w_rank=1), (streams.key("fixture", seed),))


def too_few_rows_for_a_task(seed: int = 0) -> Instance:
    """m = r + k − 1: one unknown more than equations, even with U and the supports given."""
    return generate(InstanceSpec(t=80, m=4, d=20, r=2, k=3), (streams.key("fixture", seed),))


def no_row_to_find_the_support(seed: int = 0) -> Instance:
    """m = r + k: every support explains the data, none is singled out."""
    return generate(InstanceSpec(t=80, m=5, d=20, r=2, k=3), (streams.key("fixture", seed),))


def below_counting_limit(seed: int = 0) -> Instance:
    """m = r + k + 1 with few tasks: the d·r unknowns of U are not paid for."""
    return generate(InstanceSpec(t=12, m=10, d=60, r=2, k=3), (streams.key("fixture", seed),))


FIXTURES: dict[str, Fixture] = {
    f.condition.name: f
    for f in (
        Fixture(assumptions.sparse_free_span, coordinate_in_span, "b on that coordinate is absorbed by w"),
        Fixture(assumptions.visible_rows, coordinate_always_used, "that row of U is absorbed by b"),
        Fixture(assumptions.visible_span, row_seen_in_one_direction, "part of that row of U is absorbed by b"),
        Fixture(assumptions.spanning, weights_do_not_span, "a direction of U that no task uses leaves no trace"),
        Fixture(assumptions.rows_known_support, too_few_rows_for_a_task, "a task has fewer equations than unknowns"),
        Fixture(assumptions.rows_unknown_support, no_row_to_find_the_support, "every support fits exactly"),
        Fixture(assumptions.counting, below_counting_limit, "all tasks together have fewer equations than unknowns"),
    )
}


def annihilated_matrix(problem: Problem, task: int = 0) -> np.ndarray:
    """A rank-one Θ of unit norm that the measurements of a problem with m < d map to 0.

    Returns
    -------
    (t, d) array
        Zero but for row ``task``, a unit vector of the kernel of that task's X: no restricted isometry can hold.
    """
    X, _ = problem.data.task(task)
    theta = np.zeros((problem.t, problem.d))
    theta[task] = np.linalg.svd(X, full_matrices=True)[2][-1]
    return theta
