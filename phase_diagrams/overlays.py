"""Lines to compare a map with: the theorem's region, the counting limit, Donoho–Tanner, identifiability, private users.

Each overlay is a margin over the parameters, ln(m / rows it asks for): positive where it holds. A line of a picture is
its zero contour, which works for any pair of numeric axes, ratios included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from lrs.core.validate import real
from lrs.errors import InvalidInput
from lrs.generate import InstanceSpec
from phase_diagrams.grid import PRIVACY, SweepSpec, target
from phase_diagrams.table import Trials
from theory import calibration, limits
from theory.private_plan import PrivatePlan, plan_users
from theory.region import TheoremRegion
from theory.symbols import Constant
from theory.theorems import load_theorem

Parameters = Mapping[str, np.ndarray]
SIZES = ("t", "m", "d", "r", "k")


def _counting(p: Parameters) -> np.ndarray:
    return np.asarray(limits.counting_limit(d=p["d"], r=p["r"], k=p["k"], t=p["t"]))


def _donoho_tanner(p: Parameters) -> np.ndarray:
    # The rows depend on d and k by way of k/d but for rounding to an integer, which would draw the line as a staircase.
    fine = 1000
    return np.asarray(p["r"] + limits.donoho_tanner_rows(d=fine * p["d"], r=0, k=fine * p["k"]) / fine)


def _identifiability(p: Parameters) -> np.ndarray:
    # m ≥ r + k + 1 per task for almost every b when the support is unknown, and t ≥ r tasks that span the subspace.
    return np.where(p["t"] >= p["r"], p["r"] + p["k"] + 1.0, np.inf)


@lru_cache(maxsize=10_000)
def _users_needed(d: int, r: int, k: int, epsilon: float, delta: float) -> float:
    if epsilon <= 0 or not 0 < delta < 1:  # the margin of a picture, half a cell beyond the first target
        return float("inf")
    plan = PrivatePlan(d=d, r=r, k=k, epsilon=epsilon, delta=delta)
    return next(need.amount for need in plan_users(plan) if need.source == "users needed")


def _private(p: Parameters) -> np.ndarray:
    if any(name not in p for name in PRIVACY):
        raise InvalidInput("overlay: private needs a sweep with a target, epsilon and delta")
    sizes = [np.rint(p[n]).astype(int) for n in ("d", "r", "k")]
    points = zip(*(a.ravel().tolist() for a in (*sizes, *(p[n] for n in PRIVACY))), strict=True)
    users = np.array([_users_needed(*point) for point in points]).reshape(p["t"].shape)
    # Asked of the users, whatever m is: in rows per user this is m times the share of the users that is missing.
    return np.asarray(p["m"] * users / p["t"])


@dataclass(frozen=True)
class Overlay:
    """A yardstick: rows per task it asks for, and what a reader should know about it."""

    name: str
    label: str
    rows: Callable[[Parameters], np.ndarray]
    colour: str
    dashes: str


_LIMITS = {
    "counting": Overlay("counting", "counting limit: below it no solver can be right", _counting, "#000000", "--"),
    "donoho-tanner": Overlay("donoho-tanner", "Donoho–Tanner: ℓ₁ with U known", _donoho_tanner, "#D55E00", "-."),
    "identifiability": Overlay("identifiability", "identifiability: m = r + k + 1", _identifiability, "#CC79A7", ":"),
    "private": Overlay(
        "private", "users needed for a subspace error of 0.1, noise alone [D]", _private, "#D55E00", "-"
    ),
}
NAMES = ("theorem", *_LIMITS)


@dataclass(frozen=True)
class RegionConstants:
    """Constants of the theorem's region for one solver, and where they are from.

    Attributes
    ----------
    values : mapping or None
        ``C_total`` and ``C_task``; None when there are none for this solver.
    source : str
        In words: given, measured on the solver, or why there are none.
    """

    values: Mapping[str, float] | None
    source: str


def region_constants(solver: str, given: Mapping[str, float] | None = None) -> RegionConstants:
    """The constants given, else those frozen for this solver by ``lrs calibrate``, else none."""
    if given:
        return RegionConstants(given, "given")
    try:
        frozen = {n: c.value for n, c in calibration.calibrations(solver).items() if c.value is not None}
    except InvalidInput as error:
        return RegionConstants(None, str(error))
    if set(frozen) != {"C_total", "C_task"}:
        return RegionConstants(None, f"calibration of {solver!r} certified only {', '.join(frozen) or 'no constant'}")
    return RegionConstants(frozen, f"measured on {solver}")


def theorem_overlay(constants: Mapping[str, float] | None = None, source: str = "") -> Overlay:
    """The informal theorem's region, m t ≥ C_total k d r⁴ and m ≥ C_task max(k, r³).

    Parameters
    ----------
    constants : mapping, optional
        ``C_total`` and ``C_task``. The paper states neither; without them both are 1, the line shows the shape of the
        bound only, and its label says so.
    source : str
        Where the constants are from, for the label.
    """
    given = dict(constants or {})
    unknown = sorted(set(given) - {"C_total", "C_task"})
    if unknown:
        raise InvalidInput(f"constants: the theorem has no constant {unknown[0]!r}; pass C_total and C_task")
    if given and set(given) != {"C_total", "C_task"}:
        raise InvalidInput("constants: pass both, C_total=…,C_task=…")
    values = {"C_total": 1.0, "C_task": 1.0} | given
    for name, value in values.items():
        real(f"constants: {name}", value, above=0)
    constants_ = tuple(Constant(n, "larger-is-stronger", v, "cited", source or "given") for n, v in values.items())
    region = TheoremRegion(load_theorem("amht-informal"), constants_)
    title = (
        f"theorem with C_total = {values['C_total']:g}, C_task = {values['C_task']:g}"
        + (f" ({source})" if source else "")
        if given
        else "shape of the theorem (constants 1, not calibrated)"
    )
    return Overlay("theorem", title, lambda p: region.limit("m", p), "#0072B2", "-")


def overlays(
    names: Sequence[str], constants: Mapping[str, float] | None = None, source: str = ""
) -> tuple[Overlay, ...]:
    """The overlays of these names, in this order; constants and their source as in `theorem_overlay`.

    Raises
    ------
    InvalidInput
        On an unknown name.
    """
    for name in names:
        if name not in NAMES:
            raise InvalidInput(f"overlay: {name!r} is not known; choose from {', '.join(NAMES)}")
    return tuple(theorem_overlay(constants, source) if n == "theorem" else _LIMITS[n] for n in dict.fromkeys(names))


def parameters_at(spec: SweepSpec, coordinates: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """t, m, d, r and k, and a private target, as real numbers where the axes have these (broadcasting, possibly fractional) values."""
    given = {**spec.fixed, **coordinates}
    done = {n: np.asarray(v, dtype=float) for n, v in given.items() if n in (*SIZES, *PRIVACY)}
    ratios = [n for n in given if "/" in n]
    while ratios:  # a specification has no circle of ratios, so every pass resolves at least one
        for name in [n for n in ratios if n.partition("/")[2] in done]:
            done[target(name)] = np.asarray(given[name], dtype=float) * done[name.partition("/")[2]]
            ratios.remove(name)
    done = dict(zip(done, np.broadcast_arrays(*done.values()), strict=True))
    for name in ("r", "k"):
        done[name] = np.minimum(done[name], done["d"])
    return done


def margin(overlay: Overlay, parameters: Parameters) -> np.ndarray:
    """ln(m / rows asked for); +inf where nothing is asked for, −inf where no number of rows is enough."""
    with np.errstate(divide="ignore"):
        return np.log(parameters["m"]) - np.log(np.asarray(overlay.rows(parameters), dtype=float))


@dataclass(frozen=True)
class Promise:
    """What became of the trials inside the theorem's region.

    Attributes
    ----------
    inside : int
        Trials inside it.
    broken : pandas.DataFrame
        The rows of those that were not recovered with ``margin`` (ln of how far inside), deepest first.
    sources : mapping
        Solver → constants and where they are from.
    """

    inside: int
    broken: pd.DataFrame
    sources: Mapping[str, RegionConstants]

    @property
    def made(self) -> bool:
        """Whether there are constants for any solver; without them nothing is promised."""
        return any(c.values for c in self.sources.values())

    @property
    def sentence(self) -> str:
        """The count in words."""
        if not self.made:
            return "no constants of the theorem's region for these solvers, so no failure can be called a violation"
        if self.inside == 0:
            return "no trial of this sweep lies inside the theorem's region"
        text = f"{len(self.broken)} of {self.inside} trials inside the theorem's region were not recovered"
        measured = [name for name, c in self.sources.items() if c.values and c.source != "given"]
        if measured:
            text += f" (measured constants promise more than {calibration.DEFAULT_TEST.p1:.0%}, not all)"
        return text


def promise(
    trials: Trials, constants: Mapping[str, float] | None = None, solvers: Sequence[str] | None = None
) -> Promise:
    """Trials inside the theorem's region, and those of them that were not recovered.

    Only trials of the paper's own model count (no noise, coherent U, confined supports, …): of the others the informal
    theorem, and the constants measured on that model, say nothing.

    Parameters
    ----------
    trials : Trials
    constants : mapping, optional
        For every solver; default: those frozen for each.
    solvers : sequence of str, optional
        Default: all of the sweep.
    """
    sources = {name: region_constants(name, constants) for name in solvers or trials.spec.solvers}
    frame = trials.possible
    ordinary = np.ones(len(frame), dtype=bool)
    for extra in fields(InstanceSpec):
        if extra.default is not MISSING and extra.name in frame and extra.name not in SIZES:
            usual = frame[extra.name].isna() if extra.default is None else frame[extra.name] == extra.default
            ordinary &= usual.to_numpy(bool)
    frame = frame[ordinary]
    parts = []
    for name, found in sources.items():
        rows = frame[frame["solver"] == name] if found.values else frame.iloc[:0]
        p = {n: rows[n].to_numpy(float) for n in SIZES}
        parts.append(rows.assign(margin=margin(theorem_overlay(found.values), p)))
    inside = pd.concat(parts)
    inside = inside[inside["margin"] >= 0]
    broken = inside[~inside["success"]].sort_values("margin", ascending=False, kind="stable")
    return Promise(len(inside), broken, sources)
