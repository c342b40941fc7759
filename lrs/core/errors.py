"""The errors a user of bad input sees: each names the argument and says what to pass instead."""

from __future__ import annotations


class InvalidInput(ValueError):
    """Input that cannot be used as given.

    Raised for anything the caller can mend: wrong shapes, NaN, a rank above the dimension, a file of another
    kind. The message names the argument and the fix; the command line prints it without a traceback and exits
    with code 2.
    """


class NotFinite(InvalidInput):
    """Numbers that hold NaN or infinity; the answer of a solver that diverged is refused with it."""


class WrongShape(InvalidInput):
    """Arrays whose shapes do not fit one another or the problem."""


class NotWritten(InvalidInput):
    """A file that the system would not write; what was there before is kept. ``strerror`` is what the system says."""

    def __init__(self, path: object, strerror: str, kept: str = "nothing was changed") -> None:
        super().__init__(f"{path}: cannot be written ({strerror}); {kept}")
        self.strerror = strerror


class MissingExtra(InvalidInput):
    """An optional dependency is needed and not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs the package {package!r}: pip install 'lrs-toolkit[{extra}]'")
