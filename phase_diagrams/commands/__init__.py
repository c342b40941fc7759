"""The verbs of this floor: where does a solver work?"""

from __future__ import annotations

import typer

from lrs.menu import later


def register(app: typer.Typer) -> None:
    """List the verbs at the root."""
    add = {
        "sweep": {
            "sweep": "Run a recovery map, or go on with one: lrs sweep --x m=14:40:4 --y k=1:6 --fixed d=40,r=2,t=60 --out DIR",
            "replay": "Run one trial of a sweep again, bit for bit, and show its trace; exit code 1 when it ends differently.",
        },
        "analysis": {
            "boundary": "The 50 % boundary of a map, line by line, with profile-likelihood intervals.",
            "scaling": "Fit m₅₀ = C · r^a · k^b · d^c · t^e and compare the exponents with the theorem's and with the limits'.",
            "plot": "Draw a map as PNG and SVG, and list the violations of the theorem's region with the commands that replay "
            "them.",
            "duel": "Did B move the boundary? Paired map, exact McNemar tests, shift of the boundary, fair timing.",
            "report": "One self-contained HTML page: maps, boundary, scaling, violations, specification, environment, integrity "
            "hash.",
        },
    }
    for module, verbs in add.items():
        later(app, f"phase_diagrams.commands.{module}", "Recovery maps", verbs)
