"""Small sweeps for the tests, and what two runs of one must agree on."""

from __future__ import annotations

from pathlib import Path

from phase_diagrams.analysis.table import export, load
from phase_diagrams.sweeps.grid import SweepSpec, build

SYNTHETIC = {
    "x": "m=10:40:2",
    "y": "d=2:3",
    "fixed": "k/d=1,r=0,t=1",
    "solvers": "phase_diagrams.sweeps.synthetic:medium",
}
OUTCOMES = {"x": "m=1:8", "y": "k=2,9", "fixed": "d=2,r=0,t=1", "solvers": "sweep_solvers:every_outcome"}


def synthetic(**settings) -> SweepSpec:
    return build({"replicates": 3, "seed": 4, **SYNTHETIC, **settings})


def outcomes(**settings) -> SweepSpec:
    return build({"replicates": 2, **OUTCOMES, **settings})


def stable_bytes(folder: Path) -> bytes:
    """The Parquet file that every run of one sweep must produce, byte for byte."""
    path = export(load(folder), folder.parent / f"{folder.name}.parquet", volatile=False)
    return path.read_bytes()
