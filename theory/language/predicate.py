"""One sympy relation, read five ways: NumPy margin, interval enclosure, SMT, LaTeX, JSON. It is never written twice.

A `Predicate` compares two expressions over declared quantities. Its *margin* is positive where it holds: ln lhs − ln rhs
where both sides are positive, else (lhs − rhs)/max(|lhs|, |rhs|) (with the sides swapped for ≤). Statements combine by
And = min, Or = max, Not = −, Implies = max(−a, b), and the arg-min names the binding assumption.

>>> from theory.language.symbols import m, r, k, Status
>>> enough = Predicate("rows", m, ">=", r + k + 1, "derived", Status.DERIVED)
>>> print(enough.check({"m": 12, "r": 3, "k": 5}))
rows: HOLDS, margin +0.288 (1.33 times)
    m ≥ k + r + 1
    value 12, bound 9
    k = 5, m = 12, r = 3
    k + r + 1 = 9
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal, TypeVar

import numpy as np
import sympy

from lrs.core.errors import InvalidInput
from theory.language import symbols
from theory.language.readers import plain, serial, typeset
from theory.language.readers.arrays import compile_numpy
from theory.language.readers.enclosures import Backend, Enclosure, IntervalReader, exact_sign
from theory.language.symbols import Constant, Status
from theory.language.verdict import Check, Verdict, decisive

_C = TypeVar("_C", bound="_Composite")
Relation = Literal[">=", ">", "<=", "<"]
_NEGATED: dict[Relation, Relation] = {">=": "<", "<": ">=", ">": "<=", "<=": ">"}
_SIGNS = {">=": "≥", ">": ">", "<=": "≤", "<": "<"}

#: Working precisions of `Statement.check` in bits: the second is used only where the first cannot tell.
PRECISIONS = (64, 256)


class Statement(ABC):
    """What `Predicate`, `And`, `Or`, `Not` and `Implies` have in common."""

    name: str
    cite: str
    status: Status

    # ------------------------------------------------------------------ what each kind defines
    @property
    @abstractmethod
    def predicates(self) -> tuple[Predicate, ...]:
        """The single relations inside, in order."""

    @abstractmethod
    def margin(self, values: Mapping[str, Any]) -> np.ndarray:
        """Margin at one point or over a sweep.

        Parameters
        ----------
        values : mapping of str to number or array
            One entry per quantity (see `quantities`); arrays broadcast against each other. Constants that carry a
            value need not be given.

        Returns
        -------
        array
            Positive where the statement holds; 0-dimensional when all inputs are.

        Raises
        ------
        InvalidInput
            When a quantity is missing, negative, zero where it must not be, or NaN, or the relation is undefined.
        """

    @abstractmethod
    def enclosure(
        self, values: Mapping[str, Any], *, bits: int = PRECISIONS[0], backend: Backend = "auto"
    ) -> Enclosure:
        """An interval that provably contains the margin at one point.

        Values may be integers, floats (taken as the exact binary number), Fractions, or pairs (low, high) where the
        quantity itself is only known to lie in between.
        """

    @abstractmethod
    def check(self, values: Mapping[str, Any]) -> Check:
        """Verdict, margin, the binding assumption and the value of every sub-expression at one point."""

    @abstractmethod
    def to_z3(self, translation: Any = None) -> Any:
        """A z3 formula (extra ``prove``); pass one `theory.language.readers.smt.Translation` to several to share variables.

        Domains and the definitions of roots and logarithms are the translation's ``conditions``.
        """

    @abstractmethod
    def latex(self) -> str:
        """LaTeX of the formula."""

    @abstractmethod
    def formula(self) -> str:
        """The formula as plain text, term by term: evidence is filed under it."""

    @abstractmethod
    def words(self) -> str:
        """The formula as people write it in a line."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """A tree of plain values; `from_json` rebuilds an equal statement."""

    @abstractmethod
    def with_constants(self, *constants: Constant) -> Statement:
        """The same statement with these constants in place of the ones of the same name."""

    # ------------------------------------------------------------------ common
    @property
    def quantities(self) -> tuple[str, ...]:
        """Names of all quantities, constants included, sorted."""
        return tuple(sorted({name for p in self.predicates for name in p.quantities}))

    @property
    def constants(self) -> tuple[Constant, ...]:
        """The constants of all relations inside, each once."""
        return tuple({c.name: c for p in self.predicates for c in p.constants}.values())

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether the verdict at one point is HOLDS."""
        return bool(self.check(values))

    def __and__(self, other: Statement) -> And:
        return And(f"{self.name} and {other.name}", (self, other))

    def __or__(self, other: Statement) -> Or:
        return Or(f"{self.name} or {other.name}", (self, other))

    def __invert__(self) -> Not:
        return Not(f"not {self.name}", self)

    def __rshift__(self, other: Statement) -> Implies:
        return Implies(f"{self.name} implies {other.name}", self, other)

    @staticmethod
    def from_json(tree: Any) -> Statement:
        """Inverse of `to_json`; also takes the JSON text.

        Raises
        ------
        InvalidInput
            When the text is not what `to_json` writes, or names an undeclared symbol.
        """
        return _from_json(tree)


