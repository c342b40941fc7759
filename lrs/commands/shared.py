"""What the verbs have in common: their options, the files they take, and the words of their reports."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from lrs import datasets
from lrs.cli import stdout
from lrs.core import streams
from lrs.core.family import family_of
from lrs.core.validate import real
from lrs.families.low_rank_sparse import metrics
from lrs.families.low_rank_sparse.family import LowRankSparse
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import Instance, MultiTaskData
from lrs.private.intake import load_users
from lrs.private.model import ServerModel

Force = Annotated[bool, typer.Option("--force", help="Replace the output file if it exists.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout instead of text.")]
TaskColumn = Annotated[str | None, typer.Option("--task", metavar="COLUMN", help="Column naming the task of each row.")]
TargetColumn = Annotated[str | None, typer.Option("--target", metavar="COLUMN", help="Column to predict.")]
FeatureColumns = Annotated[
    str | None,
    typer.Option(
        "--features", metavar="A,B,…", help="Feature columns of a table, separated by commas; default: all others."
    ),
]
ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="Model file (.npz) written by solve or adapt.")]
Jobs = Annotated[int | None, typer.Option("-j", "--jobs", help="Processes; default: one per processor.")]
#: Spellings of the sizes of low rank + sparse, for every verb that takes one.
SIZES = {name: LowRankSparse.parameters[name].options for name in ("t", "m", "d", "r", "k")}
Train = Annotated[float | None, typer.Option("--train", metavar="FRACTION", help="Share of every task's rows to fit.")]


def load_input(
    file: Path, task: str | None, target: str | None, features: str | None, *, private: bool = False
) -> tuple[MultiTaskData, Instance | None]:
    """The data of a file, and the instance when it is one; a table for a private fit is read user by user."""
    chosen = None if features is None else [name.strip() for name in features.split(",") if name.strip()]
    if datasets.file_kind(file) == "instance":
        datasets.refuse_columns(file, task=task, target=target, features=chosen)
        instance = Instance.load(file)
        return instance.problem.data, instance
    if private and datasets.file_kind(file) == "table":
        return load_users(file, task=task, target=target, features=chosen), None
    return datasets.load_data(file, task=task, target=target, features=chosen), None


def split_rows(
    data: MultiTaskData, train: float, seed: int, *, private: bool = False
) -> tuple[MultiTaskData, np.ndarray]:
    """Training rows, and the mask that tells them from the held-out ones.

    For a private fit every user's rows are drawn with a stream of that user's id, so that nobody's presence moves another's.
    """
    real("train", train, above=0, most=1, what="a fraction")
    if train == 1:
        return data, np.ones(data.n, dtype=bool)
    if not private:
        return data.split(train, streams.generator("split", seed))
    mask = np.zeros(data.n, dtype=bool)
    for i, name in enumerate(data.task_names):
        first, rows = data.offsets[i], data.counts[i]
        chosen = streams.generator("split/user", seed, str(name)).permutation(rows)[: max(1, round(train * rows))]
        mask[first + chosen] = True
    return data.rows(mask), mask


def errors_on(model: LRSModel, data: MultiTaskData, mask: np.ndarray) -> dict[str, Any] | None:
    """Errors on the rows of ``mask``; None when there are none."""
    if not mask.any():
        return None
    return error_figures(data.y[mask], model.predict(data.X[mask], data.groups[mask]))


def error_figures(y: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
    """Explained variance and RMSE."""
    explained = metrics.explained_variance(y, predicted)
    return {"rows": len(y), "explained_variance": explained, "rmse": metrics.rmse(y, predicted)}


def describe_errors(errors: Any) -> str:
    """`error_figures` in words."""
    explained = errors["explained_variance"]
    share = (
        "of no variance (all responses are equal)" if math.isnan(explained) else f"explained variance {explained:.2%}"
    )
    return f"{share}, RMSE {errors['rmse']:.4g} on {errors['rows']:,} rows"


def storage_document(model: LRSModel) -> dict[str, Any]:
    """Numbers stored, against one dense model per task."""
    stored, dense = model.n_parameters, model.n_parameters_dense
    return {"parameters": stored, "dense_parameters": dense, "saved": 1 - stored / dense}


def data_document(data: MultiTaskData) -> dict[str, Any]:
    """Size of a data set."""
    low, high = int(data.counts.min()), int(data.counts.max())
    return {"tasks": data.t, "rows": data.n, "features": data.d, "rows_min": low, "rows_max": high}


def instance_document(instance: Any) -> dict[str, Any]:
    """What an instance of any family is, without its arrays."""
    problem = instance.problem
    if not isinstance(instance, Instance):
        family, spec = family_of(problem), getattr(instance, "spec", None)
        return {
            "family": family.name,
            "quantities": family.quantities(problem),
            "seed": getattr(instance, "seed", None),
            "spec": None if spec is None else spec.to_dict(),
        }
    return {
        "data": data_document(problem.data),
        "rank": problem.rank,
        "sparsity": problem.sparsity,
        "noise": problem.noise,
        "seed": instance.seed,
        "spec": None if instance.spec is None else instance.spec.to_dict(),
    }


def instance_sentence(instance: Any) -> str:
    """What an instance of any family is, in words."""
    problem = instance.problem
    if isinstance(instance, Instance):
        return f"{shape(problem.data)}; rank {problem.rank}, sparsity {problem.sparsity}, noise {problem.noise:g}"
    return problem_sentence(problem)


def problem_sentence(problem: Any) -> str:
    """What a problem of any family is: the family and the quantities it knows."""
    family = family_of(problem)
    return f"{family.title}: {', '.join(f'{n} = {v:g}' for n, v in family.quantities(problem).items())}"


def describe_data(data: Mapping[str, Any]) -> str:
    """`data_document` in words."""
    low, high = data["rows_min"], data["rows_max"]
    each = f"{low} each" if low == high else f"{low} to {high} each"
    return f"{data['tasks']:,} tasks, {data['rows']:,} rows ({each}), {data['features']} features"


def shape(data: MultiTaskData) -> str:
    """Size of a data set in words."""
    return describe_data(data_document(data))


def print_line(text: str) -> None:
    """One line on standard output, never wrapped."""
    stdout().print(text, soft_wrap=True, markup=False)


def print_pairs(rows: list[tuple[str, str]]) -> None:
    """Names and values in two columns."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    for name, value in rows:
        table.add_row(Text(name, style="bold"), Text(value))
    stdout().print(table)


def noise_sentence(server: ServerModel) -> str:
    """Whether the noise of a private run protects anybody."""
    if math.isinf(server.ledger.rho):
        return "NONE: this result is not private at all"
    return "secure" if server.secure else "SEEDED: this result is not private to anyone who can guess the seed"
