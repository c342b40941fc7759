"""What a claim is: the contract between the claims, the configurations they are tried on, and the engine that decides.

A claim is a pure function ``check(context) -> Outcome`` together with the sentence it stands for, its source, the
`Kind` of evidence that decides it, and a Hypothesis strategy of `Configuration`. Nothing here runs a solver: the engine
hands the check a `Context` whose ``run`` does, in a sandbox.

Names are ``subject/claim`` (``recovery/exact``), so that a glob selects a subject. The claims of the subject ``conduct``
are about the call itself (does it answer, does it print, …) and are written with the sandbox.

Examples
--------
>>> def recovers(context):
...     run = context.run()
...     error = theta_error(run.model, context.instance.truth)
...     return Outcome.below("theta_error", error, 1e-6)
>>> register(
...     Claim(name="recovery/exact", statement="…", cite="…", kind=AtLeast(0.95, 0.80),
...           configurations=lambda region: strategies.inside(region), check=recovers)
... )  # doctest: +SKIP
"""

from __future__ import annotations

import enum
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property, partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lrs.core import streams
from lrs.core.family import load_family
from lrs.core.identity import joint_digest
from lrs.core.registry import Registry, instance_of
from lrs.core.run import Fault, Run
from lrs.core.validate import hint, probability
from lrs.errors import InvalidInput
from lrs.problem import Instance, Problem
from lrs.solver import Traits
from property_tests.closure import closure, fingerprint
from property_tests.configuration import Configuration, Region

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


class Verdict(enum.Enum):
    """What is said about a claim."""

    CONFIRMED = "CONFIRMED"
    REFUTED = "REFUTED"
    INCONCLUSIVE = "INCONCLUSIVE"
    NOT_APPLICABLE = "NOT_APPLICABLE"
    BLOCKED = "BLOCKED"
    OUT_OF_SCOPE = "OUT_OF_SCOPE"

    @property
    def sentence(self) -> str:
        """What the word means, for a reader who meets it for the first time."""
        return _MEANING[self]


_MEANING = {
    Verdict.CONFIRMED: "holds; saying so of a solver that breaks it has probability at most β",
    Verdict.REFUTED: "broken, with a witness; saying so of a solver that keeps it has probability at most α",
    Verdict.INCONCLUSIVE: "the budget was spent before the evidence sufficed either way",
    Verdict.NOT_APPLICABLE: "the solver says it does not do this",
    Verdict.BLOCKED: "rests on a claim that is refuted",
    Verdict.OUT_OF_SCOPE: "every configuration lay outside the region where the solver is held to it",
}


# ---------------------------------------------------------------------------------------------- kinds of evidence
@dataclass(frozen=True)
class AtLeast:
    """P(check is ok) ≥ p0, told apart from P ≤ p1; between the two either verdict or none may come."""

    p0: float = 0.95
    p1: float = 0.80

    def __post_init__(self) -> None:
        if not 0 < self.p1 < self.p0 < 1:
            raise InvalidInput(f"p0, p1: expected 0 < p1 < p0 < 1, got p0 = {self.p0}, p1 = {self.p1}")

    @property
    def sentence(self) -> str:
        return f"with probability ≥ {self.p0:g}"


@dataclass(frozen=True)
class Rate(AtLeast):
    """Every trace is judged against the envelope C·ρ^t, then counted as `AtLeast`."""

    rho: float = 0.9
    C: float = 10.0

    @property
    def sentence(self) -> str:
        return f"error ≤ {self.C:g}·{self.rho:g}^t, {super().sentence}"


@dataclass(frozen=True)
class Scaling(AtLeast):
    """A trial compares several sizes and is ok when the fitted exponent keeps its bound; counted as `AtLeast`."""

    @property
    def sentence(self) -> str:
        return f"exponent within its bound, {super().sentence}"


@dataclass(frozen=True)
class Timing(AtLeast):
    """Like `Scaling`, but of measured time: run alone, after everything else, never in parallel."""

    p0: float = 0.90
    p1: float = 0.50

    @property
    def sentence(self) -> str:
        return f"measured time within its bound, {super().sentence}"


@dataclass(frozen=True)
class Always:
    """One counterexample refutes; n successes without failure confirm that P > p1, n = ⌈ln β / ln p1⌉."""

    p1: float = 0.90

    def __post_init__(self) -> None:
        probability("p1", self.p1)

    @property
    def p0(self) -> float:
        return 1.0

    @property
    def sentence(self) -> str:
        return "always"


Kind = AtLeast | Always


# ---------------------------------------------------------------------------------------------- what a check sees
class Execute(Protocol):
    """Runs the solver under test; raises `SolverFault` on a hard fault."""

    def __call__(self, problem: Any, seed: tuple[int, ...], *, trace: bool, memory: bool) -> Run[Any]: ...


