"""Files → data: CSV, gzipped CSV, Parquet and this toolkit's .npz, refused clearly when malformed."""

from __future__ import annotations

import csv
import gzip
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from lrs.core import archive
from lrs.core.errors import InvalidInput
from lrs.core.files import readable
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import Instance, MultiTaskData, numeric_column

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["instance", "model", "server-model", "table"]

#: Name of the constant column that `with_intercept` adds, in data and in model files.
INTERCEPT = "intercept"

_TABLES = (".csv", ".csv.gz", ".parquet")
_KNOWN = "expected .npz, .csv, .csv.gz or .parquet"


def file_kind(path: str | Path) -> Kind:
    """What is in a file: an ``"instance"``, a ``"model"`` or a ``"server-model"`` (.npz), or a ``"table"`` (CSV, Parquet).

    Raises
    ------
    InvalidInput
        When the file is missing, its extension unknown, or its .npz header damaged or foreign.
    """
    path = readable(path)
    if path.suffix == ".npz":
        kind = archive.read_header(path).get("kind")
        if kind not in ["instance", "model", "server-model"]:
            raise InvalidInput(f"{path}: holds a {kind!r}; expected an instance or a model")
        return kind
    if path.name.endswith(_TABLES):
        return "table"
    raise InvalidInput(f"{path}: unknown extension; {_KNOWN}")


def load_table(path: str | Path, *, task: str | None = None) -> pd.DataFrame:
    """Read a CSV (comma-separated, one header line, UTF-8), gzipped CSV or Parquet file.

    Parameters
    ----------
    path : str or Path
    task : str, optional
        Name of the task column. Its labels are read as text and become integers when all are written as such, so that
        a label means the same in every file (``007`` stays ``007``).

    Raises
    ------
    InvalidInput
        When the file is missing, empty or damaged, or a column name occurs twice or is blank.
    """
    path = readable(path)
    if path.name.endswith(".parquet"):
        frame = _read_parquet(path)
    elif path.name.endswith((".csv", ".csv.gz")):
        frame = _read_csv(path, task)
    else:
        raise InvalidInput(f"{path}: unknown extension for a table; expected .csv, .csv.gz or .parquet")
    if len(frame) == 0:
        raise InvalidInput(f"{path}: a header but no rows")
    if task is not None and task in frame.columns:
        frame[task] = _labels(frame[task])
    return frame


def load_data(
    path: str | Path,
    *,
    task: str | None = None,
    target: str | None = None,
    features: Sequence[str] | None = None,
) -> MultiTaskData:
    """Multi-task data from any file the toolkit reads.

    Parameters
    ----------
    path : str or Path
        .npz instance, CSV, gzipped CSV, or Parquet.
    task, target : str
        The task column and the column to predict; needed for tables, refused for .npz, whose roles are fixed.
    features : sequence of str, optional
        Feature columns, in this order; default: all others.

    Raises
    ------
    InvalidInput
        With the reason and the fix.
    """
    kind = file_kind(path)
    if kind == "instance":
        refuse_columns(path, task=task, target=target, features=features)
        return Instance.load(path).problem.data
    if kind in ("model", "server-model"):
        raise InvalidInput(f"{path}: is a model, not data; predict and adapt take models")
    frame = load_table(path, task=task)
    require_columns(path, frame, task=task, target=target)
    try:
        return MultiTaskData.from_frame(frame, task=str(task), target=str(target), features=features)
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error}") from None


def require_columns(path: str | Path, frame: pd.DataFrame, **roles: str | None) -> None:
    """Refuse a missing role, listing the columns there are."""
    for role, column in roles.items():
        if column is None:
            raise InvalidInput(
                f"{role}: name the {role} column of {path} with --{role}; the columns are {', '.join(frame.columns)}"
            )
        if column not in frame.columns:
            raise InvalidInput(f"{role}: no column {column!r} in {path}; the columns are {', '.join(frame.columns)}")


def refuse_columns(path: str | Path, **roles: object) -> None:
    """Refuse column roles given for an .npz file, whose roles are fixed."""
    for role, value in roles.items():
        if value is not None:
            raise InvalidInput(f"{role}: {path} is an .npz instance, whose columns are fixed; leave --{role} out")


