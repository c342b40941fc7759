"""Is an answer the only one? A certificate from data and answer alone, without any ground truth [D].

Three levels, task by task:

(i)   locally unique: no other answer with the same supports lies near. The task's residual is zero, its [X⁽ⁱ⁾U, X⁽ⁱ⁾_S]
      has full rank, and the Jacobian of all tasks is full up to the gauge (module `subspace`).
(ii)  the support too, U given: for almost every truth with at most k personal coordinates, for every one, or because all
      supports were tried (module `tasks`).
(iii) everything, this U included: from the tasks of level (ii) alone, whose left-over rows Σ_i (rank X⁽ⁱ⁾ − r − k)₊ must exceed
      r(d − r), the Jacobian is full and its normals exclude every other U, w, b and supports for almost every truth
      (`subspace.contact`).

r and k are the problem's: an answer of another rank, or a task with more than k non-zeros, passes no level beyond (i).
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from lrs.core.errors import InvalidInput
from lrs.core.validate import integer
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import MultiTaskData, Problem
from theory.families.low_rank_sparse.identifiability.subspace import Spectrum, Tied, contact, spectrum, tie
from theory.families.low_rank_sparse.identifiability.tasks import (
    SEPARATION,
    Support,
    Tasks,
    examine,
    other_supports,
    supports_of,
)

#: What `accuracy` may be at most for a certificate: the tolerance of *recovered*.
_ACCURACY = 1e-6


class IdentifiabilityVerdict(enum.Enum):
    """What is certified of all tasks together."""

    UNIQUE = "unique"
    LOCAL = "local"
    DETERMINED = "determined"
    AMBIGUOUS = "ambiguous"
    UNDECIDED = "undecided"

    @property
    def sentence(self) -> str:
        """One full sentence for people."""
        return _SENTENCES[self]


_SENTENCES = {
    IdentifiabilityVerdict.UNIQUE: (
        "All tasks are certified at level (iii): for almost every truth of the declared rank and sparsity this answer is "
        "the truth, U, supports and all."
    ),
    IdentifiabilityVerdict.LOCAL: (
        "The answer reproduces the data and no other with these supports lies near, but others are not excluded: not all "
        "tasks are certified at level (iii)."
    ),
    IdentifiabilityVerdict.DETERMINED: (
        "The data determine all parameters locally, but the answer does not reproduce them exactly: "
        "it is a fit, not a proof of recovery."
    ),
    IdentifiabilityVerdict.AMBIGUOUS: "The answer can be moved without changing what it predicts: others fit as well.",
    IdentifiabilityVerdict.UNDECIDED: "The margin is too close to rounding errors to tell.",
}


@dataclass(frozen=True, eq=False)
class IdentifiabilityCertificate:
    """The certificate of one answer; true when every task is certified at level (iii).

    Attributes
    ----------
    verdict : IdentifiabilityVerdict
    rank, sparsity : int
        r and k that the truth was declared to have.
    levels : tuple of int
        Per task the highest level certified, 0 (nothing) to 3. Level (iii) includes the others; level (ii) takes U as given
        and does not include (i), which speaks of U too.
    local_tasks : tuple of int
        The tasks certified at level (i).
    why : tuple of str
        Per task why it is not at level (iii); empty when it is.
    support : tuple of {"exhaustive", "every b", "almost every b", "none"}
        Per task for which b its support is certified, U given. ``every b`` takes X in general position for granted.
    residual : float
        The worst task's: largest |y − ŷ| / ‖x‖ of its rows, over their root mean square of |y| / ‖x‖.
    accuracy : float
        To first order, how far an exact solution with these supports can be, relative to the sizes of U and of each task's
        parts: residuals over margins. A certificate needs 1e-6.
    equations, unknowns : int
        Rows, and r(d − r) + Σ(r + k_i).
    surplus, needed : int
        Σ(rank X⁽ⁱ⁾ − r − k)₊ over tasks of level (ii), which must exceed r(d − r).
    margin : float
        Smallest non-gauge singular value of the eliminated Jacobian of all tasks, rows and tasks scaled to size one: the
        least response to a unit of U; inf when there is no non-gauge direction (r = 0 or r = d).
    relative_margin : float
        The same over the largest singular value, or over the root mean square one before the elimination if that is
        larger.
    task_margin : float
        Smallest singular value of any task's [XU, X_S], its columns scaled to length one; 0 when one is deficient.
    subspace_determined : bool
        Whether U is determined locally even if some tasks are not.
    subspace_certified : bool
        Whether U is certified at level (iii), by the tasks of level (ii).
    deficient_tasks : tuple of int
        Tasks whose own w and b are not determined by their rows.
    reasons : tuple of str
        What fails, in words.
    direction : (d, r) array
        The worst determined direction of U, orthogonal to the gauge, Frobenius norm 1.
    method : {"dense", "matrix-free", "counting"}
    """

    verdict: IdentifiabilityVerdict
    rank: int
    sparsity: int
    levels: tuple[int, ...] = field(repr=False)
    local_tasks: tuple[int, ...] = field(repr=False)
    why: tuple[str, ...] = field(repr=False)
    support: tuple[Support, ...] = field(repr=False)
    residual: float
    accuracy: float
    equations: int
    unknowns: int
    surplus: int
    needed: int
    margin: float
    relative_margin: float
    task_margin: float
    subspace_determined: bool
    subspace_certified: bool
    deficient_tasks: tuple[int, ...]
    reasons: tuple[str, ...]
    direction: Float[np.ndarray, "d r"] = field(repr=False)
    method: Literal["dense", "matrix-free", "counting"] = "dense"

    def __bool__(self) -> bool:
        return self.verdict is IdentifiabilityVerdict.UNIQUE

    def at_level(self, level: int) -> tuple[int, ...]:
        """The tasks certified at level (i), (ii) or (iii)."""
        return self.local_tasks if level == 1 else tuple(i for i, reached in enumerate(self.levels) if reached >= level)

    @property
    def sentence(self) -> str:
        """The verdict in words, with the figures it rests on."""
        figures = [f"r = {self.rank}, k = {self.sparsity}", f"{self.equations} equations, {self.unknowns} unknowns"]
        figures.append(f"residual {self.residual:.2g}")
        figures.append(f"{self.surplus} rows to spare for {self.needed} unknowns of U")
        if self.method != "counting":
            figures.append(f"margin {self.margin:.3g}, {self.relative_margin:.1e} of the largest singular value")
        counts = ", ".join(f"({'i' * level}) {len(self.at_level(level))}" for level in (1, 2, 3))
        parts = [self.verdict.sentence]
        if self:
            weakest = [(kind, self.support.count(kind)) for kind in ("almost every b", "every b", "exhaustive")]
            named = ", ".join(f"{_QUANTIFIER[kind]} in {n}" for kind, n in weakest if n)
            parts.append(f"Supports, this U given: {named} task(s).")
        else:
            parts.append(f"Tasks certified at level {counts}, of {len(self.levels)}.")
        parts += [f"{reason[0].upper()}{reason[1:]}." for reason in self.reasons]
        return " ".join([*parts, f"({'; '.join(figures)})"])

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what is not finite is None."""
        names: tuple[str, ...] = (
            "rank",
            "sparsity",
            "residual",
            "accuracy",
            "equations",
            "unknowns",
            "surplus",
            "needed",
            "margin",
        )
        names += ("relative_margin", "task_margin", "subspace_determined", "subspace_certified", "method")
        lists = ("levels", "local_tasks", "why", "support", "deficient_tasks", "reasons")
        values: dict[str, Any] = {"verdict": self.verdict.name, "certified": bool(self), "sentence": self.sentence}
        values |= {name: getattr(self, name) for name in names}
        values |= {name: list(getattr(self, name)) for name in lists}
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}


