"""Whether `lrs plan` asks for enough rows, and not for too many, at sizes drawn at random.

    python -m property_tests.benchmarks.plans --seed 1
    python -m property_tests.benchmarks.plans --seed 2 --sizes 10 --most-tasks 500 --solver amht

Sizes have d ≤ 200, r ≤ 5, k ≤ 8 and t ≤ 2000. A plan is enough when at least 95 % of fresh trials at its m recover every
task; it is tight when m is at most 1.5 times m₉₅, which is so exactly when ⌈m/1.5⌉ − 1 rows are not enough. The table
printed is Markdown; the last line counts.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from contextlib import closing

from lrs.core import streams
from theory import plan
from theory.statistics.laws import TIGHT, Size, Trials


def draw(seed: int, i: int, most: Size) -> Size:
    """The i-th size: d from 10 (and 2 (r + k)) on, every size uniform."""
    rng = streams.generator("benchmarks/plans", seed, i)
    r, k = (int(rng.integers(1, n + 1)) for n in (most.r, most.k))
    return Size(int(rng.integers(max(10, 2 * (r + k)), most.d + 1)), r, k, int(rng.integers(1, most.t + 1)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--solver", default="amht")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sizes", type=int, default=40)
    parser.add_argument("--measure", type=int, default=3, help="as of lrs plan")
    parser.add_argument("--trials", type=int, default=40, help="at the planned m")
    parser.add_argument("--most-dimension", type=int, default=200)
    parser.add_argument("--most-tasks", type=int, default=2000)
    asked = parser.parse_args(arguments)
    most = Size(asked.most_dimension, 5, 8, asked.most_tasks)
    enough, tight = 0, 0
    print(
        "| d | r | k | t | law | | measured | planned | enough | tight | s |\n|---|---|---|---|---|---|---|---|---|---|---|"
    )
    with closing(Trials(asked.solver, asked.seed, "benchmarks/plans")) as trials:
        for i in range(asked.sizes):
            start, size = time.perf_counter(), draw(asked.seed, i, most)
            sizes = size._asdict()
            law = {q.source: q for q in plan.plan_rows(**sizes)}.get(f"law of {asked.solver}")
            found = plan.measured_rows(**sizes, solver=asked.solver, replicates=asked.measure)
            m = int(plan.planned_rows(found, **sizes, solver=asked.solver).amount)
            good = trials.enough(size, m, asked.trials)
            least = math.ceil(m / TIGHT) - 1
            near = least < 1 or not trials.enough(size, least, 20)
            enough, tight = enough + good, tight + near
            words = " | ".join("yes" if x else "NO" for x in (good, near))
            said = f"{law.amount:g} | {law.kind}" if law else "– | "
            row = " | ".join(str(n) for n in size)
            print(
                f"| {row} | {said} | {found.amount:g} | {m} | {words} | {time.perf_counter() - start:.0f} |", flush=True
            )
    print(f"\nenough in {enough} of {asked.sizes}, tight in {tight} of {asked.sizes}")


if __name__ == "__main__":
    main()
