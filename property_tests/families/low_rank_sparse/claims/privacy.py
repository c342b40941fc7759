"""What a private solver owes its users: a ledger that adds up, bounds that hold, a transcript that needs clipped sums only.

They apply to solvers with the trait ``private``, whose settings and ledger are in ``Solution.info["account"]``. The mechanism
that these name is replayed here through the public API of `lrs.private`: `private/only-clipped-statistics` demands
that the replay publishes what the solver published, and the claims about other budgets replay it with another ε.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from lrs.core.run import Run
from lrs.families.low_rank_sparse import metrics
from lrs.families.low_rank_sparse.generate import InstanceSpec, generate
from lrs.families.low_rank_sparse.problem import Instance, MultiTaskData, Problem
from lrs.private import (
    Client,
    Clip,
    Cohort,
    Ledger,
    PrivateAMHT,
    Release,
    Request,
    SeededNoise,
    Server,
    epsilon_of,
    sensitivity,
)
from lrs.private import run as play
from lrs.private.statistics import Kind, lattice
from property_tests.examine.claim import Always, AtLeast, Claim, Context, Outcome, Scaling, register
from property_tests.examine.configuration import Configuration, Region
from property_tests.families.low_rank_sparse.privacy import Puppet, extreme_user
from theory.private_plan import PrivatePlan, plan_users

ACCOUNT = "theory of the private variant: sensitivities and zCDP ledger [D], billboard model [S]"
#: Answers of a replay differ by rounding only, as single users are summed in another order.
SAME = 1e-6
#: Rows of unit size.
UNIT = Clip(x=1.0, y=1.0, xb=1.0, w=1.0)
NEEDS = ("private/ledger-adds-up",)


# ---------------------------------------------------------------------------------------------- configurations
@st.composite
def _few_users(draw: st.DrawFn) -> Configuration:
    r, k = draw(st.integers(1, 2)), draw(st.integers(0, 2))
    d = draw(st.integers(2 * (r + k), 10))
    spec = InstanceSpec(t=draw(st.integers(4, 60)), m=draw(st.integers(r + k + 2, d + 4)), d=d, r=r, k=k)
    return Configuration(spec=spec, extras=(("scale", draw(st.sampled_from([0.1, 1.0, 3.0, 100.0]))),))


def few_users(region: Region) -> st.SearchStrategy[Configuration]:
    """Small problems; ``scale`` is how far beyond its levels a chosen user goes."""
    return _few_users()


@st.composite
def _many_users(draw: st.DrawFn, t: int) -> Configuration:
    r, k = draw(st.integers(1, 2)), draw(st.integers(0, 1))
    return Configuration(spec=InstanceSpec(t=t, m=12, d=draw(st.sampled_from([6, 8])), r=r, k=k))


def enough_users(region: Region) -> st.SearchStrategy[Configuration]:
    """Enough users that A is well conditioned: with four, the answer may jump however small the noise is."""
    return _many_users(300)


def many_users(region: Region) -> st.SearchStrategy[Configuration]:
    """Enough users that the noise moves the answer without drowning it."""
    return _many_users(2000)


@st.composite
def _inside(draw: st.DrawFn) -> Configuration:
    r, k, d = draw(st.integers(1, 2)), draw(st.integers(0, 1)), draw(st.sampled_from([6, 8, 10]))
    return Configuration(spec=InstanceSpec(t=1, m=20, d=d, r=r, k=k))


def private_region(region: Region) -> st.SearchStrategy[Configuration]:
    """Sizes only: how many users there are follows from the budget that the solver names."""
    return _inside()


# ---------------------------------------------------------------------------------------------- reading a solver's account
def _account(run: Run) -> dict[str, Any]:
    text = run.solution.info.get("account")
    if not isinstance(text, str):
        raise TypeError("a private solver shows its settings and ledger as JSON text in Solution.info['account']")
    found: dict[str, Any] = json.loads(text)
    return found


def _solver(account: dict[str, Any], **changes: Any) -> PrivateAMHT:
    return PrivateAMHT.from_settings({**account["settings"], **changes})


def _subspace(solver: PrivateAMHT, data: MultiTaskData, problem: Problem) -> np.ndarray:
    """The last published U of the mechanism; its start is public and fixed here."""
    start = np.linalg.qr(np.random.default_rng([problem.d, problem.rank]).standard_normal((problem.d, problem.rank)))[0]
    server = Server(solver._schedule(solver._budget()[0], problem.sparsity), start, solver._noise())
    play(server, [Cohort(data)])
    return server.U


# ---------------------------------------------------------------------------------------------- the ledger
def _ledger(context: Context) -> Outcome:
    account = _account(context.run(trace=False))
    privacy, settings = account["privacy"], account["settings"]
    clip = Clip.of(privacy["clip"])
    ledger = Ledger(privacy["neighbours"])
    outcomes = []
    for entry in privacy["releases"]:
        release = ledger.add(Release(**{n: entry[n] for n in Release.__dataclass_fields__}))
        bound = sensitivity(release.name, clip, ledger.neighbours)
        outcomes.append(Outcome.below("sensitivity needed / stated", bound / release.sensitivity, 1 + 1e-12))
    # Not the solver's own sum: by group of users, and the dearest group once.
    groups = {r.group for r in ledger.releases if r.group is not None}
    each = [sum(r.sensitivity**2 / (2 * r.noise**2) for r in ledger.releases if r.group == g) for g in groups]
    common = sum(r.sensitivity**2 / (2 * r.noise**2) for r in ledger.releases if r.group is None)
    rho = common + max(each, default=0.0)
    # What is charged is Δ in whole units of the lattice, 2⁻³⁰ of it.
    outcomes.append(Outcome.below("|ρ stated/ρ summed − 1|", abs(privacy["rho"] / rho - 1), 1e-8))
    spent = epsilon_of(rho, privacy["delta"])
    outcomes.append(Outcome.below("ε of the sum / ε stated", spent / privacy["epsilon"], 1 + 1e-9))
    if settings["epsilon"] is not None:
        outcomes.append(Outcome.below("ε of the sum / target", spent / settings["epsilon"], 1 + 1e-9))
    return Outcome.all(outcomes)


# ---------------------------------------------------------------------------------------------- sensitivity
def _statistics_of(user: Puppet, clip: Clip, settings: dict[str, Any], U: np.ndarray) -> dict[str, np.ndarray]:
    kind: Kind = "gradient" if settings["release"] == "gradient" else "statistics"
    found = dict(user.answer(Request(1, kind, U, clip, 0)))
    found.update(user.answer(Request(0, "moment", U, clip, 0, features=True)))
    return {name: lattice(name, clip) * value for name, value in found.items()}


def _never_exceeded(context: Context) -> Outcome:
    """Users with arbitrary rows, responses and parameters, as a device may compute anything."""
    account, rng, s = _account(context.run(trace=False)), context.rng, context.configuration.spec
    # Without levels of rows there is nothing to exceed but the bound itself: any size will do.
    clip, scale = Clip.of(account["privacy"]["clip"]) or UNIT, context.configuration["scale"]
    stated = {entry["name"]: entry["sensitivity"] for entry in account["privacy"]["releases"]}
    outcomes = []
    for _ in range(20):
        pair = []
        for _ in range(2):
            spread = scale * 10 ** rng.uniform(-1, 1, size=4)
            X = spread[0] * clip.x * rng.standard_normal((s.m, s.d))
            if rng.random() < 0.5:  # equal rows are where the bound is attained
                X[:] = X[0]
            y = spread[1] * clip.y * np.sign(rng.standard_normal(s.m))
            w, b = spread[2] * clip.w * rng.standard_normal(s.r), spread[3] * clip.xb * rng.standard_normal(s.d)
            U = np.linalg.qr(rng.standard_normal((s.d, s.r)))[0]
            pair.append(_statistics_of(Puppet(X, y, w, b), clip, account["settings"], U))
        replaced = account["privacy"]["neighbours"] == "replace-one"
        for name, bound in stated.items():
            change = pair[0][name] - pair[1][name] if replaced else pair[0][name]
            outcomes.append(Outcome.below(f"change of {name} / bound", float(np.linalg.norm(change)) / bound, 1 + 1e-9))
    return Outcome.all(outcomes)


def _attained(context: Context) -> Outcome:
    """A bound that nobody attains would waste budget: the extreme user reaches all of them when it joins."""
    account, s = _account(context.run(trace=False)), context.configuration.spec
    clip = Clip.of(account["privacy"]["clip"]) or UNIT
    if account["privacy"]["neighbours"] != "add-remove":
        return Outcome(True, 0.0, in_scope=False)
    stated = {entry["name"]: entry["sensitivity"] for entry in account["privacy"]["releases"]}
    found = _statistics_of(extreme_user(clip, s.d, s.r, s.m), clip, account["settings"], np.eye(s.d, s.r))
    return Outcome.all(
        Outcome.below(f"|change of {n} / bound − 1|", abs(float(np.linalg.norm(found[n])) / bound - 1), 1e-8)
        for n, bound in stated.items()
    )


# ---------------------------------------------------------------------------------------------- the transcript
def _only_statistics(context: Context) -> Outcome:
    """Every published U follows from the sums of single clients' clipped statistics, the noise and the public start."""
    run = context.run()
    account, problem = _account(run), context.instance.problem
    settings = account["settings"]
    if settings["insecure_seed"] is None or not run.trace:
        return Outcome(True, 0.0, in_scope=False)  # secure noise cannot be replayed, on purpose
    published = [step.model.U for step in run.trace]
    solver = _solver(account)
    if settings["neighbours"] == "replace-one":
        solver = replace(solver, population=problem.t)
    schedule = solver._schedule(solver._budget()[0], problem.sparsity)
    server = Server(schedule, published[0], SeededNoise(settings["insecure_seed"]))
    # A client's rows come in another order and with other signs: its statistics are sums over rows of even functions.
    data, rng = problem.data, context.rng
    clients = []
    for name, (X, y) in zip(data.task_names, data, strict=True):
        order, sign = rng.permutation(len(y)), rng.choice([-1.0, 1.0], size=len(y))
        clients.append(Client((X * sign[:, None])[order], (y * sign)[order], name))
    play(server, clients)
    found = server.transcript.subspaces
    if len(found) != len(published):
        return Outcome(False, -1.0, f"{len(published)} subspaces were published, the schedule has {len(found)}")
    gaps = [metrics.subspace_distance(a, b) for a, b in zip(found, published, strict=True)]
    return Outcome.below("distance of a published U from its replay", max(gaps), SAME)


