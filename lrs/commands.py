"""The verbs of the ground floor: generate, solve, predict, adapt, solvers, info.

pandas and rich's tables are imported inside the verbs, so that ``lrs --help`` stays quick.
"""

from __future__ import annotations

import pkgutil
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from lrs import datasets, metrics
from lrs import generate as draw_instance
from lrs import solve as run_solver
from lrs.cli import print_json, report, stderr, stdout
from lrs.errors import InvalidInput
from lrs.generate import CovariateLaw, InstanceSpec, SparseLaw
from lrs.model import LRSModel
from lrs.private.model import ServerModel
from lrs.private.options import configure as configure_private
from lrs.problem import Instance, MultiTaskData, Problem, numeric_column
from lrs.solver import Callback, Iterate, Solution, Status, available_solvers, load_solver, traits_of

#: Second key of the stream that splits rows into training and held-out; the first is the seed.
SPLIT_STREAM = 1

#: Heading of the options of private solvers in the help.
PRIVATE = "Private solvers"

#: Share of every task's rows that a table's model is trained on unless --train says otherwise.
TABLE_TRAIN = 0.75

Force = Annotated[bool, typer.Option("--force", help="Replace the output file if it exists.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout instead of text.")]
TaskColumn = Annotated[str | None, typer.Option("--task", metavar="COLUMN", help="Column naming the task of each row.")]
TargetColumn = Annotated[str | None, typer.Option("--target", metavar="COLUMN", help="Column to predict.")]
ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="Model file (.npz) written by solve or adapt.")]
Train = Annotated[float | None, typer.Option("--train", metavar="FRACTION", help="Share of every task's rows to fit.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to the root."""
    for verb in (generate, solve, predict, adapt, solvers, info):
        app.command()(verb)


# ---------------------------------------------------------------------- generate
def generate(
    t: Annotated[int, typer.Option("-t", "--tasks", help="Number of tasks t.")],
    m: Annotated[int, typer.Option("-m", "--rows", help="Rows per task m.")],
    d: Annotated[int, typer.Option("-d", "--features", help="Number of features d.")],
    r: Annotated[int, typer.Option("-r", "--rank", help="Number of shared directions r.")],
    k: Annotated[int, typer.Option("-k", "--sparsity", help="Non-zeros k of every task's personal part b.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The .npz file to write.")],
    seed: Annotated[
        list[int] | None, typer.Option(help="Key of all random streams, repeatable; 0 by default.", show_default=False)
    ] = None,
    noise: Annotated[float, typer.Option(help="Standard deviation σ of the noise.")] = 0.0,
    coherence: Annotated[float, typer.Option(help="A1: coherence of U, 0 (random) to 1 (e₁ in its span).")] = 0.0,
    kappa: Annotated[float | None, typer.Option(help="A1: eigenvalue ratio λ₁/λ_r of the weights, ≥ 1.")] = None,
    w_spread: Annotated[float, typer.Option(help="A1: norm spread of w, σ of a log-normal factor.")] = 0.0,
    w_rank: Annotated[int | None, typer.Option(help="A1: rank of W; below r violates task diversity.")] = None,
    duplicates: Annotated[int, typer.Option(help="A1: tasks that repeat an earlier task's parameters.")] = 0,
    zeta: Annotated[int | None, typer.Option(help="A2: most tasks that may share a coordinate of b.")] = None,
    b_law: Annotated[SparseLaw, typer.Option(help="Law of the non-zeros of b.")] = "uniform",
    b_scale: Annotated[float, typer.Option(help="Factor on b.")] = 1.0,
    x_law: Annotated[CovariateLaw, typer.Option(help="Law of the covariates.")] = "gaussian",
    x_parameter: Annotated[
        float | None, typer.Option(help="Its degrees of freedom (student-t), correlation, or ratio of scales.")
    ] = None,
    ragged: Annotated[float, typer.Option(help="Spread of the rows per task: m_i from m (1 − ragged) to m.")] = 0.0,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Draw an instance with a known truth and write it to a file.

    A1 (incoherence and task diversity) and A2 (row sparsity) are the assumptions of the theorem that a setting touches.
    """
    output = _output(output, ".npz", force)
    spec = InstanceSpec(
        t=t,
        m=m,
        d=d,
        r=r,
        k=k,
        noise=noise,
        coherence=coherence,
        kappa=kappa,
        w_spread=w_spread,
        w_rank=w_rank,
        duplicates=duplicates,
        zeta=zeta,
        b_law=b_law,
        b_scale=b_scale,
        x_law=x_law,
        x_parameter=x_parameter,
        ragged=ragged,
    )
    instance = draw_instance(spec, seed or [0])
    instance.save(output, overwrite=force)
    if as_json:
        print_json({"command": "generate", "output": output, **_instance_document(instance)})
    else:
        _line(f"wrote {output}: {_shape(instance.problem.data)}; rank {r}, sparsity {k}, noise {noise:g}")


# ---------------------------------------------------------------------- solve
def solve(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Instance (.npz) or table (.csv, .csv.gz, .parquet).")],
    rank: Annotated[
        int | None, typer.Option("--rank", "-r", help="Shared directions r; an instance knows its own.")
    ] = None,
    sparsity: Annotated[
        int | None,
        typer.Option("--sparsity", "-k", help="Personal coordinates k of a task; an instance knows its own."),
    ] = None,
    solver: Annotated[
        str, typer.Option("--solver", metavar="NAME", help="Name that `lrs solvers` lists, or module:attribute.")
    ] = "amht",
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of the solver and of the split; 0 by default.", show_default=False)
    ] = None,
    task: TaskColumn = None,
    target: TargetColumn = None,
    features: Annotated[
        str | None,
        typer.Option(metavar="A,B,…", help="Feature columns of a table, separated by commas; default: all others."),
    ] = None,
    intercept: Annotated[bool, typer.Option("--intercept", help="Append a constant feature.")] = False,
    noise: Annotated[
        float | None, typer.Option(help="Standard deviation σ of the noise; default: the instance's, or 0.")
    ] = None,
    train: Train = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads, for solvers that have this option.")] = None,
    epsilon: Annotated[
        float | None, typer.Option(help="Private solvers: user-level target ε.", rich_help_panel=PRIVATE)
    ] = None,
    delta: Annotated[
        float | None, typer.Option(help="Private solvers: δ of the target.", rich_help_panel=PRIVATE)
    ] = None,
    rho: Annotated[
        float | None, typer.Option(help="Private solvers: target as zCDP ρ.", rich_help_panel=PRIVATE)
    ] = None,
    clip: Annotated[
        str | None,
        typer.Option(metavar="x=…,y=…,xb=…,w=…", help="Private solvers: clip levels.", rich_help_panel=PRIVATE),
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(help="Private solvers: fixed number of rounds.", rich_help_panel=PRIVATE)
    ] = None,
    neighbours: Annotated[
        str | None, typer.Option(help="Private solvers: add-remove or replace-one.", rich_help_panel=PRIVATE)
    ] = None,
    insecure_seed: Annotated[
        bool,
        typer.Option("--insecure-seed", help="Let --seed fix the noise: not private.", rich_help_panel=PRIVATE),
    ] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Model file (.npz) to write.")
    ] = None,
    as_json: Json = False,
    force: Force = False,
) -> None:
    """Fit the model to a file and report the errors.

    An instance is fitted on all of its rows and compared with its truth. A table is fitted on 75 % of every task's rows
    and judged on the others (--train 1 fits all of them). Exits with 1 when the solver ran but diverged. A private solver
    writes the server's model: U and the privacy ledger, nothing of any user.
    """
    output = None if output is None else _output(output, ".npz", force)
    configured = configure_private(
        _configured(solver, threads),
        solver,
        seed=seed,
        insecure_seed=insecure_seed,
        clip=clip,
        epsilon=epsilon,
        delta=delta,
        rho=rho,
        rounds=rounds,
        neighbours=neighbours,
    )
    key = 0 if seed is None else seed
    data, instance = _load(file, task, target, features)
    if intercept:
        if instance is not None:
            raise InvalidInput("intercept: an instance has its own truth, without a constant feature; leave it out")
        data = datasets.with_intercept(data)
    if instance is not None:
        given = instance.problem
        rank = given.rank if rank is None else rank
        sparsity = given.sparsity if sparsity is None else sparsity
        noise = given.noise if noise is None else noise
    if rank is None or sparsity is None:
        name, symbol = ("rank", "r") if rank is None else ("sparsity", "k")
        raise InvalidInput(f"{name}: a table does not say its {name}; pass --{name} {symbol}")
    training, mask = _split(data, train if train is not None else 1.0 if instance is not None else TABLE_TRAIN, key)
    problem = Problem(training, rank, sparsity, noise or 0.0)
    solution = _run(problem, configured, solver, key)
    model = solution.model
    server = solution.info.get("server")
    diverged = solution.status is Status.DIVERGED
    if output is not None and not diverged:
        (server or model).save(output, overwrite=force)
    document: dict[str, Any] = {
        "command": "solve",
        "file": file,
        "solver": solver,
        "seed": key,
        "rank": problem.rank,
        "sparsity": problem.sparsity,
        "noise": problem.noise,
        "data": _data_document(data),
        "short_tasks": int((training.counts < rank + sparsity).sum()),
        "status": solution.status.value,
        "message": solution.message,
        "iterations": solution.iterations,
        "seconds": solution.seconds,
        "compile_seconds": solution.info.get("compile_seconds"),
        "residual": solution.residual,
        "metrics": None if instance is None else metrics.summary(model, instance.truth),
        "training": _errors(model, data, mask),
        "held_out": _errors(model, data, ~mask),
        "storage": _storage(model),
        "output": None if diverged else output,
    }
    if server is not None:
        document["privacy"] = server.privacy
        # Counts too: that a user takes part is what the guarantee hides.
        document["not_private"] = [
            *("data", "short_tasks", "seconds", "residual", "metrics", "training", "held_out", "storage")
        ]
        document["seed"] = None if server.secure else key
    if as_json:
        print_json(document)
    else:
        _print_solution(document)
        if server is not None:
            _print_privacy(server)
    if diverged:
        raise typer.Exit(1)


def _configured(spec: str, threads: int | None) -> Any:
    solver = load_solver(spec)
    if threads is None:
        return solver
    if not (is_dataclass(solver) and any(field.name == "threads" for field in fields(solver))):
        raise InvalidInput(f"threads: the solver {spec!r} has no such option; leave --threads out")
    return replace(solver, threads=threads)


def _run(problem: Problem, solver: Any, name: str, seed: int) -> Solution:
    """Run the solver; a solver that raises ran but failed, and its author needs the traceback."""
    try:
        with _progress(name, getattr(solver, "max_iterations", None)) as callback:
            solution = run_solver(problem, solver, seed, callback)
    except InvalidInput:
        raise
    except Exception as error:
        traceback.print_exc()
        report("error", f"the solver {name!r} raised {type(error).__name__}: {error}", "bold red")
        raise typer.Exit(1) from None
    model = solution.model
    if (model.t, model.d) != (problem.t, problem.d):
        report(
            "error",
            f"the solver {name!r} returned a model of {model.t} tasks and {model.d} features for "
            f"{problem.t} tasks and {problem.d} features",
            "bold red",
        )
        raise typer.Exit(1)
    data = problem.data
    return replace(solution, model=replace(model, task_names=data.task_names, feature_names=data.feature_names))


@contextmanager
def _progress(name: str, total: int | None) -> Iterator[Callback | None]:
    """A bar on stderr driven by the solver's callback; nothing, and no callback to pay for, without a terminal."""
    console = stderr()
    if not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    step, residual = TextColumn("step {task.fields[step]}"), TextColumn("residual {task.fields[residual]}")
    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), step, residual, TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task(name, total=total, step="0", residual="–")

        def show(iterate: Iterate) -> None:
            progress.update(
                bar, completed=iterate.iteration, step=str(iterate.iteration), residual=f"{iterate.residual:.2e}"
            )

        yield show


def _print_solution(document: Mapping[str, Any]) -> None:
    data, storage = document["data"], document["storage"]
    rows: list[tuple[str, str]] = [
        ("data", f"{document['file']}: {_describe(data)}"),
        ("model", f"rank {document['rank']}, sparsity {document['sparsity']}, noise {document['noise']:g}"),
    ]
    if document["short_tasks"]:
        rows.append(
            ("short tasks", f"{document['short_tasks']} of {data['tasks']} have fewer than r + k rows to learn from")
        )
    compiled = document["compile_seconds"]
    timing = f"{document['seconds']:.2f} s" + (f", of which {compiled:.2f} s compiling" if compiled else "")
    seed = "" if document["seed"] is None else f", seed {document['seed']}"
    rows.append(("solver", f"{document['solver']}{seed}: {document['iterations']} steps, {timing}"))
    rows.append(("status", f"{document['status']}. {document['message']}"))
    if document["status"] == Status.STALLED.value and document["metrics"] is None and document["noise"] == 0:
        size = f"{document['training']['rmse']:.2g}"
        rows.append(
            ("advice", f"an exact fit was asked for; data with noise want --noise σ, here --noise {size} or less")
        )
    rows.append(("residual", f"{document['residual']:.3g} (‖y − ŷ‖ / ‖y‖ on the rows fitted)"))
    for name, value in (document["metrics"] or {}).items():
        rows.append((name.replace("_", " "), f"{value:.3g}"))
    if document["metrics"] is None:
        rows.append(("training", _describe_errors(document["training"])))
    if document["held_out"] is not None:
        rows.append(("held out", _describe_errors(document["held_out"])))
    rows.append(
        (
            "storage",
            f"{storage['parameters']:,} numbers instead of {storage['dense_parameters']:,} ({storage['saved']:.1%} saved)",
        )
    )
    if document["output"] is not None:
        rows.append(("wrote", str(document["output"])))
    _print_pairs(rows)


def _noise(server: ServerModel) -> str:
    return "secure" if server.secure else "SEEDED: this result is not private to anyone who can guess the seed"


def _print_privacy(server: ServerModel) -> None:
    _print_pairs(
        [
            ("privacy", server.ledger.sentence(server.delta)),
            ("noise", _noise(server)),
            (
                "not private",
                "the counts, the residual and the errors above; only the server model and U may be published",
            ),
        ]
    )


# ---------------------------------------------------------------------- predict
def predict(
    model: ModelFile,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Rows to predict: a table or an instance.")],
    task: TaskColumn = None,
    target: Annotated[
        str | None, typer.Option("--target", metavar="COLUMN", help="True values, if known: the errors are reported.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="CSV file to write; default: standard output.")
    ] = None,
    as_json: Json = False,
    force: Force = False,
) -> None:
    """Predict every row of a file with its task's parameters, in the order of the file."""
    import pandas as pd

    output = None if output is None else _output(output, ".csv", force)
    fitted = LRSModel.load(model)
    if datasets.file_kind(file) == "table":
        frame = datasets.load_table(file, task=task)
        datasets.require_columns(file, frame, task=task)
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
    if output is not None:
        table.to_csv(output, index=False)
    elif not as_json:
        table.to_csv(sys.stdout, index=False)
    errors = None if y is None else _error_figures(y, predicted)
    if as_json:
        document = {"command": "predict", "model": model, "file": file, "rows": len(table), "errors": errors}
        document |= {"output": output, "predictions": predicted if output is None else None}
        print_json(document)
    else:
        # Standard output may be the predictions themselves.
        console = stderr() if output is None else stdout()
        summary = f"{len(table):,} rows predicted" + (f" into {output}" if output else "")
        console.print(summary + (f"; {_describe_errors(errors)}" if errors else ""), soft_wrap=True, markup=False)


# ---------------------------------------------------------------------- adapt
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
        typer.Option("--sparsity", "-k", help="Personal coordinates k; default: the most any task of the model uses."),
    ] = None,
    train: Train = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the split.")] = 0,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Model file (.npz) with the new tasks added.")
    ] = None,
    as_json: Json = False,
    force: Force = False,
) -> None:
    """Fit new tasks with the shared directions U fixed: each learns its own w and b from its own rows.

    MODEL may be the server's model of a private run: this is how users get their parameters from the published U.
    """
    from scipy import sparse

    output = None if output is None else _output(output, ".npz", force)
    if datasets.file_kind(model) == "server-model":
        server = ServerModel.load(model)
        fitted, sparsity = server.without_users(), server.sparsity if sparsity is None else sparsity
    else:
        fitted = LRSModel.load(model)
    data = _new_tasks(fitted, model, file, task, target)
    training, mask = _split(data, 1.0 if train is None else train, seed)
    parts = [fitted.adapt(X, y, sparsity=sparsity) for X, y in training]
    added = LRSModel(
        fitted.U,
        np.stack([part.w for part in parts]),
        sparse.csr_array(np.stack([part.b for part in parts])),
        data.task_names,
        fitted.feature_names,
    )
    if output is not None:
        LRSModel(
            fitted.U,
            np.vstack([fitted.W, added.W]),
            sparse.vstack([fitted.B, added.B], format="csr"),
            (*(fitted.task_names or range(fitted.t)), *data.task_names),
            fitted.feature_names,
        ).save(output, overwrite=force)
    document = {
        "command": "adapt",
        "model": model,
        "file": file,
        "data": _data_document(data),
        "training": _errors(added, data, mask),
        "held_out": _errors(added, data, ~mask),
        "tasks": [
            {
                "name": str(name),
                "rows": int(count),
                "w": part.w,
                "b": {fitted.feature_names[j]: part.b[j] for j in np.flatnonzero(part.b)},
            }
            for name, count, part in zip(data.task_names, training.counts, parts, strict=True)
        ],
        "output": output,
    }
    if as_json:
        print_json(document)
        return
    rows = [("new tasks", f"{file}: {_shape(data)}"), ("training", _describe_errors(document["training"]))]
    if document["held_out"] is not None:
        rows.append(("held out", _describe_errors(document["held_out"])))
    used = np.diff(added.B.indptr)
    rows.append(("each stores", f"{fitted.rank} weights and {used.min()} to {used.max()} personal coordinates"))
    if output is not None:
        rows.append(("wrote", f"{output}: {fitted.t + data.t} tasks"))
    _print_pairs(rows)


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


