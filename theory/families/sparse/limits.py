"""How many rows sparse recovery needs."""

from __future__ import annotations

from typing import Any

import numpy as np

from lrs.core.validate import numbers
from theory.families.low_rank_sparse.limits import weak_threshold


def counting_rows(*, d: Any, k: Any) -> Any:
    """k + 1 rows; nothing works with fewer"""
    k, d = numbers("k", k, zero_allowed=True), numbers("d", d, zero_allowed=False)
    return np.minimum(np.where(k > 0, k + 1, 0), d)[()]


def asymptotic_rows(*, d: Any, k: Any) -> Any:
    """ℓ₁ minimisation: weak threshold of Donoho and Tanner, d → ∞"""
    d, k = np.broadcast_arrays(numbers("d", d, zero_allowed=False), numbers("k", k, zero_allowed=True))
    return weak_threshold(d, np.asarray(np.minimum(k, d)))[()]
