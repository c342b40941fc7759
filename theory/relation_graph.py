"""The relations as a graph: assumptions on the left, questions with their answers in the middle, conclusions right."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from theory.predicate import Statement
from theory.relations import FACTS, RelationStatus, Result

#: Topics that fit one picture; monotonicity and redundancy are tables.
DRAWN = ("induction", "implication", "k = 0", "necessity")

#: Okabe–Ito colours, told apart by colour-blind readers; the status is also written out.
COLOURS = {
    RelationStatus.PROVED: "#009E73",
    RelationStatus.REFUTED: "#D55E00",
    RelationStatus.UNDECIDED: "#F0E442",
    RelationStatus.ASSUMED: "#BBBBBB",
    RelationStatus.CALIBRATED: "#56B4E9",
    RelationStatus.EMPIRICAL: "#CC79A7",
}


@dataclass(frozen=True)
class Graph:
    """Nodes with a status, and directed edges between their names.

    Attributes
    ----------
    nodes : dict of str to RelationStatus
        Statements (ASSUMED, CALIBRATED, EMPIRICAL) and questions (PROVED, REFUTED, UNDECIDED).
    edges : tuple of (str, str)
        Premise → question → conclusion.
    """

    nodes: dict[str, RelationStatus]
    edges: tuple[tuple[str, str], ...]


def statement_status(statement: Statement) -> RelationStatus:
    """EMPIRICAL for a test on data, CALIBRATED when its constants come from the lock file, else ASSUMED."""
    if any(q.startswith("p_") for q in statement.quantities):
        return RelationStatus.EMPIRICAL
    if statement.constants and all(c.status == "calibrated" for c in statement.constants):
        return RelationStatus.CALIBRATED
    return RelationStatus.ASSUMED


def graph(results: Sequence[Result]) -> Graph:
    """Named statements and the questions that link them; premises on constants and structural facts are left out."""
    nodes: dict[str, RelationStatus] = {}
    edges = []
    for result in results:
        question = result.relation.name
        nodes[question] = result.status
        named = [p for p in result.relation.premises if p.cite != "premise of the question" and p not in FACTS]
        for premise in named:
            nodes.setdefault(_label(premise), statement_status(premise))
            edges.append((_label(premise), question))
        conclusion = result.relation.conclusion
        if conclusion.cite != "premise of the question":
            nodes.setdefault(_label(conclusion), statement_status(conclusion))
            edges.append((question, _label(conclusion)))
    return Graph(nodes, tuple(edges))


def _label(statement: Statement) -> str:
    """Name and, where a name is used by several theorems, its constants."""
    constants = [c.name for c in statement.constants if c.name != "size"]
    return f"{statement.name} ({', '.join(constants)})" if constants else statement.name


def draw(results: Sequence[Result], path: str | Path) -> Path:
    """Draw the topics of `DRAWN` as PNG, SVG or PDF."""
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyArrowPatch, Patch

    shown = [r for r in results if r.relation.topic in DRAWN]
    found = graph(shown)
    questions = [r.relation.name for r in shown]
    height = len(questions)
    y = {name: float(height - i) for i, name in enumerate(questions)}
    premises = [n for n in found.nodes if n not in y and any(a == n for a, _ in found.edges)]
    conclusions = [n for n in found.nodes if n not in y and any(b == n for _, b in found.edges)]
    places: dict[tuple[str, str], tuple[float, float]] = {(q, "middle"): (0.5, y[q]) for q in questions}
    for column, x, names in (("left", 0.08, premises), ("right", 0.92, conclusions)):
        linked = {n: [y[q] for a, b in found.edges for n_, q in ((a, b), (b, a)) if n_ == n and q in y] for n in names}
        ordered = sorted(names, key=lambda n: -sum(linked[n]) / len(linked[n]))
        step = height / max(len(ordered), 1)
        places |= {(n, column): (x, height + 0.5 - step * (i + 0.5)) for i, n in enumerate(ordered)}
    figure = Figure(figsize=(15, 0.5 * height + 1.2), layout="constrained")
    axes = figure.subplots()
    for a, b in found.edges:
        (x0, y0), (x1, y1) = (
            (places[a, "left"], places[b, "middle"]) if b in y else (places[a, "middle"], places[b, "right"])
        )
        answer = found.nodes[b] if b in y else found.nodes[a]
        dashed = answer is not RelationStatus.PROVED
        axes.add_patch(
            FancyArrowPatch(
                (x0 + (0.07 if b in y else 0.15), y0),
                (x1 - (0.15 if b in y else 0.07), y1),
                arrowstyle="-|>",
                mutation_scale=9,
                color=COLOURS[answer],
                linestyle="--" if dashed else "-",
                linewidth=1.1,
                alpha=0.8,
            )
        )
    for (name, column), (x, at) in places.items():
        status = found.nodes[name]
        text = f"{status.value}: {name}" if column == "middle" else name
        axes.text(
            x,
            at,
            "\n".join(textwrap.wrap(text, 62 if column == "middle" else 34)),
            ha="center",
            va="center",
            fontsize=7.5,
            bbox={"boxstyle": "round,pad=0.25", "facecolor": COLOURS[status] + "44", "edgecolor": COLOURS[status]},
        )
    axes.set(xlim=(-0.01, 1.01), ylim=(0.2, height + 0.9))
    axes.axis("off")
    used = dict.fromkeys(found.nodes.values())
    handles = [
        Patch(facecolor=COLOURS[s] + "44", edgecolor=COLOURS[s], label=s.value) for s in RelationStatus if s in used
    ]
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 1.03), ncols=len(handles), frameon=False)
    path = Path(path)
    figure.savefig(path, dpi=130)
    return path
