"""What a statement says of given values: a verdict, and a check that shows the numbers behind it."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from theory.language.symbols import Status


class Verdict(enum.Enum):
    """Three-valued truth (Kleene): UNDECIDED when an enclosure of the margin straddles 0."""

    HOLDS = "HOLDS"
    FAILS = "FAILS"
    UNDECIDED = "UNDECIDED"

    def __invert__(self) -> Verdict:
        return {Verdict.HOLDS: Verdict.FAILS, Verdict.FAILS: Verdict.HOLDS}.get(self, Verdict.UNDECIDED)

    @staticmethod
    def all(verdicts: Iterable[Verdict]) -> Verdict:
        """Conjunction."""
        seen = set(verdicts)
        if Verdict.FAILS in seen:
            return Verdict.FAILS
        return Verdict.UNDECIDED if Verdict.UNDECIDED in seen else Verdict.HOLDS

    @staticmethod
    def any(verdicts: Iterable[Verdict]) -> Verdict:
        """Disjunction."""
        return ~Verdict.all(~v for v in verdicts)


@dataclass(frozen=True)
class Check:
    """The outcome of checking a statement at one point.

    Attributes
    ----------
    name : str
    value, bound : float
        Left and right side; of the binding assumption when the statement is composed.
    margin : float
        Positive where it holds.
    verdict : Verdict
    sub_expressions : tuple of (str, float)
        Every sub-expression with its value, symbols first.
    binding : str
        Name of the assumption with the decisive margin (its own name for a single relation).
    formula : str
        The relation as text.
    cite : str
    status : Status
    children : tuple of Check
        The checks of the parts.
    """

    name: str
    value: float
    bound: float
    margin: float
    verdict: Verdict
    sub_expressions: tuple[tuple[str, float], ...] = ()
    binding: str = ""
    formula: str = ""
    cite: str = ""
    status: Status = Status.DERIVED
    children: tuple[Check, ...] = ()

    def __bool__(self) -> bool:
        return self.verdict is Verdict.HOLDS

    @property
    def ratio(self) -> float:
        """exp(margin): by what factor the bound is met."""
        try:
            return math.exp(self.margin)
        except OverflowError:
            return math.inf

    @property
    def amount(self) -> str:
        """The margin with its unit: by what factor there is more than is needed, or less."""
        if self.met_exactly:
            return "exact"
        if not 1e-9 < self.ratio < 1e9:
            return "ample" if self.ratio > 1 else "far off"
        return f"{self.ratio:.2g} × to spare" if self.ratio >= 1 else f"{1 / self.ratio:.2g} × short"

    @property
    def met_exactly(self) -> bool:
        """Whether it holds with a side equal to 0: a yes-or-no condition (σ ≤ 0), which has no slack to compare."""
        return self.verdict is Verdict.HOLDS and (self.value == 0 or self.bound == 0)

    def leaves(self) -> list[Check]:
        """The checks of the single relations, in order."""
        return [leaf for child in self.children for leaf in child.leaves()] if self.children else [self]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; infinities become the strings ``"inf"`` and ``"-inf"``."""
        return {
            "name": self.name,
            "verdict": self.verdict.value,
            "value": _plain(self.value),
            "bound": _plain(self.bound),
            "margin": _plain(self.margin),
            "binding": self.binding,
            "formula": self.formula,
            "cite": self.cite,
            "status": self.status.value,
            "sub_expressions": {text: _plain(value) for text, value in self.sub_expressions},
            "children": [child.to_dict() for child in self.children],
        }

    def __str__(self) -> str:
        head = f"{self.name}: {self.verdict.value}, margin {self.margin:+.3g}"
        if self.value > 0 and self.bound > 0:
            head += f" ({self.ratio:.3g} times)"
        if self.binding and self.binding != self.name:
            head += f", binding: {self.binding}"
        lines = [head, f"    {self.formula}", f"    value {self.value:.6g}, bound {self.bound:.6g}"]
        atoms = [f"{text} = {value:.6g}" for text, value in self.sub_expressions if text.isidentifier()]
        if atoms:
            lines.append("    " + ", ".join(atoms))
        lines += [f"    {text} = {value:.6g}" for text, value in self.sub_expressions if not text.isidentifier()]
        return "\n".join(lines)


def decisive(checks: Iterable[Check], verdict: Verdict, *, largest: bool = False) -> Check:
    """The check that binds: the smallest (or ``largest``) margin among those with the given verdict.

    Conditions that are `Check.met_exactly` bind only when nothing else is left.
    """
    checks = list(checks)
    candidates = [c for c in checks if c.verdict is verdict] or checks
    candidates = [c for c in candidates if not c.met_exactly] or candidates
    return max(candidates, key=lambda c: c.margin) if largest else min(candidates, key=lambda c: c.margin)


def _plain(x: float) -> float | str:
    return float(x) if math.isfinite(x) else str(float(x))
