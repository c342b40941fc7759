"""Exact laws: against simulation, geometry, identities that hold exactly, and the figures they are quoted with."""

import numpy as np
import pytest
from scipy import stats

from lrs.core.errors import InvalidInput
from property_tests.benchmarks.ell_one_law import dimensions
from theory.statistics.exact_laws import EllOne
from theory.yardsticks import l1_known_u


@pytest.mark.parametrize(("d", "k"), [(2, 1), (6, 2), (40, 3), (30, 29)])
def test_law_of_the_face_dimension_is_the_simulated_one(d, k):
    draws = 40_000
    counts = np.bincount(dimensions(d, k, draws, np.random.default_rng(d)), minlength=d + 1)
    v = EllOne(d, k).face_dimensions
    likely = v * draws >= 8
    pooled = np.r_[counts[likely], counts[~likely].sum()]
    expected = draws * np.r_[v[likely], max(1 - v[likely].sum(), 1e-4)]
    assert ((pooled - expected) ** 2 / expected).sum() < stats.chi2.isf(1e-4, likely.sum())


@pytest.mark.parametrize(("d", "k"), [(1, 1), (7, 1), (40, 3), (200, 10), (400, 20), (50, 50)])
def test_identities_of_intrinsic_volumes(d, k):
    """They sum to one, and with alternating signs to zero (Gauss–Bonnet), which no part of the integration uses."""
    v = EllOne(d, k).face_dimensions
    assert v.min() >= -1e-12
    assert v.sum() == pytest.approx(1, abs=1e-11)
    assert (v * (-1.0) ** np.arange(d + 1)).sum() == pytest.approx(0, abs=1e-11)


def test_the_cone_in_the_plane_is_a_right_angle():
    assert EllOne(2, 1).face_dimensions == pytest.approx([0.25, 0.5, 0.25], abs=1e-12)
    assert EllOne(2, 1).probability([0, 1, 2]) == pytest.approx([0, 0.5, 1], abs=1e-12)  # one row in the plane: a coin


def test_ends():
    law = EllOne(30, 4)
    assert law.probability([-2, 0, 30, 99]) == pytest.approx([0, 0, 1, 1], abs=1e-12)
    assert (np.diff(law.probability(np.arange(31))) >= -1e-13).all()
    assert EllOne(9, 0).probability([0, 3]).tolist() == [1, 1]
    assert EllOne(9, 0).level(0.5) == 0


@pytest.mark.parametrize(
    ("d", "k", "m50", "m10", "m90"),
    [(40, 3, 10.16, 6.8, 13.9), (100, 5, 19.75, 15.0, 25.2), (100, 10, 32.21, 26.3, 38.4), (200, 10, 40.14, 33.2, 47.6),
     (400, 20, 80.99, 70.9, 91.5)],
)  # fmt: skip
def test_levels_are_those_of_a_simulation_to_its_precision(d, k, m50, m10, m90):
    law = EllOne(d, k)
    assert law.level(0.5) == pytest.approx(m50, abs=0.1)
    assert [law.level(0.1), law.level(0.9)] == pytest.approx([m10, m90], abs=0.2)


def test_overlay_is_the_law_behind_the_subspace_and_linear_between_whole_sizes():
    at = {
        "d": np.array([40.0, 40.0, 40.0, 3.0]),
        "r": np.array([2.0, 0.0, 0.0, 0.0]),
        "k": np.array([3.0, 3.0, 3.5, 9.0]),
    }
    rows = l1_known_u(**at)
    three, four = EllOne(40, 3).level(0.5), EllOne(40, 4).level(0.5)
    assert rows == pytest.approx([three + 2, three, (three + four) / 2, EllOne(3, 3).level(0.5)])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: EllOne(5, 6), "k: cannot exceed d"),
        (lambda: EllOne(0, 0), "d: "),
        (lambda: EllOne(5, 2).probability(2.5), "m: expected whole numbers"),
        (lambda: EllOne(5, 2).level(1.5), "p: "),
    ],
)
def test_bad_input_names_the_argument(call, message):
    with pytest.raises(InvalidInput, match=message):
        call()
