"""Is an observed run a geometric convergence? A certificate per trace, with every way it can fail told apart.

A trace is a sequence of errors e₀ … e_T of anyone's iteration. What a theorem promises is e_t ≤ C ρ^{t−t₀} e_{t₀} down to
a floor; what a plot shows is a line that looks straight. The certificate rests on three measured things:

1. the *envelope* ρ(C) = max_t (M_t / (C M_{t₀}))^{1/(t−t₀)} of the right majorant M_t = max_{u≥t} e_u: a promise
   (ρ, C) is kept iff ρ(C) ≤ ρ;
2. the *dynamic range*: a power law looks straight over two decades and cannot over six;
3. the *straightness* κ, the slope of ln M in the last third over its mean slope: 1 for a geometric trace, while a power
   law of order q over D decades has the κ of `power_law_straightness`, whatever its offset.

A floor counts as reached only when it is *explained*, by rounding (K · eps · cond · scale) or by noise; a run that
stands still anywhere else has STALLED. Derived [D]; the thresholds are calibrated on synthetic families in the tests.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import optimize

from lrs.core.errors import InvalidInput
from lrs.core.validate import finite, real

#: K of the rounding floor K · eps · cond · scale: a run's errors add up over a few thousand operations.
ROUNDING_FACTOR = 1000.0
#: A floor within this factor of the stated noise level is explained by it.
NOISE_FACTOR = 3.0
#: Straightness below which a trace bends like a power law, and above which it converges faster than any geometric one.
STRAIGHT, BENT_DOWN = 0.6, 1.5


class RateVerdict(enum.Enum):
    """What a trace shows."""

    CERTIFIED = "certified"
    TRUNCATED = "truncated"
    SUPERLINEAR = "superlinear"
    SUBLINEAR = "sublinear"
    STALLED = "stalled"
    WEAK = "weak"
    TOO_SLOW = "too slow"

    @property
    def sentence(self) -> str:
        """One full sentence for people."""
        return _SENTENCES[self]

    @property
    def linear(self) -> bool:
        """Whether the trace was shown to be geometric."""
        return self in (RateVerdict.CERTIFIED, RateVerdict.TRUNCATED)


_SENTENCES = {
    RateVerdict.CERTIFIED: "Geometric convergence, straight down to a floor that is explained.",
    RateVerdict.TRUNCATED: "Geometric as far as it goes; the trace ends before a floor is reached.",
    RateVerdict.SUPERLINEAR: "Faster than geometric: the slope grows towards the end.",
    RateVerdict.SUBLINEAR: "Slower than geometric: the slope dies out like that of a power law.",
    RateVerdict.STALLED: "The error stands still at a level that neither rounding nor the stated noise explains.",
    RateVerdict.WEAK: "The trace covers too few decades to tell a geometric rate from a power law.",
    RateVerdict.TOO_SLOW: "The error exceeds the claimed envelope C · rate^t.",
}


@dataclass(frozen=True)
class RateCertificate:
    """The certificate of one trace.

    Attributes
    ----------
    verdict : RateVerdict
    rate : float
        Fitted contraction per step, exp of the mean slope of ln M over the active phase.
    constant : float
        Smallest C with e_t ≤ C · rate^{t−start} · M_start over the active phase.
    envelope : float
        ρ(C) at the claimed constant (C = 1 when nothing was claimed).
    claimed_rate, claimed_constant : float or None
    holds : bool or None
        Whether the claim is kept; None when there was none.
    decades : float
        Dynamic range of the active phase, in powers of ten.
    straightness : float
        κ; NaN when the active phase has fewer than four points.
    excluded_order : float
        Every power law of a smaller order bends more than this trace does over as many decades; inf excludes all.
    floor : float or None
        Level at which the trace stands still; None when it does not.
    floor_reason : {"rounding", "noise"} or None
        What explains the floor.
    explained_level : float
        The level below which a floor is explained.
    start, stop : int
        First and last index of the active phase.
    """

    verdict: RateVerdict
    rate: float
    constant: float
    envelope: float
    claimed_rate: float | None
    claimed_constant: float | None
    holds: bool | None
    decades: float
    straightness: float
    excluded_order: float
    floor: float | None
    floor_reason: Literal["rounding", "noise"] | None
    explained_level: float
    start: int
    stop: int

    @property
    def sentence(self) -> str:
        """The verdict in words, with the figures it rests on."""
        parts = [self.verdict.sentence]
        if self.verdict is RateVerdict.STALLED and self.floor is not None:
            parts.append(
                f"It stands at {self.floor:.2g}; rounding or noise explains levels up to {self.explained_level:.2g}."
            )
        elif self.verdict is RateVerdict.TOO_SLOW:
            parts.append(
                f"The claim is {self.claimed_rate:.6g} with C = {self.claimed_constant:g}; the trace needs {self.envelope:.6g}."
            )
        elif self.verdict is RateVerdict.WEAK:
            parts.append(
                "It starts at its floor." if self.stop == self.start else f"It covers {self.decades:.2g} decades."
            )
        else:
            parts.append(
                f"Rate {self.rate:.4g} per step over {self.decades:.3g} decades, straightness {self.straightness:.2f}."
            )
        return " ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what is not finite is None."""
        values = asdict(self)
        values["verdict"] = self.verdict.name
        values["sentence"] = self.sentence
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}


