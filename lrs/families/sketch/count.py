"""Sketches with few non-zeros a column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from lrs.core.errors import InvalidInput
from lrs.core.validate import integer
from lrs.families.sketch.base import Matrix, Sketch


@dataclass(frozen=True, kw_only=True)
class CountSketch(Sketch):
    """``nonzeros`` entries ±1/√nonzeros in every column of S, one in each of as many blocks of rows (Kane and Nelson 2014).

    With one non-zero it is Count-Sketch (Clarkson and Woodruff 2013), which every block is.
    """

    nonzeros: int = 1

    def __post_init__(self) -> None:
        integer("nonzeros", self.nonzeros, least=1)

    def apply(self, M: Matrix, m: int, rng: np.random.Generator, A: np.ndarray) -> np.ndarray:
        """Block by block; the first ones have a row more where m is no multiple."""
        s = self.nonzeros
        if s > m:
            raise InvalidInput(f"nonzeros: a sketch of m = {m} rows cannot have {s} in a column")
        sizes = [m // s + (i < m % s) for i in range(s)]
        return np.vstack([linalg.clarkson_woodruff_transform(M, size, rng) for size in sizes]) / np.sqrt(s)


def two() -> CountSketch:
    """Two non-zeros a column."""
    return CountSketch(nonzeros=2)


def four() -> CountSketch:
    """Four non-zeros a column."""
    return CountSketch(nonzeros=4)


def eight() -> CountSketch:
    """Eight non-zeros a column."""
    return CountSketch(nonzeros=8)
