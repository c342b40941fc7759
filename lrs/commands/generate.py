"""`lrs generate`: draw an instance with a known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lrs import generate as draw_instance
from lrs.cli import print_json
from lrs.commands.shared import Force, Json, instance_document, output_file, print_line, shape
from lrs.spec import CovariateLaw, InstanceSpec, SparseLaw


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
    output = output_file(output, ".npz", force)
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
        print_json({"command": "generate", "output": output, **instance_document(instance)})
    else:
        print_line(f"wrote {output}: {shape(instance.problem.data)}; rank {r}, sparsity {k}, noise {noise:g}")
