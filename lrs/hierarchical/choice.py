"""Rank and sparsity from the data: models tried, judged on rows they did not see, and averaged by what they predicted.

Evidence within the sample takes too many coordinates; rows held out do not. So every candidate is fitted on four
fifths of every task's rows and predicts the rest, five times (on two thirds, three times, where tables are large); the answer
is the convex combination of the candidates that predicts best (stacking, Wolpert 1992, Breiman 1996), fitted again on all rows. A combination of models θ⁽ⁱ⁾ is a model θ⁽ⁱ⁾, so
what a user gets is one `LRSModel`.

Where personal coordinates explain the data far better than any Gaussian model, the combination would be AMHT alone: then
its rank and sparsity are found on a part of the tasks, and one run on all of them is the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy import sparse

from lrs.amht import AMHT
from lrs.amht.truncation import directions
from lrs.core.errors import InvalidInput
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import MultiTaskData, Problem
from lrs.hierarchical.gaussian import DETERMINED, Gaussian, Sums, low_rank, random_effects
from lrs.hierarchical.ridge import ridge_loo
from lrs.hierarchical.search import Search
from lrs.hierarchical.spikes import one_spike
from lrs.solver import Callback, Iterate, Solution, Status, relative_residual

#: Times that a share of every task's rows is held out, each row once: so many where t d² is below `HEAVY`, else fewer.
FOLDS, FEWER, HEAVY = 5, 3, 5e5
#: Ranks of the Gaussian candidates; the larger ones are left out where their step would solve for too many unknowns.
RANKS = (1, 2, 4, 8)
UNKNOWNS = 600
#: AMHT takes part in the average when its held-out mean square is below this share of the best Gaussian model's.
WORTH = 1.02
#: A weight below this is no part of the answer.
LEAST_WEIGHT = 1e-3
#: A weight of "nothing" from which it is the answer.
MOSTLY = 0.5
#: Share of the candidates' own errors in what the weights minimise, beside that of the average (Q-aggregation).
OWN = 0.1
#: What a candidate costs in squares of the noise: nothing, one model for all, any other.
COSTS = (0.0, 1.0, 4.0)
#: Operations (t d³ a step) that the candidates with a covariance of all features may cost.
WORK = 3e9


@dataclass(frozen=True)
class Part:
    """What a candidate says: a dense and a sparse part of θ, and the noise it saw."""

    dense: Float[np.ndarray, "t d"]
    sparse: Float[np.ndarray, "t d"] | None = None
    noise: float = float("nan")

    @property
    def theta(self) -> Float[np.ndarray, "t d"]:
        return self.dense if self.sparse is None else self.dense + self.sparse


@dataclass(frozen=True)
class Considered:
    """A row of the table of what was considered.

    Attributes
    ----------
    name : str
    rank, sparsity : int or None
        None where the model has no such limit.
    explained : float
        Explained variance of rows held out.
    error : float
        Its standard error over the folds, NaN with one fold.
    weight : float
        In the answer.
    """

    name: str
    rank: int | None
    sparsity: int | None
    explained: float
    error: float = float("nan")
    weight: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values; NaN is None."""
        error = self.error if np.isfinite(self.error) else None
        return {**self.__dict__, "error": error}


