"""The billboard: a server that publishes U every round, and clients that answer with bounded statistics.

The trust model is the central one: the server sees the *sum* of the clipped statistics (in a deployment, of a secure
aggregation) and is trusted to add the noise; everything in the `Transcript` may be read by anybody.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float

from lrs.core.errors import InvalidInput
from lrs.core.identity import digest, leading_bits
from lrs.families.low_rank_sparse.model import TaskParameters
from lrs.families.low_rank_sparse.problem import MultiTaskData
from lrs.private.accounting import Ledger, Neighbours, Release
from lrs.private.clip import Clip
from lrs.private.local import local_step
from lrs.private.noise import NoiseSource, check_scale
from lrs.private.statistics import (
    NAMES,
    SYMMETRIC,
    Kind,
    Statistics,
    clipped_rows,
    direction_statistics,
    feature_statistics,
    gradient_statistics,
    lattice,
    normal_statistics,
    oriented,
    sensitivity,
    shapes,
    unit_scale,
    usable,
)

#: Level of the first round's gradients when none is given: half a right angle's sine, in the unit of `gradient_statistics`.
FIRST_LEVEL = 0.5
#: By e to this, times the share of users inside less one half, the level shrinks after a round (Andrew et al. 2021).
LEVEL_RATE = 2.0
#: Share of a gradient round's ρ that the count of users inside the level gets, when the level follows it.
COUNT_SHARE = 0.06
#: Of the gradient of a user beyond its level about this share counts: what the average step is divided by [D].
BEYOND = 0.6
#: Standard deviations by which a step must be longer than its noise explains before it is believed.
CLEAR = 2.0
#: No direction of the weights is believed to be weaker than this share of the average one.
WEAKEST = 0.25
#: Numbers held at once by the statistics of single users.
HELD = 2**20


@dataclass(frozen=True, eq=False)
class Request:
    """What stands on the billboard in one round: the present U and what is asked for. It depends on earlier noisy releases only.

    Attributes
    ----------
    round : int
    kind : {"moment", "gradient", "statistics"}
    U : (d, r) array
    clip : Clip or None
        Levels of A and V.
    sparsity : int
    level : float
        Level of a user's gradient.
    group, groups : int
        The group of users that is asked, None for all, of so many.
    whiten : (d, d) array or None
        By which users multiply their features before the gradient is taken; it comes from the noisy second moment of the features.
    features : bool
        In the start: whether the second moment of the features is asked for as well.
    exact : bool
        No noise will be added, hence no lattice: the answers are floats.
    """

    round: int
    kind: Kind
    U: Float[np.ndarray, "d r"]
    clip: Clip | None
    sparsity: int
    level: float = FIRST_LEVEL
    group: int | None = None
    groups: int = 1
    whiten: Float[np.ndarray, "d d"] | None = None
    features: bool = False
    exact: bool = False


@dataclass
class Transcript:
    """All that was published, in order: every noisy release, and U after it. An audit reads nothing else.

    Attributes
    ----------
    releases : list of (Release, array)
    subspaces : list of (d, r) arrays
        U of round 0, 1, …
    """

    releases: list[tuple[Release, np.ndarray]] = field(default_factory=list)
    subspaces: list[np.ndarray] = field(default_factory=list)

    def lines(self) -> list[str]:
        """One line per release, for people."""
        return [
            f"round {r.round}: {r.name} {'×'.join(map(str, a.shape))}, sensitivity {r.sensitivity:.4g}, "
            f"noise {r.noise:.4g}, rho {r.rho:.4g}" + ("" if r.group is None else f", user group {r.group}")
            for r, a in self.releases
        ]


class Cohort:
    """Users simulated together; it answers with the sum of its members' clipped statistics.

    Parameters
    ----------
    data : MultiTaskData
        One task per user; ``task_names`` are the user ids, from which the disjoint groups follow.
    """

    def __init__(self, data: MultiTaskData) -> None:
        self.data = data

    def answer(self, request: Request) -> Statistics:
        """Bounded statistics summed over the members that are asked; {} when none of them is."""
        data = self.data
        if request.group is not None:
            asked = [i for i, n in enumerate(data.task_names) if user_group(n, request.groups) == request.group]
            if not asked:
                return {}
            data = data.select(asked)
        total: Statistics = {}
        d, r = request.U.shape
        held = {"moment": d * d, "gradient": d * r, "statistics": (d * r) ** 2}[request.kind]
        for X, y, _ in _equal_sized(data):
            for first in range(0, len(X), step := max(1, HELD // max(held, X[0].size))):
                for name, value in _statistics(X[first : first + step], y[first : first + step], request).items():
                    total[name] = total[name] + value if name in total else value
        return total

    def parameters(self, U: Float[np.ndarray, "d r"], sparsity: int) -> tuple[np.ndarray, np.ndarray]:
        """W (t, r) and B (t, d) of the members for a published U. They stay with the users."""
        data = self.data
        W, B = np.zeros((data.t, U.shape[1])), np.zeros((data.t, data.d))
        for X, y, users in _equal_sized(data):
            X, y, x_power, y_power = unit_scale(X, y)
            scale = (y_power - x_power)[:, None]
            for known, found in zip((W, B), _parameters(X, y, U, sparsity), strict=True):
                with np.errstate(over="ignore"):  # parameters beyond the largest number are none
                    known[users] = np.nan_to_num(np.ldexp(found, scale), nan=0.0, posinf=0.0, neginf=0.0)
        return W, B


def _parameters(X: np.ndarray, y: np.ndarray, U: np.ndarray, sparsity: int) -> tuple[np.ndarray, np.ndarray]:
    """(w, b) of users with equally many rows of moderate size, zero for those of whom there is nothing to learn."""
    W, B = np.zeros((len(X), U.shape[1])), np.zeros((len(X), X.shape[2]))
    known = usable(X, y)
    if known.all():  # as ever, and nothing is copied
        return local_step(U, MultiTaskData.from_arrays(X, y), sparsity)
    if known.any():
        W[known], B[known] = local_step(U, MultiTaskData.from_arrays(X[known], y[known]), sparsity)
    return W, B


def _statistics(X: np.ndarray, y: np.ndarray, request: Request) -> Statistics:
    """What users with equally many rows answer. Rows are brought to a moderate size before anything is multiplied."""
    if request.kind == "statistics":
        assert request.clip is not None
        X, y = clipped_rows(X, y, request.clip)
        # The local step has no scale of its own: it runs on rows of unit size, whatever the levels are.
        W, B = Cohort(MultiTaskData.from_arrays(X, y)).parameters(request.U, request.sparsity)
        return normal_statistics(X, y, W, B, request.clip, exact=request.exact)
    X, y, _, _ = unit_scale(X, y)
    if request.kind == "moment":
        found = direction_statistics(X, y, exact=request.exact)
        return found | feature_statistics(X, exact=request.exact) if request.features else found
    W, B = _parameters(X, y, request.U, request.sparsity)
    return gradient_statistics(X, y, request.U, W, B, request.level, whiten=request.whiten, exact=request.exact)


class Client(Cohort):
    """One user with its own rows.

    Parameters
    ----------
    X : (m, d) array
    y : (m,) array
    name : hashable
        The user's id.
    """

    def __init__(self, X: Any, y: Any, name: Any = 0) -> None:
        super().__init__(MultiTaskData.from_arrays([np.asarray(X)], [np.asarray(y)], task_names=(name,)))

    def adapt(self, U: Float[np.ndarray, "d r"], sparsity: int) -> TaskParameters:
        """This user's (w, b) for a published U."""
        W, B = self.parameters(U, sparsity)
        return TaskParameters(W[0], B[0])


