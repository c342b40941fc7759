"""End-to-end privacy audits: what a person runs, from the users' rows to what is published, instead of the server alone.

A *path* fits a private model to users and hands back the transcript: the solver, users in blocks, the table on the command
line, the estimator, groups, replace-one neighbours, noise that no seed fixes, or server and users as separate programs. It is run many times
with and without one user, the *canary*. The attacks of `property_tests.families.low_rank_sparse.privacy` replay what every round's
sums would be if a user showed in its own bounded contribution only, so that a path on which it also moves others (a shared split, a
mean, a position) has more to say than its ledger allows.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lrs import solve
from lrs.cli import run as command_line
from lrs.core import streams
from lrs.core.errors import InvalidInput
from lrs.core.validate import choice
from lrs.estimator import LRSRegressor
from lrs.families.low_rank_sparse.problem import MultiTaskData, Problem
from lrs.private.accounting import Release
from lrs.private.exchange import read_answer, read_request, read_transcript, write_answer, write_request
from lrs.private.noise import SecureNoise, SeededNoise
from lrs.private.server import Client, Cohort, Request, Schedule, Server, Transcript
from lrs.private.solver import PrivateAMHT
from lrs.private.statistics import Statistics
from property_tests.families.low_rank_sparse.privacy import (
    Audit,
    Scored,
    noise_sizes,
    seen,
    verdict,
)

D, RANK, SPARSITY, ROWS = 2, 1, 1, 5
#: Users beside the canary.
OTHERS = 40

Users = Mapping[str, tuple[np.ndarray, np.ndarray]]


def problem(users: Users) -> Problem:
    """The users' rows as a problem, in the order given."""
    data = MultiTaskData.from_arrays(
        [X for X, _ in users.values()], [y for _, y in users.values()], task_names=tuple(users)
    )
    return Problem(data, RANK, SPARSITY)


# ---------------------------------------------------------------------------------------------- paths
def by_solver(users: Users, solver: PrivateAMHT, seed: int) -> Transcript:
    """The solver, from Python."""
    found: Transcript = solve(problem(users), solver, seed=seed).info["transcript"]
    return found


def by_blocks(users: Users, solver: PrivateAMHT, seed: int) -> Transcript:
    """Users that come in blocks of two."""
    names = list(users)
    blocks = [problem({n: users[n] for n in names[i : i + 2]}).data for i in range(0, len(names), 2)]
    return solver.train(blocks, d=D, rank=RANK, sparsity=SPARSITY, rng=np.random.default_rng(seed))[1]


def by_command_line(users: Users, solver: PrivateAMHT, seed: int) -> Transcript:
    """``lrs solve TABLE``, read from CSV."""
    with tempfile.TemporaryDirectory() as folder:
        table, published = Path(folder, "users.csv"), Path(folder, "published.npz")
        lines = ["user,a,b,y", *(f"{n},{x[0]!r},{x[1]!r},{v!r}" for n, x, v in _rows(users))]
        table.write_text("\n".join(lines) + "\n", encoding="utf-8")
        given = {
            "--task": "user", "--target": "y", "-r": RANK, "-k": SPARSITY, "--solver": "private-amht",
            "--epsilon": solver.epsilon, "--delta": solver.delta, "--rounds": solver.rounds,
            "--neighbours": solver.neighbours, "--seed": seed, "--transcript": published,
        }  # fmt: skip
        words = [str(word) for option in given.items() for word in option]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
            code = command_line(["solve", str(table), *words, "--insecure-seed"])
        if code:
            raise RuntimeError(said.getvalue())
        return read_transcript(published)


def by_estimator(users: Users, solver: PrivateAMHT, seed: int) -> Transcript:
    """``LRSRegressor(solver=…).fit(X, y, groups)``, which adds the constant feature itself when asked; here it is not."""
    names, X, y = zip(*_rows(users), strict=True)
    fitted = LRSRegressor(rank=RANK, sparsity=SPARSITY, solver=solver, random_state=seed)
    fitted.fit(np.array(X), np.array(y), groups=np.array(names))
    found: Transcript = fitted.solution_.info["transcript"]
    return found


def by_programs(users: Users, solver: PrivateAMHT, seed: int) -> Transcript:
    """Server and users as separate programs that exchange files."""
    server = Server(schedule(solver), np.eye(D, RANK), SeededNoise(seed))
    with tempfile.TemporaryDirectory() as folder:
        board = Path(folder, "board.npz")
        clients = {Path(folder, f"{name}.npz"): Client(X, y, name) for name, (X, y) in users.items()}
        while (request := server.request()) is not None:
            write_request(board, request, overwrite=True)
            for path, client in clients.items():
                write_answer(path, client.answer(read_request(board)), overwrite=True)
            server.receive(read_answer(path, request) for path in clients)
    return server.transcript


def _rows(users: Users) -> list[tuple[str, list[float], float]]:
    return [(n, x, v) for n, (X, y) in users.items() for x, v in zip(X.tolist(), y.tolist(), strict=True)]


def schedule(solver: PrivateAMHT) -> Schedule:
    """What the solver fixes before it looks at anything."""
    return solver._schedule(solver._budget()[0], SPARSITY)


