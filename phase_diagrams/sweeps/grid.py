"""What a sweep is: its axes, its fixed parameters and the cells they span.

An axis is any parameter of the sweep's family (``m``, ``k``, ``noise``, ``x_law``, …), a ratio ``a/b`` of two sizes,
``m/d = 0.5`` sets m to the nearest integer of 0.5·d, or a setting of its solvers, such as ``epsilon``. Ranges are written
``start:stop:step``, stop included when a step lands on it.
"""

from __future__ import annotations

import itertools
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lrs.core import streams
from lrs.core.errors import InvalidInput
from lrs.core.family import LOW_RANK_SPARSE, Family, Parameter, Success, Value, load_family, settings_of
from lrs.core.files import parse_json, readable
from lrs.core.identity import canonical, digest
from lrs.core.solver import SOLVERS, Traits, traits_of
from lrs.core.validate import hint, integer, real

LARGEST_GRID = 1_000_000
#: Most trials a line of an adaptive sweep may use unless told otherwise.
ADAPTIVE_REPLICATES = 1000


# ---------------------------------------------------------------------------------------------- names and values
def ratio_terms(family: Family) -> tuple[str, ...]:
    """Sizes a ratio axis may be made of."""
    return tuple(name for name, p in family.parameters.items() if p.size)


def nested(family: Family) -> tuple[str, ...]:
    """Parameters at smaller values of which the data are a part of those at larger ones."""
    return tuple(name for name, p in family.parameters.items() if p.nested)


def check_name(name: str, role: str, family: Family) -> str:
    """The name of a parameter, a setting or a ratio of two sizes, or a refusal with the nearest known one."""
    known = {**family.parameters, **settings_of(family)}
    if name in known:
        return name
    numerator, slash, denominator = name.partition("/")
    if slash:
        terms = ratio_terms(family)
        for term in (numerator, denominator):
            if term not in terms:
                example = "m/d or k/m" if {"m", "d", "k"} <= set(terms) else "/".join(terms[:2])
                raise InvalidInput(
                    f"{role}: {name!r} is not a ratio of two of {', '.join(terms)}; for instance {example}"
                )
        if numerator == denominator:
            raise InvalidInput(f"{role}: {name!r} is always 1; name two different sizes")
        return name
    near = hint(name, known, f"known are {', '.join(family.parameters)}", cutoff=0.5)
    of = "" if family.name == LOW_RANK_SPARSE else f" in the family {family.name}"
    raise InvalidInput(f"{role}: no parameter named {name!r}{of}; {near} (ratios such as m/d are allowed too)")


def _parameter(name: str, family: Family) -> Parameter | None:
    """What is known of a name; None of a ratio."""
    return family.parameters.get(name) or settings_of(family).get(name)


def _kind(name: str, family: Family) -> type:
    parameter = _parameter(name, family)
    return float if parameter is None else parameter.kind


def target(name: str) -> str:
    """The parameter an axis sets: ``m`` for both ``m`` and ``m/d``."""
    return name.partition("/")[0]


def parse_value(name: str, text: str, role: str, family: Family) -> Value:
    """One value of a parameter, as typed on the command line."""
    text = text.strip()
    if _kind(name, family) is str:
        return text
    if text.lower() in ("none", "null"):
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise InvalidInput(f"{role}: {name}={text!r} is not a number") from None
    return _number(name, number, role, family)


def _number(name: str, number: Decimal, role: str, family: Family) -> int | float:
    if not number.is_finite():
        raise InvalidInput(f"{role}: {name}={number} is not finite")
    if _kind(name, family) is int:
        if number != number.to_integral_value():
            raise InvalidInput(f"{role}: {name} takes whole numbers, got {number}; ratios such as m/d take fractions")
        if abs(number) > 10**15:
            raise InvalidInput(f"{role}: {name} = {number} is larger than any size that can be drawn")
        return int(number)
    if math.isinf(float(number)):
        raise InvalidInput(f"{role}: {name} = {number} is beyond the largest number")
    return float(number)


