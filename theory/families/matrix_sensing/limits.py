"""How many measurements matrix sensing needs."""

from __future__ import annotations

from typing import Any

from lrs.core.validate import numbers


def counting_measurements(*, side: Any, rank: Any) -> Any:
    """n r − r(r − 1)/2 unknowns of a symmetric matrix of rank r; nothing works with fewer equations"""
    n, r = numbers("side", side, zero_allowed=False), numbers("rank", rank, zero_allowed=False)
    return (n * r - r * (r - 1) / 2)[()]
