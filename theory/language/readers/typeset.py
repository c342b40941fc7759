"""The LaTeX reader: names come from the declarations, so a formula in the docs is the formula in the code."""

from __future__ import annotations

import sympy

from theory.language import symbols

RELATIONS = {">=": r"\ge", ">": ">", "<=": r"\le", "<": "<"}


def expression_latex(expression: sympy.Expr) -> str:
    """LaTeX of an expression with the declared symbol names."""
    names = {s: symbols.quantity(s.name).latex for s in expression.free_symbols}
    text: str = sympy.latex(expression, symbol_names=names, ln_notation=True)
    return text


def relation_latex(lhs: sympy.Expr, relation: str, rhs: sympy.Expr) -> str:
    """LaTeX of ``lhs relation rhs``."""
    return f"{expression_latex(lhs)} {RELATIONS[relation]} {expression_latex(rhs)}"
