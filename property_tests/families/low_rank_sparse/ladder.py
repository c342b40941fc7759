"""The ladder of low rank + sparse: fixed cells in m/d, d, t, r, k, and the problems of a region in each of them.

A verdict about a solver is that of its worst cell, so a cell is drawn where few rows, many coordinates, many tasks, a large
rank or a large sparsity occur, and where several of them occur at once. The boxes are the same for every region; what the
region promises in a box is found by solving its bounds on the box's sizes, before anything is drawn, and nothing is filtered.
Table, sizes and what the reference does there: ``docs/verify/strategies.md``, “The ladder”.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from lrs.families.low_rank_sparse.generate import InstanceSpec
from property_tests.examine.cell import Cell
from property_tests.examine.configuration import Configuration
from property_tests.families.low_rank_sparse.strategies import CORNERS, SampleRegion
from theory.region import whole


@dataclass(frozen=True)
class Band:
    """Rows of the largest task in units of d: m/d > ``above`` quarters (from ``above`` = 4 on: ≥), ≤ ``most`` quarters."""

    name: str
    above: int
    most: int | None = None

    def least_rows(self, d: np.ndarray) -> np.ndarray:
        return d if self.above >= 4 else self.above * d // 4 + 1

    def most_rows(self, d: np.ndarray) -> np.ndarray:
        if self.most is None:
            return np.full_like(d, np.iinfo(np.int64).max)
        return d - 1 if self.most == 4 else self.most * d // 4


@dataclass(frozen=True)
class Size:
    """Ranges of d and t, and the most numbers t m d that the X of a trial may have: they bound its cost.

    ``few`` says that there are few tasks for so many coordinates; the name of a cell then tells t.
    """

    d: tuple[int, int]
    t: tuple[int, int]
    entries: int
    few: bool = False


A, B, C, D = (Band("m/d ≤ ¼", 0, 1), Band("¼ < m/d ≤ ½", 1, 2), Band("½ < m/d < 1", 2, 4), Band("m/d ≥ 1", 4))
BANDS = (A, B, C, D)
SMALL = Size((24, 40), (40, 320), 12_000_000)
MEDIUM = Size((48, 80), (200, 400), 12_000_000)
LARGE = Size((100, 128), (400, 480), 5_000_000)
HUGE = Size((160, 200), (800, 1000), 24_000_000)
FEW = Size((90, 110), (10, 40), 12_000_000, few=True)
#: Where the rows that `paper` asks for, 12 (r + k) ln(d t), are fewer than d.
WIDE = Size((280, 320), (60, 80), 12_000_000, few=True)
#: Values of t tried in a range.
TASKS = 9
#: Classes of r, and of k.
RANKS, SPARSITIES = ((1, 1), (2, 3), (4, 5)), ((1, 1), (2, 4), (5, 8))
ONE, SOME, MANY = 0, 1, 2


class Box(NamedTuple):
    """A cell before a region is asked: its band and sizes, classes of r and k, and the two corners drawn most often."""

    band: Band
    size: Size
    r: int
    k: int
    corners: tuple[str, str]


CLUSTERED, CONDITION, SPIKY, INCOHERENT = (
    "clustered supports",
    "condition at its limit",
    "spiky weights",
    "rows at the incoherence limit",
)
TINY, MIXED, SIGNS, BIG, REPEATED = ("tiny b", "b of all sizes", "signs", "large b", "repeated tasks")

#: Every pair of band, size, class of r and class of k (r beside k apart) that `practical` allows occurs in a box; every
#: corner is among the two of a box with m ≤ d/2, and of one with d ≥ 100.
QUICK = (
    Box(A, SMALL, ONE, ONE, (TINY, SIGNS)),
    Box(A, MEDIUM, SOME, ONE, (CONDITION, TINY)),
    Box(A, LARGE, ONE, SOME, (CLUSTERED, TINY)),
    Box(A, LARGE, MANY, ONE, (CONDITION, INCOHERENT)),
    Box(B, SMALL, SOME, ONE, (MIXED, SPIKY)),
    Box(B, MEDIUM, ONE, SOME, (CLUSTERED, SIGNS)),
    Box(B, LARGE, MANY, MANY, (SPIKY, REPEATED)),
    Box(B, FEW, ONE, ONE, (BIG, INCOHERENT)),
    Box(C, SMALL, ONE, MANY, (BIG, INCOHERENT)),
    Box(C, MEDIUM, MANY, SOME, (CONDITION, CLUSTERED)),
    Box(C, LARGE, SOME, ONE, (BIG, SIGNS)),
    Box(C, FEW, SOME, SOME, (CONDITION, REPEATED)),
    Box(D, SMALL, ONE, ONE, (REPEATED, TINY)),
    Box(D, SMALL, MANY, SOME, (SPIKY, INCOHERENT)),
    Box(D, MEDIUM, SOME, MANY, (MIXED, CLUSTERED)),
    Box(D, LARGE, ONE, ONE, (MIXED, SPIKY)),
)
STANDARD = (
    *QUICK,
    Box(A, HUGE, ONE, MANY, (CLUSTERED, REPEATED)),
    Box(A, HUGE, SOME, SOME, (TINY, SPIKY)),
    Box(A, HUGE, MANY, ONE, (CONDITION, BIG)),
    Box(B, HUGE, MANY, MANY, (INCOHERENT, MIXED)),
    Box(C, HUGE, SOME, MANY, (CLUSTERED, SIGNS)),
    Box(D, HUGE, ONE, ONE, (SIGNS, REPEATED)),
    Box(A, FEW, ONE, ONE, (TINY, SPIKY)),
    Box(D, FEW, MANY, MANY, (INCOHERENT, CONDITION)),
    Box(C, WIDE, ONE, ONE, (MIXED, SIGNS)),
)

#: Logarithmic depths below the first row of the cell; half of the draws have the fewest rows.
SLACKS = (0.0, 0.0, 0.3, 0.8)
#: Of 20 draws 8 are of the plain model, 4 of each corner of the box; the other corners share the rest.
PLAIN, OWN, DRAWS = 8, 4, 20
#: Raggedness of a quarter of the draws (less where the region allows less).
RAGGED = 0.3


class Point(NamedTuple):
    """Sizes inside the region: fewest rows it allows, and the first and the last number of rows in the band."""

    d: int
    t: int
    rows: int
    first: int
    last: int


class Sizes(NamedTuple):
    """The sizes of a box with what a region asks of them, one array entry each."""

    r: np.ndarray
    k: np.ndarray
    d: np.ndarray
    t: np.ndarray
    least_d: np.ndarray
    least_t: np.ndarray
    rows: np.ndarray
    first: np.ndarray
    band_end: np.ndarray
    last: np.ndarray

    @property
    def allowed(self) -> np.ndarray:
        return (self.d >= self.least_d) & (self.t >= self.least_t)

    @property
    def inside(self) -> np.ndarray:
        return self.allowed & (self.first <= self.last)


def sizes(region: SampleRegion, box: Box, ragged: float = 0.0) -> Sizes:
    """All sizes of a box, in the order in which Hypothesis shrinks them, and what the region asks for there."""
    (r0, r1), (k0, k1), size = RANKS[box.r], SPARSITIES[box.k], box.size
    steps = np.unique(np.linspace(*size.t, TASKS).round().astype(np.int64))
    grid = np.meshgrid(
        np.arange(r0, r1 + 1), np.arange(k0, k1 + 1), np.arange(size.d[0], size.d[1] + 1), steps, indexing="ij"
    )
    r, k, d, t = (axis.ravel().astype(np.int64) for axis in grid)
    truth = {"rank_U": r, "k_max": k}
    least_d, least_t = (
        np.broadcast_to(whole(region.bounds.limit(name, truth, partial=True)), r.shape).astype(np.int64)
        for name in ("d", "t")
    )
    asked = region.bounds.rows(t=t, d=d, r=r, k=k, slack=-math.log1p(-ragged))
    rows = np.maximum(np.broadcast_to(asked, r.shape), 1).astype(np.int64)
    first, band_end = np.maximum(rows, box.band.least_rows(d)), box.band.most_rows(d)
    return Sizes(r, k, d, t, least_d, least_t, rows, first, band_end, np.minimum(band_end, size.entries // (t * d)))


def _points(found: Sizes) -> dict[tuple[int, int], list[Point]]:
    """(r, k) → sizes inside."""
    points: dict[tuple[int, int], list[Point]] = {}
    for i in np.flatnonzero(found.inside):
        point = Point(*(int(a[i]) for a in (found.d, found.t, found.rows, found.first, found.last)))
        points.setdefault((int(found.r[i]), int(found.k[i])), []).append(point)
    return points


def _why(region: SampleRegion, box: Box, found: Sizes) -> str:
    """Why nothing of a box is inside: at its sizes that miss the least."""
    if not found.allowed.any():
        i = int(np.argmin(np.maximum(found.least_d / found.d, found.least_t / found.t)))
        over = [f"{n} ≥ {a[i]}" for n, a, x in zip("dt", found[4:6], found[2:4], strict=True) if a[i] > x[i]]
        return f"{region.name} asks for {' and '.join(over)} at r = {found.r[i]}, k = {found.k[i]}"
    excess = np.where(found.allowed, found.first / found.band_end, np.inf)
    if excess.min() > 1:
        i = int(np.argmin(excess))
        return (
            f"{region.name} asks for m ≥ {found.rows[i]}, the band ends at {found.band_end[i]} "
            f"(d = {found.d[i]}, t = {found.t[i]}, r = {found.r[i]}, k = {found.k[i]}: the closest)"
        )
    entries = np.where(excess <= 1, found.first * found.t * found.d, np.iinfo(np.int64).max)
    return f"{region.name} asks for t m d ≥ {entries.min():.1e} here, more than {box.size.entries:.1e} cost too much"


def _corners(box: Box) -> tuple[str, ...]:
    """The corners to draw from, each as often as it is to be drawn; the plain model first."""
    others = [c for c in CORNERS if c not in ("plain", *box.corners)]
    share = DRAWS - PLAIN - OWN * len(box.corners)
    # `share` of DRAWS for all others together: everything is repeated as often as there are others.
    times = len(others)
    own = [c for c in box.corners for _ in range(OWN * times)]
    return (*["plain"] * (PLAIN * times), *own, *[c for c in others for _ in range(share)])


def _drawn(
    region: SampleRegion, box: Box, points: dict[float, dict[tuple[int, int], list[Point]]]
) -> st.SearchStrategy[Configuration]:
    """Raggedness, then r and k, then d and t among those inside, then m in the band, then the corner."""
    plain, ragged = min(points), max(points)
    raggednesses = st.sampled_from((plain, plain, plain, ragged))
    pairs = {x: st.sampled_from(list(inside)) for x, inside in points.items()}
    places = {x: {pair: st.sampled_from(at) for pair, at in inside.items()} for x, inside in points.items()}
    slacks, corners = st.sampled_from(SLACKS), st.sampled_from(_corners(box))

    @st.composite
    def configuration(draw: st.DrawFn) -> Configuration:
        raggedness = draw(raggednesses)
        r, k = pair = draw(pairs[raggedness])
        at = draw(places[raggedness][pair])
        m = min(at.last, math.ceil(at.first * math.exp(draw(slacks))))
        corner = CORNERS[draw(corners)](region, at.t, at.d, r, k)
        return Configuration(
            spec=InstanceSpec(t=at.t, m=m, d=at.d, r=r, k=k, ragged=raggedness, **corner),
            slack=math.floor(1e4 * math.log(m / at.rows)) / 1e4,
        )

    return configuration()


def _range(name: str, values: np.ndarray) -> str:
    least, most = values.min(), values.max()
    return f"{name} {least}" if least == most else f"{name} {least}-{most}"


def _cell(region: SampleRegion, box: Box) -> Cell:
    found = sizes(region, box)
    inside = found.inside
    ranges = [("d", found.d), *([("t", found.t)] if box.size.few else []), ("r", found.r), ("k", found.k)]
    shown = inside if inside.any() else np.full_like(inside, True)
    name = ", ".join([*(_range(n, values[shown]) for n, values in ranges), box.band.name])
    if not inside.any():
        return Cell(name, None, _why(region, box, found))
    points = {0.0: _points(found)}
    raggedness = min(RAGGED, region.bounds.values.get("ragged_0", 0.0))
    if raggedness and (uneven := _points(sizes(region, box, raggedness))):
        points[raggedness] = uneven
    return Cell(name, _drawn(region, box, points))


def boxes(budget: str) -> tuple[Box, ...]:
    """The boxes of a budget: `QUICK`, and more for ``standard`` and ``exhaustive``."""
    return STANDARD if budget in ("standard", "exhaustive") else QUICK


def ladder(region: Any, budget: str = "quick") -> tuple[Cell, ...]:
    """The cells on which claims are decided inside a region.

    Parameters
    ----------
    region : SampleRegion
        Its bounds decide how many rows a problem has; ``largest`` is for claims that are not decided by cell. A region
        of another kind draws its problems itself, and has no cells.
    budget : str
        Name of a budget; one that is not known is like ``quick``.

    Returns
    -------
    tuple of Cell
        In the order of `boxes`; where the region promises nothing a cell has no configurations and says why. The ranges in
        a name are those inside the region.
    """
    return _cells(region, budget) if isinstance(region, SampleRegion) else ()


@cache
def _cells(region: SampleRegion, budget: str) -> tuple[Cell, ...]:
    return tuple(_cell(region, box) for box in boxes(budget))
