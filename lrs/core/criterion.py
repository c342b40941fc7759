"""What “recovered” means: the criteria of a family, and one of them chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lrs.core.errors import InvalidInput
from lrs.core.validate import real

if TYPE_CHECKING:
    from lrs.core.protocol import Family

#: Largest error that counts as recovered unless told otherwise.
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Criterion:
    """What “recovered” may mean.

    Parameters
    ----------
    name : str
    meaning : str
        One sentence; ``{tolerance}`` and ``{share}`` stand for the numbers.
    met : callable
        ``met(errors, tolerance, share) -> bool`` of the errors that `Family.errors` gives.
    shared : bool
        Whether it is told a share: such a criterion is chosen by a number f in (0, 1] instead of its name.
    """

    name: str
    meaning: str
    met: Callable[[Mapping[str, float], float, float], bool]
    shared: bool = False


@dataclass(frozen=True)
class Success:
    """A criterion of a family with its numbers.

    Parameters
    ----------
    criterion : str or float, optional
        A name in the family's ``criteria``, or the share f in (0, 1] of the one that takes a share; default: the family's.
    tolerance : float
    """

    criterion: str | float = ""
    tolerance: float = TOLERANCE

    def of(self, family: Family) -> Success:
        """The same with the family's default filled in, or a refusal that names what the family knows.

        Raises
        ------
        InvalidInput
            When the family has no such criterion, or a number is out of range.
        """
        tolerance = real("tolerance", self.tolerance, above=0)
        names = [name for name, c in family.criteria.items() if not c.shared]
        chosen: str | float = self.criterion if self.criterion != "" else names[0]
        if isinstance(chosen, str) and chosen not in names:
            try:
                chosen = float(chosen)
            except ValueError:
                shared = " or a fraction such as 0.99" if len(names) < len(family.criteria) else ""
                raise InvalidInput(f"success: {chosen!r} is none of {', '.join(names)}{shared}") from None
        if not isinstance(chosen, str):
            if len(names) == len(family.criteria):
                raise InvalidInput(f"success: {family.title} knows no fraction; pass one of {', '.join(names)}")
            if not 0 < chosen <= 1:
                raise InvalidInput(f"success: a fraction lies in (0, 1], got {chosen:g}")
            chosen = float(chosen)
        return Success(chosen, tolerance)

    def _criterion(self, family: Family) -> Criterion:
        if isinstance(self.criterion, str):
            return family.criteria[self.criterion]
        return next(c for c in family.criteria.values() if c.shared)

    def met(self, family: Family, errors: Mapping[str, float]) -> bool:
        """Whether these errors count as recovered."""
        share = 1.0 if isinstance(self.criterion, str) else self.criterion
        return bool(self._criterion(family).met(errors, self.tolerance, share))

    def sentence(self, family: Family) -> str:
        """What “recovered” means, in words."""
        share = 1.0 if isinstance(self.criterion, str) else self.criterion
        return self._criterion(family).meaning.format(tolerance=f"{self.tolerance:g}", share=f"{share:g}")
