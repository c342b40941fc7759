"""Constants of Ω(·) bounds, measured: boundary shells, a lock file, a hold-out and the efficiency of a variant.

A bound m ≥ C g(θ) is silent about C. For C descending on a fixed grid, configurations are drawn *on the boundary*
(m = ⌈C g(θ)⌉ exactly) and the success probability is certified with the sequential test of `theory.statistics.evidence`; the first
C that is not certified ends the descent and the last one that was is kept. This is fixed-sequence testing: looking at
many C costs no multiplicity. Drawing from the whole region {m ≥ C g} instead would average easy configurations in and
certify constants that fail on their own boundary.

The constants are frozen in a lock file whose entries carry grid, seeds, solver and a hash; a file edited by hand or made
by another solver is refused. Derived [D]; the constants themselves are empirical and say so.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import sympy

from lrs.core import streams
from lrs.core.errors import InvalidInput
from lrs.core.family import LOW_RANK_SPARSE, Success, load_family
from lrs.core.identity import canonical, digest
from lrs.core.run import Executor, Subject
from lrs.core.spelling import renamed
from lrs.core.trial import Ended, trial
from lrs.core.validate import integer
from lrs.families.low_rank_sparse.generate import InstanceSpec
from lrs.isolation import executor_for
from theory.families.low_rank_sparse import assumptions
from theory.language.symbols import Constant
from theory.statistics.evidence import BinomialTest, EvidenceVerdict
from theory.statistics.laws import LawCalibration, identity

#: Version 3 also holds laws (`theory.statistics.laws`) and says of every calibration whether it is certified. Version 2
#: says by which criterion its trials were judged and with which random streams they were drawn; those of version 1 were
#: judged by `FIRST_CRITERION` and drawn with the first streams.
FORMAT, VERSION, READABLE = "lrs-toolkit constants", 3, (1, 2, 3)
FIRST_CRITERION = "theta"
#: The constants shipped with the package.
LOCK_FILE = Path(__file__).parents[1] / "constants.lock.json"
#: Claimed success probability .99, more than .95 certified, with errors of 1 %.
DEFAULT_TEST = BinomialTest(p0=0.99, p1=0.95, alpha=1e-2, beta=1e-2)


def octave_grid(top: float = 16.0, steps: int = 17) -> tuple[float, ...]:
    """``steps`` constants that fall from ``top`` by half an octave each."""
    return tuple(round(top * 2 ** (-j / 2), 4) for j in range(steps))


DEFAULT_GRID = octave_grid()
#: What `calibrate_theorem` measures.
CONSTANTS = frozenset({"C_task", "C_total"})
Sizes = Mapping[str, int]
Progress = Callable[["ShellResult"], None]


@dataclass(frozen=True)
class Shells:
    """One constant and its boundary.

    Attributes
    ----------
    name : str
        Name of the constant.
    bound : str
        The bound it belongs to, as text.
    draw : callable
        ``draw(rng, scale) -> sizes`` draws θ = (d, r, k, …); ``scale`` multiplies d and is above 1 for a hold-out.
    spec : callable
        ``spec(C, sizes)`` is the specification on the boundary of the bound at C.
    success : Success
        What counts as recovered; default: the family's criterion.
    configurations : str
        What ``draw`` draws from, in words; recorded, because a constant holds for these configurations.
    family : str
        Of the instances.
    """

    name: str
    bound: str
    draw: Callable[[np.random.Generator, int], Sizes]
    spec: Callable[[float, Sizes], Any]
    success: Success = field(default_factory=Success)
    configurations: str = ""
    family: str = LOW_RANK_SPARSE


@dataclass(frozen=True)
class ShellResult:
    """Trials on one shell.

    Attributes
    ----------
    constant : float
    successes, failures : int
    certified : bool
        More than p₁ of the trials succeed, at error ``test.beta``.
    below : bool
        Fewer than p₁ do, at error ``test.alpha`` over the whole grid together.
    """

    constant: float
    successes: int
    failures: int
    certified: bool
    below: bool


@dataclass(frozen=True)
class Calibration:
    """A calibrated constant.

    Attributes
    ----------
    name, bound, solver : str
        Constant, its bound, and the identity of the solver.
    value : float or None
        Smallest constant whose shell was certified; None when not even the largest of the grid was. Whether the constant
        is certified is said by ``doubts``.
    refuted : float or None
        Largest constant on whose shell fewer than p₁ succeed; the critical constant lies between the two.
    grid : tuple of float
    shells : tuple of ShellResult
    test : BinomialTest
    budget : int
        Largest number of trials on a shell.
    seed : int
    fixed : mapping
        Other constants held fixed meanwhile.
    configurations : str
        What the configurations were drawn from.
    hold_out : ShellResult or None
    hold_out_scale : int or None
        Factor on d of the hold-out.
    streams : int
        Version of the random streams of its trials (`lrs.core.streams`). A count of older trials stays what it was; the
        same seed would draw others now.
    criterion : str or float
        By which every trial was judged (`lrs.core.family.Success`), to a tolerance of ``tolerance``.
    tolerance : float
    """

    name: str
    bound: str
    solver: str
    value: float | None
    refuted: float | None
    grid: tuple[float, ...]
    shells: tuple[ShellResult, ...]
    test: BinomialTest
    budget: int
    seed: int
    fixed: Mapping[str, float] = field(default_factory=dict)
    configurations: str = ""
    hold_out: ShellResult | None = None
    hold_out_scale: int | None = None
    streams: int = streams.VERSION
    criterion: str | float = ""
    tolerance: float = Success.tolerance

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why the constant is not certified; empty when it is.

        Where the grid ends nothing says that the descent would not have gone on, or that the shell above succeeds too.
        """
        if self.value is None:
            return ("no shell of its grid was certified",)
        out = []
        if self.value in (self.grid[0], self.grid[-1]):
            out.append(f"{self.value:g} is the {'top' if self.value == self.grid[0] else 'end'} of its grid")
        held = self.hold_out
        if held is None:
            out.append("it has no hold-out")
        elif not held.certified:
            recovered = f"{held.successes} of {held.successes + held.failures} recovered"
            out.append(f"its hold-out at {self.hold_out_scale} d failed ({recovered})")
        return tuple(out)

    @property
    def certified(self) -> bool:
        """Whether nothing speaks against the constant: inside its grid, and its hold-out was certified."""
        return not self.doubts

    def to_constant(self) -> Constant:
        """The constant as predicates use it; NOT CERTIFIED, and why, where there are `doubts`.

        Raises
        ------
        InvalidInput
            When it has no value.
        """
        source = f"calibrated on {self.solver}, recovered by the criterion {self.criterion!r} to {self.tolerance:g}"
        if self.certified:
            return Constant(self.name, "larger-is-stronger", self.value, "calibrated", source)
        why = f"NOT CERTIFIED: {'; '.join(self.doubts)}"
        return Constant(self.name, "larger-is-stronger", self.value, "NOT CERTIFIED", f"{why}; {source}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `from_dict` is its inverse."""
        return {**dataclasses.asdict(replace(self, fixed=dict(self.fixed))), "certified": self.certified}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """Inverse of `to_dict`."""
        hold_out = values["hold_out"]
        return cls(
            **{
                "streams": 1,  # of entries that do not say
                "criterion": FIRST_CRITERION,
                **{name: value for name, value in values.items() if name != "certified"},
                "grid": tuple(values["grid"]),
                "shells": tuple(ShellResult(**shell) for shell in values["shells"]),
                "test": BinomialTest(**values["test"]),
                "hold_out": None if hold_out is None else ShellResult(**hold_out),
            }
        )


# ------------------------------------------------------------------------------------------------ running
def _trial(
    shells: Shells, solver: Subject, executor: Executor, constant: float, key: Sequence[int | str], scale: int
) -> bool:
    family = load_family(shells.family)
    sizes = shells.draw(streams.generator("calibration/sizes", *key), scale)
    spec, success = shells.spec(constant, sizes), shells.success.of(family)
    data, own = ([streams.key(f"calibration/{purpose}", *key)] for purpose in ("data", "solver"))
    outcome = trial(family, spec, data, solver, success, executor, solver_key=own)
    if outcome.ended is Ended.IMPOSSIBLE:  # the shell's fault, not the solver's
        raise InvalidInput(f"shells: {shells.name} draws what does not exist: {outcome.message}")
    return outcome.recovered


@contextmanager
def _run_by(shells: Shells, solver: Any) -> Iterator[tuple[Subject, Executor]]:
    subject, executor = executor_for(solver, load_family(shells.family))
    with closing(executor):
        yield subject, executor


def run_shell(
    shells: Shells,
    solver: Any,
    constant: float,
    test: BinomialTest,
    trials: int,
    key: Sequence[int | str],
    *,
    scale: int = 1,
    below_level: float | None = None,
    executor: Executor | None = None,
) -> ShellResult:
    """Trials on the shell of one constant until it is certified or shown to lie below the level, at most ``trials``.

    The streams depend on seed, shell and replicate only, so every solver meets the same instances. Without an
    ``executor`` one is made for the call.
    """
    if executor is None:
        with _run_by(shells, solver) as (subject, own):
            given = {"scale": scale, "below_level": below_level}
            return run_shell(shells, subject, constant, test, trials, key, **given, executor=own)  # type: ignore[arg-type]
    level = math.log(1 / (test.alpha if below_level is None else below_level))
    # "Fewer than p₁ succeed" is the refutation of p ≥ p₁, whatever the alternative.
    under = BinomialTest(test.p1, test.p1 / 2, test.alpha, test.beta)
    s = f = 0
    certified = below = False
    while s + f < trials and not (certified or below):
        if _trial(shells, solver, executor, constant, [*key, s + f], scale):
            s += 1
        else:
            f += 1
        certified = test.verdict(s, f) is EvidenceVerdict.CONFIRMED
        below = not certified and float(under.log_e_refute(s, f)) >= level
    return ShellResult(constant, s, f, certified, below)


@renamed(budget="trials")
def calibrate(
    shells: Shells,
    solver: Any,
    *,
    grid: Sequence[float] = DEFAULT_GRID,
    test: BinomialTest = DEFAULT_TEST,
    trials: int = 250,
    seed: int = 0,
    fixed: Mapping[str, float] | None = None,
    bracket: bool = True,
    progress: Progress | None = None,
) -> Calibration:
    """Calibrate one constant by fixed-sequence testing on boundary shells.

    Parameters
    ----------
    shells : Shells
    solver : str or callable
        As `lrs.solve` takes it.
    grid : sequence of float
        Strictly falling.
    test : BinomialTest
        A shell is certified when the test CONFIRMS (more than p₁ succeed, error β).
    trials : int
        Largest number of trials on a shell; a shell that is undecided then is not certified.
    seed : int
    fixed : mapping
        Other constants that ``shells`` holds fixed, for the record.
    bracket : bool
        Whether to go on below the last certified constant until one is shown to be too small.
    progress : callable, optional
        Called with every `ShellResult`.

    Returns
    -------
    Calibration
    """
    grid = tuple(float(c) for c in grid)
    if len(grid) < 1 or any(not c > 0 for c in grid) or any(b >= a for a, b in pairwise(grid)):
        raise InvalidInput(f"grid: expected positive numbers, each smaller than the one before, got {grid}")
    integer("trials", trials, least=1, expected="at least 1 trial")
    success = shells.success.of(load_family(shells.family))
    value: float | None = None
    refuted: float | None = None
    descending = True
    results = []
    with _run_by(shells, solver) as (subject, executor):
        for index, constant in enumerate(grid):
            key = ("shell", shells.name, shells.bound, seed, index)
            # Every shell has a chance to be called too small by mistake, so α is shared out among them.
            level = test.alpha / len(grid)
            result = run_shell(shells, subject, constant, test, trials, key, below_level=level, executor=executor)
            results.append(result)
            if progress is not None:
                progress(result)
            if descending and result.certified:
                value = constant
                continue
            descending = False
            if result.below:
                refuted = constant
                break
            if not bracket:
                break
    return Calibration(
        name=shells.name,
        bound=shells.bound,
        solver=identity(solver),
        value=value,
        refuted=refuted,
        grid=grid,
        shells=tuple(results),
        test=test,
        budget=trials,
        seed=seed,
        fixed=fixed or {},
        configurations=shells.configurations,
        criterion=success.criterion,
        tolerance=success.tolerance,
    )


@renamed(budget="trials")
def hold_out(
    calibration: Calibration, shells: Shells, solver: Any, *, scale: int = 2, trials: int = 250
) -> Calibration:
    """The calibration with a hold-out: fresh trials on the boundary of the frozen constant, at ``scale`` times the d."""
    if calibration.value is None:
        raise InvalidInput(f"calibration: {calibration.name} has no certified value to hold out")
    _same_shells(calibration, shells)
    key = ("hold-out", shells.name, shells.bound, calibration.seed, scale)
    result = run_shell(shells, solver, calibration.value, calibration.test, trials, key, scale=scale)
    return replace(calibration, hold_out=result, hold_out_scale=scale)


def _same_shells(calibration: Calibration, shells: Shells) -> None:
    success = shells.success.of(load_family(shells.family))
    if (calibration.criterion, calibration.tolerance) != (success.criterion, success.tolerance):
        raise InvalidInput(
            f"shells: judged by {success.criterion!r} to {success.tolerance:g}, but the calibration by "
            f"{calibration.criterion!r} to {calibration.tolerance:g}; calibrate again"
        )
    if (calibration.name, calibration.bound) != (shells.name, shells.bound):
        raise InvalidInput(
            f"shells: {shells.name} of {shells.bound!r}, but the calibration is of {calibration.name} of "
            f"{calibration.bound!r}"
        )


class Efficiency(NamedTuple):
    """How much less a variant asks for than the reference: C_reference / C_variant.

    Attributes
    ----------
    ratio : float
        Of the certified constants; above 1 the variant needs fewer samples. NaN when one has none.
    low, high : float
        Holds the ratio of the critical constants (where the success probability passes p₁), except with probability at
        most 2(α + β) of the test: each lies between the largest refuted and the smallest certified constant.
    """

    ratio: float
    low: float
    high: float


def efficiency(reference: Calibration, variant: Calibration) -> Efficiency:
    """Efficiency ratio of a variant, with an interval."""
    alike = ("name", "bound", "test", "criterion", "tolerance")
    if any(getattr(reference, n) != getattr(variant, n) for n in alike):
        raise InvalidInput(
            "variant: calibrated on another bound, with another test or another criterion than the reference; "
            "calibrate it alike"
        )
    ratio = math.nan
    if reference.value is not None and variant.value is not None:
        ratio = reference.value / variant.value
    low = 0.0 if reference.refuted is None or variant.value is None else reference.refuted / variant.value
    high = math.inf if reference.value is None or variant.refuted is None else reference.value / variant.refuted
    return Efficiency(ratio, low, high)


# ------------------------------------------------------------------------------------------------ the theorem's bounds
@cache
def _rows_bound() -> Callable[..., Any]:
    """max(k, r³) and k d r⁴, taken out of the theorem's own predicates."""
    task = assumptions.task_samples.rhs / assumptions.C_task
    total = assumptions.total_samples.rhs / assumptions.C_total
    names = ("d", "k", "r")
    symbols = {s.name: s for s in task.free_symbols | total.free_symbols}
    compiled: Callable[..., Any] = sympy.lambdify([symbols[n] for n in names], [task, total], "math")
    return compiled


_CONFIGURATIONS = "d in 12 … 48, r in 1 … 3, k in 1 … 3, w ~ N(0, I), random supports, no noise"


def _draw_sizes(rng: np.random.Generator, scale: int) -> Sizes:
    return {
        "d": int(rng.integers(12, 49)) * scale,
        "r": int(rng.integers(1, 4)),
        "k": int(rng.integers(1, 4)),
    }


def corner(constants: Mapping[str, float], sizes: Sizes) -> InstanceSpec:
    """The instance with m and t on both boundaries of the informal theorem at once: its hardest point.

    m = ⌈C_task max(k, r³)⌉ and t = ⌈C_total k d r⁴ / m⌉ (at least r tasks).
    """
    task, total = _rows_bound()(**sizes)
    m = math.ceil(constants["C_task"] * task)
    t = max(sizes["r"], math.ceil(constants["C_total"] * total / m))
    return InstanceSpec(t=t, m=m, d=sizes["d"], r=sizes["r"], k=sizes["k"])


def theorem_shells(name: str, fixed: float) -> Shells:
    """Shells of one constant of the informal theorem, the other held ``fixed``.

    Configurations have d in 12 … 48, r in 1 … 3 and k in 1 … 3, and the model of the paper (w ~ N(0, I), random
    supports): the theorem's bounds do not mention κ, μ, ν or ζ.

    Parameters
    ----------
    name : {"C_task", "C_total"}
    fixed : float
        Value of the other constant.
    """
    other = {"C_task": "C_total", "C_total": "C_task"}.get(name)
    if other is None:
        raise InvalidInput(f"name: expected 'C_task' or 'C_total', got {name!r}")
    predicate = assumptions.task_samples if name == "C_task" else assumptions.total_samples
    return Shells(
        name,
        f"{predicate.lhs} >= {predicate.rhs}",
        _draw_sizes,
        lambda c, sizes: corner({name: c, other: fixed}, sizes),
        configurations=_CONFIGURATIONS,
    )


@renamed(budget="trials")
def calibrate_theorem(
    solver: Any,
    *,
    grid: Sequence[float] = DEFAULT_GRID,
    test: BinomialTest = DEFAULT_TEST,
    trials: int = 250,
    seed: int = 0,
    scale: int = 2,
    bracket: bool = True,
    progress: Progress | None = None,
) -> tuple[Calibration, ...]:
    """Both constants of the informal theorem: C_task with C_total at the top of the grid, then C_total with C_task frozen.

    The hold-out of both is at the corner of the frozen pair, ``scale`` times the d. Parameters as in `calibrate`.

    Returns
    -------
    tuple of Calibration
        C_task alone when it could not be certified, so that there is nothing to freeze.
    """
    options: dict[str, Any] = {
        "grid": grid,
        "test": test,
        "trials": trials,
        "seed": seed,
        "bracket": bracket,
        "progress": progress,
    }
    grid = tuple(grid)
    task = calibrate(theorem_shells("C_task", grid[0]), solver, fixed={"C_total": grid[0]}, **options)
    if task.value is None:
        return (task,)
    shells = theorem_shells("C_total", task.value)
    total = calibrate(shells, solver, fixed={"C_task": task.value}, **options)
    if total.value is None:
        return task, total
    total = hold_out(total, shells, solver, scale=scale, trials=trials)
    return replace(task, hold_out=total.hold_out, hold_out_scale=scale), total


# ------------------------------------------------------------------------------------------------ the lock file
class Frozen(NamedTuple):
    """What a lock file holds of one solver: constants of bounds, and its law (None: not measured)."""

    calibrations: tuple[Calibration, ...] = ()
    law: LawCalibration | None = None


def _entry(name: str, frozen: Frozen) -> dict[str, Any]:
    plain = json.loads(
        json.dumps(
            {
                "calibrations": [c.to_dict() for c in frozen.calibrations],
                "law": None if frozen.law is None else frozen.law.to_dict(),
            }
        )
    )
    return {
        "constants": {c.name: c.value for c in frozen.calibrations},
        **plain,
        "hash": _hash({"solver": name, **plain}),
    }


def _hash(entry: Mapping[str, Any]) -> str:
    return digest(canonical(entry, ascii_only=False))


def write_lock(
    path: str | Path, entries: Mapping[str, Sequence[Calibration] | LawCalibration], *, overwrite: bool = False
) -> Path:
    """Freeze calibrations.

    Parameters
    ----------
    path : str or Path
    entries : mapping
        Name under which a solver is asked for → its calibrations, or its law. What an existing file holds besides is
        kept.
    overwrite : bool
        Whether what exists already may be replaced.
    """
    path = Path(path)
    merged = _read(path) if path.exists() else {}
    for name, new in entries.items():
        kept = merged.get(name, Frozen())
        law = isinstance(new, LawCalibration)
        if (kept.law if law else kept.calibrations) and not overwrite:
            raise InvalidInput(f"{path}: holds constants of {name!r} already; allow overwriting to replace them")
        merged[name] = kept._replace(law=new) if law else kept._replace(calibrations=tuple(new))  # type: ignore[arg-type]
    document: dict[str, Any] = {"format": FORMAT, "version": VERSION}
    document["solvers"] = {name: _entry(name, merged[name]) for name in sorted(merged)}
    try:
        path.write_text(_lines(document), encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be written ({error.strerror or error})") from None
    return path


def _lines(document: Any) -> str:
    """JSON with a line for every list of plain values."""
    text = json.dumps(document, indent=1, ensure_ascii=False)
    return re.sub(r"\[[^\[\]{}]*\]", lambda m: re.sub(r"\s*\n\s*", " ", m[0]), text) + "\n"


def _read(path: Path) -> dict[str, Frozen]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidInput(f"{path}: no such lock file; make one with lrs calibrate") from None
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path}: not a lock file of constants ({error})") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InvalidInput(f"{path}: not a lock file of constants; make one with lrs calibrate")
    if document.get("version") not in READABLE:
        raise InvalidInput(f"{path}: version {document.get('version')!r}, this toolkit reads up to version {VERSION}")
    measured = ("calibrations", "law") if document["version"] >= 3 else ("calibrations",)
    out = {}
    for name, entry in dict(document.get("solvers", {})).items():
        edited = InvalidInput(
            f"{path}: the constants of {name!r} were edited by hand; make them again with lrs calibrate"
        )
        try:
            if entry["hash"] != _hash({"solver": name, **{part: entry[part] for part in measured}}):
                raise edited
            law = entry.get("law")
            out[name] = Frozen(
                tuple(Calibration.from_dict(c) for c in entry["calibrations"]),
                None if law is None else LawCalibration.from_dict(law),
            )
            if entry["constants"] != {c.name: c.value for c in out[name].calibrations}:
                raise edited
        except (KeyError, TypeError):
            raise edited from None
    return out


def read_lock(path: str | Path = LOCK_FILE) -> dict[str, tuple[Calibration, ...]]:
    """All calibrations of a lock file, by solver name.

    Raises
    ------
    InvalidInput
        When the file is missing, not a lock file, of another version, or was edited by hand.
    """
    return {name: frozen.calibrations for name, frozen in _read(Path(path)).items() if frozen.calibrations}


def read_laws(path: str | Path = LOCK_FILE) -> dict[str, LawCalibration]:
    """All laws of a lock file, by solver name; raises as `read_lock`."""
    return {name: frozen.law for name, frozen in _read(Path(path)).items() if frozen.law is not None}


def _present(name: str, made_by: str, path: str | Path) -> None:
    """Refuse what another solver of that name made."""
    present = identity(name)
    if made_by != present:
        raise InvalidInput(
            f"{path}: the constants of {name!r} were made by another solver, {made_by}; "
            f"{name!r} is {present} now: calibrate it again"
        )


def law(solver: str = "amht", path: str | Path = LOCK_FILE) -> LawCalibration | None:
    """The frozen law of one solver, None where there is none.

    Raises
    ------
    InvalidInput
        When it was made by another solver of that name.
    """
    found = read_laws(path).get(solver)
    if found is not None:
        _present(solver, found.solver, path)
    return found


def calibrations(solver: str = "amht", path: str | Path = LOCK_FILE) -> dict[str, Calibration]:
    """Frozen calibrations of one solver, by the name of the constant.

    Raises
    ------
    InvalidInput
        When the file holds none of this solver, or they were made by another solver of that name.
    """
    lock = read_lock(path)
    if solver not in lock:
        raise InvalidInput(
            f"{path}: no constants of {solver!r}, it holds those of {', '.join(lock) or 'no solver'}; "
            f"make them with lrs calibrate --solver {solver}"
        )
    for calibration in lock[solver]:
        _present(solver, calibration.solver, path)
    return {c.name: c for c in lock[solver]}


def constants(solver: str = "amht", path: str | Path = LOCK_FILE, *, certified: bool = True) -> dict[str, Constant]:
    """Frozen constants of one solver as predicates use them.

    With ``certified`` only those that are; otherwise every one that has a value, with the status NOT CERTIFIED and the
    reason where it failed.
    """
    found = {name: c for name, c in calibrations(solver, path).items() if c.value is not None}
    return {name: c.to_constant() for name, c in found.items() if c.certified or not certified}
