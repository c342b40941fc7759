"""Are wrong answers certified, and are right ones? Answers with zero residual, of every kind we know to make.

``python -m property_tests.benchmarks.certificates wrong`` prints how many of 30 wrong answers of each kind are certified,
``... right`` how many right answers are, where m_i ≥ r + k + 1 and Σ(m_i − r − k) > r(d − r), ``... size`` the seconds at
t = 10⁴, d = 100.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from lrs.families.low_rank_sparse.generate import InstanceSpec, generate
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import MultiTaskData, Problem
from theory import local_identifiability


@dataclass(frozen=True)
class Case:
    """A problem and an answer; ``exact``: the answer leaves no residual, task by task and row by row."""

    problem: Problem
    answer: LRSModel
    truth: LRSModel
    exact: bool = True


def model(U: np.ndarray, W: np.ndarray, B: np.ndarray) -> LRSModel:
    return LRSModel(U, W, sparse.csr_array(B))


def problem(X: Sequence[np.ndarray], truth: LRSModel, rank: int, sparsity: int) -> Problem:
    """Exact data of a truth."""
    theta = truth.theta
    y = [x @ theta[i] for i, x in enumerate(X)]
    return Problem(MultiTaskData.from_arrays(list(X), y), rank, sparsity)


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape)


def draw(
    rng: np.random.Generator, t: int, d: int, r: int, k: int, rows: int | Sequence[int]
) -> tuple[list[np.ndarray], LRSModel]:
    """Covariates and a truth in general position."""
    rows = [rows] * t if isinstance(rows, int) else list(rows)
    B = np.zeros((t, d))
    for i in range(t):
        B[i, rng.choice(d, k, replace=False)] = normal(rng, k)
    return [normal(rng, m, d) for m in rows], model(np.linalg.qr(normal(rng, d, r))[0], normal(rng, t, r), B)


def refit(X: np.ndarray, y: np.ndarray, U: np.ndarray, support: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least squares on a support: w, and b densely."""
    solved = np.linalg.lstsq(np.concatenate([X @ U, X[:, support]], axis=1), y, rcond=None)[0]
    b = np.zeros(X.shape[1])
    b[support] = solved[U.shape[1] :]
    return solved[: U.shape[1]], b


def wrongly_supported(
    rng: np.random.Generator, X: Sequence[np.ndarray], truth: LRSModel, U: np.ndarray, tasks: Sequence[int], k: int
) -> LRSModel:
    """The truth with the given tasks refitted on random supports of k entries."""
    W, B = np.zeros((truth.t, U.shape[1])), truth.B.toarray()
    W[:, : truth.rank] = truth.W[:, : U.shape[1]]
    for i in tasks:
        W[i], B[i] = refit(X[i], X[i] @ truth.theta[i], U, rng.choice(truth.d, k, replace=False))
    return model(U, W, B)


# ---------------------------------------------------------------------------------------------- wrong answers
def square(rng: np.random.Generator, scale: float = 1.0) -> Case:
    """Half of the tasks have r + k rows and a random support."""
    t, d, r, k = 60, 20, 2, 3
    X, truth = draw(rng, t, d, r, k, [r + k] * 30 + [14] * 30)
    factors = np.where(np.arange(t) % 2 == 0, scale, 1.0)[:, None]
    truth = model(truth.U, truth.W * factors, truth.B.toarray() * factors)
    return Case(problem(X, truth, r, k), wrongly_supported(rng, X, truth, truth.U, range(30), k), truth)


def square_and_scaled(rng: np.random.Generator) -> Case:
    return square(rng, scale=1e7)


def one_square(rng: np.random.Generator) -> Case:
    """A single task with r + k rows among many that are right."""
    t, d, r, k = 30, 30, 3, 2
    X, truth = draw(rng, t, d, r, k, [r + k] + [15] * (t - 1))
    return Case(problem(X, truth, r, k), wrongly_supported(rng, X, truth, truth.U, [0], k), truth)


