"""The realizable model of the paper, and each way of leaving it.

Every random stream has its own generator, that of the purpose ``data/U``, ``data/W``, … (`lrs.core.streams`), so that
changing one knob leaves all other draws as they were, and rows are drawn sample by sample across tasks, so that the instance with m rows per
task is the prefix of the instance with m + 1.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float
from scipy import sparse

from lrs.core import streams
from lrs.errors import InvalidInput
from lrs.model import LRSModel
from lrs.problem import Instance, MultiTaskData, Problem

CovariateLaw = Literal["gaussian", "rademacher", "student-t", "correlated", "scaled"]
SparseLaw = Literal["uniform", "signs", "gaussian"]


@dataclass(frozen=True, kw_only=True)
class InstanceSpec:
    """What to draw. The defaults are the paper's model: x ~ N(0, I), w ~ N(0, I), random supports.

    Parameters
    ----------
    t, m, d, r, k : int
        Tasks, rows per task, dimension, rank, non-zeros per task.
    noise : float
        Standard deviation σ of the observation noise.
    coherence : float in [0, 1]
        Incoherence of U (assumption A1). 0 draws U from the Haar measure; otherwise the squared norm of the first row
        of U is at least this, and 1 puts e₁ into the span: the low-rank and the sparse part can then not be told apart.
    kappa : float ≥ 1, optional
        Task diversity (A1): ratio λ₁/λ_r of the extreme eigenvalues of (r/t) WᵀW, made exact; the condition number of W
        is its square root. Default: whatever N(0, I) weights give.
    w_spread : float ≥ 0
        Norm spread of w (A1, μ): every w is multiplied by exp(w_spread · N(0, 1)).
    w_rank : int, optional
        Rank of W, below r to violate task diversity (λ_r = 0).
    duplicates : int
        Number of tasks whose (w, b) repeat an earlier task's: tasks without new information on U.
    zeta : int, optional
        Row sparsity (A2): supports are confined to as few coordinates as allow each to be used by at most ζ tasks, as
        evenly as possible. Default: uniformly random supports.
    b_law : {"uniform", "signs", "gaussian"}
        Law of the non-zeros of b: ± U(½, 3/2), ± 1 or N(0, 1), times ``b_scale``.
    b_scale : float > 0
        Size of b; no assumption bounds it from below.
    x_law : {"gaussian", "rademacher", "student-t", "correlated", "scaled"}
        Covariates (the design assumption). Student-t has ``x_parameter`` degrees of freedom (default 5) and unit
        variance; correlated is a stationary AR(1) across coordinates with that correlation (default 0.5); scaled
        multiplies coordinate j by ``x_parameter ** (j / (d - 1))`` (default 10).
    x_parameter : float, optional
    ragged : float in [0, 1)
        Rows of task i are round(m (1 − ragged · u_i)), u_i ~ U(0, 1), at least one: the per-task sample size.

    Raises
    ------
    InvalidInput
        When a value is out of range.
    """

    t: int
    m: int
    d: int
    r: int
    k: int
    noise: float = 0.0
    coherence: float = 0.0
    kappa: float | None = None
    w_spread: float = 0.0
    w_rank: int | None = None
    duplicates: int = 0
    zeta: int | None = None
    b_law: SparseLaw = "uniform"
    b_scale: float = 1.0
    x_law: CovariateLaw = "gaussian"
    x_parameter: float | None = None
    ragged: float = 0.0

    def __post_init__(self) -> None:
        for name in ("t", "m", "d", "r", "k", "duplicates", "w_rank", "zeta"):
            value = getattr(self, name)
            if value is None and name in ("w_rank", "zeta"):
                continue
            if isinstance(value, bool) or not isinstance(value, int | np.integer):
                raise InvalidInput(f"{name}: expected an integer, got {value!r}")
            object.__setattr__(self, name, int(value))
        for name in ("t", "m", "d"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"{name}: expected at least 1, got {getattr(self, name)}")
        for name in ("r", "k"):
            if not 0 <= getattr(self, name) <= self.d:
                raise InvalidInput(f"{name}: {getattr(self, name)} is outside 0 … d = {self.d}")
        checks = (
            ("noise", self.noise >= 0, "at least 0"),
            ("coherence", 0 <= self.coherence <= 1, "a number in [0, 1]"),
            ("kappa", self.kappa is None or self.kappa >= 1, "at least 1"),
            ("w_spread", self.w_spread >= 0, "at least 0"),
            ("w_rank", self.w_rank is None or 0 <= self.w_rank <= self.r, f"a rank in 0 … r = {self.r}"),
            ("duplicates", 0 <= self.duplicates < self.t, f"a number of tasks in 0 … t − 1 = {self.t - 1}"),
            ("b_law", self.b_law in get_args(SparseLaw), f"one of {', '.join(get_args(SparseLaw))}"),
            ("b_scale", self.b_scale > 0, "a positive number"),
            ("x_law", self.x_law in get_args(CovariateLaw), f"one of {', '.join(get_args(CovariateLaw))}"),
            ("ragged", 0 <= self.ragged < 1, "a number in [0, 1)"),
        )
        for name, ok, expected in checks:
            if not ok:
                raise InvalidInput(f"{name}: expected {expected}, got {getattr(self, name)!r}")
        if self.zeta is not None and self.zeta * self.d < self.t * self.k:
            raise InvalidInput(
                f"zeta: t·k = {self.t * self.k} entries do not fit into d = {self.d} coordinates used by at most "
                f"{self.zeta} tasks each; pass zeta ≥ {-(-self.t * self.k // self.d)}"
            )
        if self.zeta is not None and self.zeta > self.t:
            raise InvalidInput(f"zeta: {self.zeta} tasks cannot share a coordinate when there are t = {self.t}")
        if self.kappa is not None and self.t < self.r:
            raise InvalidInput(f"kappa: an exact ratio needs t ≥ r, got t = {self.t}, r = {self.r}")
        x = self.x_parameter
        limits = {
            "student-t": (lambda v: v > 2, "more than 2 degrees of freedom, so that the variance is finite"),
            "correlated": (lambda v: -1 < v < 1, "a correlation in (−1, 1)"),
            "scaled": (lambda v: v > 0, "a positive ratio of scales"),
        }
        if x is not None:
            if self.x_law not in limits:
                raise InvalidInput(f"x_parameter: the {self.x_law} law takes none")
            valid, expected = limits[self.x_law]
            if not valid(x):
                raise InvalidInput(f"x_parameter: expected {expected}, got {x!r}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON stores them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> InstanceSpec:
        """Inverse of `to_dict`; an unknown name is refused with the nearest known one."""
        known = [f.name for f in fields(cls)]
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
                raise InvalidInput(f"{name}: not a parameter of an instance{hint}")
        missing = [name for name in ("t", "m", "d", "r", "k") if name not in values]
        if missing:
            raise InvalidInput(f"{', '.join(missing)}: missing; an instance needs t, m, d, r and k")
        return cls(**values)

    def canonical(self) -> str:
        """Canonical text: JSON with sorted keys and no spaces; two specifications are the same iff this is."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    def hash(self) -> str:
        """SHA-256 of the canonical text, hexadecimal."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()


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
    """
    key = (int(seed),) if isinstance(seed, int | np.integer) else tuple(int(s) for s in seed)
    if not key or min(key) < 0:
        raise InvalidInput(f"seed: expected a non-negative integer or several, got {seed!r}")
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
