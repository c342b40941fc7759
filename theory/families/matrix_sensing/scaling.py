"""What a fitted law of measurements is compared with: the order r n of the true rank, and the limits."""

from theory.families.matrix_sensing.limits import convex_line, counting_line
from theory.language.reference import Reference

SCALING = Reference(
    ("r", "n"),
    {"order of the true rank: r n": {"r": 1.0, "n": 1.0}},
    {"counting limit": counting_line, "statistical dimension δ": convex_line},
)
