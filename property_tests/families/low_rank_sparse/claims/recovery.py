"""Exact recovery inside the region: every task, the subspace, the supports, the rounding floor, tasks that fail.

What “recovered” means is the family's default criterion (`Context.recovered`); a claim about another error names it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis.strategies import SearchStrategy

from lrs.core.family import TOLERANCE, Success
from lrs.families.low_rank_sparse import metrics
from property_tests.examine.claim import AtLeast, Claim, Context, Outcome, register
from property_tests.examine.configuration import Configuration, Region
from property_tests.families.low_rank_sparse import strategies
from property_tests.families.low_rank_sparse.ladder import ladder
from property_tests.families.low_rank_sparse.structures import short_tasks

THEOREM = "informal theorem of Pal et al., AISTATS 2024 (arXiv 2210.03505) [S]; region calibrated"
#: Relative error that counts as the limit of rounding.
ROUNDING = 1e-10


def _recovers(context: Context) -> Outcome:
    return context.recovered()


def _subspace(context: Context) -> Outcome:
    return context.recovered(success=Success("subspace"))


def _to_rounding(context: Context) -> Outcome:
    return Outcome.below("theta_error", metrics.theta_error(context.run().model, context.instance.truth), ROUNDING)


def _support(context: Context) -> Outcome:
    found = np.abs(context.run().model.B.toarray())
    true = context.instance.truth.B.toarray() != 0
    # Entries of the size of rounding are the solver's business: what they would change is judged by the errors.
    level = 1e-9 * float(np.abs(context.instance.truth.theta).max())
    wrong = int(((found > level) != true).sum())
    return Outcome.below("wrong_support_entries", wrong, 0)


def _subspace_despite_failures(context: Context) -> Outcome:
    model, truth, spec = context.run().model, context.instance.truth, context.configuration.spec
    number, _ = short_tasks(spec.r, spec.k, spec.t)
    errors = metrics.task_errors(model, truth)[: spec.t - number]
    return Outcome.all(
        (
            Outcome.below("subspace_distance", metrics.subspace_distance(model.U, truth.U), TOLERANCE),
            Outcome.below("largest_error_of_other_tasks", float(errors.max()), TOLERANCE),
        )
    )


def with_structure(name: str, region: Region) -> SearchStrategy[Configuration]:
    """Deep configurations with a structure of `property_tests.families.low_rank_sparse.structures`."""

    def add(configuration: Configuration) -> Configuration:
        return replace(configuration, structure=name)

    return strategies.inside(region, slacks=(0.5, 0.8), corners=("plain", "signs")).map(add)


register(
    Claim(
        name="recovery/exact",
        statement="Inside the region every task is recovered: its parameters to a relative error of 1e-6.",
        cite=THEOREM,
        kind=AtLeast(0.95, 0.80),
        configurations=strategies.inside,
        ladder=ladder,
        check=_recovers,
        theorems=("amht-informal",),
        traits=("exact", "low_rank", "sparse"),
    )
)
register(
    Claim(
        name="recovery/subspace",
        statement="Inside the region the subspace is recovered: the sine of its largest angle to the true one is at most 1e-6.",
        cite=THEOREM,
        kind=AtLeast(0.95, 0.80),
        configurations=strategies.inside,
        ladder=ladder,
        check=_subspace,
        theorems=("amht-informal",),
        traits=("exact", "low_rank", "sparse"),
    )
)
register(
    Claim(
        name="recovery/nearly-always",
        statement="Deep in the region (e^0.8 times the rows of its shell, no corner) recovery does not fail one time in twenty.",
        cite=f"the failure probability of the {THEOREM} vanishes as sizes grow; p₀ = .99 is the one tested",
        kind=AtLeast(0.99, 0.95),
        configurations=lambda region: strategies.inside(region, slacks=(0.8,), corners=("plain", "signs")),
        check=_recovers,
        theorems=("amht-informal",),
        traits=("exact", "low_rank", "sparse"),
    )
)
register(
    Claim(
        name="recovery/to-rounding",
        statement="What is recovered is recovered to the rounding of float64: the relative error of Θ is below 1e-10.",
        cite="‘exactly’ of the informal theorem [S], read as the limit of the iteration; tolerance chosen here",
        kind=AtLeast(0.95, 0.80),
        configurations=strategies.inside,
        ladder=ladder,
        check=_to_rounding,
        theorems=("amht-informal",),
        traits=("exact", "low_rank", "sparse"),
        requires=("conduct/answers", "recovery/exact"),
    )
)
register(
    Claim(
        name="recovery/support",
        statement="The non-zeros of every b are the true ones, none missing and none false.",
        cite=THEOREM,
        kind=AtLeast(0.95, 0.80),
        configurations=strategies.inside,
        ladder=ladder,
        check=_support,
        theorems=("amht-informal",),
        traits=("exact", "low_rank", "sparse"),
    )
)
register(
    Claim(
        name="recovery/ragged",
        statement="Tasks of different sizes are recovered as those of equal size are, when the smallest has enough rows.",
        cite=f"{THEOREM}; the theorem is per task in m",
        kind=AtLeast(0.95, 0.80),
        configurations=lambda region: strategies.inside(region, ragged=0.3, corners=("plain", "signs")),
        check=_recovers,
        theorems=("amht-informal",),
        traits=("exact", "low_rank", "sparse", "ragged"),
    )
)
register(
    Claim(
        name="recovery/despite-short-tasks",
        statement="When a tenth of the tasks has fewer rows than parameters, the subspace and all other tasks are still "
        "recovered.",
        cite="a wrong support in few tasks must not poison the subspace step: measured [N]; U needs only r·d equations",
        kind=AtLeast(0.95, 0.80),
        configurations=lambda region: with_structure("short tasks", region),
        check=_subspace_despite_failures,
        traits=("exact", "low_rank", "sparse", "ragged"),
    )
)
register(
    Claim(
        name="recovery/despite-wild-tasks",
        statement="When the responses of a tenth of the tasks follow no model, the subspace and all other tasks are still "
        "recovered.",
        cite="beyond the theorem: trimming of badly fitted tasks, measured for the practical solver [N]",
        kind=AtLeast(0.95, 0.80),
        configurations=lambda region: with_structure("wild tasks", region),
        check=_subspace_despite_failures,
        traits=("exact", "low_rank", "sparse"),
    )
)

_CORNERS = {
    "b-of-any-size": (
        ("tiny b", "b of all sizes", "large b"),
        "However small or large the non-zeros of b are, everything is recovered.",
        "no lower bound on |b*| is needed: sparse-vector lemma [D]",
    ),
    "clustered-supports": (
        ("clustered supports",),
        "Everything is recovered when many tasks share a coordinate, up to the limit of row sparsity.",
        "A2: each coordinate is used by at most ζ tasks [M]; the limit is the region's",
    ),
    "at-the-limits": (
        ("condition at its limit", "spiky weights", "rows at the incoherence limit", "repeated tasks"),
        "Everything is recovered with the condition, spread and incoherence of the truth at their limits.",
        "A1: task diversity and incoherence [M]; the limits are the region's",
    ),
}

for _name, (_corners, _statement, _cite) in _CORNERS.items():
    register(
        Claim(
            name=f"recovery/{_name}",
            statement=_statement,
            cite=_cite,
            kind=AtLeast(0.95, 0.80),
            configurations=lambda region, corners=_corners: strategies.inside(region, corners=corners),  # type: ignore[misc]
            check=_recovers,
            theorems=("amht-informal",),
            traits=("exact", "low_rank", "sparse"),
        )
    )