def parse_values(name: str, text: str, role: str, family: Family) -> tuple[Value, ...]:
    """Values of an axis: ``a,b,c``, ``start:stop``, ``start:stop:step`` or, geometric, ``start:stop:*factor``."""
    if ":" not in text:
        return tuple(parse_value(name, part, role, family) for part in text.split(","))
    parts = text.split(":")
    if len(parts) not in (2, 3) or _kind(name, family) is str:
        raise InvalidInput(f"{role}: {name}={text!r} is not start:stop:step, start:stop or a list a,b,c")
    geometric = len(parts) == 3 and parts[2].strip().startswith("*")
    try:
        start, stop = Decimal(parts[0].strip()), Decimal(parts[1].strip())
        step = Decimal(parts[2].strip().lstrip("*")) if len(parts) == 3 else Decimal(1)
    except InvalidOperation:
        raise InvalidInput(f"{role}: {name}={text!r} holds something that is not a number") from None
    if not (start.is_finite() and stop.is_finite() and step.is_finite()):
        raise InvalidInput(f"{role}: {name}={text!r} holds something that is not finite")
    if geometric:
        if start <= 0 or stop < start or step <= 1:
            raise InvalidInput(
                f"{role}: {name}={text!r}: a geometric range needs 0 < start ≤ stop and a factor above 1"
            )
        count = int(math.log(stop / start) / math.log(step) + 1e-9) + 1
        values = [start * step**i for i in range(min(count, LARGEST_GRID + 1))]
        if _kind(name, family) is int:
            values = [v.to_integral_value() for v in values]
    else:
        if step == 0:
            raise InvalidInput(f"{role}: {name}={text!r} has step 0")
        count = int((stop - start) / step) + 1 if (stop - start) / step >= 0 else 0
        if count < 1:
            raise InvalidInput(f"{role}: {name}={text!r} is empty; the stop lies on the wrong side of the start")
        values = [start + step * i for i in range(min(count, LARGEST_GRID + 1))]
    if count > LARGEST_GRID:
        raise InvalidInput(f"{role}: {name}={text!r} has {count} values; take a larger step")
    return tuple(dict.fromkeys(_number(name, v, role, family) for v in values))


def coerce(name: str, value: Any, role: str, family: Family) -> Value:
    """A value given from Python, as the command line would have read it: sizes as int, other numbers as float."""
    word = _kind(name, family) is str
    if value is None or (isinstance(value, str) and word):
        return value
    if isinstance(value, str | bool) or not isinstance(value, int | float | np.number):
        raise InvalidInput(f"{role}: {name} takes {'a word' if word else 'a number'}, got {value!r}")
    if word:
        raise InvalidInput(f"{role}: {name} takes a word, got {value!r}")
    return _number(name, Decimal(repr(float(value))), role, family)


@dataclass(frozen=True)
class Axis:
    """One axis: a name and the values it takes, in order. A sweep reads them as its family does."""

    name: str
    values: tuple[Value, ...]

    @classmethod
    def parse(cls, text: str, role: str = "axis", family: Family | None = None) -> Axis:
        """From ``name=values``; of low rank + sparse where no family is named."""
        family = family or load_family()
        name, equals, values = text.partition("=")
        if not equals or not values.strip():
            raise InvalidInput(f"{role}: expected name=values such as m=10:80:5, got {text!r}")
        name = check_name(name.strip(), role, family)
        return cls(name, parse_values(name, values.strip(), role, family))

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(self.values))
        if not self.values:
            raise InvalidInput(f"axis: {self.name} has no values")
        if len(set(self.values)) < len(self.values):
            twice = next(v for i, v in enumerate(self.values) if v in self.values[:i])
            raise InvalidInput(f"axis: {self.name} holds the value {twice} more than once")

    @property
    def numeric(self) -> bool:
        """Whether the values are numbers, so that a threshold along the axis has a meaning."""
        return all(isinstance(v, int | float) for v in self.values)


def parse_fixed(text: str | Iterable[str], family: Family | None = None) -> dict[str, Value]:
    """Fixed parameters from ``d=40,r=2`` (once or several times)."""
    family = family or load_family()
    fixed: dict[str, Value] = {}
    for part in ",".join([text] if isinstance(text, str) else text).split(","):
        if not part.strip():
            continue
        name, equals, value = part.partition("=")
        name = check_name(name.strip(), "fixed", family)
        if not equals or not value.strip():
            raise InvalidInput(f"fixed: expected name=value, got {part!r}")
        if name in fixed:
            raise InvalidInput(f"fixed: {name} is given twice")
        fixed[name] = parse_value(name, value, "fixed", family)
    return fixed


