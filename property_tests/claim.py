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
import hashlib
import importlib
import inspect
import json
import math
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lrs.errors import InvalidInput
from lrs.generate import InstanceSpec, generate
from lrs.model import LRSModel
from lrs.problem import Instance, Problem
from lrs.solver import Iterate, Solution, Traits

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
        if not 0 < self.p1 < 1:
            raise InvalidInput(f"p1: expected a probability in (0, 1), got {self.p1}")

    @property
    def p0(self) -> float:
        return 1.0

    @property
    def sentence(self) -> str:
        return "always"


Kind = AtLeast | Always


# ---------------------------------------------------------------------------------------------- configurations
#: Structured corners that an `InstanceSpec` cannot express: name → function of (instance, rng) to the changed instance.
#: Add with `structure`; the instance keeps its data law: y must again be X θ + noise.
STRUCTURES: dict[str, Callable[[Instance, np.random.Generator], Instance]] = {}


def structure(name: str) -> Callable[[Callable[[Instance, np.random.Generator], Instance]], Any]:
    """Register a structured corner under ``name`` (decorator)."""

    def add(change: Callable[[Instance, np.random.Generator], Instance]) -> Any:
        if name in STRUCTURES:
            raise InvalidInput(f"structure: {name!r} is registered twice")
        STRUCTURES[name] = change
        return change

    return add


def digest(*texts: str) -> str:
    """SHA-256 (hexadecimal) of the texts, each preceded by its length so that none runs into the next."""
    h = hashlib.sha256()
    for text in texts:
        data = text.encode()
        h.update(len(data).to_bytes(8, "big"))
        h.update(data)
    return h.hexdigest()


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Everything about a trial except its random numbers. Hypothesis picks these, and never a data seed.

    Parameters
    ----------
    spec : InstanceSpec
        Sizes, noise and the departures from the plain model.
    rank, sparsity : int, optional
        What the solver is told when it differs from the truth (over-specified r or k).
    structure : str
        Name in `STRUCTURES` of a corner that the spec cannot express; "" for none.
    slack : float
        Logarithmic depth inside the region this configuration was built at: 0 on the shell, negative outside.
    violates : str
        The one assumption broken on purpose, "" for none.
    extras : tuple of (name, value)
        Whatever else the claim needs (a factor, a number of added columns, …); names sorted.
    """

    spec: InstanceSpec
    rank: int | None = None
    sparsity: int | None = None
    structure: str = ""
    slack: float = 0.0
    violates: str = ""
    extras: tuple[tuple[str, int | float | str], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "extras", tuple(sorted((str(n), v) for n, v in self.extras)))
        if self.structure and self.structure not in STRUCTURES:
            raise InvalidInput(
                f"structure: no structure {self.structure!r}; known are {', '.join(sorted(STRUCTURES)) or 'none'}"
            )

    def __getitem__(self, name: str) -> Any:
        """A value of ``extras``."""
        return dict(self.extras)[name]

    def with_spec(self, **changes: Any) -> Configuration:
        """The same configuration with fields of ``spec`` replaced."""
        return replace(self, spec=replace(self.spec, **changes))

    # ------------------------------------------------------------------ text
    def to_dict(self) -> dict[str, Any]:
        """Plain values; defaults are left out so that a new field does not change old texts."""
        values = {n: v for n, v in self.spec.to_dict().items() if v != _SPEC_DEFAULTS.get(n, _REQUIRED)}
        out: dict[str, Any] = {"spec": values}
        for name in ("rank", "sparsity", "structure", "slack", "violates"):
            value = getattr(self, name)
            if value != type(self).__dataclass_fields__[name].default:
                out[name] = value
        if self.extras:
            out["extras"] = dict(self.extras)
        return out

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Configuration:
        """Inverse of `to_dict`."""
        values = dict(values)
        try:
            spec = InstanceSpec.from_dict(values.pop("spec"))
            extras = tuple(values.pop("extras", {}).items())
            return cls(spec=spec, extras=extras, **values)
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidInput(f"configuration: not a configuration ({error})") from None

    @cached_property
    def text(self) -> str:
        """Canonical text: JSON with sorted keys. Equal configurations have equal texts."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)

    @classmethod
    def parse(cls, text: str) -> Configuration:
        """Inverse of `text`."""
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise InvalidInput(f"configuration: not JSON ({error})") from None
        return cls.from_dict(values)

    @property
    def key(self) -> str:
        """Short name of the configuration: the first 16 hexadecimal digits of the SHA-256 of its text."""
        return digest(self.text)[:16]

    def __str__(self) -> str:
        s = self.spec
        parts = [f"t={s.t} m={s.m} d={s.d} r={s.r} k={s.k}"]
        parts += [f"{n}={v}" for n, v in self.to_dict()["spec"].items() if n not in ("t", "m", "d", "r", "k")]
        parts += [f"{n}={v}" for n, v in self.to_dict().items() if n not in ("spec", "extras")]
        parts += [f"{n}={v}" for n, v in self.extras]
        return " ".join(parts)

    # ------------------------------------------------------------------ data
    def seed(self, phase: str, replicate: int) -> tuple[int, ...]:
        """Key of the random streams of one trial, hashed from (phase, configuration, replicate)."""
        h = digest(phase, self.text)
        return (int(h[:15], 16), int(h[15:30], 16), int(replicate))

    def instance(self, phase: str, replicate: int) -> Instance:
        """The data of one trial; the same call gives the same data on any machine and in any order."""
        key = self.seed(phase, replicate)
        instance = generate(self.spec, key)
        if self.structure:
            instance = STRUCTURES[self.structure](instance, np.random.default_rng([*key, _STREAMS["structure"]]))
        if self.rank is not None or self.sparsity is not None:
            problem = instance.problem
            told = replace(
                problem,
                rank=problem.rank if self.rank is None else self.rank,
                sparsity=problem.sparsity if self.sparsity is None else self.sparsity,
            )
            instance = replace(instance, problem=told)
        return instance

    @property
    def size(self) -> tuple[int, ...]:
        """Smaller is the better witness: tasks and dimension first, then rows, rank, sparsity."""
        s = self.spec
        return (s.t * s.d, s.t * s.m, s.r, s.k, len(self.text))