def user_group(name: Any, groups: int) -> int:
    """The disjoint group of a user: a hash of its id alone, so that nobody else's presence can change it."""
    return leading_bits(digest(str(name)), 64) % groups


def _equal_sized(data: MultiTaskData) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """X (g, m, d), y (g, m) and the indices of the g users that have m rows, for every m."""
    for m in np.unique(data.counts):
        users = np.flatnonzero(data.counts == m)
        X, y = data.X, data.y
        if len(users) < data.t:
            rows = (data.offsets[users][:, None] + np.arange(m)).ravel()
            X, y = X[rows], y[rows]
        yield X.reshape(len(users), m, data.d), y.reshape(len(users), m), users


@dataclass(frozen=True, kw_only=True, eq=False)
class Schedule:
    """Everything about the run that is fixed before the data are looked at.

    Attributes
    ----------
    rho : float
        Total budget; ``inf`` for no noise.
    rounds : int
    sparsity : int
    kind : {"gradient", "statistics"}
        Release one gradient per round, or A and V.
    clip : Clip or None
        Levels of A and V.
    level : float or None
        Level of a user's gradient in all rounds; None starts at `FIRST_LEVEL` and follows a noisy count of the users inside.
    neighbours : {"add-remove", "replace-one"}
    groups : bool
        Ask a disjoint group of users in each round, each with the whole remaining budget.
    start_share : float
        Share of ρ for the private start; 0 for a public one.
    features_share : float
        Share of ρ for the second moment of the features, by which the gradients are whitened; 0 for no whitening. Gradients only.
    a_share : float
        Share of a round's ρ that A gets.
    users : float or None
        Publicly known number of users; None reads it off the private start.
    """

    rho: float
    rounds: int
    sparsity: int
    kind: Kind = "gradient"
    clip: Clip | None = None
    level: float | None = None
    neighbours: Neighbours = "add-remove"
    groups: bool = False
    start_share: float = 0.4
    features_share: float = 0.1
    a_share: float = 0.5
    users: float | None = None

    @cached_property
    def releases(self) -> list[tuple[Kind, list[Release]]]:
        """The releases of every round, with the noise each needs, in order."""
        out: list[tuple[Kind, list[Release]]] = []
        first = {"moment": self.start_share, "features": self.features_share if self.kind == "gradient" else 0.0}
        if any(first.values()):
            asked = [self._release(n, 0, self.rho * share, None) for n, share in first.items() if share > 0]
            out.append(("moment", asked))
        left = self.rho * (1 - sum(first.values()))
        per_round = left if self.groups else left / self.rounds
        count = 0.0 if self.level is not None else COUNT_SHARE
        shares = {"A": self.a_share, "V": 1 - self.a_share, "gradient": 1 - count, "inside": count}
        names = [n for n in NAMES[self.kind] if shares[n] > 0]
        for number in range(1, self.rounds + 1):
            group = number - 1 if self.groups else None
            out.append((self.kind, [self._release(n, number, per_round * shares[n], group) for n in names]))
        return out

    def _release(self, name: str, number: int, rho: float, group: int | None) -> Release:
        size = sensitivity(name, self.clip, self.neighbours)
        # ρ = Δ²/(2s²)
        noise = 0.0 if np.isinf(rho) else size / np.sqrt(2 * rho)
        return Release(name=name, round=number, sensitivity=size, noise=float(noise), group=group)


