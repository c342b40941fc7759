"""What the kernels compute, in plain NumPy: one formula a line, to be read and to be tested against.

The groups of arrays are those of `lrs.kernels.arguments`; ``tasks[lo:hi]`` are the tasks to treat, ``Ut`` is Uᵀ (r, d).
Output arrays are written in place at the treated tasks.
"""

from __future__ import annotations

import numpy as np

#: A column is dependent on the basis when orthogonalisation leaves less than this share of its squared norm.
DEPENDENT = 1e-20
#: A coordinate is a candidate while more than this share of its squared norm lies outside the basis.
COLLINEAR = 1e-6
#: A residual sum of squares below this share of ‖y‖² is rounding: nothing more is added or exchanged.
ROUNDING = 1e-26
#: A swap must lower the residual sum of squares by more than this share of it.
SWAP_GAIN = 1e-9


def _orthonormal(columns: list[np.ndarray], m: int) -> tuple[np.ndarray, list[int]]:
    """Orthonormal basis (m, p) of the columns, left to right, and which columns were independent."""
    basis = np.empty((m, 0))
    kept = []
    for index, column in enumerate(columns):
        rest = column - basis @ (basis.T @ column)
        rest = rest - basis @ (basis.T @ rest)
        if basis.shape[1] < m and rest @ rest > DEPENDENT * (column @ column):
            basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
            kept.append(index)
    return basis, kept


class _Task:
    """One task with U fixed: what a support explains of y together with U."""

    def __init__(self, X: np.ndarray, y: np.ndarray, Ut: np.ndarray) -> None:
        self.X, self.y, self.shared = X, y, [X @ u for u in Ut]

    def columns(self, support: list[int]) -> list[np.ndarray]:
        """[X U, X_S]."""
        return [*self.shared, *(self.X[:, c] for c in support)]

    def basis(self, support: list[int]) -> tuple[np.ndarray, list[int]]:
        return _orthonormal(self.columns(support), len(self.y))

    def residual(self, support: list[int]) -> np.ndarray:
        basis, _ = self.basis(support)
        return self.y - basis @ (basis.T @ self.y)

    def error(self, support: list[int]) -> float:
        residual = self.residual(support)
        return float(residual @ residual)

    def gains(self, support: list[int]) -> np.ndarray:
        """For every coordinate, the decrease of the residual sum of squares when it joins; 0 where it may not."""
        basis, _ = self.basis(support)
        room = ((self.X - basis @ (basis.T @ self.X)) ** 2).sum(axis=0)
        allowed = room > COLLINEAR * (self.X**2).sum(axis=0)
        inner = self.X.T @ (self.y - basis @ (basis.T @ self.y))
        return np.where(allowed, inner**2 / np.where(allowed, room, 1.0), 0.0)

    def independent(self, start: np.ndarray, allowed: int) -> list[int]:
        """The coordinates of ``start`` (−1: none), left to right, that are independent of those before."""
        support: list[int] = []
        for c in start.tolist():
            if c >= 0 and len(support) < allowed and len(self.basis([*support, c])[1]) > len(self.basis(support)[1]):
                support.append(c)
        return support

    def completed(self, support: list[int], allowed: int) -> list[int]:
        """Orthogonal least squares: the coordinate that lowers the residual most joins until ``allowed`` are in."""
        while len(support) < allowed and self.error(support) > ROUNDING * (self.y @ self.y):
            gains = self.gains(support)
            if gains.max() <= 0:
                break
            support = [*support, int(gains.argmax())]
        return support

    def exchanged(self, support: list[int]) -> list[int]:
        """The best exchange of one coordinate for another; the same support when none lowers the residual."""
        error = self.error(support)
        best, found = SWAP_GAIN * error, support
        if error <= ROUNDING * (self.y @ self.y):
            return support
        for position in range(len(support)):
            rest = support[:position] + support[position + 1 :]
            gains = self.gains(rest)
            net = gains - (self.error(rest) - error)
            c = int(net.argmax())
            if net[c] > best and gains[c] > 0:
                best, found = net[c], [*rest, c]
        return found


