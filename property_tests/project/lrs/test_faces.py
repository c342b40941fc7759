"""What a notebook and a prompt show of a result: a short repr, and a small table that cannot be broken by what it holds."""

import pytest
from matplotlib.figure import Figure

from lrs import InstanceSpec, cli, generate, solve
from lrs.core.face import face
from phase_diagrams.analysis.table import load
from property_tests.examine.claim import AtLeast, Claim, Outcome
from property_tests.examine.configuration import Everywhere
from property_tests.examine.engine import Budget, examine
from property_tests.examine.synthetic import NoSolver, configurations
from property_tests.verify import Report
from theory.language.measured import Measured
from theory.theorems import load_theorem

CELLS = ("--x", "m=6,12", "--fixed", "d=8,r=1,k=1,t=12", "--replicates", "2", "--jobs", "0")


def report():
    kept = Claim(
        name="a/kept", statement="Kept.", cite="[D]", kind=AtLeast(), requires=(), configurations=configurations,
        check=lambda c: Outcome(True, 1.0),
    )  # fmt: skip
    budget = Budget(name="tiny", explore=0, least=0, most=40, shrink=0, confirm=1)
    results = tuple(examine(NoSolver(), [kept], region=Everywhere(), budget=budget))
    return Report("<mine>", results, budget, 1e-6, 1e-3, 0, None, "everywhere", 1, 1.0)


@pytest.fixture(scope="module")
def things(tmp_path_factory):
    problem = generate(InstanceSpec(t=12, m=10, d=8, r=1, k=1), 0).problem
    folder = tmp_path_factory.mktemp("sweep") / "s"
    assert cli.run(["sweep", *CELLS, "--out", str(folder)]) == 0
    theorem = load_theorem("amht-informal")
    return {
        "problem": (problem, "Problem(", "sparsity"),
        "solution": (solve(problem), "Solution(", "residual"),
        "trials": (load(folder), "Trials(4 of amht over m (2))", "recovered"),
        "report": (report(), "Report(<mine>: ", "a/kept"),
        "theorem": (theorem, "Theorem('amht-informal', ", "≥"),
        "check": (theorem.report(Measured({}, {})), "Report('amht-informal': ", "open"),
    }


@pytest.mark.parametrize("name", ["problem", "solution", "trials", "report", "theorem", "check"])
def test_a_result_has_a_face(things, name):
    value, start, inside = things[name]
    assert repr(value).startswith(start)
    assert len(repr(value)) < 250
    html = value._repr_html_()
    assert inside in html
    assert html.count("<td") >= 2
    assert "<mine>" not in html


def test_results_have_pictures(things):
    assert isinstance(things["trials"][0].plot(), Figure)
    figure = things["report"][0].plot()
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["a/kept"]


def test_what_a_result_holds_cannot_break_its_face():
    assert "<script>" not in face("<script>", [("<script>",)], ("<script>",), "<script>")
