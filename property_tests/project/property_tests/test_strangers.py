"""Solvers unknown to the suite: it says of each what is known of it."""

import numpy as np
import pytest
from inprocess import outcomes

from lrs.families.low_rank_sparse.generate import InstanceSpec, generate
from lrs.families.low_rank_sparse.metrics import theta_error
from property_tests.examine.claim import claims
from property_tests.families.low_rank_sparse.strangers.wrapped import split

CLAIMS = {c.name: c for c in claims()}
PAGE = "property_tests.families.low_rank_sparse.strangers.from_the_paper:amht_lrs"


@pytest.mark.parametrize("name", ["recovery/exact", "thresholds/contained", "rate/envelope"])
def test_the_solver_from_the_page_keeps_the_theorem(name):
    assert all(o.ok for o in outcomes(PAGE, CLAIMS[name], 1))


@pytest.mark.parametrize("solver", ["altmin", "task_iht"])
def test_what_a_solver_does_not_do_is_not_asked(solver):
    assert (
        outcomes(f"property_tests.families.low_rank_sparse.strangers.wrapped:{solver}", CLAIMS["recovery/exact"], 1)
        is None
    )


def test_alternating_thresholding_breaks_the_claim_it_makes():
    found = outcomes("property_tests.families.low_rank_sparse.strangers.wrapped:naht", CLAIMS["recovery/exact"], 3)
    assert sum(not o.ok for o in found) >= 2


def test_split_finds_the_parts_of_an_exact_theta():
    truth = generate(InstanceSpec(t=40, m=1, d=30, r=2, k=1), 0).truth
    model = split(truth.theta, 2, 1)
    assert theta_error(model, truth) < 0.05
    assert np.diff(model.B.indptr).max() <= 1
