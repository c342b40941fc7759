"""Merging folders of one sweep: their shards are copied side by side, and reading does the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lrs.core.errors import InvalidInput, NotWritten
from lrs.core.files import write_bytes
from phase_diagrams.sweeps import journal
from phase_diagrams.sweeps.grid import differences


def merge(folders: Sequence[str | Path], out: str | Path) -> None:
    """Copy the shards (and recorded rounds) of several folders into one.

    Parameters
    ----------
    folders : sequence of paths
        Of the same sweep; only the number of replicates may differ, the largest counts.
    out : path
        A new folder, or one of the same sweep, to which the shards are added. It may be one of ``folders``.

    Raises
    ------
    InvalidInput
        When the folders hold different sweeps (naming what differs), or rounds that contradict each other.
    """
    out = Path(out)
    sources = [Path(f) for f in folders]
    specs = [journal.read_spec(f) for f in sources]
    largest = max(spec.replicates for spec in specs)
    first = replace(specs[0], replicates=largest)
    for folder, spec in zip(sources, specs, strict=True):
        if changed := differences(first, replace(spec, replicates=largest)):
            raise InvalidInput(f"merge: {folder} holds another sweep than {sources[0]}: {'; '.join(changed)}")
        journal.read(folder, spec)  # a foreign or newer shard is refused before anything is copied
    journal.open_folder(out, first, extend=True)
    try:
        for folder in sources:
            for path in (*journal.shards(folder), *sorted((folder / "rounds").glob("*.json"))):
                _copy(path, out / path.relative_to(folder))
    except (OSError, NotWritten) as error:
        raise journal.cannot_write(out, error) from None


def _copy(source: Path, goal: Path) -> None:
    content = source.read_bytes()
    if goal.exists():
        present = goal.read_bytes()
        if present.startswith(content):
            return  # merged before, or the very same folder
        if not content.startswith(present) or goal.suffix == ".json":
            raise InvalidInput(
                f"merge: {source} and {goal} have one name and different content; nothing was overwritten"
            )
    goal.parent.mkdir(exist_ok=True)
    write_bytes(goal, content)
