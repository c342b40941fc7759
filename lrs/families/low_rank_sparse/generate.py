"""The realizable model of the paper, and each way of leaving it.

Every random stream has its own generator, that of the purpose ``data/U``, ``data/W``, … (`lrs.core.streams`), so that
changing one knob leaves all other draws as they were, and rows are drawn sample by sample across tasks, so that the instance with m rows per
task is the prefix of the instance with m + 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy import sparse

from lrs.core import streams
from lrs.core.errors import InvalidInput
from lrs.core.machine import available_memory, size_words
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import Instance, MultiTaskData, Problem
from lrs.families.low_rank_sparse.spec import InstanceSpec as InstanceSpec


def stream(key: Sequence[int], name: str) -> np.random.Generator:
    """The generator of one named stream (U, W, support, b, X, noise, ragged, spread, duplicates) of the instance with this key."""
    return streams.generator(f"data/{name}", *key)


def draw_subspace(spec: InstanceSpec, rng: np.random.Generator) -> Float[np.ndarray, "d r"]:
    """Orthonormal U: Haar, or with a first row of squared norm at least ``coherence``."""
    G = rng.standard_normal((spec.d, spec.r))
    if spec.r and spec.coherence > 0:
        first = G[:, 0].copy()
        first[0] = 0.0
        norm = np.linalg.norm(first)
        first *= np.sqrt(1 - spec.coherence) / norm if norm > 0 else 0.0
        first[0] = 1.0 if norm == 0 else np.sqrt(spec.coherence)
        G[:, 0] = first
    Q, R = np.linalg.qr(G)
    return Q * np.where(np.diag(R) < 0, -1.0, 1.0)  # unique sign: column 0 stays the vector asked for


def draw_weights(spec: InstanceSpec, key: Sequence[int]) -> Float[np.ndarray, "t r"]:
    """W: N(0, I), then made of the rank, condition and spread asked for."""
    W = stream(key, "W").standard_normal((spec.t, spec.r))
    rank = spec.r if spec.w_rank is None else spec.w_rank
    if spec.w_spread > 0:
        W *= np.exp(spec.w_spread * stream(key, "spread").standard_normal((spec.t, 1)))
    if spec.duplicates:
        source = duplicate_sources(spec, key)
        W[spec.t - spec.duplicates :] = W[source]
    if rank < spec.r:
        W[:, rank:] = 0.0
    if spec.kappa is not None and rank > 0:
        # Whiten, then give the columns the eigenvalues of (r/t) WᵀW: geometric from κ down to 1, mean size kept at 1.
        Q, R = np.linalg.qr(W[:, :rank])
        sizes = np.geomspace(spec.kappa, 1.0, rank) if rank > 1 else np.ones(1)
        W[:, :rank] = Q * np.where(np.diag(R) < 0, -1.0, 1.0) * np.sqrt(spec.t * sizes / sizes.mean())
    return W


def duplicate_sources(spec: InstanceSpec, key: Sequence[int]) -> np.ndarray:
    """Which of the first t − duplicates tasks each of the last ones repeats."""
    return stream(key, "duplicates").integers(0, spec.t - spec.duplicates, spec.duplicates)


def draw_sparse(spec: InstanceSpec, key: Sequence[int]) -> sparse.csr_array:
    """B: k non-zeros a row, on uniformly random or, with ``zeta``, on evenly shared coordinates."""
    t, d, k = spec.t, spec.d, spec.k
    rng = stream(key, "support")
    if spec.zeta is None:
        support = np.argsort(rng.random((t, d)), axis=1)[:, :k] if k else np.zeros((t, 0), dtype=np.int64)
    else:
        pool = rng.permutation(d)[: max(k, -(-t * k // spec.zeta))]
        used = np.zeros(len(pool))
        support = np.empty((t, k), dtype=np.int64)
        for i in range(t):  # the least used coordinates next, ties at random: use differs by at most one
            chosen = np.argsort(used + rng.random(len(pool)) * 0.5)[:k]
            used[chosen] += 1
            support[i] = pool[chosen]
    support = np.sort(support, axis=1)
    rng = stream(key, "b")
    signs = np.where(rng.random((t, k)) < 0.5, -1.0, 1.0)
    size = {
        "uniform": lambda: rng.uniform(0.5, 1.5, (t, k)),
        "signs": lambda: np.ones((t, k)),
        "gaussian": lambda: np.abs(rng.standard_normal((t, k))),
    }[spec.b_law]()
    values = spec.b_scale * signs * size
    if spec.duplicates:
        source = duplicate_sources(spec, key)
        support[t - spec.duplicates :], values[t - spec.duplicates :] = support[source], values[source]
    return sparse.csr_array((values.ravel(), support.ravel(), np.arange(t + 1) * k), shape=(t, d))


def draw_covariates(spec: InstanceSpec, rng: np.random.Generator) -> Float[np.ndarray, "t m d"]:
    """X, drawn row by row over all tasks so that fewer rows are a prefix of more."""
    t, m, d = spec.t, spec.m, spec.d
    X = np.empty((t, m, d))
    parameter = spec.x_parameter
    for j in range(m):
        if spec.x_law == "rademacher":
            X[:, j] = 2.0 * rng.integers(0, 2, (t, d)) - 1.0
        elif spec.x_law == "student-t":
            df = 5.0 if parameter is None else parameter
            X[:, j] = rng.standard_t(df, (t, d)) * np.sqrt((df - 2) / df)
        else:
            X[:, j] = rng.standard_normal((t, d))
    if spec.x_law == "correlated":
        rho = 0.5 if parameter is None else parameter
        for c in range(1, d):
            X[:, :, c] = rho * X[:, :, c - 1] + np.sqrt(1 - rho**2) * X[:, :, c]
    elif spec.x_law == "scaled":
        X *= (10.0 if parameter is None else parameter) ** (np.arange(d) / max(d - 1, 1))
    return X


def generate(spec: InstanceSpec, seed: int | Sequence[int] = 0) -> Instance:
    """Draw an instance.

    Parameters
    ----------
    spec : InstanceSpec
    seed : int or sequence of int
        Key of all random streams, for instance ``(experiment, cell, replicate)``. The specification does not enter:
        the same key with another m gives nested rows, and with another noise level the same truth.

    Returns
    -------
    Instance

    Raises
    ------
    MemoryError
        Before anything is drawn, with how much it would need.
    """
    key = (int(seed),) if isinstance(seed, int | np.integer) else tuple(int(s) for s in seed)
    if not key or min(key) < 0:
        raise InvalidInput(f"seed: expected a non-negative integer or several, got {seed!r}")
    needed = 8 * (spec.t * spec.m * spec.d + 2 * spec.t * spec.d)
    if needed > available_memory():
        raise MemoryError(
            f"{spec.t} tasks of {spec.m} rows and {spec.d} features are {size_words(needed)} of numbers, and "
            f"{size_words(available_memory())} are free"
        )
    U = draw_subspace(spec, stream(key, "U"))
    truth = LRSModel(U, draw_weights(spec, key), draw_sparse(spec, key))
    X = draw_covariates(spec, stream(key, "X"))
    y = (X @ truth.theta[:, :, None])[:, :, 0]
    if spec.noise > 0:
        y += spec.noise * stream(key, "noise").standard_normal((spec.m, spec.t)).T
    data = MultiTaskData.from_arrays(X, y)
    if spec.ragged > 0:
        counts = np.maximum(1, np.round(spec.m * (1 - spec.ragged * stream(key, "ragged").random(spec.t)))).astype(int)
        position = np.arange(data.n) % spec.m
        data = data.rows(position < np.repeat(counts, spec.m))
    return Instance(Problem(data, spec.r, spec.k, spec.noise), truth, spec, key)
