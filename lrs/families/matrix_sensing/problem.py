"""What a solver of matrix sensing sees, what it answers, and how an instance is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from lrs.core import streams
from lrs.core.errors import InvalidInput, WrongShape
from lrs.core.validate import finite, integer, real

NAME = "matrix-sensing"


@dataclass(frozen=True, eq=False)
class Factor:
    """The matrix XXᵀ, or XYᵀ, by its factors.

    Parameters
    ----------
    X : (n, k) array
    Y : (n2, k) array, optional
        Default: X.
    """

    X: Float[np.ndarray, "n k"]
    Y: Float[np.ndarray, "n2 k"] | None = None

    def __post_init__(self) -> None:
        for name in ("X", "Y") if self.Y is not None else ("X",):
            a = np.ascontiguousarray(getattr(self, name), dtype=np.float64)
            if a.ndim != 2 or a.shape[1] != np.shape(self.X)[-1]:
                raise WrongShape(f"{name}: expected shape (n, k), with the k of X, got {a.shape}")
            object.__setattr__(self, name, a)

    @property
    def matrix(self) -> Float[np.ndarray, "n n2"]:
        return self.X @ (self.X if self.Y is None else self.Y).T


@dataclass(frozen=True, eq=False)
class SensingProblem:
    """All that a solver may see.

    Parameters
    ----------
    y : (m,) or (n, n2) array
        y_i = ⟨A_i, M*⟩ + noise; without ``A`` the matrix M* itself plus noise.
    rank : int
        k, the rank that is searched for; it may exceed the true one.
    A : (m, n, n2) array, optional
        Independent N(0, 1) entries. The operator of the theory is A/√m; the factor is left to the solver, so that the data
        with fewer measurements are the first ones of those with more. Default: full observation.
    noise : float
        Standard deviation σ of the noise in y.
    symmetric : bool
        Whether M* is known to be symmetric and positive semidefinite.
    """

    y: np.ndarray
    rank: int
    A: Float[np.ndarray, "m n n2"] | None = None
    noise: float = 0.0
    symmetric: bool = True
    family: ClassVar[str] = NAME

    def __post_init__(self) -> None:
        y = finite("y", np.ascontiguousarray(self.y, dtype=np.float64))
        if self.A is None:
            if y.ndim != 2:
                raise WrongShape(f"y: expected a matrix where there is no A, got shape {y.shape}")
        else:
            A = finite("A", np.ascontiguousarray(self.A, dtype=np.float64))
            if A.ndim != 3 or y.shape != A.shape[:1] or len(y) == 0:
                raise WrongShape(f"A: expected shape (m, n, n2) with y of shape (m,), got {A.shape} and {y.shape}")
            object.__setattr__(self, "A", _frozen(A))
        object.__setattr__(self, "y", _frozen(y))
        if self.symmetric and self.n != self.n2:
            raise WrongShape(f"symmetric: a matrix of shape {self.shape} is not square; pass symmetric=False")
        least = min(self.shape)
        integer("rank", self.rank, least=1, most=least, expected=f"a rank in 1 … {least}, the smaller side")
        real("noise", self.noise, least=0)

    @property
    def shape(self) -> tuple[int, int]:
        """(n, n2) of the matrix."""
        n, n2 = self.y.shape if self.A is None else self.A.shape[1:]
        return int(n), int(n2)

    @property
    def n(self) -> int:
        """Rows of the matrix."""
        return self.shape[0]

    @property
    def n2(self) -> int:
        """Columns of the matrix."""
        return self.shape[1]

    @property
    def m(self) -> int | None:
        """Number of measurements, None with full observation."""
        return None if self.A is None else len(self.y)

    def residual(self, S: Float[np.ndarray, "n n2"]) -> np.ndarray:
        """𝒜(S) − y, with the factor 1/√m of the theory."""
        if self.A is None:
            return S - self.y
        return (self._rows @ S.ravel() - self.y) / np.sqrt(len(self.y))

    def adjoint(self, z: np.ndarray) -> Float[np.ndarray, "n n2"]:
        """𝒜*(z)."""
        return z if self.A is None else (z @ self._rows).reshape(self.shape) / np.sqrt(len(self.y))

    @property
    def _rows(self) -> np.ndarray:
        assert self.A is not None
        return self.A.reshape(len(self.y), -1)


def _frozen(a: np.ndarray) -> np.ndarray:
    view = a.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, kw_only=True)
class SensingSpec:
    """What to draw: M* = QΛQᵀ, or QΛPᵀ, with uniformly random Q and P and a diagonal Λ that falls geometrically from 1 to 1/κ.

    Parameters
    ----------
    n, r : int
        Side (or rows) and rank of M*.
    n2 : int, optional
        Columns of a general M*; default: M* is symmetric and positive semidefinite.
    k : int, optional
        Rank that the solver searches for; default: r.
    m : int, optional
        Gaussian measurements; default: full observation.
    kappa : float ≥ 1
        Condition number of M*.
    noise : float
        Standard deviation σ of the noise in y.
    """

    n: int
    r: int
    k: int | None = None
    m: int | None = None
    kappa: float = 1.0
    noise: float = 0.0
    n2: int | None = None

    def __post_init__(self) -> None:
        integer("n", self.n, least=1)
        if self.n2 is not None:
            integer("n2", self.n2, least=1)
        side, most = ("n", self.n) if self.n2 is None or self.n <= self.n2 else ("n2", self.n2)
        integer("r", self.r, least=1, most=most, expected=f"a rank in 1 … {side} = {most}")
        if self.k is None:
            object.__setattr__(self, "k", self.r)
        integer("k", self.k, least=self.r, most=most, expected=f"a search rank in r … {side} = {self.r} … {most}")
        if self.m is not None:
            integer("m", self.m, least=1)
        real("kappa", self.kappa, least=1)
        if self.r == 1 and self.kappa != 1:
            raise InvalidInput(f"kappa: a matrix of rank 1 has condition 1, got {self.kappa:g}")
        real("noise", self.noise, least=0)

    @property
    def search_rank(self) -> int:
        """k, filled in."""
        return self.r if self.k is None else self.k

    @property
    def size(self) -> tuple[int, ...]:
        """Smaller is the better counterexample."""
        return self.n * self.columns, self.search_rank, self.r, self.m or self.n * self.columns

    @property
    def columns(self) -> int:
        """n2, filled in."""
        return self.n if self.n2 is None else self.n2

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON stores them."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class SensingInstance:
    """A problem together with its truth.

    Attributes
    ----------
    problem : SensingProblem
    truth : Factor
        (n, r).
    spec : SensingSpec or None
    seed : tuple of int
        The key of its random streams.
    """

    problem: SensingProblem
    truth: Factor
    spec: SensingSpec | None = None
    seed: tuple[int, ...] = ()
    family: ClassVar[str] = NAME

    def prefix(self, m: int) -> SensingInstance:
        """The instance with the first m measurements."""
        problem = self.problem
        if problem.A is None:
            raise InvalidInput("m: with full observation there are no measurements to leave out; draw with m")
        integer("m", m, least=1, most=len(problem.y))
        spec = None if self.spec is None else replace(self.spec, m=m)
        return replace(self, problem=replace(problem, A=problem.A[:m], y=problem.y[:m]), spec=spec)


def draw(spec: SensingSpec, key: int | Sequence[int]) -> SensingInstance:
    """The instance of a specification; M*, the measurements and the noise have streams of their own."""
    key = (int(key),) if isinstance(key, int | np.integer) else tuple(int(part) for part in key)
    n, r = spec.n, spec.r

    def stream(name: str) -> np.random.Generator:
        return streams.generator(f"matrix-sensing/{name}", *key)

    def basis(name: str, side: int) -> np.ndarray:
        Q, R = np.linalg.qr(stream(name).standard_normal((side, r)))
        return Q * np.sign(np.diag(R)) * np.sqrt(spec.kappa ** -np.linspace(0, 1, r))

    truth = Factor(basis("truth", n), None if spec.n2 is None else basis("right", spec.n2))
    M, symmetric = truth.matrix, spec.n2 is None
    if spec.m is None:
        E = stream("noise").standard_normal(M.shape)
        y = M + spec.noise * ((E + E.T) / np.sqrt(2) if symmetric else E)
        problem = SensingProblem(y, spec.search_rank, None, spec.noise, symmetric)
        return SensingInstance(problem, truth, spec, key)
    A = stream("A").standard_normal((spec.m, *M.shape))
    # Row by row, so that not a bit of y depends on how many measurements there are.
    y = np.array([np.vdot(a, M) for a in A]) + spec.noise * stream("noise").standard_normal(spec.m)
    return SensingInstance(SensingProblem(y, spec.search_rank, A, spec.noise, symmetric), truth, spec, key)
