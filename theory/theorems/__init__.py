"""The theorems, one file each, found by name."""

from lrs.core.errors import InvalidInput
from lrs.core.family import Family
from lrs.core.registry import Registry, instance_of
from theory.language.theorem import Report, Theorem, Unevaluated

#: Theorems by name, from the entry-point group ``lrs.theorems``; each points to a `Theorem`.
THEOREMS: Registry[Theorem] = Registry(
    "lrs.theorems", "theorem", instance_of(Theorem, "theorem", "a theory.theorems.Theorem")
)


def available_theorems() -> tuple[str, ...]:
    """All names: those of this package first, then by name."""
    return tuple(THEOREMS.known)


def load_theorem(name: str) -> Theorem:
    """A theorem by name.

    Raises
    ------
    InvalidInput
        When there is none of that name; the nearest one is suggested.
    """
    return THEOREMS.load(name)


def theorem_of(family: Family, name: str | None = None) -> Theorem:
    """A theorem about a family by name; the family's first one without.

    Raises
    ------
    InvalidInput
        When there is none, or it is about another family.
    """
    if name is None:
        name = next(iter(family.theorems), None)
        if name is None:
            raise InvalidInput(f"theorem: none is registered for {family.title}")
    theorem = load_theorem(name)
    if theorem.family != family.name:
        raise InvalidInput(f"theorem: {name!r} is about the family {theorem.family}, and this is of {family.name}")
    return theorem


__all__ = ["THEOREMS", "Report", "Theorem", "Unevaluated", "available_theorems", "load_theorem", "theorem_of"]
