"""Compiled inner loops (numba). Each one computes what its namesake in `lrs.kernels.definitions` defines.

All take a range ``lo:hi`` into an index array of tasks, release the GIL and allocate only per call, so that a pool of
threads runs them on disjoint ranges of tasks: no result depends on the number of threads. ``fastmath`` allows
reassociation (SIMD reductions) and nothing else: NaN and infinity keep their meaning.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from lrs.kernels.definitions import COLLINEAR, DEPENDENT, ROUNDING, SWAP_GAIN

#: Supports less likely than e to minus this, relative to the best, are left out of a posterior.
NEGLIGIBLE = 25.0


def _jit(function: Callable[..., Any]) -> Callable[..., Any]:
    # unwrap: while tests run every function wears a checker of its annotations, which is no loop to compile
    return numba.njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "arcp", "nsz"})(inspect.unwrap(function))


@_jit
def _dot(a, b, n):
    s = 0.0
    for j in range(n):
        s += a[j] * b[j]
    return s


@_jit
def _correlate(X, v, out):
    """out = Xᵀv; four rows at a time, so that ``out`` is read and written once for four rows."""
    m, d = X.shape
    for c in range(d):
        out[c] = 0.0
    j = 0
    while j + 4 <= m:
        v0 = v[j]
        v1 = v[j + 1]
        v2 = v[j + 2]
        v3 = v[j + 3]
        for c in range(d):
            out[c] += v0 * X[j, c] + v1 * X[j + 1, c] + v2 * X[j + 2, c] + v3 * X[j + 3, c]
        j += 4
    while j < m:
        v0 = v[j]
        for c in range(d):
            out[c] += v0 * X[j, c]
        j += 1


@_jit
def _orthogonalise(Q, R, p, m):
    """Make row p of Q orthonormal to the rows before it (Gram–Schmidt twice); False when it depends on them."""
    before = _dot(Q[p], Q[p], m)
    for a in range(p):
        R[a, p] = 0.0
    for _ in range(2):
        for a in range(p):
            s = _dot(Q[a], Q[p], m)
            R[a, p] += s
            for j in range(m):
                Q[p, j] -= s * Q[a, j]
    after = _dot(Q[p], Q[p], m)
    if after <= DEPENDENT * before or after == 0.0:
        return False
    norm = np.sqrt(after)
    R[p, p] = norm
    for j in range(m):
        Q[p, j] /= norm
    return True


@_jit
def _append(X, Q, R, Z, p, m, coordinate, residual, room, correlation, scored):
    """Take row p of Q into the basis: update the residual and, when ``scored``, Z = QX and the scores' two parts."""
    if not _orthogonalise(Q, R, p, m):
        return False
    s = _dot(Q[p], residual, m)
    coordinate[p] = s
    for j in range(m):
        residual[j] -= s * Q[p, j]
    if scored:
        _correlate(X, Q[p], Z[p])
        for c in range(X.shape[1]):
            room[c] -= Z[p, c] * Z[p, c]
            correlation[c] -= s * Z[p, c]
    return True


@_jit
def _best_addition(correlation, room, square, d):
    best = 0.0
    index = -1
    for c in range(d):
        if room[c] > COLLINEAR * square[c]:
            score = correlation[c] * correlation[c] / room[c]
            if score > best:
                best = score
                index = c
    return index


@_jit
def _best_swap(R, Z, first, p, d, coordinate, rss, square, room, correlation, dual, along):
    """The exchange of one support atom for one coordinate that lowers the residual most; (-1, -1) when none does.

    Without atom a the basis loses one direction u, the normalised dual vector of a, so the residual sum of squares
    with any coordinate in its place follows from uᵀX and uᵀy without another pass over X.
    """
    best_gain = SWAP_GAIN * rss
    best_atom = -1
    best_coordinate = -1
    for atom in range(first, p):
        squared = 0.0
        for a in range(atom, p):
            v = 1.0 if a == atom else 0.0
            for b in range(atom, a):
                v -= R[b, a] * dual[b]
            dual[a] = v / R[a, a]
            squared += dual[a] * dual[a]
        scale = 1.0 / np.sqrt(squared)
        lost = 0.0
        for a in range(atom, p):
            dual[a] *= scale
            lost += dual[a] * coordinate[a]
        for c in range(d):
            along[c] = dual[atom] * Z[atom, c]
        for a in range(atom + 1, p):
            w = dual[a]
            for c in range(d):
                along[c] += w * Z[a, c]
        loss = lost * lost
        for c in range(d):
            space = room[c] + along[c] * along[c]
            if space > COLLINEAR * square[c]:
                inner = correlation[c] + lost * along[c]
                gain = inner * inner - loss * space
                if gain > best_gain * space:
                    best_gain = gain / space
                    best_atom = atom
                    best_coordinate = c
    return best_atom, best_coordinate


