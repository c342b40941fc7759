"""Geometric convergence, certified per trace, and its constant."""

from __future__ import annotations

import math

from lrs.families.low_rank_sparse import metrics
from property_tests.examine.claim import AtLeast, Claim, Context, Outcome, Rate, register
from property_tests.families.low_rank_sparse import strategies
from property_tests.families.low_rank_sparse.claims.recovery import THEOREM
from property_tests.families.low_rank_sparse.ladder import ladder
from theory.statistics.rates import RateVerdict, Reason, certify, envelope_rate

#: e_ℓ ≤ C ρ^ℓ e_0. Both are this toolkit's: the theorem promises a geometric decay, not its numbers.
RHO, CONSTANT = 0.9, 100.0
#: Range that a trace has to show.
DECADES = 6.0
#: Errors below this are rounding.
FLOOR = 1e-11
#: A run of so many steps that ends at rounding is too short for a certificate, and contracts by 1/20 a step.
AT_ONCE = 8


def trace_errors(context: Context) -> tuple[float, ...]:
    """‖Θ_ℓ − Θ*‖_F/‖Θ*‖_F along the run, cut at the first error that is rounding."""
    errors = [metrics.theta_error(step.model, context.instance.truth) for step in context.run().trace]
    for i, e in enumerate(errors):
        if e <= FLOOR:
            return tuple(errors[: i + 1])
    return tuple(errors)


def _without_a_rate(errors: tuple[float, ...], least: int) -> Outcome | None:
    """Why a trace has no rate, when it has none: too short, or no longer finite."""
    if not all(math.isfinite(e) for e in errors):
        return Outcome(False, -1.0, "the error of an iterate is not finite", curve=errors)
    if len(errors) < least:
        note = f"the callback saw {len(errors)} iterate(s); a rate needs at least {least}"
        return Outcome(False, -1.0, note, {"steps": float(len(errors))}, errors)
    return None


def envelope_and_reached(errors: tuple[float, ...]) -> Outcome:
    """Whether a trace stays below its envelope, and ends below 1e-6."""
    without = _without_a_rate(errors, 2)
    if without is not None:
        return without
    rate = envelope_rate(errors, CONSTANT)
    reached = Outcome.below("last_error", errors[-1], 1e-6, curve=errors)
    return Outcome.all((Outcome.below("envelope_rate", rate, RHO, curve=errors), reached))


def _envelope(context: Context) -> Outcome:
    return envelope_and_reached(trace_errors(context))


def linear_or_faster(errors: tuple[float, ...]) -> Outcome:
    """Whether a trace is certified to fall geometrically, or faster, over six decades, or ends exactly.

    A plateau may come before, as long as the envelope of `rate/envelope` allows it. Exactly: at rounding after AT_ONCE steps
    or fewer, or by one step of six decades that no slow run came before.
    """
    at_once = 0 < len(errors) <= AT_ONCE + 1 and errors[-1] <= FLOOR
    without = _without_a_rate(errors, 1 if at_once else 4)
    if without is not None:
        return without
    if at_once:
        return Outcome(True, 1.0, curve=errors)
    if errors[-1] >= errors[0]:
        return Outcome(False, -1.0, "the error does not fall", {"steps": float(len(errors))}, errors)
    certificate = certify(errors, condition=1e3)
    # A plateau leaves open how large the constant is, and nothing else.
    late = certificate.reason is Reason.PLATEAU and envelope_rate(errors, CONSTANT) <= RHO
    ok = certificate.verdict.linear or certificate.verdict is RateVerdict.SUPERLINEAR or late
    ok = ok and certificate.decades >= DECADES
    if not ok and errors[-1] <= FLOOR and certificate.jump >= DECADES:
        before = errors[: certificate.stop + 1]
        slow = len(before) >= 4 and (
            before[-1] >= before[0] or certify(before).verdict in (RateVerdict.SUBLINEAR, RateVerdict.STALLED)
        )
        ok = not slow
    values = {"straightness": float(certificate.straightness), "decades": float(certificate.decades)}
    return Outcome(ok, 1.0 if ok else -1.0, "" if ok else certificate.sentence, values, errors)


def _linear(context: Context) -> Outcome:
    return linear_or_faster(trace_errors(context))


register(
    Claim(
        name="rate/envelope",
        statement="The error stays below 100·0.9^ℓ times the first one, down to rounding.",
        cite=f"geometric decay in Theorem 1 [M], nearly linear time of the {THEOREM}; numbers chosen here",
        kind=Rate(0.95, 0.80, rho=RHO, C=CONSTANT),
        configurations=strategies.inside,
        ladder=ladder,
        check=_envelope,
        theorems=("amht-informal",),
        traits=("exact", "trace", "low_rank", "sparse"),
    )
)
register(
    Claim(
        name="rate/linear",
        statement="The error falls geometrically or faster over at least six decades, which a certificate tells from "
        "stretched exponentials, power laws and plateaus that the envelope of rate/envelope does not allow; or it is exact "
        "within eight steps, or by one step from a run that is neither sublinear nor level.",
        cite="geometric decay in Theorem 1 [M]; certificate of theory.statistics.rates [D]",
        kind=AtLeast(0.95, 0.80),
        configurations=lambda region: strategies.inside(region, corners=("plain", "signs")),
        check=_linear,
        theorems=("amht-informal",),
        traits=("exact", "trace", "low_rank", "sparse"),
    )
)
