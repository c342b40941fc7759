"""`lrs verify`, `lrs claims` and `check_solver`: exit codes, streams, files, expected failures, resuming."""

import json
import shlex
from dataclasses import replace
from importlib.resources import files

import bad_solvers
import jsonschema
import pytest

from lrs.cli import run
from lrs.core.errors import InvalidInput
from property_tests import verify
from property_tests.examine import engine
from property_tests.examine.claim import Verdict
from property_tests.examine.configuration import Everywhere
from property_tests.examine.engine import Budget
from property_tests.examine.synthetic import bernoulli
from property_tests.families.low_rank_sparse.strategies import PRACTICAL
from property_tests.verify import check_solver, exit_code, parametrize_with_claims, read_expected

FAST = Budget(name="fast", explore=2, least=0, most=160, shrink=4, confirm=2)
LOOSE = 0.1  # 22 trials confirm an Always claim instead of 66
SCHEMA = json.loads(files("property_tests").joinpath("verdicts.schema.json").read_text())


class Anywhere(Everywhere):
    """No boundary, and the problems of the practical region."""

    def draw(self, **options):
        return PRACTICAL.draw(**options)


@pytest.fixture(autouse=True)
def everywhere(monkeypatch):
    """These tests are about the doors, not about where a theorem holds."""
    monkeypatch.setattr(verify, "region_of", lambda solver, theorem: Anywhere())
    monkeypatch.setitem(engine.BUDGETS, "quick", FAST)


def check(solver, claim, **options):
    return check_solver(solver, claims=claim, budget=FAST, jobs=1, beta=LOOSE, **options)


