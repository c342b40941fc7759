"""A textbook alternating minimisation in plain NumPy, made to be broken: every step is a method that a mutant overrides.

It is a second, independent implementation of the idea of `lrs.AMHT` (no code is shared), written for small problems: all
tasks are padded to one array and each step is one batched linear-algebra call. The conformance suite must confirm it,
and must refute each of its mutants (`property_tests.mutants`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from lrs.model import LRSModel
from lrs.problem import Problem
from lrs.solver import Callback, Iterate, Solution, Status, Traits

#: A task is explained when its residual sum of squares is below this share of ‖y‖²; it is computed from XᵀX, whose
#: rounding allows no smaller one.
EXPLAINED = 1e-13


class Batch:
    """All tasks as one padded array; rows of zeros change no least-squares problem.

    Attributes
    ----------
    X : (t, m, d), y : (t, m)
    gram : (t, d, d)
        XᵀX of every task.
    moment : (t, d)
        Xᵀy of every task.
    energy : (t,)
        ‖y‖² of every task.
    counts : (t,)
        Rows of every task.
    """

    def __init__(self, X: np.ndarray, y: np.ndarray, counts: np.ndarray, rank: int, sparsity: int) -> None:
        self.X, self.y, self.counts, self.rank, self.sparsity = X, y, counts, rank, sparsity
        self.t, _, self.d = X.shape
        self.gram = np.swapaxes(X, 1, 2) @ X
        self.moment = np.einsum("tmd,tm->td", X, y)
        self.energy = (y**2).sum(axis=1)

    @classmethod
    def of(cls, problem: Problem) -> Batch:
        """Pad the tasks of a problem."""
        data = problem.data
        position = np.arange(data.n) - np.repeat(data.offsets[:-1], data.counts)
        X = np.zeros((data.t, int(data.counts.max()), data.d))
        y = np.zeros(X.shape[:2])
        X[data.groups, position], y[data.groups, position] = data.X, data.y
        return cls(X, y, data.counts.astype(float), problem.rank, problem.sparsity)

    def select(self, tasks: Int[np.ndarray, " n"]) -> Batch:
        """The given tasks only."""
        return Batch(self.X[tasks], self.y[tasks], self.counts[tasks], self.rank, self.sparsity)

    def residuals(self, theta: Float[np.ndarray, "t d"]) -> Float[np.ndarray, "t m"]:
        """y − Xθ of every task."""
        return self.y - np.einsum("tmd,td->tm", self.X, theta)


class Fit(NamedTuple):
    """Least squares of every task on [XU, X_S].

    Attributes
    ----------
    x : (t, r + s)
        Coefficients, those of U first.
    gradient : (t, d)
        Xᵀ(y − Xθ).
    rss : (t,)
        Residual sum of squares.
    normal : (t, r + s, r + s), columns : (t, d, r + s)
        [U, e_S]ᵀXᵀX[U, e_S] and XᵀX[U, e_S].
    """

    x: np.ndarray
    gradient: np.ndarray
    rss: np.ndarray
    normal: np.ndarray
    columns: np.ndarray

    @property
    def eliminated(self) -> Float[np.ndarray, "t p d"]:
        """normal⁻¹ columnsᵀ: what projecting the fitted columns out takes."""
        return np.linalg.solve(self.normal, np.swapaxes(self.columns, 1, 2))


def least_squares(batch: Batch, U: Float[np.ndarray, "d r"], S: Int[np.ndarray, "t s"]) -> Fit:
    """Fit (w, b_S) of every task with U and the supports given."""
    rows = np.arange(batch.t)[:, None]
    columns = np.concatenate([batch.gram @ U, np.swapaxes(batch.gram[rows, S], 1, 2)], axis=2)
    normal = np.concatenate([U.T @ columns, np.take_along_axis(columns, S[:, :, None], axis=1)], axis=1)
    target = np.concatenate([batch.moment @ U, np.take_along_axis(batch.moment, S, axis=1)], axis=1)
    p = normal.shape[1]
    # A ridge at the level of rounding keeps rank-deficient fits (fewer rows than unknowns) finite.
    ridge = 1e-14 * np.trace(normal, axis1=1, axis2=2) + np.finfo(float).tiny
    normal = normal + ridge[:, None, None] * np.eye(p)
    x = np.linalg.solve(normal, target[:, :, None])[:, :, 0]
    gradient = batch.moment - (columns @ x[:, :, None])[:, :, 0]
    rss = batch.energy - (target * x).sum(axis=1)
    return Fit(x, gradient, np.maximum(rss, 1e-32 * batch.energy), normal, columns)


def next_coordinate(batch: Batch, fit: Fit, S: Int[np.ndarray, "t s"]) -> Int[np.ndarray, "t 1"]:
    """The coordinate outside S that lowers each task's residual most (orthogonal least squares)."""
    diagonal = np.einsum("tdd->td", batch.gram)
    left = diagonal - np.einsum("tdp,tpd->td", fit.columns, fit.eliminated)
    gain = fit.gradient**2 / np.maximum(left, 1e-6 * diagonal + np.finfo(float).tiny)
    np.put_along_axis(gain, S, -1.0, axis=1)
    return gain.argmax(axis=1)[:, None]


