"""The theorems, one file each, found by name."""

from __future__ import annotations

import difflib
from importlib import import_module

from lrs.errors import InvalidInput
from theory.theorems.base import Report, Theorem, Unevaluated

#: Name on the command line → module that defines ``THEOREM``.
MODULES = {
    "amht-informal": "amht_informal",
    "amht-formal": "amht_formal",
    "amht-noisy": "amht_noisy",
    "amht-private": "amht_private",
    "sparse-vector-lemma": "sparse_vector_lemma",
    "new-task": "new_task",
    "low-rank-only": "low_rank_only",
    "iht": "iht",
    "low-rank-sparse-sensing": "low_rank_sparse_sensing",
    "robust-pca": "robust_pca",
}


def available_theorems() -> tuple[str, ...]:
    """All names, the paper's own theorem first."""
    return tuple(MODULES)


def load_theorem(name: str) -> Theorem:
    """A theorem by name.

    Raises
    ------
    InvalidInput
        When there is none of that name; the nearest one is suggested.
    """
    if name not in MODULES:
        near = difflib.get_close_matches(name, MODULES, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(MODULES)}"
        raise InvalidInput(f"theorem: no theorem named {name!r}; {hint}")
    theorem: Theorem = import_module(f"theory.theorems.{MODULES[name]}").THEOREM
    return theorem


__all__ = ["Report", "Theorem", "Unevaluated", "available_theorems", "load_theorem"]
