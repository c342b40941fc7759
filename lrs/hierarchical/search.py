"""A rank and a sparsity at which AMHT predicts best, with as few fits as will do.

A fit of one size says a lot about all smaller ones: the leading directions of its U and one pass over the tasks are the model of
rank q ≤ r and sparsity k' ≤ k, at a thirtieth of the cost of a fit. So sizes are doubled until a fit is larger than the best one
inside it; that one is fitted, from the directions found, and improved by single steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from lrs.amht import AMHT
from lrs.amht.compression import Samples
from lrs.amht.driver import State
from lrs.amht.polish import EqualWeights, pruned
from lrs.amht.truncation import leading
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import MultiTaskData, Problem
from lrs.hierarchical.gaussian import Gaussian, Sums, global_model, low_rank, random_effects
from lrs.kernels.engine import Engine, Pass
from lrs.solver import solve

Pair = tuple[int, int]

#: Rows on which rank and sparsity are searched, per feature; at least `LEAST_ROWS`.
ROWS_PER_FEATURE = 60
LEAST_ROWS = 4000
#: Share of every task's rows held out: where it is an eighth of `FEW` … `MANY` rows the fit misses few of them; else a quarter.
FEW_OUT, MANY_OUT, FEW, MANY = 0.125, 0.25, 8, 100
#: Outer steps of a fit that is only judged.
ITERATIONS = 15
#: Improvement in held-out mean square for which a larger rank or sparsity is taken.
IMPROVES = 1e-3
#: Held-out mean square, as a share of the data's, below which data may be exact: the fit is then done in full …
NEARLY = 1e-6
#: … and root mean square up to which they are.
EXACT = 1e-7
#: AMHT stands alone when its held-out mean square is below this share of the best Gaussian model's …
ALONE = 0.8
#: … and nothing is near it when it is below this one: then a full covariance is not even tried.
FAR = 0.2
#: Rows held out below which nothing stands alone: too few to tell a factor of two from chance.
JUDGES = 40
#: Unknowns of a low-rank Gaussian model that is tried by expectation maximisation; larger ones by AMHT without personal coordinates.
UNKNOWNS = 200


def part_of(data: MultiTaskData, rng: np.random.Generator) -> MultiTaskData:
    """Random tasks that suffice for the search, among those with rows to hold out."""
    order = rng.permutation(np.flatnonzero(data.counts >= 3))
    wanted = max(LEAST_ROWS, ROWS_PER_FEATURE * data.d)
    count = int(np.searchsorted(np.cumsum(data.counts[order]), wanted)) + 1
    return data.select(np.sort(order[:count]))


@dataclass(eq=False)
class Search:
    """What was tried, and how well it predicted rows held out.

    Attributes
    ----------
    solver : `AMHT`
    rank, sparsity : int or None
        Fixed by the user.
    fit : MultiTaskData
        What models are fitted to.
    X, y, groups : arrays
        The rows held out.
    """

    solver: AMHT
    rank: int | None
    sparsity: int | None
    fit: MultiTaskData
    X: Float[np.ndarray, "n d"]
    y: Float[np.ndarray, " n"]
    groups: np.ndarray

    def __post_init__(self) -> None:
        self.scores: dict[Pair, float] = {}
        self.models: dict[Pair, LRSModel] = {}
        self._insides: dict[Pair, Pair] = {}
        self.scale = float(np.mean(self.y**2)) or 1.0
        self.most = max(int(np.median(self.fit.counts)) - 1, 1)
        # A step that is only judged: no last steps on U, no other supports for single tasks.
        own = self.solver.sparse is not None or self.solver.polish is not None
        few = min(ITERATIONS, self.solver.max_iterations)
        self.quick = (
            self.solver if own else replace(self.solver, restarts=0, max_iterations=few, polish=EqualWeights(steps=0))
        )
        self.sums = Sums.of(self.fit)
        self.gaussian = min(self._mean_square(make().theta) for make in self._gaussians())

    @classmethod
    def of(
        cls, data: MultiTaskData, solver: AMHT, rank: int | None, sparsity: int | None, rng: np.random.Generator
    ) -> Search:
        """Search in a part of the tasks that suffices."""
        part = part_of(data, rng)
        fit, mask = part.split(1 - (FEW_OUT if FEW <= np.median(part.counts) < MANY else MANY_OUT), rng)
        search = cls(solver, rank, sparsity, fit, part.X[~mask], part.y[~mask], part.groups[~mask])
        search.run()
        return search

    # ------------------------------------------------------------------ what it says
    @property
    def best(self) -> Pair:
        """The pair with the smallest held-out mean square."""
        return min(self.scores, key=lambda pair: (self.scores[pair], pair))

    @property
    def exact(self) -> bool:
        return self.scores[self.best] <= EXACT**2 * self.scale

    @property
    def alone(self) -> bool:
        """Whether AMHT is far better than any Gaussian model, also one with a full covariance."""
        value = self.scores[self.best]
        if len(self.y) < JUDGES:
            return False
        if not self.far and value < ALONE * self.gaussian:
            self.gaussian = min(self.gaussian, self._mean_square(random_effects(self.sums, steps=5).theta))
        return value < ALONE * self.gaussian

    @property
    def far(self) -> bool:
        """Whether what personal coordinates explain is out of every Gaussian model's reach."""
        return self.scores[self.best] < FAR * self.gaussian

    # ------------------------------------------------------------------ what it does
    def run(self) -> None:
        """Fill ``scores``."""
        self._double()
        for fitted in list(self.scores)[-2:]:
            pair = self._inside(fitted)
            if self._allowed(pair):
                self.score(pair, fitted)
        self._climb()
        if self.scores[self.best] < NEARLY * self.scale:
            self._finish()

    def score(self, pair: Pair, start: Pair | None = None) -> float:
        """Held-out mean square at this rank and sparsity, from the directions of the model ``start``."""
        if pair not in self.scores:
            warm = None if start is None else leading(self.models[start], pair[0])
            # Any noise but none: the solver estimates it.
            problem = Problem(self.fit, *pair, 1.0, warm_start=warm)
            self._note(pair, solve(problem, self.quick, 0).model)
        return self.scores[pair]

    def _note(self, pair: Pair, model: LRSModel) -> None:
        self.models[pair], self.scores[pair] = model, self._mean_square(model.theta)
        if pair[1] == 0 and self.sparsity is None:
            self.gaussian = min(self.gaussian, self.scores[pair])

    def _mean_square(self, theta: Float[np.ndarray, "t d"]) -> float:
        with np.errstate(over="ignore"):  # of a fit with more coordinates than rows can hold
            value = float(np.mean((self.y - np.einsum("nd,nd->n", self.X, theta[self.groups])) ** 2))
        return value if np.isfinite(value) else np.inf

    def _gaussians(self) -> list[Callable[[], Gaussian]]:
        """Gaussian models that cost little."""
        sums, d = self.sums, self.fit.d
        ranks = [r for r in (1, 2, 4) if r < min(d, self.fit.t) and (r + 1) * d <= UNKNOWNS]
        return [lambda: global_model(sums), *(lambda r=r: low_rank(sums, r, steps=20) for r in ranks)]

    def _allowed(self, pair: Pair) -> bool:
        (r, k), d = pair, self.fit.d
        given = self.rank in (None, r) and self.sparsity in (None, k)
        fixed = self.rank is not None and self.sparsity is not None
        # As many equations as unknowns, and rows left to judge by; what the user fixed is tried all the same.
        enough = r + k <= self.most and int(np.maximum(self.fit.counts - r - k, 0).sum()) >= r * (d - r)
        return given and 0 <= r <= d and 0 <= k <= d and (enough or pair == self._least or fixed)

    @property
    def _least(self) -> Pair:
        return 1 if self.rank is None else self.rank, 0 if self.sparsity is None else self.sparsity

    def _double(self) -> None:
        """Both sizes doubled while it pays and the fit is used up to its limits."""
        r, k = self._least
        last = np.inf
        for pair in dict.fromkeys([(r, k), (2, k), (4, k)]):  # the rank alone, as long as the one before paid
            if not self._allowed(pair) or self.score(pair) > (1 - IMPROVES) * last:
                break
            last = self.scores[pair]
        last, size, before = np.inf, 1, None
        while True:
            pair = size if self.rank is None else r, size if self.sparsity is None else k
            if pair == before or not self._allowed(pair) or self.score(pair) > (1 - IMPROVES) * last:
                return
            last, size, before = self.scores[pair], 2 * size, pair
            if self._room(pair):
                return

    def _room(self, pair: Pair) -> bool:
        """Whether the best model inside a fit is smaller than it in every size that is free."""
        inside = self._inside(pair)
        return all(
            given is not None or small < large
            for given, small, large in zip((self.rank, self.sparsity), inside, pair, strict=True)
        )

    def _inside(self, pair: Pair) -> Pair:
        """The best size inside a fit, by one pass over the tasks each."""
        if pair in self._insides:
            return self._insides[pair]
        (r, k), model = pair, self.models[pair]
        U = leading(model, r).U
        found: dict[Pair, float] = {}

        def value(q: int, s: int) -> float:
            if (q, s) not in found:
                with Engine(self.fit, q, s) as engine:
                    directions = np.ascontiguousarray(U[:, :q])
                    fit = engine.fit(directions, Pass(start=engine.no_support(), swaps=self.solver.swaps))
                    if s:
                        fit = pruned(Samples(engine, self.fit), State(directions, fit))
                    found[q, s] = self._mean_square(engine.model(directions, fit).theta)
            return found[q, s]

        ranks = range(min(r, 1), r + 1) if self.rank is None else [r]
        q = min(ranks, key=lambda q: value(q, k))
        s = min(range(k + 1) if self.sparsity is None else [k], key=lambda s: value(q, s))
        q = min(ranks, key=lambda q: value(q, s))
        self._insides[pair] = q, s
        return q, s

    def _climb(self) -> None:
        """The best inside the best fit, and steps up from it, longer ones while they pay."""
        here = None
        while self.best != here and self.scores[self.best] > NEARLY * self.scale:
            here = self.best
            r, k = here
            steps = [(self._inside(here), here), ((r + 1, k), None), ((r, k + 1), None)]
            # One without the other may explain nothing.
            steps += [] if self.far else [((r + 1, k + 1), None)]
            for pair, start in steps:
                step, value = 1, self.scores[here]
                while (
                    self._allowed(pair) and pair not in self.scores and self.score(pair, start) < (1 - IMPROVES) * value
                ):
                    if start is not None:
                        break
                    value, step = self.scores[pair], 2 * step
                    pair = pair[0] + step * (pair[0] > r), pair[1] + step * (pair[1] > k)
                if self.best != here:
                    break

    def _finish(self) -> None:
        """The best in full, and what of it is used: exact data show by their error."""
        pair = self.best
        self._note(pair, solve(Problem(self.fit, *pair, 1.0), self.solver, 0).model)
        while self.exact:  # the smallest size that explains them as well
            r, k = pair
            for smaller in ((r - 1, k), (r, k - 1), (r - 1, k - 1)):
                if min(smaller) >= 0 and self._allowed(smaller):
                    self._note(smaller, solve(Problem(self.fit, *smaller, 1.0), self.solver, 0).model)
                    if self.scores[smaller] <= EXACT**2 * self.scale:
                        self.scores[smaller] = min(self.scores.values())
                        pair = smaller
                        break
            else:
                return