def swapped(rng: np.random.Generator) -> Case:
    """Two tasks of r + k rows exchange their supports."""
    t, d, r, k = 30, 20, 2, 3
    X, truth = draw(rng, t, d, r, k, [r + k] * 2 + [14] * (t - 2))
    supports = [np.flatnonzero(row) for row in truth.B.toarray()]
    W, B = truth.W.copy(), truth.B.toarray()
    for i in (0, 1):
        W[i], B[i] = refit(X[i], X[i] @ truth.theta[i], truth.U, supports[1 - i])
    return Case(problem(X, truth, r, k), model(truth.U, W, B), truth)


def planted(rng: np.random.Generator) -> Case:
    """More than r + k rows, but b chosen so that a second support fits."""
    t, d, r, k = 40, 20, 2, 3
    m = r + k + int(rng.integers(1, k))
    X, truth = draw(rng, t, d, r, k, [m] * 5 + [14] * (t - 5))
    W, B, W2, B2 = truth.W.copy(), truth.B.toarray(), truth.W.copy(), truth.B.toarray()
    for i in range(5):
        both = rng.choice(d, 2 * k, replace=False)
        kernel = np.linalg.svd(np.concatenate([X[i] @ truth.U, X[i][:, both]], axis=1))[2][m:]
        h = normal(rng, len(kernel)) @ kernel
        W2[i] = normal(rng, r)
        W[i] = W2[i] + h[:r]
        B[i], B2[i] = 0.0, 0.0
        B[i, both[:k]], B2[i, both[k:]] = h[r : r + k], -h[r + k :]
    truth = model(truth.U, W, B)
    return Case(problem(X, truth, r, k), model(truth.U, W2, B2), truth)


def over_dense(rng: np.random.Generator) -> Case:
    """As many non-zeros as rows allow, more than k."""
    t, d, r, k, m = 30, 25, 2, 2, 12
    X, truth = draw(rng, t, d, r, k, m)
    return Case(problem(X, truth, r, k), wrongly_supported(rng, X, truth, truth.U, range(t), m - r), truth)


def no_shared_part(rng: np.random.Generator) -> Case:
    """r = 0, and m non-zeros a task."""
    t, d, r, k, m = 30, 25, 2, 3, 12
    X, truth = draw(rng, t, d, r, k, m)
    answer = wrongly_supported(rng, X, truth, np.zeros((d, 0)), range(t), m - int(rng.integers(0, 1)))
    return Case(problem(X, truth, r, k), answer, truth)


def full_rank(rng: np.random.Generator) -> Case:
    """No sparse part: the subspace of all θ, of a rank above the declared one."""
    t, d, r, k = 8, 25, 2, 2
    X, truth = draw(rng, t, d, r, k, 16)
    left, sizes, right = np.linalg.svd(truth.theta, full_matrices=False)
    return Case(problem(X, truth, r, k), model(right.T, left * sizes, np.zeros((t, d))), truth)


def small_task(rng: np.random.Generator) -> Case:
    """The smallest task is 93 % wrong; the residual of all rows together does not show it."""
    t, d, r, k = 30, 20, 2, 2
    X, truth = draw(rng, t, d, r, k, 14)
    W, B = truth.W.copy(), truth.B.toarray()
    W[3] *= 1e-12
    B[3] *= 1e-12
    truth = model(truth.U, W, B)
    return Case(
        problem(X, truth, r, k), model(truth.U, np.where(np.arange(t)[:, None] == 3, 0.07, 1) * W, B), truth, False
    )


def heavy_row(rng: np.random.Generator) -> Case:
    """One row of a task is 10¹² times as large as the others and fits."""
    t, d, r, k = 30, 20, 2, 2
    X, truth = draw(rng, t, d, r, k, 14)
    X[0][0] *= 1e12
    W, B = truth.W.copy(), truth.B.toarray()
    W[0], B[0] = refit(X[0][:4], X[0][:4] @ truth.theta[0], truth.U, rng.choice(d, k, replace=False))
    return Case(problem(X, truth, r, k), model(truth.U, W, B), truth, False)


