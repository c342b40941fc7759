"""Public names that load on first use, listed once: in the stub beside the package's ``__init__``.

A type checker reads the stub ``__init__.pyi``, whose lines are explicit re-exports (``from theory.statistics.rates import certify as
certify``); at run time the same lines say where a name is found, so that the two cannot differ.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path


def exports(package: str, file: str) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """``__getattr__``, ``__dir__`` and ``__all__`` of a package from its stub.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    file : str
        Its ``__file__``; the stub lies beside it.
    """
    tree = ast.parse(Path(file).with_suffix(".pyi").read_text(encoding="utf-8"))
    homes = {
        alias.asname: (line.module or "", alias.name)
        for line in tree.body
        if isinstance(line, ast.ImportFrom)
        for alias in line.names
        if alias.asname is not None
    }

    def get(name: str) -> object:
        module, attribute = homes.get(name, (package, name))
        if module != package:
            found = import_module(module)
            if hasattr(found, attribute):
                return getattr(found, attribute)
        if not attribute.startswith("_") and find_spec(f"{module}.{attribute}") is not None:
            return import_module(f"{module}.{attribute}")  # a module of the package, there without having been imported
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    names = sorted(homes)
    return get, lambda: names, names
