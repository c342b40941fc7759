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
    """The matrix XXᵀ, by its factor.

    Parameters
    ----------
    X : (n, k) array
    """

    X: Float[np.ndarray, "n k"]

    def __post_init__(self) -> None:
        X = np.ascontiguousarray(self.X, dtype=np.float64)
        if X.ndim != 2:
            raise WrongShape(f"X: expected shape (n, k), got {X.shape}")
        object.__setattr__(self, "X", X)

    @property
    def matrix(self) -> Float[np.ndarray, "n n"]:
        return self.X @ self.X.T


@dataclass(frozen=True, eq=False)
class SensingProblem:
    """All that a solver may see.

    Parameters
    ----------
    y : (m,) or (n, n) array
        y_i = ⟨A_i, M*⟩ + noise; without ``A`` the matrix M* itself plus noise.
    rank : int
        k, the rank that is searched for; it may exceed the true one.
    A : (m, n, n) array, optional
        Independent N(0, 1) entries. The operator of the theory is A/√m; the factor is left to the solver, so that the data
        with fewer measurements are the first ones of those with more. Default: full observation.
    noise : float
        Standard deviation σ of the noise in y.
    """

    y: np.ndarray
    rank: int
    A: Float[np.ndarray, "m n n"] | None = None
    noise: float = 0.0
    family: ClassVar[str] = NAME

    def __post_init__(self) -> None:
        y = finite("y", np.ascontiguousarray(self.y, dtype=np.float64))
        if self.A is None:
            if y.ndim != 2 or y.shape[0] != y.shape[1]:
                raise WrongShape(f"y: expected a square matrix where there is no A, got shape {y.shape}")
        else:
            A = finite("A", np.ascontiguousarray(self.A, dtype=np.float64))
            if A.ndim != 3 or A.shape[1] != A.shape[2] or y.shape != A.shape[:1] or len(y) == 0:
                raise WrongShape(f"A: expected shape (m, n, n) with y of shape (m,), got {A.shape} and {y.shape}")
            object.__setattr__(self, "A", _frozen(A))
        object.__setattr__(self, "y", _frozen(y))
        integer("rank", self.rank, least=1, most=self.n, expected=f"a rank in 1 … n = {self.n}")
        real("noise", self.noise, least=0)

    @property
    def n(self) -> int:
        """Side of the matrix."""
        return int(self.y.shape[0] if self.A is None else self.A.shape[1])

    @property
    def m(self) -> int | None:
        """Number of measurements, None with full observation."""
        return None if self.A is None else len(self.y)

    def residual(self, S: Float[np.ndarray, "n n"]) -> np.ndarray:
        """𝒜(S) − y, with the factor 1/√m of the theory."""
        if self.A is None:
            return S - self.y
        return (np.tensordot(self.A, S, 2) - self.y) / np.sqrt(len(self.y))

    def adjoint(self, z: np.ndarray) -> Float[np.ndarray, "n n"]:
        """The symmetric part of 𝒜*(z)."""
        G = z if self.A is None else np.tensordot(z, self.A, 1) / np.sqrt(len(self.y))
        return (G + G.T) / 2


def _frozen(a: np.ndarray) -> np.ndarray:
    view = a.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, kw_only=True)
class SensingSpec:
    """What to draw: M* = QΛQᵀ with a uniformly random Q and eigenvalues that fall geometrically from 1 to 1/κ.

    Parameters
    ----------
    n, r : int
        Side and rank of M*.
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

    def __post_init__(self) -> None:
        integer("n", self.n, least=1)
        integer("r", self.r, least=1, most=self.n, expected=f"a rank in 1 … n = {self.n}")
        if self.k is None:
            object.__setattr__(self, "k", self.r)
        integer("k", self.k, least=self.r, most=self.n, expected=f"a search rank in r … n = {self.r} … {self.n}")
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
        return self.n, self.search_rank, self.r, self.m or self.n**2

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

    Q, R = np.linalg.qr(stream("truth").standard_normal((n, r)))
    truth = Factor(Q * np.sign(np.diag(R)) * np.sqrt(spec.kappa ** -np.linspace(0, 1, r)))
    M = truth.matrix
    if spec.m is None:
        E = stream("noise").standard_normal((n, n))
        return SensingInstance(
            SensingProblem(M + spec.noise * (E + E.T) / np.sqrt(2), spec.search_rank, None, spec.noise),
            truth,
            spec,
            key,
        )
    A = stream("A").standard_normal((spec.m, n, n))
    # Row by row, so that not a bit of y depends on how many measurements there are.
    y = np.array([np.vdot(a, M) for a in A]) + spec.noise * stream("noise").standard_normal(spec.m)
    return SensingInstance(SensingProblem(y, spec.search_rank, A, spec.noise), truth, spec, key)
