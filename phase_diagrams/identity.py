"""Keys of a sweep: which random streams a trial has, made from canonical texts as `lrs.core.identity` makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from lrs.core import streams
from lrs.core.identity import canonical
from lrs.generate import InstanceSpec

_DEFAULTS = {f.name: f.default for f in fields(InstanceSpec)}


def given(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that are not at their default."""
    return {name: v for name, v in parameters.items() if v is not None and v != _DEFAULTS.get(name)}


def cell_text(parameters: Mapping[str, Any]) -> str:
    """Canonical text of an instance's parameters *without m*; parameters at their default are left out.

    Without m, because rows are nested: the data at m rows are the first m rows of the data at m + 1. Without defaults,
    so that a parameter added to `InstanceSpec` later changes no key of an old sweep.
    """
    chosen = {name: v for name, v in given(parameters).items() if name != "m"}
    return canonical({n: float(v) if isinstance(_DEFAULTS.get(n), float) else v for n, v in chosen.items()})


def instance_key(seed: int, parameters: Mapping[str, Any], replicate: int, nonce: str | None = None) -> tuple[int]:
    """Key of an instance's random streams, as `lrs.generate` takes it: one-way in (seed, cell, replicate) and the nonce.

    The solver, the shape of the grid, the order of the trials and the machine do not enter: two solvers see the same
    data, and two sweeps with the same seed share the instances they have in common.
    """
    return (streams.key("sweep/data", seed, cell_text(parameters), replicate, nonce=nonce),)


def solver_rng(
    seed: int, parameters: Mapping[str, Any], replicate: int, nonce: str | None = None
) -> np.random.Generator:
    """The generator handed to the solver, which tells nothing about the instance's key.

    All solvers get the same stream, so that a solver compared with itself agrees everywhere.
    """
    return streams.generator("sweep/solver", seed, cell_text(parameters), replicate, nonce=nonce)
