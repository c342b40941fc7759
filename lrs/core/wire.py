"""Plain values as bytes and back, without pickle: what passes between a process that checks and one that is checked.

A message is a mapping of words to numbers, words, bytes, booleans, None, NumPy arrays, and lists and mappings of these. It is
sent as the length of a JSON text, that text, and the arrays' bytes one after the other. Whoever reads it can be told
lies, but cannot be made to run anything.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

_ARRAY, _BYTES, _NUMBER, _TUPLE = "\0array", "\0bytes", "\0number", "\0tuple"
#: Kinds of arrays that are sent: booleans, integers, floats, complex numbers, text and bytes.
_KINDS = "biufcSU"


def encodable(value: Any) -> bool:
    """Whether a value can be sent."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind in _KINDS
    if isinstance(value, list | tuple):
        return all(encodable(v) for v in value)
    if isinstance(value, Mapping):
        return all(isinstance(n, str) and encodable(v) for n, v in value.items())
    return value is None or isinstance(value, bool | int | float | str | bytes | np.bool_ | np.integer | np.floating)


def encode(value: Any) -> bytes:
    """A plain value as bytes; raises `TypeError` on anything else."""
    buffers: list[bytes] = []

    def plain(v: Any) -> Any:
        if isinstance(v, np.ndarray):
            if v.dtype.kind not in _KINDS:
                raise TypeError(f"an array of {v.dtype} cannot be sent")
            buffers.append(np.ascontiguousarray(v).tobytes())
            return {_ARRAY: [v.dtype.str, list(v.shape), len(buffers[-1])]}
        if isinstance(v, bytes):
            buffers.append(v)
            return {_BYTES: len(v)}
        if isinstance(v, np.bool_ | np.integer | np.floating):
            v = v.item()
        if isinstance(v, float) and not math.isfinite(v):
            return {_NUMBER: repr(v)}
        if isinstance(v, Mapping):
            return {_word(n): plain(inner) for n, inner in v.items()}
        if isinstance(v, tuple):
            return {_TUPLE: [plain(inner) for inner in v]}
        if isinstance(v, list):
            return [plain(inner) for inner in v]
        if v is None or isinstance(v, bool | int | float | str):
            return v
        raise TypeError(f"a {type(v).__name__} cannot be sent")

    head = json.dumps(plain(value), allow_nan=False).encode()
    return b"".join([len(head).to_bytes(8, "big"), head, *buffers])


def _word(name: Any) -> str:
    if not isinstance(name, str) or name.startswith("\0"):
        raise TypeError(f"{name!r} cannot be the name of a value")
    return name


def decode(message: bytes) -> Any:
    """Inverse of `encode`; every array owns its memory. Raises `ValueError` on anything that `encode` did not make."""
    length = int.from_bytes(message[:8], "big")
    if len(message) < 8 + length:
        raise ValueError("a message that is cut off")
    position = 8 + length

    def value(v: Any) -> Any:
        nonlocal position
        if isinstance(v, list):
            return [value(inner) for inner in v]
        if not isinstance(v, dict):
            return v
        if v.keys() == {_ARRAY}:
            dtype, shape, size = v[_ARRAY]
            kind = np.dtype(str(dtype))
            if kind.kind not in _KINDS or position + int(size) > len(message):
                raise ValueError("an array that cannot be read")
            array = np.zeros([int(n) for n in shape], kind)
            if array.nbytes != int(size):
                raise ValueError("an array whose shape is not that of its bytes")
            if array.nbytes:
                array.reshape(-1)[:] = np.frombuffer(message, kind, array.size, position)
            position += int(size)
            return array
        if v.keys() == {_BYTES}:
            start, position = position, position + int(v[_BYTES])
            return message[start:position]
        if v.keys() == {_NUMBER}:
            return float(v[_NUMBER])
        if v.keys() == {_TUPLE}:
            return tuple(value(inner) for inner in v[_TUPLE])
        return {n: value(inner) for n, inner in v.items()}

    try:
        return value(json.loads(message[8:position]))
    except (TypeError, KeyError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"a message that cannot be read ({error})") from None
