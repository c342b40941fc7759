"""A budget that outlives a run: a file that every run adds to, and that refuses to go beyond its total.

The file holds the total and what was spent, with a keyed digest (HMAC-SHA256) of both and of the file's own name. Whoever has
no key can neither make one nor change one, and a copy under another name is refused. What no file can notice is an older copy of
itself put back in its place: keep it where only the owner writes.
"""

from __future__ import annotations

import hmac
import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lrs.core.errors import InvalidInput
from lrs.core.files import parse_json, readable, writable, write_text
from lrs.core.identity import canonical
from lrs.core.validate import choice, real
from lrs.private.accounting import check_target, epsilon_of, rho_for

#: Shortest key, in bytes.
KEY_BYTES = 16


def read_key(path: str | Path) -> bytes:
    """The owner's key: the bytes of a file, at least `KEY_BYTES` of them."""
    try:
        key = readable(path, "budget_key: ").read_bytes().strip()
    except OSError as error:
        raise InvalidInput(f"budget_key: {path} cannot be read ({error.strerror})") from None
    if len(key) < KEY_BYTES:
        raise InvalidInput(
            f"budget_key: {path} holds {len(key)} bytes; a key has at least {KEY_BYTES}, drawn at random"
        )
    return key


@dataclass(frozen=True)
class Budget:
    """What may be spent on one set of users in all, and what was.

    Attributes
    ----------
    path : Path
    epsilon, delta : float
        The total.
    neighbours : str
    spent : tuple of (str, float)
        What was paid for, and its ρ.
    """

    path: Path
    epsilon: float
    delta: float
    neighbours: str = "add-remove"
    spent: tuple[tuple[str, float], ...] = ()

    @property
    def total(self) -> float:
        """The total as ρ."""
        return rho_for(self.epsilon, self.delta)

    @property
    def left(self) -> float:
        """The ρ that is left."""
        return max(0.0, self.total - math.fsum(rho for _, rho in self.spent))

    @property
    def sentence(self) -> str:
        """One line for people."""
        used = epsilon_of(math.fsum(rho for _, rho in self.spent), self.delta)
        return (
            f"ε = {used:.4g} of {self.epsilon:g} at δ = {self.delta:g} in {len(self.spent)} runs; a run at ε = "
            f"{epsilon_of(self.left, self.delta):.4g} is left"
        )

    def _document(self) -> dict[str, Any]:
        return {
            "epsilon": self.epsilon,
            "delta": self.delta,
            "neighbours": self.neighbours,
            "spent": [[what, rho] for what, rho in self.spent],
        }

    def _digest(self, key: bytes) -> str:
        return hmac.new(key, canonical([self.path.name, self._document()]).encode(), "sha256").hexdigest()

    @classmethod
    def create(
        cls, path: str | Path, key: bytes, *, epsilon: float, delta: float, neighbours: str = "add-remove"
    ) -> Budget:
        """A new file of this total; a file that exists is refused."""
        real("budget_total", epsilon, above=0)
        check_target(None, delta, None)
        choice("neighbours", neighbours, ("add-remove", "replace-one"))
        budget = cls(Path(path), float(epsilon), float(delta), neighbours)
        with _alone(budget.path):  # a file that another run made meanwhile must not be made anew
            if budget.path.exists():
                raise InvalidInput(f"budget_file: {path} exists already; leave the total out to add to it")
            budget._write(key)
        return budget

    @classmethod
    def open(cls, path: str | Path, key: bytes) -> Budget:
        """Read a file and check it against the key and its name."""
        path = Path(path)
        try:
            if path.exists():
                readable(path, "budget_file: ")
            document = parse_json(path.read_text(encoding="utf-8"))
            digest = document.pop("digest")
            spent = tuple((str(what), float(rho)) for what, rho in document.pop("spent"))
            budget = cls(path, spent=spent, **document)
            genuine = hmac.compare_digest(digest, budget._digest(key))
        except FileNotFoundError:
            raise InvalidInput(f"budget_file: {path} does not exist; pass a total to make it") from None
        except InvalidInput:
            raise
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            genuine = False
        if not genuine:
            raise InvalidInput(
                f"budget_file: {path} was not written with this key under this name, or was altered; nothing was spent"
            )
        return budget

    @classmethod
    def spend(cls, path: str | Path, key: bytes, what: str, rho: float, neighbours: str = "add-remove") -> Budget:
        """Pay for a run before it looks at anything; a run that fails afterwards has spent it all the same.

        Raises
        ------
        InvalidInput
            When less is left, and nothing is spent.
        """
        with _alone(Path(path)):
            budget = cls.open(path, key)
            if neighbours != budget.neighbours:
                raise InvalidInput(
                    f"neighbours: {budget.path} counts {budget.neighbours} users, the run {neighbours}; nothing was spent"
                )
            if not rho <= budget.left:
                asked = epsilon_of(rho, budget.delta)
                raise InvalidInput(
                    f"epsilon: the run costs ε = {asked:.4g} at δ = {budget.delta:g}, and of {budget.path} "
                    f"ε = {epsilon_of(budget.left, budget.delta):.4g} is left; nothing was spent"
                )
            budget = replace(budget, spent=(*budget.spent, (what, float(rho))))
            budget._write(key)
            return budget

    def _write(self, key: bytes) -> None:
        text = json.dumps({**self._document(), "digest": self._digest(key)}, indent=1)
        write_text(writable(self.path), text + "\n")


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Two runs at a time would each see what the other has not yet spent."""
    lock = path.with_name(f".{path.name}.lock")
    try:
        handle = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        raise InvalidInput(
            f"budget_file: another run is adding to {path}; wait for it, or remove {lock} if there is none"
        ) from None
    except OSError as error:
        raise InvalidInput(f"budget_file: {path} cannot be written ({error.strerror})") from None
    try:
        yield
    finally:
        os.close(handle)
        lock.unlink()
