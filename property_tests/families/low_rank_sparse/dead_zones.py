"""Solvers that are right on small or easy problems and useless in a zone: what an average over the region does not see.

A zone is a predicate over the sizes of a problem and the model that fits it, a damage is what the solver does to the right
model there. The mutants are registered with the others in `property_tests.families.low_rank_sparse.mutants`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import sparse

from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import Problem
from lrs.solver import Callback, Solution


@dataclass(frozen=True, eq=False)
class Seen:
    """What zones look at: rows per task, and the right model of a problem of rank r and sparsity k."""

    counts: np.ndarray
    model: LRSModel
    r: int
    k: int

    @property
    def t(self) -> int:
        return self.model.t

    @property
    def d(self) -> int:
        return self.model.d

    @property
    def m(self) -> int:
        """Rows of the largest task."""
        return int(self.counts.max())

    @property
    def ragged(self) -> bool:
        return int(self.counts.min()) < self.m

    @cached_property
    def few_rows(self) -> bool:
        return 2 * self.m < self.d

    @property
    def _norms(self) -> np.ndarray:
        return np.linalg.norm(self.model.W, axis=1)

    @property
    def b(self) -> float:
        """Median size of the non-zeros of b, in units of the median norm of w."""
        b, w = np.abs(self.model.B.data), float(np.median(self._norms))
        return float(np.median(b[b > 0])) / w if w > 0 and (b > 0).any() else 1.0

    @property
    def condition(self) -> float:
        """κ, of WᵀW."""
        return float(np.linalg.cond(self.model.W) ** 2) if self.model.rank else 1.0

    @property
    def spread(self) -> float:
        """Standard deviation of ln ‖w‖."""
        norms = self._norms
        return float(np.std(np.log(norms[norms > 0]))) if (norms > 0).any() else 0.0

    @property
    def share(self) -> float:
        """The largest share of tasks that use one coordinate, in units of what k of d coordinates at random would."""
        used = np.bincount(self.model.B.indices, minlength=self.d).max()
        return float(used / self.t * self.d / max(self.k, 1))

    @property
    def row(self) -> float:
        """Squared norm of the largest row of U."""
        return float((self.model.U**2).sum(axis=1).max())

    @property
    def repeated(self) -> float:
        """Share of tasks whose w is that of another task."""
        return 1 - len(np.unique(self.model.W.round(9), axis=0)) / self.t


def zero(problem: Problem, model: LRSModel) -> LRSModel:
    """Nothing at all."""
    return LRSModel(model.U, 0 * model.W, sparse.csr_array(model.B.shape))


def least_squares(problem: Problem, model: LRSModel) -> LRSModel:
    """Shared part by least squares of every task's responses, personal part left out."""
    return LRSModel(model.U, _weights(problem, model.U), sparse.csr_array(model.B.shape))


def one_task(problem: Problem, model: LRSModel) -> LRSModel:
    """The last task is not answered."""
    kept = np.arange(model.t) < model.t - 1
    return LRSModel(model.U, model.W * kept[:, None], sparse.csr_array(model.B.multiply(kept[:, None])))


def moved_supports(problem: Problem, model: LRSModel) -> LRSModel:
    """In 5 % of the tasks b lies one coordinate further."""
    B = model.B.toarray()
    wrong = np.arange(model.t) % 20 == 0
    B[wrong] = np.roll(B[wrong], 1, axis=1)
    return LRSModel(model.U, model.W, sparse.csr_array(B))


def smallest_entry(problem: Problem, model: LRSModel) -> LRSModel:
    """Of every b the smallest non-zero is dropped."""
    B = model.B.toarray()
    size = np.where(B == 0, np.inf, np.abs(B))
    return LRSModel(model.U, model.W, sparse.csr_array(np.where(size == size.min(axis=1, keepdims=True), 0.0, B)))


def turned(problem: Problem, model: LRSModel) -> LRSModel:
    """The subspace is turned by 1e-3 towards the first direction outside of it."""
    U = model.U.copy()
    outside = np.eye(len(U))[0] - U @ U[0]
    if U.shape[1] and (size := np.linalg.norm(outside)) > 0:
        U[:, 0] = np.cos(1e-3) * U[:, 0] + np.sin(1e-3) * outside / size
    return LRSModel(U, model.W, model.B)


def inexact(problem: Problem, model: LRSModel) -> LRSModel:
    """A relative error of 1e-5."""
    return LRSModel(model.U, model.W * (1 + 1e-5), model.B * (1 + 1e-5))


