"""`lrs solve`: fit the model to a file and report the errors."""

from __future__ import annotations

import math
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from lrs import datasets
from lrs import solve as run_solver
from lrs.cli import print_json, report, stderr
from lrs.commands.family import FamilyName, Verb
from lrs.commands.shared import (
    SIZES,
    Force,
    Json,
    TargetColumn,
    TaskColumn,
    Train,
    data_document,
    describe_data,
    describe_errors,
    errors_on,
    load_input,
    noise_sentence,
    output_file,
    print_pairs,
    problem_sentence,
    split_rows,
    storage_document,
)
from lrs.core import archive
from lrs.core.errors import InvalidInput
from lrs.core.family import LOW_RANK_SPARSE, Family, Success, family_of
from lrs.core.run import SolverFault, audited
from lrs.families.low_rank_sparse import metrics
from lrs.families.low_rank_sparse.problem import Problem
from lrs.private import PrivateAMHT
from lrs.private.budget import Budget, read_key
from lrs.private.exchange import write_transcript
from lrs.private.model import ServerModel
from lrs.private.options import configure as configure_private
from lrs.solver import Callback, Iterate, Solution, Status, load_solver, of_family, relative_residual

#: Heading of the options of private solvers in the help.
PRIVATE = "Private solvers"

#: Share of every task's rows that a table's model is trained on unless --train says otherwise.
TABLE_TRAIN = 0.75


def solve(family: Family) -> Verb:
    """The verb for one family: tables, splits and private runs are of low rank + sparse."""
    return _solve_model if family.name == LOW_RANK_SPARSE else _solve_instance_of(family)


def _solve_instance_of(chosen: Family) -> Verb:
    first = next(iter(of_family(chosen.name)), "")

    def solve(
        file: Annotated[Path, typer.Argument(metavar="FILE", help="Instance (.npz).")],
        solver: Annotated[
            str, typer.Option("--solver", metavar="NAME", help="Name that `lrs solvers` lists, or module:attribute.")
        ] = first,
        seed: Annotated[int, typer.Option(min=0, help="Seed of the solver.")] = 0,
        threads: Annotated[int | None, typer.Option(min=1, help="Threads, for solvers that have this option.")] = None,
        as_json: Json = False,
        family: FamilyName = None,
    ) -> None:
        """Solve an instance and compare the answer with its truth.

        Exits with 1 when the solver ran but diverged.
        """
        instance = archive.read_instance(file, chosen)
        if not solver:
            raise InvalidInput(f"solver: none is registered for {chosen.title}; pass --solver module:attribute")
        solution = _run(instance.problem, _configured(solver, threads), solver, seed)
        errors = chosen.errors(solution.model, instance)
        document = {
            "command": "solve",
            "file": file,
            "family": chosen.name,
            "solver": solver,
            "seed": seed,
            "quantities": chosen.quantities(instance.problem),
            **_run_document(solution),
            "metrics": errors,
            "criterion": Success().of(chosen).sentence(chosen),
            "recovered": Success().of(chosen).met(chosen, errors),
        }
        if as_json:
            print_json(document)
        else:
            rows = [("problem", f"{file}: {problem_sentence(instance.problem)}"), *_run_rows(document)]
            rows += [(chosen.errors_of[name], f"{value:.3g}") for name, value in errors.items()]
            rows.append(("recovered", f"{'yes' if document['recovered'] else 'no'}: {document['criterion']}"))
            print_pairs(rows)
        if solution.status is Status.DIVERGED:
            raise typer.Exit(1)

    return solve