@dataclass(frozen=True)
class Predicate(Statement):
    """A relation between two expressions.

    Parameters
    ----------
    name : str
        What reports call it.
    lhs, rhs : sympy expressions or numbers
        Over declared symbols (`theory.language.symbols.declare`); +, ×, powers, log, exp, Max and Min.
    relation : {">=", ">", "<=", "<"}
    cite : str
        Source of the statement.
    status : Status
        Quoted, reconstructed, derived or assumed.
    constants : tuple of Constant
        One per constant symbol; those with a value need not be passed on evaluation.
    meaning : str
        One sentence for reports and documentation.

    Raises
    ------
    InvalidInput
        On an undeclared symbol, an unsupported function, an unknown relation, or a missing citation.
    """

    name: str
    lhs: Any
    relation: Relation
    rhs: Any
    cite: str
    status: Status
    constants: tuple[Constant, ...] = ()
    meaning: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.relation not in _SIGNS:
            raise InvalidInput(f"relation: expected one of {', '.join(_SIGNS)}, got {self.relation!r}")
        if not isinstance(self.status, Status):
            raise InvalidInput(f"status: expected theory.Status, got {self.status!r}")
        if not self.cite:
            raise InvalidInput(f"cite: the predicate {self.name!r} needs a source; pass where it comes from")
        for side in ("lhs", "rhs"):
            expression = sympy.sympify(getattr(self, side))
            for symbol in sorted(expression.free_symbols, key=str):
                if symbols.quantity(symbol.name).symbol != symbol:
                    raise InvalidInput(
                        f"{side}: the symbol {symbol.name!r} differs from the declared one in its assumptions; "
                        "use the symbol that theory.language.symbols.declare returned"
                    )
            unknown = serial.supported(expression)
            if unknown:
                raise InvalidInput(f"{side}: {unknown} is not supported; use +, ×, powers, log, exp, Max and Min")
            object.__setattr__(self, side, expression)
        declared = {c.name for c in self.constants}
        for name in self.quantities:
            if symbols.quantity(name).kind == "constant" and name not in declared:
                raise InvalidInput(f"constants: {name} occurs in {self.name!r} without a Constant; pass constants=(…)")

    # ------------------------------------------------------------------ reading
    @property
    def predicates(self) -> tuple[Predicate, ...]:
        return (self,)

    @cached_property
    def quantities(self) -> tuple[str, ...]:
        return tuple(sorted(s.name for s in self.lhs.free_symbols | self.rhs.free_symbols))

    @property
    def greater(self) -> sympy.Expr:
        """The side that must be the larger one."""
        return self.lhs if self.relation in (">=", ">") else self.rhs

    @property
    def smaller(self) -> sympy.Expr:
        """The side that must be the smaller one."""
        return self.rhs if self.relation in (">=", ">") else self.lhs

    @property
    def strict(self) -> bool:
        """Whether equality fails it."""
        return self.relation in (">", "<")

    # ------------------------------------------------------------------ values
    def _given(self, values: Mapping[str, Any]) -> list[Any]:
        """One value per quantity, constants filled in."""
        defaults = {c.name: c.value for c in self.constants}
        out, missing = [], []
        for name in self.quantities:
            value = values.get(name)
            if value is None:
                value = defaults.get(name)
            if value is None:
                missing.append(name)
            out.append(value)
        if missing:
            text = ", ".join(f"{name} ({symbols.quantity(name).meaning})" for name in missing)
            raise InvalidInput(f"values: the predicate {self.name!r} needs {text}; pass a value for each")
        return out

    @cached_property
    def _sides(self) -> Any:
        return compile_numpy([self.greater, self.smaller], list(self.quantities))

    def sides(self, values: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        """Left and right side as arrays, before any margin is taken."""
        greater, smaller = self._evaluate(values)
        return (greater, smaller) if self.relation in (">=", ">") else (smaller, greater)

    def _evaluate(self, values: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        arrays = [_array(name, value) for name, value in zip(self.quantities, self._given(values), strict=True)]
        with np.errstate(all="ignore"):
            greater, smaller = self._sides(*arrays)
        return np.asarray(greater, dtype=np.float64), np.asarray(smaller, dtype=np.float64)

    def margin(self, values: Mapping[str, Any]) -> np.ndarray:
        a, b = self._evaluate(values)
        with np.errstate(all="ignore"):
            if a.min(initial=np.inf) > 0 and b.min(initial=np.inf) > 0:
                out = np.log(a) - np.log(b)
            else:
                scale = np.maximum(np.abs(a), np.abs(b))
                linear = (a - b) / np.where(scale == 0, 1.0, scale)  # NaN stays NaN: it is refused below
                # ±∞ on one side only: the ratio is ±1 there
                linear = np.where(np.isinf(scale) & (np.isfinite(a) | np.isfinite(b)), np.sign(a - b), linear)
                positive = (a > 0) & (b > 0)
                log_a, log_b = np.log(np.where(positive, a, 1.0)), np.log(np.where(positive, b, 1.0))
                out = np.where(positive, log_a - log_b, linear)
            # A sum is NaN if any entry is; ∞ − ∞ also is, and is sorted out by the full look.
            if np.isnan(np.sum(out)) and np.isnan(out).any():
                raise InvalidInput(
                    f"values: the predicate {self.name!r} is undefined (0/0 or ∞ − ∞) for these values: "
                    f"{self.formula()}; leave that point out"
                )
        return np.asarray(out)

    def _intervals(self, values: Mapping[str, Any]) -> list[tuple[Fraction, Fraction]] | None:
        """Exact end points of every quantity, None when one is infinite."""
        out = []
        for name, value in zip(self.quantities, self._given(values), strict=True):
            low, high = value if isinstance(value, tuple) else (value, value)
            if isinstance(low, np.ndarray | list) or isinstance(high, np.ndarray | list):
                raise InvalidInput(f"{name}: a check is made at one point; pass a number, or use margin for arrays")
            _array(name, (float(low), float(high)))
            if math.isinf(low) or math.isinf(high):
                return None
            low, high = _fraction(low), _fraction(high)
            if low > high:
                raise InvalidInput(f"{name}: the interval ({low}, {high}) is empty; pass (low, high)")
            out.append((low, high))
        return out

    @cached_property
    def _readers(self) -> dict[str, IntervalReader]:
        return {}

    def enclosure(
        self, values: Mapping[str, Any], *, bits: int = PRECISIONS[0], backend: Backend = "auto"
    ) -> Enclosure:
        intervals = self._intervals(values)
        if intervals is None:  # an infinite quantity (κ of a rank-deficient W): the extended reals decide exactly
            margin = float(self.margin(values))
            return Enclosure(margin, margin)
        if backend not in self._readers:
            self._readers[backend] = IntervalReader(self.greater, self.smaller, list(self.quantities), backend)
        try:
            return self._readers[backend].margin(intervals, bits)
        except ZeroDivisionError:
            return Enclosure(-math.inf, math.inf)

    def decide(self, enclosure: Enclosure) -> Verdict:
        """The verdict that an enclosure of the margin allows."""
        if enclosure.low > 0 or (enclosure.low >= 0 and not self.strict):
            return Verdict.HOLDS
        if enclosure.high < 0 or (enclosure.high <= 0 and self.strict):
            return Verdict.FAILS
        return Verdict.UNDECIDED

    def exact(self, values: Mapping[str, Any]) -> Verdict:
        """Rational arithmetic: UNDECIDED for intervals, infinite values, and relations with roots or logarithms."""
        intervals = self._intervals(values)
        if intervals is None or any(low != high for low, high in intervals):
            return Verdict.UNDECIDED
        try:
            sign = exact_sign(self.greater, self.smaller, list(self.quantities), [low for low, _ in intervals])
        except ZeroDivisionError:
            sign = None
        if sign is None:
            return Verdict.UNDECIDED
        return Verdict.HOLDS if sign > 0 or (sign == 0 and not self.strict) else Verdict.FAILS

    def verdict(self, values: Mapping[str, Any]) -> Verdict:
        """Intervals at 64 bits; where they straddle 0, at 256 bits; where they still do, exact arithmetic."""
        for bits in PRECISIONS:
            verdict = self.decide(self.enclosure(values, bits=bits))
            if verdict is not Verdict.UNDECIDED:
                return verdict
        return self.exact(values)

    def check(self, values: Mapping[str, Any]) -> Check:
        verdict = self.verdict(values)
        given = dict(zip(self.quantities, self._given(values), strict=True))
        point = {n: (float(v[0]) + float(v[1])) / 2 if isinstance(v, tuple) else float(v) for n, v in given.items()}
        lhs, rhs = self.sides(point)
        margin = float(self.margin(point))
        return Check(
            self.name,
            float(lhs),
            float(rhs),
            margin,
            verdict,
            self._sub_expressions(point),
            self.name,
            self.formula(),
            self.cite,
            self.status,
        )

    @cached_property
    def _parts(self) -> tuple[list[str], Any]:
        nodes = [e for side in (self.lhs, self.rhs) for e in sympy.postorder_traversal(side) if not e.is_number]
        unique = list(dict.fromkeys(nodes))
        atoms = sorted((e for e in unique if e.is_Symbol), key=str)
        ordered = atoms + [e for e in unique if not e.is_Symbol]
        return [str(e) for e in ordered], compile_numpy(ordered, list(self.quantities))

    def _sub_expressions(self, point: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
        texts, compiled = self._parts
        with np.errstate(all="ignore"):
            found = compiled(*(np.float64(point[name]) for name in self.quantities))
        return tuple((text, float(value)) for text, value in zip(texts, found, strict=True))

    # ------------------------------------------------------------------ other readers
    def to_z3(self, translation: Any = None) -> Any:
        from theory.language.readers.smt import Translation

        return (translation or Translation()).relation(self.lhs, self.relation, self.rhs)

    def latex(self) -> str:
        return typeset.relation_latex(self.lhs, self.relation, self.rhs)

    def formula(self) -> str:
        return f"{self.lhs} {_SIGNS[self.relation]} {self.rhs}"

    def words(self) -> str:
        return plain.relation(self.lhs, _SIGNS[self.relation], self.rhs)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": "predicate",
            "name": self.name,
            "lhs": serial.to_tree(self.lhs),
            "relation": self.relation,
            "rhs": serial.to_tree(self.rhs),
            "cite": self.cite,
            "status": self.status.value,
            "constants": [
                {"name": c.name, "direction": c.direction, "value": c.value, "status": c.status, "source": c.source}
                for c in self.constants
            ],
            "meaning": self.meaning,
        }

    def with_constants(self, *constants: Constant) -> Predicate:
        new = {c.name: c for c in constants}
        return replace(self, constants=tuple(new.get(c.name, c) for c in self.constants))

    def negated(self) -> Predicate:
        """The opposite relation between the same sides."""
        return replace(self, name=f"not {self.name}", relation=_NEGATED[self.relation])


def _array(name: str, value: Any) -> np.ndarray:
    """A float array inside the quantity's domain."""
    try:
        a = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidInput(f"{name}: expected a number or an array of numbers, got {value!r}") from None
    if a.size == 0:
        raise InvalidInput(f"{name}: an empty array; pass at least one value")
    quantity = symbols.quantity(name)
    smallest = a.min()
    if np.isnan(smallest):
        raise InvalidInput(f"{name}: NaN; pass {quantity.meaning} as a number")
    if smallest < quantity.minimum or (smallest == 0 and not quantity.zero_allowed):
        raise InvalidInput(f"{name}: {smallest:g} is out of range; {quantity.meaning} is {quantity.domain}")
    if quantity.maximum < np.inf and a.max() > quantity.maximum:
        raise InvalidInput(f"{name}: {a.max():g} is out of range; {quantity.meaning} is {quantity.domain}")
    return a


def _fraction(value: Any) -> Fraction:
    if isinstance(value, Fraction):
        return value
    if isinstance(value, int | np.integer):
        return Fraction(int(value))
    return Fraction(float(value))


# ---------------------------------------------------------------------------------------------- algebra
@dataclass(frozen=True)
class _Composite(Statement):
    """Parts and how their margins and verdicts combine."""

    name: str
    parts: tuple[Statement, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.parts))
        if not self.parts:
            raise InvalidInput(f"parts: {type(self).__name__} {self.name!r} needs at least one statement")
        for part in self.parts:
            if not isinstance(part, Statement):
                raise InvalidInput(f"parts: expected predicates, got {type(part).__name__}")

    @property
    def predicates(self) -> tuple[Predicate, ...]:
        return tuple(p for part in self.parts for p in part.predicates)

    @property
    def cite(self) -> str:  # type: ignore[override]
        return "; ".join(dict.fromkeys(p.cite for p in self.predicates))

    @property
    def status(self) -> Status:  # type: ignore[override]
        """The weakest of the parts: quoted, derived, reconstructed, assumed, measured, contested."""
        order = [
            Status.QUOTED,
            Status.DERIVED,
            Status.RECONSTRUCTED,
            Status.ASSUMED,
            Status.MEASURED,
            Status.CONTESTED,
        ]
        return max((p.status for p in self.predicates), key=order.index)

    # Or is And of the opposites: min and max, all and any swap.
    _smallest = True
    _word = ""
    _latex_word = ""

    def margins(self, values: Mapping[str, Any]) -> list[np.ndarray]:
        """Margins of the parts, in order."""
        return [part.margin(values) for part in self.parts]

    def margin(self, values: Mapping[str, Any]) -> np.ndarray:
        reduce = np.minimum if self._smallest else np.maximum
        out, *rest = self.margins(values)
        for other in rest:
            out = reduce(out, other)
        return np.asarray(out)

    def binding(self, values: Mapping[str, Any]) -> np.ndarray:
        """Name of the part with the decisive margin, at every point of a sweep (see `decisive`)."""
        margins = []
        for part, margin in zip(self.parts, self.margins(values), strict=True):
            if isinstance(part, Predicate) and self._smallest:
                lhs, rhs = part.sides(values)
                margin = np.where((margin >= 0) & ((lhs == 0) | (rhs == 0)), np.inf, margin)
            margins.append(margin)
        stacked = np.stack(np.broadcast_arrays(*margins))
        index = stacked.argmin(axis=0) if self._smallest else stacked.argmax(axis=0)
        return np.asarray(np.array([part.name for part in self.parts], dtype=object)[index], dtype=object)

    def enclosure(
        self, values: Mapping[str, Any], *, bits: int = PRECISIONS[0], backend: Backend = "auto"
    ) -> Enclosure:
        found = [part.enclosure(values, bits=bits, backend=backend) for part in self.parts]
        pick = min if self._smallest else max
        return Enclosure(pick(e.low for e in found), pick(e.high for e in found))

    def check(self, values: Mapping[str, Any]) -> Check:
        children = tuple(part.check(values) for part in self.parts)
        pick = min if self._smallest else max
        combine = Verdict.all if self._smallest else Verdict.any
        verdict = combine(c.verdict for c in children)
        worst = decisive(children, verdict, largest=not self._smallest)
        return Check(
            self.name,
            worst.value,
            worst.bound,
            pick(c.margin for c in children),
            verdict,
            worst.sub_expressions,
            worst.binding,
            self.formula() if len(self.parts) < 4 else worst.formula,
            self.cite,
            self.status,
            children,
        )

    def to_z3(self, translation: Any = None) -> Any:
        from theory.language.readers.smt import Translation

        shared = translation or Translation()
        join = shared.z3.And if self._smallest else shared.z3.Or
        return join(*(part.to_z3(shared) for part in self.parts))

    def latex(self) -> str:
        return f" {self._latex_word} ".join(_bracketed(p.latex(), p) for p in self.parts)

    def formula(self) -> str:
        return f" {self._word} ".join(_parenthesised(p.formula(), p) for p in self.parts)

    def words(self) -> str:
        return f" {self._word} ".join(_parenthesised(p.words(), p) for p in self.parts)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self._word, "name": self.name, "parts": [p.to_json() for p in self.parts]}

    def with_constants(self: _C, *constants: Constant) -> _C:
        return replace(self, parts=tuple(p.with_constants(*constants) for p in self.parts))


