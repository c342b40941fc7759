"""AltProj robust PCA, for the fully observed limit in which every task determines its own θ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from lrs.baselines._stack import Progress, Stack, complete_basis
from lrs.baselines.naht import leading
from lrs.core.errors import InvalidInput
from lrs.families.low_rank_sparse.problem import MultiTaskData, Problem
from lrs.solver import Callback, Solution, Status, Traits


@dataclass(frozen=True, kw_only=True)
class AltProj:
    """Split Θ̂ = L + S by alternating projections, rank 1, 2, …, r in stages (Netrapalli et al. 2014).

    Θ̂ is the matrix of per-task least squares. In stage q and step j the threshold is ζ = β(σ_{q+1} + 2⁻ʲ σ_q), σ the singular
    values of Θ̂ − S; S ← entries of Θ̂ − L above ζ, L ← P_q(Θ̂ − S).

    Parameters
    ----------
    beta : float, optional
        Default 2 √(ln t · ln d) / √(t d) [D]: the size of the largest entry of σ u vᵀ for random unit u, v. The paper's
        4 μ² r/√(t d) needs the incoherence μ.
    iterations_per_stage : int

    Raises
    ------
    InvalidInput
        When some task has fewer than d independent rows: Θ is then not observed, and the method does not apply.
    """

    beta: float | None = None
    iterations_per_stage: int = 60
    family: ClassVar[str] = Problem.family
    traits: ClassVar[Traits] = Traits()

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        theta = observed_theta(problem.data)
        stack = Stack(problem.data)
        t, d = theta.shape
        r = min(problem.rank, t)
        beta = self.beta or 2 * np.sqrt(np.log(max(t, 3)) * np.log(max(d, 3)) / (t * d))
        progress = Progress(problem, callback)
        size = float(np.linalg.norm(theta)) or 1.0
        top = float(np.linalg.norm(theta, 2))
        U, W = np.eye(d, problem.rank), np.zeros((t, problem.rank))
        S = np.where(np.abs(theta) > beta * top, theta, 0.0)
        progress.record(U, W, S, stack.relative(stack.residuals(S)))
        previous, status = np.inf, progress.settled()
        for q in range(1, r + 1):
            for j in range(self.iterations_per_stage):
                V = theta - S
                sigma = np.linalg.svd(V, compute_uv=False)
                basis, weights = leading(V, q)
                beyond = sigma[q] if q < len(sigma) else 0.0
                zeta = beta * (beyond + 0.5**j * sigma[q - 1])
                L = weights @ basis.T
                rest = theta - L
                S = np.where(np.abs(rest) > zeta, rest, 0.0)
                left = float(np.linalg.norm(rest - S)) / size
                # Later stages are for directions this one cannot explain.
                if left <= 1e-15 or (j > 5 and abs(previous - left) <= 1e-6 * left):
                    break
                previous = left
            U = complete_basis(basis, problem.rank)
            W = np.zeros((t, problem.rank))
            W[:, :q] = weights
            if not progress.record(U, W, S, stack.relative(stack.residuals(W @ U.T + S)), stage=q):
                return progress.solution(Status.DIVERGED)
            status = progress.settled()
        return progress.solution(status)


def observed_theta(data: MultiTaskData) -> Float[np.ndarray, "t d"]:
    """Least-squares θ of every task, refused when one is not determined by its rows."""
    theta = np.empty((data.t, data.d))
    for i, (X, y) in enumerate(data):
        theta[i], _, rank, _ = np.linalg.lstsq(X, y, rcond=None)
        if rank < data.d:
            raise InvalidInput(
                f"solver: altproj needs every task to determine its own θ (at least d = {data.d} independent rows), but "
                f"task {data.task_names[i]!r} has {len(y)} rows of rank {rank}; use amht or naht"
            )
    return theta
