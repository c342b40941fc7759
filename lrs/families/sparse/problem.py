"""What a solver of sparse recovery sees, and how an instance is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from lrs.core import streams
from lrs.core.errors import InvalidInput, WrongShape
from lrs.core.plain import Drawn, PlainSpec
from lrs.core.validate import finite, integer, real

NAME = "sparse"


@dataclass(frozen=True, eq=False)
class SparseProblem:
    """All that a solver may see.

    Parameters
    ----------
    X : (m, d) array
    y : (m,) array
    sparsity : int
        k, the non-zeros of b.
    noise : float
        Standard deviation σ of the noise in y.
    """

    X: Float[np.ndarray, "m d"]
    y: Float[np.ndarray, " m"]
    sparsity: int
    noise: float = 0.0
    family: ClassVar[str] = NAME

    def __post_init__(self) -> None:
        for name in ("X", "y"):
            view = finite(name, np.ascontiguousarray(getattr(self, name), dtype=np.float64)).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)
        if self.X.ndim != 2 or self.y.shape != self.X.shape[:1] or not self.X.size:
            raise WrongShape(f"X: expected shape (m, d) with y of shape (m,), got {self.X.shape} and {self.y.shape}")
        integer("sparsity", self.sparsity, least=0, most=self.d)
        real("noise", self.noise, least=0)

    @property
    def d(self) -> int:
        """Dimension."""
        return int(self.X.shape[1])

    @property
    def m(self) -> int:
        """Rows."""
        return len(self.y)


@dataclass(frozen=True, kw_only=True)
class SparseSpec(PlainSpec):
    """What to draw: b with k standard normal entries in uniformly random places, rows N(0, I_d).

    Parameters
    ----------
    d, k, m : int
        Dimension, non-zeros, rows.
    noise : float
        Standard deviation σ of the noise in y.
    """

    d: int
    k: int
    m: int
    noise: float = 0.0

    def __post_init__(self) -> None:
        integer("d", self.d, least=1)
        integer("k", self.k, least=0)
        integer("m", self.m, least=1)
        real("noise", self.noise, least=0)
        if self.k > self.d:
            raise InvalidInput(f"k: cannot exceed d = {self.d}, got {self.k}")


def draw(spec: SparseSpec, key: Sequence[int]) -> Drawn:
    """The instance of a specification; support, values, rows and noise have streams of their own."""

    def stream(name: str) -> np.random.Generator:
        return streams.generator(f"sparse/{name}", *map(int, key))

    b = np.zeros(spec.d)
    b[stream("support").choice(spec.d, spec.k, replace=False)] = stream("values").standard_normal(spec.k)
    X = stream("rows").standard_normal((spec.m, spec.d))
    # Row by row, so that not a bit of y depends on how many rows there are.
    y = np.array([row @ b for row in X]) + spec.noise * stream("noise").standard_normal(spec.m)
    return Drawn(SparseProblem(X, y, spec.k, spec.noise), b, spec)
