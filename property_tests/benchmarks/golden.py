"""What a small sweep and a quick verify come to, frozen, so that a change of structure can be shown to change nothing.

    python -m property_tests.benchmarks.golden freeze FILE
    python -m property_tests.benchmarks.golden check FILE
    python -m property_tests.benchmarks.golden check sweep FILE

Frozen are, of every trial of the sweep, how it ended, its status, its iterations and its errors; of every claim of
`verify`, the verdict, the counts behind it and the configurations that were tried. Errors are kept as tenths of log10,
and one tenth is forgiven; what is below 1e-12 is rounding. On the machine of the freeze nothing may differ. Another
BLAS moves the step at which some solvers stop (in 16 of 360 trials between the OpenBLAS kernels for Nehalem, Haswell and
SkylakeX, never how a trial ends): `differences` tells such differences from those that no rounding explains. Only public
functions are called. Whoever changes where the data come from on purpose (seeds, strategies) hands in the old streams,
or freezes again and says so.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd

from lrs import AMHT
from phase_diagrams import load, sweep
from phase_diagrams.sweeps.engines import Inline
from phase_diagrams.sweeps.grid import build
from property_tests.examine.bench import Trial
from property_tests.examine.claim import Timing
from property_tests.verify import check_solver

#: Keys the data of `verify`, which are secret otherwise.
NONCE = "5ec0" * 8
#: Sixty cells, ten of them impossible (k > d); from too few rows for anybody to enough for all but the baseline.
SWEEP = {
    "x": "m=3,5,7,9,12,16,24,40,60,90",
    "y": "k=0,1,2,3,5,13",
    "fixed": "d=12,r=2,t=12",
    "solvers": ["amht", "altmin", "iht"],
    "replicates": 2,
    "seed": 7,
    "success": "all",
    "tolerance": 1e-6,
}
#: Name → solver and claims. The second solver stops too early, so that pressing, refuting and blocking are frozen too.
VERIFY = {
    "amht": ("amht", "*"),
    "seven-steps": (AMHT(max_iterations=7, attempts=1), "recovery/exact,recovery/support,recovery/to-rounding"),
}
ERRORS = ("theta_error", "subspace_distance", "tasks_recovered", "support_precision", "support_recall", "residual")
ROUNDING = 1e-12


def tenths(value: float) -> int | str:
    """An error as tenths of log10; "0" below rounding, "nan" or "inf" when it is no number."""
    if not math.isfinite(value):
        return f"{value:g}"
    return round(10 * math.log10(value)) if value > ROUNDING else "0"


def freeze_sweep(settings: Mapping[str, Any] = SWEEP) -> dict[str, list[Any]]:
    """Trial (coordinates, replicate, solver) → outcome, status, iterations and `ERRORS` in tenths."""
    spec = build(settings)
    with tempfile.TemporaryDirectory() as folder:
        sweep(spec, Path(folder), Inline())
        frame = load(folder).frame
    axes = [a.name for a in spec.axes]
    frozen = {}
    for row in frame.to_dict("records"):
        name = " ".join([*(f"{n}={row[n]:g}" for n in axes), f"replicate={row['replicate']}", str(row["solver"])])
        # Where nothing ran (an impossible cell) there is neither a status nor a number of iterations.
        status, steps = (None if pd.isna(row[c]) else row[c] for c in ("status", "iterations"))
        frozen[name] = [str(row["outcome"]), status, steps and int(steps), *(tenths(row[e]) for e in ERRORS)]
    return frozen


def freeze_verify() -> dict[str, dict[str, Any]]:
    """Solver and claim → verdict, counts and what was tried; of a claim about measured time the verdict alone."""
    frozen = {}
    for name, (solver, claims) in VERIFY.items():
        tried: dict[str, list[str]] = {}

        def record(t: Trial, tried: dict[str, list[str]] = tried) -> None:
            tried.setdefault(t.claim, []).append(f"{t.phase} {t.replicate} {t.outcome.ok} {t.configuration.text}\n")

        report = check_solver(solver, budget="quick", claims=claims, jobs=2, name=name, record=record, nonce=NONCE)
        for r in report.results:
            entry: dict[str, Any] = {"verdict": r.verdict.value}
            if r.tally is not None and not isinstance(r.claim.kind, Timing):
                counts = (r.tally.trials, r.tally.successes, len(r.tally.pressed))
                entry |= dict(zip(("trials", "successes", "pressed"), counts, strict=True))
                entry["tried"] = sha256("".join(tried.get(r.claim.name, [])).encode()).hexdigest()[:16]
            frozen[f"{name} {r.claim.name}"] = entry
    return frozen


FREEZERS = {"sweep": freeze_sweep, "verify": freeze_verify}


def _kind(a: Any, b: Any) -> str:
    """How two entries differ: not at all (""), in a number of steps or an error ("number"), or in how it ended."""
    if not isinstance(a, list) or not isinstance(b, list) or a[:2] != b[:2] or len(a) != len(b):
        return "" if a == b else "end"
    pairs = zip(a[3:], b[3:], strict=True)
    close = (x == y or (isinstance(x, int) and isinstance(y, int) and abs(x - y) <= 1) for x, y in pairs)
    return "" if a[2] == b[2] and all(close) else "number"


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, list[str]]:
    """The entries that are not as they were frozen, a line each: those that "end" in another way, those of "number"."""
    lines: dict[str, list[str]] = {"end": [], "number": []}
    for name in dict.fromkeys([*old, *new]):
        a, b = old.get(name), new.get(name)
        if kind := _kind(a, b):
            lines[kind].append(f"{name}: was {a}, is {b}")
    return lines


def dumps(document: Mapping[str, Mapping[str, Any]]) -> str:
    """The text of the file: one line an entry, so that a change of it can be read."""
    parts = [
        f'"{part}": {{\n'
        + ",\n".join(f"{json.dumps(n)}: {json.dumps(v, separators=(',', ':'))}" for n, v in entries.items())
        + "\n}"
        for part, entries in document.items()
    ]
    return "{" + ",\n".join(parts) + "}\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Freeze, or check and print what differs; 1 when anything does."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["freeze", "check"])
    parser.add_argument("part", nargs="?", choices=list(FREEZERS), help="default: both")
    parser.add_argument("file", type=Path)
    asked = parser.parse_args(arguments)
    document = json.loads(asked.file.read_text()) if asked.file.exists() else {}
    found = 0
    for part in [asked.part] if asked.part else FREEZERS:
        new = FREEZERS[part]()
        if asked.verb == "freeze":
            document[part] = new
            continue
        lines = differences(document[part], new)
        numbers, ends = lines["number"], lines["end"]
        found += len(numbers) + len(ends)
        print(*numbers, *ends, sep="\n")
        print(f"{part}: of {len(document[part])}, {len(ends)} end in another way, {len(numbers)} with other numbers")
    if asked.verb == "freeze":
        asked.file.write_text(dumps(document))
        print({part: len(entries) for part, entries in document.items()})
        print(Counter(f"{n.split()[-1]} {v[0]}" for n, v in document.get("sweep", {}).items()))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
