"""``lrs profile``: the slack of the links, what is broken and why, exponents, pictures, bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from scipy import sparse, stats

from lrs import cli
from lrs.core.errors import InvalidInput
from lrs.core.family import load_family
from lrs.families.low_rank_sparse.generate import InstanceSpec, generate
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import Instance
from lrs.solver import Iterate, Solution, load_solver
from lrs.solver import Status as SolverStatus
from theory.language.chain import Chain, Link
from theory.language.symbols import Status
from theory.profile.slack import _slope, parse_axis, profile, scaling
from theory.theorems import load_theorem

SPEC = InstanceSpec(t=12, m=160, d=24, r=2, k=2)


@pytest.fixture(scope="module")
def instance() -> Instance:
    return generate(SPEC, 1)


@pytest.fixture(scope="module")
def file(instance: Instance, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("profile") / "instance.npz"
    instance.save(path)
    return str(path)


def run(capsys: Any, *arguments: str) -> tuple[int, str, str]:
    code = cli.run(["profile", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def by_name(found: Any) -> dict[str, Any]:
    return {one.link.name: one for one in found.links}


@pytest.mark.parametrize("name", ["sparse-vector-lemma", "sparse-vector-lemma-fixed"])
def test_the_lemma_on_its_program(name: str, instance: Instance) -> None:
    """True α, β, γ are tight; the entries lie within their bounds; 160 rows are too few for the lemma, which is said."""
    found = profile(load_theorem(name), instance, rounds=4)
    links = by_name(found)
    assert not found.broken
    for schedule in ("α bounds v", "β bounds v", "γ bounds b"):
        assert links[schedule].typical == pytest.approx(1.0)
    assert links["rows"].verdict == "ASSUMPTION FAILS"
    corners = 2 * np.log(2) if name == "sparse-vector-lemma" else 0.0
    x = corners + np.log(6 * 24 * 12 / 0.05)
    assert links["rows"].worst[0] == pytest.approx((2 * np.sqrt(x / 160) + 2 * x / 160) / (0.25 / np.sqrt(2)), rel=1e-6)
    assert 0.1 < links["entry of (I − S)(v − v*)"].typical < 1
    assert found.steps == 4


def test_the_sides_are_those_of_the_run(instance: Instance) -> None:
    """‖b⁺ − b*‖_∞ against 2Δ, from the solver's own trace."""
    from lrs.amht import PaperAMHT
    from lrs.solver import solve

    found = by_name(profile(load_theorem("sparse-vector-lemma"), instance, rounds=3))["two thresholds"]
    trace: list[Any] = []
    solver = PaperAMHT(schedule="oracle", truth=instance.truth, inner_steps=1, c1=0.25, max_iterations=3)
    solve(instance.problem, solver, callback=trace.append)
    for at, iterate in enumerate(trace[1:]):
        error = np.abs((iterate.model.B - instance.truth.B).toarray()).max(axis=1)
        assert found.slack[at] == pytest.approx((error / (2 * iterate.info["threshold"][:, 0])).max())


def test_fresh_rows_keep_every_link_that_stands_alone() -> None:
    found = profile(load_theorem("amht-fresh-rows"), generate(InstanceSpec(t=60, m=480, d=16, r=1, k=2), 2), rounds=2)
    assert not found.broken
    links = by_name(found)
    assert links["length halves"].verdict == "KEPT"
    assert links["norm from rows"].typical > 0.1
    assert links["error of a task"].typical > 0.1
    assert links["error of U in sizes"].typical < 0.1
    assert links["rows of the weight step"].verdict in ("ASSUMPTION FAILS", "SAYS NOTHING")


