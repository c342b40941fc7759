"""How far a region of `property_tests.families.low_rank_sparse.strategies` could be widened: claims on its shell with one limit moved.

    python -m property_tests.benchmarks.region_limits
    python -m property_tests.benchmarks.region_limits --solver property_tests.families.low_rank_sparse.textbook:Textbook --limit zeta_0
    python -m property_tests.benchmarks.region_limits --solver amht-paper --claims 'recovery/exact,thresholds/*' \
        --limit C_rows --value 8 --with C_tasks=20 --corner plain --corner signs
    python -m property_tests.benchmarks.region_limits --claims 'recovery/exact,rate/envelope' --limit repeated_0 \
        --draws 36 --replicates 100

Every row moves one limit of the solver's region and tries the corner that lies at this limit, with the smallest number
of rows that the region allows. One replicate of each of many configurations shows how often the pool fails; many
replicates show whether one configuration fails so often that pressing it refutes the claim. The table printed is
Markdown.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from lrs.core.run import Limits, Subject
from property_tests.examine import search
from property_tests.examine.bench import Bench, Trial, default_jobs
from property_tests.examine.claim import Claim, claims
from property_tests.families.low_rank_sparse import strategies
from property_tests.families.low_rank_sparse.strategies import CORNERS, SampleRegion

#: Constant of the region → the corner that lies at it, and the values tried by default (the first is the laxest).
TRIED: dict[str, tuple[str, tuple[float, ...]]] = {
    "C_rows": ("plain", (1.25, 1.5, 1.75, 2.0)),
    "zeta_0": ("clustered supports", (0.95, 0.8, 0.65, 0.5)),
    "kappa_0": ("condition at its limit", (1000.0, 100.0, 10.0)),
    "w_spread_0": ("spiky weights", (2.0, 1.5, 1.0, 0.5)),
    "row_0": ("rows at the incoherence limit", (0.7, 0.6, 0.5, 0.3)),
    "repeated_0": ("repeated tasks", (0.75, 0.5, 0.25)),
    "b_most": ("large b", (1000.0, 100.0, 10.0)),
    "C_dimension": ("plain", (3.0, 4.0, 6.0)),
    "C_tasks": ("plain", (3.0, 5.0, 10.0)),
}


def failures(
    bench: Bench, asked: Sequence[Claim], region: SampleRegion, corner: str, draws: int, replicates: int, seed: int
) -> tuple[dict[str, list[Trial]], float]:
    """Per claim, the trials on the shell that break it; and the slowest first answer in seconds."""
    strategy = strategies.shell(region, corners=(corner,))
    drawn = search.propose(strategy, draws, search.seed_of("region limits", str(seed)))
    trials = [("region limits", c, len(drawn) * j + i) for i, c in enumerate(drawn) for j in range(replicates)]
    slowest = 0.0
    missed: dict[str, list[Trial]] = {}
    for claim in asked:  # the claims share the answers
        done = bench.trials(claim, region, trials)
        slowest = max(slowest, *(t.seconds for t in done))
        missed[claim.name] = [t for t in done if t.failed]
    return missed, slowest


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--solver", default="amht")
    parser.add_argument("--theorem", help="the region of this theorem instead of the solver's")
    parser.add_argument("--claims", default="recovery/exact")
    parser.add_argument("--limit", action="append", choices=sorted(TRIED), help="repeatable; default: all")
    parser.add_argument("--value", action="append", type=float, help="instead of the default values; repeatable")
    parser.add_argument("--corner", action="append", choices=sorted(CORNERS), help="instead of the limit's; repeatable")
    parser.add_argument(
        "--with",
        dest="moved",
        action="append",
        default=[],
        metavar="LIMIT=VALUE",
        help="moved in every row (also largest=…); repeatable",
    )
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--replicates", type=int, default=1, help="of every configuration drawn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=0, help="print this many failures of every row")
    asked = parser.parse_args(arguments)
    moved = {name: float(value) for name, value in (m.split("=") for m in asked.moved)}
    largest = moved.pop("largest", None)
    print("| limit | value | corner | claim | missed | of | worst configuration | slowest, s |", flush=True)
    print("|---|---|---|---|---|---|---|---|", flush=True)
    with Bench(Subject.of(asked.solver), Limits(seconds=60.0), default_jobs()) as bench:
        start = strategies.region_for(bench, asked.theorem)
        assert isinstance(start, SampleRegion)
        start = start.with_constants(**moved)
        if largest is not None:
            start = replace(start, largest=int(largest))
        for limit in asked.limit or TRIED:
            usual, values = TRIED[limit]
            for value in asked.value or values:
                region = start.with_constants(**{limit: value})
                for corner in asked.corner or (usual,):
                    found, slowest = failures(
                        bench, claims(asked.claims), region, corner, asked.draws, asked.replicates, asked.seed
                    )
                    for name, missed in found.items():
                        worst = max(Counter(t.configuration.text for t in missed).values(), default=0)
                        print(
                            f"| {limit} | {value:g} | {corner} | {name} | {len(missed)} | {asked.draws * asked.replicates} "
                            f"| {worst} of {asked.replicates} | {slowest:.2f} |",
                            flush=True,
                        )
                        for t in missed[: asked.show]:
                            print(f"  {t.configuration}: {t.outcome.note}")


if __name__ == "__main__":
    main()
