"""Whether an object keeps the protocol of a family: what breaks it is refused when it is met, with the member's name."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

import numpy as np

from lrs.core.criterion import Success
from lrs.core.errors import InvalidInput
from lrs.core.protocol import Family, settings_of


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
    names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    return next((n for n in names if n in dir(type(family)) and not n.startswith("_")), "example")