# ---------------------------------------------------------------------- solvers, info
def solvers(as_json: Json = False) -> None:
    """List the solvers that can be named, with what each can do."""
    entries = [_solver_document(name, value) for name, value in available_solvers().items()]
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


def _solver_document(name: str, value: str) -> dict[str, Any]:
    document: dict[str, Any] = {"name": name, "object": value, "description": None, "traits": None, "error": None}
    try:
        solver = load_solver(name)
        documentation = (pkgutil.resolve_name(value).__doc__ or "").strip()
        document["traits"] = asdict(traits_of(solver))
        document["description"] = " ".join(documentation.partition("\n\n")[0].split())
    except Exception as error:  # somebody else's plug-in must not hide the other solvers
        document["error"] = str(error)
    return document


def info(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Instance or model (.npz), or table (.csv, .csv.gz, .parquet).")
    ],
    as_json: Json = False,
) -> None:
    """Say what is in a file."""
    kind = datasets.file_kind(file)
    document: dict[str, Any] = {"command": "info", "file": file, "kind": kind}
    rows = [("file", f"{file}: {kind}")]
    if kind == "instance":
        instance = Instance.load(file)
        document |= _instance_document(instance)
        rows.append(("data", _shape(instance.problem.data)))
        rows += [(name, str(document[name])) for name in ("rank", "sparsity", "noise", "seed")]
        rows += [("drawn with", ", ".join(f"{n}={v}" for n, v in (document["spec"] or {}).items() if v is not None))]
    elif kind == "model":
        model = LRSModel.load(file)
        used = np.diff(model.B.indptr)
        document |= {"tasks": model.t, "features": model.d, "rank": model.rank, "nonzeros": int(model.B.nnz)}
        document |= {"nonzeros_max": int(used.max(initial=0)), "storage": _storage(model)}
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
        rows.append(("noise", _noise(server)))
        rows.append(("features", ", ".join(server.feature_names)))
    else:
        frame = datasets.load_table(file)
        document["rows"] = len(frame)
        document["columns"] = [
            {
                "name": c,
                "type": str(frame[c].dtype),
                "distinct": frame[c].nunique(),
                "missing": int(frame[c].isna().sum()),
            }
            for c in frame.columns
        ]
        rows.append(("rows", f"{len(frame):,}"))
        for column in document["columns"]:
            missing = f", {column['missing']} missing" if column["missing"] else ""
            rows.append((column["name"], f"{column['type']}, {column['distinct']} distinct values{missing}"))
    if as_json:
        print_json(document)
    else:
        _print_pairs(rows)


