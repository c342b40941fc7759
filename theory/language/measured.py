"""Values of quantities, with where each came from: what predicates are evaluated on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Origin = Literal["request", "data", "truth", "model", "option", "plan"]


@dataclass(frozen=True)
class Measured(Mapping[str, Any]):
    """Values of declared quantities by name, with where each came from.

    Attributes
    ----------
    known : dict
    origin : dict of str to {"request", "data", "truth", "model", "option", "plan"}
        *request* is the rank, sparsity and noise level the problem states; *model* marks plug-in values of a fitted
        model, which describe the answer and not the truth; *plan* what a generator is going to make.
    unknown : dict of str to str
        Quantities that cannot be known here, and why.
    """

    known: dict[str, Any]
    origin: dict[str, Origin]
    unknown: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.known)

    def __len__(self) -> int:
        return len(self.known)

    def with_values(self, origin: Origin = "option", **values: Any) -> Measured:
        """A copy with more values, or others."""
        return Measured(
            {**self.known, **values},
            {**self.origin, **dict.fromkeys(values, origin)},
            {name: why for name, why in self.unknown.items() if name not in values},
        )

    def why_missing(self, name: str) -> str:
        """Why a quantity has no value."""
        return self.unknown.get(name, "was not given")
