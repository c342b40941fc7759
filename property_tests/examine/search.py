"""Hypothesis picks configurations, and never data: proposals, a search for small margins, and the shrinking of a failure."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, settings, target
from hypothesis.errors import NoSuchExample
from hypothesis.strategies import SearchStrategy

from lrs.core.identity import joint_digest, leading_bits
from property_tests.examine.configuration import Configuration


def _settings(examples: int, *phases: Phase) -> settings:
    return settings(
        max_examples=examples,
        phases=phases,
        database=None,
        deadline=None,
        derandomize=False,
        suppress_health_check=list(HealthCheck),
    )


class _Shielded:
    """A function that keeps its first error for later and answers ``instead`` from then on.

    Hypothesis would try what raised again, on other data, and take a difference for flakiness.
    """

    def __init__(self, function: Callable[[Configuration], Any], instead: Any = None) -> None:
        self.function, self.instead = function, instead
        self.raised: Exception | None = None

    def __call__(self, configuration: Configuration) -> Any:
        if self.raised is None:
            try:
                return self.function(configuration)
            except Exception as error:
                self.raised = error
        return self.instead

    def settle(self) -> None:
        """Raise the error that was kept."""
        if self.raised is not None:
            raise self.raised


def _visit(
    strategy: SearchStrategy[Configuration],
    examples: int,
    seed: int,
    body: Callable[[Configuration], None],
    *phases: Phase,
) -> None:
    shielded = _Shielded(body)

    @hypothesis.seed(seed)
    @_settings(examples, *phases)
    @hypothesis.given(strategy)
    def test(configuration: Configuration) -> None:
        shielded(configuration)

    test()
    shielded.settle()


def seed_of(*texts: str) -> int:
    """A seed for Hypothesis from canonical texts."""
    return leading_bits(joint_digest(*texts), 60)


def propose(strategy: SearchStrategy[Configuration], number: int, seed: int) -> list[Configuration]:
    """``number`` configurations as the strategy draws them; a strategy with fewer repeats them in turn."""
    found: list[Configuration] = []
    _visit(strategy, number, seed, found.append, Phase.generate)
    return [found[i % len(found)] for i in range(number)]


def explore(
    strategy: SearchStrategy[Configuration], number: int, seed: int, margin: Callable[[Configuration], float]
) -> None:
    """Visit ``number`` configurations, moving towards small values of ``margin`` (infinite ones do not guide)."""

    def body(configuration: Configuration) -> None:
        value = margin(configuration)
        if math.isfinite(value):
            target(-value)

    _visit(strategy, number, seed, body, Phase.generate, Phase.target)


def shrink(
    strategy: SearchStrategy[Configuration], number: int, seed: int, fails: Callable[[Configuration], bool]
) -> Configuration | None:
    """The simplest configuration found on which ``fails`` is true, after at most ``number`` calls of it; or None."""
    known: dict[str, bool] = {}
    shielded = _Shielded(fails, instead=False)

    def remembered(configuration: Configuration) -> bool:
        text = configuration.text
        if text not in known:
            # Beyond the budget everything new passes; what is known keeps its answer, so the search stays consistent.
            known[text] = len(known) < number and shielded(configuration)
        return known[text]

    simplest = None
    with suppress(NoSuchExample):
        simplest = hypothesis.find(
            strategy,
            remembered,
            settings=_settings(number, Phase.generate, Phase.shrink),
            random=random.Random(seed),
        )
    shielded.settle()
    return simplest
