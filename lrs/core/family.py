"""A family of problems: what makes a theorem about them checkable against a program.

A family says how its instances are described, drawn, restricted to fewer rows and judged, what can be wrong with an
answer, and how all of it is packed into plain arrays. Everything above (sweeps, verdicts, plans, the command line)
speaks this protocol only. A family is any object with these members; it is registered in the entry-point group
``lrs.families``, or named as ``module:attribute``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from lrs.core.errors import InvalidInput
from lrs.core.registry import Registry, import_attribute
from lrs.core.validate import real

#: The family that is meant when none is named.
LOW_RANK_SPARSE = "low-rank-sparse"
#: Largest error that counts as recovered unless told otherwise.
TOLERANCE = 1e-6

Answer = TypeVar("Answer")
Value = int | float | str | None


class _Required:
    def __repr__(self) -> str:
        return "required"


#: Default of a parameter that has none.
REQUIRED: Any = _Required()


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of a specification, with all that is said of it anywhere.

    Parameters
    ----------
    name : str
        Key in a specification and name of an axis: ``m``.
    meaning : str
        One sentence, for help texts.
    options : tuple of str
        Spellings on the command line, ``("-m", "--rows")``; default: ``--`` and the name with hyphens.
    words : str
        What an axis is labelled with, ``rows per task``.
    kind : {int, float, str}
    default
        `REQUIRED` where there is none; None where it is left to the draw.
    choices : tuple of str
        Of a word.
    eases : bool
        Whether recovery becomes easier along it.
    nested : bool
        Whether the data at a smaller value are part of the data at a larger one (`Family.restrict`).
    size : bool
        Whether it is a size, which ratios such as m/d may be made of.
    """

    name: str
    meaning: str
    options: tuple[str, ...] = ()
    words: str = ""
    kind: type = int
    default: Any = REQUIRED
    choices: tuple[str, ...] = ()
    eases: bool = False
    nested: bool = False
    size: bool = False

    def __post_init__(self) -> None:
        if not self.options:
            object.__setattr__(self, "options", (f"--{self.name.replace('_', '-')}",))
        if not self.words:
            object.__setattr__(self, "words", self.name)

    @property
    def required(self) -> bool:
        return self.default is REQUIRED


@dataclass(frozen=True, kw_only=True)
class Setting(Parameter):
    """A parameter of solvers and not of the data: the target of a private one, where an iteration starts.

    Every value of it is tried on the same data. One without a default is given to every solver that takes it.

    Parameters
    ----------
    trait : str
        Of the solvers that take it.
    check : callable
        ``check(name, value)`` raises `InvalidInput` where a value is out of range.
    """

    trait: str
    check: Callable[[str, Any], Any]


@dataclass(frozen=True)
class Criterion:
    """What “recovered” may mean.

    Parameters
    ----------
    name : str
    meaning : str
        One sentence; ``{tolerance}`` and ``{share}`` stand for the numbers.
    met : callable
        ``met(errors, tolerance, share) -> bool`` of the errors that `Family.errors` gives.
    shared : bool
        Whether it is told a share: such a criterion is chosen by a number f in (0, 1] instead of its name.
    """

    name: str
    meaning: str
    met: Callable[[Mapping[str, float], float, float], bool]
    shared: bool = False


class Spec(Protocol):
    """What an instance is drawn from: a frozen, hashable value."""

    def to_dict(self) -> dict[str, Any]:
        """Every parameter, as JSON stores it."""

    @property
    def size(self) -> tuple[int, ...]:
        """Smaller is the better counterexample."""


@runtime_checkable
class Instance(Protocol):
    """A problem together with its truth; only a checker holds one."""

    @property
    def problem(self) -> Any: ...
    @property
    def truth(self) -> Any: ...