@dataclass(frozen=True, eq=False)
class Context:
    """What a check sees of one trial.

    Attributes
    ----------
    configuration : Configuration
    phase : str
    replicate : int
    region : Region
    traits : Traits
        Of the solver under test.
    execute : callable
        Use `run` instead.
    nonce : str, optional
        Secret of the run, part of the key of the data.
    """

    configuration: Configuration
    phase: str
    replicate: int
    region: Region
    traits: Traits
    execute: Execute
    nonce: str | None = None

    @cached_property
    def instance(self) -> Instance:
        """Problem and truth of this trial."""
        return self.configuration.instance(self.phase, self.replicate, self.nonce)

    @cached_property
    def rng(self) -> np.random.Generator:
        """For the claim's own draws (a permutation, a rotation, …)."""
        return streams.generator("trial/claim", *self.key)

    @property
    def key(self) -> tuple[int]:
        """Key of the data, for a claim that draws more of them; it never reaches the solver."""
        return self.configuration.seed(self.phase, self.replicate, self.nonce)

    def run(self, problem: Problem | None = None, *, seed: int = 0, trace: bool = True, memory: bool = False) -> Run:
        """Call the solver.

        Parameters
        ----------
        problem : Problem, optional
            Default: the instance's own.
        seed : int
            Which of the solver's random streams of this trial; the same number gives the same generator.
        trace : bool
            Record the iterates (the callback is None otherwise, as for timing).
        memory : bool
            Measure ``peak_bytes`` (slows the call).

        Raises
        ------
        SolverFault
            On a hard fault. Let it pass.
        """
        asked = self.instance.problem if problem is None else problem
        # Only this hash enters the process of the solver.
        return self.execute(asked, (streams.key("trial/solver", *self.key, seed),), trace=trace, memory=memory)


@dataclass(frozen=True)
class Outcome:
    """What a check found in one trial.

    Parameters
    ----------
    ok : bool
    margin : float
        Distance from failing, ≥ 0 iff ok; comparable within one claim. Exploration looks for small margins.
    note : str
        One sentence for a failed trial.
    values : mapping of str to float
        The sub-expressions that were compared, printed with a witness.
    curve : tuple of float
        An error trace e₀, e₁, … to draw.
    in_scope : bool
        False when the drawn instance turns out to lie outside what the claim speaks about; such a trial is shown and
        not counted. It must not depend on the solver's answer.
    fault : Fault, optional
        Set by the engine when the call itself failed.
    """

    ok: bool
    margin: float = math.nan
    note: str = ""
    values: Mapping[str, float] = field(default_factory=dict)
    curve: tuple[float, ...] = ()
    in_scope: bool = True
    fault: Fault | None = None

    @classmethod
    def below(cls, name: str, value: float, bound: float, **rest: Any) -> Outcome:
        """Ok iff ``value ≤ bound``; the margin is ln(bound/value), and the note says both."""
        value, bound = float(value), float(bound)
        ok = bool(value <= bound)
        if not math.isfinite(value):
            margin = -math.inf
        elif value > 0 and bound > 0:
            margin = math.log(bound / value)
        else:
            margin = bound - value
        note = rest.pop("note", "") or ("" if ok else f"{name} = {value:.3g} exceeds {bound:.3g}")
        values = {name: value, "bound": bound, **rest.pop("values", {})}
        return cls(ok, margin, note, values, **rest)

    @classmethod
    def all(cls, outcomes: Iterable[Outcome]) -> Outcome:
        """The outcome with the smallest margin, with the values of all."""
        items = list(outcomes)
        worst = min(items, key=lambda o: (o.ok, o.margin if math.isfinite(o.margin) else -math.inf))
        values: dict[str, float] = {}
        for o in reversed(items):
            values.update(o.values)
        return replace(worst, values={**values, **worst.values})


# ---------------------------------------------------------------------------------------------- claims
def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """What a `functools.partial` calls."""
    return _plain(function.func) if isinstance(function, partial) else function


def _text(function: Callable[..., Any]) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return getattr(function, "__qualname__", type(function).__qualname__)


