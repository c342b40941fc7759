"""A textbook alternating minimisation in plain NumPy, made to be broken: every step is a part that a mutant exchanges.

It is a second, independent implementation of the steps of `lrs.AMHT` (only the outer iteration, `lrs.amht.driver`, is the
same), written for small problems: all tasks are padded to one array and each step is one batched linear-algebra call.
The conformance suite must confirm it, and must refute each of its mutants (`property_tests.families.low_rank_sparse.mutants`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse as scipy_sparse

from lrs.amht.driver import Alternation, Run, State, Step, View
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import Problem
from lrs.solver import Callback, Solution, Status, Traits

#: A task is explained when its residual sum of squares is below this share of ‖y‖²; it is computed from XᵀX, whose
#: rounding allows no smaller one.
EXPLAINED = 1e-13
#: What the textbook solver can do.
WARM = Traits(warm_start=True)


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


class Squares(NamedTuple):
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


def least_squares(batch: Batch, U: Float[np.ndarray, "d r"], S: Int[np.ndarray, "t s"]) -> Squares:
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
    return Squares(x, gradient, np.maximum(rss, 1e-32 * batch.energy), normal, columns)


def next_coordinate(batch: Batch, fit: Squares, S: Int[np.ndarray, "t s"]) -> Int[np.ndarray, "t 1"]:
    """The coordinate outside S that lowers each task's residual most (orthogonal least squares)."""
    diagonal = np.einsum("tdd->td", batch.gram)
    left = diagonal - np.einsum("tdp,tpd->td", fit.columns, fit.eliminated)
    gain = fit.gradient**2 / np.maximum(left, 1e-6 * diagonal + np.finfo(float).tiny)
    np.put_along_axis(gain, S, -1.0, axis=1)
    return gain.argmax(axis=1)[:, None]


class Fit(NamedTuple):
    """What every task has: W (t, r), dense B (t, d), supports S (t, k), the last `Squares`, residuals so far, Δ (t,)."""

    W: np.ndarray
    B: np.ndarray
    S: np.ndarray
    squares: Squares | None = None
    residuals: tuple[float, ...] = ()
    threshold: np.ndarray | None = None


def updated(state: State, **parts: Any) -> State:
    """The state with parts of its fit replaced."""
    return replace(state, fit=state.fit._replace(**parts))


# ---------------------------------------------------------------------------------------------- where it starts
def moments(run: Run, attempt: int) -> State:
    """U from the warm start, or the leading eigenvectors of the mean of s sᵀ − Σ_j y_j² x_jx_jᵀ/m², s = Xᵀy/m."""
    (batch,), warm = run.samples, run.problem.warm_start
    t, d, r, k = batch.t, batch.d, batch.rank, batch.sparsity
    if warm is not None:
        U = np.linalg.qr(warm.U)[0]
    else:
        s = batch.moment / batch.counts[:, None]
        weighted = batch.X * (batch.y / batch.counts[:, None])[:, :, None]
        M = s.T @ s - np.einsum("tma,tmb->ab", weighted, weighted)
        U = np.linalg.eigh(M)[1][:, ::-1][:, :r]
    return State(U, Fit(np.zeros((t, r)), np.zeros((t, d)), np.zeros((t, k), dtype=np.int64)))


# ---------------------------------------------------------------------------------------------- sparse step
def greedy(batch: Batch, U: np.ndarray, size: int) -> Int[np.ndarray, "t s"]:
    """Supports of ``size`` coordinates, one after the other."""
    S = np.zeros((batch.t, 0), dtype=np.int64)
    for _ in range(size):
        S = np.concatenate([S, next_coordinate(batch, least_squares(batch, U, S), S)], axis=1)
    return S


def exchanged(
    batch: Batch, U: np.ndarray, S: Int[np.ndarray, "t s"], passes: int = 3
) -> tuple[Int[np.ndarray, "t s"], Float[np.ndarray, " t"]]:
    """Supports and residuals after exchanging one coordinate at a time, in at most ``passes`` over the support."""
    rss = least_squares(batch, U, S).rss
    for _ in range(passes):
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


@dataclass(frozen=True)
class Greedy:
    """Supports: greedy selection with exchanges from nothing and from the last support; the better of the two.

    They have k + ``more`` coordinates, never so many that most tasks have no residual left to compare.
    """

    more: int = 0

    def __call__(self, batch: Batch, state: State) -> State:
        size = min(batch.sparsity, max(0, int(np.median(batch.counts)) - batch.rank)) + self.more
        S, rss = exchanged(batch, state.U, greedy(batch, state.U, max(0, size)))
        if state.iteration > 0:
            other, other_rss = exchanged(batch, state.U, state.fit.S)
            S = np.where((other_rss < rss)[:, None], other, S)
        return updated(state, S=S)


