"""Sparse recovery: a vector b with k non-zeros from m Gaussian rows, y = X b + noise."""

from lrs.families.sparse.family import Sparse
from lrs.families.sparse.problem import SparseProblem, SparseSpec

FAMILY = Sparse()

__all__ = ["FAMILY", "Sparse", "SparseProblem", "SparseSpec"]
