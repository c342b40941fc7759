"""What a trial is drawn from: the configuration, the streams of its data, and how deep it lies inside a region."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lrs.core import streams
from lrs.core.errors import InvalidInput
from lrs.core.family import LOW_RANK_SPARSE, Family, family_of, load_family
from lrs.core.files import parse_json
from lrs.core.identity import canonical, joint_digest
from lrs.core.registry import import_attribute
from lrs.core.validate import hint
from theory.language.depth import Depth as Depth

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

#: Structured corners that a specification cannot express: family and name → function of (instance, rng) to the changed
#: instance. Add with `structure`; the instance keeps its data law (of low rank + sparse: y must again be X θ + noise).
STRUCTURES: dict[tuple[str, str], Callable[[Any, np.random.Generator], Any]] = {}


def structure(name: str, family: str = LOW_RANK_SPARSE) -> Callable[[Callable[[Any, np.random.Generator], Any]], Any]:
    """Register a structured corner of a family under ``name`` (decorator)."""

    def add(change: Callable[[Any, np.random.Generator], Any]) -> Any:
        if (family, name) in STRUCTURES:
            raise InvalidInput(f"structure: {name!r} is registered twice")
        STRUCTURES[family, name] = change
        return change

    return add


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Everything about a trial except its random numbers. Hypothesis picks these, and never a data seed.

    Parameters
    ----------
    spec
        A specification of the family: sizes, noise and the departures from the plain model.
    family : str
        Its name.
    told : mapping of str to value
        Attributes of the problem that are not those of the truth: an over-specified ``rank`` or ``sparsity``. What is
        None stays as it is. Kept as (name, value) pairs, names sorted.
    structure : str
        Name in `STRUCTURES` of a corner that the spec cannot express; "" for none.
    slack : float
        Logarithmic depth inside the region this configuration was built at: 0 on the shell, negative outside.
    violates : str
        The one assumption broken on purpose, "" for none.
    extras : tuple of (name, value)
        Whatever else the claim needs (a factor, a number of added columns, …); names sorted.
    """

    spec: Any
    family: str = LOW_RANK_SPARSE
    told: Any = ()
    structure: str = ""
    slack: float = 0.0
    violates: str = ""
    extras: tuple[tuple[str, int | float | str], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "extras", tuple(sorted((str(n), v) for n, v in self.extras)))
        told = tuple(sorted((str(n), v) for n, v in dict(self.told).items() if v is not None))
        object.__setattr__(self, "told", told)
        if self.structure and (self.family, self.structure) not in STRUCTURES:
            known = sorted(name for family, name in STRUCTURES if family == self.family)
            raise InvalidInput(
                f"structure: no structure {self.structure!r} of {self.family}; {hint(self.structure, known)}"
            )

    def __getitem__(self, name: str) -> Any:
        """A value of ``extras``."""
        return dict(self.extras)[name]

    def with_spec(self, **changes: Any) -> Configuration:
        """The same configuration with fields of ``spec`` replaced."""
        return replace(self, spec=replace(self.spec, **changes))

    # ------------------------------------------------------------------ text
    def to_dict(self) -> dict[str, Any]:
        """Plain values; defaults are left out so that a new field does not change old texts."""
        parameters = load_family(self.family).parameters
        out: dict[str, Any] = {"spec": {n: v for n, v in self.spec.to_dict().items() if v != parameters[n].default}}
        out |= self.told
        for name in ("family", "structure", "slack", "violates"):
            value = getattr(self, name)
            if value != type(self).__dataclass_fields__[name].default:
                out[name] = value
        if self.extras:
            out["extras"] = dict(self.extras)
        return out

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Configuration:
        """Inverse of `to_dict`."""
        try:
            own = {n: values[n] for n in ("family", "structure", "slack", "violates") if n in values}
            spec = load_family(values.get("family", LOW_RANK_SPARSE)).spec(**values["spec"])
            extras = tuple(values.get("extras", {}).items())
            told = {n: v for n, v in values.items() if n not in (*own, "spec", "extras")}
            return cls(spec=spec, told=told, extras=extras, **own)
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidInput(f"configuration: not a configuration ({error})") from None

    @cached_property
    def text(self) -> str:
        """Canonical text: JSON with sorted keys. Equal configurations have equal texts."""
        return canonical(self.to_dict(), ascii_only=False)

    @classmethod
    def parse(cls, text: str) -> Configuration:
        """Inverse of `text`."""
        try:
            values = parse_json(text)
        except ValueError as error:
            raise InvalidInput(f"configuration: not JSON ({error})") from None
        return cls.from_dict(values)

    @property
    def key(self) -> str:
        """Short name of the configuration: the first 16 hexadecimal digits of the SHA-256 of its text."""
        return joint_digest(self.text)[:16]

    def __str__(self) -> str:
        values = self.to_dict()
        named = {**values.pop("spec"), **values, **values.pop("extras", {})}
        return " ".join(f"{n}={v}" for n, v in named.items())

    # ------------------------------------------------------------------ data
    def seed(self, phase: str, replicate: int, nonce: str | None = None) -> tuple[int]:
        """Key of the random streams of one trial: one-way in (phase, configuration, replicate), secret with the nonce."""
        return (streams.key("trial/data", phase, self.text, replicate, nonce=nonce),)

    def instance(self, phase: str, replicate: int, nonce: str | None = None) -> Any:
        """The data of one trial; the same call gives the same data on any machine and in any order."""
        key = self.seed(phase, replicate, nonce)
        instance = load_family(self.family).draw(self.spec, key)
        if self.structure:
            change = STRUCTURES[self.family, self.structure]
            instance = change(instance, streams.generator("trial/structure", *key))
        if self.told:
            try:
                instance = replace(instance, problem=replace(instance.problem, **dict(self.told)))
            except TypeError as error:
                names = ", ".join(n for n, _ in self.told)
                raise InvalidInput(f"told: a problem of {self.family} cannot be told {names} ({error})") from None
        return instance

    @property
    def size(self) -> tuple[int, ...]:
        """Smaller is the better witness."""
        return (*self.spec.size, len(self.text))