@_jit
def _project(X, Ut, Q, m):
    """Rows of Q = columns of X U."""
    r, d = Ut.shape
    for a in range(r):
        for j in range(m):
            s = 0.0
            for c in range(d):
                s += X[j, c] * Ut[a, c]
            Q[a, j] = s


@_jit
def fit_tasks(rows, tasks, lo, hi, Ut, square, pursuit, fit):
    X, y, offsets = rows
    start, limit, swaps, search, keep_better = pursuit
    S, size, rank, W, V, gain, rss, G, basis = fit
    r, d = Ut.shape
    k = S.shape[1]
    width = r + k
    longest = 0
    for n in range(lo, hi):
        longest = max(longest, offsets[tasks[n] + 1] - offsets[tasks[n]])
    Q_flat = np.empty(width * longest)
    R = np.zeros((width, width))
    Z = np.empty((width if search else 0, d))
    residual = np.empty(longest)
    coordinate = np.empty(width)
    dual = np.empty(width)
    column = np.empty(width, np.int64)
    support = np.empty(k, np.int64)
    correlation = np.empty(d)
    room = np.empty(d)
    along = np.empty(d)
    for n in range(lo, hi):
        i = tasks[n]
        first_row = offsets[i]
        m = offsets[i + 1] - first_row
        Xi = X[first_row : first_row + m]
        Q = Q_flat[: width * m].reshape(width, m)
        energy = 0.0
        for j in range(m):
            residual[j] = y[first_row + j]
            energy += residual[j] * residual[j]
        if search:
            for c in range(d):
                room[c] = square[i, c]
            _correlate(Xi, residual, correlation)
        _project(Xi, Ut, Q, m)
        p = np.int64(0)  # a literal 0 is a type of its own, for which all that is called would be compiled once more
        for a in range(r):
            if p < a:  # an earlier column was dropped: close the gap
                for j in range(m):
                    Q[p, j] = Q[a, j]
            if p < m and _append(Xi, Q, R, Z, p, m, coordinate, residual, room, correlation, search):
                column[p] = a
                p += 1
        first = p
        allowed = min(limit, max(0, m - r - 1))
        count = 0
        for q in range(k):
            c = start[n, q]
            if c >= 0 and count < allowed:
                for j in range(m):
                    Q[p, j] = Xi[j, c]
                if _append(Xi, Q, R, Z, p, m, coordinate, residual, room, correlation, search):
                    support[count] = c
                    count += 1
                    p += 1
        error = _dot(residual, residual, m)
        if search:
            while count < allowed and error > ROUNDING * energy:
                c = _best_addition(correlation, room, square[i], d)
                if c < 0:
                    break
                for j in range(m):
                    Q[p, j] = Xi[j, c]
                if not _append(Xi, Q, R, Z, p, m, coordinate, residual, room, correlation, search):
                    break
                support[count] = c
                count += 1
                p += 1
                error = _dot(residual, residual, m)
            for _ in range(swaps):
                if count == 0 or error <= ROUNDING * energy:
                    break
                atom, c = _best_swap(R, Z, first, p, d, coordinate, error, square[i], room, correlation, dual, along)
                if atom < 0:
                    break
                for a in range(p - 1, atom - 1, -1):  # take the basis apart down to the atom that leaves
                    s = coordinate[a]
                    for j in range(m):
                        residual[j] += s * Q[a, j]
                    for e in range(d):
                        room[e] += Z[a, e] * Z[a, e]
                        correlation[e] += s * Z[a, e]
                p = atom
                for q in range(atom - first, count - 1):
                    support[q] = support[q + 1]
                support[count - 1] = c
                kept = atom - first
                for q in range(atom - first, count):
                    for j in range(m):
                        Q[p, j] = Xi[j, support[q]]
                    if _append(Xi, Q, R, Z, p, m, coordinate, residual, room, correlation, search):
                        support[kept] = support[q]
                        kept += 1
                        p += 1
                count = kept
                error = _dot(residual, residual, m)
        if keep_better and not error < rss[i]:
            continue
        for q in range(count):
            column[first + q] = r + q
            S[i, q] = support[q]
        for q in range(count, k):
            S[i, q] = -1
            V[i, q] = 0.0
            gain[i, q] = 0.0
        size[i] = count
        rss[i] = error
        rank[i] = p
        _correlate(Xi, residual, correlation)
        for c in range(d):
            G[i, c] = correlation[c]
        base = first_row * width
        for a in range(p):
            for j in range(m):
                basis[base + a * m + j] = Q[a, j]
        for a in range(r):
            W[i, a] = 0.0
        for a in range(p - 1, -1, -1):
            s = coordinate[a]
            for b in range(a + 1, p):
                s -= R[a, b] * coordinate[b]
            s /= R[a, a]
            coordinate[a] = s
            if column[a] < r:
                W[i, column[a]] = s
            else:
                squared = 0.0
                for e in range(a, p):
                    v = 1.0 if e == a else 0.0
                    for b in range(a, e):
                        v -= R[b, e] * dual[b]
                    dual[e] = v / R[e, e]
                    squared += dual[e] * dual[e]
                V[i, column[a] - r] = s
                gain[i, column[a] - r] = s * s / squared


