"""What the kernels compute, in plain NumPy: one formula a line, to be read and to be tested against.

Shapes: ``X`` (n, d) and ``y`` (n,) hold the rows of all tasks, task i owns rows ``offsets[i]:offsets[i + 1]``;
``tasks[lo:hi]`` are the tasks to treat. ``Ut`` is Uᵀ (r, d). Output arrays are written in place at the treated tasks.
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


def _candidates(X: np.ndarray, y: np.ndarray, basis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For every coordinate, the decrease of ‖y − projection‖² when it joins the basis, and whether it may."""
    outside = X - basis @ (basis.T @ X)
    room = (outside**2).sum(axis=0)
    allowed = room > COLLINEAR * (X**2).sum(axis=0)
    inner = X.T @ (y - basis @ (basis.T @ y))
    return np.where(allowed, inner**2 / np.where(allowed, room, 1.0), 0.0), allowed


def fit_tasks(
    X,
    y,
    offsets,
    tasks,
    lo,
    hi,
    Ut,
    start,
    limit,
    swaps,
    search,
    keep_better,
    square,
    S,
    size,
    W,
    V,
    gain,
    rss,
    G,
    Q_all,
    rank,
):
    """Sparse and weight step of every task with U fixed, w eliminated jointly: min ‖y − X(U w + b)‖ over w and supp b.

    The support begins with ``start[n]`` (−1: none). With ``search`` it is completed by orthogonal least squares, the
    coordinate that lowers the residual most joining until ``limit`` are in (never more than m − r − 1), then improved
    by at most ``swaps`` exchanges of one coordinate for another, each the best there is. With ``keep_better`` a task
    keeps its present fit unless the new residual is smaller.

    Writes the support ``S`` (padded by −1), its ``size``, the weights ``W``, the values ``V`` on the support, the
    ``gain`` of each of its atoms (how much the residual sum of squares rises without it), the residual sum of squares ``rss``, the gradient ``G`` = Xᵀ(residual), and the orthonormal basis of [X U, X_S] with its
    ``rank`` (row a of task i is ``Q_all[offsets[i]·(r+k) + a·m : … + m]``).
    """
    r, k = len(Ut), S.shape[1]
    for n in range(lo, hi):
        i = tasks[n]
        rows = slice(offsets[i], offsets[i + 1])
        Xi, yi = X[rows], y[rows]
        m = len(yi)
        XU = [Xi @ u for u in Ut]
        allowed = min(limit, max(0, m - r - 1))

        def basis_of(support, XU=XU, Xi=Xi, m=m):
            return _orthonormal([*XU, *(Xi[:, c] for c in support)], m)

        def error_of(support, basis_of=basis_of, yi=yi):
            basis, _ = basis_of(support)
            rest = yi - basis @ (basis.T @ yi)
            return rest @ rest

        support: list[int] = []
        for c in start[n]:
            if c >= 0 and len(support) < allowed and len(basis_of([*support, c])[1]) > len(basis_of(support)[1]):
                support.append(int(c))
        floor = ROUNDING * (yi @ yi)
        if search:
            while len(support) < allowed and error_of(support) > floor:
                gains, _ = _candidates(Xi, yi, basis_of(support)[0])
                if gains.max() <= 0:
                    break
                support.append(int(gains.argmax()))
            for _ in range(swaps):
                error = error_of(support)
                if not support or error <= floor:
                    break
                best = (SWAP_GAIN * error, -1, -1)
                for position in range(len(support)):
                    rest = support[:position] + support[position + 1 :]
                    gains, _ = _candidates(Xi, yi, basis_of(rest)[0])
                    net = gains - (error_of(rest) - error)
                    c = int(net.argmax())
                    if net[c] > best[0] and gains[c] > 0:
                        best = (net[c], position, c)
                _, position, c = best
                if position < 0:
                    break
                support = [*support[:position], *support[position + 1 :], c]
        basis, kept = basis_of(support)
        residual = yi - basis @ (basis.T @ yi)
        error = residual @ residual
        if keep_better and not error < rss[i]:
            continue
        design = np.column_stack([*XU, *(Xi[:, c] for c in support)]) if r + len(support) else np.empty((m, 0))
        solution = np.zeros(r + len(support))
        solution[kept] = np.linalg.lstsq(design[:, kept], yi, rcond=None)[0]
        W[i], V[i], S[i], gain[i] = solution[:r], 0.0, -1, 0.0
        for q in range(len(support)):
            gain[i, q] = error_of(support[:q] + support[q + 1 :]) - error
        V[i, : len(support)], S[i, : len(support)] = solution[r:], support
        size[i], rss[i], rank[i] = len(support), error, basis.shape[1]
        G[i] = Xi.T @ residual
        base = offsets[i] * (r + k)
        Q_all[base : base + basis.size] = basis.T.ravel()


def hessian_product(X, offsets, tasks, lo, hi, D, W, weight, Q_all, rank, width, out):
    """out += [Σ_i weight_i X_iᵀ P_i X_i D w_i w_iᵀ]ᵀ, P_i = I − Q_iQ_iᵀ: the Gauss–Newton matrix of U applied to D (d, r).

    ``out`` has shape (r, d). With an empty basis this is vec⁻¹(A vec D), A = Σ w wᵀ ⊗ XᵀX, of the plain subspace step.
    """
    for i in tasks[lo:hi]:
        Xi = X[offsets[i] : offsets[i + 1]]
        base = offsets[i] * width
        Q = Q_all[base : base + rank[i] * len(Xi)].reshape(rank[i], len(Xi))
        v = Xi @ (D @ W[i])
        v = v - Q.T @ (Q @ v)
        out += weight[i] * np.outer(W[i], Xi.T @ v)


def first_pass(X, y, offsets, tasks, lo, hi, square, correlation):
    """square[i] = squared column norms of X_i, correlation[i] = X_iᵀ y_i."""
    for i in tasks[lo:hi]:
        rows = slice(offsets[i], offsets[i + 1])
        square[i] = (X[rows] ** 2).sum(axis=0)
        correlation[i] = X[rows].T @ y[rows]


def threshold_steps(X, y, offsets, tasks, lo, hi, shared, B, length, alpha, beta, gamma, c1, steps, used):
    """OptimizeSparseVector of every task: ``steps`` times c = b − η Xᵀ(X b + X v − y); b ← HT(c, Δ); γ ← 2Δ.

    ``shared`` (t, d) holds v = U w, ``B`` (t, d) is updated in place, ``length`` (t,) holds η (the paper: 1/m), Δ = α + c₁(γ + β) with ``beta`` given as β/√k;
    ``used`` (t, steps) receives the thresholds.
    """
    for i in tasks[lo:hi]:
        rows = slice(offsets[i], offsets[i + 1])
        Xi, yi = X[rows], y[rows]
        for step in range(steps):
            c = B[i] - length[i] * Xi.T @ (Xi @ B[i] + Xi @ shared[i] - yi)
            threshold = alpha[i] + c1 * (gamma[i] + beta[i])
            B[i] = np.where(np.abs(c) > threshold, c, 0.0)
            gamma[i] = 2 * threshold
            used[i, step] = threshold
