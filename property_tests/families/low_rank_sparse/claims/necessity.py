"""Beyond the limits: with one necessary condition broken no solver can recover, and the theory names the condition."""

from __future__ import annotations

from hypothesis.strategies import SearchStrategy

from property_tests.examine.claim import AtLeast, Claim, Context, Outcome, register
from property_tests.examine.configuration import Configuration, Region
from property_tests.families.low_rank_sparse import strategies
from theory.families.low_rank_sparse.fixtures import FIXTURES, parameter_error
from theory.families.low_rank_sparse.measurement import measure
from theory.language.verdict import Verdict

#: A parameter error above this is a failure to recover.
MISSED = 1e-3


def _fails(context: Context) -> Outcome:
    name, instance = context.configuration.violates, context.instance
    error = parameter_error(context.run(trace=False).model, instance.truth)
    check = FIXTURES[name].condition.check(measure(instance))
    values = {"parameter_error": error, "margin of the broken condition": float(check.margin)}
    if check.verdict is not Verdict.FAILS:
        return Outcome(False, -1.0, f"the theory does not see that ‘{name}’ is broken", values)
    ok = error >= MISSED
    note = (
        ""
        if ok
        else f"all parameters were recovered although ‘{name}’ is broken ({FIXTURES[name].why}): "
        "the answer cannot come from the data"
    )
    return Outcome(ok, 1.0 if ok else -1.0, note, values)


def _beyond(region: Region) -> SearchStrategy[Configuration]:
    return strategies.beyond_limits()


register(
    Claim(
        name="necessity/beyond-the-limits",
        statement="With one necessary condition broken the parameters are not recovered, and the predicate of that "
        "condition fails on the instance.",
        cite="theory.families.low_rank_sparse.assumptions.NECESSARY [D]",
        kind=AtLeast(0.95, 0.60),
        configurations=_beyond,
        check=_fails,
        traits=("low_rank", "sparse"),
        inside=False,
    )
)
