"""Every claim is confirmed by a correct solver, is valid as a manifest entry, and proposes only what lies inside."""

import math
from dataclasses import replace

import numpy as np
import pytest
from inprocess import outcomes

from property_tests.examine.claim import Always, Rate, Scaling, Timing, claims

TEXTBOOK, PLAIN = (
    "property_tests.families.low_rank_sparse.textbook:Textbook",
    "property_tests.families.low_rank_sparse.textbook:Thresholding",
)
ALL = [c for c in claims() if not c.name.startswith("conduct/")]
#: Measured time is not for a fast test on a shared machine.
UNTIMED = [c for c in ALL if not isinstance(c.kind, Timing)]


@pytest.mark.parametrize("claim", UNTIMED, ids=lambda c: c.name)
def test_the_textbook_solver_keeps_it(claim):
    found = outcomes(TEXTBOOK, claim, 2)
    if claim.name.startswith("private/"):  # test_private_claims.py has a private solver; this one must not be asked
        assert found is None
        return
    if claim.name.startswith("tables/"):  # it is told its sizes; `auto` is not
        assert found is None
        return
    if found is None:
        assert claim.name.startswith("thresholds/")
        found = outcomes(PLAIN, claim, 2)
    assert all(o.ok for o in found), [o.note for o in found if not o.ok]
    assert all(o.margin >= 0 for o in found)
    assert all(math.isfinite(v) for o in found for v in o.values.values())


@pytest.mark.slow
@pytest.mark.parametrize("claim", ALL, ids=lambda c: c.name)
def test_the_practical_solver_keeps_it(claim):
    found = outcomes("amht", claim, 40)
    if found is not None:
        assert sum(not o.ok for o in found) <= 1, [o.note for o in found if not o.ok]


def test_every_subject_of_the_manifest_is_there():
    subjects = {c.name.partition("/")[0] for c in claims()}
    assert subjects == {
        "adaptation",
        "conduct",
        "cost",
        "honesty",
        "invariance",
        "necessity",
        "nested",
        "noise",
        "overspecified",
        "private",
        "rate",
        "recovery",
        "tables",
        "thresholds",
    }


@pytest.mark.parametrize("claim", ALL, ids=lambda c: c.name)
def test_a_claim_says_where_it_comes_from(claim):
    assert claim.statement.endswith(".")
    assert claim.cite
    assert isinstance(claim.kind, Always | Rate | Scaling | Timing) or claim.kind.p0 >= 0.9


@pytest.mark.parametrize(
    ("trace", "ok"),
    [
        (tuple(0.5**i for i in range(40)), True),
        # A support found late: level for a while, then at rounding in one step.
        ((0.61, 0.45, 0.17, 0.13, 0.13, 0.13, 0.13, 0.13, 8.7e-16), True),
        ((1.0, 0.9, 0.7, 0.4, 0.1, 1e-2, 1e-4, 1e-5, 3e-6), False),  # too few decades
        (tuple((1 + i) ** -4.0 for i in range(300)), False),
        # Exact in one step: from a geometric run, but not from a sublinear or level one.
        ((*(0.6**i for i in range(12)), 1e-14), True),
        ((*(1 / (1 + i) for i in range(50)), 1e-14), False),
        ((1.0, 0.4, *(0.13 + 1e-4 * (-1) ** i for i in range(20)), 1e-14), False),
        ((0.13,) * 20 + (1e-14,), False),
        # A level start, as long as 100 · 0.9^ℓ allows it (the supports come first, then a rate of .25).
        (tuple(0.25 ** max(0, i - 14) for i in range(34)), True),
        (tuple(0.25 ** max(0, i - 60) for i in range(80)), False),
    ],
)
def test_geometric_or_faster_is_what_the_rate_claim_asks(trace, ok):
    from property_tests.families.low_rank_sparse.claims.rate import linear_or_faster

    assert linear_or_faster(trace).ok is ok


@pytest.mark.parametrize(
    ("trace", "ok", "linear"),
    [
        ((), False, False),
        ((1.0,), False, False),
        ((1.0, 1e-12), True, True),
        ((1.0, 0.3, 0.2), False, False),  # stopped after three outer steps
        ((1.0, 0.3, float("nan"), 0.1, 1e-12), False, False),
        ((1.0, 0.3, float("inf")), False, False),
        (tuple(0.5**i for i in range(40)), True, True),
        (tuple(0.95**i for i in range(300)), False, True),
    ],
)
def test_any_trace_a_solver_shows_has_an_answer(trace, ok, linear):
    from property_tests.families.low_rank_sparse.claims.rate import envelope_and_reached, linear_or_faster

    assert envelope_and_reached(trace).ok is ok
    assert linear_or_faster(trace).ok is linear


def test_a_truncation_that_keeps_the_wrong_direction_is_refuted(monkeypatch):
    import lrs.amht.truncation  # noqa: F401  # hands its own down now, not after the other
    from lrs.families.low_rank_sparse import model

    def last(whole, rank, sparsity, moment):
        order = np.argsort(np.linalg.norm(whole.W, axis=0))[:rank]
        return replace(whole, U=whole.U[:, order], W=whole.W[:, order])

    (claim,) = claims("nested/as-good-as-a-fit")
    monkeypatch.setattr(model, "_truncates", [last])
    assert any(not o.ok for o in outcomes("amht", claim, 4, enough_failures=1))
