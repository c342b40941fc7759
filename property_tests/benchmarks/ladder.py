"""What a solver recovers in the cells of the ladder of `property_tests.families.low_rank_sparse.ladder`, by cell and by corner.

    python -m property_tests.benchmarks.ladder --draws 200
    python -m property_tests.benchmarks.ladder --budget standard --cell 'd 160-200' --draws 60
    python -m property_tests.benchmarks.ladder --cell 'd 100-140, r 4-5' --draws 12 --replicates 40    # press every one
    python -m property_tests.benchmarks.ladder --solver amht-paper --region paper

One line a cell: the smallest m/d that was drawn, how many problems were recovered, how many configurations failed more than once, the seconds of
a call (in this process) and of drawing its data. Then one line a corner, and the failures.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence

from lrs.core.family import LOW_RANK_SPARSE, Success, load_family
from lrs.core.inline import Inline
from lrs.core.run import Limits, Subject
from lrs.core.trial import Outcome, trial
from property_tests.examine import search
from property_tests.examine.configuration import Configuration
from property_tests.families.low_rank_sparse.ladder import ladder
from property_tests.families.low_rank_sparse.strategies import CORNERS, PRACTICAL, SampleRegion, region_named


def corner_of(region: SampleRegion, c: Configuration) -> str:
    """The corner a configuration was drawn from: the one whose fields it has."""
    s = c.spec
    for name, corner in reversed(CORNERS.items()):
        fields = corner(region, s.t, s.d, s.r, s.k)
        if fields and all(getattr(s, n) == v for n, v in fields.items()):
            return name
    return "plain"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--solver", default="amht")
    parser.add_argument("--region", default=PRACTICAL.name)
    parser.add_argument("--budget", default="quick")
    parser.add_argument("--cell", default="", help="only cells whose name begins like this")
    parser.add_argument("--draws", type=int, default=60, help="configurations of every cell")
    parser.add_argument("--replicates", type=int, default=1, help="data sets of every configuration")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(arguments)
    region, solver = region_named(asked.region), Subject.of(asked.solver)
    family, executor = load_family(LOW_RANK_SPARSE), Inline(Limits(seconds=60.0))
    success = Success().of(family)
    corners: Counter[tuple[str, bool]] = Counter()
    failures: list[tuple[Configuration, Outcome]] = []
    print(
        "| cell | least m/d | recovered | failed twice | s a call, median (most) | s to draw |\n|---|---|---|---|---|---|"
    )
    for cell in ladder(region, asked.budget):
        if not cell.name.startswith(asked.cell):
            continue
        if cell.configurations is None:
            print(f"| {cell.name} | out of scope: {cell.why} | | | | |", flush=True)
            continue
        drawn = search.propose(cell.configurations, asked.draws, search.seed_of("ladder", str(asked.seed)))
        done: list[tuple[Configuration, Outcome]] = []
        for i, c in enumerate(drawn):
            for j in range(asked.replicates):
                key = c.seed("ladder", i + asked.draws * j)
                done.append((c, trial(family, c.spec, key, solver, success, executor)))
                corners[corner_of(region, c), done[-1][1].recovered] += 1
        failed = [(c, o) for c, o in done if not o.recovered]
        failures += failed
        repeatedly = sum(n > 1 for n in Counter(c.text for c, _ in failed).values())
        seconds = sorted(o.seconds for _, o in done)
        print(
            f"| {cell.name} | {min(c.spec.m / c.spec.d for c in drawn):.2f} | {len(done) - len(failed)} of {len(done)} "
            f"| {repeatedly} | {seconds[len(seconds) // 2]:.2f} ({seconds[-1]:.2f}) "
            f"| {sum(o.draw_seconds for _, o in done) / len(done):.2f} |",
            flush=True,
        )
    print("\n| corner | recovered |\n|---|---|")
    for name in CORNERS:
        good, bad = corners[name, True], corners[name, False]
        print(f"| {name} | {good} of {good + bad} |")
    for c, o in failures:
        print(f"failed: {c}: {o.ended}, {dict(o.errors)}")


if __name__ == "__main__":
    main()
