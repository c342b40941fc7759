"""The relations as a graph: assumptions on the left, questions with their answers in the middle, conclusions right."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lrs.core.files import save_figure
from theory.language.predicate import Statement
from theory.prove.relations import FACTS, RelationStatus, Result

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
    figure = Figure(figsize=(11.5, 0.55 * height + 1.0), layout="constrained")
    axes = figure.subplots()
    boxes = {}
    for (name, column), (x, at) in places.items():
        status = found.nodes[name]
        text = f"{status.value}: {name}" if column == "middle" else name
        box = axes.text(
            x,
            at,
            "\n".join(textwrap.wrap(text, 58 if column == "middle" else 22)),
            ha="center",
            va="center",
            fontsize=8.5,
            bbox={"boxstyle": "round,pad=0.25", "facecolor": _pale(status), "edgecolor": COLOURS[status]},
            zorder=3,
        )
        boxes[name, column] = box.get_bbox_patch()
    for a, b in found.edges:
        ends = ((a, "left"), (b, "middle")) if b in y else ((a, "middle"), (b, "right"))
        answer = found.nodes[b] if b in y else found.nodes[a]
        axes.add_patch(
            FancyArrowPatch(
                *_inner_points(*(places[end] for end in ends)),
                patchA=boxes[ends[0]],
                patchB=boxes[ends[1]],
                arrowstyle="-|>",
                mutation_scale=9,
                color=COLOURS[answer],
                linestyle="-" if answer is RelationStatus.PROVED else "--",
                linewidth=1.1,
                alpha=0.8,
            )
        )
    axes.set(xlim=(-0.01, 1.01), ylim=(0.2, height + 0.9))
    axes.axis("off")
    used = dict.fromkeys(found.nodes.values())
    handles = [Patch(facecolor=_pale(s), edgecolor=COLOURS[s], label=s.value) for s in RelationStatus if s in used]
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 1.03), ncols=len(handles), frameon=False)
    return save_figure(figure, path, dpi=130)


def _pale(status: RelationStatus) -> tuple[float, float, float]:
    """The colour of a status on white, opaque, so that arrows pass behind the boxes."""
    from matplotlib.colors import to_rgb

    red, green, blue = (0.27 * c + 0.73 for c in to_rgb(COLOURS[status]))
    return red, green, blue


def _inner_points(start: tuple[float, float], end: tuple[float, float]) -> Iterator[tuple[float, float]]:
    """Ends of an arrow moved towards each other, still inside the boxes, which clip it at their edges."""
    for x, at in (start, end):
        side = 0.1 if x == 0.5 else 0.0
        yield x + (side if (x, at) == start else -side), at
