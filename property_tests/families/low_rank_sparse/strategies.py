"""Hypothesis strategies for problems inside, on the shell of, and just outside a theorem's region.

Tests of one's own take them from `property_tests.strategies`. Every draw is valid by construction: sizes and knobs are
drawn, then the number of rows is computed from the region, so nothing is ever filtered. Hypothesis chooses the
configuration and never the data, whose random streams are keyed by a hash of the configuration.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

from lrs.core import streams
from lrs.core.errors import InvalidInput
from lrs.families.low_rank_sparse.generate import InstanceSpec
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import Instance, MultiTaskData
from property_tests.examine.configuration import Configuration, Depth, Region, check_region
from property_tests.families.low_rank_sparse.structures import (  # also registers the structures
    FAILING,
    fixture_names,
    short_tasks,
)
from theory.families.low_rank_sparse.measurement import planned
from theory.families.low_rank_sparse.theorems import measured
from theory.language.measured import Measured
from theory.region import TheoremRegion, whole
from theory.statistics import calibration
from theory.theorems import available_theorems, load_theorem


# ---------------------------------------------------------------------------------------------- regions
def quantities(configuration: Configuration) -> Measured:
    """What the symbols of the theory are for a configuration, as its data are going to be made.

    r and k are what the solver is told: `theory.families.low_rank_sparse.measurement.planned`.
    """
    s = configuration.spec
    told: dict[str, Any] = dict(configuration.told)
    found = planned(s, rank=told.get("rank"), sparsity=told.get("sparsity"))
    if configuration.structure in FAILING:
        return found.with_values("plan", failing=short_tasks(s.r, s.k, s.t)[0] / s.t)
    return found


@dataclass(frozen=True)
class SampleRegion:
    """Where a solver is held to the theorem, and the problems drawn there.

    Parameters
    ----------
    name : str
    bounds : TheoremRegion
        The assumptions with their constants: a theorem's, or measured ones. Depth and rows are theirs.
    largest : int
        Largest r + k that is drawn. Like ``growth`` it bounds the cost of a trial and is no part of `depth`.
    growth : int
        By how much claims about growth multiply the number of tasks.
    """

    name: str
    bounds: TheoremRegion
    largest: int = 6
    growth: int = 16

    @property
    def label(self) -> str:
        """Whether the region is the theorem's or only measured."""
        return self.bounds.label

    def __getitem__(self, constant: str) -> float:
        """The value of a constant of its bounds."""
        return self.bounds.values[constant]

    def with_constants(self, **values: float) -> SampleRegion:
        """The same bounds with other values of some constants (measured ones)."""
        known = {c.name: c for p in self.bounds.assumptions for c in p.constants}
        for name in values:
            if name not in known:
                raise InvalidInput(
                    f"constants: the region {self.name} has no {name!r}; it has {', '.join(sorted(known))}"
                )
        changed = {n: v for n, v in values.items() if v != known[n].value}
        moved = tuple(replace(known[n], value=v, status="measured", source="moved") for n, v in changed.items())
        kept = tuple(c for c in self.bounds.constants if c.name not in changed)
        return replace(self, bounds=replace(self.bounds, constants=(*kept, *moved)))

    def to_dict(self) -> dict[str, Any]:
        """Name and constants, as a solver in another process carries the region."""
        return {"name": self.name, "constants": dict(self.bounds.values)}

    def rows(self, t: int, d: int, r: int, k: int, *, slack: float = 0.0, ragged: float = 0.0) -> int:
        """Smallest m at logarithmic depth ``slack``; the largest tasks have m rows, the smallest m (1 − ragged)."""
        return int(self.bounds.rows(t=t, d=d, r=r, k=k, slack=slack - math.log1p(-ragged)))

    def depth(self, configuration: Configuration) -> Depth:
        """Margin of every bound at what is planned; the smallest decides. What is broken on purpose is outside by e."""
        found = self.bounds.depth(quantities(configuration))
        if not configuration.violates:
            return found
        broken = {configuration.violates: min(found.parts.get(configuration.violates, -math.inf), -1.0)}
        parts = {**found.parts, **broken}
        return Depth(min(parts.values()), parts)

    def extent(self, configuration: Configuration) -> dict[str, float]:
        """The sizes that a verdict names the range of."""
        s = configuration.spec
        if configuration.structure.startswith("fixture:"):  # has sizes of its own
            return {}
        return {"d": s.d, "t": s.t, "r": s.r, "k": s.k, "m/d": s.m / s.d}

    def plain(self) -> st.SearchStrategy[Configuration]:
        """Small problems of the plain model, well inside."""
        return self.draw(corners=("plain",), slacks=(0.8,))

    def draw(
        self,
        *,
        sizes: Sizes | None = None,
        slacks: tuple[float, ...] = (0.0, 0.3, 0.8),
        corners: tuple[str, ...] | None = None,
        noise: tuple[float, ...] = (0.0,),
        ragged: float = 0.0,
        over_rank: int = 0,
        over_sparsity: int = 0,
        violating: str = "",
    ) -> st.SearchStrategy[Configuration]:
        """Configurations inside: on the shell (slack 0) and deeper; or with one assumption broken.

        Parameters
        ----------
        sizes : Sizes
            Default: `SMALL`.
        slacks : tuple of float
            Logarithmic depths: m = ⌈e^slack C g⌉.
        corners : tuple of str
            Keys of `CORNERS`; default: all.
        noise : tuple of float
            Levels σ to choose from.
        ragged : float
            Tasks of m (1 − ragged) … m rows; the region counts the smallest.
        over_rank, over_sparsity : int
            By how much the solver is told more than the truth; the region counts what it is told.
        violating : str
            A key of `VIOLATIONS`: the one assumption to break, all others being kept.
        """
        corners = tuple(CORNERS) if corners is None else corners
        for corner in corners:
            if corner not in CORNERS:
                raise InvalidInput(f"corners: no corner {corner!r}; known are {', '.join(CORNERS)}")
        if min(slacks) < 0:
            raise InvalidInput(f"slacks: expected depths ≥ 0, got {min(slacks)}; `violating` makes problems outside")
        if violating and violating not in VIOLATIONS:
            raise InvalidInput(f"assumption: no violation of {violating!r}; known are {', '.join(VIOLATIONS)}")
        drawn = _inside(self, sizes or SMALL, slacks, corners, noise, ragged, over_rank, over_sparsity)
        return drawn.map(partial(_violate, self, violating)) if violating else drawn


