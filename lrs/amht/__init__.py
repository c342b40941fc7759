"""AMHT-LRS: alternating minimisation with hard thresholding, faithful to the paper and as a practical solver."""

from lrs.amht.adapt import fit_task
from lrs.amht.paper import PaperAMHT
from lrs.amht.practical import AMHT

__all__ = ["AMHT", "PaperAMHT", "fit_task"]
