"""Empirical privacy audit of a billboard server, and the mutants it must catch.

A mechanism that is (ε, δ)-private bounds how well anybody can tell two neighbouring sets of users apart from the
transcript. The audit tries to: it runs the server many times with and without one user (the *canary*), scores every
transcript with an attack that knows everything but the noise and the canary's presence, and turns the error rates into a lower
confidence bound on ε. A bound above the ledger's ε refutes the mechanism; a bound below proves nothing.

- Error rates are bounded by exact (Clopper–Pearson) intervals; thresholds are chosen on the first half of the trials and
  judged on the second; the error probability is split over every canary, attack and interval.
- Two readings of the same intervals, reported side by side: ε ≥ ln((TPR − δ)/FPR), which supposes nothing, and
  μ ≥ Φ⁻¹(TPR) − Φ⁻¹(FPR) for the Gaussian trade-off curve that the ledger claims (Nasr et al. 2023), which is far sharper and says
  nothing of a mechanism whose noise is not Gaussian. How far each can reach with so many runs is part of the report.
- The same audit is always run on a null (nobody is added), where a positive bound says that the audit itself is broken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy.special import betaincinv, ndtr, ndtri

from lrs.core import streams
from lrs.core.errors import InvalidInput
from lrs.core.validate import probability
from lrs.families.low_rank_sparse.problem import Problem
from lrs.private.accounting import Release, epsilon_of, rho_for
from lrs.private.clip import Clip
from lrs.private.noise import NoiseSource, SeededNoise
from lrs.private.server import Request, Schedule, Server, Transcript
from lrs.private.solver import PrivateAMHT
from lrs.private.statistics import (
    Kind,
    Statistics,
    direction_statistics,
    feature_statistics,
    gradient_statistics,
    largest,
    lattice,
    normal_statistics,
    unit_scale,
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
        key = (request.kind, request.clip, request.features, even)
        if key not in self._known or request.kind == "gradient":
            self._known[key] = self._compute(request, self.w if even else -self.w)
        return self._known[key]

    def _compute(self, request: Request, w: np.ndarray) -> Statistics:
        return _of(self.X[None], self.y[None], w[None], self.b[None], request)


def _of(X: np.ndarray, y: np.ndarray, W: np.ndarray, B: np.ndarray, request: Request) -> Statistics:
    """The sums of users with these parameters."""
    if request.kind == "statistics":
        assert request.clip is not None
        return normal_statistics(X, y, W, B, request.clip, exact=request.exact)
    if request.kind == "moment":
        X, y = unit_scale(X, y)[:2]
        found = direction_statistics(X, y, exact=request.exact)
        return found | feature_statistics(X, exact=request.exact) if request.features else found
    return gradient_statistics(X, y, request.U, W, B, request.level, whiten=request.whiten, exact=request.exact)


def answers(users: Sequence[Puppet], request: Request) -> list[Statistics]:
    """What users answer; of gradients, which are never the same twice, equal-sized users are asked in one go."""
    plain = [u for u in users if type(u) is Puppet and u.X.shape == users[0].X.shape]
    if request.kind != "gradient" or len(plain) < 2:
        return [user.answer(request) for user in users]
    sign = 1 if request.round % 2 == 0 else -1
    X, y, W, B = (np.array([getattr(u, name) for u in plain]) for name in ("X", "y", "w", "b"))
    return [_of(X, y, sign * W, B, request), *(u.answer(request) for u in users if u not in plain)]


def extreme_user(clip: Clip, d: int, r: int, m: int, **beyond: float) -> Puppet:
    """All rows equal, everything at its clip level and aligned: attains the bounds on A, V, the start's direction and the gradient.

    ``x=10`` has this one quantity ten times beyond its level, and so on for ``y``, ``xb`` and ``w``.
    """
    over = {"x": 1.0, "y": 1.0, "xb": 1.0, "w": 1.0, **beyond}
    e1 = np.eye(d)[0]
    return Puppet(
        over["x"] * clip.x * np.tile(e1, (m, 1)),
        np.full(m, over["y"] * clip.y),
        over["w"] * clip.w * np.eye(r)[0],
        -over["xb"] * clip.xb / (over["x"] * clip.x) * e1,  # one quantity beyond its level, and no other with it
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
    """`lrs.PrivateAMHT` at (8, 1e-6): ``lrs verify property_tests.families.low_rank_sparse.privacy:private_amht``.

    The noise is seeded from ``rng``, so that a trial can be repeated; it is not private.
    """
    seed = int(rng.integers(2**31))
    return PrivateAMHT(epsilon=8.0, delta=1e-6, insecure_seed=seed)(problem, rng=rng, callback=callback)


private_amht.traits = PrivateAMHT.traits  # type: ignore[attr-defined]


# ---------------------------------------------------------------------------------------------- mechanisms
Mechanism = Callable[[Schedule, np.ndarray, NoiseSource, Sequence[Puppet]], Server]


def honest(schedule: Schedule, start: np.ndarray, noise: NoiseSource, users: Sequence[Puppet]) -> Server:
    """The server as it is."""
    return Server(schedule, start, noise)


def asked(server: Server, users: Sequence[Puppet]) -> Sequence[Puppet]:
    """Who answers the server. A mechanism that does something to users beforehand has a method ``prepare`` of them all."""
    return server.prepare(users) if hasattr(server, "prepare") else users


class _LessNoise(Server):
    factor = 0.5

    def release(self, release: Release, value: np.ndarray) -> np.ndarray:
        return _release_with(self, release, value, release.noise * self.factor)


class _SevenTenthsOfTheNoise(_LessNoise):
    factor = 0.7


class _NoiseScaledByRowsTwice(_LessNoise):
    factor = 0.25  # four rows


class _NoiseOnOneReleaseOnly(Server):
    def release(self, release: Release, value: np.ndarray) -> np.ndarray:
        # A hair of noise instead of none keeps scores finite; it is a thousandth of what is claimed.
        return _release_with(self, release, value, release.noise * (1e-3 if release.name in ("V", "inside") else 1.0))


class _ExactSubspace(Server):
    """Noisy sums are published and paid for, and U is computed from the exact ones."""

    def release(self, release: Release, value: np.ndarray) -> np.ndarray:
        super().release(release, value)
        return lattice(release.name, self.schedule.clip) * value


class _SeedReused(Server):
    def release(self, release: Release, value: np.ndarray) -> np.ndarray:
        if not hasattr(self, "_seed"):
            self._seed = int(abs(self.noise.add(np.zeros(1, dtype=np.int64), 2.0**40)[0]))
        self.noise = SeededNoise(self._seed)
        return super().release(release, value)


class _Beyond(Server):
    """Users obey levels that are 20 times too large, and nobody holds them to what the ledger says."""

    levels: tuple[str, ...] = ("x", "y", "xb", "w")

    def request(self) -> Request | None:
        request = super().request()
        if request is None or request.clip is None:
            return request
        return replace(request, clip=self.believed)

    @property
    def believed(self) -> Clip:
        clip = self.schedule.clip
        assert clip is not None
        return replace(clip, **{name: 20 * getattr(clip, name) for name in self.levels})

    def aggregate(self, kind: Kind, answers: Iterable[Statistics]) -> Statistics:
        total = super().aggregate(kind, answers)
        if kind == "statistics":
            for name, value in total.items():
                ratio = lattice(name, self.believed) / lattice(name, self.schedule.clip)
                total[name] = np.rint(ratio * value).astype(np.int64)
        return total


def _forgotten(level: str) -> type[Server]:
    """Only this one clip is forgotten."""
    return type(f"_Forgotten_{level}", (_Beyond,), {"levels": (level,)})


class _ClipAfterSummation(_Beyond):
    """Users send raw statistics; the sum is clipped to (number of answers) times the bound of one."""

    def aggregate(self, kind: Kind, answers: Iterable[Statistics]) -> Statistics:
        each = list(answers)
        total = super().aggregate(kind, each)
        for name, value in total.items():
            bound = len(each) * largest(name, self.schedule.clip) / lattice(name, self.schedule.clip)
            total[name] = np.rint(value * min(1.0, bound / max(float(np.linalg.norm(value)), 1e-300))).astype(np.int64)
        return total


class _ClipLevelFromData(Server):
    """‖x‖ is clipped at the largest norm in the data, with noise to match that level."""

    def __init__(self, schedule: Schedule, start: np.ndarray, noise: NoiseSource, users: Sequence[Puppet]) -> None:
        largest_norm = max(float(np.linalg.norm(user.X, axis=1).max()) for user in users)
        assert schedule.clip is not None
        super().__init__(replace(schedule, clip=replace(schedule.clip, x=largest_norm)), start, noise)


@dataclass(frozen=True, eq=False)
class _Altered(Puppet):
    """A user whose contributions are multiplied on the way, past the bound."""

    factors: dict[str, float] = field(default_factory=dict)

    def answer(self, request: Request) -> Statistics:
        found = super().answer(request)
        return {n: np.rint(v * self.factors.get(n, 1.0)).astype(v.dtype) for n, v in found.items()}


class _Unbounded(Server):
    """The bound of one contribution is forgotten: a user's m = 4 rows are bounded one by one, and their sum is not."""

    name, factor = "gradient", 4.0

    def prepare(self, users: Sequence[Puppet]) -> list[Puppet]:
        return [_Altered(u.X, u.y, u.w, u.b, factors={self.name: self.factor}) for u in users]