def few_tasks(rng: np.random.Generator) -> Case:
    """A wrong U that holds the θ of r tasks; the others have r + k rows and fit anything."""
    t, d, r, k = 40, 20, 2, 2
    X, truth = draw(rng, t, d, r, k, [15] * r + [r + k] * (t - r))
    U = np.linalg.qr(truth.theta[:r].T)[0]
    answer = wrongly_supported(rng, X, truth, U, range(t), k)
    W, B = answer.W.copy(), answer.B.toarray()
    W[:r], B[:r] = truth.theta[:r] @ U, 0.0
    return Case(problem(X, truth, r, k), model(U, W, B), truth)


def wrong_subspace(rng: np.random.Generator) -> Case:
    """Every task has r + k rows; U is random."""
    t, d, r, k = 40, 20, 2, 2
    X, truth = draw(rng, t, d, r, k, r + k)
    U = np.linalg.qr(normal(rng, d, r))[0]
    return Case(problem(X, truth, r, k), wrongly_supported(rng, X, truth, U, range(t), k), truth)


def idle_direction(rng: np.random.Generator) -> Case:
    """One direction of U has weight zero in all tasks, and is anything."""
    t, d, r, k = 40, 20, 2, 2
    X, truth = draw(rng, t, d, r - 1, k, 14)
    U = np.linalg.qr(np.concatenate([truth.U, normal(rng, d, 1)], axis=1))[0]
    W = np.concatenate([truth.W * (truth.U[:, :1].T @ U[:, :1]), np.zeros((t, 1))], axis=1)
    return Case(problem(X, truth, r, k), model(U, W, truth.B.toarray()), truth)


def collinear(rng: np.random.Generator) -> Case:
    """All w are multiples of one: U can turn about it."""
    t, d, r, k = 40, 20, 2, 2
    X, truth = draw(rng, t, d, r, k, 14)
    w = normal(rng, r)
    truth = model(truth.U, normal(rng, t, 1) * w, truth.B.toarray())
    across = np.array([-w[1], w[0]]) / np.linalg.norm(w)
    v = normal(rng, d)
    U = truth.U + np.outer(v - truth.U @ (truth.U.T @ v), across)
    return Case(problem(X, truth, r, k), model(U, truth.W, truth.B.toarray()), truth)


def repeated_rows(rng: np.random.Generator, jitter: float = 0.0) -> Case:
    """r + k rows, each three times."""
    t, d, r, k = 60, 20, 2, 3
    X, truth = draw(rng, t, d, r, k, [r + k] * 30 + [14] * 30)
    answer = wrongly_supported(rng, X, truth, truth.U, range(30), k)
    X = [np.tile(x, (3, 1)) * rng.uniform(0.5, 2, (3 * len(x), 1)) for x in X]
    X = [x + jitter * normal(rng, *x.shape) for x in X]
    return Case(problem(X, truth, r, k), answer, truth, jitter == 0)


def nearly_repeated_rows(rng: np.random.Generator) -> Case:
    return repeated_rows(rng, jitter=1e-10)


def second_subspace(rng: np.random.Generator, copies: int = 1) -> Case:
    """r(d − r) rows to spare, no more: in R⁴ two planes meet the four equations of four tasks with three rows each."""
    X, truth = draw(rng, 4, 4, 2, 0, 3)
    pairs = [(a, b) for a in range(4) for b in range(a + 1, 4)]

    def pluecker(U: np.ndarray) -> np.ndarray:
        return np.array([U[a, 0] * U[b, 1] - U[b, 0] * U[a, 1] for a, b in pairs])

    units = np.eye(4)
    # det [X U, y] = 0 is linear in the Plücker coordinates of U.
    rows = []
    for i, x in enumerate(X):
        y = x @ truth.theta[i]
        rows.append([np.linalg.det(np.column_stack([x @ units[a], x @ units[b], y])) for a, b in pairs])
    p = pluecker(truth.U)
    line = np.linalg.svd(np.array(rows))[2][4:]
    other = line[0] - p * (line[0] @ p) / (p @ p)
    if np.linalg.norm(other) < 0.5:
        other = line[1] - p * (line[1] @ p) / (p @ p)

    def form(a: np.ndarray, b: np.ndarray) -> float:  # a plane when form(q, q) = 0
        return float(a[0] * b[5] + a[5] * b[0] - a[1] * b[4] - a[4] * b[1] + a[2] * b[3] + a[3] * b[2])

    q = p - other * (2 * form(p, other) / form(other, other))
    plane = np.zeros((4, 4))
    for (a, b), value in zip(pairs, q, strict=True):
        plane[a, b], plane[b, a] = value, -value
    U = np.linalg.svd(plane)[0][:, :2]
    W = np.array([refit(x, x @ truth.theta[i], U, np.zeros(0, dtype=int))[0] for i, x in enumerate(X)])
    repeat = np.repeat(np.arange(4), copies)
    factors = np.where(np.arange(4 * copies) % copies == 0, 1.0, -3.0)[:, None]
    zero = np.zeros((4 * copies, 4))
    truth = model(truth.U, truth.W[repeat] * factors, zero)
    return Case(problem([X[i] for i in repeat], truth, 2, 0), model(U, W[repeat] * factors, zero), truth)