@_jit
def hessian_product(rows, tasks, lo, hi, D, weight, fit, out):
    X, offsets, W, basis = rows.X, rows.offsets, fit.W, fit.basis
    d, r = D.shape
    width = r + fit.support.shape[1]
    longest = 0
    for n in range(lo, hi):
        longest = max(longest, offsets[tasks[n] + 1] - offsets[tasks[n]])
    v = np.empty(longest)
    h = np.empty(d)
    g = np.empty(d)
    for n in range(lo, hi):
        i = tasks[n]
        if weight[i] == 0.0:
            continue
        first_row = offsets[i]
        m = offsets[i + 1] - first_row
        Xi = X[first_row : first_row + m]
        for c in range(d):
            s = 0.0
            for a in range(r):
                s += D[c, a] * W[i, a]
            h[c] = s
        for j in range(m):
            s = 0.0
            for c in range(d):
                s += Xi[j, c] * h[c]
            v[j] = s
        base = first_row * width
        for a in range(fit.rank[i]):
            s = 0.0
            for j in range(m):
                s += basis[base + a * m + j] * v[j]
            for j in range(m):
                v[j] -= s * basis[base + a * m + j]
        _correlate(Xi, v, g)
        for a in range(r):
            s = weight[i] * W[i, a]
            for c in range(d):
                out[a, c] += s * g[c]


@_jit
def first_pass(rows, tasks, lo, hi, square, correlation):
    X, y, offsets = rows
    d = X.shape[1]
    for n in range(lo, hi):
        i = tasks[n]
        for c in range(d):
            square[i, c] = 0.0
        for j in range(offsets[i], offsets[i + 1]):
            for c in range(d):
                square[i, c] += X[j, c] * X[j, c]
        _correlate(X[offsets[i] : offsets[i + 1]], y[offsets[i] : offsets[i + 1]], correlation[i])


@_jit
def threshold_steps(rows, tasks, lo, hi, shared, thresholds, B, gamma, used):
    X, y, offsets = rows
    length, alpha, beta, c1, steps = thresholds
    d = X.shape[1]
    longest = 0
    for n in range(lo, hi):
        longest = max(longest, offsets[tasks[n] + 1] - offsets[tasks[n]])
    residual = np.empty(longest)
    gradient = np.empty(d)
    total = np.empty(d)
    for n in range(lo, hi):
        i = tasks[n]
        first_row = offsets[i]
        m = offsets[i + 1] - first_row
        Xi = X[first_row : first_row + m]
        for step in range(steps):
            for c in range(d):
                total[c] = shared[i, c] + B[i, c]
            for j in range(m):
                s = 0.0
                for c in range(d):
                    s += Xi[j, c] * total[c]
                residual[j] = s - y[first_row + j]
            _correlate(Xi, residual, gradient)
            threshold = alpha[i] + c1 * (gamma[i] + beta[i])
            for c in range(d):
                v = B[i, c] - length[i] * gradient[c]
                B[i, c] = v if abs(v) > threshold else 0.0
            gamma[i] = 2.0 * threshold
            used[i, step] = threshold


