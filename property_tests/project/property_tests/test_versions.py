"""Every file the toolkit writes says its version; files of the first one are read, and never gone on with."""

import json
import shutil
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import jsonschema
import numpy as np
import pyarrow.parquet as pq
import pytest

from lrs import Instance, InstanceSpec, InvalidInput, LRSModel, generate
from lrs.cli import run
from lrs.core import archive, streams
from lrs.private.accounting import Ledger as PrivacyLedger
from lrs.private.clip import Clip
from lrs.private.model import ServerModel
from phase_diagrams.analysis.scaling import critical_levels
from phase_diagrams.analysis.table import load
from phase_diagrams.sweeps import journal
from phase_diagrams.sweeps.grid import Axis, Sampling, SweepSpec
from phase_diagrams.sweeps.merge import merge
from property_tests import verify
from property_tests.examine.configuration import Everywhere
from property_tests.examine.ledger import Entry, Ledger
from theory.statistics import calibration

OLD = Path(__file__).parent.parent
SWEEP, LEDGER = OLD / "phase_diagrams" / "old" / "sweep", OLD / "property_tests" / "old" / "ledger.jsonl"
WHY = "made with the random streams of version 1, and this toolkit draws other data from the same seed"


@pytest.fixture
def lrs(capsys):
    """Run the command; returns (exit code, stdout, stderr)."""

    def call(*arguments):
        code = run([str(a) for a in arguments])
        captured = capsys.readouterr()
        return code, captured.out, " ".join(captured.err.split())

    return call


@pytest.fixture
def old(tmp_path):
    """A copy of a sweep of version 1, as the first edition wrote it."""
    return Path(shutil.copytree(SWEEP, tmp_path / "old"))


