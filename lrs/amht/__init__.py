"""AMHT-LRS: alternating minimisation with hard thresholding, faithful to the paper and as a practical solver, in parts."""

from lrs.amht.adapt import fit_task
from lrs.amht.driver import State
from lrs.amht.matching import Matching
from lrs.amht.paper import PaperAMHT
from lrs.amht.parts import PlainFit, Polish, Restarts, SparseStep, SubspaceStep, WeightStep
from lrs.amht.polish import EqualWeights
from lrs.amht.practical import AMHT
from lrs.amht.restarts import RandomSupports
from lrs.amht.schedule import GeometricSchedule, OracleSchedule, Schedule
from lrs.amht.shrinkage import with_weights
from lrs.amht.subspace_step import GaussNewton, LeastSquaresSubspace, orthonormalise
from lrs.amht.thresholding import HardThresholding
from lrs.amht.truncation import truncate
from lrs.amht.weight_step import LeastSquaresWeights

__all__ = [
    "AMHT",
    "EqualWeights",
    "GaussNewton",
    "GeometricSchedule",
    "HardThresholding",
    "LeastSquaresSubspace",
    "LeastSquaresWeights",
    "Matching",
    "OracleSchedule",
    "PaperAMHT",
    "PlainFit",
    "Polish",
    "RandomSupports",
    "Restarts",
    "Schedule",
    "SparseStep",
    "State",
    "SubspaceStep",
    "WeightStep",
    "fit_task",
    "orthonormalise",
    "truncate",
    "with_weights",
]