def _bracketed(text: str, part: Statement) -> str:
    return text if isinstance(part, Predicate) else rf"\left({text}\right)"


def _parenthesised(text: str, part: Statement) -> str:
    return text if isinstance(part, Predicate) else f"({text})"


class And(_Composite):
    """All parts hold; the margin is the smallest."""

    _smallest, _word, _latex_word = True, "and", r"\;\wedge\;"


class Or(_Composite):
    """Some part holds; the margin is the largest."""

    _smallest, _word, _latex_word = False, "or", r"\;\vee\;"


@dataclass(frozen=True)
class Not(Statement):
    """The part does not hold; the margin changes sign."""

    name: str
    part: Statement

    def __post_init__(self) -> None:
        if not isinstance(self.part, Statement):
            raise InvalidInput(f"part: expected a predicate, got {type(self.part).__name__}")

    @property
    def predicates(self) -> tuple[Predicate, ...]:
        return self.part.predicates

    @property
    def cite(self) -> str:  # type: ignore[override]
        return self.part.cite

    @property
    def status(self) -> Status:  # type: ignore[override]
        return self.part.status

    def margin(self, values: Mapping[str, Any]) -> np.ndarray:
        return np.asarray(-self.part.margin(values))

    def enclosure(
        self, values: Mapping[str, Any], *, bits: int = PRECISIONS[0], backend: Backend = "auto"
    ) -> Enclosure:
        return -self.part.enclosure(values, bits=bits, backend=backend)

    def check(self, values: Mapping[str, Any]) -> Check:
        inner = self.part.check(values)
        return replace(
            inner,
            name=self.name,
            margin=-inner.margin,
            verdict=~inner.verdict,
            formula=self.formula(),
            children=(inner,) if inner.children else (),
        )

    def to_z3(self, translation: Any = None) -> Any:
        from theory.language.readers.smt import Translation

        shared = translation or Translation()
        return shared.z3.Not(self.part.to_z3(shared))

    def latex(self) -> str:
        return rf"\neg\left({self.part.latex()}\right)"

    def formula(self) -> str:
        return f"not ({self.part.formula()})"

    def words(self) -> str:
        return f"not ({self.part.words()})"

    def to_json(self) -> dict[str, Any]:
        return {"kind": "not", "name": self.name, "part": self.part.to_json()}

    def with_constants(self, *constants: Constant) -> Not:
        return replace(self, part=self.part.with_constants(*constants))


