"""The verb ``lrs audit``: an empirical privacy audit of the server, or of a broken one."""

from __future__ import annotations

from typing import Annotated

import typer

from lrs.cli import print_json, stdout
from lrs.errors import InvalidInput


def register(app: typer.Typer) -> None:
    """Add the verb to the root."""
    app.command()(audit)


def audit(
    epsilon: Annotated[
        float, typer.Option(help="The ε under test; bugs show in the fewest runs when it is large.")
    ] = 8.0,
    delta: Annotated[float, typer.Option(help="The δ under test.")] = 1e-6,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of the audited run.")] = 2,
    trials: Annotated[int, typer.Option(help="Runs with and without the canary, each.")] = 500,
    alpha: Annotated[float, typer.Option(help="Probability of refuting a correct mechanism.")] = 1e-3,
    mutant: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Audit this broken server instead; repeatable; `all` for every one."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the audit.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout instead of text.")] = False,
) -> None:
    """Try to tell one user's presence from the transcript of the private server; a lower bound on its ε.

    Exits with 1 when the bound exceeds what the ledger claims, or when the audit sees a difference where there is none.
    With --mutant the servers are broken on purpose, and it exits with 1 when one of them is not refuted.
    """
    from property_tests.privacy import MUTANTS, honest
    from property_tests.privacy import audit as run

    names = list(MUTANTS) if mutant == ["all"] else (mutant or [])
    for name in names:
        if name not in MUTANTS:
            raise InvalidInput(f"mutant: no mutant named {name!r}; known are {', '.join(MUTANTS)}, or all")
    chosen = {name: MUTANTS[name] for name in names} or {"server": honest}
    results = {}
    for name, mechanism in chosen.items():
        results[name] = run(
            mechanism, epsilon=epsilon, delta=delta, rounds=rounds, trials=trials, alpha=alpha, seed=seed
        )
        if not as_json:
            stdout().print(f"{name}: {results[name].sentence}", soft_wrap=True, markup=False, highlight=False)
    if as_json:
        print_json({"command": "audit", "audits": {name: result.to_dict() for name, result in results.items()}})
    expected = bool(names)
    if any(result.refuted is not expected or result.broken for result in results.values()):
        raise typer.Exit(1)