_QUANTIFIER = {
    "almost every b": "unique for almost every b",
    "every b": "for every b (X in general position)",
    "exhaustive": "all supports tried",
}


def _necessary_conditions(data: MultiTaskData, W: np.ndarray, supports: list[np.ndarray], unknowns: int) -> list[str]:
    """The necessary conditions (`theory.families.low_rank_sparse.assumptions.NECESSARY`) that fail, in words."""
    t, r = W.shape
    reasons = []
    if data.n < unknowns:
        reasons.append(f"there are {data.n} rows for {unknowns} unknowns")
    short = [i for i in range(t) if data.counts[i] < r + len(supports[i])]
    if short:
        reasons.append(
            f"{len(short)} task(s) have fewer rows than r + k_i (task {data.task_names[short[0]]!r}: "
            f"{data.counts[short[0]]} rows, r + k_i = {r + len(supports[short[0]])})"
        )
    rank = int(np.linalg.matrix_rank(W)) if r else 0
    if rank < r:
        reasons.append(f"the weights w span {rank} of r = {r} directions")
    elif r:
        used = np.zeros((t, data.d), dtype=bool)
        used[np.repeat(np.arange(t), [len(s) for s in supports]), np.concatenate(supports)] = True
        # Only a coordinate personal to nearly all tasks, or to all but dependent ones, can hide its row of U.
        for j in np.flatnonzero(used.sum(axis=0) > 0):
            visible = W[~used[:, j]]
            if len(visible) < r or np.linalg.matrix_rank(visible) < r:
                reasons.append(
                    f"feature {data.feature_names[j]!r} is personal to {int(used[:, j].sum())} of {t} tasks; "
                    "the others do not determine its row of U"
                )
                break
    return reasons


