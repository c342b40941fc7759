"""False alarms of the reference: the whole suite again and again, each time with another seed.

    python -m property_tests.benchmarks.false_alarms --seeds 0:20

Another seed of the suite draws other configurations and other data. The table printed is Markdown. Exits with 1 when
any run refutes a claim, with 3 when one leaves a claim open.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from property_tests.examine.claim import Verdict
from property_tests.verify import check_solver, exit_code

SHOWN = (Verdict.CONFIRMED, Verdict.REFUTED, Verdict.INCONCLUSIVE, Verdict.BLOCKED, Verdict.NOT_APPLICABLE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one row per seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--solver", default="amht")
    parser.add_argument("--budget", default="quick")
    parser.add_argument("--seeds", default="0:20", metavar="FIRST:END")
    asked = parser.parse_args(arguments)
    first, end = (int(part) for part in asked.seeds.split(":"))
    names = [v.value.lower().replace("_", " ") for v in SHOWN]
    print(
        f"| seed | exit code | {' | '.join(names)} | counted trials | seconds |\n|{'---|' * (len(SHOWN) + 4)}",
        flush=True,
    )
    reports = []
    for seed in range(first, end):
        report = check_solver(asked.solver, budget=asked.budget, seed=seed)
        reports.append(report)
        trials = sum(r.tally.trials for r in report.results if r.tally is not None)
        counts = " | ".join(str(report.counts[v]) for v in SHOWN)
        print(f"| {seed} | {report.exit_code} | {counts} | {trials} | {report.seconds:.0f} |", flush=True)
        for r in report.results:
            if r.verdict in (Verdict.REFUTED, Verdict.INCONCLUSIVE):
                witness = "" if r.witness is None else f" on {r.witness.trial.configuration}"
                print(f"  {r.verdict.value} {r.claim.name}: {r.why}{witness}", flush=True)
    return exit_code(reports)


if __name__ == "__main__":
    sys.exit(main())
