"""The verb ``lrs rate``: the convergence certificate of a trace from anyone's code, or of a solver on an instance."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import typer

from lrs.cli import print_json, stdout
from lrs.commands.shared import Json
from lrs.core.errors import InvalidInput
from lrs.core.files import picture, readable, save_figure
from lrs.families.low_rank_sparse.problem import numeric_column

if TYPE_CHECKING:
    import pandas as pd

    from theory.statistics.rates import RateCertificate
    from theory.statistics.trace_law import TraceLaw

#: Columns that count steps; never taken for the error.
_COUNTERS = {
    "",
    "index",
    "iter",
    "iteration",
    "iterations",
    "step",
    "steps",
    "t",
    "time",
    "seconds",
    "epoch",
    "ell",
    "l",
}


def register(app: typer.Typer) -> None:
    """Add the verb to the root."""
    app.command(rich_help_panel="Theory")(rate)


def rate(
    trace: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Trace (.csv), one row per iteration, with or without a header; with --solver an instance (.npz).",
        ),
    ],
    column: Annotated[
        str | None,
        typer.Option(
            "--column",
            help="Column of the errors; default: the only one that does not count steps. Of an instance, which error; default: the first.",
        ),
    ] = None,
    solver: Annotated[
        str | None,
        typer.Option(
            "--solver", metavar="NAME|MODULE:ATTR", help="Run it on the instance and read the errors of its iterates."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the solver.")] = 0,
    claimed: Annotated[
        float | None, typer.Option("--rate", metavar="RHO", help="Claimed rate ρ: error ≤ C ρ^t times the first.")
    ] = None,
    constant: Annotated[float, typer.Option("--constant", metavar="C", help="Constant C ≥ 1 of the claim.")] = 1.0,
    start: Annotated[int, typer.Option(min=0, help="Iterations to leave out at the beginning.")] = 0,
    condition: Annotated[float, typer.Option(help="Condition number, for the rounding floor.")] = 1.0,
    scale: Annotated[
        float | None,
        typer.Option(help="Size of what the error is measured on; default: 1, or the first error if larger."),
    ] = None,
    noise: Annotated[float, typer.Option(help="Error level that noise explains.")] = 0.0,
    dtype: Annotated[Literal["float64", "float32"], typer.Option(help="Precision the run was made in.")] = "float64",
    min_decades: Annotated[float, typer.Option(help="Dynamic range below which nothing is certified.")] = 6.0,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="Draw the trace and its certificate.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Certify that a trace of errors converges geometrically, or say how it fails to; name the law that it follows.

    Exits with 0 when the trace is certified (also when it ends early or is faster) and a claim is kept, 1 when not.
    """
    from theory.statistics.rates import RateVerdict, certify
    from theory.statistics.trace_law import law_of

    if out is not None:
        picture(out)
    name, errors = read_trace(trace, column) if solver is None else run_trace(trace, solver, column, seed)
    certificate = certify(
        errors,
        rate=claimed,
        constant=constant,
        start=start,
        condition=condition,
        scale=scale,
        noise=noise,
        dtype=np.dtype(dtype),
        min_decades=min_decades,
    )
    law = law_of(errors, certificate)
    if out is not None:
        draw(errors, certificate, out, name)
    if as_json:
        print_json(
            {
                "command": "rate",
                "file": trace,
                "column": name,
                "points": len(errors),
                **certificate.to_dict(),
                "law": law.to_dict(),
                "figure": out,
            }
        )
    else:
        _print(trace, name, errors, certificate, law)
        if out is not None:
            stdout().print(f"Figure written to {out}.")
    good = certificate.verdict.linear or certificate.verdict is RateVerdict.SUPERLINEAR
    return 0 if good and certificate.holds is not False else 1


def read_trace(path: Path, column: str | None = None) -> tuple[str, np.ndarray]:
    """The error column of a CSV file, with its name.

    Raises
    ------
    InvalidInput
        When the file cannot be read or it is not clear which column holds the errors.
    """
    import pandas as pd

    readable(path)
    try:
        df = pd.read_csv(path, skipinitialspace=True)
        if _all_numbers(df):  # no header: the first row is data
            df = pd.read_csv(path, header=None, skipinitialspace=True)
            df.columns = [f"column {j + 1}" for j in range(df.shape[1])]
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError, OSError) as error:
        if path.suffix == ".npz":
            raise InvalidInput(f"solver: {path} is no trace; name a solver to run on it, or pass a .csv") from None
        raise InvalidInput(f"{path}: not a CSV file ({error})") from None
    names = [str(c).strip() for c in df.columns]
    df.columns = names
    if column is None:
        candidates = [n for n in names if n.lower() not in _COUNTERS and not n.startswith("Unnamed:")]
        if len(candidates) != 1:
            raise InvalidInput(f"column: which one holds the errors? pass --column; there are {', '.join(names)}")
        column = candidates[0]
    elif column not in names:
        raise InvalidInput(f"column: no column {column!r}; there are {', '.join(names)}")
    if df[column].dtype.kind in "iuf":
        return column, df[column].to_numpy(dtype=np.float64)  # NaN and infinity are the certificate's to judge
    return column, numeric_column(df, column, "column")


