"""Solvers: the protocol they follow, what they return, how one is found by name (`lrs.core.solver`), and run."""

from __future__ import annotations

import numpy as np

from lrs.core.solver import (
    SOLVERS,
    Callback,
    Iterate,
    Solution,
    Solver,
    Status,
    Traits,
    available_solvers,
    check_family_of,
    load_solver,
    of_family,
    solve,
    traits_of,
)
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import Problem

__all__ = [
    "SOLVERS",
    "Callback",
    "Iterate",
    "Solution",
    "Solver",
    "Status",
    "Traits",
    "available_solvers",
    "check_family_of",
    "load_solver",
    "of_family",
    "relative_residual",
    "solve",
    "traits_of",
]


def relative_residual(problem: Problem, model: LRSModel) -> float:
    """‖y − ŷ‖₂ / ‖y‖₂ over all tasks (‖y − ŷ‖₂ when y = 0)."""
    data = problem.data
    scale = float(np.linalg.norm(data.y))
    return float(np.linalg.norm(data.y - model.predict(data.X, data.groups))) / (scale or 1.0)
