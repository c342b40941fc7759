"""Solvers with a known success probability: claims that make up their outcomes, on a bench that needs no solver.

They test the tests: `property_tests.benchmarks.verdict_frequencies` counts how often the engine is wrong about them.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from lrs.core.family import load_family
from lrs.core.run import Subject
from lrs.families.low_rank_sparse.generate import InstanceSpec
from lrs.solver import traits_of
from property_tests.examine.bench import Bench, Conduct, Trial
from property_tests.examine.claim import AtLeast, Claim, Context, Kind, Outcome
from property_tests.examine.configuration import Configuration, Region


class NoSolver(Bench):
    """A bench whose claims make up their outcomes; ``seen`` counts every (claim, phase, configuration, replicate)."""

    def __init__(self, hash: str = "synthetic") -> None:
        self.subject, self.jobs, self.conduct = Subject("synthetic"), 1, Conduct()
        self.family, self.broken, self.traits, self.hash = load_family(), None, traits_of(None), hash
        self._lock, self._made, self._answers, self.slow = threading.Lock(), {}, OrderedDict(), {}
        self.seen: Counter[tuple[str, str, str, int]] = Counter()

    def trial(
        self,
        claim: Claim,
        region: Region,
        phase: str,
        configuration: Configuration,
        replicate: int,
        nonce: str | None = None,
        companions: Sequence[Claim] = (),
    ) -> Trial:
        self.seen[(claim.name, phase, configuration.text, replicate)] += 1
        return super().trial(claim, region, phase, configuration, replicate, nonce, companions)


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
