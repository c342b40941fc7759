"""A sweep and a quick verify come to what they came to before; `property_tests.benchmarks.golden` says what is kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from property_tests.benchmarks import golden

FROZEN = json.loads((Path(__file__).parent / "outcomes.json").read_text())
#: Two columns of the frozen sweep for the fastest solver.
FEW = {**golden.SWEEP, "x": "m=60,90", "solvers": ["iht"]}


def frozen_now(part: str, folder: Path) -> dict[str, list[str]]:
    """Differences of a freeze in a process of its own, where annotations are not checked: that takes four times as long."""
    file = folder / "now.json"
    subprocess.run([sys.executable, "-m", golden.__name__, "freeze", part, str(file)], check=True, capture_output=True)
    return golden.differences(FROZEN[part], json.loads(file.read_text())[part])


def test_a_sweep_comes_to_what_it_came_to(tmp_path: Path) -> None:
    found = frozen_now("sweep", tmp_path)
    assert not found["end"]
    assert len(found["number"]) <= len(FROZEN["sweep"]) // 10, found["number"]  # another BLAS moved 16 of 360


@pytest.mark.slow
def test_a_verify_comes_to_what_it_came_to(tmp_path: Path) -> None:
    assert frozen_now("verify", tmp_path) == {"end": [], "number": []}


def test_other_data_and_another_criterion_are_noticed() -> None:
    mine = {n: v for n, v in FROZEN["sweep"].items() if n.startswith(("m=60 ", "m=90 ")) and n.endswith("iht")}
    assert not golden.differences(mine, golden.freeze_sweep(FEW))["end"]
    assert len(golden.differences(mine, golden.freeze_sweep({**FEW, "seed": 8}))["number"]) > len(mine) / 3
    loose = golden.differences(mine, golden.freeze_sweep({**FEW, "success": 0.1, "tolerance": 0.9}))["end"]
    assert any("was ['not recovered'" in line and "is ['recovered'" in line for line in loose)