class _UnboundedStart(_Unbounded):
    """Nobody is held to the bound: users are as far beyond it as in `_Beyond`."""

    name, factor = "moment", 20.0


class _UnboundedFeatures(_Unbounded):
    name, factor = "features", 20.0


class _Split(Server):
    """One stream splits the rows of all users: with one user more, everybody's training rows are others."""

    def prepare(self, users: Sequence[Puppet]) -> list[Puppet]:
        rng = np.random.default_rng(0)
        order = sorted(users, key=lambda u: -float(abs(u.y).max()))  # the newcomer's label sorts first
        drawn = []
        for user in order:
            half = rng.permutation(len(user.y))[: len(user.y) // 2]
            drawn.append(Puppet(user.X[half], user.y[half], user.w, user.b))
        return drawn


class _Centred(Server):
    """Responses are centred by the exact mean of all users."""

    def prepare(self, users: Sequence[Puppet]) -> list[Puppet]:
        mean = float(np.mean([u.y.mean() for u in users]))
        return [Puppet(u.X, u.y - mean, u.w, u.b) for u in users]


class _Positions(Server):
    """A user's group is its position: whoever joins in front moves all others to another group."""

    def prepare(self, users: Sequence[Puppet]) -> list[Puppet]:
        self.count = len(users)
        front = sorted(users, key=lambda u: -float(abs(u.y).max()))
        return [_Turned(u.X, u.y, u.w, u.b, position=i) for i, u in enumerate(front)]


@dataclass(frozen=True, eq=False)
class _Turned(Puppet):
    position: int = 0

    def answer(self, request: Request) -> Statistics:
        found = super().answer(request)
        mine = request.round == 0 or request.round % 2 == self.position % 2
        return found if mine else {n: np.zeros_like(v) for n, v in found.items()}


class _Multiplies(Server):
    """Rows are multiplied before they are bounded, in floating point: one user's overflow leaves nothing of anybody's sums."""

    def prepare(self, users: Sequence[Puppet]) -> Sequence[Puppet]:
        return [] if max(float(abs(u.y).max()) for u in users) > 10 else users


def _release_with(server: Server, release: Release, value: np.ndarray, noise: float) -> np.ndarray:
    """The ledger is told ``release``; the noise added has another size."""
    noisy = Server.release(server, replace(release, noise=noise), value)
    server.ledger.releases[-1] = release
    server.transcript.releases[-1] = (release, noisy)
    return noisy


def _ignoring_users(server: type[Server]) -> Mechanism:
    return lambda schedule, start, noise, users: server(schedule, start, noise)


class Mutant(NamedTuple):
    """A privacy bug and the release at which it is looked for."""

    mechanism: Mechanism
    kind: Kind


def _mutants(kind: Kind, **servers: type[Server]) -> dict[str, Mutant]:
    return {name.replace("_", " "): Mutant(_ignoring_users(server), kind) for name, server in servers.items()}


#: Privacy bugs by name; every release of the toolkit must refute each of them.
MUTANTS: dict[str, Mutant] = {
    **_mutants(
        "gradient",
        noise_halved=_LessNoise,
        noise_times_seven_tenths=_SevenTenthsOfTheNoise,
        noise_added_to_one_release_only=_NoiseOnOneReleaseOnly,
        noise_scaled_by_m_twice=_NoiseScaledByRowsTwice,
        subspace_from_the_exact_sums=_ExactSubspace,
        record_level_gradients=_Unbounded,
        start_not_bounded=_UnboundedStart,
        features_not_bounded=_UnboundedFeatures,
        rows_split_by_one_stream=_Split,
        responses_centred_by_their_mean=_Centred,
        groups_by_position=_Positions,
        a_fault_of_one_user_reaches_all=_Multiplies,
    ),
    **_mutants(
        "statistics",
        seed_reused_between_rounds=_SeedReused,
        clip_after_summation=_ClipAfterSummation,
        clip_of_x_forgotten=_forgotten("x"),
        clip_of_y_forgotten=_forgotten("y"),
        clip_of_xb_forgotten=_forgotten("xb"),
        clip_of_w_forgotten=_forgotten("w"),
    ),
    "clip level from the data": Mutant(_ClipLevelFromData, "statistics"),
}


# ---------------------------------------------------------------------------------------------- attacks
class Seen(NamedTuple):
    """One release as the adversary sees it, in units of the published noise level."""

    name: str
    noise: np.ndarray  # what is left of it when the sum without the canary is taken away
    shift: np.ndarray  # by how much the canary would have changed the sum


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
    **{f"matched on {name}": matched_on(name) for name in ("moment", "features", "A", "V", "gradient", "inside")},
    "repeated": repeated,
    "loudness": loudness,
}