#: Where the practical solver, and with it everyone else's, is held to exact recovery.
PRACTICAL = SampleRegion("practical", TheoremRegion(measured.PRACTICAL))
#: Where a solver that follows the paper's thresholding is: the lemma's bound, plain weights and supports.
PAPER = SampleRegion("paper", TheoremRegion(measured.PAPER), largest=2, growth=4)

#: The measured regions; every theorem with calibrated constants has one of its own besides (`theorem_region`).
REGIONS: dict[str, SampleRegion] = {r.name: r for r in (PRACTICAL, PAPER)}


@cache
def theorem_region(theorem: str = "amht-informal") -> SampleRegion:
    """A theorem's own bounds, with the constants frozen for the reference (``theory/constants.lock.json``).

    Of the informal theorem m ≥ C_task max(k, r³) and m t ≥ C_total k d r⁴. What it does not speak of (departures from the
    plain model) is bounded as was measured. The practical region asks for fewer rows as soon as r ≥ 2, so it holds
    solvers to more than the theorem promises. Noise is left to the claims, which add it on purpose.

    Raises
    ------
    InvalidInput
        When the lock file holds no constants of the present reference. Those that are not certified are used all the
        same, so that there is a region, and its label says NOT CERTIFIED.
    """
    statement = load_theorem(theorem)
    frozen = calibration.constants("amht", certified=False)  # the region's label says so
    free = [c.name for c in statement.assumptions.constants if c.value is None]
    missing = [name for name in free if name not in frozen]
    if missing:
        raise InvalidInput(f"theorem: the lock file holds no {' and no '.join(missing)}; see lrs calibrate")
    also = measured.departures(tasks=40.0, share_failing=0.0)
    bounds = TheoremRegion(statement, tuple(frozen[n] for n in free), also, without=("no noise",))
    return SampleRegion(theorem, bounds, largest=4)


