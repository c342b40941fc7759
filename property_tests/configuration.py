"""What a trial is drawn from: the configuration, the streams of its data, and how deep it lies inside a region."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lrs.core import streams
from lrs.core.identity import canonical, joint_digest
from lrs.core.validate import hint
from lrs.errors import InvalidInput
from lrs.generate import InstanceSpec, generate
from lrs.problem import Instance
from theory.depth import Depth as Depth

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

#: Structured corners that an `InstanceSpec` cannot express: name → function of (instance, rng) to the changed instance.
#: Add with `structure`; the instance keeps its data law: y must again be X θ + noise.
STRUCTURES: dict[str, Callable[[Instance, np.random.Generator], Instance]] = {}


def structure(name: str) -> Callable[[Callable[[Instance, np.random.Generator], Instance]], Any]:
    """Register a structured corner under ``name`` (decorator)."""

    def add(change: Callable[[Instance, np.random.Generator], Instance]) -> Any:
        if name in STRUCTURES:
            raise InvalidInput(f"structure: {name!r} is registered twice")
        STRUCTURES[name] = change
        return change

    return add


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Everything about a trial except its random numbers. Hypothesis picks these, and never a data seed.

    Parameters
    ----------
    spec : InstanceSpec
        Sizes, noise and the departures from the plain model.
    rank, sparsity : int, optional
        What the solver is told when it differs from the truth (over-specified r or k).
    structure : str
        Name in `STRUCTURES` of a corner that the spec cannot express; "" for none.
    slack : float
        Logarithmic depth inside the region this configuration was built at: 0 on the shell, negative outside.
    violates : str
        The one assumption broken on purpose, "" for none.
    extras : tuple of (name, value)
        Whatever else the claim needs (a factor, a number of added columns, …); names sorted.
    """

    spec: InstanceSpec
    rank: int | None = None
    sparsity: int | None = None
    structure: str = ""
    slack: float = 0.0
    violates: str = ""
    extras: tuple[tuple[str, int | float | str], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "extras", tuple(sorted((str(n), v) for n, v in self.extras)))
        if self.structure and self.structure not in STRUCTURES:
            raise InvalidInput(
                f"structure: no structure {self.structure!r}; {hint(self.structure, sorted(STRUCTURES))}"
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
        values = {n: v for n, v in self.spec.to_dict().items() if v != _SPEC_DEFAULTS.get(n, _REQUIRED)}
        out: dict[str, Any] = {"spec": values}
        for name in ("rank", "sparsity", "structure", "slack", "violates"):
            value = getattr(self, name)
            if value != type(self).__dataclass_fields__[name].default:
                out[name] = value
        if self.extras:
            out["extras"] = dict(self.extras)
        return out

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Configuration:
        """Inverse of `to_dict`."""
        values = dict(values)
        try:
            spec = InstanceSpec.from_dict(values.pop("spec"))
            extras = tuple(values.pop("extras", {}).items())
            return cls(spec=spec, extras=extras, **values)
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
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise InvalidInput(f"configuration: not JSON ({error})") from None
        return cls.from_dict(values)

    @property
    def key(self) -> str:
        """Short name of the configuration: the first 16 hexadecimal digits of the SHA-256 of its text."""
        return joint_digest(self.text)[:16]

    def __str__(self) -> str:
        s = self.spec
        parts = [f"t={s.t} m={s.m} d={s.d} r={s.r} k={s.k}"]
        parts += [f"{n}={v}" for n, v in self.to_dict()["spec"].items() if n not in ("t", "m", "d", "r", "k")]
        parts += [f"{n}={v}" for n, v in self.to_dict().items() if n not in ("spec", "extras")]
        parts += [f"{n}={v}" for n, v in self.extras]
        return " ".join(parts)

    # ------------------------------------------------------------------ data
    def seed(self, phase: str, replicate: int, nonce: str | None = None) -> tuple[int]:
        """Key of the random streams of one trial: one-way in (phase, configuration, replicate), secret with the nonce."""
        return (streams.key("trial/data", phase, self.text, replicate, nonce=nonce),)

    def instance(self, phase: str, replicate: int, nonce: str | None = None) -> Instance:
        """The data of one trial; the same call gives the same data on any machine and in any order."""
        key = self.seed(phase, replicate, nonce)
        instance = generate(self.spec, key)
        if self.structure:
            instance = STRUCTURES[self.structure](instance, streams.generator("trial/structure", *key))
        if self.rank is not None or self.sparsity is not None:
            problem = instance.problem
            told = replace(
                problem,
                rank=problem.rank if self.rank is None else self.rank,
                sparsity=problem.sparsity if self.sparsity is None else self.sparsity,
            )
            instance = replace(instance, problem=told)
        return instance

    @property
    def size(self) -> tuple[int, ...]:
        """Smaller is the better witness: tasks and dimension first, then rows, rank, sparsity."""
        s = self.spec
        return (s.t * s.d, s.t * s.m, s.r, s.k, len(self.text))


_REQUIRED = object()
_SPEC_DEFAULTS = {
    n: f.default for n, f in InstanceSpec.__dataclass_fields__.items() if n not in ("t", "m", "d", "r", "k")
}


class Region(Protocol):
    """Where the solver under test is held to its claims, and where problems come from.

    Two optional attributes: ``label``, whose region it is (for reports), and ``growth``, by how much claims about growth
    multiply the number of tasks. Evidence is about a region: its name and repr enter the hash, so the repr must show the
    constants and no address. `property_tests.strategies.SampleRegion` is the one that this toolkit uses.
    """

    @property
    def name(self) -> str: ...

    def depth(self, configuration: Configuration) -> Depth:
        """Margins of the assumptions; ≥ 0 inside."""
        ...

    @property
    def draw(self) -> Callable[..., SearchStrategy[Configuration]]:
        """``draw(**options)``: configurations inside, on the shell or just outside.

        Options as of `property_tests.strategies.SampleRegion.draw`.
        """
        ...


def check_region(region: Any) -> Region:
    """The region itself, when it is one.

    Raises
    ------
    InvalidInput
        When it has no name or a method of `Region` is missing.
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
                "property_tests.strategies.REGIONS"
            )
    found: Region = region
    return found


@dataclass(frozen=True)
class Everywhere:
    """The region without a boundary: for claims that no assumption limits and that draw their problems themselves."""

    name: str = "everywhere"

    def depth(self, configuration: Configuration) -> Depth:
        return Depth(math.inf)

    def draw(self, **options: Any) -> SearchStrategy[Configuration]:
        raise InvalidInput(f"region: {self.name!r} has no boundary and cannot draw; pass a region that can")
