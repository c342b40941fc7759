"""What a private fit reads from a table: the schema is refused before any value is looked at, and no value can stop the run.

Whatever one user's cells hold, the rows of all others are read as if that user were not there: records are lines, taken one
by one; a cell that is no finite number, or a line that does not fit the header, makes the rows of its user zero, which adds
nothing to any sum.
"""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lrs import datasets
from lrs.core.errors import InvalidInput
from lrs.families.low_rank_sparse.problem import MultiTaskData


def load_users(
    path: str | Path, *, task: str | None, target: str | None, features: Sequence[str] | None = None
) -> MultiTaskData:
    """Multi-task data of users from a CSV, gzipped CSV or Parquet file; the task column holds their ids, as text.

    Raises
    ------
    InvalidInput
        On the schema only: columns and types.
    """
    path = Path(path)
    try:
        return _load(path, task, target, features)
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidInput(f"{path}: damaged or not readable ({error}); write it again") from None


def _load(path: Path, task: str | None, target: str | None, features: Sequence[str] | None) -> MultiTaskData:
    import pandas as pd

    header, records = _parquet(path) if path.name.endswith(".parquet") else _lines(path)
    datasets.require_columns(path, pd.DataFrame(columns=header), task=task, target=target)
    chosen = list(features) if features is not None else [c for c in header if c not in (task, target)]
    if not chosen or task == target:
        raise InvalidInput(f"features: {path} needs a task, a target and at least one feature, all different")
    for column in chosen:
        if column not in header or column in (task, target):
            raise InvalidInput(
                f"features: {column!r} is no feature column of {path}; the columns are {', '.join(header)}"
            )
    who, where = header.index(str(task)), [header.index(c) for c in (*chosen, str(target))]
    names, values = [], []
    for record in records:
        # A line cut short still says whose it is, if the id is in it; of a line without an id there is no user.
        if len(record) > who and record[who] is not None and (name := str(record[who]).strip()):
            fits = len(record) == len(header)
            names.append(name)
            values.append([_number(record[i]) for i in where] if fits else [math.nan] * len(where))
    if not names:  # the public knowledge that there are users at all
        raise InvalidInput(f"{path}: no row has an id in column {task!r}")
    table = np.array(values)
    return zeroed(table[:, :-1], table[:, -1], np.array(names), feature_names=tuple(chosen))


def zeroed(X: np.ndarray, y: np.ndarray, groups: np.ndarray, **names: Any) -> MultiTaskData:
    """Data in which every user with a value that is not a finite number has zeros instead of rows."""
    bad = ~(np.isfinite(X).all(axis=1) & np.isfinite(y))
    if bad.any():
        bad = np.isin(groups, np.unique(groups[bad]))
        X, y = np.where(bad[:, None], 0.0, X), np.where(bad, 0.0, y)
    return MultiTaskData.from_groups(X, y, groups, **names)


def _number(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _lines(path: Path) -> tuple[list[str], Iterator[list[str]]]:
    """Header and records; a quotation mark left open ends with its line and takes nobody else's along."""

    def read() -> Iterator[list[str]]:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8-sig", errors="replace", newline="\n") as stream:
            for line in stream:
                try:
                    yield next(csv.reader([line.rstrip("\r\n").replace("\0", "�")]), [])
                except csv.Error:  # a field beyond the reader's limit: the id may still be read
                    yield line.rstrip("\r\n").split(",")

    records = read()
    header = next(records, [])
    datasets.check_names(path, header)
    return header, records


def _parquet(path: Path) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    frame = datasets.load_table(path)
    return [str(c) for c in frame.columns], frame.itertuples(index=False, name=None)
