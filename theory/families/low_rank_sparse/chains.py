"""The proofs of the sparse-vector lemma and of the theorem on fresh rows, link by link, for ``lrs profile``.

Where a link is a bound that holds with some probability, its right side is the one the theorem uses, at the theorem's x. The
sides of a task are an array over the tasks; the others are numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import sympy

from lrs.amht import PaperAMHT
from lrs.core.errors import InvalidInput
from lrs.families.low_rank_sparse.problem import Instance, Problem
from lrs.solver import Iterate, Solver
from theory.families.low_rank_sparse import proof_terms as terms
from theory.families.low_rank_sparse.fresh_rows import C1, ENTRY, INNER, FreshRows, cut_rows, start_error, start_near
from theory.families.low_rank_sparse.measurement import measure_parameters
from theory.language.chain import Chain, Link
from theory.language.readers.arrays import compile_numpy
from theory.language.symbols import Status

SOURCE = "docs/theory/proofs"


def _number(expression: sympy.Expr) -> Callable[..., float]:
    """An expression of `proof_terms` as a function of its quantities by name."""
    names = sorted(s.name for s in expression.free_symbols)
    compiled = compile_numpy([expression], names)
    return lambda **at: float(compiled(*(np.float64(at[n]) for n in names))[0])


_union, _corners = _number(terms.union), _number(terms.union_corners)
_F_sampling, _F_norm, _row = _number(terms.F_sampling), _number(terms.F_norm), _number(terms.row)


def _deviation(x: float, rows: float) -> float:
    return 2 * np.sqrt(x / rows) + 2 * x / rows


def _largest(a: np.ndarray) -> np.ndarray:
    return np.abs(a).max(axis=-1, initial=0.0)


def _length(a: np.ndarray) -> np.ndarray:
    return np.linalg.norm(a, axis=-1)


def _link(part: str, name: str, symbols: str, left: Any, right: Any, needs: str = "") -> Link:
    return Link(name, left, right, symbols, Status.DERIVED, SOURCE, part, needs)


# ---------------------------------------------------------------------------------------------- the lemma
@dataclass(frozen=True, eq=False)
class SparseStep:
    """One thresholding step as `lrs.amht.PaperAMHT` with ``inner_steps=1`` makes it: from the iterate before, on all rows."""

    previous: Iterate
    iterate: Iterate
    instance: Instance
    delta: float

    @cached_property
    def shown(self) -> bool:
        """Whether the bounds of the step are shown, and were those of the iterate before: one inner step."""
        info = self.iterate.info
        level = np.asarray(info.get("threshold", np.zeros((0, 0))))
        return {"alpha", "beta", "gamma"} <= set(info) and level.ndim == 2 and level.shape[1] == 1

    def info(self, name: str) -> np.ndarray | None:
        return np.asarray(self.iterate.info[name], dtype=float) if self.shown else None

    @cached_property
    def threshold(self) -> np.ndarray | None:
        level = self.info("threshold")
        return None if level is None else level[:, 0]

    @cached_property
    def v(self) -> np.ndarray:
        """v − v* of every task before the step."""
        model, truth = self.previous.model, self.instance.truth
        return np.asarray(model.W @ model.U.T - truth.W @ truth.U.T)

    @cached_property
    def b(self) -> np.ndarray:
        return np.asarray((self.previous.model.B - self.instance.truth.B).toarray())

    @cached_property
    def after(self) -> np.ndarray:
        return np.asarray((self.iterate.model.B - self.instance.truth.B).toarray())

    @cached_property
    def support(self) -> np.ndarray:
        return self.instance.truth.B.toarray() != 0

    @property
    def k(self) -> int:
        return max(self.instance.problem.sparsity, 1)

    @cached_property
    def m(self) -> int:
        return int(self.instance.problem.data.counts.min())

    @cached_property
    def c1(self) -> np.ndarray | None:
        """c₁ as the threshold shows it: Δ = α + c₁(γ + β/√k)."""
        if self.threshold is None:
            return None
        rest = self.iterate.info["gamma"] + self.iterate.info["beta"] / np.sqrt(self.k)
        return (self.threshold - self.iterate.info["alpha"]) / np.where(rest > 0, rest, 1.0)

    @cached_property
    def grams(self) -> list[np.ndarray]:
        """I − S of every task; kept from step to step, since the rows are the same."""
        held = self.instance.__dict__.setdefault("_profile_grams", [])
        if not held:
            held += [np.eye(X.shape[1]) - X.T @ X / len(X) for X, _ in self.instance.problem.data]
        return list(held)

    @cached_property
    def deviated_b(self) -> np.ndarray:
        return np.stack([g @ u for g, u in zip(self.grams, self.b, strict=True)])

    @cached_property
    def deviated_v(self) -> np.ndarray:
        return np.stack([g @ u for g, u in zip(self.grams, self.v, strict=True)])

    @cached_property
    def corners(self) -> np.ndarray:
        """Largest row sum of ∣I − S∣ over the columns of the support: what the worst b of a cube of half width 1 reaches."""
        return np.array(
            [np.abs(g[:, s]).sum(axis=1).max(initial=0.0) for g, s in zip(self.grams, self.support, strict=True)]
        )

    def x(self, corners: bool = False) -> float:
        sizes = {"d": self.instance.problem.d, "t": self.instance.problem.t, "delta": self.delta}
        return _corners(k=self.k, **sizes) if corners else _union(**sizes)


def _paper(instance: Instance, rounds: int, solver: Solver | None) -> tuple[Problem, Solver]:
    """OptimizeSparseVector with true α, β, γ, one inner step an outer step, c₁ = ¼ as in the public code."""
    chosen = PaperAMHT(schedule="oracle", truth=instance.truth, inner_steps=1, c1=0.25, max_iterations=rounds)
    return instance.problem, solver or chosen


def _share(step: SparseStep, of: str) -> np.ndarray | None:
    if step.c1 is None:
        return None
    return step.c1 * np.asarray(step.iterate.info[of]) / (1 if of == "gamma" else np.sqrt(step.k))


_BOUNDS = (
    _link(
        "schedule",
        "α bounds v",
        "‖v − v*‖_∞ ≤ α",
        lambda s: _largest(s.v),
        lambda s: s.info("alpha"),
        "α bounds v entry-wise",
    ),
    _link("schedule", "β bounds v", "‖v − v*‖₂ ≤ β", lambda s: _length(s.v), lambda s: s.info("beta"), "β bounds v"),
    _link(
        "schedule",
        "γ bounds b",
        "‖b − b*‖_∞ ≤ γ",
        lambda s: _largest(s.b),
        lambda s: s.info("gamma"),
        "γ bounds b entry-wise",
    ),
    _link(
        "length",
        "length of b",
        "‖b − b*‖₂ ≤ √k‖b − b*‖_∞",
        lambda s: _length(s.b),
        lambda s: np.sqrt(s.k) * _largest(s.b),
        "support contained before",
    ),
)
_V_TERM = _link(
    "concentration",
    "entry of (I − S)(v − v*)",
    "‖(I − S)(v − v*)‖_∞ ≤ (2√(x/m) + 2x/m)‖v − v*‖₂",
    lambda s: _largest(s.deviated_v),
    lambda s: _deviation(s.x(), s.m) * _length(s.v),
    "v independent of the rows",
)
_END = (
    _link(
        "threshold",
        "c within Δ",
        "∣α-term∣ + c₁-terms ≤ Δ",
        lambda s: _largest(s.deviated_b - s.v + s.deviated_v),
        lambda s: s.threshold,
        "rows",
    ),
    _link(
        "threshold",
        "two thresholds",
        "‖b⁺ − b*‖_∞ ≤ 2Δ",
        lambda s: _largest(s.after),
        lambda s: None if s.threshold is None else 2 * s.threshold,
        "rows",
    ),
    _link(
        "threshold",
        "no false entry",
        "max of b⁺ outside supp b* ≤ 0",
        lambda s: np.abs(np.where(s.support, 0.0, s.after)).max(axis=1),
        lambda s: np.zeros(len(s.support)),
        "rows",
    ),
)


def _rows(corners: bool) -> Link:
    return _link(
        "rows",
        "rows",
        "2√(x/m) + 2x/m ≤ c₁/√k",
        lambda s: _deviation(s.x(corners), s.m),
        lambda s: None if s.c1 is None else s.c1 / np.sqrt(s.k),
        "rows",
    )


_SPARSE_MISSING = {
    "v fitted to the same rows": "amht-paper reuses its rows, and v then depends on them; the lemma takes v as given",
}
GIVEN_B = Chain(
    (
        *_BOUNDS,
        _link(
            "concentration",
            "entry of (I − S)(b − b*), b given",
            "‖(I − S)(b − b*)‖_∞ ≤ (2√(x/m) + 2x/m)‖b − b*‖₂",
            lambda s: _largest(s.deviated_b),
            lambda s: _deviation(s.x(), s.m) * _length(s.b),
            "b independent of the rows",
        ),
        _V_TERM,
        _rows(False),
        *_END,
    ),
    SparseStep,
    _paper,
    _SPARSE_MISSING,
)
EVERY_B = Chain(
    (
        *_BOUNDS[:3],
        _link(
            "concentration",
            "the worst b of the cube",
            "‖(I − S)(b − b*)‖_∞ ≤ sup over ‖u‖_∞ ≤ ‖b − b*‖_∞ on supp b*",
            lambda s: _largest(s.deviated_b),
            lambda s: s.corners * _largest(s.b),
            "support contained before",
        ),
        _link(
            "concentration",
            "union over 2ᵏ corners",
            "sup ≤ √k (2√(x/m) + 2x/m) γ, x = k ln 2 + ln(6dt/δ)",
            lambda s: s.corners,
            lambda s: np.full(len(s.support), np.sqrt(s.k) * _deviation(s.x(True), s.m)),
        ),
        _V_TERM,
        _rows(True),
        *_END,
    ),
    SparseStep,
    _paper,
    _SPARSE_MISSING,
)


# ---------------------------------------------------------------------------------------------- fresh rows
@dataclass(frozen=True, eq=False)
class OuterStep:
    """One outer step of `FreshRows`: what the three steps of the proof speak about."""

    previous: Iterate
    iterate: Iterate
    instance: Instance
    delta: float

    @property
    def shown(self) -> bool:
        return "fresh" in self.iterate.info

    @cached_property
    def fresh(self) -> dict[str, Any]:
        return dict(self.iterate.info["fresh"])

    @property
    def E(self) -> float:
        return float(self.fresh["E"])

    @property
    def q(self) -> int:
        return int(self.fresh["q"])

    @cached_property
    def sizes(self) -> dict[str, float]:
        p, found = self.instance.problem, measure_parameters(self.instance.truth)
        sizes = {"d": p.d, "t": p.t, "r": p.rank, "k": max(p.sparsity, 1)}
        return sizes | {name: found[name] for name in ("mu", "nu", "zeta", "lambda_r")}

    @cached_property
    def rounds(self) -> int:
        return int(self.instance.problem.data.counts.min()) // (4 * self.q)

    @cached_property
    def x(self) -> float:
        """ln(12 d t L/δ)."""
        return float(np.log(12 * self.sizes["d"] * self.sizes["t"] * self.rounds / self.delta))

    @property
    def root(self) -> float:
        return float(np.sqrt(self.sizes["k"]))

    @cached_property
    def v(self) -> np.ndarray:
        return self._shared(self.fresh["W"], self.fresh["U"])

    @cached_property
    def v_after(self) -> np.ndarray:
        return self._shared(self.iterate.model.W, self.iterate.model.U)

    def _shared(self, W: np.ndarray, U: np.ndarray) -> np.ndarray:
        truth = self.instance.truth
        return np.asarray(W @ U.T - truth.W @ truth.U.T)

    @cached_property
    def true_b(self) -> np.ndarray:
        return np.asarray(self.instance.truth.B.toarray())

    def b(self, inner: int) -> np.ndarray:
        """b − b* before inner step ``inner``; INNER is after the last."""
        at = self.fresh["inner"]
        return np.asarray((at[inner][0] if inner < INNER else at[-1][2]) - self.true_b)

    def c(self, inner: int) -> np.ndarray:
        return np.asarray(self.fresh["inner"][inner][1] - self.true_b)

    def level(self, inner: int, which: int) -> float:
        return float(self.fresh["inner"][inner][which])

    @cached_property
    def rows_v(self) -> np.ndarray:
        """(I − S)(v − v*) on the rows of the first inner step."""
        X, _ = cut_rows(self.instance.problem.data, self.rounds)
        x = X[self.iterate.iteration - 1, 0]
        return np.asarray(self.v - np.einsum("tqd,tq->td", x, np.einsum("tqd,td->tq", x, self.v)) / self.q)

    def rows_b(self, inner: int) -> np.ndarray:
        """(I − S)(b − b*) on the rows of an inner step."""
        X, _ = cut_rows(self.instance.problem.data, self.rounds)
        x, u = X[self.iterate.iteration - 1, inner], self.b(inner)
        return np.asarray(u - np.einsum("tqd,tq->td", x, np.einsum("tqd,td->tq", x, u)) / self.q)

    # ------------------------------------------------------------------ subspace
    @property
    def W(self) -> np.ndarray:
        return np.asarray(self.fresh["W"])

    @cached_property
    def solve(self) -> np.ndarray:
        """W(WᵀW)⁻¹ (t, r)."""
        return np.asarray(np.linalg.solve(self.W.T @ self.W, self.W.T).T)

    @cached_property
    def s_W(self) -> float:
        return float(np.linalg.svd(self.W, compute_uv=False)[-1])

    @cached_property
    def Q(self) -> np.ndarray:
        return np.asarray(self.instance.truth.W.T @ self.solve)

    @cached_property
    def F(self) -> np.ndarray:
        return np.asarray(self.fresh["plus"] - self.instance.truth.U @ self.Q)

    @cached_property
    def F_b(self) -> np.ndarray:
        return np.asarray(-self.b(INNER).T @ self.solve)

    @cached_property
    def F_N(self) -> np.ndarray:
        return self.F - self.F_b

    @cached_property
    def f(self) -> np.ndarray:
        """f of every task (t, d): v* = Ūŵ − f."""
        return np.asarray((self.F @ np.linalg.solve(self.Q, self.instance.truth.W.T)).T)

    @cached_property
    def H(self) -> float:
        return float(_length(self.v + self.b(INNER)).max())

    @cached_property
    def M(self) -> float:
        return float(np.sqrt(self.sizes["mu"] * self.sizes["lambda_r"]))

    def terms(self) -> dict[str, float]:
        s = self.sizes
        return {
            "p_share": float(np.sqrt(s["zeta"] * s["mu"] * s["r"] / s["t"])),
            "q_row": float(np.sqrt(s["k"] * s["nu"] * s["r"] / s["d"])),
            "n_rows": float(s["r"] * np.sqrt(s["mu"] * s["d"] * self.x / (self.q * s["t"]))),
        }

    def at(self, function: Callable[..., float], names: tuple[str, ...]) -> float:
        found = self.terms()
        value = function(**{n: found[n] for n in names})
        return value if value > 0 else np.inf  # a denominator below 0: the bound says nothing

    # ------------------------------------------------------------------ weights
    @property
    def U(self) -> np.ndarray:
        return np.asarray(self.iterate.model.U)

    @cached_property
    def unexplained(self) -> np.ndarray:
        """u = b* − b − f of every task."""
        return -self.b(INNER) - self.f

    @cached_property
    def eta(self) -> np.ndarray:
        """Error of the weights beyond Ūᵀu (t, r)."""
        R = self.U.T @ self.fresh["plus"]
        w_hat = (R @ np.linalg.solve(self.Q, self.instance.truth.W.T)).T
        return np.asarray(self.iterate.model.W - w_hat - self.unexplained @ self.U)

    @property
    def omega(self) -> float:
        a = np.sqrt(self.sizes["r"]) + np.sqrt(2 * self.x)
        left = np.sqrt(self.q) - a
        return float(a / left) if left > 0 else float("inf")


def _fresh(instance: Instance, rounds: int, solver: Solver | None) -> tuple[Problem, Solver]:
    """`FreshRows` from the problem's warm start, or from a start near the truth where it has none."""
    p = instance.problem
    if p.rank < 1 or measure_parameters(instance.truth)["lambda_r"] == 0:
        raise InvalidInput(
            "instance: the proof needs r ≥ 1 and weights that span R^r (λ_r > 0); generate one that has them"
        )
    start = p.warm_start or start_near(instance.truth, p.sparsity)
    problem = Problem(p.data, p.rank, p.sparsity, p.noise, start)
    return problem, solver or FreshRows(start_error(start, instance.truth, p.sparsity), rounds)


