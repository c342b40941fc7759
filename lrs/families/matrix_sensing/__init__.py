"""Symmetric matrix sensing: a positive semidefinite M* of rank r from ⟨A_i, M*⟩, or from all of its entries."""

from lrs.families.matrix_sensing.family import MatrixSensing
from lrs.families.matrix_sensing.gd_symmetric import SymmetricGD
from lrs.families.matrix_sensing.problem import Factor, SensingInstance, SensingProblem, SensingSpec

FAMILY = MatrixSensing()

__all__ = ["FAMILY", "Factor", "MatrixSensing", "SensingInstance", "SensingProblem", "SensingSpec", "SymmetricGD"]
