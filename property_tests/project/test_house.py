"""The page about the house: its package is installed as it stands there, and every line that it shows runs."""

from __future__ import annotations

import ast
import doctest
import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest

from lrs import cli
from lrs.core import family as family_module
from lrs.core.errors import InvalidInput
from lrs.core.family import check_family, load_family
from phase_diagrams.analysis.table import load
from property_tests.examine import claim as claim_module
from property_tests.examine.claim import claims

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "house.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    """The code of every fenced block of one kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The package of the page, as pip leaves it: modules, and a dist-info folder with its entry points."""
    claims()  # ours into the registry itself, theirs into a copy
    monkeypatch.setattr(claim_module, "_REGISTRY", list(claim_module._REGISTRY))
    monkeypatch.setattr(family_module, "_LOADED", dict(family_module._LOADED))
    before = set(sys.modules)
    installed = tmp_path / "site"
    metadata = installed / "my_package-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my_package\nVersion: 1.0\n")
    (points,) = blocks("toml")
    groups = tomllib.loads(points)["project"]["entry-points"]
    lines = [f"[{group}]\n" + "".join(f"{n} = {v}\n" for n, v in named.items()) for group, named in groups.items()]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    (installed / "my_package").mkdir()
    for code in blocks("python"):
        path = re.match(r"# (my_package/\w+\.py)\n", code)[1]
        (installed / path).write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(installed)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for module in set(sys.modules) - before:
        if module.split(".")[0] == "my_package":
            del sys.modules[module]


@pytest.mark.usefixtures("unchecked")
def test_what_the_page_shows_is_what_comes_out(package: Path):
    sessions = blocks("pycon")
    examples = doctest.DocTestParser().get_doctest("\n".join(sessions), {}, "house", None, 0)
    result = doctest.DocTestRunner().run(examples)
    assert result.attempted == len(examples.examples) > 15
    assert result.failed == 0


def test_its_command_lines_run(package: Path, capsys: pytest.CaptureFixture[str]):
    shown = {}
    for line in "".join(blocks("sh")).splitlines():
        lrs, verb, *arguments = shlex.split(line)
        assert lrs == "lrs"
        assert cli.run([verb, *arguments]) == 0, line
        shown[verb] = " ".join(capsys.readouterr().out.split())
    assert "mine/most-tasks" in shown["claims"]
    assert "our paper, Theorem 1" in shown["theorems"]
    assert "conduct/answers" in shown["verify"]
    rates = load(package / "runs" / "location").frame.groupby("m")["success"].mean()
    assert rates[3] < rates[200] == 1


def test_the_family_that_breaks_the_protocol_is_refused_with_the_member(package: Path):
    family = load_family("location")
    assert check_family(family) is family

    class Unpaired(type(family)):
        def unpack(self, packed):
            return super().unpack({name: value for name, value in packed.items() if name != "truth"})

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
