"""`lrs tune`: how well every rank and sparsity predicts rows held out, with intervals."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lrs import datasets
from lrs.amht import AMHT
from lrs.cli import print_json
from lrs.commands.shared import (
    FeatureColumns,
    Json,
    TargetColumn,
    TaskColumn,
    data_document,
    describe_data,
    load_input,
    print_line,
    print_pairs,
)
from lrs.core import streams
from lrs.core.errors import InvalidInput

#: Columns that the largest explained variance of a curve fills.
_WIDTH = 30


def tune(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Instance (.npz) or table (.csv, .csv.gz, .parquet).")],
    task: TaskColumn = None,
    target: TargetColumn = None,
    features: FeatureColumns = None,
    ranks: Annotated[str, typer.Option(metavar="R,R,…", help="Ranks to try.")] = "1,2,3,4,6,8",
    sparsities: Annotated[str, typer.Option(metavar="K,K,…", help="Sparsities to try.")] = "0,1,2",
    intercept: Annotated[bool, typer.Option("--intercept", help="Append a constant feature.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the folds.")] = 0,
    as_json: Json = False,
) -> None:
    """Show how well models of every rank and sparsity predict rows held out.

    Every rank and sparsity, one model for all tasks and the mixed model are fitted on most of every task's rows and predict the
    others, each row once; explained variance with a 95 % interval over the folds. `lrs solve` finds the sizes by itself: this shows
    how much they matter.
    """
    from lrs.hierarchical.choice import curve

    data, _ = load_input(file, task, target, features)
    if intercept:
        data = datasets.with_intercept(data)
    sizes = {name: _numbers(name, text, data.d) for name, text in (("ranks", ranks), ("sparsities", sparsities))}
    pairs = [(r, k) for k in sizes["sparsities"] for r in sizes["ranks"]]
    rows = curve(data, AMHT(), pairs, streams.generator("solver", seed))
    document: dict[str, Any] = {
        "command": "tune",
        "file": file,
        "seed": seed,
        "data": data_document(data),
        "curve": rows,
    }
    if as_json:
        print_json(document)
        return
    print_pairs([("data", f"{file}: {describe_data(document['data'])}")])
    top = max(row["explained"] for row in rows)
    for row in rows:
        bar = "█" * max(0, round(_WIDTH * row["explained"] / top)) if top > 0 else ""
        interval = "" if row["half_width"] is None else f" ± {row['half_width']:6.2%}"
        print_line(
            f"  {row['name']:<16} {row['explained']:8.2%}{interval}  {bar}{' best' if row['explained'] == top else ''}"
        )


def _numbers(name: str, text: str, d: int) -> list[int]:
    """Numbers separated by commas; those above d say nothing new."""
    try:
        found = sorted({int(part) for part in text.split(",")})
    except ValueError:
        raise InvalidInput(f"{name}: expected numbers separated by commas, got {text!r}") from None
    if found[0] < 0:
        raise InvalidInput(f"{name}: {found[0]} is below 0; pass sizes of 0 or more")
    kept = [value for value in found if value <= d]
    if not kept:
        raise InvalidInput(f"{name}: {found[0]} is above d = {d}; pass at most the number of features")
    return kept


def register(app: typer.Typer) -> None:
    """Add the verb to the root."""
    app.command(rich_help_panel="Solve")(tune)