def repeated_tasks(rng: np.random.Generator) -> Case:
    """The same with every task twice, the second time as another user with another factor."""
    return second_subspace(rng, copies=2)


def exchanged(rng: np.random.Generator) -> Case:
    """Two tasks share one direction: what is personal to one can be called shared and personal to the other."""
    d = 12
    X, truth = draw(rng, 2, d, 1, 1, 10)
    p, q = rng.choice(d, 2, replace=False)
    (w1, w2), u, beta = truth.W[:, 0], truth.U[:, 0], normal(rng, 2)
    B, other, moved = np.zeros((2, d)), np.zeros((2, d)), u.copy()
    B[0, p], B[1, q] = beta
    moved[p] += beta[0] / w1
    moved[q] += beta[1] / w2
    other[0, q], other[1, p] = -w1 * beta[1] / w2, -w2 * beta[0] / w1
    return Case(
        problem(X, model(truth.U, truth.W, B), 1, 1), model(moved[:, None], truth.W, other), model(truth.U, truth.W, B)
    )


def hidden_coordinate(rng: np.random.Generator) -> Case:
    """Feature 0 is personal to all tasks but one."""
    t, d, r = 20, 15, 2
    X, truth = draw(rng, t, d, r, 0, 12)
    B = np.zeros((t, d))
    B[1:, 0] = normal(rng, t - 1)
    shift = np.zeros(d)
    shift[0] = 1.0
    W = truth.W
    across = np.array([-W[0, 1], W[0, 0]])
    B2 = B.copy()
    B2[:, 0] -= W @ across
    B2[0] = 0.0
    truth = model(truth.U, W, B)
    return Case(problem(X, truth, r, 1), model(truth.U + np.outer(shift, across), W, B2), truth)


def twin_features(rng: np.random.Generator) -> Case:
    """Two columns are equal, and b sits on the wrong one."""
    t, d, r, k = 30, 20, 2, 2
    X, truth = draw(rng, t, d, r, k, 14)
    B = truth.B.toarray()
    first = int(np.flatnonzero(B[0])[0])
    twin = int(np.flatnonzero(B[0] == 0)[0])
    X = [x.copy() for x in X]
    for x in X:
        x[:, twin] = x[:, first]
    B2 = B.copy()
    B2[0, twin], B2[0, first] = B[0, first], 0.0
    return Case(problem(X, truth, r, k), model(truth.U, truth.W, B2), truth)


def unseen_feature(rng: np.random.Generator) -> Case:
    """A task never sees feature j, and its b may hold anything there."""
    t, d, r, k = 30, 20, 2, 2
    X, truth = draw(rng, t, d, r, k, 14)
    B = truth.B.toarray()
    j = int(np.flatnonzero(B[0])[0])
    X[0] = X[0].copy()
    X[0][:, j] = 0.0
    B[0, j] = 0.0
    truth = model(truth.U, truth.W, B)
    answer = B.copy()
    answer[0, j] = rng.choice([0.0, 5.0])  # 0: the answer is right, and nobody can know it
    return Case(problem(X, truth, r, k), model(truth.U, truth.W, answer), truth)


