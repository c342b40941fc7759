"""How many rows or tasks are needed: the counting limit, the stable scale, ℓ₁, the theorem, a solver's law, the solver.

Every figure comes from the expression that `lrs check` evaluates: a theorem's bounds are solved for m or t symbolically.
What is planned rests on trials at the very sizes; a law that is certified there (`theory.statistics.laws`) may raise it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lrs.core import streams
from lrs.core.errors import InvalidInput
from lrs.core.family import Family, Success, load_family
from lrs.core.trial import judged
from lrs.core.validate import integer
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import Instance, Problem
from lrs.isolation import executor_for
from theory.families.low_rank_sparse import limits
from theory.language import symbols
from theory.language.symbols import Constant
from theory.region import TheoremRegion, whole
from theory.theorems import load_theorem

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from theory.statistics.laws import LawCalibration

#: Tasks at which `lrs plan` tabulates the rows when neither t nor m is given.
DEFAULT_TASKS = (10, 30, 100, 300, 1000, 3000, 10_000)

#: More tasks than these are as good as any number.
MOST_TASKS = 10**7

#: The theorem whose bounds are planned with.
THEOREM = "amht-informal"


#: Called with one line of progress per solve.
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Requirement:
    """What one source asks for.

    Attributes
    ----------
    source : str
    amount : float
        Whole number of rows per task or of tasks; inf when no number is enough.
    kind : {"limit", "yardstick", "theorem", "derived", "calibrated", "NOT CERTIFIED", "measured", "plan"}
    note : str
        Formula, constants and what the figure means.
    """

    source: str
    amount: float
    kind: str
    note: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        amount: int | str = int(self.amount) if math.isfinite(self.amount) else "inf"
        return {"source": self.source, "amount": amount, "kind": self.kind, "note": self.note}


def _validate(**sizes: Any) -> None:
    for name, value in sizes.items():
        quantity = symbols.quantity(name)
        array = np.asarray(value, dtype=np.float64)
        if np.any(~(array >= (0 if quantity.zero_allowed else 1))) or np.any(array != np.round(array)):
            least = 0 if quantity.zero_allowed else 1
            raise InvalidInput(f"{name}: expected a whole number of at least {least}, got {value}")
    if sizes["r"] > sizes["d"] or sizes["k"] > sizes["d"]:
        raise InvalidInput(f"r, k: {sizes['r']} and {sizes['k']} cannot exceed d = {sizes['d']}")


def _region(constants: Mapping[str, Constant]) -> TheoremRegion:
    return TheoremRegion(load_theorem(THEOREM), tuple(constants.values()))


def frozen_constants() -> dict[str, dict[str, Constant]]:
    """Certified constants of the theorem by solver, from the shipped lock file; empty while there are none."""
    from theory.statistics import calibration

    path = calibration.LOCK_FILE
    found = {name: calibration.constants(name, path) for name in calibration.read_lock(path)} if path.exists() else {}
    return {name: values for name, values in found.items() if {"C_task", "C_total"} <= set(values)}


def uncertified(solver: str) -> tuple[Constant, ...]:
    """Constants of the theorem that were calibrated on a solver and failed; their source says how."""
    from theory.statistics import calibration

    path = calibration.LOCK_FILE
    if not path.exists() or solver not in calibration.read_lock(path):
        return ()
    return tuple(
        c for c in calibration.constants(solver, path, certified=False).values() if c.status == "NOT CERTIFIED"
    )


def frozen_laws() -> dict[str, LawCalibration]:
    """Laws by solver, from the shipped lock file; empty while there are none."""
    from theory.statistics import calibration

    path = calibration.LOCK_FILE
    found = {name: calibration.law(name, path) for name in calibration.read_laws(path)} if path.exists() else {}
    return {name: law for name, law in found.items() if law is not None and law.chosen is not None}


def _constants_text(constants: Mapping[str, Constant]) -> str:
    return ", ".join(
        f"{name} = {c.value:.3g} ({c.source if c.status == 'free' else c.status})"
        for name, c in sorted(constants.items())
    )


def _theorem_sources() -> dict[str, dict[str, Constant]]:
    """What to call the theorem with which constants: each calibrated solver's, or 1 while none is certified."""
    calibrated = frozen_constants()
    if calibrated:
        wanted = ("C_task", "C_total")
        return {f"theorem, {name}": {c: values[c] for c in wanted} for name, values in calibrated.items()}
    unit = (c for c in load_theorem(THEOREM).constants if c.value is None)
    return {
        "theorem, constants 1": {c.name: Constant(c.name, c.direction, 1.0, "free", "none is certified") for c in unit}
    }


