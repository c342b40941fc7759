"""`lrs solve`: fit the model to a file and report the errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from lrs import datasets
from lrs import solve as run_solver
from lrs.amht import AMHT
from lrs.amht.truncation import within
from lrs.cli import print_json, report, stderr
from lrs.commands.family import FamilyName, Verb, add_verb
from lrs.commands.shared import (
    SIZES,
    FeatureColumns,
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
    print_line,
    print_pairs,
    problem_sentence,
    split_rows,
    storage_document,
)
from lrs.core import archive, machine, streams
from lrs.core.errors import InvalidInput
from lrs.core.family import LOW_RANK_SPARSE, Family, Success, family_of, load_family
from lrs.core.files import writable
from lrs.core.run import Key, Limits, Run, Subject, audited, fault_of
from lrs.core.solver import check_family_of, is_own
from lrs.families.low_rank_sparse import metrics
from lrs.families.low_rank_sparse.problem import MultiTaskData, Problem
from lrs.hierarchical import AUTO, solve_automatically
from lrs.isolation import Isolated
from lrs.private import PrivateAMHT
from lrs.private.budget import Budget, read_key
from lrs.private.exchange import write_transcript
from lrs.private.model import ServerModel
from lrs.private.options import configure as configure_private
from lrs.solver import Callback, Iterate, Solution, Status, load_solver, of_family, relative_residual, traits_of

#: Heading of the options of private solvers in the help.
PRIVATE = "Private solvers"

#: Share of every task's rows that a table's model is trained on unless --train says otherwise.
TABLE_TRAIN = 0.75

Memory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Memory that the solver may take, such as 4GB; default: four fifths of the machine's for a solver that is not "
        "the toolkit's own.",
    ),
]
Call = Callable[[Any, Key], Run[Any]]


def register(app: typer.Typer) -> None:
    """Add the verb to the root."""
    add_verb(app, "solve", solve, "Solve")


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
        memory: Memory = None,
        as_json: Json = False,
        family: FamilyName = None,
    ) -> None:
        """Solve an instance and compare the answer with its truth.

        Exits with 1 when the solver ran but diverged, with 2 when it did not answer.
        """
        instance = archive.read_instance(file, chosen)
        if not solver:
            raise InvalidInput(f"solver: none is registered for {chosen.title}; pass --solver module:attribute")
        with _loaded(solver, threads, memory, chosen) as (configured, call):
            fit = partial(run_solver, instance.problem, configured, seed)
            solution = _run(instance.problem, configured, call, solver, seed, fit)
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
        str | None,
        typer.Option(
            *SIZES["r"], metavar="R|auto", help="Shared directions r; default: the instance's, auto for tables."
        ),
    ] = None,
    sparsity: Annotated[
        str | None,
        typer.Option(
            *SIZES["k"],
            metavar="K|auto",
            help="Personal coordinates k; default: the instance's, auto for tables.",
        ),
    ] = None,
    considered: Annotated[
        bool, typer.Option("--considered", help="Print what rank and sparsity were chosen from.")
    ] = False,
    storage: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="NUMBERS_PER_TASK",
            help="Keep the best model of so many numbers a task, r + k, of the one found.",
        ),
    ] = None,
    solver: Annotated[
        str, typer.Option("--solver", metavar="NAME", help="Name that `lrs solvers` lists, or module:attribute.")
    ] = "amht",
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of the solver and of the split; 0 by default.", show_default=False)
    ] = None,
    task: TaskColumn = None,
    target: TargetColumn = None,
    features: FeatureColumns = None,
    intercept: Annotated[bool, typer.Option("--intercept", help="Append a constant feature.")] = False,
    noise: Annotated[
        float | None, typer.Option(help="Standard deviation σ of the noise; default: the instance's, or 0.")
    ] = None,
    train: Train = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads, for solvers that have this option.")] = None,
    memory: Memory = None,
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
    and judged on the others (--train 1 fits all of them). Exits with 1 when the solver ran but diverged, with 2 when it did not answer. A private solver
    fits all rows unless told otherwise and writes the server's model: U and the privacy ledger, nothing of any user.
    """
    out = None if out is None else writable(out, suffix=".npz", overwrite=force)
    transcript = None if transcript is None else writable(transcript, suffix=".npz", overwrite=force)
    sizes = _sizes(rank, sparsity)
    with _loaded(solver, threads, memory, load_family()) as (loaded, call):
        configured = configure_private(
            loaded,
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
        if storage is not None and private:
            raise InvalidInput("storage: a private fit publishes U alone, no numbers of any task; leave --storage out")
        for name, value in (("budget_file", budget_file), ("transcript", transcript)):
            if value is not None and not private:
                raise InvalidInput(
                    f"{name}: the solver {solver!r} is not private; leave --{name.replace('_', '-')} out"
                )
        if private and datasets.file_kind(file) == "table":  # the options are judged before anybody's rows are read
            _told(sizes, solver, configured)
        data, instance = load_input(file, task, target, features, private=private)
        if instance is not None and groups:
            raise InvalidInput(
                "groups: the users of an instance are numbered by position, which changes with who takes part; pass a table, whose "
                "--task column holds their ids"
            )
        if intercept:
            if instance is not None:
                raise InvalidInput("intercept: an instance has its own truth, without a constant feature; leave it out")
            data = datasets.with_intercept(data)
        if instance is not None:
            given = instance.problem
            own = {"rank": given.rank, "sparsity": given.sparsity}
            sizes = {name: own[name] if value is None else value for name, value in sizes.items()}
            noise = given.noise if noise is None else noise
        sizes = _told(sizes, solver, configured)
        if train is None:
            train = TABLE_TRAIN if instance is None and not private else 1.0
        training, mask = split_rows(data, train, key, private=private)
        automatic = AUTO in sizes.values()
        if automatic:
            if call is not None:
                raise InvalidInput(
                    "memory: rank and sparsity are found in this process, whose memory has no limit of ours; leave --memory out, "
                    "or pass --rank and --sparsity"
                )
            problem = Problem(training, data.d, data.d)  # any size will do; it comes with the answer
            fit = partial(solve_automatically, training, configured, key, **sizes)
        else:
            problem = Problem(training, **sizes, noise=noise or 0.0)
            fit = partial(run_solver, problem, configured, key)
        budget = _spend(configured, problem, budget_file, budget_key, budget_total, file) if private else None
        solution = _run(problem, configured, call, solver, key, fit)
    model = solution.model
    if automatic:
        sizes = {name: solution.info.get(name, 0 if value == AUTO else value) for name, value in sizes.items()}
    if storage is not None:
        model = within(model, storage, training.X.T @ training.X / training.n)
        solution = replace(solution, model=model, residual=relative_residual(problem, model))
        sizes = {"rank": model.rank, "sparsity": int(np.diff(model.B.indptr).max(initial=0))}
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
        "rank": sizes["rank"],
        "sparsity": sizes["sparsity"],
        "noise": float(solution.info["noise_estimate"]) if "considered" in solution.info else problem.noise,
        "data": data_document(data),
        "short_tasks": 0 if automatic else int((training.counts < problem.rank + problem.sparsity).sum()),
        **_run_document(solution),
        "metrics": None if instance is None else metrics.summary(model, instance.truth),
        "training": errors_on(model, data, mask),
        "held_out": errors_on(model, data, ~mask),
        "storage": storage_document(model),
        "output": None if diverged else out,
    }
    if "considered" in solution.info:
        document["chosen"] = solution.info["sentence"]
        document["considered"] = [row.to_dict() for row in solution.info["considered"]]
        document["beside"] = _beside(training, data, ~mask, document["considered"])
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
        if considered:
            _print_considered(document)
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


