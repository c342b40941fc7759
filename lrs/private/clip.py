"""Clip levels: how large one user's rows, responses and parameters may be before they are scaled down.

The levels bound what one user can change, so they are fixed before the data are looked at.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float

from lrs.core.errors import InvalidInput
from lrs.core.validate import real
from lrs.families.low_rank_sparse.generate import InstanceSpec

_MEANING = {
    "x": "‖x‖ of a row",
    "y": "|y| of a row",
    "xb": "|xᵀb| of a row",
    "w": "‖w‖ of a user",
    "moment": "‖Xᵀy/m‖ of a user, for the private start",
    "gradient": "‖G‖_F of a user, for the gradient release",
}


@dataclass(frozen=True, kw_only=True)
class Clip:
    """Levels A₁ (``x``), A₂ (``y``), A₃ (``xb``) and A_w (``w``) of one user's contribution.

    Parameters
    ----------
    x, y, xb, w : float > 0
        Largest ‖x‖₂, |y| and |xᵀb| of a row, and ‖w‖₂ of a user.
    moment : float > 0, optional
        Largest ‖Xᵀy/m‖₂ of a user in the private start; default y/2 [D]: with y ≈ 3 standard deviations ‖θ‖ of the
        response and m ≈ d rows, ‖Xᵀy/m‖ ≈ √2 ‖θ‖.
    gradient : float > 0, optional
        Largest Frobenius norm of a user's d × r gradient; default x·w·(y + xb + x·w), which nothing within the other levels exceeds.

    Raises
    ------
    InvalidInput
        When a level is not a positive finite number.
    """

    x: float
    y: float
    xb: float
    w: float
    moment: float | None = None
    gradient: float | None = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is None:
                continue
            object.__setattr__(self, name, real(f"clip {name} (largest {_MEANING[name]})", value, above=0))
        if self.moment is None:
            object.__setattr__(self, "moment", self.y / 2)
        if self.gradient is None:
            object.__setattr__(self, "gradient", self.x * self.w * (self.y + self.xb + self.x * self.w))

    @classmethod
    def parse(cls, text: str) -> Clip:
        """From ``x=6,y=8,xb=5,w=3``."""
        levels: dict[str, float] = {}
        for part in text.split(","):
            name, equals, value = (piece.strip() for piece in part.partition("="))
            if not equals or name not in _MEANING or name in levels:
                raise InvalidInput(
                    f"clip: {part.strip()!r} is not one of {', '.join(f'{n}=LEVEL' for n in _MEANING)}, each at most once; "
                    "levels are numbers fixed beforehand, as reading them off the data would need a budget"
                )
            try:
                levels[name] = float(value)
            except ValueError:
                raise InvalidInput(f"clip: the level of {name} must be a number, got {value!r}") from None
        missing = [name for name in ("x", "y", "xb", "w") if name not in levels]
        if missing:
            raise InvalidInput(
                f"clip: no level for {', '.join(missing)}; every level bounds what one user can change, so all of "
                "x=…,y=…,xb=…,w=… are needed (lrs.private.propose_clip suggests them from public knowledge)"
            )
        return cls(**levels)

    def to_dict(self) -> dict[str, float]:
        """Plain values."""
        return asdict(self)


def propose_clip(
    *,
    d: int,
    feature_scale: float,
    weight_scale: float,
    rank: int,
    sparse_scale: float,
    sparsity: int,
    noise: float = 0.0,
) -> Clip:
    """Levels that about one row in a thousand exceeds under a Gaussian model with *publicly known* scales.

    Takes no data on purpose: levels read off private data would themselves need a budget.

    Parameters
    ----------
    d, rank, sparsity : int
        Features, shared directions, personal coordinates.
    feature_scale : float
        Standard deviation of a feature.
    weight_scale, sparse_scale : float
        Typical size of an entry of w and of a non-zero of b.
    noise : float
        Standard deviation of the response noise.

    Returns
    -------
    Clip
        x = s_x(√d + 2.2), w = s_w(√r + 1), xb and y 3.3 standard deviations, by Gaussian concentration.
    """
    for name, value in (("d", d), ("feature_scale", feature_scale), ("weight_scale", weight_scale)):
        real(name, value, above=0)
    personal = sparse_scale * np.sqrt(sparsity) * feature_scale
    response = np.sqrt(weight_scale**2 * rank * feature_scale**2 + personal**2 + noise**2)
    return Clip(
        x=feature_scale * (np.sqrt(d) + 2.2),
        w=weight_scale * (np.sqrt(rank) + 1.0),
        y=3.3 * float(response),
        xb=3.3 * float(personal) or 1e-3 * float(response),
    )


def clip_of(spec: InstanceSpec) -> Clip:
    """Levels for generated data: `propose_clip` at the scales of the generator, which are public."""
    return propose_clip(
        d=spec.d,
        feature_scale=1.0,
        weight_scale=1.0,
        rank=spec.r,
        sparse_scale=spec.b_scale,
        sparsity=spec.k,
        noise=spec.noise,
    )


def row_scales(
    X: Float[np.ndarray, "... m d"], y: Float[np.ndarray, "... m"], xb: Float[np.ndarray, "... m"], clip: Clip
) -> Float[np.ndarray, "... m"]:
    """Factor ≤ 1 of every row that brings ‖x‖, |y| and |xᵀb| under their levels.

    The whole row is scaled, (x, y) → (c x, c y), so that a clipped row still lies on the same linear relation: clipping
    then costs weight, not bias.
    """
    tiny = np.finfo(float).tiny
    excess = np.maximum(np.linalg.norm(X, axis=-1) / clip.x, np.maximum(np.abs(y) / clip.y, np.abs(xb) / clip.xb))
    return 1.0 / np.maximum(excess, 1.0 + tiny)


def shrink_to(V: Float[np.ndarray, "b n"], level: float) -> Float[np.ndarray, " b"]:
    """Factor ≤ 1 of every row of ``V`` that brings its norm under ``level``."""
    norms = np.linalg.norm(V, axis=1)
    return np.minimum(1.0, level / np.maximum(norms, np.finfo(float).tiny))
