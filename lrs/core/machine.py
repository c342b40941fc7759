"""Processors and threads: how many there are for this process, and how to compute with one of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

#: Read by BLAS and OpenMP when NumPy is first imported, so they must be set before a process starts.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)

#: Environment of a process that computes with one thread.
ONE_THREAD: Mapping[str, str] = dict.fromkeys(THREAD_VARIABLES, "1")


def processors() -> int:
    """Processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this operating system
        return os.cpu_count() or 1


def default_threads() -> int:
    """``OMP_NUM_THREADS`` where it is set, else `processors`."""
    value = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(value) if value.isdigit() and int(value) > 0 else processors()


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Environment in which processes started inside use one BLAS thread."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def one_thread() -> Iterator[None]:
    """One BLAS, OpenMP and numba thread in this process: sums in another order would differ in the last digit."""
    import numba
    from threadpoolctl import threadpool_limits

    before = numba.get_num_threads()
    with threadpool_limits(1):
        numba.set_num_threads(1)
        try:
            yield
        finally:
            numba.set_num_threads(before)
