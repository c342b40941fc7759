"""The verbs of this floor: check, theorems and plan; rate and calibrate have modules of their own.

sympy, matplotlib and rich's tables are imported inside the verbs, so that ``lrs --help`` stays quick.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lrs import datasets
from lrs.cli import print_json, report, stderr, stdout
from lrs.commands.family import FamilyName, Verb, add_verb, option, options, signed
from lrs.commands.progress import shown
from lrs.commands.shared import SIZES, Json, problem_sentence
from lrs.core import archive
from lrs.core.errors import InvalidInput
from lrs.core.family import LOW_RANK_SPARSE, Family, load_family
from lrs.core.spelling import hint
from lrs.core.validate import probability, real
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import Instance, Problem
from lrs.solver import of_family

if TYPE_CHECKING:
    from rich.table import Table

    from theory.language.measured import Measured
    from theory.language.verdict import Check
    from theory.theorems import Report, Unevaluated

PlannedSolver = Annotated[str | None, typer.Option("--solver", metavar="NAME", help="Solver that is measured.")]
Replicates = Annotated[int, typer.Option(min=0, metavar="N", help="Instances on which the solver is run; 0: none.")]

#: Heading of the options of a private plan in the help.
PRIVATE = "Private run"

_COLOURS = {"HOLDS": "green", "FAILS": "bold red", "UNDECIDED": "yellow", "NOT_EVALUATED": "dim"}


def register(app: typer.Typer) -> None:
    """Add the verbs to the root."""
    meant_by = {"--theorem": _family_of_theorem}
    add_verb(app, "check", check, "Theory", meant_by)
    app.command(rich_help_panel="Theory")(theorems)
    add_verb(app, "plan", plan, "Theory")


def _family_of_theorem(name: str) -> str:
    from theory.theorems import load_theorem

    return load_theorem(name).family


# ---------------------------------------------------------------------------------------------- check
def check(family: Family) -> Verb:
    """The verb for one family: tables, models and identifiability are of low rank + sparse."""
    return _check_model if family.name == LOW_RANK_SPARSE else _check_instance_of(family)


def _check_instance_of(chosen: Family) -> Verb:
    def check(
        file: Annotated[Path, typer.Argument(metavar="FILE", help="Instance (.npz) to check.")],
        theorem: Annotated[
            str | None, typer.Option("--theorem", metavar="NAME", help="Whose assumptions to check; see lrs theorems.")
        ] = None,
        as_json: Json = False,
        family: FamilyName = None,
    ) -> None:
        """Say which assumptions hold, by what margin, which one binds, and what the data cannot tell."""
        from theory.families.low_rank_sparse import limits
        from theory.language.measured import Measured
        from theory.theorems import theorem_of

        known = theorem_of(chosen, theorem)
        instance = archive.read_instance(file, chosen)
        values = dict(chosen.quantities(instance))
        measured = Measured(values, dict.fromkeys(values, "truth"))
        report = known.report(measured)
        needs = {name: float(limits.at(limit, values)) for name, limit in limits.of_family(chosen).items()}
        if as_json:
            document = {"command": "check", "file": file, "family": chosen.name, "measured": values}
            print_json({**document, "report": report.to_dict(), "needed": needs})
            return
        console = stdout()
        console.print(f"{file}: {problem_sentence(instance.problem)}")
        console.print(_table(f"{known.title} ({known.status.value})", report, measured))
        console.print(_verdict_lines(report))
        for name, amount in needs.items():
            console.print(f"Needed by the {name}: {amount:g}.")

    return check


def _check_model(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Instance (.npz) or table (.csv, .csv.gz, .parquet) to check.")
    ],
    model: Annotated[
        Path | None, typer.Option("--model", metavar="MODEL", help="Fitted model (.npz): adds its identifiability.")
    ] = None,
    theorem: Annotated[
        str, typer.Option("--theorem", metavar="NAME", help="Whose assumptions to check; see lrs theorems.")
    ] = "amht-informal",
    task: Annotated[str | None, typer.Option("--task", metavar="COLUMN", help="Task column of a table.")] = None,
    target: Annotated[str | None, typer.Option("--target", metavar="COLUMN", help="Target column of a table.")] = None,
    rank: Annotated[
        int | None, typer.Option(*SIZES["r"], help="Rank r; default: the instance's or the model's.")
    ] = None,
    sparsity: Annotated[
        int | None, typer.Option(*SIZES["k"], help="Non-zeros k per task; default: the instance's or the model's.")
    ] = None,
    failure: Annotated[float, typer.Option(help="Failure probability δ in logarithms.")] = 0.05,
    exact: Annotated[
        bool, typer.Option("--exact", help="With --model: prove uniqueness near it with error bounds (small problems).")
    ] = False,
    as_json: Json = False,
    family: FamilyName = None,
) -> None:
    """Say which assumptions hold, by what margin, which one binds, and what the data cannot tell."""
    from theory.families.low_rank_sparse import assumptions
    from theory.families.low_rank_sparse.measurement import measure
    from theory.language.predicate import And
    from theory.theorems import Theorem, theorem_of

    chosen = theorem_of(load_family(), theorem)
    fitted = None if model is None else LRSModel.load(model)
    subject, fitted = _subject(file, fitted, task, target, rank, sparsity)
    problem = subject.problem if isinstance(subject, Instance) else subject
    is_instance = isinstance(subject, Instance)
    measured = measure(subject, model=fitted, failure=failure, noise_known=is_instance)
    report = _calibrated(chosen).report(measured)
    necessary = Theorem(
        "necessary",
        "Necessary conditions",
        "Without them no method recovers all parameters.",
        And("necessary conditions", assumptions.NECESSARY),
        (),
        "derived",
        assumptions.counting.status,
    ).report(measured)
    certificate = proof = None
    if exact and fitted is None:
        raise InvalidInput("exact: proves something of an answer; pass it with --model")
    if fitted is not None:
        from theory.families.low_rank_sparse.identifiability import local_identifiability, prove_identifiability

        certificate = local_identifiability(problem, fitted)
        proof = prove_identifiability(problem, fitted) if exact else None
    yardsticks = _yardsticks(problem)
    laws = _laws_say(measured)
    missing = {name: why for name, why in measured.unknown.items() if name in _wanted(report, necessary)}
    if as_json:
        print_json(
            {
                "command": "check",
                "file": file,
                "model": model,
                "kind": "instance" if is_instance else "data",
                "measured": {name: {"value": measured[name], "origin": measured.origin[name]} for name in measured},
                "unknown": missing,
                "report": report.to_dict(),
                "necessary": necessary.to_dict(),
                "rows_needed": yardsticks,
                "laws": laws,
                "identifiability": None if certificate is None else certificate.to_dict(),
                "proof": None if proof is None else proof.to_dict(),
            }
        )
        return
    console = stdout()
    console.print(f"{file}: {_describe(subject, measured)}")
    console.print(_table(f"{report.theorem.title} ({report.theorem.status.value})", report, measured))
    console.print(_verdict_lines(report))
    console.print(_table(necessary.theorem.title, necessary, measured))
    console.print(_verdict_lines(necessary))
    rows = ", ".join(f"{name} {amount:g}" for name, amount in yardsticks.items())
    console.print(f"Rows per task needed with t = {problem.t} tasks: {rows}; here m = {measured['m']}.")
    for found in laws:
        word = "Calibrated law" if found["certified"] else "Law"
        asks = f"{word} of {found['solver']}: m ≥ {found['rows']}; here m = {measured['m']}: {found['says']}"
        console.print(f"{asks} ({found['why'].removeprefix('NOT CERTIFIED: ')}).", soft_wrap=True)
    if certificate is not None:
        console.print(f"Identifiability: {certificate.sentence}", soft_wrap=True)
    if proof is not None:
        console.print(proof.sentence, soft_wrap=True)
    for why in dict.fromkeys(missing.values()):
        names = ", ".join(name for name, reason in missing.items() if reason == why)
        console.print(f"Cannot be known here: {names} ({why}).", soft_wrap=True, style="yellow")
    if any(origin == "model" for origin in measured.origin.values()):
        console.print(
            "Values marked * are the fitted model's, in place of the truth: they describe the answer, and vouch for "
            "the truth only if the answer is right.",
            soft_wrap=True,
            style="yellow",
        )


def _subject(
    file: Path, model: LRSModel | None, task: str | None, target: str | None, rank: int | None, sparsity: int | None
) -> tuple[Instance | Problem, LRSModel | None]:
    """What to check: an instance with its truth, or data with the rank and sparsity asked for; and the aligned model."""
    if datasets.file_kind(file) == "instance":
        datasets.refuse_columns(file, task=task, target=target)
        instance = Instance.load(file)
        p = instance.problem
        problem = Problem(
            p.data,
            p.rank if rank is None else rank,
            p.sparsity if sparsity is None else sparsity,
            p.noise,
            p.warm_start,
        )
        return Instance(problem, instance.truth, instance.spec, instance.seed), model
    features = None
    if model is not None and model.feature_names:
        features = [name for name in model.feature_names if name != datasets.INTERCEPT]
    data = datasets.load_data(file, task=task, target=target, features=features)
    if model is not None:
        if datasets.INTERCEPT in model.feature_names and datasets.INTERCEPT not in data.feature_names:
            data = datasets.with_intercept(data)
        names = [str(name) for name in data.task_names]
        order = {str(name): i for i, name in enumerate(model.task_names)}
        absent = [name for name in names if name not in order]
        if absent or len(order) != len(names):
            raise InvalidInput(
                f"model: fitted to {len(order)} tasks, the table has {len(names)}"
                + (f", among them {absent[0]!r}, which the model does not know" if absent else "")
                + "; pass the model of these tasks"
            )
        rows = [order[name] for name in names]
        model = LRSModel(model.U, model.W[rows], model.B[rows], data.task_names, data.feature_names)
    if rank is None and model is not None:
        rank = model.rank
    if sparsity is None and model is not None:
        sparsity = int((model.B != 0).sum(axis=1).max(initial=0))
    if rank is None or sparsity is None:
        raise InvalidInput(
            f"{'rank' if rank is None else 'sparsity'}: a table does not say; pass --rank and --sparsity"
        )
    return Problem(data, rank, sparsity), model


def _calibrated(theorem: Any) -> Any:
    """The theorem with the reference solver's certified constants; one that is not certified stays free, and says why."""
    from theory.language.symbols import Constant
    from theory.plan import frozen_constants, uncertified

    frozen = frozen_constants().get("amht", {})
    free = {c.name: Constant(c.name, c.direction, source=c.source) for c in uncertified("amht")}
    known = {c.name for c in theorem.constants if c.value is None}
    return theorem.with_constants(*(c for name, c in {**free, **frozen}.items() if name in known))