#: Attacks that are learned from half of the runs, on which nothing is judged: they find what moves when somebody joins, whoever is moved.
LEARNED = ("learned", "learned on U")


def learned(absent: np.ndarray, present: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores of both sides along the difference that their first halves show."""
    half = len(absent) // 2
    direction = present[:half].mean(axis=0) - absent[:half].mean(axis=0)
    return absent @ direction, present @ direction


def projections(transcript: Transcript) -> np.ndarray:
    """All published U as the projections they stand for, whose signs and rotations say nothing."""
    return np.concatenate([(U @ U.T).ravel() for U in transcript.subspaces[1:]])


#: What users answer to a request, whoever plays them.
Answering = Callable[[Request], Sequence[Statistics]]


def seen(
    transcript: Transcript,
    requests: Sequence[Request],
    planned: Mapping[Any, float],
    without: Answering,
    with_it: Answering,
) -> list[Seen]:
    """What an attack looks at. It knows the users, the mechanism and the published U, and replays what each round's exact sums would
    be without the canary and with it."""
    found = []
    for request in requests:
        absent, present = without(request), with_it(request)
        for release, noisy in transcript.releases:
            if release.round == request.round:
                size = planned[release.name, release.round]
                unit = lattice(release.name, request.clip)
                zero = np.zeros(noisy.shape)
                before, after = (unit * sum((a[release.name] for a in side), start=zero) for side in (absent, present))
                found.append(Seen(release.name, (noisy - before) / size, (after - before) / size))
    # Nothing shown is nothing found: an audit that cannot see must not pass.
    if len(found) != len(planned):
        raise InvalidInput(
            f"solver: {len(found)} of {len(planned)} planned releases are in the transcript; record every one of them (Server.release), as "
            "what is not shown cannot be audited"
        )
    if not all(np.isfinite(s.noise).all() for s in found):
        raise InvalidInput("solver: a released sum is not finite, and cannot be audited")
    return found


def attacked(found: list[Seen]) -> list[float]:
    """Every attack's score."""
    return [attack(found) for attack in ATTACKS.values()]


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
    epsilon_free, epsilon_gaussian : float
        Lower confidence bounds on ε at δ: without any assumption, and for Gaussian noise.
    reach : float
        The most that so many runs can show without the assumption, however broken the mechanism is.
    runs_for_nine_tenths : int
        Runs per side at which noise × 0.9 would be refuted nine times in ten, given Gaussian noise.
    findings, null_findings : tuple of Finding
    trials : int
        Runs per side and canary.
    alpha : float
        Probability of a false alarm, all findings together.
    """

    claimed_epsilon: float
    delta: float
    claimed_rho: float
    epsilon_free: float
    epsilon_gaussian: float
    null_epsilon_lower: float
    reach: float
    runs_for_nine_tenths: int
    findings: tuple[Finding, ...]
    null_findings: tuple[Finding, ...]
    trials: int
    alpha: float

    @property
    def epsilon_lower(self) -> float:
        """The better of the two bounds."""
        return max(self.epsilon_free, self.epsilon_gaussian)

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
        """The verdict for people, with what it supposes."""
        if self.broken:
            return f"The audit is broken: it claims ε ≥ {self.null_epsilon_lower:.3g} where nobody was added."
        bound = (
            f"at δ = {self.delta:g} and confidence {1 - self.alpha:g}, ε ≥ {self.epsilon_free:.3g} without any assumption and "
            f"ε ≥ {self.epsilon_gaussian:.3g} if the noise is Gaussian"
        )
        if self.refuted:
            worst = max(self.findings, key=lambda f: (f.mu, f.epsilon))
            free = self.epsilon_free > self.claimed_epsilon
            return (
                f"REFUTED {'without any assumption' if free else 'as a Gaussian mechanism'}: {bound}, but the ledger says "
                f"{self.claimed_epsilon:.3g} (canary {worst.canary!r}, attack {worst.attack!r})."
            )
        return (
            f"Not refuted: {bound}; the ledger says {self.claimed_epsilon:.3g}. An audit cannot confirm privacy: {self.trials} runs "
            f"a side can show at most ε ≥ {self.reach:.3g} without an assumption, and noise × 0.9 needs about "
            f"{self.runs_for_nine_tenths:,}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            **asdict(self),
            "epsilon_lower": self.epsilon_lower,
            "refuted": self.refuted,
            "broken": self.broken,
            "message": self.sentence,
        }


def audit(
    mechanism: Mechanism = honest,
    *,
    epsilon: float = 8.0,
    delta: float = 1e-6,
    rounds: int = 2,
    trials: int = 500,
    alpha: float = 1e-3,
    seed: int = 0,
    kind: Kind = "gradient",
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
    base = ordinary_users(6, clip, d, rank, rows, streams.generator("audit/users", seed))
    canaries = {"extreme user": extreme_user(clip, d, rank, rows)}
    if kind == "statistics":
        over = {level: extreme_user(clip, d, rank, rows, **{level: 10.0}) for level in ("x", "y", "xb", "w")}
        canaries.update({f"user beyond the level of {level}": user for level, user in over.items()})
    else:
        canaries["user far beyond anything"] = extreme_user(clip, d, rank, rows, y=100.0)
    planned = noise_sizes(schedule)
    draws = (streams.generator("audit/runs", seed, number) for number in range(2 + len(canaries)))

    def runs(users: Sequence[Puppet]) -> list[tuple[Transcript, list[Request]]]:
        return [_play(mechanism, schedule, start, users, int(s)) for s in next(draws).integers(2**63, size=trials)]

    # Without the canary the runs are the same whoever it is; only the scores differ.
    absent, again = runs(base), runs(base)
    sides, nulls = {}, {}
    for name, canary in canaries.items():
        present = runs([*base, canary])
        audience = [
            partial(answers, asked(mechanism(schedule, start, SeededNoise(0), users), users))
            for users in (base, [*base, canary])
        ]
        first, second, third = (
            Scored.of([(run[0], seen(*run, planned, *audience)) for run in side]) for side in (absent, again, present)
        )
        sides[name], nulls[name] = first.against(third), first.against(second)
    return verdict(sides, nulls, epsilon=epsilon, delta=delta, rho=schedule.rho, alpha=alpha)


def noise_sizes(schedule: Schedule) -> dict[tuple[str, int], float]:
    """Standard deviation of the noise by release and round."""
    return {(r.name, r.round): r.noise for _, releases in schedule.releases for r in releases}


class Sides(NamedTuple):
    """Scores (runs, attacks) without somebody and with."""

    absent: np.ndarray
    present: np.ndarray


class Scored(NamedTuple):
    """One side's runs: scores of the fixed attacks (runs, attacks), and what the learned ones look at (runs, numbers)."""

    scores: np.ndarray
    noise: np.ndarray
    subspaces: np.ndarray

    @classmethod
    def of(cls, runs: Sequence[tuple[Transcript, list[Seen]]]) -> Scored:
        return cls(
            np.array([attacked(found) for _, found in runs]),
            np.array([np.concatenate([s.noise.ravel() for s in found]) for _, found in runs]),
            np.array([projections(transcript) for transcript, _ in runs]),
        )

    def against(self, present: Scored) -> Sides:
        """Every attack's scores without somebody, here, and with."""
        columns = [learned(getattr(self, name), getattr(present, name)) for name in ("noise", "subspaces")]
        sides = zip((self.scores, present.scores), zip(*columns, strict=True), strict=True)
        return Sides(*(np.column_stack([scores, *found]) for scores, found in sides))


def verdict(
    sides: Mapping[str, Sides],
    nulls: Mapping[str, Sides],
    *,
    epsilon: float,
    delta: float,
    rho: float,
    alpha: float,
) -> Audit:
    """What the scores of every canary show together, with the error α split over canaries, attacks and directions."""
    attacks = (*ATTACKS, *LEARNED)
    tests, trials = len(sides) * len(attacks), len(next(iter(sides.values())).absent)
    budget = alpha / (2 * tests)
    findings, null_findings = (
        [
            _find(name, attack, absent, present, budget, delta)
            for name, side in pairs.items()
            for attack, absent, present in zip(attacks, side.absent.T, side.present.T, strict=True)
        ]
        for pairs in (sides, nulls)
    )
    return Audit(
        epsilon,
        delta,
        rho,
        max(f.epsilon for f in findings),
        max(epsilon_of(f.mu**2 / 2, delta) for f in findings),
        max(max(f.epsilon, f.mu) for f in null_findings),
        _bounds(*_rates(half := trials - trials // 2, 0, half, budget), delta)[1],
        runs_needed(0.9, rho, budget),
        tuple(findings),
        tuple(null_findings),
        trials,
        alpha,
    )


def _play(
    mechanism: Mechanism, schedule: Schedule, start: np.ndarray, users: Sequence[Puppet], seed: int
) -> tuple[Transcript, list[Request]]:
    server = mechanism(schedule, start, SeededNoise(seed), users)
    answering = asked(server, users)
    requests = []
    while (request := server.request()) is not None:
        server.receive(answers(answering, request))
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


def runs_needed(factor: float, rho: float, alpha: float) -> int:
    """Runs per side at which a Gaussian mechanism with ``factor`` of its noise is refuted nine times in ten.

    By the best threshold of the best attack: rates Φ(μ' − z) and Φ(−z) at μ' = √(2ρ)/factor, bounded as `_rates` does, with the
    hits at their tenth and the alarms at their ninetieth percentile, against μ = √(2ρ) [D]. Half of the runs choose the threshold.
    """
    mu = math.sqrt(2 * rho)
    z = np.linspace(-1, mu / factor + 1, 41)
    hit, alarm = ndtr(mu / factor - z), ndtr(-z)
    n = 16
    while n < 2**40:
        hits, alarms = (n * p + side * 1.29 * np.sqrt(n * p * (1 - p)) for p, side in ((hit, -1), (alarm, 1)))
        hits, alarms = np.clip(hits, 1e-9, n), np.clip(alarms, 0, n - 1e-9)
        low, high = betaincinv(hits, n - hits + 1, alpha), betaincinv(alarms + 1, n - alarms, 1 - alpha)
        if float((ndtri(low) - ndtri(high)).max()) > mu:
            break
        n = math.ceil(1.1 * n)
    return 2 * n
