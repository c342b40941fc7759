"""The root of the ``lrs`` command: finds the verbs, and turns bad input into one line and exit code 2.

Verbs are plug-ins of the entry-point group ``lrs.commands``: each names a function ``register(app: typer.Typer)``.
Exit codes: 0 done, 1 ran but failed its purpose, 2 bad input, 130 interrupted.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from lrs.core import spelling
from lrs.core.errors import InvalidInput
from lrs.core.registry import Registry, distribution

#: Verbs, from the entry-point group ``lrs.commands``; each points to a function ``register(app)``.
COMMANDS: Registry[Any] = Registry("lrs.commands", "command", lambda register, where: register)
INTERRUPTED = 130


def stdout() -> Console:
    """The console results are printed to; made anew, so that redirection is seen."""
    return Console(highlight=False)


def stderr() -> Console:
    """The console for progress, warnings and errors."""
    return Console(stderr=True, highlight=False)


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document on stdout; NaN and infinity, which JSON lacks, become null."""
    sys.stdout.write(json.dumps(_plain(document), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value


def report(kind: str, message: str, style: str) -> None:
    """One line on stderr: ``lrs: kind: message``, coloured where the terminal has colours."""
    line = " ".join(message.split())
    stderr().print(Text(f"lrs: {kind}: {line}", style=style), soft_wrap=True)


def build_app() -> typer.Typer:
    """The command with all verbs of the entry points.

    The verbs of this distribution come first. A plug-in that does not import, does not register, or repeats a verb is
    reported on stderr and left out; the others stay usable.
    """
    app = typer.Typer(
        name="lrs",
        help="Low-rank + sparse multi-task regression: generate, solve, predict, and check what a solver promises.",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    taken: set[str] = set()
    for point in sorted(COMMANDS.points, key=lambda p: p.value != "lrs.commands:register"):  # the first verbs of all
        # A scratch app first: a plug-in that fails half-way leaves nothing behind.
        scratch = typer.Typer()
        try:
            point.load()(scratch)
            names = [_verb(command) for command in scratch.registered_commands]
            names += [str(group.name) for group in scratch.registered_groups]
            repeated = sorted(taken.intersection(names))
            if repeated:
                raise InvalidInput(f"the verb {', '.join(repeated)} exists already")
        except Exception as error:
            report(
                "warning",
                f"command plug-in {point.name!r} ({distribution(point)}) is broken and was left out: "
                f"{type(error).__name__}: {error}",
                "yellow",
            )
            continue
        taken.update(names)
        app.registered_commands += scratch.registered_commands
        app.registered_groups += scratch.registered_groups
    return app


def _verb(command: Any) -> str:
    return command.name or command.callback.__name__.lower().replace("_", "-")


def _version(asked: bool) -> bool:
    if asked:
        from lrs import __version__

        sys.stdout.write(f"lrs-toolkit {__version__}\n")
        raise typer.Exit
    return asked


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Options of the root itself."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the process.
    """
    try:
        code = _call(list(sys.argv[1:] if arguments is None else arguments) or ["--help"])
        sys.stdout.flush()
        if code == INTERRUPTED:  # Typer turns the exception into this code
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except InvalidInput as error:
        report("error", str(error), "bold red")
        return 2
    except (KeyboardInterrupt, typer.Abort):
        report("error", "interrupted", "bold red")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1  # as Typer exits when it is the one to notice
    except OSError as error:
        if error.filename is None:
            raise
        report("error", f"{error.filename}: {error.strerror}", "bold red")
        return 2
    except Exception as error:
        # Typer's usage errors; it carries its own copy of click, so their class has no public name.
        if not hasattr(error, "format_message"):
            raise
        context = getattr(error, "ctx", None)
        hint = f" (see {context.command_path} --help)" if context is not None else ""
        report("error", error.format_message().rstrip(".") + hint, "bold red")
        return 2


def _call(words: list[str]) -> Any:
    """The command, with the words of the first edition understood."""
    words, hint = spelling.verb(words)
    app = build_app()
    while True:
        if hint is not None:
            report("note", hint, "yellow")
        try:
            return app(args=words, prog_name="lrs", standalone_mode=False)
        except Exception as error:  # click's NoSuchOption, of whichever copy of click: nothing has been done yet
            path = getattr(getattr(error, "ctx", None), "command_path", "").removeprefix("lrs ")
            newer = spelling.option(words, path, getattr(error, "option_name", ""))
            if newer is None:
                raise
            words, hint = newer


def main() -> None:
    """Console script."""
    sys.exit(run())