def _fresh_links() -> tuple[Link, ...]:
    sparse, subspace, weight, end = "sparse step", "subspace step", "weight step", "outer step"

    def link(part: str, name: str, symbols: str, left: Any, right: Any, needs: str = "") -> Link:
        hidden = lambda side: lambda s: side(s) if s.shown else None  # noqa: E731
        return _link(part, name, symbols, hidden(left), hidden(right), needs)

    found = [
        link(sparse, "v entry-wise", "√k‖v − v*‖_∞ ≤ E", lambda s: s.root * _largest(s.v), lambda s: s.E, "start"),
        link(sparse, "length of v", "‖v − v*‖₂ ≤ E", lambda s: _length(s.v), lambda s: s.E, "start"),
        link(
            sparse,
            "entry of (I − S)(v − v*)",
            "‖(I − S)(v − v*)‖_∞ ≤ (2√(x/m) + 2x/m)‖v − v*‖₂",
            lambda s: _largest(s.rows_v),
            lambda s: _deviation(s.x, s.q) * _length(s.v),
        ),
    ]
    for inner in range(INNER):
        tag = f", inner step {inner + 1}"
        found += [
            link(
                sparse,
                "length of b" + tag,
                "‖b − b*‖₂ ≤ √kγ",
                partial(_b_length, inner),
                partial(_gamma, inner),
                "rows of the sparse step",
            ),
            link(
                sparse,
                "entry of (I − S)(b − b*)" + tag,
                "‖(I − S)(b − b*)‖_∞ ≤ (2√(x/m) + 2x/m)‖b − b*‖₂",
                partial(_b_deviated, inner),
                partial(_b_deviation, inner),
            ),
            link(
                sparse,
                "c within Δ" + tag,
                "‖c − b*‖_∞ ≤ Δ",
                partial(_c_error, inner),
                partial(_cut, inner),
                "rows of the sparse step",
            ),
            link(
                sparse,
                "two thresholds" + tag,
                "‖b⁺ − b*‖_∞ ≤ 2Δ",
                partial(_b_largest, inner + 1),
                partial(_two_cuts, inner),
                "rows of the sparse step",
            ),
        ]
    found += [
        link(
            sparse,
            "rows of the sparse step",
            "2√(x/m) + 2x/m ≤ c₁/√k",
            lambda s: _deviation(s.x, s.q),
            lambda s: C1 / s.root,
            "rows of the sparse step",
        ),
        link(
            sparse,
            "entries of b",
            "√k‖b − b*‖_∞ ≤ 13/4 E",
            lambda s: s.root * _largest(s.b(INNER)),
            lambda s: ENTRY * s.E,
            "rows of the sparse step",
        ),
        link(
            subspace,
            "weights keep their rank",
            "(7/8)√(tλ_r/r) ≤ s_min(W)",
            lambda s: 7 / 8 * np.sqrt(s.sizes["t"] * s.sizes["lambda_r"] / s.sizes["r"]),
            lambda s: s.s_W,
            "start",
        ),
        link(
            subspace,
            "norm of the errors of b",
            "‖B − B*‖ ≤ √(kζ) max∣b − b*∣",
            lambda s: np.linalg.norm(s.b(INNER), 2),
            lambda s: np.sqrt(s.sizes["k"] * s.sizes["zeta"]) * _largest(s.b(INNER)).max(),
            "support contained before",
        ),
        link(
            subspace,
            "what b leaves in U",
            "‖F_b‖ ≤ ‖B − B*‖/s_min(W)",
            lambda s: np.linalg.norm(s.F_b, 2),
            lambda s: np.linalg.norm(s.b(INNER), 2) / s.s_W,
        ),
        link(
            subspace,
            "rows of what b leaves",
            "‖F_b‖_{2,∞} ≤ ζ max∣b − b*∣ max‖w‖/s_min(W)²",
            lambda s: _length(s.F_b).max(),
            lambda s: s.sizes["zeta"] * _largest(s.b(INNER)).max() * _length(s.W).max() / s.s_W**2,
            "support contained before",
        ),
        link(
            subspace,
            "rows of what sampling leaves",
            "‖F_N‖_{2,∞} ≤ 2√r H(√(x/m)/s_min(W) + x max‖w‖/(m s_min(W)²))",
            lambda s: _length(s.F_N).max(),
            lambda s: (
                2
                * np.sqrt(s.sizes["r"])
                * s.H
                * (np.sqrt(s.x / s.q) / s.s_W + s.x * _length(s.W).max() / (s.q * s.s_W**2))
            ),
        ),
        link(
            subspace,
            "norm from rows",
            "‖F_N‖ ≤ √d‖F_N‖_{2,∞}",
            lambda s: np.linalg.norm(s.F_N, 2),
            lambda s: np.sqrt(s.sizes["d"]) * _length(s.F_N).max(),
        ),
        link(
            subspace,
            "error of U in sizes",
            "‖F‖√(μλ_r) ≤ (26/7 p + 10 n)E",
            lambda s: np.linalg.norm(s.F, 2) * s.M,
            lambda s: s.at(_F_norm, ("p_share", "n_rows")) * s.E,
            "start",
        ),
        link(
            subspace,
            "rotation is invertible",
            "6/7 ≤ s_min(Q)",
            lambda s: 6 / 7,
            lambda s: np.linalg.svd(s.Q, compute_uv=False)[-1],
            "start",
        ),
        link(
            subspace,
            "error of a task",
            "‖f‖₂ ≤ ‖F‖√(μλ_r)/s_min(Q)",
            lambda s: _length(s.f),
            lambda s: np.linalg.norm(s.F, 2) * s.M / np.linalg.svd(s.Q, compute_uv=False)[-1],
        ),
        link(
            subspace,
            "rows of the new U",
            "√k‖Ū‖_{2,∞} ≤ (8/7 q + …)/(6/7 − …)",
            lambda s: s.root * _length(s.U).max(),
            lambda s: s.at(_row, ("p_share", "q_row", "n_rows")),
            "start",
        ),
        link(
            weight,
            "what b leaves in w",
            "‖Ūᵀ(b − b*)‖ ≤ ‖Ū‖_{2,∞} k max∣b − b*∣",
            lambda s: _length(s.b(INNER) @ s.U),
            lambda s: _length(s.U).max() * s.sizes["k"] * _largest(s.b(INNER)),
            "support contained before",
        ),
        link(
            weight,
            "what sampling leaves in w",
            "‖η‖ ≤ ω‖u‖",
            lambda s: _length(s.eta),
            lambda s: s.omega * _length(s.unexplained),
        ),
        link(
            weight,
            "rows of the weight step",
            "ω ≤ 1/20",
            lambda s: s.omega,
            lambda s: 1 / 20,
            "rows of the weight step",
        ),
        link(end, "length halves", "‖v⁺ − v*‖₂ ≤ E/2", lambda s: _length(s.v_after), lambda s: s.E / 2, "all"),
        link(
            end,
            "entries halve",
            "√k‖v⁺ − v*‖_∞ ≤ E/2",
            lambda s: s.root * _largest(s.v_after),
            lambda s: s.E / 2,
            "all",
        ),
    ]
    return tuple(found)


