"""Splitting a sweep over machines that share nothing: shard i of n runs its own part, and reading is merging.

The part a trial belongs to is a hash of its line of the grid and its replicate, never of the order or of what has run:
all solvers on one instance stay together, and so do all m of one replicate, which a nested bisection needs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lrs.core.errors import InvalidInput
from lrs.core.identity import key


@dataclass(frozen=True)
class Shard:
    """Part ``index`` (from 1) of ``count``."""

    index: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """From ``i/n``."""
        match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise InvalidInput(f"shard: expected i/n with 1 ≤ i ≤ n, such as 2/8, got {text!r}")
        return cls(int(match[1]), int(match[2]))

    def owns(self, line: int, replicate: int) -> bool:
        """Whether this part runs the given replicate of the given line of the grid."""
        return self.count == 1 or key(f"{line}/{replicate}") % self.count == self.index - 1

    @property
    def label(self) -> str:
        """Prefix of the journal files this part writes."""
        return "local" if self.count == 1 else f"shard-{self.index}-of-{self.count}"
