"""The informal AMHT-LRS theorem, exactly as the paper states it: two sample bounds, noiseless, exact recovery."""

from __future__ import annotations

from sympy import Integer

from theory.families.low_rank_sparse import assumptions as a
from theory.language.predicate import And, Predicate
from theory.language.symbols import Status, theta_error
from theory.language.theorem import Theorem

exact_recovery = Predicate(
    "exact recovery", theta_error, "<=", Integer(0), a.PAPER, Status.QUOTED, meaning="All parameters are recovered."
)

THEOREM = Theorem(
    name="amht-informal",
    title="AMHT-LRS, informal",
    statement=(
        "Without noise, m t = Ω(k d r⁴) samples in all and m = Ω(max(k, r³)) samples per task suffice to recover all "
        "parameters exactly, in time nearly linear in m t."
    ),
    assumptions=And(
        "assumptions of the informal theorem",
        (
            a.gaussian_design,
            a.independent_rows,
            a.orthonormal,
            a.column_sparse,
            a.noiseless,
            a.total_samples,
            a.task_samples,
        ),
    ),
    conclusions=(exact_recovery,),
    source=a.PAPER,
    status=Status.QUOTED,
    notes=(
        "The constants of both Ω(·), and the logarithms if any, are not stated: they are free until calibrated. "
        "'Exactly' means the limit of the iteration; a run is judged by its geometric rate and its rounding floor."
    ),
)
