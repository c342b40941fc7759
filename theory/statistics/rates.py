"""Is an observed run a geometric convergence? A certificate per trace, with every way it can fail told apart.

A trace is a sequence of errors e₀ … e_T of anyone's iteration. What a theorem promises is e_t ≤ C ρ^{t−t₀} e_{t₀} down to
a floor; what a plot shows is a line that looks straight. The certificate rests on four things:

1. the *envelope* ρ(C) = max_t (M_t / (C M_{t₀}))^{1/(t−t₀)} of the right majorant M_t = max_{u≥t} e_u: a promise
   (ρ, C) is kept iff ρ(C) ≤ ρ;
2. the *dynamic range* above the floor, without the drop that lands on it and without a single step that decides;
3. the *evidence* against rivals that are fitted to the same errors (`theory.statistics.shapes`): stretched exponentials
   exp(−c t^p) with p ≤ STRETCHED, power laws (t + c)^{−q} with q ≤ ORDER, a plateau and then a drop. Geometric means that
   all of them are excluded, and either p = 1 is not or p is above STEADY;
4. the *hidden constant* C of the fitted rate, which is bounded.

A floor counts as reached only when it is *explained*, by rounding (K · eps · cond · scale) or by noise; a run that
stands still anywhere else has STALLED. Derived [D]; thresholds are calibrated, and error rates measured on other traces, by
`property_tests/benchmarks/rate_errors.py`.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

from lrs.core.errors import InvalidInput
from lrs.core.validate import finite, real
from theory.statistics import shapes
from theory.statistics.shapes import Shapes

#: K of the rounding floor K · eps · cond · scale: a run's errors add up over a few thousand operations.
ROUNDING_FACTOR = 1000.0
#: A floor within this factor of the stated noise level is explained by it.
NOISE_FACTOR = 3.0
#: Straightness below which a trace bends like a power law.
STRAIGHT = 0.6
_SLOWER = ("stretched exponential", "power law")
#: The rivals of a geometric rate: stretched exponentials exp(−c t^p) up to this p, power laws up to this order.
STRETCHED, ORDER = 0.85, 10.0
#: Exponents p between these count as geometric: contractions that vary from step to step bend a trace a little, and at p = .9
#: the last third is 8 % flatter than the whole.
STEADY, FASTER = 0.9, 1.1
#: Share of a trace that may be a plateau before a geometric descent, and by how much a longer one has to fit better (2 ln
#: likelihood) than the best stretched exponential.
SHORT_PLATEAU, PLATEAU_GAIN = 0.12, 9.0
#: Shares of a trace that are left out at its beginning, when it is faster there than later; what remains has to be beyond
#: STEADY, since there are several tries.
BURN_IN = (0.1, 0.2, 0.3, 0.4, 0.5)
#: Fewest errors that are judged.
FEWEST = 5
#: Errors within this factor of a floor are bent by it.
NEAR_FLOOR = 20.0
#: Constant C of C ρ^t beyond which a rate says nothing of the trace.
LARGEST_CONSTANT = 1000.0


class RateVerdict(enum.Enum):
    """What a trace shows."""

    CERTIFIED = "certified"
    TRUNCATED = "truncated"
    SUPERLINEAR = "superlinear"
    SUBLINEAR = "sublinear"
    STALLED = "stalled"
    INCONCLUSIVE = "inconclusive"
    WEAK = INCONCLUSIVE  # its name in the first edition
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
    RateVerdict.INCONCLUSIVE: "The trace does not tell a geometric rate from a rival.",
    RateVerdict.TOO_SLOW: "The error exceeds the claimed envelope C · rate^t.",
}


class Reason(enum.Enum):
    """Why a certificate cannot be given."""

    STEPS = "too few steps"
    DECADES = "too few decades"
    FLOOR = "the floor is met too early"
    JUMP = "one jump decides"
    STRETCHED = "a stretched exponential is as good"
    POWER = "a power law is as good"
    PLATEAU = "a plateau, then a drop"
    CONSTANT = "the hidden constant is too large"


@dataclass(frozen=True)
class RateCertificate:
    """The certificate of one trace.

    Attributes
    ----------
    verdict : RateVerdict
    rate : float
        Fitted contraction per step, exp of the slope of ln e over the active phase.
    constant : float
        The hidden constant: smallest C with e_t ≤ C · rate^{t−t₀} · M_{t₀} over the active phase, from the first error that
        the caller asked for.
    envelope : float
        ρ(C) at the claimed constant (C = 1 when nothing was claimed).
    claimed_rate, claimed_constant : float or None
    holds : bool or None
        Whether the claim is kept; None when there was none.
    decades : float
        Dynamic range in powers of ten, down to the last error before the floor is met.
    straightness : float
        κ, the slope of ln M in the last third over its mean slope; NaN when the active phase has fewer than four points.
    excluded_order : float
        Every power law of a smaller order is excluded, whatever its offset; inf excludes all.
    floor : float or None
        Level at which the trace stands still; None when it does not.
    floor_reason : {"rounding", "noise"} or None
        What explains the floor.
    explained_level : float
        The level below which a floor is explained.
    start, stop : int
        First and last index of the active phase, which is what the shapes are fitted to. It begins later than asked where the
        trace is faster at first than later, and ends where a floor begins to bend it, before the drop that lands on a floor,
        and before a single step that decides.
    reason : Reason or None
        Why there is no certificate; None unless the verdict is INCONCLUSIVE.
    rate_interval : (float, float)
        99 % interval of the rate of a geometric trace, under correlated jitter.
    constant_bound : float
        The hidden constant at the fastest rate of that interval: with it the envelope holds for every rate in it.
    straightness_interval : (float, float)
        κ ± three standard errors, under correlated jitter.
    exponent, exponent_interval : float, (float, float)
        p of the stretched exponential exp(−c t^p) that fits best, and those that are not excluded; 1 is geometric.
    rival : str or None
        The rival that fits best: "stretched exponential", "power law", "plateau then drop" or "one jump".
    evidence : float
        log₁₀ of the likelihood of a geometric trace over that rival; NaN for "one jump".
    jump : float
        Decades of the largest step that was not counted: the one that lands on a floor, or one that decides.
    plateau : int
        Where the reason is PLATEAU, the index at which its drop begins: the ``start`` to judge that drop by itself.
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
    reason: Reason | None = None
    rate_interval: tuple[float, float] = (0.0, 1.0)
    constant_bound: float = math.inf
    straightness_interval: tuple[float, float] = (-math.inf, math.inf)
    exponent: float = math.nan
    exponent_interval: tuple[float, float] = (0.0, math.inf)
    rival: str | None = None
    evidence: float = math.nan
    jump: float = 0.0
    plateau: int = 0

    @property
    def sentence(self) -> str:
        """The verdict in words, with the figures it rests on."""
        parts = [self.verdict.sentence]
        if self.reason is not None:
            parts.append(f"{self.reason.value[0].upper()}{self.reason.value[1:]}.")
        if self.reason is Reason.PLATEAU:
            parts.append(f"The drop begins at index {self.plateau}.")
        if self.verdict is RateVerdict.STALLED and self.floor is not None:
            parts.append(
                f"It stands at {self.floor:.2g}; rounding or noise explains levels up to {self.explained_level:.2g}."
            )
        elif self.verdict is RateVerdict.TOO_SLOW:
            parts.append(
                f"The claim is {self.claimed_rate:.6g} with C = {self.claimed_constant:g}; the trace needs {self.envelope:.6g}."
            )
        elif self.stop == self.start:
            parts.append("No range is left above its floor.")
        else:
            parts.append(
                f"Rate {self.rate:.4g} per step with C = {self.constant:.3g} over {self.decades:.3g} decades, "
                f"straightness {self.straightness:.2f}."
            )
        if self.jump > 1:
            parts.append(f"One step of {self.jump:.3g} decades does not count.")
        return " ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what is not finite is None."""
        values = asdict(self)
        values["verdict"] = self.verdict.name
        values["reason"] = None if self.reason is None else self.reason.name
        values["sentence"] = self.sentence
        return {k: [_plain(x) for x in v] if isinstance(v, tuple) else _plain(v) for k, v in values.items()}


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


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


