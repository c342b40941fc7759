"""Clip levels: how large one user's rows, responses and parameters may be before they are scaled down.

The levels bound what one user can change, so they are fixed before the data are looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float

from lrs.core.errors import InvalidInput
from lrs.core.validate import real
from lrs.families.low_rank_sparse.generate import InstanceSpec

_MEANING = {"x": "‖x‖ of a row", "y": "|y| of a row", "xb": "|xᵀb| of a row", "w": "‖w‖ of a user"}


@dataclass(frozen=True, kw_only=True)
class Clip:
    """Levels A₁ (``x``), A₂ (``y``), A₃ (``xb``) and A_w (``w``) of one user's contribution.

    Parameters
    ----------
    x, y, xb, w : float > 0
        Largest ‖x‖₂, |y| and |xᵀb| of a row, and ‖w‖₂ of a user.

    Raises
    ------
    InvalidInput
        When a level is not a positive finite number.
    """

    x: float
    y: float
    xb: float
    w: float

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            object.__setattr__(self, name, real(f"clip {name} (largest {_MEANING[name]})", value, above=0))

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

    @classmethod
    def of(cls, levels: Mapping[str, float] | None) -> Clip | None:
        """From a file; files of the first edition hold two levels more, of statistics that need none now."""
        return None if levels is None else cls(**{name: levels[name] for name in _MEANING})

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


def norms(V: Float[np.ndarray, "*b n"]) -> Float[np.ndarray, "*b"]:
    """Euclidean norms along the last axis, without overflow on the way; NaN and infinity stay what they are."""
    peak = np.abs(V).max(axis=-1, initial=0.0)
    safe = np.where(np.isfinite(peak) & (peak > 0), peak, 1.0)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return safe * np.sqrt(((V / safe[..., None]) ** 2).sum(axis=-1))


def row_scales(
    X: Float[np.ndarray, "... m d"], y: Float[np.ndarray, "... m"], clip: Clip
) -> Float[np.ndarray, "... m"]:
    """Factor ≤ 1 of every row that brings ‖x‖ and |y| under their levels.

    The whole row is scaled, (x, y) → (c x, c y), so that a clipped row still lies on the same linear relation: clipping
    then costs weight, not bias.
    """
    with np.errstate(over="ignore"):  # a norm beyond the largest number gives the factor 0
        return 1.0 / np.maximum(np.maximum(norms(X) / clip.x, np.abs(y) / clip.y), 1.0)


def shrink_to(V: Float[np.ndarray, "b n"], level: float) -> Float[np.ndarray, " b"]:
    """Factor ≤ 1 of every row of ``V`` that brings its norm under ``level``."""
    return level / np.maximum(norms(V), level)