def local_identifiability(
    data: MultiTaskData | Problem,
    model: LRSModel,
    *,
    rank: int | None = None,
    sparsity: int | None = None,
    residual_tolerance: float = 1e-8,
    rank_tolerance: float = 1e-12,
    method: Literal["auto", "dense", "matrix-free"] = "auto",
    search: int = 1_000_000,
) -> IdentifiabilityCertificate:
    """Certify, task by task, that an answer is the only one.

    Parameters
    ----------
    data : MultiTaskData or Problem
        What was observed; tasks may be of different sizes.
    model : LRSModel
        The answer; its non-zeros define the supports.
    rank, sparsity : int, optional
        r and k that the truth is declared to have; default: the problem's. Of bare data the answer's own, and then the
        certificate is about truths of that rank and sparsity.
    residual_tolerance : float
        Relative residual of a task up to which the answer counts as reproducing it.
    rank_tolerance : float
        Ratio of eigenvalues of E below which the smallest counts as zero; within a factor of 10 it is undecided.
    method : {"auto", "dense", "matrix-free"}
        Whether E is formed (exact spectrum; auto: up to d·r = 3000) or only multiplied with.
    search : int
        How many supports may be tried in all, in tasks with fewer than r + 2k rows: about 10⁶ a second.

    Returns
    -------
    IdentifiabilityCertificate

    Raises
    ------
    InvalidInput
        When model and data do not fit together, or U has dependent columns.
    """
    declared = (data.rank, data.sparsity) if isinstance(data, Problem) else (None, None)
    if isinstance(data, Problem):
        data = data.data
    if not isinstance(data, MultiTaskData):
        raise InvalidInput(f"data: expected MultiTaskData or Problem, got {type(data).__name__}")
    if not isinstance(model, LRSModel):
        raise InvalidInput(f"model: expected an LRSModel, got {type(model).__name__}")
    if (model.t, model.d) != (data.t, data.d):
        raise InvalidInput(f"model: (t, d) = {(model.t, model.d)}, but the data have {(data.t, data.d)}")
    if method not in ("auto", "dense", "matrix-free"):
        raise InvalidInput(f"method: expected 'auto', 'dense' or 'matrix-free', got {method!r}")
    d, r = model.U.shape
    U, R = np.linalg.qr(model.U)  # an answer with any basis of its subspace: the gauge does not matter
    if r and np.linalg.cond(R) > 1e12:
        raise InvalidInput("model: the columns of U are dependent; pass a basis of the subspace, of its true rank")
    W = model.W @ R.T
    supports = supports_of(model)
    sizes = np.array([len(s) for s in supports])
    rank = (
        r if declared[0] is None and rank is None else declared[0] if rank is None else integer("rank", rank, least=0)
    )
    if sparsity is None:
        sparsity = int(sizes.max(initial=0)) if declared[1] is None else declared[1]
    sparsity = integer("sparsity", sparsity, least=0)
    assert rank is not None

    tasks = examine(data, model, U, supports)
    theta = model.theta
    spectra: dict[bytes, Spectrum] = {}

    def tied(chosen: np.ndarray, *, apart: bool) -> Tied:
        return tie(data, U, W, theta, supports, tasks, chosen, sparsity, apart=apart)

    def of(chosen: np.ndarray) -> Spectrum:
        key = chosen.tobytes()
        if key not in spectra:
            spectra[key] = spectrum(tied(chosen, apart=True), U, rank_tolerance=rank_tolerance, method=method)
        return spectra[key]

    everything = of(np.ones(data.t, dtype=bool))
    fits = tasks.residual <= residual_tolerance
    local = fits & ~tasks.deficient
    locally = local & of(local).determined & (not of(local).doubtful)
    # A task with fewer than r + k + 1 independent rows has another support for every answer; without b, r rows do.
    enough = tasks.rank >= rank + sparsity + (sparsity > 0)
    mixed = (tasks.separation <= SEPARATION) & (sparsity > 0)
    second = local & enough & ~mixed & (sizes <= sparsity) & (r == rank)
    found = other_supports(data, U, supports, tasks, second, sparsity, tolerance=residual_tolerance, budget=search)
    second &= np.array([kind != "none" for kind in found.kinds])
    needed = r * (d - r)
    groups = tied(second, apart=False)
    again = groups.members and len(groups.members) < second.sum()
    shared = spectrum(groups, U, rank_tolerance=rank_tolerance, method=method) if again else of(second)
    missing = _missing_for_the_subspace(groups, [of(second), shared], U, needed)
    accuracy = _accuracy(data, tasks, everything)
    if not missing and accuracy > _ACCURACY:
        missing = f"residuals over margins leave room for a relative error of {accuracy:.1e}"
    third = second & (not missing)
    levels = np.where(third, 3, np.where(second, 2, np.where(locally, 1, 0)))
    causes: list[tuple[np.ndarray, Callable[[int], str]]] = [
        (np.full(data.t, r != rank), lambda i: f"the answer has rank {r}, declared is r = {rank}"),
        (sizes > sparsity, lambda i: f"{sizes[i]} non-zeros, declared are at most k = {sparsity}"),
        (~fits, lambda i: f"relative residual {tasks.residual[i]:.2g}"),
        (tasks.deficient, lambda i: "its rows do not determine its w and b"),
        (~enough, lambda i: f"{tasks.rank[i]} independent rows for r + k = {rank + sparsity} unknowns and its support"),
        (mixed, lambda i: "a feature outside of its support can take the place of one inside"),
        (
            np.array([rival is not None for rival in found.rival]),
            lambda i: f"the support {found.rival[i]} fits as well",
        ),
        (~third, lambda i: missing),
    ]
    why = [next((text(i) for mask, text in causes if mask[i]), "") for i in range(data.t)]

    unknowns = needed + int((r + sizes).sum())
    reasons = _necessary_conditions(data, W, supports, unknowns)
    if tasks.deficient.any() and not any("fewer rows" in reason for reason in reasons):
        first = int(np.argmax(tasks.deficient))
        reasons.append(
            f"{int(tasks.deficient.sum())} task(s) cannot tell their sparse part from the subspace "
            f"(task {data.task_names[first]!r})"
        )
    if everything.doubtful:
        verdict = IdentifiabilityVerdict.UNDECIDED
    elif tasks.deficient.any() or not everything.determined:
        verdict = IdentifiabilityVerdict.AMBIGUOUS
    elif not fits.all():
        verdict = IdentifiabilityVerdict.DETERMINED
    else:
        verdict = IdentifiabilityVerdict.UNIQUE if third.all() else IdentifiabilityVerdict.LOCAL
    if verdict in (IdentifiabilityVerdict.LOCAL, IdentifiabilityVerdict.DETERMINED) or not (reasons or third.all()):
        for mask, text in causes:
            concerned = [i for i in range(data.t) if mask[i] and why[i] == text(i)]
            if concerned:
                where = f"{len(concerned)} task(s), first {data.task_names[concerned[0]]!r}: "
                reasons.append(("" if len(concerned) == data.t else where) + why[concerned[0]])
    return IdentifiabilityCertificate(
        verdict=verdict,
        rank=rank,
        sparsity=sparsity,
        levels=tuple(int(level) for level in levels),
        local_tasks=tuple(int(i) for i in np.flatnonzero(locally)),
        why=tuple(why),
        support=tuple(found.kinds),
        residual=float(tasks.residual.max()),
        accuracy=accuracy,
        equations=data.n,
        unknowns=unknowns,
        surplus=groups.surplus,
        needed=needed,
        margin=math.sqrt(everything.smallest),
        relative_margin=math.sqrt(everything.ratio),
        task_margin=float(tasks.margin.min()),
        subspace_determined=everything.determined,
        subspace_certified=bool(third.any()),
        deficient_tasks=tuple(int(i) for i in np.flatnonzero(tasks.deficient)),
        reasons=tuple(reasons),
        direction=_unit(everything.direction @ R),  # in the basis that was passed
        method=everything.method,
    )