# ---------------------------------------------------------------------------------------------- what privacy costs
def _without_noise(context: Context) -> Outcome:
    """At a budget of ρ = 10¹⁴ the answer is the one without noise."""
    account, problem = _account(context.run(trace=False)), context.instance.problem
    free, dear = (_subspace(_solver(account, epsilon=None, rho=rho), problem.data, problem) for rho in (math.inf, 1e14))
    return Outcome.below("distance from the answer without noise", metrics.subspace_distance(free, dear), 1e-4)


def _start_error(account: dict[str, Any], instance: Instance, rho: float) -> float:
    """What the noise of the start does: the distance of its U from that of the same users without noise."""
    problem = instance.problem

    def start(budget: float) -> np.ndarray:
        _, transcript = _solver(account, epsilon=None, rho=budget).train(
            [problem.data],
            d=problem.d,
            rank=problem.rank,
            sparsity=problem.sparsity,
            rng=np.random.default_rng(0),
            population=problem.t,
        )
        return transcript.subspaces[1]

    return max(metrics.subspace_distance(start(rho), start(math.inf)), 1e-300)


def _slope(name: str, small: float, large: float, factor: float) -> Outcome:
    slope = math.log(large / small) / math.log(factor)
    return Outcome.below(
        f"|slope in {name} + 1|", abs(slope + 1), 0.2, values={"slope": slope, "first": small, "last": large}
    )


