"""A ledger counts each trial once, survives an interrupted write, and refuses what was altered."""

import math

import pytest

from lrs.core.errors import InvalidInput
from property_tests.examine.ledger import Entry, Ledger


def entry(replicate=0, **changes):
    values = {
        "evidence": "e",
        "solver": "s",
        "claim": "a/b",
        "phase": "decide/0",
        "configuration": "{}",
        "replicate": replicate,
        "ok": True,
        "margin": 0.5,
        "round": 0,
    }
    return Entry(**{**values, **changes})


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as ledger:
        for i in range(5):
            assert ledger.add(entry(i))
    return path


def test_a_replay_counts_once_also_over_runs(written):
    with Ledger(written) as ledger:
        assert len(ledger) == 5
        assert not ledger.add(entry(3, ok=False))
        assert ledger.add(entry(5))
        assert ledger.add(entry(0, evidence="f"))
    with Ledger(written) as ledger:
        assert [e.replicate for e in ledger.about("e")] == [0, 1, 2, 3, 4, 5]
        assert all(e.ok for e in ledger)
        assert ledger.outdated("s", "a/b", "e") == 1
        assert ledger.outdated("another", "a/b", "e") == 0


def test_infinite_margins_survive(tmp_path):
    with Ledger(tmp_path / "l") as ledger:
        ledger.add(entry(0, margin=-math.inf))
    with Ledger(tmp_path / "l") as ledger:
        assert math.isnan(next(iter(ledger)).margin)


def test_a_torn_last_line_is_dropped_and_the_file_goes_on(written):
    whole = written.read_bytes()
    written.write_bytes(whole[:-7])
    with Ledger(written) as ledger:
        assert ledger.torn
        assert len(ledger) == 4
        ledger.add(entry(4))
    assert written.read_bytes() == whole


@pytest.mark.parametrize(
    "damage",
    [
        lambda lines: [*lines[:2], lines[2].replace(b"true", b"false"), *lines[3:]],
        lambda lines: [*lines[:2], *lines[3:]],
        lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
        lambda lines: lines[1:],
        lambda lines: [b"\x80\x81", *lines[1:]],
        lambda lines: [*lines[:3], b"", *lines[3:]],
        lambda lines: [b"time,value", b"1,2"],
        lambda lines: [lines[0][:20]],
    ],
    ids=["altered", "removed", "swapped", "no header", "binary", "blank", "another file", "cut header"],
)
def test_a_corrupted_ledger_is_refused_and_kept(written, damage):
    content = b"\n".join(damage(written.read_bytes().splitlines()))
    content += b"" if content.count(b"\n") == 0 else b"\n"
    written.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"line \d+, is corrupted .* left as it is"):
        Ledger(written)
    assert written.read_bytes() == content


def test_a_folder_or_a_missing_folder_is_bad_input(tmp_path):
    with pytest.raises(InvalidInput, match="is a folder"):
        Ledger(tmp_path)
    with pytest.raises(InvalidInput, match="does not exist; create it first"):
        Ledger(tmp_path / "missing" / "ledger")