def _weights(problem: Problem, U: np.ndarray) -> np.ndarray:
    return np.array([np.linalg.lstsq(X @ U, y, rcond=None)[0] for X, y in problem.data])


Damage = Callable[[Problem, LRSModel], LRSModel]


@dataclass(frozen=True)
class DeadZone:
    """Where a solver is useless, and how."""

    where: str
    zone: Callable[[Seen], bool]
    damage: Damage

    @property
    def why(self) -> str:
        what = (self.damage.__doc__ or "").rstrip(".")
        return f"{self.where}: {what[0].lower()}{what[1:]}"

    def __call__(
        self, solver: Callable[..., Solution], problem: Problem, rng: np.random.Generator, callback: Callback | None
    ) -> Solution:
        """The solver's answer, damaged inside the zone."""
        solution = solver(problem, rng=rng, callback=callback)
        seen = Seen(problem.data.counts, solution.model, problem.rank, problem.sparsity)
        return replace(solution, model=self.damage(problem, solution.model)) if self.zone(seen) else solution


DEAD_ZONES: dict[str, DeadZone] = {
    "dead_few_rows": DeadZone("m < d/2", lambda s: s.few_rows, zero),
    "dead_very_few_rows": DeadZone("m ≤ d/4", lambda s: 4 * s.m <= s.d, moved_supports),
    "dead_between": DeadZone("d/2 < m < d, 48 ≤ d", lambda s: s.d / 2 < s.m < s.d and s.d >= 48, least_squares),
    "dead_d64": DeadZone("d ≥ 64", lambda s: s.d >= 64, one_task),
    "dead_d100": DeadZone("d ≥ 100", lambda s: s.d >= 100, turned),
    "dead_t300": DeadZone("t ≥ 300", lambda s: s.t >= 300, inexact),
    "dead_large": DeadZone("t m d ≥ 2e6", lambda s: s.t * s.m * s.d >= 2e6, one_task),
    "dead_few_tasks": DeadZone("t ≤ 40, d ≥ 90", lambda s: s.t <= 40 and s.d >= 90, zero),
    "dead_r4": DeadZone("r ≥ 4", lambda s: s.r >= 4, turned),
    "dead_r3_few_rows": DeadZone("r ≥ 3, m < d/2", lambda s: s.r >= 3 and s.few_rows, least_squares),
    "dead_r4_k1": DeadZone("r ≥ 4, k = 1", lambda s: s.r >= 4 and s.k == 1, zero),
    "dead_k5": DeadZone("k ≥ 5", lambda s: s.k >= 5, smallest_entry),
    "dead_k3_few_rows": DeadZone("k ≥ 3, m < d/2", lambda s: s.k >= 3 and s.few_rows, smallest_entry),
    "dead_r4_k5": DeadZone("r ≥ 4, k ≥ 5", lambda s: s.r >= 4 and s.k >= 5, inexact),
    "dead_ragged_few_rows": DeadZone("ragged, m < d/2", lambda s: s.ragged and s.few_rows, one_task),
    "dead_ragged_d100": DeadZone("ragged, d ≥ 100", lambda s: s.ragged and s.d >= 100, zero),
    "dead_tiny_b": DeadZone("b < .05 w, m < d/2", lambda s: s.b < 0.05 and s.few_rows, smallest_entry),
    "dead_large_b": DeadZone("b > 20 w, d ≥ 90", lambda s: s.b > 20 and s.d >= 90, turned),
    "dead_condition": DeadZone("κ > 30, d ≥ 48", lambda s: s.condition > 30 and s.d >= 48, inexact),
    "dead_spread": DeadZone("spread of ln ‖w‖ > 1.3, d ≥ 100", lambda s: s.spread > 1.3 and s.d >= 100, moved_supports),
    "dead_clustered": DeadZone(
        "a coordinate in 10 times its share of tasks, d ≥ 48, t ≥ 100",
        lambda s: s.share > 10 and s.d >= 48 and s.t >= 100,
        moved_supports,
    ),
    "dead_coherent": DeadZone("a row of U with ‖u‖² > .5, d ≥ 90", lambda s: s.row > 0.5 and s.d >= 90, one_task),
    "dead_repeated": DeadZone("an eighth of the w repeated, d ≥ 90", lambda s: s.repeated > 0.125 and s.d >= 90, zero),
}
