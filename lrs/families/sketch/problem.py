"""What a sketch sees, and the problems it is tried on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from lrs.core import streams
from lrs.core.errors import InvalidInput, WrongShape
from lrs.core.plain import Drawn, PlainSpec
from lrs.core.validate import choice, finite, integer

NAME = "sketch"
#: What A and b may be; the first is the default.
KINDS = ("gaussian", "spikes", "groups")


def enough_rows(m: int, d: int) -> None:
    """Refuse a sketch with fewer rows than columns."""
    integer("m", m, least=d, expected=f"a sketch with at least as many rows as A has columns, d = {d}")


@dataclass(frozen=True, eq=False)
class SketchProblem:
    """All that a solver may see: min ‖Ax − b‖, to be answered from S A and S b.

    Parameters
    ----------
    A : (n, d) array
    b : (n,) array
    m : int
        Rows of the sketch, at least d.
    """

    A: Float[np.ndarray, "n d"]
    b: Float[np.ndarray, " n"]
    m: int
    family: ClassVar[str] = NAME

    def __post_init__(self) -> None:
        for name in ("A", "b"):
            view = finite(name, np.ascontiguousarray(getattr(self, name), dtype=np.float64)).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)
        if self.A.ndim != 2 or self.b.shape != self.A.shape[:1] or len(self.b) < self.A.shape[1]:
            raise WrongShape(f"A: expected n ≥ d rows with b of shape (n,), got {self.A.shape} and {self.b.shape}")
        enough_rows(self.m, self.A.shape[1])


@dataclass(frozen=True, kw_only=True)
class SketchSpec(PlainSpec):
    """What to draw.

    Parameters
    ----------
    d : int
        Columns of A.
    n, m : int, optional
        Rows of A and of the sketch; default: 32 d and 16 d.
    kind : {"gaussian", "spikes", "groups"}
        *gaussian*: A and the noise of b have standard normal entries. *spikes*: A is the identity above zeros and b has
        ``spikes`` entries ±1 of equal size below it. *groups*: A is n/d identities above each other and b is ±1 on the rows
        of one column, with sum 0. Of the last two ‖A⁺‖ = 1, the solution is 0 and the residual has length 1.
    spikes : int
        Non-zeros of b in *spikes*.
    """

    d: int
    n: int | None = None
    m: int | None = None
    kind: str = "gaussian"
    spikes: int = 32

    def __post_init__(self) -> None:
        integer("d", self.d, least=1)
        for name, factor in (("n", 32), ("m", 16)):
            if getattr(self, name) is None:
                object.__setattr__(self, name, factor * self.d)
        integer("n", self.n, least=self.d + 1)
        integer("m", self.m)
        enough_rows(self.rows, self.d)
        choice("kind", self.kind, KINDS)
        integer("spikes", self.spikes, least=1)
        if self.kind == "spikes" and self.spikes > self.height - self.d:
            raise InvalidInput(f"spikes: at most n − d = {self.height - self.d} rows of A are zero, got {self.spikes}")
        if self.kind == "groups" and self.height % (2 * self.d):
            raise InvalidInput(f"n: expected a multiple of 2 d = {2 * self.d} for groups, got {self.n}")

    @property
    def height(self) -> int:
        """n, filled in."""
        return 32 * self.d if self.n is None else self.n

    @property
    def rows(self) -> int:
        """m, filled in."""
        return 16 * self.d if self.m is None else self.m


def draw(spec: SketchSpec, key: Sequence[int]) -> Drawn:
    """The instance of a specification; its truth is the least squares solution. Nothing but ``m`` depends on m."""
    rng = streams.generator(f"sketch/{spec.kind}", *map(int, key))
    n, d = spec.height, spec.d
    if spec.kind == "gaussian":
        A = rng.standard_normal((n, d))
        b = A @ rng.standard_normal(d) + rng.standard_normal(n)
        return Drawn(SketchProblem(A, b, spec.rows), np.linalg.lstsq(A, b, rcond=None)[0], spec)
    b = np.zeros(n)
    if spec.kind == "spikes":
        A = np.eye(n, d)
        b[d + rng.choice(n - d, spec.spikes, replace=False)] = rng.choice((-1.0, 1.0), spec.spikes) / np.sqrt(
            spec.spikes
        )
    else:
        each = n // d
        A = np.tile(np.eye(d), (each, 1)) / np.sqrt(each)
        b[rng.integers(d) :: d] = rng.permutation(np.repeat((-1.0, 1.0), each // 2)) / np.sqrt(each)
    return Drawn(SketchProblem(A, b, spec.rows), np.zeros(d), spec)
