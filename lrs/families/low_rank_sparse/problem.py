"""What an algorithm sees (`MultiTaskData`, `Problem`) and what only a checker holds (`Instance`).

Tasks are ragged: the rows of all tasks are stacked and ``offsets`` says where each task starts, so that a kernel
streams through one contiguous array whatever the numbers of rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Float, Int

from lrs.core import archive
from lrs.core.errors import InvalidInput
from lrs.core.face import face
from lrs.core.family import LOW_RANK_SPARSE, load_family
from lrs.core.validate import finite, flat, floats, integer, real
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.spec import InstanceSpec

if TYPE_CHECKING:
    import pandas as pd


def _frozen(a: np.ndarray) -> np.ndarray:
    """A read-only view: a solver that writes into its input gets an error instead of corrupting the next one's."""
    view = a.view()
    view.flags.writeable = False
    return view


def _float_array(name: str, value: Any, ndim: int) -> np.ndarray:
    a = floats(name, value)
    if a.ndim != ndim:
        raise InvalidInput(f"{name}: expected {ndim} dimension(s), got shape {a.shape}")
    return a


def numeric_column(df: pd.DataFrame, column: str, role: str) -> Float[np.ndarray, " n"]:
    """One column of a data frame as finite float64; ``role`` is the argument an error names."""
    if df[column].dtype.kind not in "biuf":
        import pandas as pd

        try:
            bad = df[column].notna() & pd.to_numeric(df[column], errors="coerce").isna()
        except (OverflowError, TypeError, ValueError):  # integers beyond the largest number, lists, …
            bad = pd.Series(False, index=df.index)
        shown = f"it holds {df[column][bad].iloc[0]!r:.60}" if bad.any() else f"dtype {df[column].dtype}"
        raise InvalidInput(f"{role}: column {column!r} is not numeric ({shown}); encode it as numbers or leave it out")
    values = df[column].to_numpy(dtype=np.float64, na_value=np.nan)
    if not np.isfinite(values).all():
        row = int(np.argmax(~np.isfinite(values)))
        raise InvalidInput(
            f"{role}: column {column!r} has a missing or infinite value (first at row {row}); drop or impute it first"
        )
    return values