class Server:
    """Asks, sums, adds noise, records the cost, and publishes the next U.

    Parameters
    ----------
    schedule : Schedule
    start : (d, r) array
        Public orthonormal U⁽⁰⁾: drawn without looking at the data.
    noise : NoiseSource
    """

    def __init__(self, schedule: Schedule, start: Float[np.ndarray, "d r"], noise: NoiseSource) -> None:
        self.schedule, self.noise, self.U = schedule, noise, start
        self.ledger = Ledger(schedule.neighbours)
        self.transcript = Transcript(subspaces=[start])
        self.level = FIRST_LEVEL if schedule.level is None else schedule.level
        self._plan = schedule.releases
        for release in (r for _, releases in self._plan for r in releases):
            check_scale(release.noise / lattice(release.name, schedule.clip))
        #: Standard deviation by which an entry of the present U may be off: a random unit direction at first.
        self._uncertainty = 1 / np.sqrt(start.shape[0])
        self._users = schedule.users
        self._whiten: np.ndarray | None = None
        #: E wwᵀ/‖w‖² along the columns of U, as far as it is known.
        self._weights = np.full(start.shape[1], 1 / max(start.shape[1], 1))

    def request(self) -> Request | None:
        """What to put on the billboard now; None when the rounds are over."""
        done = len(self.transcript.subspaces) - 1
        if done == len(self._plan):
            return None
        kind, releases = self._plan[done]
        s, first = self.schedule, releases[0]
        return Request(
            first.round, kind, self.U, s.clip, s.sparsity, self.level, first.group, s.rounds, self._whiten,
            features=any(r.name == "features" for r in releases), exact=first.noise == 0,
        )  # fmt: skip

    def receive(self, answers: Iterable[Statistics]) -> Float[np.ndarray, "d r"]:
        """Sum the answers to the request, add noise, record, and publish the U they give."""
        kind, releases = self._plan[len(self.transcript.subspaces) - 1]
        total = self.aggregate(kind, answers)
        noisy = {r.name: self.release(r, total[r.name]) for r in releases}
        self.U = self._update(kind, noisy, {r.name: r.noise for r in releases})
        self.transcript.subspaces.append(self.U)
        return self.U

    def aggregate(self, kind: Kind, answers: Iterable[Statistics]) -> Statistics:
        """Sum over cohorts; zero when nobody was asked."""
        d, r = self.U.shape
        known = shapes(d, r)
        total: Statistics = {name: np.zeros(known[name], dtype=np.int64) for name in NAMES[kind]}
        for answer in answers:
            for name, value in answer.items():
                total[name] = total[name] + value
        return total

    def release(self, release: Release, value: np.ndarray) -> np.ndarray:
        """Noise of i.i.d. entries on the lattice, recorded before anything is published; symmetric sums are symmetrised after."""
        noisy = value
        if release.noise and value.size:
            unit = lattice(release.name, self.schedule.clip)
            scale = release.noise / unit
            # A whole number of units that Δ does not exceed: what the noise library is asked to charge for.
            release = replace(release, charged=self.noise.charge(math.ceil(release.sensitivity / unit), scale))
            noisy = self.noise.add(value, scale) * unit
        self.ledger.add(release)
        if release.name in SYMMETRIC:
            noisy = (noisy + noisy.T) / 2
        self.transcript.releases.append((release, noisy))
        return noisy

    # Everything below reads noisy releases only: post-processing, free of charge.
    def _update(self, kind: Kind, noisy: Statistics, noise: dict[str, float]) -> Float[np.ndarray, "d r"]:
        if self.U.shape[1] == 0:
            return self.U
        if kind == "moment":
            if "features" in noisy:
                self._whiten = whitening(noisy["features"], noise["features"])
            return self._from_moment(noisy["moment"], noise["moment"]) if "moment" in noisy else self.U
        if kind == "gradient":
            return self._from_gradient(noisy["gradient"], noisy.get("inside"), noise["gradient"])
        return self._from_normal(noisy["A"], noisy["V"], noise["A"], noise["V"])

    def _from_moment(self, M: np.ndarray, noise: float) -> np.ndarray:
        d, r = self.U.shape
        values, basis = np.linalg.eigh(M)
        values, basis = values[::-1], basis[:, ::-1]
        users = max(float(values.sum()), 1.0)  # every user adds a projection, of trace 1
        if self._users is None:
            self._users = users
        lead, rest = np.maximum(values[:r], 0.0), np.maximum(values[r:], 0.0)
        next_one = float(rest[0]) if r < d else 0.0
        gap = float(values[r - 1]) - next_one
        if gap > 0:
            # Davis–Kahan for the noise, of operator norm s√(2d), and the sampling error √(d λ_r λ_{r+1}/t) over the gap [D].
            sampled = np.sqrt(d * lead[-1] * next_one / users) / gap
            self._uncertainty = min(1.0, float(np.hypot(noise * np.sqrt(2 * d) / gap, sampled))) / np.sqrt(d)
        weights = np.maximum(lead - (rest.mean() if r < d else 0.0), 0.0)
        if weights.sum() > 0:
            self._weights = np.maximum(weights / weights.sum(), WEAKEST / r)
        return basis[:, :r]

    def _from_gradient(self, G: np.ndarray, inside: np.ndarray | None, noise: float) -> np.ndarray:
        """One step against the mean gradient, as long as the curvature E wwᵀ/‖w‖² asks for, and shorter where noise rules.

        A measured entry of the step has noise s, and U is uncertain by τ per entry beforehand: the step then gets the gain
        1/(1 + s²/τ²), and τ shrinks by what was learnt, at most fourfold a round; but a step that is seen to be longer than its noise
        explains, by two standard deviations, says itself how far there is to go [D].
        """
        assert self._users is not None
        asked = max(self._users / (self.schedule.rounds if self.schedule.groups else 1), 1.0)
        share = 1.0 if inside is None else float(np.clip(0.5 + inside[0] / asked, 0.0, 1.0))
        step = self.level / (asked * (share + (1 - share) * BEYOND) * self._weights)
        s = float(step.mean()) * noise
        seen = float(np.mean((step * G) ** 2)) - s**2 * (1 + CLEAR * math.sqrt(2 / G.size))
        self._uncertainty = math.sqrt(max(self._uncertainty**2, seen))
        gain = 1 / (1 + (s / self._uncertainty) ** 2)
        self._uncertainty *= np.sqrt(max(1 - gain, 1 / 16))
        if inside is not None:
            self.level *= math.exp(-LEVEL_RATE * (share - 0.5))
        if self._whiten is None:
            return oriented(self.U - gain * step * G)[0]
        V = oriented(np.linalg.solve(self._whiten, self.U))[0]
        return oriented(self._whiten @ (V - gain * step * G))[0]

    def _from_normal(self, A: np.ndarray, V: np.ndarray, a_noise: float, v_noise: float) -> np.ndarray:
        """One Newton step for U, each direction of A weighted as a Kalman filter does.

        The step δ = A⁻¹(vec V − A u) is measured with noise s per entry of A δ, and u is uncertain by τ per entry beforehand: an
        eigenvalue a of A then gets the gain a²/(a² + s²/τ²), and 0 when it is not positive. Without noise every gain is 1.
        Afterwards τ shrinks by what was learnt, at most fourfold a round, as alternation itself converges no faster [D].
        """
        d, r = self.U.shape
        A, left = denoise(A, a_noise, d, r)
        u = self.U.T.ravel()
        values, basis = np.linalg.eigh(A)
        # ‖u‖² = r: the noise that stays in A reaches A u with this energy per entry.
        measured = v_noise**2 + left * a_noise**2 * r / 2
        square = np.where(values > 1e-12 * max(float(values[-1]), 0.0), values, 0.0) ** 2
        if measured > 0:
            gain = square / (square + measured / self._uncertainty**2)
        else:
            gain = (square > 0).astype(float)
        inverse = np.divide(gain, values, out=np.zeros_like(values), where=gain > 0)
        correction = basis @ (inverse * (basis.T @ (V.T.ravel() - A @ u)))
        self._uncertainty *= np.sqrt(max(float(np.mean(1 - gain)), 1 / 16))
        return np.linalg.qr((u + correction).reshape(r, d).T)[0]


