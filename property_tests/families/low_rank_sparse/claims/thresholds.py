"""The sparse-vector lemma, step by step: supports never grow beyond the truth, and ‖b − b*‖_∞ ≤ 2Δ."""

from __future__ import annotations

import numpy as np

from lrs.families.low_rank_sparse import metrics
from lrs.solver import Iterate
from property_tests.examine.claim import AtLeast, Claim, Context, Outcome, register
from property_tests.families.low_rank_sparse import strategies

LEMMA = "sparse-vector lemma (theory.families.low_rank_sparse.theorems.sparse_vector_lemma) [D], for thresholds that bound the errors"
#: Entries and errors below this share of the largest parameter are rounding.
ROUNDING = 1e-11


def _contained(context: Context) -> Outcome:
    truth = context.instance.truth
    counts = [metrics.false_support(step.model, truth) for step in context.run().trace]
    worst = max(counts, default=0)
    first = counts.index(worst) if worst else -1
    note = f"{worst} entries of b lie outside the true supports at step {first}" if worst else ""
    return Outcome.below("false_support", worst, 0, note=note, values={"step": float(first)})


def last_threshold(step: Iterate) -> np.ndarray | None:
    """Δ of every task in the last inner step (t,), or None where the iterate shows none."""
    shown = step.info.get("threshold")
    if shown is None:
        return None
    level = np.asarray(shown, dtype=float)
    return level[:, -1] if level.ndim == 2 else level


def _two_thresholds(context: Context) -> Outcome:
    truth = context.instance.truth
    true = truth.B.toarray()
    scale = float(np.abs(truth.theta).max())
    worst, shown = 0.0, 0
    for step in context.run().trace:
        level = last_threshold(step)
        if level is None:
            continue
        shown += 1
        error = np.abs(step.model.B.toarray() - true).max(axis=1)
        worst = max(worst, float((error / (2 * level + ROUNDING * scale)).max()))
    if not shown:
        return Outcome(False, -1.0, "declares the trait thresholds and shows no Iterate.info['threshold']")
    return Outcome.below("largest ‖b−b*‖_∞ / 2Δ", worst, 1.0)


register(
    Claim(
        name="thresholds/contained",
        statement="At every outer step, every non-zero of b is a true one.",
        cite=LEMMA,
        kind=AtLeast(0.95, 0.80),
        configurations=strategies.inside,
        check=_contained,
        theorems=("sparse-vector-lemma",),
        traits=("thresholds", "trace", "sparse"),
    )
)
register(
    Claim(
        name="thresholds/two-delta",
        statement="At every outer step, no entry of b is further than 2Δ from the truth, Δ the threshold just used.",
        cite=LEMMA,
        kind=AtLeast(0.95, 0.80),
        configurations=strategies.inside,
        check=_two_thresholds,
        theorems=("sparse-vector-lemma",),
        traits=("thresholds", "trace", "sparse"),
    )
)
