"""AMHT-LRS with user-level differential privacy, under the solver protocol."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, cast, get_args

import numpy as np
from jaxtyping import Float
from scipy import sparse

from lrs.core.errors import InvalidInput
from lrs.core.validate import choice, integer, real
from lrs.families.low_rank_sparse.problem import MultiTaskData, Problem
from lrs.families.low_rank_sparse.spec import InstanceSpec
from lrs.private.accounting import Neighbours, check_target, rho_for
from lrs.private.clip import Clip, clip_of
from lrs.private.model import ServerModel, UsersModel
from lrs.private.noise import NoiseSource, SecureNoise, SeededNoise
from lrs.private.server import Cohort, Schedule, Server, Transcript, run
from lrs.solver import Callback, Iterate, Solution, Status, Traits, relative_residual


@dataclass(frozen=True, kw_only=True)
class PrivateAMHT:
    """Users keep (w, b); the server learns U from clipped, noised sums and publishes it every round.

    Parameters
    ----------
    epsilon, delta : float, optional
        User-level target (ε, δ). ``epsilon = inf`` adds no noise and gives no privacy.
    rho : float, optional
        Target as zCDP parameter instead of ε; ``delta`` then only says at which δ ε is stated (default 1e-6).
    rounds : int
        Fixed number of rounds; the budget is split evenly over them.
    release : {"gradient", "statistics"}
        Release one d × r gradient per round, bounded per user, which needs no level; or A and V, from rows clipped at ``clip``
        (``"normal"`` is the same).
    clip : Clip or str
        For the release of A and V, which needs them: levels fixed beforehand, also as text ``x=…,y=…,xb=…,w=…``.
    clip_user : float, optional
        Level of a user's gradient, fixed in all rounds; it has no unit (`lrs.private.statistics.gradient_statistics`). By
        default it starts at one half and follows the median user, by a noisy count that is charged.
    neighbours : {"add-remove", "replace-one"}
    groups : bool
        Ask disjoint groups of users in turn instead of everybody in every round. Users then need ids, which are text.
    start_share, features_share, a_share : float
        Shares of ρ for the private start and for the features' second moment (gradient release only), and of a round for A.
    start : (d, r) array, optional
        A *public* U⁽⁰⁾; the private start is then not run. A problem's warm start is refused, as nothing says it is public.
    population : int, optional
        Gradient release only: the publicly known number of users. By default it is read off the private start, or off the
        data when replacing one user is what is protected.
    block : int
        Users handled at once.
    insecure_seed : int, optional
        Seed the noise. The model is marked: seeded noise gives no privacy.

    Raises
    ------
    InvalidInput
        ε ≤ 0, δ outside (0, 1), no clip levels, or a choice that would look at the data without a budget.

    Notes
    -----
    ``solution.model`` holds all users' parameters, as the simulation sees them; it refuses to be saved.
    ``solution.info["server"]`` is the `ServerModel`, the only thing that may be published with the
    ``solution.info["transcript"]``; ``solution.info["account"]`` is the ledger with the settings as JSON text. ``solution.residual`` is *not* private.
    """

    epsilon: float | None = None
    delta: float | None = None
    rho: float | None = None
    clip: Clip | str | None = None
    rounds: int = 20
    neighbours: str = "add-remove"
    release: str = "gradient"
    clip_user: float | None = None
    groups: bool = False
    start_share: float = 0.4
    features_share: float = 0.1
    a_share: float = 0.5
    start: Float[np.ndarray, "d r"] | None = None
    population: int | None = None
    block: int = 2000
    insecure_seed: int | None = None
    family: ClassVar[str] = Problem.family
    traits: ClassVar[Traits] = Traits(exact=False, private=True)

    def __post_init__(self) -> None:
        check_target(self.epsilon, self.delta, self.rho)
        for name, count in (("rounds", self.rounds), ("block", self.block)):
            integer(name, count, least=1)
        if isinstance(self.clip, str):
            object.__setattr__(self, "clip", Clip.parse(self.clip))
        if self.clip is not None and not isinstance(self.clip, Clip):
            raise InvalidInput(f"clip: expected lrs.private.Clip, got {type(self.clip).__name__}")
        for name, value, known in (
            ("neighbours", self.neighbours, get_args(Neighbours)),
            ("release", self.release, ("gradient", "statistics", "normal")),
        ):
            choice(name, value, known)
        if self.release == "normal":  # its name in the first edition
            object.__setattr__(self, "release", "statistics")
        if self.clip_user is not None:
            real("clip_user", self.clip_user, above=0)
        if self.population is not None:
            integer("population", self.population, least=1)
            if self.delta is not None and self.delta >= 1 / self.population:
                raise InvalidInput(
                    f"delta: {self.delta:g} is not below one over the population of {self.population:,}: publishing one user's "
                    "rows outright would be allowed; pass a much smaller one"
                )
        real("start_share", self.start_share, least=0, below=1, what="a share")
        real("features_share", self.features_share, least=0, below=1, what="a share")
        if self.release == "gradient" and self.start_share + self.features_share >= 1:
            raise InvalidInput(
                f"features_share: with start_share {self.start_share:g} it leaves nothing for the rounds; together they must be below 1"
            )
        real("a_share", self.a_share, above=0, below=1, what="a share")

    def settings(self) -> dict[str, Any]:
        """All parameters as plain values: with them `from_settings` makes the same solver. They are public, but for a seed."""
        start = None if self.start is None else np.asarray(self.start).tolist()
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("clip", "start")}
        return {**plain, "clip": self.clip.to_dict() if isinstance(self.clip, Clip) else None, "start": start}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> PrivateAMHT:
        """Inverse of `settings`."""
        start, clip = settings["start"], settings["clip"]
        changed = {
            "clip": None if clip is None else Clip(**clip),
            "start": None if start is None else np.array(start),
        }
        return cls(**{**settings, **changed})

    def check_ready(self) -> None:
        """Refuse to run without a target, or to release A and V without clip levels."""
        if self.rho is None and self.epsilon is None:
            raise InvalidInput("epsilon: no privacy target; pass epsilon and delta, or rho")
        if self.release == "statistics" and self.clip is None:
            raise InvalidInput(
                "clip: no clip levels; without them one user can change the sums without bound. Pass "
                "Clip(x=…, y=…, xb=…, w=…), on the command line --clip x=…,y=…,xb=…,w=… "
                "(lrs.private.propose_clip suggests them from public knowledge)"
            )
        public_start = self.start is not None or self.start_share == 0
        if self.release == "gradient" and public_start and self.population is None:
            raise InvalidInput(
                "population: with a public start nothing tells how many users there are, and under add-remove neighbours that is "
                "private; pass a publicly known population, or use neighbours='replace-one'"
            )

    def check_problem(self, problem: Problem) -> None:
        """Refuse what a run would refuse for what is public of a problem, before anybody is asked or anything is paid."""
        if problem.warm_start is not None:
            raise InvalidInput(
                "warm_start: a start that may depend on the users' data has no budget here; if it is public, pass its U "
                "as start=… of the solver"
            )
        solver = replace(self, population=problem.t) if self.neighbours == "replace-one" else self
        solver.check_ready()
        solver._server(problem.d, problem.rank, problem.sparsity, np.random.default_rng(0))
        Cohorts([problem.data], problem.d, ids=self.groups).check(problem.data)

    def for_study(self, spec: InstanceSpec, rng: np.random.Generator, *, epsilon: float, delta: float) -> PrivateAMHT:
        """The same with this target, for generated data: levels from the generator's public scales, noise from ``rng``.

        Not private, as every study that can be repeated.
        """
        clip = clip_of(spec) if self.clip is None and self.release == "statistics" else self.clip
        noise = int(rng.integers(2**63, dtype=np.int64))
        return replace(self, epsilon=epsilon, delta=delta, rho=None, clip=clip, insecure_seed=noise)

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        self.check_problem(problem)
        data = problem.data
        # Public: replacing a user does not change how many there are.
        population = data.t if self.neighbours == "replace-one" else None
        blocks = DataBlocks(data, self.block)
        server, transcript = self.train(
            blocks, d=data.d, rank=problem.rank, sparsity=problem.sparsity, rng=rng, population=population
        )
        server = replace(server, feature_names=data.feature_names)
        if callback is not None:
            for number, U in enumerate(transcript.subspaces):
                model = self._users(problem, blocks, U)
                callback(Iterate(number, model, _residual(problem, model)))
        model = self._users(problem, blocks, server.U)
        return Solution(
            model,
            Status.FIXED_ROUNDS,
            self.rounds,
            _residual(problem, model),
            info={
                "server": server,
                "transcript": transcript,
                "privacy": server.privacy,
                "account": json.dumps({"settings": self.settings(), "privacy": server.privacy}),
            },
        )

    def train(
        self,
        blocks: Iterable[MultiTaskData],
        *,
        d: int,
        rank: int,
        sparsity: int,
        rng: np.random.Generator,
        population: int | None = None,
    ) -> tuple[ServerModel, Transcript]:
        """Learn U from users that come in blocks, one block in memory at a time.

        Parameters
        ----------
        blocks : re-iterable of MultiTaskData
            One task per user; gone through once per round.
        d, rank, sparsity : int
        rng : numpy Generator
            Draws a public random U⁽⁰⁾ only, never noise.
        population : int, optional
            Instead of the solver's own.

        Returns
        -------
        server : ServerModel
        transcript : Transcript
        """
        solver = self if population is None else replace(self, population=population)
        solver.check_ready()
        delta, server = self._budget()[1], solver._server(d, rank, sparsity, rng)
        run(server, Cohorts(blocks, d, ids=self.groups))
        if self.epsilon is not None and server.ledger.epsilon(delta) > self.epsilon:
            raise AssertionError("the ledger exceeds the target")
        assert self.clip is None or isinstance(self.clip, Clip)
        model = ServerModel(server.U, server.ledger, delta, self.clip, sparsity, server.noise.secure)
        return model, server.transcript

    def _server(self, d: int, rank: int, sparsity: int, rng: np.random.Generator) -> Server:
        return Server(self._schedule(self._budget()[0], sparsity), self._start(d, rank, rng), self._noise())

    def _budget(self) -> tuple[float, float]:
        delta = 1e-6 if self.delta is None else self.delta
        if self.rho is not None:
            return self.rho, delta
        assert self.epsilon is not None
        # The sum of the parts may exceed the whole, by rounding and as Δ is charged in whole units; the target must not be.
        return rho_for(self.epsilon, delta) * (1 - 1e-8), delta

    def _schedule(self, rho: float, sparsity: int) -> Schedule:
        assert self.clip is None or isinstance(self.clip, Clip)
        return Schedule(
            rho=rho,
            rounds=self.rounds,
            sparsity=sparsity,
            kind="gradient" if self.release == "gradient" else "statistics",
            clip=self.clip,
            level=self.clip_user,
            neighbours=cast(Neighbours, self.neighbours),
            groups=self.groups,
            start_share=0.0 if self.start is not None else self.start_share,
            features_share=self.features_share,
            a_share=self.a_share,
            users=self.population,
        )

    def _start(self, d: int, rank: int, rng: np.random.Generator) -> np.ndarray:
        if self.start is None:
            # A spawned stream: a seed that also drew an instance must not draw that instance's U again.
            return np.linalg.qr(rng.spawn(1)[0].standard_normal((d, rank)))[0]
        U = np.asarray(self.start, dtype=float)
        if U.shape != (d, rank) or not np.isfinite(U).all():
            raise InvalidInput(f"start: expected a finite array of shape (d, r) = {(d, rank)}, got shape {U.shape}")
        return np.linalg.qr(U)[0]

    def _noise(self) -> NoiseSource:
        return SecureNoise() if self.insecure_seed is None else SeededNoise(self.insecure_seed)

    def _users(self, problem: Problem, blocks: DataBlocks, U: np.ndarray) -> UsersModel:
        parts = [Cohort(block).parameters(U, problem.sparsity) for block in blocks]
        W, B = (np.concatenate(p) for p in zip(*parts, strict=True))
        data = problem.data
        return UsersModel(U, W, sparse.csr_array(B), data.task_names, data.feature_names)


@dataclass(frozen=True, kw_only=True)
class PrivAltMin(PrivateAMHT):
    """Without personal parts, k = 0, and with A and V released: private alternating minimisation (Jain et al. 2021)."""

    rounds: int = 4
    release: str = "statistics"
    start_share: float = 0.5
    family: ClassVar[str] = Problem.family
    traits: ClassVar[Traits] = Traits(exact=False, sparse=False, private=True)

    def __call__(self, problem: Problem, *, rng: np.random.Generator, callback: Callback | None = None) -> Solution:
        return super().__call__(
            Problem(problem.data, problem.rank, 0, problem.noise, problem.warm_start), rng=rng, callback=callback
        )


def _residual(problem: Problem, model: UsersModel) -> float:
    """For the eyes of whoever plays the users; one of them may have made it infinite."""
    with np.errstate(all="ignore"):
        return relative_residual(problem, model)


class DataBlocks:
    """Consecutive users of one data set, at most ``size`` at a time, without copying rows."""

    def __init__(self, data: MultiTaskData, size: int) -> None:
        self.data, self.size = data, size

    def __iter__(self) -> Iterator[MultiTaskData]:
        data = self.data
        for first in range(0, data.t, self.size):
            last = min(first + self.size, data.t)
            begin, end = data.offsets[first], data.offsets[last]
            yield MultiTaskData(
                data.X[begin:end],
                data.y[begin:end],
                data.offsets[first : last + 1] - begin,
                data.task_names[first:last],
                data.feature_names,
            )


class Cohorts:
    """Blocks of data as cohorts, checked to have d features and, where groups follow from them, ids of the users."""

    def __init__(self, blocks: Iterable[MultiTaskData], d: int, *, ids: bool = False) -> None:
        if iter(blocks) is blocks:
            raise InvalidInput("blocks: pass a list or an object that can be iterated once per round, not a generator")
        self.blocks, self.d, self.ids = blocks, d, ids

    def __iter__(self) -> Iterator[Cohort]:
        for block in self.blocks:
            self.check(block)
            yield Cohort(block)

    def check(self, block: MultiTaskData) -> None:
        """Refuse a block of other features, or without ids where they are needed."""
        if block.d != self.d:
            raise InvalidInput(f"blocks: a block has {block.d} features, expected d = {self.d}")
        if self.ids and not all(isinstance(name, str) for name in block.task_names):
            raise InvalidInput(
                "groups: users need ids of their own, and numbers may be positions, which change with who takes part; pass "
                "task_names that are text"
            )
