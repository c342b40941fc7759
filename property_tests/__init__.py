"""Property suites that confirm or refute the theorem on any solver, with both error rates controlled.

``check_solver(solver)`` examines a solver; `Claim` and `register` add a claim. Names load on first use, as the processes that
solvers run in need none of them; they are listed in ``__init__.pyi``.
"""

from lrs.core.lazy import exports

__getattr__, __dir__, __all__ = exports(__name__, __file__)
