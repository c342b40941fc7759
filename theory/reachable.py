"""What can be reached at the sizes of a problem: the Bayes error, the error of messages by iteration, and the exact limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float

from lrs.core.errors import InvalidInput
from lrs.core.validate import integer
from lrs.families.low_rank_sparse.generate import generate
from lrs.families.low_rank_sparse.spec import InstanceSpec
from lrs.solver import load_solver, solve
from theory.evolution import Evolution, FixedPoints, SparsePrior
from theory.families.low_rank_sparse import limits
from theory.families.low_rank_sparse.state_evolution import MOST_TASKS, FewTasks, curve, many_tasks
from theory.statistics.exact_laws import EllOne

#: What must be as in the model for the laws to hold.
_PLAIN = InstanceSpec(t=1, m=1, d=1, r=0, k=0)
_SIZES = ("t", "m", "d", "r", "k", "noise", "b_law", "b_scale")


@dataclass(frozen=True, eq=False)
class Reachable:
    """The limits at one setting.

    Attributes
    ----------
    spec : InstanceSpec
    law : str
        Which limit applies: few tasks, given the weights of an instance, or many.
    errors, standard_error : (iterations + 1,) arrays
        E‖θ̂ − θ*‖² of a task before and after every iteration of the messages; numerical error.
    ends : FixedPoints
        Where iterations end, and the Bayes error (means over the tasks).
    ell_one : float
        Probability that ℓ₁ minimisation finds a task's b when U is known, without noise; exact at this size.
    counting : float
        Rows per task below which equations are fewer than unknowns.
    """

    spec: InstanceSpec
    law: str
    errors: Float[np.ndarray, " steps"]
    standard_error: Float[np.ndarray, " steps"]
    ends: FixedPoints
    ell_one: float
    counting: float

    @property
    def bayes(self) -> float:
        """The Bayes error E‖θ̂ − θ*‖² of a task."""
        return float(self.ends.bayes.mean())

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "law": self.law,
            "errors": self.errors.tolist(),
            "standard_error": self.standard_error.tolist(),
            "reached": float(self.ends.from_prior.mean()),
            "bayes": self.bayes,
            "hard": self.ends.hard,
            "ell_one_known_subspace": self.ell_one,
            "counting_limit": self.counting,
        }


def law_of(spec: InstanceSpec, key: Sequence[int] = (0,)) -> Evolution:
    """State evolution at the sizes of a specification: of few tasks, given the weights of the instance with this key, or of many.

    Raises
    ------
    InvalidInput
        Where the model is not that of the laws.
    """
    plain = replace(_PLAIN, **{name: getattr(spec, name) for name in _SIZES})
    for name, value in spec.to_dict().items():
        if value != getattr(plain, name):
            raise InvalidInput(f"{name}: state evolution is known for the plain model only, leave {name} out")
    if spec.t > MOST_TASKS:
        sparse = SparsePrior(spec.k / spec.d, spec.b_law, spec.b_scale)
        return many_tasks(m=spec.m, d=spec.d, r=spec.r, k=spec.k, sigma=spec.noise, sparse=sparse)
    if spec.b_law != "gaussian":
        raise InvalidInput(
            f"b_law: with up to {MOST_TASKS} tasks the law is known for gaussian entries of b, not for {spec.b_law} ones"
        )
    W = generate(replace(spec, m=1), key).truth.W
    return FewTasks(W, spec.m, spec.d, spec.k, spec.noise, spec.b_scale, points=2 ** min(12, 19 - spec.t))


def reachable(spec: InstanceSpec, iterations: int = 15, key: Sequence[int] = (0,)) -> Reachable:
    """The limits at the sizes of a specification."""
    law = law_of(spec, key)
    few = isinstance(law, FewTasks)
    if isinstance(law, FewTasks):
        path = curve(law, iterations)
        errors, own = path.errors.mean(axis=1), path.standard_error
    else:
        errors = law.curve(iterations).mean(axis=1)
        own = np.zeros(len(errors))
    return Reachable(
        spec,
        "few tasks" if few else "many tasks",
        errors,
        own,
        law.fixed_points,
        float(EllOne(spec.d, spec.k).probability([min(spec.m, spec.d) - spec.r])[0]),
        float(limits.counting_theta(d=spec.d, r=spec.r, k=spec.k, t=spec.t)),
    )


def relative_bayes(spec: InstanceSpec) -> float:
    """√(Bayes error / E‖θ‖²) with noise, where the limit of many tasks applies (t ≥ d, the plain model); else 0."""
    if spec.noise == 0 or spec.t < max(spec.d, MOST_TASKS + 1):
        return 0.0
    try:
        law = law_of(spec)
    except InvalidInput:
        return 0.0
    return float(np.sqrt(law.fixed_points.bayes.mean() / law.prior.mean()))


def measured(spec: InstanceSpec, solver: str, runs: int = 3, seed: int = 0) -> tuple[float, float, float]:
    """Mean and median error of a task that a solver reaches, and the mean Bayes error of the same instances.

    The Bayes error is a mean, in which a few tasks with a wrong support can be most; the median shows the others.
    """
    integer("runs", runs, least=1)
    errors, bayes = [], []
    for n in range(runs):
        instance = generate(spec, (seed, n))
        answer = solve(instance.problem, load_solver(solver), seed=n).model
        errors.append(((answer.theta - instance.truth.theta) ** 2).sum(axis=1))
        bayes.append(float(law_of(spec, (seed, n)).fixed_points.bayes.mean()))
    return float(np.mean(errors)), float(np.median(errors)), float(np.mean(bayes))


@lru_cache(maxsize=4096)
def message_rows(d: int, r: int, k: int) -> float:
    """Rows per task from which messages are exact without noise when U is known, b as the generator draws it."""
    if k == 0:
        return float(r)
    low, high = min(r + k, d), d  # d rows are enough
    while low < high:
        middle = (low + high) // 2
        law = many_tasks(m=middle, d=d, r=r, k=k, sigma=0.0)
        if law.settle(law.prior)[0] == 0:
            high = middle
        else:
            low = middle + 1
    return float(low)
