"""Files: what may be read, and outputs that are written beside their name and put in place when they are whole.

A folder, a device, a pipe or a missing folder is refused by name before any work is done; a full disk or a kill while a file is
written leaves what was there before.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lrs.core.errors import InvalidInput, NotWritten

_KINDS = {
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


def _status(path: Path, role: str) -> os.stat_result | None:
    """Of what stands under a name, None where nothing does."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:  # too long a name, a folder that may not be looked into, a zero byte
        raise InvalidInput(f"{role}{path} cannot be used ({reason(error)})") from None


def _refuse_special(path: Path, role: str) -> os.stat_result | None:
    found = _status(path, role)
    if found is not None and stat.S_ISDIR(found.st_mode):
        raise InvalidInput(f"{role}{path}: is a folder; name a file in it")
    if found is not None and not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "special file")
        raise InvalidInput(f"{role}{path}: is a {kind}; name an ordinary file")
    return found


def reason(error: Exception) -> str:
    """What the system says of an error."""
    return str(getattr(error, "strerror", None) or error)


def readable(path: str | Path, role: str = "") -> Path:
    """The path of an ordinary file, to be read.

    Parameters
    ----------
    path : str or Path
    role : str
        Begins the message, such as ``"spec: "``.

    Raises
    ------
    InvalidInput
        When there is none, or a folder, a device or a pipe, on which a reader might wait for ever.
    """
    path = Path(path)
    if _refuse_special(path, role) is None:
        raise InvalidInput(f"{role}{path}: no such file")
    return path


def writable(path: str | Path, *, overwrite: bool = True, suffix: str = "", fix: str = "pass --force") -> Path:
    """The path under which a file will be written, with its suffix; refused now rather than after the work is done.

    Raises
    ------
    InvalidInput
        For a folder or a device, a file that exists and may not be replaced, and a folder that does not exist.
    """
    path = Path(path)
    if path.name in ("", ".."):
        raise InvalidInput(f"{path}: is a folder; name a file in it")
    _refuse_special(path, "")  # before the suffix: “-o folder” means no file beside the folder
    if suffix and path.suffix != suffix:
        path = path.with_name(path.name + suffix)
    found = _refuse_special(path, "")
    if found is not None and not overwrite:
        raise InvalidInput(f"{path}: exists already; choose another name or {fix}")
    try:
        inside = path.parent.is_dir()
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path}: cannot be written ({reason(error)})") from None
    if not inside:
        raise InvalidInput(f"{path}: the folder {path.parent} does not exist; create it first")
    if path.parent.resolve() == Path("/dev"):
        raise InvalidInput(f"{path}: would be a file among the devices; name another folder")
    return path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A new file beside ``path``, of its suffix, that takes its place when the block ends well; otherwise nothing changes.

    Raises
    ------
    NotWritten
        When the system refuses (a full disk, a folder without permission).
    """
    path = Path(os.path.realpath(path))  # the file that a link means, not the link
    temporary = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".lrs-", suffix=path.suffix)
        temporary = Path(name)
        os.close(handle)
        yield temporary
        with open(temporary, "rb+") as stream:
            os.fsync(stream.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp is private by default; a result is not
        os.replace(temporary, path)
    except (OSError, ValueError) as error:
        if isinstance(error, InvalidInput) or (isinstance(error, ValueError) and temporary is not None):
            raise
        raise NotWritten(path, reason(error)) from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextmanager
def naming(path: str | Path, role: str = "") -> Iterator[None]:
    """Around what adds to a file: where the system refuses, the message names the file.

    Raises
    ------
    NotWritten
    """
    try:
        yield
    except OSError as error:
        raise NotWritten(f"{role}{path}", reason(error), "what is recorded there is kept") from None


def write_bytes(path: str | Path, content: bytes) -> Path:
    """Write a file whole or not at all."""
    path = Path(path)
    with replacing(path) as part:
        part.write_bytes(content)
    return path


def write_text(path: str | Path, text: str) -> Path:
    """`write_bytes` of UTF-8; a name that is no Unicode text is written with escapes."""
    return write_bytes(path, text.encode("utf-8", "backslashreplace"))


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text; `ValueError` also where it is nested too deeply to be read."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def picture(path: str | Path) -> Path:
    """`writable` for a picture, whose suffix says its format; an earlier one is replaced.

    Raises
    ------
    InvalidInput
        Also when the suffix is no picture's.
    """
    if Path(path).suffix.lower() not in (".png", ".svg", ".pdf"):
        raise InvalidInput(f"out: {path} is not a picture; name a .png, .svg or .pdf file")
    return writable(path)


def save_figure(figure: Any, path: str | Path, **options: Any) -> Path:
    """Write a figure of matplotlib whole or not at all."""
    path = Path(path)
    with replacing(path) as part:
        figure.savefig(part, **options)
    return path
