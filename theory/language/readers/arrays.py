"""The NumPy reader: a compiled function of arrays that broadcast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy


def compile_numpy(expressions: list[sympy.Expr], names: list[str]) -> Callable[..., list[Any]]:
    """A function of the named arrays (in this order) that returns one value per expression.

    Common sub-expressions are computed once, which is what keeps a sweep close to hand-written NumPy.
    """
    symbols = {s.name: s for e in expressions for s in e.free_symbols}
    arguments = [symbols.get(name, sympy.Symbol(name)) for name in names]
    compiled = sympy.lambdify(arguments, expressions, modules="numpy", cse=True)
    return compiled
