"""Recovery maps that are resumable, adaptive and distributable.

``load(folder)`` reads a sweep as a table of trials; `SweepSpec` describes one; `sweep` runs it. Names load on first
use, so that a worker process that only runs trials does not import a table library or a plotting one.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "Axis": "phase_diagrams.grid:Axis",
    "Calls": "phase_diagrams.trial:Calls",
    "Outcome": "lrs.core.trial:Ended",
    "Sampling": "phase_diagrams.grid:Sampling",
    "Success": "lrs.core.family:Success",
    "SweepSpec": "phase_diagrams.grid:SweepSpec",
    "Trials": "phase_diagrams.table:Trials",
    "load": "phase_diagrams.table:load",
    "sweep": "phase_diagrams.runner:sweep",
}

__all__ = ["Axis", "Calls", "Outcome", "Sampling", "Success", "SweepSpec", "Trials", "load", "sweep"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
