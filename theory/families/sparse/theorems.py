"""What is known of solvers of sparse recovery: an exact law, a trajectory, and a bound."""

from __future__ import annotations

from sympy import Integer, Rational, log

from theory.language.predicate import And, Predicate
from theory.language.symbols import Constant, Status, constant_symbol, d, declare, k, m, sigma
from theory.language.theorem import Theorem

CROFTON = "McCoy and Tropp 2014; Amelunxen, Lotz, McCoy and Tropp 2014"
EVOLUTION = "Donoho, Maleki and Montanari 2009; Bayati and Montanari 2011"
GREEDY = "Tropp and Gilbert 2007; Fletcher and Rangan 2009"

success = declare("success", r"P", "probability that b is found", zero_allowed=True, maximum=1.0)
law = declare("law", r"P_{\ell_1}(m)", "exact probability that ℓ₁ minimisation finds b", zero_allowed=True, maximum=1.0)
mse = declare("mse", r"\|b_t-b\|^2/d", "mean squared error of an iterate", kind="error", zero_allowed=True)
mse_predicted = declare(
    "mse_predicted", r"\mathrm{mse}_t", "the same by state evolution", kind="error", zero_allowed=True
)

fits = Predicate("sparsity", k, "<=", d, "definition", Status.DERIVED, meaning="b has at most d non-zeros.")
exact_data = Predicate("no noise", sigma, "<=", Integer(0), CROFTON, Status.QUOTED, meaning="y = X b.")

ELL_ONE = Theorem(
    name="ell-one-law",
    title="The exact law of ℓ₁ minimisation",
    statement=(
        "With Gaussian rows min ‖b‖₁ subject to y = X b finds a k-sparse b with probability 2 Σ_{j ≥ 0} v_{m+1+2j} of failure, v "
        "the intrinsic volumes of the descent cone: a number for every d, k and m, neither less nor more."
    ),
    assumptions=And("assumptions of the exact law", (fits, exact_data)),
    conclusions=(
        Predicate(
            "no less often",
            success,
            ">=",
            law,
            CROFTON,
            Status.RECONSTRUCTED,
            meaning="The success probability is not below that of the law.",
        ),
        Predicate(
            "no more often",
            success,
            "<=",
            law,
            CROFTON,
            Status.RECONSTRUCTED,
            meaning="The success probability is not above that of the law.",
        ),
    ),
    source=CROFTON,
    status=Status.RECONSTRUCTED,
    family="sparse",
    notes="The probability is theory.statistics.exact_laws.EllOne; it depends neither on the places nor on the values of b.",
)

many = Predicate(
    "many coordinates",
    d,
    ">=",
    Integer(1000),
    "measured, docs/families/sparse.md",
    Status.MEASURED,
    meaning="State evolution is a limit; to 2 % it is reached there.",
)
within = Rational(2, 100)
AMP = Theorem(
    name="state-evolution",
    title="State evolution",
    statement=(
        "With Gaussian rows and d → ∞ at fixed δ = m/d, k/d and α the errors of AMP are those of a scalar recursion: "
        "τ²_t = σ² + mse_t/δ and mse_{t+1} = E (η(B + τ_t Z; ατ_t) − B)², σ² the noise of y/√m and B a random entry of b."
    ),
    assumptions=And("assumptions of state evolution", (fits, many)),
    conclusions=(
        Predicate(
            "no larger error",
            mse,
            "<=",
            (1 + within) * mse_predicted,
            EVOLUTION,
            Status.RECONSTRUCTED,
            meaning="At every iteration at most a fiftieth above what state evolution predicts.",
        ),
        Predicate(
            "no smaller error",
            mse,
            ">=",
            (1 - within) * mse_predicted,
            EVOLUTION,
            Status.RECONSTRUCTED,
            meaning="At every iteration at most a fiftieth below what state evolution predicts.",
        ),
    ),
    source=EVOLUTION,
    status=Status.RECONSTRUCTED,
    family="sparse",
    notes="A limit without a rate: the 2 % and the size from which they hold are measured, for averages over runs.",
)

C_offset = constant_symbol("C_offset", r"C_0", "rows besides 2k ln(d − k) that greedy recovery needs at small sizes")
below = Predicate("fewer than all", k, "<", d, "definition", Status.DERIVED, meaning="Some entry of b is 0.")
enough = Predicate(
    "rows",
    m,
    ">=",
    2 * k * log(d - k) + C_offset,
    GREEDY,
    Status.ASSUMED,
    constants=(Constant("C_offset", "larger-is-stronger", 15.0, "measured", "docs/families/sparse.md"),),
    meaning="Enough rows for greedy methods.",
)
error = declare("vector_error", r"\|\hat b-b\|/\|b\|", "relative error of b", kind="error", zero_allowed=True)
OMP = Theorem(
    name="omp-rows",
    title="Rows that orthogonal matching pursuit needs",
    statement="m ~ 2 k ln(d − k) Gaussian rows suffice asymptotically; at finite sizes with a measured number of rows besides.",
    assumptions=And("assumptions of greedy recovery", (below, exact_data, enough)),
    conclusions=(
        Predicate("exact recovery", error, "<=", Rational(1, 10**6), GREEDY, Status.ASSUMED, meaning="Up to rounding."),
    ),
    source=GREEDY,
    status=Status.ASSUMED,
    family="sparse",
    notes="A bound: no finite size is known at which it holds to a few per cent.",
)