# ------------------------------------------------------------------ exit codes and streams
def test_a_solver_that_keeps_its_claims_exits_with_0(capsys):
    assert run(["verify", "--solver", "bad_solvers:honest", "--claims", "conduct/*", "--jobs", "1"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("bad_solvers:honest: 7 of 7 claims confirmed.")
    assert all(line.startswith("claims: ") for line in err.splitlines())  # progress
    assert "CONFIRMED    conduct/answers" in err


def test_a_refuted_claim_exits_with_1_and_prints_a_line_that_reproduces_it(capsys):
    assert run(["verify", "--solver", "bad_solvers:prints", "--claims", "conduct/prints-nothing", "--beta", "0.1"]) == 1
    out = capsys.readouterr().out
    assert "REFUTED" in out
    (line,) = [line for line in out.splitlines() if line.strip().startswith("lrs verify")]
    assert run(shlex.split(line)[1:]) == 1
    assert "is broken on t=2" in capsys.readouterr().out


def test_an_open_claim_exits_with_3(monkeypatch):
    short = Budget(name="short", explore=1, least=0, most=8, shrink=1, confirm=1)
    monkeypatch.setitem(engine.BUDGETS, "quick", short)
    assert run(["verify", "--solver", "bad_solvers:honest", "--claims", "conduct/answers", "--jobs", "1"]) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--solver", "bad_solvers:honets"], "has no attribute 'honets'"),
        (["--solver", "amth"], "did you mean 'amht'?"),
        (["--claims", "nothing/*"], "no claim matches 'nothing/*'"),
        (["--theorem", "fermat"], "no claim names 'fermat'"),
        (["--budget", "fast"], "known are quick, standard, exhaustive"),
        (["--alpha", "2"], "alpha: expected an error rate"),
        (["--expected", "missing.toml"], "missing.toml: no such file"),
        (["--mutants", "--solver", "amht"], "leave --solver out"),
        (["--every-claim"], "every-claim: only with --mutants"),
        (["--trial", "{}", "--claims", "conduct/answers"], "trial: not the text of a trial"),
    ],
)
def test_bad_input_exits_with_2_and_one_line(arguments, message, capsys):
    if "--claims" not in arguments:
        arguments = [*arguments, "--claims", "conduct/answers"]
    assert run(["verify", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("lrs: error: ")
    assert err.count("\n") == 1
    assert message in err


def test_json_is_one_document_that_keeps_its_schema(capsys):
    arguments = [
        "verify",
        "--solver",
        "bad_solvers:prints",
        "--solver",
        "bad_solvers:raises",
        "--json",
        "--beta",
        "0.1",
    ]
    assert run([*arguments, "--claims", "conduct/prints-nothing,conduct/own-randomness"]) == 1
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, SCHEMA)
    verdicts = [{c["claim"]: c["verdict"] for c in s["claims"]} for s in document["solvers"]]
    assert verdicts[0]["conduct/prints-nothing"] == "REFUTED"
    assert verdicts[0]["conduct/own-randomness"] == "CONFIRMED"
    assert verdicts[1] == {
        "conduct/answers": "REFUTED",
        "conduct/own-randomness": "BLOCKED",
        "conduct/prints-nothing": "BLOCKED",
    }


# ------------------------------------------------------------------ files
def test_out_holds_the_page_the_verdicts_and_every_trial_and_resumes(tmp_path, capsys):
    out = tmp_path / "deep" / "out"
    arguments = [
        "verify",
        "--solver",
        "bad_solvers:honest",
        "--claims",
        "conduct/answers",
        "--jobs",
        "1",
        "--out",
        str(out),
    ]
    assert run(arguments) == 0
    assert {p.name for p in out.iterdir()} == {"report.html", "verdicts.json", "trials.jsonl", "ledger.jsonl"}
    trials = [json.loads(line) for line in (out / "trials.jsonl").read_text().splitlines()]
    for t in trials:
        jsonschema.validate(t, {**SCHEMA["$defs"]["trial"], "$defs": SCHEMA["$defs"]})
    counted = [t for t in trials if t["counted"]]
    document = json.loads((out / "verdicts.json").read_text())
    assert len(counted) == document["solvers"][0]["claims"][0]["evidence"]["trials"] == 72
    capsys.readouterr()
    assert run(arguments) == 0
    assert "72 trials from the ledger" in capsys.readouterr().out
    assert len((out / "trials.jsonl").read_text().splitlines()) == len(trials)


def test_a_corrupted_ledger_is_refused_before_anything_runs(tmp_path, capsys):
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_text("not a ledger\n")
    assert run(["verify", "--claims", "conduct/answers", "--ledger", str(ledger)]) == 2
    assert "is corrupted" in capsys.readouterr().err
    assert ledger.read_text() == "not a ledger\n"


# ------------------------------------------------------------------ expected failures
def expectations(tmp_path, text):
    path = tmp_path / "expected.toml"
    path.write_text(text)
    return path


def test_an_expected_failure_with_a_reason_is_accepted(tmp_path):
    path = expectations(tmp_path, '[[expected]]\nclaim = "conduct/prints*"\nreason = "a progress bar"\n')
    report = check(bad_solvers.prints, "conduct/prints-nothing", expected=read_expected(path))
    assert report["conduct/prints-nothing"].verdict is Verdict.REFUTED
    assert report.exit_code == 0
    assert "1 refuted (1 expected)" in report.sentence


def test_a_confirmed_expected_failure_is_an_error(tmp_path):
    path = expectations(tmp_path, '[[expected]]\nclaim = "conduct/prints-nothing"\nreason = "a progress bar"\n')
    report = check(bad_solvers.honest, "conduct/prints-nothing", expected=read_expected(path))
    assert report.exit_code == 1
    assert [r.claim.name for r in report.wrongly_expected] == ["conduct/prints-nothing"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[expected]]\nclaim = "conduct/answers"\n', "has no reason"),
        ('[[expected]]\nclaim = "conduct/answers"\nreason = " "\n', "has no reason"),
        ('[[expected]]\nreason = "x"\n', "no claim"),
        ('[[expected]]\nclaim = "a/b"\nraeson = "x"\n', "did you mean 'reason'"),
        ('[expcted]\nclaim = "a/b"\n', "tables only, found expcted"),
        ("claim", "is not TOML"),
        ("[[expected]]\nclaim = 3\n", "are texts"),
    ],
)
def test_a_list_of_expected_failures_is_read_strictly(tmp_path, text, message):
    with pytest.raises(InvalidInput, match=message):
        read_expected(expectations(tmp_path, text))


