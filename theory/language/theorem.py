"""What a theorem is here: assumptions, conclusions, constants and a source, all of them objects that can be checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import sympy

from lrs.core.errors import InvalidInput
from lrs.core.face import face
from lrs.core.family import LOW_RANK_SPARSE
from theory.language import symbols
from theory.language.chain import Chain
from theory.language.measured import Measured
from theory.language.predicate import And, Predicate, Statement
from theory.language.symbols import Constant, Status
from theory.language.verdict import Check, Verdict, decisive


@dataclass(frozen=True)
class Unevaluated:
    """An assumption that could not be checked, and why.

    Attributes
    ----------
    name, formula, why : str
    needs : tuple of str
        The quantities that are missing.
    holds_for : str
        For a bound with one free constant: the values of the constant for which it holds here, otherwise empty.
    """

    name: str
    formula: str
    why: str
    needs: tuple[str, ...]
    holds_for: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "name": self.name,
            "verdict": "NOT_EVALUATED",
            "formula": self.formula,
            "why": self.why,
            "needs": list(self.needs),
            "holds_for": self.holds_for,
        }


@dataclass(frozen=True)
class Report:
    """A theorem's assumptions on one subject.

    Attributes
    ----------
    theorem : Theorem
    checks : tuple of Check
        The assumptions that could be evaluated.
    unevaluated : tuple of Unevaluated
        The others.
    """

    theorem: Theorem
    checks: tuple[Check, ...]
    unevaluated: tuple[Unevaluated, ...]

    def __repr__(self) -> str:
        return f"Report({self.theorem.name!r}: {self.verdict.value})"

    def _repr_html_(self) -> str:
        formulas = {p.name: p.words() for p in self.theorem.assumptions.parts}
        rows = [(c.verdict.value, c.name, formulas[c.name], c.amount) for c in self.checks]
        rows += [("open", u.name, formulas[u.name], u.why) for u in self.unevaluated]
        return face(f"{self.theorem.title}: {self.verdict.value}", rows, ("verdict", "assumption", "formula", "margin"))

    @property
    def verdict(self) -> Verdict:
        """HOLDS only when every assumption was evaluated and holds; FAILS as soon as one fails."""
        verdict = Verdict.all(c.verdict for c in self.checks)
        if verdict is Verdict.HOLDS and self.unevaluated:
            return Verdict.UNDECIDED
        return verdict

    @property
    def binding(self) -> Check | None:
        """The check that decides: the smallest margin among those with the worst verdict."""
        return decisive(self.checks, Verdict.all(c.verdict for c in self.checks)) if self.checks else None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "theorem": self.theorem.name,
            "status": self.theorem.status.value,
            "source": self.theorem.source,
            "verdict": self.verdict.value,
            "binding": None if self.binding is None else self.binding.name,
            "assumptions": [c.to_dict() for c in self.checks] + [u.to_dict() for u in self.unevaluated],
        }


@dataclass(frozen=True)
class Theorem:
    """If the assumptions hold, so do the conclusions.

    Attributes
    ----------
    name : str
        How the command line calls it.
    title : str
    statement : str
        In words.
    assumptions : And
    conclusions : tuple of Statement
        Over errors of a run; the phrase “in time …” and the like stays in ``statement``.
    source : str
    status : Status
        Of the statement as a whole; each assumption carries its own.
    family : str
        Of the problems it is about.
    notes : str
        What was left out or had to be chosen, and why.
    region : str
        Name of the measured region where solvers are held to it, while its own constants are not calibrated.
    chain : Chain, optional
        The links of its proof, for ``lrs profile``.
    """

    name: str
    title: str
    statement: str
    assumptions: And
    conclusions: tuple[Statement, ...]
    source: str
    status: Status
    family: str = LOW_RANK_SPARSE
    notes: str = field(default="", compare=False)
    region: str = field(default="", compare=False)
    chain: Chain | None = field(default=None, compare=False, repr=False)

    def __repr__(self) -> str:
        return f"Theorem({self.name!r}, {len(self.assumptions.parts)} assumptions, {self.status.value})"

    def _repr_html_(self) -> str:
        rows = [("if", p.name, p.words(), p.status.label) for p in self.assumptions.parts]
        rows += [("then", p.name, p.words(), p.status.label) for p in self.conclusions]
        return face(f"{self.title} ({self.status.value})", rows, ("", "", "formula", "from"), self.statement)

    @property
    def constants(self) -> tuple[Constant, ...]:
        """Constants of assumptions and conclusions, each once."""
        found = {c.name: c for s in (self.assumptions, *self.conclusions) for c in s.constants}
        return tuple(found.values())

    def with_constants(self, *constants: Constant) -> Theorem:
        """The same theorem with these constants; names it does not use are refused."""
        known = {c.name for c in self.constants}
        for constant in constants:
            if constant.name not in known:
                raise InvalidInput(
                    f"constants: {self.name} has no constant {constant.name!r}; it uses {', '.join(sorted(known)) or 'none'}"
                )
        return replace(
            self,
            assumptions=self.assumptions.with_constants(*constants),
            conclusions=tuple(c.with_constants(*constants) for c in self.conclusions),
        )

    def check(self, measured: Mapping[str, Any]) -> Check:
        """All assumptions at once.

        Raises
        ------
        InvalidInput
            When a quantity is missing; `report` evaluates what can be evaluated.
        """
        for part in self.assumptions.parts:
            missing = _missing(part, measured)
            if missing:
                raise InvalidInput(
                    f"measured: {self.name} cannot be checked: {part.name} needs {_reasons(missing, measured)}"
                )
        return self.assumptions.check(measured)

    def report(self, measured: Mapping[str, Any]) -> Report:
        """Every assumption that can be evaluated, and for every other the reason why not."""
        checks, unevaluated = [], []
        for part in self.assumptions.parts:
            missing = _missing(part, measured)
            if not missing:
                checks.append(part.check(measured))
                continue
            free = [name for name in missing if symbols.quantity(name).kind == "constant"]
            only_free = free == list(missing)
            why = (
                "; ".join(dict.fromkeys(_why_free(c) for c in part.constants if c.name in free))
                if only_free
                else _reasons([name for name in missing if name not in free], measured)
            )
            holds_for = admissible(part, free[0], measured) if only_free and len(free) == 1 else ""
            unevaluated.append(Unevaluated(part.name, part.formula(), why, tuple(missing), holds_for))
        return Report(self, tuple(checks), tuple(unevaluated))

    def latex(self) -> str:
        """The theorem as a LaTeX fragment; every formula is printed from the object that is checked."""
        lines = [rf"\paragraph{{{_escape(self.title)}}} ({self.status.value}; {_escape(self.source)}).", "Assume"]
        lines += [r"\begin{align*}"]
        lines += [rf"  & {part.latex()} && \text{{{_escape(part.name)}}} \\" for part in self.assumptions.parts]
        lines += [r"\end{align*}", "Then", r"\begin{align*}"]
        lines += [rf"  & {part.latex()} && \text{{{_escape(part.name)}}} \\" for part in self.conclusions]
        lines += [r"\end{align*}"]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "name": self.name,
            "title": self.title,
            "family": self.family,
            "status": self.status.value,
            "source": self.source,
            "statement": self.statement,
            "assumptions": [part.to_json() for part in self.assumptions.parts],
            "conclusions": [part.to_json() for part in self.conclusions],
            "constants": [
                {"name": c.name, "direction": c.direction, "value": c.value, "status": c.status, "source": c.source}
                for c in self.constants
            ],
            "notes": self.notes,
        }


def _escape(text: str) -> str:
    return text.replace("&", r"\&").replace("_", r"\_").replace("%", r"\%")


def _why_free(constant: Constant) -> str:
    return f"{constant.name} free: {constant.source or 'hidden in the Ω(·) and not calibrated'}"


def _missing(statement: Statement, measured: Mapping[str, Any]) -> list[str]:
    valued = {c.name for c in statement.constants if c.value is not None}
    return [name for name in statement.quantities if measured.get(name) is None and name not in valued]


def _reasons(names: list[str], measured: Mapping[str, Any]) -> str:
    def why(name: str) -> str:
        reason = measured.why_missing(name) if isinstance(measured, Measured) else "was not given"
        return f"{symbols.quantity(name).meaning} ({name}): {reason}"

    return "; ".join(why(name) for name in names)


def admissible(statement: Statement, constant: str, measured: Mapping[str, Any]) -> str:
    """For which values of one free constant a bound linear in it holds, as text (empty when it is not that simple)."""
    limit = constant_limit(statement, constant, measured)
    if limit is None:
        return ""
    side, value = limit
    return f"{constant} {side} {value:.3g}"


def constant_limit(statement: Statement, constant: str, measured: Mapping[str, Any]) -> tuple[str, float] | None:
    """("≤", x) or ("≥", x): the bound holds exactly for the constants on that side of x.

    None when the statement is not one relation with one side proportional to the constant.
    """
    if not isinstance(statement, Predicate):
        return None
    symbol = symbols.quantity(constant).symbol
    for bound in (statement.greater, statement.smaller):
        if sympy.diff(bound, symbol) * symbol == bound:
            greater, smaller = (float(x) for x in _oriented(statement, {**measured, constant: 1.0}))
            if bound is statement.smaller:
                return ("≤", greater / smaller if smaller > 0 else float("inf"))
            return ("≥", smaller / greater if greater > 0 else float("inf"))
    return None


def _oriented(statement: Predicate, values: Mapping[str, Any]) -> tuple[Any, Any]:
    lhs, rhs = statement.sides(values)
    return (lhs, rhs) if statement.relation in (">=", ">") else (rhs, lhs)
