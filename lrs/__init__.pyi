from lrs import kernels as kernels
from lrs.amht import AMHT as AMHT
from lrs.core.errors import InvalidInput as InvalidInput
from lrs.estimator import LRSRegressor as LRSRegressor
from lrs.families.low_rank_sparse import metrics as metrics
from lrs.families.low_rank_sparse.generate import InstanceSpec as InstanceSpec
from lrs.families.low_rank_sparse.generate import generate as generate
from lrs.families.low_rank_sparse.model import LRSModel as LRSModel
from lrs.families.low_rank_sparse.model import TaskParameters as TaskParameters
from lrs.families.low_rank_sparse.problem import Instance as Instance
from lrs.families.low_rank_sparse.problem import MultiTaskData as MultiTaskData
from lrs.families.low_rank_sparse.problem import Problem as Problem
from lrs.private import PrivateAMHT as PrivateAMHT
from lrs.solver import Iterate as Iterate
from lrs.solver import Solution as Solution
from lrs.solver import Solver as Solver
from lrs.solver import Status as Status
from lrs.solver import Traits as Traits
from lrs.solver import available_solvers as available_solvers
from lrs.solver import load_solver as load_solver
from lrs.solver import solve as solve

__version__: str
