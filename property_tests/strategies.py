"""Hypothesis strategies for problems inside, on the shell of, and just outside a theorem's region.

Public: use them in your own tests. Every draw is valid by construction: sizes and knobs are drawn, then the number of
rows is computed from the region, m = ⌈e^slack C g⌉, so nothing is ever filtered. Hypothesis chooses the configuration and
never the data, whose random streams are keyed by a hash of the configuration.

Examples
--------
>>> from hypothesis import given
>>> from property_tests.strategies import instances
>>> @given(instances())
... def test_my_solver(instance):
...     assert recovered(my_solver(instance.problem), instance.truth)  # doctest: +SKIP
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from hypothesis import strategies as st

from lrs.core import streams
from lrs.errors import InvalidInput
from lrs.generate import InstanceSpec
from lrs.model import LRSModel
from lrs.problem import Instance, MultiTaskData
from property_tests.configuration import Configuration, Depth, Region
from property_tests.structures import FAILING, SHORT, fixture_names, short_tasks  # also registers the structures
from theory import calibration


# ---------------------------------------------------------------------------------------------- regions
@dataclass(frozen=True)
class SampleRegion:
    """Where a solver is held to the theorem: enough rows per task, and bounded departures from the plain model.

    Parameters
    ----------
    name : str
    constant : float
        C of m ≥ C g; measured (see ``docs/verify/strategies.md``), not quoted.
    law : {"counting", "lemma", "theorem"}
        g = r + k ln(e d/k) + d r/t, the parameter count with the price of unknown supports (`theory.limits`, n₀/t);
        g = (r + k) ln(d t), the union bound of the sparse-vector lemma; or
        g = max(k d r⁴/t, ``per_task`` max(k, r³)), the bounds of the informal theorem, with C = C_total.
    per_task : float
        C_task/C_total, for the law of the theorem.
    kappa, w_spread, coherence, zeta_share, duplicates, b_scale, ragged : float
        Largest values: ratio of the extreme eigenvalues of WᵀW, norm spread of w, squared norm of a row of U, share of the tasks, over
        r, that use one coordinate, share of repeated tasks, size of b (that of w is 1), raggedness.
    failing : float
        Largest share of tasks that have too few rows or follow no model, while the others are still to be recovered.
    dimension : float
        d ≥ ``dimension`` (r + k), so that supports are sparse at all.
    tasks : float
        t ≥ ``tasks`` r.
    b_least : float
        Smallest size of b. The theorem knows none; a solver's stopping rule may.
    largest : int
        Largest r + k that is drawn. Like ``growth`` it bounds the cost of a trial and is no part of `depth`.
    growth : int
        By how much claims about growth multiply the number of tasks.
    """

    name: str
    constant: float
    law: str = "counting"
    per_task: float = 0.0
    kappa: float = 100.0
    w_spread: float = 1.5
    coherence: float = 0.6
    zeta_share: float = 0.65
    duplicates: float = 0.25
    b_scale: float = 100.0
    ragged: float = 0.3
    failing: float = SHORT
    dimension: float = 4.0
    tasks: float = 5.0
    b_least: float = 1e-3
    largest: int = 6
    growth: int = 16

    def scale(self, t: int, d: int, r: int, k: int) -> float:
        """g of m ≥ C g."""
        if self.law == "lemma":
            return max(r + k, 1) * math.log(d * t)
        if self.law == "theorem":
            return max(k * d * r**4 / t, self.per_task * max(k, r**3))
        return r + (k * math.log(math.e * d / k) if k else 0.0) + d * r / t

    def zeta_limit(self, t: int, r: int) -> float:
        """Largest number of tasks that may share a coordinate; the paper's bound is O(t/(r²μκ)) [M]."""
        return self.zeta_share * t / max(r, 1)

    def rows(self, t: int, d: int, r: int, k: int, *, slack: float = 0.0, ragged: float = 0.0) -> int:
        """Smallest m at logarithmic depth ``slack``; the largest tasks have m rows, the smallest m (1 − ragged)."""
        return math.ceil(self.constant * self.scale(t, d, r, k) * math.exp(slack) / (1 - ragged) - 1e-9)

    def depth(self, configuration: Configuration) -> Depth:
        """Margin of every bound; the smallest decides."""
        s = configuration.spec
        r = s.r if configuration.rank is None else configuration.rank
        k = s.k if configuration.sparsity is None else configuration.sparsity
        parts = {
            "samples per task": math.log(
                (s.m * (1 - s.ragged) + 1e-9) / (self.constant * self.scale(s.t, s.d, r, k) + 1e-12)
            ),
            "dimension": math.log(s.d / max(self.dimension * (s.r + s.k), 1)),
            "number of tasks": math.log(s.t / max(self.tasks * s.r, 1)),
            "condition of W": math.log(self.kappa / (s.kappa or 1.0)),
            "spread of W": self.w_spread - s.w_spread,
            "incoherence of U": self.coherence - s.coherence,
            "repeated tasks": self.duplicates - s.duplicates / s.t,
            "size of b": min(math.log(self.b_scale / s.b_scale), math.log(s.b_scale / self.b_least)),
            "raggedness": self.ragged - s.ragged,
        }
        if configuration.structure in FAILING:
            parts["tasks that fail"] = self.failing - short_tasks(s.r, s.k, s.t)[0] / s.t
        if s.zeta is not None:
            forced = -(-s.t * s.k // s.d)
            parts["row sparsity"] = math.log(max(self.zeta_limit(s.t, s.r), forced) / s.zeta)
        if s.w_rank is not None and s.w_rank < s.r:
            parts["task diversity"] = -math.inf
        if s.x_law != "gaussian":
            parts["Gaussian isotropic design"] = -math.inf
        if configuration.violates:
            parts[configuration.violates] = min(parts.get(configuration.violates, -math.inf), -1.0)
        return Depth(min(parts.values()), parts)


#: Where the practical solver, and with it everyone else's, is held to exact recovery.
PRACTICAL = SampleRegion("practical", 2.0)
#: Where a solver that follows the paper's thresholding is: the lemma's bound, plain weights and supports.
PAPER = SampleRegion(
    "paper",
    12.0,
    "lemma",
    kappa=10.0,
    w_spread=0.25,
    coherence=0.3,
    zeta_share=0.25,
    duplicates=0.25,
    b_scale=2.0,
    failing=0.0,
    tasks=60.0,
    dimension=12.0,
    b_least=0.1,
    largest=2,
    growth=4,
)

REGIONS: dict[str, SampleRegion] = {r.name: r for r in (PRACTICAL, PAPER)}


@cache
def theorem_region() -> SampleRegion:
    """The informal theorem's own bounds, with the constants frozen for the reference (``theory/constants.lock.json``).

    m ≥ C_task max(k, r³) and m t ≥ C_total k d r⁴: what every solver is judged by with ``--theorem amht-informal``.
    The practical region asks for fewer rows as soon as r ≥ 2, so it holds solvers to more than the theorem promises.

    Raises
    ------
    InvalidInput
        When the lock file holds no certified constants of the present reference.
    """
    frozen = {name: c.value for name, c in calibration.constants("amht").items()}
    missing = [name for name in ("C_task", "C_total") if frozen.get(name) is None]
    if missing:
        raise InvalidInput(f"theorem: the lock file holds no certified {' and no '.join(missing)}; see lrs calibrate")
    task, total = float(frozen["C_task"]), float(frozen["C_total"])  # type: ignore[arg-type]
    return SampleRegion("amht-informal", total, "theorem", task / total, tasks=40.0, failing=0.0, largest=4)


#: Solvers held to another region than the practical one.
REGION_OF_SOLVER = {
    "amht-paper": "paper",
    "property_tests.textbook:Thresholding": "paper",
    "property_tests.strangers.from_the_paper:amht_lrs": "paper",
}
#: Theorem → where a solver is held to it.
REGION_OF_THEOREM: dict[str, Callable[[], SampleRegion]] = {
    "amht-informal": theorem_region,
    "amht-noisy": lambda: PRACTICAL,
    "new-task": lambda: PRACTICAL,
    "sparse-vector-lemma": lambda: PAPER,
}


def region_for(solver: str = "amht", theorem: str | None = None) -> SampleRegion:
    """The region a solver (by its name) is held to, or the one of a theorem.

    Raises
    ------
    InvalidInput
        When no region is known for the theorem.
    """
    if theorem is not None:
        if theorem not in REGION_OF_THEOREM:
            raise InvalidInput(
                f"theorem: no region is known for {theorem!r}; known are {', '.join(sorted(REGION_OF_THEOREM))}"
            )
        return REGION_OF_THEOREM[theorem]()
    if solver.startswith("property_tests.mutants:"):
        from property_tests.mutants import MUTANTS

        mutant = MUTANTS.get(solver.partition(":")[2])
        if mutant is not None:
            return REGIONS[mutant.region]
    return REGIONS[REGION_OF_SOLVER.get(solver, "practical")]


def region_named(name: str) -> SampleRegion:
    """A region by its name: one of `REGIONS`, or a theorem's."""
    if name in REGIONS:
        return REGIONS[name]
    if name in REGION_OF_THEOREM:
        return REGION_OF_THEOREM[name]()
    raise InvalidInput(f"region: no region {name!r}; known are {', '.join([*REGIONS, *REGION_OF_THEOREM])}")


def sample_region(region: Region) -> SampleRegion:
    """The region itself when rows can be computed from it, else the practical one."""
    return region if isinstance(region, SampleRegion) else PRACTICAL


# ---------------------------------------------------------------------------------------------- configurations
@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Ranges from which sizes are drawn; the smallest come first when Hypothesis shrinks.

    Parameters
    ----------
    r, k : (int, int)
    extra_d, extra_t : int
        Width of the ranges of d and t above the smallest the region allows.
    least_d, least_t : int
    """

    r: tuple[int, int] = (1, 3)
    k: tuple[int, int] = (1, 3)
    least_d: int = 14
    least_t: int = 24
    extra_d: int = 10
    extra_t: int = 20


SMALL = Sizes()
TINY = Sizes(r=(1, 2), k=(1, 2), extra_d=4, extra_t=8)


@dataclass(frozen=True)
class Corner:
    """A structured departure from the plain model: fields of the spec as functions of (region, t, d, r, k)."""

    name: str
    fields: dict[str, object] = field(default_factory=dict)

    def __call__(self, region: SampleRegion, t: int, d: int, r: int, k: int) -> dict[str, Any]:
        return {n: v(region, t, d, r, k) if callable(v) else v for n, v in self.fields.items()}


def _clustered(region: SampleRegion, t: int, d: int, r: int, k: int) -> int:
    """ζ at its limit, or as large as d coordinates force it to be."""
    return max(-(-t * k // d), int(region.zeta_limit(t, r)))


#: "" is the plain model; every other is at the limit of one assumption, or of none that the theorem makes.
CORNERS: dict[str, Corner] = {
    c.name: c
    for c in (
        Corner("plain"),
        Corner("clustered supports", {"zeta": _clustered}),
        Corner("condition at its limit", {"kappa": lambda g, *_: g.kappa}),
        Corner("spiky weights", {"w_spread": lambda g, *_: g.w_spread}),
        Corner("rows at the incoherence limit", {"coherence": lambda g, *_: g.coherence}),
        Corner("tiny b", {"b_scale": lambda g, *_: g.b_least}),
        Corner("b of all sizes", {"b_law": "gaussian"}),
        Corner("signs", {"b_law": "signs"}),
        Corner("large b", {"b_scale": lambda g, *_: g.b_scale}),
        Corner("repeated tasks", {"duplicates": lambda g, t, *_: int(g.duplicates * t)}),
    )
}
#: The corners with non-zeros of b large enough to be seen above noise.
VISIBLE = ("plain", "condition at its limit", "signs")


@st.composite
def _inside(
    draw: st.DrawFn,
    region: SampleRegion,
    sizes: Sizes,
    slacks: tuple[float, ...],
    corners: tuple[str, ...],
    noise: tuple[float, ...],
    ragged: float,
    over_rank: int,
    over_sparsity: int,
) -> Configuration:
    r = draw(st.integers(sizes.r[0], max(sizes.r[0], min(sizes.r[1], region.largest - sizes.k[0]))))
    k = draw(st.integers(sizes.k[0], max(sizes.k[0], min(sizes.k[1], region.largest - r))))
    least_d = max(sizes.least_d, math.ceil(region.dimension * (r + k)))
    d = draw(st.integers(least_d, least_d + sizes.extra_d))
    least_t = max(sizes.least_t, math.ceil(region.tasks * r))
    t = draw(st.integers(least_t, least_t + sizes.extra_t))
    corner = CORNERS[draw(st.sampled_from(corners))]
    slack = draw(st.sampled_from(slacks))
    told_r, told_k = r + over_rank, k + over_sparsity
    m = region.rows(t, d, told_r, told_k, slack=slack, ragged=ragged)
    spec = InstanceSpec(
        t=t,
        m=m,
        d=d,
        r=r,
        k=k,
        noise=draw(st.sampled_from(noise)),
        ragged=ragged,
        **corner(region, t, d, r, k),
    )
    return Configuration(
        spec=spec,
        rank=told_r if over_rank else None,
        sparsity=told_k if over_sparsity else None,
        slack=slack,
    )


def inside(
    region: Region = PRACTICAL,
    *,
    sizes: Sizes = SMALL,
    slacks: tuple[float, ...] = (0.0, 0.3, 0.8),
    corners: tuple[str, ...] = tuple(CORNERS),
    noise: tuple[float, ...] = (0.0,),
    ragged: float = 0.0,
    over_rank: int = 0,
    over_sparsity: int = 0,
) -> st.SearchStrategy[Configuration]:
    """Configurations inside a region: on its shell (slack 0) and deeper.

    Parameters
    ----------
    region : Region
    sizes : Sizes
    slacks : tuple of float
        Logarithmic depths: m = ⌈e^slack C g⌉.
    corners : tuple of str
        Keys of `CORNERS`.
    noise : tuple of float
        Levels σ to choose from.
    ragged : float
        Tasks of m (1 − ragged) … m rows; the region counts the smallest.
    over_rank, over_sparsity : int
        By how much the solver is told more than the truth; the region counts what it is told.
    """
    for corner in corners:
        if corner not in CORNERS:
            raise InvalidInput(f"corners: no corner {corner!r}; known are {', '.join(CORNERS)}")
    if min(slacks) < 0:
        raise InvalidInput(f"slacks: expected depths ≥ 0, got {min(slacks)}; `violating` makes problems outside")
    return _inside(sample_region(region), sizes, slacks, corners, noise, ragged, over_rank, over_sparsity)


def shell(region: Region = PRACTICAL, **options: Any) -> st.SearchStrategy[Configuration]:
    """Configurations with the smallest number of rows that the region allows (`inside` with slack 0)."""
    return inside(region, slacks=(0.0,), **options)


#: Assumption of the region → what breaks it and nothing else.
VIOLATIONS: dict[str, dict[str, object]] = {
    "samples per task": {"m": lambda g, t, d, r, k: max(1, r + k - 1)},
    "condition of W": {"kappa": lambda g, *_: 1e4 * g.kappa},
    "spread of W": {"w_spread": lambda g, *_: g.w_spread + 3.0},
    "incoherence of U": {"coherence": 1.0},
    "row sparsity": {"zeta": lambda g, t, *_: t},
    "task diversity": {"w_rank": lambda g, t, d, r, k: r - 1},
    "repeated tasks": {"duplicates": lambda g, t, d, r, k: t - 1},
    "Gaussian isotropic design": {"x_law": "scaled"},
}


@st.composite
def _violating(draw: st.DrawFn, assumption: str, region: SampleRegion, sizes: Sizes) -> Configuration:
    base = draw(inside(region, sizes=sizes, slacks=(0.3, 0.8), corners=("plain",)))
    s = base.spec
    changes: dict[str, Any] = {
        n: v(region, s.t, s.d, s.r, s.k) if callable(v) else v for n, v in VIOLATIONS[assumption].items()
    }
    return replace(base, spec=replace(s, **changes), violates=assumption)


def violating(assumption: str, region: Region = PRACTICAL, *, sizes: Sizes = SMALL) -> st.SearchStrategy[Configuration]:
    """Configurations that break exactly one named assumption of the region and keep every other.

    Parameters
    ----------
    assumption : str
        A key of `VIOLATIONS`.
    """
    if assumption not in VIOLATIONS:
        raise InvalidInput(f"assumption: no violation of {assumption!r}; known are {', '.join(VIOLATIONS)}")
    return _violating(assumption, sample_region(region), sizes)


def beyond_limits() -> st.SearchStrategy[Configuration]:
    """Problems that break one condition no solver can do without (`theory.fixtures`), by name in ``structure``."""
    spec = InstanceSpec(t=1, m=1, d=1, r=0, k=0)  # replaced by the structure
    return st.sampled_from(fixture_names()).map(
        lambda name: Configuration(spec=spec, structure=f"fixture:{name}", violates=name, slack=-1.0)
    )


# ---------------------------------------------------------------------------------------------- for users' own tests
def instances(region: Region = PRACTICAL, *, replicates: int = 1, **options: Any) -> st.SearchStrategy[Instance]:
    """Problem and truth inside a region (options as for `inside`); data keyed by the configuration and a replicate."""
    return st.tuples(inside(region, **options), st.integers(0, replicates - 1)).map(
        lambda pair: pair[0].instance("strategies", pair[1])
    )


def datasets(region: Region = PRACTICAL, **options: Any) -> st.SearchStrategy[MultiTaskData]:
    """The data sets of `instances`, without the truth."""
    return instances(region, **options).map(lambda instance: instance.problem.data)


def models(region: Region = PRACTICAL, **options: Any) -> st.SearchStrategy[LRSModel]:
    """The true models of `instances`: orthonormal U, W, k-sparse B."""
    return instances(region, **options).map(lambda instance: instance.truth)


#: Shapes of `traces`.
TRACE_SHAPES = ("geometric", "power law", "stalled", "superlinear")


@st.composite
def traces(draw: st.DrawFn, shape: str = "geometric", length: int = 60) -> np.ndarray:
    """Error traces of a known shape, jittered by up to 20 %.

    Parameters
    ----------
    shape : {"geometric", "power law", "stalled", "superlinear"}
        ρ^t with ρ from .3 to .9; (t + c)^{-p}; geometric down to an unexplained plateau; squaring.
    length : int
    """
    steps = np.arange(length, dtype=float)
    seed = draw(st.integers(0, 2**16))
    jitter = np.exp(draw(st.sampled_from((0.0, 0.05, 0.2))) * streams.generator("traces", seed).standard_normal(length))
    if shape == "geometric":
        e = np.maximum(draw(st.sampled_from((0.3, 0.5, 0.7))) ** steps, 1e-15)
    elif shape == "power law":
        c = draw(st.integers(1, 10))
        e = ((steps + c) / c) ** -float(draw(st.integers(1, 4)))
    elif shape == "stalled":
        e = np.maximum(0.5**steps, draw(st.sampled_from((1e-2, 1e-3, 1e-4))))
    elif shape == "superlinear":
        e = np.maximum(10.0 ** -(1.35 ** np.minimum(steps, 10)), 1e-15)[:12]
        jitter = jitter[:12]
    else:
        raise InvalidInput(f"shape: no trace shape {shape!r}; known are {', '.join(TRACE_SHAPES)}")
    return np.asarray(e * jitter)
