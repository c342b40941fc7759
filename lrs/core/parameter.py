"""What is said of a parameter of a specification, or of a setting of solvers: once, for every verb and page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
