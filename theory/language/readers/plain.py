"""A formula as people write it in a line of text: m ≥ C_task (k + r), not ``m - C_task*(k + r) >= 0``."""

from __future__ import annotations

from typing import Any

import sympy
from sympy.printing.str import StrPrinter

_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_GREEK = {
    "alpha": "α", "beta": "β", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ", "kappa": "κ",
    "lambda": "λ", "mu": "μ", "nu": "ν", "rho": "ρ", "sigma": "σ", "tau": "τ",
}  # fmt: skip


class _Plain(StrPrinter):
    def _print_Symbol(self, symbol: Any) -> str:
        head, bar, rest = symbol.name.partition("_")
        return f"{_GREEK.get(head, head)}{bar}{rest}"

    def _print_Rational(self, number: Any) -> str:
        p, q = int(number.p), int(number.q)
        power = len(str(q)) - 1
        if power >= 3 and q == 10**power:
            tens = f"10{str(-power).translate(_RAISED)}"
            if abs(p - q) == 1:  # all but equal to one
                return f"1 {'+' if p > q else '−'} {tens}"
            return tens if p == 1 else f"{p}·{tens}"
        return str(p) if q == 1 else f"{p}/{q}"

    _print_Integer = _print_Rational

    def _print_Float(self, number: Any) -> str:
        return f"{float(number):.4g}"

    def _print_Pow(self, power: Any, rational: bool = False) -> str:
        base, exponent = power.as_base_exp()
        if exponent == sympy.Rational(1, 2):
            return f"√({self._print(base)})" if base.args else f"√{self._print(base)}"
        shown = self._print(base) if not base.args or base.is_Function else f"({self._print(base)})"
        if exponent.is_Integer:
            return shown + str(exponent).translate(_RAISED)
        return f"{shown}^({self._print(exponent)})"

    def _print_Mul(self, product: Any) -> str:
        above, below = sympy.fraction(product)
        if below != 1:
            top, bottom = self._print(above), self._print(below)
            return (
                f"{f'({top})' if above.is_Add else top}/{f'({bottom})' if below.args and not below.is_Pow else bottom}"
            )
        sign = "-" if product.could_extract_minus_sign() else ""
        factors = (-product if sign else product).as_ordered_factors()
        shown = [f"({self._print(f)})" if f.is_Add else self._print(f) for f in factors]
        return sign + " ".join(shown)

    def _print_Add(self, expr: Any, order: Any = None) -> str:
        terms = [self._print(term) for term in self._as_ordered_terms(expr, order=order)]
        terms.sort(key=lambda term: term.startswith("-"))  # what is added first
        text = terms[0].replace("-", "−", 1) if terms[0].startswith("-") else terms[0]
        return text + "".join(f" − {t[1:]}" if t.startswith("-") else f" + {t}" for t in terms[1:])

    def _print_log(self, call: Any) -> str:
        return f"ln({self._print(call.args[0])})"

    def _print_Max(self, call: Any) -> str:
        return f"max({', '.join(self._print(a) for a in call.args)})"

    def _print_Min(self, call: Any) -> str:
        return f"min({', '.join(self._print(a) for a in call.args)})"


def expression(value: Any) -> str:
    """An expression in a line."""
    return str(_Plain().doprint(sympy.sympify(value)))


def relation(lhs: Any, sign: str, rhs: Any) -> str:
    """A relation in a line; what is compared with nothing is put on the side on which it is positive."""
    lhs, rhs = sympy.sympify(lhs), sympy.sympify(rhs)
    if rhs == 0 and lhs.is_Add:
        negative = [term for term in lhs.args if term.could_extract_minus_sign()]
        if negative and len(negative) < len(lhs.args):
            rhs = -sympy.Add(*negative)
            lhs += rhs
    return f"{expression(lhs)} {sign} {expression(rhs)}"