@dataclass(frozen=True, kw_only=True, eq=False)
class Claim:
    """A property that a solver keeps or breaks.

    Parameters
    ----------
    name : str
        ``subject/claim``.
    statement : str
        One sentence that a reader understands without the code.
    cite : str
        Where it comes from, with the label of its status ([S] stated, [D] derived, [M] remembered, …).
    kind : AtLeast, Rate, Scaling, Timing or Always
    configurations : callable
        ``configurations(region)`` is the Hypothesis strategy of the configurations to try: valid by construction.
    check : callable
        ``check(context) -> Outcome``.
    theorems : tuple of str
        Names of the theorems that promise it (``--theorem``); empty: part of every run.
    traits : tuple of str
        Fields of `lrs.solver.Traits` that must be set; NOT_APPLICABLE otherwise.
    requires : tuple of str
        Names of claims it rests on; BLOCKED when one of them is REFUTED.
    inside : bool
        Whether configurations outside the region are OUT_OF_SCOPE. False for claims no assumption limits and for
        those that break an assumption on purpose.
    calls : float
        Solver calls per trial, roughly: plans the budget.
    """

    name: str
    statement: str
    cite: str
    kind: Kind
    configurations: Callable[[Region], SearchStrategy[Configuration]]
    check: Callable[[Context], Outcome]
    theorems: tuple[str, ...] = ()
    traits: tuple[str, ...] = ()
    requires: tuple[str, ...] = ("conduct/answers",)
    inside: bool = True
    calls: float = 1.0

    def __post_init__(self) -> None:
        subject, _, rest = self.name.partition("/")
        if not subject or not rest or any(c.isspace() for c in self.name):
            raise InvalidInput(f"name: {self.name!r} is not of the form subject/claim")
        for trait in self.traits:
            if trait not in load_family().traits:
                raise InvalidInput(f"traits: {self.name} asks for {trait!r}, which its family does not have")
        object.__setattr__(self, "requires", tuple(n for n in self.requires if n != self.name))

    @cached_property
    def hash(self) -> str:
        """SHA-256 of what the claim says and of all the code its trials rest on (`property_tests.closure`).

        That is the code of its check and of its configurations, of how a trial is run, and of whatever these import.
        Evidence of older code is not evidence for this one: a ledger resets when it changes.
        """
        functions = [_plain(f) for f in (self.check, self.configurations)]
        code = fingerprint("property_tests.bench", *sorted({f.__module__ for f in functions}))
        # What has no file (a notebook) is known by its text.
        texts = [_text(f) for f in functions if f.__module__ not in closure(f.__module__)]
        return joint_digest(self.name, self.statement, repr(self.kind), repr(self.inside), code, *texts)

    def missing_traits(self, traits: Traits) -> tuple[str, ...]:
        """The traits it needs and the solver does not have."""
        return tuple(name for name in self.traits if not getattr(traits, name))


#: Modules that `register` their claims when they are imported, from the entry-point group ``lrs.claims``.
CLAIMS: Registry[ModuleType] = Registry(
    "lrs.claims", "claims", instance_of(ModuleType, "claims", "a module that registers its claims")
)

_REGISTRY: dict[str, Claim] = {}


def register(claim: Claim) -> Claim:
    """Add a claim to the manifest; a second one of the same name is refused."""
    if claim.name in _REGISTRY:
        raise InvalidInput(f"claim: {claim.name!r} is registered twice")
    _REGISTRY[claim.name] = claim
    return claim


def claims(pattern: str = "*", *, theorem: str | None = None) -> tuple[Claim, ...]:
    """The manifest: every registered claim, in an order in which each comes after those it requires.

    Parameters
    ----------
    pattern : str
        Globs over names, separated by commas.
    theorem : str, optional
        Only the claims that this theorem promises, and those every run has.

    Raises
    ------
    InvalidInput
        When nothing matches, or a claim requires an unknown one.
    """
    for name in CLAIMS:
        CLAIMS.load(name)
    for c in _REGISTRY.values():
        for needed in c.requires:
            if needed not in _REGISTRY:
                raise InvalidInput(f"claim: {c.name} requires {needed!r}, which is not registered")
    ordered: dict[str, Claim] = {}

    def place(name: str, above: tuple[str, ...] = ()) -> None:
        if name in above:
            raise InvalidInput(f"claim: {' → '.join((*above, name))} require each other")
        for needed in _REGISTRY[name].requires:
            place(needed, (*above, name))
        ordered.setdefault(name, _REGISTRY[name])

    for name in sorted(_REGISTRY):
        place(name)
    globs = [p.strip() for p in pattern.split(",") if p.strip()]
    chosen = [c for c in ordered.values() if any(fnmatchcase(c.name, g) for g in globs)]
    if theorem is not None:
        known = sorted({name for c in ordered.values() for name in c.theorems})
        if theorem not in known:
            raise InvalidInput(f"theorem: no claim names {theorem!r}; {hint(theorem, known)}")
        chosen = [c for c in chosen if not c.theorems or theorem in c.theorems]
    if not chosen:
        raise InvalidInput(f"claims: no claim matches {pattern!r}; `lrs claims` lists them")
    return tuple(chosen)