WRONG: tuple[Callable[[np.random.Generator], Case], ...] = (
    square,
    square_and_scaled,
    one_square,
    swapped,
    planted,
    over_dense,
    no_shared_part,
    full_rank,
    small_task,
    heavy_row,
    few_tasks,
    wrong_subspace,
    idle_direction,
    collinear,
    repeated_rows,
    nearly_repeated_rows,
    second_subspace,
    repeated_tasks,
    exchanged,
    hidden_coordinate,
    twin_features,
    unseen_feature,
)


# ---------------------------------------------------------------------------------------------- right answers
def right(rng: np.random.Generator, largest: int = 100) -> Case:
    """The truth of a random size, ragged, at random distances above both limits, with tasks of very different sizes."""
    while True:
        d = int(rng.integers(6, largest + 1))
        r, k = int(rng.integers(1, 6)), int(rng.integers(0, 9))
        t = int(np.exp(rng.uniform(np.log(r + 2), np.log(400))))
        least = r + k + 1
        if least > d:
            continue
        even = r * (d - r) / t
        spread = int(rng.integers(0, 4))
        rows = least + rng.integers(0, spread + 1, t) + int(max(0, even - 1) * rng.choice([1.0, 1.0, 1.5, 3.0]))
        if rows.max() <= d and (rows - r - k).sum() > r * (d - r):
            break
    spec = InstanceSpec(t=t, m=int(rows.max()), d=d, r=r, k=k, kappa=float(rng.choice([1, 3, 30])) if r > 1 else None)
    instance = generate(spec, int(rng.integers(2**31)))
    X = instance.problem.data.X.reshape(t, -1, d)
    factors = 10.0 ** (rng.choice([0, 1, 7]) * rng.uniform(-1, 1, t))[:, None]
    truth = model(instance.truth.U, instance.truth.W * factors, instance.truth.B.toarray() * factors)
    return Case(problem([X[i, :m] for i, m in enumerate(rows)], truth, r, k), truth, truth)


def residual(case: Case) -> float:
    """Worst relative residual of a row of length one, in its task."""
    worst = 0.0
    theta = case.answer.theta
    for i, (X, y) in enumerate(case.problem.data):
        lengths = np.maximum(np.linalg.norm(X, axis=1), 1e-300)
        worst = max(worst, float(np.abs((y - X @ theta[i]) / lengths).max() / np.sqrt(np.mean((y / lengths) ** 2))))
    return worst


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("wrong", "right", "size"))
    parser.add_argument("--each", type=int, default=30, help="Answers of each wrong kind.")
    parser.add_argument("--answers", type=int, default=300, help="Right answers.")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    if chosen.what == "wrong":
        total = 0
        for number, make in enumerate(WRONG):
            said: Counter[str] = Counter()
            worst = 0.0
            for replicate in range(chosen.each):
                case = make(np.random.default_rng([chosen.seed, number, replicate]))
                worst = max(worst, residual(case))
                certificate = local_identifiability(case.problem, case.answer)
                said["CERTIFIED" if certificate else certificate.verdict.name] += 1
            total += said["CERTIFIED"]
            print(f"{make.__name__:22} residual ≤ {worst:.0e}  {dict(said)}", flush=True)
        print(f"certified: {total} of {chosen.each * len(WRONG)}")
    elif chosen.what == "right":
        reasons: Counter[str] = Counter()
        for replicate in range(chosen.answers):
            case = right(np.random.default_rng([chosen.seed, 100, replicate]))
            certificate = local_identifiability(case.problem, case.answer)
            p = case.problem
            if not certificate:
                print(f"{replicate}: t={p.t} d={p.d} r={p.rank} k={p.sparsity}: {certificate.sentence}", flush=True)
            reasons["certified" if certificate else certificate.verdict.name] += 1
        print(dict(reasons))
    else:
        for k, rows in ((5, 30), (5, 12)):
            instance = generate(InstanceSpec(t=10_000, m=rows, d=100, r=3, k=k), 1)
            started = time.process_time()
            certificate = local_identifiability(instance.problem, instance.truth)
            print(f"m={rows}: {certificate.verdict.name}, {time.process_time() - started:.1f} s of processor time")


if __name__ == "__main__":
    main()
