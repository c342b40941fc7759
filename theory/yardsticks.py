"""Rows per task that limits ask for, as lines of a recovery map (`lrs.core.family.Family.overlays`).

Each takes the sizes of a map as real numbers and ignores those it does not need; the first line of its docstring is its
label. Between and beyond the values of a grid r and k may exceed d: they are taken as d there.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from lrs.core.errors import InvalidInput
from theory.families.low_rank_sparse import limits
from theory.private_plan import PrivatePlan, plan_users
from theory.reachable import message_rows
from theory.statistics.exact_laws import EllOne

Sizes = np.ndarray


def counting(*, d: Sizes, r: Sizes, k: Sizes, t: Sizes, **_: Sizes) -> np.ndarray:
    """counting limit: below it no solver can be right"""
    return np.asarray(limits.counting_theta(d=d, r=np.minimum(r, d), k=np.minimum(k, d), t=t))


def ell_one(*, d: Any, k: Any, **_: Any) -> np.ndarray:
    """ℓ₁ minimisation: half of all b are found (exact law)"""
    d, k = np.broadcast_arrays(np.asarray(d, dtype=float), np.minimum(k, d))
    low_d, low_k = np.floor(d).astype(int), np.floor(k).astype(int)
    rows = np.zeros(d.shape)
    for i in (0, 1):  # linear between the whole sizes around a point
        for j in (0, 1):
            share = np.abs(1 - i - (d - low_d)) * np.abs(1 - j - (k - low_k))
            sizes = zip(np.ravel(low_d + i), np.ravel(low_k + j), strict=True)
            found = [EllOne(max(int(a), 1), min(int(c), max(int(a), 1))).level(0.5) for a, c in sizes]
            rows = rows + share * np.reshape(found, d.shape)
    return np.asarray(rows)


def l1_known_u(*, d: Sizes, r: Sizes, k: Sizes, **_: Sizes) -> np.ndarray:
    """ℓ₁ with U known: half of the tasks are found (exact law)"""
    return np.asarray(np.minimum(r, d) + ell_one(d=d, k=k))


def bayes(*, d: Sizes, r: Sizes, k: Sizes, **_: Sizes) -> np.ndarray:
    """optimal messages with U known are exact from here on (state evolution)"""
    sizes = (np.rint(n).astype(int) for n in (np.maximum(d, 1), np.minimum(r, d), np.minimum(k, d)))
    points = zip(*(a.ravel().tolist() for a in sizes), strict=True)
    return np.reshape([message_rows(*point) for point in points], np.shape(d))


def identifiability(*, d: Sizes, r: Sizes, k: Sizes, t: Sizes, **_: Sizes) -> np.ndarray:
    """identifiability: m = r + k + 1"""
    # m ≥ r + k + 1 per task for almost every b when the support is unknown, and t ≥ r tasks that span the subspace.
    r, k = np.minimum(r, d), np.minimum(k, d)
    return np.where(t >= r, r + k + 1.0, np.inf)


@lru_cache(maxsize=10_000)
def _users_needed(d: int, r: int, k: int, epsilon: float, delta: float) -> float:
    if epsilon <= 0 or not 0 < delta < 1:  # the margin of a picture, half a cell beyond the first target
        return float("inf")
    plan = PrivatePlan(d=d, r=r, k=k, epsilon=epsilon, delta=delta)
    return next(need.amount for need in plan_users(plan) if need.source == "users needed")


def private(*, t: Sizes, m: Sizes, d: Sizes, r: Sizes, k: Sizes, **target: Any) -> np.ndarray:
    """users needed for a subspace error of 0.1, noise alone [D]"""
    if target.keys() < {"epsilon", "delta"}:
        raise InvalidInput("overlay: private needs a sweep with a target, epsilon and delta")
    sizes = [np.rint(n).astype(int) for n in (d, np.minimum(r, d), np.minimum(k, d))]
    points = zip(*(a.ravel().tolist() for a in (*sizes, target["epsilon"], target["delta"])), strict=True)
    users = np.array([_users_needed(*point) for point in points]).reshape(t.shape)
    # Asked of the users, whatever m is: in rows per user this is m times the share of the users that is missing.
    return np.asarray(m * users / t)
