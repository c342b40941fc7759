"""A family in few lines: a base class with all members of `lrs.core.family.Family` that its parameters already say.

For families whose answer is an array and whose problem is a dataclass of arrays, numbers and words. Left to say are name,
title, parameters, an example, ``errors_of``, ``spec`` and ``Problem`` (two dataclasses), ``draw`` and ``errors``. Whatever is
said instead of a member here counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from lrs.core.criterion import Criterion


@dataclass(frozen=True)
class PlainSpec:
    """Base of a specification: a frozen dataclass with one field a parameter."""

    to_dict = asdict

    @property
    def size(self) -> tuple[int, ...]:
        """The product of the whole numbers that are not 0, then each of them."""
        whole = tuple(v for v in asdict(self).values() if isinstance(v, int))
        return (math.prod(filter(None, whole)), *whole)


@dataclass(frozen=True, eq=False)
class Drawn:
    """A problem with its truth, and what it was drawn from."""

    problem: Any
    truth: np.ndarray
    spec: Any = None


def _at_most(name: str, errors: Mapping[str, float], tolerance: float, share: float) -> bool:
    return errors[name] <= tolerance


class PlainFamily:
    """See the module; ``Problem`` and ``spec`` are the classes of a problem and of a specification.

    Each error is a criterion, that it is at most the tolerance, unless ``criteria`` says otherwise.
    """

    note: ClassVar[str] = ""
    version: ClassVar[int] = 1
    traits: ClassVar[Mapping[str, tuple[str, bool]]] = {}
    theorems: ClassVar[Mapping[str, str]] = {}
    limits: ClassVar[Mapping[str, str]] = {}
    errors_of: ClassVar[Mapping[str, str]]
    criteria: ClassVar[Mapping[str, Criterion]]
    Problem: ClassVar[Any]
    spec: ClassVar[Any]

    def __init_subclass__(cls) -> None:
        if "errors_of" in vars(cls) and "criteria" not in vars(cls):
            meanings = ((name, f"{words} ≤ {{tolerance}}") for name, words in cls.errors_of.items())
            cls.criteria = {n: Criterion(n, said, partial(_at_most, n)) for n, said in meanings}

    def restrict(self, instance: Drawn, name: str, value: int) -> Drawn:
        """The arrays of the problem that are as long as the parameter says, cut to its new value."""
        whole = getattr(instance.spec, name)
        parts = {n: v for n, v in vars(instance.problem).items() if isinstance(v, np.ndarray) and len(v) == whole}
        problem = replace(instance.problem, **{n: v[:value] for n, v in parts.items()})
        return Drawn(problem, instance.truth, replace(instance.spec, **{name: value}))

    def quantities(self, subject: Any) -> dict[str, float]:
        """The numbers of the specification, by the names of its parameters."""
        spec = subject if isinstance(subject, PlainSpec) else getattr(subject, "spec", None)
        return {} if spec is None else {n: v for n, v in spec.to_dict().items() if isinstance(v, int | float)}

    def audit(self, problem: Any, answer: Any) -> dict[str, str]:
        """Finiteness."""
        return {} if np.isfinite(answer).all() else {"NOT_FINITE": "the answer holds NaN or infinite values"}

    def pack(self, value: Any) -> dict[str, Any]:
        """The fields of a problem, an answer by itself, both and the specification of an instance."""
        if isinstance(value, Drawn):
            spec = None if value.spec is None else value.spec.to_dict()
            return {"problem": vars(value.problem), "answer": value.truth, "spec": spec}
        return {"problem": vars(value)} if isinstance(value, self.Problem) else {"answer": value}

    def unpack(self, packed: Mapping[str, Any]) -> Any:
        """Inverse of `pack`, on arrays of its own."""
        answer = np.array(packed["answer"]) if "answer" in packed else None
        if "problem" not in packed:
            return answer
        fields = {n: np.array(v) if isinstance(v, np.ndarray) else v for n, v in packed["problem"].items()}
        problem = self.Problem(**fields)
        if answer is None:
            return problem
        return Drawn(problem, answer, None if packed["spec"] is None else self.spec(**packed["spec"]))

    def cost(self, spec: Any) -> float:
        """The product of the sizes."""
        return float(spec.size[0])
