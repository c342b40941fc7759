"""The verbs of the ground floor: generate, solve, tune, predict, adapt, solvers, info.

pandas and rich's tables are imported inside the verbs, so that ``lrs --help`` stays quick.
"""

from __future__ import annotations

import typer

from lrs.commands.apply import adapt, predict
from lrs.commands.describe import info, solvers
from lrs.commands.family import add_verb
from lrs.commands.generate import generate
from lrs.commands.solve import solve
from lrs.commands.tune import tune


def register(app: typer.Typer) -> None:
    """Add the verbs to the root."""
    add_verb(app, "generate", generate, "Solve")
    add_verb(app, "solve", solve, "Solve")
    for verb in (tune, predict, adapt, solvers, info):
        app.command(rich_help_panel="Solve")(verb)