@dataclass(eq=False)
class State:
    """Where a run stands: U (d, r), W (t, r), dense B (t, d), supports S (t, k), relative residual, Δ of the last step (t,)."""

    U: np.ndarray
    W: np.ndarray
    B: np.ndarray
    S: np.ndarray
    residual: float = np.inf
    iteration: int = 0
    threshold: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class Textbook:
    """Alternating minimisation: supports, then (w, b) by least squares, then one Gauss–Newton step on U, then QR.

    Parameters
    ----------
    max_iterations : int
    exchanges : int
        Passes over the support in which one coordinate at a time may be exchanged.
    restarts : int
        Random supports tried for tasks that stay unexplained while the others are.
    """

    max_iterations: int = 40
    exchanges: int = 3
    restarts: int = 40
    traits: ClassVar[Traits] = Traits(warm_start=True)

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        batch = Batch.of(problem)
        state = self.start(problem, batch)
        self.show(problem, state, callback)
        residuals: list[float] = []
        status: Status | None = None
        while status is None:
            state = self.step(batch, state)
            residuals.append(state.residual)
            status = self.finished(residuals)
            self.show(problem, state, callback)
        state = self.finish(problem, batch, state, rng)
        if not problem.noise and state.residual > 1e-9:
            status = Status.STALLED
        return Solution(self.model(problem, state), status, state.iteration, state.residual)

    # ------------------------------------------------------------------ steps
    def start(self, problem: Problem, batch: Batch) -> State:
        """U from the warm start, or the leading eigenvectors of the mean of s sᵀ − Σ_j y_j² x_jx_jᵀ/m², s = Xᵀy/m."""
        t, d, r, k = batch.t, batch.d, batch.rank, batch.sparsity
        if problem.warm_start is not None:
            U = np.linalg.qr(problem.warm_start.U)[0]
        else:
            s = batch.moment / batch.counts[:, None]
            weighted = batch.X * (batch.y / batch.counts[:, None])[:, :, None]
            M = s.T @ s - np.einsum("tma,tmb->ab", weighted, weighted)
            U = np.linalg.eigh(M)[1][:, ::-1][:, :r]
        return State(U, np.zeros((t, r)), np.zeros((t, d)), np.zeros((t, k), dtype=np.int64))

    def step(self, batch: Batch, state: State) -> State:
        """One outer step."""
        S = self.sparse_step(batch, state)
        W, B, fit = self.weight_step(batch, state.U, S)
        U = self.subspace_step(batch, replace(state, S=S, W=W, B=B), fit)
        U, W = self.orthonormalise(U, W)
        residual = self.relative_residual(batch, W @ U.T + B)
        return State(U, W, B, S, residual, state.iteration + 1)

    def sparse_step(self, batch: Batch, state: State) -> Int[np.ndarray, "t k"]:
        """Supports: greedy selection with exchanges from nothing and from the last support; the better of the two."""
        greedy = self.search(batch, state.U, None)
        if state.iteration == 0:
            return greedy[0]
        return self.better(greedy, self.search(batch, state.U, state.S))

    def search(
        self, batch: Batch, U: np.ndarray, S: Int[np.ndarray, "t k"] | None
    ) -> tuple[Int[np.ndarray, "t k"], Float[np.ndarray, " t"]]:
        """Supports and residuals after exchanging one coordinate at a time, from S or from a greedy selection."""
        if S is None:
            S = np.zeros((batch.t, 0), dtype=np.int64)
            for _ in range(self.support_size(batch)):
                S = np.concatenate([S, next_coordinate(batch, least_squares(batch, U, S), S)], axis=1)
        rss = least_squares(batch, U, S).rss
        for _ in range(self.exchanges):
            changed = False
            for position in range(S.shape[1]):
                kept = np.delete(S, position, axis=1)
                tried = np.concatenate([kept, next_coordinate(batch, least_squares(batch, U, kept), kept)], axis=1)
                tried_rss = least_squares(batch, U, tried).rss
                wins = tried_rss < rss * (1 - 1e-9)
                changed |= bool(wins.any())
                S, rss = np.where(wins[:, None], tried, S), np.where(wins, tried_rss, rss)
            if not changed:
                break
        return S, rss

    @staticmethod
    def better(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> Int[np.ndarray, "t k"]:
        """Per task, the support with the smaller residual."""
        return np.where((b[1] < a[1])[:, None], b[0], a[0])

    def support_size(self, batch: Batch) -> int:
        """Non-zeros of every b, never more than leave most tasks a residual to compare."""
        return min(batch.sparsity, max(0, int(np.median(batch.counts)) - batch.rank))

    def weight_step(
        self, batch: Batch, U: np.ndarray, S: np.ndarray
    ) -> tuple[Float[np.ndarray, "t r"], Float[np.ndarray, "t d"], Fit]:
        """w and b by least squares on the support."""
        fit = least_squares(batch, U, S)
        r = U.shape[1]
        B = np.zeros((batch.t, batch.d))
        np.put_along_axis(B, S, fit.x[:, r:], axis=1)
        return fit.x[:, :r], B, fit

    def task_weights(self, batch: Batch, state: State, fit: Fit) -> Float[np.ndarray, " t"]:
        """Weights that keep a task with a wrong support from spoiling U; all equal once every task is explained."""
        freedom = batch.counts - state.W.shape[1] - state.S.shape[1]
        usable = freedom > 0
        level, size = fit.rss / np.maximum(freedom, 1), (state.W**2).sum(axis=1)
        weight = 1.0 / ((level + 0.1 * np.median(level)) * (size + 0.1 * np.median(size)) + np.finfo(float).tiny)
        weight = np.where(usable, weight, 0.0)  # a task with fewer rows than parameters says nothing about U
        return weight / (weight.max() or 1.0)

    def subspace_step(self, batch: Batch, state: State, fit: Fit) -> Float[np.ndarray, "d r"]:
        """U + D with D least squares on Σ_i ω_i‖P_i(y_i − X_iθ_i − X_iD w_i)‖², P_i projecting (w, b_S) out."""
        r, d = state.W.shape[1], batch.d
        omega = self.task_weights(batch, state, fit)
        projected = batch.gram - fit.columns @ fit.eliminated
        weighted = state.W * omega[:, None]
        A = (weighted[:, :, None] * state.W[:, None, :]).reshape(batch.t, r * r).T @ projected.reshape(batch.t, d * d)
        A = A.reshape(r, r, d, d).transpose(0, 2, 1, 3).reshape(r * d, r * d)
        V = self.residual_moment(batch, state, fit).T @ weighted
        return state.U + self.unvec(np.linalg.lstsq(A, self.vec(V), rcond=1e-12)[0], d, r)

    def residual_moment(self, batch: Batch, state: State, fit: Fit) -> Float[np.ndarray, "t d"]:
        """Xᵀ(y − Xθ) of every task."""
        return fit.gradient

    def vec(self, V: Float[np.ndarray, "d r"]) -> Float[np.ndarray, " dr"]:
        """Columns stacked, which is what A = Σ wwᵀ ⊗ XᵀX asks for."""
        return V.ravel(order="F")

    @staticmethod
    def unvec(v: Float[np.ndarray, " dr"], d: int, r: int) -> Float[np.ndarray, "d r"]:
        """Inverse of the column-stacking vec."""
        return v.reshape(d, r, order="F")

    def orthonormalise(self, U: np.ndarray, W: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """U ← Q and w ← R w of U = QR, which leaves U w as it was."""
        Q, R = np.linalg.qr(U)
        return Q, W @ R.T

    # ------------------------------------------------------------------ ends
    def finished(self, residuals: list[float]) -> Status | None:
        """At the rounding floor, or not falling over the last four steps, or at the cap."""
        if residuals[-1] < 1e-14:
            return Status.CONVERGED
        if len(residuals) > 8 and residuals[-1] > 0.97 * min(residuals[-6:-4]):
            return Status.CONVERGED
        return Status.ITERATION_CAP if len(residuals) >= self.max_iterations else None

    def finish(self, problem: Problem, batch: Batch, state: State, rng: np.random.Generator) -> State:
        """Tasks still unexplained although half of them are get other supports at random; the others stay."""
        W, B, fit = self.weight_step(batch, state.U, state.S)
        S = state.S.copy()
        rss = fit.rss
        if not problem.noise and np.median(rss / batch.energy) < EXPLAINED:
            for _ in range(self.restarts):
                bad = np.flatnonzero(rss > EXPLAINED * batch.energy)
                if not len(bad) or not S.shape[1]:
                    break
                tried = rng.permuted(np.tile(np.arange(batch.d), (len(bad), 1)), axis=1)[:, : S.shape[1]]
                found, found_rss = self.search(batch.select(bad), state.U, tried)
                wins = found_rss < rss[bad]
                S[bad[wins]], rss[bad[wins]] = found[wins], found_rss[wins]
            W, B, _ = self.weight_step(batch, state.U, S)
        return replace(state, W=W, B=B, S=S, residual=self.relative_residual(batch, W @ state.U.T + B))

    def relative_residual(self, batch: Batch, theta: Float[np.ndarray, "t d"]) -> float:
        """‖y − ŷ‖₂ / ‖y‖₂."""
        return float(np.linalg.norm(batch.residuals(theta)) / (np.sqrt(batch.energy.sum()) or 1.0))

    def model(self, problem: Problem, state: State) -> LRSModel:
        """The answer in the toolkit's type."""
        data = problem.data
        return LRSModel(state.U, state.W, sparse.csr_array(state.B), data.task_names, data.feature_names)

    def show(self, problem: Problem, state: State, callback: Callback | None) -> None:
        """Call the callback."""
        if callback is not None:
            info = {} if state.threshold is None else {"threshold": state.threshold}
            callback(Iterate(state.iteration, self.model(problem, state), state.residual, info))


@dataclass(frozen=True, kw_only=True)
class Thresholding(Textbook):
    """The paper's three plain steps with a threshold that falls geometrically, Δ_ℓ = Δ_0 ρ^ℓ.

    b ← HT(b + (1/m) Xᵀ(y − X(v + b)), Δ) ``inner_steps`` times, w ← least squares, U ← least squares, QR. The rule for Δ
    is this toolkit's: the paper's needs bounds on the errors that nobody has in practice.
    """

    max_iterations: int = 200
    start_level: float = 1.0
    shrink: float = 0.8
    inner_steps: int = 4
    traits: ClassVar[Traits] = Traits(noise=False, warm_start=False, thresholds=True)
    region: ClassVar[str] = "paper"

    def start(self, problem: Problem, batch: Batch) -> State:
        state = super().start(problem, batch)
        return replace(state, W=self.plain_weights(batch, state.U, state.B))

    def level(self, batch: Batch, iteration: int) -> Float[np.ndarray, " t"]:
        """Δ of every task: from its own ‖y‖/√m ≈ ‖θ‖ downwards."""
        return (
            self.start_level
            * self.shrink**iteration
            * np.sqrt(batch.energy.max() / batch.counts.mean())
            * np.ones(batch.t)
        )

    def stepsize(self, batch: Batch) -> Float[np.ndarray, "t 1"]:
        """1/m."""
        return 1.0 / batch.counts[:, None]

    def threshold(self, c: Float[np.ndarray, "t d"], level: Float[np.ndarray, " t"]) -> Float[np.ndarray, "t d"]:
        """HT(c, Δ)."""
        return np.where(np.abs(c) > level[:, None], c, 0.0)

    def plain_weights(self, batch: Batch, U: np.ndarray, B: np.ndarray) -> Float[np.ndarray, "t r"]:
        """w ← ((XU)ᵀXU)⁻¹(XU)ᵀ(y − X b)."""
        target = batch.moment - np.einsum("tab,tb->ta", batch.gram, B)
        normal = U.T @ (batch.gram @ U)
        return np.linalg.solve(normal, (target @ U)[:, :, None])[:, :, 0]

    def step(self, batch: Batch, state: State) -> State:
        v, B = state.W @ state.U.T, state.B
        level = self.level(batch, state.iteration)
        for _ in range(self.inner_steps):
            gradient = batch.moment - np.einsum("tab,tb->ta", batch.gram, v + B)
            B = self.threshold(B + self.stepsize(batch) * gradient, level)
        W = self.plain_weights(batch, state.U, B)
        target = batch.moment - np.einsum("tab,tb->ta", batch.gram, B)
        r, d = W.shape[1], batch.d
        A = (W[:, :, None] * W[:, None, :]).reshape(batch.t, r * r).T @ batch.gram.reshape(batch.t, d * d)
        A = A.reshape(r, r, d, d).transpose(0, 2, 1, 3).reshape(r * d, r * d)
        U, W = self.orthonormalise(self.unvec(np.linalg.lstsq(A, self.vec(target.T @ W), rcond=None)[0], d, r), W)
        residual = self.relative_residual(batch, W @ U.T + B)
        return State(U, W, B, state.S, residual, state.iteration + 1, level)

    def finished(self, residuals: list[float]) -> Status | None:
        if not np.isfinite(residuals[-1]) or residuals[-1] > 1e3:
            return Status.DIVERGED
        if residuals[-1] < 1e-13:
            return Status.CONVERGED
        return Status.ITERATION_CAP if len(residuals) >= self.max_iterations else None

    def finish(self, problem: Problem, batch: Batch, state: State, rng: np.random.Generator) -> State:
        return state