@dataclass(frozen=True, kw_only=True)
class Falling:
    """b ← HT(b + (1/m) Xᵀ(y − X(v + b)), Δ) ``inner_steps`` times, with Δ_ℓ = Δ_0 ρ^ℓ from ‖y‖/√m ≈ ‖θ‖ downwards.

    The rule for Δ is this toolkit's: the paper's needs bounds on the errors that nobody has in practice.
    """

    start_level: float = 1.0
    shrink: float = 0.8
    inner_steps: int = 4
    power: int = 1

    def __call__(self, batch: Batch, state: State) -> State:
        size = np.sqrt(batch.energy.max() / batch.counts.mean())
        level = self.start_level * self.shrink**state.iteration * size * np.ones(batch.t)
        v, B = state.fit.W @ state.U.T, state.fit.B
        for _ in range(self.inner_steps):
            gradient = batch.moment - np.einsum("tab,tb->ta", batch.gram, v + B)
            c = B + 1.0 / batch.counts[:, None] ** self.power * gradient
            B = np.where(np.abs(c) > level[:, None], c, 0.0)
        return updated(state, B=B, threshold=level)


# ---------------------------------------------------------------------------------------------- weight step
def joint_weights(batch: Batch, state: State) -> State:
    """w and b by least squares on the support."""
    squares = least_squares(batch, state.U, state.fit.S)
    r = state.U.shape[1]
    B = np.zeros((batch.t, batch.d))
    np.put_along_axis(B, state.fit.S, squares.x[:, r:], axis=1)
    return updated(state, W=squares.x[:, :r], B=B, squares=squares)


def plain_weights(batch: Batch, state: State) -> State:
    """w ← ((XU)ᵀXU)⁻¹(XU)ᵀ(y − X b)."""
    target = batch.moment - np.einsum("tab,tb->ta", batch.gram, state.fit.B)
    normal = state.U.T @ (batch.gram @ state.U)
    return updated(state, W=np.linalg.solve(normal, (target @ state.U)[:, :, None])[:, :, 0])


# ---------------------------------------------------------------------------------------------- subspace step
def normal_matrix(left: Float[np.ndarray, "t r"], W: Float[np.ndarray, "t r"], gram: Any) -> Float[np.ndarray, "n n"]:
    """Σ_i left_i w_iᵀ ⊗ gram_i."""
    (t, r), d = W.shape, gram.shape[1]
    A = (left[:, :, None] * W[:, None, :]).reshape(t, r * r).T @ gram.reshape(t, d * d)
    return A.reshape(r, r, d, d).transpose(0, 2, 1, 3).reshape(r * d, r * d)


def solved(A: np.ndarray, V: np.ndarray, rcond: float | None, order: Literal["C", "F"] = "F") -> np.ndarray:
    """vec⁻¹(A⁻¹ vec V); vec stacks columns, which is what A = Σ wwᵀ ⊗ XᵀX asks for."""
    return np.linalg.lstsq(A, V.ravel(order=order), rcond=rcond)[0].reshape(V.shape, order="F")


def robust(batch: Batch, state: State) -> Float[np.ndarray, " t"]:
    """Weights that keep a task with a wrong support from spoiling U; all equal once every task is explained."""
    W, fit = state.fit.W, state.fit.squares
    freedom = batch.counts - W.shape[1] - state.fit.S.shape[1]
    usable = freedom > 0
    level, size = fit.rss / np.maximum(freedom, 1), (W**2).sum(axis=1)
    weight = 1.0 / ((level + 0.1 * np.median(level)) * (size + 0.1 * np.median(size)) + np.finfo(float).tiny)
    weight = np.where(usable, weight, 0.0)  # a task with fewer rows than parameters says nothing about U
    return weight / (weight.max() or 1.0)


@dataclass(frozen=True, kw_only=True)
class Projected:
    """U + D with D least squares on Σ_i ω_i‖P_i(y_i − X_iθ_i − X_iD w_i)‖², P_i projecting (w, b_S) out."""

    omega: Callable[[Batch, State], np.ndarray] = robust
    order: Literal["C", "F"] = "F"

    def __call__(self, batch: Batch, state: State) -> State:
        W, fit = state.fit.W, state.fit.squares
        weighted = W * self.omega(batch, state)[:, None]
        A = normal_matrix(weighted, W, batch.gram - fit.columns @ fit.eliminated)
        return replace(state, U=state.U + solved(A, fit.gradient.T @ weighted, 1e-12, self.order))


def plain_subspace(batch: Batch, state: State) -> State:
    """U ← vec⁻¹(A⁻¹ vec V), w and b fixed."""
    W = state.fit.W
    target = batch.moment - np.einsum("tab,tb->ta", batch.gram, state.fit.B)
    return replace(state, U=solved(normal_matrix(W, W, batch.gram), target.T @ W, None))


def qr(batch: Batch, state: State) -> State:
    """U ← Q and w ← R w of U = QR, which leaves U w as it was."""
    Q, R = np.linalg.qr(state.U)
    return updated(replace(state, U=Q), W=state.fit.W @ R.T)


# ---------------------------------------------------------------------------------------------- ends
def measured(batch: Batch, state: State) -> State:
    """Count the step and note ‖y − ŷ‖₂ / ‖y‖₂."""
    residual = relative_residual(batch, state)
    fit = state.fit._replace(residuals=(*state.fit.residuals, residual))
    return replace(state, fit=fit, level=residual, iteration=state.iteration + 1)


