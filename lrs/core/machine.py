"""Processors, threads and memory: how much there is for this process, and how to compute with one thread."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lrs.core.errors import InvalidInput

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


#: Bytes below which no solver can be loaded.
LEAST_MEMORY = 50_000_000


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


def memory() -> int:
    """Bytes of memory that this process and its children may use: the machine's, or its container's where that is less."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            found.append(int(Path(path).read_text()))
        except (OSError, ValueError):  # no such group, or "max"
            continue
    return min(found)


def available_memory() -> int:
    """Bytes of it that are free, or held by caches that would be dropped."""
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        return min(memory(), int(lines["MemAvailable"].split()[0]) * 1024)
    except (OSError, ValueError, KeyError):
        return memory()


def share_of_memory() -> int:
    """Bytes that one call of a solver may take unless told otherwise: as if each processor had one, at most four fifths."""
    most = memory() * 4 // 5
    return min(most, max(2**31, most // processors()))


def parse_size(name: str, text: str) -> int:
    """Bytes from ``500MB``, ``4GB`` or ``4GiB``."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kMGT]?)(i?)B\s*", text)
    number = 0 if found is None else float(found[1]) * (1024 if found[3] else 1000) ** " kMGT".index(found[2] or " ")
    if not LEAST_MEMORY <= number < 2**62:
        raise InvalidInput(
            f"{name}: expected a size of at least {size_words(LEAST_MEMORY)} such as 500MB or 4GB, got {text!r}"
        )
    return int(number)


def size_words(number: float) -> str:
    """Bytes for people."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if number < 1000 or unit == "TB":
            return f"{number:.3g} {unit}"
        number /= 1000
    raise AssertionError


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