def _missing_for_the_subspace(tied: Tied, spectra: list[Spectrum], U: np.ndarray, needed: int) -> str:
    """Why the tasks of level (ii) do not certify U, in words; empty when they do."""
    if not tied.members:
        return "no task is certified at level (ii)"
    if needed == 0:  # r = 0 or r = d: there is one subspace
        return ""
    if tied.surplus <= needed:
        return f"tasks of level (ii) have {tied.surplus} rows to spare, which must exceed the r(d − r) = {needed} unknowns of U"
    solve = spectra[-1].solve
    if any(not found.determined or found.doubtful for found in spectra) or solve is None:
        return "tasks of level (ii) do not determine U"
    touch = contact(tied, U, solve)
    if not touch.accurate:
        return "the multipliers could not be computed to sufficient accuracy"
    if touch.subspace or (touch.weights and touch.supports.all()):
        return ""
    return (
        "another U with other supports may fit as well: a feature is personal to too many tasks, or tasks are too few"
    )


def _accuracy(data: MultiTaskData, tasks: Tasks, found: Spectrum) -> float:
    """Residuals over margins, of U and of every task."""
    errors = np.sqrt(data.counts) * tasks.residual
    own = np.divide(errors, tasks.margin, out=np.where(errors > 0, math.inf, 0.0), where=tasks.margin > 0)
    shared = float(np.linalg.norm(errors[np.isfinite(errors)]))
    margin = math.sqrt(found.smallest)
    return max(float(own.max()), shared / margin if margin > 0 else math.inf if shared else 0.0)


def _unit(direction: np.ndarray) -> np.ndarray:
    length = float(np.linalg.norm(direction))
    return direction / length if length else direction