def _falls_with_budget(context: Context) -> Outcome:
    """√ρ is proportional to ε up to the conversion, which is a property of δ and not of the solver."""
    account = _account(context.run(trace=False))
    rho, factor = 4.0 * account["privacy"]["rho"], 8.0
    small, large = (_start_error(account, context.instance, rho * f**2) for f in (1.0, factor))
    return _slope("√ρ", small, large, factor)


def _falls_with_users(context: Context) -> Outcome:
    account, s = _account(context.run(trace=False)), context.configuration.spec
    factor = 4
    key = context.key
    many = generate(InstanceSpec(t=factor * s.t, m=s.m, d=s.d, r=s.r, k=s.k), key)
    rho = 4.0 * account["privacy"]["rho"]
    return _slope("t", _start_error(account, context.instance, rho), _start_error(account, many, rho), factor)


def _recovers(context: Context) -> Outcome:
    """With three times the users that the private theorem asks for, the error is within twice its tolerance."""
    s, tolerance = context.configuration.spec, 0.1
    privacy = _account(context.run(trace=False))["privacy"]
    plan = PrivatePlan(
        d=s.d,
        r=s.r,
        k=s.k,
        epsilon=privacy["epsilon"],
        delta=privacy["delta"],
        tolerance=tolerance,
        clip=Clip.of(privacy["clip"]),
    )
    needed = int(plan_users(plan)[-1].amount)
    key = context.key
    instance = generate(InstanceSpec(t=3 * needed, m=s.m, d=s.d, r=s.r, k=s.k), key)
    model = context.run(instance.problem, trace=False).model
    error = metrics.subspace_distance(model.U, instance.truth.U)
    return Outcome.below("subspace error", error, 2 * tolerance, values={"users": float(instance.problem.t)})


