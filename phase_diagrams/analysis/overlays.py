"""Lines to compare a map with: the theorem's region and the limits that the family knows.

Each overlay is a margin over the parameters, ln(m / rows it asks for): positive where it holds. A line of a picture is
its zero contour, which works for any pair of numeric axes, ratios included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lrs.core.errors import InvalidInput
from lrs.core.family import Family, load_family, settings_of
from lrs.core.registry import import_attribute
from lrs.core.validate import real
from phase_diagrams.analysis.table import Trials
from phase_diagrams.sweeps.grid import SweepSpec, nested, ratio_terms, target
from theory.families.low_rank_sparse import limits
from theory.language.symbols import Constant
from theory.region import TheoremRegion
from theory.statistics import calibration
from theory.theorems import load_theorem

Parameters = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Overlay:
    """A yardstick: rows it asks for (values of the nested parameter ``along``), and what a reader should know of it."""

    name: str
    label: str
    rows: Callable[[Parameters], np.ndarray]
    colour: str
    dashes: str
    along: str = "m"


THEOREM = "theorem"
#: Old spellings: the line they stood for was asymptotic, 3 to 7 % off at the sizes drawn.
FORMERLY = {"donoho-tanner": "l1-known-u"}
#: Colours and dashes of a family's limits, in its order.
_LINES = (("#000000", "--"), ("#D55E00", "-."), ("#CC79A7", ":"), ("#D55E00", "-"), ("#009E73", "-."))


def drawn(family: Family) -> Mapping[str, str]:
    """The lines that a map of the family may show besides the theorem's, by name."""
    return getattr(family, "overlays", family.limits)


def names(family: Family) -> tuple[str, ...]:
    """The overlays there are for a family: the theorem's region, where it is known, and its limits."""
    return ((THEOREM,) if mapped(family) else ()) + tuple(drawn(family))


def mapped(family: Family) -> str:
    """Name of the theorem whose region a map of the family may show; "" where there is none."""
    return getattr(family, "mapped", "")


def _limit(name: str, family: Family) -> Overlay:
    rows = import_attribute(drawn(family)[name], "limit")
    colour, dashes = _LINES[list(drawn(family)).index(name) % len(_LINES)]
    label = (rows.__doc__ or name).partition("\n")[0].rstrip(".")
    along = next(iter(nested(family)), "m")
    return Overlay(name, label, lambda p: np.asarray(limits.at(rows, p), dtype=float), colour, dashes, along)


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


def _constants(family: Family) -> tuple[str, ...]:
    return tuple(c.name for c in load_theorem(mapped(family)).constants if c.status == "free")


def region_constants(
    solver: str, given: Mapping[str, float] | None = None, family: Family | None = None
) -> RegionConstants:
    """The constants given, else those frozen for this solver by ``lrs calibrate``, else none."""
    if given:
        return RegionConstants(given, "given")
    try:
        frozen = {
            n: c.value for n, c in calibration.calibrations(solver).items() if c.certified and c.value is not None
        }
    except InvalidInput as error:
        return RegionConstants(None, str(error))
    if set(frozen) != set(_constants(family or load_family())):
        return RegionConstants(None, f"calibration of {solver!r} certified {', '.join(frozen) or 'no constant'}")
    return RegionConstants(frozen, f"measured on {solver}")


