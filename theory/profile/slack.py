"""Left over right of every link of a proof, along a run and along an axis of sizes.

A slack of 1 is a tight link, .01 loses a factor 100, above 1 the inequality is broken: for a link that stands on an assumption
of the theorem this says that the assumption fails, for any other that the proof or the program is wrong (up to its δ).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats

from lrs.core.errors import InvalidInput
from lrs.core.family import Family
from lrs.core.spelling import renamed
from lrs.core.validate import hint, integer, probability
from lrs.solver import Iterate, Solver, solve
from theory.language.chain import Chain, Link
from theory.theorems import Theorem

#: Sides below this share of the largest parameter are rounding, and are not compared.
ROUNDING = 1e-11
#: A link is kept up to this relative error of arithmetic.
ARITHMETIC = 1e-9
#: Confidence of the interval of an exponent.
CONFIDENCE = 0.95


@dataclass(frozen=True, eq=False)
class Measured:
    """One link along a run.

    Attributes
    ----------
    link : Link
    slack : (steps,) array
        Largest left/right over the tasks in every step; NaN where both sides are 0 or rounding, or are not shown.
    left, right : (steps,) arrays
        The two sides at that task.
    shown : bool
        Whether the run shows what the link is about.
    """

    link: Link
    slack: np.ndarray
    left: np.ndarray
    right: np.ndarray
    shown: bool

    @property
    def says_nothing(self) -> bool:
        """Whether the right side is infinite throughout."""
        return self.shown and bool(np.isinf(self.right).all())

    @property
    def kept(self) -> bool | None:
        """Whether left ≤ right in every step; None when it is not shown."""
        return bool((self.left <= self.right * (1 + ARITHMETIC)).all()) if self.shown else None

    @property
    def typical(self) -> float:
        """Median over the steps of the slack; NaN without any."""
        found = self.slack[np.isfinite(self.slack) & (self.slack > 0)]
        return float(np.median(found)) if len(found) else math.nan

    @property
    def worst(self) -> tuple[float, int]:
        """The largest slack and its step (1 is the first); NaN without any."""
        if np.isnan(self.slack).all() or self.says_nothing:
            return math.nan, 0
        at = int(np.nanargmax(self.slack))
        return float(self.slack[at]), at + 1

    @property
    def verdict(self) -> str:
        """KEPT, BROKEN (a fault of proof or program), ASSUMPTION FAILS, SAYS NOTHING or NOT SHOWN."""
        if not self.shown:
            return "NOT SHOWN"
        if self.says_nothing:
            return "SAYS NOTHING"
        if self.kept:
            return "KEPT"
        return "ASSUMPTION FAILS" if self.link.needs else "BROKEN"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what is not finite is None."""
        worst, at = self.worst
        return {
            "link": self.link.name,
            "part": self.link.part,
            "symbols": self.link.symbols,
            "status": self.link.status.value,
            "source": self.link.source,
            "needs": self.link.needs,
            "verdict": self.verdict,
            "slack": {"median": _plain(self.typical), "worst": _plain(worst), "worst_step": at},
            "steps": [_plain(s) for s in self.slack],
            "left": [_plain(s) for s in self.left],
            "right": [_plain(s) for s in self.right],
        }


@dataclass(frozen=True, eq=False)
class Profile:
    """The links of a theorem's proof along one run."""

    theorem: Theorem
    links: tuple[Measured, ...]
    steps: int

    @property
    def broken(self) -> tuple[Measured, ...]:
        """Links that should hold of every run and do not."""
        return tuple(found for found in self.links if found.verdict == "BROKEN")

    @property
    def loosest(self) -> Measured | None:
        """The kept link that loses most."""
        found = [x for x in self.links if x.verdict == "KEPT" and math.isfinite(x.typical)]
        return min(found, key=lambda x: x.typical, default=None)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        chain = chain_of(self.theorem)
        return {
            "theorem": self.theorem.name,
            "steps": self.steps,
            "links": [found.to_dict() for found in self.links],
            "missing": dict(chain.missing),
        }


def _plain(x: float) -> float | None:
    return float(x) if math.isfinite(x) else None


def chain_of(theorem: Theorem) -> Chain:
    """The links of a theorem's proof.

    Raises
    ------
    InvalidInput
        When it has none.
    """
    if theorem.chain is None:
        from theory.theorems import available_theorems, load_theorem

        known = [name for name in available_theorems() if load_theorem(name).chain is not None]
        raise InvalidInput(
            f"theorem: no chain of links is registered with {theorem.name!r}; there is one of {', '.join(known)}"
        )
    return theorem.chain


@renamed(delta="failure")
def profile(
    theorem: Theorem,
    instance: Any,
    *,
    rounds: int = 6,
    solver: Solver | None = None,
    failure: float = 0.05,
    seed: int = 0,
) -> Profile:
    """Run the program of a theorem on an instance and measure every link of the proof in every step.

    Parameters
    ----------
    theorem : Theorem
        With a chain.
    instance : Instance
        With its truth.
    rounds : int
        Outer steps.
    solver : callable, optional
        In place of the program that the chain is about; links about what it does not show are left open.
    failure : float
        Failure probability δ in the logarithms.
    seed : int
        Of the solver.

    Returns
    -------
    Profile
    """
    chain = chain_of(theorem)
    rounds, failure = integer("rounds", rounds, least=1), probability("failure", failure)
    problem, run = chain.program(instance, rounds, solver)
    trace: list[Iterate] = []
    solve(problem, run, seed=seed, callback=trace.append)
    if len(trace) < 2:
        raise InvalidInput("solver: shows no iterates to its callback, and a profile is made of them")
    steps = [chain.step(a, b, instance, failure) for a, b in itertools.pairwise(trace)][:rounds]
    scale = float(np.abs(instance.truth.theta).max()) if hasattr(instance.truth, "theta") else 1.0
    return Profile(theorem, tuple(_measured(link, steps, ROUNDING * scale) for link in chain.links), len(steps))