def with_intercept(data: MultiTaskData) -> MultiTaskData:
    """The data with a constant column named ``intercept`` appended: the model itself has no offset."""
    if INTERCEPT in data.feature_names:
        raise InvalidInput(f"intercept: the data have a column {INTERCEPT!r} already; rename or use it")
    X = np.column_stack([data.X, np.ones(data.n)])
    return MultiTaskData(X, data.y, data.offsets, data.task_names, (*data.feature_names, INTERCEPT))


def table_features(path: str | Path, frame: pd.DataFrame, model: LRSModel) -> np.ndarray:
    """The model's features from a table, (n, d) in the model's order; the intercept is added when the table has none.

    Raises
    ------
    InvalidInput
        When a column is missing, not numeric, or has missing values.
    """
    if len(model.feature_names) != model.d:
        raise InvalidInput(f"{path}: the model does not say the names of its features; fit it again")
    columns = []
    for name in model.feature_names:
        if name not in frame.columns and name == INTERCEPT:
            columns.append(np.ones(len(frame)))
            continue
        if name not in frame.columns:
            raise InvalidInput(
                f"{path}: the model's feature {name!r} is missing; the columns are {', '.join(frame.columns)}"
            )
        columns.append(numeric_column(frame, name, str(path)))
    return np.column_stack(columns)


# ---------------------------------------------------------------------- readers
def check_names(path: Path, names: Sequence[str]) -> None:
    """Refuse a repeated or a blank column name."""
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InvalidInput(f"{path}: column name(s) {', '.join(map(repr, repeated))} occur more than once; rename them")
    if any(not name.strip() for name in names):
        position = next(i for i, name in enumerate(names) if not name.strip())
        raise InvalidInput(f"{path}: column {position + 1} has no name (a saved row index?); name it or remove it")


def _read_csv(path: Path, task: str | None) -> pd.DataFrame:
    import pandas as pd

    opener = gzip.open if path.suffix == ".gz" else open
    try:
        # pandas renames repeated columns silently (x, x.1), so the header is read once without it.
        with opener(path, "rt", encoding="utf-8-sig", newline="") as stream:
            header = next(csv.reader(stream), [])
        if not header:
            raise InvalidInput(f"{path}: empty; expected a header line and rows")
        if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
            raise InvalidInput(f"{path}: the header {header[0]!r} is not comma-separated; convert the file to commas")
        check_names(path, header)
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # a row longer than the header
            return pd.read_csv(
                path, index_col=False, encoding="utf-8-sig", dtype={task: str} if task in header else None
            )
    except InvalidInput:
        raise
    except PermissionError as error:
        raise InvalidInput(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{path}: not UTF-8 text; save it as a UTF-8 CSV") from None
    except (EOFError, OSError, zlib.error, csv.Error) as error:
        raise InvalidInput(f"{path}: damaged or not a CSV file ({error}); write it again") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning, ValueError) as error:
        raise InvalidInput(
            f"{path}: rows do not fit the header ({error}); every row needs {len(header)} fields"
        ) from None


def _read_parquet(path: Path) -> pd.DataFrame:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
        check_names(path, table.column_names)
        return table.to_pandas(ignore_metadata=True)
    except InvalidInput:
        raise
    except (pyarrow.ArrowException, OSError) as error:
        raise InvalidInput(f"{path}: damaged or not a Parquet file ({error}); write it again") from None


def _labels(column: pd.Series) -> pd.Series:
    """Labels as integers when every one is written as one, so that tasks 2 and 10 are ordered as numbers."""
    if column.dtype.kind == "O" and any(isinstance(one, list | dict | set | np.ndarray) for one in column):
        raise InvalidInput(f"task: column {column.name!r} holds lists; a task has one label, a text or a number")
    if column.dtype.kind in "biuf" or column.isna().any():
        return column
    text = column.astype(str)
    if text.str.fullmatch(r"0|-?[1-9][0-9]{0,17}").all():
        return text.astype(np.int64)
    return text
