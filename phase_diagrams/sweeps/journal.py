"""The journal: every outcome, one JSON line each, in files only ever appended to, one file (shard) per writer.

A folder holds ``sweep.json``, the specification, and ``journal/*.jsonl``. The first line of a shard is its header:
format, version, hash of the specification, column names and the host that wrote it. Every further line is one trial as
a JSON array in the order of those columns, infinities and NaN as the words "inf", "-inf" and "nan". No locks: writers
never share a file. A line that was torn by a kill or a full disk is dropped, counted and reported; its trial is
simply run again.
"""

from __future__ import annotations

import json
import math
import os
import platform
import re
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv

import lrs
from lrs.core.errors import InvalidInput, NotWritten
from lrs.core.family import Family, load_family
from lrs.core.files import parse_json, readable, reason, write_bytes
from lrs.core.identity import canonical, digest
from lrs.core.trial import Ended
from lrs.isolation.wall import conceal
from phase_diagrams.sweeps.grid import SweepSpec, differences
from phase_diagrams.sweeps.trial import Row, columns, row_of, values

FORMAT = "lrs-sweep"
#: What is written. 1 had the same layout and other random streams: it is read, and not added to.
VERSION = 2
READABLE = (1, 2)
SPECIFICATION = "sweep.json"
BLOCK = 1 << 23  # bytes of lines parsed at once
SYNC_SECONDS = 1.0

_ENCODED = {math.inf: "inf", -math.inf: "-inf"}
_NUMBERS = frozenset((*_ENCODED.values(), "nan"))
_ESCAPE = re.compile(rb'\\[^"\\]')


# ------------------------------------------------------------------------------------------------ the folder
def cannot_write(path: Path, error: OSError | NotWritten) -> InvalidInput:
    """The refusal for a folder that cannot be written, saying that nothing recorded so far is lost."""
    return InvalidInput(
        f"out: {path} cannot be written ({reason(error)}); what is recorded there is kept. "
        "Make room or choose a writable folder, then run the same command again to go on"
    )


def read_spec(folder: str | Path) -> SweepSpec:
    """The specification of a sweep folder."""
    path = Path(folder) / SPECIFICATION
    conceal(path)
    try:
        content = parse_json((readable(path) if path.exists() else path).read_text(encoding="utf-8"))
        if content.get("format") != FORMAT:
            raise InvalidInput(f"{path}: written by another program (format {content.get('format')!r})")
        if not isinstance(content.get("version"), int) or content["version"] not in READABLE:
            raise InvalidInput(
                f"{path}: version {content.get('version')!r}, this toolkit reads up to version {VERSION}"
            )
        spec = SweepSpec.from_dict(content["spec"])
    except (FileNotFoundError, NotADirectoryError):
        raise InvalidInput(
            f"{folder}: not a sweep (no {SPECIFICATION} there); make one with lrs sweep … --out {folder}"
        ) from None
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, MemoryError, IndexError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"{path}: damaged ({error}); restore it from another shard's folder") from None
    if content.get("hash") != spec.hash():
        raise InvalidInput(f"{path}: was edited after it was written (its hash no longer fits); start a new folder")
    return spec


