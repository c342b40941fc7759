"""Matrix sensing: a matrix M* of rank r, mostly positive semidefinite, from ⟨A_i, M*⟩, or from all of its entries."""

from lrs.families.matrix_sensing.family import MatrixSensing
from lrs.families.matrix_sensing.gd_asymmetric import AsymmetricGD
from lrs.families.matrix_sensing.gd_modified import ModifiedGD
from lrs.families.matrix_sensing.gd_symmetric import SymmetricGD
from lrs.families.matrix_sensing.nuclear_norm import NuclearNorm
from lrs.families.matrix_sensing.precgd import PrecGD
from lrs.families.matrix_sensing.problem import Factor, SensingInstance, SensingProblem, SensingSpec
from lrs.families.matrix_sensing.scaled_gd import ScaledGD
from lrs.families.matrix_sensing.spectral import Spectral
from lrs.families.matrix_sensing.svp import SVP

FAMILY = MatrixSensing()

__all__ = [
    "FAMILY",
    "SVP",
    "AsymmetricGD",
    "Factor",
    "MatrixSensing",
    "ModifiedGD",
    "NuclearNorm",
    "PrecGD",
    "ScaledGD",
    "SensingInstance",
    "SensingProblem",
    "SensingSpec",
    "Spectral",
    "SymmetricGD",
]
