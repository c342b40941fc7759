"""The journal: what is written comes back, what is torn is dropped, what is foreign is refused."""

from __future__ import annotations

import errno
import json
import math
import os
import resource
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrs import InvalidInput
from lrs.core.family import load_family
from lrs.core.trial import Ended
from phase_diagrams.analysis.table import export, load, to_xarray
from phase_diagrams.sweeps import journal
from phase_diagrams.sweeps.grid import build
from phase_diagrams.sweeps.merge import merge
from phase_diagrams.sweeps.trial import Row, columns, row_of, values

SPEC = build({"x": "m=1:4", "y": "k=1,2,9", "fixed": "d=4,r=1,t=3", "replicates": 2, "solvers": ["amht", "iht"]})
FAMILY = load_family()
COLUMNS = tuple(columns(FAMILY))
ROW = row_of(
    [0, 0, "amht", Ended.RECOVERED, "converged", 7, 1e-9, 0.5, 1.0, 1.0, 1.0, 1e-10, math.nan, None, 0.1, 0.01, "h:1"],
    FAMILY,
)


def encode(row):
    return journal.encode(values(row, FAMILY))


def error(value):
    return {**ROW.errors, "theta_error": value}


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "sweep"
    journal.open_folder(path, SPEC)
    return path


def write(folder, *rows, label="local"):
    with journal.Writer(folder, SPEC, label) as writer:
        writer.append(rows)
    return journal.shards(folder)[-1]


floats = st.floats(allow_nan=True, allow_infinity=True)


rows_of_any_kind = st.builds(
    lambda cell, outcome, text, count, a, b: ROW._replace(
        cell=cell, outcome=outcome, status=text, message=text, iterations=count, errors=error(a), rate=b, timing_solve=a
    ),
    st.integers(0, 7),
    st.sampled_from(list(Ended)),
    st.none() | st.text(max_size=10),
    st.none() | st.integers(0, 10**6),
    floats,
    floats,
)


