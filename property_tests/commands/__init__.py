"""The verbs of this floor: is a solver what the theorem says?"""

from __future__ import annotations

import typer

from lrs.menu import later


def register(app: typer.Typer) -> None:
    """List the verbs at the root."""
    add = {
        "verify": {
            "verify": "Check a solver against the theorem, claim by claim, with both error rates controlled.",
            "claims": "List the claims: what each says, what decides it, what it rests on.",
            "write": "Write a test file and a list of expected failures for your repository, after one probing run.",
        },
        "audit": {
            "audit": "Try to tell one user's presence from the transcript of the private server; a lower bound on its ε."
        },
    }
    for module, verbs in add.items():
        later(app, f"property_tests.commands.{module}", "Check a solver", verbs)
