"""Sketches whose entries are all non-zero and independent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lrs.families.sketch.base import Matrix, Sketch

_BLOCK = 1024  # columns of S at a time: S itself may not fit into memory


@dataclass(frozen=True, kw_only=True)
class Gaussian(Sketch):
    """Entries N(0, 1/m)."""

    def entries(self, rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
        """Entries of variance 1."""
        return rng.standard_normal(shape)

    def apply(self, M: Matrix, m: int, rng: np.random.Generator, A: np.ndarray) -> np.ndarray:
        """Columns of S that meet rows of zeros change nothing and are not drawn."""
        M = M[np.abs(M).max(axis=1) > 0]
        blocks = [M[i : i + _BLOCK] for i in range(0, len(M), _BLOCK)]
        out = np.zeros((m, M.shape[1]))
        for block in blocks:
            out += self.entries(rng, (m, len(block))) @ block
        return out / np.sqrt(m)


@dataclass(frozen=True, kw_only=True)
class Rademacher(Gaussian):
    """Entries ±1/√m."""

    def entries(self, rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
        """Signs."""
        return 2.0 * rng.integers(0, 2, shape) - 1.0
