"""Low-rank + sparse multi-task regression: the problem, the model, AMHT-LRS and its competitors."""

from typing import TYPE_CHECKING

from lrs import kernels
from lrs.amht import AMHT
from lrs.core.errors import InvalidInput
from lrs.families.low_rank_sparse import metrics
from lrs.families.low_rank_sparse.generate import InstanceSpec, generate
from lrs.families.low_rank_sparse.model import LRSModel, TaskParameters
from lrs.families.low_rank_sparse.problem import Instance, MultiTaskData, Problem
from lrs.private import PrivateAMHT
from lrs.solver import Iterate, Solution, Solver, Status, Traits, available_solvers, load_solver, solve

if TYPE_CHECKING:
    from lrs.estimator import LRSRegressor
else:

    def __getattr__(name: str) -> object:
        # scikit-learn takes half a second to import, and only the regressor needs it.
        if name == "LRSRegressor":
            from lrs.estimator import LRSRegressor

            return LRSRegressor
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__version__ = "0.1.0"

__all__ = [
    "AMHT",
    "Instance",
    "InstanceSpec",
    "InvalidInput",
    "Iterate",
    "LRSModel",
    "LRSRegressor",
    "MultiTaskData",
    "PrivateAMHT",
    "Problem",
    "Solution",
    "Solver",
    "Status",
    "TaskParameters",
    "Traits",
    "available_solvers",
    "generate",
    "kernels",
    "load_solver",
    "metrics",
    "solve",
]