# ---------------------------------------------------------------------- shared
def _output(path: Path, suffix: str, force: bool) -> Path:
    """The file that will be written; refused now rather than after the work is done."""
    if path.suffix != suffix:
        path = path.with_name(path.name + suffix)
    if path.is_dir():
        raise InvalidInput(f"{path}: is a folder; name a file in it")
    if path.exists() and not force:
        raise InvalidInput(f"{path}: exists already; choose another name or pass --force")
    if not path.parent.is_dir():
        raise InvalidInput(f"{path}: the folder {path.parent} does not exist; create it first")
    return path


def _load(
    file: Path, task: str | None, target: str | None, features: str | None
) -> tuple[MultiTaskData, Instance | None]:
    chosen = None if features is None else [name.strip() for name in features.split(",") if name.strip()]
    if datasets.file_kind(file) == "instance":
        datasets.refuse_columns(file, task=task, target=target, features=chosen)
        instance = Instance.load(file)
        return instance.problem.data, instance
    return datasets.load_data(file, task=task, target=target, features=chosen), None


def _split(data: MultiTaskData, train: float, seed: int) -> tuple[MultiTaskData, np.ndarray]:
    if not 0 < train <= 1:
        raise InvalidInput(f"train: expected a fraction in (0, 1], got {train:g}")
    if train == 1:
        return data, np.ones(data.n, dtype=bool)
    return data.split(train, np.random.default_rng([seed, SPLIT_STREAM]))


