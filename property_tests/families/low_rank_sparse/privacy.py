"""Empirical privacy audit of a billboard server, and the mutants it must catch.

A mechanism that is (ε, δ)-private bounds how well anybody can tell two neighbouring sets of users apart from the
transcript. The audit tries to: it runs the server many times with and without one user (the *canary*), scores every
transcript with an attack that knows everything but the noise and the canary's presence, and turns the error rates into a lower
confidence bound on ε. A bound above the ledger's ε refutes the mechanism; a bound below proves nothing.

- Error rates are bounded by exact (Clopper–Pearson) intervals; thresholds are chosen on the first half of the trials and
  judged on the second; the error probability is split over every canary, attack and interval.
- Two readings of the same intervals: ε ≥ ln((TPR − δ)/FPR), which supposes nothing, and μ ≥ Φ⁻¹(TPR) − Φ⁻¹(FPR) for
  the Gaussian trade-off curve that the ledger claims (Nasr et al. 2023), which is far sharper.
- The same audit is always run on a null (nobody is added), where a positive bound says that the audit itself is broken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from scipy.special import betaincinv, ndtri

from lrs.core import streams
from lrs.core.errors import InvalidInput
from lrs.core.validate import probability
from lrs.families.low_rank_sparse.generate import InstanceSpec
from lrs.families.low_rank_sparse.problem import Problem
from lrs.private.accounting import Release, epsilon_of, rho_for
from lrs.private.clip import Clip, clip_of
from lrs.private.noise import NoiseSource, SeededNoise
from lrs.private.server import Request, Schedule, Server, Transcript
from lrs.private.solver import PrivateAMHT
from lrs.private.statistics import (
    Kind,
    Statistics,
    gradient_statistics,
    moment_statistics,
    normal_statistics,
    sensitivity,
)
from lrs.solver import Callback, Solution


# ---------------------------------------------------------------------------------------------- users under control
@dataclass(frozen=True, eq=False)
class Puppet:
    """A user whose rows and parameters are all chosen: the guarantee must hold whatever a device computes.

    The sign of w changes from round to round, so that what a puppet adds to V is not the same twice.

    Attributes
    ----------
    X : (m, d) array
    y : (m,) array
    w : (r,) array
    b : (d,) array
    """

    X: np.ndarray
    y: np.ndarray
    w: np.ndarray
    b: np.ndarray
    _known: dict[Any, Statistics] = field(default_factory=dict, repr=False)

    def answer(self, request: Request) -> Statistics:
        # Nothing here but the gradient depends on U, and an audit asks the same thousands of times.
        even = request.round % 2 == 0
        key = (request.kind, request.clip, even)
        if key not in self._known or request.kind == "gradient":
            self._known[key] = self._compute(request, self.w if even else -self.w)
        return self._known[key]

    def _compute(self, request: Request, w: np.ndarray) -> Statistics:
        X, y, W, B = self.X[None], self.y[None], w[None], self.b[None]
        if request.kind == "moment":
            return moment_statistics(X, y, request.clip)
        if request.kind == "normal":
            return normal_statistics(X, y, W, B, request.clip)
        return gradient_statistics(X, y, request.U, W, B, request.clip)


def extreme_user(clip: Clip, d: int, r: int, m: int, factor: float = 1.0) -> Puppet:
    """All rows equal, everything at its clip level and aligned: attains the bound on ‖A_i‖_F and ‖V_i‖_F; ``factor`` beyond it."""
    e1, w = np.eye(d)[0], np.eye(r)[0] * clip.w
    return Puppet(
        factor * clip.x * np.tile(e1, (m, 1)), np.full(m, factor * clip.y), factor * w, -e1 * clip.xb / clip.x
    )


def ordinary_users(number: int, clip: Clip, d: int, r: int, m: int, rng: np.random.Generator) -> list[Puppet]:
    """Users well inside the clip levels, whom nobody wants to learn about."""
    return [
        Puppet(
            0.5 * clip.x / np.sqrt(d) * rng.standard_normal((m, d)),
            0.3 * clip.y * rng.standard_normal(m),
            0.3 * clip.w * rng.standard_normal(r),
            np.zeros(d),
        )
        for _ in range(number)
    ]


# ---------------------------------------------------------------------------------------------- a solver to verify
def private_amht(problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
    """`lrs.PrivateAMHT` at (8, 1e-6) with levels for data of unit scale: ``lrs verify property_tests.families.low_rank_sparse.privacy:private_amht``.

    The noise is seeded from ``rng``, so that a trial can be repeated; it is not private.
    """
    spec = InstanceSpec(t=1, m=1, d=problem.d, r=problem.rank, k=problem.sparsity, noise=problem.noise)
    clip = clip_of(spec)
    seed = int(rng.integers(2**31))
    return PrivateAMHT(epsilon=8.0, delta=1e-6, clip=clip, insecure_seed=seed)(problem, rng=rng, callback=callback)


private_amht.traits = PrivateAMHT.traits  # type: ignore[attr-defined]


# ---------------------------------------------------------------------------------------------- mechanisms
Mechanism = Callable[[Schedule, np.ndarray, NoiseSource, Sequence[Puppet]], Server]


def honest(schedule: Schedule, start: np.ndarray, noise: NoiseSource, users: Sequence[Puppet]) -> Server:
    """The server as it is."""
    return Server(schedule, start, noise)


class _HalvedNoise(Server):
    def release(self, release: Release, value: np.ndarray) -> np.ndarray:
        return _release_with(self, release, value, release.noise / 2)


class _NoiseOnOneReleaseOnly(Server):
    def release(self, release: Release, value: np.ndarray) -> np.ndarray:
        # A hair of noise instead of none keeps scores finite; it is a millionth of what is claimed.
        return _release_with(self, release, value, release.noise * (1e-6 if release.name == "V" else 1.0))


class _NoiseScaledByRowsTwice(Server):
    rows = 4

    def release(self, release: Release, value: np.ndarray) -> np.ndarray:
        return _release_with(self, release, value, release.noise / self.rows)


class _SeedReused(Server):
    def release(self, release: Release, value: np.ndarray) -> np.ndarray:
        if not hasattr(self, "_seed"):
            self._seed = int(abs(self.noise.normal((1,))[0]) * 2**40)
        self.noise = SeededNoise(self._seed)
        return super().release(release, value)


class _ClipAfterSummation(Server):
    """Users send raw statistics; the sum is clipped to (number of answers) times the bound of one."""

    def request(self) -> Request | None:
        request = super().request()
        return None if request is None else replace(request, clip=_unlimited())

    def aggregate(self, kind: Kind, answers: Iterable[Statistics]) -> Statistics:
        each = list(answers)
        total = super().aggregate(kind, each)
        for name, value in total.items():
            bound = len(each) * sensitivity(name, self.schedule.clip, "add-remove")
            value *= min(1.0, bound / max(float(np.linalg.norm(value)), 1e-300))
        return total


class _ClipLevelFromData(Server):
    """‖x‖ is clipped at the largest norm in the data, with noise to match that level."""

    def __init__(self, schedule: Schedule, start: np.ndarray, noise: NoiseSource, users: Sequence[Puppet]) -> None:
        largest = max(float(np.linalg.norm(user.X, axis=1).max()) for user in users)
        super().__init__(replace(schedule, clip=replace(schedule.clip, x=largest)), start, noise)


def _release_with(server: Server, release: Release, value: np.ndarray, noise: float) -> np.ndarray:
    """The ledger is told ``release``; the noise added has another size."""
    noisy = Server.release(server, replace(release, noise=noise), value)
    server.ledger.releases[-1] = release
    server.transcript.releases[-1] = (release, noisy)
    return noisy


def _unlimited() -> Clip:
    return Clip(x=1e12, y=1e12, xb=1e12, w=1e12, moment=1e12, gradient=1e24)


def _ignoring_users(server: type[Server]) -> Mechanism:
    return lambda schedule, start, noise, users: server(schedule, start, noise)


#: Privacy bugs by name; every release of the toolkit must refute each of them.
MUTANTS: dict[str, Mechanism] = {
    "noise halved": _ignoring_users(_HalvedNoise),
    "noise added to one release only": _ignoring_users(_NoiseOnOneReleaseOnly),
    "clip after summation": _ignoring_users(_ClipAfterSummation),
    "noise scaled by m twice": _ignoring_users(_NoiseScaledByRowsTwice),
    "seed reused between rounds": _ignoring_users(_SeedReused),
    "clip level from the data": _ClipLevelFromData,
}


# ---------------------------------------------------------------------------------------------- attacks
class Seen(NamedTuple):
    """One release as the adversary sees it, in units of the published noise level."""

    name: str
    noise: np.ndarray  # what is left when everybody's but the canary's statistics are taken away
    shift: np.ndarray  # what the canary would have added


Attack = Callable[[list[Seen]], float]


def matched(seen: list[Seen]) -> float:
    """Log-likelihood ratio of the presence of the canary for Gaussian noise of the published size: the best attack on it."""
    return float(sum(np.vdot(s.noise, s.shift) for s in seen))


def matched_on(name: str) -> Attack:
    """`matched` on the releases of one name: they may have less noise than the others."""
    return lambda seen: matched([s for s in seen if s.name == name])


def repeated(seen: list[Seen]) -> float:
    """Smallest distance between the apparent noises of two releases to which the canary adds different things: 0 when a seed
    was used twice and the canary is absent."""
    pairs = [(a, b) for i, a in enumerate(seen) for b in seen[:i] if a.noise.shape == b.noise.shape]
    far = [(a, b) for a, b in pairs if np.linalg.norm(a.shift - b.shift) > 1e-6]
    return min((float(np.linalg.norm(a.noise - b.noise)) for a, b in far), default=0.0)


def loudness(seen: list[Seen]) -> float:
    """Energy of the apparent noise: tells levels, and with them noise sizes, that follow the data."""
    return float(sum(np.vdot(s.noise, s.noise) for s in seen))


ATTACKS: dict[str, Attack] = {
    "matched": matched,
    **{f"matched on {name}": matched_on(name) for name in ("moment", "A", "V", "gradient")},
    "repeated": repeated,
    "loudness": loudness,
}


def _scores(
    transcript: Transcript,
    requests: Sequence[Request],
    planned: dict[Any, float],
    base: Sequence[Puppet],
    canary: Puppet,
) -> list[float]:
    """Every attack's score. It knows the other users and the published U, and replays what each round's exact sums would be."""
    seen = []
    for request in requests:
        known = [user.answer(request) for user in base]
        added = canary.answer(request)
        for release, noisy in transcript.releases:
            if release.round == request.round and release.name in added:
                unit = planned[release.name, release.round]
                rest = noisy - sum(answer[release.name] for answer in known)
                seen.append(Seen(release.name, rest / unit, added[release.name] / unit))
    return [attack(seen) for attack in ATTACKS.values()]


# ---------------------------------------------------------------------------------------------- the audit
@dataclass(frozen=True)
class Finding:
    """One canary seen through one attack.

    Attributes
    ----------
    canary, attack : str
    true_positive, false_positive : float
        Confidence bounds: the rate of "present" is at least the one when the canary is, at most the other when it is not.
    epsilon : float
        Lower bound without any assumption on the mechanism.
    mu : float
        Lower bound on μ for a Gaussian trade-off curve.
    """

    canary: str
    attack: str
    true_positive: float
    false_positive: float
    epsilon: float
    mu: float


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes
    ----------
    claimed_epsilon, delta, claimed_rho : float
        The ledger's claim.
    epsilon_lower : float
        Lower confidence bound on ε at δ, by the better of the two readings.
    findings, null_findings : tuple of Finding
    trials : int
        Runs per side and canary.
    alpha : float
        Probability of a false alarm, all findings together.
    """

    claimed_epsilon: float
    delta: float
    claimed_rho: float
    epsilon_lower: float
    null_epsilon_lower: float
    findings: tuple[Finding, ...]
    null_findings: tuple[Finding, ...]
    trials: int
    alpha: float

    @property
    def refuted(self) -> bool:
        """The mechanism is less private than its ledger says."""
        return self.epsilon_lower > self.claimed_epsilon

    @property
    def broken(self) -> bool:
        """The audit finds a difference where there is none: do not believe it."""
        return self.null_epsilon_lower > 0

    @property
    def sentence(self) -> str:
        """The verdict for people."""
        if self.broken:
            return f"The audit is broken: it claims ε ≥ {self.null_epsilon_lower:.3g} where nobody was added."
        bound = f"ε ≥ {self.epsilon_lower:.3g} at δ = {self.delta:g} with confidence {1 - self.alpha:g}"
        if self.refuted:
            worst = max(self.findings, key=lambda f: (f.mu, f.epsilon))
            return (
                f"REFUTED: {bound}, but the ledger says {self.claimed_epsilon:.3g} "
                f"(canary {worst.canary!r}, attack {worst.attack!r})."
            )
        return f"Not refuted: {bound}; the ledger says {self.claimed_epsilon:.3g}. An audit cannot confirm privacy."

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "refuted": self.refuted, "broken": self.broken, "message": self.sentence}