def open_folder(folder: str | Path, spec: SweepSpec, *, extend: bool = False) -> None:
    """Start a sweep folder, or check that an existing one belongs to this very specification.

    Parameters
    ----------
    folder : path
    spec : SweepSpec
    extend : bool
        Allow more replicates than the folder was started with.

    Raises
    ------
    InvalidInput
        When the folder holds another sweep (naming what differs), one of older random streams or something else, or
        cannot be written.
    """
    folder = Path(folder)
    path = folder / SPECIFICATION
    spec.check_streams()
    conceal(path)  # it may hold the nonce
    if path.exists():
        old = read_spec(folder)
        old.check_streams()
        changed = differences(old, spec)
        if not changed:
            return
        only_more = [c.partition(":")[0] for c in changed] == ["replicates"] and spec.replicates > old.replicates
        if not (only_more and extend):
            hint = "; pass --extend to add the new replicates" if only_more else ""
            raise InvalidInput(
                f"out: {folder} holds another sweep: {'; '.join(changed)}. Nothing was changed; use another folder{hint}"
            )
    elif folder.exists() and not folder.is_dir():
        raise InvalidInput(f"out: {folder} is a file; name a folder")
    elif folder.is_dir() and not _empty(folder):
        raise InvalidInput(f"out: {folder} holds other files and no {SPECIFICATION}; use a new or an empty folder")
    content = {"format": FORMAT, "version": VERSION, "hash": spec.hash(), "spec": spec.to_dict()}
    try:
        (folder / "journal").mkdir(parents=True, exist_ok=True)
        write_bytes(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
    except (OSError, NotWritten) as error:
        raise cannot_write(folder, error) from None


def _empty(folder: Path) -> bool:
    """Whether nothing is there but what a start left behind that found no room for the specification."""
    return all(path.name == "journal" and path.is_dir() and not any(path.iterdir()) for path in folder.iterdir())


# ------------------------------------------------------------------------------------------------- writing
def experiment(spec: SweepSpec) -> str:
    """Hash that ties a shard to its sweep: all of the specification but the number of replicates."""
    settings = spec.to_dict()
    del settings["replicates"]
    return digest(canonical(settings))


def encode(row: Sequence[Any]) -> str:
    """One journal line, without its end."""
    return json.dumps(
        [(_ENCODED.get(v, v) if v == v else "nan") if type(v) is float else v for v in row],
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    )


class Writer:
    """Appends rows to a shard of its own, made when the first row arrives.

    Every `append` is one ``write`` call, so a killed process leaves whole lines and at most one torn one; the file is
    synchronised to the disk every second and at the end.
    """

    def __init__(
        self, folder: str | Path, spec: SweepSpec, label: str = "local", about: Mapping[str, str] | None = None
    ) -> None:
        self.folder, self.spec, self.label, self.about = Path(folder), spec, label, dict(about or {})
        self._file: int | None = None
        self._synced = 0.0

    def _open(self) -> int:
        name = f"{self.label}-{time.time_ns():x}-{os.getpid()}-{secrets.token_hex(3)}.jsonl"
        header = {
            "format": FORMAT,
            "version": VERSION,
            "experiment": experiment(self.spec),
            "columns": list(columns(self.spec.of_family)),
            "host": {
                "name": platform.node(),
                "machine": platform.machine(),
                "python": platform.python_version(),
                "numpy": np.__version__,
                "toolkit": lrs.__version__,
                **self.about,
            },
        }
        path = self.folder / "journal" / name
        path.parent.mkdir(exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)
        self._write((json.dumps(header, ensure_ascii=False) + "\n").encode())
        return self._file

    def _write(self, content: bytes) -> None:
        assert self._file is not None
        while content:
            content = content[os.write(self._file, content) :]

    def append(self, rows: Iterable[Row]) -> None:
        """Record rows; raises `InvalidInput` when the disk is full or read-only."""
        family = self.spec.of_family
        content = "".join(encode(values(row, family)) + "\n" for row in rows).encode()
        if not content:
            return
        try:
            if self._file is None:
                self._open()
            self._write(content)
            if time.monotonic() - self._synced > SYNC_SECONDS:
                assert self._file is not None
                os.fsync(self._file)
                self._synced = time.monotonic()
        except OSError as error:
            raise cannot_write(self.folder, error) from None

    def close(self) -> None:
        """Synchronise and close."""
        if self._file is not None:
            file, self._file = self._file, None
            try:
                os.fsync(file)
            except OSError as error:
                raise cannot_write(self.folder, error) from None
            finally:
                os.close(file)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


# ------------------------------------------------------------------------------------------------- reading
@dataclass
class Contents:
    """What the shards of a folder hold, and what was wrong with the files.

    Attributes
    ----------
    family : Family
        Whose errors are columns.
    spec : SweepSpec, optional
        Whose cells, solvers and outcomes the lines must be about.
    batches : list of dict
        Column name → array, a few thousand recorded lines each (a trial recorded twice is there twice). Numbers are
        int64 or float64 (``iterations`` too, NaN where there is none), words are objects.
    hosts : list of dict
        The host part of every header.
    torn : list of str
        One sentence per damaged file.
    """

    family: Family = field(default_factory=load_family)
    spec: SweepSpec | None = None
    batches: list[dict[str, np.ndarray]] = field(default_factory=list)
    hosts: list[dict[str, str]] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    _words: dict[str | None, str | None] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.kinds = columns(self.family)

    def __len__(self) -> int:
        return sum(len(batch["cell"]) for batch in self.batches)

    def add(self, table: Mapping[str, Sequence[Any] | pa.ChunkedArray]) -> int:
        """Add recorded lines, given column by column; how many were about no trial of the sweep and are left out."""
        batch = {name: self._typed(name, table[name]) for name in self.kinds}
        sound = self._sound(batch)
        self.batches.append(batch if sound.all() else {name: values[sound] for name, values in batch.items()})
        return int((~sound).sum())

    def _sound(self, batch: Mapping[str, np.ndarray]) -> np.ndarray:
        if self.spec is None:
            return np.ones(len(batch["cell"]), dtype=bool)
        known = frozenset(Ended), frozenset(self.spec.solvers)
        words = [
            np.fromiter((w in k for w in batch[n]), bool) for n, k in zip(("outcome", "solver"), known, strict=True)
        ]
        cell = batch["cell"]
        return words[0] & words[1] & (cell >= 0) & (cell < len(self.spec.cells)) & (batch["replicate"] >= 0)

    def _typed(self, name: str, values: Sequence[Any] | pa.ChunkedArray) -> np.ndarray:
        if self.kinds[name] is int:
            return np.asarray(values, dtype=np.int64)
        if self.kinds[name] in (float, int | None):
            return np.asarray(values, dtype=np.float64)  # also reads None and the words nan, inf and -inf
        share = self._words.setdefault  # a million rows hold few different words
        if isinstance(values, pa.ChunkedArray):
            coded = values.combine_chunks()
            words = np.array([*(share(word, word) for word in coded.dictionary.to_pylist()), None], dtype=object)
            return words[coded.indices.fill_null(len(words) - 1).to_numpy()]
        return np.array([share(value, value) for value in values], dtype=object)

    def take(self, name: str) -> np.ndarray:
        """All values of a column, which leaves the contents: a million rows need not be held twice."""
        empty = np.array(
            [], dtype={int: np.int64, float: np.float64, int | None: np.float64}.get(self.kinds[name], object)
        )
        return np.concatenate([empty, *(batch.pop(name) for batch in self.batches)])

    def rows(self) -> Iterator[Row]:
        """The recorded lines as rows."""
        for batch in self.batches:
            for line in zip(*(batch[name].tolist() for name in self.kinds), strict=True):
                row = row_of(line, self.family)
                steps = row.iterations
                yield row._replace(iterations=None if steps is None or steps != steps else int(steps))


def shards(folder: str | Path) -> list[Path]:
    """The shard files of a folder, by name."""
    return sorted((Path(folder) / "journal").glob("*.jsonl"))


def read(folder: str | Path, spec: SweepSpec | None = None) -> Contents:
    """All recorded rows of a folder.

    Raises
    ------
    InvalidInput
        When a shard belongs to another sweep or was written by a newer version.
    """
    spec = read_spec(folder) if spec is None else spec
    contents = Contents(spec.of_family, spec)
    for path in shards(folder):
        _read_shard(path, experiment(spec), contents)
    return contents


def _read_shard(path: Path, expected: str, contents: Contents) -> None:
    with readable(path).open("rb") as stream:
        first = stream.readline()
        try:
            header = parse_json(first if first.endswith(b"\n") else b"")
            if header["format"] != FORMAT:
                raise ValueError
        except (ValueError, KeyError, TypeError):
            ignored = sum(1 for _ in stream)
            contents.torn.append(f"{path.name}: the header is torn; {ignored} line(s) after it are ignored")
            return
        if not isinstance(header.get("version"), int) or header["version"] not in READABLE:
            raise InvalidInput(f"{path}: version {header.get('version')!r}, this toolkit reads up to version {VERSION}")
        if header.get("experiment") != expected:
            raise InvalidInput(
                f"{path}: belongs to another sweep than {SPECIFICATION} beside it; move it out of the folder"
            )
        names = header.get("columns")
        if (
            not isinstance(names, list)
            or not set(contents.kinds) <= set(map(str, names))
            or len(set(map(str, names))) < len(names)
        ):
            raise InvalidInput(f"{path}: its header names other columns than a sweep has; move it out of the folder")
        host = header.get("host")
        contents.hosts.append(host if isinstance(host, dict) else {})
        dropped = 0
        while block := stream.read(BLOCK) + stream.readline():
            whole = block.rfind(b"\n") + 1  # what follows was torn by a kill, or by a full disk
            dropped += whole < len(block)
            dropped += _parse(block[:whole], names, contents)
    if dropped:
        contents.torn.append(
            f"{path.name}: {dropped} torn line(s) dropped, damaged ones included; their trials count as not yet run"
        )


def _parse(block: bytes, names: Sequence[str], contents: Contents) -> int:
    """Add the rows of a block of whole lines; how many lines were damaged.

    All lines at once, as columns; singly only where that does not do.
    """
    if not block:
        return 0
    table = _parse_columns(block, names, contents.kinds)
    if table is not None:
        return contents.add({name: table[name] for name in contents.kinds})
    lines = block.split(b"\n")[:-1]
    rows = [row for row in (_parse_row(line, names, contents.kinds) for line in lines) if row is not None]
    outside = contents.add(dict(zip(contents.kinds, zip(*rows, strict=True), strict=True))) if rows else 0
    return len(lines) - len(rows) + outside


_WORD = pa.dictionary(pa.int32(), pa.string())
_ARROW = {int: pa.int64(), float: pa.float64(), int | None: pa.float64()}


def _parse_columns(block: bytes, names: Sequence[str], kinds: Mapping[str, Any]) -> pa.Table | None:
    """The lines as an Arrow table, or None where they are not plainly what `encode` writes.

    A JSON array without its brackets is a line of comma-separated values as long as its words hold no escapes but of
    quotes and backslashes; Arrow parses those twenty times as fast as Python makes objects of them.
    """
    lines = block.count(b"\n")
    if block[:1] != b"[" or block[-2:] != b"]\n" or block.count(b"]\n[") != lines - 1 or _ESCAPE.search(block):
        return None
    text = block[1:-2].replace(b"]\n[", b"\n")
    try:
        table = csv.read_csv(
            pa.BufferReader(text),
            csv.ReadOptions(use_threads=False, block_size=len(text) + 1, column_names=list(names)),
            csv.ParseOptions(double_quote=False, escape_char="\\", ignore_empty_lines=False),
            csv.ConvertOptions(
                include_columns=list(kinds),
                column_types={n: _ARROW.get(kind, _WORD) for n, kind in kinds.items()},
                null_values=["null"],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError):
        return None
    whole = len(table) == lines and not any(table[n].null_count for n, kind in kinds.items() if kind is int)
    return table if whole else None


def _parse_row(line: bytes, names: Sequence[str], kinds: Mapping[str, Any]) -> list[Any] | None:
    """The values of one line in the order of the columns, None when it is damaged."""
    try:
        row = parse_json(line)
    except ValueError:
        return None
    if type(row) is not list or len(row) != len(names):
        return None
    found = [row[names.index(name)] for name in kinds]
    return found if all(map(_fits, kinds.values(), found)) else None


def _fits(kind: Any, value: Any) -> bool:
    if kind is int:
        return type(value) is int and abs(value) < 2**63
    if kind in (float, int | None):
        whole = type(value) is int and abs(value) < 2**1000  # a larger one is no float
        return value is None or whole or type(value) is float or (type(value) is str and value in _NUMBERS)
    return value is None or type(value) is str
