"""`lrs generate`: draw an instance with a known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lrs.cli import print_json
from lrs.commands.family import FamilyName, Verb, add_verb, option, options, signed
from lrs.commands.shared import Force, Json, instance_document, instance_sentence, print_line
from lrs.core import archive
from lrs.core.family import Family
from lrs.core.files import writable

Out = Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="The .npz file to write.")]
Seed = Annotated[
    list[int] | None, typer.Option(help="Key of all random streams, repeatable; 0 by default.", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the verb to the root."""
    add_verb(app, "generate", generate, "Solve")


def generate(chosen: Family) -> Verb:
    """The verb for one family, whose parameters are the options."""

    def generate(
        out: Path, seed: list[int] | None, force: bool, as_json: bool, family: str | None, **values: Any
    ) -> None:
        out = writable(out, suffix=".npz", overwrite=force)
        instance = chosen.draw(chosen.spec(**values), seed or [0])
        archive.write_instance(out, chosen, chosen.pack(instance), overwrite=force)
        if as_json:
            print_json({"command": "generate", "output": out, **instance_document(instance)})
        else:
            print_line(f"wrote {out}: {instance_sentence(instance)}")

    generate.__doc__ = f"Draw an instance with a known truth and write it to a file.\n\n{chosen.note}"
    parameters = chosen.parameters.values()
    return signed(
        generate,
        *options(p for p in parameters if p.required),
        option("out", Out),
        option("seed", Seed, None),
        *options(p for p in parameters if not p.required),
        option("force", Force, False),
        option("as_json", Json, False),
        option("family", FamilyName, None),
    )
