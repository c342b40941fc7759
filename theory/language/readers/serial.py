"""The JSON reader: an expression as a tree of plain values, rebuilt without evaluating any text."""

from __future__ import annotations

from typing import Any

import sympy

from lrs.core.errors import InvalidInput
from theory.language import symbols

_OPERATIONS = {
    "add": sympy.Add,
    "mul": sympy.Mul,
    "pow": sympy.Pow,
    "log": sympy.log,
    "exp": sympy.exp,
    "max": sympy.Max,
    "min": sympy.Min,
}
_NAMES = {operation: name for name, operation in _OPERATIONS.items()}


def supported(expression: sympy.Expr) -> str | None:
    """None, or the name of the first node no reader understands."""
    for node in sympy.preorder_traversal(expression):
        if node.is_Symbol or node.is_Rational or node.is_Float:
            continue
        if node.func not in _NAMES:
            return str(node.func.__name__)
    return None


def to_tree(expression: sympy.Expr) -> Any:
    """Symbols as strings, integers as numbers, rationals and floats as ``{"rational": [p, q]}``."""
    if expression.is_Symbol:
        return expression.name
    if expression.is_Integer:
        return int(expression)
    if expression.is_Rational:
        return {"rational": [int(expression.p), int(expression.q)]}
    if expression.is_Float:
        return {"float": float(expression).hex()}
    return {"op": _NAMES[expression.func], "args": [to_tree(a) for a in expression.args]}


def from_tree(tree: Any) -> sympy.Expr:
    """Inverse of `to_tree`; symbols must be declared.

    Raises
    ------
    InvalidInput
        On a node of another shape or an undeclared symbol.
    """
    if isinstance(tree, bool):
        raise InvalidInput(f"expression: {tree!r} is not a node")
    if isinstance(tree, int):
        return sympy.Integer(tree)
    if isinstance(tree, str):
        return symbols.quantity(tree).symbol
    if isinstance(tree, dict):
        if set(tree) == {"rational"}:
            p, q = tree["rational"]
            return sympy.Rational(int(p), int(q))
        if set(tree) == {"float"}:
            return sympy.Float(float.fromhex(tree["float"]))
        if set(tree) == {"op", "args"} and tree["op"] in _OPERATIONS:
            return _OPERATIONS[tree["op"]](*(from_tree(a) for a in tree["args"]))
    raise InvalidInput(f"expression: {tree!r} is not a node; write the predicate again with to_json")
