"""What a family of problems is: the members that everything above it speaks to, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from lrs.core.criterion import TOLERANCE, Criterion
from lrs.core.parameter import Parameter, Setting, Value


class Spec(Protocol):
    """What an instance is drawn from: a frozen, hashable value."""

    def to_dict(self) -> dict[str, Any]:
        """Every parameter, as JSON stores it."""

    @property
    def size(self) -> tuple[int, ...]:
        """Smaller is the better counterexample."""


@runtime_checkable
class Instance(Protocol):
    """A problem together with its truth; only a checker holds one."""

    @property
    def problem(self) -> Any: ...
    @property
    def truth(self) -> Any: ...


@runtime_checkable
class Family(Protocol):
    """What a family says of itself.

    Attributes
    ----------
    name, title : str
        Its identity (kebab-case) and what people call it.
    note : str
        A sentence about its parameters for help texts, or nothing.
    version : int
        Of what `pack` gives; `unpack` reads every older one.
    parameters : mapping of str to Parameter
        Of a specification, in the order in which they are listed.
    errors_of : mapping of str to str
        Names of the errors `errors` gives and what each is, in words; the first is the one that a trace follows. The
        columns of a journal.
    criteria : mapping of str to Criterion
        The first is the default.
    traits : mapping of str to (str, bool)
        What a solver may say of itself: the word, its meaning and its default. A word that is a theorem's name, with
        underscores, says that the solver is meant to keep it; ``lrs verify --theorem`` holds it to that anyway.
    example : mapping
        A small specification, of which the registration draws.
    theorems : mapping of str to str
        Name under which it is registered → one phrase; the first is the one that is meant when none is named.
    limits : mapping of str to str
        Name → ``module:attribute`` of a function of quantities, by keyword: how much of the nested parameter is needed.
    overlays : mapping of str to str, optional
        The same for lines that a recovery map may show; default: ``limits``.
    mapped : str, optional
        Name of the theorem whose region, over the family's parameters, is the overlay ``theorem`` of its maps.
    scaling : str, optional
        ``module:attribute`` of what ``lrs scaling`` compares a law with (`theory.language.reference.Reference`); default: the
        required sizes and the overlays.
    regions : str, optional
        ``module:attribute`` of the region where its solvers are held to their claims, or of a function
        ``(solver, theorem) -> region``; without it `lrs verify` has nowhere to draw problems.
    tried : str, optional
        ``module:attribute`` of a function ``(region, *, inside) -> strategy``: the configurations, inside the region or of
        any kind, that claims about every family are tried on; without it they are what the region draws.
    mutants : str, optional
        ``module:attribute`` of a mapping of names to `property_tests.examine.mutant.Mutant`: the broken solvers that
        ``lrs verify --mutants`` checks the claims with.
    claims : sequence of str, optional
        Modules that register claims about it, besides those of the entry-point group ``lrs.claims``.
    """

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def note(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def parameters(self) -> Mapping[str, Parameter]: ...
    @property
    def errors_of(self) -> Mapping[str, str]: ...
    @property
    def criteria(self) -> Mapping[str, Criterion]: ...
    @property
    def traits(self) -> Mapping[str, tuple[str, bool]]: ...
    @property
    def example(self) -> Mapping[str, Value]: ...
    @property
    def theorems(self) -> Mapping[str, str]: ...
    @property
    def limits(self) -> Mapping[str, str]: ...

    def spec(self, **values: Any) -> Any:
        """A specification; raises `InvalidInput` where no such instance exists."""

    def draw(self, spec: Any, key: Sequence[int]) -> Any:
        """The instance of a specification and the key of its random streams."""

    def restrict(self, instance: Any, name: str, value: int) -> Any:
        """The same instance at a smaller value of a nested parameter."""

    def errors(self, answer: Any, instance: Any, *, tolerance: float = TOLERANCE) -> Mapping[str, float]:
        """Every error of ``errors_of``."""

    def quantities(self, subject: Any) -> Mapping[str, float]:
        """Values of the symbols of the theory, of a specification, a problem or an instance."""

    def audit(self, problem: Any, answer: Any) -> Mapping[str, str]:
        """What is wrong with an answer, whatever the truth: name of a `lrs.core.run.Fault` → detail."""

    def pack(self, value: Any) -> dict[str, Any]:
        """A problem, an answer or an instance as plain values: arrays, numbers, words, None, and lists and mappings of these."""

    def unpack(self, packed: Mapping[str, Any]) -> Any:
        """Inverse of `pack`, on arrays of its own."""

    def cost(self, spec: Any) -> float:
        """What a pass over the data costs, up to a factor."""


@runtime_checkable
class Tunable(Protocol):
    """What a family has besides when its solvers have parameters that a study may set."""

    @property
    def settings(self) -> Mapping[str, Setting]: ...

    def configure(self, solver: Any, spec: Any, rng: np.random.Generator, **values: Value) -> Any:
        """The solver with these settings for problems of a specification; as it is when it takes none."""


@runtime_checkable
class InParts(Protocol):
    """What a family has besides when an answer has parts that can be wrong one by one."""

    @property
    def parts(self) -> Mapping[str, str]:
        """Name of a part → its letter in a picture."""

    def wrong_part(self, errors: Mapping[str, float]) -> str:
        """The part that a failure with these errors is put down to."""


def settings_of(family: Family) -> Mapping[str, Setting]:
    """What a study may set of the family's solvers; mostly nothing."""
    return family.settings if isinstance(family, Tunable) else {}