def _add(name: str, statement: str, check: Any, configurations: Any, **options: Any) -> None:
    register(
        Claim(
            name=f"private/{name}",
            statement=statement,
            check=check,
            configurations=configurations,
            traits=("private",),
            inside=False,
            **{"cite": ACCOUNT, "requires": NEEDS, "kind": Always(p1=0.9), **options},
        )
    )


_add(
    "ledger-adds-up",
    "ρ is the sum of Δ²/(2s²) over the releases, Δ is at least what clipping allows, and ε never exceeds the target.",
    _ledger,
    few_users,
    requires=("conduct/answers",),
)
_add(
    "sensitivity-never-exceeded",
    "No user, whatever its rows and parameters, changes a released sum by more than the ledger says.",
    _never_exceeded,
    few_users,
)
_add(
    "sensitivity-attained",
    "The bounds are attained by a user with equal rows at all its levels.",
    _attained,
    few_users,
)
_add(
    "only-clipped-statistics",
    "Every published U follows from the sums of clipped statistics, the noise and the public start.",
    _only_statistics,
    few_users,
)
_add(
    "no-noise-limit",
    "As ε grows without bound the answer tends to the one without noise.",
    _without_noise,
    enough_users,
)
_add(
    "error-falls-with-budget",
    "The error that the noise of the start causes is proportional to 1/√ρ, as 1/ε is.",
    _falls_with_budget,
    many_users,
    kind=Scaling(0.95, 0.80),
)
_add(
    "error-falls-with-users",
    "The error that the noise of the start causes is proportional to 1/t.",
    _falls_with_users,
    many_users,
    kind=Scaling(0.95, 0.80),
)
_add(
    "recovers-inside",
    "With three times the users that the private theorem asks for, the subspace error is at most twice its tolerance.",
    _recovers,
    private_region,
    kind=AtLeast(0.95, 0.80),
    calls=2.0,
)