@dataclass(frozen=True, kw_only=True)
class Automatic:
    """Choose rank and sparsity, fit, and say what was considered.

    Parameters
    ----------
    rank, sparsity : int, optional
        Fixed by the user; None lets the data say. With either fixed the answer is one AMHT model of that rank or sparsity.
    solver : `AMHT`
        What fits models with personal coordinates.
    """

    rank: int | None = None
    sparsity: int | None = None
    solver: AMHT = field(default_factory=AMHT)

    def __call__(
        self, data: MultiTaskData, *, rng: np.random.Generator, callback: Callback | None = None
    ) -> Solution[LRSModel]:
        """Fit ``data``.

        Returns
        -------
        Solution
            ``info["considered"]`` is a tuple of `Considered`, best first; ``info["rank"]``, ``info["sparsity"]`` what was
            chosen, ``info["sentence"]`` what to know of the answer.
        """
        for name, value in (("rank", self.rank), ("sparsity", self.sparsity)):
            if value is not None and not 0 <= value <= data.d:
                raise InvalidInput(f"{name}: {value} is outside 0 … d = {data.d}; pass at most the number of features")
        if not np.ptp(data.y) and not data.y.any():
            return _nothing(data, "every response is 0, and so is the answer")
        if data.counts.max() < 2:
            return self._global_alone(data, "every task has a single row, so nothing can be held out")
        found = None
        if data.counts.max() >= 3:
            found = Search.of(data, self.solver, self.rank, self.sparsity, rng)
            if found.exact or self.rank is not None or self.sparsity is not None or found.alone:
                return self._alone(data, found, rng, callback)
        return self._average(data, found, rng, callback)

    # ------------------------------------------------------------------ one AMHT model
    def _alone(
        self, data: MultiTaskData, found: Search, rng: np.random.Generator, callback: Callback | None
    ) -> Solution[LRSModel]:
        r, k = found.best
        problem = Problem(data, r, k, 0.0 if found.exact else 1.0)  # any noise but none: the solver estimates it
        solution = self.solver(problem, rng=rng, callback=callback)
        if not found.exact and found.fit.t == data.t:  # few tasks: another start may find the better of two answers
            start = replace(found.models[r, k], W=np.zeros((data.t, r)), B=sparse.csr_array((data.t, data.d)))
            again = self.solver(replace(problem, warm_start=start), rng=rng)
            solution = min(solution, again, key=lambda one: one.residual)
        sentence = f"rank {r} and sparsity {k} predict best on rows held out"
        if found.exact:
            sentence = f"the data are exact: rank {r} and sparsity {k} explain them without error"
        return _with(solution, _searched(found), r, k, sentence)

    def fitted(self, data: MultiTaskData, rank: int, sparsity: int) -> Part:
        """AMHT at this rank and sparsity."""
        problem = Problem(data, rank, sparsity, 1.0)  # any noise but none: the solver estimates it
        solution = self.solver(problem, rng=np.random.default_rng([0, rank, sparsity]))
        model = solution.model
        return Part(model.W @ model.U.T, model.B.toarray(), float(solution.info.get("noise_estimate", 0.0)))

    # ------------------------------------------------------------------ an average
    def _average(
        self, data: MultiTaskData, found: Search | None, rng: np.random.Generator, callback: Callback | None
    ) -> Solution[LRSModel]:
        worth = found is not None and found.scores[found.best] < WORTH * found.gaussian
        pairs = sorted({found.best, (found.best[0], 0)}) if found is not None and worth else []
        names = Candidates.names(data, pairs)
        held, predictions = _predictions(data, names, lambda rest: Candidates(rest, self, pairs), rng)
        weights, table = _stacked(data.y, held, predictions, names)
        fitted, total = Candidates(data, self, pairs), float(sum(weights.values()))
        parts = {name: fitted.part(name) for name in weights}
        dense = np.sum([weights[name] / total * part.dense for name, part in parts.items()], axis=0)
        B = sum(
            (weights[name] / total * part.sparse for name, part in parts.items() if part.sparse is not None),
            np.zeros((data.t, data.d)),
        )
        model = _model(data, dense, B)
        k = int(np.diff(model.B.indptr).max(initial=0))
        residual = relative_residual(Problem(data, model.rank, k), model)
        if callback is not None:
            callback(Iterate(0, model, residual))
        noise = float(np.sum([weights[name] / total * part.noise for name, part in parts.items()]))
        if set(weights) == {"nothing"}:
            sentence = "there is no signal: nothing predicts rows held out better than their mean, which is the answer"
            if not _constant(data).any():
                sentence += "; without a constant feature it is 0"
        elif set(weights) <= {"nothing", "global"}:
            sentence = "nothing predicts rows held out better than one model for all tasks, which is the answer"
        else:
            sentence = "an average, weighted by what predicted best on rows held out: " + ", ".join(
                f"{weight / total:.2f} {name}" for name, weight in sorted(weights.items(), key=lambda item: -item[1])
            )
        solution = Solution(model, Status.CONVERGED, len(table), residual, info={"noise_estimate": noise})
        return _with(solution, table, model.rank, k, sentence)

    def _global_alone(self, data: MultiTaskData, why: str) -> Solution[LRSModel]:
        fitted = Candidates(data, self, ()).part("global")
        model = _model(data, fitted.dense, np.zeros((data.t, data.d)))
        residual = relative_residual(Problem(data, model.rank, 0), model)
        solution = Solution(model, Status.CONVERGED, 1, residual, info={"noise_estimate": fitted.noise})
        return _with(solution, (), model.rank, 0, f"{why}; the answer is one model for all tasks")


