"""Solvers with a known success probability: claims that make up their outcomes, on a bench that needs no solver.

`Simulated` is the engine's phase *decide* without Hypothesis, data and ledger: a few milliseconds a run.
They test the tests: `property_tests.benchmarks.verdict_frequencies` counts how often the engine is wrong about them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from lrs.core.run import Limits, Loaded, Subject
from lrs.families.low_rank_sparse.generate import InstanceSpec
from lrs.solver import traits_of
from property_tests.examine.bench import Bench, Trial
from property_tests.examine.claim import AtLeast, Claim, Context, Kind, Outcome
from property_tests.examine.configuration import Configuration, Region
from property_tests.examine.engine import Budget, Examination
from property_tests.examine.tally import Tally


class NoSolver(Bench):
    """A bench whose claims make up their outcomes; ``seen`` counts every (claim, phase, configuration, replicate)."""

    def __init__(self, hash: str = "synthetic") -> None:
        nobody = SimpleNamespace(load=lambda subject, family: Loaded(traits_of(None), hash), close=lambda: None)
        super().__init__(Subject("synthetic"), Limits(), executor=lambda limits: nobody)
        self.seen: Counter[tuple[str, str, str, int]] = Counter()

    def trial(
        self,
        claim: Claim,
        region: Region,
        phase: str,
        configuration: Configuration,
        replicate: int,
        *rest: Any,
        **named: Any,
    ) -> Trial:
        self.seen[(claim.name, phase, configuration.text, replicate)] += 1
        return super().trial(claim, region, phase, configuration, replicate, *rest, **named)


def configurations(region: Region | None = None) -> st.SearchStrategy[Configuration]:
    """Sizes only; Hypothesis shrinks towards the small ones."""
    return st.builds(
        lambda t, d: Configuration(spec=InstanceSpec(t=t, m=10, d=d, r=1, k=1)),
        st.integers(2, 200),
        st.integers(4, 50),
    )


def bernoulli(
    probability: float | Callable[[Configuration], float],
    kind: Kind | None = None,
    name: str = "synthetic/bernoulli",
    **rest: Any,
) -> Claim:
    """A claim whose trials succeed with ``probability``, a number or a function of the configuration."""

    def check(context: Context) -> Outcome:
        p = probability(context.configuration) if callable(probability) else probability
        return Outcome(bool(context.rng.random() < p), 0.0, "drawn as a failure")

    values: dict[str, Any] = {
        "statement": "",
        "cite": "",
        "requires": (),
        "configurations": configurations,
        **rest,
    }
    return Claim(name=name, kind=kind or AtLeast(), check=check, **values)


@dataclass(frozen=True)
class Drawn:
    """A configuration of a simulated run: a name, and the probability with which a trial of it succeeds."""

    text: str
    p: float


#: Draws the success probability of a cell's next configuration.
Law = Callable[[np.random.Generator], float]


class Simulated(Examination):
    """An examination of configurations whose success probabilities follow a law, one law for each cell."""

    def __init__(
        self, kind: Kind, laws: dict[str, Law], budget: Budget, rng: np.random.Generator, alpha: float, beta: float
    ) -> None:
        self.tally = Tally(kind, alpha, beta, tuple(laws))
        self.claim, self.cells, self.budget, self.laws, self.rng = SimpleNamespace(kind=kind), laws, budget, laws, rng  # type: ignore[assignment]
        self.bench, self.region = SimpleNamespace(slow={}), SimpleNamespace(extent=lambda configuration: {})  # type: ignore[assignment]
        self.seed, self.nonce, self.promised, self.tables, self.companions = 0, None, {}, {}, ()
        self.extent, self._names = {}, count()
        self.known: dict[str, Drawn] = {}
        self._drawn, self._used = {name: [] for name in laws}, Counter()
        self._replicates, self._before, self._outside = Counter(), Counter(), Counter()
        self._cpu, self.progress = Counter(), lambda *_: None  # type: ignore[assignment]

    def parse(self, text: str) -> Any:
        return self.known[text]

    def _propose(self, cell: str, number: int) -> list[Any]:
        drawn = [Drawn(str(next(self._names)), self.laws[cell](self.rng)) for _ in range(number)]
        self.known.update({d.text: d for d in drawn})
        return drawn

    def succeeds(self, configuration: Any, phase: str) -> bool:
        """How a trial ends."""
        return bool(self.rng.random() < configuration.p)

    def _run(self, asked: Any, *, count: bool, companions: Any = ()) -> list[Any]:
        done = []
        for phase, configuration, *_ in asked:
            ok = self.succeeds(configuration, phase)
            self._count(phase, configuration, ok)
            done.append(SimpleNamespace(cpu_seconds=0.0, failed=not ok, outcome=SimpleNamespace(fault=None)))
        return done