def audit(
    mechanism: Mechanism = honest,
    *,
    epsilon: float = 8.0,
    delta: float = 1e-6,
    rounds: int = 2,
    trials: int = 500,
    alpha: float = 1e-3,
    seed: int = 0,
    kind: Kind = "normal",
    d: int = 2,
    rank: int = 1,
    rows: int = 4,
) -> Audit:
    """Audit a mechanism with user-level add/remove neighbours.

    Parameters
    ----------
    mechanism : callable
        Makes a server from (schedule, start, noise, users); `honest`, one of `MUTANTS`, or your own.
    epsilon, delta : float
        The claim under test. Bugs scale the noise, whatever ε is; a large ε shows them in the fewest runs.
    rounds, kind, d, rank, rows : see `lrs.PrivateAMHT`
        Size of the audited run. The noise does not depend on it, so a small one is the strictest per second.
    trials : int
        Runs per side and canary.
    alpha : float
        Probability of refuting a correct mechanism.
    seed : int
        Noise is seeded here: the audit tests the mechanism, not the generator.

    Returns
    -------
    Audit
    """
    if trials < 20:
        raise InvalidInput(f"trials: {trials} runs bound nothing; pass at least 20, better 500")
    probability("alpha", alpha)
    clip = Clip(x=1.0, y=1.0, xb=1.0, w=1.0)
    schedule = Schedule(clip=clip, rho=rho_for(epsilon, delta), rounds=rounds, sparsity=0, kind=kind, start_share=0.2)
    start = np.eye(d, rank)
    base = ordinary_users(3, clip, d, rank, rows, streams.generator("audit/users", seed))
    canaries = {
        "extreme user": extreme_user(clip, d, rank, rows),
        "user far beyond the levels": extreme_user(clip, d, rank, rows, factor=100.0),
    }
    tests = len(canaries) * len(ATTACKS)
    planned = {(r.name, r.round): r.noise for _, releases in schedule.releases for r in releases}
    draws = (streams.generator("audit/runs", seed, number) for number in range(2 + len(canaries)))

    def runs(users: Sequence[Puppet]) -> list[tuple[Transcript, list[Request]]]:
        return [_play(mechanism, schedule, start, users, int(s)) for s in next(draws).integers(2**63, size=trials)]

    # Without the canary the runs are the same whoever it is; only the scores differ.
    absent, again = runs(base), runs(base)
    findings, null_findings = [], []
    for name, canary in canaries.items():
        present = runs([*base, canary])
        without, null, with_it = (
            np.array([_scores(*run, planned, base, canary) for run in side]) for side in (absent, again, present)
        )
        for index, attack in enumerate(ATTACKS):
            budget = alpha / (2 * tests)
            findings.append(_find(name, attack, without[:, index], with_it[:, index], budget, delta))
            null_findings.append(_find(name, attack, without[:, index], null[:, index], budget, delta))
    return Audit(
        epsilon,
        delta,
        schedule.rho,
        _best(findings, delta),
        _best(null_findings, delta),
        tuple(findings),
        tuple(null_findings),
        trials,
        alpha,
    )


