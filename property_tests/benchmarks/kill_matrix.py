"""Writes the kills of a run of the mutants into a page, and draws the matrix of mutants and claims.

    lrs verify --mutants --out hunt
    python -m property_tests.benchmarks.kill_matrix hunt/verdicts.json --page docs/verify/mutants.md
    lrs verify --mutants --every-claim --out matrix
    python -m property_tests.benchmarks.kill_matrix matrix/verdicts.json hunt/verdicts.json --picture kill-matrix.png

What lies between the two marks of the page is replaced; the picture unites the runs given.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lrs.core.errors import InvalidInput
from property_tests.examine.claim import Verdict
from property_tests.families.low_rank_sparse.mutants import MUTANTS

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


#: Verdict → colour (colour-blind safe: dark against light) and what the key calls it. Later ones cover earlier ones.
_SHOWN = {
    Verdict.CONFIRMED: ("#dbe7f3", "confirmed"),
    Verdict.INCONCLUSIVE: ("#f2c14e", "left open"),
    Verdict.REFUTED: ("#8c1d18", "refuted"),
}


def picture(documents: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Mutants down, claims across; a ring marks the claims that are meant to refute."""
    import matplotlib.pyplot as plt
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    level = {verdict.value: i for i, verdict in enumerate(_SHOWN)}
    shown = pd.DataFrame(
        [
            (report["solver"].partition(":")[2], claim["claim"], level[claim["verdict"]])
            for document in documents
            for report in document["solvers"]
            for claim in report["claims"]
            if claim["verdict"] in level
        ],
        columns=["mutant", "claim", "level"],
    ).pivot_table(index="mutant", columns="claim", values="level", aggfunc="max")
    shown = shown.reindex([name for name in MUTANTS if name in shown.index])
    tall, wide = shown.shape
    colours, labels = zip(*_SHOWN.values(), strict=True)
    figure, axes = plt.subplots(figsize=(1.6 + 0.24 * wide, 1.4 + 0.24 * tall), layout="constrained")
    axes.pcolormesh(
        np.arange(wide + 1) - 0.5,
        np.arange(tall + 1) - 0.5,
        shown,
        cmap=ListedColormap(colours),
        vmin=0,
        vmax=len(colours) - 1,
        edgecolors="white",
        linewidth=1.5,
    )
    for y, name in enumerate(shown.index):
        for claim in set(MUTANTS[name].expected) & set(shown.columns):
            ring = "white" if shown.loc[name, claim] == level[Verdict.REFUTED.value] else "black"
            axes.plot(shown.columns.get_loc(claim), y, "o", markersize=4, markerfacecolor="none", color=ring)
    axes.invert_yaxis()
    axes.set_xticks(range(wide), shown.columns, rotation=90, fontsize=7)
    axes.set_yticks(range(tall), shown.index, fontsize=7)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    keys: list[Any] = [Patch(color=colour, label=label) for colour, label in zip(colours, labels, strict=True)]
    keys += axes.plot([], [], "o", markerfacecolor="none", color="black", label="meant to refute")
    figure.legend(handles=keys, loc="outside lower center", ncols=len(keys), frameon=False, fontsize=7)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """Replace the table of the page, draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verdicts", type=Path, nargs="+")
    parser.add_argument("--page", type=Path, help="the table of the first run goes here")
    parser.add_argument("--picture", type=Path, help="PNG or SVG of all runs together")
    asked = parser.parse_args(arguments)
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in asked.verdicts]
    if asked.page is not None:
        page = asked.page.read_text(encoding="utf-8")
        before, begin, rest = page.partition(BEGIN)
        _, end, after = rest.partition(END)
        if not begin or not end:
            raise InvalidInput(f"page: {asked.page} has no marks {BEGIN} and {END}")
        asked.page.write_text(f"{before}{BEGIN}\n{table(documents[0])}\n{END}{after}", encoding="utf-8")
    if asked.picture is not None:
        picture(documents, asked.picture)


if __name__ == "__main__":
    main()
