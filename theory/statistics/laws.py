"""Laws for the rows per task that a solver needs: fitted on small sizes, chosen on larger ones, certified cell by cell.

The smallest m at which at least 95 % of the trials recover every task (m₉₅) is measured by bisection at the sizes of a
`Study`. Every law of `LAWS` is fitted to the training sizes and raised until none of them lies above it; the hold-out, at
two and four times the dimension and other numbers of tasks, chooses among them. What is chosen promises nothing yet:
a pair (r, k) is certified when the law's own amount, tried on fresh data at the corners of a range of d and t, succeeds
with probability above p₁ by the sequential test of `theory.statistics.evidence`. Elsewhere an amount is an
extrapolation and says so. Shapes: the theorem's is quoted; the others are this toolkit's, after the counting limit and
the price ln(e d/k) of a support, and empirical.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np
import sympy
from scipy.optimize import least_squares

from lrs.core import streams
from lrs.core.errors import InvalidInput
from lrs.core.family import Success, load_family
from lrs.core.trial import trial
from lrs.isolation import executor_for
from lrs.solver import load_solver
from theory.families.low_rank_sparse import assumptions
from theory.language.readers.arrays import compile_numpy
from theory.language.symbols import d, k, r, t
from theory.region import needed, whole
from theory.statistics.evidence import BinomialTest, EvidenceVerdict

#: More than .95 certified at an error of 5 % per cell: 74 successes in a row do, or 130 of 131.
CELL_TEST = BinomialTest(p0=0.99, p1=0.95, alpha=1e-2, beta=5e-2)
#: Success probability of the rows that are measured.
LEVEL = 0.95
#: A law whose amount is within this factor of what was measured is tight enough to plan with.
TIGHT = 1.5
#: Largest m tried, in units of the stable scale: a solver that fails there gets no law.
MOST = 64


class Size(NamedTuple):
    """Sizes of a problem but for its rows."""

    d: int
    r: int
    k: int
    t: int


class Rows(NamedTuple):
    """Rows per task measured at one size; None when the solver failed wherever it was tried."""

    size: Size
    rows: int | None


# ---------------------------------------------------------------------------------------------- the laws
_a, _b, _c, _h = sympy.symbols("a b c h", positive=True)
_support = k * (1 + sympy.log(d / sympy.Max(k, 1)))  # k ln(e d/k), 0 at k = 0
_others = sympy.Max(k - 1, 0) * (1 + sympy.log(d / sympy.Max(k, 1)))
_theorem = [needed(p, sympy.Symbol("m", positive=True)) for p in (assumptions.task_samples, assumptions.total_samples)]

#: Candidates: rows per task as expressions of d, r, k, t and free constants.
LAWS: Mapping[str, sympy.Expr] = {
    "theorem": sympy.Max(*(e for e in _theorem if e is not None)),
    "one constant": _a * (r + _support + d * r / t),
    "separate": _a * r + _b * _support + _c * d * r / t + _h,
    # The first coordinate of a support is found by trying all d; only the others have a price.
    "other coordinates": _a * r + _b * _others + _c * r * (d - r) / t + _h,
}


class _Compiled(NamedTuple):
    constants: tuple[str, ...]
    function: Callable[..., np.ndarray]


@cache
def _compiled(law: str) -> _Compiled:
    expression = LAWS[law]
    sizes = ("d", "k", "r", "t")
    constants = tuple(sorted(s.name for s in expression.free_symbols if s.name not in sizes))
    function = compile_numpy([expression], [*constants, *sizes])
    return _Compiled(constants, lambda *values: np.asarray(function(*values)[0], dtype=np.float64))


@dataclass(frozen=True)
class Candidate:
    """A law with constants.

    Attributes
    ----------
    law : str
        Key of `LAWS`.
    constants : mapping of str to float
        Raised by ``margin``.
    margin : float
        By how much the fitted law was raised so that no training size lies above it.
    capped : bool
        Whether m = d is always enough for the solver (as it is for least squares, task by task): at no training size
        it needed more.
    error : float
        Root mean square of ln(measured/fitted) on the training sizes.
    within, held_out : int
        Hold-out sizes where the law's amount is at least what was measured and at most `TIGHT` times that, and all.
    low, high : float
        Smallest and largest amount/measured on the hold-out.
    """

    law: str
    constants: Mapping[str, float]
    margin: float
    capped: bool
    error: float
    within: int = 0
    held_out: int = 0
    low: float = math.nan
    high: float = math.nan

    @property
    def formula(self) -> str:
        values = {
            s: sympy.Float(self.constants[s.name], 3) for s in LAWS[self.law].free_symbols if s.name in self.constants
        }
        body = str(LAWS[self.law].xreplace(values)).replace("**", "^")
        return f"min(d, {body})" if self.capped else body

    @property
    def passes(self) -> bool:
        """Whether the hold-out leaves it standing: every amount there is enough, and none is out of proportion."""
        return self.held_out > 0 and self.within == self.held_out

    def rows(self, d: Any, r: Any, k: Any, t: Any) -> np.ndarray:
        """Rows per task that the law asks for: whole numbers, at least r + k + 1, and at most d where ``capped``."""
        values = [self.constants[name] for name in _compiled(self.law).constants]
        d, r, k, t = (np.asarray(x, dtype=np.float64) for x in (d, r, k, t))
        out = np.maximum(whole(_compiled(self.law).function(*values, d, k, r, t)), r + k + 1)
        return np.asarray(np.minimum(out, d) if self.capped else out)


def fit(law: str, measured: Sequence[Rows]) -> Candidate:
    """A law fitted to measured rows: least squares of ln(measured/fitted), then raised to lie nowhere below.

    Parameters
    ----------
    law : str
        Key of `LAWS`.
    measured : sequence of Rows
        With rows everywhere.
    """
    compiled = _compiled(law)
    ds, rs, ks, ts = (np.array([x.size[i] for x in measured], dtype=np.float64) for i in range(4))
    rows = np.array([x.rows for x in measured], dtype=np.float64)
    capped = bool(np.all(rows <= ds))
    free = rows < ds if capped else np.ones(len(rows), dtype=bool)  # m = d was enough: the law is at least that
    if free.sum() <= len(compiled.constants):
        raise InvalidInput(f"measured: {free.sum()} sizes for the {len(compiled.constants)} constants of {law!r}")

    def ratio(constants: np.ndarray) -> np.ndarray:
        fitted = np.maximum(compiled.function(*constants, ds, ks, rs, ts), rs + ks + 1)
        return rows / (np.minimum(fitted, ds) if capped else fitted)

    starts = np.exp(np.random.default_rng(0).normal(size=(6, len(compiled.constants))))  # a maximum has kinks
    found = [least_squares(lambda p: np.log(ratio(p))[free], start, bounds=(1e-6, np.inf)) for start in starts]
    best = min(found, key=lambda f: f.cost)
    margin = max(1.0, float(ratio(best.x).max()))
    constants = {n: round(float(v) * margin, 4) for n, v in zip(compiled.constants, best.x, strict=True)}
    return Candidate(law, constants, round(margin, 4), capped, round(math.sqrt(2 * best.cost / free.sum()), 4))


def judge(candidate: Candidate, held_out: Sequence[Rows]) -> Candidate:
    """The candidate with what the hold-out says of it; a size that no m solved counts against it."""
    ratios = np.array([float(candidate.rows(*x.size)) / x.rows if x.rows else 0.0 for x in held_out])
    within = int(((ratios >= 1) & (ratios <= TIGHT)).sum())
    return dataclasses.replace(
        candidate, within=within, held_out=len(ratios), low=float(ratios.min()), high=float(ratios.max())
    )


def identity(solver: Any) -> str:
    """What a solver is: where its class or function lives, and the parameters that differ from their defaults."""
    solver = load_solver(solver)
    target = solver if hasattr(solver, "__qualname__") else type(solver)
    changed = []
    if dataclasses.is_dataclass(solver) and not isinstance(solver, type):
        for parameter in dataclasses.fields(solver):
            default = parameter.default
            if default is dataclasses.MISSING and parameter.default_factory is not dataclasses.MISSING:
                default = parameter.default_factory()
            value = getattr(solver, parameter.name)
            if parameter.init and value != default:
                changed.append(f"{parameter.name}={value!r}")
    return f"{target.__module__}:{target.__qualname__}({', '.join(changed)})"


# ---------------------------------------------------------------------------------------------- what is measured
@dataclass(frozen=True)
class Study:
    """Sizes of a calibration.

    Attributes
    ----------
    training, held_out : tuple of Size
        Where m₉₅ is measured.
    cells : tuple of (r, k)
    corners : tuple of (d, t)
        Where the amounts of every cell are tried, in turn.
    replicates : int
        Trials per m of a bisection.
    """

    training: tuple[Size, ...]
    held_out: tuple[Size, ...]
    cells: tuple[tuple[int, int], ...]
    corners: tuple[tuple[int, int], ...]
    replicates: int = 20


def _sizes(text: str) -> tuple[Size, ...]:
    return tuple(Size(*(int(n) for n in size.split(","))) for size in text.split())


#: The hold-out is at two and four times the dimension and at other numbers of tasks. Texts: d, r, k, t.
_FULL = Study(
    training=_sizes(
        "24,1,1,30 48,1,1,200 48,1,2,12 24,1,4,200 48,1,4,30 36,1,6,400 48,1,8,100 24,2,2,100 48,2,4,12 48,2,6,200 "
        "32,2,8,50 48,3,1,30 32,3,2,12 24,3,3,30 48,3,3,200 40,3,6,120 48,4,2,400 32,4,4,400 48,4,6,60 48,5,1,200 "
        "48,5,3,30 36,5,4,100 48,5,5,800 48,5,8,300"
    ),
    held_out=_sizes(
        "96,1,1,20 96,1,3,384 96,2,6,50 96,3,3,20 96,4,8,150 96,5,2,300 192,1,2,100 192,2,8,60 192,3,5,150 192,4,1,60"
    ),
    cells=tuple((r, k) for r in (1, 3, 5) for k in (1, 3, 5, 8)),
    corners=((24, 40), (48, 400), (100, 20), (100, 100), (200, 40), (200, 150)),
)
#: By name: the usual one, the same for every pair (r, k) of it, and one for a solver that needs many times the rows.
STUDIES: Mapping[str, Study] = {
    "full": _FULL,
    "every": dataclasses.replace(_FULL, cells=tuple((r, k) for r in range(1, 6) for k in range(1, 9))),
    "small": Study(
        training=_sizes("16,1,1,60 24,1,1,120 32,1,1,60 24,1,2,60 32,1,2,120 32,2,1,100 24,2,1,200"),
        held_out=_sizes("48,1,1,90 64,1,1,40 48,1,2,40 64,2,1,150"),
        cells=((1, 1), (1, 2), (2, 1)),
        corners=((24, 60), (24, 200), (64, 60), (64, 200)),
    ),
}


class Cell(NamedTuple):
    """Trials of a law's amounts at one (r, k).

    Attributes
    ----------
    r, k : int
    corners : tuple of (d, t, m, successes, failures)
    certified : bool
        More than p₁ of the trials succeed, at error β of the test.
    """

    r: int
    k: int
    corners: tuple[tuple[int, int, int, int, int], ...]
    certified: bool

    @property
    def successes(self) -> int:
        return sum(c[3] for c in self.corners)

    @property
    def trials(self) -> int:
        return self.successes + sum(c[4] for c in self.corners)

    def covers(self, d: int, t: int) -> bool:
        """Whether d, t and d t lie within what was tried."""
        ds, ts = [c[0] for c in self.corners], [c[1] for c in self.corners]
        largest = max(c[0] * c[1] for c in self.corners)
        return min(ds) <= d <= max(ds) and min(ts) <= t <= max(ts) and d * t <= largest

    @property
    def range(self) -> str:
        ds, ts = [c[0] for c in self.corners], [c[1] for c in self.corners]
        largest = max(c[0] * c[1] for c in self.corners)
        return f"d in {min(ds)} … {max(ds)}, t in {min(ts)} … {max(ts)}, d t ≤ {largest}"


class Advice(NamedTuple):
    """What a law says at one size: rows per task, whether that is certified there, and why (not)."""

    rows: int
    certified: bool
    why: str


@dataclass(frozen=True)
class LawCalibration:
    """A solver's law, with everything behind it.

    Attributes
    ----------
    solver : str
        Its identity.
    candidates : tuple of Candidate
        Every law, the chosen one first. Empty when the solver failed at a training size wherever it was tried.
    training, held_out : tuple of Rows
    cells : tuple of Cell
    replicates : int
        Trials per m of a bisection.
    test : BinomialTest
        Of the cells.
    seed, streams : int
    criterion : str or float
        By which every trial was judged, to a tolerance of ``tolerance``.
    tolerance : float
    """

    solver: str
    candidates: tuple[Candidate, ...]
    training: tuple[Rows, ...]
    held_out: tuple[Rows, ...]
    cells: tuple[Cell, ...]
    replicates: int
    test: BinomialTest
    seed: int
    streams: int
    criterion: str | float
    tolerance: float

    @property
    def chosen(self) -> Candidate | None:
        return self.candidates[0] if self.candidates else None

    @property
    def certified(self) -> tuple[Cell, ...]:
        """The cells whose amounts are certified."""
        return tuple(c for c in self.cells if c.certified)

    @property
    def range(self) -> str:
        """The largest sizes that are certified, in words."""
        if not self.certified:
            return "nothing"
        largest = {"r": max(c.r for c in self.certified), "k": max(c.k for c in self.certified)}
        corners = [x for c in self.certified for x in c.corners]
        largest |= {"d": max(c[0] for c in corners), "t": max(c[1] for c in corners)}
        return ", ".join(f"{name} ≤ {value}" for name, value in largest.items())

    def advice(self, *, d: int, r: int, k: int, t: int) -> Advice | None:
        """The law's amount at a size and whether it is certified there; None when there is no law."""
        if self.chosen is None:
            return None
        rows = int(self.chosen.rows(d, r, k, t))
        here = [c for c in self.cells if (c.r, c.k) == (r, k)]
        if not here or not here[0].covers(d, t):
            within = here[0].range if here else self.range
            return Advice(rows, False, f"NOT CERTIFIED: outside the calibrated range ({within}), extrapolated")
        cell = here[0]
        counts = f"{cell.successes} of {cell.trials} fresh trials at r = {r}, k = {k}, {cell.range}"
        if cell.certified:
            return Advice(rows, True, f"more than {self.test.p1:g} succeed: {counts} recovered")
        return Advice(rows, False, f"NOT CERTIFIED: {counts} recovered, too few to certify more than {self.test.p1:g}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `from_dict` is its inverse."""
        return {
            **{f.name: getattr(self, f.name) for f in dataclasses.fields(self)},
            "candidates": [
                {**dataclasses.asdict(c), "constants": dict(c.constants), "formula": c.formula, "passes": c.passes}
                for c in self.candidates
            ],
            "training": [[*x.size, x.rows] for x in self.training],
            "held_out": [[*x.size, x.rows] for x in self.held_out],
            "cells": [
                {"r": c.r, "k": c.k, "corners": [list(x) for x in c.corners], "certified": c.certified}
                for c in self.cells
            ],
            "test": dataclasses.asdict(self.test),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LawCalibration:
        """Inverse of `to_dict`."""
        known = {f.name for f in dataclasses.fields(Candidate)}
        return cls(
            **{
                **values,
                "candidates": tuple(
                    Candidate(**{n: v for n, v in c.items() if n in known}) for c in values["candidates"]
                ),
                "training": tuple(Rows(Size(*x[:4]), x[4]) for x in values["training"]),
                "held_out": tuple(Rows(Size(*x[:4]), x[4]) for x in values["held_out"]),
                "cells": tuple(
                    Cell(c["r"], c["k"], tuple(tuple(x) for x in c["corners"]), c["certified"]) for c in values["cells"]
                ),
                "test": BinomialTest(**values["test"]),
            }
        )


Progress = Callable[[str], None]


class Trials:
    """Trials of one solver: the key of the data names size and replicate and not m, so fewer rows are a prefix of more."""

    def __init__(self, solver: Any, seed: int, purpose: str) -> None:
        self.family = load_family()
        self.success = Success().of(self.family)
        self._seed, self._purpose = seed, purpose
        self._subject, self._executor = executor_for(solver, self.family)

    def close(self) -> None:
        self._executor.close()

    def recovered(self, size: Size, m: int, replicate: int) -> bool:
        """Whether the solver recovers every task of one instance."""
        key = (self._purpose, self._seed, *size, replicate)
        data, own = ([streams.key(f"laws/{what}", *key)] for what in ("data", "solver"))
        spec = self.family.spec(d=size.d, r=size.r, k=size.k, t=size.t, m=m)
        return trial(self.family, spec, data, self._subject, self.success, self._executor, solver_key=own).recovered

    def enough(self, size: Size, m: int, replicates: int) -> bool:
        """Whether at least `LEVEL` of the replicates are recovered; it stops when that is decided."""
        failures, allowed = 0, math.floor((1 - LEVEL) * replicates + 1e-9)
        for replicate in range(replicates):
            failures += not self.recovered(size, m, replicate)
            if failures > allowed:
                return False
        return True

    def rows(self, size: Size, replicates: int) -> Rows:
        """The smallest m that is `enough`, found by bisection; success is taken to grow with m."""
        scale = float(_compiled("one constant").function(1.0, size.d, size.k, size.r, size.t))
        fails, works, most = min(size.r + size.k, size.d - 1), math.inf, math.ceil(MOST * scale)
        m, step = round(1.1 * scale), 0.15
        while fails + 1 < works:
            m = max(m, fails + 1) if math.isinf(works) else min(max(m, fails + 1), int(works) - 1)
            if fails < size.d < m:
                m = size.d  # where least squares are enough, before anything above
            if self.enough(size, m, replicates):
                works = m
                m = math.floor(m * (1 - step)) if fails <= size.r + size.k else (fails + m) // 2
            else:
                fails = m
                if math.isinf(works) and m >= most:
                    return Rows(size, None)
                m = min(most, math.ceil(m * (1 + step))) if math.isinf(works) else (m + int(works)) // 2
            step = min(1.0, 1.5 * step) if math.isinf(works) else step
        return Rows(size, int(works))


def calibrate_law(
    solver: Any,
    *,
    study: Study | Literal["full", "every", "small"] = "full",
    test: BinomialTest = CELL_TEST,
    budget: int = 140,
    seed: int = 0,
    progress: Progress | None = None,
) -> LawCalibration:
    """Measure, fit, choose and certify.

    Parameters
    ----------
    solver : str or callable
        As `lrs.solve` takes it.
    study : Study or {"full", "every", "small"}
        Sizes; small ones for a solver that needs many times the rows.
    test : BinomialTest
        A cell is certified when it CONFIRMS.
    budget : int
        Largest number of trials of a cell; one that is undecided then is not certified.
    seed : int
    progress : callable, optional
        Called with a line for every size and cell.
    """
    sizes = STUDIES[study] if isinstance(study, str) else study
    say = progress or (lambda line: None)

    def measure(purpose: str, chosen: Sequence[Size]) -> tuple[Rows, ...]:
        found = []
        with closing(Trials(solver, seed, purpose)) as trials:
            for size in chosen:
                found.append(trials.rows(size, sizes.replicates))
                say(f"{purpose}: {_text(size)}: {found[-1].rows or 'no number of'} rows per task")
        return tuple(found)

    training = measure("training", sizes.training)
    candidates: tuple[Candidate, ...] = ()
    held_out: tuple[Rows, ...] = ()
    cells: tuple[Cell, ...] = ()
    if all(x.rows for x in training):
        held_out = measure("hold-out", sizes.held_out)
        judged = [judge(fit(law, training), held_out) for law in LAWS]
        candidates = tuple(sorted(judged, key=lambda c: (-c.within, c.high / max(c.low, 1e-9))))
        with closing(Trials(solver, seed, "cells")) as trials:
            for r, k in sizes.cells:
                cells = (*cells, _certify(trials, candidates[0], r, k, sizes.corners, test, budget))
                word = "certified" if cells[-1].certified else "NOT CERTIFIED"
                say(f"cell r = {r}, k = {k}: {cells[-1].successes} of {cells[-1].trials} recovered: {word}")
    success = Success().of(load_family())
    return LawCalibration(
        identity(solver), candidates, training, held_out, cells, sizes.replicates, test, seed, streams.VERSION,
        success.criterion, success.tolerance,
    )  # fmt: skip


def _text(size: Size) -> str:
    return ", ".join(f"{name} = {value}" for name, value in size._asdict().items())


def _certify(
    trials: Trials, law: Candidate, r: int, k: int, corners: Sequence[tuple[int, int]], test: BinomialTest, budget: int
) -> Cell:
    tried = [(d, t) for d, t in corners if r + k <= d]
    rows = {c: int(law.rows(c[0], r, k, c[1])) for c in tried}
    good, bad = Counter[tuple[int, int]](), Counter[tuple[int, int]]()
    verdict, n = EvidenceVerdict.INCONCLUSIVE, 0
    while n < budget and (verdict is EvidenceVerdict.INCONCLUSIVE or n % len(tried)):  # every corner as often
        d, t = at = tried[n % len(tried)]
        (good if trials.recovered(Size(d, r, k, t), rows[at], n // len(tried)) else bad)[at] += 1
        n += 1
        if verdict is EvidenceVerdict.INCONCLUSIVE:
            verdict = test.verdict(good.total(), bad.total())
    counts = tuple((d, t, rows[d, t], good[d, t], bad[d, t]) for d, t in tried)
    return Cell(r, k, counts, verdict is EvidenceVerdict.CONFIRMED)
