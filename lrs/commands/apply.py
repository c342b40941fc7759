"""`lrs predict` and `lrs adapt`: use a fitted model.

pandas is imported inside the verbs, so that ``lrs --help`` stays quick.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from lrs import datasets
from lrs.cli import print_json, stderr, stdout
from lrs.commands.shared import (
    SIZES,
    Force,
    Json,
    ModelFile,
    TargetColumn,
    TaskColumn,
    Train,
    data_document,
    describe_errors,
    error_figures,
    errors_on,
    print_pairs,
    shape,
    split_rows,
)
from lrs.core.errors import InvalidInput
from lrs.core.files import replacing, writable
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import MultiTaskData, numeric_column
from lrs.private.model import ServerModel


def register(app: typer.Typer) -> None:
    """Add the verbs to the root."""
    for verb in (predict, adapt):
        app.command(rich_help_panel="Solve")(verb)


def predict(
    model: ModelFile,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Rows to predict: a table or an instance.")],
    task: TaskColumn = None,
    target: Annotated[
        str | None, typer.Option("--target", metavar="COLUMN", help="True values, if known: the errors are reported.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="CSV file to write; default: standard output.")
    ] = None,
    as_json: Json = False,
    force: Force = False,
) -> None:
    """Predict every row of a file with its task's parameters, in the order of the file.

    A model is one of low rank + sparse; other families have none.
    """
    import pandas as pd

    out = None if out is None else writable(out, suffix=".csv", overwrite=force)
    fitted = LRSModel.load(model)
    if datasets.file_kind(file) == "table":
        frame = datasets.load_table(file, task=task)
        datasets.require_columns(file, frame, task=task)
        if frame[task].isna().any():
            raise InvalidInput(
                f"task: column {task!r} of {file} has rows without a label; drop them or name their task"
            )
        labels = frame[task].to_numpy()
        X = datasets.table_features(file, frame, fitted)
        y = None
        if target is not None:
            datasets.require_columns(file, frame, target=target)
            y = numeric_column(frame, target, "target")
    else:
        data = datasets.load_data(file, task=task, target=target)
        if data.feature_names != fitted.feature_names:
            raise InvalidInput(
                f"{file}: its features are not those of the model {model}; predict what it was fitted on"
            )
        labels, X, y = np.array(data.task_names)[data.groups], data.X, data.y
    codes, names = pd.factorize(labels)
    predicted = fitted.predict(X, fitted.task_index(names)[codes])
    table = pd.DataFrame({task or "task": labels})
    if y is not None:
        table[target or "y"] = y
    table["prediction"] = predicted
    if out is not None:
        with replacing(out) as part:
            table.to_csv(part, index=False)
    elif not as_json:
        table.to_csv(sys.stdout, index=False)
    errors = None if y is None else error_figures(y, predicted)
    if as_json:
        document = {"command": "predict", "model": model, "file": file, "rows": len(table), "errors": errors}
        document |= {"output": out, "predictions": predicted if out is None else None}
        print_json(document)
    else:
        # Standard output may be the predictions themselves.
        console = stderr() if out is None else stdout()
        summary = f"{len(table):,} rows predicted" + (f" into {out}" if out else "")
        console.print(summary + (f"; {describe_errors(errors)}" if errors else ""), soft_wrap=True, markup=False)


def adapt(
    model: ModelFile,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Table with the rows of the new task or tasks.")],
    target: TargetColumn = None,
    task: Annotated[
        str | None,
        typer.Option(
            "--task", metavar="COLUMN", help="Task column; without it the file is one task, named like the file."
        ),
    ] = None,
    sparsity: Annotated[
        int | None,
        typer.Option(*SIZES["k"], help="Personal coordinates k; default: the most any task of the model uses."),
    ] = None,
    train: Train = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the split.")] = 0,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="Model file (.npz) with the new tasks added.")
    ] = None,
    as_json: Json = False,
    force: Force = False,
) -> None:
    """Fit new tasks with the shared directions U fixed: each learns its own w and b from its own rows.

    MODEL is one of low rank + sparse; other families have none. It may be the server's model of a private run: this is
    how users get their parameters from the published U.
    """
    from scipy import sparse

    out = None if out is None else writable(out, suffix=".npz", overwrite=force)
    if datasets.file_kind(model) == "server-model":
        server = ServerModel.load(model)
        fitted, sparsity = server.without_users(), server.sparsity if sparsity is None else sparsity
    else:
        fitted = LRSModel.load(model)
    data = _new_tasks(fitted, model, file, task, target)
    training, mask = split_rows(data, 1.0 if train is None else train, seed)
    parts = [fitted.adapt(X, y, sparsity=sparsity) for X, y in training]
    added = LRSModel(
        fitted.U,
        np.stack([part.w for part in parts]),
        sparse.csr_array(np.stack([part.b for part in parts])),
        data.task_names,
        fitted.feature_names,
    )
    if out is not None:
        LRSModel(
            fitted.U,
            np.vstack([fitted.W, added.W]),
            sparse.vstack([fitted.B, added.B], format="csr"),
            (*(fitted.task_names or range(fitted.t)), *data.task_names),
            fitted.feature_names,
        ).save(out, overwrite=force)
    document = {
        "command": "adapt",
        "model": model,
        "file": file,
        "data": data_document(data),
        "training": errors_on(added, data, mask),
        "held_out": errors_on(added, data, ~mask),
        "tasks": [
            {
                "name": str(name),
                "rows": int(count),
                "w": part.w,
                "b": {fitted.feature_names[j]: part.b[j] for j in np.flatnonzero(part.b)},
            }
            for name, count, part in zip(data.task_names, training.counts, parts, strict=True)
        ],
        "output": out,
    }
    if as_json:
        print_json(document)
        return
    rows = [("new tasks", f"{file}: {shape(data)}"), ("training", describe_errors(document["training"]))]
    if document["held_out"] is not None:
        rows.append(("held out", describe_errors(document["held_out"])))
    used = np.diff(added.B.indptr)
    rows.append(("each stores", f"{fitted.rank} weights and {used.min()} to {used.max()} personal coordinates"))
    if out is not None:
        rows.append(("wrote", f"{out}: {fitted.t + data.t} tasks"))
    print_pairs(rows)


def _new_tasks(fitted: LRSModel, model: Path, file: Path, task: str | None, target: str | None) -> MultiTaskData:
    """The rows of a table as tasks that the model does not have yet, with the model's features."""
    if datasets.file_kind(file) != "table":
        raise InvalidInput(f"{file}: adapt reads tables (.csv, .csv.gz, .parquet)")
    frame = datasets.load_table(file, task=task)
    datasets.require_columns(file, frame, target=target)
    X, y = datasets.table_features(file, frame, fitted), numeric_column(frame, str(target), "target")
    if task is None:
        labels = np.full(len(frame), file.name.split(".")[0])
    else:
        datasets.require_columns(file, frame, task=task)
        labels = frame[task].to_numpy()
    data = MultiTaskData.from_groups(X, y, labels, feature_names=fitted.feature_names)
    known = {str(name) for name in fitted.task_names or range(fitted.t)}
    repeated = [str(name) for name in data.task_names if str(name) in known]
    if repeated:
        raise InvalidInput(
            f"task: {', '.join(repeated[:5])} is in {model} already; predict uses it, adapt adds new ones"
        )
    return data
