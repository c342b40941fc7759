"""Compiled inner loops, each beside the plain NumPy version that defines what it must compute.

`lrs.kernels.definitions` is the definition, `lrs.kernels.compiled` the fast version; `use` chooses between them, and
`lrs.kernels.engine` runs either over all tasks of a problem.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, cast, get_args

from lrs.core.errors import InvalidInput
from lrs.core.machine import default_threads
from lrs.core.validate import hint, integer

Backend = Literal["numpy", "numba"]
_backend: ContextVar[Backend] = ContextVar("lrs_kernels", default="numba")


def backend() -> Backend:
    """The backend in force."""
    return _backend.get()


@contextmanager
def use(name: str) -> Iterator[None]:
    """Run what is inside with the ``"numpy"`` definitions or the ``"numba"`` kernels."""
    if name not in get_args(Backend):
        raise InvalidInput(f"kernels: no backend {name!r}; {hint(name, get_args(Backend))}")
    token = _backend.set(cast(Backend, name))
    try:
        yield
    finally:
        _backend.reset(token)


def kernel(name: str) -> Callable[..., None]:
    """The kernel of this name in the backend in force."""
    # Imported here: numba takes a second to load, and a reader of results needs none of it.
    if backend() == "numpy":
        from lrs.kernels import definitions as module
    else:
        from lrs.kernels import compiled as module  # type: ignore[no-redef]
    function: Callable[..., None] = getattr(module, name)
    return function


def check_threads(threads: Any) -> int:
    """A number of threads, or the default for None."""
    if threads is None:
        return default_threads()
    return integer("threads", threads, least=1, expected="a positive integer or None for all processors")


_compile_seconds: float | None = None


def warm_up() -> float:
    """Load every compiled kernel, compiling it on first use; the seconds this took in this process.

    The machine code is cached on disk beside the package (or in the user's cache folder), so that the compilation is
    paid once per installation, and loading once per process.
    """
    global _compile_seconds
    if backend() == "numpy":
        return 0.0
    if _compile_seconds is None:
        import time

        from lrs.kernels.engine import exercise

        start = time.perf_counter()
        exercise()
        _compile_seconds = time.perf_counter() - start
    return _compile_seconds
