"""The convex program: the matrix of least nuclear norm that explains the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lrs.core.errors import MissingExtra
from lrs.core.solver import Callback, Iterate, Solution, Status, Traits
from lrs.core.validate import integer, real
from lrs.families.matrix_sensing.problem import NAME, SensingProblem
from lrs.families.matrix_sensing.spectral import truncated


@dataclass(frozen=True)
class NuclearNorm:
    """min ‖S‖_* subject to 𝒜(S) = y over all n × n2 matrices, as a semidefinite program by SCS (O'Donoghue et al. 2016).

    It is not told the rank, nor that M is symmetric; its answer is cut to rank k. The package ``scs`` is an extra.

    Parameters
    ----------
    tolerance : float
        Absolute and relative tolerance of SCS.
    max_iterations : int
        Of SCS.
    """

    tolerance: float = 1e-8
    max_iterations: int = 20_000
    family: ClassVar[str] = NAME
    traits: ClassVar[Traits] = Traits(trace=False, noise=False, nuclear_norm=True)

    def __post_init__(self) -> None:
        real("tolerance", self.tolerance, above=0)
        integer("max_iterations", self.max_iterations, least=1)

    def __call__(
        self, problem: SensingProblem, *, rng: np.random.Generator, callback: Callback | None = None
    ) -> Solution:
        S, status, steps = (problem.y, Status.CONVERGED, 0) if problem.A is None else self._program(problem)
        found = truncated(S, problem.rank, problem.symmetric)
        origin = np.linalg.norm(problem.residual(np.zeros(problem.shape))) or 1.0
        residual = float(np.linalg.norm(problem.residual(found.matrix)) / origin)
        if callback is not None:
            callback(Iterate(0, found, residual))
        return Solution(found, status, steps, residual)

    def _program(self, problem: SensingProblem) -> tuple[np.ndarray, Status, int]:
        """min ½(tr V + tr W) subject to 𝒜(S) = y and [[V, Sᵀ], [S, W]] ⪰ 0, whose lower triangle is the variable."""
        try:
            import scs
        except ImportError:
            raise MissingExtra("scs", "convex", "nuclear-norm") from None
        from scipy import sparse

        assert problem.A is not None
        m, n, n2 = problem.A.shape
        N = n + n2
        column, row = np.triu_indices(N)  # of the lower triangle, column by column
        place = np.zeros((N, N), dtype=int)
        place[row, column] = np.arange(len(row))
        S = place[n2:, :n2].ravel()
        lengths = np.linalg.norm(problem.A.reshape(m, -1), axis=1)
        equations = np.zeros((m, len(row)))
        equations[:, S] = (
            problem.A.reshape(m, -1) / lengths[:, None] / np.sqrt(2)
        )  # SCS scales what is off the diagonal by √2
        data = {
            "A": sparse.vstack([sparse.csc_matrix(equations), -sparse.eye(len(row))]).tocsc(),
            "b": np.r_[problem.y / lengths, np.zeros(len(row))],
            "c": np.where(row == column, 0.5, 0.0),
        }
        settings = {"eps_abs": self.tolerance, "eps_rel": self.tolerance, "max_iters": self.max_iterations}
        found = scs.SCS(data, {"z": m, "s": [N]}, verbose=False, **settings).solve()
        status = Status.CONVERGED if found["info"]["status"] == "solved" else Status.ITERATION_CAP
        if found["info"]["status_val"] < 0:  # no S explains the data, or SCS says so
            status = Status.STALLED
        solved = np.nan_to_num(found["x"][S] / np.sqrt(2))
        return solved.reshape(n, n2), status, int(found["info"]["iter"])