def region_for(solver: Any = None, theorem: str | None = None) -> Region:
    """The region a solver is held to, or the one of a theorem.

    Parameters
    ----------
    solver : solver or what a sandbox says of it, optional
        Its attribute ``region`` counts: the name of a region, a `SampleRegion`, or a mapping of a name and other
        ``constants`` of it, as a sandbox passes on. Without one it is the practical region.
    theorem : str, optional
        Overrides it: the theorem's measured region, or its own bounds where their constants are calibrated.

    Raises
    ------
    InvalidInput
        When no region is known for the theorem, or the attribute is none.
    """
    if theorem is not None:
        if theorem not in _theorems():
            raise InvalidInput(
                f"theorem: no region is known for {theorem!r}; known are {', '.join(sorted(_theorems()))}"
            )
        return _theorems()[theorem]()
    if isinstance(solver, str):
        raise InvalidInput(f"solver: a region is a solver's attribute, not its name's; load {solver!r} first")
    carried = getattr(solver, "region", None)
    if carried is None:
        return PRACTICAL
    if isinstance(carried, str):
        return region_named(carried)
    if isinstance(carried, Mapping) and isinstance(carried.get("name"), str):
        return region_named(carried["name"]).with_constants(**carried.get("constants", {}))
    return check_region(carried)


def region_named(name: str) -> SampleRegion:
    """A region by its name: one of `REGIONS`, or a theorem's."""
    if name in REGIONS:
        return REGIONS[name]
    if name in _theorems():
        return _theorems()[name]()
    raise InvalidInput(f"region: no region {name!r}; known are {', '.join([*REGIONS, *_theorems()])}")


@cache
def _theorems() -> dict[str, Callable[[], SampleRegion]]:
    """Theorems with a region: a measured one, or bounds of their own on rows whose constants `lrs calibrate` freezes."""
    found: dict[str, Callable[[], SampleRegion]] = {}
    for name in available_theorems():
        theorem = load_theorem(name)
        free = {c.name for c in theorem.assumptions.constants if c.value is None}
        if theorem.region:
            found[name] = partial(region_named, theorem.region)
        elif free and free <= calibration.CONSTANTS:
            found[name] = partial(theorem_region, name)
    return found