def _law_says(name: str, law: LawCalibration, sizes: Mapping[str, int]) -> Requirement:
    advice = law.advice(**sizes)
    assert advice is not None
    assert law.chosen is not None
    status = "calibrated" if advice.certified else "NOT CERTIFIED"
    said = "calibrated law says" if advice.certified else "the law would say"
    return Requirement(f"law of {name}", float(advice.rows), status, f"{said} m ≥ {law.chosen.formula}; {advice.why}")


def _limits(family: Family, quantities: Mapping[str, float]) -> list[Requirement]:
    return [
        Requirement(
            name,
            float(limits.at(limit, quantities)),
            "limit" if name == "counting limit" else "yardstick",
            limit.__doc__ or "",
        )
        for name, limit in limits.of_family(family).items()
    ]


def nested_parameter(family: Family) -> str:
    """The parameter along which instances are nested, which is what a plan says how much of is needed."""
    found = [p.name for p in family.parameters.values() if p.nested]
    if not found:
        raise InvalidInput(f"family: {family.title} has no parameter whose data are nested, so nothing can be planned")
    return found[0]


def plan_nested(family: Family, **values: Any) -> tuple[Requirement, ...]:
    """How much of the nested parameter each limit of a family asks for.

    Parameters
    ----------
    family : Family
    **values
        The other parameters of a specification.
    """
    return tuple(_limits(family, family.quantities(_some_spec(family, values))))


def _some_spec(family: Family, values: Mapping[str, Any]) -> Any:
    """A specification with these values, at the first power of two of the nested parameter for which there is one."""
    name, refusal = nested_parameter(family), None
    for exponent in range(31):
        try:
            return family.spec(**values, **{name: 2**exponent})
        except InvalidInput as error:
            refusal = refusal or error
    assert refusal is not None
    raise refusal


def plan_rows(*, d: int, r: int, k: int, t: int) -> tuple[Requirement, ...]:
    """Rows per task that each source asks for with t tasks.

    Raises
    ------
    InvalidInput
        When a size is not a whole number in its range.
    """
    return _rows({"d": d, "r": r, "k": k, "t": t}, _theorem_sources(), frozen_laws())


def _rows(
    sizes: Mapping[str, int], theorem: Mapping[str, Mapping[str, Constant]], laws: Mapping[str, LawCalibration]
) -> tuple[Requirement, ...]:
    _validate(**sizes)
    out = _limits(load_family(), sizes)
    for name, constants in theorem.items():
        out.append(Requirement(name, float(_region(constants).rows(**sizes)), "theorem", _constants_text(constants)))
    return (*out, *(_law_says(name, law, sizes) for name, law in laws.items()))


def plan_tasks(*, d: int, r: int, k: int, m: int) -> tuple[Requirement, ...]:
    """Tasks that each source asks for with m rows per task; inf where no number of tasks is enough."""
    _validate(d=d, r=r, k=k, m=m)
    # d rows determine a task's θ by themselves.
    counting = 1.0 if m >= d else max(1.0, float(whole(limits.counting_tasks(d=d, r=r, k=k, m=m))))
    # n₀ ≤ m t with n₀ = d r + t s: t ≥ d r/(m − s), s the share of a task.
    share = float(limits.stable_scale(d=d, r=r, k=k, t=1)) - d * r
    stable = max(1.0, float(whole(d * r / (m - share)))) if m > share else math.inf
    ell_one = 1.0 if m >= float(limits.donoho_tanner_rows(d=d, r=r, k=k)) else math.inf
    out = [
        Requirement("counting limit", counting, "limit", "equations against unknowns; nothing works below"),
        Requirement("stable scale", stable, "yardstick", "n₀ ≤ m t, up to a constant"),
        Requirement("Donoho–Tanner", ell_one, "yardstick", "ℓ₁ minimisation with U known: tasks do not help"),
    ]
    for name, constants in _theorem_sources().items():
        tasks = float(_region(constants).tasks(d=d, r=r, k=k, m=m))
        out.append(Requirement(name, tasks, "theorem", _constants_text(constants)))
    for name, law in frozen_laws().items():
        tasks = _fewest_tasks(law, m, {"d": d, "r": r, "k": k})
        at = _law_says(name, law, {"d": d, "r": r, "k": k, "t": int(min(tasks, MOST_TASKS))})
        out.append(Requirement(at.source, tasks, at.kind, at.note))
    return tuple(out)