def _laws_say(measured: Measured) -> list[dict[str, Any]]:
    """What every solver's law says of these sizes."""
    from theory.plan import frozen_laws

    sizes = {name: int(measured[name]) for name in ("d", "r", "k", "t")}
    out = []
    for name, law in frozen_laws().items():
        advice = law.advice(**sizes)
        assert advice is not None
        says = "NOT CERTIFIED" if not advice.certified else "HOLDS" if measured["m"] >= advice.rows else "FAILS"
        out.append(
            {"solver": name, "rows": advice.rows, "certified": advice.certified, "why": advice.why, "says": says}
        )
    return out


def _yardsticks(problem: Problem) -> dict[str, float]:
    from theory.families.low_rank_sparse import limits

    sizes = {"d": problem.d, "r": problem.rank, "k": problem.sparsity, "t": problem.t}
    return {name: float(rows(**sizes)) for name, rows in limits.ROWS.items()}


def _wanted(*reports: Report) -> set[str]:
    return {name for report in reports for row in report.unevaluated for name in row.needs}


def _describe(subject: Instance | Problem, measured: Measured) -> str:
    kind = "an instance with its truth" if isinstance(subject, Instance) else "data without truth"
    sizes = ", ".join(f"{name} = {measured[name]}" for name in ("t", "m", "d", "r", "k"))
    noise = f"{measured['sigma']:.4g}" if "sigma" in measured else "unknown"
    return f"{kind}; {sizes} (m is the smallest task's), σ = {noise}"


