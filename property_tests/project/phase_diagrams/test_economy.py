"""What bisection and adaptive rounds save: the comparison itself, on a solver whose boundary is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from phase_diagrams.sweeps.engines import Inline
from property_tests.benchmarks import economy

#: The synthetic solver wants one task and r = 0, k = d; lines differ in d, so k stands for it.
MAP = {"x": "m=6:45", "y": "k=2,4", "fixed": "d/k=1,r=0,t=1", "solvers": "phase_diagrams.sweeps.synthetic:sharp"}


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory):
    folder = tmp_path_factory.mktemp("economy")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(economy, "MAP", MAP)
        adaptive = economy.run(folder / "adaptive", Inline(), nested="m", precision=economy.PRECISION, replicates=200)
        return adaptive, economy.run(folder / "uniform", Inline(), replicates=economy.REPLICATES)


def test_the_same_boundary_for_fewer_solves(sweeps):
    lines = economy.compare(*sweeps)
    assert [line.k for line in lines] == [2, 4]
    for line, truth in zip(lines, (24.0, 28.0), strict=True):
        assert line.agree
        assert line.adaptive.width / 2 <= economy.PRECISION
        assert line.adaptive.lower - 1 <= truth <= line.adaptive.upper + 1
        needed = line.grid[1]
        assert needed.reached
        assert needed.solves % 40 == 0  # every level, a whole number of replicates
        assert economy.FEWEST * 40 <= needed.solves <= economy.REPLICATES * 40
        assert line.solves < needed.solves / 3


def test_a_precision_that_no_number_of_replicates_gives_has_a_lower_bound(sweeps):
    (line, _) = (replace(sweeps[1], frame=sweeps[1].frame[sweeps[1].frame["k"] == k]) for k in (2, 4))
    assert str(economy.cheapest(line, 1, precision=1e-6)) == f"more than {economy.REPLICATES * 40}"