class _Straightness(NamedTuple):
    value: float  # NaN when it is not defined
    error: float

    @property
    def bent(self) -> bool:
        """Bent like a power law, beyond what the jitter explains."""
        return self.value + 3 * self.error < STRAIGHT


def _straightness(log_majorant: np.ndarray, jitter: float) -> _Straightness:
    n = len(log_majorant)
    mean = float(log_majorant[-1] - log_majorant[0]) / max(n - 1, 1)
    if n < 4 or not mean < 0:
        return _Straightness(math.nan, 0.0)
    last = _line(log_majorant[-max(3, math.ceil(n / 3)) :], jitter)
    return _Straightness(last.slope / mean, last.error / -mean)


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


def _jump(logs: np.ndarray) -> int | None:
    """Index before the one step that decides, if there is one.

    Its size is counted from the lowest of three errors before it to the highest of three after it, so that jitter makes
    none; it decides when it is a quarter of the decline and four times the mean of the other steps.
    """
    n = len(logs)
    if n < 3:
        return 0 if n == 2 else None
    padded = np.concatenate([np.full(2, np.inf), logs, np.full(2, -np.inf)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, 3)
    gaps = windows.min(axis=1)[: n - 1] - windows.max(axis=1)[3 : n + 2]
    at, decline = int(np.argmax(gaps)), float(logs[0] - logs[-1])
    gap = float(gaps[at])
    return at if gap > 0.25 * decline and gap > 4 * max(decline - gap, 0.0) / (n - 2) else None


class _Floor(NamedTuple):
    level: float | None  # None where the trace ends before one
    met: int  # where it is met, or the end of the trace
    end: int  # the last error that it does not touch
    reached: bool  # and explained
    standing: bool  # at a level that nothing explains


def _floor(logs: np.ndarray, log_majorant: np.ndarray, explained: float) -> _Floor:
    jitter = _jitter(logs)
    plateau = _plateau(logs, jitter)
    below = np.flatnonzero(log_majorant <= explained)
    n = len(logs)
    met = n - 1
    level = None
    if plateau is not None:
        level, met = math.exp(plateau.level), plateau.knee
    reached = plateau is not None and plateau.level <= explained
    if len(below):
        reached, met = True, min(met, int(below[0]))
        level = math.exp(float(np.median(logs[below[0] :]))) if level is None else level
    standing = False
    if not reached:
        standing = float(log_majorant[0] - log_majorant[met]) <= max(3 * math.sqrt(2) * jitter, 1e-9)
        if plateau is not None:
            # A straight descent onto it, or a third of the run: not the tail of a power law, which is one long bend.
            bent = _straightness(log_majorant[: met + 1], jitter).bent
            standing = standing or not bent or 3 * plateau.length >= n
        if not standing:
            return _Floor(None, n - 1, n - 1, False, False)
        level = math.exp(float(np.median(logs))) if level is None else level
    touched = explained if plateau is None else plateau.level + math.log(NEAR_FLOOR)
    end = max(int(np.argmax(log_majorant <= touched)) - 1, 0) if log_majorant[-1] <= touched else met
    return _Floor(level, met, end, reached, standing)


class _Finding(NamedTuple):
    """What the shapes say of a trace from `first` on."""

    first: int
    shapes: Shapes
    decades: float  # range of the fitted line, three standard errors up
    verdict: RateVerdict  # of the shape alone: CERTIFIED, SUPERLINEAR, SUBLINEAR or INCONCLUSIVE
    reason: Reason | None


def _judge(logs: np.ndarray, first: int) -> _Finding:
    s = shapes.fit(logs[first:], first, stretched=STRETCHED, power=ORDER)
    low, high = s.exponent_interval
    plateau = s.plateau * (1 - s.plateau_slope) if s.plateau_gain > 0 else 0.0
    verdict, reason = RateVerdict.INCONCLUSIVE, None
    if high < STRETCHED:
        verdict = RateVerdict.SUBLINEAR
    elif low <= STRETCHED or (high < 1 and low <= STEADY):
        reason = Reason.STRETCHED
    elif s.order <= ORDER:
        reason = Reason.POWER
    elif plateau > SHORT_PLATEAU * len(logs) and (low > FASTER or s.plateau_gain > PLATEAU_GAIN):
        reason = Reason.PLATEAU
    elif low <= FASTER or plateau > 0:
        verdict = RateVerdict.CERTIFIED
    else:
        verdict = RateVerdict.SUPERLINEAR
    decades = (s.slope + 3 * s.slope_error) * (len(logs) - 1 - first) / math.log(10)
    return _Finding(first, s, decades, verdict, reason)


def _find(logs: np.ndarray, min_decades: float) -> _Finding | None:
    """The whole trace, or what is left without a fast start when only that makes it bent."""
    n = len(logs)
    if n < FEWEST or logs[-1] >= logs[0]:
        return None
    whole = _judge(logs, 0)
    if whole.verdict is not RateVerdict.CERTIFIED and whole.shapes.exponent_interval[1] < 1:
        for share in BURN_IN:
            first = math.ceil(share * n)
            if n - first < FEWEST:
                break
            tail = _judge(logs, first)
            if tail.decades < min_decades:
                break
            if tail.verdict is RateVerdict.CERTIFIED and tail.shapes.exponent_interval[0] > STEADY:
                return tail
    return whole


def _verdict(
    floor: _Floor, finding: _Finding | None, holds: bool | None, jump: bool, min_decades: float
) -> tuple[RateVerdict, Reason | None]:
    if floor.standing:
        return RateVerdict.STALLED, None
    if finding is not None and finding.verdict is RateVerdict.SUBLINEAR:
        return RateVerdict.SUBLINEAR, None
    if holds is False:
        return RateVerdict.TOO_SLOW, None
    if finding is not None and finding.decades >= min_decades * (1 - 1e-9):
        return finding.verdict, finding.reason
    if jump:
        return RateVerdict.INCONCLUSIVE, Reason.JUMP
    if floor.reached:
        return RateVerdict.INCONCLUSIVE, Reason.FLOOR
    return RateVerdict.INCONCLUSIVE, Reason.STEPS if finding is None else Reason.DECADES


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
    floor = _floor(logs, log_majorant, math.log(explained))
    # The floor is no part of the claim where it is explained, and is where it is not.
    last = start + floor.met if floor.reached else len(e) - 1
    envelope = envelope_rate(e, constant, start, last) if last > start else 0.0
    holds = None if rate is None else envelope <= rate

    end, jump = floor.end, _jump(log_majorant[: min(floor.met, floor.end + 1) + 1])
    finding = _find(logs[: end + 1], min_decades)
    if jump is not None and jump <= end and not (finding and finding.verdict is RateVerdict.SUBLINEAR):
        end = jump
        finding = _find(logs[: end + 1], min_decades)
    # The last errors before a floor are bent by it and not fitted, but they are range.
    before = end if jump == end else max(end, floor.met - 1 if floor.reached else end)
    bent_by_floor = float(log_majorant[end] - log_majorant[before]) / math.log(10)
    verdict, reason = _verdict(floor, finding, holds, jump == end, min_decades - bent_by_floor)

    first = finding.first if finding else 0
    decline = max(float(log_majorant[first] - log_majorant[end]), 0.0)
    fitted = math.exp(-decline / end) if end else 0.0
    fastest, slowest, jitter, rival, evidence = 0.0, 1.0, _jitter(logs), None, math.nan
    s = None
    if finding is not None:
        s = finding.shapes
        fitted = math.exp(-s.slope)
        width = s.slope_error * float(stats.t.ppf(0.995, end - first - 1))
        fastest, slowest = fitted * math.exp(-width), min(fitted * math.exp(width), 1.0)
        jitter = s.jitter * math.sqrt((1 + s.correlation) / (1 - s.correlation))
        rival = "plateau then drop" if reason is Reason.PLATEAU else min(_SLOWER, key=s.evidence.__getitem__)
        evidence = s.evidence[rival] / (2 * math.log(10))
    if reason is Reason.JUMP:
        rival, evidence = "one jump", math.nan
    hidden = envelope_constant(e, fitted, start, start + end) if 0 < fitted < 1 else 1.0
    if verdict is RateVerdict.CERTIFIED and hidden > LARGEST_CONSTANT:
        verdict, reason = RateVerdict.INCONCLUSIVE, Reason.CONSTANT
    if verdict is RateVerdict.CERTIFIED and not floor.reached:
        verdict = RateVerdict.TRUNCATED
    straightness = _straightness(log_majorant[first : end + 1], jitter)
    kappa, width = straightness.value, 3 * straightness.error
    uncounted = log_majorant[before] - log_majorant[min(before + 1, len(logs) - 1)]
    return RateCertificate(
        verdict=verdict,
        rate=fitted,
        constant=hidden,
        envelope=envelope,
        claimed_rate=rate,
        claimed_constant=None if rate is None else constant,
        holds=holds,
        decades=decline / math.log(10) + bent_by_floor,
        straightness=kappa,
        excluded_order=s.order if s else 0.0,
        floor=floor.level,
        floor_reason=None
        if not floor.reached or floor.level is None
        else "rounding"
        if floor.level <= rounding
        else "noise",
        explained_level=explained,
        start=start + first,
        stop=start + end,
        reason=reason,
        rate_interval=(fastest, slowest),
        constant_bound=envelope_constant(e, fastest, start, start + end) if 0 < fastest < 1 else math.inf,
        straightness_interval=(kappa - width, kappa + width),
        exponent=s.exponent if s else math.nan,
        exponent_interval=s.exponent_interval if s else (0.0, math.inf),
        rival=rival,
        evidence=evidence,
        jump=float(uncounted) / math.log(10),
        plateau=start + math.ceil(s.plateau) if s is not None and reason is Reason.PLATEAU else 0,
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
