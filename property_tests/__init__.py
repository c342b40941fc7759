"""Property suites that confirm or refute the theorem on any solver, with both error rates controlled.

``check_solver(solver)`` examines a solver; `Claim` and `register` add a claim. Names load on first use, as the processes that
solvers run in need none of them; they are listed in ``__init__.pyi``.
"""


def __getattr__(name: str) -> object:
    # Imported here: pytest loads the plugin of this package in every run, also where nobody asks for a solver.
    from lrs.core.lazy import exports

    get, _, names = exports(__name__, __file__)
    return names if name == "__all__" else get(name)
