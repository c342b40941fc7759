"""Numbers of any size: data brought near one by powers of two, without a rounding error, and answers brought back.

Squares of 1e-165 are 0 and those of 1e155 infinite, so that a solver would fit the one and fail at the other. With
X' = X D and y' = 2⁻ᵉ y the equations of a task are the same for θ = 2ᵉ D θ', which is low rank + sparse like θ'. One factor for
all of X and one for y leave a noisy fit what it is, as σ is scaled along. On exact data every column and the responses of every
task may have factors of their own; with noise that would weigh tasks and shrink weights differently, and is not done.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse
from scipy.linalg import solve_triangular

from lrs.core.errors import InvalidInput
from lrs.core.solver import Callback, Solution, Solver
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import MultiTaskData, Problem

#: Exponents of two within which data are left as they are: products of four numbers keep their digits.
ORDINARY = 60
#: Columns whose sizes differ by more binary orders than this are brought to one size.
UNEVEN = 20
#: Rows whose sizes differ by more are refused: the small ones would count for nothing.
WIDEST = 400
#: Rows per feature of a first look.
LOOKED_AT = 4


def _exponents(size: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """⌈log₂⌉ of sizes, that of the largest for what is 0."""
    exponents = np.frexp(size)[1]
    return np.where(size > 0, exponents, exponents[np.argmax(size)] if len(size) else 0)


@dataclass(frozen=True, eq=False)
class Scaling:
    """X = X' 2^columns and y = y' 2^tasks, with exponents of every column and of every task's responses."""

    columns: Int[np.ndarray, " d"]
    tasks: Int[np.ndarray, " t"]

    def problem(self, problem: Problem) -> Problem:
        """In the other numbers."""
        data = problem.data
        y = np.ldexp(data.y, -np.repeat(self.tasks, data.counts))
        other = replace(data, X=np.ldexp(data.X, -self.columns), y=y)
        start = None if problem.warm_start is None else _moved(problem.warm_start, -self.columns, -self.tasks)
        noise = float(np.ldexp(problem.noise, -int(self.tasks.max())))
        return replace(problem, data=other, noise=noise, warm_start=start)

    def model(self, model: LRSModel) -> LRSModel:
        """Back from them."""
        return _moved(model, self.columns, self.tasks)

    def solution(self, solution: Solution[LRSModel]) -> Solution[LRSModel]:
        """Back from them."""
        info = dict(solution.info)
        if "noise_estimate" in info:
            info["noise_estimate"] = float(np.ldexp(info["noise_estimate"], int(self.tasks.max())))
        return replace(solution, model=self.model(solution.model), info=info)


def solved(
    solver: Solver,
    problem: Problem,
    *,
    rng: np.random.Generator,
    callback: Callback | None = None,
    one_factor: bool = False,
) -> Any:
    """What a solver answers, whatever that is, called on numbers of ordinary size; as it is where they are."""
    found = scaling(problem, one_factor=one_factor)
    if found is None:
        return solver(problem, rng=rng, callback=callback)
    look = None if callback is None else lambda seen: callback(replace(seen, model=found.model(seen.model)))
    return found.solution(solver(found.problem(problem), rng=rng, callback=look))


def scaling(problem: Problem, *, one_factor: bool = False) -> Scaling | None:
    """What brings a problem near one; None where nothing is to be done.

    Parameters
    ----------
    problem : Problem
    one_factor : bool
        Use one factor for all of X and one for y, as is done with noise in any case.

    Raises
    ------
    InvalidInput
        When no powers of two will do.
    """
    data = problem.data
    tasks = _exponents(np.maximum.reduceat(np.abs(data.y), data.offsets[:-1]))
    if np.abs(tasks).max() <= ORDINARY // 2 and _plainly_even(data):
        return None
    largest = np.maximum(data.X.max(axis=0), -data.X.min(axis=0))
    columns = _exponents(largest)
    rows = np.maximum(data.X.max(axis=1), -data.X.min(axis=1))
    wide = np.ptp(np.frexp(rows[rows > 0])[1]) if rows.any() else 0
    if max(wide, np.ptp(columns)) > WIDEST:
        raise InvalidInput(
            f"X: its numbers differ in size by a factor of more than 2^{WIDEST}; give the features other units, or scale each row "
            "together with its response"
        )
    uneven = np.ptp(columns) > UNEVEN or np.ptp(tasks) > ORDINARY
    far = max(abs(columns.max()), abs(tasks.max())) > ORDINARY
    if one_factor or problem.noise > 0:
        columns, tasks = np.full_like(columns, columns.max()), np.full_like(tasks, tasks.max())
        uneven = False
    if not (far or uneven):
        return None
    return Scaling(columns, tasks)


def _plainly_even(data: MultiTaskData) -> bool:
    """Whether a look at some of the rows says that X needs no scaling: their columns from below, ‖x‖ of all from above."""
    smallest, largest = np.sqrt(data.row_squares)
    part = data.X[:: max(1, data.n // (LOOKED_AT * data.d))]
    column = float(np.abs(part).max(axis=0).min())
    if min(smallest, column) < 2.0 ** -(ORDINARY // 2) or largest > 2.0 ** (ORDINARY // 2):
        return False
    return bool(np.frexp(largest)[1] - np.frexp(column)[1] <= UNEVEN)


def _moved(model: LRSModel, columns: np.ndarray, tasks: np.ndarray) -> LRSModel:
    """The model with θ_ij multiplied by 2^(tasks_i − columns_j), its U orthonormal again."""
    shift = int(np.median(columns))
    U, W = model.U, model.W
    if (columns != shift).any() and model.rank:
        U = np.ldexp(U, -(columns - shift)[:, None])
        for _ in range(2):  # Q by substitution keeps the digits of every row, and twice makes it orthonormal
            R = np.asarray(np.linalg.qr(U, mode="r"))
            U, W = solve_triangular(R, U.T, trans="T", lower=False).T, W @ R.T
    B = model.B.tocoo()
    with np.errstate(over="ignore"):  # refused below
        W, values = np.ldexp(W, (tasks - shift)[:, None]), np.ldexp(B.data, tasks[B.coords[0]] - columns[B.coords[1]])
    try:
        return replace(model, U=U, W=W, B=sparse.csr_array((values, B.coords), shape=B.shape))
    except InvalidInput as error:
        raise InvalidInput(
            f"X, y: the parameters are beyond the largest number ({error}); give them other units"
        ) from None
