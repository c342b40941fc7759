"""Recovery maps that are resumable, adaptive and distributable.

``load(folder)`` reads a sweep as a table of trials; `SweepSpec` describes one; `sweep` runs it. Names load on first
use, so that a worker process that only runs trials does not import a table library or a plotting one.
"""

from lrs.core.lazy import exports

__getattr__, __dir__, __all__ = exports(__name__, __file__)