@given(rows=st.lists(rows_of_any_kind, min_size=1, max_size=4))
def test_rows_come_back_exactly(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("sweep") / "s"
    journal.open_folder(folder, SPEC)
    write(folder, *rows)
    back = list(journal.read(folder).rows())
    assert [tuple(map(repr, row)) for row in back] == [
        tuple(map(repr, row._replace(outcome=str(row.outcome)))) for row in rows
    ]
    for line in b"".join(path.read_bytes() for path in journal.shards(folder)).splitlines():
        json.loads(line, parse_constant=pytest.fail)  # standard JSON: no bare NaN or Infinity


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_torn_last_line_is_dropped_and_reported(folder, cut):
    path = write(folder, ROW, ROW._replace(cell=1), ROW._replace(cell=2))
    path.write_bytes(path.read_bytes()[:-cut])
    contents = journal.read(folder)
    assert [row.cell for row in contents.rows()] == [0, 1]
    assert "1 torn line" in contents.torn[0]
    write(folder, ROW._replace(cell=2))  # the writer goes on in a shard of its own
    assert sorted(row.cell for row in journal.read(folder).rows()) == [0, 1, 2]
    assert len(journal.shards(folder)) == 2


def wrong(**changed):
    """A line of the right length with a value of the wrong kind."""
    return json.dumps([changed.get(name, v) for name, v in zip(COLUMNS, LINE, strict=True)])


LINE = json.loads(encode(ROW._replace(cell=1)))
WRONG = [wrong(cell=None).encode(), wrong(cell=0.5).encode(), wrong(theta_error="much").encode()]
UNCLOSED = encode(ROW._replace(cell=1)).replace('"amht"', '"amht').encode()


@pytest.mark.parametrize(
    "damage", [b"\0" * 60, b'{"a":1}', b"[1,2]", b"[1,2],[3,4]", b"\xff\xfe", b"", UNCLOSED, *WRONG]
)
def test_damage_in_the_middle_costs_only_that_line(folder, damage):
    path = write(folder, ROW, ROW._replace(cell=1), ROW._replace(cell=2))
    lines = path.read_bytes().split(b"\n")
    lines[2] = damage
    path.write_bytes(b"\n".join(lines))
    contents = journal.read(folder)
    assert [row.cell for row in contents.rows()] == [0, 2]
    assert "1 torn line" in contents.torn[0]


@pytest.mark.parametrize("content", [b"", b'{"format":"lrs-sw', b"\0\0\0\n[]\n", b"[]\n"])
def test_a_torn_header_costs_only_its_shard(folder, content):
    write(folder, ROW)
    (folder / "journal" / "zzz.jsonl").write_bytes(content)
    contents = journal.read(folder)
    assert len(contents) == 1
    assert "header is torn" in contents.torn[0]


def test_shards_of_another_sweep_or_version_are_refused(folder, tmp_path):
    other = tmp_path / "other"
    different = replace(SPEC, seed=9)
    journal.open_folder(other, different)
    with journal.Writer(other, different) as writer:
        writer.append([ROW])
    foreign = journal.shards(other)[0]
    (folder / "journal" / foreign.name).write_bytes(foreign.read_bytes())
    with pytest.raises(InvalidInput, match="another sweep"):
        load(folder)
    text = foreign.read_text().replace('"version": 2', '"version": 3', 1)
    (folder / "journal" / foreign.name).write_text(text)
    with pytest.raises(InvalidInput, match="version 3"):
        load(folder)


@pytest.mark.parametrize(
    "message", ['a "word"', "back\\slash", 'both \\"', "null", "", "nan", "a,b]", "tab\t", "\\n", "π"]
)
def test_words_come_back_whatever_their_quoting(folder, message):
    """Whether a block is read by Arrow or, for escapes that CSV does not have, line by line."""
    write(folder, *(ROW._replace(cell=cell, message=message) for cell in range(3)))
    assert [row.message for row in journal.read(folder).rows()] == [message] * 3


def test_blocks_are_cut_between_lines(folder, monkeypatch):
    rows = [ROW._replace(cell=cell, errors=error(math.pi * cell)) for cell in range(12)]
    write(folder, *rows)
    monkeypatch.setattr(journal, "BLOCK", 300)
    contents = journal.read(folder)
    assert len(contents.batches) > 2
    assert [row.errors for row in contents.rows()] == [row.errors for row in rows]
    assert not contents.torn


def test_columns_may_be_written_in_another_order(folder):
    path = write(folder, ROW)
    lines = path.read_text().splitlines()
    header = json.loads(lines[0])
    header["columns"].reverse()
    path.write_text(json.dumps(header) + "\n" + json.dumps(json.loads(lines[1])[::-1]) + "\n")
    assert list(map(repr, next(journal.read(folder).rows()))) == list(map(repr, ROW._replace(outcome="recovered")))


# ------------------------------------------------------------------------------------------------ the folder
def test_another_specification_is_refused_by_name(folder):
    write(folder, ROW)
    with pytest.raises(InvalidInput, match=r"fixed d: was 4, now 5.*Nothing was changed"):
        journal.open_folder(folder, replace(SPEC, fixed={**SPEC.fixed, "d": 5}))
    with pytest.raises(InvalidInput, match=r"replicates: was 2, now 3.*--extend"):
        journal.open_folder(folder, replace(SPEC, replicates=3))
    with pytest.raises(InvalidInput, match="replicates: was 2, now 1"):
        journal.open_folder(folder, replace(SPEC, replicates=1), extend=True)
    assert journal.read_spec(folder).hash() == SPEC.hash()
    journal.open_folder(folder, replace(SPEC, replicates=3), extend=True)
    assert journal.read_spec(folder).replicates == 3
    assert len(journal.read(folder)) == 1


def test_folders_that_are_no_sweeps(tmp_path):
    with pytest.raises(InvalidInput, match="not a sweep"):
        load(tmp_path / "absent")
    (tmp_path / "file").write_text("hello")
    with pytest.raises(InvalidInput, match="is a file"):
        journal.open_folder(tmp_path / "file", SPEC)
    with pytest.raises(InvalidInput, match="not a sweep"):
        load(tmp_path / "file")
    with pytest.raises(InvalidInput, match="holds other files"):
        journal.open_folder(tmp_path, SPEC)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c["spec"]["fixed"].update(d=5), "edited"),
        (lambda c: c.update(version=3), "version 3"),
        (lambda c: c.update(format="x"), "another program"),
        (lambda c: c.pop("spec"), "damaged"),
    ],
)
def test_a_changed_specification_file_is_noticed(folder, change, words):
    path = folder / journal.SPECIFICATION
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(InvalidInput, match=words):
        load(folder)
    path.write_text("{")
    with pytest.raises(InvalidInput, match="damaged"):
        load(folder)