def _searched(found: Search) -> tuple[Considered, ...]:
    """What the search tried, best first."""
    total = float(np.mean((found.y - found.y.mean()) ** 2)) or 1.0
    rows = [
        Considered(f"amht r={r} k={k}", r, k, 1 - value / total, weight=float((r, k) == found.best))
        for (r, k), value in found.scores.items()
    ]
    return tuple(sorted(rows, key=lambda row: -row.explained))


class Candidates:
    """The models that take part, by name, fitted when asked for and each only once.

    Parameters
    ----------
    data : MultiTaskData
    owner : `Automatic`
    pairs : sequence of (int, int)
        Ranks and sparsities at which AMHT takes part.
    """

    def __init__(self, data: MultiTaskData, owner: Automatic, pairs: Sequence[tuple[int, int]]) -> None:
        self.data, self.owner, self.sums = data, owner, Sums.of(data)
        self._made: dict[str, Gaussian] = {}
        self._amht = {f"amht r={r} k={k}": (r, k) for r, k in pairs}

    @staticmethod
    def names(data: MultiTaskData, pairs: Sequence[tuple[int, int]]) -> dict[str, tuple[int | None, int | None]]:
        """Names, with the rank and the sparsity of each: None where the model has no such limit."""
        t, d = data.t, data.d
        names: dict[str, tuple[int | None, int | None]] = {"nothing": (0, 0), "global": (1, 0)}
        if t < 2:
            return names
        ranks = [r for r in RANKS if r <= max(d // 3, 1) and r < min(d, t) and (r + 1) * d <= UNKNOWNS]
        for r in ranks:
            names[f"low rank {r}"] = (r, 0)
        names |= {f"low rank {r} + spike": (r, 1) for r in ranks[:2][-1:]}
        names |= {
            "personal": (0, None),
            "mixed": (None, 0),
            "mixed, shrunk": (None, 0),
            "mixed, shrunk + spike": (None, 1),
        }
        return names | {f"amht r={r} k={k}": (r, k) for r, k in pairs}

    def part(self, name: str) -> Part:
        """The candidate of this name."""
        if name in self._amht:
            return self.owner.fitted(self.data, *self._amht[name])
        if name == "nothing":
            constant = _constant(self.data)
            theta = np.where(constant, self.data.y.mean() / np.where(constant, self.data.X[0], 1.0), 0.0) / max(
                constant.sum(), 1
            )
            return Part(np.tile(theta, (self.data.t, 1)), noise=float(self.data.y.std()))
        if name == "global":  # by ridge, which also answers with more features than rows
            theta = ridge_loo(self.data.X, self.data.y)
            noise = float(np.sqrt(np.mean((self.data.y - self.data.X @ theta) ** 2)))
            return Part(np.tile(theta, (self.data.t, 1)), noise=noise)
        base, _, spike = name.partition(" + ")
        model = self._gaussian(base)
        noise = float(np.sqrt(model.variance))
        return Part(one_spike(self.sums, model) if spike else np.array(model.theta), noise=noise)

    def _gaussian(self, name: str) -> Gaussian:
        if name not in self._made:
            t, d = self.sums.moment.shape
            steps = int(np.clip(WORK / (t * d**3), 5, 20))
            if name == "personal":
                made = random_effects(self.sums, "diagonal", steps=steps)
            elif name == "mixed, shrunk":
                made = random_effects(self.sums, steps=steps)
            elif name == "mixed":
                more = int(np.clip(WORK / 8 / (t * d**3), 2 * steps, 180))
                made = random_effects(self.sums, steps=more, start=self._gaussian("mixed, shrunk"))
            else:
                made = low_rank(self.sums, int(name.rpartition(" ")[2]), steps=30)
            self._made[name] = made
        return self._made[name]


def _constant(data: MultiTaskData) -> Bool[np.ndarray, " d"]:
    """Features that are the same number, other than 0, in all rows."""
    same: np.ndarray = (np.ptp(data.X, axis=0) == 0) & (data.X[0] != 0)
    return same


def _predictions(
    data: MultiTaskData, names: Iterable[str], fitted: Callable[[MultiTaskData], Candidates], rng: np.random.Generator
) -> tuple[Bool[np.ndarray, "folds n"], dict[str, Float[np.ndarray, " n"]]]:
    """Which rows each fold held out, and what every candidate predicted for them; tasks with one row are never held out."""
    folds = FOLDS if data.t * data.d**2 < HEAVY else FEWER
    fold = np.empty(data.n, dtype=int)
    for i, count in enumerate(data.counts):
        first = data.offsets[i]
        fold[first : first + count] = -1 if count < 2 else (rng.permutation(count) + rng.integers(folds)) % folds
    held = np.stack([fold == f for f in range(folds)])
    predictions = {name: np.zeros(data.n) for name in names}
    for out in held:
        # A task of two rows may have both of them in no fold but one: it keeps the first.
        keep = ~out
        empty = np.add.reduceat(keep, data.offsets[:-1]) == 0
        keep[data.offsets[:-1][empty]] = True
        out &= ~keep
        if not out.any():
            continue
        rest = data.rows(keep)
        candidates = fitted(rest)
        for name in predictions:
            theta = candidates.part(name).theta
            predictions[name][out] = np.einsum("nd,nd->n", data.X[out], theta[data.groups[out]])
    return held, predictions


def curve(
    data: MultiTaskData, solver: AMHT, pairs: Sequence[tuple[int, int]], rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Explained variance of rows held out, with the half-width of its 95 % interval over the folds (Student).

    Of one model for all, the mixed model, and AMHT at every rank and sparsity of ``pairs``, in this order.
    """
    from scipy.stats import t as student  # slow to import

    if data.counts.max() < 2:
        raise InvalidInput(
            "FILE: every task has a single row, so nothing can be held out; tune needs two rows of a task"
        )
    names = {"global": (1, 0), "mixed": (None, 0)} | {f"amht r={r} k={k}": (r, k) for r, k in pairs}
    if data.t < 2:
        del names["mixed"]
    owner = Automatic(solver=solver)
    held, predictions = _predictions(data, names, lambda rest: Candidates(rest, owner, pairs), rng)
    rows = []
    for name, (r, k) in names.items():
        mean, error = _explained(data.y, held, predictions[name])
        half = float(student.ppf(0.975, len(held) - 1)) * error if np.isfinite(error) else None
        rows.append({"name": name, "rank": r, "sparsity": k, "explained": mean, "half_width": half})
    return rows


def _explained(
    y: Float[np.ndarray, " n"], held: Bool[np.ndarray, "folds n"], predicted: Float[np.ndarray, " n"]
) -> tuple[float, float]:
    """Explained variance, mean over the folds, and its standard error."""
    # Equal responses have no variance that could be explained.
    each = [
        1 - float(np.mean((y[out] - predicted[out]) ** 2) / (np.var(y[out]) or np.inf)) for out in held if out.any()
    ]
    return float(np.mean(each)), float(np.std(each, ddof=1) / np.sqrt(len(each))) if len(each) > 1 else float("nan")


def _stacked(
    y: Float[np.ndarray, " n"],
    held: Bool[np.ndarray, "folds n"],
    predictions: Mapping[str, Float[np.ndarray, " n"]],
    sizes: Mapping[str, tuple[int | None, int | None]],
) -> tuple[dict[str, float], tuple[Considered, ...]]:
    """Non-negative weights of sum one, and the table.

    They minimise the held-out square of the average, with a share ν of the candidates' own, (1 − ν)‖y − Pw‖² + ν Σ_j w_j ‖y − p_j‖²
    (Q-aggregation, Dai, Rigollet and Zhang 2012), and with what a candidate costs: few rows say little of the weights.
    """
    some = held.any(axis=0)
    names = [name for name in predictions if np.isfinite(predictions[name]).all()]
    differences = np.column_stack([predictions[name][some] for name in names]) - y[some][:, None]
    gram = differences.T @ differences
    own = np.diag(gram)
    costs = np.array(
        [COSTS[("nothing", "global").index(name)] if name in ("nothing", "global") else COSTS[2] for name in names]
    )
    linear = OWN * own + costs * own.min() / some.sum()
    # Where Σw = 1 a linear term is a quadratic one, and any multiple of 11ᵀ a constant; a row that is heavy keeps the sum.
    size = 10 * float(own.max()) + np.finfo(float).tiny
    form = (1 - OWN) * gram + (linear + linear[:, None]) / 2 + size
    # Candidates that predict alike but cost differently leave a direction in which the form is a little below 0.
    values, vectors = np.linalg.eigh(form)
    root = np.sqrt(np.maximum(values, 1e-10 * size))[:, None] * vectors.T
    heavy = 1e3 * np.sqrt(size)
    from scipy.optimize import nnls  # slow to import

    weights = nnls(np.vstack([root, np.full(len(names), heavy)]), np.append(np.zeros(len(names)), heavy))[0]
    weights /= weights.sum()
    if dict(zip(names, weights, strict=True)).get("nothing", 0.0) > MOSTLY:
        weights = np.array([float(name == "nothing") for name in names])
    chosen = {name: float(w) for name, w in zip(names, weights, strict=True) if w > LEAST_WEIGHT}
    total, rows = sum(chosen.values()), []
    for name in names:
        mean, error = _explained(y, held, predictions[name])
        rows.append(Considered(name, *sizes[name], mean, error, chosen.get(name, 0.0) / total))
    return chosen, tuple(sorted(rows, key=lambda row: -row.explained))


def _model(data: MultiTaskData, dense: Float[np.ndarray, "t d"], B: Float[np.ndarray, "t d"]) -> LRSModel:
    """The model of a dense part, its rank that of the matrix, directions ordered by what they predict, and of B."""
    sizes = np.linalg.svd(dense, compute_uv=False)
    rank = int((sizes > 1e-9 * max(sizes[0], np.finfo(float).tiny)).sum())
    moment = data.X.T @ data.X / data.n
    U = directions(dense, moment + DETERMINED * (np.trace(moment) / data.d or 1.0) * np.eye(data.d), rank)
    return LRSModel(U, dense @ U, sparse.csr_array(B), data.task_names, data.feature_names)


def _nothing(data: MultiTaskData, why: str) -> Solution[LRSModel]:
    zero = np.zeros((data.t, data.d))
    solution = Solution(_model(data, zero, zero), Status.CONVERGED, 1, 0.0, info={"noise_estimate": 0.0})
    return _with(solution, (), 0, 0, why)


def _with(
    solution: Solution[LRSModel], table: tuple[Considered, ...], rank: int, sparsity: int, sentence: str
) -> Solution[LRSModel]:
    info = {**solution.info, "considered": table, "rank": rank, "sparsity": sparsity, "sentence": sentence}
    model = replace(solution.model, considered=tuple(row.to_dict() for row in table))
    return replace(solution, model=model, info=info)
