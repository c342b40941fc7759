"""What a claim is: the contract between the claims, the configurations they are tried on, and the engine that decides.

A claim is a pure function ``check(context) -> Outcome`` together with the sentence it stands for, its source, the
`Kind` of evidence that decides it, and a Hypothesis strategy of `Configuration`. Nothing here runs a solver: the engine
hands the check a `Context` whose ``run`` does, in a sandbox.

Names are ``subject/claim`` (``recovery/exact``), so that a glob selects a subject. A claim is about one family of problems,
or, as those of the subject ``conduct`` about the call itself (does it answer, does it print, …), about every family.

Examples
--------
>>> def below(context):
...     error = theta_error(context.run().model, context.instance.truth)
...     return Outcome.below("theta_error", error, 1e-10)
>>> register(
...     Claim(name="recovery/to-rounding", statement="…", cite="…", kind=AtLeast(0.95, 0.80),
...           configurations=lambda region: strategies.inside(region), check=below)
... )  # doctest: +SKIP

What “recovered” means is the family's default criterion, and nothing that a claim makes up:
``check=lambda context: context.recovered()``.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property, partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from lrs.core import streams, trial
from lrs.core.errors import InvalidInput
from lrs.core.family import LOW_RANK_SPARSE, Family, Success, Value, load_family
from lrs.core.identity import joint_digest
from lrs.core.registry import Registry, instance_of
from lrs.core.run import Fault, Run, Settings
from lrs.core.solver import Traits
from lrs.core.validate import hint, probability
from property_tests.examine.cell import Cell
from property_tests.examine.closure import closure, fingerprint
from property_tests.examine.configuration import Configuration, Region

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
    Verdict.CONFIRMED: "in every cell examined the lower bound of its probability reached p₁, at confidence 1 − β; of sizes "
    "not tried nothing is said",
    Verdict.REFUTED: "broken, with a witness; saying so of a solver that keeps it has probability at most α",
    Verdict.INCONCLUSIVE: "the budget was spent before the evidence sufficed either way",
    Verdict.NOT_APPLICABLE: "the solver says it does not do this",
    Verdict.BLOCKED: "rests on a claim that is refuted, or the solver does not answer on the plain model",
    Verdict.OUT_OF_SCOPE: "every configuration lay outside the region where the solver is held to it",
}


class Quantifier(enum.Enum):
    """Of what a claim's probability is spoken."""

    EVERY = "in every configuration"
    AVERAGE = "on average over the configurations"
    ALWAYS = "always"
    LAW = "as often as the law says"

    def hypothesis(self, kind: Kind) -> str:
        """What the evidence is about, in words."""
        p0, p1 = kind.p0, kind.p1
        return {
            Quantifier.EVERY: f"kept: every configuration succeeds with probability ≥ {p0:g}; broken: in some cell the "
            f"average over its configurations, or a configuration tried by itself after a failure, is at most {p1:g}",
            Quantifier.AVERAGE: f"kept: the average over the configurations of every cell is ≥ {p0:g}; broken: in some cell "
            f"it is at most {p1:g}",
            Quantifier.ALWAYS: f"kept: no trial ever fails; broken: a share of at least {1 - p1:.3g} of the trials fails",
            Quantifier.LAW: f"kept: in every configuration the success probability is the law's, up to {1 - p0:.3g}; broken: "
            f"it is {1 - p1:.3g} or more above the law everywhere, or below it everywhere",
        }[self]


def quantifier_of(kind: Kind) -> Quantifier:
    """A kind's own ``quantifier``; without one, always where p₀ = 1 and every configuration elsewhere."""
    found = getattr(kind, "quantifier", None)
    if isinstance(found, Quantifier):
        return found
    return Quantifier.ALWAYS if kind.p0 >= 1 else Quantifier.EVERY


