"""Metamorphic claims: a change of the problem that changes the answer in a known way.

Both problems are asked of the solver and the two answers are compared with each other; the truth is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from hypothesis.strategies import SearchStrategy

from lrs.families.low_rank_sparse.generate import generate
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import MultiTaskData, Problem
from property_tests.examine.claim import AtLeast, Claim, Context, Outcome, register
from property_tests.examine.configuration import Configuration, Region
from property_tests.families.low_rank_sparse import strategies
from property_tests.families.low_rank_sparse.claims.adaptation import near

#: Relative difference of two Θ that counts as the same answer.
SAME = 1e-6


class Change(NamedTuple):
    """The changed problem, and what its answer must be when the original's is ``theta`` (t, d)."""

    problem: Problem
    expected: Callable[[np.ndarray], np.ndarray]
    read: Callable[[np.ndarray], np.ndarray] = lambda theta: theta


def _data(problem: Problem, X: np.ndarray, y: np.ndarray) -> Problem:
    return replace(problem, data=MultiTaskData(X, y, problem.data.offsets))


def task_permutation(context: Context) -> Change:
    problem = context.instance.problem
    order = context.rng.permutation(problem.t)
    return Change(replace(problem, data=problem.data.select(order)), lambda theta: theta[order])


def sample_permutation(context: Context) -> Change:
    problem, rng = context.instance.problem, context.rng
    data = problem.data
    order = np.concatenate(
        [a + rng.permutation(b - a) for a, b in zip(data.offsets[:-1], data.offsets[1:], strict=True)]
    )
    return Change(_data(problem, data.X[order], data.y[order]), lambda theta: theta)


def coordinate_permutation(context: Context) -> Change:
    problem = context.instance.problem
    order = context.rng.permutation(problem.d)
    return Change(_data(problem, problem.data.X[:, order], problem.data.y), lambda theta: theta[:, order])


def coordinate_signs(context: Context) -> Change:
    problem = context.instance.problem
    signs = context.rng.choice([-1.0, 1.0], problem.d)
    return Change(_data(problem, problem.data.X * signs, problem.data.y), lambda theta: theta * signs)


def response_scale(context: Context) -> Change:
    problem = context.instance.problem
    factor = float(10.0 ** context.rng.uniform(-3, 3)) * float(context.rng.choice([-1.0, 1.0]))
    return Change(_data(problem, problem.data.X, factor * problem.data.y), lambda theta: factor * theta)


def task_signs(context: Context) -> Change:
    """y⁽ⁱ⁾ → ±y⁽ⁱ⁾: every task may be turned round by itself."""
    problem = context.instance.problem
    signs = context.rng.choice([-1.0, 1.0], problem.t)
    y = problem.data.y * signs[problem.data.groups]
    return Change(_data(problem, problem.data.X, y), lambda theta: theta * signs[:, None])


def duplicated_samples(context: Context) -> Change:
    problem = context.instance.problem
    data = problem.data
    twice = MultiTaskData.from_groups(
        np.concatenate([data.X, data.X]), np.concatenate([data.y, data.y]), np.concatenate([data.groups, data.groups])
    )
    return Change(replace(problem, data=twice), lambda theta: theta)


def irrelevant_coordinate(context: Context) -> Change:
    problem, rng = context.instance.problem, context.rng
    X = np.column_stack([problem.data.X, rng.standard_normal(problem.data.n)])
    return Change(_data(problem, X, problem.data.y), lambda theta: np.column_stack([theta, np.zeros(len(theta))]))


def added_task(context: Context) -> Change:
    """One more task of the same model; the others must not change."""
    spec, problem = context.configuration.spec, context.instance.problem
    more = generate(replace(spec, t=1, duplicates=0), (*context.instance.seed, 1))
    rng, U = context.rng, context.instance.truth.U
    b = np.zeros(spec.d)
    b[rng.choice(spec.d, spec.k, replace=False)] = rng.choice([-1.0, 1.0], spec.k)
    X = more.problem.data.X
    data = problem.data
    y = X @ (U @ rng.standard_normal(spec.r) + b)
    larger = MultiTaskData(
        np.concatenate([data.X, X]), np.concatenate([data.y, y]), np.append(data.offsets, data.n + len(y))
    )
    return Change(replace(problem, data=larger), lambda theta: theta, lambda theta: theta[:-1])


