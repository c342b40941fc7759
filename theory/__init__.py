"""Assumptions, bounds, limits and verdicts of the AMHT-LRS theorem that can be computed, bounded and argued about.

Names are imported from their modules on first use: sympy and its friends take half a second that a reader of one
number should not pay.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: Public names by module.
_EXPORTS: dict[str, tuple[str, ...]] = {
    "theory.calibration": ("Calibration", "Efficiency", "calibrate", "calibrate_theorem", "calibrations", "constants"),
    "theory.evidence": (
        "BinomialTest",
        "Design",
        "EvidenceVerdict",
        "OperatingCharacteristics",
        "WaldSPRT",
        "confidence_sequence",
        "design",
        "e_bh",
        "zero_failure_trials",
    ),
    "theory.rates": ("FloorKind", "RateCertificate", "RateVerdict", "certify", "precision_ladder"),
    "theory.assumptions": ("NECESSARY",),
    "theory.fixtures": ("FIXTURES", "Fixture"),
    "theory.measurement": ("Measured", "measure"),
    "theory.identifiability": ("IdentifiabilityCertificate", "IdentifiabilityVerdict", "local_identifiability"),
    "theory.limits": (
        "counting_limit",
        "counting_tasks",
        "donoho_tanner",
        "donoho_tanner_rows",
        "noisy_floor",
        "oracle_risk",
        "stable_rows",
        "stable_scale",
    ),
    "theory.predicate": ("And", "Implies", "Not", "Or", "Predicate", "Statement"),
    "theory.verdict": ("Check", "Verdict"),
    "theory.readers.enclosures": ("Enclosure",),
    "theory.symbols": ("Constant", "Quantity", "Status", "constant_symbol", "declare", "quantities", "quantity"),
    "theory.theorems": ("Report", "Theorem", "available_theorems", "load_theorem"),
}
_MODULE_OF = {name: module for module, names in _EXPORTS.items() for name in names}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'theory' has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULE_OF])