def _table(title: str, report: Report, measured: Measured) -> Table:
    from rich.table import Table
    from rich.text import Text

    from theory.language.verdict import Check

    table = Table(title=title, title_justify="left", expand=False)
    for column in ("assumption", "formula", "values", "margin", "verdict", "from"):
        table.add_column(column, justify="right" if column == "margin" else "left", overflow="fold")
    rows: dict[str, Check | Unevaluated] = {c.name: c for c in report.checks}
    rows |= {u.name: u for u in report.unevaluated}
    for part in report.theorem.assumptions.parts:
        row = rows[part.name]
        if isinstance(row, Check):
            plug_in = any(measured.origin.get(q) == "model" for q in part.quantities)
            values = f"{row.value:.4g} against {row.bound:.4g}{' *' if plug_in else ''}"
            verdict = Text(row.verdict.value, style=_COLOURS[row.verdict.value])
            margin = row.amount
        else:
            values, margin = row.holds_for and f"holds for {row.holds_for}", "–"
            verdict = Text("open" if row.holds_for else "unknown", style="yellow")
        table.add_row(part.name, part.words(), values or "–", margin, verdict, Text(part.status.label))
    return table


def _verdict_lines(report: Report) -> Any:
    from rich.text import Text

    verdict = report.verdict
    open_ = list(report.unevaluated)
    text = Text(f"{verdict.value}", style=_COLOURS[verdict.value])
    if verdict.value == "UNDECIDED" and open_:
        text.append(f": {len(open_)} of {len(open_) + len(report.checks)} could not be evaluated", style="default")
    if report.binding is not None:
        atoms = [f"{name} = {value:.4g}" for name, value in report.binding.sub_expressions]
        formula = next(
            (p.words() for p in report.theorem.assumptions.parts if p.name == report.binding.name),
            report.binding.formula,
        )
        text.append(f"\nbinding: {report.binding.name}: {formula}; " + ", ".join(atoms), style="default")
    for u in open_:
        tail = f" It holds exactly for {u.holds_for}." if u.holds_for else ""
        text.append(f"\nnot evaluated: {u.name}: {u.why}.{tail}", style="dim")
    return text


