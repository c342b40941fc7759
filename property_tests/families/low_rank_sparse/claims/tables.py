"""Tables: told neither rank nor sparsity, never worse than what people use already."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from lrs.families.low_rank_sparse.generate import InstanceSpec
from lrs.families.low_rank_sparse.problem import Problem
from property_tests.examine.claim import AtLeast, Claim, Context, Outcome, register
from property_tests.examine.configuration import Configuration
from property_tests.families.low_rank_sparse.tables import KINDS, halves, in_use

#: What explained variance may lose, on average over so many tables of a kind, against the best of what people use.
MARGIN, TABLES = 0.01, 3
#: Kinds with a few hundred rows or more to learn from; the others are where docs say that the promise is not kept, or slow.
TRIED = (
    *(
        "mixed model",
        "no spread",
        "strong, many rows",
        "low rank",
        "low rank + sparse",
        "sparse, dense mean",
        "heavy tails",
    ),
    *("ragged", "scales", "categories", "intercepts alone", "intercepts and slopes", "one feature dominates"),
)


def _never_worse(context: Context) -> Outcome:
    draw, scores = KINDS[context.configuration["table"]], []
    for table in range(TABLES):
        training, score = halves(draw(np.random.default_rng([*context.key, table])), (*context.key, table, 1))
        # The sizes are the smallest there are: a solver that finds its own does not look at them.
        answer = context.run(Problem(training, 1, 0), trace=False).model.theta
        scores.append({name: score(theta) for name, theta in {**in_use(training), "answer": answer}.items()})
    mean = {name: float(np.mean([one[name] for one in scores])) for name in scores[0]}
    best = max(value for name, value in mean.items() if name != "answer")
    return Outcome.below("explained variance lost against the best", best - mean["answer"], MARGIN, values=mean)


register(
    Claim(
        name="tables/never-worse",
        statement="On simulated tables, told neither rank nor sparsity, the solver explains of new rows at most 0.01 less than the "
        "best of one model for all, ridge a task, the mixed model and low rank, on average over three tables of a kind.",
        cite="a promise of this library, not of the paper; kinds in property_tests/families/low_rank_sparse/tables.py [N]",
        kind=AtLeast(0.95, 0.80),
        configurations=lambda region: st.sampled_from(TRIED).map(
            lambda kind: Configuration(spec=InstanceSpec(t=6, m=5, d=6, r=1, k=1), extras=(("table", kind),))
        ),
        check=_never_worse,
        traits=("finds_sizes", "noise"),
        inside=False,
        calls=TABLES,
    )
)