# ---------------------------------------------------------------------------------------------- kinds of evidence
class Kind(Protocol):
    """What decides a claim: any object with these three, so that a family can bring kinds of its own.

    Optional: ``quantifier``, of what the probability is spoken (`quantifier_of`); ``alone``, whether trials run one at a time
    after everything else (measured time); ``envelope(first, step)``, the bound that a report draws beside the trace of an
    outcome; ``unsettled``, the verdict where every trial lay outside of what the claim speaks about (OUT_OF_SCOPE unless said);
    ``most``, counted trials that it may take whatever the budget; and ``tally(alpha, beta)``, which makes what counts the trials
    where `property_tests.examine.tally.Tally` does not fit: a subclass of it, usually with another ``_confirm``,
    ``log_e_refute`` or ``verdict``. Its repr is part of the claim's hash.
    """

    @property
    def sentence(self) -> str:
        """How often the check is ok when the claim holds, after its statement: “always”."""
        ...

    @property
    def p0(self) -> float:
        """Smallest probability that keeps the claim; at 1 a single counterexample refutes it."""
        ...

    @property
    def p1(self) -> float:
        """Largest probability that breaks it."""
        ...


def _check_kind(name: str, kind: Any) -> None:
    numbers = [getattr(kind, n, None) for n in ("p0", "p1")]
    real = all(isinstance(p, int | float) and not isinstance(p, bool) for p in numbers)
    if not isinstance(getattr(kind, "sentence", None), str) or not real or not 0 < numbers[1] < numbers[0] <= 1:  # type: ignore[operator]
        raise InvalidInput(
            f"kind: {name} is decided by {kind!r}; a kind has a sentence and numbers 0 < p1 < p0 ≤ 1 (as AtLeast has)"
        )


@dataclass(frozen=True)
class AtLeast:
    """In every configuration P(check is ok) ≥ p0, told apart from P ≤ p1; between the two either verdict or none may come."""

    p0: float = 0.95
    p1: float = 0.80

    def __post_init__(self) -> None:
        if not 0 < self.p1 < self.p0 < 1:
            raise InvalidInput(f"p0, p1: expected 0 < p1 < p0 < 1, got p0 = {self.p0}, p1 = {self.p1}")

    @property
    def sentence(self) -> str:
        return f"{quantifier_of(self).value} with probability ≥ {self.p0:g}"


@dataclass(frozen=True)
class OnAverage(AtLeast):
    """The same of the average over the configurations of a cell: single ones may fail more often."""

    quantifier: ClassVar[Quantifier] = Quantifier.AVERAGE


@dataclass(frozen=True)
class Rate(AtLeast):
    """Every trace is judged against the envelope C·ρ^t, then counted as `AtLeast`."""

    rho: float = 0.9
    C: float = 10.0

    @property
    def sentence(self) -> str:
        return f"error ≤ {self.C:g}·{self.rho:g}^t, {super().sentence}"

    def envelope(self, first: float, step: int) -> float:
        """The bound on the error after ``step`` steps."""
        return self.C * first * self.rho**step


@dataclass(frozen=True)
class Scaling(OnAverage):
    """A trial compares several sizes and is ok when the fitted exponent keeps its bound; counted as `AtLeast`."""

    @property
    def sentence(self) -> str:
        return f"exponent within its bound, {super().sentence}"


@dataclass(frozen=True)
class Timing(OnAverage):
    """Like `Scaling`, but of measured time: run alone, after everything else, never in parallel."""

    p0: float = 0.90
    p1: float = 0.50
    alone: ClassVar[bool] = True

    @property
    def sentence(self) -> str:
        return f"measured time within its bound, {super().sentence}"


@dataclass(frozen=True)
class Always:
    """One counterexample refutes; n = ⌈ln β / ln p1⌉ successes without failure bound how often it may be broken, by 1 − p1."""

    p1: float = 0.90

    def __post_init__(self) -> None:
        probability("p1", self.p1)

    @property
    def p0(self) -> float:
        return 1.0

    @property
    def sentence(self) -> str:
        return Quantifier.ALWAYS.value