_REQUIRED = object()
_SPEC_DEFAULTS = {
    n: f.default for n, f in InstanceSpec.__dataclass_fields__.items() if n not in ("t", "m", "d", "r", "k")
}
#: Streams of a trial besides those of `lrs.generate` (which are below 100); never renumber.
_STREAMS = {"structure": 100, "claim": 101, "solver": 102}


@dataclass(frozen=True)
class Depth:
    """How deep a configuration lies inside a region.

    Attributes
    ----------
    margin : float
        Smallest of ``parts``; ≥ 0 inside.
    parts : mapping of str to float
        The margin of each assumption (logarithmic where both sides are positive).
    """

    margin: float
    parts: Mapping[str, float] = field(default_factory=dict)

    @property
    def binding(self) -> str:
        """The assumption with the smallest margin."""
        return min(self.parts, key=lambda name: self.parts[name]) if self.parts else ""


class Region(Protocol):
    """Where the solver under test is held to its claims.

    Made by ``property_tests.strategies.region_for(solver, theorem)``: ``solver`` is the name or spec the user gave (its
    own calibrated constants are used where there are any, the reference's otherwise), ``theorem`` a name or None.
    Evidence is about a region: its name and repr enter the hash, so the repr must show the constants and no address.
    """

    @property
    def name(self) -> str: ...

    def depth(self, configuration: Configuration) -> Depth: ...


@dataclass(frozen=True)
class Everywhere:
    """The region without a boundary: for claims that no assumption limits, and for tests."""

    name: str = "everywhere"

    def depth(self, configuration: Configuration) -> Depth:
        return Depth(math.inf)


# ---------------------------------------------------------------------------------------------- what a check sees
class Fault(enum.Enum):
    """How a call can go wrong; the value is the sentence. Hard faults end the call, soft ones are noted beside it."""

    RAISED = "raises an exception"
    TIMEOUT = "does not answer within the time limit of a call"
    ITERATIONS = "does not stop at the iteration limit of a call"
    CRASHED = "kills its process"
    MISSING_PACKAGE = "needs a package that is not installed"
    NOT_A_SOLUTION = "does not return an lrs.Solution"
    WRONG_SHAPE = "returns parameters of the wrong shape"
    NOT_FINITE = "returns NaN or infinite parameters"
    # soft
    NOT_ORTHONORMAL = "returns a U whose columns are not orthonormal"
    TOO_DENSE = "returns a b with more than k non-zeros"
    INPUT_MODIFIED = "modifies its input"
    PRINTS = "prints"
    FORKS = "starts other processes"
    GLOBAL_RANDOM_STATE = "changes global random state"

    @property
    def hard(self) -> bool:
        return self not in _SOFT


