"""Assumptions, bounds, limits and verdicts of the AMHT-LRS theorem that can be computed, bounded and argued about.

Names are imported from their modules on first use: sympy and its friends take half a second that a reader of one
number should not pay.
"""

from lrs.core.lazy import exports

__getattr__, __dir__, __all__ = exports(__name__, __file__)