@dataclass(frozen=True)
class Implies(Statement):
    """If ``premise`` then ``conclusion``; the margin is max(−premise, conclusion)."""

    name: str
    premise: Statement
    conclusion: Statement

    @cached_property
    def _as_or(self) -> Or:
        return Or(self.name, (Not(f"not {self.premise.name}", self.premise), self.conclusion))

    @property
    def predicates(self) -> tuple[Predicate, ...]:
        return self._as_or.predicates

    @property
    def cite(self) -> str:  # type: ignore[override]
        return self._as_or.cite

    @property
    def status(self) -> Status:  # type: ignore[override]
        return self._as_or.status

    def margin(self, values: Mapping[str, Any]) -> np.ndarray:
        return self._as_or.margin(values)

    def enclosure(
        self, values: Mapping[str, Any], *, bits: int = PRECISIONS[0], backend: Backend = "auto"
    ) -> Enclosure:
        return self._as_or.enclosure(values, bits=bits, backend=backend)

    def check(self, values: Mapping[str, Any]) -> Check:
        return replace(self._as_or.check(values), formula=self.formula())

    def to_z3(self, translation: Any = None) -> Any:
        from theory.language.readers.smt import Translation

        shared = translation or Translation()
        return shared.z3.Implies(self.premise.to_z3(shared), self.conclusion.to_z3(shared))

    def latex(self) -> str:
        left, right = (
            _bracketed(self.premise.latex(), self.premise),
            _bracketed(self.conclusion.latex(), self.conclusion),
        )
        return rf"{left} \;\Rightarrow\; {right}"

    def formula(self) -> str:
        left = _parenthesised(self.premise.formula(), self.premise)
        return f"{left} implies {_parenthesised(self.conclusion.formula(), self.conclusion)}"

    def words(self) -> str:
        left = _parenthesised(self.premise.words(), self.premise)
        return f"{left} implies {_parenthesised(self.conclusion.words(), self.conclusion)}"

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": "implies",
            "name": self.name,
            "premise": self.premise.to_json(),
            "conclusion": self.conclusion.to_json(),
        }

    def with_constants(self, *constants: Constant) -> Implies:
        return replace(
            self,
            premise=self.premise.with_constants(*constants),
            conclusion=self.conclusion.with_constants(*constants),
        )


def _from_json(tree: Any) -> Statement:
    if isinstance(tree, str):
        try:
            tree = json.loads(tree)
        except json.JSONDecodeError as error:
            raise InvalidInput(f"json: not JSON ({error}); pass what to_json wrote") from None
    try:
        kind, name = tree["kind"], tree["name"]
        if kind == "predicate":
            return Predicate(
                name,
                serial.from_tree(tree["lhs"]),
                tree["relation"],
                serial.from_tree(tree["rhs"]),
                tree["cite"],
                Status(tree["status"]),
                tuple(Constant(**c) for c in tree["constants"]),
                tree["meaning"],
            )
        if kind in ("and", "or"):
            return (And if kind == "and" else Or)(name, tuple(_from_json(p) for p in tree["parts"]))
        if kind == "not":
            return Not(name, _from_json(tree["part"]))
        if kind == "implies":
            return Implies(name, _from_json(tree["premise"]), _from_json(tree["conclusion"]))
    except InvalidInput:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"json: not a statement of this toolkit ({error!r}); pass what to_json wrote") from None
    raise InvalidInput(f"json: unknown kind {kind!r}; expected predicate, and, or, not or implies")
