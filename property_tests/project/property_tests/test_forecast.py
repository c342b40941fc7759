"""What a run says beforehand, and while it runs: its cost, every verdict as it falls; and evidence that is not paid for twice."""

import json
from types import SimpleNamespace

import pytest

from lrs import cli
from property_tests import verify
from property_tests.commands import verify as verbs
from property_tests.examine.claim import Always, AtLeast, Claim, Outcome, Verdict
from property_tests.examine.configuration import Everywhere
from property_tests.examine.engine import Budget, examine
from property_tests.examine.forecast import Forecast, forecast
from property_tests.examine.synthetic import NoSolver, configurations

TINY = Budget(name="tiny", explore=2, least=0, most=200, shrink=0, confirm=1)


def claim(name, **rest):
    values = {"statement": "Kept.", "cite": "[D]", "requires": (), "configurations": configurations, "kind": AtLeast()}
    return Claim(**{**values, "name": name, "check": lambda c: Outcome(True, 1.0), **rest})


def test_a_forecast_counts_what_would_be_tried():
    claims = [claim("a/one"), claim("a/two", kind=Always()), claim("a/three", traits=("noise",))]
    bench = NoSolver()
    bench.traits = type(bench.traits)(noise=False)
    rates = {"region": Everywhere(), "budget": TINY, "alpha": 1e-6, "beta": 1e-3, "seed": 0}
    found = forecast(bench, claims, **rates, nonce="ab" * 16)
    assert (found.claims, found.cells, found.slow) == (2, 2, 0)
    counted = sum(r.tally.trials for r in examine(bench, claims, **rates) if r.ran)
    assert 0.5 * found.trials <= counted <= 1.5 * found.trials
    assert f"2 claims, {found.trials:,} trials in 2 cells; about " in found.sentence(2)


def test_dry_run_runs_nothing(capsys, tmp_path):
    arguments = ["verify", "--family", "heavy_mean:FAMILY", "--solver", "heavy_mean:Trimmed", "--claims", "robust/near"]
    assert cli.run([*arguments, "--out", str(tmp_path / "r"), "--dry-run", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["solvers"]["heavy_mean:Trimmed"]["trials"] > 10
    assert not (tmp_path / "r").exists()


def test_every_verdict_is_said_as_it_falls():
    said, shown = [], []

    class Display:
        say = staticmethod(said.append)

        def __call__(self, *what):
            shown.append(what)

    tally = SimpleNamespace(cells={"": 0}, trials=8, successes=7, verdict_of=lambda cell: Verdict.INCONCLUSIVE)
    result = SimpleNamespace(ran=True, verdict=Verdict.REFUTED, claim=SimpleNamespace(name="a/b"), tally=tally)
    look = verbs._looked_at(Display(), "s: checking")
    for results in ([], [result], [result]):
        look(
            SimpleNamespace(solver="s", claim="c/d", phase="decide", results=results, position=1, total=3, tally=tally)
        )
    assert said == ["s: checking", "REFUTED      a/b (8 trials)"]
    assert shown[-1] == ("c/d: 7 of 8 trials kept", 1, 3)


def test_write_goes_on_with_a_run_that_was_paid_for(monkeypatch, capsys, tmp_path):
    folder = tmp_path / "paid"
    assert cli.run(["write", "amht", "--out", str(tmp_path / "o"), "--ledger", str(folder)]) == 2
    assert "holds no evidence" in capsys.readouterr().err
    folder.mkdir()
    (folder / "ledger.jsonl").write_text("")
    asked = {}

    def check(solver, **options):
        asked.update(options)
        raise KeyboardInterrupt

    monkeypatch.setattr(verify, "check_solver", check)
    assert cli.run(["write", "amht", "--out", str(tmp_path / "o"), "--ledger", str(folder)]) == 130
    assert asked["ledger"] == folder / "ledger.jsonl"


@pytest.mark.parametrize("seconds", [3.0, 4000.0])
def test_a_forecast_is_a_sentence(seconds):
    text = Forecast(42, 57, 6299, 0, seconds).sentence(2)
    assert text.startswith("42 claims, 6,299 trials in 57 cells; about ")
    assert ("min" in text) == (seconds > 100)
