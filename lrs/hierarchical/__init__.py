"""One hierarchical model for tables: rank, sparsity and noise found, what is fitted shrunk, the rest averaged."""

from lrs.hierarchical.automatic import AUTO, solve_automatically
from lrs.hierarchical.choice import Automatic, Considered

__all__ = ["AUTO", "Automatic", "Considered", "solve_automatically"]