_SOFT = {
    Fault.NOT_ORTHONORMAL,
    Fault.TOO_DENSE,
    Fault.INPUT_MODIFIED,
    Fault.PRINTS,
    Fault.FORKS,
    Fault.GLOBAL_RANDOM_STATE,
}


class SolverFault(Exception):
    """A hard fault of the solver. A check lets it pass through: the engine turns it into a failed outcome."""

    def __init__(self, fault: Fault, detail: str = "") -> None:
        super().__init__(f"{fault.value}: {detail}" if detail else fault.value)
        self.fault, self.detail = fault, detail


@dataclass(frozen=True, eq=False)
class Run:
    """One call of the solver.

    Attributes
    ----------
    problem : Problem
    solution : Solution
    trace : tuple of Iterate
        What the callback saw, copied; empty without the trait ``trace`` or with ``trace=False``.
    seconds, cpu_seconds : float
        Wall and processor time of the call in its worker.
    peak_bytes : int or None
        Largest amount of memory allocated by Python and NumPy during the call; measured with ``memory=True`` only.
    faults : mapping of Fault to str
        Soft faults and their details.
    """

    problem: Problem
    solution: Solution
    trace: tuple[Iterate, ...] = ()
    seconds: float = math.nan
    cpu_seconds: float = math.nan
    peak_bytes: int | None = None
    faults: Mapping[Fault, str] = field(default_factory=dict)

    @property
    def model(self) -> LRSModel:
        return self.solution.model


class Execute(Protocol):
    """Runs the solver under test; raises `SolverFault` on a hard fault."""

    def __call__(self, problem: Problem, seed: tuple[int, ...], *, trace: bool, memory: bool) -> Run: ...


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
    """

    configuration: Configuration
    phase: str
    replicate: int
    region: Region
    traits: Traits
    execute: Execute

    @cached_property
    def instance(self) -> Instance:
        """Problem and truth of this trial."""
        return self.configuration.instance(self.phase, self.replicate)

    @cached_property
    def rng(self) -> np.random.Generator:
        """For the claim's own draws (a permutation, a rotation, …)."""
        return np.random.default_rng([*self._key, _STREAMS["claim"]])

    @property
    def _key(self) -> tuple[int, ...]:
        return self.configuration.seed(self.phase, self.replicate)

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
        return self.execute(asked, (*self._key, _STREAMS["solver"], seed), trace=trace, memory=memory)


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
            if trait not in Traits.__dataclass_fields__:
                raise InvalidInput(f"traits: {self.name} asks for {trait!r}, which lrs.solver.Traits does not have")
        object.__setattr__(self, "requires", tuple(n for n in self.requires if n != self.name))

    @cached_property
    def hash(self) -> str:
        """SHA-256 of what the claim says and of the source of the module its check is written in.

        Evidence of an older text is not evidence for this one: a ledger resets when it changes.
        """
        module = inspect.getmodule(self.check)
        try:
            source = inspect.getsource(module if module is not None else self.check)
        except (OSError, TypeError):
            source = repr(self.check)
        return digest(self.name, self.statement, repr(self.kind), repr(self.inside), source)

    def missing_traits(self, traits: Traits) -> tuple[str, ...]:
        """The traits it needs and the solver does not have."""
        return tuple(name for name in self.traits if not getattr(traits, name))


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
    package = importlib.import_module("property_tests.claims")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
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
            raise InvalidInput(f"theorem: no claim names {theorem!r}; known are {', '.join(known) or 'none'}")
        chosen = [c for c in chosen if not c.theorems or theorem in c.theorems]
    if not chosen:
        raise InvalidInput(f"claims: no claim matches {pattern!r}; `lrs claims` lists them")
    return tuple(chosen)