# ---------------------------------------------------------------------------------------------------- the sweep
@dataclass(frozen=True)
class Sampling:
    """Which trials of the grid are run.

    Parameters
    ----------
    nested : str, optional
        Name of the axis (of nested data: m or m/·) along which every replicate is bisected for its own threshold.
    precision : float, optional
        Stop a line of the grid when the interval of its 50 % threshold along the x axis is at most ± this (in units of
        the axis).
    confidence : float
        Level of that interval.
    exploration : float
        Share of every adaptive round that is spread uniformly, whatever the model believes.
    audit : float
        Share of the bisected replicates that are also tried at one level below and one above their threshold, chosen
        at random, so that a non-monotone replicate is found and not assumed away.
    """

    nested: str | None = None
    precision: float | None = None
    confidence: float = 0.95
    exploration: float = 0.1
    audit: float = 0.1

    def __post_init__(self) -> None:
        if self.precision is not None:
            real("precision", self.precision, above=0, what="a half-width in units of the x axis")
        for name, low in (("confidence", 0.5), ("exploration", 0.0), ("audit", 0.0)):
            real(name, getattr(self, name), least=low, below=1)

    @property
    def kind(self) -> str:
        """``uniform``, ``nested``, ``adaptive`` or ``nested adaptive``."""
        words = ("nested",) * (self.nested is not None) + ("adaptive",) * (self.precision is not None)
        return " ".join(words) or "uniform"


