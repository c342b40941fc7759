"""The page about the house: its package is installed as it stands there, and every line that it shows runs."""

from __future__ import annotations

import ast
import doctest
import re
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from lrs import cli
from lrs.core.errors import InvalidInput
from lrs.core.family import check_family, load_family
from phase_diagrams.analysis.table import load

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "house.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    """The code of every fenced block of one kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def here(package: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory, with the package of the page installed."""
    (points,) = blocks("toml")
    modules = {re.match(r"# (my_package/\w+)\.py\n", code)[1].replace("/", "."): code for code in blocks("python")}
    package("my-package", tomllib.loads(points)["project"]["entry-points"], **modules)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("unchecked")
def test_what_the_page_shows_is_what_comes_out(here: Path):
    sessions = blocks("pycon")
    examples = doctest.DocTestParser().get_doctest("\n".join(sessions), {}, "house", None, 0)
    result = doctest.DocTestRunner().run(examples)
    assert result.attempted == len(examples.examples) > 15
    assert result.failed == 0


def test_its_command_lines_run(here: Path, capsys: pytest.CaptureFixture[str]):
    shown = {}
    for line in "".join(blocks("sh")).splitlines():
        lrs, verb, *arguments = shlex.split(line)
        assert lrs == "lrs"
        assert cli.run([verb, *arguments]) == 0, line
        shown[verb] = " ".join(capsys.readouterr().out.split())
    assert "mine/most-tasks" in shown["claims"]
    assert "our paper, Theorem 1" in shown["theorems"]
    assert "conduct/answers" in shown["verify"]
    rates = load(here / "runs" / "location").frame.groupby("m")["success"].mean()
    assert rates[3] < rates[200] == 1


def test_the_family_that_breaks_the_protocol_is_refused_with_the_member(here: Path):
    family = load_family("location")
    assert check_family(family) is family

    class Unpaired(type(family)):
        def unpack(self, packed):
            return super().unpack({name: value for name, value in packed.items() if name != "answer"})

    with pytest.raises(InvalidInput, match="'location' is refused: unpack: pack → unpack → pack changes a truth"):
        check_family(Unpaired())


def test_every_definition_lies_where_the_page_says():
    named = re.findall(r"`(\w+)`\s+in\s+`([\w/]+\.py)`", PAGE)
    assert len(named) > 10
    for name, path in named:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        found = {n.name for n in ast.walk(tree) if isinstance(n, ast.ClassDef | ast.FunctionDef)}
        found |= {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        assert name in found, f"{name} is not defined in {path}"


@pytest.mark.parametrize("floor", ["lrs", "theory", "property_tests", "phase_diagrams"])
def test_every_room_is_on_the_page(floor: str):
    table = re.search(rf"^\| `{floor}/` \|.*?\n\n", PAGE, re.MULTILINE | re.DOTALL)[0]
    named = {name for row in table.splitlines()[2:] if row for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert named == {f.name for f in (ROOT / floor).iterdir() if f.is_dir() and not f.name.startswith(("_", "."))}
