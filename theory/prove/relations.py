"""Machine-checked relations between the statements (extra ``prove``): the prover and what it is sure of.

Every question is “do these premises imply this conclusion?”, put to z3 over the same sympy expressions the code
evaluates. PROVED means the negation has no model; REFUTED shows a counter-model that was checked on the numbers;
everything else, time-outs included, is UNDECIDED and never a pass.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import sympy
from sympy import Integer, Rational

from lrs.core.errors import InvalidInput
from theory.language import symbols
from theory.language.predicate import Implies, Predicate, Statement
from theory.language.readers.smt import Translation
from theory.language.symbols import (
    Status,
    d,
    k,
    lambda_r,
    m,
    mu,
    nu,
    r,
    rank_visible,
    rank_W,
    t,
    zeta,
)
from theory.language.theorem import Theorem
from theory.language.verdict import Verdict

#: Default limit per question in seconds.
TIMEOUT = 10.0

#: How often a model that misuses the logarithm is answered with sharper axioms before giving up.
ROUNDS = 12


class RelationStatus(enum.Enum):
    """What is known about a node of the graph."""

    PROVED = "PROVED"
    REFUTED = "REFUTED"
    UNDECIDED = "UNDECIDED"
    ASSUMED = "ASSUMED"
    CALIBRATED = "CALIBRATED"
    EMPIRICAL = "EMPIRICAL"


@dataclass(frozen=True)
class Relation:
    """A question: do the premises imply the conclusion?

    Attributes
    ----------
    name : str
    premises : tuple of Statement
    conclusion : Statement
    topic : str
        Which kind of question it is; groups the report.
    expected : RelationStatus
        What the documentation says; the tests hold it to that.
    remark : str
        What the answer means.
    """

    name: str
    premises: tuple[Statement, ...]
    conclusion: Statement
    topic: str
    expected: RelationStatus = RelationStatus.PROVED
    remark: str = field(default="", compare=False)


@dataclass(frozen=True)
class Result:
    """The answer to a question.

    Attributes
    ----------
    relation : Relation
    status : RelationStatus
        PROVED, REFUTED or UNDECIDED.
    counter_model : dict of str to Fraction
        Values where the premises hold and the conclusion fails (REFUTED only).
    seconds : float
    """

    relation: Relation
    status: RelationStatus
    counter_model: dict[str, Fraction]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "name": self.relation.name,
            "topic": self.relation.topic,
            "status": self.status.value,
            "premises": [p.formula() for p in self.relation.premises],
            "conclusion": self.relation.conclusion.formula(),
            "counter_model": {name: str(value) for name, value in self.counter_model.items()},
            "seconds": self.seconds,
            "remark": self.relation.remark,
        }

    def __str__(self) -> str:
        head = f"{self.status.value}: {self.relation.name} ({self.seconds:.2g} s)"
        if self.counter_model:
            head += "\n    counter-model: " + ", ".join(f"{n} = {_short(v)}" for n, v in self.counter_model.items())
        return head


def _short(value: Fraction) -> str:
    return str(value) if value.denominator < 1000 else f"{float(value):.6g}"


# ---------------------------------------------------------------------------------------------- the prover
def find_model(
    statements: Sequence[Statement], *, timeout: float = TIMEOUT, integers: bool = False
) -> tuple[Verdict, dict[str, Fraction]]:
    """Values that satisfy all statements.

    Parameters
    ----------
    statements : sequence of Statement
    timeout : float
        Seconds per call of z3.
    integers : bool
        Whether sizes (d, r, k, t, m, …) must be integers.

    Returns
    -------
    verdict : Verdict
        HOLDS with a model that was verified by `Statement.check`; FAILS when there provably is none; else UNDECIDED.
    model : dict of str to Fraction

    Notes
    -----
    Numbers of tasks, rows, features and steps are at least 1; r and k may be 0.
    """
    translation = Translation()
    z3 = translation.z3
    formulas = [s.to_z3(translation) for s in statements]
    for name, variable in list(translation.variables.items()):
        quantity = symbols.quantity(name)
        if quantity.kind == "size" and not quantity.zero_allowed:
            formulas.append(variable >= 1)
        if integers and quantity.integer:
            formulas.append(variable == z3.ToReal(z3.Int(f"{name}_integer")))
    for _ in range(ROUNDS):
        for make in (_nonlinear_solver, z3.Solver):
            solver = make() if make is z3.Solver else make(z3)
            if timeout < 1:
                # z3's clock can crash the process when it strikes within milliseconds; its count of steps cannot.
                solver.set("rlimit", max(1, int(1e6 * timeout)))
            else:
                solver.set("timeout", int(1000 * timeout))
            solver.add(*formulas, *translation.conditions)
            answer = solver.check()
            if answer != z3.unknown:
                break
        if answer == z3.unsat:
            return Verdict.FAILS, {}
        if answer != z3.sat:
            return Verdict.UNDECIDED, {}
        raw = solver.model()
        point = {name: _value(z3, raw, v) for name, v in translation.variables.items()}
        if all(v is not None for v in point.values()):
            model = {name: v for name, v in point.items() if v is not None}
            if _satisfies(statements, model):
                return Verdict.HOLDS, dict(sorted(model.items()))
        before = len(translation.conditions)
        for index, (argument, _) in enumerate(list(translation.logarithms)):
            at = _value(z3, raw, argument)
            if at is not None and at > 0:
                translation.sharpen(index, at)
        if len(translation.conditions) == before:
            break
    return Verdict.UNDECIDED, {}


def _nonlinear_solver(z3: Any) -> Any:
    """nlsat: complete for real arithmetic, and quick where the general solver gives up."""
    return z3.Tactic("qfnra-nlsat").solver()


def _value(z3: Any, model: Any, term: Any) -> Fraction | None:
    """A rational at, or very near, the model's value of a term."""
    value = model.eval(term, model_completion=True)
    if z3.is_algebraic_value(value):
        value = value.approx(20)
    if not z3.is_rational_value(value):
        return None
    return Fraction(value.numerator_as_long(), value.denominator_as_long())


