"""How often a verdict, a bound or q is wrong, about solvers that were made to make them wrong.

    python -m property_tests.benchmarks.verdict_frequencies --runs 2000

Every adversary is a law of the success probability p of a configuration, one for each cell. What is promised of it is
counted at α = β = .05, because 1e-6 could not be:

- *refuted*, where the claim is kept; at most α;
- *confirmed*, where the average of some cell is at most p₁; at most β;
- *q*: what a verdict prints as the share below which dead configurations stay is not above theirs; at most β;
- *lower*: the lower bound of the worst cell is above its average; at most β;
- *overall*: that of the mean over the cells is above it; at most β;
- *upper*: of a refuted claim, the upper bound is below the smallest probability there is; at most α.

The engine runs without Hypothesis (`property_tests.examine.synthetic.Simulated`). The last column is the exact one-sided
binomial test that a rate is at most 5 %; below 1 % something is wrong, and the exit code is 1. The table is Markdown.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import binom

from property_tests.examine.claim import Always, AtLeast, Kind, OnAverage, Quantifier, Verdict, quantifier_of
from property_tests.examine.engine import Budget
from property_tests.examine.synthetic import Law, Simulated
from property_tests.examine.tally import BASE

#: Error rate promised, for either side.
RATE = 0.05
BUDGET = Budget(name="frequencies", explore=0, least=0, most=400, shrink=0, confirm=0)


@dataclass(frozen=True)
class Cell:
    """A law of p with its mean, its smallest value and the share of dead configurations."""

    law: Law
    mean: float
    least: float
    dead: float = 0.0


def point(p: float) -> Cell:
    return Cell(lambda rng: p, p, p)


def mixture(share: float, p: float, rest: float) -> Cell:
    """A share of the configurations succeeds with p, the others with ``rest``."""
    return Cell(
        lambda rng: p if rng.random() < share else rest,
        share * p + (1 - share) * rest,
        min(p, rest),
        share if p == 0 else 0.0,
    )


def uniform(low: float, high: float) -> Cell:
    return Cell(lambda rng: rng.uniform(low, high), (low + high) / 2, low)


def adversaries() -> list[tuple[str, Kind, list[Cell]]]:
    """Name, kind and cells."""
    every, sharp, average = AtLeast(0.95, 0.80), AtLeast(0.99, 0.95), OnAverage(0.95, 0.80)
    found: list[tuple[str, Kind, list[Cell]]] = []
    for kind, name in ((every, "every"), (sharp, "every, .99/.95"), (average, "average")):
        found += [(f"{name}: p = p₀", kind, [point(kind.p0)]), (f"{name}: p = p₁", kind, [point(kind.p1)])]
    found += [
        (f"{name}: {n} cells at p₀", k, n * [point(0.95)])
        for k, name in ((every, "every"), (average, "average"))
        for n in (3, 16)
    ]
    for kind, name in ((every, "every"), (average, "average")):
        found += [(f"{name}: one of {n} cells at p₁", kind, [*(n - 1) * [point(1.0)], point(0.8)]) for n in (3, 16)]
    found += [(f"every: {100 * s:g} % dead", every, [mixture(s, 0.0, 1.0)]) for s in (0.01, 0.02, 0.03, 0.05)]
    found += [(f"every: {100 * s:g} % dead, others at .95", every, [mixture(s, 0.0, 0.95)]) for s in (0.02, 0.05)]
    found += [
        (f"every: {100 * s:g} % dead in one of {n} cells", every, [*(n - 1) * [point(1.0)], mixture(s, 0.0, 1.0)])
        for s, n in ((0.05, 3), (0.05, 16), (0.3, 16))
    ]
    found += [
        ("average: 5 % dead", average, [mixture(0.05, 0.0, 1.0)]),
        ("average: 20 % dead", average, [mixture(0.2, 0.0, 1.0)]),
        ("average: 25 % dead in one of 16 cells", average, [*15 * [point(1.0)], mixture(0.25, 0.0, 1.0)]),
    ]
    found += [
        (f"{name}: uniform on {low:g}–{high:g}", kind, [uniform(low, high)])
        for kind, name, low, high in (
            (every, "every", 0.95, 1.0),
            (every, "every", 0.6, 1.0),
            (average, "average", 0.9, 1.0),
            (average, "average", 0.6, 1.0),
        )
    ]
    found += [
        ("every: half at .96, half at .80", every, [mixture(0.5, 0.96, 0.8)]),
        ("every: half at .95, half at .78", every, [mixture(0.5, 0.95, 0.78)]),
        ("every: half at .95, half at .65", every, [mixture(0.5, 0.95, 0.65)]),
        ("average: half at .95, half at .65", average, [mixture(0.5, 0.95, 0.65)]),
        ("average: half at 1, half at .9", average, [mixture(0.5, 1.0, 0.9)]),
    ]
    found += [(f"always: broken in {100 * s:g} %", Always(0.9), [point(1 - s)]) for s in (0.01, 0.1)]
    found += [("always: broken in 10 % of one of 16 cells", Always(0.9), [*15 * [point(1.0)], point(0.9)])]
    return found


def count(
    kind: Kind, cells: Sequence[Cell], runs: int, rng: np.random.Generator, budget: Budget = BUDGET
) -> tuple[Counter[str], Counter[str]]:
    """Verdicts, and how often each promise was broken; a promise that cannot be broken does not occur."""
    verdicts: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    quantifier = quantifier_of(kind)
    means = [c.mean for c in cells]
    least = min(c.least for c in cells) if quantifier is Quantifier.EVERY else min(means)
    for _ in range(runs):
        laws = {str(i) if i else BASE: c.law for i, c in enumerate(cells)}
        run = Simulated(kind, laws, budget, rng, alpha=RATE, beta=RATE)
        run.decide()
        tally, verdict = run.tally, run.tally.verdict
        verdicts[verdict.value] += 1
        if least >= kind.p0:
            wrong["refuted"] += verdict is Verdict.REFUTED
        if min(means) <= kind.p1:
            wrong["confirmed"] += verdict is Verdict.CONFIRMED
        if quantifier is not Quantifier.ALWAYS:
            wrong["lower"] += tally.bounds(tally.worst)[0] > min(means)
            if len(cells) > 1:
                wrong["overall"] += tally.overall[0] > float(np.mean(means))
            wrong["upper"] += verdict is Verdict.REFUTED and tally.highest < least
        pools = [s.pool.trials for s in tally.strata.values()]
        shares = [c.dead if quantifier is Quantifier.EVERY else 1 - c.mean for c in cells]
        if any(shares) and quantifier is not Quantifier.AVERAGE:
            printed = verdict is not Verdict.REFUTED
            wrong["q"] += printed and tally.unseen <= float(np.average(shares, weights=pools))
    return verdicts, wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--only", default="", help="adversaries whose name contains this")
    parser.add_argument("--least", type=int, default=0, help="trials before CONFIRMED; q is small only after many")
    asked = parser.parse_args(arguments)
    budget = replace(BUDGET, least=asked.least)
    print("| claim: solver | confirmed | refuted | inconclusive | promises broken | least P |", flush=True)
    print("|---|---|---|---|---|---|")
    ok = True
    for i, (name, kind, cells) in enumerate(adversaries()):
        if asked.only not in name:
            continue
        verdicts, wrong = count(kind, cells, asked.runs, np.random.default_rng([11, i]), budget)
        p = min((float(binom.sf(n - 1, asked.runs, RATE)) for n in wrong.values()), default=1.0)
        ok = ok and p >= 0.01
        broken = ", ".join(f"{what} {n}" for what, n in wrong.items())
        words = [str(verdicts[v.value]) for v in (Verdict.CONFIRMED, Verdict.REFUTED, Verdict.INCONCLUSIVE)]
        print(f"| {name} | {' | '.join(words)} | {broken} | {p:.2g} |", flush=True)
    return 0 if ok else 1


if __name__ == "__main__":
    raise SystemExit(main())
