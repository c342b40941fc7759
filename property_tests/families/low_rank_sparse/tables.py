"""Simulated tables of many kinds, and how well a model predicts the half of the rows that it did not see."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from jaxtyping import Float

from lrs import MultiTaskData, Problem, metrics, solve
from lrs.hierarchical.gaussian import Sums, low_rank

Draw = Callable[[np.random.Generator], MultiTaskData]


def tasks(
    rng: np.random.Generator,
    t: int = 60,
    m: int = 30,
    d: int = 6,
    *,
    spread: float = 0.5,
    rank: int | None = None,
    k: int = 0,
    noise: float = 1.0,
    ragged: bool = False,
    scales: np.ndarray | float = 1.0,
    heavy: bool = False,
    mean: float = 1.0,
    collinear: bool = False,
    categories: int = 0,
    intercept: float = 0.0,
    x: str = "normal",
) -> MultiTaskData:
    """θ⁽ⁱ⁾ = mean + spread · (full rank, or of ``rank``) + k personal coordinates of size 2; y with noise, features of a kind."""
    counts = np.maximum(2, (m * rng.lognormal(0, 0.8, t)).astype(int)) if ragged else np.full(t, m)
    L = rng.standard_normal((d, d if rank is None else rank)) / np.sqrt(d if rank is None else rank)
    shared = mean * rng.standard_normal(d)
    X, y = [], []
    for count in counts:
        theta = shared + spread * L @ rng.standard_normal(L.shape[1])
        theta[rng.permutation(d)[:k]] += 2 * rng.choice([-1, 1], k)
        rows = rng.standard_normal((count, d)) if x == "normal" else rng.lognormal(0, 1, (count, d))
        if collinear:
            rows[:, d // 2 :] = rows[:, : d - d // 2] + 1e-3 * rng.standard_normal((count, d - d // 2))
        if categories:
            rows = np.column_stack([rows[:, categories:], np.eye(categories)[rng.integers(categories, size=count)]])
        e = rng.standard_t(2.2, count) if heavy else rng.standard_normal(count)
        own = intercept * rng.standard_normal()
        X.append(np.column_stack([rows * scales, np.ones(count)]))
        y.append(rows @ theta + own + noise * e)
    return MultiTaskData.from_arrays(X, y)


KINDS: dict[str, Draw] = {
    "mixed model": lambda g: tasks(g),
    "weak mixed": lambda g: tasks(g, spread=0.1, noise=2.0, mean=0.2),
    "no spread": lambda g: tasks(g, spread=0.0),
    "nothing": lambda g: tasks(g, spread=0.0, mean=0.0),
    "strong, few rows": lambda g: tasks(g, m=8, spread=1.0, noise=0.5),
    "strong, many rows": lambda g: tasks(g, m=200, t=20, spread=1.0, noise=0.5),
    "low rank": lambda g: tasks(g, d=20, rank=2, spread=1.0),
    "low rank, few tasks": lambda g: tasks(g, t=8, d=12, rank=1, spread=1.0),
    "low rank + sparse": lambda g: tasks(g, t=150, m=40, d=20, rank=2, k=2, spread=1.0),
    "sparse, dense mean": lambda g: tasks(g, t=100, m=30, d=15, spread=0.0, k=1),
    "heavy tails": lambda g: tasks(g, heavy=True),
    "heavy tails, lognormal features": lambda g: tasks(g, heavy=True, x="lognormal"),
    "lognormal features": lambda g: tasks(g, x="lognormal"),
    "ragged": lambda g: tasks(g, t=120, m=12, ragged=True),
    "wide": lambda g: tasks(g, t=40, m=20, d=60, spread=0.3),
    "wide low rank": lambda g: tasks(g, t=60, m=20, d=80, rank=2, spread=1.0),
    "wider than rows": lambda g: tasks(g, t=5, m=8, d=60),
    "scales": lambda g: tasks(g, scales=10.0 ** np.arange(-3, 3)),
    "collinear": lambda g: tasks(g, d=8, collinear=True),
    "categories": lambda g: tasks(g, d=12, categories=8),
    "many categories": lambda g: tasks(g, d=40, categories=35, t=40),
    "intercepts alone": lambda g: tasks(g, spread=0.0, intercept=3.0),
    "intercepts and slopes": lambda g: tasks(g, spread=0.3, intercept=3.0),
    "intercepts, few rows": lambda g: tasks(g, t=200, m=6, spread=0.1, intercept=2.0),
    "one feature dominates": lambda g: tasks(g, scales=np.array([100.0, *[1.0] * 5]), spread=0.3),
    "two tasks": lambda g: tasks(g, t=2, m=60, spread=1.0),
    "three tasks, few rows": lambda g: tasks(g, t=3, m=12, d=4),
    "many tasks, two rows": lambda g: tasks(g, t=400, m=4, d=3, intercept=1.0),
    "precise": lambda g: tasks(g, noise=0.01),
    "precise, few rows": lambda g: tasks(g, m=10, d=8, noise=0.01),
}


def halves(
    data: MultiTaskData, seed: Iterable[int]
) -> tuple[MultiTaskData, Callable[[Float[np.ndarray, "t d"]], float]]:
    """Half of every task's rows, and the explained variance of the others by parameters θ."""
    training, mask = data.split(0.5, np.random.default_rng(list(seed)))
    X, y, groups = data.X[~mask], data.y[~mask], data.groups[~mask]
    return training, lambda theta: float(metrics.explained_variance(y, np.einsum("nd,nd->n", X, theta[groups])))


def in_use(training: MultiTaskData) -> dict[str, Float[np.ndarray, "t d"]]:
    """What people use already: one model for all, ridge a task, the mixed model, random effects of low rank."""
    found = {name: solve(Problem(training, 1, 0), name).model.theta for name in ("global", "ridge", "mixed")}
    sums = Sums.of(training)
    ranks = sorted({1, min(2, training.d - 1), min(4, training.d - 1)})
    return found | {f"low rank {r}": low_rank(sums, r).theta for r in ranks if r < training.t}