@dataclass(frozen=True, eq=False)
class MultiTaskData:
    """Regression data of t tasks in one stack of rows.

    Parameters
    ----------
    X : (n, d) array
        Covariates, the rows of task 0 first, then task 1, …
    y : (n,) array
        Responses.
    offsets : (t + 1,) integer array
        Task i owns rows ``offsets[i]:offsets[i + 1]``; no task is empty.
    task_names, feature_names : sequences, optional
        Labels used in reports and in model files; default ``0..t-1`` and ``x0..x{d-1}``.

    Raises
    ------
    InvalidInput
        On NaN or infinity, empty tasks, or shapes that do not fit together.

    Notes
    -----
    The arrays are read-only views and are not copied when they already are contiguous float64.
    """

    X: Float[np.ndarray, "n d"]
    y: Float[np.ndarray, " n"]
    offsets: Int[np.ndarray, " t_plus_1"]
    task_names: tuple[Any, ...] = field(default=(), repr=False)
    feature_names: tuple[str, ...] = field(default=(), repr=False)
    #: Smallest and largest ‖x‖² of a row.
    row_squares: tuple[float, float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        X, y = _float_array("X", self.X, 2), _float_array("y", self.y, 1)
        offsets = np.ascontiguousarray(flat("offsets", self.offsets))
        if offsets.ndim != 1 or len(offsets) < 2 or not np.issubdtype(offsets.dtype, np.integer):
            raise InvalidInput(f"offsets: expected t + 1 ≥ 2 integers, got shape {offsets.shape} of {offsets.dtype}")
        offsets = offsets.astype(np.int64, copy=False)
        if len(y) != len(X):
            raise InvalidInput(f"y: {len(y)} responses for {len(X)} rows of X; pass one response per row")
        if X.shape[1] == 0:
            raise InvalidInput("X: no feature columns; pass at least one")
        if offsets[0] != 0 or offsets[-1] != len(X):
            raise InvalidInput(f"offsets: must start at 0 and end at n = {len(X)}, got {offsets[0]} … {offsets[-1]}")
        counts = np.diff(offsets)
        if (counts <= 0).any():
            empty = int(np.argmax(counts <= 0))
            raise InvalidInput(f"offsets: task {empty} has no rows; leave empty tasks out")
        # One pass for two ends: a NaN or an infinity never leaves ‖x‖² finite.
        with np.errstate(over="ignore", invalid="ignore"):
            squares = np.einsum("ij,ij->i", X, X)
        if not np.isfinite(squares).all():
            finite("X", X, "drop or impute those rows first")
        finite("y", y, "drop or impute those rows first")
        t, d = len(offsets) - 1, X.shape[1]
        tasks = tuple(self.task_names) or tuple(range(t))
        features = tuple(str(f) for f in self.feature_names) or tuple(f"x{j}" for j in range(d))
        if len(tasks) != t:
            raise InvalidInput(f"task_names: {len(tasks)} names for {t} tasks")
        if len(features) != d:
            raise InvalidInput(f"feature_names: {len(features)} names for {d} features")
        if len(set(features)) != d:
            twice = next(f for i, f in enumerate(features) if f in features[:i])
            raise InvalidInput(f"feature_names: {twice!r} occurs more than once; give every column its own name")
        for name, value in (("X", _frozen(X)), ("y", _frozen(y)), ("offsets", _frozen(offsets))):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "task_names", tasks)
        object.__setattr__(self, "feature_names", features)
        object.__setattr__(self, "row_squares", (float(squares.min()), float(squares.max())))

    # ------------------------------------------------------------------ construction
    @classmethod
    def from_arrays(cls, X: Any, y: Any, **names: Any) -> MultiTaskData:
        """From equal-sized tasks: ``X`` of shape (t, m, d) and ``y`` of shape (t, m), or lists of per-task arrays.

        Lists may be ragged: ``X[i]`` of shape (m_i, d) and ``y[i]`` of shape (m_i,).
        """
        if isinstance(X, list | tuple):
            if not isinstance(y, list | tuple) and not (isinstance(y, np.ndarray) and y.ndim):
                raise InvalidInput(f"y: expected one array per task, got {type(y).__name__}")
            if len(X) != len(y):
                raise InvalidInput(f"y: {len(y)} tasks, but X has {len(X)}")
            if not X:
                raise InvalidInput("X: no tasks; pass at least one")
            rows = [_float_array(f"X[{i}]", x, 2) for i, x in enumerate(X)]
            responses = [_float_array(f"y[{i}]", v, 1) for i, v in enumerate(y)]
            for i, (x, v) in enumerate(zip(rows, responses, strict=True)):
                if len(x) != len(v):
                    raise InvalidInput(f"y[{i}]: {len(v)} responses for {len(x)} rows of X[{i}]")
                if x.shape[1] != rows[0].shape[1]:
                    raise InvalidInput(f"X[{i}]: {x.shape[1]} features, but X[0] has {rows[0].shape[1]}")
            offsets = np.concatenate([[0], np.cumsum([len(x) for x in rows])]).astype(np.int64)
            return cls(np.concatenate(rows), np.concatenate(responses), offsets, **names)
        X, y = _float_array("X", X, 3), _float_array("y", y, 2)
        t, m, d = X.shape
        if y.shape != (t, m):
            raise InvalidInput(f"y: expected shape (t, m) = {(t, m)} to match X of shape {X.shape}, got {y.shape}")
        if m == 0 or t == 0:
            raise InvalidInput(f"X: shape {X.shape} holds no rows; every task needs at least one")
        return cls(X.reshape(t * m, d), y.reshape(t * m), np.arange(t + 1, dtype=np.int64) * m, **names)

    @classmethod
    def from_groups(cls, X: Any, y: Any, groups: Any, **names: Any) -> MultiTaskData:
        """From flat rows with a task label each; tasks are ordered by label, rows keep their order within a task."""
        X, y = _float_array("X", X, 2), _float_array("y", y, 1)
        groups = flat("groups", groups)
        if groups.ndim != 1 or len(groups) != len(X):
            raise InvalidInput(f"groups: expected one label per row, shape ({len(X)},), got {groups.shape}")
        if len(X) == 0:
            raise InvalidInput("X: no rows; pass at least one task with one row")
        missing = groups != groups if groups.dtype.kind in "fc" else np.array([g is None or g != g for g in groups])
        if missing.any():
            raise InvalidInput(
                f"groups: {int(missing.sum())} row(s) have no task label (first at row {int(np.argmax(missing))}); "
                "drop them or give them a task of their own"
            )
        try:
            labels, codes = np.unique(groups, return_inverse=True)
        except TypeError:
            raise InvalidInput(
                "groups: labels of mixed types cannot be ordered; convert them to strings first"
            ) from None
        order = np.argsort(codes, kind="stable")
        offsets = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(labels)))]).astype(np.int64)
        if np.array_equal(order, np.arange(len(order))):
            order = slice(None)  # type: ignore[assignment]  # already stacked by task: no copy
        names.setdefault("task_names", tuple(labels.tolist()))
        return cls(X[order], y[order], offsets, **names)

    @classmethod
    def from_frame(
        cls, df: pd.DataFrame, *, task: str, target: str, features: Sequence[str] | None = None
    ) -> MultiTaskData:
        """From a data frame with a task column, a target column and numeric feature columns (all others by default)."""
        columns = [str(c) for c in df.columns]
        repeated = sorted({c for c in columns if columns.count(c) > 1})
        if repeated:
            raise InvalidInput(f"df: column name(s) {', '.join(map(repr, repeated))} occur more than once; rename them")
        for role, column in (("task", task), ("target", target)):
            if column not in columns:
                raise InvalidInput(f"{role}: no column {column!r}; the columns are {', '.join(columns)}")
        if task == target:
            raise InvalidInput(f"target: {target!r} is also the task column; name two different columns")
        chosen = list(features) if features is not None else [c for c in columns if c not in (task, target)]
        for column in chosen:
            if column not in columns:
                raise InvalidInput(f"features: no column {column!r}; the columns are {', '.join(columns)}")
            if column in (task, target):
                raise InvalidInput(f"features: {column!r} is the task or target column; a feature cannot be either")
        df = df.set_axis(columns, axis=1)
        if len(df) == 0:
            raise InvalidInput("df: no rows")
        if df[task].isna().any():
            row = int(np.argmax(df[task].isna().to_numpy()))
            raise InvalidInput(
                f"task: column {task!r} has {int(df[task].isna().sum())} missing value(s) (first at row {row}); "
                "drop those rows or give them a task of their own"
            )
        values = {
            column: numeric_column(df, column, "target" if column == target else "features")
            for column in [*chosen, target]
        }
        if not chosen:
            raise InvalidInput("features: no feature columns are left besides the task and the target")
        X = np.column_stack([values[c] for c in chosen])
        return cls.from_groups(X, values[target], df[task].to_numpy(), feature_names=tuple(chosen))

    @classmethod
    def from_series(
        cls,
        df: pd.DataFrame,
        *,
        task: str,
        order: int,
        time: str | None = None,
        channels: Sequence[str] | None = None,
        yule_walker: bool = False,
    ) -> MultiTaskData:
        """Autoregressions of time series: one task per subject and channel, lags of all channels as features.

        Parameters
        ----------
        df : data frame
            One row per subject and moment.
        task : str
            The column of subjects.
        order : int
            p, the number of lags.
        time : str, optional
            The column to order a subject's rows by; default: as they come. Moments are taken to be equally far apart.
        channels : sequence of str, optional
            The columns that are series; default: all others.
        yule_walker : bool
            Take a series to be 0 before its first and after its last moment. Least squares of a task then are the equations of Yule
            (1927) and Walker (1931), whose autoregression of one channel is stationary; otherwise the first p moments are lags only.

        Returns
        -------
        MultiTaskData
            Task ``subject:channel``, features ``channel[-lag]``; for every subject and channel x_t = Σ_l Σ_c a_lc x^c_{t−l} + e, after its
            mean is subtracted. T moments make T − p rows, or T + p.

        Raises
        ------
        InvalidInput
            When a column is missing or not numeric, two rows of a subject have the same time, or a subject has too few rows.
        """
        p = integer("order", order, least=1, expected="at least 1 lag")
        columns = [str(c) for c in df.columns]
        df = df.set_axis(columns, axis=1)
        for role, column in (("task", task), *((("time", time),) if time is not None else ())):
            if column not in columns:
                raise InvalidInput(f"{role}: no column {column!r}; the columns are {', '.join(columns)}")
        chosen = list(channels) if channels is not None else [c for c in columns if c not in (task, time)]
        missing = [c for c in chosen if c not in columns or c in (task, time)]
        if missing or not chosen:
            what = (
                f"{missing[0]!r} is no column of its own" if missing else "none is left besides the task and the time"
            )
            raise InvalidInput(f"channels: {what}; the columns are {', '.join(columns)}")
        if df[task].isna().any():
            raise InvalidInput(f"task: column {task!r} has missing values; drop those rows")
        series = np.column_stack([numeric_column(df, c, "channels") for c in chosen])
        moments = np.arange(len(df), dtype=float) if time is None else numeric_column(df, time, "time")
        X, y, names = [], [], []
        for subject, found in df.groupby(task, sort=True).indices.items():
            rows = np.asarray(found)
            rows = rows[np.argsort(moments[rows], kind="stable")]
            if len(np.unique(moments[rows])) < len(rows):
                raise InvalidInput(f"time: two rows of {subject} have the same {time!r}; keep one of them")
            if len(rows) <= p + 1:
                raise InvalidInput(
                    f"order: {subject} has {len(rows)} rows, too few for {p} lags; take a lower order or leave it out"
                )
            one = series[rows] - series[rows].mean(axis=0)
            if yule_walker:
                one = np.pad(one, ((p, p), (0, 0)))
            lags = np.column_stack([one[p - lag : len(one) - lag] for lag in range(1, p + 1)])
            for c, channel in enumerate(chosen):
                X.append(lags)
                y.append(one[p:, c])
                names.append(f"{subject}:{channel}")
        features = tuple(f"{channel}[-{lag}]" for lag in range(1, p + 1) for channel in chosen)
        return cls.from_arrays(X, y, task_names=tuple(names), feature_names=features)

    # ------------------------------------------------------------------ reading
    @property
    def t(self) -> int:
        """Number of tasks."""
        return len(self.offsets) - 1

    @property
    def d(self) -> int:
        """Number of features."""
        return int(self.X.shape[1])

    @property
    def n(self) -> int:
        """Number of rows, all tasks together."""
        return len(self.y)

    @cached_property
    def counts(self) -> Int[np.ndarray, " t"]:
        """Rows per task, m_i."""
        return np.diff(self.offsets)

    def task(self, i: int) -> tuple[Float[np.ndarray, "m d"], Float[np.ndarray, " m"]]:
        """Rows and responses of task i, as read-only views."""
        rows = slice(self.offsets[i], self.offsets[i + 1])
        return self.X[rows], self.y[rows]

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return (self.task(i) for i in range(self.t))

    def __len__(self) -> int:
        return self.t

    @cached_property
    def groups(self) -> Int[np.ndarray, " n"]:
        """Task index of every row."""
        return np.repeat(np.arange(self.t), self.counts)

    # ------------------------------------------------------------------ derived data
    def rows(self, mask: np.ndarray) -> MultiTaskData:
        """The rows where the boolean ``mask`` (n,) holds; tasks left without rows are dropped."""
        mask = np.asarray(mask)
        if mask.dtype != bool or mask.shape != (self.n,):
            raise InvalidInput(f"mask: expected {self.n} booleans, got shape {mask.shape} of {mask.dtype}")
        counts = np.add.reduceat(mask, self.offsets[:-1])
        kept = counts > 0
        if not kept.any():
            raise InvalidInput("mask: keeps no rows; at least one must remain")
        offsets = np.concatenate([[0], np.cumsum(counts[kept])]).astype(np.int64)
        names = tuple(name for name, keep in zip(self.task_names, kept, strict=True) if keep)
        return MultiTaskData(self.X[mask], self.y[mask], offsets, names, self.feature_names)

    def prefix(self, m: int) -> MultiTaskData:
        """The first m rows of every task (all rows of tasks that have fewer)."""
        integer("m", m, least=1, expected="at least 1 row per task")
        position = np.arange(self.n) - np.repeat(self.offsets[:-1], self.counts)
        return self.rows(position < m)

    def select(self, tasks: Sequence[int] | np.ndarray) -> MultiTaskData:
        """The given tasks, in the given order (repetitions allowed)."""
        tasks = np.asarray(tasks, dtype=np.int64)
        if tasks.ndim != 1 or len(tasks) == 0:
            raise InvalidInput("tasks: expected at least one task index")
        index = np.concatenate([np.arange(self.offsets[i], self.offsets[i + 1]) for i in tasks])
        offsets = np.concatenate([[0], np.cumsum(self.counts[tasks])]).astype(np.int64)
        names = tuple(self.task_names[i] for i in tasks)
        return MultiTaskData(self.X[index], self.y[index], offsets, names, self.feature_names)

    def split(self, fraction: float, rng: np.random.Generator) -> tuple[MultiTaskData, np.ndarray]:
        """Within every task, a random ``fraction`` of the rows (at least one): that training set and its row mask."""
        real("fraction", fraction, above=0, most=1)
        mask = np.zeros(self.n, dtype=bool)
        for i, count in enumerate(self.counts):
            chosen = rng.permutation(count)[: max(1, round(fraction * count))]
            mask[self.offsets[i] + chosen] = True
        return self.rows(mask), mask

    def __repr__(self) -> str:
        low, high = int(self.counts.min()), int(self.counts.max())
        rows = f"m={low}" if low == high else f"m={low}…{high}"
        return f"MultiTaskData(t={self.t}, {rows}, d={self.d}, n={self.n})"


