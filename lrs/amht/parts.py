"""What a part of the solver looks like, and whether the parts of a choice fit together."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from lrs.amht.compression import Samples
from lrs.amht.driver import Run, State
from lrs.amht.schedule import Bounds
from lrs.core.errors import InvalidInput


@runtime_checkable
class SparseStep(Protocol):
    """b of every task with U fixed: returns the state with another ``fit``.

    The first call of a run has ``state.level`` infinite and nothing fitted. A part whose fit holds the weights for the
    new supports too (`lrs.amht.matching.Matching`) needs no `WeightStep`.
    """

    def __call__(self, samples: Samples, state: State, /) -> State: ...


@runtime_checkable
class WeightStep(Protocol):
    """w of every task with U and the supports fixed: returns the state with another ``fit``."""

    def __call__(self, samples: Samples, state: State, /) -> State: ...


@runtime_checkable
class SubspaceStep(Protocol):
    """U with w and b fixed or eliminated: returns the state with another ``U``, of orthonormal columns."""

    def __call__(self, samples: Samples, state: State, /) -> State: ...


@runtime_checkable
class Restarts(Protocol):
    """Other supports for tasks that stay unexplained; at most ``most`` tries each where the run is not over yet."""

    def __call__(self, run: Run, state: State, most: int | None, /) -> State: ...


@runtime_checkable
class Polish(Protocol):
    """What is done to the answer when the data stay unexplained, which noise makes them."""

    def __call__(self, run: Run, state: State, /) -> State: ...


class PlainFit(NamedTuple):
    """What every task has fitted where b and w are found by turns.

    Attributes
    ----------
    W : (t, r), B : (t, d) with its zeros
    first_rms : (t,) array
        ‖y_i − X_iθ⁽ⁱ⁾‖/√m_i before the first step.
    thresholds : (t, s) array, optional
        Δ of every task and inner step of the last outer step.
    bounds : Bounds, optional
        What the last Δ came from.
    """

    W: Float[np.ndarray, "t r"]
    B: Float[np.ndarray, "t d"]
    first_rms: Float[np.ndarray, " t"]
    thresholds: Float[np.ndarray, "t s"] | None = None
    bounds: Bounds | None = None


_SIGNATURES = {
    "sparse": "(samples, state) -> State",
    "weights": "(samples, state) -> State",
    "subspace": "(samples, state) -> State",
    "schedule": "(progress) -> Bounds",
    "restarts": "(run, state, most) -> State",
    "polish": "(run, state) -> State",
}


def described(solver: Any) -> str:
    """The repr of a dataclass without the parts left as they are."""
    left = {"sparse", "weights", "subspace", "schedule", "polish"}
    shown = ((f.name, getattr(solver, f.name)) for f in fields(solver))
    told = (f"{name}={value!r}" for name, value in shown if value is not None or name not in left)
    return f"{type(solver).__name__}({', '.join(told)})"


def check_parts(**parts: Callable[..., Any] | None) -> None:
    """Refuse a part that is not called as its step is, and one that works on another kind of fit than the sparse step.

    A part says in an attribute ``works_on`` which kind of fit it takes and gives; one that says nothing takes any.

    Raises
    ------
    InvalidInput
        With the part's name, and the signature expected or the parts that go together.
    """
    for name, part in parts.items():
        if part is None:
            continue
        expected = f"{name}: expected a callable {name}{_SIGNATURES[name]}"
        if inspect.isclass(part):
            raise InvalidInput(f"{expected}, got the class {part.__name__}; pass an instance, {part.__name__}(…)")
        if not callable(part):
            raise InvalidInput(f"{expected}, got {part!r}")
        try:
            inspect.signature(part).bind(*_SIGNATURES[name][1:].split(")")[0].split(", "))
        except TypeError as error:
            raise InvalidInput(f"{expected}, but {part!r} does not take these arguments: {error}") from None
    sparse = parts["sparse"]
    kind = getattr(sparse, "works_on", None)
    for name, part in parts.items():
        other = getattr(part, "works_on", kind)
        if kind is not None and other is not None and other is not kind:
            raise InvalidInput(
                f"{name}: {type(part).__name__} works on a {other.__name__}, but sparse={type(sparse).__name__} gives a "
                f"{kind.__name__}; exchange both"
            )