@runtime_checkable
class Family(Protocol):
    """What a family says of itself.

    Attributes
    ----------
    name, title : str
        Its identity (kebab-case) and what people call it.
    note : str
        A sentence about its parameters for help texts, or nothing.
    version : int
        Of what `pack` gives; `unpack` reads every older one.
    parameters : mapping of str to Parameter
        Of a specification, in the order in which they are listed.
    errors_of : mapping of str to str
        Names of the errors `errors` gives and what each is, in words; the first is the one that a trace follows. The
        columns of a journal.
    criteria : mapping of str to Criterion
        The first is the default.
    traits : mapping of str to (str, bool)
        What a solver may say of itself: the word, its meaning and its default.
    example : mapping
        A small specification, of which the registration draws.
    theorems : mapping of str to str
        Name under which it is registered → one phrase; the first is the one that is meant when none is named.
    limits : mapping of str to str
        Name → ``module:attribute`` of a function of quantities, by keyword: how much of the nested parameter is needed.
    overlays : mapping of str to str, optional
        The same for lines that a recovery map may show; default: ``limits``.
    regions : str, optional
        ``module:attribute`` of the region where its solvers are held to their claims, or of a function
        ``(solver, theorem) -> region``; without it `lrs verify` has nowhere to draw problems.
    tried : str, optional
        ``module:attribute`` of a function ``(region, *, inside) -> strategy``: the configurations, inside the region or of
        any kind, that claims about every family are tried on; without it they are what the region draws.
    claims : sequence of str, optional
        Modules that register claims about it, besides those of the entry-point group ``lrs.claims``.
    """

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def note(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def parameters(self) -> Mapping[str, Parameter]: ...
    @property
    def errors_of(self) -> Mapping[str, str]: ...
    @property
    def criteria(self) -> Mapping[str, Criterion]: ...
    @property
    def traits(self) -> Mapping[str, tuple[str, bool]]: ...
    @property
    def example(self) -> Mapping[str, Value]: ...
    @property
    def theorems(self) -> Mapping[str, str]: ...
    @property
    def limits(self) -> Mapping[str, str]: ...

    def spec(self, **values: Any) -> Any:
        """A specification; raises `InvalidInput` where no such instance exists."""

    def draw(self, spec: Any, key: Sequence[int]) -> Any:
        """The instance of a specification and the key of its random streams."""

    def restrict(self, instance: Any, name: str, value: int) -> Any:
        """The same instance at a smaller value of a nested parameter."""

    def errors(self, answer: Any, instance: Any, *, tolerance: float = TOLERANCE) -> Mapping[str, float]:
        """Every error of ``errors_of``."""

    def quantities(self, subject: Any) -> Mapping[str, float]:
        """Values of the symbols of the theory, of a specification, a problem or an instance."""

    def audit(self, problem: Any, answer: Any) -> Mapping[str, str]:
        """What is wrong with an answer, whatever the truth: name of a `lrs.core.run.Fault` → detail."""

    def pack(self, value: Any) -> dict[str, Any]:
        """A problem, an answer or an instance as plain values: arrays, numbers, words, None, and lists and mappings of these."""

    def unpack(self, packed: Mapping[str, Any]) -> Any:
        """Inverse of `pack`, on arrays of its own."""

    def cost(self, spec: Any) -> float:
        """What a pass over the data costs, up to a factor."""


@runtime_checkable
class Tunable(Protocol):
    """What a family has besides when its solvers have parameters that a study may set."""

    @property
    def settings(self) -> Mapping[str, Setting]: ...

    def configure(self, solver: Any, spec: Any, rng: np.random.Generator, **values: Value) -> Any:
        """The solver with these settings for problems of a specification; as it is when it takes none."""


@runtime_checkable
class InParts(Protocol):
    """What a family has besides when an answer has parts that can be wrong one by one."""

    @property
    def parts(self) -> Mapping[str, str]:
        """Name of a part → its letter in a picture."""

    def wrong_part(self, errors: Mapping[str, float]) -> str:
        """The part that a failure with these errors is put down to."""


def settings_of(family: Family) -> Mapping[str, Setting]:
    """What a study may set of the family's solvers; mostly nothing."""
    return family.settings if isinstance(family, Tunable) else {}


# ---------------------------------------------------------------------------------------------- criteria, chosen
@dataclass(frozen=True)
class Success:
    """A criterion of a family with its numbers.

    Parameters
    ----------
    criterion : str or float, optional
        A name in the family's ``criteria``, or the share f in (0, 1] of the one that takes a share; default: the family's.
    tolerance : float
    """

    criterion: str | float = ""
    tolerance: float = TOLERANCE

    def of(self, family: Family) -> Success:
        """The same with the family's default filled in, or a refusal that names what the family knows.

        Raises
        ------
        InvalidInput
            When the family has no such criterion, or a number is out of range.
        """
        tolerance = real("tolerance", self.tolerance, above=0)
        names = [name for name, c in family.criteria.items() if not c.shared]
        chosen: str | float = self.criterion if self.criterion != "" else names[0]
        if isinstance(chosen, str) and chosen not in names:
            try:
                chosen = float(chosen)
            except ValueError:
                shared = " or a fraction such as 0.99" if len(names) < len(family.criteria) else ""
                raise InvalidInput(f"success: {chosen!r} is none of {', '.join(names)}{shared}") from None
        if not isinstance(chosen, str):
            if len(names) == len(family.criteria):
                raise InvalidInput(f"success: {family.title} knows no fraction; pass one of {', '.join(names)}")
            if not 0 < chosen <= 1:
                raise InvalidInput(f"success: a fraction lies in (0, 1], got {chosen:g}")
            chosen = float(chosen)
        return Success(chosen, tolerance)

    def _criterion(self, family: Family) -> Criterion:
        if isinstance(self.criterion, str):
            return family.criteria[self.criterion]
        return next(c for c in family.criteria.values() if c.shared)

    def met(self, family: Family, errors: Mapping[str, float]) -> bool:
        """Whether these errors count as recovered."""
        share = 1.0 if isinstance(self.criterion, str) else self.criterion
        return bool(self._criterion(family).met(errors, self.tolerance, share))

    def sentence(self, family: Family) -> str:
        """What “recovered” means, in words."""
        share = 1.0 if isinstance(self.criterion, str) else self.criterion
        return self._criterion(family).meaning.format(tolerance=f"{self.tolerance:g}", share=f"{share:g}")


# ---------------------------------------------------------------------------------------------- refused at registration
def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Mapping):
        return isinstance(b, Mapping) and a.keys() == b.keys() and all(_same(a[n], b[n]) for n in a)
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        a, b = np.asarray(a), np.asarray(b)
        return bool(a.shape == b.shape and a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"))
    if isinstance(a, list | tuple):
        return isinstance(b, list | tuple) and len(a) == len(b) and all(map(_same, a, b))
    return bool(a == b or (a != a and b != b))


def check_family(family: Any) -> Family:
    """The family itself when it keeps the protocol.

    Raises
    ------
    InvalidInput
        Naming the member that is missing or broken, and what to do.
    """
    name = getattr(family, "name", type(family).__name__)

    def refuse(member: str, why: str) -> InvalidInput:
        return InvalidInput(f"family: {name!r} is refused: {member}: {why}")

    if isinstance(family, type):
        raise refuse("name", "a class was registered, not an object of it; register Family() instead")
    members = [member for member in vars(Family) if not member.startswith("_")]
    missing = [member for member in members if not hasattr(family, member)]
    if missing:
        rest = f", as are {', '.join(missing[1:])}" if missing[1:] else ""
        raise refuse(missing[0], f"missing{rest}")
    if not family.criteria or all(c.shared for c in family.criteria.values()):
        raise refuse("criteria", "none that needs no share; say what “recovered” means")
    for group in ("parameters", "criteria", "settings"):
        for key, value in getattr(family, group, {}).items():
            if value.name != key:
                raise refuse(group, f"{key!r} is called {value.name!r} inside")
    if hasattr(family, "settings") != hasattr(family, "configure"):
        raise refuse("settings", "settings and configure go together")
    for setting in settings_of(family).values():
        if setting.trait not in family.traits or setting.name in family.parameters:
            raise refuse("settings", f"{setting.name!r}: its trait is not declared, or a parameter has its name")
    if not isinstance(family.version, int) or family.version < 1:
        raise refuse("version", f"expected a positive integer, got {family.version!r}")
    unknown = [n for n in family.example if n not in family.parameters]
    absent = [n for n, p in family.parameters.items() if p.required and n not in family.example]
    if unknown or absent:
        raise refuse("example", f"{', '.join(unknown + absent)}: {'not a parameter' if unknown else 'missing'}")
    try:
        spec = family.spec(**family.example)
        undeclared = [n for n in spec.to_dict() if n not in family.parameters]
        if undeclared:
            raise refuse("spec", f"has {', '.join(undeclared)}, which parameters does not declare")
        if family.spec(**spec.to_dict()) != spec:
            raise refuse("spec", "spec(**spec.to_dict()) is not the same specification")
        first, second = (family.draw(spec, (0, 1, 2)) for _ in range(2))
        if not isinstance(getattr(first.problem, "family", None), str):
            raise refuse(
                "draw", f"its problem has no attribute family = {family.name!r}, by which verbs know whose it is"
            )
        packed = family.pack(first.problem)
        if not _same(packed, family.pack(second.problem)) or not _same(
            family.pack(first.truth), family.pack(second.truth)
        ):
            raise refuse("draw", "the same key gives other data the second time; draw from the key alone")
        for what, value in (("problem", first.problem), ("truth", first.truth), ("whole instance", first)):
            if not _same(family.pack(value), family.pack(family.unpack(family.pack(value)))):
                raise refuse("unpack", f"pack → unpack → pack changes a {what}")
        errors = family.errors(first.truth, first)
        if list(errors) != list(family.errors_of):
            raise refuse("errors", f"gives {', '.join(errors)}, but errors_of declares {', '.join(family.errors_of)}")
        if not Success().of(family).met(family, errors):
            raise refuse("criteria", f"the truth itself is not recovered: {Success().of(family).sentence(family)}")
        for parameter in family.parameters.values():
            if parameter.nested and (spec.to_dict()[parameter.name] or 0) > 1:
                less = spec.to_dict()[parameter.name] - 1
                fewer = family.draw(family.spec(**{**spec.to_dict(), parameter.name: less}), (0, 1, 2))
                if not _same(
                    family.pack(family.restrict(first, parameter.name, less).problem), family.pack(fewer.problem)
                ):
                    raise refuse(
                        "restrict", f"data at {parameter.name} − 1 are not a part of the data at {parameter.name}"
                    )
        family.quantities(spec)
        family.audit(first.problem, first.truth)
        if not family.cost(spec) > 0:
            raise refuse("cost", f"expected a positive number, got {family.cost(spec)!r}")
    except InvalidInput as error:
        if str(error).startswith("family: "):
            raise
        raise refuse(_member_of(error, family), f"refuses the family's own example: {error}") from None
    except Exception as error:
        member = _member_of(error, family)
        raise refuse(member, f"raised {type(error).__name__}: {error}") from error
    return family


def _member_of(error: BaseException, family: Any) -> str:
    """The member of the family that an exception came through."""
    import traceback

    names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    return next((n for n in names if n in dir(type(family)) and not n.startswith("_")), "example")


# ---------------------------------------------------------------------------------------------- finding one
def _checked(family: Any, where: str) -> Family:
    """The family; those of this project are checked by its tests instead of at every start."""
    return family if type(family).__module__.startswith("lrs.families.") else check_family(family)


FAMILIES: Registry[Family] = Registry(
    "lrs.families", "family", _checked, advice="your own is named as module:attribute"
)
_LOADED: dict[str, Family] = {}


def load_family(family: str | Family = LOW_RANK_SPARSE) -> Family:
    """A family from its name, from ``module:attribute``, or the family itself; checked when it is met first.

    Raises
    ------
    InvalidInput
        When there is none of this name, or it breaks the protocol.
    """
    if not isinstance(family, str):
        if _LOADED.get(family.name) is not family:
            _LOADED[family.name] = check_family(family)
        return family
    if family not in _LOADED:
        found = _checked(import_attribute(family, "family"), family) if ":" in family else FAMILIES.load(family)
        _LOADED[family] = found
        _LOADED.setdefault(found.name, found)
    return _LOADED[family]


def reference(family: Family) -> str:
    """What `load_family` finds the family by in another process: the name or text it was loaded from."""
    return next((spec for spec, found in _LOADED.items() if found is family), family.name)


def family_of(value: Any) -> Family:
    """The family of a problem, an instance or an answer, by its attribute ``family``; low rank + sparse without one."""
    return load_family(getattr(value, "family", LOW_RANK_SPARSE))


__all__ = [
    "LOW_RANK_SPARSE",
    "REQUIRED",
    "TOLERANCE",
    "Answer",
    "Criterion",
    "Family",
    "InParts",
    "Instance",
    "Parameter",
    "Setting",
    "Spec",
    "Success",
    "Tunable",
    "check_family",
    "family_of",
    "load_family",
    "reference",
    "settings_of",
]