def growth(region: Region) -> int:
    """By how much claims about growth multiply the number of tasks."""
    return int(getattr(region, "growth", 16))


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
    tasks : float
        Multiple of the fewest tasks that the region allows.
    largest : int, optional
        Largest r + k; default: the region's.
    """

    r: tuple[int, int] = (1, 3)
    k: tuple[int, int] = (1, 3)
    least_d: int = 14
    least_t: int = 24
    extra_d: int = 10
    extra_t: int = 20
    tasks: float = 1.0
    largest: int | None = None


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
    return int(region.bounds.limit("zeta", {"t": t, "rank_U": r, "zeta_least": -(-t * k // d)}, largest=True))


#: "" is the plain model; every other is at the limit of one assumption, or of none that the theorem makes.
CORNERS: dict[str, Corner] = {
    c.name: c
    for c in (
        Corner("plain"),
        Corner("clustered supports", {"zeta": _clustered}),
        Corner("condition at its limit", {"kappa": lambda g, *_: g["kappa_0"]}),
        Corner("spiky weights", {"w_spread": lambda g, *_: g["w_spread_0"]}),
        Corner("rows at the incoherence limit", {"coherence": lambda g, *_: g["row_0"]}),
        Corner("tiny b", {"b_scale": lambda g, *_: g["b_least"]}),
        Corner("b of all sizes", {"b_law": "gaussian"}),
        Corner("signs", {"b_law": "signs"}),
        Corner("large b", {"b_scale": lambda g, *_: g["b_most"]}),
        Corner("repeated tasks", {"duplicates": lambda g, t, *_: int(g["repeated_0"] * t)}),
    )
}


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
    largest = region.largest if sizes.largest is None else sizes.largest
    r = sizes.r[0]
    if r < sizes.r[1]:
        r = draw(st.integers(r, max(r, min(sizes.r[1], largest - sizes.k[0]))))
    k = draw(st.integers(sizes.k[0], max(sizes.k[0], min(sizes.k[1], largest - r))))
    truth = {"rank_U": r, "k_max": k}
    least_d = max(sizes.least_d, int(whole(region.bounds.limit("d", truth, partial=True))))
    d = draw(st.integers(least_d, least_d + sizes.extra_d)) if sizes.extra_d else least_d
    least_t = max(sizes.least_t, int(whole(sizes.tasks * region.bounds.limit("t", truth, partial=True))))
    t = draw(st.integers(least_t, least_t + sizes.extra_t)) if sizes.extra_t else least_t
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
        told={"rank": told_r if over_rank else None, "sparsity": told_k if over_sparsity else None},
        slack=slack,
    )


def inside(region: Region = PRACTICAL, **options: Any) -> st.SearchStrategy[Configuration]:
    """Configurations inside a region: on its shell (slack 0) and deeper; options as of `SampleRegion.draw`."""
    return check_region(region).draw(**options)


def shell(region: Region = PRACTICAL, **options: Any) -> st.SearchStrategy[Configuration]:
    """Configurations with the smallest number of rows that the region allows (`inside` with slack 0)."""
    return inside(region, slacks=(0.0,), **options)


@st.composite
def _anything(draw: st.DrawFn) -> Configuration:
    r, k = draw(st.integers(1, 3)), draw(st.integers(0, 3))
    d = draw(st.integers(2 * (r + k), 24))
    spec = InstanceSpec(
        t=draw(st.integers(2 * r, 40)),
        m=draw(st.integers(r + k + 2, d + 4)),
        d=d,
        r=r,
        k=k,
        noise=draw(st.sampled_from([0.0, 0.1])),
    )
    told = {"rank": draw(st.sampled_from([None, r + 1])), "sparsity": draw(st.sampled_from([None, k + 1]))}
    return Configuration(spec=spec, told=told)


def tried(region: Region, *, inside: bool) -> st.SearchStrategy[Configuration]:
    """What claims about every family are tried on: small problems inside the region, noisy ones among them; or of any
    kind with at least as many rows as parameters of a task, over-specified ones among them, whatever the region."""
    return check_region(region).draw(sizes=TINY, noise=(0.0, 0.1)) if inside else _anything()


#: Assumption of the region → what breaks it and nothing else.
VIOLATIONS: dict[str, dict[str, object]] = {
    "samples per task": {"m": lambda g, t, d, r, k: max(1, r + k - 1)},
    "condition of W": {"kappa": lambda g, *_: 1e4 * g["kappa_0"]},
    "spread of W": {"w_spread": lambda g, *_: g["w_spread_0"] + 3.0},
    "incoherence of U": {"coherence": 1.0},
    "row sparsity": {"zeta": lambda g, t, *_: t},
    "task diversity": {"w_rank": lambda g, t, d, r, k: r - 1},
    "repeated tasks": {"duplicates": lambda g, t, d, r, k: t - 1},
    "Gaussian isotropic design": {"x_law": "scaled"},
}


def _violate(region: SampleRegion, assumption: str, base: Configuration) -> Configuration:
    """The configuration with one assumption broken."""
    s = base.spec
    changes: dict[str, Any] = {
        n: v(region, s.t, s.d, s.r, s.k) if callable(v) else v for n, v in VIOLATIONS[assumption].items()
    }
    return replace(base, spec=replace(s, **changes), violates=assumption)


def violating(
    assumption: str, region: Region = PRACTICAL, *, sizes: Sizes | None = None
) -> st.SearchStrategy[Configuration]:
    """Configurations that break exactly one named assumption of the region and keep every other.

    Parameters
    ----------
    assumption : str
        A key of `VIOLATIONS`.
    """
    return inside(region, violating=assumption, sizes=sizes, slacks=(0.3, 0.8), corners=("plain",))


def beyond_limits() -> st.SearchStrategy[Configuration]:
    """Problems that break one condition no solver can do without (`theory.families.low_rank_sparse.fixtures`), by name in ``structure``."""
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
