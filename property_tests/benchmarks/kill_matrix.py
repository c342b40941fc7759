"""Writes the kill matrix of a run of the mutants into a page.

    lrs verify --mutants --out mutants
    python -m property_tests.benchmarks.kill_matrix mutants/verdicts.json docs/verify/mutants.md

What lies between the two marks of the page is replaced.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lrs.errors import InvalidInput
from property_tests.mutants import MUTANTS

BEGIN, END = "<!-- kill matrix: begin -->", "<!-- kill matrix: end -->"


def _code(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def table(document: Mapping[str, Any]) -> str:
    """The kill matrix as Markdown: a row for every mutant, and the sentence above them."""
    lines = []
    seconds = 0.0
    for report in document["solvers"]:
        name = report["solver"].partition(":")[2]
        seconds += report["seconds"]
        refuted = [c for c in report["claims"] if c["verdict"] == "REFUTED"]
        trials = sum(c["evidence"]["trials"] for c in refuted if c["evidence"] is not None)
        found = _code([c["claim"] for c in refuted]) or "**survived**"
        meant = _code(MUTANTS[name].expected)
        why = MUTANTS[name].why.replace("|", "\\|")
        lines.append(f"| `{name}` | {why} | {meant} | {found} | {trials} | {report['seconds']:.0f} |")
    kills = document["mutants"]
    sentence = (
        f"{len(kills['killed'])} of {len(lines)} mutants refuted, {kills['named']} of them by a claim that is meant to, in "
        f"{seconds / 60:.0f} minutes."
    )
    head = [
        "| mutant | what is broken | meant to be refuted by | refuted by | trials | seconds |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([sentence, "", *head, *lines])


def main(arguments: Sequence[str] | None = None) -> None:
    """Replace the table of the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verdicts", type=Path)
    parser.add_argument("page", type=Path)
    asked = parser.parse_args(arguments)
    page = asked.page.read_text(encoding="utf-8")
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InvalidInput(f"page: {asked.page} has no marks {BEGIN} and {END}")
    made = table(json.loads(asked.verdicts.read_text(encoding="utf-8")))
    asked.page.write_text(f"{before}{BEGIN}\n{made}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