# ---------------------------------------------------------------------------------------------- theorems
def theorems(
    action: Annotated[
        str | None, typer.Argument(metavar="[show|prove]", help="Nothing to list them; show NAME; prove.")
    ] = None,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Name of the theorem to show.")] = None,
    latex: Annotated[bool, typer.Option("--latex", help="Show it as LaTeX.")] = False,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="With prove: draw the graph (.png, .svg).")
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", help="With prove: seconds per question.")] = 10.0,
    as_json: Json = False,
) -> int:
    """List the theorems, show one, or have z3 prove the relations between them."""
    if action is None:
        return _list_theorems(as_json)
    if action == "show":
        if name is None:
            raise InvalidInput("name: which theorem? lrs theorems lists them")
        return _show_theorem(name, latex, as_json)
    if action == "prove":
        return _prove(out, timeout, as_json)
    raise InvalidInput(f"action: expected show or prove, got {action!r}")


def _list_theorems(as_json: bool) -> int:
    from theory.theorems import available_theorems, load_theorem

    found = [load_theorem(name) for name in available_theorems()]
    if as_json:
        print_json({"command": "theorems", "theorems": [t.to_dict() for t in found]})
        return 0
    from rich.table import Table

    table = Table("name", "title", "status", "assumptions", "constants")
    for t in found:
        constants = ", ".join(c.name if c.value is None else f"{c.name} = {c.value:g}" for c in t.constants)
        table.add_row(t.name, t.title, t.status.value, str(len(t.assumptions.parts)), constants)
    stdout().print(table)
    return 0


def _show_theorem(name: str, latex: bool, as_json: bool) -> int:
    from theory.theorems import load_theorem

    theorem = load_theorem(name)
    if as_json:
        print_json({"command": "theorems", "theorem": theorem.to_dict(), "latex": theorem.latex()})
        return 0
    if latex:
        typer.echo(theorem.latex())
        return 0
    from rich.table import Table

    console = stdout()
    console.print(
        f"[bold]{theorem.title}[/bold] ({theorem.status.value})\n{theorem.statement}\nSource: {theorem.source}"
    )
    for title, parts in (("if", theorem.assumptions.parts), ("then", theorem.conclusions)):
        table = Table("name", "formula", "from", "meaning", title=title, title_justify="left")
        for part in parts:
            meaning = " ".join(p.meaning for p in part.predicates)
            table.add_row(part.name, part.words(), part.status.label, meaning)
        console.print(table)
    for c in theorem.constants:
        value = "free" if c.value is None else f"{c.value:g} ({c.status}: {c.source})"
        console.print(f"constant {c.name}: {value}")
    if theorem.notes:
        console.print(f"Note: {theorem.notes}")
    return 0


