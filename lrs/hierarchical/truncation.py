"""Smaller models out of a larger one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lrs.families.low_rank_sparse.model import LRSModel


def leading(model: LRSModel, rank: int) -> LRSModel:
    """The model's ``rank`` directions that carry most of U Wᵀ, most first."""
    rotation = np.linalg.eigh(model.W.T @ model.W)[1][:, ::-1][:, :rank]
    return replace(model, U=model.U @ rotation, W=model.W @ rotation)
