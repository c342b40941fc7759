"""A family of problems: what makes a theorem about them checkable against a program.

A family says how its instances are described, drawn, restricted to fewer rows and judged, what can be wrong with an
answer, and how all of it is packed into plain arrays. Everything above (sweeps, verdicts, plans, the command line)
speaks this protocol only. A family is any object with these members; it is registered in the entry-point group
``lrs.families``, or named as ``module:attribute``.
"""

from __future__ import annotations

from typing import Any, TypeVar

from lrs.core.admission import check_family
from lrs.core.criterion import TOLERANCE, Criterion, Success
from lrs.core.parameter import REQUIRED, Parameter, Setting, Value
from lrs.core.protocol import Family, InParts, Instance, Scaled, Spec, Tunable, settings_of
from lrs.core.registry import Registry, import_attribute

#: The family that is meant when none is named.
LOW_RANK_SPARSE = "low-rank-sparse"

Answer = TypeVar("Answer")


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
    "Scaled",
    "Setting",
    "Spec",
    "Success",
    "Tunable",
    "Value",
    "check_family",
    "family_of",
    "load_family",
    "reference",
    "settings_of",
]
