"""The subsampled randomised Hadamard transform."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from lrs.families.sketch.base import Matrix, Sketch


@dataclass(frozen=True, kw_only=True)
class SRHT(Sketch):
    """S = R H D/√m: random signs D, the Hadamard matrix H of entries ±1, m of its rows R without replacement (Tropp 2011).

    Zeros are added up to a power of two.
    """

    def apply(self, M: Matrix, m: int, rng: np.random.Generator, A: np.ndarray) -> np.ndarray:
        """In O(n^1.5) a column: H of order p q is the Kronecker product of those of order p and q."""
        order = 1 << (max(len(M), m) - 1).bit_length()
        p = 1 << (order.bit_length() - 1) // 2
        padded = np.zeros((order, M.shape[1]))
        padded[: len(M)] = M * (2.0 * rng.integers(0, 2, len(M)) - 1.0)[:, None]
        halves = linalg.hadamard(p, dtype=float), linalg.hadamard(order // p, dtype=float)
        blocks = padded.reshape(p, order // p, -1)
        turned = np.tensordot(halves[0], np.matmul(halves[1], blocks), 1).reshape(order, -1)
        return turned[rng.choice(order, m, replace=False)] / np.sqrt(m)
