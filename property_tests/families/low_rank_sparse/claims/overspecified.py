"""Told too much: a rank or a sparsity above the truth must not spoil the parameters."""

from __future__ import annotations

from lrs.core.family import TOLERANCE
from lrs.families.low_rank_sparse import metrics
from property_tests.examine.claim import AtLeast, Claim, Context, Outcome, register
from property_tests.families.low_rank_sparse import strategies


def _recovers(context: Context) -> Outcome:
    return context.recovered()


def _and_the_subspace(context: Context) -> Outcome:
    run = context.run()
    distance = metrics.subspace_distance(run.model.U, context.instance.truth.U)
    contained = Outcome.below("distance of span(U*) from span(U)", distance, 1e3 * TOLERANCE)
    return Outcome.all((context.recovered(run), contained))


for _name, _statement, _check, _options in (
    (
        "rank",
        "Told r + 1 directions, the solver recovers every task and a subspace that contains the true one.",
        _and_the_subspace,
        {"over_rank": 1},
    ),
    ("sparsity", "Told k + 2 non-zeros, the solver recovers every task.", _recovers, {"over_sparsity": 2}),
):
    register(
        Claim(
            name=f"overspecified/{_name}",
            statement=_statement,
            cite="r and k enter the theorem as upper bounds (‖b‖₀ ≤ k [S]); the region counts what the solver is told",
            kind=AtLeast(0.95, 0.80),
            configurations=lambda region, options=_options: strategies.inside(  # type: ignore[misc]
                region, sizes=strategies.TINY, corners=("plain", "signs"), slacks=(0.3, 0.8), **options
            ),
            check=_check,
            traits=("exact", "low_rank", "sparse"),
        )
    )
