"""What keeps a solver's process from reading what the judging one knows: its memory, and the files that hold its secrets.

Both run as one user, which by itself keeps nothing apart. On Linux

- the judging process is not *dumpable*: no process without the capability SYS_PTRACE reads its memory, its environment or
  its open files (ptrace(2), prctl(2)). Nor can a debugger of the same user be attached to it from then on;
- the solver's process gives up every capability but those about files, for good, so that root is no exception;
- where namespaces are allowed (unshare(2); unprivileged ones may be switched off), it finds nothing in the files that
  `conceal` was told of.

Elsewhere, and where the system refuses, there is no such wall, and a solver that looks for the truth outside its process
needs another user or machine.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_LIBC: Any = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_SET_DUMPABLE, _NO_NEW_PRIVS = 4, 38  # of prctl
_NEW_MOUNTS, _NEW_USER = 0x00020000, 0x10000000  # of unshare
_BIND, _PRIVATE_BELOW = 0x1000, 0x44000  # of mount
_CAPABILITIES_3 = 0x20080522
_OF_FILES = 0b11111  # CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID: which files a solver may use stays as it is

_SECRET: dict[str, None] = {}


def conceal(path: str | Path) -> None:
    """Hide a file of this process, which tells what no solver may know, from the solvers' processes that start from now on."""
    _SECRET[os.path.abspath(path)] = None


def concealed() -> list[str]:
    """Those of them that exist."""
    return [path for path in _SECRET if os.path.isfile(path)]


def close_memory() -> None:
    """Close this process to others of its user."""
    if _LIBC is not None:
        _LIBC.prctl(_SET_DUMPABLE, 0, 0, 0, 0)


def shut_in(files: Sequence[str]) -> None:
    """In the solver's process, while it has one thread: hide the files, then give up what could undo that."""
    if _LIBC is None:
        return
    if files and _own_mounts():
        for path in files:
            _LIBC.mount(b"/dev/null", os.fsencode(path), None, _BIND, None)
    _LIBC.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    header, held = (ctypes.c_uint32 * 2)(_CAPABILITIES_3, 0), (ctypes.c_uint32 * 6)()
    if _LIBC.capget(header, held) == 0:  # effective, permitted and inheritable ones; then the same of those above 31
        _LIBC.capset(header, (ctypes.c_uint32 * 6)(held[0] & _OF_FILES, held[1] & _OF_FILES))


def _own_mounts() -> bool:
    """Whether what is mounted from now on is seen by this process and its children alone."""
    user, group = os.getuid(), os.getgid()
    if _LIBC.unshare(_NEW_MOUNTS) != 0:
        # A user's namespace would take from root the files that are not its own.
        if user == 0 or _LIBC.unshare(_NEW_MOUNTS | _NEW_USER) != 0:
            return False
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            with contextlib.suppress(OSError):
                Path("/proc/self", name).write_text(text)
    return bool(_LIBC.mount(None, b"/", None, _PRIVATE_BELOW, None) == 0)
