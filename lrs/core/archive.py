"""Typed .npz files without pickle: a JSON header names the kind and version, arrays stand beside it.

An instance of any family is stored as what its family packs (`lrs.core.family.Family.pack`): arrays under the names of
their places, all else in the header, which names the family and the version of its packing.
"""

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

from lrs.core import streams
from lrs.core.errors import InvalidInput
from lrs.core.family import FAMILIES, LOW_RANK_SPARSE, Family, load_family

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
    return _read(Path(path), kind, required)


def read_header(path: str | Path, kind: str | None = None) -> dict[str, Any]:
    """The header alone, whatever the size of the arrays."""
    return _read(Path(path), kind, arrays=False)[0]


def _read(
    path: Path, kind: str | None, required: Iterable[str] = (), arrays: bool = True
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
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
            found = {name: archive[name] for name in archive.files if name != "header"} if arrays else {}
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
    missing = [name for name in required if name not in found]
    if missing:
        raise InvalidInput(f"{path}: the array(s) {', '.join(missing)} are missing; write the file again")
    return header, found


# ---------------------------------------------------------------------------------------------- instances of any family
def write_instance(path: str | Path, family: Family, packed: Mapping[str, Any], *, overwrite: bool = False) -> Path:
    """Write what a family packed of an instance.

    Parameters
    ----------
    path : str or Path
    family : Family
    packed : mapping
        Of plain values, as `Family.pack` gives it; arrays may stand in mappings of mappings, not in lists.
    overwrite : bool

    Raises
    ------
    InvalidInput
        When the file exists already or cannot be written, or the family packed what cannot be stored.
    """
    arrays: dict[str, np.ndarray] = {}
    header: dict[str, Any] = {
        "family": family.name,
        "family_version": family.version,
        "streams": streams.VERSION,
    }
    places: dict[str, list[str]] = {}

    def place(value: Any, where: tuple[str, ...]) -> None:
        if isinstance(value, Mapping) and (
            (len(where) < 2 and set(where) <= {"problem", "truth"}) or _holds_arrays(value)
        ):
            for name, inner in value.items():
                place(inner, (*where, name))
            return
        name = "_".join(where[1:] if where[0] == "problem" else where)
        if name in arrays or name in header:
            raise InvalidInput(f"{path}: the family {family.name} packs two values as {name!r}; rename one of them")
        places[name] = list(where)
        if isinstance(value, np.ndarray):
            arrays[name] = value
        else:
            header[name] = value

    place(packed, ())
    try:
        return write(path, "instance", {**header, "places": places}, arrays, overwrite=overwrite)
    except TypeError as error:
        raise InvalidInput(f"{path}: the family {family.name} packs what JSON cannot store ({error})") from None


def _holds_arrays(value: Any) -> bool:
    return isinstance(value, np.ndarray) or (isinstance(value, Mapping) and any(map(_holds_arrays, value.values())))


def read_instance(path: str | Path, family: str | Family | None = None) -> Any:
    """The instance of a file.

    Parameters
    ----------
    path : str or Path
    family : str or Family, optional
        Which it has to be of, and by which it is read; default: the one of that name that is registered.

    Raises
    ------
    InvalidInput
        When the file is damaged, holds no instance, or one of another family or of a later version.
    """
    header, arrays = read(path, "instance")
    name, version = header.get("family", LOW_RANK_SPARSE), header.get("family_version", 1)
    if family is not None and load_family(family).name != name:
        raise InvalidInput(
            f"{path}: holds an instance of the family {name}, expected one of {load_family(family).name}"
        )
    if family is None and name not in FAMILIES:  # so that a file never makes anything be imported
        raise InvalidInput(
            f"{path}: holds an instance of the family {name}, which is not registered; name it by --family"
        )
    chosen = load_family(name if family is None else family)
    if version > chosen.version:
        raise InvalidInput(
            f"{path}: version {version} of the family {name}, and the one installed reads up to {chosen.version}"
        )
    try:
        places = header.get("places") or {n: _first_place(n) for n in (*header, *arrays) if n not in _OF_FILE}
        packed: dict[str, Any] = {}
        for word, (*above, last) in places.items():
            at = packed
            for part in above:
                at = at.setdefault(part, {})
            at[last] = arrays[word] if word in arrays else header[word]
        if header.get("streams", 1) != streams.VERSION:  # the key of other streams would draw other data now
            packed["seed"] = []
        return chosen.unpack(packed)
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(f"{path}: incomplete instance file ({error}); generate it again") from None


#: What a header says of the file and not of the instance.
_OF_FILE = ("format", "version", "kind", "streams")


def _first_place(name: str) -> tuple[str, ...]:
    """Where a value belongs that was written before files said so, all of them of low rank + sparse."""
    if name in ("spec", "seed"):
        return (name,)
    return ("truth", name.removeprefix("truth_")) if name.startswith("truth_") else ("problem", name)
