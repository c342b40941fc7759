"""The noisy version: geometric decay to a floor that noise sets."""

from __future__ import annotations

from sympy import sqrt

from theory.families.low_rank_sparse import assumptions as a
from theory.families.low_rank_sparse.theorems import amht_formal
from theory.language.predicate import And, Predicate
from theory.language.symbols import (
    Constant,
    Status,
    constant_symbol,
    d,
    error,
    error_next,
    floor,
    k,
    m,
    r,
    rho,
    sigma,
    t,
)
from theory.language.theorem import Theorem

C_floor = constant_symbol("C_floor", r"C_{\phi}", "constant of the noise floor")

decay_to_floor = Predicate(
    "geometric decay to a floor",
    error_next,
    "<=",
    rho * error + floor,
    a.REMEMBERED,
    Status.ASSUMED,
    meaning="Every outer step shrinks the error by ρ and adds what noise leaves.",
)
noise_floor = Predicate(
    "noise floor",
    floor,
    "<=",
    C_floor * sigma * (sqrt(d * r**2 / (m * t)) + sqrt(k / m)),
    a.REMEMBERED,
    Status.ASSUMED,
    (Constant("C_floor", "smaller-is-stronger"),),
    "The shared part of the floor falls with m t, the personal part with m only.",
)

THEOREM = Theorem(
    name="amht-noisy",
    title="AMHT-LRS with noise (reconstruction)",
    statement=(
        "As the reconstructed theorem, with noise N(0, σ²): the errors decay geometrically to a floor of the shape "
        "σ√(dr²/(mt)) + σ√(k/m)."
    ),
    assumptions=And(
        "assumptions of the noisy theorem",
        (*(p for p in amht_formal.THEOREM.assumptions.parts if p is not a.noiseless), a.noise_as_stated),
    ),
    conclusions=(decay_to_floor, noise_floor, amht_formal.contraction),
    source=amht_formal.RECONSTRUCTION,
    status=Status.RECONSTRUCTED,
    notes="The shape of the floor is remembered; its constant is free. A bound on σ against λ_r is not known and left out.",
    region="practical",
)
