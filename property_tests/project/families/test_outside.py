"""The page about a family from outside: its package is installed as it stands there, and gets all three jobs."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from lrs import cli
from lrs.core.family import check_family, load_family
from phase_diagrams.analysis.table import load

PAGE = (Path(__file__).parents[3] / "docs" / "families" / "outside.md").read_text(encoding="utf-8")


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def here(package, tmp_path, monkeypatch):
    (points,) = blocks("toml")
    code = blocks("python")
    assert sum(len(block.splitlines()) for block in [points, *code]) <= 200
    modules = {re.match(r"# (phases/\w+)\.py\n", block)[1].replace("/", "."): block for block in code}
    package("phases", tomllib.loads(points)["project"]["entry-points"], **modules)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("unchecked")
def test_a_package_from_outside_gets_all_three_jobs(here, capsys):
    assert check_family(load_family("phase-retrieval")).name == "phase-retrieval"
    shown = {}
    for line in "".join(blocks("sh")).splitlines():
        lrs, verb, *arguments = shlex.split(line)
        assert lrs == "lrs"
        assert cli.run([verb, *arguments]) == 0, (line, capsys.readouterr())
        shown[verb] = " ".join(capsys.readouterr().out.split())
    assert "HOLDS" in shown["check"]
    assert re.search(r"CONFIRMED\W+phases/recovered", shown["verify"])
    rates = load(here / "map").frame.groupby(["solver", "d", "m"])["success"].mean()
    assert rates["alternating", 10, 100] == 1 > rates["alternating", 10, 20]
    refuted = ["verify", "--family", "phase-retrieval", "--solver", "alternating-cold", "--claims", "phases/*"]
    assert cli.run([*refuted, "--jobs", "1"]) == 1
    assert re.search(r"REFUTED\W+phases/recovered", " ".join(capsys.readouterr().out.split()))
