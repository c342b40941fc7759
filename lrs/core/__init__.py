"""What every floor stands on: errors, checks of arguments, identity, the registry of plug-ins, the machine.

Names are imported from their modules on first use: ``lrs --help`` needs none of NumPy.
"""

from lrs.core.lazy import exports

__getattr__, __dir__, __all__ = exports(__name__, __file__)
