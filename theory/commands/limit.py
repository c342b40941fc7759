"""The verb ``lrs limit``: the error that an optimal method reaches at these sizes, and where named solvers are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lrs.cli import print_json, stderr, stdout
from lrs.core.files import save_figure

if TYPE_CHECKING:
    from theory.reachable import Reachable


def register(app: typer.Typer) -> None:
    """Add the verb to the root."""
    app.command(rich_help_panel="Theory")(limit)


def limit(
    t: Annotated[int, typer.Option("-t", "--tasks", help="Number of tasks t.")],
    m: Annotated[int, typer.Option("-m", "--rows", help="Rows per task m.")],
    d: Annotated[int, typer.Option("-d", "--features", help="Number of features d.")],
    r: Annotated[int, typer.Option("-r", "--rank", help="Number of shared directions r.")],
    k: Annotated[int, typer.Option("-k", "--sparsity", help="Non-zeros k of every task's personal part b.")],
    noise: Annotated[float, typer.Option(help="Standard deviation σ of the noise.")] = 0.0,
    b_law: Annotated[
        Literal["uniform", "gaussian", "signs"] | None,
        typer.Option(help="Law of the non-zeros of b; default: uniform, gaussian with up to 12 tasks."),
    ] = None,
    solver: Annotated[
        list[str] | None,
        typer.Option("--solver", metavar="NAME", help="Solve instances of this size with it; repeatable."),
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="Instances for every --solver.")] = 3,
    iterations: Annotated[int, typer.Option(min=1, help="Iterations shown.")] = 15,
    seed: Annotated[int, typer.Option(min=0, help="Of the weights, and of the instances.")] = 0,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="Draw it (.png, .svg, .pdf).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout instead of text.")] = False,
) -> int:
    """Error per iteration of an optimal method, the Bayes error, and the limits that hold without noise."""
    from lrs.core.files import picture
    from lrs.families.low_rank_sparse.spec import InstanceSpec
    from lrs.solver import load_solver
    from theory.families.low_rank_sparse.state_evolution import MOST_TASKS
    from theory.reachable import measured, reachable

    if out is not None:
        picture(out)
    for name in solver or ():
        load_solver(name)
    law = b_law or ("gaussian" if t <= MOST_TASKS else "uniform")
    spec = InstanceSpec(t=t, m=m, d=d, r=r, k=k, noise=noise, b_law=law)
    found = reachable(spec, iterations, (seed, 0))
    rows = []
    for name in solver or ():
        with stderr().status(f"{name} …"):
            error, median, bayes = measured(spec, name, runs, seed)
        rows.append({"solver": name, "runs": runs, "error": error, "median": median, "bayes": bayes})
    if out is not None:
        _draw(found, rows, out)
    if as_json:
        print_json({"command": "limit", **spec.to_dict(), **found.to_dict(), "solvers": rows, "figure": out})
    else:
        _print(found, rows)
        if out is not None:
            stdout().print(f"Figure written to {out}.")
    return 0


def _print(found: Reachable, rows: list[dict[str, object]]) -> None:
    spec, ends = found.spec, found.ends

    def say(text: str) -> None:
        stdout().print(text, soft_wrap=True, markup=False, highlight=False)

    given = "given the weights of one instance" if found.law == "few tasks" else "the shared subspace known"
    say(f"Limits at t = {spec.t}, m = {spec.m}, d = {spec.d}, r = {spec.r}, k = {spec.k}, σ = {spec.noise:g}")
    say(f"State evolution of {found.law}, {given}, b {spec.b_law}; derived, of order 1/√d at this size")
    say("  iteration  E‖θ̂ − θ*‖² of a task")
    for n, (error, own) in enumerate(zip(found.errors, found.standard_error, strict=True)):
        say(f"  {n:9d}  {error:.4g}" + (f" ± {own:.1g}" if own > 0 else ""))
    say(f"  {'end':>9}  {ends.from_prior.mean():.4g}")
    say(f"Bayes error                    {found.bayes:.4g}")
    if ends.hard:
        say(
            "  Hard phase: messages end above the Bayes error, and no method of polynomial time is known that reaches it."
        )
    elif ends.from_prior.mean() > 1.01 * ends.from_truth.mean():
        say(
            f"  A second fixed point at {ends.from_truth.mean():.4g} is not the Bayes error: nothing leads there but the truth."
        )
    say(f"ℓ₁ with U known, without noise  finds b of a task with probability {found.ell_one:.3f} (exact at this size)")
    say(f"Counting limit                 {found.counting:.4g} rows per task")
    for row in rows:
        error, bayes = float(str(row["error"])), float(str(row["bayes"]))
        ratio = f"{error / bayes:.2f} × the Bayes error" if bayes > 0 else "the Bayes error is 0"
        say(f"{row['solver']!s:<30} {error:.4g} in {row['runs']} instances: {ratio} (median task {row['median']:.4g})")


def _draw(found: Reachable, rows: list[dict[str, object]], path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.semilogy(found.errors, "o-", ms=4, color="#0072B2", label="optimal messages (state evolution)")
    if found.bayes > 0:
        axes.axhline(found.bayes, color="#000000", lw=1, label="Bayes error")
    if found.ends.hard and found.bayes > 0:
        axes.axhspan(
            found.bayes, float(found.ends.from_prior.mean()), color="#999999", alpha=0.25, lw=0, label="hard phase"
        )
    for row, colour in zip(rows, ("#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9") * len(rows), strict=False):
        axes.axhline(float(str(row["error"])), color=colour, ls="--", lw=1, label=str(row["solver"]))
    spec = found.spec
    axes.set_xlabel("iteration")
    axes.set_ylabel(r"$E\,\|\hat\theta-\theta^*\|^2$ of a task")
    axes.set_title(
        f"t = {spec.t}, m = {spec.m}, d = {spec.d}, r = {spec.r}, k = {spec.k}, σ = {spec.noise:g}", loc="left"
    )
    axes.legend(frameon=False)
    axes.grid(alpha=0.25)
    save_figure(figure, path, dpi=150)
