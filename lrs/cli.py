"""The root of the ``lrs`` command: finds the verbs, and turns bad input into one line and exit code 2.

Verbs are plug-ins of the entry-point group ``lrs.commands``: each names a function ``register(app: typer.Typer)``.
Exit codes: 0 done, 1 ran but failed its purpose, 2 bad input or an output that cannot be written, 3 left open (`verify`),
70 a crash of the toolkit itself, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from lrs.core import spelling
from lrs.core.errors import InvalidInput
from lrs.core.registry import Registry, distribution
from lrs.menu import HELP, Menu, readable

#: Verbs, from the entry-point group ``lrs.commands``; each points to a function ``register(app)``.
COMMANDS: Registry[Any] = Registry("lrs.commands", "command", lambda register, where: register)
CRASHED, INTERRUPTED = 70, 130
#: Letters of a line on standard error; of what is longer, a name of half a page for instance, the middle is left out.
LONGEST = 1500
#: Environment variable under which a crash shows its traceback.
TRACEBACK = "LRS_TRACEBACK"


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
    if len(line) > LONGEST:
        line = f"{line[: LONGEST - 100]} … {line[-90:]}"
    with contextlib.suppress(OSError):  # nobody reads it
        stderr().print(Text(f"lrs: {kind}: {line}", style=style), soft_wrap=True)


def build_app() -> typer.Typer:
    """The command with all verbs of the entry points.

    The verbs of this distribution come first. A plug-in that does not import, does not register, or repeats a verb is
    reported on stderr and left out; the others stay usable.
    """
    app = typer.Typer(
        name="lrs",
        cls=Menu,
        help="Low-rank + sparse multi-task regression: generate, solve, predict, and check what a solver promises.",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": HELP},
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
        given = list(sys.argv[1:] if arguments is None else arguments)
        try:
            code = _call(given or ["--help"])
        except SystemExit as left:
            if isinstance(left.__context__, BrokenPipeError):  # Typer was the one to notice
                raise left.__context__ from None
            raise RuntimeError(f"something ended the program with {left.code!r}") from left
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
        _drop(sys.stdout)
        return 1
    except MemoryError as error:
        report("error", f"not enough memory ({error}); choose smaller sizes" if str(error) else _NO_MEMORY, "bold red")
        return 2
    except OSError as error:
        if error.filename is None and error.errno in _OF_STREAMS:
            _drop(sys.stdout)
            report(
                "error", f"standard output cannot be written ({error.strerror}); make room, then run again", "bold red"
            )
            return 2
        if isinstance(error, FileNotFoundError) and not _here():
            report("error", "the working directory does not exist any more; change to another one", "bold red")
            return 2
        if error.filename is None:
            return _crashed(error)
        report("error", f"{os.fsdecode(error.filename)}: {error.strerror}", "bold red")
        return 2
    except Exception as error:
        # Typer's usage errors; it carries its own copy of click, so their class has no public name.
        if not hasattr(error, "format_message"):
            return _crashed(error)
        context = getattr(error, "ctx", None)
        hint = f" (see {context.command_path} --help)" if context is not None else ""
        report("error", error.format_message().rstrip(".") + hint, "bold red")
        return 2


def _call(words: list[str]) -> Any:
    """The command, with the words of the first edition understood."""
    words, hint = spelling.verb(words)
    app = readable(typer.main.get_command(build_app()))
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


#: What a full, closed or broken standard output is reported with.
_OF_STREAMS = (errno.ENOSPC, errno.EBADF, errno.EIO, errno.EFBIG, errno.EDQUOT)
_NO_MEMORY = "not enough memory; choose smaller sizes"


def _here() -> bool:
    try:
        os.getcwd()
        return True
    except FileNotFoundError:
        return False


def _drop(stream: Any) -> None:
    """Nothing more is written to a stream, not even what it holds when Python ends."""
    with contextlib.suppress(Exception):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _crashed(error: BaseException) -> int:
    """A fault of the toolkit itself: one sentence, and the traceback where it is asked for."""
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
    frames = traceback.extract_tb(error.__traceback__)
    where = f", {Path(frames[-1].filename).name} line {frames[-1].lineno}" if frames else ""
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    report(
        "crash",
        f"this is a fault of the toolkit, not of yours ({said[:500]}{where}); {TRACEBACK}=1 shows more",
        "bold red",
    )
    return CRASHED


def main() -> None:
    """Console script."""
    lost = _open_streams()
    for stream in (sys.stdout, sys.stderr):
        # A name that is no Unicode text, or a terminal that knows ASCII only, costs an escape and not the answer.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if lost:
        report("error", "standard output is closed; redirect it, for instance to /dev/null", "bold red")
        sys.exit(2)
    with contextlib.suppress(ValueError, OSError):
        signal.signal(signal.SIGTERM, _terminate)
    code = run()
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    sys.exit(code)


def _terminate(*_: object) -> None:
    """A scheduler's SIGTERM leaves what is known, as Ctrl-C does."""
    raise KeyboardInterrupt


def _open_streams() -> bool:
    """Point closed standard streams at nothing, lest the next file that is opened takes their place; whether stdout was one."""
    lost = sys.stdout is None
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            handle = os.open(os.devnull, os.O_RDWR)
            if handle != number:
                os.dup2(handle, number)
                os.close(handle)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False))
    return lost
