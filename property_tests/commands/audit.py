"""The verb ``lrs audit``: an empirical privacy audit of the server, of a broken one, or of what a person runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from lrs.cli import print_json, stdout
from lrs.commands.shared import Json
from lrs.core.errors import InvalidInput
from lrs.core.registry import import_attribute
from lrs.core.validate import choice, hint

if TYPE_CHECKING:
    from property_tests.families.low_rank_sparse.privacy import Audit


def register(app: typer.Typer) -> None:
    """Add the verb to the root."""
    app.command(rich_help_panel="Check a solver")(audit)


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
    audits: Annotated[int, typer.Option(min=1, help="Audits of each server, with consecutive seeds.")] = 1,
    release: Annotated[
        str, typer.Option(metavar="gradient|statistics", help="What the audited server releases in a round.")
    ] = "gradient",
    solver: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:ATTRIBUTE",
            help="Audit this mechanism of your own: (schedule, start, noise, users) -> Server.",
        ),
    ] = None,
    path: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Audit what a person runs, from rows to transcript: solver, blocks, command line, estimator, programs, groups, "
            "replace-one, secure noise; repeatable; `all` for every one.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first audit.")] = 0,
    as_json: Json = False,
) -> None:
    """Try to tell one user's presence from the transcript of the private server; a lower bound on its ε.

    Exits with 1 when the bound exceeds what the ledger claims, or when the audit sees a difference where there is none.
    With --path it is not the server alone that is run, but all of what a person runs, from the users' rows on. With --mutant the servers are broken on purpose, and it exits with 1 when one of them is not refuted.
    """
    from property_tests.families.low_rank_sparse.end_to_end import PATHS, audit_path
    from property_tests.families.low_rank_sparse.privacy import MUTANTS, Mutant, honest
    from property_tests.families.low_rank_sparse.privacy import audit as run

    choice("release", release, ("gradient", "statistics"))
    if solver is not None and mutant:
        raise InvalidInput(
            "solver: a mechanism of your own and the built-in mutants are audited one at a time; leave one out"
        )
    names = list(MUTANTS) if mutant == ["all"] else (mutant or [])
    for name in names:
        if name not in MUTANTS:
            raise InvalidInput(f"mutant: no mutant named {name!r}; {hint(name, MUTANTS)} or all")
    if path and (mutant or solver is not None or release != "gradient"):
        raise InvalidInput("path: what a person runs is audited as it is; leave --mutant, --solver and --release out")
    ways = list(PATHS) if path == ["all"] else (path or [])
    for name in ways:
        if name not in PATHS:
            raise InvalidInput(f"path: no path named {name!r}; {hint(name, PATHS)} or all")
    mechanism = honest if solver is None else import_attribute(solver, "solver")
    chosen = {name: MUTANTS[name] for name in names} or {solver or "server": Mutant(mechanism, cast(Any, release))}
    shared: dict[str, Any] = {"epsilon": epsilon, "delta": delta, "rounds": rounds, "trials": trials, "alpha": alpha}
    audited: dict[str, Callable[[int], Audit]] = {
        name: lambda each, mutant=mutant: run(mutant.mechanism, kind=mutant.kind, seed=each, **shared)  # type: ignore[misc]
        for name, mutant in chosen.items()
    }
    if ways:
        audited = {name: lambda each, name=name: audit_path(name, seed=each, **shared) for name in ways}  # type: ignore[misc]
    results = {}
    for name, once in audited.items():
        results[name] = [once(each) for each in range(seed, seed + audits)]
        if not as_json:
            stdout().print(f"{name}: {_sentence(results[name])}", soft_wrap=True, markup=False, highlight=False)
    if as_json:
        each_server = {
            name: {**_worst(found).to_dict(), "audits": audits, "times_refuted": sum(a.refuted for a in found)}
            for name, found in results.items()
        }
        print_json({"command": "audit", "audits": each_server})
    expected = bool(names)
    if any(a.refuted is not expected or a.broken for found in results.values() for a in found):
        raise typer.Exit(1)


def _worst(audits: Sequence[Audit]) -> Audit:
    """The broken one, else the one with the largest bound."""
    return max(audits, key=lambda a: (a.broken, a.epsilon_lower))


def _sentence(audits: Sequence[Audit]) -> str:
    if len(audits) == 1:
        return audits[0].sentence
    bounds = [a.epsilon_lower for a in audits]
    return (
        f"refuted in {sum(a.refuted for a in audits)} of {len(audits)} audits, bounds ε ≥ {min(bounds):.3g} … {max(bounds):.3g}; "
        f"the ledger says {audits[0].claimed_epsilon:.3g}. The worst: {_worst(audits).sentence}"
    )
