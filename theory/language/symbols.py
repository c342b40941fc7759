"""The quantities the theory speaks about: one declaration each, shared by every predicate.

A symbol carries its meaning, its LaTeX form and the smallest value it may take, so that a predicate can refuse a
meaningless input and the documentation can print a glossary from the same source.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import Literal, get_args

import sympy

from lrs.core.errors import InvalidInput
from lrs.core.validate import hint

Kind = Literal["size", "level", "measured", "error", "constant"]


class Status(enum.Enum):
    """Where a statement comes from; the labels of the documentation are in brackets."""

    QUOTED = "quoted"  # [S] in the paper's abstract or first pages
    RECONSTRUCTED = "reconstructed"  # [R] restated by a third party or read in public code
    DERIVED = "derived"  # [D] a short derivation is given
    ASSUMED = "assumed"  # [M] remembered, not verified against the source
    MEASURED = "measured"  # [N] found by running solvers; nobody's statement
    CONTESTED = "contested"  # [C] claimed in print, and its proof disputed in print

    @property
    def label(self) -> str:
        """The bracketed letter used in tables."""
        letters = {
            "quoted": "S",
            "reconstructed": "R",
            "derived": "D",
            "assumed": "M",
            "measured": "N",
            "contested": "C",
        }
        return f"[{letters[self.value]}]"


@dataclass(frozen=True)
class Quantity:
    """A declared symbol.

    Attributes
    ----------
    name : str
        Key under which values are passed.
    latex : str
    meaning : str
        One phrase, with units where there are any.
    kind : {"size", "level", "measured", "error", "constant"}
    zero_allowed : bool
        Whether 0 is a legal value; negative values never are.
    minimum : float
        Smallest legal value when it is above 0 (κ ≥ 1).
    maximum : float
        Largest legal value (probabilities: 1).
    integer : bool
        Whether SMT witnesses must be integers.
    """

    name: str
    latex: str
    meaning: str
    kind: Kind = "measured"
    zero_allowed: bool = False
    minimum: float = 0.0
    maximum: float = math.inf
    integer: bool = False

    @property
    def symbol(self) -> sympy.Symbol:
        """The sympy symbol (positive, or non-negative where 0 is legal)."""
        if self.zero_allowed:
            return sympy.Symbol(self.name, nonnegative=True)
        return sympy.Symbol(self.name, positive=True)

    @property
    def domain(self) -> str:
        """The legal values in words."""
        if self.maximum < math.inf:
            return f"{'between' if self.zero_allowed else 'above'} 0 and {'' if self.zero_allowed else 'at most '}{self.maximum:g}"
        if self.minimum > 0:
            return f"at least {self.minimum:g}"
        return "at least 0" if self.zero_allowed else "above 0"


_DECLARED: dict[str, Quantity] = {}


def declare(
    name: str,
    latex: str,
    meaning: str,
    *,
    kind: Kind = "measured",
    zero_allowed: bool = False,
    minimum: float = 0.0,
    maximum: float = math.inf,
    integer: bool = False,
) -> sympy.Symbol:
    """Declare a quantity and return its symbol; declaring the same thing twice is harmless.

    Raises
    ------
    InvalidInput
        When the name is not an identifier or is taken by a quantity with another domain or meaning.
    """
    if not name.isidentifier():
        raise InvalidInput(f"name: {name!r} is not an identifier; use letters, digits and underscores")
    quantity = Quantity(name, latex, meaning, kind, zero_allowed, minimum, maximum, integer)
    known = _DECLARED.setdefault(name, quantity)
    if known != quantity:
        raise InvalidInput(f"name: {name!r} is declared already as {known.meaning!r}; choose another name")
    return known.symbol


def quantity(name: str) -> Quantity:
    """The declaration of a symbol.

    Raises
    ------
    InvalidInput
        When it was never declared; the nearest declared name is suggested.
    """
    if name not in _DECLARED:
        near = hint(name, _DECLARED, "declare it with theory.language.symbols.declare(name, latex, meaning)")
        raise InvalidInput(f"symbol: {name!r} is not declared; {near}")
    return _DECLARED[name]


def quantities() -> dict[str, Quantity]:
    """All declared quantities by name."""
    return dict(_DECLARED)


ConstantStatus = Literal["free", "cited", "calibrated", "measured", "NOT CERTIFIED"]
Direction = Literal["larger-is-stronger", "smaller-is-stronger"]


@dataclass(frozen=True)
class Constant:
    """A constant hidden in an Ω(·) or O(·).

    Attributes
    ----------
    name : str
        Name of its declared symbol.
    direction : {"larger-is-stronger", "smaller-is-stronger"}
        Whether a larger value asks for more (m ≥ C g) or for less (ζ ≤ c g).
    value : float or None
        None while free.
    status : {"free", "cited", "calibrated", "measured", "NOT CERTIFIED"}
        Calibrated values come from the frozen lock file; those of it that failed are NOT CERTIFIED; cited ones come from
        a paper; measured ones from trials by hand.
    source : str
        Citation, or the entry of the lock file. Of a free constant: why it has no value.
    """

    name: str
    direction: Direction
    value: float | None = None
    status: ConstantStatus = "free"
    source: str = ""

    def __post_init__(self) -> None:
        quantity(self.name)
        if self.direction not in ("larger-is-stronger", "smaller-is-stronger"):
            raise InvalidInput(
                f"direction: expected 'larger-is-stronger' or 'smaller-is-stronger', got {self.direction!r}"
            )
        if self.status not in get_args(ConstantStatus):
            raise InvalidInput(f"status: expected one of {', '.join(get_args(ConstantStatus))}, got {self.status!r}")
        if self.value is None and self.status != "free":
            raise InvalidInput(f"value: the {self.status} constant {self.name} needs a value")
        if self.value is not None and not 0 < self.value < float("inf"):
            raise InvalidInput(f"value: {self.name} = {self.value!r}; a constant is a finite positive number")


def constant_symbol(name: str, latex: str, meaning: str) -> sympy.Symbol:
    """Declare the symbol of a `Constant`."""
    return declare(name, latex, meaning, kind="constant")


# ---------------------------------------------------------------------------------------------- sizes
d = declare("d", "d", "dimension: number of features", kind="size", integer=True)
r = declare("r", "r", "rank: number of shared directions", kind="size", zero_allowed=True, integer=True)
k = declare("k", "k", "sparsity: non-zeros of each personal part", kind="size", zero_allowed=True, integer=True)
t = declare("t", "t", "number of tasks", kind="size", integer=True)
m = declare("m", "m", "rows per task (the smallest task's)", kind="size", integer=True)

# ---------------------------------------------------------------------------------------------- levels
sigma = declare("sigma", r"\sigma", "standard deviation of the noise", kind="level", zero_allowed=True)
delta = declare("delta", r"\delta", "failure probability", kind="level", maximum=1.0)
size = declare(
    "size", r"\alpha_0", "size of a test: chance to refuse data that satisfy the assumption", kind="level", maximum=1.0
)
n = declare("n", "n", "total number of rows", kind="size", integer=True)
L = declare("L", "L", "number of outer steps", kind="size", integer=True)

# ---------------------------------------------------------------------------------------------- measured: the truth
orth = declare("orth", r"\|U^{\top}U-I\|_{\max}", "largest entry of UᵀU − I", zero_allowed=True)
lambda_1 = declare("lambda_1", r"\lambda_1", "largest eigenvalue of (r/t) WᵀW", zero_allowed=True)
lambda_r = declare("lambda_r", r"\lambda_r", "smallest eigenvalue of (r/t) WᵀW", zero_allowed=True)
rank_W = declare("rank_W", r"\operatorname{rank} W", "rank of W", zero_allowed=True, integer=True)
kappa = declare("kappa", r"\kappa", "task diversity λ₁/λ_r", minimum=1.0)
mu = declare("mu", r"\mu", "incoherence of W: largest ‖w‖² over λ_r", minimum=1.0)
nu = declare("nu", r"\nu", "incoherence of U: d/r times the largest squared row norm", minimum=1.0)
zeta = declare("zeta", r"\zeta", "largest number of tasks that use one coordinate", zero_allowed=True, integer=True)
k_max = declare("k_max", r"\max_i\|b^{(i)}\|_0", "largest number of non-zeros of a b", zero_allowed=True, integer=True)
rank_visible = declare(
    "rank_visible",
    r"\min_j \operatorname{rank}\{w^{(i)}: j\notin\operatorname{supp} b^{(i)}\}",
    "smallest rank, over coordinates j, of the w whose b leaves j free",
    zero_allowed=True,
    integer=True,
)

rank_U = declare("rank_U", r"\operatorname{rank} U^{*}", "rank of the truth", zero_allowed=True, integer=True)
row_U = declare(
    "row_U", r"\|U\|^2_{2,\infty}", "largest squared norm of a row of U", zero_allowed=True, maximum=1.0 + 1e-9
)
zeta_least = declare(
    "zeta_least", r"\lceil tk/d\rceil", "the least that ζ can be: t k entries in d coordinates", zero_allowed=True
)
failing = declare(
    "failing", "f", "share of tasks with too few rows, or that follow no model", zero_allowed=True, maximum=1.0
)

# ---------------------------------------------------------------------------------------------- asked of a generator
w_spread = declare("w_spread", "s_w", "norm spread of w: standard deviation of an added ln ‖w‖", zero_allowed=True)
repeated = declare("repeated", "q", "share of tasks that repeat another", zero_allowed=True, maximum=1.0)
b_size = declare("b_size", r"\bar b", "size of the non-zeros of b, that of w being 1")

# ---------------------------------------------------------------------------------------------- measured: the data
ragged = declare(
    "ragged", r"\varrho", "raggedness: 1 − smallest/largest number of rows", zero_allowed=True, maximum=1.0
)
p_mean = declare("p_mean", r"p_{\text{mean}}", "p-value: coordinate means are 0", zero_allowed=True, maximum=1.0)
p_scale = declare("p_scale", r"p_{\text{scale}}", "p-value: coordinate variances are 1", zero_allowed=True, maximum=1.0)
p_correlation = declare(
    "p_correlation", r"p_{\text{corr}}", "p-value: coordinates are uncorrelated", zero_allowed=True, maximum=1.0
)
p_rows = declare(
    "p_rows", r"p_{\text{rows}}", "p-value: consecutive rows are independent", zero_allowed=True, maximum=1.0
)
p_shape = declare(
    "p_shape", r"p_{\text{shape}}", "p-value: entries are standard normal", zero_allowed=True, maximum=1.0
)
p_noise = declare("p_noise", r"p_{\text{noise}}", "p-value: residuals of the truth are N(0, σ²)", zero_allowed=True)
repeated_rows = declare(
    "repeated_rows", r"n_{\text{rep}}", "rows of X that repeat an earlier row", zero_allowed=True, integer=True
)

# ---------------------------------------------------------------------------------------------- errors along a run
init_error = declare(
    "init_error",
    r"\|(I-U^{*}U^{*\top})U^{(0)}\|_F",
    "subspace error of the start, Frobenius norm",
    kind="error",
    zero_allowed=True,
)
init_row = declare(
    "init_row", r"\|U^{(0)}\|_{2,\infty}", "largest row norm of the start", kind="error", zero_allowed=True
)
theta_error = declare(
    "theta_error",
    r"\|\hat\Theta-\Theta^{*}\|_F/\|\Theta^{*}\|_F",
    "relative error of all parameters",
    kind="error",
    zero_allowed=True,
)
error = declare("error", r"e_{\ell}", "error before an outer step", kind="error", zero_allowed=True)
error_next = declare("error_next", r"e_{\ell+1}", "error after an outer step", kind="error", zero_allowed=True)
rho = declare("rho", r"\rho", "contraction factor of one outer step", kind="error")
floor = declare("floor", r"\phi", "error that noise leaves", kind="error", zero_allowed=True)

# ---------------------------------------------------------------------------------------------- the sparse step
alpha = declare("alpha", r"\alpha", "schedule: bound on the largest entry of v − v*", kind="level", zero_allowed=True)
beta = declare("beta", r"\beta", "schedule: bound on the length of v − v*", kind="level", zero_allowed=True)
gamma = declare("gamma", r"\gamma", "schedule: bound on the largest entry of b − b*", kind="level", zero_allowed=True)
c_1 = declare("c_1", r"c_1", "share of γ in the threshold", kind="level")
v_inf = declare("v_inf", r"\|v-v^{*}\|_{\infty}", "largest entry of v − v*", kind="error", zero_allowed=True)
v_2 = declare("v_2", r"\|v-v^{*}\|_2", "length of v − v*", kind="error", zero_allowed=True)
b_inf = declare("b_inf", r"\|b-b^{*}\|_{\infty}", "largest entry of b − b*", kind="error", zero_allowed=True)
b_inf_next = declare(
    "b_inf_next",
    r"\|b^{+}-b^{*}\|_{\infty}",
    "largest entry of b − b* after a sparse step",
    kind="error",
    zero_allowed=True,
)
false_support = declare(
    "false_support",
    r"|\operatorname{supp} b\setminus\operatorname{supp} b^{*}|",
    "entries of b outside the true support",
    kind="error",
    zero_allowed=True,
    integer=True,
)

# ---------------------------------------------------------------------------------------------- neighbouring theorems
s = declare("s", "s", "entries kept by a hard-thresholding step", kind="size", integer=True)
rsc = declare("rsc", r"\alpha_f", "restricted strong convexity", kind="level")
rss = declare("rss", r"L_f", "restricted smoothness", kind="level")
eta = declare("eta", r"\eta", "step size", kind="level")
rip_3k = declare(
    "rip_3k", r"\delta_{3k}", "restricted isometry constant of order 3k", kind="level", zero_allowed=True, maximum=1.0
)
rip_3 = declare(
    "rip_3", r"\Delta_3", "restricted isometry constant of triple rank and sparsity", kind="level", zero_allowed=True
)
