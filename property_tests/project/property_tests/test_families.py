"""`lrs verify` of a family from outside: its own claims, region and kinds of evidence, in the sandbox like any other."""

import json
import math
import shlex
from dataclasses import dataclass, replace
from importlib.resources import files

import jsonschema
import numpy as np
import pytest

from lrs.cli import run
from lrs.core.errors import InvalidInput
from lrs.core.family import LOW_RANK_SPARSE
from lrs.families.low_rank_sparse.generate import InstanceSpec
from property_tests.claims.honesty import largest_difference
from property_tests.examine.claim import Always, AtLeast, Claim, Outcome, Verdict, claims, register
from property_tests.examine.configuration import Configuration, region_of
from property_tests.examine.engine import Budget, examine
from property_tests.examine.synthetic import NoSolver, bernoulli
from property_tests.examine.tally import Tally
from property_tests.families.low_rank_sparse.strategies import PRACTICAL
from property_tests.verify import check_solver, family_for

FAMILY = "heavy_mean:FAMILY"
SMALL = Budget(name="small", explore=2, least=0, most=400, shrink=10, confirm=3)
SCHEMA = json.loads(files("property_tests").joinpath("verdicts.schema.json").read_text())


# ------------------------------------------------------------------ from the command line, in the sandbox
def test_a_solver_of_another_family_is_confirmed_and_another_refuted(tmp_path, capsys):
    solvers = ["--solver", "heavy_mean:Trimmed", "--solver", "heavy_mean:mean"]
    assert run(["verify", "--family", FAMILY, *solvers, "--jobs", "1", "--out", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert out.count("recovered: ‖μ̂ − μ‖₂/√d ≤ 1e-06") == 2
    verdicts = json.loads((tmp_path / "verdicts.json").read_text())
    jsonschema.validate(verdicts, SCHEMA)
    good, bad = verdicts["solvers"]
    assert {c["claim"] for c in good["claims"]} == {
        *(f"conduct/{n}" for n in ("answers", "input-unmodified", "one-process", "own-randomness", "prints-nothing")),
        "honesty/deterministic",
        "honesty/no-peeking",
        "robust/near",
    }
    assert {c["verdict"] for c in good["claims"]} == {"CONFIRMED"}
    assert [c["claim"] for c in bad["claims"] if c["verdict"] == "REFUTED"] == ["robust/near"]
    assert good["family"] == "heavy-mean"
    sentence = "‖μ̂ − μ‖₂/√d ≤ 1e-06"
    assert good["recovered"] == {"criterion": "error", "tolerance": 1e-6, "sentence": sentence}
    assert sentence in (tmp_path / "report.html").read_text()
    (line,) = [line for line in out.splitlines() if line.strip().startswith("lrs verify")]
    assert run(shlex.split(line)[1:]) == 1
    assert "robust/near is broken on d=" in capsys.readouterr().out


def test_claims_about_every_family_refute_its_solvers_too(tmp_path, monkeypatch):
    (tmp_path / "peeking_mean.py").write_text(
        "import numpy as np\n"
        "from lrs import Solution, Status\n"
        "seen = []\n"
        "def remembers(problem, *, rng, callback=None):\n"
        "    seen.append(problem.samples.mean(axis=0))\n"
        "    old = seen[-2] if len(seen) > 1 and seen[-2].shape == seen[-1].shape else seen[-1]\n"
        "    return Solution(old, Status.CONVERGED, 1)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    report = check_solver("peeking_mean:remembers", family=FAMILY, claims="honesty/no-peeking", jobs=1)
    assert report["honesty/no-peeking"].verdict is Verdict.REFUTED


def test_its_claims_are_listed(capsys):
    assert run(["claims", "--family", FAMILY, "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["family"] == "heavy-mean"
    about = {c["claim"]: c["families"] for c in listed["claims"]}
    assert about["robust/near"] == ["heavy-mean"]
    assert about["conduct/answers"] is None
    assert "recovery/exact" not in about
    assert "robust/near" not in {c.name for c in claims()}  # nor is it among those of low rank + sparse


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--family", FAMILY, "--claims", "recovery/exact"],
            "claims: recovery/exact is about low-rank-sparse, and this",
        ),
        (["--family", FAMILY, "--claims", "nothing/*"], "claims: no claim matches 'nothing/*'"),
        (["--claims", "robust/near"], "claims: robust/near is about heavy-mean, and this run is of low-rank-sparse"),
        (["--family", FAMILY, "--theorem", "amht-informal"], "theorem: 'amht-informal' is about the family low-r"),
        (["--family", FAMILY, "--solver", "labelled"], "solver: 'labelled:solver' solves problems of the family other"),
        (["--family", FAMILY, "--draw", "practical"], "region: no region 'practical' of heavy-mean; known is a tenth"),
        (["--family", FAMILY, "--mutants"], "mutants: the broken solvers of the suite are of low-rank-sparse"),
        (["--family", FAMILY, "--solver", ""], "solver: name one; the reference is of low-rank-sparse"),
        (["--family", "heavy"], "family: no family named 'heavy'"),
    ],
)
def test_what_is_of_another_family_is_refused_in_one_sentence(arguments, message, tmp_path, monkeypatch, capsys):
    claims(family=FAMILY)  # registers robust/near, as an installed package would
    (tmp_path / "labelled.py").write_text("def solver(problem, *, rng, callback=None): ...\nsolver.family = 'other'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    solver = {"labelled": "labelled:solver", "": None}.get(arguments[-1], "heavy_mean:Trimmed")
    arguments = [a for a in arguments if a not in ("--solver", "labelled", "")]
    chosen = [] if solver is None or "--mutants" in arguments else ["--solver", solver]
    assert run(["verify", "--jobs", "1", *arguments, *chosen]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err


def test_regions_and_claims_that_are_handed_over_are_held_to_the_family():
    with pytest.raises(
        InvalidInput, match="region: 'practical' is of the family low-rank-sparse, and this run is of h"
    ):
        check_solver("heavy_mean:Trimmed", family=FAMILY, region=PRACTICAL)
    with pytest.raises(InvalidInput, match="claims: synthetic/bernoulli is about low-rank-sparse, and this run is of"):
        check_solver("heavy_mean:Trimmed", family=FAMILY, claims=[bernoulli(1.0)])
    about_all = replace(bernoulli(1.0, name="x/y"), families=None, traits=("sparse",))
    with pytest.raises(InvalidInput, match="traits: x/y asks for 'sparse', which the family heavy-mean does not have"):
        check_solver("heavy_mean:Trimmed", family=FAMILY, claims=[about_all])


def test_a_family_without_a_region_is_told_so(monkeypatch):
    import heavy_mean

    monkeypatch.setattr(heavy_mean.HeavyMean, "regions", "")
    with pytest.raises(InvalidInput, match="family: 'heavy-mean' names no region to draw problems in"):
        check_solver("heavy_mean:Trimmed", family=FAMILY, claims="robust/near", jobs=1)


def test_two_families_may_each_have_a_claim_of_one_name():
    claim = bernoulli(1.0, name="shared/name")
    register(replace(claim, families=("one",)))
    register(replace(claim, families=("two",)))
    for families in (("one", "three"), None):
        with pytest.raises(InvalidInput, match="claim: 'shared/name' is registered twice"):
            register(replace(claim, families=families))


# ------------------------------------------------------------------ configurations
def test_texts_of_low_rank_sparse_are_those_of_the_first_edition():
    spec = InstanceSpec(t=6, m=5, d=6, r=1, k=1, noise=0.1)
    configuration = Configuration(spec=spec, told={"sparsity": 2, "rank": None}, slack=0.3)
    assert configuration.text == ('{"slack":0.3,"sparsity":2,"spec":{"d":6,"k":1,"m":5,"noise":0.1,"r":1,"t":6}}')
    assert Configuration.parse(configuration.text) == configuration
    assert str(configuration) == "t=6 m=5 d=6 r=1 k=1 noise=0.1 sparsity=2 slack=0.3"
    assert configuration.instance("test", 0).problem.sparsity == 2


def test_a_configuration_of_another_family_says_so():
    family = family_for(FAMILY, None)
    configuration = Configuration(family=family.name, spec=family.spec(d=2, m=30))
    assert configuration.text == '{"family":"heavy-mean","spec":{"d":2,"m":30}}'
    assert Configuration.parse(configuration.text) == configuration
    with pytest.raises(InvalidInput, match="told: a problem of heavy-mean cannot be told rank"):
        replace(configuration, told={"rank": 1}).instance("test", 0)
    with pytest.raises(InvalidInput, match="structure: no structure 'short tasks' of heavy-mean"):
        replace(configuration, structure="short tasks")


# ------------------------------------------------------------------ kinds of evidence
@dataclass(frozen=True)
class Between:
    """A two-sided probability: low ≤ P ≤ high, told apart from what lies further than ``gap`` outside."""

    low: float = 0.4
    high: float = 0.6
    gap: float = 0.2

    sentence = "with probability between 0.4 and 0.6"
    p0 = property(lambda self: self.low)
    p1 = property(lambda self: self.low - self.gap)

    def tally(self, alpha, beta):
        return TwoSided(self, alpha, beta)


class TwoSided(Tally):
    """Two one-sided counts, each at half of α; CONFIRMED needs both."""

    def __post_init__(self):
        super().__post_init__()
        bounds = (self.kind.low, 1 - self.kind.high)
        self.sides = [Tally(AtLeast(p, p - self.kind.gap), self.alpha / 2, self.beta) for p in bounds]

    def press(self, configuration, cell=""):
        return False  # one failure is no news here

    def add(self, ok, *, pressed=None, **where):
        for side, one in zip(self.sides, (ok, not ok), strict=True):
            side.add(one)
        super().add(ok)

    @property
    def log_e_refute(self):
        return max(side.best_refute for side in self.sides) - math.log(2)

    @property
    def log_e_confirm(self):
        return min(side.log_e_confirm for side in self.sides)


@pytest.mark.parametrize(
    ("probability", "verdict"),
    [(0.5, Verdict.CONFIRMED), (0.1, Verdict.REFUTED), (0.9, Verdict.REFUTED), (1.0, Verdict.REFUTED)],
)
def test_a_kind_from_outside_decides(probability, verdict):
    (result,) = examine(NoSolver(), [bernoulli(probability, Between())], budget=SMALL)
    assert result.verdict is verdict
    assert isinstance(result.tally, TwoSided)
    assert (result.witness is None) is (verdict is Verdict.CONFIRMED or probability == 1.0)


@dataclass(frozen=True)
class Often:
    """The least a kind may be."""

    p0: float = 0.9
    p1: float = 0.5
    sentence: str = "often"


def test_the_least_a_kind_may_be_is_counted_as_at_least():
    (result,) = examine(NoSolver(), [bernoulli(0.95, Often())], budget=SMALL)
    assert result.verdict is Verdict.CONFIRMED
    (result,) = examine(NoSolver(), [bernoulli(0.95, Often(1.0, 0.9))], budget=SMALL)
    assert result.verdict is Verdict.REFUTED  # at p0 = 1 one counterexample is enough


@pytest.mark.parametrize("kind", [None, Often(0.5, 0.9), Often(sentence=None), Often(1.5), AtLeast])
def test_what_is_no_kind_is_refused(kind):
    with pytest.raises(
        InvalidInput, match=r"kind: x/y is decided by .*; a kind has a sentence and numbers 0 < p1 < p0"
    ):
        Claim(
            name="x/y", statement="", cite="", kind=kind, configurations=PRACTICAL.draw, check=lambda c: Outcome(True)
        )


# ------------------------------------------------------------------ answers
def test_answers_of_any_family_are_compared_bit_for_bit():
    answer = {"U": np.eye(2), "parts": [1, "a"], "mean": math.nan}
    assert largest_difference(answer, {**answer, "U": np.eye(2)}) == 0
    assert largest_difference(answer, {**answer, "U": np.eye(2) + 0.5}) == 0.5
    for other in ({**answer, "U": np.eye(3)}, {**answer, "parts": [1, "b"]}, {**answer, "mean": 1.0}, {}):
        assert largest_difference(answer, other) == math.inf
    assert largest_difference(0.0, -0.0) == 0.0  # a difference of 0, whatever the bits


def test_low_rank_sparse_is_what_is_meant_when_nothing_is_said():
    assert family_for(None, None).name == family_for(None, "amht-informal").name == LOW_RANK_SPARSE
    assert region_of(None, None) is PRACTICAL
    assert Always().p0 == 1