def _solve_model(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Instance (.npz) or table (.csv, .csv.gz, .parquet).")],
    rank: Annotated[
        int | None, typer.Option(*SIZES["r"], help="Shared directions r; an instance knows its own.")
    ] = None,
    sparsity: Annotated[
        int | None,
        typer.Option(*SIZES["k"], help="Personal coordinates k of a task; an instance knows its own."),
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
        typer.Option(
            metavar="x=…,y=…,xb=…,w=…",
            help="Private solvers: clip levels of the rows, for --release statistics.",
            rich_help_panel=PRIVATE,
        ),
    ] = None,
    release: Annotated[
        str | None,
        typer.Option(
            metavar="gradient|statistics", help="Private solvers: what is released in a round.", rich_help_panel=PRIVATE
        ),
    ] = None,
    clip_user: Annotated[
        float | None,
        typer.Option(
            help="Private solvers: fixed level of a user's gradient; default: follows the users, at a charge.",
            rich_help_panel=PRIVATE,
        ),
    ] = None,
    population: Annotated[
        int | None, typer.Option(help="Private solvers: publicly known number of users.", rich_help_panel=PRIVATE)
    ] = None,
    start_share: Annotated[
        float | None, typer.Option(help="Private solvers: share of ρ for the start.", rich_help_panel=PRIVATE)
    ] = None,
    features_share: Annotated[
        float | None,
        typer.Option(
            help="Private solvers: share of ρ for the features' second moment, by which gradients are whitened.",
            rich_help_panel=PRIVATE,
        ),
    ] = None,
    groups: Annotated[
        bool,
        typer.Option(
            "--groups", help="Private solvers: another group of users in each round.", rich_help_panel=PRIVATE
        ),
    ] = False,
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
    budget_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Private solvers: file of a budget that every run adds to.", rich_help_panel=PRIVATE
        ),
    ] = None,
    budget_key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Private solvers: file of the owner's key.", rich_help_panel=PRIVATE),
    ] = None,
    budget_total: Annotated[
        float | None,
        typer.Option(
            help="Private solvers: make the budget file: its total ε, at the δ of the fit.", rich_help_panel=PRIVATE
        ),
    ] = None,
    transcript: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Private solvers: file (.npz) of all that is published.", rich_help_panel=PRIVATE
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="Model file (.npz) to write.")] = None,
    as_json: Json = False,
    force: Force = False,
    family: FamilyName = None,
) -> None:
    """Fit the model to a file and report the errors.

    An instance is fitted on all of its rows and compared with its truth. A table is fitted on 75 % of every task's rows
    and judged on the others (--train 1 fits all of them). Exits with 1 when the solver ran but diverged. A private solver
    fits all rows unless told otherwise and writes the server's model: U and the privacy ledger, nothing of any user.
    """
    out = None if out is None else output_file(out, ".npz", force)
    transcript = None if transcript is None else output_file(transcript, ".npz", force)
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
        release=release,
        clip_user=clip_user,
        population=population,
        start_share=start_share,
        features_share=features_share,
        groups=groups or None,
    )
    key = 0 if seed is None else seed
    private = isinstance(configured, PrivateAMHT)
    for name, value in (("budget_file", budget_file), ("transcript", transcript)):
        if value is not None and not private:
            raise InvalidInput(f"{name}: the solver {solver!r} is not private; leave --{name.replace('_', '-')} out")
    if private and datasets.file_kind(file) == "table":
        _given(rank, sparsity)  # what is wrong with the options is said before anybody's rows are read
    data, instance = load_input(file, task, target, features, private=private)
    if intercept:
        if instance is not None:
            raise InvalidInput("intercept: an instance has its own truth, without a constant feature; leave it out")
        data = datasets.with_intercept(data)
    if instance is not None:
        given = instance.problem
        rank = given.rank if rank is None else rank
        sparsity = given.sparsity if sparsity is None else sparsity
        noise = given.noise if noise is None else noise
    rank, sparsity = _given(rank, sparsity)
    if train is None:
        train = TABLE_TRAIN if instance is None and not private else 1.0
    training, mask = split_rows(data, train, key, private=private)
    problem = Problem(training, rank, sparsity, noise or 0.0)
    budget = _spend(configured, budget_file, budget_key, budget_total, file) if private else None
    solution = _run(problem, configured, solver, key)
    model = solution.model
    server = solution.info.get("server")
    diverged = solution.status is Status.DIVERGED
    if out is not None and not diverged:
        (server or model).save(out, overwrite=force)
    if transcript is not None:
        write_transcript(transcript, solution.info["transcript"], overwrite=force)
    document: dict[str, Any] = {
        "command": "solve",
        "file": file,
        "solver": solver,
        "seed": key,
        "rank": problem.rank,
        "sparsity": problem.sparsity,
        "noise": problem.noise,
        "data": data_document(data),
        "short_tasks": int((training.counts < rank + sparsity).sum()),
        **_run_document(solution),
        "metrics": None if instance is None else metrics.summary(model, instance.truth),
        "training": errors_on(model, data, mask),
        "held_out": errors_on(model, data, ~mask),
        "storage": storage_document(model),
        "output": None if diverged else out,
    }
    if server is not None:
        document["privacy"] = server.privacy
        # Counts too: that a user takes part is what the guarantee hides.
        document["unusable_users"] = sum(not (X.any() and y.any()) for X, y in data)
        document["not_private"] = [
            *(
                "data",
                "short_tasks",
                "unusable_users",
                "seconds",
                "residual",
                "metrics",
                "training",
                "held_out",
                "storage",
            )
        ]
        document["seed"] = None if server.secure else key
        document["budget"] = None if budget is None else {"left_rho": budget.left, "message": budget.sentence}
    if as_json:
        print_json(document)
    else:
        _print_solution(document)
        if server is not None:
            _print_privacy(server, data.t, document["unusable_users"], budget)
            _print_next(server, document)
    if diverged:
        raise typer.Exit(1)