def _satisfies(statements: Iterable[Statement], model: dict[str, Fraction]) -> bool:
    try:
        return all(s.check(model).verdict is Verdict.HOLDS for s in statements)
    except InvalidInput:  # outside a domain: an algebraic value rounded across its edge
        return False


def prove(relation: Relation, *, timeout: float = TIMEOUT) -> Result:
    """Ask z3 whether the premises imply the conclusion, over real sizes first, then over integer ones.

    Returns
    -------
    Result
        PROVED when premises ∧ ¬conclusion has no model; REFUTED with a model of it that `Statement.check` confirmed
        (with integer sizes where one was found).
    """
    start = time.perf_counter()
    question = (*relation.premises, ~relation.conclusion)
    verdict, model = find_model(question, timeout=timeout)
    if verdict is Verdict.HOLDS:
        # Sizes are integers: a counter-model with 1.03 tasks may not count, and is hard to picture.
        over_integers, better = find_model(question, timeout=timeout, integers=True)
        if over_integers is not Verdict.UNDECIDED:
            verdict, model = over_integers, better
    status = {
        Verdict.FAILS: RelationStatus.PROVED,
        Verdict.HOLDS: RelationStatus.REFUTED,
        Verdict.UNDECIDED: RelationStatus.UNDECIDED,
    }[verdict]
    return Result(relation, status, model, time.perf_counter() - start)


# ---------------------------------------------------------------------------------------------- facts
def _fact(name: str, lhs: Any, relation: Any, rhs: Any, meaning: str) -> Predicate:
    return Predicate(name, lhs, relation, rhs, "structure of the model, derived", Status.DERIVED, meaning=meaning)


#: True of every instance of the model in which each b has k non-zeros; premises of every question below.
FACTS: tuple[Statement, ...] = (
    _fact("rank at most d", r, "<=", d, "U has d rows."),
    _fact("sparsity at most d", k, "<=", d, "b has d entries."),
    _fact("rows of U at most 1", nu * r, "<=", d, "U is orthonormal, so its rows are at most 1 long."),
    _fact("use of coordinates", t * k, "<=", zeta * d, "t k non-zeros on d coordinates: some is used t k/d times."),
    _fact("use at most t", zeta, "<=", t, "A coordinate is used at most once per task."),
    _fact("visible rank at most rank", rank_visible, "<=", rank_W, "Fewer tasks span no more."),
    _fact("rank of W at most r", rank_W, "<=", r, "W has r columns."),
    Implies(
        "eigenvalue and rank",
        _fact("λ_r positive", lambda_r, ">", Integer(0), "λ_r > 0."),
        _fact("W of full rank", rank_W, ">=", r, "A positive smallest eigenvalue means full rank."),
    ),
    Implies(
        "Weyl",
        _fact("few tasks hide a row", zeta * mu * r, "<", t, "ζ terms of size at most μ λ_r against t λ_r/r."),
        _fact("visible part spans", rank_visible, ">=", rank_W, "λ_min(Σ_visible w wᵀ) ≥ tλ_r/r − ζμλ_r > 0."),
    ),
)


