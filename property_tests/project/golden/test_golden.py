"""A sweep and a quick verify come to what they came to before; `property_tests.benchmarks.golden` says what is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from property_tests.benchmarks import golden

FROZEN = json.loads((Path(__file__).parent / "outcomes.json").read_text())
#: Two columns of the frozen sweep for the fastest solver.
FEW = {**golden.SWEEP, "x": "m=60,90", "solvers": ["iht"]}


def check(frozen: dict, now: dict) -> None:
    found = golden.differences(frozen, now)
    assert not found["end"]
    assert len(found["number"]) <= len(frozen) // 10, found["number"]  # another BLAS moved 16 of 360


def test_cells_of_a_sweep_come_to_what_they_came_to() -> None:
    """Too few rows for anybody, the boundary, and enough, at a sparsity that is possible and at one that is not: every solver."""
    cells = [f"m={m} k={k} " for m in (5, 16, 40) for k in (2, 13)]
    frozen = {name: trial for name, trial in FROZEN["sweep"].items() if name.startswith(tuple(cells))}
    assert len(frozen) == len(FROZEN["sweep"]) / 10
    check(frozen, golden.freeze_sweep({**golden.SWEEP, "x": "m=5,16,40", "y": "k=2,13"}))


@pytest.mark.slow
def test_a_sweep_comes_to_what_it_came_to() -> None:
    check(FROZEN["sweep"], golden.freeze_sweep())


@pytest.mark.slow
def test_a_verify_comes_to_what_it_came_to() -> None:
    assert golden.differences(FROZEN["verify"], golden.freeze_verify()) == {"end": [], "number": []}


def test_other_data_and_another_criterion_are_noticed() -> None:
    mine = {n: v for n, v in FROZEN["sweep"].items() if n.startswith(("m=60 ", "m=90 ")) and n.endswith("iht")}
    assert not golden.differences(mine, golden.freeze_sweep(FEW))["end"]
    assert len(golden.differences(mine, golden.freeze_sweep({**FEW, "seed": 8}))["number"]) > len(mine) / 3
    loose = golden.differences(mine, golden.freeze_sweep({**FEW, "success": 0.1, "tolerance": 0.9}))["end"]
    assert any("was ['not recovered'" in line and "is ['recovered'" in line for line in loose)