def _run_document(solution: Solution[Any]) -> dict[str, Any]:
    """What a run says of itself."""
    return {
        "status": solution.status.value,
        "message": solution.message,
        "iterations": solution.iterations,
        "seconds": solution.seconds,
        "compile_seconds": solution.info.get("compile_seconds"),
        "residual": solution.residual,
    }


def _run_rows(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """`_run_document` in words."""
    compiled = document["compile_seconds"]
    timing = f"{document['seconds']:.2f} s" + (f", of which {compiled:.2f} s compiling" if compiled else "")
    seed = "" if document["seed"] is None else f", seed {document['seed']}"
    return [
        ("solver", f"{document['solver']}{seed}: {document['iterations']} steps, {timing}"),
        ("status", f"{document['status']}. {document['message']}"),
    ]


def _configured(spec: str, threads: int | None) -> Any:
    solver = load_solver(spec)
    if threads is None:
        return solver
    if not (is_dataclass(solver) and any(field.name == "threads" for field in fields(solver))):
        raise InvalidInput(f"threads: the solver {spec!r} has no such option; leave --threads out")
    return replace(solver, threads=threads)


def _run(problem: Any, solver: Any, name: str, seed: int) -> Solution[Any]:
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
    if not isinstance(problem, Problem):
        try:
            audited(family_of(problem), problem, solution.model, "solution")
        except SolverFault as error:
            report("error", f"the solver {name!r} {error}", "bold red")
            raise typer.Exit(1) from None
        return solution
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
    if math.isnan(solution.residual):  # left out by the solver
        solution = replace(solution, residual=relative_residual(problem, model))
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
        ("data", f"{document['file']}: {describe_data(data)}"),
        ("model", f"rank {document['rank']}, sparsity {document['sparsity']}, noise {document['noise']:g}"),
    ]
    if document["short_tasks"]:
        rows.append(
            ("short tasks", f"{document['short_tasks']} of {data['tasks']} have fewer than r + k rows to learn from")
        )
    rows += _run_rows(document)
    if document["status"] == Status.STALLED.value and document["metrics"] is None and document["noise"] == 0:
        size = f"{document['training']['rmse']:.2g}"
        rows.append(
            ("advice", f"an exact fit was asked for; data with noise want --noise σ, here --noise {size} or less")
        )
    rows.append(("residual", f"{document['residual']:.3g} (‖y − ŷ‖ / ‖y‖ on the rows fitted)"))
    for name, value in (document["metrics"] or {}).items():
        rows.append((name.replace("_", " "), f"{value:.3g}"))
    if document["metrics"] is None:
        rows.append(("training", describe_errors(document["training"])))
    if document["held_out"] is not None:
        rows.append(("held out", describe_errors(document["held_out"])))
    rows.append(
        (
            "storage",
            f"{storage['parameters']:,} numbers instead of {storage['dense_parameters']:,} ({storage['saved']:.1%} saved)",
        )
    )
    if document["output"] is not None:
        rows.append(("wrote", str(document["output"])))
    print_pairs(rows)


