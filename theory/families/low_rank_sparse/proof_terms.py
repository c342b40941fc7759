"""The expressions that the proofs of ``docs/theory/proofs.md`` are made of: theorems, prover and profile read the same ones."""

from __future__ import annotations

from sympy import Expr, Rational, log, sqrt

from theory.language.symbols import d, declare, delta, k, m, t

#: ln(6dt/δ): d t entries, two signs, and three vectors (b − b*, v − v*, z).
union = log(6 * d * t / delta)
#: The same where b − b* may be any of the 2ᵏ corners of the cube of half width γ on supp b*.
union_corners = k * log(2) + union
#: Rows per k x/c₁² at which 2√(x/m) + 2x/m ≤ c₁/√k, for c₁ ≤ ½ and k ≥ 1.
ROWS = 6


def deviation(x: Expr, rows: Expr = m) -> Expr:
    """2√(x/m) + 2x/m: exceeded by ∣[(I − S)u]_j∣, ‖u‖₂ = 1, with probability at most 2e⁻ˣ."""
    return 2 * sqrt(x / rows) + 2 * x / rows


# ------------------------------------------------------- one outer step on fresh rows, in units of E ≥ ‖v − v*‖₂, √k‖v − v*‖_∞
#: ‖b − b*‖_∞ √k/E after the sparse step; c₁ = 1/8, two inner steps.
ENTRY = Rational(13, 4)
p_share = declare("p_share", "p", "√(ζμr/t)", kind="level", zero_allowed=True)
q_row = declare("q_row", "q", "√(kνr/d)", kind="level", zero_allowed=True)
n_rows = declare("n_rows", "n", "r√(μ d x/(m_u t)), m_u the rows of a subspace step", kind="level", zero_allowed=True)
omega = declare(
    "omega", r"\omega", "error of the weights per unit that they cannot explain", kind="level", zero_allowed=True
)

#: √d‖F_N‖_{2,∞}√(μλ_r)/E: what sampling adds to U⁺ = U*Q + F.
F_sampling = 2 * (1 + ENTRY) * (Rational(8, 7) * n_rows + Rational(72, 49) * n_rows**2)
#: ‖F‖√(μλ_r)/E and √k‖F‖_{2,∞}√(μλ_r)/E.
F_norm = Rational(26, 7) * p_share + 10 * n_rows
F_row = Rational(234, 49) * p_share**2 + 10 * n_rows
#: ‖f‖₂/E and √k‖f‖_∞/E, f = FQ⁻¹w*.
f_norm, f_row = Rational(7, 6) * F_norm, Rational(7, 6) * F_row
#: √k times the largest row of the orthonormalised U⁺.
row = (Rational(8, 7) * q_row + F_row / 8) / (Rational(6, 7) - F_norm / 8)
#: The factors of ‖v − v*‖₂ and of √k‖v − v*‖_∞.
rho_2 = row * ENTRY + f_norm + omega * (ENTRY + f_norm)
rho_inf = row * rho_2 + f_row