def _errors(model: LRSModel, data: MultiTaskData, mask: np.ndarray) -> dict[str, Any] | None:
    """Errors on the rows of ``mask``; None when there are none."""
    if not mask.any():
        return None
    return _error_figures(data.y[mask], model.predict(data.X[mask], data.groups[mask]))


def _error_figures(y: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
    explained = metrics.explained_variance(y, predicted)
    return {"rows": len(y), "explained_variance": explained, "rmse": metrics.rmse(y, predicted)}


def _describe_errors(errors: Any) -> str:
    return (
        f"explained variance {errors['explained_variance']:.2%}, RMSE {errors['rmse']:.4g} on {errors['rows']:,} rows"
    )


def _storage(model: LRSModel) -> dict[str, Any]:
    stored, dense = model.n_parameters, model.n_parameters_dense
    return {"parameters": stored, "dense_parameters": dense, "saved": 1 - stored / dense}


def _data_document(data: MultiTaskData) -> dict[str, Any]:
    low, high = int(data.counts.min()), int(data.counts.max())
    return {"tasks": data.t, "rows": data.n, "features": data.d, "rows_min": low, "rows_max": high}


def _instance_document(instance: Instance) -> dict[str, Any]:
    problem = instance.problem
    return {
        "data": _data_document(problem.data),
        "rank": problem.rank,
        "sparsity": problem.sparsity,
        "noise": problem.noise,
        "seed": instance.seed,
        "spec": None if instance.spec is None else instance.spec.to_dict(),
    }


def _describe(data: Mapping[str, Any]) -> str:
    low, high = data["rows_min"], data["rows_max"]
    each = f"{low} each" if low == high else f"{low} to {high} each"
    return f"{data['tasks']:,} tasks, {data['rows']:,} rows ({each}), {data['features']} features"


def _shape(data: MultiTaskData) -> str:
    return _describe(_data_document(data))


def _line(text: str) -> None:
    stdout().print(text, soft_wrap=True, markup=False)


def _print_pairs(rows: list[tuple[str, str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    for name, value in rows:
        table.add_row(Text(name, style="bold"), Text(value))
    stdout().print(table)