def _play(
    mechanism: Mechanism, schedule: Schedule, start: np.ndarray, users: Sequence[Puppet], seed: int
) -> tuple[Transcript, list[Request]]:
    server = mechanism(schedule, start, SeededNoise(seed), users)
    requests = []
    while (request := server.request()) is not None:
        server.receive(user.answer(request) for user in users)
        # The attack reasons about what the published schedule says, whatever levels the server really asked for.
        requests.append(replace(request, clip=schedule.clip))
    return server.transcript, requests


def _find(canary: str, attack: str, absent: np.ndarray, present: np.ndarray, alpha: float, delta: float) -> Finding:
    half = len(absent) // 2
    n = len(absent) - half
    best: tuple[float, float] = (-math.inf, math.inf)
    for threshold in np.unique(
        np.quantile(np.concatenate([absent[:half], present[:half]]), np.linspace(0.02, 0.98, 49))
    ):
        hits, alarms = int((present[:half] > threshold).sum()), int((absent[:half] > threshold).sum())
        mu, _ = _bounds(*_rates(hits, alarms, half, alpha), delta)
        best = max(best, (mu, float(threshold)))
    rates = _rates(int((present[half:] > best[1]).sum()), int((absent[half:] > best[1]).sum()), n, alpha)
    mu, epsilon = _bounds(*rates, delta)
    return Finding(canary, attack, *rates, epsilon, mu)


