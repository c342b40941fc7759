"""Compiled inner loops, each beside the plain NumPy version that defines what it must compute."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

from lrs.errors import InvalidInput

Backend = Literal["numpy", "numba"]
_backend: ContextVar[Backend] = ContextVar("lrs_kernels", default="numba")


def backend() -> Backend:
    """The backend in force."""
    return _backend.get()


@contextmanager
def use(name: Backend) -> Iterator[None]:
    """Run what is inside with the ``"numpy"`` definitions or the ``"numba"`` kernels."""
    if name not in ("numpy", "numba"):
        raise InvalidInput(f"kernels: no backend {name!r}; known are numpy, numba")
    token = _backend.set(name)
    try:
        yield
    finally:
        _backend.reset(token)