def _b_length(inner: int, s: OuterStep) -> np.ndarray:
    return _length(s.b(inner))


def _gamma(inner: int, s: OuterStep) -> float:
    return s.root * s.level(inner, 3)


def _b_deviated(inner: int, s: OuterStep) -> np.ndarray:
    return _largest(s.rows_b(inner))


def _b_deviation(inner: int, s: OuterStep) -> np.ndarray:
    return _deviation(s.x, s.q) * _length(s.b(inner))


def _c_error(inner: int, s: OuterStep) -> np.ndarray:
    return _largest(s.c(inner))


def _cut(inner: int, s: OuterStep) -> float:
    return s.level(inner, 4)


def _two_cuts(inner: int, s: OuterStep) -> float:
    return 2 * s.level(inner, 4)


def _b_largest(inner: int, s: OuterStep) -> np.ndarray:
    return _largest(s.b(inner))


FRESH_ROWS = Chain(
    _fresh_links(),
    OuterStep,
    _fresh,
    {
        "subspace step by exact least squares": "needs the rows of the inverse of Σ wwᵀ ⊗ XᵀX, of size dr, one by one; the mean of "
        "that matrix stands in for it here",
        "rows used again": "b, U and w would depend on the rows they are tested on: a union over b alone costs a factor k "
        "(sparse-vector-lemma), and one over U about d r",
        "the paper's max(k, r³) and k d r⁴": "the links here ask for k x, r + x and μ d r² x/t rows: neither r³ nor r⁴ occurs in them, so "
        "that they belong to links of the paper's proof that are not at hand, the two above among the candidates",
        "start": "a moment start within E₀ ≤ √(λ_r/r)/8 in every entry is not derived",
        "noise": "the chain is for σ = 0",
    },
)
