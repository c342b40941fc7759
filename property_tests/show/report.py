"""The page a person reads: one self-contained HTML file, the sentence first."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from html import escape
from io import StringIO
from pathlib import Path
from typing import Any

from lrs.core.errors import InvalidInput
from lrs.core.page import GREY, ON_EITHER, filtered, fold, page
from property_tests.examine import statement
from property_tests.examine.bench import Trial
from property_tests.examine.claim import Kind, Verdict
from property_tests.examine.engine import Result
from property_tests.verify import Report, document, environment
from theory.statistics import rates

_SIGN = {
    Verdict.CONFIRMED: "✓",
    Verdict.REFUTED: "✗",
    Verdict.INCONCLUSIVE: "?",
    Verdict.NOT_APPLICABLE: "–",
    Verdict.BLOCKED: "⊘",
    Verdict.OUT_OF_SCOPE: "○",
}


# ---------------------------------------------------------------------------------------------- pictures
def draw_traces(trials: Sequence[Trial], kind: Kind | None, title: str) -> str:
    """Error traces on a logarithmic axis as inline SVG, the envelope that the kind of the claim names dashed."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    # Text stays text and ids stay the same from run to run.
    with matplotlib.rc_context({"svg.hashsalt": "lrs", "font.size": 11, **ON_EITHER}):
        figure = Figure(figsize=(6.4, 3.4), layout="constrained")
        axes = figure.add_subplot()
        longest = 1
        for t in trials:
            curve = [v for v in t.outcome.curve if math.isfinite(v)]
            longest = max(longest, len(curve))
            colour, label = ("#d1453b", "failed") if t.failed else ("#2f7fd1", "kept")
            axes.plot(range(len(curve)), [max(v, 1e-18) for v in curve], color=colour, marker=".", lw=1.4, label=label)
        envelope = getattr(kind, "envelope", None)
        if kind is not None and envelope is not None and trials:
            start = next((v for v in trials[0].outcome.curve if math.isfinite(v) and v > 0), 1.0)
            bound = [max(envelope(start, i), 1e-18) for i in range(longest)]
            axes.plot(
                range(longest),
                bound,
                "--",
                color=GREY,
                lw=1.2,
                label=f"claimed: {kind.sentence.partition(',')[0]}",
            )
        axes.set_yscale("log")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="outer step t", ylabel="error", title=title)
        handles, labels = axes.get_legend_handles_labels()
        unique = dict(zip(labels, handles, strict=True))
        axes.legend(unique.values(), unique.keys(), frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(True, axis="y", lw=0.4, color=GREY, alpha=0.4)
        stream = StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    return text[text.index("<svg") :]


def _certificate(trial: Trial) -> str:
    """What the trace shows about a geometric rate, in words; nothing about one that is too short or does not fall."""
    curve = [v for v in trial.outcome.curve if math.isfinite(v)]
    if len(curve) < 4 or min(curve) < 0:
        return ""
    try:
        return rates.certify(curve).sentence
    except InvalidInput:
        return ""


# ---------------------------------------------------------------------------------------------- parts
def _figure(value: float | None) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.3g}".replace("-", "−")