def _prove(out: Path | None, timeout: float, as_json: bool) -> int:
    from theory.prove.questions import TOPICS, catalogue
    from theory.prove.relation_graph import draw
    from theory.prove.relations import prove, satisfiability
    from theory.theorems import available_theorems, load_theorem

    real("timeout", timeout, above=0, infinite=True, what="a number of seconds")
    if out is not None and (out.suffix not in (".png", ".svg", ".pdf") or not out.parent.is_dir()):
        raise InvalidInput(f"out: {out} is not a .png, .svg or .pdf file in an existing folder")
    witnesses = [satisfiability(load_theorem(name), timeout=timeout) for name in available_theorems()]
    results = [prove(question, timeout=timeout) for question in catalogue()]
    if out is not None:
        draw(results, out)
    if as_json:
        print_json(
            {
                "command": "theorems prove",
                "satisfiable": [w.to_dict() for w in witnesses],
                "relations": [result.to_dict() for result in results],
            }
        )
    else:
        from rich.table import Table

        console = stdout()
        table = Table("theorem", "assumptions can be met", "smallest instance (constants 1)")
        for w in witnesses:
            sizes = ", ".join(f"{n} = {v}" for n, v in w.sizes.items())
            table.add_row(w.theorem, w.verdict.value, sizes + ("" if w.smallest else " (smaller ones undecided)"))
        console.print(table)
        for topic in TOPICS:
            console.print(f"[bold]{topic}[/bold]")
            for result in results:
                if result.relation.topic == topic:
                    console.print(str(result), soft_wrap=True, markup=False)
        if out is not None:
            console.print(f"Graph written to {out}.")
    surprises = [r for r in results if r.status is not r.relation.expected]
    for result in surprises:
        stderr().print(f"not as documented: {result.relation.name}: {result.status.value}", style="bold red")
    return 1 if surprises or any(w.verdict.value != "HOLDS" for w in witnesses) else 0


# ---------------------------------------------------------------------------------------------- plan
def plan(family: Family) -> Verb:
    """The verb for one family: its parameters but the nested one, which is planned."""
    return _plan_model if family.name == LOW_RANK_SPARSE else _plan_of(family)


def _plan_of(chosen: Family) -> Verb:
    def plan(solver: str | None, replicates: int, as_json: bool, family: str | None, **values: Any) -> None:
        from theory import plan as planning

        needs = list(planning.plan_nested(chosen, **values))
        named = solver or next(iter(of_family(chosen.name)), None)
        if replicates and named is not None:
            with shown("plan") as display:
                run: dict[str, Any] = {"solver": named, "replicates": replicates, "progress": display}
                needs.append(planning.measured_nested(chosen, **run, **values))
        unit = planning.nested_parameter(chosen)
        if as_json:
            document = {"command": "plan", "family": chosen.name, **values, "unit": unit}
            print_json({**document, "needs": [need.to_dict() for need in needs]})
            return
        from rich.table import Table

        table = Table("source", f"{unit} needed", "what it says", title=chosen.title, title_justify="left")
        for q in needs:
            table.add_row(q.source, f"{q.amount:.0f}" if q.amount < float("inf") else "∞", q.note)
        stdout().print(table)

    plan.__doc__ = f"Say how much the limits and the solver itself need: {chosen.title}."
    others = [p for p in chosen.parameters.values() if not p.nested]
    return signed(
        plan,
        *options(others),
        option("solver", PlannedSolver, None),
        option("replicates", Replicates, 3),
        option("as_json", Json, False),
        option("family", FamilyName, None),
    )


