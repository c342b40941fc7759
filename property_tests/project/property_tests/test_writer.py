"""`lrs write`: what it writes runs, and its list of expected failures is accepted as it stands."""

import subprocess
import sys
from pathlib import Path

import pytest

from lrs.cli import run
from property_tests import verify
from property_tests.examine.configuration import Everywhere
from property_tests.examine.engine import Budget
from property_tests.examine.synthetic import bernoulli
from property_tests.show import writer
from property_tests.verify import check_solver, read_expected

TINY = Budget(name="tiny", explore=1, least=0, most=80, shrink=1, confirm=1)


@pytest.fixture
def report():
    claims = [bernoulli(1.0, name="made/kept"), bernoulli(0.0, name="made/broken")]
    return check_solver("bad_solvers:honest", claims=claims, region=Everywhere(), budget=TINY, jobs=1)


def test_what_is_written_compiles_and_lists_what_was_refuted(report, tmp_path):
    files = writer.paths("bad_solvers:honest", tmp_path)
    writer.write(report, files)
    test, expected = files
    assert test.name == "test_bad_solvers_honest_claims.py"
    compile(test.read_text(), test.name, "exec")
    (listed,) = read_expected(expected)
    assert listed.claim == "made/broken"
    assert "drawn as a failure" in listed.reason


def test_what_is_written_for_another_family_runs(tmp_path, monkeypatch):
    """In a process of its own, with the plugin: every claim of the family, expected failures as they are."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1] / "toy"))
    solver = ["heavy_mean:mean", "--family", "heavy_mean:FAMILY"]
    assert run(["write", *solver, "--out", str(tmp_path), "--jobs", "1"]) == 0
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--assert=plain", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert "7 passed, 1 xfailed" in done.stdout, done.stdout


def test_reasons_survive_quotes_and_line_breaks(report, tmp_path):
    from dataclasses import replace

    awkward = 'says "no"\n\\ and \x07'
    results = tuple(replace(r, why=awkward) for r in report.results)
    files = writer.paths("m:s", tmp_path)
    writer.write(replace(report, results=results), files)
    (listed,) = read_expected(files[1])
    assert awkward in listed.reason


def test_the_verb_writes_two_files_once(tmp_path, capsys, monkeypatch):
    """The probing run is cut short here: what it finds is tested above."""
    monkeypatch.setattr(verify, "region_of", lambda solver, theorem: Everywhere())
    monkeypatch.setattr(verify, "available_claims", lambda *a, **k: (bernoulli(1.0, name="made/kept"),))
    assert run(["write", "bad_solvers:honest", "--out", str(tmp_path), "--jobs", "1"]) == 0
    assert "run it with: pytest" in capsys.readouterr().out
    assert len(list(tmp_path.iterdir())) == 2
    assert run(["write", "bad_solvers:honest", "--out", str(tmp_path), "--jobs", "1"]) == 2
    assert "exists already" in capsys.readouterr().err
    assert run(["write", "bad_solvers:honest", "--out", str(tmp_path / "new"), "--jobs", "1"]) == 0
    taken = next(tmp_path.glob("*.toml"))
    assert run(["write", "bad_solvers:honest", "--out", str(taken)]) == 2
    assert "cannot be made" in capsys.readouterr().err