@_jit
def gaussian_posterior(gram, moment, precision, pull, variance, theta, spread, trace, log_det):
    """See `lrs.kernels.definitions.gaussian_posterior`; by A = LLᵀ and V = L⁻ᵀL⁻¹."""
    t, d = moment.shape
    L, inverse, work = np.zeros((d, d)), np.zeros((d, d)), np.zeros(d)  # inverse holds L⁻ᵀ, upper triangular
    spread[:] = 0.0
    for i in range(t):
        total = 0.0
        for a in range(d):
            for b in range(a + 1):
                s = gram[i, a, b] / variance + precision[a, b] - _dot(L[a], L[b], b)
                if a == b:
                    L[a, a] = np.sqrt(s)
                    total -= 2.0 * np.log(L[a, a])
                else:
                    L[a, b] = s / L[b, b]
        log_det[i] = total
        for a in range(d):  # row a of L⁻ᵀ is column a of L⁻¹
            inverse[a, a] = 1.0 / L[a, a]
            for b in range(a + 1, d):
                inverse[a, b] = -_dot(L[b, a:], inverse[a, a:], b - a) / L[b, b]
        for a in range(d):
            work[a] = moment[i, a] / variance + pull[a]
        total = 0.0
        for a in range(d):
            theta[i, a] = 0.0
        for a in range(d):
            for b in range(a + 1):
                v = _dot(inverse[a, a:], inverse[b, a:], d - a)
                spread[a, b] += v
                theta[i, a] += v * work[b]
                if b < a:
                    theta[i, b] += v * work[a]
                    total += 2.0 * v * gram[i, a, b]
                else:
                    total += v * gram[i, a, a]
        trace[i] = total
    for a in range(d):
        for b in range(a):
            spread[b, a] = spread[a, b]


