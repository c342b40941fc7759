"""Solvers broken in exactly one way: what a suite must notice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Mutant:
    """A broken solver; a family names the mapping of its mutants in ``mutants``, and each is an attribute of that module.

    Attributes
    ----------
    solver : callable
    why : str
        What is broken.
    expected : tuple of str
        Claims of which at least one is meant to refute it.
    """

    solver: Any
    why: str
    expected: tuple[str, ...]
