"""Typed .npz files without pickle: a JSON header names the kind and version, arrays stand beside it.

An instance of any family is stored as what its family packs (`lrs.core.family.Family.pack`): arrays under the names of
their places, all else in the header, which names the family and the version of its packing.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lrs.core import streams
from lrs.core.errors import InvalidInput
from lrs.core.family import FAMILIES, LOW_RANK_SPARSE, Family, load_family
from lrs.core.files import parse_json, readable, replacing, writable
from lrs.core.machine import available_memory, size_words

FORMAT = "lrs-toolkit"
#: What is written. 1 had the same arrays; the ``seed`` of its instances is the key of other streams (`lrs.core.streams`).
VERSION = 2
READABLE = (1, 2)
#: What a reader meets in a header or arrays that are not what it expects.
DAMAGED = (KeyError, TypeError, AttributeError, ValueError, IndexError, OverflowError)
#: Kinds of file that lack something on purpose, and what to do without it.
KEPT_BACK = {
    "server-model": "; the server of a private run has U but no W and B, which never leave the users: use adapt with a user's rows"
}


def write(
    path: str | Path, kind: str, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray], *, overwrite: bool
) -> Path:
    """Write atomically (temporary file in the same folder, then replace)."""
    path = writable(path, overwrite=overwrite, suffix=".npz", fix="allow overwriting")
    text = json.dumps(
        {"format": FORMAT, "version": VERSION, "kind": kind, **header}, ensure_ascii=False, sort_keys=True
    )
    try:
        encoded = np.frombuffer(text.encode(), dtype=np.uint8)
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{path}: a name in it is no Unicode text ({error.reason}); rename it") from None
    with replacing(path) as part, open(part, "wb") as stream:
        np.savez(stream, header=encoded, **dict(arrays))  # type: ignore[arg-type]
    return path


def read(
    path: str | Path, kind: str | None, required: Iterable[str] = ()
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Header and arrays; ``kind=None`` accepts any kind this toolkit writes."""
    return _read(Path(path), kind, required)


def read_header(path: str | Path, kind: str | None = None) -> dict[str, Any]:
    """The header alone, whatever the size of the arrays."""
    return _read(Path(path), kind, arrays=False)[0]


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> np.ndarray:
    """A member as an array; what its header declares is believed only where the member is as long."""
    with archive.open(info) as stream:
        version = np.lib.format.read_magic(stream)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in read_header:
            raise ValueError(f"{name} has the format version {version}")
        shape, _, dtype = read_header[version](stream)
        if dtype.hasobject:
            raise ValueError(f"{name} holds Python objects, and files are read with allow_pickle=False")
        declared = math.prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or declared != info.file_size - stream.tell():
            raise ValueError(f"{name} is declared as {shape} of {dtype}, and the file is not as long")
    with archive.open(info) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def _read(
    path: Path, kind: str | None, required: Iterable[str] = (), arrays: bool = True
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    readable(path)
    foreign = InvalidInput(f"{path}: not a file of this toolkit (no header); CSV and Parquet tables are read as data")
    try:
        with open(path, "rb") as stream:
            if stream.read(6) == b"\x93NUMPY":  # a plain .npy under this name
                raise foreign
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            if "header" not in members:
                raise foreign
            read = members.values() if arrays else [members["header"]]
            needed, free = sum(info.file_size for info in read), available_memory()
            if needed > free:
                raise InvalidInput(
                    f"{path}: holds {size_words(needed)} of numbers, and {size_words(free)} of memory are free"
                )
            header = parse_json(bytes(_array(archive, members.pop("header"), "header")).decode())
            found = {name: _array(archive, info, name) for name, info in members.items()} if arrays else {}
    except InvalidInput:
        raise
    except Exception as error:  # the readers of zip, deflate, lzma and npy raise whatever a damaged byte leads them to
        raise InvalidInput(f"{path}: damaged or not an .npz file ({error}); write it again") from None
    if not isinstance(header, dict):
        raise foreign
    if header.get("format") != FORMAT:
        raise InvalidInput(f"{path}: written by another program (format {header.get('format')!r})")
    if not isinstance(header.get("version"), int) or header["version"] not in READABLE:
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
    if not isinstance(name, str) or not isinstance(version, int):
        raise InvalidInput(f"{path}: the family {name!r} of version {version!r} is none; generate it again")
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
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error}") from None
    except DAMAGED as error:
        raise InvalidInput(f"{path}: incomplete instance file ({error}); generate it again") from None


def names(header: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """A list of texts from a header; empty where it is left out.

    Raises
    ------
    InvalidInput
        When it holds anything else.
    """
    found = header.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise InvalidInput(f"{name}: expected a list of texts, got {found!r:.100}")
    return tuple(found)


#: What a header says of the file and not of the instance.
_OF_FILE = ("format", "version", "kind", "streams")


def _first_place(name: str) -> tuple[str, ...]:
    """Where a value belongs that was written before files said so, all of them of low rank + sparse."""
    if name in ("spec", "seed"):
        return (name,)
    return ("truth", name.removeprefix("truth_")) if name.startswith("truth_") else ("problem", name)
