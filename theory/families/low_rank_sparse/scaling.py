"""What a fitted law of rows is compared with: the informal theorem's exponents and the limits."""

from theory.families.low_rank_sparse.limits import counting_limit, stable_rows
from theory.language.reference import Reference

#: Exponents of the informal theorem, written per task: m = Ω(k d r⁴ / t) and m = Ω(max(k, r³)).
SCALING = Reference(
    ("r", "k", "d", "t"),
    {
        "total: k d r⁴/t": {"r": 4.0, "k": 1.0, "d": 1.0, "t": -1.0},
        "per task: r³": {"r": 3.0, "k": 0.0, "d": 0.0, "t": 0.0},
        "per task: k": {"r": 0.0, "k": 1.0, "d": 0.0, "t": 0.0},
    },
    {"counting limit r + k + r(d − r)/t": counting_limit, "stable scale n₀/t": stable_rows},
)