@contextmanager
def _loaded(name: str, threads: int | None, memory: str | None, family: Family) -> Iterator[tuple[Any, Call | None]]:
    """The solver, and where it is called: the toolkit's own in this process, anybody else's in one of its own.

    It is loaded there first, where all that can go wrong is named and nothing can come of it.
    """
    limits = Limits(
        seconds=math.inf, memory=machine.memory() * 4 // 5 if memory is None else machine.parse_size("memory", memory)
    )
    subject, executor = Subject.of(name), Isolated(limits)
    isolated = memory is not None or not is_own(name)
    try:
        with _blamed(name):
            if isolated:
                executor.load(subject, family)
            solver = load_solver(name)
        check_family_of(solver, family.name, name)
        if threads is not None:
            if not (is_dataclass(solver) and any(field.name == "threads" for field in fields(solver))):
                raise InvalidInput(f"threads: the solver {name!r} has no such option; leave --threads out")
            solver = replace(solver, threads=threads)
            subject = Subject.of(solver, name)
        if isinstance(solver, PrivateAMHT):  # its server's model stays in this process
            isolated = False
        yield solver, partial(executor, subject, family) if isolated else None
    finally:
        executor.close()


@contextmanager
def _blamed(name: str) -> Iterator[None]:
    """Whatever a solver does instead of answering is refused with its name."""
    try:
        yield
    except (InvalidInput, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise InvalidInput(f"solver: {name!r} {fault_of(error)}") from None


def _run(
    problem: Any, solver: Any, call: Call | None, name: str, seed: int, fit: Callable[..., Solution[Any]]
) -> Solution[Any]:
    """Run the solver; one that does not answer the question is refused with what it did instead."""
    if call is None:
        with nullcontext() if is_own(name) else _blamed(name), _progress(name, solver) as callback:
            solution = fit(callback=callback)
            audited(family_of(problem), problem, solution.model, "solution")
    else:
        with _blamed(name):
            run = call(problem, (streams.key("solver", seed),))
        for fault, detail in run.faults.items():
            report("note", f"the solver {name!r} {fault.value}: {detail}", "yellow")
        solution = replace(run.solution, seconds=run.seconds)
    if not isinstance(problem, Problem):
        return solution
    data = problem.data
    if math.isnan(solution.residual):  # left out by the solver
        with np.errstate(all="ignore"):  # values of any size are the data's business
            solution = replace(solution, residual=relative_residual(problem, solution.model))
    return replace(
        solution, model=replace(solution.model, task_names=data.task_names, feature_names=data.feature_names)
    )


@contextmanager
def _progress(name: str, solver: Any) -> Iterator[Callback | None]:
    """A bar on stderr driven by the solver's callback; nothing, and no callback to pay for, without a terminal."""
    console = stderr()
    if not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    step, residual = TextColumn("step {task.fields[step]}"), TextColumn("residual {task.fields[residual]}")
    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), step, residual, TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task(name, total=getattr(solver, "max_iterations", None), step="0", residual="–")

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
    if document.get("beside"):
        known = {name: value for name, value in document["beside"].items() if not math.isnan(value)}
        if known:
            rows.append(("beside", ", ".join(f"{name} {value:.2%}" for name, value in known.items())))
    if "chosen" in document:
        rows.append(("chosen", document["chosen"]))
    saved = f"{storage['saved']:.1%} saved" if storage["saved"] > 0 else "none saved: --storage N keeps N a task"
    rows.append(("storage", f"{storage['parameters']:,} numbers instead of {storage['dense_parameters']:,} ({saved})"))
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


