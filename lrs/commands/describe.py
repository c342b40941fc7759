"""`lrs solvers` and `lrs info`: what there is, and what is in a file."""

from __future__ import annotations

import pkgutil
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from lrs import datasets
from lrs.cli import print_json, stdout
from lrs.commands.family import FamilyName
from lrs.commands.shared import (
    Json,
    instance_document,
    noise_sentence,
    print_pairs,
    problem_sentence,
    shape,
    storage_document,
)
from lrs.core import archive
from lrs.core.errors import InvalidInput
from lrs.core.family import LOW_RANK_SPARSE, Family, load_family
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import Instance
from lrs.private.model import ServerModel
from lrs.solver import available_solvers, load_solver, of_family, traits_of

#: The next useful command for a file.
_NEXT = {
    "instance": "lrs solve {file} -o model.npz, or lrs check {file}",
    "model": "lrs predict {file} table.csv --task COLUMN, or lrs adapt {file} new.csv --target COLUMN",
    "server-model": "lrs adapt {file} user.csv --target COLUMN",
    "table": "lrs solve {file} --task COLUMN --target COLUMN -o model.npz",
}


def register(app: typer.Typer) -> None:
    """Add the verbs to the root."""
    for verb in (solvers, info):
        app.command(rich_help_panel="Solve")(verb)


def solvers(as_json: Json = False, family: FamilyName = None) -> None:
    """List the solvers that can be named, with what each can do."""
    chosen = load_family(family or LOW_RANK_SPARSE)
    names = of_family(chosen.name)
    entries = [_solver_document(name, value, chosen) for name, value in available_solvers().items() if name in names]
    if as_json:
        print_json({"command": "solvers", "solvers": entries})
        return
    from rich.table import Table

    table = Table("solver", "what it is", "traits", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for entry in entries:
        if entry["error"] is not None:
            table.add_row(entry["name"], f"broken: {entry['error']}", "", style="yellow")
        else:
            table.add_row(entry["name"], entry["description"], ", ".join(n for n, on in entry["traits"].items() if on))
    stdout().print(table)


def _solver_document(name: str, value: str, family: Family) -> dict[str, Any]:
    document: dict[str, Any] = {"name": name, "object": value, "description": None, "traits": None, "error": None}
    try:
        solver = load_solver(name)
        documentation = (pkgutil.resolve_name(value).__doc__ or "").strip()
        document["traits"] = traits_of(solver, family).to_dict()
        document["description"] = " ".join(documentation.partition("\n\n")[0].split())
    except Exception as error:  # somebody else's plug-in must not hide the other solvers
        document["error"] = str(error)
    return document


def _distinct(column: Any) -> int | None:
    """Number of different values of a column; None where they are lists or the like."""
    try:
        return int(column.nunique())
    except TypeError:
        return None


def info(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Instance or model (.npz), or table (.csv, .csv.gz, .parquet).")
    ],
    as_json: Json = False,
    family: FamilyName = None,
) -> None:
    """Say what is in a file."""
    kind = datasets.file_kind(file)
    if family is not None and kind != "instance":
        raise InvalidInput(f"family: {file} is a {kind}, and only an instance is of a family; leave --family out")
    document: dict[str, Any] = {"command": "info", "file": file, "kind": kind}
    rows = [("file", f"{file}: {kind}")]
    if kind == "instance":
        instance = archive.read_instance(file, family)
        document |= instance_document(instance)
        if isinstance(instance, Instance):
            rows.append(("data", shape(instance.problem.data)))
            rows += [(name, str(document[name])) for name in ("rank", "sparsity", "noise", "seed")]
        else:
            rows += [("problem", problem_sentence(instance.problem)), ("seed", str(document["seed"]))]
        rows += [("drawn with", ", ".join(f"{n}={v}" for n, v in (document["spec"] or {}).items() if v is not None))]
    elif kind == "model":
        model = LRSModel.load(file)
        used = np.diff(model.B.indptr)
        document |= {"tasks": model.t, "features": model.d, "rank": model.rank, "nonzeros": int(model.B.nnz)}
        document |= {"nonzeros_max": int(used.max(initial=0)), "storage": storage_document(model)}
        document |= {"feature_names": model.feature_names, "task_names": model.task_names}
        storage = document["storage"]
        rows.append(("model", f"{model.t} tasks, {model.d} features, rank {model.rank}"))
        rows.append(("personal part", f"{model.B.nnz} non-zeros, at most {used.max(initial=0)} in a task"))
        rows.append(("storage", f"{storage['parameters']:,} numbers instead of {storage['dense_parameters']:,}"))
        rows.append(("features", ", ".join(model.feature_names)))
    elif kind == "server-model":
        server = ServerModel.load(file)
        d, r = server.U.shape
        document |= {"features": d, "rank": r, "privacy": server.privacy, "feature_names": server.feature_names}
        rows.append(("server model", f"{d} features, rank {r}; no user's parameters"))
        rows.append(("privacy", server.ledger.sentence(server.delta)))
        rows.append(("noise", noise_sentence(server)))
        rows.append(("features", ", ".join(server.feature_names)))
    else:
        frame = datasets.load_table(file)
        document["rows"] = len(frame)
        document["columns"] = [
            {
                "name": c,
                "type": str(frame[c].dtype),
                "distinct": _distinct(frame[c]),
                "missing": int(frame[c].isna().sum()),
            }
            for c in frame.columns
        ]
        rows.append(("rows", f"{len(frame):,}"))
        for column in document["columns"]:
            missing = f", {column['missing']} missing" if column["missing"] else ""
            distinct = "lists" if column["distinct"] is None else f"{column['distinct']} distinct values"
            rows.append((column["name"], f"{column['type']}, {distinct}{missing}"))
    document["next"] = _NEXT[kind].format(file=file)
    if as_json:
        print_json(document)
    else:
        print_pairs([*rows, ("next", document["next"])])