@dataclass(frozen=True)
class Way:
    """A path with the settings it is audited under."""

    play: Callable[[Users, PrivateAMHT, int], Transcript]
    settings: Mapping[str, Any] = field(default_factory=dict)
    secure: bool = False


PATHS: dict[str, Way] = {
    "solver": Way(by_solver),
    "blocks": Way(by_blocks),
    "command line": Way(by_command_line),
    "estimator": Way(by_estimator),
    "programs": Way(by_programs),
    "groups": Way(by_solver, {"groups": True}),
    "replace-one": Way(by_solver, {"neighbours": "replace-one"}),
    "secure noise": Way(by_solver, secure=True),
}


# ---------------------------------------------------------------------------------------------- the audit
class _Replay(Server):
    """Publishes again what was published: the requests that follow are those of the run."""

    def __init__(self, schedule: Schedule, transcript: Transcript) -> None:
        super().__init__(schedule, transcript.subspaces[0], SecureNoise())
        self._published = {(r.name, r.round): noisy for r, noisy in transcript.releases}

    def release(self, release: Release, value: np.ndarray) -> np.ndarray:
        return self._published[release.name, release.round]


def requests(schedule: Schedule, transcript: Transcript) -> list[Request]:
    """What stood on the billboard, from what was published."""
    server, found = _Replay(schedule, transcript), []
    while (request := server.request()) is not None:
        found.append(request)
        server.receive(())
    return found


def _once(cohort: Cohort) -> Callable[[Request], Statistics]:
    """The cohort's answers, worked out once for every request; requests are kept, so that none takes another's place."""
    known: dict[int, tuple[Request, Statistics]] = {}

    def answer(request: Request) -> Statistics:
        if id(request) not in known:
            known[id(request)] = request, cohort.answer(request)
        return known[id(request)][1]

    return answer


def _together(others: Callable[[Request], Statistics], users: Sequence[Cohort], request: Request) -> list[Statistics]:
    return [answer for answer in (others(request), *(user.answer(request) for user in users)) if answer]


def _canaries(rng: np.random.Generator) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """One user that is extreme in every release, and one like all others."""
    X = np.tile(np.eye(D)[0], (ROWS, 1))
    X[0] = np.eye(D)[1]
    return {
        "user far beyond anything": (1e4 * X, np.linspace(1e6, 5e6, ROWS)),
        "user like the others": (rng.standard_normal((ROWS, D)), rng.standard_normal(ROWS)),
    }


def audit_path(
    path: str | Way,
    *,
    epsilon: float = 8.0,
    delta: float = 1e-6,
    rounds: int = 2,
    trials: int = 200,
    alpha: float = 1e-3,
    seed: int = 0,
) -> Audit:
    """Audit what a person runs.

    Parameters
    ----------
    path : str or Way
        One of `PATHS`, or your own.
    epsilon, delta, rounds, trials, alpha, seed : see `property_tests.families.low_rank_sparse.privacy.audit`

    Returns
    -------
    Audit

    Notes
    -----
    The canary's name sorts first, as a newcomer's may, so that whatever depends on order or position shows.
    """
    if isinstance(path, str):
        choice("path", path, tuple(PATHS))
    way = PATHS[path] if isinstance(path, str) else path
    if trials < 20:
        raise InvalidInput(f"trials: {trials} runs bound nothing; pass at least 20, better 200")
    solver = replace(PrivateAMHT(epsilon=epsilon, delta=delta, rounds=rounds), **way.settings)
    rng = streams.generator("audit/people", seed)
    people = {f"u{i}": (rng.standard_normal((ROWS, D)), rng.standard_normal(ROWS)) for i in range(OTHERS)}
    replaced = solver.neighbours == "replace-one"
    planned_by = replace(solver, population=OTHERS + 1) if replaced else solver
    plan = schedule(planned_by)
    planned = noise_sizes(plan)
    draws = (streams.generator("audit/paths", seed, number) for number in range(100))

    def runs(users: Users) -> list[tuple[Transcript, list[Request]]]:
        found = []
        for number in next(draws).integers(2**31, size=trials).tolist():
            noise = None if way.secure else number
            published = way.play(users, replace(solver, insecure_seed=noise), number)
            found.append((published, requests(plan, published)))
        return found

    ordinary = {"a": (rng.standard_normal((ROWS, D)), rng.standard_normal(ROWS))} if replaced else {}
    absent, again = runs({**ordinary, **people}), runs({**ordinary, **people})
    # Sums are of integers: what a user adds is the same whoever else is there, and the others are asked once a run.
    others = _once(Cohort(problem(people).data))
    without = partial(_together, others, [Cohort(problem({n: u}).data) for n, u in ordinary.items()])
    sides, nulls = {}, {}
    for name, canary in _canaries(rng).items():
        audience = without, partial(_together, others, [Cohort(problem({"a": canary}).data)])
        first, second, third = (
            Scored.of([(run[0], seen(*run, planned, *audience)) for run in side])
            for side in (absent, again, runs({"a": canary, **people}))
        )
        sides[name], nulls[name] = first.against(third), first.against(second)
    return verdict(sides, nulls, epsilon=epsilon, delta=delta, rho=plan.rho, alpha=alpha)