def _rates(hits: int, alarms: int, n: int, alpha: float) -> tuple[float, float]:
    """Clopper–Pearson: lower bound on the hit rate, upper bound on the false-alarm rate, each at confidence 1 − α."""
    low = 0.0 if hits == 0 else float(betaincinv(hits, n - hits + 1, alpha))
    high = 1.0 if alarms == n else float(betaincinv(alarms + 1, n - alarms, 1 - alpha))
    return low, high


def _bounds(hit: float, alarm: float, delta: float) -> tuple[float, float]:
    """Lower bounds on μ and on ε from a hit rate of at least ``hit`` at a false-alarm rate of at most ``alarm``."""
    mu = float(ndtri(hit) - ndtri(alarm)) if hit > 0 and alarm < 1 else 0.0
    epsilon = 0.0
    if hit > delta:
        epsilon = max(epsilon, math.log((hit - delta) / alarm))
    if 1 - alarm > delta and hit < 1:
        epsilon = max(epsilon, math.log((1 - alarm - delta) / (1 - hit)))
    return max(mu, 0.0), epsilon


def _best(findings: Iterable[Finding], delta: float) -> float:
    """The largest ε that any finding supports, by either reading."""
    return max(max(f.epsilon, epsilon_of(f.mu**2 / 2, delta) if f.mu > 0 else 0.0) for f in findings)