# ---------------------------------------------------------------------------------------------- what a check sees
#: The default criterion of whatever family is judged.
DEFAULT = Success()


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
    execute: Callable[..., Run[Any]]
    nonce: str | None = None

    @property
    def family(self) -> Family:
        """The family of the problem."""
        return load_family(self.configuration.family)

    @cached_property
    def instance(self) -> Any:
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

    def run(
        self,
        problem: Any = None,
        *,
        seed: int = 0,
        trace: bool = True,
        memory: bool = False,
        settings: Mapping[str, Value] | None = None,
    ) -> Run[Any]:
        """Call the solver.

        Parameters
        ----------
        problem : optional
            Default: the instance's own.
        seed : int
            Which of the solver's random streams of this trial; the same number gives the same generator.
        trace : bool
            Record the iterates (the callback is None otherwise, as for timing).
        memory : bool
            Measure ``peak_bytes`` (slows the call).
        settings : mapping of str to value, optional
            Settings of the solver, those of its family (`lrs.core.family.Tunable`).

        Raises
        ------
        SolverFault
            On a hard fault. Let it pass.
        """
        asked = self.instance.problem if problem is None else problem
        # Only this hash enters the process of the solver.
        key = (streams.key("trial/solver", *self.key, seed),)
        set_ = {} if settings is None else {"settings": Settings(self.configuration.spec, settings)}
        return self.execute(asked, key, trace=trace, memory=memory, **set_)

    def outcome(
        self, run: Run[Any] | None = None, *, instance: Any = None, success: Success = DEFAULT
    ) -> trial.Outcome:
        """How a call ended, judged as a trial of a sweep or a calibration is (`lrs.core.trial`).

        Parameters
        ----------
        run : Run, optional
            Default: a call with the instance's own problem.
        instance : optional
            What it was asked about; default: that of this trial.
        success : Success
            Default: the family's default criterion.
        """
        run = self.run() if run is None else run
        asked = self.instance if instance is None else instance
        return trial.outcome_of(self.family, asked, run, success.of(self.family))

    def recovered(self, run: Run[Any] | None = None, *, instance: Any = None, success: Success = DEFAULT) -> Outcome:
        """Ok iff `outcome` says recovered. The margin is that of the family's first error on the side that this decides."""
        found = self.outcome(run, instance=instance, success=success)
        name, error = next(iter(found.errors.items()))
        bound = found.success.tolerance
        margin = Outcome.below(name, error, bound).margin
        values = {**found.errors, "tolerance": bound}
        if found.recovered:
            return Outcome(True, max(0.0, margin), values=values)
        note = f"{found.ended.value}: {name} = {error:.3g}"
        if found.success != DEFAULT.of(self.family):  # the default stands above every report
            note += f"; recovered: {found.success.sentence(self.family)}"
        return Outcome(False, min(margin, -np.finfo(float).tiny), note, values)


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
    kind : AtLeast, Rate, Scaling, Timing, Always or another `Kind`
    families : tuple of str or None
        Names of the families it is about; None: every family.
    configurations : callable
        ``configurations(region)`` is the Hypothesis strategy of the configurations to try: valid by construction.
    check : callable
        ``check(context) -> Outcome``.
    theorems : tuple of str
        Names of the theorems that promise it (``--theorem``); empty: part of every run.
    traits : tuple of str
        Words of its families that the solver must say of itself; NOT_APPLICABLE otherwise.
    requires : tuple of str
        Names of claims it rests on; BLOCKED when one of them is REFUTED.
    inside : bool
        Whether configurations outside the region are OUT_OF_SCOPE. False for claims no assumption limits and for
        those that break an assumption on purpose.
    calls : float
        Solver calls per trial, roughly: plans the budget.
    ladder : callable, optional
        ``ladder(region, budget)`` are the cells (`Cell`) it is decided in besides ``configurations``, ``budget`` being a name.
        Claims with the same ladder are tried on the same data, and share each answer.
    """

    name: str
    statement: str
    cite: str
    kind: Kind
    configurations: Callable[[Region], SearchStrategy[Configuration]]
    check: Callable[[Context], Outcome]
    families: tuple[str, ...] | None = (LOW_RANK_SPARSE,)
    theorems: tuple[str, ...] = ()
    traits: tuple[str, ...] = ()
    requires: tuple[str, ...] = ("conduct/answers",)
    inside: bool = True
    calls: float = 1.0
    ladder: Callable[[Region, str], Sequence[Cell]] | None = None

    def __post_init__(self) -> None:
        subject, _, rest = self.name.partition("/")
        if not subject or not rest or any(c.isspace() for c in self.name):
            raise InvalidInput(f"name: {self.name!r} is not of the form subject/claim")
        if isinstance(self.families, str):
            object.__setattr__(self, "families", (self.families,))
        _check_kind(self.name, self.kind)
        object.__setattr__(self, "requires", tuple(n for n in self.requires if n != self.name))

    @cached_property
    def hash(self) -> str:
        """SHA-256 of what the claim says and of all the code its trials rest on (`property_tests.examine.closure`).

        That is the code of its check and of its configurations, of how a trial is run, and of whatever these import.
        Evidence of older code is not evidence for this one: a ledger resets when it changes.
        """
        functions = [_plain(f) for f in (self.check, self.configurations, self.ladder) if f is not None]
        # The worker is started by name and imported by nobody.
        trials = ("property_tests.examine.bench", "lrs.isolation.worker")
        code = fingerprint(*trials, *sorted({f.__module__ for f in functions}))
        # What has no file (a notebook) is known by its text.
        texts = [_text(f) for f in functions if f.__module__ not in closure(f.__module__)]
        return joint_digest(self.name, self.statement, repr(self.kind), repr(self.inside), code, *texts)

    def missing_traits(self, traits: Traits) -> tuple[str, ...]:
        """The traits it needs and the solver does not have."""
        return tuple(name for name in self.traits if not getattr(traits, name))

    def is_about(self, family: str) -> bool:
        """Whether it speaks about the solvers of this family."""
        return self.families is None or family in self.families

    def check_family(self, family: Family) -> None:
        """Refuse a claim that is about other families, or asks for a word this one does not have."""
        if not self.is_about(family.name):
            of = " and ".join(self.families or ())
            raise InvalidInput(f"claims: {self.name} is about {of}, and this run is of {family.name}")
        for trait in self.traits:
            if trait not in family.traits:
                raise InvalidInput(
                    f"traits: {self.name} asks for {trait!r}, which the family {family.name} does not have; known are "
                    f"{', '.join(family.traits) or 'none'}"
                )


#: Modules that `register` their claims when they are imported, from the entry-point group ``lrs.claims``.
CLAIMS: Registry[ModuleType] = Registry(
    "lrs.claims", "claims", instance_of(ModuleType, "claims", "a module that registers its claims")
)

_REGISTRY: list[Claim] = []


def register(claim: Claim) -> Claim:
    """Add a claim to the manifest; a second one of the same name about the same family is refused."""
    for other in _REGISTRY:
        shared = claim.families is None or other.families is None or set(claim.families) & set(other.families)
        if other.name == claim.name and shared:
            raise InvalidInput(f"claim: {claim.name!r} is registered twice")
    _REGISTRY.append(claim)
    return claim


def claims(
    pattern: str = "*", *, theorem: str | None = None, family: str | Family = LOW_RANK_SPARSE
) -> tuple[Claim, ...]:
    """The manifest: every claim about a family, in an order in which each comes after those it requires.

    Parameters
    ----------
    pattern : str
        Globs over names, separated by commas.
    theorem : str, optional
        Only the claims that this theorem promises, and those every run has.
    family : str or Family
        Whose claims.

    Raises
    ------
    InvalidInput
        When nothing matches, what matches is about another family, or a claim requires an unknown one.
    """
    known_family = load_family(family)
    for name in CLAIMS:
        CLAIMS.load(name)
    for module in getattr(known_family, "claims", ()):
        _import(module)
    manifest = {c.name: c for c in _REGISTRY if c.is_about(known_family.name)}
    for c in manifest.values():
        c.check_family(known_family)
        for needed in c.requires:
            if needed not in manifest:
                raise InvalidInput(f"claim: {c.name} requires {needed!r}, which is not registered")
    ordered: dict[str, Claim] = {}

    def place(name: str, above: tuple[str, ...] = ()) -> None:
        if name in above:
            raise InvalidInput(f"claim: {' → '.join((*above, name))} require each other")
        for needed in manifest[name].requires:
            place(needed, (*above, name))
        ordered.setdefault(name, manifest[name])

    for name in sorted(manifest):
        place(name)
    globs = [p.strip() for p in pattern.split(",") if p.strip()]
    chosen = [c for c in ordered.values() if any(fnmatchcase(c.name, g) for g in globs)]
    if theorem is not None:
        known = sorted({name for c in ordered.values() for name in c.theorems})
        if theorem not in known:
            raise InvalidInput(f"theorem: no claim names {theorem!r}; {hint(theorem, known)}")
        chosen = [c for c in chosen if not c.theorems or theorem in c.theorems]
    if not chosen:
        for c in _REGISTRY:
            if any(fnmatchcase(c.name, g) for g in globs):
                c.check_family(known_family)
        raise InvalidInput(f"claims: no claim matches {pattern!r}; `lrs claims` lists them")
    return tuple(chosen)


def _import(module: str) -> None:
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise InvalidInput(f"claims: the module {module!r} of the family does not import ({error})") from None
