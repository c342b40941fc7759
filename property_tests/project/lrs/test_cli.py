"""The root of the command line: discovery, exit codes, and one line for each error."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import typer

from lrs import __version__, cli
from lrs.menu import whole

PLUGINS = """
import typer

def good(app):
    @app.command()
    def hello(name: str = "you"):
        "Say hello."
        typer.echo(f"hello {name}")

def raises(app):
    @app.command()
    def half():
        "Registered before the plug-in failed."
    raise RuntimeError("no such luck")

def repeats(app):
    @app.command()
    def hello():
        "The same verb again."

def group(app):
    inner = typer.Typer()
    inner.command()(lambda: None)
    app.add_typer(inner, name="nested")

def exits(app):
    @app.command()
    def leave(code: int):
        raise typer.Exit(code)

def interrupted(app):
    @app.command()
    def stop():
        raise KeyboardInterrupt

def reads(app):
    @app.command()
    def cat(file: str):
        open(file)

def talks(app):
    from lrs import InvalidInput

    @app.command()
    def talk():
        raise InvalidInput("first\\nsecond")

def bug(app):
    @app.command()
    def fail():
        raise ZeroDivisionError("a bug")
"""


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install exactly these plug-ins, as ``name="attribute"``."""
    module = f"plugins_{abs(hash(tmp_path))}"
    (tmp_path / f"{module}.py").write_text(PLUGINS)
    monkeypatch.syspath_prepend(tmp_path)

    def install(*attributes: str) -> None:
        points = [EntryPoint(a, a if ":" in a else f"{module}:{a}", cli.COMMANDS.group) for a in sorted(attributes)]
        monkeypatch.setattr(cli, "COMMANDS", SimpleNamespace(points=points))

    return install


def test_help_lists_the_verbs(run: Callable):
    for arguments in ((), ("--help",), ("-h",)):
        result = run(*arguments)
        assert result.code == 0
        assert all(verb in result.out for verb in ("generate", "solve", "predict", "adapt", "solvers", "info"))
        assert result.err == ""


def test_the_version(run: Callable):
    assert run("--version") == (0, f"lrs-toolkit {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("solvee",), "lrs: error: No such command 'solvee'. Did you mean 'solve', 'solvers'?"),
        (("--colour",), "lrs: error: No such option: --colour (see lrs --help)"),
        (("solve",), "lrs: error: Missing argument 'FILE' (see lrs solve --help)"),
        (("solve", "x.npz", "--rank", "two"), "lrs: error: rank: expected a number or auto, got 'two'"),
        (("generate", "-t", "3"), "lrs: error: Missing option"),
        (("info", "absent.npz"), "lrs: error: absent.npz: no such file"),
    ],
)
def test_errors_are_one_line_and_exit_with_2(arguments: tuple, message: str, run: Callable):
    result = run(*arguments)
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith(message)
    assert result.err.count("\n") == 1


def test_errors_are_red_where_there_are_colours(run: Callable, monkeypatch: pytest.MonkeyPatch):
    assert "\x1b[" not in run("info", "absent.npz").err
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[1;31m" in run("info", "absent.npz").err


def test_a_third_partys_verb(run: Callable, plugins: Callable):
    plugins("good", "group")
    assert run("hello", "--name", "world").out == "hello world\n"
    assert "nested" in run("--help").out


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("raises", "command plug-in 'raises' (plugins_"),
        ("repeats", "InvalidInput: the verb hello exists already"),
        ("absent", "has no attribute 'absent'"),
        ("a_module_that_is_not_there:register", "ModuleNotFoundError: No module named 'a_module_that_is_not_there'"),
    ],
)
def test_a_broken_plug_in_is_reported_and_left_out(broken: str, message: str, run: Callable, plugins: Callable):
    plugins(broken, "good")
    result = run("hello")
    assert (result.code, result.out) == (0, "hello you\n")
    assert result.err.startswith("lrs: warning: command plug-in ")
    assert "is broken and was left out" in result.err
    assert message in result.err
    assert result.err.count("\n") == 1
    assert "half" not in run("--help").out