def test_an_unmatched_expected_failure_is_an_error(tmp_path, capsys):
    path = expectations(tmp_path, '[[expected]]\nclaim = "no/such"\nreason = "x"\n')
    with pytest.raises(InvalidInput, match="no claim of this run matches 'no/such'"):
        check(bad_solvers.honest, "conduct/answers", expected=read_expected(path))
    other = expectations(tmp_path, '[[expected]]\nclaim = "conduct/*"\nreason = "x"\nsolver = "elsewhere"\n')
    assert run(["verify", "--claims", "conduct/answers", "--expected", str(other)]) == 2
    assert "not checked in this run" in capsys.readouterr().err


# ------------------------------------------------------------------ every misconduct has its verdict
@pytest.mark.parametrize(
    ("solver", "claim", "why"),
    [
        ("raises", "conduct/answers", "raises an exception: RuntimeError: no idea"),
        ("aborts", "conduct/answers", "kills its process: signal SIGABRT"),
        ("too_dense", "conduct/sparse-enough", "more than k non-zeros"),
        ("unlocks_and_writes", "conduct/input-unmodified", "modifies its input: y"),
    ],
)
def test_misconduct_is_refuted_by_the_claim_about_it(solver, claim, why):
    tiny = Budget(name="tiny", explore=1, least=0, most=80, shrink=1, confirm=1)
    report = check_solver(f"bad_solvers:{solver}", claims=claim, budget=tiny, jobs=1, beta=LOOSE)
    assert report[claim].verdict is Verdict.REFUTED
    assert why in report[claim].why
    assert report.faults


def test_a_solver_that_cannot_be_loaded_is_refuted_and_the_rest_blocked(tmp_path, monkeypatch):
    (tmp_path / "needs_more.py").write_text(
        "import a_package_nobody_has\ndef solve(problem, *, rng, callback=None): ...\n"
    )
    monkeypatch.chdir(tmp_path)
    report = check("needs_more:solve", "conduct/prints-nothing")
    assert [(r.claim.name, r.verdict.name) for r in report.results] == [
        ("conduct/answers", "REFUTED"),
        ("conduct/prints-nothing", "BLOCKED"),
    ]
    assert "needs a package that is not installed: 'a_package_nobody_has'" in report["conduct/answers"].why


# ------------------------------------------------------------------ Python
def test_check_solver_takes_objects_and_claims_of_ones_own():
    claim = bernoulli(1.0, name="mine/always")
    report = check(bad_solvers.honest, [claim])
    assert report["mine/always"].verdict is Verdict.CONFIRMED
    assert report.ok
    assert str(report).startswith("honest: 1 of 1 claims confirmed")
    assert exit_code([report]) == 0


@parametrize_with_claims("conduct/answers,conduct/prints-nothing")
def test_claims_become_tests(claim):
    assert claim.name.startswith("conduct/")


