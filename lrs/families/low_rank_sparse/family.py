"""Low rank + sparse as a family: its parameters, errors and criteria, and what can be wrong with an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import partial
from typing import Any, ClassVar, get_args

import numpy as np

from lrs.core.errors import InvalidInput
from lrs.core.family import LOW_RANK_SPARSE, TOLERANCE, Criterion, Parameter, Setting, Value
from lrs.core.run import Fault
from lrs.core.solver import Callback
from lrs.core.validate import probability, real
from lrs.families.low_rank_sparse import metrics
from lrs.families.low_rank_sparse.generate import generate
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import Instance, MultiTaskData, Problem
from lrs.families.low_rank_sparse.scaling import solved
from lrs.families.low_rank_sparse.spec import CovariateLaw, InstanceSpec, SparseLaw

#: Largest entry of |UᵀU − I| of a U that counts as orthonormal.
ORTHONORMAL = 1e-8
NOT_ORTHONORMAL = Fault.declare("NOT_ORTHONORMAL", "returns a U whose columns are not orthonormal")
TOO_DENSE = Fault.declare("TOO_DENSE", "returns a b with more than k non-zeros")

_DEFAULTS = {f.name: f.default for f in fields(InstanceSpec)}


def _parameter(name: str, meaning: str, *options: str, **rest: Any) -> Parameter:
    if "default" not in rest and name not in ("t", "m", "d", "r", "k"):
        rest["default"] = _DEFAULTS[name]
    return Parameter(name=name, meaning=meaning, options=options, **rest)


_PARAMETERS = (
    _parameter("t", "Number of tasks t.", "-t", "--tasks", words="tasks", size=True, eases=True),
    _parameter("m", "Rows per task m.", "-m", "--rows", words="samples per task", size=True, eases=True, nested=True),
    _parameter("d", "Number of features d.", "-d", "--features", words="dimension", size=True),
    _parameter("r", "Number of shared directions r.", "-r", "--rank", words="rank of the shared part", size=True),
    _parameter(
        "k",
        "Non-zeros k of every task's personal part b.",
        "-k",
        "--sparsity",
        words="non-zeros of the personal part",
        size=True,
    ),
    _parameter("noise", "Standard deviation σ of the noise.", words="noise level σ", kind=float),
    _parameter(
        "coherence", "A1: coherence of U, 0 (random) to 1 (e₁ in its span).", words="coherence of U", kind=float
    ),
    _parameter("kappa", "A1: eigenvalue ratio λ₁/λ_r of the weights, ≥ 1.", words="task diversity κ", kind=float),
    _parameter("w_spread", "A1: norm spread of w, σ of a log-normal factor.", words="norm spread of w", kind=float),
    _parameter("w_rank", "A1: rank of W; below r violates task diversity."),
    _parameter("duplicates", "A1: tasks that repeat an earlier task's parameters.", words="repeated tasks"),
    _parameter("zeta", "A2: most tasks that may share a coordinate of b.", words="tasks per coordinate ζ", size=True),
    _parameter(
        "b_law", "Law of the non-zeros of b.", words="law of the personal part", kind=str, choices=get_args(SparseLaw)
    ),
    _parameter("b_scale", "Factor on b.", kind=float),
    _parameter(
        "x_law", "Law of the covariates.", words="law of the covariates", kind=str, choices=get_args(CovariateLaw)
    ),
    _parameter("x_parameter", "Its degrees of freedom (student-t), correlation, or ratio of scales.", kind=float),
    _parameter(
        "ragged",
        "Spread of the rows per task: m_i from m (1 − ragged) to m.",
        words="raggedness of the tasks",
        kind=float,
    ),
)

_TARGET: dict[str, Any] = {"words": "target", "kind": float, "trait": "private"}
_SETTINGS = (
    Setting(
        name="epsilon",
        meaning="Target ε of the private solvers, with its δ.",
        eases=True,
        check=partial(real, above=0, infinite=True),
        **_TARGET,
    ),
    Setting(name="delta", meaning="Target δ of the private solvers.", eases=True, check=probability, **_TARGET),
)
#: Sine of the largest angle above which the shared subspace counts as wrong.
SUBSPACE_TOLERANCE = 1e-3


def _all_tasks(errors: Mapping[str, float], tolerance: float, share: float) -> bool:
    return errors["tasks_recovered"] >= share


def _parts(errors: Mapping[str, float], tolerance: float, share: float) -> bool:
    supports = errors["support_precision"] == errors["support_recall"] == 1
    return errors["tasks_recovered"] >= 1 and errors["subspace_distance"] <= tolerance and supports


_CRITERIA = (
    Criterion("all", "every task has relative error ‖θ̂ − θ*‖₂/‖θ*‖₂ ≤ {tolerance}", _all_tasks),
    Criterion(
        "theta",
        "the relative error of all parameters together, ‖Θ̂ − Θ*‖_F/‖Θ*‖_F, is ≤ {tolerance}",
        lambda errors, tolerance, share: errors["theta_error"] <= tolerance,
    ),
    Criterion(
        "subspace",
        "the sine of the largest angle between the subspaces is ≤ {tolerance}",
        lambda errors, tolerance, share: errors["subspace_distance"] <= tolerance,
    ),
    Criterion(
        "parts",
        "every task and the subspace are right to {tolerance}, and every support, so that the split into a shared and a "
        "personal part is recovered and not only their sum",
        _parts,
    ),
    Criterion(
        "fraction", "at least a share {share} of the tasks has relative error ≤ {tolerance}", _all_tasks, shared=True
    ),
)


class LowRankSparse:
    """The family of the paper's model (see `lrs.core.family.Family` for what each member means)."""

    name: ClassVar[str] = LOW_RANK_SPARSE
    title: ClassVar[str] = "low rank + sparse"
    version: ClassVar[int] = 1
    note: ClassVar[str] = (
        "A1 (incoherence and task diversity) and A2 (row sparsity) are the assumptions of the theorem that a setting touches."
    )
    parameters: ClassVar[Mapping[str, Parameter]] = {p.name: p for p in _PARAMETERS}
    errors_of: ClassVar[Mapping[str, str]] = {
        "theta_error": "relative error of all parameters",
        "subspace_distance": "subspace distance",
        "tasks_recovered": "share of the tasks recovered",
        "support_precision": "support precision",
        "support_recall": "support recall",
    }
    criteria: ClassVar[Mapping[str, Criterion]] = {c.name: c for c in _CRITERIA}
    settings: ClassVar[Mapping[str, Setting]] = {s.name: s for s in _SETTINGS}
    parts: ClassVar[Mapping[str, str]] = {"support": "S", "subspace": "U", "weights": "W"}
    traits: ClassVar[Mapping[str, tuple[str, bool]]] = {
        "trace": ("calls the callback once per outer step", True),
        "exact": ("aims at exact recovery without noise", True),
        "noise": ("is meant for noisy data", True),
        "low_rank": ("models U w", True),
        "sparse": ("models b", True),
        "warm_start": ("uses problem.warm_start", False),
        "ragged": ("takes tasks of different sizes", True),
        "private": ("is an `lrs.PrivateAMHT`, whose settings and ledger are in Solution.info['account']", False),
        "finds_sizes": ("finds rank, sparsity and noise itself, whatever the problem says of them", False),
        "thresholds": ("shows its threshold Δ (t,) or (t, T) in Iterate.info['threshold']", False),
    }
    example: ClassVar[Mapping[str, Value]] = {"t": 6, "m": 5, "d": 6, "r": 1, "k": 1}
    theorems: ClassVar[Mapping[str, str]] = {"amht-informal": "AMHT-LRS, the bounds on rows and tasks"}
    limits: ClassVar[Mapping[str, str]] = {
        "counting limit": "theory.families.low_rank_sparse.limits:counting_rows",
        "stable scale": "theory.families.low_rank_sparse.limits:stable_scale_rows",
        "Donoho–Tanner": "theory.families.low_rank_sparse.limits:ell_one_rows",
    }
    overlays: ClassVar[Mapping[str, str]] = {
        "counting": "theory.yardsticks:counting",
        "l1-known-u": "theory.yardsticks:l1_known_u",
        "bayes": "theory.yardsticks:bayes",
        "identifiability": "theory.yardsticks:identifiability",
        "private": "theory.yardsticks:private",
    }
    mapped: ClassVar[str] = "amht-informal"
    #: An error, and what knows the least one possible at the sizes of a specification (0 where nobody does).
    best_error: ClassVar[tuple[str, str]] = ("theta_error", "theory.reachable:relative_bayes")
    scaling: ClassVar[str] = "theory.families.low_rank_sparse.scaling:SCALING"
    mutants: ClassVar[str] = "property_tests.families.low_rank_sparse.mutants:MUTANTS"
    regions: ClassVar[str] = "property_tests.families.low_rank_sparse.strategies:region_for"
    tried: ClassVar[str] = "property_tests.families.low_rank_sparse.strategies:tried"

    def spec(self, **values: Any) -> InstanceSpec:
        """As `InstanceSpec.from_dict`."""
        return InstanceSpec.from_dict(values)

    def draw(self, spec: InstanceSpec, key: Sequence[int]) -> Instance:
        """As `lrs.generate`."""
        return generate(spec, key)

    def restrict(self, instance: Instance, name: str, value: int) -> Instance:
        """The first m rows of every task."""
        if name != "m":
            raise InvalidInput(f"{name}: only m has nested data, a prefix of the rows")
        return instance.prefix(value)

    def errors(self, answer: LRSModel, instance: Instance, *, tolerance: float = TOLERANCE) -> dict[str, float]:
        """As `lrs.metrics` defines them."""
        both = metrics.Comparison(answer, instance.truth)
        return {
            "theta_error": both.theta_error,
            "subspace_distance": metrics.subspace_distance(answer.U, instance.truth.U),
            "tasks_recovered": both.tasks_recovered(tolerance),
            "support_precision": both.support_precision,
            "support_recall": both.support_recall,
        }

    def wrong_part(self, errors: Mapping[str, float]) -> str:
        """The subspace when it is off, else the supports, else the weights."""
        if errors["subspace_distance"] > SUBSPACE_TOLERANCE:
            return "subspace"
        right = errors["support_precision"] >= 1 and errors["support_recall"] >= 1
        return "weights" if right else "support"

    def configure(self, solver: Any, spec: InstanceSpec, rng: np.random.Generator, **values: Any) -> Any:
        """A solver with the method ``for_study`` takes them (`lrs.PrivateAMHT`); others stay as they are."""
        return solver.for_study(spec, rng, **values) if hasattr(solver, "for_study") else solver

    def solved(
        self, solver: Any, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None
    ) -> Any:
        """Called on numbers near one (`lrs.families.low_rank_sparse.scaling`), with one factor for X and one for y."""
        return solved(solver, problem, rng=rng, callback=callback, one_factor=True)

    def quantities(self, subject: Any) -> dict[str, float]:
        """The sizes and the noise; what is measured of a truth is in `theory.families.low_rank_sparse.measurement`."""
        if isinstance(subject, Instance | Problem):
            problem = subject.problem if isinstance(subject, Instance) else subject
            sizes: dict[str, float] = {"t": problem.t, "m": int(problem.data.counts.min()), "d": problem.d}
            return {**sizes, "r": problem.rank, "k": problem.sparsity, "sigma": problem.noise}
        return {**{n: getattr(subject, n) for n in ("t", "m", "d", "r", "k")}, "sigma": subject.noise}

    def audit(self, problem: Problem, answer: LRSModel) -> dict[str, str]:
        """Shapes, finiteness, orthonormality of U, sparsity of b."""
        t, d, r = problem.t, problem.d, problem.rank
        U, W = answer.U, answer.W
        if U.shape[0] != d or W.shape != (t, U.shape[1]) or U.shape[1] > r:
            shapes = f"U {U.shape} and W {W.shape}, expected (d, r) = {(d, r)} and (t, r) = {(t, r)}"
            return {"WRONG_SHAPE": shapes}
        for name, a in (("U", U), ("W", W), ("B", answer.B.data)):
            if not np.isfinite(a).all():
                return {"NOT_FINITE": f"{name} holds NaN or infinite values"}
        found = {}
        gap = float(np.abs(U.T @ U - np.eye(U.shape[1])).max(initial=0.0))
        if gap > ORTHONORMAL:
            found[NOT_ORTHONORMAL.name] = f"max |UᵀU − I| = {gap:.2g}"
        indices = np.flatnonzero(answer.B.data)
        nonzeros = np.diff(np.searchsorted(indices, answer.B.indptr))
        if nonzeros.max(initial=0) > problem.sparsity:
            task = int(nonzeros.argmax())
            found[TOO_DENSE.name] = (
                f"{nonzeros[task]} non-zeros in task {task}, at most k = {problem.sparsity} were allowed"
            )
        return found

    def pack(self, value: Any) -> dict[str, Any]:
        """Plain arrays of an `LRSModel`, a `Problem` or an `Instance`."""
        if isinstance(value, LRSModel):
            return value.to_arrays()
        if isinstance(value, Instance):
            spec = None if value.spec is None else value.spec.to_dict()
            labels = [str(n) for n in value.problem.data.task_names]  # a file knows no other labels
            return {
                "problem": {**self.pack(value.problem), "task_names": labels},
                "truth": self.pack(value.truth),
                "spec": spec,
                "seed": value.seed,
            }
        if not isinstance(value, Problem):
            raise InvalidInput(f"pack: expected a model, a problem or an instance, got {type(value).__name__}")
        data, start = value.data, value.warm_start
        return {
            "X": data.X,
            "y": data.y,
            "offsets": data.offsets,
            "task_names": list(data.task_names),
            "feature_names": list(data.feature_names),
            "rank": value.rank,
            "sparsity": value.sparsity,
            "noise": value.noise,
            "warm_start": None if start is None else start.to_arrays(),
        }

    def unpack(self, packed: Mapping[str, Any]) -> Any:
        """Inverse of `pack`; the arrays of a problem are copies that own their memory."""
        if "problem" in packed:
            spec = None if packed["spec"] is None else InstanceSpec.from_dict(packed["spec"])
            if not all(isinstance(part, int) for part in packed["seed"]):
                raise InvalidInput(f"seed: expected a list of whole numbers, got {packed['seed']!r:.100}")
            return Instance(self.unpack(packed["problem"]), self.unpack(packed["truth"]), spec, tuple(packed["seed"]))
        if "offsets" not in packed:
            return LRSModel.from_arrays(packed)
        X, y, offsets = (np.array(packed[n]) for n in ("X", "y", "offsets"))
        if isinstance(packed["feature_names"], Mapping) or not all(isinstance(n, str) for n in packed["feature_names"]):
            raise InvalidInput(f"feature_names: expected texts, got {packed['feature_names']!r:.100}")
        if any(n is None or isinstance(n, list | dict) for n in packed["task_names"]):
            raise InvalidInput(f"task_names: expected texts or numbers, got {packed['task_names']!r:.100}")
        data = MultiTaskData(X, y, offsets, tuple(packed["task_names"]), tuple(packed["feature_names"]))
        start = packed.get("warm_start")
        start = None if start is None else LRSModel.from_arrays(start)
        return Problem(data, packed["rank"], packed["sparsity"], packed["noise"], start)

    def cost(self, spec: InstanceSpec) -> float:
        """t m d (r + k + 1), one pass over the data."""
        return float(spec.t * spec.m * spec.d * (spec.r + spec.k + 1))
