"""The billboard as files: what the server publishes, and what a user's program sends back, when they are separate programs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from lrs.core import archive
from lrs.core.errors import InvalidInput
from lrs.private.accounting import Release
from lrs.private.clip import Clip
from lrs.private.server import Request, Transcript
from lrs.private.statistics import NAMES, Statistics, shapes


def write_request(path: str | Path, request: Request, *, overwrite: bool = False) -> Path:
    """What stands on the billboard: everybody may read it."""
    plain = {name: value for name, value in vars(request).items() if name not in ("U", "clip", "whiten")}
    clip = None if request.clip is None else request.clip.to_dict()
    arrays = {"U": request.U} if request.whiten is None else {"U": request.U, "whiten": request.whiten}
    return archive.write(path, "request", {"request": {**plain, "clip": clip}}, arrays, overwrite=overwrite)


def read_request(path: str | Path) -> Request:
    """What `write_request` wrote."""
    header, arrays = archive.read(path, "request", required=("U",))
    try:
        plain = dict(header["request"])
        return Request(U=arrays["U"], whiten=arrays.get("whiten"), clip=Clip.of(plain.pop("clip")), **plain)
    except archive.DAMAGED as error:
        raise InvalidInput(f"{path}: incomplete request ({error}); write it again") from None


def write_answer(path: str | Path, answer: Statistics, *, overwrite: bool = False) -> Path:
    """A user's bounded statistics, for the secure aggregation or the trusted server only; empty when it was not asked."""
    return archive.write(path, "answer", {}, answer, overwrite=overwrite)


def read_answer(path: str | Path, request: Request) -> Statistics:
    """What `write_answer` wrote, if it answers this request; the sums of a file that does not are refused, not added."""
    _, arrays = archive.read(path, "answer")
    d, r = request.U.shape
    known = shapes(d, r)
    for name, value in arrays.items():
        if name not in NAMES[request.kind] or value.shape != known[name] or (value.dtype != np.int64) != request.exact:
            raise InvalidInput(
                f"{path}: {name} does not answer the request of round {request.round}; leave the file out"
            )
    return arrays


def write_transcript(path: str | Path, transcript: Transcript, *, overwrite: bool = False) -> Path:
    """All that was published, for an audit by others."""
    arrays = {f"release_{i}": noisy for i, (_, noisy) in enumerate(transcript.releases)}
    arrays.update({f"U_{i}": U for i, U in enumerate(transcript.subspaces)})
    releases = [asdict(release) for release, _ in transcript.releases]
    return archive.write(path, "transcript", {"releases": releases}, arrays, overwrite=overwrite)


def read_transcript(path: str | Path) -> Transcript:
    """What `write_transcript` wrote."""
    header, arrays = archive.read(path, "transcript")
    try:
        releases = [(Release(**plain), arrays[f"release_{i}"]) for i, plain in enumerate(header["releases"])]
        subspaces = [arrays[f"U_{i}"] for i in range(sum(name.startswith("U_") for name in arrays))]
    except archive.DAMAGED as error:
        raise InvalidInput(f"{path}: incomplete transcript ({error}); write it again") from None
    return Transcript(releases, subspaces)
