"""Doing recorded trials again: one with its trace (`replay`), or a sample of somebody's sweep (`verify`)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lrs.core import streams
from lrs.core.errors import InvalidInput
from lrs.core.family import LOW_RANK_SPARSE, Instance
from lrs.core.machine import one_thread
from phase_diagrams.sweeps import identity, journal
from phase_diagrams.sweeps.engines import Engine
from phase_diagrams.sweeps.grid import SweepSpec
from phase_diagrams.sweeps.runner import Dispatcher
from phase_diagrams.sweeps.trial import Calls, Row, Runner, Trial, check_solvers, draw

#: Compared; not, what depends on the machine, or on whether the error was traced.
STABLE = ("outcome", "status", "iterations", "residual")


def difference(old: Row, new: Row) -> float:
    """Largest difference between two records of a trial: 0 when identical bit for bit, inf when they end differently.

    In between, the largest |a − b| of their errors, which are all relative errors or fractions.
    """
    worst = 0.0
    pairs = [(name, getattr(old, name), getattr(new, name)) for name in STABLE]
    names = dict.fromkeys([*old.errors, *new.errors])
    pairs += [(name, old.errors.get(name, math.nan), new.errors.get(name, math.nan)) for name in names]
    for name, a, b in pairs:
        if a == b or (isinstance(a, float) and isinstance(b, float) and a != a and b != b):
            continue
        if name == "iterations":
            worst = max(worst, np.finfo(float).eps)
        elif isinstance(a, float) and isinstance(b, float) and math.isfinite(a) and math.isfinite(b):
            worst = max(worst, abs(a - b))
        else:
            return math.inf
    return worst


def parse_replicate(spec: SweepSpec, replicate: int) -> int:
    """A replicate of the sweep."""
    if not 0 <= replicate < spec.replicates:
        raise InvalidInput(f"replicate: {replicate} is outside 0 … {spec.replicates - 1}")
    return replicate


def solver_index(spec: SweepSpec, name: str | None) -> int:
    """A solver of the sweep by name; the first by default."""
    if name is None:
        return 0
    if name not in spec.solvers:
        raise InvalidInput(f"solver: {name!r} is not in this sweep, which has {', '.join(spec.solvers)}")
    return spec.solvers.index(name)


@dataclass(frozen=True)
class Replay:
    """A trial done again.

    Attributes
    ----------
    row : Row
        The new record.
    recorded : Row or None
        The one in the journal.
    errors : list of float
        The family's first error after every outer step.
    instance : Instance
    difference : float
        See `difference`; NaN when nothing is recorded.
    """

    row: Row
    recorded: Row | None
    errors: Sequence[float]
    instance: Instance = field(repr=False)
    difference: float


def replay(
    folder: str | Path, cell: str, replicate: int, solver: str | None = None, calls: Calls | None = None
) -> Replay:
    """Rerun one dot of a map and trace it.

    Parameters
    ----------
    folder : path
    cell : str
        Index of the cell, or its coordinates, ``m=20,k=3``.
    replicate : int
    solver : str, optional
        Default: the first of the sweep.
    calls : Calls, optional
        Where it is called.

    Raises
    ------
    InvalidInput
        When there is no such trial, or its cell is impossible.
    """
    spec = journal.read_spec(folder)
    chosen = spec.find_cell(cell)
    trial = Trial(chosen.index, parse_replicate(spec, replicate), solver_index(spec, solver))
    instance = draw(spec, chosen, replicate)
    with one_thread():
        runner = Runner(spec, "replay", calls)
        outcome = runner.outcome(trial, instance, watch=True)
        row = runner.row(trial, outcome)
        runner.close()
    name = spec.solvers[trial.solver]
    recorded = next(
        (
            r
            for r in journal.read(folder, spec).rows()
            if (r.cell, r.replicate, r.solver) == (trial.cell, replicate, name)
        ),
        None,
    )
    return Replay(row, recorded, outcome.curve, instance, math.nan if recorded is None else difference(recorded, row))


@dataclass(frozen=True)
class Verification:
    """Agreement of a re-executed sample with the record.

    Attributes
    ----------
    sampled, recorded : int
        Trials done again, of how many recorded.
    identical, close, different : int
        Same bits; same outcome with errors that differ by at most `largest`; another outcome.
    largest : float
        Largest difference of an error among the close ones.
    witnesses : list of (Row, Row)
        The recorded and the new record of those that ended differently.
    """

    sampled: int
    recorded: int
    identical: int
    close: int
    different: int
    largest: float
    witnesses: Sequence[tuple[Row, Row]]


def parse_sample(text: str, recorded: int) -> int:
    """``1%`` of the recorded trials (at least one), or a number of trials."""
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = math.nan
    if not value > 0 or (text.endswith("%") and value > 100):
        raise InvalidInput(f"sample: expected a percentage such as 1% or a number of trials, got {text!r}")
    count = math.ceil(recorded * value / 100) if text.endswith("%") else int(value)
    return min(max(count, 1), recorded)


def reproduce(
    folder: str | Path, sample: str, engine: Engine, seed: int = 0, calls: Calls | None = None
) -> Verification:
    """Run a random sample of the recorded trials again and compare.

    Parameters
    ----------
    folder : path
    sample : str
        ``1%`` or a number of trials.
    engine : Engine
        A `LocalEngine`, unless the solvers are trusted not to end their process.
    seed : int
        Of the choice of the sample.
    calls : Calls, optional
        Where solvers are called.
    """
    spec = journal.read_spec(folder)
    recorded: dict[Trial, Row] = {}
    for row in journal.read(folder, spec).rows():
        recorded.setdefault(Trial(row.cell, row.replicate, spec.solvers.index(row.solver)), row)
    if not recorded:
        raise InvalidInput(f"{folder}: nothing is recorded there yet; run the sweep first")
    trials = sorted(recorded)
    rng = streams.generator("sweep/verify", seed)
    chosen = [trials[i] for i in sorted(rng.choice(len(trials), parse_sample(sample, len(trials)), replace=False))]
    fresh: dict[Trial, Row] = {}

    def record(rows: Sequence[Row]) -> None:
        fresh.update({Trial(row.cell, row.replicate, spec.solvers.index(row.solver)): row for row in rows})

    spec.check_streams()
    calls = calls or Calls()
    check_solvers(spec, calls)
    try:
        engine.start(spec, calls)
        Dispatcher(spec, engine, record).run(chosen)
    finally:
        engine.stop()
    apart = {trial: difference(recorded[trial], fresh[trial]) for trial in chosen}
    close = [d for d in apart.values() if 0 < d < math.inf]
    return Verification(
        sampled=len(chosen),
        recorded=len(trials),
        identical=sum(d == 0 for d in apart.values()),
        close=len(close),
        different=sum(d == math.inf for d in apart.values()),
        largest=max(close, default=0.0),
        witnesses=[(recorded[t], fresh[t]) for t in chosen if apart[t] == math.inf],
    )


def instance_lines(spec: SweepSpec, row: Row) -> str:
    """Python lines that draw the instance of a record, for a notebook."""
    parameters, family = spec.cells[row.cell].parameters, spec.of_family
    arguments = ", ".join(f"{name}={value!r}" for name, value in identity.given(parameters, family).items())
    key = identity.instance_key(spec.seed, parameters, row.replicate, spec.nonce, family)
    if spec.family == LOW_RANK_SPARSE:
        return f"import lrs\ninstance = lrs.generate(lrs.InstanceSpec({arguments}), seed={key})"
    return (
        f"from lrs.core.family import load_family\nfamily = load_family({spec.family!r})\n"
        f"instance = family.draw(family.spec({arguments}), {key})"
    )