@dataclass(frozen=True, eq=False)
class Problem:
    """All that an algorithm may see.

    Parameters
    ----------
    data : MultiTaskData
    rank : int
        r, the number of shared directions; 0 ≤ r ≤ d. May be over-specified.
    sparsity : int
        k, the largest number of personal coordinates of a task; 0 ≤ k ≤ d. May be over-specified.
    noise : float
        Standard deviation σ of the observation noise, 0 when the data are exact.
    warm_start : LRSModel, optional
        Where to start.
    """

    data: MultiTaskData
    rank: int
    sparsity: int
    noise: float = 0.0
    warm_start: LRSModel | None = None
    family: ClassVar[str] = LOW_RANK_SPARSE

    def __post_init__(self) -> None:
        if not isinstance(self.data, MultiTaskData):
            raise InvalidInput(
                f"data: expected MultiTaskData, got {type(self.data).__name__}; see MultiTaskData.from_arrays"
            )
        d = self.data.d
        for name, symbol in (("rank", "r"), ("sparsity", "k")):
            value = integer(name, getattr(self, name))
            if not 0 <= value <= d:
                raise InvalidInput(
                    f"{name}: {symbol} = {value} is outside 0 … d = {d}; pass at most the number of features"
                )
            object.__setattr__(self, name, value)
        noise = real("noise", self.noise, least=0, expected="a finite standard deviation ≥ 0")
        object.__setattr__(self, "noise", noise)
        start = self.warm_start
        if start is not None:
            if start.U.shape != (d, self.rank):
                raise InvalidInput(f"warm_start: U has shape {start.U.shape}, expected (d, r) = {(d, self.rank)}")
            if start.W.shape[0] != self.data.t:
                raise InvalidInput(f"warm_start: {start.W.shape[0]} tasks, but the data have {self.data.t}")

    @property
    def d(self) -> int:
        return self.data.d

    @property
    def t(self) -> int:
        return self.data.t

    def __repr__(self) -> str:
        noise = f", noise={self.noise:g}" if self.noise else ""
        return f"Problem({self.data!r}, rank={self.rank}, sparsity={self.sparsity}{noise})"

    def _repr_html_(self) -> str:
        sizes = [("tasks", self.t), ("rows", self.data.n), ("features", self.d), ("rank", self.rank)]
        return face("Low rank + sparse problem", [*sizes, ("sparsity", self.sparsity), ("noise σ", f"{self.noise:g}")])


