"""Sketched least squares: min ‖S(Ax − b)‖ instead of min ‖Ax − b‖, where the solver is the sketch S."""

from lrs.families.sketch.family import Sketched
from lrs.families.sketch.problem import SketchProblem, SketchSpec

FAMILY = Sketched()

__all__ = ["FAMILY", "SketchProblem", "SketchSpec", "Sketched"]