def fit_tasks(rows, tasks, lo, hi, Ut, square, pursuit, fit):
    """Sparse and weight step of every task with U fixed, w eliminated jointly: min ‖y − X(U w + b)‖ over w and supp b.

    The support begins with ``pursuit.start[n]``. With ``search`` it is completed by orthogonal least squares until
    ``limit`` are in (never more than m − r − 1), then improved by at most ``swaps`` exchanges, each the best there is.
    ``square`` (t, d) holds the squared norms of the columns, which only the fast version needs; ``fit`` is written at the
    treated tasks.
    """
    r, k = len(Ut), fit.support.shape[1]
    for n in range(lo, hi):
        i = tasks[n]
        own = slice(rows.offsets[i], rows.offsets[i + 1])
        task = _Task(rows.X[own], rows.y[own], Ut)
        m = len(task.y)
        allowed = min(pursuit.limit, max(0, m - r - 1))
        support = task.independent(pursuit.start[n], allowed)
        if pursuit.search:
            support = task.completed(support, allowed)
            for _ in range(pursuit.swaps):
                support, before = task.exchanged(support), support
                if support == before:
                    break
        error = task.error(support)
        if pursuit.keep_better and not error < fit.rss[i]:
            continue
        size = len(support)
        basis, kept = task.basis(support)
        solution = np.zeros(r + size)
        if kept:
            design = np.column_stack(task.columns(support))
            solution[kept] = np.linalg.lstsq(design[:, kept], task.y, rcond=None)[0]
        fit.W[i], fit.values[i], fit.support[i], fit.gain[i] = solution[:r], 0.0, -1, 0.0
        fit.values[i, :size], fit.support[i, :size] = solution[r:], support
        fit.gain[i, :size] = [task.error(support[:q] + support[q + 1 :]) - error for q in range(size)]
        fit.size[i], fit.rss[i], fit.rank[i] = size, error, basis.shape[1]
        fit.gradient[i] = task.X.T @ task.residual(support)
        base = rows.offsets[i] * (r + k)
        fit.basis[base : base + basis.size] = basis.T.ravel()


def hessian_product(rows, tasks, lo, hi, D, weight, fit, out):
    """out += [Σ_i weight_i X_iᵀ P_i X_i D w_i w_iᵀ]ᵀ, P_i = I − Q_iQ_iᵀ: the Gauss–Newton matrix of U applied to D (d, r).

    ``out`` has shape (r, d). With ``fit.rank`` 0 this is vec⁻¹(A vec D), A = Σ w wᵀ ⊗ XᵀX, of the plain subspace step.
    """
    width = D.shape[1] + fit.support.shape[1]
    for i in tasks[lo:hi]:
        X = rows.X[rows.offsets[i] : rows.offsets[i + 1]]
        base = rows.offsets[i] * width
        Q = fit.basis[base : base + fit.rank[i] * len(X)].reshape(fit.rank[i], len(X))
        v = X @ (D @ fit.W[i])
        v = v - Q.T @ (Q @ v)
        out += weight[i] * np.outer(fit.W[i], X.T @ v)


def first_pass(rows, tasks, lo, hi, square, correlation):
    """square[i] = squared column norms of X_i, correlation[i] = X_iᵀ y_i."""
    for i in tasks[lo:hi]:
        own = slice(rows.offsets[i], rows.offsets[i + 1])
        square[i] = (rows.X[own] ** 2).sum(axis=0)
        correlation[i] = rows.X[own].T @ rows.y[own]


def threshold_steps(rows, tasks, lo, hi, shared, thresholds, B, gamma, used):
    """OptimizeSparseVector of every task: ``steps`` times c = b − η Xᵀ(X b + X v − y); b ← HT(c, Δ); γ ← 2Δ.

    ``shared`` (t, d) holds v = U w, Δ = α + c₁(γ + β/√k); ``B`` (t, d) and ``gamma`` (t,) are updated in place, ``used``
    (t, steps) receives the Δ.
    """
    for i in tasks[lo:hi]:
        own = slice(rows.offsets[i], rows.offsets[i + 1])
        X, y = rows.X[own], rows.y[own]
        for step in range(thresholds.steps):
            c = B[i] - thresholds.length[i] * X.T @ (X @ B[i] + X @ shared[i] - y)
            level = thresholds.alpha[i] + thresholds.c1 * (gamma[i] + thresholds.beta[i])
            B[i] = np.where(np.abs(c) > level, c, 0.0)
            gamma[i] = 2 * level
            used[i, step] = level


def gaussian_posterior(
    gram: np.ndarray,
    moment: np.ndarray,
    precision: np.ndarray,
    pull: np.ndarray,
    variance: float,
    theta: np.ndarray,
    spread: np.ndarray,
    trace: np.ndarray,
    log_det: np.ndarray,
) -> None:
    """θ_i = V_i (c_i/σ² + pull) with V_i = (G_i/σ² + precision)⁻¹: posterior means under θ ~ N(μ, precision⁻¹), pull = precision μ.

    ``gram`` (t, d, d), ``moment`` (t, d); written: ``theta`` (t, d), ``spread`` = Σ_i V_i (d, d), ``trace`` = tr(G_iV_i)
    and ``log_det`` = ln det V_i (t,).
    """
    V = np.linalg.inv(gram / variance + precision)
    theta[:] = np.einsum("tde,te->td", V, moment / variance + pull)
    spread[:] = V.sum(axis=0)
    trace[:] = np.einsum("tde,ted->t", gram, V)
    log_det[:] = np.linalg.slogdet(V)[1]