@_jit
def row_posteriors(R, channel, out):
    """Depth first over the supports, a task a level: Kalman's update of u, and branches that cannot matter left out.

    All that is asked is linear in P(b_ij = 0) E[1, u, uuᵀ] and its like for b_ij ≠ 0, and a subtree adds to those of its
    own task only: a node costs r² whatever t is.
    """
    W, noise, rate, slab = channel.W, channel.noise, channel.rate, channel.slab
    mean, variance, active, u_mean, evidence, gram, cross, second = out
    n, t = R.shape
    r = W.shape[1]
    gram[:] = 0.0
    cross[:] = 0.0
    second[:] = 0.0
    prior = np.empty(2)
    prior[0] = np.log1p(-rate) if rate < 1.0 else -np.inf
    prior[1] = np.log(rate) if rate > 0.0 and slab > 0.0 else -np.inf
    v = np.empty((t, 2))
    bound = np.zeros(t + 1)  # of what the tasks from here on can add to the logarithm
    for i in range(t - 1, -1, -1):
        v[i, 0] = noise[i]
        v[i, 1] = noise[i] + slab
        bound[i] = bound[i + 1] + max(prior[0] - 0.5 * np.log(v[i, 0]), prior[1] - 0.5 * np.log(v[i, 1]))
    mu = np.zeros((t + 1, r))
    S = np.zeros((t + 1, r, r))
    logs = np.zeros(t + 1)
    added = np.zeros((t, 2))
    state = np.zeros(t + 1, dtype=np.int64)  # branches done
    choice = np.zeros(t, dtype=np.int64)
    width = 1 + r + r * r
    inside = np.zeros((t + 1, width))  # of a subtree: Σ share (1, δ, S + δδᵀ), δ = u − where it is at the first leaf
    total = np.zeros((t, 2, width))  # the same where task i has no, or one, personal part
    Sw = np.zeros((t, r))
    q = np.zeros((t, 2))
    e = np.zeros(t)
    reference = np.zeros(r)
    delta = np.zeros(r)
    for a in range(r):
        S[0, a, a] = 1.0
    for j in range(n):
        top = -np.inf
        total[:] = 0.0
        inside[0] = 0.0
        depth = 0
        state[0] = 0
        while True:
            if depth == t or state[depth] == 2:
                if depth == t:
                    if top == -np.inf:
                        reference[:] = mu[t]
                    if logs[t] > top:
                        scale = np.exp(top - logs[t])
                        top = logs[t]
                        for i in range(t):
                            for a in range(width):
                                inside[i, a] *= scale
                                total[i, 0, a] *= scale
                                total[i, 1, a] *= scale
                    share = np.exp(logs[t] - top)
                    inside[t, 0] = share
                    for a in range(r):
                        delta[a] = mu[t, a] - reference[a]
                        inside[t, 1 + a] = share * delta[a]
                    for a in range(r):
                        for b in range(r):
                            inside[t, 1 + r + a * r + b] = share * (S[t, a, b] + delta[a] * delta[b])
                if depth == 0:
                    break
                depth -= 1
                for a in range(width):
                    total[depth, choice[depth], a] += inside[depth + 1, a]
                    inside[depth, a] += inside[depth + 1, a]
                continue
            i = depth
            if state[i] == 0:
                p = 0.0
                e[i] = R[j, i]
                for a in range(r):
                    Sw[i, a] = 0.0
                    for b in range(r):
                        Sw[i, a] += S[i, a, b] * W[i, b]
                    p += W[i, a] * Sw[i, a]
                    e[i] -= W[i, a] * mu[i, a]
                for c in range(2):
                    q[i, c] = p + v[i, c]
                    added[i, c] = prior[c] - 0.5 * (np.log(q[i, c]) + e[i] * e[i] / q[i, c])
                # The likelier branch first: a good support early leaves out more of the others.
                choice[i] = 1 if added[i, 1] > added[i, 0] else 0
            else:
                choice[i] = 1 - choice[i]
            c = choice[i]
            state[i] += 1
            logs[i + 1] = logs[i] + added[i, c]
            if not logs[i + 1] + bound[i + 1] > top - NEGLIGIBLE:
                continue
            gain = 1.0 / q[i, c]
            for a in range(r):
                mu[i + 1, a] = mu[i, a] + Sw[i, a] * e[i] * gain
                for b in range(r):
                    S[i + 1, a, b] = S[i, a, b] - Sw[i, a] * Sw[i, b] * gain
            depth += 1
            state[depth] = 0
            for a in range(width):
                inside[depth, a] = 0.0
        evidence[j] = top + np.log(inside[0, 0]) - 0.5 * t * np.log(2 * np.pi)
        for a in range(r):
            u_mean[j, a] = reference[a] + inside[0, 1 + a] / inside[0, 0]
        for i in range(t):
            offset = -R[j, i]
            for a in range(r):
                offset += W[i, a] * reference[a]
            m1 = 0.0  # moments of θ_ij − R_ij: no cancellation where the noise is small
            m2 = 0.0
            for c in range(2):
                share = total[i, c, 0] / inside[0, 0]
                first = 0.0
                squared = 0.0
                for a in range(r):
                    first += W[i, a] * total[i, c, 1 + a] / inside[0, 0]
                    for b in range(r):
                        squared += W[i, a] * W[i, b] * total[i, c, 1 + r + a * r + b] / inside[0, 0]
                squared += offset * (2.0 * first + offset * share)
                first += offset * share
                keep = noise[i] / v[i, c]
                m1 += keep * first
                m2 += keep * keep * squared + share * (1.0 - keep) * noise[i]
                if c == 1:
                    active[j, i] = share
                    second[i] += share * (1.0 - keep) * noise[i] + (1.0 - keep) * (1.0 - keep) * squared
                for a in range(r):
                    along = (share * reference[a] + total[i, c, 1 + a] / inside[0, 0]) / v[i, c]
                    cross[i, a] += R[j, i] * along
                    for b in range(r):
                        gram[i, a, b] += (
                            total[i, c, 1 + r + a * r + b]
                            + reference[a] * total[i, c, 1 + b]
                            + reference[b] * total[i, c, 1 + a]
                            + reference[a] * reference[b] * total[i, c, 0]
                        ) / (inside[0, 0] * v[i, c])
            mean[j, i] = R[j, i] + m1
            variance[j, i] = m2 - m1 * m1
