"""A new task learns its (w, b) with U fixed; a start at the truth stays there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import sparse

from lrs.core.family import TOLERANCE
from lrs.families.low_rank_sparse.model import LRSModel
from property_tests.examine.claim import AtLeast, Claim, Context, Outcome, register
from property_tests.families.low_rank_sparse import strategies
from property_tests.families.low_rank_sparse.claims.recovery import THEOREM


def _new_task(context: Context) -> Outcome:
    truth, spec, rng = context.instance.truth, context.configuration.spec, context.rng
    model = context.run().model
    w, b = rng.standard_normal(spec.r), np.zeros(spec.d)
    b[rng.choice(spec.d, spec.k, replace=False)] = rng.choice([-1.0, 1.0], spec.k) * rng.uniform(0.5, 1.5, spec.k)
    theta = truth.U @ w + b
    X = rng.standard_normal((spec.m, spec.d))
    found = model.adapt(X, X @ theta, sparsity=spec.k)
    error = float(np.linalg.norm(model.U @ found.w + found.b - theta) / np.linalg.norm(theta))
    return Outcome.below("error of the new task's θ", error, TOLERANCE)


def near(truth: LRSModel, rng: np.random.Generator, distance: float = 0.1) -> LRSModel:
    """A start whose subspace is about ``distance`` away from the true one; w is the best for it, b is 0."""
    noise = rng.standard_normal(truth.U.shape)
    U = np.linalg.qr(truth.U + distance / np.sqrt(truth.d) * noise)[0]
    return LRSModel(U, truth.W @ (truth.U.T @ U), sparse.csr_array(truth.B.shape))


def _from_near(context: Context) -> Outcome:
    instance = context.instance
    start = near(instance.truth, context.rng)
    return context.recovered(context.run(replace(instance.problem, warm_start=start)))


register(
    Claim(
        name="adaptation/new-task",
        statement="A new user's (w, b) is learnt exactly from m rows of its own with the returned U fixed.",
        cite=f"new users, {THEOREM}; sample bound of theory.families.low_rank_sparse.theorems.new_task [D]",
        kind=AtLeast(0.95, 0.80),
        configurations=lambda region: strategies.inside(region, corners=("plain", "signs"), slacks=(0.3, 0.8)),
        check=_new_task,
        theorems=("new-task",),
        traits=("exact", "low_rank"),
    )
)
register(
    Claim(
        name="adaptation/warm-start",
        statement="Started within a subspace error of about 0.1 of the truth, the solver reaches it.",
        cite="Theorem 1: a start within c/√κ [M]; the distance is chosen here",
        kind=AtLeast(0.95, 0.80),
        configurations=strategies.inside,
        check=_from_near,
        traits=("exact", "low_rank", "sparse", "warm_start"),
    )
)
