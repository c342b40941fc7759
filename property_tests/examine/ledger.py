"""Evidence that outlives a run: every counted trial, once, in a file that notices when it was changed.

JSON Lines. The first line says what the file is; every further line is one trial and ends with a digest of itself and
of the line before, so that a line that was altered, removed or moved is noticed. A last line without its newline is the
mark of an interrupted write: it is dropped, said so, and the file goes on from the line before.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from lrs.core import streams
from lrs.core.errors import InvalidInput
from lrs.core.files import naming, parse_json, writable
from lrs.core.identity import canonical, digest
from lrs.isolation.wall import conceal

FORMAT = "lrs-ledger"
#: What is written. The trials of version 1 were drawn with other random streams: they are read, and not added to.
VERSION = 2
READABLE = (1, 2)


@dataclass(frozen=True)
class Entry:
    """One counted trial.

    ``evidence`` is the hash of everything the evidence is about: solver, claim and region. Trials with another hash stay
    in the file and count no more. ``nonce`` is the secret of the run that drew the data (None: keyed by public values
    alone); the same replicate under another nonce is another trial.
    """

    evidence: str
    solver: str
    claim: str
    phase: str
    configuration: str
    replicate: int
    ok: bool
    margin: float
    round: int
    nonce: str | None = None

    @property
    def key(self) -> tuple[str, str, str, int, str | None]:
        """What is counted once."""
        return (self.evidence, self.phase, self.configuration, self.replicate, self.nonce)


def _line(previous: str, values: dict[str, Any]) -> tuple[str, str]:
    """A line of the file and its digest."""
    text = canonical(values, ascii_only=False)
    mark = digest(f"{previous}\n{text}")[:16]
    return f"{text}\t{mark}\n", mark


class Ledger:
    """Counted trials, in memory and, with a path, in a file that is appended to.

    Parameters
    ----------
    path : path, optional
        Made when it does not exist.
    read_only : bool
        Read the file, of this version or an older one, and leave it as it is.

    Raises
    ------
    InvalidInput
        When the file is not a ledger, was altered, or is to be added to and holds trials of older random streams; it is
        left as it is.
    """

    def __init__(self, path: str | Path | None = None, *, read_only: bool = False) -> None:
        self.path = None if path is None else Path(path)
        self.read_only = read_only
        self.version, self.streams = VERSION, streams.VERSION
        self.torn = False
        self._entries: dict[tuple[str, str, str, int, str | None], Entry] = {}
        self._mark = ""
        self._stream: IO[bytes] | None = None
        if self.path is not None:
            self._open()

    def _open(self) -> None:
        assert self.path is not None
        writable(self.path)
        try:
            content = self.path.read_bytes() if self.path.exists() else b""
        except OSError as error:
            raise InvalidInput(f"ledger: {self.path} cannot be read ({error.strerror or error})") from None
        lines = content.split(b"\n")
        self.torn = bool(lines.pop())
        if self.torn and not lines:
            self._read(1, content)  # a lone fragment may be another program's file: refused, not cut
        good = len(content) if not self.torn else content.rfind(b"\n") + 1
        for number, raw in enumerate(lines, 1):
            self._read(number, raw)
        if self.read_only:
            return
        streams.refuse_old(f"ledger: {self.path}", self.streams, "name another file; this one is left as it is")
        conceal(self.path)  # it holds the nonce of the run
        with naming(self.path, "ledger: "):
            self._stream = open(self.path, "ab")  # noqa: SIM115 - closed by close()
            if self.torn:
                os.truncate(self.path, good)
        if not lines:
            self._write({"format": FORMAT, "version": VERSION, "streams": streams.VERSION})

    def _read(self, number: int, raw: bytes) -> None:
        try:
            text, _, mark = raw.decode().rpartition("\t")
            values = parse_json(text)
            line, expected = _line(self._mark, values)
            if mark != expected or line != f"{text}\t{mark}\n":
                raise ValueError("its check digits do not match: it or the line before was altered")
            if number == 1:
                if values.get("format") != FORMAT:
                    raise ValueError("not the first line of a ledger")
                if values.get("version") not in READABLE:
                    raise ValueError(f"version {values.get('version')!r}, this toolkit reads up to {VERSION}")
                self.version, self.streams = values["version"], values.get("streams", 1)
            else:
                margin = values["margin"]
                values["margin"] = math.nan if margin is None else float(margin)
                entry = Entry(**values)
                self._entries[entry.key] = entry
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InvalidInput(
                f"ledger: {self.path}, line {number}, is corrupted ({error}). The file was left as it is and nothing "
                "was counted from it; move it away or name another one"
            ) from None
        self._mark = mark

    # ------------------------------------------------------------------ writing
    def _write(self, values: dict[str, Any]) -> None:
        if self._stream is None:
            return
        line, self._mark = _line(self._mark, values)
        with naming(self.path or "", "ledger: "):
            self._stream.write(line.encode())

    def add(self, entry: Entry) -> bool:
        """Count a trial; False when it was counted before."""
        if self.read_only:
            raise InvalidInput(f"ledger: {self.path} was opened for reading only")
        if entry.key in self._entries:
            return False
        self._entries[entry.key] = entry
        values = asdict(entry)
        values["margin"] = entry.margin if math.isfinite(entry.margin) else None
        self._write(values)
        return True

    def flush(self) -> None:
        """Hand what was added to the operating system."""
        if self._stream is not None:
            with naming(self.path or "", "ledger: "):
                self._stream.flush()

    def close(self) -> None:
        if self._stream is not None:
            stream, self._stream = self._stream, None
            with naming(self.path or "", "ledger: "):
                stream.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------------ reading
    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def about(self, evidence: str) -> list[Entry]:
        """The trials with this evidence hash, in the order in which they were counted."""
        return [e for e in self._entries.values() if e.evidence == evidence]

    def outdated(self, solver: str, claim: str, evidence: str) -> int:
        """How many trials of a solver of this name and of the claim are about an older text of either, or of the region."""
        return sum(e.solver == solver and e.claim == claim and e.evidence != evidence for e in self._entries.values())