def _measured(link: Link, steps: Sequence[Any], rounding: float) -> Measured:
    sides = np.full((3, len(steps)), math.nan)
    for at, step in enumerate(steps):
        left, right = link.left(step), link.right(step)
        if left is None or right is None:
            return Measured(link, sides[0], sides[1], sides[2], False)
        left, right = (np.atleast_1d(np.asarray(side, dtype=float)) for side in np.broadcast_arrays(left, right))
        compared = (left > rounding) | (right > rounding)
        with np.errstate(divide="ignore", invalid="ignore"):
            slack = np.where(compared, np.where(np.isinf(right), 0.0, left / right), -1.0)
        worst = int(np.argmax(np.nan_to_num(slack, nan=np.inf)))
        sides[:, at] = slack[worst] if slack[worst] >= 0 else math.nan, left[worst], right[worst]
        if not compared[worst]:
            sides[1:, at] = 0.0
    return Measured(link, sides[0], sides[1], sides[2], True)


# ---------------------------------------------------------------------------------------------- along an axis
@dataclass(frozen=True, eq=False)
class Growth:
    """How one link grows along an axis: slopes of ln(side) against ln(value), with their half widths.

    Attributes
    ----------
    link : Link
    slack : (values, replicates) array
        Median over the steps; NaN where it is not shown or says nothing.
    left, right, ratio : tuple of float
        Exponent and half width of its 95 % interval (NaN without two values, or without a degree of freedom).
    """

    link: Link
    slack: np.ndarray
    left: tuple[float, float]
    right: tuple[float, float]
    ratio: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        exponents = {
            name: {"exponent": _plain(e), "low": _plain(e - h), "high": _plain(e + h)}
            for name, (e, h) in (("left", self.left), ("right", self.right), ("slack", self.ratio))
        }
        return {
            "link": self.link.name,
            "part": self.link.part,
            **exponents,
            "slack_at": [[_plain(x) for x in row] for row in self.slack],
        }


@dataclass(frozen=True, eq=False)
class Scaling:
    """The links of a proof along one axis of sizes."""

    theorem: Theorem
    axis: str
    values: tuple[int, ...]
    links: tuple[Growth, ...]
    broken: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "theorem": self.theorem.name,
            "axis": self.axis,
            "values": list(self.values),
            "confidence": CONFIDENCE,
            "links": [found.to_dict() for found in self.links],
            "broken": list(self.broken),
            "missing": dict(chain_of(self.theorem).missing),
        }


def parse_axis(text: str, family: Family) -> tuple[str, tuple[int, ...]]:
    """``r=1,2,4`` as ("r", (1, 2, 4)).

    Raises
    ------
    InvalidInput
        When it is not a size of the family with two or more different positive values.
    """
    name, equals, values = text.partition("=")
    sizes = [p.name for p in family.parameters.values() if p.size]
    if name not in sizes:
        raise InvalidInput(f"x: {name!r} is not a size; {hint(name, sizes)}")
    try:
        found = tuple(sorted({int(v) for v in values.split(",")}))
    except ValueError:
        found = ()
    if not equals or len(found) < 2 or found[0] < 1:
        raise InvalidInput(f"x: expected {name}= and two or more different positive integers (r=1,2,4), got {text!r}")
    return name, found


def scaling(
    theorem: Theorem,
    family: Family,
    spec: Any,
    axis: str,
    values: Sequence[int],
    *,
    replicates: int = 4,
    seed: int = 0,
    **options: Any,
) -> Scaling:
    """Profile freshly drawn instances of a spec along one of its sizes, and fit how every link grows.

    A replicate counts once for every value: its median over the steps. The exponent is the slope of a straight line through the
    logarithms; its interval (Student) takes deviations from the line as noise, so that a bent curve has a wide one.
    """
    replicates = integer("replicates", replicates, least=1)
    found: list[list[Profile]] = [
        [
            profile(theorem, family.draw(replace(spec, **{axis: value}), (seed, value, j)), seed=j, **options)
            for j in range(replicates)
        ]
        for value in values
    ]
    growths, broken = [], []
    for at, link in enumerate(chain_of(theorem).links):
        runs = [[p.links[at] for p in row] for row in found]
        slack = np.array([[_typical(x.slack) for x in row] for row in runs])
        left, right = (
            np.array([[_typical(getattr(x, side)) for x in row] for row in runs]) for side in ("left", "right")
        )
        growths.append(Growth(link, slack, _slope(values, left), _slope(values, right), _slope(values, slack)))
        if any(x.verdict == "BROKEN" for row in runs for x in row):
            broken.append(link.name)
    return Scaling(theorem, axis, tuple(values), tuple(growths), tuple(broken))


def _typical(series: np.ndarray) -> float:
    found = series[np.isfinite(series) & (series > 0)]
    return float(np.median(found)) if len(found) else math.nan


def _slope(values: Sequence[int], side: np.ndarray) -> tuple[float, float]:
    x = np.repeat(np.log(np.asarray(values, dtype=float)), side.shape[1])
    y = np.log(side.ravel())
    x, y = x[np.isfinite(y)], y[np.isfinite(y)]
    if len(set(x.tolist())) < 2:
        return math.nan, math.nan
    fit = stats.linregress(x, y)
    if len(x) < 3:
        return float(fit.slope), math.nan
    return float(fit.slope), float(stats.t.ppf((1 + CONFIDENCE) / 2, len(x) - 2) * fit.stderr)