def test_a_read_only_folder_is_a_clear_error(folder, tmp_path, monkeypatch):
    write(folder, ROW)

    def refuse(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(InvalidInput, match=r"cannot be written \(Read-only file system\).*kept"):
        write(folder, ROW)
    with pytest.raises(InvalidInput, match="Read-only file system"):
        journal.open_folder(tmp_path / "new", SPEC)
    monkeypatch.undo()
    assert len(journal.read(folder)) == 1


def test_a_full_disk_loses_nothing_recorded(folder):
    """A file-size limit stops a write half-way, as a full disk does."""
    script = (
        "import resource, signal, sys\n"
        "from phase_diagrams.sweeps import journal\nfrom phase_diagrams.sweeps.trial import Row\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "spec = journal.read_spec(sys.argv[1])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "with journal.Writer(sys.argv[1], spec) as writer:\n"
        "    for replicate in range(1000):\n"
        "        writer.append([Row(0, replicate % 2, 'amht', 'recovered')])\n"
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    run = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True)
    assert run.returncode == 1
    assert "InvalidInput: out:" in run.stderr
    assert "what is recorded there is kept" in run.stderr
    contents = journal.read(folder)
    assert len(contents) > 2
    assert "1 torn line" in contents.torn[0]


# ------------------------------------------------------------------------------------------------ table
def test_table_has_a_row_a_trial_with_every_column(folder):
    write(folder, ROW, ROW._replace(replicate=1, solver="iht", outcome=Ended.RAISED, status=None, iterations=None))
    trials = load(folder)
    frame = trials.frame
    for name in ("t", "m", "d", "r", "k", "noise", "zeta", "x_law", "success", *COLUMNS):
        assert name in frame
    assert list(trials.possible["outcome"]) == ["recovered", "raised"]
    impossible = frame[frame["outcome"] == "impossible"]
    assert len(impossible) == 4 * 2 * 2  # k = 9 > d: 4 cells, 2 replicates, 2 solvers
    assert set(impossible["k"]) == {9}
    assert impossible["message"].str.contains("outside").all()
    assert not frame["success"].isna().any()
    assert frame["m"].dtype == "int64"


def test_trials_recorded_twice_count_once_in_any_order(folder, tmp_path):
    again = ROW._replace(timing_solve=9.0, host_worker="h:2")
    changed = ROW._replace(outcome=Ended.NOT_RECOVERED, errors=error(1.0))
    write(folder, ROW, label="a")
    write(folder, again, label="b")
    assert (len(load(folder).possible), load(folder).conflicts) == (1, 0)
    write(folder, changed, label="c")
    one = load(folder)
    assert (len(one.possible), one.conflicts) == (1, 1)
    other = tmp_path / "other"
    journal.open_folder(other, SPEC)
    for label, row in (("a", changed), ("b", again), ("c", ROW)):
        with journal.Writer(other, SPEC, label) as writer:
            writer.append([row])
    assert list(load(other).frame["outcome"]) == list(one.frame["outcome"])


def test_merging_is_idempotent_and_refuses_strangers(folder, tmp_path):
    write(folder, ROW)
    other, out = tmp_path / "b", tmp_path / "all"
    journal.open_folder(other, SPEC)
    write(other, ROW._replace(cell=1))
    for _ in range(2):
        merge([folder, other], out)
        assert len(load(out).possible) == 2
    merge([out, folder], out)
    assert len(load(out).possible) == 2
    stranger = tmp_path / "c"
    journal.open_folder(stranger, replace(SPEC, seed=5))
    with pytest.raises(InvalidInput, match=r"another sweep.*seed: was 0, now 5"):
        merge([folder, stranger], out)


def test_exports(folder, tmp_path, monkeypatch):
    write(folder, ROW, ROW._replace(cell=4, outcome=Ended.NOT_RECOVERED))
    trials = load(folder)
    full = pd.read_parquet(export(trials, tmp_path / "t.parquet"))
    assert list(full.columns) == list(trials.frame.columns)
    stable = pd.read_parquet(export(trials, tmp_path / "s.parquet", volatile=False))
    assert set(full) - set(stable) == {"timing_solve", "timing_generate", "host_worker"}
    assert len(pd.read_csv(export(trials, tmp_path / "t.csv"))) == len(trials.frame)
    for name, words in (("t.txt", "should end in"), ("no/t.csv", "does not exist")):
        with pytest.raises(InvalidInput, match=words):
            export(trials, tmp_path / name)
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(InvalidInput, match=r"lrs-toolkit\[xarray\]"):
        to_xarray(trials)


def test_grid_view(folder):
    pytest.importorskip("xarray")
    write(folder, ROW, ROW._replace(replicate=1, outcome=Ended.NOT_RECOVERED))
    grid = to_xarray(load(folder))
    assert float(grid["success_rate"].sel(solver="amht", m=1, k=1)) == 0.5
    assert int(grid["trials"].sum()) == 2
    assert grid["success_rate"].sel(solver="amht", m=1, k=9).isnull()


def test_thresholds_bracket_each_replicate(tmp_path):
    spec = build({"x": "m=1:5", "fixed": "d=4,r=1,t=3,k=1", "replicates": 4})
    journal.open_folder(tmp_path / "s", spec)
    outcomes = {0: "00111", 1: "00000", 2: "11111", 3: "01011"}
    with journal.Writer(tmp_path / "s", spec) as writer:
        for replicate, text in outcomes.items():
            writer.append(
                Row(cell, replicate, "amht", Ended.RECOVERED if mark == "1" else Ended.CRASHED)
                for cell, mark in enumerate(text)
            )
    table = load(tmp_path / "s").thresholds()
    assert list(table["lower"]) == [2, 5, -math.inf, 1]
    assert list(table["upper"]) == [3, math.inf, 1, 4]
    assert list(table["monotone"]) == [True, True, True, False]
    assert list(table["tried"]) == [5] * 4