def _fewest_tasks(law: LawCalibration, m: int, sizes: Mapping[str, int]) -> float:
    """The fewest tasks at which a law asks for no more than m rows; its rows fall with t."""
    assert law.chosen is not None
    fails, works = 0, MOST_TASKS
    if law.chosen.rows(t=works, **sizes) > m:
        return math.inf
    while fails + 1 < works:
        middle = (fails + works) // 2
        fails, works = (fails, middle) if law.chosen.rows(t=middle, **sizes) <= m else (middle, works)
    return float(works)


# ---------------------------------------------------------------------------------------------- the measured solver
#: The search ends at this multiple of the stable scale.
SEARCH_FACTOR = 4
#: Share of the measured rows, and rows, that a plan adds to the most that any replicate needed: the share of instances
#: that need more than the worst of three is not small.
RESERVE, RESERVE_ROWS = 0.1, 0.5
#: A law raises a plan up to this multiple of what was measured.
MOST_RAISED = 1.35


def measured_rows(
    *, d: int, r: int, k: int, t: int, solver: Any = "amht", replicates: int = 3, progress: Progress | None = None
) -> Requirement:
    """The fewest rows per task at which the solver recovers every one of ``replicates`` noiseless Gaussian instances.

    For each replicate the data at m rows are the first rows of those at more, and its critical m is found by bisection
    between the counting limit of Θ, which is never above d, and four times the stable scale, from what the solver's law
    says; without one from the stable scale.
    """
    _validate(d=d, r=r, k=k, t=t)
    sizes = {"d": d, "r": r, "k": k, "t": t}
    low = max(1, int(limits.ROWS["counting limit"](**sizes))) - 1
    stable = int(limits.ROWS["stable scale"](**sizes))
    high = SEARCH_FACTOR * max(stable, low + 1)
    law = frozen_laws().get(solver) if isinstance(solver, str) else None
    start = min(stable + k, max(d, low + 1))
    if law is not None and law.chosen is not None:
        start = int(law.chosen.rows(**sizes))
    return _measured_nested(load_family(), sizes, low, high, solver, replicates, "rows per task", progress, start)


def planned_rows(measured: Requirement, *, d: int, r: int, k: int, t: int, solver: Any = "amht") -> Requirement:
    """How many rows per task to take: what was measured with a reserve, raised by the solver's law within reason.

    Parameters
    ----------
    measured : Requirement
        Of `measured_rows` at the same sizes.
    """
    if not math.isfinite(measured.amount):
        return Requirement("plan", math.inf, "plan", "the solver failed wherever it was tried")
    amount = math.ceil((1 + RESERVE) * measured.amount + RESERVE_ROWS)
    note = f"measured {measured.amount:g}, and a reserve of {RESERVE:.0%}"
    law = frozen_laws().get(solver) if isinstance(solver, str) else None
    advice = law.advice(d=d, r=r, k=k, t=t) if law is not None else None
    if advice is not None and law is not None and law.chosen is not None:
        if amount < advice.rows:
            amount = max(amount, min(advice.rows, math.floor(MOST_RAISED * measured.amount)))
            word = "calibrated law" if advice.certified else "law, NOT CERTIFIED here,"
            note += f"; raised by the {word} ({advice.rows})"
        if law.chosen.capped and measured.amount <= d < amount:
            amount, note = d, f"{note}; d rows are enough for a task by itself"
    return Requirement("plan", float(amount), "plan", note)


def against_trials(needs: Sequence[Requirement], measured: Requirement, solver: str) -> list[Requirement]:
    """The same, but a law is not calibrated where its own solver needed more than it says."""
    return [
        Requirement(
            q.source, q.amount, "NOT CERTIFIED", f"NOT CERTIFIED here: {solver} needed {measured.amount:g}; {q.note}"
        )
        if q.source == f"law of {solver}" and q.amount < measured.amount
        else q
        for q in needs
    ]


