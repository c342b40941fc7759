"""Words of the first edition that have another one since; they work for one version, each with a hint."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import ParamSpec, TypeVar

from lrs.core.errors import InvalidInput

P = ParamSpec("P")
T = TypeVar("T")

#: Verbs, by their old words.
VERBS: Mapping[str, str] = {"sweep verify": "sweep reproduce"}

_OUT = {"--output": "--out"}
_JOBS = {"--workers": "--jobs"}
#: Options of a verb, by their old spelling.
OPTIONS: Mapping[str, Mapping[str, str]] = {
    "generate": _OUT,
    "solve": _OUT,
    "predict": _OUT,
    "adapt": _OUT,
    "check": {"--delta": "--failure"},
    "theorems": _OUT,
    "plan": {
        **_OUT,
        **{"--t": "--tasks", "--m": "--rows", "--d": "--features", "--r": "--rank", "--k": "--sparsity"},
        "--measure": "--replicates",
    },
    "profile": {**_OUT, "--delta": "--failure"},
    "rate": _OUT,
    "calibrate": {**_OUT, "--budget": "--trials"},
    "verify": {"--replay": "--trial"},
    "sweep": _JOBS,
    "sweep export": _OUT,
    "sweep reproduce": _JOBS,
    "sweep selftest": _JOBS,
    "duel": {**_JOBS, "--rate": "--fdr"},
    "replay": {"--save": "--out"},
}


def hint(old: str, new: str) -> str:
    """What is said of an old word."""
    return f"{old} is now called {new}; the old word works for one more version"


def verb(words: Sequence[str]) -> tuple[list[str], str | None]:
    """The words of a command with the verb of today, and the hint where it had another one."""
    for old, new in VERBS.items():
        n = len(old.split())
        if list(words[:n]) == old.split():
            return [*new.split(), *words[n:]], hint(f"lrs {old}", f"lrs {new}")
    return list(words), None


def option(words: Sequence[str], path: str, unknown: str) -> tuple[list[str], str] | None:
    """The words of a command whose option is unknown, with the option of today, and the hint; None if there is none."""
    new = OPTIONS.get(path, {}).get(unknown)
    if new is None:
        return None
    return [new + word[len(unknown) :] if word.partition("=")[0] == unknown else word for word in words], hint(
        unknown, new
    )


def renamed(**words: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Let a function take arguments by their old names (old → new) as well, with a `DeprecationWarning`."""

    def wrap(function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def call(*args: P.args, **named: P.kwargs) -> T:
            for old in words.keys() & named.keys():
                if words[old] in named:
                    raise InvalidInput(f"{old}: is now called {words[old]}, which is given as well; leave {old} out")
                warnings.warn(hint(old, words[old]), DeprecationWarning, stacklevel=2)
                named[words[old]] = named.pop(old)
            return function(*args, **named)

        return call

    return wrap