def _plan_model(
    d: Annotated[int | None, typer.Option(*SIZES["d"], help="Number of features d.")] = None,
    r: Annotated[int | None, typer.Option(*SIZES["r"], help="Rank r.")] = None,
    k: Annotated[int | None, typer.Option(*SIZES["k"], help="Non-zeros k of every task's personal part.")] = None,
    t: Annotated[int | None, typer.Option(*SIZES["t"], help="Number of tasks; then rows per task are planned.")] = None,
    m: Annotated[
        int | None, typer.Option(*SIZES["m"], help="Rows per task; then the number of tasks is planned.")
    ] = None,
    failure: Annotated[
        float | None, typer.Option(help="Failure probability that the number of trials is said for (0.05).")
    ] = None,
    epsilon: Annotated[
        float | None,
        typer.Option(help="Plan the users of a private run at this ε instead.", rich_help_panel=PRIVATE),
    ] = None,
    delta: Annotated[float | None, typer.Option(help="δ of that ε.", rich_help_panel=PRIVATE)] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(help="Subspace error that the privacy noise may cause (0.1).", rich_help_panel=PRIVATE),
    ] = None,
    rounds: Annotated[int | None, typer.Option(help="Rounds of the private run (20).", rich_help_panel=PRIVATE)] = None,
    clip: Annotated[
        str | None,
        typer.Option(
            metavar="x=…,y=…,xb=…,w=…",
            help="Clip levels; default: those for data of unit scale.",
            rich_help_panel=PRIVATE,
        ),
    ] = None,
    solver: Annotated[str, typer.Option("--solver", metavar="NAME", help="Solver that is measured.")] = "amht",
    replicates: Replicates = 3,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="Draw the plan (.png, .svg, .pdf).")
    ] = None,
    as_json: Json = False,
    family: FamilyName = None,
) -> None:
    """Say how many rows or tasks the limits, the theorem and the solver itself need."""
    from theory import plan as planning
    from theory.statistics.evidence import zero_failure_trials

    if epsilon is not None:
        _plan_users(d, r, k, t, m, epsilon, delta, tolerance, rounds, clip, out, as_json)
        return
    for name, value in (("tolerance", tolerance), ("rounds", rounds), ("clip", clip)):
        if value is not None:
            raise InvalidInput(f"{name}: belongs to a private plan; pass --epsilon too, or leave --{name} out")
    if d is None or r is None or k is None:
        missing = [name for name, value in (("d", d), ("r", r), ("k", k)) if value is None]
        raise InvalidInput(f"{', '.join(missing)}: not given; pass {', '.join(SIZES[name][-1] for name in missing)}")
    if delta is not None:
        report("note", hint("--delta", "--failure") + "; with --epsilon it is the δ of privacy", "yellow")
        failure = delta if failure is None else failure
    failure = 0.05 if failure is None else failure
    if t is not None and m is not None:
        raise InvalidInput("t, m: pass one of them; the other is what is planned")
    probability("failure", failure)
    measured = None
    unit = "tasks" if m is not None else "rows per task"
    columns: tuple[str, ...]
    if t is None and m is None:
        grid = planning.DEFAULT_TASKS
        found = planning.table(grid, d=d, r=r, k=k)
        without = {name: [None if a != a else a for a in amounts] for name, amounts in found.items()}  # NaN
        document: dict[str, Any] = {"tasks": list(grid), "rows": without}
        columns = ("rows per task needed by", *(f"t = {tasks}" for tasks in grid))
        rows = [
            (name, *("–" if amount is None else f"{amount:.0f}" for amount in amounts))
            for name, amounts in without.items()
        ]
    else:
        if t is not None:
            needs = list(planning.plan_rows(d=d, r=r, k=k, t=t))
        else:
            assert m is not None
            needs = list(planning.plan_tasks(d=d, r=r, k=k, m=m))
        if replicates:
            with shown("plan") as display:
                run: dict[str, Any] = {"solver": solver, "replicates": replicates, "progress": display}
                if t is not None:
                    measured = planning.measured_rows(d=d, r=r, k=k, t=t, **run)
                else:
                    assert m is not None
                    measured = planning.measured_tasks(d=d, r=r, k=k, m=m, **run)
            needs = [*planning.against_trials(needs, measured, solver), measured]
            if t is not None:
                needs.append(planning.planned_rows(measured, d=d, r=r, k=k, t=t, solver=solver))
        document = {"t": t, "m": m, "unit": unit, "needs": [need.to_dict() for need in needs]}
        columns = ("source", f"{unit} needed", "what it says")
        rows = [(q.source, f"{q.amount:.0f}" if q.amount < float("inf") else "∞", q.note) for q in needs]
    trials = zero_failure_trials(failure, 1e-3)
    if out is not None:
        planning.draw(out, d=d, r=r, k=k, t=t, m=m, measured=measured)
    if as_json:
        sizes = {"d": d, "r": r, "k": k, "delta": failure, "trials_for_delta": trials, "figure": out}
        print_json({"command": "plan", **sizes, **document})
        return
    from rich.table import Table

    table = Table(*columns, title=f"d = {d}, r = {r}, k = {k}", title_justify="left")
    for row in rows:
        table.add_row(*row)
    console = stdout()
    console.print(table)
    if not planning.frozen_constants():
        console.print(
            "The theorem's constants are hidden in its Ω(·); those that were calibrated are NOT CERTIFIED, so its line is "
            "for constants 1.",
            soft_wrap=True,
        )
    console.print(
        f"To show that a plan succeeds with probability above {1 - failure:g}, {trials} recoveries out of {trials} are "
        "needed (error 0.1 %).",
        soft_wrap=True,
    )
    if out is not None:
        console.print(f"Figure written to {out}.")


