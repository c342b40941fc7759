"""Identity: value → canonical text → SHA-256 → integer keys of random streams. Everything that must mean the same tomorrow.

Each step is public, so that another program (or a doubtful reader) can recompute every key:

1. *value*: plain data, with integers, floats, strings, lists and string-keyed mappings only;
2. *text*: `canonical`, JSON with sorted keys, no spaces, numbers in Python's shortest form;
3. *hash*: `digest` of one text, `joint_digest` of several; hexadecimal SHA-256;
4. *number*: `leading_bits` of the hash; `key` is the first 63, which NumPy takes as seed material.

Journals, ledgers, lock files and data streams hold these values: no function here may change what it returns.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical(value: Any, *, ascii_only: bool = True) -> str:
    """Canonical JSON text of plain data; equal values have equal text.

    Parameters
    ----------
    value : plain data
    ascii_only : bool
        Other characters as ``\\uXXXX``, as sweeps and instances have them; ledgers and locks keep them as they are.

    Raises
    ------
    ValueError
        On NaN or infinity, which JSON cannot hold.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=ascii_only, allow_nan=False)


def digest(text: str) -> str:
    """SHA-256 of the text, 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def joint_digest(*texts: str) -> str:
    """SHA-256 (hexadecimal) of the texts, each preceded by its length so that none runs into the next."""
    h = hashlib.sha256()
    for text in texts:
        data = text.encode()
        h.update(len(data).to_bytes(8, "big"))
        h.update(data)
    return h.hexdigest()


def leading_bits(hexadecimal: str, bits: int = 63) -> int:
    """The first bits of a hash as a non-negative integer."""
    return int(hexadecimal, 16) >> (4 * len(hexadecimal) - bits)


def key(text: str) -> int:
    """The first 63 bits of the text's hash, as a non-negative integer NumPy accepts as seed material."""
    return leading_bits(digest(text))
