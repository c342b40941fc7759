"""The tutorial and the notebook of the docs run as they stand."""

import ast
import json
import re
import shlex
from pathlib import Path

import pytest
import typer

from lrs import cli
from lrs.menu import whole

GUIDE = Path(__file__).parents[2] / "docs" / "guide"
TEXT = (GUIDE / "tutorial.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.S) for line in block.splitlines() if line]


def test_the_tutorial_has_its_steps():
    assert len(COMMANDS) == 26


@pytest.mark.parametrize("line", COMMANDS)
def test_no_option_of_the_tutorial_is_an_old_word(line, capsys):
    words = shlex.split(line, comments=True)[1:]
    command = whole(typer.main.get_command(cli.build_app()))
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    known = {word for p in command.params for word in (*p.opts, *p.secondary_opts)} | {"--help"}
    assert {word for word in words if re.match("--?[a-z]", word)} <= known


@pytest.mark.slow
def test_the_tutorial_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (solver,) = re.findall(r"```python\n# (variant\.py)\n(.*?)```", TEXT, re.S)
    (tmp_path / solver[0]).write_text(solver[1], encoding="utf-8")
    for line in COMMANDS:
        words = shlex.split(line, comments=True)[1:]
        wanted = int(line.partition("# exit ")[2] or 0)
        assert cli.run(words) == wanted, (line, capsys.readouterr().err)
    for file in (
        "model.npz",
        "predictions.csv",
        "report/report.html",
        "map/report.html",
        "failing.npz",
        "rivals-map.png",
    ):
        assert (tmp_path / file).is_file(), file
    assert "nan" not in capsys.readouterr().out.split("residual", 1)[-1][:40]


def test_the_notebook_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    book = json.loads((GUIDE / "notebook.ipynb").read_text(encoding="utf-8"))
    assert book["nbformat"] == 4
    names = {}
    shown = 0
    for cell in book["cells"]:
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]))
        shows = isinstance(tree.body[-1], ast.Expr)
        last = ast.Expression(tree.body.pop().value) if shows else ast.parse("None", mode="eval")
        exec(compile(tree, "cell", "exec"), names)
        value = eval(compile(last, "cell", "eval"), names)
        if (page := getattr(value, "_repr_html_", lambda: None)()) is not None:  # figures show themselves otherwise
            assert page.startswith("<")
            shown += 1
    assert shown >= 4
