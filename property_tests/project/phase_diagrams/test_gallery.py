"""The gallery: its commands are the ones it shows, and it writes a page with every picture."""

import re

import pytest

from lrs.core.errors import InvalidInput
from property_tests.benchmarks import gallery
from property_tests.benchmarks.gallery import Entry, commands, entries, main, run

TINY = (
    Entry(
        "one", "A map", "Its story.",
        "--x m=16:48:8 --y d=2,4 --fixed t=1,r=0,k/d=1 --solver phase_diagrams.sweeps.synthetic:Synthetic --replicates 3",
        ("lrs plot {one} --what success --out {out}/one", "lrs boundary {one}"),
        ("one/success-phase_diagrams.sweeps.synthetic-Synthetic",),
    ),
    Entry("two", "A law", "Read from the map.", look=("lrs scaling {one} --factors d --out {out}/two",), pictures=("two",)),
)  # fmt: skip


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(gallery, "entries", lambda: TINY)


def test_page_shows_commands_results_and_pictures(tiny, tmp_path):
    main([str(tmp_path / "gallery"), "--sweeps", str(tmp_path / "sweeps"), "--jobs", "0"])
    page = (tmp_path / "gallery.md").read_text()
    assert "$ lrs sweep --x m=16:48:8" in page
    assert "--out gallery-sweeps/one" in page
    assert "50 % boundary along m" in page
    assert "m₅₀ =" in page
    pictures = re.findall(r"\]\(gallery/([^)]*)\)", page)
    assert len(pictures) == 2
    assert all((tmp_path / "gallery" / p).exists() for p in pictures)
    assert str(tmp_path) not in page


def test_only_some_entries(tiny, tmp_path):
    main([str(tmp_path / "gallery"), "--sweeps", str(tmp_path / "sweeps"), "--jobs", "0", "--only", "one"])
    assert not (tmp_path / "gallery.md").exists()
    assert (tmp_path / "gallery" / "one").is_dir()


def test_every_entry_of_the_real_gallery_is_well_formed():
    found = entries()
    assert len({e.name for e in found}) == len(found)
    for entry in found:
        lines = commands(entry, "S", "P")
        assert all(line.startswith("lrs ") and "{" not in line for line in lines)
        assert entry.pictures


def test_unknown_entry(tiny, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([str(tmp_path), "--only", "three"])
    assert stopped.value.code == 2
    assert "known are one, two" in capsys.readouterr().err


def test_a_failing_command_stops_the_gallery(tmp_path):
    with pytest.raises(InvalidInput, match="ended with code 2"):
        run(f"lrs boundary {tmp_path}/nothing")