def relative_residual(batch: Batch, state: State) -> float:
    """‖y − ŷ‖₂ / ‖y‖₂."""
    theta = state.fit.W @ state.U.T + state.fit.B
    return float(np.linalg.norm(batch.residuals(theta)) / (np.sqrt(batch.energy.sum()) or 1.0))


@dataclass(frozen=True)
class Stop:
    """After ``most`` steps, at the rounding ``floor``, when four steps do not lower the residual, or when it explodes."""

    most: int = 40
    floor: float = 1e-14
    stagnates: bool = True
    explodes: float | None = None

    def __call__(self, state: State, noise: float) -> Status | None:
        residuals = state.fit.residuals
        if self.explodes is not None and not residuals[-1] <= self.explodes:
            return Status.DIVERGED
        if residuals[-1] < self.floor:
            return Status.CONVERGED
        if self.stagnates and len(residuals) > 8 and residuals[-1] > 0.97 * min(residuals[-6:-4]):
            return Status.CONVERGED
        return Status.ITERATION_CAP if len(residuals) >= self.most else None


@dataclass(frozen=True)
class RandomSupports:
    """Tasks still unexplained although half of them are get other supports at random; the others stay."""

    tries: int = 40

    def __call__(self, run: Run, state: State) -> State:
        (batch,) = run.samples
        S, rss = state.fit.S.copy(), state.fit.squares.rss.copy()
        if run.problem.noise or not np.median(rss / batch.energy) < EXPLAINED:
            return state
        for _ in range(self.tries):
            bad = np.flatnonzero(rss > EXPLAINED * batch.energy)
            if not len(bad) or not S.shape[1]:
                break
            tried = run.rng.permuted(np.tile(np.arange(batch.d), (len(bad), 1)), axis=1)[:, : S.shape[1]]
            found, found_rss = exchanged(batch.select(bad), state.U, tried)
            wins = found_rss < rss[bad]
            S[bad[wins]], rss[bad[wins]] = found[wins], found_rss[wins]
        return updated(state, S=S)


def view(run: Run, state: State) -> View:
    """The present answer in the toolkit's type."""
    fit, data = state.fit, run.problem.data
    model = LRSModel(state.U, fit.W, scipy_sparse.csr_array(fit.B), data.task_names, data.feature_names)
    return model, state.level, {} if fit.threshold is None else {"threshold": fit.threshold}


@dataclass(frozen=True, kw_only=True)
class Textbook:
    """Alternating minimisation: supports, then (w, b) by least squares, then one Gauss–Newton step on U, then QR.

    Parameters
    ----------
    start, sparse, weights, subspace, gauge, stop : callables
        The parts, as `lrs.amht.driver.Alternation` calls them.
    restarts : callable, optional
        Other supports at the end, with w and b fitted to them; None leaves the last state as it is.
    polish : callable, optional
        ``polish(batch, state)``: the last word.
    region : str
        Where it is held to the theorem (`property_tests.families.low_rank_sparse.strategies.REGIONS`).
    """

    start: Callable[[Run, int], State] = moments
    sparse: Step = Greedy()
    weights: Step = joint_weights
    subspace: Step = Projected()
    gauge: Step = qr
    stop: Callable[[State, float], Status | None] = Stop()
    restarts: Callable[[Run, State], State] | None = RandomSupports()
    polish: Step | None = None
    traits: Traits = WARM
    region: str = "practical"

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        alternation = Alternation(
            samples=lambda problem: nullcontext([Batch.of(problem)]),
            start=self.start,
            steps=(self.sparse, self.weights, self.subspace, self.gauge, measured),
            stop=self.stop,
            view=view,
            finish=self.finish,
        )
        return alternation(problem, rng=rng, callback=callback)

    def finish(self, run: Run, state: State, status: Status) -> Solution:
        """Restarts and polish; STALLED when exact data stay unexplained."""
        (batch,) = run.samples
        if self.restarts is not None:
            state = self.weights(batch, self.restarts(run, self.weights(batch, state)))
            state = replace(state, level=relative_residual(batch, state))
        if self.polish is not None:
            state = self.polish(batch, state)
        if not run.problem.noise and state.level > 1e-9:
            status = Status.STALLED
        return Solution(view(run, state)[0], status, state.iteration, state.level)


def moments_and_weights(run: Run, attempt: int) -> State:
    """`moments`, and w for b = 0."""
    return plain_weights(run.samples[0], moments(run, attempt))


THRESHOLDING = Textbook(
    start=moments_and_weights,
    sparse=Falling(),
    weights=plain_weights,
    subspace=plain_subspace,
    stop=Stop(200, floor=1e-13, stagnates=False, explodes=1e3),
    restarts=None,
    traits=Traits(noise=False, warm_start=False, thresholds=True),
    region="paper",
)


def Thresholding() -> Textbook:
    """The paper's three plain steps with a threshold that falls geometrically."""
    return THRESHOLDING
