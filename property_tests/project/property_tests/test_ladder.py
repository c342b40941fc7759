"""Cells of the ladder: drawn inside the region and the band, empty only where nothing is allowed, and no pair left out."""

import itertools
import re
from collections import Counter

import pytest

from lrs.families.low_rank_sparse.generate import InstanceSpec
from property_tests.benchmarks.ladder import corner_of
from property_tests.examine.configuration import Configuration
from property_tests.examine.search import propose
from property_tests.families.low_rank_sparse import ladder as made
from property_tests.families.low_rank_sparse import strategies
from property_tests.families.low_rank_sparse.ladder import BANDS, HUGE, LARGE, MEDIUM, SMALL, ladder
from property_tests.families.low_rank_sparse.strategies import CORNERS, PAPER, PRACTICAL

REGIONS = (PRACTICAL, PAPER, strategies.theorem_region())
#: Written a second time on purpose: what the end of a cell's name says of m/d.
SAYS = {
    "m/d ≤ ¼": lambda x: 0 < x <= 0.25,
    "¼ < m/d ≤ ½": lambda x: 0.25 < x <= 0.5,
    "½ < m/d < 1": lambda x: 0.5 < x < 1,
    "m/d ≥ 1": lambda x: x >= 1,
}


def ranges(name):
    """{"d": (100, 140), …} of a cell's name."""
    return {n: (int(a), int(b or a)) for n, a, b in re.findall(r"\b([dtrk]) (\d+)(?:-(\d+))?", name)}


@pytest.mark.parametrize("region", REGIONS, ids=lambda r: r.name)
def test_drawn_inside_the_region_and_the_cell(region):
    for cell, box in zip(ladder(region, "standard"), made.boxes("standard"), strict=True):
        if cell.configurations is None:
            continue
        for c in propose(cell.configurations, 6 if region is PRACTICAL else 2, 1):
            s, depth = c.spec, region.depth(c)
            assert depth.margin >= 0, (cell.name, str(c), depth.binding)
            bounds = [depth.parts[n] for n in ("samples per task", "total samples") if n in depth.parts]
            assert min(bounds) >= c.slack - 1e-9, (cell.name, str(c))
            assert SAYS[cell.name.rpartition(", ")[2]](s.m / s.d), (cell.name, str(c))
            assert all(a <= getattr(s, n) <= b for n, (a, b) in ranges(cell.name).items()), (cell.name, str(c))
            assert s.t * s.m * s.d <= box.size.entries
            assert s.noise == 0