def test_a_program_that_is_wrong_breaks_its_link(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """U⁺ with half a step: the error of U is no longer F_b + F_N with F_N small."""
    from theory.families.low_rank_sparse import fresh_rows

    instance = generate(InstanceSpec(t=60, m=800, d=16, r=1, k=1), 2)
    theorem = load_theorem("amht-fresh-rows")
    assert not profile(theorem, instance, rounds=2).broken
    correct = fresh_rows._correlate
    monkeypatch.setattr(fresh_rows, "_correlate", lambda X, y, theta: 3 * correct(X, y, theta))
    assert profile(theorem, instance, rounds=2).broken


def test_a_solver_that_shows_no_thresholds_leaves_links_open(instance: Instance) -> None:
    found = by_name(profile(load_theorem("sparse-vector-lemma"), instance, rounds=2, solver=load_solver("altmin")))
    assert found["α bounds v"].verdict == "NOT SHOWN"
    assert found["α bounds v"].kept is None
    fresh = profile(load_theorem("amht-fresh-rows"), instance, rounds=2, solver=load_solver("amht"))
    assert {one.verdict for one in fresh.links} == {"NOT SHOWN"}


# ---------------------------------------------------------------------------------------------- a chain of one's own
def still(problem: Any, *, rng: Any, callback: Any = None) -> Solution:
    """Shows the zero model three times."""
    d, t, r = problem.d, problem.t, problem.rank
    model = LRSModel(np.eye(d, r), np.zeros((t, r)), sparse.csr_array((t, d)))
    for at in range(3):
        callback(Iterate(at, model, 1.0))
    return Solution(model, SolverStatus.ITERATION_CAP, 2)


def toy(left: Callable[[Any], Any], right: Callable[[Any], Any], needs: str = "") -> Any:
    link = Link("toy", left, right, "l ≤ r", Status.ASSUMED, "us", needs=needs)
    step, program = lambda before, after, instance, delta: instance.spec, lambda i, n, s: (i.problem, still)
    chain = Chain((link,), step, program, {"the rest": "left out"})
    return replace(load_theorem("iht"), name="theirs", chain=chain)


@pytest.mark.parametrize(
    ("left", "right", "needs", "verdict"),
    [
        (1.0, 2.0, "", "KEPT"),
        (2.0, 2.0, "", "KEPT"),
        (2.1, 2.0, "", "BROKEN"),
        (2.1, 2.0, "luck", "ASSUMPTION FAILS"),
        (0.0, 0.0, "", "KEPT"),
        (1.0, 0.0, "", "BROKEN"),
        (1.0, np.inf, "", "SAYS NOTHING"),
        (np.nan, 1.0, "", "BROKEN"),
        (None, 1.0, "", "NOT SHOWN"),
    ],
)
def test_verdicts(left: float | None, right: float, needs: str, verdict: str, instance: Instance) -> None:
    found = profile(toy(lambda s: left, lambda s: right, needs), instance, rounds=2)
    assert found.links[0].verdict == verdict
    json.dumps(found.to_dict(), allow_nan=False)


def test_the_worst_task_counts(instance: Instance) -> None:
    found = profile(toy(lambda s: np.array([0.1, 5.0, 0.2]), lambda s: np.array([1.0, 4.0, 1.0])), instance, rounds=2)
    assert found.links[0].worst == (pytest.approx(1.25), 1)
    assert (found.links[0].left[0], found.links[0].right[0]) == (5.0, 4.0)
    assert [one.link.name for one in found.broken] == ["toy"]


def test_exponents_of_power_laws_are_exact() -> None:
    family = load_family("low-rank-sparse")
    found = scaling(
        toy(lambda s: 0.1 * s.k**2, lambda s: 3.0 * s.k**3), family, SPEC, "k", (1, 2, 4), replicates=2, rounds=1
    )
    (one,) = found.links
    for (slope, half), expected in ((one.left, 2), (one.right, 3), (one.ratio, -1)):
        assert slope == pytest.approx(expected)
        assert half == pytest.approx(0, abs=1e-6)
    assert one.slack.shape == (3, 2)


def test_an_interval_covers_the_exponent_of_a_noisy_power_law() -> None:
    """Log-normal noise around v^1.5: 95 % of the intervals hold the exponent, up to an exact test of 200 of them."""
    rng = np.random.default_rng(71)
    values = (1, 2, 4)
    power = np.array(values, dtype=float)[:, None] ** 1.5
    found = [_slope(values, power * np.exp(0.3 * rng.standard_normal((3, 2)))) for _ in range(200)]
    hits = sum(abs(slope - 1.5) <= half for slope, half in found)
    assert stats.binomtest(hits, 200, 0.95).pvalue > 1e-3


# ---------------------------------------------------------------------------------------------- the verb
def test_the_verb_prints_draws_and_names_what_is_missing(file: str, capsys: Any, tmp_path: Path) -> None:
    picture = tmp_path / "links.png"
    code, out, _ = run(capsys, file, "--theorem", "sparse-vector-lemma", "--rounds", "2", "-o", str(picture))
    assert code == 0
    assert "Most is lost at" in out
    assert "Not in the chain: v fitted to the same rows" in out
    assert matplotlib.image.imread(picture).std() > 0.02


def test_the_verb_along_an_axis_in_json(file: str, capsys: Any, tmp_path: Path) -> None:
    picture = tmp_path / "growth.png"
    code, out, _ = run(
        capsys, file, "--x", "k=1,2,4", "--rounds", "1", "--replicates", "1", "--json", "--out", str(picture)
    )
    document = json.loads(out)
    assert code == 0
    assert (document["axis"], document["values"], document["theorem"]) == ("k", [1, 2, 4], "sparse-vector-lemma")
    links = {link["link"]: link for link in document["links"]}
    grown = links["the worst b of the cube"]["right"]["exponent"]
    assert 0.3 < grown < 1.2
    assert matplotlib.image.imread(picture).std() > 0.02


def test_a_broken_link_of_somebody_else_ends_in_exit_code_1(
    file: str, capsys: Any, package: Callable[..., None]
) -> None:
    package(
        "their-proof",
        {"lrs.theorems": {"their-proof": "their_proof:THEOREM"}},
        their_proof="""
from dataclasses import replace
from theory import load_theorem
from theory.families.low_rank_sparse.chains import _paper
from theory.language.chain import Chain, Link
from theory.language.symbols import Status

link = Link("too good", lambda s: 2.0, lambda s: 1.0, "2 ≤ 1", Status.ASSUMED, "us")
THEOREM = replace(load_theorem("iht"), name="their-proof", chain=Chain((link,), lambda *a: None, _paper))
""",
    )
    code, out, _ = run(capsys, file, "--theorem", "their-proof", "--rounds", "1")
    assert code == 1
    assert "BROKEN: too good" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--theorem", "iht"), "no chain of links is registered with 'iht'; there is one of amht-fresh-rows"),
        (("--theorem", "ith"), "did you mean 'iht'"),
        (("--x", "q=1,2"), "'q' is not a size"),
        (("--x", "r=1"), "two or more different positive integers"),
        (("--x", "r=1,1"), "two or more different positive integers"),
        (("--x", "r"), "two or more different positive integers"),
        (("--x", "r=0,1"), "two or more different positive integers"),
        (("--x", "r=1,200"), "r: 200 is outside"),
        (("--failure", "2"), "failure"),
        (("--theorem", "amht-fresh-rows", "--rounds", "50"), "50 outer steps on fresh rows need 200 rows"),
        (("-o", "links.txt"), "is not a picture"),
        (("--solver", "nobody"), "nobody"),
    ],
)
def test_bad_input(arguments: tuple[str, ...], message: str, file: str, capsys: Any) -> None:
    code, _, err = run(capsys, file, *arguments)
    assert code == 2
    assert message in err
    assert "Traceback" not in err


def test_a_link_needs_sides_and_a_source(unchecked: None) -> None:
    with pytest.raises(InvalidInput, match="source: the link 'x' needs one"):
        Link("x", abs, abs, "", Status.DERIVED, "")
    with pytest.raises(InvalidInput, match="left, right"):
        Link("x", 1.0, abs, "", Status.DERIVED, "us")  # type: ignore[arg-type]
    link = Link("x", abs, abs, "", Status.DERIVED, "us")
    with pytest.raises(InvalidInput, match="every name once"):
        Chain((link, link), abs, abs)


@pytest.mark.parametrize("lacks", [{"r": 0}, {"r": 2, "w_rank": 1}])
def test_the_proof_on_fresh_rows_needs_weights_that_span(lacks: dict[str, int]) -> None:
    spec = InstanceSpec(**{"t": 6, "m": 40, "d": 8, "r": 1, "k": 1, **lacks})
    with pytest.raises(InvalidInput, match=r"weights that span R\^r"):
        profile(load_theorem("amht-fresh-rows"), generate(spec, 0), rounds=1)


def test_an_axis_is_read() -> None:
    assert parse_axis("r=4,1,2", load_family("low-rank-sparse")) == ("r", (1, 2, 4))
