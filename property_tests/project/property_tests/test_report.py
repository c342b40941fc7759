"""The page says what was found, escapes what a solver says, and stands alone."""

import re
from html.parser import HTMLParser

import pytest

from lrs import InstanceSpec
from property_tests.examine.claim import Always, AtLeast, Claim, Outcome, Rate, Verdict
from property_tests.examine.configuration import Configuration, Depth
from property_tests.examine.engine import Budget, examine
from property_tests.examine.synthetic import NoSolver, configurations
from property_tests.show import report as pages
from property_tests.verify import Expected, Report

FAST = Budget(name="fast", explore=2, least=0, most=96, shrink=6, confirm=3)


class Deep:
    name = "everywhere, with margins"

    def depth(self, configuration):
        return Depth(0.25, {"incoherence": 0.25, "rows": 1.5})


def claim(name, check, kind=None, **rest):
    values = {"statement": f"Statement of {name}.", "cite": "[D]", "requires": (), "configurations": configurations}
    return Claim(name=name, kind=kind or AtLeast(), check=check, **{**values, **rest})


CURVE = tuple(0.5**i for i in range(40))

CLAIMS = [
    claim("good/rate", lambda c: Outcome(True, 1.0, curve=CURVE), Rate(rho=0.6, C=2.0)),
    claim(
        "bad/floor",
        lambda c: Outcome(False, -1.0, 'stands at <1e-2> & "more"', {"floor": 0.01}, tuple([0.01] * 12)),
        requires=("good/rate",),
    ),
    claim("odd/half", lambda c: Outcome(bool(c.rng.random() < 0.9), 0.1), AtLeast(0.95, 0.8)),
    claim("above/blocked", lambda c: Outcome(True), requires=("bad/floor",)),
    claim("noisy/none", lambda c: Outcome(True), traits=("noise",)),
    claim("small/never", lambda c: Outcome(True), Always()),
]


@pytest.fixture(scope="module")
def made():
    bench = NoSolver()
    bench.traits = type(bench.traits)(noise=False)
    results = examine(bench, CLAIMS, region=Deep(), budget=FAST)
    return Report(
        solver="mod:<solver>",
        results=tuple(results),
        budget=FAST,
        alpha=1e-6,
        beta=1e-3,
        seed=0,
        theorem=None,
        region="everywhere, with margins",
        jobs=1,
        seconds=1.0,
    )


class Balanced(HTMLParser):
    """Fails on tags that close what is not open (void and implied ones aside)."""

    IMPLIED = frozenset({"th", "td", "tr", "meta", "br", "path", "use", "rect"})

    def __init__(self):
        super().__init__()
        self.open, self.text = [], []

    def handle_starttag(self, tag, attributes):
        if tag not in self.IMPLIED:
            self.open.append(tag)
        for name, value in attributes:
            assert not (name in ("src", "href") and value.startswith("http")), value

    def handle_endtag(self, tag):
        if tag not in self.IMPLIED:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def page_text(html):
    parser = Balanced()
    parser.feed(html)
    assert parser.open == []
    return " ".join(" ".join(parser.text).split())


def test_the_counts_add_up(made):
    n = made.counts
    assert sum(n.values()) == len(CLAIMS)
    assert (n[Verdict.CONFIRMED], n[Verdict.REFUTED], n[Verdict.BLOCKED], n[Verdict.NOT_APPLICABLE]) == (2, 1, 1, 1)
    assert made.sentence == (
        "mod:<solver>: 2 of 5 claims confirmed; 1 refuted; 1 inconclusive; 1 blocked; 1 more not applicable."
    )
    assert made.exit_code == 1


def test_exit_code_3_when_only_open_claims_remain(made):
    from dataclasses import replace

    accepted = replace(made, expected=(Expected("bad/*", "known"),))
    assert accepted.exit_code == 3
    assert replace(accepted, results=made.results[:2]).exit_code == 0


def test_the_page_stands_alone_and_says_the_sentence_first(made):
    html = pages.html([made])
    assert not re.search(r"https?://(?!www\.w3\.org|creativecommons\.org|purl\.org)", html)
    assert html.count("<script") == 2  # what its cells say, and a few lines that sort and filter
    text = page_text(html)
    assert text.index(made.sentence) < text.index("good/rate")
    for needed in (
        'stands at <1e-2> & "more"',
        "binding: incoherence",
        "floor 0.01",
        "fails in 3 of 3 trials",
        "--trial",
        "rests on bad/floor",
        "the solver declares: no noise",
        "The error stands still",
        "Geometric",
        "claimed: error ≤ 2·0.6^t",
    ):
        assert needed in text, needed
    assert "mod:<solver>" not in html


def test_a_trace_that_does_not_fall_gets_no_certificate(made):
    """A diverging solver must not cost the report of a run that took minutes."""
    from dataclasses import replace

    witness = made["bad/floor"].witness
    outcome = replace(witness.trial.outcome, curve=(0.0, 3.0, 40.0, 684.0))
    worse = replace(witness, trial=replace(witness.trial, outcome=outcome))
    results = tuple(replace(r, witness=worse) if r.claim.name == "bad/floor" else r for r in made.results)
    assert "Counterexamples" in page_text(pages.html([replace(made, results=results)]))


def test_several_solvers_get_a_matrix(made):
    from dataclasses import replace

    other = replace(made, solver="other", results=made.results[:2])
    names, rows = pages.matrix([made, other])
    assert len(names) == len(CLAIMS)
    assert [v is None for v in rows[1][1]] == [False, False, True, True, True, True]
    assert "2 solvers checked" in page_text(pages.html([made, other]))


def test_a_witness_is_small_and_its_line_parses(made):
    result = made["bad/floor"]
    line = made.replay_command(result.witness.trial)
    assert line.startswith("lrs verify --solver 'mod:<solver>' --claims bad/floor --trial '{")
    text = line.split("--trial '")[1].rstrip("'")
    import json

    assert Configuration.from_dict(json.loads(text)["configuration"]) == result.witness.trial.configuration
    assert result.witness.trial.configuration.spec == InstanceSpec(t=2, m=10, d=4, r=1, k=1)


def test_a_report_of_a_folder_that_cannot_be_made_is_bad_input(made, tmp_path):
    from lrs.core.errors import InvalidInput

    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match=r"out: .* cannot be made"):
        pages.write([made], tmp_path / "file" / "out")
