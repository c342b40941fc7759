"""Files: refused by name before any work is done, and written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lrs import InvalidInput
from lrs.core import machine
from lrs.core.errors import NotWritten
from lrs.core.files import parse_json, picture, readable, replacing, writable, write_text


@pytest.fixture
def odd(tmp_path: Path) -> dict[str, Path]:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    return {name: tmp_path / name for name in ("pipe", "folder", "circle")} | {"device": Path("/dev/null")}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pipe", "is a pipe; name an ordinary file"),
        ("device", "is a device; name an ordinary file"),
        ("folder", "is a folder; name a file in it"),
        ("circle", "cannot be used"),
    ],
)
def test_what_is_no_file_is_refused_by_name(name: str, message: str, odd: dict[str, Path]):
    for use in (readable, writable, lambda path: writable(path, suffix=".npz")):
        with pytest.raises(InvalidInput, match=message):
            use(odd[name])
    assert not list(odd["folder"].parent.glob("*.npz"))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/dev/new.csv", "would be a file among the devices"),
        ("no/new.csv", "the folder no does not exist"),
        ("n" * 300, "cannot be used"),
        ("..", "is a folder"),
        ("/", "is a folder"),
    ],
)
def test_where_nothing_can_be_written(path: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput, match=message):
        writable(path)


def test_an_existing_file_needs_to_be_allowed(tmp_path: Path):
    (tmp_path / "a.npz").touch()
    with pytest.raises(InvalidInput, match="exists already; choose another name or pass --force"):
        writable(tmp_path / "a", suffix=".npz", overwrite=False)
    assert writable(tmp_path / "a", suffix=".npz", overwrite=True) == tmp_path / "a.npz"


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path):
    path = tmp_path / "a.csv"
    write_text(path, "old")

    def fails(error: Exception) -> None:
        with replacing(path) as part:
            part.write_text("new")
            raise error

    with pytest.raises(NotWritten, match=r"a.csv: cannot be written \(No space left on device\); nothing was changed"):
        fails(OSError(28, "No space left on device"))
    with pytest.raises(ZeroDivisionError):
        fails(ZeroDivisionError())
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


def test_a_link_stays_a_link(tmp_path: Path):
    (tmp_path / "link").symlink_to(tmp_path / "goal")
    write_text(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "goal").read_text() == "text"


def test_pictures_have_the_suffix_of_one(tmp_path: Path):
    assert picture(tmp_path / "a.PNG").name == "a.PNG"
    with pytest.raises(InvalidInput, match="is not a picture"):
        picture(tmp_path / "a.txt")


def test_deep_json_is_a_value_error():
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json("[" * 100_000)


def test_sizes_of_memory():
    assert machine.parse_size("memory", "4GB") == 4_000_000_000
    assert machine.parse_size("memory", " 0.5 GiB") == 2**29
    assert machine.LEAST_MEMORY < machine.share_of_memory() < machine.memory()
    assert machine.size_words(8e12) == "8 TB"