def content(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# ------------------------------------------------------------------------------------------------ what is written
def sweep_files(tmp_path):
    settings = ["--fixed", "k/d=1,r=0,t=1", "--solver", "phase_diagrams.sweeps.synthetic:medium", "--jobs", "0"]
    axes = ["--x", "m=10:40:2", "--y", "d=2:3", "--nested", "m", "--precision", "9", "--replicates", "2"]
    assert run(["sweep", *axes, *settings, "--out", str(tmp_path / "s")]) == 0
    assert run(["sweep", "export", str(tmp_path / "s"), "-o", str(tmp_path / "s.parquet")]) == 0
    return tmp_path / "s"


def first_line(path):
    return json.loads(path.read_text().splitlines()[0].partition("\t")[0])


def test_every_file_says_its_format_and_version(tmp_path, monkeypatch):
    """The whole list; a kind of file that is added is added here."""
    monkeypatch.setattr(verify, "region_of", lambda solver, theorem: Everywhere())
    instance = generate(InstanceSpec(t=4, m=5, d=3, r=1, k=1))
    found = {}
    server = ServerModel(instance.truth.U, PrivacyLedger(), 1e-6, Clip(x=1.0, y=1.0, xb=1.0, w=1.0), 1, True)
    for kind, value in (("instance", instance), ("model", instance.truth), ("server-model", server)):
        found[kind] = archive.read(value.save(tmp_path / f"{kind}.npz"), kind)[0]
    folder = sweep_files(tmp_path)
    found["sweep"] = json.loads((folder / "sweep.json").read_text())
    found["shard"] = first_line(next(folder.glob("journal/*.jsonl")))
    found["round"] = json.loads(next(folder.glob("rounds/*.json")).read_text())
    found["table"] = json.loads(pq.read_schema(tmp_path / "s.parquet").metadata[b"PANDAS_ATTRS"])
    out = tmp_path / "v"
    assert run(["verify", "--solver", "bad_solvers:honest", "--claims", "conduct/prints-nothing", "--beta", "0.1",
                "--jobs", "1", "--out", str(out)]) == 0  # fmt: skip
    found["ledger"] = first_line(out / "ledger.jsonl")
    found["verdicts"] = json.loads((out / "verdicts.json").read_text())
    found["trial"] = {"format": None, **first_line(out / "trials.jsonl")}
    calibration.write_lock(tmp_path / "lock.json", {"amht": calibration.read_lock()["amht"]})
    found["constants"] = json.loads((tmp_path / "lock.json").read_text())
    assert {name: (head["format"], head["version"]) for name, head in found.items()} == {
        "instance": ("lrs-toolkit", 2),
        "model": ("lrs-toolkit", 2),
        "server-model": ("lrs-toolkit", 2),
        "sweep": ("lrs-sweep", 2),
        "shard": ("lrs-sweep", 2),
        "round": ("lrs-sweep", 2),
        "table": ("lrs-sweep-table", 2),
        "ledger": ("lrs-ledger", 2),
        "verdicts": ("lrs-verdicts", 3),
        "trial": (None, 3),  # a line of a file whose lines are added run by run
        "constants": ("lrs-toolkit constants", 3),
    }


# ------------------------------------------------------------------------------------------------ instances, models
def test_an_old_instance_is_read_and_its_seed_is_forgotten(tmp_path):
    path = OLD / "lrs" / "old" / "instance.npz"
    instance = Instance.load(path)
    assert instance.seed == ()  # (4, 2) is the key of other data now
    data = instance.problem.data
    fitted = np.sum(data.X * instance.truth.theta[data.groups], axis=1)
    assert np.allclose(data.y, fitted)
    again = Instance.load(instance.save(tmp_path / "again.npz"))
    assert again.seed == ()
    assert not np.array_equal(generate(instance.spec, (4, 2)).problem.data.X, data.X)
    model = LRSModel.load(OLD / "lrs" / "old" / "model.npz")
    assert model.theta.shape == (4, 3)


# ------------------------------------------------------------------------------------------------ sweeps
def test_an_old_sweep_is_read_exported_and_drawn(old, lrs, tmp_path):
    before = content(old)
    trials = load(old)
    assert trials.spec.streams == 1
    assert len(trials.possible) == 11
    assert trials.frame["outcome"].value_counts().to_dict() == {"recovered": 8, "not recovered": 3}
    for command in (
        ["boundary", old],
        ["sweep", "status", old],
        ["sweep", "export", old, "-o", tmp_path / "t.parquet"],
        ["plot", old, "--out", tmp_path / "p"],
        ["report", old, "-o", tmp_path / "r.html"],
    ):
        code, out, err = lrs(*command)
        assert code == 0, (command, out, err)
    assert "made with older random streams" in lrs("sweep", "status", old)[2]
    assert content(old) == before


@pytest.mark.parametrize(
    "command",
    [
        lambda old: ["sweep", "--out", old, "--jobs", "0"],
        lambda old: ["sweep", "--out", old, "--dry-run"],
        lambda old: [
            *("sweep", "--x", "m=4:12:2", "--y", "k=1:2", "--fixed", "d=8,r=1,t=12", "--replicates", "2"),
            *("--seed", "5", "--nested", "m", "--jobs", "0", "--out", old),
        ],
        lambda old: ["sweep", "reproduce", old, "--jobs", "0"],
        lambda old: ["sweep", "merge", old, "--out", old.parent / "merged"],
        lambda old: ["replay", old, "m=12,k=1", "0"],
    ],
    ids=["resume", "dry run", "same command", "verify", "merge", "replay"],
)
def test_an_old_sweep_is_not_gone_on_with(old, lrs, command):
    before = content(old.parent)
    code, _, err = lrs(*command(old))
    assert code == 2
    assert WHY in err
    assert "start a new folder" in err
    assert content(old.parent) == before


def test_an_old_sweep_shares_no_data_with_a_new_one(old):
    trials = load(old)
    both = critical_levels([trials, replace(trials, spec=replace(trials.spec, streams=streams.VERSION))])
    assert len(both) == 2 * len(critical_levels([trials]))


def test_the_hash_of_an_old_sweep_stays(old):
    spec = journal.read_spec(old)
    assert spec.hash() == json.loads((old / "sweep.json").read_text())["hash"]
    assert "streams" not in spec.to_dict()
    assert SweepSpec.from_dict(spec.to_dict()) == spec


def test_a_nonce_is_part_of_a_sweep(tmp_path):
    spec = SweepSpec((Axis("m", (4, 6, 8)),), {"d": 4, "r": 1, "k": 1, "t": 4}, sampling=Sampling(nested="m"))
    secret = replace(spec, nonce=streams.new_nonce())
    assert spec.hash() != secret.hash()
    journal.open_folder(tmp_path / "s", secret)
    journal.open_folder(tmp_path / "other", spec)
    assert journal.read_spec(tmp_path / "s") == secret
    with pytest.raises(InvalidInput, match=rf"nonce: was {secret.nonce}, now None"):
        journal.open_folder(tmp_path / "s", spec)
    with pytest.raises(InvalidInput, match=r"holds another sweep than .* nonce: was"):
        merge([tmp_path / "s", tmp_path / "other"], tmp_path / "m")


def test_sweep_draws_a_secret_once_and_resumes_with_it(tmp_path, lrs):
    command = [
        *(
            "sweep",
            "--x",
            "m=10:40:15",
            "--fixed",
            "d=2,k/d=1,r=0,t=1",
            "--solver",
            "phase_diagrams.sweeps.synthetic:medium",
        ),
        *("--replicates", "2", "--jobs", "0", "--nonce", "secret", "--out", tmp_path / "s"),
    ]
    assert lrs(*command)[0] == 0
    nonce = journal.read_spec(tmp_path / "s").nonce
    assert streams.check_nonce(nonce)
    assert "nothing left to run" in lrs(*command)[1]
    assert journal.read_spec(tmp_path / "s").nonce == nonce
    code, _, err = lrs(*command[:-3], "12", *command[-2:])
    assert code == 2
    assert "nonce: expected 32 hexadecimal digits" in err
    public = [*command[:-4], "--out", tmp_path / "p"]
    assert lrs(*public)[0] == 0
    code, _, err = lrs(*command[:-1], tmp_path / "p")
    assert code == 2
    assert "nonce: was None" in err


# ------------------------------------------------------------------------------------------------ ledger, verdicts
def test_an_old_ledger_is_read_and_not_added_to(tmp_path, lrs):
    path = tmp_path / "ledger.jsonl"
    shutil.copy(LEDGER, path)
    with Ledger(path, read_only=True) as book:
        assert book.version == 1
        assert [e.replicate for e in book] == [0] * 5
        assert {e.nonce for e in book} == {None}
        with pytest.raises(InvalidInput, match="opened for reading only"):
            book.add(next(iter(book)))
    code, _, err = lrs("verify", "--claims", "conduct/answers", "--ledger", path)
    assert code == 2
    assert WHY in err
    assert "name another file" in err
    assert path.read_bytes() == LEDGER.read_bytes()


def test_a_newer_ledger_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("property_tests.examine.ledger.VERSION", 3)  # a later format with the same streams
    with Ledger(tmp_path / "l") as book:
        book.add(Entry("e", "s", "c", "p", "{}", 0, True, 1.0, 0))
    monkeypatch.undo()
    with pytest.raises(InvalidInput, match=r"version 3, this toolkit reads up to 2"):
        Ledger(tmp_path / "l")


def test_a_witness_line_of_before_is_refused(lrs):
    text = '{"configuration":{"spec":{"d":4,"k":0,"m":4,"r":2,"t":4}},"phase":"decide/0","replicate":0}'
    code, _, err = lrs("verify", "--claims", "conduct/answers", "--trial", text)
    assert code == 2
    assert WHY in err
    assert "check the solver again" in err


def test_old_and_new_verdicts_fit_the_schema():
    schema = json.loads(files("property_tests").joinpath("verdicts.schema.json").read_text())
    old = json.loads((OLD / "property_tests" / "old" / "verdicts.json").read_text())
    jsonschema.validate(old, schema)
    with pytest.raises(jsonschema.ValidationError, match="'nonce' is a required property"):
        jsonschema.validate({**old, "version": 2}, schema)


# ------------------------------------------------------------------------------------------------ constants
def test_constants_say_which_streams_measured_them(tmp_path):
    (entries,) = calibration.read_lock().values()
    assert {c.streams for c in entries} == {1}  # measured before; the counts stay what they were
    path = calibration.write_lock(tmp_path / "lock.json", {"amht": entries, "new": [replace(entries[0], streams=2)]})
    assert [[c.streams for c in found] for found in calibration.read_lock(path).values()] == [[1, 1], [2]]
    assert calibration.read_lock(path)["amht"] == entries
