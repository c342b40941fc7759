"""Recovery maps that are resumable, adaptive and distributable.

``load(folder)`` reads a sweep as a table of trials; `SweepSpec` describes one; `sweep` runs it. Names load on first
use, so that a worker process that only runs trials does not import a table library or a plotting one.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "Axis": "grid",
    "Outcome": "trial",
    "Sampling": "grid",
    "Success": "grid",
    "SweepSpec": "grid",
    "Trials": "table",
    "load": "table",
    "sweep": "runner",
}

__all__ = ["Axis", "Outcome", "Sampling", "Success", "SweepSpec", "Trials", "load", "sweep"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"phase_diagrams.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
