"""Low-rank + sparse multi-task regression, y = ⟨x, U w⁽ⁱ⁾ + b⁽ⁱ⁾⟩ + noise."""

from lrs.families.low_rank_sparse.family import NOT_ORTHONORMAL, TOO_DENSE, LowRankSparse

FAMILY = LowRankSparse()

__all__ = ["FAMILY", "NOT_ORTHONORMAL", "TOO_DENSE", "LowRankSparse"]
