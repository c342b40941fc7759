"""The results of a sweep as one table: a row a trial, a column for every axis, parameter, error and outcome."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lrs.core.errors import InvalidInput, MissingExtra
from lrs.core.face import face
from lrs.core.files import replacing, writable
from lrs.core.trial import Ended
from phase_diagrams.sweeps import journal
from phase_diagrams.sweeps.grid import SweepSpec
from phase_diagrams.sweeps.trial import columns as columns_of

#: Columns that legitimately differ between two runs of the same trial.
VOLATILE = ("timing_", "host_")
IDENTITY = ["cell", "replicate", "solver"]


@dataclass(frozen=True, eq=False)
class Trials:
    """All trials of a sweep that have an outcome.

    Attributes
    ----------
    frame : pandas.DataFrame
        One row a trial, sorted by cell, replicate and solver. Columns: ``cell``, ``replicate``, ``solver``,
        ``outcome`` (recovered, not recovered, iteration cap, non-finite, raised, timeout, crashed, impossible),
        ``success`` (bool), every axis under its own name (``m/d`` too) and every parameter of the instance (``t, m, d, r,
        k, noise, …``), ``status``, ``iterations``, the family's errors (``theta_error``, ``subspace_distance``,
        ``tasks_recovered``, ``support_precision``, ``support_recall``), ``residual``, ``rate`` (NaN unless traced),
        ``message``, then
        ``timing_…`` (seconds) and ``host_…``, which are the only ones that differ between two runs.
    spec : SweepSpec
        With ``.x``, ``.y``, ``.axes``, ``.fixed`` and ``.cells``.
    torn : tuple of str
        What was dropped while reading.
    conflicts : int
        Trials recorded more than once with different results (the same seed on two machines); one of them is kept.
    hosts : tuple of dict
        Where the shards were written.
    """

    frame: pd.DataFrame
    spec: SweepSpec
    torn: tuple[str, ...] = ()
    conflicts: int = 0
    hosts: tuple[dict[str, str], ...] = field(default=(), repr=False)

    def __repr__(self) -> str:
        axes = ", ".join(f"{a.name} ({len(a.values)})" for a in self.spec.axes)
        return f"Trials({len(self.possible)} of {', '.join(self.spec.solvers)} over {axes})"

    def _repr_html_(self) -> str:
        counts = self.possible.groupby("solver", observed=True)["success"].agg(["sum", "count"])
        rows = [(name, f"{row['sum']} of {row['count']} recovered") for name, row in counts.iterrows()]
        return face(repr(self), rows, note=f"recovered: {self.spec.recovered}")

    def plot(self, solver: str | None = None, **options: Any) -> Any:
        """The map of a solver as a figure of matplotlib (`phase_diagrams.draw.plot.success_map`)."""
        return pkgutil.resolve_name("phase_diagrams.draw.plot:success_map")(self, solver, **options)  # it imports this

    @property
    def possible(self) -> pd.DataFrame:
        """The rows of cells in which an instance exists."""
        return self.frame[self.frame["outcome"] != Ended.IMPOSSIBLE.value]

    def thresholds(self, axis: str | None = None) -> pd.DataFrame:
        """Where each replicate begins to recover along an axis: one row per (other axes, replicate, solver).

        Data are nested in m, so the outcomes of one replicate at several m are *not* independent: they are one
        threshold m*, bracketed. A likelihood over levels must therefore use the brackets, P(lower < m* ≤ upper), and
        not treat every (m, replicate) as a separate coin.

        Returns
        -------
        pandas.DataFrame
            The other axes, ``replicate``, ``solver``; ``lower``, the largest level below every success (−inf if the
            lowest level tried succeeded); ``upper``, the smallest level from which on all tried ones succeeded (inf
            if the highest tried failed); ``monotone``, false where a failure lies above a success; ``tried``.
        """
        axis = self.spec.threshold_axis.name if axis is None else axis
        names = [a.name for a in self.spec.axes]
        if axis not in names:
            raise InvalidInput(f"axis: {axis!r} is not an axis of this sweep ({', '.join(names)})")
        by = [n for n in names if n != axis] + ["replicate", "solver"]
        frame = self.possible
        level = frame[axis].astype(float)
        table = pd.DataFrame(
            {
                "success": level.where(frame["success"], np.inf),
                "failure": level.where(~frame["success"], -np.inf),
                "tried": 1,
            }
        )
        table[by] = frame[by]
        grouped = table.groupby(by, sort=True, observed=True, dropna=False)
        first = grouped["success"].min()  # lowest success
        last = grouped["failure"].max()  # highest failure
        above = table.join(last.rename("last"), on=by)
        upper = (
            above[above["success"] > above["last"]].groupby(by, sort=True, observed=True, dropna=False)["success"].min()
        )
        below = table.join(first.rename("first"), on=by)
        lower = (
            below[below["failure"] < below["first"]]
            .groupby(by, sort=True, observed=True, dropna=False)["failure"]
            .max()
        )
        result = pd.DataFrame(
            {"lower": lower, "upper": upper, "monotone": last < first, "tried": grouped["tried"].sum()}
        )
        result["lower"] = result["lower"].fillna(-np.inf)
        result["upper"] = result["upper"].fillna(np.inf)
        return result.reset_index()


def load(folder: str | Path) -> Trials:
    """Read a sweep folder.

    Parameters
    ----------
    folder : path
        As given to ``lrs sweep --out``.

    Raises
    ------
    InvalidInput
        When it is not a sweep, or holds shards of another one.
    """
    spec = journal.read_spec(folder)
    contents = journal.read(folder, spec)
    kinds = contents.kinds
    columns = {name: contents.take(name) for name in kinds}
    keep, conflicts = _once(columns, spec)
    frame = pd.DataFrame({name: _take(kind, columns.pop(name), keep) for name, kind in kinds.items()}, copy=False)
    missing = _impossible(spec)
    if len(missing):
        frame = pd.concat([frame, missing], ignore_index=True)
        frame = frame.iloc[np.argsort(_keys(frame, spec), kind="stable")].reset_index(drop=True)
    return Trials(_with_parameters(frame, spec), spec, tuple(contents.torn), conflicts, tuple(contents.hosts))


def _take(kind: Any, values: np.ndarray, keep: np.ndarray) -> Any:
    chosen = values[keep]
    if kind == int | None:
        none = np.isnan(chosen)
        return pd.arrays.IntegerArray(np.where(none, 0, chosen).astype(np.int64), none)
    return chosen


def _keys(columns: Any, spec: SweepSpec) -> np.ndarray:
    """One integer per trial, in the order of the table; negative for a solver that the sweep does not have."""
    solver = pd.Index(spec.solvers).get_indexer(columns["solver"])
    cell, replicate = np.asarray(columns["cell"]), np.asarray(columns["replicate"])
    return np.where(solver < 0, -1, (cell * spec.replicates + replicate) * len(spec.solvers) + solver)


def _once(columns: dict[str, np.ndarray], spec: SweepSpec) -> tuple[np.ndarray, int]:
    """Positions of every trial once, in the order of the table, and how many were recorded with different results.

    Which copy stays does not depend on the order of the shards.
    """
    keys = _keys(columns, spec)
    inside = (columns["cell"] < len(spec.cells)) & (columns["replicate"] < spec.replicates) & (keys >= 0)
    order = np.flatnonzero(inside)
    order = order[np.argsort(keys[order], kind="stable")]
    sorted_keys = keys[order]
    new = np.r_[True, sorted_keys[1:] != sorted_keys[:-1]] if len(order) else np.zeros(0, dtype=bool)
    if new.all():
        return order, 0
    stable = [name for name in columns if not name.startswith(VOLATILE)]
    starts = np.flatnonzero(new)
    conflicts = 0
    keep = order[starts]
    for i in np.flatnonzero(np.diff(np.r_[starts, len(order)]) > 1):
        end = starts[i + 1] if i + 1 < len(starts) else len(order)
        copies = sorted((tuple(repr(columns[n][p]) for n in stable), p) for p in order[starts[i] : end])
        keep[i] = copies[0][1]
        conflicts += copies[0][0] != copies[-1][0]
    return keep, conflicts


def _impossible(spec: SweepSpec) -> pd.DataFrame:
    """Rows for the cells in which no instance exists: they need no run, but must not be missing."""
    cells = [c for c in spec.cells if c.spec is None]
    replicates = (
        1 if spec.sampling.precision is not None else spec.replicates
    )  # adaptive: none is scheduled, one shows it
    per_cell = replicates * len(spec.solvers)
    count = len(cells) * per_cell
    frame = pd.DataFrame(
        {
            "cell": np.repeat(np.array([c.index for c in cells], dtype=np.int64), per_cell),
            "replicate": np.tile(np.repeat(np.arange(replicates), len(spec.solvers)), len(cells)),
            "solver": np.tile(np.array(spec.solvers, dtype=object), len(cells) * replicates),
            "outcome": np.full(count, Ended.IMPOSSIBLE.value, dtype=object),
            "message": np.repeat(np.array([c.reason for c in cells], dtype=object), per_cell),
        }
    )
    kinds = columns_of(spec.of_family)
    for name, kind in kinds.items():
        if name not in frame:
            frame[name] = (
                pd.array([pd.NA] * count, dtype="Int64")
                if kind == int | None
                else np.full(count, np.nan if kind is float else None, dtype=float if kind is float else object)
            )
    return frame[list(kinds)]


def _with_parameters(frame: pd.DataFrame, spec: SweepSpec) -> pd.DataFrame:
    cell = frame["cell"].to_numpy()
    added: dict[str, Any] = {"success": frame["outcome"].eq(Ended.RECOVERED.value).to_numpy(dtype=bool)}
    names = [a.name for a in spec.axes]
    parameters = spec.of_family.parameters
    for name in (*names, *(p for p in parameters if p not in names)):
        values: list[Any] = [(c.coordinates if name in names else c.parameters)[name] for c in spec.cells]
        if name in parameters and parameters[name].kind is int:
            column: Any = pd.array(values, dtype="Int64").take(cell)
            added[name] = column.to_numpy(dtype=np.int64) if all(v is not None for v in values) else column
        elif all(v is None or isinstance(v, int | float) for v in values):
            added[name] = np.array([np.nan if v is None else v for v in values], dtype=float)[cell]
        else:
            added[name] = np.array(values, dtype=object)[cell]
    left = [*IDENTITY, "outcome"]
    rest = [n for n in columns_of(spec.of_family) if n not in left]
    return pd.DataFrame({n: frame[n] for n in left} | added | {n: frame[n] for n in rest}, copy=False)


# ------------------------------------------------------------------------------------------------------- export
def export(trials: Trials, path: str | Path, *, volatile: bool = True) -> Path:
    """Write the table as Parquet (``.parquet``), or CSV (``.csv``), atomically.

    With ``volatile=False`` the timing and host columns are left out and two runs of the same sweep, however
    interrupted or distributed, give identical Parquet files.
    """
    path = Path(path)
    frame = trials.frame
    if not volatile:
        frame = frame[[c for c in frame.columns if not c.startswith(VOLATILE)]]
    if path.suffix == ".csv":
        return _replace(path, lambda part: frame.to_csv(part, index=False))
    if path.suffix == ".parquet":
        frame = frame.copy(deep=False)
        frame.attrs.update(_about(trials.spec))  # into the metadata of the file
        return _replace(path, lambda part: frame.to_parquet(part, index=False))
    raise InvalidInput(f"out: {path} should end in .parquet or .csv")


def _about(spec: SweepSpec) -> dict[str, Any]:
    """What an exported file says of itself."""
    return {
        "format": "lrs-sweep-table",
        "version": journal.VERSION,
        "specification": spec.canonical(),
        "hash": spec.hash(),
        **spec.judged_by(),
    }


def export_grid(trials: Trials, path: str | Path) -> Path:
    """Write the grid of `to_xarray` as netCDF (``.nc``), atomically."""
    grid = to_xarray(trials)
    return _replace(Path(path), lambda part: grid.to_netcdf(part, engine="scipy"))


def _replace(path: Path, write: Callable[[Path], object]) -> Path:
    with replacing(writable(path)) as part:
        write(part)
    return path


def to_xarray(trials: Trials) -> Any:
    """The grid as an `xarray.Dataset`: success rate and number of trials over the axes and the solver."""
    try:
        import xarray
    except ImportError:
        raise MissingExtra("xarray", "xarray", "The grid view of a sweep") from None
    spec = trials.spec
    dims = [a.name for a in spec.axes]
    shape = (len(spec.solvers), *spec.shape)
    counts = (
        trials.possible.groupby(["solver", "cell"])["success"].agg(["sum", "count"])
        if len(trials.frame)
        else pd.DataFrame(columns=["sum", "count"])
    )
    index = pd.MultiIndex.from_product([spec.solvers, range(len(spec.cells))])
    filled = counts.reindex(index, fill_value=0).to_numpy(dtype=float)
    recovered, tried = filled[:, 0].reshape(shape), filled[:, 1].reshape(shape)
    with np.errstate(invalid="ignore"):
        rate = recovered / tried
    variables = {"success_rate": rate, "recovered": recovered, "trials": tried}
    return xarray.Dataset(
        {name: (["solver", *dims], values) for name, values in variables.items()},
        coords={"solver": list(spec.solvers), **{a.name: list(a.values) for a in spec.axes}},
        attrs=_about(spec),
    )