def _as_trace(trace: Any, least: int = 4) -> Float[np.ndarray, " n"]:
    try:
        e = np.asarray(trace, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidInput("trace: expected numbers, one error per iteration") from None
    if e.ndim != 1:
        raise InvalidInput(f"trace: expected one error per iteration, got shape {e.shape}")
    if len(e) < least:
        raise InvalidInput(f"trace: {len(e)} point(s); a rate needs at least {least}")
    finite("trace", e, "pass the part of the run before it")
    if (e < 0).any():
        raise InvalidInput(
            f"trace: the error is negative at index {int(np.argmax(e < 0))}; pass errors, not their logarithms"
        )
    return e


def right_majorant(trace: Any) -> Float[np.ndarray, " n"]:
    """M_t = max_{u ≥ t} e_u: the smallest non-increasing sequence above the trace."""
    e = np.asarray(trace, dtype=np.float64)
    return np.maximum.accumulate(e[::-1])[::-1]


def envelope_rate(trace: Any, constant: float = 1.0, start: int = 0, stop: int | None = None) -> float:
    """ρ(C) = max_{start < t ≤ stop} (M_t / (C M_start))^{1/(t−start)}: the smallest rate whose envelope holds with C."""
    majorant = right_majorant(_as_trace(trace, least=2))
    stop = len(majorant) - 1 if stop is None else stop
    if not 0 <= start < stop < len(majorant):
        raise InvalidInput(f"start, stop: expected 0 ≤ start < stop ≤ {len(majorant) - 1}, got {start} and {stop}")
    real("constant", constant, above=0)
    if majorant[start] == 0:
        return 0.0
    steps = np.arange(1, stop - start + 1)
    return float(np.max((majorant[start + 1 : stop + 1] / (constant * majorant[start])) ** (1 / steps)))


def envelope_constant(trace: Any, rate: float, start: int = 0, stop: int | None = None) -> float:
    """Smallest C ≥ 1 with M_t ≤ C · rate^{t−start} · M_start for start ≤ t ≤ stop."""
    majorant = right_majorant(_as_trace(trace))
    stop = len(majorant) - 1 if stop is None else stop
    real("rate", rate, above=0)
    with np.errstate(divide="ignore"):
        logs = np.log(majorant[start : stop + 1]) - np.log(majorant[start])
    return float(np.exp(np.max(logs - np.arange(len(logs)) * math.log(rate))))


def power_law_straightness(order: float, decades: float) -> float:
    """κ of (τ + c)^{−order} seen over ``decades`` powers of ten; the offset c cancels.

    With R = 10^{decades/order} the factor by which time has grown, κ = 3 ln(3R / (1 + 2R)) / ln R.
    """
    log_r = decades * math.log(10) / order
    # ln(3R/(1+2R)) = −ln1p((1/R − 1)/3), which neither overflows for large R nor cancels for R near 1.
    return -3 * math.log1p(math.expm1(-log_r) / 3) / log_r


def excluded_order(straightness: float, decades: float) -> float:
    """Order below which every power law over ``decades`` is less straight than ``straightness``.

    Examples
    --------
    >>> round(excluded_order(0.6, 6.0), 1)
    9.2
    """
    if not decades > 0 or not straightness > 0:
        return 0.0
    if straightness > 1 - 1e-9:
        return math.inf
    scale = math.log(decades)
    root = optimize.brentq(
        lambda u: power_law_straightness(math.exp(u), decades) - straightness, scale - 60, scale + 25
    )
    return math.exp(root)


class _Line(NamedTuple):
    slope: float
    error: float  # standard error of the slope under the given jitter


def _line(values: np.ndarray, jitter: float) -> _Line:
    n = len(values)
    centred = np.arange(n) - (n - 1) / 2
    weight = float(centred @ centred)
    return _Line(float(centred @ values) / weight, jitter / math.sqrt(weight))


def _jitter(logs: np.ndarray) -> float:
    """Standard deviation of independent noise on a smooth sequence: the median second difference, made consistent."""
    second = np.diff(logs, 2)
    return float(np.median(np.abs(second))) / 0.6745 / math.sqrt(6) if len(second) else 0.0


class _Plateau(NamedTuple):
    knee: int  # where the trace first comes near the level
    length: int  # of the stretch proved flat
    level: float


class _Shape(NamedTuple):
    decline: float  # of ln M, from the first to the last index
    mean: float  # slope of ln M per step
    straightness: float
    straightness_error: float

    @property
    def bent(self) -> bool:
        """Bent like a power law, beyond what the jitter explains."""
        return self.straightness + 3 * self.straightness_error < STRAIGHT


def _shape(log_majorant: np.ndarray, jitter: float) -> _Shape:
    n = len(log_majorant)
    decline = float(log_majorant[0] - log_majorant[-1])
    mean = -decline / max(n - 1, 1)
    if n < 4 or not decline > 0:
        return _Shape(decline, mean, math.nan, 0.0)
    last = _line(log_majorant[-max(3, math.ceil(n / 3)) :], jitter)
    return _Shape(decline, mean, last.slope / mean, last.error / -mean)


def _plateau(logs: np.ndarray, jitter: float) -> _Plateau | None:
    """The longest final stretch that is flat, and clearly flatter than what came before it."""
    n = len(logs)
    shortest = max(4, n // 10)
    lengths = np.unique(np.geomspace(min(shortest, n), n, 60).astype(int))
    for length in lengths[::-1]:
        first = int(n - length)
        tail = _line(logs[first:], jitter)
        decline = -tail.slope * length
        if decline > max(0.1, 2 * tail.error * length) or first < 1:
            continue
        before = (logs[first] - logs[0]) / first
        if before < 0 and -tail.slope + 3 * tail.error < -0.3 * before:
            level = float(np.median(logs[first:]))
            near = level + max(math.log(2), 3 * float(np.std(logs[first:])))
            return _Plateau(int(np.argmax(logs <= near)), int(length), level)
    return None


def certify(
    trace: Any,
    *,
    rate: float | None = None,
    constant: float = 1.0,
    start: int = 0,
    condition: float = 1.0,
    scale: float | None = None,
    noise: float = 0.0,
    dtype: Any = np.float64,
    min_decades: float = 6.0,
) -> RateCertificate:
    """Certify one trace.

    Parameters
    ----------
    trace : (T + 1,) array_like
        Non-negative errors, one per iteration.
    rate, constant : float, optional
        The claim e_t ≤ constant · rate^{t−start} · e_start; without ``rate`` nothing is claimed.
    start : int
        Iterations to leave out at the beginning (the burn-in of the claim, t₀).
    condition, scale : float
        Condition number of the problem and size of what the error is measured on; rounding explains a floor up to
        1000 · eps · condition · scale. Default scale: 1 (relative errors) or e₀ when that is larger.
    noise : float
        Error level that noise explains (e.g. `theory.families.low_rank_sparse.limits.noisy_floor`); up to 3 times it counts as explained.
    dtype : numpy dtype
        The precision the run was made in.
    min_decades : float
        Dynamic range below which nothing is certified.

    Returns
    -------
    RateCertificate

    Raises
    ------
    InvalidInput
        On NaN, negative values, fewer than four points, or an error that ends above its start.
    """
    e = _as_trace(trace)
    if rate is not None:
        real("rate", rate, above=0, below=1, what="a contraction")
    for name, value, least in (("constant", constant, 1.0), ("condition", condition, 1.0), ("noise", noise, 0.0)):
        real(name, value, least=least, what="a finite number")
    if scale is not None:
        real("scale", scale, above=0)
    real("min_decades", min_decades, above=0, infinite=True)
    if not 0 <= start <= len(e) - 4:
        raise InvalidInput(f"start: expected 0 … {len(e) - 4}, so that 4 points remain, got {start}")

    rounding = (
        ROUNDING_FACTOR * float(np.finfo(dtype).eps) * condition * (max(1.0, e[start]) if scale is None else scale)
    )
    explained = max(rounding, NOISE_FACTOR * noise)
    if e[-1] > e[start] and e[-1] > explained:
        raise InvalidInput(
            f"trace: the error does not decrease (it is {e[start]:.3g} at index {start} and {e[-1]:.3g} at the end); "
            "a rate needs a convergence: check the column and the order of the rows"
        )

    majorant = right_majorant(e)[start:]
    tiny = explained * 1e-9  # exact zeros are legitimate errors, their logarithm is not
    logs, log_majorant = np.log(np.maximum(e[start:], tiny)), np.log(np.maximum(majorant, tiny))
    jitter = _jitter(logs)
    plateau = _plateau(logs, jitter)
    below = np.flatnonzero(majorant <= explained)

    # Active phase: from start to where the floor is met, or to the end of the trace.
    end = len(logs) - 1
    floor: float | None = None
    if plateau is not None:
        floor, end = math.exp(plateau.level), plateau.knee
    reached = plateau is not None and plateau.level <= math.log(explained)
    if len(below):
        reached, end = True, min(end, int(below[0]))
        floor = float(np.median(e[start + int(below[0]) :])) if floor is None else floor
    shape = _shape(log_majorant[: end + 1], jitter)

    standing = False
    if not reached:
        standing = shape.decline <= max(3 * math.sqrt(2) * jitter, 1e-9)
        if plateau is not None:
            # A straight descent onto it, or a third of the run: not the tail of a power law, which is one long bend.
            standing = standing or not shape.bent or 3 * plateau.length >= len(logs)
        if standing:
            floor = float(np.median(e[start:])) if floor is None else floor
        else:
            floor, end = None, len(logs) - 1
            shape = _shape(log_majorant, jitter)
    reason: Literal["rounding", "noise"] | None = None
    if reached and floor is not None:
        reason = "rounding" if floor <= rounding else "noise"

    # The floor is no part of the claim where it is explained, and is where it is not.
    last = start + end if reached else len(e) - 1
    envelope = envelope_rate(e, constant, start, last) if last > start else 0.0
    holds = None if rate is None else envelope <= rate
    decades = shape.decline / math.log(10)
    if standing:
        verdict = RateVerdict.STALLED
    elif shape.bent:
        verdict = RateVerdict.SUBLINEAR
    elif holds is False:
        verdict = RateVerdict.TOO_SLOW
    elif decades < min_decades or shape.straightness < STRAIGHT:
        verdict = RateVerdict.WEAK
    elif shape.straightness > BENT_DOWN:
        verdict = RateVerdict.SUPERLINEAR
    else:
        verdict = RateVerdict.CERTIFIED if reached else RateVerdict.TRUNCATED
    stop, kappa = start + end, shape.straightness
    fitted = math.exp(shape.mean) if stop > start else 0.0
    return RateCertificate(
        verdict=verdict,
        rate=fitted,
        constant=envelope_constant(e, fitted, start, stop) if 0 < fitted < 1 else 1.0,
        envelope=envelope,
        claimed_rate=rate,
        claimed_constant=None if rate is None else constant,
        holds=holds,
        decades=decades,
        straightness=kappa,
        excluded_order=excluded_order(kappa, decades) if math.isfinite(kappa) else 0.0,
        floor=floor,
        floor_reason=reason,
        explained_level=explained,
        start=start,
        stop=stop,
    )


class FloorKind(enum.Enum):
    """What makes a floor, told by running the same iteration in two precisions."""

    ROUNDING = "rounding"
    PLATEAU = "statistical or algorithmic plateau"
    UNDECIDED = "undecided"


class PrecisionLadder(NamedTuple):
    """Floors of one iteration in float32 and float64.

    Attributes
    ----------
    kind : FloorKind
    floor32, floor64 : float
    shift : float
        log₂(floor32 / floor64): 29 for a pure rounding floor, 0 for a plateau.
    """

    kind: FloorKind
    floor32: float
    floor64: float
    shift: float


def precision_ladder(run: Callable[[type[np.floating]], Any]) -> PrecisionLadder:
    """Tell a rounding floor from a plateau.

    The unit roundoffs differ by 2²⁹, and so do rounding floors; a plateau of statistics or of the algorithm stays.

    Parameters
    ----------
    run : callable
        ``run(dtype)`` returns the error trace of the iteration carried out in that precision; errors themselves should
        be measured in float64.

    Returns
    -------
    PrecisionLadder
        ROUNDING when the floor moves by more than 2²⁰, PLATEAU when by less than 2³, else UNDECIDED (both at work).
    """
    floors = []
    for dtype in (np.float32, np.float64):
        e = _as_trace(run(dtype))
        floors.append(float(np.median(e[-max(2, len(e) // 10) :])))
    low, high = floors
    shift = math.log2(max(low, 1e-300) / max(high, 1e-300))
    kind = FloorKind.ROUNDING if shift > 20 else FloorKind.PLATEAU if abs(shift) < 3 else FloorKind.UNDECIDED
    return PrecisionLadder(kind, low, high, shift)