@dataclass(frozen=True)
class Cell:
    """One combination of axis values.

    Attributes
    ----------
    index : int
        Position in the grid, the last axis fastest.
    coordinates : mapping
        Axis name → value.
    parameters : mapping
        Every parameter of the instance, ratios resolved.
    spec
        Of the family (an `InstanceSpec`); None when no such instance exists.
    reason : str
        Why it does not exist; empty when it does.
    settings : mapping
        Of the solvers that take them (``epsilon`` and ``delta``); empty in a sweep without any.
    """

    index: int
    coordinates: Mapping[str, Value]
    parameters: Mapping[str, Value]
    spec: Any = field(repr=False)
    reason: str = ""
    settings: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class SweepSpec:
    """A whole sweep as a value.

    Parameters
    ----------
    axes : sequence of Axis
        The first is x, the second y; more may follow.
    fixed : mapping
        Parameters that stay; those without a default must each come from an axis or from here.
    solvers : sequence of str
        Registered names or ``module:attribute``.
    replicates : int
        Trials per cell and solver; with adaptive sampling the most that may be spent on a line of the x axis.
    seed : int
    success : Success
        What counts as recovered; default: what the family means by it.
    sampling : Sampling
    trace : bool
        Record the error after every outer step and fit its geometric rate (costs one error evaluation per step).
    family : str
        Name or ``module:attribute`` of the family of the instances.
    nonce : str, optional
        Secret that keys the data besides the seed, 32 hexadecimal digits: without it, whoever knows the seed and the code
        can draw the data again, the solver too.
    streams : int
        Version of the random streams (`lrs.core.streams`); only a sweep read from an older folder has another than
        today's.

    Raises
    ------
    InvalidInput
        On unknown names (with a suggestion), conflicting or missing parameters, and empty or oversized grids.
    """

    axes: tuple[Axis, ...]
    fixed: Mapping[str, Value] = field(default_factory=dict)
    solvers: tuple[str, ...] = ("amht",)
    replicates: int = 10
    seed: int = 0
    success: Success = field(default_factory=Success)
    sampling: Sampling = field(default_factory=Sampling)
    trace: bool = False
    family: str = LOW_RANK_SPARSE
    nonce: str | None = None
    streams: int = streams.VERSION

    def __post_init__(self) -> None:
        family = self.of_family
        axes = [
            Axis(check_name(a.name, "axis", family), tuple(coerce(a.name, v, "axis", family) for v in a.values))
            for a in self.axes
        ]
        object.__setattr__(self, "axes", tuple(axes))
        object.__setattr__(self, "solvers", tuple(self.solvers))
        object.__setattr__(self, "success", self.success.of(family))
        object.__setattr__(
            self,
            "fixed",
            {check_name(n, "fixed", family): coerce(n, v, "fixed", family) for n, v in self.fixed.items()},
        )
        if not self.axes:
            raise InvalidInput("axes: none given; pass at least one, for instance --x m=14:40:4 --y k=1:6")
        names = [a.name for a in self.axes]
        for name, low in (("replicates", 1), ("seed", 0)):
            integer(name, getattr(self, name), least=low)
        if self.nonce is not None:
            object.__setattr__(self, "nonce", streams.check_nonce(self.nonce))
        if not self.solvers:
            raise InvalidInput("solvers: none given; pass at least one")
        if len(set(self.solvers)) < len(self.solvers):
            raise InvalidInput(f"solvers: {', '.join(self.solvers)} names one of them twice")
        owners: dict[str, str] = {}
        for setting in settings_of(family).values():
            together = [n for n, s in settings_of(family).items() if s.trait == setting.trait and s.required]
            asked = setting.name in (*names, *self.fixed)
            for absent in [n for n in together if asked and n not in (*names, *self.fixed)]:
                both = " and ".join(f"{n}=…" for n in together)
                raise InvalidInput(
                    f"{absent}: missing; a {setting.trait} {setting.words} is both, {both}, as an axis or as --fixed"
                )
        for name in (*names, *self.fixed):
            other = owners.get(target(name))
            if other == name:
                raise InvalidInput(f"axes: {name!r} is given twice, as an axis and again; keep one of the two")
            if other is not None:
                raise InvalidInput(f"axes: {name!r} and {other!r} both set {target(name)}; keep one of the two")
            owners[target(name)] = name
        required = [name for name, p in family.parameters.items() if p.required]
        missing = [name for name in required if name not in owners]
        if missing:
            every = " and ".join(filter(None, [", ".join(required[:-1]), required[-1]]))
            raise InvalidInput(
                f"fixed: {', '.join(missing)} missing; every sweep needs {every}, as an axis or as --fixed "
                + ",".join(f"{n}=…" for n in missing)
            )
        for name in owners.values():
            denominator = name.partition("/")[2]
            if denominator and denominator not in owners:
                raise InvalidInput(f"axes: {name!r} needs {denominator}, which is not given; fix it or make it an axis")
        self._ratio_order  # noqa: B018  # a circle of ratios is refused here, not in the middle of a sweep
        if math.prod(len(a.values) for a in self.axes) > LARGEST_GRID:
            raise InvalidInput(f"axes: more than {LARGEST_GRID:,} cells; take larger steps")
        along = self.sampling.nested
        if along is not None and target(check_name(along, "nested", family)) not in nested(family):
            can = " and ".join(nested(family)) or "no parameter of this family"
            raise InvalidInput(
                f"nested: only {can} (or a ratio of it, such as m/d) has nested data, where fewer are a part of more; "
                f"got {along!r}"
            )
        if along is not None and along not in names:
            raise InvalidInput(f"nested: {self.sampling.nested!r} is not an axis of this sweep ({', '.join(names)})")
        if along is not None and (moved := self.moves_with(target(along))):
            raise InvalidInput(
                f"nested: {', '.join(moved)} changes with {target(along)}, so that fewer rows are not a prefix of the same data; "
                "give it as a number, not as a ratio, or leave --nested out"
            )
        if self.sampling.kind != "uniform":
            axis = self.threshold_axis
            if not axis.numeric or len(axis.values) < 3 or list(axis.values) != sorted(axis.values):  # type: ignore[type-var]
                raise InvalidInput(
                    f"axes: {self.sampling.kind} sampling needs at least 3 increasing numbers on the axis {axis.name}"
                )

    # ------------------------------------------------------------------------------------------------ the family
    @cached_property
    def of_family(self) -> Family:
        """The family itself."""
        return load_family(self.family)

    @property
    def recovered(self) -> str:
        """What a recovered trial is, in words."""
        return self.success.sentence(self.of_family)

    def judged_by(self) -> dict[str, Any]:
        """Family, criterion and tolerance, for results."""
        return {
            "family": self.of_family.name,
            "criterion": self.success.criterion,
            "tolerance": self.success.tolerance,
            "recovered": self.recovered,
        }

    def eases(self, name: str) -> bool:
        """Whether recovery becomes easier along an axis: with more rows, tasks or budget."""
        parameter = _parameter(target(name), self.of_family)
        return parameter is not None and parameter.eases

    # ------------------------------------------------------------------------------------------------ geometry
    @property
    def x(self) -> Axis:
        """The first axis."""
        return self.axes[0]

    @property
    def y(self) -> Axis | None:
        """The second axis, if there is one."""
        return self.axes[1] if len(self.axes) > 1 else None

    @property
    def threshold_axis(self) -> Axis:
        """The axis along which nested and adaptive sampling look for the boundary: the nested one, else x."""
        if self.sampling.nested is None:
            return self.x
        return next(a for a in self.axes if a.name == self.sampling.nested)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values per axis."""
        return tuple(len(a.values) for a in self.axes)

    @cached_property
    def _ratio_order(self) -> tuple[str, ...]:
        """Ratios in an order in which every denominator is known before it is used."""
        names = [*(a.name for a in self.axes), *self.fixed]
        known = {n for n in names if "/" not in n}
        waiting, order = [n for n in names if "/" in n], []
        while waiting:
            ready = [n for n in waiting if n.partition("/")[2] in known]
            if not ready:
                raise InvalidInput(f"axes: {' and '.join(waiting)} define each other in a circle; give one size itself")
            order += ready
            known |= {target(n) for n in ready}
            waiting = [n for n in waiting if n not in ready]
        return tuple(order)

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """All cells, the last axis fastest."""
        combinations = itertools.product(*(a.values for a in self.axes))
        return tuple(self._cell(i, values) for i, values in enumerate(combinations))

    def moves_with(self, size: str) -> tuple[str, ...]:
        """Ratios whose value depends on a size, but for those that set it."""
        moved = {size}
        for name in self._ratio_order:
            if name.partition("/")[2] in moved:
                moved.add(target(name))
        return tuple(n for n in self._ratio_order if n.partition("/")[2] in moved and target(n) != size)

    @cached_property
    def lines(self) -> tuple[tuple[int, ...], ...]:
        """Cells along the threshold axis, one tuple of cell indices for every combination of the other axes."""
        position = self.axes.index(self.threshold_axis)
        grid = np.moveaxis(np.arange(math.prod(self.shape)).reshape(self.shape), position, -1)
        return tuple(tuple(int(c) for c in line) for line in grid.reshape(-1, self.shape[position]))

    @cached_property
    def line_of(self) -> tuple[int, ...]:
        """For every cell the index of its line."""
        owner = [0] * len(self.cells)
        for i, line in enumerate(self.lines):
            for cell in line:
                owner[cell] = i
        return tuple(owner)

    def _cell(self, index: int, values: tuple[Value, ...]) -> Cell:
        coordinates = dict(zip((a.name for a in self.axes), values, strict=True))
        given: dict[str, Any] = {**self.fixed, **coordinates}
        for name in self._ratio_order:
            numerator, _, denominator = name.partition("/")
            given[numerator] = math.floor(given.pop(name) * given[denominator] + 0.5)
        family, known = self.of_family, settings_of(self.of_family)
        settings = {name: given.pop(name) for name in known if name in given}
        try:
            spec = family.spec(**given)
            for name, value in settings.items():
                known[name].check(name, value)
        except InvalidInput as error:
            defaults = {name: p.default for name, p in family.parameters.items() if not p.required}
            return Cell(index, coordinates, {**defaults, **given}, None, str(error))
        return Cell(index, coordinates, spec.to_dict(), spec, settings=settings)

    def find_cell(self, text: str) -> Cell:
        """A cell by its index, or by coordinates such as ``m=20,k=3``."""
        text = text.strip()
        if text.lstrip("-").isdigit():
            index = int(text)
            if not 0 <= index < len(self.cells):
                raise InvalidInput(f"cell: {index} is outside 0 … {len(self.cells) - 1}")
            return self.cells[index]
        wanted = parse_fixed(text, self.of_family)
        names = [a.name for a in self.axes]
        if sorted(wanted) != sorted(names):
            raise InvalidInput(f"cell: give its index or a value for each axis ({', '.join(names)}), got {text!r}")
        for axis in self.axes:
            if wanted[axis.name] not in axis.values:
                raise InvalidInput(
                    f"cell: {axis.name}={wanted[axis.name]} is not on the grid; the values are "
                    f"{', '.join(map(str, axis.values))}"
                )
        index = 0
        for axis in self.axes:
            index = index * len(axis.values) + axis.values.index(wanted[axis.name])
        return self.cells[index]

    # ------------------------------------------------------------------------------------------------ identity
    def to_dict(self) -> dict[str, Any]:
        """Plain values, as ``sweep.json`` stores them."""
        # Without what the first version did not know, a sweep of its streams keeps its hash.
        data: dict[str, Any] = {"streams": self.streams, "nonce": self.nonce} if self.streams > 1 else {}
        if self.family != LOW_RANK_SPARSE:
            data["family"] = self.family
        return {
            "axes": [{"name": a.name, "values": list(a.values)} for a in self.axes],
            "fixed": dict(self.fixed),
            "solvers": list(self.solvers),
            "replicates": self.replicates,
            "seed": self.seed,
            "success": {"criterion": self.success.criterion, "tolerance": self.success.tolerance},
            "sampling": {f.name: getattr(self.sampling, f.name) for f in fields(Sampling)},
            "trace": self.trace,
            **data,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SweepSpec:
        """Inverse of `to_dict`."""
        values = dict(values)
        values["axes"] = tuple(Axis(a["name"], tuple(a["values"])) for a in values["axes"])
        values["success"] = Success(**values["success"])
        values["sampling"] = Sampling(**values["sampling"])
        return cls(**{"streams": 1, **values})

    def canonical(self) -> str:
        """Canonical text of the whole sweep."""
        return canonical(self.to_dict())

    def hash(self) -> str:
        """SHA-256 of the canonical text."""
        return digest(self.canonical())

    def check_streams(self) -> None:
        """Refuse to draw the data of a sweep that was made with other random streams."""
        remedy = "start a new folder; what is recorded in the old one can still be read, exported and drawn"
        streams.refuse_old("sweep", self.streams, remedy)

    def check_settings(self, traits: Mapping[str, Traits]) -> None:
        """Refuse a solver that lacks a setting, and a setting that no solver takes or no solver could have; by the traits of
        every solver."""
        given = {**{a.name: a.values for a in self.axes}, **{n: (v,) for n, v in self.fixed.items()}}
        together = ",".join(f"{n}=…" for n, s in settings_of(self.of_family).items() if s.required)
        for name, setting in settings_of(self.of_family).items():
            takers = [solver for solver in self.solvers if getattr(traits[solver], setting.trait)]
            if setting.required and takers and name not in given:
                raise InvalidInput(
                    f"{name}: the solver {takers[0]!r} needs a {setting.words}, as axes or as --fixed {together}"
                )
            if name in given and not takers:
                raise InvalidInput(
                    f"{name}: none of the solvers {', '.join(self.solvers)} takes a {setting.words}{_advice(self.family, setting.trait)}"
                )
            for value in given.get(name, ()):
                if value is not None:
                    setting.check(name, value)


def _advice(family: str, trait: str) -> str:
    """Which of the registered solvers have a trait."""
    known = []
    for name in SOLVERS:
        try:
            solver = SOLVERS.load(name)
            if getattr(solver, "family", LOW_RANK_SPARSE) == family and getattr(traits_of(solver, family), trait):
                known.append(name)
        except InvalidInput:  # not installed in full, or of another family
            continue
    return f"; pass --solver {' or '.join(known)}" if known else ""


def differences(old: SweepSpec, new: SweepSpec) -> list[str]:
    """What differs between two sweeps, by name: ``axis m: was 10,20,30, now 10,20``."""
    a, b = _flat(old.to_dict()), _flat(new.to_dict())
    return [
        f"{name}: was {a.get(name, 'absent')}, now {b.get(name, 'absent')}"
        for name in [*a, *(n for n in b if n not in a)]
        if a.get(name) != b.get(name)
    ]


def _flat(values: Mapping[str, Any]) -> dict[str, str]:
    flat = {f"axis {a['name']}": ",".join(map(str, a["values"])) for a in values["axes"]}
    flat["order of the axes"] = ", ".join(a["name"] for a in values["axes"])
    for group in ("fixed", "success", "sampling"):
        flat |= {f"{group} {name}" if group != "sampling" else name: str(v) for name, v in values[group].items()}
    flat["solvers"] = ", ".join(values["solvers"])
    last = ("replicates", "seed", "trace", "nonce", "streams")
    flat["family"] = values.get("family", LOW_RANK_SPARSE)
    return flat | {name: str(values[name]) for name in last if name in values}


# ------------------------------------------------------------------------------------------------- specification files
_FILE_KEYS = (
    *("family", "x", "y", "axes", "fixed", "solvers", "replicates", "seed", "success", "tolerance"),
    *("nested", "precision", "confidence", "exploration", "audit", "trace", "nonce"),
)


def read_specification(path: str | Path) -> dict[str, Any]:
    """The settings in a TOML or JSON file, in the form `build` takes."""
    path = Path(path)
    try:
        text = readable(path, "spec: ").read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"spec: {path} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"spec: {path} is not a text file") from None
    try:
        values = parse_json(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(
            f"spec: {path} is not valid {'JSON' if path.suffix == '.json' else 'TOML'}: {error}"
        ) from None
    if not isinstance(values, dict):
        raise InvalidInput(f"spec: {path} holds a {type(values).__name__}, expected a table of settings")
    for name in values:
        if name not in _FILE_KEYS:
            raise InvalidInput(f"spec: {path} holds an unknown setting {name!r}; {hint(name, _FILE_KEYS)}")
    return values


#: What a setting may be, or each of a list of them.
_KINDS: tuple[tuple[str, Any, str], ...] = (
    ("family", (str, Family), "the name of a family"),
    ("axes", (str, Mapping), "a list of axes, name=values or {name = [values]}"),
    ("fixed", (str, Mapping), "name=value or a table of them"),
    ("solvers", str, "names of solvers"),
    ("trace", bool, "true or false"),
)


def build(settings: Mapping[str, Any]) -> SweepSpec:
    """A sweep from settings as a file or the command line gives them.

    ``x``, ``y`` and the list ``axes`` hold ``name=values`` texts (or ``{name = [values]}`` tables); ``fixed`` a text
    ``d=40,r=2`` or a table; the others the fields of `SweepSpec`, `Success` and `Sampling`.
    """
    named = settings.get("family") or LOW_RANK_SPARSE
    for name, kinds, expected in _KINDS:
        value = settings.get(name)
        each = value if isinstance(value, list | tuple) else [value]
        if value is not None and not all(isinstance(one, kinds) for one in each):
            raise InvalidInput(f"{name}: expected {expected}, got {value!r:.100}")
    family = load_family(named)
    texts = [(role, settings[role]) for role in ("x", "y") if settings.get(role)]
    texts += [("axis", text) for text in settings.get("axes") or ()]
    axes = [_axis(value, role, family) for role, value in texts]
    fixed = settings.get("fixed") or {}
    if isinstance(fixed, Mapping):
        fixed = {n: _plain(n, v, family) for n, v in fixed.items()}
    else:
        fixed = parse_fixed(fixed, family)
    solvers = settings.get("solvers") or ("amht",)
    optional = {n: settings[n] for n in ("replicates", "seed", "trace", "nonce") if settings.get(n) is not None}
    sampling = {f.name: settings[f.name] for f in fields(Sampling) if settings.get(f.name) is not None}
    if sampling.get("precision") is not None:
        optional.setdefault("replicates", ADAPTIVE_REPLICATES)
    success = {
        field_name: settings[n]
        for n, field_name in (("success", "criterion"), ("tolerance", "tolerance"))
        if settings.get(n) is not None
    }
    return SweepSpec(
        axes=tuple(axes),
        fixed=fixed,
        solvers=(solvers,) if isinstance(solvers, str) else tuple(solvers),
        success=Success(**success),
        sampling=Sampling(**sampling),
        family=named,
        **optional,
    )


def _axis(value: str | Mapping[str, Sequence[Any]], role: str, family: Family) -> Axis:
    if isinstance(value, str):
        return Axis.parse(value, role, family)
    if not isinstance(value, Mapping) or len(value) != 1:
        raise InvalidInput(f"{role}: expected one axis, name=values or {{name = [values]}}, got {value!r}")
    ((name, values),) = value.items()
    if isinstance(values, str):
        return Axis.parse(f"{name}={values}", role, family)
    if not isinstance(values, list | tuple):
        raise InvalidInput(f"{role}: {name} needs a list of values, got {values!r}")
    name = check_name(name, role, family)
    return Axis(name, tuple(_plain(name, v, family) for v in values))


def _plain(name: str, value: Any, family: Family) -> Value:
    name = check_name(name, "fixed", family)
    return (parse_value if isinstance(value, str) else coerce)(name, value, "fixed", family)