def _sizes(rank: str | None, sparsity: str | None) -> dict[str, Any]:
    """The options as numbers, ``auto`` or None."""
    sizes: dict[str, Any] = {}
    for name, text in (("rank", rank), ("sparsity", sparsity)):
        try:
            sizes[name] = text if text in (None, AUTO) else int(str(text))
        except ValueError:
            raise InvalidInput(f"{name}: expected a number or {AUTO}, got {text!r}") from None
    return sizes


def _told(sizes: Mapping[str, Any], name: str, solver: Any) -> dict[str, Any]:
    """A table says neither its rank nor its sparsity: the data do, but for solvers that must be told."""
    traits = traits_of(solver)
    for size, value in sizes.items():
        if value in (None, AUTO) and not isinstance(solver, AMHT) and (traits.low_rank or traits.sparse):
            symbol = "r" if size == "rank" else "k"
            raise InvalidInput(
                f"{size}: a table does not say its {size}, and {name} must be told; pass --{size} {symbol}"
            )
    return {size: AUTO if value is None else value for size, value in sizes.items()}


def _beside(training: MultiTaskData, data: MultiTaskData, held: np.ndarray, considered: Any) -> dict[str, Any] | None:
    """Held-out explained variance of what people use already, on the same rows."""
    if not held.any():
        return None
    names = [row["name"] for row in considered if row["name"].startswith("low rank") and "spike" not in row["name"]]
    rank = int(names[0].split()[2]) if names else min(1, data.d)
    models = {
        name: run_solver(Problem(training, min(1, data.d), 0), name).model for name in ("global", "ridge", "mixed")
    }
    models[f"low rank {rank}"] = solve_automatically(training, AMHT(), rank=rank, sparsity=0).model
    return {name: (errors_on(model, data, held) or {})["explained_variance"] for name, model in models.items()}


def _print_considered(document: Mapping[str, Any]) -> None:
    rows = document.get("considered") or []
    for row in rows:
        error = "" if row["error"] is None else f" ± {row['error']:.2%}"
        print_line(f"  {row['name']:<24} {row['explained']:8.2%}{error}   weight {row['weight']:.2f}")


def _spend(
    solver: PrivateAMHT, problem: Problem, path: Path | None, key: Path | None, total: float | None, what: Path
) -> Budget | None:
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
    solver.check_problem(problem)  # what cannot run is not paid for
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