def run_trace(path: Path, solver: str, error: str | None = None, seed: int = 0) -> tuple[str, np.ndarray]:
    """An error of every iterate of a solver on the instance of a file, with the error's name.

    Raises
    ------
    InvalidInput
        When the family has no such error, or the solver shows fewer than three iterates.
    """
    from lrs import solve
    from lrs.core import archive
    from lrs.core.family import family_of
    from lrs.core.solver import check_family_of, load_solver
    from lrs.core.validate import choice

    instance = archive.read_instance(path)
    family = family_of(instance.problem)
    name = next(iter(family.errors_of)) if error is None else choice("column", error, tuple(family.errors_of))
    loaded, found = load_solver(solver), []
    check_family_of(loaded, family.name, solver)
    solve(instance.problem, loaded, seed, callback=lambda it: found.append(family.errors(it.model, instance)[name]))
    if len(found) < 3:
        raise InvalidInput(
            f"solver: {solver!r} shows {len(found)} iterates of {path}, and a rate is read from three or more"
        )
    return name, np.array(found)


def _all_numbers(df: pd.DataFrame) -> bool:
    """Whether the header consists of numbers; pandas marks a repeated one with a suffix (0.5 → 0.5.1)."""
    return all(re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?(\.\d+)?", str(c).strip()) for c in df.columns)


def _excluded(order: float) -> str:
    if order == float("inf"):
        return "every power law is excluded"
    return f"power laws of order below {order:.2g} are excluded"


def _odds(evidence: float) -> str:
    return "" if np.isnan(evidence) else f"; 10^{evidence:.3g} to 1 for the geometric trace"


def _between(interval: tuple[float, float], digits: int = 3) -> str:
    return f"[{interval[0]:.{digits}g}, {interval[1]:.{digits}g}]"


def _print(path: Path, name: str, errors: np.ndarray, c: RateCertificate, law: TraceLaw) -> None:
    console = stdout()

    def say(text: str) -> None:
        console.print(text, soft_wrap=True, markup=False)

    say(f"{path}, {name}: {len(errors)} points")
    say(f"{c.verdict.name}: {c.sentence}")
    lines = [
        ("law", law.sentence),
        ("rate per step", f"{c.rate:.6g}, 99 % interval {_between(c.rate_interval, 6)}"),
        ("hidden constant", f"{c.constant:.4g}, at most {c.constant_bound:.4g} for every rate of the interval"),
        ("dynamic range", f"{c.decades:.3g} decades; fitted to iterations {c.start} to {c.stop}"),
        ("straightness", f"{c.straightness:.3f} in {_between(c.straightness_interval)}; 1 is geometric"),
        (
            "exponent",
            f"p = {c.exponent:.3f} in {_between(c.exponent_interval)} of exp(-c t^p); {_excluded(c.excluded_order)}",
        ),
        ("best rival", "none fitted" if c.rival is None else c.rival + _odds(c.evidence)),
        ("floor", "not reached" if c.floor is None else f"{c.floor:.3g}, {c.floor_reason or 'not explained'}"),
    ]
    if c.claimed_rate is not None:
        kept = "kept" if c.holds else "broken"
        lines.append(
            ("claim", f"{c.claimed_rate:g} with C = {c.claimed_constant:g} is {kept}: it takes {c.envelope:.6g}")
        )
    for label, text in lines:
        say(f"  {label:<22}{text}")


def draw(errors: np.ndarray, certificate: RateCertificate, path: Path, name: str = "error") -> None:
    """Draw a trace on a logarithmic axis with its right majorant, fitted rate, claim and floor.

    Raises
    ------
    InvalidInput
        When the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from theory.statistics.rates import right_majorant

    c = certificate
    t = np.arange(len(errors))
    positive = errors[errors > 0]
    lowest = min(positive.min(initial=np.inf), c.explained_level)
    figure = Figure(figsize=(7.5, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.semilogy(t, np.where(errors > 0, errors, np.nan), ".", ms=4, color="#0072B2", label=name)
    majorant = right_majorant(errors)
    axes.semilogy(t, np.where(majorant > 0, majorant, np.nan), "-", lw=1, color="#56B4E9", label="right majorant $M_t$")
    active = t[c.start : c.stop + 1]
    if len(active) > 1 and c.rate > 0:
        fit = np.exp(np.log(np.maximum(errors[active], 1e-300)).mean()) * c.rate ** (active - active.mean())
        axes.semilogy(active, fit, "--", color="#D55E00", label=f"rate {c.rate:.4g}, $C$ = {c.constant:.3g}")
        if c.claimed_rate is not None and c.claimed_constant is not None:
            claim = c.claimed_constant * majorant[c.start] * c.claimed_rate ** (t[c.start :] - c.start)
            shown = claim >= lowest
            axes.semilogy(
                t[c.start :][shown],
                claim[shown],
                "-.",
                color="#009E73",
                label=f"claim {c.claimed_rate:g}, $C$ = {c.claimed_constant:g} ({'kept' if c.holds else 'broken'})",
            )
    axes.axhspan(
        lowest / 3, c.explained_level, color="#999999", alpha=0.2, lw=0, label="explained by rounding or noise"
    )
    axes.set_ylim(bottom=lowest / 3)
    axes.set_xlabel("$t$   (iteration)")
    axes.set_ylabel("$e_t$   (error)")
    axes.set_title(
        f"{c.verdict.name.replace('_', ' ')}: {c.decades:.3g} decades, straightness {c.straightness:.2f}", loc="left"
    )
    axes.legend(frameon=False)
    axes.grid(alpha=0.25)
    save_figure(figure, path, dpi=150)