def measured_nested(
    family: Family, *, solver: Any, replicates: int = 3, progress: Progress | None = None, **values: Any
) -> Requirement:
    """The least of the nested parameter at which the solver recovers every replicate, as `measured_rows`.

    It is looked for between the first limit of the family and four times the largest.
    """
    amounts = [q.amount for q in plan_nested(family, **values) if math.isfinite(q.amount)]
    if not amounts:
        raise InvalidInput(f"family: {family.title} has no limit between which to search")
    unit, low = nested_parameter(family), max(1, int(amounts[0])) - 1
    high = SEARCH_FACTOR * max(int(max(amounts)), low + 1)
    return _measured_nested(
        family, values, low, high, solver, replicates, unit, progress, (low + high) // SEARCH_FACTOR
    )


def _measured_nested(
    family: Family,
    values: Mapping[str, Any],
    low: int,
    high: int,
    solver: Any,
    replicates: int,
    unit: str,
    progress: Progress | None,
    start: int,
) -> Requirement:
    name = nested_parameter(family)

    def instances(replicate: int) -> Callable[[int], Any]:
        key = (streams.key("plan/rows", replicate),)
        return lambda amount: family.draw(family.spec(**values, **{name: amount}), key)  # nested: the first of more

    return _measured(solver, instances, low, high, replicates, unit, progress, family, start)


def measured_tasks(
    *, d: int, r: int, k: int, m: int, solver: Any = "amht", replicates: int = 3, progress: Progress | None = None
) -> Requirement:
    """The fewest tasks at which the solver recovers every replicate with m rows per task; inf when 4 times n₀'s are too few."""
    _validate(d=d, r=r, k=k, m=m)
    by_source = {q.source: q.amount for q in plan_tasks(d=d, r=r, k=k, m=m)}
    if not math.isfinite(by_source["counting limit"]):
        return Requirement(
            "measured solver", math.inf, "measured", "m is below r + k + 1: no number of tasks is enough"
        )
    low = int(by_source["counting limit"]) - 1
    scale = by_source["stable scale"] if math.isfinite(by_source["stable scale"]) else d
    high = SEARCH_FACTOR * max(int(scale), low + 1, r)

    def instances(replicate: int) -> Callable[[int], Instance]:
        whole = family.draw(family.spec(t=high, m=m, d=d, r=r, k=k), (streams.key("plan/tasks", replicate),))
        return lambda tasks: _first_tasks(whole, tasks)

    family = load_family()
    start = (low + high) // SEARCH_FACTOR
    return _measured(solver, instances, low, high, replicates, "tasks", progress, family, start)


def _first_tasks(instance: Instance, tasks: int) -> Instance:
    problem, truth = instance.problem, instance.truth
    data = problem.data.select(np.arange(tasks))
    model = LRSModel(truth.U, truth.W[:tasks], truth.B[:tasks])
    return Instance(Problem(data, problem.rank, problem.sparsity), model, None, instance.seed)


