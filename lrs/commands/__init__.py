"""The verbs of the ground floor: generate, solve, tune, predict, adapt, solvers, info."""

from __future__ import annotations

import typer

from lrs.menu import later


def register(app: typer.Typer) -> None:
    """List the verbs at the root."""
    add = {
        "generate": {"generate": "Draw an instance with a known truth and write it to a file."},
        "solve": {"solve": "Fit the model to a file and report the errors."},
        "tune": {"tune": "Show how well models of every rank and sparsity predict rows held out."},
        "apply": {
            "predict": "Predict every row of a file with its task's parameters, in the order of the file.",
            "adapt": "Fit new tasks with the shared directions U fixed: each learns its own w and b from its own rows.",
        },
        "describe": {
            "solvers": "List the solvers that can be named, with what each can do.",
            "info": "Say what is in a file.",
        },
    }
    for module, verbs in add.items():
        later(app, f"lrs.commands.{module}", "Solve", verbs)
