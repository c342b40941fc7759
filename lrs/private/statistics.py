"""What leaves a user's device: clipped statistics, each with the largest change one user can make.

Columns are stacked in ``vec`` (theory: vec(U) has the entries U[:, 0], U[:, 1], …), so A acts on ``U.T.ravel()``.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from jaxtyping import Float

from lrs.private.accounting import Neighbours
from lrs.private.clip import Clip, row_scales, shrink_to

#: Statistics by name; a sum over users of arrays of fixed shape, none with a user axis.
Statistics = dict[str, np.ndarray]

Kind = Literal["moment", "normal", "gradient"]
NAMES: dict[Kind, tuple[str, ...]] = {"moment": ("moment",), "normal": ("A", "V"), "gradient": ("gradient",)}


def sensitivity(name: str, clip: Clip, neighbours: Neighbours) -> float:
    """Largest ℓ₂ (Frobenius) change of the released sum when one user joins or leaves, or is replaced.

    Add or remove: ‖A_i‖_F ≤ A_w²A₁², ‖V_i‖_F ≤ A₁A_w(A₂ + A₃), both attained when all rows are equal; ``moment`` is the
    square of its level and ``gradient`` its level. Replace one: √2 times for the positive semidefinite A and moment, whose
    differences ⟨A, A'⟩ ≥ 0 cannot exceed it, and 2 times for V and the gradient [D].
    """
    assert clip.moment is not None
    assert clip.gradient is not None
    single, replaced = {
        "A": (clip.w**2 * clip.x**2, math.sqrt(2)),
        "V": (clip.x * clip.w * (clip.y + clip.xb), 2.0),
        "moment": (clip.moment**2, math.sqrt(2)),
        "gradient": (clip.gradient, 2.0),
    }[name]
    return single * (replaced if neighbours == "replace-one" else 1.0)


def moment_statistics(X: Float[np.ndarray, "b m d"], y: Float[np.ndarray, "b m"], clip: Clip) -> Statistics:
    """Σ_i s sᵀ with s = Xᵀy/m clipped: its leading eigenvectors estimate span(U), as E s sᵀ ⪰ θθᵀ for isotropic rows."""
    assert clip.moment is not None
    s = (y[:, None, :] @ X)[:, 0] / X.shape[1]
    s *= shrink_to(s, clip.moment)[:, None]
    return {"moment": s.T @ s}


def normal_statistics(
    X: Float[np.ndarray, "b m d"],
    y: Float[np.ndarray, "b m"],
    W: Float[np.ndarray, "b r"],
    B: Float[np.ndarray, "b d"],
    clip: Clip,
) -> Statistics:
    """A = Σ_i wwᵀ ⊗ XᵀX/m and V = Σ_i Xᵀ(y − Xb)wᵀ/m of users with equally many rows, everything clipped.

    A user whose ‖w‖ is clipped by the factor g has its responses scaled by g as well, so that the clipped user still asks
    for the same U.
    """
    users, m, d = X.shape
    X, target, W, g = _clipped(X, y, W, B, clip)
    target = target * g[:, None]
    # Row (i, j) of Z is w_i ⊗ x_ij, hence A = ZᵀZ/m in one product, without an array of users × d².
    Z = (W[:, None, :, None] * X[:, :, None, :]).reshape(users * m, W.shape[1] * d)
    V = (target[:, None, :] @ X)[:, 0].T @ W
    return {"A": Z.T @ Z / m, "V": V / m}


def gradient_statistics(
    X: Float[np.ndarray, "b m d"],
    y: Float[np.ndarray, "b m"],
    U: Float[np.ndarray, "d r"],
    W: Float[np.ndarray, "b r"],
    B: Float[np.ndarray, "b d"],
    clip: Clip,
) -> Statistics:
    """Σ_i of the d × r gradients Xᵀ(X U w + X b − y)wᵀ/m, each clipped in Frobenius norm."""
    assert clip.gradient is not None
    X, target, W, g = _clipped(X, y, W, B, clip)
    left = (X @ (W @ U.T)[:, :, None])[:, :, 0] - target * g[:, None]
    each = (left[:, None, :] @ X)[:, 0][:, :, None] * W[:, None, :] / X.shape[1]
    flat = each.reshape(len(each), -1)
    return {"gradient": np.einsum("bdr,b->dr", each, shrink_to(flat, clip.gradient))}


def _clipped(
    X: np.ndarray, y: np.ndarray, W: np.ndarray, B: np.ndarray, clip: Clip
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    xb = (X @ B[:, :, None])[:, :, 0]
    scale = row_scales(X, y, xb, clip)
    g = shrink_to(W, clip.w)
    return X * scale[:, :, None], (y - xb) * scale, W * g[:, None], g
