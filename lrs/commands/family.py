"""Verbs whose options are those of a family: the one that ``--family`` names, or else the instance file or the theorem.

Such a verb is a function ``verb_for(family)`` that makes the command; which family is meant is read from the arguments
before they are parsed, so that ``lrs generate --family NAME --help`` lists the parameters of that family.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from lrs.core import archive
from lrs.core.errors import InvalidInput
from lrs.core.family import FAMILIES, LOW_RANK_SPARSE, Family, Parameter, load_family
from lrs.core.spelling import OPTIONS
from lrs.menu import readable

FamilyName = Annotated[
    str | None,
    typer.Option(
        "--family",
        metavar="NAME",
        help="Family of problems; default: the file's or the theorem's, low-rank-sparse where nothing says.",
    ),
]
Verb = Callable[..., Any]
#: Options whose value is a file that is written, or no instance.
_OTHER_FILES = ("-o", "--out", "--output", "--model", "--lock")


def add_verb(
    app: typer.Typer,
    name: str,
    verb_for: Callable[[Family], Verb],
    panel: str,
    meant_by: Mapping[str, Callable[[str], str]] | None = None,
) -> None:
    """Add a verb whose options depend on the family.

    Parameters
    ----------
    app : Typer
    name : str
    verb_for : callable
        ``verb_for(family)`` is the function of the command.
    panel : str
        Heading in the list of verbs.
    meant_by : mapping, optional
        Other options that imply a family → its name, from their value.
    """
    members = {"verb_for": staticmethod(verb_for), "meant_by": meant_by or {}}
    app.command(name, rich_help_panel=panel, cls=type("FamilyCommand", (_FamilyCommand,), members))(
        verb_for(load_family())
    )


class _FamilyCommand(TyperCommand):
    verb_for: Callable[[Family], Verb]
    meant_by: Mapping[str, Callable[[str], str]]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        family = _meant(args, self.meant_by)
        if family.name != LOW_RANK_SPARSE:  # whose options this command has already
            single = typer.Typer(add_completion=False)
            single.command()(self.verb_for(family))
            other = readable(typer.main.get_command(single))
            self.params, self.callback, self.help = other.params, other.callback, other.help
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            option = getattr(error, "option_name", None)  # click's NoSuchOption, of whichever copy of click
            old = option in OPTIONS.get(str(self.name), {})
            if option is None or old or family.name == LOW_RANK_SPARSE or not hasattr(error, "possibilities"):
                raise
            raise InvalidInput(
                f"{option}: lrs {self.name} has no such option for {family.title}; see lrs {self.name} --family "
                f"{family.name} --help"
            ) from None


def _meant(args: Sequence[str], meant_by: Mapping[str, Callable[[str], str]]) -> Family:
    """The family that the arguments of a verb mean."""
    named = dict(_options(args, ("--family", *meant_by)))
    if "--family" in named:
        return load_family(named["--family"])
    for option, value in named.items():
        return load_family(meant_by[option](value))
    skipped = {value for _, value in _options(args, _OTHER_FILES)}
    for word in args:
        if word.endswith(".npz") and word not in skipped and Path(word).is_file():
            return load_family(_family_of_file(word))
    return load_family()


def _options(args: Sequence[str], names: Sequence[str]) -> Iterator[tuple[str, str]]:
    for word, following in zip(args, [*args[1:], ""], strict=False):
        name, equals, value = word.partition("=")
        if name in names:
            yield name, value if equals else following


def _family_of_file(path: str | Path) -> str:
    try:
        header = archive.read_header(path)
    except InvalidInput:
        return LOW_RANK_SPARSE
    name = str(header.get("family", LOW_RANK_SPARSE))
    return name if name in FAMILIES else LOW_RANK_SPARSE  # whoever reads the file says so


def options(parameters: Iterable[Parameter]) -> list[inspect.Parameter]:
    """Parameters of a family as options."""
    found = []
    for p in parameters:
        kind: Any = Literal[p.choices] if p.choices else p.kind
        if p.required:
            found.append(option(p.name, Annotated[kind, typer.Option(*p.options, help=p.meaning)]))
            continue
        kind = kind | None if p.default is None else kind
        found.append(option(p.name, Annotated[kind, typer.Option(*p.options, help=p.meaning)], p.default))
    return found


def option(name: str, annotation: Any, *default: Any) -> inspect.Parameter:
    """One parameter of a verb that is put together; required without a default."""
    value = default[0] if default else inspect.Parameter.empty
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=value, annotation=annotation)


def signed(verb: Verb, *parameters: inspect.Parameter) -> Verb:
    """A verb of ``**values`` with the signature that Typer is to see."""
    verb.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    verb.__annotations__ = {p.name: p.annotation for p in parameters}
    return verb
