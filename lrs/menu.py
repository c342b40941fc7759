"""The list of verbs: each with its line of help, and loaded when it is called.

What a verb imports takes longer than the list may; so `later` adds the line, and the module behind it is imported when
somebody names the verb.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, get_args

import typer
from typer.core import TyperCommand, TyperGroup

HELP = ["-h", "--help"]
#: What stands for a value in the help where its option says nothing, by the name of its type.
WORDS = {"str": "TEXT", "text": "TEXT", "int": "N", "integer": "N", "float": "X"}


def later(app: typer.Typer, module: str, panel: str, verbs: Mapping[str, str]) -> None:
    """Add verbs that are loaded when they are called.

    Parameters
    ----------
    app : Typer
        The root.
    module : str
        Whose ``register(app)`` adds the verbs themselves.
    panel : str
        Heading in the list of verbs.
    verbs : mapping
        Name → line of help, the first sentence of the verb's own.
    """
    for name, line in verbs.items():
        kind = type("Later", (_Later,), {"module": module})
        app.command(name, cls=kind, rich_help_panel=panel, short_help=line)(_nothing)


def readable(command: Any) -> Any:
    """A command whose help wraps where lines end and not where the source does; of a flag it says no more than its name, and
    of a value what it is in a word instead of its type.
    """
    if command.help:
        command.help = "\n\n".join(" ".join(part.split()) for part in command.help.split("\n\n"))
    for parameter in command.get_params(typer.Context(command, help_option_names=HELP)):  # --help is among these alone
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
        elif parameter.metavar is None and parameter.param_type_name == "option":
            # Typer carries click's type in some versions and the annotation in others: "integer range", list[int].
            kind = getattr(parameter, "type", None) or getattr(
                getattr(parameter, "type_descriptor", None), "annotation", None
            )
            kind = next(iter(get_args(kind)), kind)
            parameter.metavar = WORDS.get(getattr(kind, "name", getattr(kind, "__name__", "")).removesuffix(" range"))
    for inner in getattr(command, "commands", {}).values():
        readable(inner)
    return command


class Menu(TyperGroup):
    """The root: whoever is named is loaded."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.loaded() if isinstance(command, _Later) else command, rest


def whole(menu: Any) -> Any:
    """The root with every verb loaded, for whoever reads the options of all."""
    for name, command in menu.commands.items():
        if isinstance(command, _Later):
            menu.commands[name] = command.loaded()
    return menu


class _Later(TyperCommand):
    module: str

    def loaded(self) -> Any:
        scratch = typer.Typer(add_completion=False)
        scratch.callback()(_nothing)  # a group, however many verbs
        import_module(self.module).register(scratch)
        return readable(typer.main.get_command(scratch).commands[self.name])  # type: ignore[attr-defined]


def _nothing() -> None:
    """What stands for a verb until it is loaded, and for a root that has no options."""