def test_the_list_of_claims_is_complete(capsys):
    assert run(["claims", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["claims"]
    names = {c["claim"] for c in listed}
    assert {"conduct/answers", "conduct/one-process"} <= names
    assert all(c["statement"] and c["cite"] for c in listed)
    assert run(["claims", "conduct/*"]) == 0
    assert "7 claims" in capsys.readouterr().out


# ------------------------------------------------------------------ mutants
@pytest.mark.slow
def test_the_kill_matrix_says_who_survived(capsys, monkeypatch, tmp_path):
    from property_tests.families.low_rank_sparse import mutants

    some = {name: mutants.MUTANTS[name] for name in ("input_modified", "seed_ignored")}
    monkeypatch.setattr(mutants, "MUTANTS", some)
    arguments = ["verify", "--mutants", "--claims", "conduct/input-unmodified", "--beta", "0.1", "--jobs", "1"]
    assert run([*arguments, "--json", "--out", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    document = json.loads(out)
    jsonschema.validate(document, SCHEMA)
    assert document["mutants"]["killed"] == {"input_modified": ["conduct/input-unmodified"]}
    assert document["mutants"]["survived"] == ["seed_ignored"]
    assert document["mutants"]["named"] == 1
    tried = {s["solver"].partition(":")[2]: [c["claim"] for c in s["claims"]] for s in document["solvers"]}
    both = ["conduct/answers", "conduct/input-unmodified"]
    # The claim that is meant to refute comes first and ends the hunt, before the one it rests on.
    assert tried == {"input_modified": both[1:], "seed_ignored": both}
    assert json.loads((tmp_path / "verdicts.json").read_text()) == document
    assert "report: " in err
    assert run([*arguments, "--every-claim", "--json"]) == 1
    first = json.loads(capsys.readouterr().out)["solvers"][0]
    assert [c["claim"] for c in first["claims"]] == both
    assert run([*arguments, "--ledger", str(tmp_path / "ledger.jsonl")]) == 1
    out = capsys.readouterr().out
    assert out.startswith("1 of 2 mutants refuted, 1 of them by the claim that is meant to.")
    assert "SURVIVED" in out


# ------------------------------------------------------------------ the secret of a run
def test_the_nonce_is_published_everywhere_and_repeats_the_run(tmp_path, capsys):
    command = ["verify", "--solver", "bad_solvers:raises", "--claims", "conduct/answers", "--jobs", "1"]

    def published(*options):
        out = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
        assert run([*command, *options, "--out", str(out)]) == 1
        text = capsys.readouterr().out
        verdicts = json.loads((out / "verdicts.json").read_text())
        jsonschema.validate(verdicts, SCHEMA)
        trials = [json.loads(line) for line in (out / "trials.jsonl").read_text().splitlines()]
        (nonce,) = {t["nonce"] for t in trials}
        assert verdicts["solvers"][0]["nonce"] == nonce
        assert f"--nonce {nonce} draws the same data" in text
        assert f'"nonce":"{nonce}"' in text  # the witness line
        assert nonce in (out / "report.html").read_text()
        assert f'"nonce":"{nonce}"' in (out / "ledger.jsonl").read_text()
        return nonce

    first, second = published(), published()
    assert first != second
    assert published("--nonce", first) == first


@pytest.mark.parametrize("options", [["--nonce", "12"], ["--nonce", "secret"]])
def test_a_bad_nonce_exits_with_2(options, capsys):
    assert run(["verify", "--claims", "conduct/answers", *options]) == 2
    assert "nonce: expected 32 hexadecimal digits" in " ".join(capsys.readouterr().err.split())


def test_a_replay_takes_no_second_nonce(capsys):
    assert run(["verify", "--claims", "conduct/answers", "--trial", "{}", "--nonce", "ab" * 16]) == 2
    assert "leave --nonce out beside --trial" in " ".join(capsys.readouterr().err.split())


def test_the_solvers_of_one_run_and_the_mutants_share_one_nonce(capsys, monkeypatch):
    seen = []
    report = check("bad_solvers:honest", "conduct/prints-nothing")
    monkeypatch.setattr(
        verify, "check_solver", lambda name, *, nonce, **rest: seen.append(nonce) or replace(report, solver=name)
    )
    assert run(["verify", "--solver", "bad_solvers:honest", "--solver", "bad_solvers:prints"]) == 0
    run(["verify", "--mutants"])
    assert len(set(seen[:2])) == 1
    assert len(set(seen[2:])) == 1
    assert len(set(seen)) == 2