def test_exit_codes(run: Callable, plugins: Callable, monkeypatch: pytest.MonkeyPatch):
    plugins("exits", "interrupted", "reads", "bug")
    assert run("leave", "0").code == 0
    assert run("leave", "1").code == 1
    assert run("stop") == (130, "", "lrs: error: interrupted\n")
    assert run("cat", "absent.txt") == (2, "", "lrs: error: absent.txt: No such file or directory\n")
    code, out, err = run("fail")  # a bug is no bad input, and not what a refuted claim ends with
    assert (code, out) == (70, "")
    assert re.fullmatch(
        r"lrs: crash: this is a fault of the toolkit, not of yours \(ZeroDivisionError: a bug, plugins_\d+.py line \d+\); "
        r"LRS_TRACEBACK=1 shows more\n",
        err,
    )
    monkeypatch.setenv("LRS_TRACEBACK", "1")
    assert 'raise ZeroDivisionError("a bug")' in run("fail").err


def test_a_closed_pipe_ends_quietly(instance_file: Path):
    # The reader takes one line and leaves, as head does.
    run_lrs = [sys.executable, "-c", "from lrs.cli import main; main()", "info", str(instance_file), "--json"]
    with subprocess.Popen(run_lrs, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 1


@pytest.mark.parametrize("code", ["import lrs", "from lrs.cli import run; run(['--help'])"])
def test_a_start_imports_nothing_heavy(code: str):
    # What takes time, whatever the machine: hundreds of modules of others, and all of ours but a few.
    code += (
        "; import sys; print(sorted(m for m in sys.modules if m.partition('.')[0] in "
        "('numpy', 'scipy', 'pandas', 'pyarrow', 'sklearn', 'matplotlib', 'seaborn', 'sympy', 'hypothesis', 'numba', 'jaxtyping')"
        "or m.startswith(('lrs.families', 'lrs.amht', 'lrs.private', 'lrs.hierarchical', 'lrs.baselines', 'lrs.solver'))), "
        "file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_the_list_of_verbs_says_what_the_verbs_say():
    listed = typer.main.get_command(cli.build_app()).commands
    before = {name: (command.short_help, command.rich_help_panel) for name, command in listed.items()}
    loaded = whole(typer.main.get_command(cli.build_app())).commands
    assert len(before) > 20
    assert before == {name: (c.help.split("\n\n")[0], c.rich_help_panel) for name, c in loaded.items()}
    for module in ("lrs", "theory", "property_tests", "phase_diagrams"):  # and no verb is left out of the list
        for path in Path(f"{import_module(module).__path__[0]}/commands").glob("*.py"):
            scratch = typer.Typer()
            register = getattr(import_module(f"{module}.commands.{path.stem}"), "register", lambda app: None)
            if path.stem != "__init__":
                register(scratch)
                names = {cli._verb(c) for c in scratch.registered_commands} | {
                    g.name for g in scratch.registered_groups
                }
                assert names <= set(before), path


def test_names_are_there_without_having_been_imported():
    code = (
        "import lrs; print(lrs.amht.AMHT is lrs.AMHT, lrs.kernels.use, lrs.metrics.theta_error, lrs.core.archive);"
        "assert sorted(lrs.__all__) == list(lrs.__all__) and all(hasattr(lrs, name) for name in lrs.__all__);"
        "assert not hasattr(lrs, 'nothing') and not hasattr(lrs, '_nothing') and set(lrs.__all__) <= set(dir(lrs))"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def test_json_is_plain(capsys: pytest.CaptureFixture[str]):
    document = {
        "a": np.float64(1.5),
        "b": np.arange(2),
        "c": float("nan"),
        "d": (np.inf, "θ"),
        "e": Path("x"),
        "f": None,
    }
    cli.print_json(document)
    assert capsys.readouterr().out == (
        '{\n  "a": 1.5,\n  "b": [\n    0,\n    1\n  ],\n  "c": null,\n  "d": [\n    null,\n    "θ"\n  ],\n'
        '  "e": "x",\n  "f": null\n}\n'
    )


def test_multi_line_messages_become_one_line(run: Callable, plugins: Callable):
    plugins("talks")
    assert run("talk") == (2, "", "lrs: error: first second\n")
