"""The theorems, one file each, found by name."""

from lrs.core.registry import Registry, instance_of
from theory.theorems.base import Report, Theorem, Unevaluated

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


__all__ = ["THEOREMS", "Report", "Theorem", "Unevaluated", "available_theorems", "load_theorem"]
