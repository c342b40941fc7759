"""What a result says in words: the number before the word, where it was examined, and what was tested."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from property_tests.examine.claim import Quantifier, Verdict, quantifier_of
from property_tests.examine.engine import Result
from property_tests.examine.law import LawTally
from property_tests.examine.tally import BASE, Stratum, Tally

#: What the cell of small problems is called.
SMALL = "small problems"


def named(cell: str) -> str:
    """A cell as people read it."""
    return cell if cell != BASE else SMALL


def figure(value: float) -> str:
    """A probability, rounded so that it promises no more: .931 → 0.93."""
    return f"{int(value * 1000) / 1000:.3f}".rstrip("0").rstrip(".") if value < 1 else "1"


def ceiling(value: float) -> str:
    """A probability, rounded so that it excludes no more: .9304 → 0.931."""
    return f"{min(1.0, math.ceil(value * 1000 - 1e-9) / 1000):g}"


def percent(value: float) -> str:
    """A share in per cent, rounded up: it bounds something from above."""
    return f"{math.ceil(value * 1000 - 1e-9) / 10:g} %"


def confidence(error: float) -> str:
    """1 − error in per cent, rounded so that it promises no more: with two digits behind its nines."""
    exact = Decimal(repr(error))
    return f"{(100 * (1 - exact)).quantize(Decimal(10) ** (1 + exact.adjusted()), ROUND_FLOOR).normalize():f} %"


def extent(sizes: Mapping[str, tuple[float, float]]) -> str:
    """The range examined: “d 12–140, t 60–600, r 1–5, k 1–8, m/d 0.14–1.9”."""

    def number(value: float) -> str:
        return f"{value:.0f}" if value == int(value) else f"{value:.2g}"

    parts = [f"{n} {number(a)}" + (f"–{number(b)}" if b > a else "") for n, (a, b) in sizes.items()]
    return ", ".join(parts)


def not_examined(tally: Tally) -> dict[str, str]:
    """Cells that were too slow to try, and why."""
    return {named(c): s.skipped for c, s in tally.strata.items() if s.skipped and not s.outside}


def numbers(result: Result) -> str:
    """The bound that a verdict is short for, and what it does not exclude."""
    tally = result.tally
    if tally is None or not tally.pool.trials:
        return ""
    if isinstance(tally, LawTally):
        return tally.sentence
    if quantifier_of(result.claim.kind) is Quantifier.ALWAYS:
        if tally.counterexamples:
            return f"broken in {tally.counterexamples} of {tally.trials} trials"
        return f"never broken in {tally.trials} trials: less often than in {percent(tally.unseen)} of all such trials"
    worst = tally.worst
    low = tally.bounds(worst)[0]
    if result.verdict is Verdict.REFUTED:
        cell = next((c for c in tally.cells if tally.verdict_of(c) is Verdict.REFUTED), worst)
        pressed = [c for c in tally.strata[cell].pressed.values() if c.trials]
        count = max([tally.strata[cell].pool, *pressed], key=lambda c: (tally.against(c), c.failures))
        where = f" in {named(cell)}" if len(tally.cells) > 1 else ""
        which = "trials of one configuration" if count is not tally.strata[cell].pool else "trials"
        some = "in some configuration" if quantifier_of(result.claim.kind) is Quantifier.EVERY else "on average"
        some += " of some cell" if some == "on average" and len(tally.cells) > 1 else ""
        return f"at most {ceiling(tally.highest)} {some} ({count.failures} of {count.trials} {which}{where} failed)"
    text = f"at least {figure(low)}"
    if len(tally.cells) > 1:
        text += f" in the worst of {len(tally.examined)} cells ({named(worst)}), {figure(tally.overall[0])} over all"
    if quantifier_of(result.claim.kind) is Quantifier.EVERY:
        text += f"; configurations that never work are < {percent(tally.unseen)} of all drawn"
    return text


def columns(result: Result) -> tuple[str, str]:
    """P and q of a table: the lower bound in the worst cell, and what configurations that never work are a smaller share than."""
    tally = result.tally
    if tally is None or not tally.pool.trials or result.verdict is Verdict.REFUTED:
        return "", ""
    if quantifier_of(result.claim.kind) is Quantifier.LAW:
        return "law", ""
    q = "" if quantifier_of(result.claim.kind) is Quantifier.AVERAGE else percent(tally.unseen)
    always = quantifier_of(result.claim.kind) is Quantifier.ALWAYS
    return ("always" if always else figure(tally.bounds(tally.worst)[0])), q


def examined(result: Result) -> str:
    """Where it was examined, and where not."""
    text = extent(result.extent)
    if result.tally is not None and (slow := not_examined(result.tally)):
        text += "; not examined: " + ", ".join(f"{cell} ({why})" for cell, why in slow.items())
    return text


def hypothesis(result: Result) -> str:
    """What was tested, in words."""
    return quantifier_of(result.claim.kind).hypothesis(result.claim.kind)


def table(tally: Tally, out_of_scope: Mapping[str, str]) -> list[dict[str, Any]]:
    """One row per cell: name, verdict, trials, successes, bounds, why."""

    def row(cell: str, verdict: str, why: str, stratum: Stratum, bounds: tuple[float, float]) -> dict[str, Any]:
        return {
            "cell": cell,
            "verdict": verdict,
            "trials": stratum.trials,
            "successes": stratum.successes,
            "at_least": bounds[0],
            "at_most": bounds[1],
            "pressed_configurations": len(stratum.pressed),
            "why": why,
        }

    rows = []
    for cell, stratum in tally.strata.items():
        verdict = "NOT_EXAMINED" if stratum.skipped and not stratum.outside else tally.verdict_of(cell).value
        rows.append(row(named(cell), verdict, stratum.skipped, stratum, tally.bounds(cell)))
    outside = Verdict.OUT_OF_SCOPE.value
    return rows + [row(cell, outside, why, Stratum(), (0.0, 1.0)) for cell, why in out_of_scope.items()]


def promised_table(tally: Tally) -> list[dict[str, Any]]:
    """The rows of a theorem's own region, from the trials that happened to lie in it."""
    rows = table(tally, {})
    for row in rows:
        if not row["trials"] and not row["why"]:
            row["verdict"], row["why"] = Verdict.OUT_OF_SCOPE.value, "no problem drawn here lay inside"
    return rows


def folded(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows with something to show, and a line for every reason why others have nothing."""
    shown: list[dict[str, Any]] = []
    rest: dict[str, list[str]] = {}
    for row in rows:
        if row["verdict"] == Verdict.OUT_OF_SCOPE.value:
            rest.setdefault(f"OUT OF SCOPE ({row['why']})", []).append(row["cell"])
        elif not row["trials"] and not row["why"]:
            rest.setdefault("not tried before the verdict fell", []).append(row["cell"])
        else:
            shown.append(row)
    return shown, [
        f"{why}: {'; '.join(cells) if len(cells) <= 3 else f'{len(cells)} cells'}" for why, cells in rest.items()
    ]