class Region(Protocol):
    """Where the solver under test is held to its claims, and where problems come from.

    Optional attributes: ``family``, the name of the family (low rank + sparse without it), ``label``, whose region it is
    (for reports), and, of low rank + sparse, ``growth``, by how much claims about growth multiply the number of tasks.
    Evidence is about a region: its name and repr enter the hash, so the repr must show the constants and no address.
    `property_tests.families.low_rank_sparse.strategies.SampleRegion` is the one of low rank + sparse.
    """

    @property
    def name(self) -> str: ...

    def depth(self, configuration: Configuration) -> Depth:
        """Margins of the assumptions; ≥ 0 inside."""
        ...

    @property
    def draw(self) -> Callable[..., SearchStrategy[Configuration]]:
        """``draw(**options)``: configurations inside, on the shell or just outside.

        Without options, what claims about every family are tried on. Options are those that the claims about the family
        pass; of low rank + sparse as of `property_tests.families.low_rank_sparse.strategies.SampleRegion.draw`.
        """
        ...


def check_region(region: Any, family: Family | None = None) -> Region:
    """The region itself, when it is one (of this family).

    Raises
    ------
    InvalidInput
        When it has no name, a method of `Region` is missing, or it is of another family.
    """
    kind = type(region).__name__
    if not isinstance(getattr(region, "name", None), str):
        raise InvalidInput(
            f"region: a {kind} has no name; a region has a name, depth(configuration) and draw(**options)"
        )
    for method in ("depth", "draw"):
        if not callable(getattr(region, method, None)):
            raise InvalidInput(
                f"region: {region.name!r} ({kind}) has no method {method}; write it, or pass one of "
                "property_tests.families.low_rank_sparse.strategies.REGIONS"
            )
    own = getattr(region, "family", LOW_RANK_SPARSE)
    if family is not None and own != family.name:
        raise InvalidInput(f"region: {region.name!r} is of the family {own}, and this run is of {family.name}")
    found: Region = region
    return found


def region_of(solver: Any, theorem: str | None) -> Region:
    """Where a solver, or what a bench has loaded of it, is held to its claims: its family's door says (``regions``).

    Raises
    ------
    InvalidInput
        When the family has no region, or none for this solver or theorem.
    """
    family = family_of(solver)
    door = getattr(family, "regions", "")
    if not door:
        raise InvalidInput(
            f"family: {family.name!r} names no region to draw problems in; give it regions = 'module:attribute', or pass "
            "check_solver(region=…)"
        )
    found = import_attribute(door, "region")
    if not callable(getattr(found, "depth", None)):
        return check_region(found(solver, theorem), family)
    carried = getattr(solver, "region", None)
    if carried not in (None, found.name):
        raise InvalidInput(f"region: no region {carried!r} of {family.name}; known is {found.name}")
    return check_region(found, family)


@dataclass(frozen=True)
class Everywhere:
    """The region without a boundary: for claims that no assumption limits and that draw their problems themselves."""

    name: str = "everywhere"

    def depth(self, configuration: Configuration) -> Depth:
        return Depth(math.inf)

    def draw(self, **options: Any) -> SearchStrategy[Configuration]:
        raise InvalidInput(f"region: {self.name!r} has no boundary and cannot draw; pass a region that can")