@pytest.mark.parametrize("region", REGIONS, ids=lambda r: r.name)
def test_out_of_scope_is_out_of_the_region(region):
    """At no end of an empty box does the last row of its band lie inside the region, or its problems are too large."""
    for cell, box in zip(ladder(region, "standard"), made.boxes("standard"), strict=True):
        if cell.configurations is not None:
            assert not cell.why
            continue
        assert region.name in cell.why
        r, k = made.RANKS[box.r][0], made.SPARSITIES[box.k][0]  # what asks for least
        for t, d in itertools.product(box.size.t, box.size.d):
            most = {made.A: d // 4, made.B: d // 2, made.C: d - 1, made.D: box.size.entries // (t * d)}[box.band]
            end = Configuration(spec=InstanceSpec(t=t, m=most, d=d, r=r, k=k))
            assert region.depth(end).margin < 0, (cell.name, str(end))


def _pairs(boxes):
    """Every (what, value, what, value) of the boxes that the ladder promises to cover."""
    found = set()
    for box in boxes:
        if box.size.few:
            continue
        band, size = BANDS.index(box.band), box.size.d
        found |= {("band", band, "size", size), ("size", size, "r", box.r), ("size", size, "k", box.k)}
        found |= {("band", band, "r", box.r), ("band", band, "k", box.k)}
    return found


@pytest.mark.parametrize(
    ("budget", "all_sizes"), [("quick", (SMALL, MEDIUM, LARGE)), ("standard", (SMALL, MEDIUM, LARGE, HUGE))]
)
def test_every_pair_that_is_possible_occurs(budget, all_sizes):
    possible = [
        made.Box(band, size, r, k, ())
        for band, size, r, k in itertools.product(BANDS, all_sizes, range(3), range(3))
        if made.sizes(PRACTICAL, made.Box(band, size, r, k, ())).inside.any()
    ]
    covered = [
        box
        for cell, box in zip(ladder(PRACTICAL, budget), made.boxes(budget), strict=True)
        if cell.configurations is not None
    ]
    missing = _pairs(possible) - _pairs(covered)
    assert not missing


def test_every_corner_meets_few_rows_and_many_coordinates():
    inside = [box for cell, box in zip(ladder(PRACTICAL), made.QUICK, strict=True) if cell.configurations is not None]
    for where in (lambda b: b.band in (made.A, made.B), lambda b: b.size.d[1] >= 100):
        assert {c for box in inside if where(box) for c in box.corners} == set(CORNERS) - {"plain"}


def test_shares_of_a_cell():
    """Two draws in five are plain, a fifth each of the cell's corners, a quarter is ragged, half has the fewest rows."""
    cell, box = ladder(PRACTICAL)[9], made.QUICK[9]
    assert box.band is made.C
    drawn = propose(cell.configurations, 200, 3)
    corners = Counter(corner_of(PRACTICAL, c) for c in drawn)
    assert 50 <= corners["plain"] <= 115
    assert all(18 <= corners[c] <= 70 for c in box.corners), corners
    assert len(corners) >= 8
    assert 25 <= sum(c.spec.ragged > 0 for c in drawn) <= 85
    specs = [c.spec for c in drawn]
    first = [max(PRACTICAL.rows(s.t, s.d, s.r, s.k, ragged=s.ragged), s.d // 2 + 1) for s in specs]
    assert 65 <= sum(s.m == m for s, m in zip(specs, first, strict=True)) <= 155


def test_the_ladder_is_fixed():
    quick, standard = ladder(PRACTICAL, "quick"), ladder(PRACTICAL, "standard")
    for cells in (quick, standard):
        assert len({c.name for c in cells}) == len(cells)
    assert [c.name for c in standard[: len(quick)]] == [c.name for c in quick]
    assert [c.name for c in ladder(PRACTICAL, "my own budget")] == [c.name for c in quick]
    assert [c.name for c in ladder(PRACTICAL, "exhaustive")] == [c.name for c in standard]
    assert (len(quick), len(standard)) == (16, 25)


def test_how_far_it_reaches():
    """d, t, r, k with few rows, and what occurs together: by drawing, not by name."""
    cells = [c.configurations for c in ladder(PRACTICAL, "standard")]
    drawn = [[] if cell is None else [c.spec for c in propose(cell, 15, 2)] for cell in cells]
    quick = list(itertools.chain(*drawn[:16]))
    for specs, d, t, k in ((quick, 100, 400, 3), (list(itertools.chain(*drawn)), 190, 900, 5)):
        few = [s for s in specs if 4 * s.m <= s.d]
        assert any(s.d >= d and s.t >= t for s in few)
        assert (max(s.r for s in few), max(s.k for s in few)) == (5, k)
        assert max(s.k for s in specs) == 8
    assert any(s.t <= 40 and s.d >= 90 for s in quick)
    assert any(s.b_scale == PRACTICAL["b_least"] and 2 * s.m <= s.d for s in quick)
    assert any(s.ragged and 2 * s.m <= s.d for s in quick)
    assert any((s.kappa or 1) > 10 and s.d >= 100 and s.r > 1 for s in quick)


def test_a_moved_bound_moves_the_cells():
    """Twice the rows: the same boxes, fewer of them in scope."""
    more = PRACTICAL.with_constants(C_rows=4.0)
    lost = [
        a.name
        for a, b in zip(ladder(PRACTICAL), ladder(more), strict=True)
        if a.configurations is not None and b.configurations is None
    ]
    assert any("d 100-128, r 4-5, k 5-" in name for name in lost)


def test_the_papers_region_has_a_cell_with_fewer_rows_than_coordinates():
    wide = ladder(PAPER, "standard")[-1]
    assert all(c.spec.t >= 60 and c.spec.m < c.spec.d for c in propose(wide.configurations, 5, 1))
