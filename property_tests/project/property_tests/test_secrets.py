"""A solver cannot draw the data it is judged on: not from its generator, and, with a nonce, not from the public code."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import peeking_solvers
import pytest
from hypothesis import strategies as st

from lrs import InstanceSpec, InvalidInput
from lrs.cli import run as cli
from lrs.core import streams
from lrs.core.run import Limits, Subject
from lrs.families.low_rank_sparse.metrics import theta_error
from phase_diagrams.analysis.table import load
from phase_diagrams.sweeps.grid import Axis, SweepSpec
from phase_diagrams.sweeps.journal import read_spec
from phase_diagrams.sweeps.trial import Runner, Trial
from property_tests.examine.bench import Bench
from property_tests.examine.claim import AtLeast, Claim, Outcome, Verdict
from property_tests.examine.configuration import Configuration
from property_tests.examine.engine import Budget, examine
from property_tests.examine.ledger import Ledger
from property_tests.verify import check_solver
from property_tests.verify import replay as run_again
from theory.statistics import calibration

NONCE = "5f" * 16
SMALL = Budget(name="small", explore=2, least=0, most=64, shrink=0, confirm=1)


def exact(context):
    run = context.run()
    return Outcome.below("theta_error", theta_error(run.model, context.instance.truth), 1e-6)


#: Nobody recovers from m = r + k rows: who does has seen the truth.
IMPOSSIBLE = Claim(
    name="secrets/exact",
    statement="",
    cite="",
    kind=AtLeast(0.95, 0.5),
    configurations=lambda region: st.builds(
        lambda t, d: Configuration(spec=InstanceSpec(t=t, m=2, d=d, r=1, k=1)), st.integers(2, 9), st.integers(4, 9)
    ),
    check=exact,
    requires=(),
    inside=False,
)


def verified(name, **options):
    report = check_solver(f"peeking_solvers:{name}", claims=[IMPOSSIBLE], budget=SMALL, jobs=1, **options)
    assert not report.faults
    return report[IMPOSSIBLE.name]


@pytest.mark.parametrize("name", ["reads_its_generator", "knows_the_suite", "reads_everything"])
def test_verify_tells_a_solver_nothing_about_its_data(name):
    result = verified(name)
    assert result.verdict is Verdict.REFUTED
    assert result.tally.successes == 0


def test_without_a_nonce_the_public_code_draws_the_same_data():
    # The attack of `knows_the_suite` is a real one: it is the nonce that stops it.
    with Bench(Subject.of("peeking_solvers:knows_the_suite"), Limits()) as bench:
        (result,) = examine(bench, [IMPOSSIBLE], budget=SMALL)
    assert result.verdict is Verdict.CONFIRMED


def recovered(solver, **options):
    spec = SweepSpec(
        (Axis("m", (2,)),), {"t": 4, "d": 6, "r": 1, "k": 1}, (f"peeking_solvers:{solver}",), replicates=3, **options
    )
    return [Runner(spec, "here").run(Trial(0, i, 0)).outcome == "recovered" for i in range(3)]


def test_sweep_tells_a_solver_nothing_about_its_data():
    assert not any(recovered("reads_its_generator"))
    assert all(recovered("knows_the_sweep", seed=2))  # by seed alone a sweep is public, as its page says
    assert not any(recovered("knows_the_sweep", seed=2, nonce=NONCE))


SWEEP = ["sweep", "--x", "m=2", "--fixed", "t=4,d=6,r=1,k=1", "--replicates", "2", "--jobs", "0"]
PEEKING = ["--solver", "peeking_solvers:knows_the_sweep", "--solver", "peeking_solvers:reads_everything"]


def test_an_isolated_sweep_has_a_secret_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("LRS_PEEK", str(tmp_path))
    command = [*SWEEP, *PEEKING, "--out", str(tmp_path / "s")]
    assert cli(command) == 0
    nonce = read_spec(tmp_path / "s").nonce
    assert streams.check_nonce(nonce)
    assert not load(tmp_path / "s").frame["success"].any()
    assert cli(command) == 0  # the same command goes on with it
    assert read_spec(tmp_path / "s").nonce == nonce
    assert cli([*SWEEP, *PEEKING, "--nonce", "public", "--no-isolate", "--out", str(tmp_path / "p")]) == 0
    assert load(tmp_path / "p").frame["success"].all()
    assert read_spec(tmp_path / "p").nonce is None


def test_shards_in_folders_of_their_own_have_no_secret_unless_told(tmp_path):
    for folder, options, secret in (("a", ["--shard", "1/2"], False), ("b", [], True), ("b", ["--shard", "2/2"], True)):
        assert cli([*SWEEP, "--isolate", *options, "--out", str(tmp_path / folder)]) == 0
        assert (read_spec(tmp_path / folder).nonce is not None) is secret


#: A judging process that holds a nonce in its memory, in a file it has open and in one that is concealed; then the same
#: without the wall on either side.
_JUDGE = """
import json, os, sys, tempfile
sys.path[:0] = json.loads(sys.argv[1])
from lrs import InstanceSpec, generate
from lrs.core import run, streams
from lrs.isolation import sandbox, wall
from phase_diagrams.sweeps import identity
spec = InstanceSpec(t=4, m=2, d=6, r=1, k=1)
found = []
for guarded in (True, False):
    if not guarded:
        wall._LIBC.prctl(wall._SET_DUMPABLE, 1, 0, 0, 0)
        sandbox._BOOT = sandbox._BOOT.replace("from", "import lrs.isolation.wall as w; w._LIBC = None; from", 1)
        wall._LIBC = None
    nonce = streams.new_nonce()
    instance = generate(spec, identity.instance_key(0, spec.to_dict(), 0, nonce))
    path = os.path.join(os.environ["LRS_PEEK"], "nonce")
    open(path, "w").write(nonce)
    opened = tempfile.TemporaryFile()
    opened.write(nonce.encode()), opened.flush()
    wall.conceal(path)
    with sandbox.Sandbox(run.Subject.of("peeking_solvers:reads_everything")) as box:
        found.append(dict(box(instance.problem, (1,)).solution.info))