def premise(name: str, lhs: Any, relation: Any, rhs: Any) -> Predicate:
    free = sorted((sympy.sympify(lhs).free_symbols | sympy.sympify(rhs).free_symbols), key=str)
    constants = tuple(
        symbols.Constant(s.name, "larger-is-stronger") for s in free if symbols.quantity(s.name).kind == "constant"
    )
    return Predicate(name, lhs, relation, rhs, "premise of the question", Status.ASSUMED, constants)


def at_least(symbol: sympy.Symbol, value: Any) -> Predicate:
    return premise(f"{symbol} at least {value}", symbol, ">=", sympy.sympify(value))


#: Keeps d/δ ≥ 20, where ln(x)/x falls.
SMALL_DELTA = premise("δ at most 5 %", symbols.delta, "<=", Rational(1, 20))


# ---------------------------------------------------------------------------------------------- satisfiability
@dataclass(frozen=True)
class Witness:
    """Whether a theorem's assumptions can be met, and by how small an instance.

    Attributes
    ----------
    theorem : str
    verdict : Verdict
        HOLDS: met by ``sizes``. FAILS: the theorem is vacuous. UNDECIDED: z3 could not tell.
    sizes : dict of str to int
    smallest : bool
        Whether every smaller candidate was proved impossible (False when z3 gave up on one).
    seconds : float
    """

    theorem: str
    verdict: Verdict
    sizes: dict[str, int]
    smallest: bool
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "theorem": self.theorem,
            "verdict": self.verdict.value,
            "sizes": self.sizes,
            "smallest": self.smallest,
            "seconds": self.seconds,
        }


def satisfiability(theorem: Theorem, *, timeout: float = TIMEOUT) -> Witness:
    """Whether a theorem's assumptions can be met at all, and the smallest instance that meets them.

    Free constants are set to 1 and δ ≤ 1/20. *Smallest* is the least d, then t, then m, each found by bisection with
    the earlier ones fixed, among instances with r ≥ 1, and with k ≥ 1 unless the theorem forbids it.
    """
    start = time.perf_counter()
    assumed = theorem.with_constants(
        *(symbols.Constant(c.name, c.direction, 1.0, "cited", "set to 1") for c in theorem.constants if c.value is None)
    ).assumptions
    base: list[Statement] = [
        assumed,
        *FACTS,
        at_least(r, 1),
        premise("δ at most 5 %", symbols.delta, "<=", Rational(1, 20)),
    ]
    for c in assumed.constants:
        symbol, value = symbols.quantity(c.name).symbol, Rational(str(c.value))
        base += [premise(f"{c.name} fixed", symbol, ">=", value), premise(f"{c.name} fixed", symbol, "<=", value)]
    for sparse in ([at_least(k, 1)], []):
        verdict, model = find_model([*base, *sparse], timeout=timeout, integers=True)
        if verdict is not Verdict.FAILS:
            base += sparse
            break
    smallest = True
    if verdict is Verdict.HOLDS:
        for symbol in (d, t, m):
            low, high = 0, int(model.get(symbol.name, 1))
            while low + 1 < high:
                middle = (low + high) // 2
                bound = premise(f"{symbol} at most {middle}", symbol, "<=", Integer(middle))
                found, candidate = find_model([*base, bound], timeout=timeout, integers=True)
                if found is Verdict.HOLDS:
                    high, model = int(candidate.get(symbol.name, middle)), candidate
                else:
                    low, smallest = middle, smallest and found is Verdict.FAILS
            base.append(premise(f"{symbol} at most {high}", symbol, "<=", Integer(high)))
    sizes = {n: int(v) for n, v in model.items() if symbols.quantity(n).kind == "size"}
    return Witness(theorem.name, verdict, sizes, smallest, time.perf_counter() - start)
