"""How many users a private run needs before the privacy noise is small, from the predicates of the private theorem."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from lrs.core.errors import InvalidInput
from lrs.core.files import picture, save_figure
from lrs.core.validate import integer, real
from lrs.private import Clip, PrivateAMHT, rho_for
from lrs.private.accounting import check_target
from theory.families.low_rank_sparse.theorems.amht_private import (
    a_small,
    a_usable,
    rounds_average,
    start_small,
    v_small,
)
from theory.language import symbols
from theory.language.predicate import Predicate
from theory.plan import Requirement
from theory.region import needed

#: Sizes of the run whose utility the documentation reports; planned for when none are given.
REFERENCE = {"d": 20, "r": 2, "k": 2}

#: What the rounds ask for, by what they release: with clip levels A and V, without them gradients.
GRADIENT, ROUNDS = (rounds_average,), (a_usable, a_small, v_small)
#: Level over subspace error in a round, where noise decides: of the 180 rounds of nine runs with 282, 564 and 1,000 users, half the plan to
#: twice it, 176 are below, the median is 1.0. With many more users the level starts at ten times the error, and noise does not decide
#: (measured: ``python -m property_tests.benchmarks.private rounds --t 564``).
KAPPA = 2.5
#: No start is asked to be nearer than this before rounds improve on it.
BASIN = 0.5


@dataclass(frozen=True, kw_only=True)
class PrivatePlan:
    """What is planned for.

    Parameters
    ----------
    d, r, k : int
        Features, rank (≥ 1), sparsity.
    epsilon, delta : float
        User-level target, add or remove neighbours.
    tolerance : float
        Subspace error τ in (0, 1] that the privacy noise may cause.
    rounds : int
        L.
    clip : Clip, optional
        Levels of the rows, for the release of A and V; None plans for gradients, which need none.

    Raises
    ------
    InvalidInput
        ε ≤ 0, δ or τ outside its range, sizes that are none.
    """

    d: int
    r: int
    k: int
    epsilon: float
    delta: float
    tolerance: float = 0.1
    rounds: int = PrivateAMHT.rounds
    clip: Clip | None = None

    def __post_init__(self) -> None:
        check_target(self.epsilon, self.delta, None)
        if math.isinf(self.epsilon):
            raise InvalidInput("epsilon: inf asks for no privacy, for which any number of users is enough")
        for name, least in (("d", 1), ("r", 1), ("k", 0), ("rounds", 1)):
            integer(name, getattr(self, name), least=least)
        if self.r > self.d or self.k > self.d:
            raise InvalidInput(f"r, k: {self.r} and {self.k} cannot exceed d = {self.d}")
        real("tolerance", self.tolerance, above=0, most=1, what="a subspace error")

    @cached_property
    def rho(self) -> float:
        """The zCDP budget of the target."""
        return rho_for(self.epsilon, self.delta)

    def values(self) -> Mapping[str, float]:
        """What the predicates are evaluated at: weights and non-zeros of unit scale, so that λ_r = r and Γ = (1 − k/d)/(r + k) [D]."""
        levels = {} if self.clip is None else {f"A_{name}": level for name, level in self.clip.to_dict().items()}
        # With A and V the start alone may have to be within τ; gradients halve what it leaves.
        start = self.tolerance if self.clip else min(BASIN, 2.0**self.rounds * self.tolerance)
        return {
            "d": self.d,
            "r": self.r,
            "L": self.rounds,
            "lambda_r": self.r,
            "rho_dp": self.rho,
            "tau": self.tolerance,
            "tau_0": start,
            "halvings": max(0.0, math.log2(start / self.tolerance)),
            "Gamma_s": max(1 - self.k / self.d, 1 / self.d) / (self.r + self.k),
            "kappa_g": KAPPA,
            **levels,
        }


def users(predicate: Predicate, plan: PrivatePlan) -> float:
    """The fewest users at which a bound of the private theorem holds."""
    expression = needed(predicate, symbols.t)
    assert expression is not None
    values = plan.values()
    found = float(expression.subs({s: values[s.name] for s in expression.free_symbols}))
    return float(max(1, math.ceil(found - 1e-9)))


def plan_users(plan: PrivatePlan) -> tuple[Requirement, ...]:
    """What each release asks for, and the fewest users at which the subspace error is within the tolerance.

    Gradients need the start and the rounds, A and V either: the start within the tolerance, or all rounds.
    """
    start = users(start_small, plan)
    parts = [(p, users(p, plan)) for p in (ROUNDS if plan.clip else GRADIENT)]
    refined = max(n for _, n in parts)
    tell = f"τ = {plan.tolerance:g}"
    out = [Requirement("start", start, "derived", f"{start_small.status.label} {start_small.formula()}")]
    out += [Requirement(p.name, n, "derived", f"{p.status.label} {p.formula()}") for p, n in parts]
    if plan.clip is None:
        needed, by = (
            max(start, refined),
            f"the start within {plan.values()['tau_0']:g}, halved {plan.values()['halvings']:.3g} times by the rounds",
        )
    else:
        out.append(Requirement("rounds", refined, "derived", f"A and V of every round within {tell}"))
        needed, by = min(start, refined), "the start alone" if start <= refined else "the rounds"
    return (*out, Requirement("users needed", needed, "derived", f"{tell} by {by}; clipping and sampling extra"))


def draw(path: str | Path, plan: PrivatePlan) -> Path:
    """Users against ε, one curve per release, on logarithmic axes; written as PNG, SVG or PDF."""
    from matplotlib.figure import Figure

    path = picture(path)
    epsilons = np.geomspace(plan.epsilon / 10, plan.epsilon * 10, 25)
    plans = [replace(plan, epsilon=float(e)) for e in epsilons]
    figure = Figure(figsize=(7.5, 5), layout="constrained")
    axes = figure.subplots()
    styles = {
        start_small: ("#0072B2", "-", "start"),
        rounds_average: ("#D55E00", "--", "rounds"),
        a_usable: ("#000000", ":", "A above its noise"),
        a_small: ("#D55E00", "--", "rounds, error from A"),
        v_small: ("#CC79A7", "-.", "rounds, error from V"),
    }
    for predicate in (start_small, *(ROUNDS if plan.clip else GRADIENT)):
        colour, dash, label = styles[predicate]
        axes.plot(epsilons, [users(predicate, p) for p in plans], dash, color=colour, label=label, linewidth=2)
    axes.axvline(plan.epsilon, color="#666666", linewidth=1, linestyle=":")
    axes.set(xscale="log", yscale="log", xlabel="ε", ylabel="users t", xlim=(epsilons[0], epsilons[-1]))
    axes.set_title(
        f"Users needed: d = {plan.d}, r = {plan.r}, k = {plan.k}, δ = {plan.delta:g}, τ = {plan.tolerance:g}, L = {plan.rounds}"
    )
    axes.grid(True, which="major", alpha=0.3)
    axes.legend(frameon=True)
    return save_figure(figure, path, dpi=150)
