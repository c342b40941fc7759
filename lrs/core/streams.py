"""Every random stream of the toolkit: a one-way function of what it is for.

A stream is named by a *purpose* (``"data/U"``, ``"solver"``, ``"sweep/data"``, …) and *parts* (a seed, the canonical text
of a configuration, a replicate). Another program makes the same stream in four steps:

1. *text*: purpose and parts one after the other, each as its kind, the length of its UTF-8 text in bytes, a colon and the
   text. Kinds: ``i`` integer (decimal), ``f`` float (``float.hex``), ``s`` string, ``n`` None (empty), ``t`` tuple or
   list (the texts of its elements). ``("data/U", 7, None)`` is ``s6:data/Ui1:7n0:``;
2. *hash*: BLAKE2b of the text with a digest of 16 bytes, the personalisation ``lrs-streams-2`` and, as key, the 16 bytes
   of the nonce (no key without one);
3. *key*: the digest as an integer, most significant byte first;
4. *generator*: ``numpy.random.default_rng(key)``, a PCG64.

The generator holds the key (``rng.bit_generator.seed_seq.entropy``) and nothing that it was made of: who is handed the
stream of one purpose learns nothing about another. With a secret nonce nobody can enumerate what the parts may have been.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Any

import numpy as np

from lrs.core.errors import InvalidInput

#: Version of the streams. It is recorded wherever something can be drawn again: 1 were the seed sequences of NumPy that
#: held their key in the clear (sweeps, ledgers and instance files without a number), 2 is this module.
VERSION = 2
_PERSON = b"lrs-streams-2"
_NONCE = re.compile(r"[0-9a-f]{32}")


def _text(part: Any) -> bytes:
    if part is None:
        kind, text = b"n", b""
    elif isinstance(part, bool | np.bool_):
        raise InvalidInput(
            f"parts: a stream is named by integers, floats, strings, None and tuples of them, got {part!r}"
        )
    elif isinstance(part, int | np.integer):
        kind, text = b"i", str(int(part)).encode()
    elif isinstance(part, float):
        kind, text = b"f", float(part).hex().encode()
    elif isinstance(part, str):
        kind, text = b"s", part.encode()
    elif isinstance(part, tuple | list):
        kind, text = b"t", b"".join(map(_text, part))
    else:
        raise InvalidInput(
            f"parts: a stream is named by integers, floats, strings, None and tuples of them, got {part!r}"
        )
    return b"%s%d:%s" % (kind, len(text), text)


def key(purpose: str, *parts: Any, nonce: str | None = None) -> int:
    """The 128-bit key of a stream.

    Parameters
    ----------
    purpose : str
        What the stream is for.
    *parts : int, float, str, None or tuple of them
        What tells it from the other streams of the same purpose.
    nonce : str, optional
        Secret of a run, 32 hexadecimal digits.
    """
    secret = b"" if nonce is None else bytes.fromhex(check_nonce(nonce))
    text = b"".join(map(_text, (purpose, *parts)))
    return int.from_bytes(hashlib.blake2b(text, digest_size=16, key=secret, person=_PERSON).digest(), "big")


def generator(purpose: str, *parts: Any, nonce: str | None = None) -> np.random.Generator:
    """The generator of a stream; parameters as for `key`."""
    return np.random.default_rng(key(purpose, *parts, nonce=nonce))


def new_nonce() -> str:
    """A fresh secret for a run, from the operating system."""
    return secrets.token_hex(16)


def check_nonce(nonce: Any) -> str:
    """The nonce, in lower case; refused when it is not 32 hexadecimal digits."""
    if not isinstance(nonce, str) or not _NONCE.fullmatch(nonce.lower()):
        raise InvalidInput(f"nonce: expected 32 hexadecimal digits as a report prints them, got {nonce!r}")
    return nonce.lower()


def refuse_old(what: str, version: int, remedy: str) -> None:
    """Refuse to draw again, or to add to, what was drawn with other streams than today's."""
    if version != VERSION:
        raise InvalidInput(
            f"{what}: made with the random streams of version {version}, and this toolkit draws other data from the same "
            f"seed (version {VERSION}), so it cannot be repeated or gone on with; {remedy}"
        )
