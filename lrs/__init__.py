"""Low-rank + sparse multi-task regression: the problem, the model, AMHT-LRS and its competitors.

Names are imported from their modules on first use: SciPy and scikit-learn take longer to load than ``lrs --help`` may.
"""

from lrs.core.lazy import exports

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = exports(__name__, __file__)
