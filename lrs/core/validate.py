"""The checks of arguments, once: each returns the value in plain form or raises `InvalidInput`, which names the argument.

>>> integer("rank", 3, least=1)
3
>>> real("tolerance", 2, above=0, most=1, what="a subspace error")
Traceback (most recent call last):
    ...
lrs.core.errors.InvalidInput: tolerance: expected a subspace error in (0, 1], got 2
>>> choice("law", "unifrom", ("uniform", "normal"))
Traceback (most recent call last):
    ...
lrs.core.errors.InvalidInput: law: expected 'uniform' or 'normal', got 'unifrom'; did you mean 'uniform'?
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import numpy as np

from lrs.core.errors import InvalidInput, NotFinite


def integer(
    name: str, value: Any, *, least: int | None = None, most: int | None = None, expected: str | None = None
) -> int:
    """An integer, also NumPy's, from ``least`` to ``most``; a truth value is none. ``expected`` is said instead of the ends."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if whole and (least is None or value >= least) and (most is None or value <= most):
        return int(value)
    if expected is None:
        expected = "an integer"
        if most is not None:
            expected += f" in {'−∞' if least is None else least} … {most}"
        elif least is not None:
            expected += f" of at least {least}"
    raise InvalidInput(f"{name}: expected {expected}, got {value!r}")


def real(
    name: str,
    value: Any,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
    infinite: bool = False,
    what: str = "a number",
    expected: str | None = None,
) -> float:
    """A real number, also NumPy's, in an interval whose ends belong to it (``least``, ``most``) or not (``above``, ``below``).

    Neither NaN nor a truth value is one, ±∞ only where it is ``infinite``. The message says “expected {what} in (0, 1]”, or
    ``expected`` instead of both.
    """
    if (
        isinstance(value, int | float | np.integer | np.floating)
        and not isinstance(value, bool)
        and not math.isnan(value)
        and (infinite or not math.isinf(value))
        and (least is None or value >= least)
        and (above is None or value > above)
        and (most is None or value <= most)
        and (below is None or value < below)
    ):
        return float(value)
    if expected is None:
        expected = what + _interval(least, above, most, below)
        if above == 0 and most is None and below is None:
            expected = what.replace("a ", "a positive ", 1)
    raise InvalidInput(f"{name}: expected {expected}, got {value!r}")


def _interval(least: float | None, above: float | None, most: float | None, below: float | None) -> str:
    if most is None and below is None:
        return (
            ""
            if least is None and above is None
            else f" of at least {least:g}"
            if above is None
            else f" above {above:g}"
        )
    left = f"[{least:g}" if least is not None else "(−∞" if above is None else f"({above:g}"
    right = f"{most:g}]" if most is not None else f"{below:g})"
    return f" in {left}, {right}"


def probability(name: str, value: Any, what: str = "a probability strictly between 0 and 1") -> float:
    """A number in (0, 1): the ends would ask for certainty."""
    return real(name, value, above=0, below=1, expected=what)


def choice(name: str, value: Any, known: Iterable[str]) -> str:
    """One of a few words."""
    words = tuple(known)
    if isinstance(value, str) and value in words:
        return value
    *front, last = (repr(word) for word in words)
    near = f"; did you mean {nearest(value, words)!r}?" if isinstance(value, str) and nearest(value, words) else ""
    raise InvalidInput(f"{name}: expected {', '.join(front) + ' or ' if front else ''}{last}, got {value!r}{near}")


def finite(name: str, array: np.ndarray, fix: str = "") -> np.ndarray:
    """An array without NaN and infinity; ``fix`` is what to do about them.

    Raises
    ------
    NotFinite
        With how many there are, and the index of the first.
    """
    # One sum instead of an array of truth values: a NaN or an infinity never leaves a sum finite.
    with np.errstate(over="ignore", invalid="ignore"):
        suspicious = not np.isfinite(array.sum())
    if suspicious and not np.isfinite(array).all():
        bad = ~np.isfinite(array)
        where = int(np.argmax(bad)) if bad.ndim == 1 else tuple(int(i) for i in np.argwhere(bad)[0])
        end = f"; {fix}" if fix else ""
        raise NotFinite(f"{name}: {int(bad.sum())} value(s) are NaN or infinite, the first at index {where}{end}")
    return array


def floats(name: str, value: Any) -> np.ndarray:
    """Numbers as a contiguous array of float64; texts, dates, complex numbers and lists of unequal lengths are none."""
    try:
        array = np.asarray(value)
        if array.dtype.kind == "c":
            raise InvalidInput(f"{name}: complex numbers are not supported, pass the real part")
        if array.dtype.kind == "O" and any(isinstance(v, str | bytes | complex) for v in array.flat):
            raise TypeError("it holds text or complex numbers")
        if array.dtype.kind not in "biufO":
            raise TypeError(f"it is of type {array.dtype}")
        return np.ascontiguousarray(array, dtype=np.float64).reshape(array.shape)
    except InvalidInput:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(
            f"{name}: expected numbers, got {type(value).__name__} that does not convert: {error}"
        ) from None


def flat(name: str, value: Any) -> np.ndarray:
    """An array of whatever is in a list; lists of unequal lengths make none."""
    try:
        return np.asarray(value)
    except ValueError as error:
        raise InvalidInput(f"{name}: expected a list of labels or indices ({error})") from None


def numbers(name: str, value: Any, *, zero_allowed: bool) -> np.ndarray:
    """A number or an array of numbers, none negative, as float64; infinity may be among them, NaN may not."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidInput(f"{name}: expected numbers, got {value!r}") from None
    if not np.all(array >= 0 if zero_allowed else array > 0):
        raise InvalidInput(f"{name}: expected values {'at least' if zero_allowed else 'above'} 0, got {value!r}")
    return array


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that looks most like this one, or None when none looks like it."""
    near = get_close_matches(name, list(known), 1, cutoff)
    return near[0] if near else None


def hint(name: str, known: Iterable[str], otherwise: str | None = None, *, cutoff: float = 0.6) -> str:
    """``did you mean 'x'?``, or else what is known (or what to do otherwise): the end of a message about a name."""
    words = tuple(known)
    near = nearest(name, words, cutoff)
    if near is not None:
        return f"did you mean {near!r}?"
    return f"known are {', '.join(words) or 'none'}" if otherwise is None else otherwise
