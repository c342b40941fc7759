"""The verbs of this floor: what is promised, what is possible, and what it takes."""

from __future__ import annotations

import typer

from lrs.menu import later


def register(app: typer.Typer) -> None:
    """List the verbs at the root."""
    add = {
        "check": {
            "check": "Say which assumptions hold, by what margin, which one binds, and what the data cannot tell.",
            "theorems": "List the theorems, show one, or have z3 prove the relations between them.",
            "plan": "Say how many rows or tasks the limits, the theorem and the solver itself need.",
        },
        "calibrate": {
            "calibrate": "Measure the constants of the theorem's sample bounds for a solver, or (--laws) what law its rows "
            "follow."
        },
        "limit": {
            "limit": "Error per iteration of an optimal method, the Bayes error, and the limits that hold without noise."
        },
        "profile": {
            "profile": "Measure how much every inequality of a proof loses: left over right side, in every step of a run."
        },
        "rate": {
            "rate": "Certify that a trace of errors converges geometrically, or say how it fails to; name the law that it "
            "follows."
        },
    }
    for module, verbs in add.items():
        later(app, f"theory.commands.{module}", "Theory", verbs)
