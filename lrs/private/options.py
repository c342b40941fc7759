"""Configured private solvers: from the text and flags of a command line, or a refusal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lrs.core.errors import InvalidInput
from lrs.private.solver import PrivateAMHT


def configure(solver: Any, name: str, *, seed: int | None, insecure_seed: bool, **options: Any) -> Any:
    """The solver with the options given (None stands for not given).

    Raises
    ------
    InvalidInput
        A privacy option for a solver that is not private, a seed that is not said to be insecure, no target, no clip levels.
    """
    given = {option: value for option, value in options.items() if value is not None}
    if not isinstance(solver, PrivateAMHT):
        used = [*given, *(["insecure_seed"] if insecure_seed else [])]
        if used:
            raise InvalidInput(
                f"{used[0]}: the solver {name!r} is not private; leave --{used[0].replace('_', '-')} out, or pass --solver private-amht"
            )
        return solver
    if seed is not None and not insecure_seed:
        raise InvalidInput(
            "seed: whoever knows the seed knows the noise; leave --seed out for secure noise, or add --insecure-seed to mark the "
            "result as not private"
        )
    if insecure_seed:
        given["insecure_seed"] = seed or 0
    configured = replace(solver, **given)
    configured.check_ready()
    return configured