@dataclass(frozen=True, eq=False)
class Instance:
    """A problem together with the truth that made it; only a checker holds one.

    Attributes
    ----------
    problem : Problem
    truth : LRSModel
    spec : InstanceSpec or None
        The specification it was drawn from, None when it came from elsewhere.
    seed : tuple of int
        The key of its random streams; empty when it came from elsewhere, or from a file of older streams.
    """

    problem: Problem
    truth: LRSModel
    spec: InstanceSpec | None = None
    seed: tuple[int, ...] = ()
    family: ClassVar[str] = LOW_RANK_SPARSE

    def prefix(self, m: int) -> Instance:
        """The nested instance with the first m rows of every task."""
        spec = None if self.spec is None else replace(self.spec, m=m)
        return replace(self, problem=replace(self.problem, data=self.problem.data.prefix(m)), spec=spec)

    # ------------------------------------------------------------------ files
    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write a .npz (no pickle) that `lrs solve` reads; refuses to replace a file unless ``overwrite``."""
        family = load_family(self.family)
        return archive.write_instance(path, family, family.pack(self), overwrite=overwrite)

    @classmethod
    def load(cls, path: str | Path) -> Instance:
        """Read what `save` wrote.

        Raises
        ------
        InvalidInput
            When the file is truncated, not an instance, or of another family or version.
        """
        return archive.read_instance(path, cls.family)

    def __repr__(self) -> str:
        return f"Instance({self.problem!r}, seed={self.seed})"
