"""Smaller models out of a larger one: nested ranks, and the model of every storage budget."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from scipy import sparse

from lrs.families.low_rank_sparse.model import LRSModel, truncates
from lrs.families.low_rank_sparse.problem import MultiTaskData
from lrs.kernels.engine import Engine, Pass

#: Rounds of U, then (w, b), stop when one lowers the error by less than this share of it.
GAIN = 1e-4
ROUNDS = 50
#: Exchanges of one personal coordinate per task and round.
SWAPS = 8
#: Eigenvalues of the features' second moment below this share of the largest are rounding.
FLAT = 1e-12


def leading(model: LRSModel, rank: int) -> LRSModel:
    """The model's ``rank`` directions that carry most of U Wᵀ, most first."""
    rotation = np.linalg.eigh(model.W.T @ model.W)[1][:, ::-1][:, :rank]
    return replace(model, U=model.U @ rotation, W=model.W @ rotation)


def roots(moment: Float[np.ndarray, "d d"]) -> tuple[Float[np.ndarray, "d d"], Float[np.ndarray, "d d"]]:
    """S with SᵀS = C, symmetric, and its pseudo-inverse."""
    values, vectors = np.linalg.eigh((moment + moment.T) / 2)
    size = np.sqrt(np.where(values > FLAT * max(values[-1], 0.0), values, 0.0))
    inverse = np.where(size > 0, 1 / np.where(size > 0, size, 1.0), 0.0)
    return (vectors * size) @ vectors.T, (vectors * inverse) @ vectors.T


def directions(
    theta: Float[np.ndarray, "t d"], moment: Float[np.ndarray, "d d"], rank: int
) -> Float[np.ndarray, "d r"]:
    """Orthonormal U (d, r) of the best approximation of Θ by rank r in Σ_i (θ_i − θ'_i)ᵀC(θ_i − θ'_i), its prefixes those of lower ranks.

    With S = C^{½} it is spanned by S⁻¹ times the leading right singular vectors of ΘS (Eckart and Young 1936).
    """
    root, inverse = roots(moment)
    right = np.linalg.svd(theta @ root, full_matrices=False)[2]
    return np.linalg.qr(inverse @ right[:rank].T)[0]


@truncates
def truncate(model: LRSModel, rank: int, sparsity: int, moment: Float[np.ndarray, "d d"] | None = None) -> LRSModel:
    """The model of this rank and sparsity whose predictions are nearest to the model's, Σ_i (θ_i − θ'_i)ᵀC(θ_i − θ'_i).

    U is the best for the personal parts at hand, w and b are the best found for this U, by turns, each of which lowers the
    error. Without personal coordinates the first turn is the optimum; with them it is a local one.
    """
    C = np.eye(model.d) if moment is None else moment
    root, _ = roots(C)
    theta = model.theta
    # Every task's parameters as rows of data: ‖S(θ − Uw − b)‖² is a task's residual with X = S, y = Sθ.
    t, d = theta.shape
    data = MultiTaskData(np.tile(root, (t, 1)), (theta @ root).ravel(), np.arange(t + 1) * d)
    U = directions(theta - (model.B.toarray() if sparsity else 0.0), C, rank)
    with Engine(data, rank, sparsity) as engine:
        fit = engine.fit(U, Pass(start=engine.no_support(), swaps=SWAPS))
        best = U, fit
        for _ in range(ROUNDS if sparsity and rank else 0):
            before = float(best[1].rss.sum())
            if before <= 1e-24 * float(engine.energy.sum()):
                break
            U = directions(theta - best[1].B, C, rank)
            fit = engine.fit(U, Pass(swaps=SWAPS), fit=best[1])
            if not float(fit.rss.sum()) < before:
                break
            best = U, fit
            if float(fit.rss.sum()) > (1 - GAIN) * before:
                break
        U, fit = best
        return replace(model, U=U, W=fit.W.copy(), B=sparse.csr_array(fit.B))


def within(model: LRSModel, numbers: int, moment: Float[np.ndarray, "d d"] | None = None) -> LRSModel:
    """The model that keeps at most so many numbers a task, r + k, and is nearest to the model given."""
    C = np.eye(model.d) if moment is None else moment
    theta, made = model.theta, []
    widest = int(np.diff(model.B.indptr).max(initial=0))
    for rank in range(min(numbers, model.d, model.t) + 1):
        sparsity = min(numbers - rank, model.d)
        if sparsity and not widest:
            continue  # nothing personal was found
        made.append(truncate(model, rank, sparsity, C))
    lost = [float(np.einsum("td,de,te->", theta - one.theta, C, theta - one.theta)) for one in made]
    return made[int(np.argmin(lost))]