def _print_next(server: ServerModel, document: Mapping[str, Any]) -> None:
    """What to do about a subspace that the noise of privacy has drowned, or may have."""
    distance = (document["metrics"] or {}).get("subspace_distance")
    epsilon = server.ledger.epsilon(server.delta)
    if not math.isfinite(epsilon) or (distance is not None and distance < 0.5):
        return
    sizes = f"-d {document['data']['features']} -r {document['rank']} -k {document['sparsity']}"
    said = "may be lost in the noise" if distance is None else f"is lost in the noise ({distance:.3g})"
    command = f"lrs plan --epsilon {epsilon:.3g} --delta {server.delta:g} {sizes}"
    print_pairs([("next", f"the subspace {said}; how many users it takes: {command}")])


def _given(rank: int | None, sparsity: int | None) -> tuple[int, int]:
    """A table says neither its rank nor its sparsity."""
    if rank is None or sparsity is None:
        name, symbol = ("rank", "r") if rank is None else ("sparsity", "k")
        raise InvalidInput(f"{name}: a table does not say its {name}; pass --{name} {symbol}")
    return rank, sparsity


def _spend(solver: PrivateAMHT, path: Path | None, key: Path | None, total: float | None, what: Path) -> Budget | None:
    """Pay for the run from the budget file, which a total makes."""
    if path is None:
        if key is not None or total is not None:
            raise InvalidInput("budget_file: a key or a total needs the file they belong to; pass --budget-file")
        return None
    if key is None:
        raise InvalidInput("budget_key: a budget file is authenticated by its owner's key; pass --budget-key FILE")
    if solver.insecure_seed is not None:
        raise InvalidInput(
            "insecure_seed: a seeded run is not private at any budget; leave --budget-file or the seed out"
        )
    secret = read_key(key)
    rho, delta = solver._budget()
    if total is not None:
        Budget.create(path, secret, epsilon=total, delta=delta, neighbours=solver.neighbours)
    # What is charged may exceed the plan in the ninth digit, as Δ counts in whole units: it is paid for as well.
    return Budget.spend(path, secret, what.name, rho * (1 + 1e-8), solver.neighbours)


def _print_privacy(server: ServerModel, users: int, unusable: int, budget: Budget | None) -> None:
    private = math.isfinite(server.ledger.rho)
    may = (
        "only the server model and U may be published"
        if private and server.secure
        else "nothing of this run may be published"
    )
    rows = [
        ("privacy", server.ledger.sentence(server.delta)),
        ("noise", noise_sentence(server)),
        *([] if budget is None else [("budget", budget.sentence)]),
        ("unusable users", f"{unusable} of {users}: a cell that is not a finite number, or all zero; they add nothing"),
    ]
    if server.delta >= 1 / users:
        rows.append(
            (
                "WARNING",
                f"δ = {server.delta:g} is not below one over the number of users: publishing one of them outright is allowed",
            )
        )
    print_pairs([*rows, ("not private", f"all counts, the time, the residual, the errors and warnings; {may}")])
