"""Sweeps of solvers that mean harm: neither another solver's data nor the verdict is in their reach."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from sweeps import outcomes

from lrs import InvalidInput
from lrs.cli import run
from lrs.core.solver import is_own
from phase_diagrams.analysis.table import load
from phase_diagrams.sweeps import journal
from phase_diagrams.sweeps.engines import Inline
from phase_diagrams.sweeps.engines.local import LocalEngine
from phase_diagrams.sweeps.grid import build
from phase_diagrams.sweeps.runner import sweep
from phase_diagrams.sweeps.trial import Calls

EASY = {"x": "m=12", "fixed": "t=20,d=8,r=1,k=1", "replicates": 8}


def recovered(folder):
    frame = load(folder).frame
    return frame.groupby("solver")["success"].sum().to_dict()


@pytest.mark.parametrize("isolate", [None, False])
def test_no_solver_sees_the_arrays_of_another(tmp_path, isolate):
    solvers = ["hostile_solvers:wipes_the_data", "amht"]
    sweep(build({**EASY, "solvers": solvers}), tmp_path / "s", Inline(), calls=Calls(isolate))
    assert recovered(tmp_path / "s") == {"amht": 8, "hostile_solvers:wipes_the_data": 0}


def test_an_isolated_solver_cannot_reach_the_judge(tmp_path):
    spec = build({**EASY, "solvers": ["hostile_solvers:patches_the_judge", "amht"]})
    sweep(spec, tmp_path / "s", LocalEngine(1))
    assert recovered(tmp_path / "s") == {"amht": 8, "hostile_solvers:patches_the_judge": 0}
    header = json.loads(journal.shards(tmp_path / "s")[0].read_text().splitlines()[0])
    assert header["host"]["isolated"] == "hostile_solvers:patches_the_judge"


def test_the_attack_on_the_judge_is_one():
    """In one process with the judge it succeeds: what protects the other test is the isolation."""
    script = (
        "import sys, tempfile, pathlib; sys.path[:0] = sys.argv[1:]\n"
        "from phase_diagrams import Calls, load, sweep\nfrom phase_diagrams.sweeps.engines import Inline\n"
        "from phase_diagrams.sweeps.grid import build\n"
        "folder = pathlib.Path(tempfile.mkdtemp()) / 's'\n"
        f"sweep(build({ {**EASY, 'solvers': 'hostile_solvers:patches_the_judge'} }), folder, Inline(), calls=Calls(False))\n"
        "print(int(load(folder).frame['success'].sum()))"
    )
    done = subprocess.run([sys.executable, "-c", script, *sys.path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "8"


def test_a_call_that_takes_too_long_is_a_timeout(tmp_path):
    spec = build({**EASY, "solvers": "hostile_solvers:never_ends", "replicates": 1})
    sweep(spec, tmp_path / "s", Inline(), calls=Calls(seconds=0.3))
    (row,) = journal.read(tmp_path / "s").rows()
    assert (row.outcome, "time limit" in row.message) == ("timeout", True)


def test_isolation_changes_no_number(tmp_path):
    spec = outcomes(x="m=1,3,4,5,6,7,8", trace=True)
    for isolate in (True, False):
        sweep(spec, tmp_path / str(isolate), Inline(), calls=Calls(isolate))
    a, b = (load(tmp_path / str(isolate)).frame.filter(regex="^(?!timing|host|message)") for isolate in (True, False))
    assert a.equals(b)


def test_whose_solvers_are_isolated():
    assert [is_own(n) for n in ("amht", "lrs.amht:AMHT", "phase_diagrams.sweeps.synthetic:medium")] == [True] * 3
    assert not any(
        is_own(n)
        for n in ("mine:solver", "lrs_more:solver", "property_tests.families.low_rank_sparse.textbook:Textbook")
    )
    assert Calls(isolate=True).isolated("amht")
    assert not Calls(isolate=False).isolated("mine:solver")


def test_a_limit_that_is_none(tmp_path):
    with pytest.raises(InvalidInput, match="seconds per call: expected a positive number"):
        Calls(seconds=0.0)
    command = [
        "sweep",
        "--x",
        "m=3",
        "--fixed",
        "t=2,d=2,r=0,k=0",
        "--seconds-per-call",
        "-1",
        "--out",
        str(tmp_path / "s"),
    ]
    assert run(command) == 2