print(json.dumps(found))
"""


def python(script, *arguments, **environment):
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **environment}).stdout


@pytest.mark.skipif(sys.platform != "linux", reason="the wall is made of Linux")
def test_what_the_judging_process_knows_is_behind_a_wall(tmp_path):
    paths = json.dumps([str(Path(__file__).parent), *sys.path])
    guarded, bare = json.loads(python(_JUDGE, paths, LRS_PEEK=str(tmp_path)))
    inside = {"arguments": False, "own memory": False}
    assert bare == {"memory": True, "descriptors": True, "files": True, **inside}  # each attack is one
    # Files need namespaces, which a system may forbid; the memory is closed on any Linux.
    namespaces = "True" in python("from lrs.isolation.wall import _own_mounts; print(_own_mounts())")
    assert guarded == {"memory": False, "descriptors": False, "files": not namespaces, **inside}


def test_calibration_tells_a_solver_nothing_about_its_data():
    shells = calibration.Shells(
        "C", "m >= C", lambda rng, scale: {"d": int(rng.integers(4, 9))},
        lambda c, sizes: InstanceSpec(t=3, m=2, r=1, k=1, **sizes),
    )  # fmt: skip
    found = calibration.calibrate(shells, peeking_solvers.reads_its_generator, grid=(1.0,), budget=8)
    assert [s.successes for s in found.shells] == [0]


# ------------------------------------------------------------------------------------------------ the nonce of a run
def test_the_sandbox_is_sent_neither_the_nonce_nor_the_key_of_the_data(monkeypatch):
    sent, trials = [], []
    send = Connection.send_bytes

    def spy(self, message):
        sent.append(bytes(message))
        send(self, message)

    monkeypatch.setattr(Connection, "send_bytes", spy)
    verified("reads_its_generator", nonce=NONCE, record=trials.append)
    everything = b"".join(sent)
    keys = {t.configuration.seed(t.phase, t.replicate, NONCE)[0] for t in trials}
    assert keys
    for key in keys:
        for form in (str(key).encode(), key.to_bytes(16, "little"), key.to_bytes(16, "big")):
            assert form not in everything
        # The net is fine enough: what is sent, the solver's own key, is found.
        assert str(streams.key("trial/solver", key, 0)).encode() in everything
    for form in (NONCE.encode(), bytes.fromhex(NONCE), str(int(NONCE, 16)).encode()):
        assert form not in everything


def test_a_nonce_repeats_a_run_and_every_run_has_its_own():
    def margins(**options):
        seen = []
        verified("knows_the_suite", record=lambda t: seen.append((t.nonce, t.outcome.values["theta_error"])), **options)
        return seen

    once = margins(nonce=NONCE)
    assert once == margins(nonce=NONCE.upper())
    assert {nonce for nonce, _ in once} == {NONCE}
    fresh = [margins() for _ in range(2)]
    assert len({nonce for run in fresh for nonce, _ in run}) == 2


def test_a_witness_line_carries_the_nonce(monkeypatch):
    report = check_solver("peeking_solvers:knows_the_suite", claims=[IMPOSSIBLE], budget=SMALL, jobs=1)
    assert streams.check_nonce(report.nonce) == report.to_dict()["nonce"]
    assert report.to_dict()["claims"][0]["witness"]["nonce"] == report.nonce
    command = report.replay_command(report[IMPOSSIBLE.name].witness.trial)
    assert f'"nonce":"{report.nonce}"' in command
    text = re.search(r"--trial '(.*)'", command)[1]
    monkeypatch.setattr("property_tests.verify.available_claims", lambda pattern, **options: (IMPOSSIBLE,))
    again = run_again("peeking_solvers:knows_the_suite", IMPOSSIBLE.name, text)
    assert again.outcome.values == report[IMPOSSIBLE.name].witness.trial.outcome.values
    assert again.nonce == report.nonce


@pytest.mark.parametrize("nonce", ["secret", "12", "x" * 32])
def test_a_bad_nonce_is_refused_before_anything_is_run(nonce):
    with pytest.raises(InvalidInput, match=r"^nonce: expected 32 hexadecimal digits"):
        check_solver("amht", nonce=nonce)
    with pytest.raises(InvalidInput, match=r"^nonce: expected 32 hexadecimal digits"):
        SweepSpec((Axis("m", (2,)),), {"t": 4, "d": 6, "r": 1, "k": 1}, nonce=nonce)


def test_the_same_replicate_under_another_nonce_is_another_trial(tmp_path):
    path = tmp_path / "ledger.jsonl"
    options = {"claims": [IMPOSSIBLE], "budget": SMALL, "jobs": 1, "ledger": path}
    solver = "peeking_solvers:reads_its_generator"
    check_solver(solver, nonce=NONCE, **options)
    with Ledger(path, read_only=True) as book:
        first = list(book)
    assert {e.nonce for e in first} == {NONCE}
    with Ledger(path) as book:
        assert not book.add(first[0])
        assert book.add(replace(first[0], nonce=None))
