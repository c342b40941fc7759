"""One fit, every smaller size: the truncated model is as good as a fit that is told the smaller size."""

from __future__ import annotations

from dataclasses import replace

from lrs.families.low_rank_sparse import metrics
from property_tests.examine.claim import AtLeast, Claim, Context, Outcome, register
from property_tests.families.low_rank_sparse import strategies
from property_tests.families.low_rank_sparse.claims.noise import LEVEL

#: What a truncated model may lose against a fit of its size.
LOST = 1.02


def _as_good_as_a_fit(context: Context) -> Outcome:
    problem, truth = context.instance.problem, context.instance.truth
    smaller = [(problem.rank, problem.sparsity - 1)]
    if problem.rank > 1:
        smaller.append((problem.rank - 1, problem.sparsity))
    rank, sparsity = smaller[int(context.rng.integers(len(smaller)))]
    whole = context.run(trace=False).model
    told = context.run(replace(problem, rank=rank, sparsity=sparsity), trace=False).model
    errors = {
        "truncated": metrics.theta_error(whole.truncate(rank=rank, sparsity=sparsity), truth),
        "told": metrics.theta_error(told, truth),
    }
    found = Outcome.below("error as a multiple of that of the fit", errors["truncated"] / errors["told"], LOST)
    return replace(found, values={**found.values, **errors, "rank": rank, "sparsity": sparsity})


register(
    Claim(
        name="nested/as-good-as-a-fit",
        statement="A fit of noisy data, truncated to one direction or one non-zero less, is at most 1.02 times as far from the "
        "truth as a fit that is told this size.",
        cite="best approximation of Θ by rank r and k non-zeros a task, exact for k = 0 (Eckart and Young 1936); the factor is "
        "chosen here, 0.77–0.99 measured [N]",
        kind=AtLeast(0.95, 0.80),
        configurations=lambda region: strategies.inside(
            region, sizes=strategies.TINY, corners=("plain", "signs"), slacks=(0.5, 0.8), noise=(LEVEL, 0.3)
        ),
        check=_as_good_as_a_fit,
        traits=("noise", "low_rank", "sparse"),
        calls=2,
    )
)
