"""Trials of known boundary, made without running a solver."""

import numpy as np
import pandas as pd

from phase_diagrams import Axis, SweepSpec, Trials
from phase_diagrams.sweeps import identity


def make_trials(axes, fixed, threshold, *, scale=1.0, replicates=10, solvers=("a",), seed=0, keep=None, **options):
    """A finished sweep in which replicate j recovers iff m ≥ m*, m* ~ Logistic(threshold(parameters), scale).

    m* is drawn once per (parameters other than m, replicate), as nested data demand. ``threshold`` takes the
    cell's parameters and the solver's index. ``keep`` drops rows, as an interrupted sweep does.
    """
    spec = SweepSpec(tuple(Axis.parse(a) for a in axes), fixed, tuple(solvers), replicates, seed, **options)
    rows = []
    for cell in spec.cells:
        p = cell.parameters
        for j in range(replicates):
            for i, solver in enumerate(solvers):
                row = {"cell": cell.index, "replicate": j, "solver": solver, **p, **cell.coordinates}
                if cell.spec is None:
                    rows.append({**row, "outcome": "impossible", "success": False, "message": cell.reason})
                    continue
                # Shared by all m and by the solvers, as the data are.
                u = np.random.default_rng(identity.instance_key(seed, p, j)).random()
                critical = threshold(p, i) + scale * np.log(u / (1 - u))
                ok = p["m"] >= critical
                gap = abs(p["m"] - critical)
                rows.append(
                    {
                        **row,
                        "outcome": "recovered" if ok else "not recovered",
                        "success": bool(ok),
                        "status": "converged" if ok else "stalled",
                        "iterations": int(10 + 20 / (0.3 + gap)),
                        "theta_error": 1e-12 if ok else 0.3,
                        "subspace_distance": 1e-12 if ok else (0.5 if p["m"] < critical - 4 * scale else 1e-8),
                        "tasks_recovered": 1.0 if ok else 0.4,
                        "support_precision": 1.0 if ok else 0.7,
                        "support_recall": 1.0 if ok else 0.6,
                        "residual": 1e-13 if ok else 0.1,
                        "rate": 0.2 + 0.7 / (1 + gap / 4),
                        "message": None,
                        "timing_solve": 0.01 * (1 + i),
                        "timing_generate": 0.001,
                        "host_worker": "w0",
                    }
                )
    frame = pd.DataFrame(rows)
    if keep is not None:
        frame = frame[[bool(keep(r)) for r in frame.to_dict("records")]].reset_index(drop=True)
    return Trials(frame, spec)