def _plan_users(
    d: int | None,
    r: int | None,
    k: int | None,
    t: int | None,
    m: int | None,
    epsilon: float,
    delta: float | None,
    tolerance: float | None,
    rounds: int | None,
    clip: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Users that a private run needs, release by release."""
    from lrs.private import Clip
    from theory import private_plan as planning

    for name, value in (("t", t), ("m", m)):
        if value is not None:
            raise InvalidInput(
                f"{name}: a private plan says how many users are needed, whatever their rows; leave --{name} out"
            )
    if delta is None:
        raise InvalidInput(
            "delta: an epsilon needs its delta; pass a probability well below one over the number of users"
        )
    given = {"d": d, "r": r, "k": k}
    if all(value is None for value in given.values()):
        sizes = planning.REFERENCE
    else:
        missing = [name for name, value in given.items() if value is None]
        if missing:
            raise InvalidInput(
                f"{', '.join(missing)}: not given; pass all of --features, --rank and --sparsity, or none of them"
            )
        sizes = {name: value for name, value in given.items() if value is not None}
    wanted = planning.PrivatePlan(
        **sizes,
        epsilon=epsilon,
        delta=delta,
        tolerance=planning.PrivatePlan.tolerance if tolerance is None else tolerance,
        rounds=planning.PrivatePlan.rounds if rounds is None else rounds,
        clip=None if clip is None else Clip.parse(clip),
    )
    needs = planning.plan_users(wanted)
    if out is not None:
        planning.draw(out, wanted)
    if as_json:
        print_json(
            {
                "command": "plan",
                **sizes,
                "privacy": {"epsilon": epsilon, "delta": delta, "rho": wanted.rho, "neighbours": "add-remove"},
                "tolerance": wanted.tolerance,
                "rounds": wanted.rounds,
                "release": "gradient" if wanted.clip is None else "statistics",
                "clip": wanted.clip and wanted.clip.to_dict(),
                "unit": "users",
                "needs": [need.to_dict() for need in needs],
                "users": int(needs[-1].amount),
                "figure": out,
            }
        )
        return
    from rich.table import Table

    title = f"d = {wanted.d}, r = {wanted.r}, k = {wanted.k}, ε = {epsilon:g}, δ = {delta:g} (ρ = {wanted.rho:.4g})"
    table = Table("bound", "users needed", "what it says", title=title, title_justify="left")
    for need in needs:
        table.add_row(need.source, f"{need.amount:,.0f}", need.note)
    console = stdout()
    console.print(table)
    levels = ", ".join(f"{name} = {value:.3g}" for name, value in wanted.clip.to_dict().items()) if wanted.clip else ""
    released = f"A and V released at clip levels {levels}" if wanted.clip else "gradients released"
    console.print(
        f"Tolerance τ = {wanted.tolerance:g}, {wanted.rounds} rounds, {released}; rows of unit covariance, weights "
        f"of unit scale (λ_r = r).{'' if sizes == given else ' No sizes were given: these are the reference sizes.'}",
        soft_wrap=True,
    )
    if out is not None:
        console.print(f"Figure written to {out}.")
