"""``lrs sweep`` and ``lrs replay`` as a user sees them."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from lrs.cli import run
from phase_diagrams.sweeps import journal
from phase_diagrams.sweeps.engines.local import LocalEngine

SWEEP = [
    *("sweep", "--x", "m=10:40:6", "--y", "d=2:3", "--fixed", "k/d=1,r=0,t=1", "--replicates", "2", "--seed", "1"),
    *("--solver", "phase_diagrams.sweeps.synthetic:medium", "--jobs", "0"),
]


@pytest.fixture
def lrs(capsys):
    """Run the command; returns (exit code, stdout, stderr)."""

    def call(*arguments):
        code = run([str(a) for a in arguments])
        captured = capsys.readouterr()
        return code, captured.out, " ".join(captured.err.split())

    return call


@pytest.fixture
def folder(tmp_path, lrs):
    assert lrs(*SWEEP, "--out", tmp_path / "s")[0] == 0
    return tmp_path / "s"


def test_a_first_map(tmp_path, lrs):
    code, out, err = lrs(*SWEEP, "--out", tmp_path / "s")
    assert code == 0
    assert "lrs:" not in err  # progress apart
    assert "ran 24 trials" in out
    assert "d=3" in out
    assert "lrs plot" in out
    code, out, _ = lrs(*SWEEP, "--out", tmp_path / "s")
    assert "nothing left to run; 24 in" in out
    code, out, _ = lrs("sweep", "--out", tmp_path / "s", "--jobs", 0, "--json")  # the folder knows its own settings
    assert json.loads(out)["known"] == 24


def test_export_has_a_row_a_trial_and_the_same_seed_gives_the_same_rows(tmp_path, lrs, folder):
    assert lrs(*SWEEP, "--out", tmp_path / "again")[0] == 0
    tables = []
    for name in ("s", "again"):
        code, out, _ = lrs("sweep", "export", tmp_path / name, "-o", tmp_path / f"{name}.parquet", "--json")
        assert (code, json.loads(out)["rows"]) == (0, 24)
        tables.append(pd.read_parquet(tmp_path / f"{name}.parquet"))
    stable = [c for c in tables[0] if not c.startswith(("timing_", "host_"))]
    assert {"m", "d", "k", "r", "t", "solver", "replicate", "outcome", "theta_error", "iterations"} <= set(stable)
    assert tables[0][stable].equals(tables[1][stable])
    other = [*SWEEP]
    other[other.index("--seed") + 1] = "2"
    lrs(*other, "--out", tmp_path / "other")
    lrs("sweep", "export", tmp_path / "other", "-o", tmp_path / "o.parquet", "--stable")
    changed = pd.read_parquet(tmp_path / "o.parquet")
    assert list(changed) == stable
    assert not changed["theta_error"].equals(tables[0]["theta_error"])


def test_settings_from_a_file(tmp_path, lrs, folder):
    file = tmp_path / "sweep.toml"
    file.write_text(
        'x = "m=10:40:6"\ny = "d=2:3"\nfixed = "k/d=1,r=0,t=1"\nreplicates = 2\nseed = 1\n'
        'solvers = ["phase_diagrams.sweeps.synthetic:medium"]\n'
    )
    code, out, _ = lrs("sweep", "--spec", file, "--out", folder, "--jobs", 0)
    assert code == 0
    assert "nothing left to run" in out
    code, _, err = lrs("sweep", "--spec", file, "--seed", 2, "--out", folder)
    assert code == 2
    assert "seed: given both in" in err


def test_status(lrs, folder):
    shard = journal.shards(folder)[0]
    shard.write_bytes(shard.read_bytes()[:-3])
    code, out, err = lrs("sweep", "status", folder)
    assert code == 0
    assert "23 trials recorded, 1 to run" in out
    assert "1 torn line(s) dropped" in err
    assert "go on with: lrs sweep --out" in out
    document = json.loads(lrs("sweep", "status", folder, "--json")[1])
    assert (document["known"], document["remaining"], len(document["torn"])) == (23, 1, 1)


def test_merge(tmp_path, lrs, folder):
    for i in (1, 2):
        assert lrs(*SWEEP, "--out", tmp_path / f"p{i}", "--shard", f"{i}/2")[0] == 0
    code, out, _ = lrs("sweep", "merge", tmp_path / "p1", tmp_path / "p2", "--out", tmp_path / "all", "--json")
    assert (code, json.loads(out)["trials"]) == (0, 24)


def test_verify_and_replay(lrs, folder):
    code, out, _ = lrs("sweep", "reproduce", folder, "--sample", "50%", "--jobs", 0)
    assert code == 0
    assert "12 of 24 trials run again: 12 identical bit for bit" in out
    code, out, _ = lrs("replay", folder, "m=40,d=2", 1)
    assert code == 0
    assert "identical to the record, bit for bit" in out
    assert "lrs.InstanceSpec(t=1, m=40, d=2, r=0, k=2)" in out
    instance = {}
    exec("\n".join(out.splitlines()[-2:]), instance)  # the lines it prints draw the instance
    assert instance["instance"].problem.data.n == 40


def test_a_forged_record_is_found(lrs, folder):
    shard = journal.shards(folder)[0]
    forged = shard.read_text().replace('"not recovered"', '"recovered"')
    shard.write_text(forged)
    code, out, _ = lrs("sweep", "reproduce", folder, "--sample", "100%", "--jobs", 0, "--json")
    document = json.loads(out)
    assert code == 1
    assert document["different"] == len(document["witnesses"]) > 0
    code, out, _ = lrs("sweep", "reproduce", folder, "--sample", "24", "--jobs", 0)
    assert code == 1
    line = next(text for text in out.splitlines() if "lrs replay" in text)
    assert "was recovered, is not recovered" in line
    code, out, _ = lrs(*line.split("lrs ", 1)[1].split())
    assert code == 1
    assert "the record says recovered" in out


def test_dry_run(tmp_path, lrs):
    code, out, _ = lrs(*SWEEP, "--out", tmp_path / "s", "--dry-run")
    assert code == 0
    assert "12 cells, 0 impossible; uniform sampling; 24 trials" in out
    code, out, _ = lrs(*SWEEP, "--out", tmp_path / "s", "--dry-run", "--json", "--precision", 2)
    trials = json.loads(out)["trials"]
    assert 0 < trials["low"] <= trials["expected"] <= trials["high"]
    assert not (tmp_path / "s").exists()


def test_impossible_cells_are_drawn_and_not_crashed_on(tmp_path, lrs):
    arguments = ("--x", "m=0:2", "--y", "k=2,9", "--fixed", "d=4,r=1,t=3", "--solver", "iht", "--replicates", 1)
    code, out, _ = lrs("sweep", *arguments, "--jobs", 0, "--out", tmp_path / "s")
    assert code == 0
    assert "k=9  × × ×" in out
    assert "4 impossible" in " ".join(out.split())  # wherever the line is broken
    code, _, err = lrs("replay", tmp_path / "s", "m=1,k=9", 0)
    assert code == 2
    assert "k: 9 is outside 0 … d = 4" in err


def test_a_tolerance_below_the_noise_is_pointed_out(tmp_path, lrs):
    arguments = [a.replace("t=1", "t=1,noise=0.1") for a in SWEEP]
    assert "pass a --tolerance" in lrs(*arguments, "--out", tmp_path / "a")[2]
    assert not lrs(*arguments, "--tolerance", 0.3, "--out", tmp_path / "b")[2]


def test_interrupting_says_how_to_go_on(tmp_path, lrs, monkeypatch):
    def stop(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(LocalEngine, "events", stop)
    monkeypatch.setattr(LocalEngine, "start", lambda self, spec, calls: None)
    code, _, err = lrs(*SWEEP[:-2], "--out", tmp_path / "s")
    assert code == 130
    assert f"lrs sweep --out {tmp_path / 's'}, goes on from here" in err.replace("- ", "-")
    monkeypatch.undo()
    assert lrs("sweep", "--out", tmp_path / "s", "--jobs", 0)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([*SWEEP], "out: name the folder"),
        (["sweep", "--out", "x"], "axes: none given"),
        ([*SWEEP, "--axis", "m=1:3", "--out", "x"], "'m' is given twice"),
        ([*SWEEP, "--axis", "noize=1:3", "--out", "x"], "did you mean 'noise'"),
        ([*SWEEP, "--shard", "3/2", "--out", "x"], "shard: expected i/n"),
        ([*SWEEP, "--success", "best", "--out", "x"], "success: 'best'"),
        ([*SWEEP, "--out", "/proc/sweep"], "cannot be written"),
        (["sweep", "status", "absent"], "not a sweep"),
        (["sweep", "reproduce", "absent"], "not a sweep"),
        (["sweep", "export", "absent", "-o", "t.parquet"], "not a sweep"),
        (["replay", "absent", "0", "0"], "not a sweep"),
        (["sweep", "stat", "absent"], "No such command"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, monkeypatch, lrs, arguments, words):
    monkeypatch.chdir(tmp_path)
    code, out, err = lrs(*arguments)
    assert code == 2
    assert not out
    assert words in err
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["replay", "{}", "99", "0"], "cell: 99 is outside 0 … 11"),
        (["replay", "{}", "0", "5"], "replicate: 5 is outside 0 … 1"),
        (["replay", "{}", "0", "0", "--solver", "amht"], "'amht' is not in this sweep"),
        (["sweep", "reproduce", "{}", "--sample", "lots"], "sample: expected a percentage"),
        (["sweep", "export", "{}", "-o", "t.txt"], "should end in .parquet or .csv"),
        ([*SWEEP, "--tolerance", "1e-3", "--out", "{}"], "success tolerance: was 1e-06, now 0.001"),
    ],
)
def test_bad_questions_to_a_good_sweep(lrs, folder, arguments, words):
    code, _, err = lrs(*(a.replace("{}", str(folder)) for a in arguments))
    assert code == 2
    assert words in err


def test_selftest_reports_coverage(lrs, monkeypatch):
    from phase_diagrams.analysis import selftest

    monkeypatch.setattr(selftest, "DESIGNS", {"nested": selftest.DESIGNS["nested"]})
    monkeypatch.setattr(selftest, "SOLVERS", {"sharp": selftest.SOLVERS["sharp"]})
    code, out, _ = lrs("sweep", "selftest", "--lines", 5, "--json")
    (result,) = json.loads(out)["results"]
    assert (code, result["lines"]) == (0, 5)
    assert result["covered"] >= 4
    assert result["trials"] < 20 * 7
