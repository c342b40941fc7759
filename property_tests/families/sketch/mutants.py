"""Sketches that are broken in one way each, and the claim that is meant to notice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lrs.families.sketch.base import Matrix, Sketch
from lrs.families.sketch.dense import Gaussian
from property_tests.examine.mutant import Mutant

#: Name → what is broken, and the claim that is meant to refute it.
_BROKEN: dict[str, tuple[str, str]] = {
    "two_sketches": ("A and b are sketched by different matrices", "sketch/whole"),
    "uniform_rows": ("rows of A are sampled uniformly", "sketch/entrywise"),
    "rows_twice": ("every row of the sketch is there four times", "sketch/entrywise"),
}


@dataclass(frozen=True, kw_only=True)
class _TwoSketches(Gaussian):
    def apply(self, M: Matrix, m: int, rng: np.random.Generator, A: np.ndarray) -> np.ndarray:
        left, right = (Gaussian().apply(M, m, rng, A) for _ in range(2))
        return np.c_[left[:, :-1], right[:, -1]]


@dataclass(frozen=True, kw_only=True)
class _UniformRows(Sketch):
    def apply(self, M: Matrix, m: int, rng: np.random.Generator, A: np.ndarray) -> np.ndarray:
        return M[rng.integers(0, len(M), m)]


@dataclass(frozen=True, kw_only=True)
class _RowsTwice(Gaussian):
    def apply(self, M: Matrix, m: int, rng: np.random.Generator, A: np.ndarray) -> np.ndarray:
        return np.resize(Gaussian().apply(M, -(-m // 4), rng, A), (m, M.shape[1]))


two_sketches, uniform_rows, rows_twice = _TwoSketches(), _UniformRows(), _RowsTwice()


MUTANTS = {name: Mutant(globals()[name], why, (claim,)) for name, (why, claim) in _BROKEN.items()}
