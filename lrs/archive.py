"""Typed .npz files without pickle: a JSON header names the kind and version, arrays stand beside it."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lrs.errors import InvalidInput

FORMAT = "lrs-toolkit"
#: What is written. 1 had the same arrays; the ``seed`` of its instances is the key of other streams (`lrs.core.streams`).
VERSION = 2
READABLE = (1, 2)
#: Kinds of file that lack something on purpose, and what to do without it.
KEPT_BACK = {
    "server-model": "; the server of a private run has U but no W and B, which never leave the users: use adapt with a user's rows"
}


def write(
    path: str | Path, kind: str, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray], *, overwrite: bool
) -> Path:
    """Write atomically (temporary file in the same folder, then replace)."""
    path = Path(path)
    if path.suffix != ".npz":
        path = path.with_name(path.name + ".npz")
    if path.exists() and not overwrite:
        raise InvalidInput(f"{path}: exists already; choose another name or allow overwriting")
    if not path.parent.is_dir():
        raise InvalidInput(f"{path}: the folder {path.parent} does not exist; create it first")
    text = json.dumps(
        {"format": FORMAT, "version": VERSION, "kind": kind, **header}, ensure_ascii=False, sort_keys=True
    )
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".npz")
        try:
            with os.fdopen(handle, "wb") as stream:
                np.savez(stream, header=np.frombuffer(text.encode(), dtype=np.uint8), **dict(arrays))  # type: ignore[arg-type]
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(temporary, 0o666 & ~umask)  # mkstemp is private by default; a result file is not
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be written ({error.strerror or error})") from None
    return path


def read(
    path: str | Path, kind: str | None, required: Iterable[str] = ()
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Header and arrays; ``kind=None`` accepts any kind this toolkit writes."""
    path = Path(path)
    if not path.exists():
        raise InvalidInput(f"{path}: no such file")
    if path.is_dir():
        raise InvalidInput(f"{path}: is a folder; name the .npz file in it")
    foreign = InvalidInput(f"{path}: not a file of this toolkit (no header); CSV and Parquet tables are read as data")
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):  # a plain .npy under this name
            raise foreign
        with archive:
            if "header" not in archive.files:
                raise foreign
            header = json.loads(bytes(archive["header"]).decode())
            arrays = {name: archive[name] for name in archive.files if name != "header"}
    except InvalidInput:
        raise
    except (zipfile.BadZipFile, zlib.error, ValueError, OSError, EOFError, KeyError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path}: damaged or not an .npz file ({error}); write it again") from None
    if not isinstance(header, dict):
        raise foreign
    if header.get("format") != FORMAT:
        raise InvalidInput(f"{path}: written by another program (format {header.get('format')!r})")
    if header.get("version") not in READABLE:
        raise InvalidInput(
            f"{path}: file version {header.get('version')!r}, this toolkit reads up to version {VERSION}; write it again with this one"
        )
    if kind is not None and header.get("kind") != kind:
        reason = KEPT_BACK.get(str(header.get("kind")), "")
        raise InvalidInput(f"{path}: holds a {header.get('kind')!r}, expected a {kind!r}{reason}")
    missing = [name for name in required if name not in arrays]
    if missing:
        raise InvalidInput(f"{path}: the array(s) {', '.join(missing)} are missing; write the file again")
    return header, arrays