def larger_sparsity(context: Context) -> Change:
    problem = context.instance.problem
    return Change(replace(problem, sparsity=problem.sparsity + 1), lambda theta: theta)


def compare(change: Callable[[Context], Change]) -> Callable[[Context], Outcome]:
    """The check that asks both problems and compares."""

    def check(context: Context) -> Outcome:
        before = context.run().model.theta
        changed = change(context)
        after = changed.read(context.run(changed.problem, trace=False).model.theta)
        expected = changed.expected(before)
        difference = float(np.linalg.norm(after - expected) / (np.linalg.norm(expected) or 1.0))
        return Outcome.below("relative difference of Θ", difference, SAME)

    return check


def _gauge(context: Context) -> Outcome:
    """Two warm starts of one subspace: U, and UQ with W Q."""
    problem, truth, rng = context.instance.problem, context.instance.truth, context.rng
    start = near(truth, rng)
    Q = np.linalg.qr(rng.standard_normal((truth.rank, truth.rank)))[0]
    answers = []
    for rotation in (np.eye(truth.rank), Q):
        turned = LRSModel(start.U @ rotation, start.W @ rotation, start.B)
        answers.append(context.run(replace(problem, warm_start=turned), trace=False).model.theta)
    difference = float(np.linalg.norm(answers[1] - answers[0]) / (np.linalg.norm(answers[0]) or 1.0))
    return Outcome.below("relative difference of Θ", difference, SAME)


_CHANGES: dict[str, tuple[Callable[[Context], Change], str]] = {
    "task-permutation": (task_permutation, "Reordering the tasks reorders the answer."),
    "sample-permutation": (sample_permutation, "Reordering the rows within the tasks does not change the answer."),
    "coordinate-permutation": (coordinate_permutation, "Reordering the coordinates reorders the answer."),
    "coordinate-signs": (coordinate_signs, "Changing the sign of coordinates of x changes those signs of the answer."),
    "task-signs": (task_signs, "Changing the sign of a task's responses changes the sign of its answer."),
    "response-scale": (response_scale, "Multiplying y by a constant multiplies the answer."),
    "duplicated-samples": (duplicated_samples, "Listing every row twice does not change the answer."),
    "irrelevant-coordinate": (
        irrelevant_coordinate,
        "A further coordinate that no response uses gets the parameter 0.",
    ),
    "added-task": (added_task, "One more task of the same model does not change the answers of the others."),
    "larger-sparsity": (larger_sparsity, "Told k + 1 instead of k non-zeros, the solver answers the same Θ."),
}

_CITE = "symmetry of the objective and of the law of the data [D]; two answers compared, no truth"


def _deep(region: Region) -> SearchStrategy[Configuration]:
    # One coordinate, one task or one non-zero more must leave the problem inside, so none of these starts on the shell.
    return strategies.inside(region, sizes=strategies.TINY, slacks=(0.5, 0.8), corners=("plain", "signs", "tiny b"))


for _name, (_change, _statement) in _CHANGES.items():
    register(
        Claim(
            name=f"invariance/{_name}",
            statement=_statement,
            cite=_CITE,
            kind=AtLeast(0.95, 0.80),
            configurations=_deep,
            check=compare(_change),
            traits=("exact", "low_rank", "sparse"),
            calls=2,
        )
    )
register(
    Claim(
        name="invariance/gauge",
        statement="Warm starts U and UQ (with W and WQ) lead to the same answer.",
        cite="U w = (UQ)(Qᵀw): the model is defined up to a rotation [D]",
        kind=AtLeast(0.95, 0.80),
        configurations=_deep,
        check=_gauge,
        traits=("exact", "low_rank", "sparse", "warm_start"),
        calls=2,
    )
)