def _pairs(items: Iterable[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{escape(a)}</dt><dd>{escape(b)}</dd>" for a, b in items) + "</dl>"


def _evidence(report: Report, r: Result) -> str:
    """The e-values as a share of their thresholds, on the logarithmic scale."""
    if r.tally is None or not r.ran:
        return ""
    sides = {
        Verdict.CONFIRMED: ("for", r.tally.log_e_confirm, -math.log(r.tally.beta)),
        Verdict.REFUTED: ("against", max(r.tally.log_e_refute, r.tally.best_refute), -math.log(r.tally.alpha)),
    }
    out = []
    for verdict, (name, value, threshold) in sides.items():
        if r.verdict in sides and verdict is not r.verdict:
            continue  # once decided, the other side is no news
        share = min(1.0, max(0.0, value / threshold)) if not math.isnan(value) else 0.0
        power = f"{value / math.log(10):.1f}".replace("-", "−")
        size = "∞" if value == math.inf else "0" if value == -math.inf else f"10<sup>{power}</sup>"
        out.append(
            f'<span class="bar {r.verdict.value}" role="img" aria-label="{share:.0%} of the threshold"><i style="width:{share:.0%}">'
            f'</i></span><span class="dim n">{name}: {size} of {math.exp(threshold):.0e}</span>'.replace("e+0", "e")
        )
    return "".join(out)


def _trials(r: Result) -> str:
    if r.tally is None or not r.ran:
        return ""
    failures = r.tally.trials - r.tally.successes
    text = f"{r.tally.trials} trials, {failures} failed" if failures else f"{r.tally.trials} trials, none failed"
    if r.resumed:
        text += f" ({r.resumed} from the ledger)"
    if r.outdated:
        text += f"; {r.outdated} in the ledger are about older code, not counted"
    if r.outside:
        text += f"; {r.outside} outside the region, not counted"
    return text


def _row(report: Report, r: Result) -> str:
    expected = report.expectation(r)
    why = f'<br><span class="dim">{escape(r.why)}</span>' if r.why else ""
    if found := statement.numbers(r):
        why += f"<br><strong>{escape(found[0].upper() + found[1:])}</strong>"
    if where := statement.examined(r):
        why += f'<br><span class="dim">examined: {escape(where)}</span>'
    if r.cause:
        why += f'<br><span class="dim">broken by the counterexample to {escape(r.cause)}</span>'
    if expected is not None:
        why += f'<br><span class="dim">expected: {escape(expected.reason)}</span>'
    return (
        f'<tr><td><span class="v {r.verdict.value}">{_SIGN[r.verdict]} {r.verdict.value.replace("_", " ")}</span></td>'
        f"<td><code>{escape(r.claim.name)}</code><br>{escape(r.claim.statement)} <span class=dim>({escape(r.claim.kind.sentence)})"
        f"</span>{why}</td><td>{_trials(r)}</td><td>{_evidence(report, r)}</td></tr>"
    )


def _table(report: Report) -> str:
    shown = [r for r in report.in_order() if r.ran]
    rows = "".join(_row(report, r) for r in shown)
    name = f"claims of {report.solver}"
    return filtered(
        f'<table class="claims sort" id="{escape(name)}"><thead><tr><th>verdict<th>claim<th>trials<th>evidence (of its threshold)'
        f"</thead><tbody>{rows}</tbody></table>",
        escape(name),
        "only claims with these words",
    )


def _cells(report: Report) -> str:
    """The ladder of the headline claim, the measured region's table and the theorem's, which are never mixed."""
    r = report.headline
    if r is None:
        return ""
    out = [f"<h2>Where: <code>{escape(r.claim.name)}</code></h2>"]
    for title, rows in report.tables:
        shown, rest = statement.folded(rows)
        out.append(f"<h3>{escape(title)}</h3>")
        if shown:
            head = "<thead><tr><th>cell<th>verdict<th>kept<th>probability at least</thead>"
            out.append(f'<div class="scroll"><table class="claims sort">{head}<tbody>')
        for row in shown:
            verdict = str(row["verdict"])
            sign = _SIGN.get(Verdict(verdict), "") if verdict in Verdict.__members__ else "○"
            low = statement.figure(row["at_least"]) if row["trials"] else escape(row["why"])
            out.append(
                f'<tr><td class="n">{escape(row["cell"])}</td><td><span class="v {verdict}">{sign} {verdict.replace("_", " ")}</span></td>'
                f'<td class="n">{row["successes"]} of {row["trials"]}</td><td class="n">{low}</td></tr>'
            )
        if shown:
            out.append("</tbody></table></div>")
        out += [f'<p class="dim">{escape(line)}</p>' for line in rest]
    out += [f"<p>Region of {escape(n)}: NOT CERTIFIED, {escape(why)}</p>" for n, why in report.uncertified.items()]
    return "".join(out)


def _witness(report: Report, r: Result) -> str:
    assert r.witness is not None
    t = r.witness.trial
    pairs = [("configuration", str(t.configuration))]
    if len(others := report.causes.get(r.claim.name, [])) > 1:
        pairs.append(("breaks also", ", ".join(others[1:])))
    if r.witness.repeats:
        pairs.append(("on fresh data", f"fails in {r.witness.failures} of {r.witness.repeats} trials"))
    if math.isfinite(t.depth.margin):
        pairs.append(("inside the region", f"margin {_figure(t.depth.margin)}, binding: {t.depth.binding}"))
    pairs += [
        (f"· {name}", f"margin {_figure(value)}")
        for name, value in sorted(t.depth.parts.items(), key=lambda i: i[1])[:8]
    ]
    pairs += [(name, _figure(float(value))) for name, value in t.outcome.values.items()]
    if math.isfinite(t.outcome.margin):
        pairs.append(("margin of the claim", _figure(t.outcome.margin)))
    picture = ""
    if t.outcome.curve:
        caption = escape(_certificate(t))
        picture = f"<figure>{draw_traces([t], r.claim.kind, 'error trace of the witness')}<figcaption>{caption}</figcaption></figure>"
    return (
        f'<section class="card"><h3><code>{escape(r.claim.name)}</code></h3><p>{escape(r.claim.statement)}</p>'
        f"<p><strong>{escape(t.outcome.note or r.why)}</strong></p>{_pairs(pairs)}{picture}"
        f"<p>Run this very trial again:</p><pre>{escape(report.replay_command(t))}</pre>"
        f'<p class="dim">Source of the claim: {escape(r.claim.cite)}</p></section>'
    )


def _curves(report: Report) -> str:
    out = []
    for r in report.results:
        drawn = [t for t in r.examples if t.outcome.curve and not t.failed][:3]
        if r.verdict is not Verdict.CONFIRMED or not drawn:
            continue
        caption = escape(f"{drawn[0].configuration}. {_certificate(drawn[0])}")
        out.append(
            f"<figure>{draw_traces(drawn, r.claim.kind, r.claim.name)}<figcaption>First trace: {caption}</figcaption></figure>"
        )
    return f'<h2>Traces</h2><div class="row">{"".join(out)}</div>' if out else ""


def _inventory(report: Report) -> str:
    n = report.counts
    pairs = [
        ("collected", f"{len(report.results)} claims"),
        ("applicable", str(report.applicable)),
        (
            "run",
            f"{report.ran}: {n[Verdict.CONFIRMED]} confirmed, {n[Verdict.REFUTED]} refuted, {n[Verdict.INCONCLUSIVE]} inconclusive",
        ),
    ]
    out = [_pairs(pairs)]
    rest = [r for r in report.results if not r.ran]
    if rest:
        out.append('<table class="claims"><thead><tr><th>not run<th>claim<th>why</thead><tbody>')
        out += [
            f'<tr><td><span class="v {r.verdict.value}">{_SIGN[r.verdict]} {r.verdict.value.replace("_", " ")}</span></td>'
            f"<td><code>{escape(r.claim.name)}</code></td><td>{escape(r.why)}</td></tr>"
            for r in rest
        ]
        out.append("</tbody></table>")
    if report.faults:
        out.append("<h3>Noticed in the calls</h3><ul>")
        out += [
            f"<li>The solver {escape(f.value)}: {times} time{'s' * (times != 1)}, first: {escape(detail) or 'no detail'}</li>"
            for f, (times, detail) in report.faults.items()
        ]
        out.append("</ul>")
    return "".join(out)


def _run(report: Report) -> str:
    calls = sum(r.calls for r in report.results)
    pairs = [
        ("budget", f"{report.budget.name}; suite seed {report.seed}"),
        ("error rates", report.rates),
        ("region", f"{report.region}: {report.region_label}" if report.region_label else report.region),
        ("theorem", report.theorem or "all"),
        ("family", report.family.title),
        ("recovered", report.criterion),
        ("time", f"{report.seconds:.1f} s on {report.jobs} process{'es' * (report.jobs != 1)}, {calls} solver calls"),
        ("limits of a call", f"{report.budget.limits.seconds:g} s, {report.budget.limits.iterations} outer steps"),
        ("solver hash", report.solver_hash[:16] or "not loaded"),
        ("nonce", f"{report.nonce} (--nonce repeats the run)" if report.nonce else "none: keyed by the seed alone"),
        ("ledger", report.ledger or "none"),
    ]
    return _pairs(pairs)


def _solver(report: Report, heading: bool) -> str:
    refuted = [r for r in report.with_verdict(Verdict.REFUTED) if r.witness is not None and not r.cause]
    witnesses = f"<h2>Counterexamples</h2>{''.join(_witness(report, r) for r in refuted)}" if refuted else ""
    return (
        (
            f"<h1>{escape(report.sentence)}</h1>"
            if heading
            else f'<h2 id="{escape(report.solver)}">{escape(report.sentence)}</h2>'
        )
        + "".join(f"<p>{escape(text)}</p>" for text in (report.range,) if text)
        + _cells(report)
        + "<h2>Claims</h2>"
        + _table(report)
        + witnesses
        + _curves(report)
        + "<h2>Inventory</h2>"
        + _inventory(report)
        + "<h2>This run</h2>"
        + fold("budget, error rates, region, nonce", _run(report))
    )


def matrix(reports: Sequence[Report]) -> tuple[list[str], list[tuple[str, list[Verdict | None]]]]:
    """Claims, and for every solver its verdict on each (None where it was not part of the run)."""
    names = list(dict.fromkeys(r.claim.name for report in reports for r in report.results))
    rows = []
    for report in reports:
        found = {r.claim.name: r.verdict for r in report.results}
        rows.append((report.solver, [found.get(n) for n in names]))
    return names, rows


def _matrix_table(reports: Sequence[Report]) -> str:
    names, rows = matrix(reports)
    head = "".join(f"<th>{escape(solver)}" for solver, _ in rows)
    body = "".join(
        f"<tr><th><code>{escape(name)}</code>"
        + "".join(
            f'<td class="v {v.value}" title="{v.value}">{_SIGN[v]}' if (v := verdicts[i]) is not None else "<td>"
            for _, verdicts in rows
        )
        for i, name in enumerate(names)
    )
    return f'<div class="scroll"><table class="matrix"><thead><tr><th>{head}</thead><tbody>{body}</tbody></table></div>'


# ---------------------------------------------------------------------------------------------- the page
def html(reports: Sequence[Report]) -> str:
    """The whole page.

    Parameters
    ----------
    reports : sequence of Report
        One per solver, at least one.
    """
    title = reports[0].sentence if len(reports) == 1 else f"{len(reports)} solvers checked"
    if len(reports) == 1:
        body = _solver(reports[0], heading=True)
    else:
        sentences = "".join(f'<li><a href="#{escape(r.solver)}">{escape(r.sentence)}</a></li>' for r in reports)
        body = f"<h1>{escape(title)}</h1><ul>{sentences}</ul>{_matrix_table(reports)}"
        body += "".join(_solver(r, heading=False) for r in reports)
    meanings = _pairs([(f"{_SIGN[v]} {v.value.replace('_', ' ')}", v.sentence) for v in Verdict])
    e = environment()
    where = _pairs(
        [
            ("python", f"{e['python']} on {e['platform']}"),
            ("packages", ", ".join(f"{n} {v}" for n, v in e["packages"].items())),
            ("time", e["time"]),
            ("command", document(reports)["command"]),
        ]
    )
    body += f"<h2>The words</h2>{fold('what a verdict says', meanings)}"
    body += (
        '<p class="dim">α bounds the probability of any false REFUTED of the run, β that of any false CONFIRMED; both hold '
        "however often the evidence is looked at. Evidence is an e-value: the factor by which a bet against the opposite "
        f"has grown.</p><h2>Environment</h2>{fold('versions, time, command', where)}"
    )
    return page(title, body)


def write(reports: Sequence[Report], folder: str | Path) -> Path:
    """Write report.html and verdicts.json into ``folder`` (made when missing; earlier ones are replaced).

    Returns
    -------
    Path
        Of report.html.
    """
    folder = prepare(folder)
    file = folder / "report.html"
    file.write_text(html(reports), encoding="utf-8")
    write_json(document(reports), folder)
    return file


def write_json(verdicts: dict[str, Any], folder: Path) -> None:
    """Write verdicts.json."""
    text = json.dumps(_finite(verdicts), indent=2, ensure_ascii=False, allow_nan=False)
    (folder / "verdicts.json").write_text(text + "\n", encoding="utf-8")


def prepare(folder: str | Path) -> Path:
    """The output folder, made when missing; refused before a long run rather than after it."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"out: {folder} cannot be made ({error.strerror or error}); name a folder") from None
    return folder


def _finite(value: Any) -> Any:
    """NaN and infinities, which JSON does not have, as null."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_finite(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
