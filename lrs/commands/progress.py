"""How far a long run is: a bar on a terminal; in logs and CI a plain line every few seconds, never silence."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lrs.cli import stderr

#: Seconds between the lines where nobody looks at a terminal.
LOG_SECONDS = 5.0
#: Share of a run after which its end is foretold.
_ENOUGH = 0.2


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 600:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Shown:
    """Where a run is; `say` adds a line that stays.

    Parameters
    ----------
    name : str
        What runs.
    """

    def __init__(self, name: str) -> None:
        self.name, self.start = name, time.monotonic()
        self.done, self.total, self.what, self.left = 0.0, 0.0, "starting", float("nan")

    def __call__(self, what: str, done: float = 0, total: float = 0, left: float | None = None) -> None:
        """Say what is done now, how much of how much is, and the seconds left where better is known than by the share."""
        share = done / total if total else 0.0
        if left is None:
            left = (time.monotonic() - self.start) * (1 / share - 1) if share > _ENOUGH else float("nan")
        self.what, self.done, self.total, self.left = what, done, total, left
        self.show()

    def show(self) -> None:
        """Bring the display up to date."""

    def say(self, line: str) -> None:
        """A line that stays."""

    @property
    def time(self) -> str:
        """Seconds since the start, and those left where they can be foretold."""
        left = "" if self.left != self.left else f", {duration(self.left)} left"
        return f"{duration(time.monotonic() - self.start)}{left}"

    @property
    def count(self) -> str:
        return f"{self.done:.0f}/{self.total:.0f}" if self.total else ""


class _Log(Shown):
    """Lines on standard error, from a thread of its own: a single slow step must not silence them."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._over = threading.Event()
        self._written = 0.0
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def _write(self) -> None:
        while not self._over.wait(LOG_SECONDS):
            self.say(" ".join(filter(None, (self.count, f"({self.time}):", self.what))))

    def say(self, line: str) -> None:
        sys.stderr.write(f"{self.name}: {line}\n")
        sys.stderr.flush()

    def end(self) -> None:
        self._over.set()
        self._thread.join()


@contextmanager
def shown(name: str, *, quiet: bool = False) -> Iterator[Shown]:
    """The display of a run.

    Parameters
    ----------
    name : str
        What runs.
    quiet : bool
        Show nothing.
    """
    console = stderr()
    if quiet:
        yield Shown(name)
        return
    if not console.is_terminal:
        log = _Log(name)
        try:
            yield log
        finally:
            log.end()
        return
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.table import Column
    from rich.text import Text

    # Only the description gives way where the terminal is narrow: bar, count and time stay.
    columns = (
        BarColumn(bar_width=12),
        TextColumn("{task.fields[shown].count}", table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[shown].time}", table_column=Column(no_wrap=True)),
        TextColumn("{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
    )
    with Progress(*columns, console=console, transient=True, expand=True) as bar:

        class OnTerminal(Shown):
            def show(self) -> None:
                bar.update(task, completed=self.done, total=self.total or None, description=self.what)

            def say(self, line: str) -> None:
                bar.print(Text(line), soft_wrap=True)

        look = OnTerminal(name)
        task = bar.add_task("starting", total=None, shown=look)
        yield look
