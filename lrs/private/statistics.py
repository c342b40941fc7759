"""What leaves a user's device: bounded statistics on a lattice of integers, each with the largest change one user can make.

Whatever a user's rows hold and whatever its device computed from them, `contribution` has the last word: every user is scaled
under its bound, rounded towards zero, and counted with integers, so that the bound holds exactly, not up to rounding.

Columns are stacked in ``vec`` (theory: vec(U) has the entries U[:, 0], U[:, 1], …), so A acts on ``U.T.ravel()``.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from lrs.private.accounting import Neighbours
from lrs.private.clip import Clip, norms, row_scales, shrink_to

#: Statistics by name; a sum over users of arrays of fixed shape, none with a user axis.
Statistics = dict[str, np.ndarray]

Kind = Literal["moment", "statistics", "gradient"]
NAMES: dict[Kind, tuple[str, ...]] = {
    "moment": ("moment", "features"),
    "statistics": ("A", "V"),
    "gradient": ("gradient", "inside"),
}
#: Sums of positive semidefinite matrices.
SYMMETRIC = ("A", "moment", "features")
#: A bound is between 2³⁰ and 2³¹ units: fine beside any noise, and two thousand million users fit into 64 bits.
BITS = 30
#: Ridge of a user's own estimate in the private start, in units of the mean square of its features [D].
RIDGE = 0.5


def largest(name: str, clip: Clip | None = None) -> float:
    """Largest ℓ₂ (Frobenius) norm of one user's contribution: ‖A_i‖_F ≤ A_w²A₁², ‖V_i‖_F ≤ A₁A_w(A₂ + A₃), 1 for ``moment`` (a
    direction), ``features`` (of trace 1) and ``gradient`` (in units of its level), ½ for ``inside``."""
    if name in ("A", "V"):
        assert clip is not None
        return clip.w**2 * clip.x**2 if name == "A" else clip.x * clip.w * (clip.y + clip.xb)
    return {"moment": 1.0, "features": 1.0, "gradient": 1.0, "inside": 0.5}[name]


def shapes(d: int, r: int) -> dict[str, tuple[int, ...]]:
    """Of every statistic, by name."""
    square, subspace = (d, d), (d, r)
    return {
        "moment": square, "features": square, "A": (d * r, d * r), "V": subspace, "gradient": subspace, "inside": (1,),
    }  # fmt: skip


def sensitivity(name: str, clip: Clip | None, neighbours: Neighbours) -> float:
    """Largest ℓ₂ (Frobenius) change of the released sum when one user joins or leaves, or is replaced.

    Add or remove: `largest`, attained by each. Replace one: 2 times, and √2 times for the positive semidefinite A, moment and features,
    whose differences ⟨A, A'⟩ ≥ 0 cannot exceed it; 2⁻¹⁸ more covers their rounding to the lattice, of up to 10⁶ entries [D].
    """
    if neighbours == "add-remove":
        return largest(name, clip)
    return largest(name, clip) * (math.sqrt(2) + 2**-18 if name in SYMMETRIC else 2.0)


def lattice(name: str, clip: Clip | None) -> float:
    """The unit of a released sum, a power of two."""
    return math.ldexp(1.0, math.frexp(largest(name, clip))[1] - 1 - BITS)


def contribution(name: str, each: np.ndarray, clip: Clip | None = None, *, exact: bool = False) -> np.ndarray:
    """Sum over users, the first axis, of what each adds within its bound, as integers in units of `lattice`; floats when ``exact``.

    A user whose numbers are not finite adds zero.
    """
    flat = each.reshape(len(each), math.prod(each.shape[1:]))
    bound = largest(name, clip)
    size = norms(flat)
    usable = np.isfinite(size)
    # 2⁻³² of slack is more than the rounding of a norm; rounding towards zero then keeps every user under the bound.
    slack = 1.0 if exact else 1 - 2.0**-32
    factor = bound / np.maximum(np.where(usable, size, bound), bound)
    bounded = np.where(usable[:, None], flat, 0.0) * (slack * factor)[:, None]
    if exact:
        return bounded.sum(axis=0).reshape(each.shape[1:])
    return np.trunc(bounded / lattice(name, clip)).astype(np.int64).sum(axis=0).reshape(each.shape[1:])


def unit_scale(
    X: Float[np.ndarray, "b m d"], y: Float[np.ndarray, "b m"]
) -> tuple[Float[np.ndarray, "b m d"], Float[np.ndarray, "b m"], Int[np.ndarray, " b"], Int[np.ndarray, " b"]]:
    """Every user's features and responses divided by powers of two, to largest entries in [½, 1), and the two exponents.

    What is computed afterwards depends on no scale, and products neither overflow nor, where it matters, underflow.
    """
    powers = [np.frexp(np.abs(a).reshape(len(a), -1).max(axis=1))[1] for a in (X, y)]
    X = np.ldexp(X, -powers[0][:, None, None])
    y = np.ldexp(y, -powers[1][:, None])
    return X, y, powers[0], powers[1]


def direction_statistics(
    X: Float[np.ndarray, "b m d"], y: Float[np.ndarray, "b m"], *, exact: bool = False
) -> Statistics:
    """Σ_i s sᵀ/‖s‖² with s the user's own ridge estimate of its θ: the leading eigenvectors estimate span(U) whatever the scales.

    The trace is the number of users. The ridge is `RIDGE` times the mean square of the user's features; a user with fewer rows than
    features solves the smaller dual system. Directions instead of clipped moments need no level, and weigh every user alike [D].
    """
    _, m, d = X.shape
    ridge = RIDGE * np.maximum((X**2).sum(axis=(1, 2)) / d, np.finfo(float).tiny)[:, None, None]
    if m < d:
        dual = np.linalg.solve(X @ X.transpose(0, 2, 1) + ridge * np.eye(m), y[:, :, None])
        s = (X.transpose(0, 2, 1) @ dual)[:, :, 0]
    else:
        s = np.linalg.solve(X.transpose(0, 2, 1) @ X + ridge * np.eye(d), (y[:, None, :] @ X)[:, 0][:, :, None])[
            :, :, 0
        ]
    s = s / np.maximum(norms(s), np.finfo(float).tiny)[:, None]
    return {"moment": contribution("moment", s[:, :, None] * s[:, None, :], exact=exact)}


def feature_statistics(X: Float[np.ndarray, "b m d"], *, exact: bool = False) -> Statistics:
    """Σ_i XᵀX/tr XᵀX: the second moment of the features, in which every user weighs alike and no scale is left [D]."""
    gram = X.transpose(0, 2, 1) @ X
    with np.errstate(all="ignore"):  # a user without features adds nothing
        gram = gram / np.trace(gram, axis1=1, axis2=2)[:, None, None]
    return {"features": contribution("features", gram, exact=exact)}


def oriented(A: Float[np.ndarray, "d r"]) -> tuple[Float[np.ndarray, "d r"], Float[np.ndarray, "r r"]]:
    """QR with a positive diagonal of R: columns keep their signs, and with them their weights."""
    Q, R = np.linalg.qr(A)
    signs = np.where(np.diag(R) < 0, -1.0, 1.0)
    return Q * signs, R * signs[:, None]


def gradient_statistics(
    X: Float[np.ndarray, "b m d"],
    y: Float[np.ndarray, "b m"],
    U: Float[np.ndarray, "d r"],
    W: Float[np.ndarray, "b r"],
    B: Float[np.ndarray, "b d"],
    level: float,
    *,
    whiten: Float[np.ndarray, "d d"] | None = None,
    exact: bool = False,
) -> Statistics:
    """Σ_i of the d × r gradients Xᵀ(X U w + X b − y)wᵀ/(m v ‖w‖²), v the mean square of the user's features, each in units of
    ``level`` and clipped there; and Σ_i of +½ for a user within the level and −½ for one beyond it.

    Divided by v and ‖w‖² a gradient has no unit: the distance of U from what the user asks for, in which a public level can be
    fixed whatever the data are [D]. With the public matrix S = ``whiten`` the features are xS, in which the columns of the subspace are
    those of S⁻¹U, made orthonormal.
    """
    # One product per user, not one of all: rounding inside a large product depends on how many users there are.
    residual = (X @ (U @ W[:, :, None] + B[:, :, None]))[:, :, 0] - y
    direction = residual[:, None, :] @ X
    if whiten is not None:
        W = (oriented(np.linalg.solve(whiten, U))[1] @ W[:, :, None])[:, :, 0]
        with np.errstate(all="ignore"):
            X, direction = X @ whiten, direction @ whiten
    v, w = np.square(X).mean(axis=(1, 2)), norms(W)
    with np.errstate(all="ignore"):  # a user without features or weights has no gradient: `contribution` drops it
        direction = direction[:, 0] / (X.shape[1] * v * w)[:, None]
        each = direction[:, :, None] * (W / w[:, None])[:, None, :] / level
        size = norms(each.reshape(len(each), math.prod(each.shape[1:])))
    inside = np.where(np.isfinite(size), np.where(size <= 1, 0.5, -0.5), 0.0)
    return {
        "gradient": contribution("gradient", each, exact=exact),
        "inside": contribution("inside", inside[:, None], exact=exact),
    }


def clipped_rows(
    X: Float[np.ndarray, "b m d"], y: Float[np.ndarray, "b m"], clip: Clip
) -> tuple[Float[np.ndarray, "b m d"], Float[np.ndarray, "b m"]]:
    """Rows scaled under ‖x‖ ≤ A₁ and |y| ≤ A₂, before anything is multiplied."""
    scale = row_scales(X, y, clip)
    return X * scale[:, :, None], y * scale


def normal_statistics(
    X: Float[np.ndarray, "b m d"],
    y: Float[np.ndarray, "b m"],
    W: Float[np.ndarray, "b r"],
    B: Float[np.ndarray, "b d"],
    clip: Clip,
    *,
    exact: bool = False,
) -> Statistics:
    """A = Σ_i wwᵀ ⊗ XᵀX/m and V = Σ_i Xᵀ(y − Xb)wᵀ/m of users with equally many rows, everything clipped.

    A user whose ‖w‖ is clipped by the factor g has its responses scaled by g as well, so that the clipped user still asks
    for the same U.
    """
    users, m, d = X.shape
    X, y = clipped_rows(X, y, clip)
    with np.errstate(all="ignore"):  # parameters may be anything: `contribution` drops a user that is not finite
        xb = (X @ B[:, :, None])[:, :, 0]
        scale = 1.0 / np.maximum(np.abs(xb) / clip.xb, 1.0)
        g = shrink_to(W, clip.w)
        X, target, W = X * scale[:, :, None], (y - xb) * scale * g[:, None], W * g[:, None]
        # Row (i, j) of Z is w_i ⊗ x_ij, hence A_i = ZᵢᵀZᵢ/m.
        Z = (W[:, None, :, None] * X[:, :, None, :]).reshape(users, m, W.shape[1] * d)
        A = Z.transpose(0, 2, 1) @ Z / m
        V = (target[:, None, :] @ X)[:, 0][:, :, None] * W[:, None, :] / m
    return {"A": contribution("A", A, clip, exact=exact), "V": contribution("V", V, clip, exact=exact)}


def usable(X: Float[np.ndarray, "b m d"], y: Float[np.ndarray, "b m"]) -> Bool[np.ndarray, " b"]:
    """Users with a feature and a response that are not zero: of the others there is nothing to learn."""
    return np.logical_and(X.any(axis=(1, 2)), y.any(axis=1))
