"""Keys of a sweep: which random streams a trial has, made from canonical texts as `lrs.core.identity` makes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lrs.core import streams
from lrs.core.family import LOW_RANK_SPARSE, Family, load_family
from lrs.core.identity import canonical


def given(parameters: Mapping[str, Any], family: Family | None = None) -> dict[str, Any]:
    """The parameters that are not at their default; of low rank + sparse where no family is named, here and below."""
    known = (family or load_family()).parameters
    return {name: v for name, v in parameters.items() if v is not None and v != known[name].default}


def cell_text(parameters: Mapping[str, Any], family: Family | None = None) -> str:
    """Canonical text of an instance's parameters *without nested ones*; parameters at their default are left out.

    Without m, because rows are nested: the data at m rows are the first m rows of the data at m + 1. Without defaults,
    so that a parameter added to a family later changes no key of an old sweep.
    """
    known = (family or load_family()).parameters
    chosen = {name: v for name, v in given(parameters, family).items() if not known[name].nested}
    return canonical({n: float(v) if isinstance(known[n].default, float) else v for n, v in chosen.items()})


def _key(purpose: str, seed: int, parameters: Mapping[str, Any], replicate: int, nonce: str | None, family: Any) -> Any:
    name = () if family is None or family.name == LOW_RANK_SPARSE else (family.name,)
    return (streams.key(purpose, *name, seed, cell_text(parameters, family), replicate, nonce=nonce),)


def instance_key(
    seed: int, parameters: Mapping[str, Any], replicate: int, nonce: str | None = None, family: Family | None = None
) -> tuple[int]:
    """Key of an instance's random streams, as `Family.draw` takes it: one-way in (seed, cell, replicate) and the nonce.

    The solver, the shape of the grid, the order of the trials and the machine do not enter: two solvers see the same
    data, and two sweeps with the same seed share the instances they have in common.
    """
    key: tuple[int] = _key("sweep/data", seed, parameters, replicate, nonce, family)
    return key


def solver_key(
    seed: int, parameters: Mapping[str, Any], replicate: int, nonce: str | None = None, family: Family | None = None
) -> tuple[int]:
    """Key of the generator handed to the solver, which tells nothing about the instance's key.

    All solvers get the same stream, so that a solver compared with itself agrees everywhere.
    """
    key: tuple[int] = _key("sweep/solver", seed, parameters, replicate, nonce, family)
    return key
