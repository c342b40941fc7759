"""What data cannot tell, whatever a solver answers: said in the status and in its sentence."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from lrs.families.low_rank_sparse.problem import MultiTaskData, Problem

#: Share of its length that a feature must keep when the others are projected out, in a first look that costs little.
PLAINLY = 1e-6
#: … and in the look that decides.
DEPENDENT = 1e-12
#: Rows per feature of the first look.
LOOKED_AT = 4
_NAMED = 5


def undetermined(problem: Problem) -> str:
    """Why the data cannot determine the parameters, whatever the truth is; empty where nothing says so.

    There must be as many equations as unknowns, m ≥ r + k + r(d − r)/t, and no feature may be a combination of the others: U
    could take any multiple of that combination and explain the same data. Without a shared part only features that are zero or
    multiples of one another are in doubt.
    """
    d, r, k = problem.d, problem.rank, problem.sparsity
    usable = np.maximum(problem.data.counts - r - k, 0)
    if int(usable.sum()) < r * (d - r):
        return "There are fewer equations than unknowns."
    if r + k == 0:
        return ""
    return _dependent(problem.data, only_pairs=r == 0)


def _dependent(data: MultiTaskData, *, only_pairs: bool) -> str:
    X, d = data.X, data.d
    part = X[:: max(1, data.n // (LOOKED_AT * d))]
    length = np.sqrt(np.einsum("ij,ij->j", part, part))
    if length.all():
        try:
            root = np.linalg.cholesky((part / length).T @ (part / length))
            if np.diag(root).min() > PLAINLY:
                return ""
        except np.linalg.LinAlgError:
            pass
    names = np.array(data.feature_names, dtype=object)
    length = np.sqrt(np.einsum("ij,ij->j", X, X))
    if not length.all():
        return f"{_listed(names[length == 0])} is zero in all rows."
    R = np.asarray(np.linalg.qr(X / length, mode="r"))
    alike = np.abs(R.T @ R) > 1 - DEPENDENT
    first, second = np.nonzero(np.triu(alike, 1))
    if len(first):
        return f"{_listed(names[[first[0], second[0]]], 'and')} are the same up to a factor."
    if not only_pairs and np.linalg.svd(R, compute_uv=False)[-1] <= DEPENDENT:
        return "Some features are a combination of the others."
    return ""


def short(problem: Problem) -> str:
    """The tasks with too few rows to certify what is fitted to them; empty where there are none."""
    r, k, counts = problem.rank, problem.sparsity, problem.data.counts
    few = np.flatnonzero(counts <= r + k)
    if not len(few):
        return ""
    names = _listed([problem.data.task_names[i] for i in few[:_NAMED]], "and" if len(few) <= _NAMED else "")
    more = "" if len(few) <= _NAMED else " …"
    what = "1 task has" if len(few) == 1 else f"{len(few)} of {problem.t} tasks have"
    return f"{what} fewer than r + k + 1 = {r + k + 1} rows, too few to tell a right answer from a wrong one: {names}{more}."


def _listed(names: Iterable[object], last: str = "") -> str:
    words = [str(name) for name in names]
    if last and len(words) > 1:
        return f"{', '.join(words[:-1])} {last} {words[-1]}"
    return ", ".join(words)