def theorem_overlay(
    constants: Mapping[str, float] | None = None, source: str = "", family: Family | None = None
) -> Overlay:
    """The region of the family's theorem; of low rank + sparse the informal one's, m t ≥ C_total k d r⁴ and m ≥ C_task max(k, r³).

    Parameters
    ----------
    constants : mapping, optional
        Of the theorem. The paper states none; without them all are 1, the line shows the shape of the bound only, and its
        label says so.
    source : str
        Where the constants are from, for the label.
    family : Family, optional
        Default: low rank + sparse.
    """
    family = family or load_family()
    known, given = _constants(family), dict(constants or {})
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise InvalidInput(f"constants: the theorem has no constant {unknown[0]!r}; pass {' and '.join(known)}")
    if given and set(given) != set(known):
        raise InvalidInput(f"constants: pass both, {','.join(f'{n}=…' for n in known)}")
    values = dict.fromkeys(known, 1.0) | given
    for name, value in values.items():
        real(f"constants: {name}", value, above=0)
    constants_ = tuple(Constant(n, "larger-is-stronger", v, "cited", source or "given") for n, v in values.items())
    region = TheoremRegion(load_theorem(mapped(family)), constants_)
    title = (
        f"theorem with {', '.join(f'{n} = {v:g}' for n, v in values.items())}" + (f" ({source})" if source else "")
        if given
        else "shape of the theorem (constants 1, not calibrated)"
    )
    along = next(iter(nested(family)), "m")
    return Overlay(THEOREM, title, lambda p: region.limit(along, p), "#0072B2", "-", along)


def overlays(
    chosen: Sequence[str],
    constants: Mapping[str, float] | None = None,
    source: str = "",
    family: Family | None = None,
) -> tuple[Overlay, ...]:
    """The overlays of these names, in this order; constants and their source as in `theorem_overlay`.

    Raises
    ------
    InvalidInput
        On an unknown name.
    """
    family = family or load_family()
    chosen = [FORMERLY.get(n, n) if n not in names(family) else n for n in chosen]
    for name in chosen:
        if name not in names(family):
            raise InvalidInput(f"overlay: {name!r} is not known; choose from {', '.join(names(family)) or 'none'}")
    return tuple(
        theorem_overlay(constants, source, family) if n == THEOREM else _limit(n, family) for n in dict.fromkeys(chosen)
    )


def parameters_at(spec: SweepSpec, coordinates: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Sizes and settings as real numbers where the axes have these (broadcasting, possibly fractional) values."""
    known = (*ratio_terms(spec.of_family), *settings_of(spec.of_family))
    given = {**spec.fixed, **coordinates}
    done = {n: np.asarray(v, dtype=float) for n, v in given.items() if n in known and v is not None}
    ratios = [n for n in given if "/" in n]
    while ratios:  # a specification has no circle of ratios, so every pass resolves at least one
        for name in [n for n in ratios if n.partition("/")[2] in done]:
            done[target(name)] = np.asarray(given[name], dtype=float) * done[name.partition("/")[2]]
            ratios.remove(name)
    return dict(zip(done, np.broadcast_arrays(*done.values()), strict=True))


def margin(overlay: Overlay, parameters: Parameters) -> np.ndarray:
    """ln(m / rows asked for); +inf where nothing is asked for, −inf where no number of rows is enough."""
    with np.errstate(divide="ignore"):
        return np.log(parameters[overlay.along]) - np.log(np.asarray(overlay.rows(parameters), dtype=float))


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
    family, frame = trials.spec.of_family, trials.possible
    if THEOREM in names(family):
        sources = {name: region_constants(name, constants, family) for name in solvers or trials.spec.solvers}
    else:
        none = RegionConstants(None, f"no region of a theorem is known for {family.title}")
        return Promise(0, frame.iloc[:0], dict.fromkeys(solvers or trials.spec.solvers, none))
    ordinary = np.ones(len(frame), dtype=bool)
    for extra in family.parameters.values():
        if not extra.required and extra.name in frame:
            usual = frame[extra.name].isna() if extra.default is None else frame[extra.name] == extra.default
            ordinary &= usual.to_numpy(bool)
    frame = frame[ordinary]
    parts = []
    for name, found in sources.items():
        rows = frame[frame["solver"] == name] if found.values else frame.iloc[:0]
        p = {n: rows[n].to_numpy(float) for n, size in family.parameters.items() if size.size and size.required}
        parts.append(rows.assign(margin=margin(theorem_overlay(found.values, family=family), p)))
    inside = pd.concat(parts)
    inside = inside[inside["margin"] >= 0]
    broken = inside[~inside["success"]].sort_values("margin", ascending=False, kind="stable")
    return Promise(len(inside), broken, sources)
