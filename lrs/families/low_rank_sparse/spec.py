"""What an instance of the realizable model is drawn from; `lrs.generate` draws it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from lrs.core import identity
from lrs.core.errors import InvalidInput
from lrs.core.validate import choice, hint, integer, real

CovariateLaw = Literal["gaussian", "rademacher", "student-t", "correlated", "scaled"]
SparseLaw = Literal["uniform", "signs", "gaussian"]


@dataclass(frozen=True, kw_only=True)
class InstanceSpec:
    """What to draw. The defaults are the paper's model: x ~ N(0, I), w ~ N(0, I), random supports.

    Parameters
    ----------
    t, m, d, r, k : int
        Tasks, rows per task, dimension, rank, non-zeros per task.
    noise : float
        Standard deviation σ of the observation noise.
    coherence : float in [0, 1]
        Incoherence of U (assumption A1). 0 draws U from the Haar measure; otherwise the squared norm of the first row
        of U is at least this, and 1 puts e₁ into the span: the low-rank and the sparse part can then not be told apart.
    kappa : float ≥ 1, optional
        Task diversity (A1): ratio λ₁/λ_r of the extreme eigenvalues of (r/t) WᵀW, made exact; the condition number of W
        is its square root. Default: whatever N(0, I) weights give.
    w_spread : float ≥ 0
        Norm spread of w (A1, μ): every w is multiplied by exp(w_spread · N(0, 1)).
    w_rank : int, optional
        Rank of W, below r to violate task diversity (λ_r = 0).
    duplicates : int
        Number of tasks whose (w, b) repeat an earlier task's: tasks without new information on U.
    zeta : int, optional
        Row sparsity (A2): supports are confined to as few coordinates as allow each to be used by at most ζ tasks, as
        evenly as possible. Default: uniformly random supports.
    b_law : {"uniform", "signs", "gaussian"}
        Law of the non-zeros of b: ± U(½, 3/2), ± 1 or N(0, 1), times ``b_scale``.
    b_scale : float > 0
        Size of b; no assumption bounds it from below.
    x_law : {"gaussian", "rademacher", "student-t", "correlated", "scaled"}
        Covariates (the design assumption). Student-t has ``x_parameter`` degrees of freedom (default 5) and unit
        variance; correlated is a stationary AR(1) across coordinates with that correlation (default 0.5); scaled
        multiplies coordinate j by ``x_parameter ** (j / (d - 1))`` (default 10).
    x_parameter : float, optional
    ragged : float in [0, 1)
        Rows of task i are round(m (1 − ragged · u_i)), u_i ~ U(0, 1), at least one: the per-task sample size.

    Raises
    ------
    InvalidInput
        When a value is out of range.
    """

    t: int
    m: int
    d: int
    r: int
    k: int
    noise: float = 0.0
    coherence: float = 0.0
    kappa: float | None = None
    w_spread: float = 0.0
    w_rank: int | None = None
    duplicates: int = 0
    zeta: int | None = None
    b_law: SparseLaw = "uniform"
    b_scale: float = 1.0
    x_law: CovariateLaw = "gaussian"
    x_parameter: float | None = None
    ragged: float = 0.0

    def __post_init__(self) -> None:
        for name in ("t", "m", "d", "r", "k", "duplicates", "w_rank", "zeta"):
            value = getattr(self, name)
            if value is None and name in ("w_rank", "zeta"):
                continue
            object.__setattr__(self, name, integer(name, value, least=1 if name in ("t", "m", "d") else None))
        for name in ("r", "k"):
            if not 0 <= getattr(self, name) <= self.d:
                raise InvalidInput(f"{name}: {getattr(self, name)} is outside 0 … d = {self.d}")
        real("noise", self.noise, least=0)
        real("coherence", self.coherence, least=0, most=1)
        if self.kappa is not None:
            real("kappa", self.kappa, least=1)
        real("w_spread", self.w_spread, least=0)
        if self.w_rank is not None:
            integer("w_rank", self.w_rank, least=0, most=self.r, expected=f"a rank in 0 … r = {self.r}")
        tasks = f"a number of tasks in 0 … t − 1 = {self.t - 1}"
        integer("duplicates", self.duplicates, least=0, most=self.t - 1, expected=tasks)
        choice("b_law", self.b_law, get_args(SparseLaw))
        real("b_scale", self.b_scale, above=0)
        choice("x_law", self.x_law, get_args(CovariateLaw))
        real("ragged", self.ragged, least=0, below=1)
        if self.zeta is not None and self.zeta * self.d < self.t * self.k:
            raise InvalidInput(
                f"zeta: t·k = {self.t * self.k} entries do not fit into d = {self.d} coordinates used by at most "
                f"{self.zeta} tasks each; pass zeta ≥ {-(-self.t * self.k // self.d)}"
            )
        if self.zeta is not None and self.zeta > self.t:
            raise InvalidInput(f"zeta: {self.zeta} tasks cannot share a coordinate when there are t = {self.t}")
        if self.kappa is not None and self.t < self.r:
            raise InvalidInput(f"kappa: an exact ratio needs t ≥ r, got t = {self.t}, r = {self.r}")
        x = self.x_parameter
        limits = {
            "student-t": (lambda v: v > 2, "more than 2 degrees of freedom, so that the variance is finite"),
            "correlated": (lambda v: -1 < v < 1, "a correlation in (−1, 1)"),
            "scaled": (lambda v: v > 0, "a positive ratio of scales"),
        }
        if x is not None:
            if self.x_law not in limits:
                raise InvalidInput(f"x_parameter: the {self.x_law} law takes none")
            valid, expected = limits[self.x_law]
            if not valid(x):
                raise InvalidInput(f"x_parameter: expected {expected}, got {x!r}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON stores them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> InstanceSpec:
        """Inverse of `to_dict`; an unknown name is refused with the nearest known one."""
        known = [f.name for f in fields(cls)]
        for name in values:
            if name not in known:
                raise InvalidInput(f"{name}: not a parameter of an instance; {hint(name, known)}")
        missing = [name for name in ("t", "m", "d", "r", "k") if name not in values]
        if missing:
            raise InvalidInput(f"{', '.join(missing)}: missing; an instance needs t, m, d, r and k")
        return cls(**values)

    @property
    def size(self) -> tuple[int, ...]:
        """Smaller is the better counterexample: tasks and dimension first, then rows, rank, sparsity."""
        return (self.t * self.d, self.t * self.m, self.r, self.k)

    def canonical(self) -> str:
        """Canonical text: JSON with sorted keys and no spaces; two specifications are the same iff this is."""
        return identity.canonical(self.to_dict())

    def hash(self) -> str:
        """SHA-256 of the canonical text, hexadecimal."""
        return identity.digest(self.canonical())
