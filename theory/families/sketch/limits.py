"""How many rows a sketch needs."""

from __future__ import annotations

from typing import Any

from lrs.core.validate import numbers


def columns(*, d: Any) -> Any:
    """d rows; with fewer S A has no full rank"""
    return numbers("d", d, zero_allowed=False)[()]
