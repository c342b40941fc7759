"""Sampling rows by their leverage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lrs.families.sketch.base import Matrix, Sketch


@dataclass(frozen=True, kw_only=True)
class Leverage(Sketch):
    """m rows with replacement, row i with probability p_i = ‖Q_i‖²/d, A = QR, divided by √(m p_i) (Drineas and Mahoney 2006).

    b has no say in p: its rows that A does not see are never drawn.
    """

    def apply(self, M: Matrix, m: int, rng: np.random.Generator, A: np.ndarray) -> np.ndarray:
        p = np.sum(np.linalg.qr(A)[0] ** 2, axis=1)
        p /= p.sum()
        rows = rng.choice(len(M), m, p=p)
        return M[rows] / np.sqrt(m * p[rows])[:, None]