def whitening(M: Float[np.ndarray, "d d"], noise: float) -> Float[np.ndarray, "d d"]:
    """S = (Σ/λ̄ + (1 + ν) I)^{-½}, Σ the second moment of the features and λ̄ its mean eigenvalue, both from a noisy sum.

    ν is the operator norm s√(2d) of the noise in the same unit: a moment that is mostly noise whitens nothing. The ridge of λ̄
    keeps weak directions, whose gradients are mostly noise, from being blown up [D].
    """
    d = len(M)
    values, basis = np.linalg.eigh(M)
    mean = max(float(values.sum()), 1.0) / d
    weights = 1 / np.sqrt(np.maximum(values, 0.0) / mean + 1 + noise * math.sqrt(2 * d) / mean)
    return (basis * weights) @ basis.T


def denoise(A: Float[np.ndarray, "n n"], noise: float, d: int, r: int) -> tuple[Float[np.ndarray, "n n"], float]:
    """Shrink a noisy A towards its nearest Kronecker product S ⊗ C, by as much as the known noise suggests.

    A = Σ wwᵀ ⊗ XᵀX/m tends to t·S ⊗ C when the rows of all users have one covariance C, so what is left over is mostly noise:
    it is multiplied by the positive-part James–Stein factor (1 − (n s)²/(2‖A − S ⊗ C‖²))₊ (half, since symmetrising halves the
    noise's energy) [D]. Without noise A is returned as it is. The nearest product comes from the leading singular pair
    of the rearranged A (Van Loan and Pitsianis 1993). Also returned is the share of the noise's energy that stays.
    """
    if noise == 0:
        return A, 1.0
    rearranged = A.reshape(r, d, r, d).transpose(0, 2, 1, 3).reshape(r * r, d * d)
    P, s, Qt = np.linalg.svd(rearranged, full_matrices=False)
    # np.kron, ten times as fast for the small arrays of an audit.
    product = ((s[0] * P[:, 0]).reshape(r, 1, r, 1) * Qt[0].reshape(1, d, 1, d)).reshape(r * d, r * d)
    product = (product + product.T) / 2
    rest = A - product
    energy = float(np.vdot(rest, rest))
    factor = max(0.0, 1 - noise**2 * A.size / (2 * energy)) if energy > 0 else 0.0
    return product + factor * rest, max(factor**2, (r**2 + d**2) / (d * r) ** 2)


def run(server: Server, cohorts: Iterable[Cohort]) -> None:
    """Play all rounds in this process. ``cohorts`` is gone through once per round, so it must be re-iterable."""
    if iter(cohorts) is cohorts:
        raise InvalidInput("cohorts: pass a list or an object that can be iterated once per round, not a generator")
    while (request := server.request()) is not None:
        server.receive(cohort.answer(request) for cohort in cohorts)
