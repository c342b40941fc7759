"""What other packages can add: solvers, theorems, claims, families and verbs, found by entry point.

A package adds one by a line in its ``pyproject.toml``, for example::

    [project.entry-points."lrs.solvers"]
    theirs = "their_package.solver:Theirs"

The groups are ``lrs.solvers``, ``lrs.families``, ``lrs.theorems``, ``lrs.claims``, ``lrs.commands`` and ``lrs.adapters``
(what makes solvers of other libraries' objects). Nothing is imported before it is asked for.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from lrs.core.errors import InvalidInput

#: The distribution this package is in; what it registers comes first.
DISTRIBUTION = "lrs-toolkit"

T = TypeVar("T")


@lru_cache(maxsize=16)
def _installed(group: str, _path: tuple[str, ...]) -> tuple[Any, ...]:
    """Entry points of all packages on the path: their metadata cost as much as a small problem, so they are read once.

    Those of this distribution come first, then by name.
    """
    return tuple(
        sorted(entry_points(group=group), key=lambda p: (distribution(p) != DISTRIBUTION, p.name, distribution(p)))
    )


def distribution(point: Any) -> str:  # Any: the importlib_metadata backport, once imported, has a class of its own
    """Name of the package that registers this, or what it points to where that is not known."""
    return point.dist.name if point.dist is not None else point.value


class Registry(Generic[T]):
    """The objects of one entry-point group, by name.

    Parameters
    ----------
    group : str
        Of the entry points, such as ``"lrs.solvers"``.
    noun : str
        What one of them is, for messages: ``"solver"``.
    accept : callable
        ``accept(value, where) -> T`` makes the object from what the entry point loads, or raises `InvalidInput` when it
        is of the wrong kind; ``where`` names entry point and package.
    advice : str
        What else can be done about an unknown name, for the end of the message.

    Examples
    --------
    >>> from lrs.core.solver import SOLVERS
    >>> SOLVERS.known["amht"]
    'lrs.amht:AMHT'
    """

    def __init__(self, group: str, noun: str, accept: Callable[[Any, str], T], advice: str = "") -> None:
        self.group, self.noun, self.advice = group, noun, advice
        self._accept = accept

    @property
    def points(self) -> tuple[Any, ...]:
        """The entry points: those of this distribution first, then by name."""
        return _installed(self.group, tuple(sys.path))

    @property
    def known(self) -> Mapping[str, str]:
        """Names and the object each points to, as ``module:attribute``; nothing is imported."""
        out: dict[str, str] = {}
        for point in self.points:
            out.setdefault(point.name, point.value)
        return MappingProxyType(out)

    def __iter__(self) -> Iterator[str]:
        return iter(self.known)

    def load(self, name: str) -> T:
        """The object of this name.

        Raises
        ------
        InvalidInput
            When there is none of that name (the nearest is suggested), when two packages register it, when it does not
            import, or when it is of the wrong kind.
        """
        points = [point for point in self.points if point.name == name]
        if not points:
            raise InvalidInput(f"{self.noun}: no {self.noun} named {name!r}; {self._hint(name)}")
        if len(points) > 1:
            owners = " and ".join(sorted({f"{distribution(p)} ({p.value})" for p in points}))
            raise InvalidInput(
                f"{self.noun}: {name!r} is registered by {owners}; uninstall one of them, or rename its entry point "
                f"in the group {self.group}"
            )
        where = f"{name!r} ({points[0].value}, package {distribution(points[0])})"
        try:
            value = points[0].load()
        except Exception as error:
            raise InvalidInput(f"{self.noun}: {where} does not import ({type(error).__name__}: {error})") from error
        return self._accept(value, where)

    def _hint(self, name: str) -> str:
        known = self.known
        if not known:
            return f"none is registered at all: install {DISTRIBUTION} again, so that its entry points are read"
        from lrs.core.validate import hint  # and NumPy, which a list of verbs needs none of

        text = hint(name, known)
        return f"{text}{'' if text.endswith('?') or not self.advice else ';'} {self.advice}".rstrip()


def instance_of(kind: type[T], noun: str, expected: str) -> Callable[[Any, str], T]:
    """For `Registry`: takes objects of one class and says what was expected instead of others."""

    def accept(value: Any, where: str) -> T:
        if not isinstance(value, kind):
            raise InvalidInput(f"{noun}: {where} is a {type(value).__name__}, expected {expected}")
        return value

    return accept


def import_attribute(spec: str, noun: str) -> Any:
    """The object that ``module:attribute`` names; modules are looked up on the Python path and in the working directory."""
    module_name, _, attribute = spec.partition(":")
    if not module_name or not attribute:
        raise InvalidInput(f"{noun}: {spec!r} is not of the form module:attribute")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        value: Any = importlib.import_module(module_name)
    except Exception as error:
        raise InvalidInput(
            f"{noun}: module {module_name!r} does not import ({type(error).__name__}: {error})"
        ) from error
    for part in attribute.split("."):
        try:
            value = getattr(value, part)
        except AttributeError:
            raise InvalidInput(f"{noun}: module {module_name!r} has no attribute {attribute!r}") from None
    return value
