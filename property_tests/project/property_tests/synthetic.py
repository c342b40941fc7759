"""Claims with a known success probability, on a bench that needs no solver."""

from collections import Counter

from hypothesis import strategies as st

from lrs import InstanceSpec, Traits
from property_tests.claim import AtLeast, Claim, Configuration, Outcome
from property_tests.engine import Bench, Conduct, Trial
from property_tests.sandbox import Subject


class NoSolver(Bench):
    """A bench whose claims make up their outcomes."""

    def __init__(self, hash="synthetic"):
        self.subject, self.jobs, self.conduct = Subject("synthetic"), 1, Conduct()
        self.broken, self.traits, self.hash = None, Traits(), hash
        self.seen = Counter()

    def trial(self, claim, region, phase, configuration, replicate) -> Trial:
        self.seen[(claim.name, phase, configuration.text, replicate)] += 1
        return super().trial(claim, region, phase, configuration, replicate)


def configurations(region=None):
    """Sizes only; Hypothesis shrinks towards the small ones."""
    return st.builds(
        lambda t, d: Configuration(spec=InstanceSpec(t=t, m=10, d=d, r=1, k=1)),
        st.integers(2, 200),
        st.integers(4, 50),
    )


def bernoulli(probability, kind=None, name="synthetic/bernoulli", **rest):
    """A claim whose trials succeed with ``probability``, a number or a function of the configuration."""

    def check(context):
        p = probability(context.configuration) if callable(probability) else probability
        return Outcome(bool(context.rng.random() < p), 0.0, "drawn as a failure")

    values = {"statement": "", "cite": "", "requires": (), "configurations": configurations, **rest}
    return Claim(name=name, kind=kind or AtLeast(), check=check, **values)