def _measured(
    solver: Any,
    instances: Callable[[int], Callable[[int], Any]],
    low: int,
    high: int,
    replicates: int,
    unit: str,
    progress: Progress | None,
    family: Family,
    start: int,
) -> Requirement:
    integer("replicates", replicates, least=1)
    success = Success().of(family)
    critical: list[float] = []
    subject, executor = executor_for(solver, family)
    with closing(executor):
        for replicate in range(replicates):
            at, key = instances(replicate), [streams.key("solver", replicate)]
            fails, works = low, math.inf
            candidate = min(high, max(low + 1, start))
            step = max(1, candidate // 8)
            while fails + 1 < works:
                try:
                    instance = at(candidate)
                except InvalidInput:  # there is none of this size
                    good = False
                else:
                    good = judged(family, instance, key, subject, success, executor).recovered
                if progress is not None:
                    said = "yes" if good else "no"
                    progress(f"replicate {replicate + 1} of {replicates}: {candidate} {unit}: {said}")
                if good:
                    works = candidate
                else:
                    fails = candidate
                if fails >= high:
                    break
                if math.isinf(works):
                    candidate = min(high, candidate + step)
                else:  # down from the first that works, in steps that grow, until one fails
                    below = (fails + int(works)) // 2
                    candidate = max(below, int(works) - step) if fails == low else below
                step *= 2
            critical.append(works)
            start = start if math.isinf(works) else int(works)
    name = solver if isinstance(solver, str) else type(solver).__name__
    spread = f"{min(critical):g} … {max(critical):g}" if len(critical) > 1 else f"{critical[0]:g}"
    note = (
        f"{name}: fewest {unit} of {replicates} noiseless replicate(s): {spread}; searched {low + 1} … {high}; recovered: "
        f"{success.sentence(family)}"
    )
    return Requirement("measured solver", max(critical), "measured", note)


# ---------------------------------------------------------------------------------------------- tables and pictures
def table(tasks: Sequence[int], *, d: int, r: int, k: int) -> dict[str, list[float]]:
    """Rows per task by source, one column per number of tasks; NaN where a law is not certified."""
    out: dict[str, list[float]] = {}
    theorem, laws = _theorem_sources(), frozen_laws()
    for t in tasks:
        for q in _rows({"d": d, "r": r, "k": k, "t": t}, theorem, laws):
            out.setdefault(q.source, []).append(math.nan if q.kind == "NOT CERTIFIED" else q.amount)
    return {source: amounts for source, amounts in out.items() if not all(math.isnan(a) for a in amounts)}


#: Colour (Okabe–Ito, colour-blind safe) and dash of each kind of curve.
_STYLES = {
    "counting limit": ("#000000", "-"),
    "Donoho–Tanner": ("#E69F00", "-."),
    "stable scale": ("#0072B2", "--"),
}
_THEOREM_COLOURS = ("#D55E00", "#CC79A7", "#009E73")


def draw(
    path: str | Path, *, d: int, r: int, k: int, t: int | None = None, m: int | None = None,
    measured: Requirement | None = None,
) -> Path:  # fmt: skip
    """Rows per task against tasks, one curve per source, on logarithmic axes; written as PNG, SVG or PDF.

    Raises
    ------
    InvalidInput
        When the file cannot be written or its extension is no picture's.
    """
    from matplotlib.figure import Figure

    path = picture(path)
    centre = (
        t if t is not None else (int(measured.amount) if measured and m and math.isfinite(measured.amount) else 300)
    )
    tasks = np.unique(np.geomspace(max(1, min(10, centre / 10)), max(10_000, centre * 10), 200).astype(int))
    curves = table(tasks.tolist(), d=d, r=r, k=k)
    figure = Figure(figsize=(7.5, 5), layout="constrained")
    axes = figure.subplots()
    theorem_colours = iter(_THEOREM_COLOURS)
    for name, rows in curves.items():
        colour, dash = _STYLES.get(name) or (next(theorem_colours), "-")
        axes.plot(tasks, rows, dash, color=colour, label=name, linewidth=2)
    bottom = np.asarray(curves["counting limit"])
    axes.set(xscale="log", yscale="log", xlabel="tasks t", ylabel="rows per task m", xlim=(tasks[0], tasks[-1]))
    top = max(np.nanmax(rows) for rows in curves.values())
    floor = 0.7 * bottom.min()
    axes.fill_between(tasks, floor, bottom, color="#999999", alpha=0.35, linewidth=0, label="impossible")
    axes.set_ylim(floor, 1.3 * top)
    if t is not None:
        axes.axvline(t, color="#666666", linewidth=1, linestyle=":")
    if m is not None:
        axes.axhline(m, color="#666666", linewidth=1, linestyle=":")
    if measured is not None and math.isfinite(measured.amount):
        at = (t, measured.amount) if t is not None else (measured.amount, m)
        axes.plot(*at, "o", color="#009E73", markersize=9, markeredgecolor="white", label="measured solver", zorder=5)
    axes.grid(True, which="major", alpha=0.3)
    axes.set_title(f"Rows per task needed: d = {d}, r = {r}, k = {k}")
    axes.legend(frameon=True)
    return save(figure, path)


def picture(path: str | Path) -> Path:
    """The path, when a picture can be written there; checked before anything is computed.

    Raises
    ------
    InvalidInput
        When its extension is no picture's or its folder does not exist.
    """
    path = Path(path)
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise InvalidInput(f"out: {path} is not a picture; name a .png, .svg or .pdf file")
    if not path.parent.is_dir():
        raise InvalidInput(f"out: the folder {path.parent} does not exist; create it first")
    return path


def save(figure: Figure, path: Path) -> Path:
    """Write a figure to a path that `picture` accepted."""
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise InvalidInput(f"out: {path} cannot be written ({error.strerror or error})") from None
    return path
