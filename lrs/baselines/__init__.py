"""Competitors under the same protocol as `lrs.AMHT`, one file each."""

from lrs.baselines.altmin import AltMin
from lrs.baselines.altmin_gd import AltMinGD
from lrs.baselines.altproj import AltProj
from lrs.baselines.amp import AMP
from lrs.baselines.convex import Convex
from lrs.baselines.ell_one import EllOne
from lrs.baselines.global_model import GlobalModel
from lrs.baselines.global_sparse import GlobalSparse
from lrs.baselines.mixed_model import MixedModel
from lrs.baselines.moments import MethodOfMoments
from lrs.baselines.naht import NAHT
from lrs.baselines.task_iht import TaskIHT
from lrs.baselines.task_ridge import TaskRidge

__all__ = [
    "AMP",
    "NAHT",
    "AltMin",
    "AltMinGD",
    "AltProj",
    "Convex",
    "EllOne",
    "GlobalModel",
    "GlobalSparse",
    "MethodOfMoments",
    "MixedModel",
    "TaskIHT",
    "TaskRidge",
]
