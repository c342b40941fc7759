"""How often the engine says what, on solvers that succeed with exactly p₀ and exactly p₁.

    python -m property_tests.benchmarks.verdict_frequencies --runs 400

At p₀ a refutation is wrong (at most a share α of the runs), at p₁ a confirmation (at most β). The rates are set to 5 %
here: 1e-6 could not be counted. The table printed is Markdown; its last column is the 99 % upper bound on the share of
wrong verdicts (Clopper–Pearson).
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence

from scipy.stats import beta as beta_law

from property_tests.examine.claim import AtLeast, Verdict
from property_tests.examine.engine import Budget, examine
from property_tests.examine.synthetic import NoSolver, bernoulli

#: Error rate promised, for either side.
RATE = 0.05
KINDS = {"P ≥ .95 or ≤ .80": AtLeast(0.95, 0.80), "P ≥ .99 or ≤ .95": AtLeast(0.99, 0.95)}


def frequencies(kind: AtLeast, probability: float, runs: int, most: int) -> Counter[Verdict]:
    """Verdicts of ``runs`` runs of the whole engine, each with another seed of the suite."""
    budget = Budget(name="frequencies", explore=3, least=0, most=most, shrink=1, confirm=1)
    claim = bernoulli(probability, kind)
    found: Counter[Verdict] = Counter()
    for seed in range(runs):
        (result,) = examine(NoSolver(), [claim], budget=budget, alpha=RATE, beta=RATE, seed=seed)
        found[result.verdict] += 1
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--most", type=int, default=400, help="counted trials of a run; `quick` has 400")
    asked = parser.parse_args(arguments)
    print("| claim | P of the solver | confirmed | refuted | inconclusive | of | wrong at most |", flush=True)
    print("|---|---|---|---|---|---|---|")
    for name, kind in KINDS.items():
        for probability, wrong in ((kind.p0, Verdict.REFUTED), (kind.p1, Verdict.CONFIRMED)):
            found = frequencies(kind, probability, asked.runs, asked.most)
            counts = [found[v] for v in (Verdict.CONFIRMED, Verdict.REFUTED, Verdict.INCONCLUSIVE)]
            bound = float(beta_law.ppf(0.99, found[wrong] + 1, asked.runs - found[wrong]))
            cells = [name, f"{probability:g}", *map(str, counts), str(asked.runs), f"{100 * bound:.1f} %"]
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
