"""Lines to compare a map with: the theorem's region, the counting limit, Donoho–Tanner, identifiability.

Each overlay is a margin over the parameters, ln(m / rows it asks for): positive where it holds. A line of a picture is
its zero contour, which works for any pair of numeric axes, ratios included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import sympy

from lrs.errors import InvalidInput
from phase_diagrams.grid import SweepSpec, target
from phase_diagrams.table import Trials
from theory import assumptions, limits

Parameters = Mapping[str, np.ndarray]


def _counting(p: Parameters) -> np.ndarray:
    return np.asarray(limits.counting_limit(d=p["d"], r=p["r"], k=p["k"], t=p["t"]))


def _donoho_tanner(p: Parameters) -> np.ndarray:
    return np.asarray(limits.donoho_tanner_rows(d=p["d"], r=p["r"], k=p["k"]))


def _identifiability(p: Parameters) -> np.ndarray:
    # m ≥ r + k + 1 per task for almost every b when the support is unknown, and t ≥ r tasks that span the subspace.
    return np.where(p["t"] >= p["r"], p["r"] + p["k"] + 1.0, np.inf)


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
}
NAMES = ("theorem", *_LIMITS)


def theorem_overlay(constants: Mapping[str, float] | None = None) -> Overlay:
    """The informal theorem's region, m t ≥ C_total k d r⁴ and m ≥ C_task max(k, r³).

    Parameters
    ----------
    constants : mapping, optional
        ``C_total`` and ``C_task``. The paper states neither; without them both are 1, the line shows the shape of the
        bound only, and its label says so.
    """
    given = dict(constants or {})
    unknown = sorted(set(given) - {"C_total", "C_task"})
    if unknown:
        raise InvalidInput(f"constants: the theorem has no constant {unknown[0]!r}; pass C_total and C_task")
    if given and set(given) != {"C_total", "C_task"}:
        raise InvalidInput("constants: pass both, C_total=…,C_task=…")
    values = {"C_total": 1.0, "C_task": 1.0} | given
    bad = [n for n, v in values.items() if not 0 < v < float("inf")]
    if bad:
        raise InvalidInput(f"constants: {bad[0]} must be a positive number, got {values[bad[0]]!r}")
    names = ["d", "k", "r", "t"]
    total, task = assumptions.total_samples.rhs, assumptions.task_samples.rhs
    symbols = {s.name: s for s in total.free_symbols | task.free_symbols | assumptions.total_samples.lhs.free_symbols}
    at = [(symbols[n], v) for n, v in values.items()]
    expression = sympy.Max(total.subs(at) / symbols["t"], task.subs(at))
    rows = sympy.lambdify([symbols[n] for n in names], expression, "numpy")
    source = (
        f"theorem with C_total = {values['C_total']:g}, C_task = {values['C_task']:g}"
        if given
        else "shape of the theorem (constants 1, not calibrated)"
    )
    return Overlay("theorem", source, lambda p: rows(*(p[n] for n in names)), "#0072B2", "-")


def overlays(names: Sequence[str], constants: Mapping[str, float] | None = None) -> tuple[Overlay, ...]:
    """The overlays of these names, in this order.

    Raises
    ------
    InvalidInput
        On an unknown name.
    """
    for name in names:
        if name not in NAMES:
            raise InvalidInput(f"overlay: {name!r} is not known; choose from {', '.join(NAMES)}")
    return tuple(theorem_overlay(constants) if n == "theorem" else _LIMITS[n] for n in dict.fromkeys(names))


def parameters_at(spec: SweepSpec, coordinates: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """t, m, d, r and k as real numbers where the axes have these (broadcasting, possibly fractional) values."""
    given = {**spec.fixed, **coordinates}
    done = {n: np.asarray(v, dtype=float) for n, v in given.items() if n in ("t", "m", "d", "r", "k")}
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


def violations(trials: Trials, constants: Mapping[str, float]) -> pd.DataFrame:
    """Trials inside the theorem's region that were not recovered: each one refutes the solver or the constants.

    Only noiseless cells count, for the informal theorem says nothing else.

    Returns
    -------
    pandas.DataFrame
        The rows of these trials with ``margin`` (ln of how far inside), deepest first.
    """
    frame = trials.possible
    frame = frame[(frame["noise"] == 0) & ~frame["success"]]
    p = {n: frame[n].to_numpy(float) for n in ("t", "m", "d", "r", "k")}
    frame = frame.assign(margin=margin(theorem_overlay(constants), p))
    return frame[frame["margin"] >= 0].sort_values("margin", ascending=False, kind="stable")
