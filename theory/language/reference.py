"""What a fitted law of growth is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Reference(NamedTuple):
    """What a family compares ``lrs scaling`` with; it names one in its attribute ``scaling``.

    Attributes
    ----------
    factors : tuple of str
        Parameters that may enter the law unless told otherwise.
    exponents : mapping of str to mapping
        Bound of a theorem, in words → exponent of every factor.
    lines : mapping of str to callable
        Title → amount of the nested parameter that a limit asks for, a function of the parameters by keyword.
    """

    factors: tuple[str, ...]
    exponents: Mapping[str, Mapping[str, float]]
    lines: Mapping[str, Callable[..., Any]]
